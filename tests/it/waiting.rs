//! Waiting: how often one looks, when it ends, and that nothing is read again that has not changed. The clock is the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use metalogic::address::Commit;
use metalogic::ancestry::ToldHistory;
use metalogic::artifact::Name;
use metalogic::attempt::{self, News};
use metalogic::catalog::Catalog;
use metalogic::event::{Observer, Silent};
use metalogic::metafile::Progress;
use metalogic::moment::Stamp;
use metalogic::policy::Policy;
use metalogic::registry::Registry;
use metalogic::state::State;
use metalogic::store::Key;
use metalogic::store::memory::MemoryStore;
use metalogic::waiting::{self, Wait, WaitError};
use metalogic::world::{Limits, World};
use tokio::time::Instant;

use crate::decorated::{Decorated, Fate, Watcher};
use crate::flows::one_stub;

/// Writes down each operation, without its key; for a while there may be no answer to any.
#[derive(Clone, Default)]
struct Clerk {
    seen: Arc<Mutex<BTreeMap<String, usize>>>,
    /// From when until when the store is away.
    away: Option<(Instant, Instant)>,
    /// Since when nobody is answered at all.
    mute: Option<Instant>,
}

#[async_trait]
impl Watcher for Clerk {
    async fn before(&self, operation: &str) -> Fate {
        let verb = operation.split(' ').next().unwrap().to_owned();
        *self.seen.lock().unwrap().entry(verb).or_default() += 1;
        let is_away = self.away.is_some_and(|(from, until)| (from..until).contains(&Instant::now()));
        if self.mute.is_some_and(|since| since <= Instant::now()) {
            std::future::pending::<()>().await;
        }
        if is_away { Fate::Lost } else { Fate::Go }
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

impl Clerk {
    fn count(&self, verb: &str) -> usize {
        self.seen.lock().unwrap().get(verb).copied().unwrap_or_default()
    }
}

const PATIENCE: Duration = Duration::from_secs(1200);

fn commit(digit: char) -> Commit {
    digit.to_string().repeat(40).parse().unwrap()
}

fn name() -> Name {
    "a.zip".parse().unwrap()
}

fn history() -> ToldHistory {
    let parents = [(commit('a'), Some(commit('b'))), (commit('b'), None)];
    ToldHistory { parents: parents.into_iter().collect(), ..ToldHistory::default() }
}

/// Waits while something else goes on, and returns the outcome, how long it took, and what was asked of the store.
async fn waited(
    store: &MemoryStore,
    policy: Policy,
    meanwhile: impl Future<Output = ()>,
) -> (Result<BTreeMap<Name, State>, WaitError>, Duration, Clerk) {
    waited_by(Clerk::default(), store, policy, meanwhile).await
}

async fn waited_by(
    clerk: Clerk,
    store: &MemoryStore,
    policy: Policy,
    meanwhile: impl Future<Output = ()>,
) -> (Result<BTreeMap<Name, State>, WaitError>, Duration, Clerk) {
    waited_with(None, clerk, store, policy, meanwhile).await
}

async fn waited_with(
    catalog: Option<&Catalog>,
    clerk: Clerk,
    store: &MemoryStore,
    policy: Policy,
    meanwhile: impl Future<Output = ()>,
) -> (Result<BTreeMap<Name, State>, WaitError>, Duration, Clerk) {
    let (history, names) = (history(), BTreeSet::from([name()]));
    let watched = Decorated::new(store.clone(), clerk.clone());
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let world = World { store: &watched, ancestry: &history, observer: &observer, limits: Limits::default() };
    let wait = Wait { commit: commit('a'), names: &names, policy, catalog, patience: PATIENCE };
    let began = Instant::now();
    let waiting = async { (waiting::wait(world, &wait, |_| ()).await, began.elapsed()) };
    let ((ended, took), ()) = futures::future::join(waiting, meanwhile).await;
    let states = |verdicts: BTreeMap<Name, _>| -> BTreeMap<Name, State> {
        verdicts.into_iter().map(|(name, verdict): (Name, metalogic::state::Verdict)| (name, verdict.state)).collect()
    };
    (ended.map(states), took, clerk)
}

async fn record(store: MemoryStore, state: Progress, after: Duration) {
    tokio::time::sleep(after).await;
    let (observer, history): (Arc<dyn Observer>, _) = (Arc::new(Silent), history());
    let world = World { store: &store, ancestry: &history, observer: &observer, limits: Limits::default() };
    let names = BTreeSet::from([name()]);
    let news =
        News { commit: commit('a'), names, state, stamp: Stamp::default(), reason: None, registered: BTreeSet::new() };
    attempt::record(world, &news, false).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_time_is_up_when_it_is_up_after_one_last_look_and_few_before() {
    let store = MemoryStore::default();
    let (ended, took, clerk) = waited(&store, Policy::Exact, std::future::ready(())).await;
    let Err(WaitError::TimeIsUp { refused, .. }) = ended else { panic!("{ended:?}") };
    assert_eq!(refused[0].state, State::Missing);
    assert_eq!(took.as_secs(), PATIENCE.as_secs(), "neither before nor after");
    let looks = clerk.count("list");
    assert!((40..=120).contains(&looks), "{looks} looks in twenty minutes");
    // What comes with the last look counts.
    let late = {
        let store = store.clone();
        async move {
            tokio::time::sleep(PATIENCE - Duration::from_millis(1)).await;
            store.plant(&Key::Artifact(commit('a'), name()).to_string(), "x");
        }
    };
    let (ended, ..) = waited(&store, Policy::Exact, late).await;
    assert_eq!(ended.unwrap(), BTreeMap::from([(name(), State::Built)]));
}

#[tokio::test(start_paused = true)]
async fn a_metafile_that_has_not_changed_is_not_read_again() {
    let store = MemoryStore::default();
    record(store.clone(), Progress::Pending, Duration::ZERO).await;
    let (ended, _, clerk) = waited(&store, Policy::Exact, std::future::ready(())).await;
    let Err(WaitError::TimeIsUp { refused, .. }) = ended else { panic!("{ended:?}") };
    assert_eq!(refused[0].state, State::Pending);
    assert_eq!(clerk.count("get"), 1, "all others ask whether it has changed");
    assert_eq!(clerk.count("get-changed"), clerk.count("list") - 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_soon_after_it_is_built_or_its_build_failed() {
    let minutes = Duration::from_secs(300);
    let store = MemoryStore::default();
    record(store.clone(), Progress::Pending, Duration::ZERO).await;
    let (ended, took, _) = waited(&store, Policy::Exact, record(store.clone(), Progress::Failed, minutes)).await;
    assert!(matches!(ended, Err(WaitError::Failed(_))), "{ended:?}");
    assert!(took >= minutes && took < minutes + Duration::from_secs(31), "{took:?}");

    let store = MemoryStore::default();
    let put = {
        let store = store.clone();
        async move {
            tokio::time::sleep(minutes).await;
            // By another program, that writes no metafile.
            store.plant(&Key::Artifact(commit('a'), name()).to_string(), "x");
        }
    };
    let (ended, took, _) = waited(&store, Policy::Exact, put).await;
    assert_eq!(ended.unwrap(), BTreeMap::from([(name(), State::Built)]));
    assert!(took < minutes + Duration::from_secs(31), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_takes_the_nearest_waits_until_an_ancestor_has_it_in_the_commits_metafile() {
    let store = MemoryStore::default();
    let minutes = Duration::from_secs(300);
    let put = {
        let store = store.clone();
        async move {
            tokio::time::sleep(minutes).await;
            store.plant(&Key::Artifact(commit('b'), name()).to_string(), "x");
            let mut metafile = metalogic::metafile::Metafile::empty(commit('b'), None);
            metafile.artifacts.insert(name(), commit('b'));
            store.plant(&Key::Metafile(commit('b')).to_string(), metafile.to_bytes().unwrap());
            let (observer, history): (Arc<dyn Observer>, _) = (Arc::new(Silent), history());
            let world = World { store: &store, ancestry: &history, observer: &observer, limits: Limits::default() };
            one_stub(world, commit('a'), false).await.unwrap();
        }
    };
    let (ended, took, _) = waited(&store, Policy::Nearest, put).await;
    assert!(matches!(ended.unwrap()[&name()], State::Assumed(_)));
    assert!(took >= minutes && took < minutes + Duration::from_secs(31), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_for_a_while_is_waited_for_too() {
    let minute = Duration::from_secs(60);
    for policy in [Policy::Exact, Policy::Nearest] {
        let (store, began) = (MemoryStore::default(), Instant::now());
        let away =
            |from, until| Clerk { away: Some((began + from * minute, began + until * minute)), ..Clerk::default() };
        let put = async {
            tokio::time::sleep(3 * minute).await;
            store.plant(&Key::Artifact(commit('a'), name()).to_string(), "x");
            let mut metafile = metalogic::metafile::Metafile::empty(commit('a'), Some(commit('b')));
            metafile.artifacts.insert(name(), commit('a'));
            store.plant(&Key::Metafile(commit('a')).to_string(), metafile.to_bytes().unwrap());
        };
        let (ended, took, _) = waited_by(away(1, 5), &store, policy, put).await;
        assert_eq!(ended.unwrap(), BTreeMap::from([(name(), State::Built)]));
        assert!(took >= 5 * minute && took < 5 * minute + Duration::from_secs(31), "{took:?}");
        // Where it is away when the time is up, that is the answer.
        let (store, began) = (MemoryStore::default(), Instant::now());
        let clerk = Clerk { away: Some((began + minute, began + 2 * PATIENCE)), ..Clerk::default() };
        let (ended, took, _) = waited_by(clerk, &store, policy, std::future::ready(())).await;
        assert!(matches!(ended, Err(WaitError::Status(_))), "{ended:?}");
        assert_eq!(took.as_secs(), PATIENCE.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_holds_nobody_beyond_the_time() {
    for (policy, mute) in [(Policy::Exact, 0), (Policy::Exact, 60), (Policy::Nearest, 60)] {
        let since = Instant::now() + Duration::from_secs(mute);
        let clerk = Clerk { mute: Some(since), ..Clerk::default() };
        let (ended, took, _) = waited_by(clerk, &MemoryStore::default(), policy, std::future::ready(())).await;
        assert!(matches!(ended, Err(WaitError::NoAnswer { .. })), "{ended:?}");
        assert_eq!(took, PATIENCE + Duration::from_secs(20));
    }
}

#[tokio::test(start_paused = true)]
async fn ancestors_are_looked_at_seldom_and_at_the_end() {
    let registry = Registry::parse(b"[projects.p]\nartifacts = [\"a.zip\"]\n", "r").unwrap();
    let catalog = Catalog::new(registry, &[], &[]).unwrap();
    let store = MemoryStore::default();
    let whole = (PATIENCE.as_secs() / 30) as usize;
    let (ended, took, clerk) =
        waited_with(Some(&catalog), Clerk::default(), &store, Policy::Nearest, std::future::ready(())).await;
    assert!(matches!(ended, Err(WaitError::TimeIsUp { .. })) && took == PATIENCE, "{ended:?}");
    // One at the commit's own address each time, and two for a look at it and at its parent.
    let own = clerk.count("get") + clerk.count("get_changed");
    assert!(clerk.count("list") <= own + 2 * whole, "{:?}", clerk.seen);
    // What is built at an ancestor at the very end is seen all the same.
    let put = async {
        tokio::time::sleep(PATIENCE - Duration::from_millis(1)).await;
        store.plant(&Key::Artifact(commit('b'), name()).to_string(), "x");
    };
    let (ended, took, _) = waited_with(Some(&catalog), Clerk::default(), &store, Policy::Nearest, put).await;
    assert!(matches!(ended.unwrap()[&name()], State::Assumed(_)) && took == PATIENCE);
    // And what is built at the commit itself is seen soon.
    let (store, minutes) = (MemoryStore::default(), Duration::from_secs(300));
    let put = async {
        tokio::time::sleep(minutes).await;
        store.plant(&Key::Artifact(commit('a'), name()).to_string(), "x");
    };
    let (ended, took, _) = waited_with(Some(&catalog), Clerk::default(), &store, Policy::Nearest, put).await;
    assert_eq!(ended.unwrap(), BTreeMap::from([(name(), State::Built)]));
    assert!(took < minutes + Duration::from_secs(16), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_metafile_that_is_none_holds_nobody_up() {
    for bytes in [b"no metafile".to_vec(), vec![b' '; 2 << 20]] {
        let store = MemoryStore::default();
        store.plant(&Key::Metafile(commit('a')).to_string(), bytes);
        let put = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            store.plant(&Key::Artifact(commit('a'), name()).to_string(), "x");
        };
        let (ended, ..) = waited(&store, Policy::Exact, put).await;
        assert_eq!(ended.unwrap(), BTreeMap::from([(name(), State::Built)]));
    }
}
