//! How often one waits for the store: round trips grow with the logarithm of the distance, in a shallow clone too, and requests stay few.

mod tour;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::ancestry::{Ancestry, NoHistory, ToldHistory};
use metalogic::artifact::{Digest, Name};
use metalogic::event::{Event, Observer, Silent};
use metalogic::metafile::{LARGEST, Metafile, Record, SkipLinks};
use metalogic::metalogic::{Keep, Vocabulary};
use metalogic::resolve::{self, Answer, Question};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Key, Store};
use metalogic::stub::{self, Gaps};
use metalogic::world::{Limits, World};

use crate::decorated::{Decorated, Fate, Watcher};

/// How long each answer is on its way. The clock is the test's own: nobody waits.
const ROUND: Duration = Duration::from_millis(20);

/// Has each request take one round trip, and counts them.
#[derive(Clone, Default)]
struct Distant(Arc<AtomicUsize>);

#[async_trait]
impl Watcher for Distant {
    async fn before(&self, _: &str) -> Fate {
        self.0.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(ROUND).await;
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

/// What one run cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    rounds: usize,
    requests: usize,
}

fn commit(number: usize) -> Commit {
    format!("{number:040x}").parse().unwrap()
}

fn name() -> Name {
    "a.zip".parse().unwrap()
}

/// Returns a line of commits, the newest first.
fn line(count: usize) -> Vec<Commit> {
    (1..=count).map(commit).collect()
}

/// Returns what git knows of a line in a clone that has so many of its commits.
fn clone_of(line: &[Commit], depth: usize) -> ToldHistory {
    let known = line.iter().enumerate().take(depth);
    let parents = known.map(|(at, commit)| (*commit, line.get(at + 1).copied())).collect();
    ToldHistory { parents, ..ToldHistory::default() }
}

/// Stubs all of a line, as the hooks of whoever made it do.
async fn stub_all(store: &MemoryStore, line: &[Commit]) {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let history = clone_of(line, line.len());
    let world = World { store, ancestry: &history, observer: &observer, limits: Limits::default() };
    let stubbed = stub::stub(world, line, Gaps::Leave, false).await;
    assert_eq!((stubbed.stubs.len(), stubbed.failures.len()), (line.len(), 0));
}

async fn metafile(store: &MemoryStore, commit: Commit) -> Metafile {
    let (bytes, _) = store.get(&Key::Metafile(commit), LARGEST).await.unwrap().unwrap();
    Metafile::parse(&bytes, commit).unwrap()
}

fn plant(store: &MemoryStore, metafile: &Metafile) {
    store.plant(&Key::Metafile(metafile.commit).to_string(), metafile.to_bytes().unwrap());
}

/// Has the metafiles of a line name ancestors that are none, or are elsewhere.
async fn lie(store: &MemoryStore, line: &[Commit], rng: &mut Rng) {
    for here in line {
        let mut stub = metafile(store, *here).await;
        let lies = (0..rng.usize(0..6)).map(|_| (rng.usize(2..90), line[rng.usize(0..line.len())])).collect();
        stub.skips.learn(SkipLinks::told(lies));
        plant(store, &stub);
    }
}

/// Puts an artifact, with the metafile that its publisher wrote.
async fn publish(store: &MemoryStore, at: Commit) {
    store.plant(&Key::Artifact(at, name()).to_string(), "it");
    let mut metafile = metafile(store, at).await;
    metafile.artifacts.insert(name(), at);
    let sha256 = Some(Digest::of(b"it"));
    metafile.details.insert(name(), Record { size: Some(2), sha256, ..Record::default() });
    plant(store, &metafile);
}

async fn resolve(store: &MemoryStore, history: &dyn Ancestry, at: Commit, max_ancestors: usize) -> (Answer, Cost) {
    let distant = Distant::default();
    let store = Decorated::new(store.clone(), distant.clone());
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let limits = Limits { max_ancestors, ..Limits::default() };
    let world = World { store: &store, ancestry: history, observer: &observer, limits };
    let wanted = [name()].into_iter().collect();
    let vocabulary = Vocabulary { registered: [name()].into_iter().collect(), wanted, ..Vocabulary::default() };
    let known = BTreeMap::new();
    let question =
        Question { commit: at, vocabulary: &vocabulary, known: &known, pretend: false, keep: Keep::Everything };
    let began = tokio::time::Instant::now();
    let answer = resolve::resolve(world, &question).await.unwrap();
    let rounds = usize::try_from(began.elapsed().as_millis() / ROUND.as_millis()).unwrap();
    (answer, Cost { rounds, requests: distant.0.load(Ordering::Relaxed) })
}

/// How far away an artifact is looked for: on both sides of each end of a window.
fn distances() -> impl Iterator<Item = usize> {
    (0..=60).chain([89, 90, 91, 92, 119, 120, 121, 150, 153, 154, 155, 183, 184, 185, 199, 200])
}

#[tokio::test(start_paused = true)]
async fn an_artifact_a_hundred_and_fifty_ancestors_away_costs_seven_round_trips_and_eight_in_a_clone_of_depth_one() {
    let line = line(260);
    for (depth, most) in [(line.len(), 7), (1, 8), (2, 8), (9, 8), (30, 9), (100, 9), (149, 9)] {
        let store = MemoryStore::default();
        stub_all(&store, &line).await;
        publish(&store, line[150]).await;
        let (answer, cost) = resolve(&store, &clone_of(&line, depth), line[0], 200).await;
        assert_eq!(answer.metafile.artifacts.get(&name()), Some(&line[150]), "depth {depth}");
        assert!(cost.rounds <= most, "depth {depth}: {cost:?}, at most {most}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shallow_clone_waits_at_most_twice_as_long_and_nobody_asks_more_than_twice_the_distance_and_sixteen_times() {
    let line = line(260);
    let stubbed = MemoryStore::default();
    stub_all(&stubbed, &line).await;
    let mut stubs = Vec::new();
    for commit in &line {
        stubs.push(metafile(&stubbed, *commit).await);
    }
    for distance in distances() {
        let store = MemoryStore::default();
        stubs.iter().for_each(|stub| plant(&store, stub));
        publish(&store, line[distance]).await;
        let own = Key::Metafile(line[0]).to_string();
        let stub = metafile(&store, line[0]).await.to_bytes().unwrap();
        let (expected, full) = resolve(&store, &clone_of(&line, line.len()), line[0], 200).await;
        for depth in [1, 2, 5, 40] {
            store.plant(&own, stub.clone());
            let (answer, shallow) = resolve(&store, &clone_of(&line, depth), line[0], 200).await;
            assert_eq!(answer.metafile, expected.metafile, "{distance} away, depth {depth}");
            assert!(shallow.rounds <= 2 * full.rounds, "{distance} away, depth {depth}: {shallow:?}, {full:?}");
            // And one source of details.
            let most = 2 * distance + 16 + 1;
            assert!(shallow.requests <= most, "{distance} away, depth {depth}: {shallow:?}, at most {most}");
        }
        assert!(full.requests <= 2 * distance + 16 + 1, "{distance} away: {full:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_repository_the_links_of_the_metafiles_are_enough() {
    let line = line(260);
    for distance in [1, 9, 60, 150, 200] {
        let store = MemoryStore::default();
        stub_all(&store, &line).await;
        publish(&store, line[distance]).await;
        let (answer, cost) = resolve(&store, &NoHistory, line[0], 200).await;
        assert_eq!(answer.metafile.artifacts.get(&name()), Some(&line[distance]));
        assert!(cost.rounds <= 10 && cost.requests <= 2 * distance + 17, "{distance} away: {cost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stub_names_the_ancestors_of_one_stride_and_those_sixteen_thirty_two_and_sixty_four_steps_away() {
    let line = line(80);
    let store = MemoryStore::default();
    stub_all(&store, &line).await;
    for at in [0, 3, 40, 70, 79] {
        let expected =
            [2, 3, 4, 5, 6, 7, 8, 16, 32, 64].into_iter().filter_map(|steps| Some((steps, *line.get(at + steps)?)));
        let skips = metafile(&store, line[at]).await.skips;
        assert_eq!(skips.iter().collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{at}");
    }
    // However few ancestors are looked at: whoever comes later may look at more.
    let (answer, _) = resolve(&MemoryStore::default(), &clone_of(&line, 80), line[0], 0).await;
    assert_eq!(answer.metafile.skips, metafile(&store, line[0]).await.skips);
}

#[tokio::test(start_paused = true)]
async fn a_clone_that_knows_less_takes_no_link_away() {
    let line = line(100);
    let store = MemoryStore::default();
    stub_all(&store, &line).await;
    let stub = metafile(&store, line[0]).await;
    for history in [&clone_of(&line, 1) as &dyn Ancestry, &clone_of(&line, 7), &NoHistory] {
        let (answer, _) = resolve(&store, history, line[0], 200).await;
        assert_eq!(answer.metafile.skips, stub.skips);
    }
}

/// Remembers where it was told that history ends.
#[derive(Default)]
struct Ends(std::sync::Mutex<Vec<Commit>>);

impl Observer for Ends {
    fn observe(&self, event: &Event) {
        if let Event::HistoryEnds { at, .. } = event {
            self.0.lock().unwrap().push(*at);
        }
    }
}

/// Returns how many ancestors are known by what each metafile says, if one asks all of them in turn until none tells more.
fn reference(store: &HashMap<Commit, Metafile>, line: &[Commit], git: usize, most: usize) -> usize {
    let mut known: HashSet<usize> = (1..=git).collect();
    known.insert(0);
    loop {
        let told = known.iter().filter_map(|at| Some((*at, store.get(line.get(*at)?)?)));
        let named = |(at, metafile): (usize, &Metafile)| {
            let parent = metafile.parent_commit.map(|_| at + 1);
            parent.into_iter().chain(metafile.skips.iter().map(move |(steps, _)| at + steps)).collect::<Vec<_>>()
        };
        let next: HashSet<usize> = told.flat_map(named).chain(known.iter().copied()).collect();
        if next == known {
            return (1..).take_while(|at| known.contains(at)).count().min(most);
        }
        known = next;
    }
}

#[tokio::test(start_paused = true)]
async fn where_metafiles_lack_or_name_no_links_history_is_followed_as_far_as_one_stride_tells() {
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let line = line(rng.usize(2..150));
        let store = MemoryStore::default();
        stub_all(&store, &line).await;
        let mut kept = HashMap::new();
        let (lacking, plain) = (rng.u8(0..20), rng.u8(0..100));
        for (at, here) in line.iter().enumerate() {
            let mut stub = metafile(&store, *here).await;
            if at > 0 && rng.u8(0..100) < lacking {
                store.delete(&Key::Metafile(*here)).await.unwrap();
                continue;
            }
            if rng.u8(0..100) < plain {
                // So an older version wrote it.
                stub.skips = SkipLinks::default();
            }
            plant(&store, &stub);
            kept.insert(*here, stub);
        }
        let depth = rng.usize(0..8);
        let git: Box<dyn Ancestry> = if depth == 0 { Box::new(NoHistory) } else { Box::new(clone_of(&line, depth)) };
        let (ends, most) = (Arc::new(Ends::default()), rng.usize(1..200));
        let observer: Arc<dyn Observer> = ends.clone();
        let limits = Limits { max_ancestors: most, ..Limits::default() };
        let world = World { store: &store, ancestry: &*git, observer: &observer, limits };
        let mut walk = metalogic::walk::Walk::new(world, line[0]).unwrap();
        if let Some(own) = kept.get(&line[0]) {
            walk.hear_own(own);
        }
        let mut looked = Vec::new();
        while let Some((ancestor, _)) = walk.listing(looked.len()).await.unwrap() {
            looked.push(ancestor);
        }
        assert_eq!(looked, line[1..=looked.len()], "seed {seed}: each is the parent of the one before it");
        let by_git = depth.min(line.len() - 1);
        let by_parents =
            (by_git..).take_while(|at| kept.get(&line[*at]).is_some_and(|here| here.parent_commit.is_some()));
        let (least, best) = ((by_git + by_parents.count()).min(most), reference(&kept, &line, by_git, most));
        assert!((least..=best).contains(&looked.len()), "seed {seed}: {} of {least} to {best}", looked.len());
    }
}

#[tokio::test(start_paused = true)]
async fn links_that_lie_lead_nowhere_twice_and_never_past_what_git_knows() {
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let line = line(40);
        let store = MemoryStore::default();
        stub_all(&store, &line).await;
        lie(&store, &line, &mut rng).await;
        let depth = rng.usize(1..40);
        let history = clone_of(&line, depth);
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let world = World { store: &store, ancestry: &history, observer: &observer, limits: Limits::default() };
        let mut walk = metalogic::walk::Walk::new(world, line[0]).unwrap();
        walk.hear_own(&metafile(&store, line[0]).await);
        let mut looked = Vec::new();
        while let Some((ancestor, _)) = walk.listing(looked.len()).await.unwrap() {
            looked.push(ancestor);
        }
        let known = depth.min(line.len() - 1);
        assert_eq!(looked[..known], line[1..=known], "seed {seed}: git outranks a metafile");
        assert_eq!(looked.iter().collect::<HashSet<_>>().len(), looked.len(), "seed {seed}: {looked:?}");
    }
}
