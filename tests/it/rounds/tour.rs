//! How often one waits for the store while a chronicle is told.

use std::collections::BTreeSet;

use metalogic::chronicle::{Chronicle, Ends, Inquiry, Page};

use super::*;
use crate::chronicle::Always;

/// What a chronicle came to.
struct Told {
    pages: Vec<Page>,
    ends: Option<Ends>,
    cost: Cost,
    /// How many round trips there were before the first page.
    first: usize,
    /// The most requests that were under way at once.
    abreast: usize,
}

/// Counts how many requests are under way.
#[derive(Clone, Default)]
struct Crowd {
    requests: Distant,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

#[async_trait]
impl Watcher for Crowd {
    async fn before(&self, operation: &str) -> Fate {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        self.requests.before(operation).await
    }

    fn after(&self, _: &str, _: &dyn Debug) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

fn rounds(since: tokio::time::Instant) -> usize {
    usize::try_from(since.elapsed().as_millis() / ROUND.as_millis()).unwrap()
}

async fn tell(store: &MemoryStore, history: &dyn Ancestry, at: Commit, most: usize, jobs: usize) -> Told {
    let crowd = Crowd::default();
    let store = Decorated::new(store.clone(), crowd.clone());
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let world =
        World { store: &store, ancestry: history, observer: &observer, limits: Limits { jobs, ..Limits::default() } };
    let names = BTreeSet::new();
    let inquiry = Inquiry { commit: at, most, names: &names, registries: &Always(None), repository: None };
    let began = tokio::time::Instant::now();
    let mut chronicle = Chronicle::begin(world, inquiry).unwrap();
    let (mut pages, mut first) = (Vec::new(), 0);
    while let Some(page) = chronicle.next().await.unwrap() {
        if pages.is_empty() {
            first = rounds(began);
        }
        pages.push(page);
    }
    let cost = Cost { rounds: rounds(began), requests: crowd.requests.0.load(Ordering::Relaxed) };
    Told { pages, ends: chronicle.ends().unwrap(), cost, first, abreast: crowd.most.load(Ordering::Relaxed) }
}

#[tokio::test(start_paused = true)]
async fn a_chronicle_costs_two_requests_a_commit_and_no_more_round_trips_than_so_many_jobs_need() {
    let line = line(1100);
    let store = MemoryStore::default();
    stub_all(&store, &line).await;
    // Where metafiles have to tell history, a few more before enough of it is known; each leads no farther than 64 commits ahead.
    for (depth, jobs, most, more) in [
        (line.len(), 64, 1000, 0),
        (line.len(), 1, 20, 0),
        (line.len(), 7, 200, 0),
        (500, 128, 600, 1),
        (40, 64, 200, 1),
        (2, 64, 200, 3),
        (1, 64, 1000, 3),
        (0, 7, 200, 1),
        (0, 64, 200, 3),
        (0, 512, 600, 12),
    ] {
        let history: Box<dyn Ancestry> =
            if depth == 0 { Box::new(NoHistory) } else { Box::new(clone_of(&line, depth)) };
        let Told { pages, ends, cost, first, abreast } = tell(&store, &*history, line[0], most, jobs).await;
        let which = format!("depth {depth}, {jobs} jobs, {most} commits: {cost:?}");
        assert_eq!(pages.iter().map(|page| page.commit).collect::<Vec<_>>(), line[..most], "{which}");
        assert_eq!(ends, Some(Ends::Most), "{which}");
        assert_eq!((cost.requests, first), (2 * most, 2), "{which}");
        assert!(cost.rounds <= (2 * most).div_ceil(jobs) + more, "{which}");
        assert!(abreast <= jobs, "{which}: {abreast} at once");
    }
}

#[tokio::test(start_paused = true)]
async fn git_is_asked_for_a_long_history_bit_by_bit_and_all_of_it_is_told() {
    let line = line(2500);
    let Told { pages, ends, cost, first, .. } =
        tell(&MemoryStore::default(), &clone_of(&line, line.len()), line[0], 2400, 1000).await;
    assert_eq!(pages.iter().map(|page| page.commit).collect::<Vec<_>>(), line[..2400]);
    assert_eq!((ends, cost.requests, first), (Some(Ends::Most), 4800, 2));
    let Told { pages, ends, .. } =
        tell(&MemoryStore::default(), &clone_of(&line, line.len()), line[0], 1_000_000, 1000).await;
    assert_eq!((pages.len(), ends), (2500, None));
    assert_eq!(pages[2499].parent, None);
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_as_soon_as_it_is_known_and_whoever_stops_reading_stops_asking() {
    let line = line(1100);
    let store = MemoryStore::default();
    let crowd = Crowd::default();
    let store = Decorated::new(store, crowd.clone());
    let (observer, history): (Arc<dyn Observer>, _) = (Arc::new(Silent), clone_of(&line, line.len()));
    let limits = Limits { jobs: 16, ..Limits::default() };
    let world = World { store: &store, ancestry: &history, observer: &observer, limits };
    let names = BTreeSet::new();
    let inquiry = Inquiry { commit: line[0], most: 1000, names: &names, registries: &Always(None), repository: None };
    let mut chronicle = Chronicle::begin(world, inquiry).unwrap();
    #[expect(clippy::needless_range_loop, reason = "the place says more than the commit")]
    for at in 0..20 {
        assert_eq!(chronicle.next().await.unwrap().unwrap().commit, line[at]);
        let asked = crowd.requests.0.load(Ordering::Relaxed);
        assert!(asked <= 2 * (at + 1) + 4 * 16, "after {at}: {asked}");
    }
    let asked = crowd.requests.0.load(Ordering::Relaxed);
    tokio::time::sleep(100 * ROUND).await;
    assert_eq!(crowd.requests.0.load(Ordering::Relaxed), asked);
    chronicle.settle().await.unwrap();
    let (then, under_way) = (crowd.requests.0.load(Ordering::Relaxed), crowd.now.load(Ordering::Relaxed));
    assert!(then <= asked + 16 && under_way == 0, "{then}, {under_way}");
    chronicle.settle().await.unwrap();
    assert_eq!(crowd.requests.0.load(Ordering::Relaxed), then);
}

#[tokio::test(start_paused = true)]
async fn where_metafiles_are_missing_or_name_no_links_a_chronicle_goes_as_far_as_they_tell() {
    for seed in 0..100 {
        let mut rng = Rng::with_seed(seed);
        let line = line(rng.usize(2..150));
        let store = MemoryStore::default();
        stub_all(&store, &line).await;
        let (mut kept, lacking, plain) = (HashMap::new(), rng.u8(0..20), rng.u8(0..100));
        for (at, here) in line.iter().enumerate() {
            let mut stub = metafile(&store, *here).await;
            if at > 0 && rng.u8(0..100) < lacking {
                store.delete(&Key::Metafile(*here)).await.unwrap();
                continue;
            }
            if rng.u8(0..100) < plain {
                stub.skips = SkipLinks::default();
            }
            plant(&store, &stub);
            kept.insert(*here, stub);
        }
        let (depth, most, jobs) = (rng.usize(0..8), rng.usize(1..170), rng.usize(1..80));
        let git: Box<dyn Ancestry> = if depth == 0 { Box::new(NoHistory) } else { Box::new(clone_of(&line, depth)) };
        let Told { pages, ends, cost, .. } = tell(&store, &*git, line[0], most, jobs).await;
        let told: Vec<Commit> = pages.iter().map(|page| page.commit).collect();
        assert_eq!(told, line[..told.len()], "seed {seed}: each is the parent of the one before it");
        let by_git = depth.min(line.len() - 1);
        let by_parents =
            (by_git..).take_while(|at| kept.get(&line[*at]).is_some_and(|here| here.parent_commit.is_some()));
        let least = (by_git + by_parents.count() + 1).min(most);
        let best = (reference(&kept, &line, by_git, most) + 1).min(most);
        assert!((least..=best).contains(&told.len()), "seed {seed}: {} of {least} to {best}", told.len());
        // What was asked ahead of the end may be in vain.
        assert!(cost.requests <= 2 * told.len() + 80, "seed {seed}: {cost:?} for {}", told.len());
        match ends {
            Some(Ends::Most) => assert!(told.len() == most && most < line.len(), "seed {seed}"),
            Some(Ends::Unknown { at, .. }) => {
                assert_eq!(at, *told.last().unwrap(), "seed {seed}");
                // That the root is one is told by its own metafile alone.
                assert!(told.len() < line.len() || !kept.contains_key(&at), "seed {seed}");
                assert!(pages.last().unwrap().parent.is_none(), "seed {seed}");
            }
            None => assert_eq!(told.len(), line.len(), "seed {seed}"),
        }
        for (at, page) in pages.iter().enumerate() {
            let is_kept = kept.contains_key(&page.commit);
            assert_eq!(page.metafile == metalogic::chronicle::Kept::Stored, is_kept, "seed {seed}, {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn links_that_lie_lead_a_chronicle_nowhere_twice_and_never_past_what_git_knows() {
    for seed in 0..60 {
        let mut rng = Rng::with_seed(seed);
        let line = line(40);
        let store = MemoryStore::default();
        stub_all(&store, &line).await;
        lie(&store, &line, &mut rng).await;
        let depth = rng.usize(1..40);
        let told = tell(&store, &clone_of(&line, depth), line[0], 200, rng.usize(1..70)).await.pages;
        let told: Vec<Commit> = told.iter().map(|page| page.commit).collect();
        let known = depth.min(line.len() - 1);
        assert_eq!(told[..=known], line[..=known], "seed {seed}: git outranks a metafile");
        assert_eq!(told.iter().collect::<HashSet<_>>().len(), told.len(), "seed {seed}: {told:?}");
    }
}
