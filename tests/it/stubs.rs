//! Stubbing many commits together: the same metafiles as one by one from the oldest up, with one look at what is outside.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::ancestry::{NoHistory, ToldHistory};
use metalogic::artifact::Name;
use metalogic::event::{Observer, Silent};
use metalogic::metafile::{LARGEST, Metafile};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Key, Store, StoreError};
use metalogic::stub::{self, Gaps, StubError, Stubbed};
use metalogic::world::{Limits, World};

use crate::fake::{Act, Fake, Fault};
use crate::flows::one_stub;

fn commit(number: usize) -> Commit {
    format!("{:040x}", number + 1).parse().unwrap()
}

fn name(number: usize) -> Name {
    format!("a{number}.zip").parse().unwrap()
}

fn plant(store: &MemoryStore, metafile: &Metafile) {
    store.plant(&Key::Metafile(metafile.commit).to_string(), metafile.to_bytes().unwrap());
}

/// Returns all metafiles among the first so many commits.
async fn metafiles(store: &dyn Store, commits: usize) -> BTreeMap<Commit, Vec<u8>> {
    let mut found = BTreeMap::new();
    for number in 0..commits {
        if let Some((bytes, _)) = store.get(&Key::Metafile(commit(number)), LARGEST).await.unwrap() {
            found.insert(commit(number), bytes.to_vec());
        }
    }
    found
}

/// Makes a random forest in which each commit's first parent is an earlier one.
fn forest(rng: &mut Rng, commits: usize) -> ToldHistory {
    let parent = |rng: &mut Rng, at: usize| {
        if at == 0 || rng.u8(0..12) == 0 { None } else { Some(commit(rng.usize(at.saturating_sub(4)..at))) }
    };
    ToldHistory { parents: (0..commits).map(|at| (commit(at), parent(rng, at))).collect(), ..ToldHistory::default() }
}

#[tokio::test]
async fn many_at_once_are_what_one_by_one_from_the_oldest_up_gives() {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    for seed in 0..600 {
        let mut rng = Rng::with_seed(seed);
        let count = rng.usize(1..40);
        let history = forest(&mut rng, count);
        let max_ancestors = if rng.bool() { rng.usize(1..30) } else { 200 };
        let limits = Limits { max_ancestors, jobs: rng.usize(1..6), ..Limits::default() };
        let (together, one_by_one) = (MemoryStore::default(), MemoryStore::default());
        for at in 0..count {
            match rng.u8(0..6) {
                0 => {
                    let mut metafile = Metafile::empty(commit(at), history.parents[&commit(at)]);
                    metafile.artifacts.insert(name(rng.usize(0..5)), commit(at));
                    plant(&together, &metafile);
                    plant(&one_by_one, &metafile);
                }
                // Past a malformed one the two look equally far only where nothing bounds them.
                1 if max_ancestors == 200 => {
                    for store in [&together, &one_by_one] {
                        store.plant(&Key::Metafile(commit(at)).to_string(), "malformed");
                    }
                }
                _ => {}
            }
        }
        let named: Vec<usize> = (0..count).filter(|_| rng.u8(0..3) > 0).collect();
        let world = |store| World { store, ancestry: &history, observer: &observer, limits };
        let mut expected = Vec::new();
        for at in &named {
            expected.push(one_stub(world(&one_by_one), commit(*at), false).await.unwrap().created);
        }
        let mut shuffled: Vec<Commit> = named.iter().map(|at| commit(*at)).collect();
        rng.shuffle(&mut shuffled);
        let Stubbed { stubs, failures } = stub::stub(world(&together), &shuffled, Gaps::Leave, false).await;
        assert!(failures.is_empty(), "seed {seed}: {failures:?}");
        let created: HashMap<Commit, bool> = stubs.iter().map(|stub| (stub.commit, stub.created)).collect();
        let told: Vec<bool> = named.iter().map(|at| created[&commit(*at)]).collect();
        assert_eq!(told, expected, "seed {seed}");
        assert_eq!(metafiles(&together, count).await, metafiles(&one_by_one, count).await, "seed {seed}");
        // Ancestors come before their descendants.
        let place: HashMap<Commit, usize> = stubs.iter().enumerate().map(|(at, stub)| (stub.commit, at)).collect();
        for stub in &stubs {
            let parent = history.parents[&stub.commit].and_then(|parent| place.get(&parent));
            assert!(parent.is_none_or(|at| *at < place[&stub.commit]), "seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_line_of_commits_asks_once_for_each_and_once_for_what_lies_before() {
    let commits: Vec<Commit> = (0..300).map(commit).collect();
    let parents = (0..300).map(|at| (commit(at), at.checked_sub(1).map(commit))).collect();
    let (history, observer): (_, Arc<dyn Observer>) =
        (ToldHistory { parents, ..ToldHistory::default() }, Arc::new(Silent));
    let fake = Fake::start().await;
    fake.calm();
    let mut old = Metafile::empty(commit(99), Some(commit(98)));
    old.artifacts.insert(name(1), commit(7));
    fake.plant(&Key::Metafile(commit(99)).to_string(), old.to_bytes().unwrap());
    let store = fake.store("");
    let world = World { store: &store, ancestry: &history, observer: &observer, limits: Limits::default() };
    let Stubbed { stubs, failures } = stub::stub(world, &commits[100..], Gaps::Leave, false).await;
    assert!(failures.is_empty() && stubs.len() == 200 && stubs.iter().all(|stub| stub.created), "{failures:?}");
    // A look at each, one at the parent of the first, and a put for each.
    assert_eq!(fake.requests().len(), 200 + 1 + 200);
    let last = store.get(&Key::Metafile(commit(299)), LARGEST).await.unwrap().unwrap();
    assert_eq!(Metafile::parse(&last.0, commit(299)).unwrap().artifacts, old.artifacts);
}

#[tokio::test]
async fn what_is_wrong_with_one_commit_stops_no_other() {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let parents = HashMap::from([(commit(1), Some(commit(0))), (commit(2), Some(commit(1)))]);
    let history = ToldHistory { parents, ..ToldHistory::default() };
    let store = MemoryStore::default();
    let world = World { store: &store, ancestry: &history, observer: &observer, limits: Limits::default() };
    // The first is beyond the boundary of a shallow clone, and the last is nobody's.
    let Stubbed { stubs, failures } = stub::stub(world, &[0, 1, 2, 9].map(commit), Gaps::Leave, false).await;
    assert_eq!(stubs.iter().map(|stub| stub.commit).collect::<Vec<_>>(), [commit(1), commit(2)]);
    assert!(
        failures.iter().all(|failure| matches!(failure, StubError::Ancestry(_))) && failures.len() == 2,
        "{failures:?}"
    );
    let world = World { ancestry: &NoHistory, ..world };
    let Stubbed { stubs, failures } = stub::stub(world, &[1, 8].map(commit), Gaps::Leave, false).await;
    assert_eq!((stubs.len(), stubs[0].created), (1, false));
    assert!(matches!(failures.as_slice(), [StubError::NoParent(lost)] if *lost == commit(8)), "{failures:?}");
}

#[tokio::test]
async fn a_store_that_fails_ends_it_with_one_failure_and_what_was_put_before_is_told() {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let parents = (0..50).map(|at| (commit(at), at.checked_sub(1).map(commit))).collect();
    let (history, fake) = (ToldHistory { parents, ..ToldHistory::default() }, Fake::start().await);
    let refused = Act::Answer { status: 403, headers: Vec::new(), body: "" };
    fake.fault(Fault {
        about: vec!["PUT", "/builds/0000000000000000000000000000000000000015/"],
        times: 9,
        act: refused,
    });
    let store = fake.store("");
    let limits = Limits { jobs: 4, ..Limits::default() };
    let world = World { store: &store, ancestry: &history, observer: &observer, limits };
    let Stubbed { stubs, failures } =
        stub::stub(world, &(0..50).map(commit).collect::<Vec<_>>(), Gaps::Leave, false).await;
    assert_eq!(stubs.len(), 20, "those before it, in order");
    assert!(matches!(failures.as_slice(), [StubError::Store(StoreError::AccessDenied { .. })]), "{failures:?}");
}

#[tokio::test]
async fn ancestors_that_no_hook_saw_are_stubbed_up_to_the_nearest_metafile_and_no_further() {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    // A line from 0 to 9, and 10 and 11 that leave it at 6.
    let mut parents: HashMap<Commit, Option<Commit>> =
        (0..10).map(|at| (commit(at), at.checked_sub(1).map(commit))).collect();
    parents.extend([(commit(10), Some(commit(6))), (commit(11), Some(commit(10)))]);
    let history = ToldHistory { parents, ..ToldHistory::default() };
    let store = MemoryStore::default();
    let mut built = Metafile::empty(commit(3), Some(commit(2)));
    built.artifacts.insert(name(1), commit(3));
    plant(&store, &built);
    let world = World { store: &store, ancestry: &history, observer: &observer, limits: Limits::default() };
    let Stubbed { stubs, failures } = stub::stub(world, &[9, 11].map(commit), Gaps::Fill, false).await;
    assert!(failures.is_empty() && stubs.iter().all(|stub| stub.created), "{failures:?}");
    let found = metafiles(&store, 12).await;
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), (3..12).map(commit).collect::<Vec<_>>());
    for (commit, bytes) in &found {
        let metafile = Metafile::parse(bytes, *commit).unwrap();
        assert_eq!((metafile.parent_commit, &metafile.artifacts), (history.parents[commit], &built.artifacts));
    }
    // Where there is no metafile at all, nobody wants two hundred that say nothing.
    let bare = MemoryStore::default();
    let Stubbed { stubs, .. } = stub::stub(World { store: &bare, ..world }, &[commit(9)], Gaps::Fill, false).await;
    assert_eq!(stubs.len(), 1);
}
