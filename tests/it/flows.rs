//! Resolving, stubbing and showing on a store: what the rule says is what the store gets, whatever the store's pace and order.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use metalogic::address::{Commit, Tree};
use metalogic::ancestry::{Ancestry, NoHistory, ToldHistory};
use metalogic::artifact::{Digest, Name};
use metalogic::catalog::Catalog;
use metalogic::event::{Event, Observer, Silent};
use metalogic::metafile::{LARGEST, Metafile, Record, SkipLinks};
use metalogic::metalogic::{Keep, Vocabulary};
use metalogic::moment::Stamp;
use metalogic::publish::{self, Item, PublishError};
use metalogic::registry::Registry;
use metalogic::resolve::{self, Answer, Question, ResolveError};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Attributes, Condition, Content, Key, Store};
use metalogic::stub::{self, Gaps, Stub, StubError, Stubbed};
use metalogic::world::{Limits, World};

use crate::decorated::{Decorated, Fate, Watcher};
use crate::fake::Fake;
use crate::metalogic::{self as oracle, WANTED};

fn commit(number: usize) -> Commit {
    format!("{number:040x}").parse().unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn chain(commits: &[Commit]) -> ToldHistory {
    let parents = commits.iter().enumerate().map(|(at, commit)| (*commit, commits.get(at + 1).copied()));
    ToldHistory { parents: parents.collect(), ..ToldHistory::default() }
}

fn wanted(names: &[&str]) -> Vocabulary {
    let names: std::collections::BTreeSet<Name> = names.iter().map(|text| name(text)).collect();
    Vocabulary { wanted: names.clone(), registered: names, ..Vocabulary::default() }
}

/// Stubs one commit.
pub async fn one_stub(world: World<'_>, commit: Commit, dry_run: bool) -> Result<Stub, StubError> {
    let Stubbed { mut stubs, mut failures } = stub::stub(world, &[commit], Gaps::Leave, dry_run).await;
    assert_eq!(stubs.len() + failures.len(), 1, "one commit, one outcome");
    failures.pop().map_or_else(|| Ok(stubs.remove(0)), Err)
}

/// Remembers what it is told.
#[derive(Default)]
struct Memory(Mutex<Vec<Event>>);

impl Observer for Memory {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Runs a flow with everything that it needs.
struct Stage<'a> {
    store: &'a dyn Store,
    ancestry: &'a dyn Ancestry,
    limits: Limits,
    memory: Arc<Memory>,
    observer: Arc<dyn Observer>,
}

impl<'a> Stage<'a> {
    fn new(store: &'a dyn Store, ancestry: &'a dyn Ancestry) -> Self {
        let memory = Arc::new(Memory::default());
        Self { store, ancestry, limits: Limits::default(), observer: memory.clone(), memory }
    }

    fn world(&self) -> World<'_> {
        World { store: self.store, ancestry: self.ancestry, observer: &self.observer, limits: self.limits }
    }

    async fn resolve(&self, commit: Commit, vocabulary: &Vocabulary) -> Result<Answer, ResolveError> {
        self.keep(commit, vocabulary, Keep::Everything).await
    }

    async fn keep(&self, commit: Commit, vocabulary: &Vocabulary, keep: Keep) -> Result<Answer, ResolveError> {
        let known = BTreeMap::new();
        resolve::resolve(self.world(), &Question { commit, vocabulary, known: &known, pretend: false, keep }).await
    }

    fn events(&self) -> Vec<Event> {
        self.memory.0.lock().unwrap().clone()
    }
}

/// Lets each operation wait for a random while.
struct Dawdler(Mutex<Rng>);

#[async_trait]
impl Watcher for Dawdler {
    async fn before(&self, _: &str) -> Fate {
        let pause = self.0.lock().unwrap().u64(0..50);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

/// Counts operations by kind.
#[derive(Clone, Default)]
struct Counter(Arc<Mutex<HashMap<String, usize>>>);

impl Counter {
    fn of(&self, kind: &str) -> usize {
        self.0.lock().unwrap().get(kind).copied().unwrap_or_default()
    }

    fn all(&self) -> usize {
        self.0.lock().unwrap().values().sum()
    }
}

#[async_trait]
impl Watcher for Counter {
    async fn before(&self, operation: &str) -> Fate {
        let kind = operation.split(' ').next().unwrap_or_default().to_owned();
        *self.0.lock().unwrap().entry(kind).or_default() += 1;
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

async fn stored(store: &dyn Store, commit: Commit) -> Option<Metafile> {
    let (bytes, _) = store.get(&Key::Metafile(commit), LARGEST).await.unwrap()?;
    Some(Metafile::parse(&bytes, commit).unwrap())
}

fn plant(store: &MemoryStore, at: Commit, artifact: &str) {
    store.plant(&Key::Artifact(at, name(artifact)).to_string(), artifact.to_owned());
}

fn plant_metafile(store: &MemoryStore, metafile: &Metafile) {
    store.plant(&Key::Metafile(metafile.commit).to_string(), metafile.to_bytes().unwrap());
}

/// Returns all of a random history's objects by their keys.
fn objects(world: &oracle::World) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (place, objects) in &world.objects {
        for object in objects.iter().filter(|object| **object != "build_meta.json") {
            all.push((format!("{}{object}", place.address()), b"x".to_vec()));
        }
    }
    for metafile in world.metafiles.values() {
        all.push((Key::Metafile(metafile.commit).to_string(), metafile.to_bytes().unwrap()));
    }
    all
}

/// Puts all of a random history's objects into a store.
fn planted(world: &oracle::World) -> MemoryStore {
    let store = MemoryStore::default();
    objects(world).into_iter().for_each(|(key, bytes)| store.plant(&key, bytes));
    store
}

/// Says whether a request to S3 could change anything there.
fn writes(request: &str) -> bool {
    !request.starts_with("GET ") && !request.starts_with("HEAD ")
}

#[tokio::test(start_paused = true)]
async fn width_and_order_of_completion_change_nothing_and_the_answer_is_the_oracles() {
    for seed in 0..400 {
        let world = oracle::World::random(&mut Rng::with_seed(seed));
        let history = chain(&world.chain);
        let vocabulary = oracle::vocabulary();
        let mut answers = Vec::new();
        for jobs in [1, 2, 3, 64] {
            let store = Decorated::new(planted(&world), Dawdler(Mutex::new(Rng::with_seed(seed ^ jobs))));
            let mut stage = Stage::new(&store, &history);
            stage.limits.max_ancestors = world.most;
            stage.limits.jobs = usize::try_from(jobs).unwrap();
            let answer = stage.keep(world.chain[0], &vocabulary, world.keep).await.unwrap();
            assert_eq!(stored(&*store.inner, world.chain[0]).await.as_ref(), Some(&answer.metafile), "seed {seed}");
            answers.push(answer);
        }
        for other in &answers[1..] {
            assert_eq!(
                (&other.metafile, &other.missing, &other.unknown),
                (&answers[0].metafile, &answers[0].missing, &answers[0].unknown),
                "seed {seed}"
            );
        }
        let metafile = &answers[0].metafile;
        for text in WANTED {
            // What only the stub of nothing found supports is the one thing that a flow leaves out of a purge.
            if world.keep == Keep::Everything || world.metafiles.contains_key(&world.chain[0]) {
                assert_eq!(metafile.artifacts.get(&name(text)), world.place(text).as_ref(), "seed {seed}: {text}");
            }
        }
        for (artifact, place) in &metafile.artifacts {
            let known = metafile.details.contains_key(artifact);
            assert!(known || !world.stands(*place, artifact.as_str()), "seed {seed}: {artifact} has no details");
        }
    }
}

#[tokio::test]
async fn a_second_run_puts_nothing() {
    for seed in 0..200 {
        let world = oracle::World::random(&mut Rng::with_seed(seed));
        let counter = Counter::default();
        let store = Decorated::new(planted(&world), counter.clone());
        let history = chain(&world.chain);
        let mut stage = Stage::new(&store, &history);
        stage.limits.max_ancestors = world.most;
        let first = stage.keep(world.chain[0], &oracle::vocabulary(), world.keep).await.unwrap();
        let puts = counter.of("put");
        let second = stage.keep(world.chain[0], &oracle::vocabulary(), world.keep).await.unwrap();
        assert_eq!(counter.of("put"), puts, "seed {seed}: {} then {}", first.written, second.written);
        assert!(!second.written);
        assert_eq!(first.bytes, second.bytes, "seed {seed}");
    }
}

#[tokio::test]
async fn on_s3_the_answer_is_that_of_any_store_and_a_second_run_puts_nothing() {
    let fake = Fake::start().await;
    let store = fake.store("");
    for seed in 0..40 {
        let world = oracle::World::random(&mut Rng::with_seed(seed));
        fake.begin(usize::try_from(seed).unwrap());
        objects(&world).into_iter().for_each(|(key, bytes)| fake.plant(&key, bytes));
        let (memory, history) = (planted(&world), chain(&world.chain));
        let (mut expected, mut stage) = (Stage::new(&memory, &history), Stage::new(&store, &history));
        (expected.limits.max_ancestors, stage.limits.max_ancestors) = (world.most, world.most);
        let expected = expected.keep(world.chain[0], &oracle::vocabulary(), world.keep).await.unwrap();
        let answer = stage.keep(world.chain[0], &oracle::vocabulary(), world.keep).await.unwrap();
        assert_eq!(
            (answer.metafile, answer.missing, answer.unknown, answer.written),
            (expected.metafile, expected.missing, expected.unknown, expected.written),
            "seed {seed}"
        );
        assert_eq!(answer.bytes, expected.bytes, "seed {seed}");
        fake.requests();
        let second = stage.keep(world.chain[0], &oracle::vocabulary(), world.keep).await.unwrap();
        assert_eq!((second.written, second.bytes), (false, expected.bytes), "seed {seed}");
        let requests = fake.requests();
        assert!(!requests.iter().any(|request| writes(request)), "seed {seed}: {requests:?}");
    }
}

#[tokio::test]
async fn a_clone_of_depth_one_and_no_clone_resolve_as_the_full_one_where_each_commit_has_a_metafile() {
    let commits: Vec<Commit> = (1..=40).map(commit).collect();
    let full = chain(&commits);
    for seed in 0..60 {
        let mut rng = Rng::with_seed(seed);
        let store = MemoryStore::default();
        for (at, here) in commits.iter().enumerate() {
            plant_metafile(&store, &Metafile::empty(*here, commits.get(at + 1).copied()));
            for text in WANTED.into_iter().filter(|_| rng.u8(..30) == 0) {
                plant(&store, *here, text);
            }
        }
        let shallow =
            ToldHistory { parents: HashMap::from([(commits[0], Some(commits[1]))]), ..ToldHistory::default() };
        let vocabulary = wanted(&WANTED);
        let expected = Stage::new(&store, &full).resolve(commits[0], &vocabulary).await.unwrap().metafile;
        for history in [&shallow as &dyn Ancestry, &NoHistory] {
            plant_metafile(&store, &Metafile::empty(commits[0], Some(commits[1])));
            let mut metafile = Stage::new(&store, history).resolve(commits[0], &vocabulary).await.unwrap().metafile;
            // Who read only as much of history as was needed names no more of it.
            let links = std::mem::take(&mut metafile.skips);
            assert!(links.iter().all(|link| expected.skips.iter().any(|known| known == link)), "seed {seed}");
            assert_eq!(metafile, Metafile { skips: SkipLinks::default(), ..expected.clone() }, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn requests_for_an_artifact_some_ancestors_away_are_at_most_twice_as_many_and_sixteen() {
    let commits: Vec<Commit> = (1..=202).map(commit).collect();
    let history = chain(&commits);
    let vocabulary = wanted(&["a.zip"]);
    for distance in (0..=40).chain([55, 56, 57, 119, 120, 121, 150, 183, 184, 185, 199, 200]) {
        for with_metafiles in [false, true] {
            let (memory, counter) = (MemoryStore::default(), Counter::default());
            plant(&memory, commits[distance], "a.zip");
            if with_metafiles {
                let parents = commits.iter().skip(1).map(|parent| Some(*parent)).chain([None]);
                commits.iter().zip(parents).skip(1).for_each(|(here, parent)| {
                    plant_metafile(&memory, &Metafile::empty(*here, parent));
                });
            }
            let store = Decorated::new(memory, counter.clone());
            let answer = Stage::new(&store, &history).resolve(commits[0], &vocabulary).await.unwrap();
            assert_eq!(answer.metafile.artifacts.get(&name("a.zip")), Some(&commits[distance]));
            // One source of details, and the metafile of the place itself.
            let (requests, most) = (counter.all(), 2 * distance + 16 + 2);
            let stubs = if with_metafiles { 0 } else { 200 };
            assert!(requests <= most + stubs, "{requests} requests for {distance} ancestors, at most {most}");
            assert_eq!(counter.of("put"), 1);
        }
    }
}

#[tokio::test]
async fn an_operation_is_one_request_on_s3() {
    let commits: Vec<Commit> = (1..=202).map(commit).collect();
    let (history, vocabulary, fake) = (chain(&commits), wanted(&["a.zip"]), Fake::start().await);
    for distance in [0, 1, 7, 40, 121, 200] {
        fake.begin(0);
        fake.plant(&Key::Artifact(commits[distance], name("a.zip")).to_string(), "a.zip");
        let (counter, store) = (Counter::default(), fake.store(""));
        let store = Decorated::new(store, counter.clone());
        Stage::new(&store, &history).resolve(commits[0], &vocabulary).await.unwrap();
        assert_eq!(fake.requests().len(), counter.all(), "{distance} ancestors away");
    }
}

#[tokio::test]
async fn a_malformed_metafile_of_an_ancestor_is_passed_over_with_a_warning() {
    let commits = [commit(1), commit(2), commit(3)];
    let (store, history) = (MemoryStore::default(), chain(&commits));
    store.plant(&Key::Metafile(commits[1]).to_string(), "{\"commit\": 3}");
    let mut good = Metafile::empty(commits[2], None);
    good.artifacts.insert(name("a.zip"), commit(9));
    plant_metafile(&store, &good);
    plant(&store, commit(9), "a.zip");
    let stage = Stage::new(&store, &history);
    let answer = stage.resolve(commits[0], &wanted(&["a.zip"])).await.unwrap();
    assert_eq!(answer.metafile.artifacts.get(&name("a.zip")), Some(&commit(9)));
    let skipped = |event: &Event| matches!(event, Event::MetafileSkipped { commit, .. } if *commit == commits[1]);
    assert!(stage.events().iter().any(skipped), "{:?}", stage.events());
    // And a stub is made of the one behind it.
    one_stub(stage.world(), commits[1], false).await.unwrap();
    store.delete(&Key::Metafile(commits[0])).await.unwrap();
    one_stub(stage.world(), commits[0], false).await.unwrap();
    assert_eq!(stored(&store, commits[0]).await.unwrap().artifacts, good.artifacts);
}

#[tokio::test]
async fn a_malformed_metafile_at_the_commit_itself_is_made_anew_with_a_warning() {
    let history = chain(&[commit(1), commit(2)]);
    let huge = format!("{{\"x\": \"{}\"}}", "y".repeat(usize::try_from(LARGEST).unwrap()));
    for bad in ["", "[]", "{\"commit\": \"0\"}", huge.as_str()] {
        let store = MemoryStore::default();
        store.plant(&Key::Metafile(commit(1)).to_string(), bad.to_owned());
        plant(&store, commit(1), "a.zip");
        let stage = Stage::new(&store, &history);
        let answer = stage.resolve(commit(1), &wanted(&["a.zip"])).await.unwrap();
        assert!(answer.written);
        assert_eq!(stored(&store, commit(1)).await, Some(answer.metafile));
        assert!(stage.events().iter().any(|event| matches!(event, Event::MetafileRemade { .. })));
    }
}

#[tokio::test]
async fn a_record_comes_from_the_metafile_where_the_artifact_stands_else_from_the_object() {
    let commits = [commit(1), commit(2), commit(3)];
    let (store, history) = (MemoryStore::default(), chain(&commits));
    let attributes = Attributes { sha256: Some(Digest::of(b"b")), mode: Some("755".parse().unwrap()) };
    let put = |at, text, attributes| {
        let store = store.clone();
        async move {
            let bytes = Content::Bytes(bytes::Bytes::from_static(b"b"));
            store.put(&Key::Artifact(at, name(text)), bytes, attributes, &Condition::Absent).await.unwrap();
        }
    };
    put(commits[1], "a.zip", Attributes::default()).await;
    put(commits[2], "b.zip", attributes).await;
    let mut told = Metafile::empty(commits[1], Some(commits[2]));
    told.artifacts.insert(name("a.zip"), commits[1]);
    let record = Record {
        size: Some(1),
        sha256: Some(Digest::of(b"told")),
        unknown: [("run".to_owned(), 7.into())].into_iter().collect(),
        ..Record::default()
    };
    told.details.insert(name("a.zip"), record.clone());
    plant_metafile(&store, &told);
    let stage = Stage::new(&store, &history);
    let details = stage.resolve(commits[0], &wanted(&["a.zip", "b.zip"])).await.unwrap().metafile.details;
    assert_eq!(details[&name("a.zip")], record.known());
    let object = Record { size: Some(1), sha256: attributes.sha256, mode: attributes.mode, ..Record::default() };
    assert_eq!(details[&name("b.zip")], object);

    // When the artifact is built here, nothing of the other place's record stays.
    put(commits[0], "a.zip", Attributes::default()).await;
    let details = stage.resolve(commits[0], &wanted(&["a.zip", "b.zip"])).await.unwrap().metafile.details;
    assert_eq!(details[&name("a.zip")], Record { size: Some(1), ..Record::default() });
}

#[tokio::test]
async fn a_metafile_has_the_tree_of_its_own_commit_and_of_no_other() {
    let (here, parent) = (commit(1), commit(2));
    let tree = |number: usize| format!("{number:040x}").parse::<Tree>().unwrap();
    let (mut history, vocabulary) = (chain(&[here, parent]), wanted(&["a.zip"]));
    let store = MemoryStore::default();
    let mut older = Metafile::empty(parent, None);
    older.tree = Some(tree(20));
    plant_metafile(&store, &older);
    // Where git does not know it, nobody makes it up.
    let stage = Stage::new(&store, &history);
    assert!(one_stub(stage.world(), here, false).await.unwrap().created);
    assert_eq!(stored(&store, here).await.unwrap().tree, None);
    // A metafile without it, as an older version made it, gets it when it is next resolved, and then nothing is written.
    history.trees = HashMap::from([(here, tree(10)), (parent, tree(20))]);
    let stage = Stage::new(&store, &history);
    for written in [true, false] {
        let answer = stage.resolve(here, &vocabulary).await.unwrap();
        assert_eq!((answer.written, answer.metafile.tree), (written, Some(tree(10))));
    }
    // Where git does not have the commit, what is there stays; where git has it, git outranks the metafile.
    for history in [&chain(&[here, parent]) as &dyn Ancestry, &NoHistory] {
        for keep in [Keep::Everything, Keep::OnlyFound] {
            let answer = Stage::new(&store, history).keep(here, &vocabulary, keep).await.unwrap();
            assert_eq!((answer.written, answer.metafile.tree), (false, Some(tree(10))));
        }
    }
    let mut wrong = stored(&store, here).await.unwrap();
    wrong.tree = Some(tree(30));
    plant_metafile(&store, &wrong);
    assert_eq!(stage.resolve(here, &vocabulary).await.unwrap().metafile.tree, Some(tree(10)));
    // Whoever creates a metafile knows it at once.
    for by_stub in [true, false] {
        store.delete(&Key::Metafile(here)).await.unwrap();
        if by_stub {
            one_stub(stage.world(), here, false).await.unwrap();
        } else {
            stage.resolve(here, &vocabulary).await.unwrap();
        }
        assert_eq!(stored(&store, here).await.unwrap().tree, Some(tree(10)));
    }
}

#[tokio::test]
async fn metafiles_that_name_each_other_as_parents_end_history_with_a_warning() {
    let store = MemoryStore::default();
    plant_metafile(&store, &Metafile::empty(commit(1), Some(commit(2))));
    plant_metafile(&store, &Metafile::empty(commit(2), Some(commit(3))));
    plant_metafile(&store, &Metafile::empty(commit(3), Some(commit(1))));
    let stage = Stage::new(&store, &NoHistory);
    let answer = stage.resolve(commit(1), &wanted(&["a.zip"])).await.unwrap();
    assert_eq!(answer.metafile.parent_commit, Some(commit(2)));
    assert!(answer.missing.contains(&name("a.zip")));
    assert!(stage.events().iter().any(|event| matches!(event, Event::HistoryEnds { .. })), "{:?}", stage.events());
}

#[tokio::test]
async fn git_outranks_a_metafile_that_names_another_parent() {
    let store = MemoryStore::default();
    plant_metafile(&store, &Metafile::empty(commit(1), Some(commit(9))));
    plant(&store, commit(2), "a.zip");
    plant(&store, commit(9), "a.zip");
    let history = chain(&[commit(1), commit(2)]);
    let answer = Stage::new(&store, &history).resolve(commit(1), &wanted(&["a.zip"])).await.unwrap();
    assert_eq!(answer.metafile.parent_commit, Some(commit(2)));
    assert_eq!(answer.metafile.artifacts[&name("a.zip")], commit(2));
}

#[tokio::test]
async fn an_unknown_object_is_told_after_the_known_were_written() {
    let (store, history) = (MemoryStore::default(), chain(&[commit(1)]));
    plant(&store, commit(1), "a.zip");
    store.plant(&format!("{}who.zip", commit(1).address()), "x");
    store.plant(&format!("{}no name", commit(1).address()), "x");
    let answer = Stage::new(&store, &history).resolve(commit(1), &wanted(&["a.zip"])).await.unwrap();
    let unknown: Vec<&str> = answer.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["no name", "who.zip"]);
    assert!(stored(&store, commit(1)).await.unwrap().artifacts.contains_key(&name("a.zip")));
}

#[tokio::test]
async fn a_commit_that_the_repository_lacks_is_refused_unless_it_has_a_metafile() {
    let (store, history) = (MemoryStore::default(), chain(&[commit(1)]));
    let stage = Stage::new(&store, &history);
    let refused = stage.resolve(commit(5), &wanted(&["a.zip"])).await;
    assert!(matches!(refused, Err(ResolveError::Ancestry(_))), "{refused:?}");
    assert!(resolve::expect_known(stage.world(), commit(5)).await.is_err());
    assert!(matches!(one_stub(stage.world(), commit(5), false).await, Err(StubError::Ancestry(_))));
    assert_eq!(stored(&store, commit(5)).await, None);
    plant_metafile(&store, &Metafile::empty(commit(5), Some(commit(1))));
    plant(&store, commit(1), "a.zip");
    let answer = stage.resolve(commit(5), &wanted(&["a.zip"])).await.unwrap();
    assert_eq!(answer.metafile.artifacts[&name("a.zip")], commit(1));
}

#[tokio::test]
async fn without_a_repository_a_stub_is_refused_and_a_metafile_that_is_there_is_success() {
    let store = MemoryStore::default();
    let stage = Stage::new(&store, &NoHistory);
    assert!(matches!(one_stub(stage.world(), commit(1), false).await, Err(StubError::NoParent(_))));
    plant_metafile(&store, &Metafile::empty(commit(1), None));
    assert!(!one_stub(stage.world(), commit(1), false).await.unwrap().created);
}

#[tokio::test]
async fn a_stub_never_replaces_a_metafile_not_even_a_malformed_one() {
    let (store, history) = (MemoryStore::default(), chain(&[commit(1), commit(2)]));
    store.plant(&Key::Metafile(commit(1)).to_string(), "not a metafile");
    let stage = Stage::new(&store, &history);
    assert!(!one_stub(stage.world(), commit(1), true).await.unwrap().created);
    assert!(!one_stub(stage.world(), commit(1), false).await.unwrap().created);
    let (bytes, _) = store.get(&Key::Metafile(commit(1)), LARGEST).await.unwrap().unwrap();
    assert_eq!(&bytes[..], b"not a metafile");
}

/// Replaces the metafile behind the back of whoever is about to write it.
struct Rival {
    store: MemoryStore,
    times: AtomicUsize,
}

#[async_trait]
impl Watcher for Rival {
    async fn before(&self, operation: &str) -> Fate {
        if operation.starts_with("put") && self.times.fetch_sub(1, Ordering::Relaxed) > 0 {
            let mut metafile = Metafile::empty(commit(1), None);
            metafile.unknown.insert("rival".to_owned(), self.times.load(Ordering::Relaxed).into());
            plant_metafile(&self.store, &metafile);
        }
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

#[tokio::test(start_paused = true)]
async fn lost_races_are_run_again_until_the_time_is_up() {
    let history = chain(&[commit(1)]);
    let memory = MemoryStore::default();
    plant(&memory, commit(1), "a.zip");
    let rival = |times| Rival { store: memory.clone(), times: AtomicUsize::new(times) };
    let few = Decorated::new(memory.clone(), rival(5));
    let answer = Stage::new(&few, &history).resolve(commit(1), &wanted(&["a.zip"])).await.unwrap();
    assert!(answer.written && answer.metafile.unknown.contains_key("rival"), "the rival's keys are kept");

    memory.delete(&Key::Metafile(commit(1))).await.unwrap();
    let endless = Decorated::new(memory.clone(), rival(usize::MAX));
    let mut stage = Stage::new(&endless, &history);
    stage.limits.timeout = Duration::from_secs(20);
    let began = tokio::time::Instant::now();
    let raced = stage.resolve(commit(1), &wanted(&["a.zip"])).await;
    assert!(matches!(raced, Err(ResolveError::Raced { races, .. }) if races > 10), "{raced:?}");
    assert!(began.elapsed() <= Duration::from_secs(20));
}

/// Does something behind the back of whoever is about to begin an operation of a kind for the first time.
struct Meanwhile {
    store: MemoryStore,
    kind: &'static str,
    times: AtomicUsize,
    act: fn(&MemoryStore),
}

#[async_trait]
impl Watcher for Meanwhile {
    async fn before(&self, operation: &str) -> Fate {
        if operation.starts_with(self.kind) && self.times.fetch_add(1, Ordering::Relaxed) == 0 {
            (self.act)(&self.store);
        }
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

fn meanwhile(store: &MemoryStore, kind: &'static str, act: fn(&MemoryStore)) -> Decorated {
    Decorated::new(store.clone(), Meanwhile { store: store.clone(), kind, times: AtomicUsize::default(), act })
}

/// Says in a commit's metafile where `a.zip` is.
fn plant_entry(store: &MemoryStore, at: usize, parent: usize, place: usize) {
    let mut metafile = Metafile::empty(commit(at), Some(commit(parent)));
    metafile.artifacts.insert(name("a.zip"), commit(place));
    plant_metafile(store, &metafile);
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_a_race_takes_no_entry_back_to_a_farther_commit() {
    let (memory, history) = (MemoryStore::default(), chain(&[commit(1), commit(2), commit(3)]));
    plant(&memory, commit(3), "a.zip");
    // A build of the parent ends, and somebody else resolves the commit.
    let store = meanwhile(&memory, "put", |store| {
        plant(store, commit(2), "a.zip");
        plant_entry(store, 1, 2, 2);
    });
    let answer = Stage::new(&store, &history).resolve(commit(1), &wanted(&["a.zip"])).await.unwrap();
    assert_eq!(answer.metafile.artifacts[&name("a.zip")], commit(2));
    assert_eq!(stored(&memory, commit(1)).await.unwrap().artifacts[&name("a.zip")], commit(2));

    // What was taken away since is not believed in: the farther one is there.
    memory.delete(&Key::Artifact(commit(2), name("a.zip"))).await.unwrap();
    let answer = Stage::new(&memory, &history).resolve(commit(1), &wanted(&["a.zip"])).await.unwrap();
    assert_eq!(answer.metafile.artifacts[&name("a.zip")], commit(3));
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_a_race_reads_the_ancestors_metafiles_again_where_they_are_behind() {
    let (memory, history) = (MemoryStore::default(), chain(&[commit(1), commit(2), commit(3), commit(4)]));
    plant(&memory, commit(3), "a.zip");
    plant(&memory, commit(4), "a.zip");
    plant_entry(&memory, 2, 3, 4);
    let store = meanwhile(&memory, "put", |store| {
        plant_entry(store, 1, 2, 3);
        plant_entry(store, 2, 3, 3);
    });
    let mut stage = Stage::new(&store, &history);
    stage.limits.max_ancestors = 1;
    let answer = stage.resolve(commit(1), &wanted(&["a.zip"])).await.unwrap();
    assert_eq!(answer.metafile.artifacts[&name("a.zip")], commit(3));
}

/// Removes an artifact as soon as it stands.
struct Cleaner(MemoryStore);

#[async_trait]
impl Watcher for Cleaner {
    async fn before(&self, operation: &str) -> Fate {
        if operation.starts_with("get") {
            self.0.delete(&Key::Artifact(commit(1), name("a.zip"))).await.unwrap();
        }
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

#[tokio::test]
async fn nobody_is_told_that_something_is_published_which_is_gone() {
    let (memory, history, files) = (MemoryStore::default(), chain(&[commit(1)]), tempfile::tempdir().unwrap());
    let registry = Registry::parse(b"[projects.p]\nartifacts = ['a.zip', 'b.zip']\n", "artifacts.toml").unwrap();
    let catalog = Catalog::new(registry, &[], &[]).unwrap();
    let item = |text: &str| Item { name: name(text), path: files.path().join(text) };
    let items = ["a.zip", "b.zip"].map(item);
    items.iter().for_each(|item| std::fs::write(&item.path, "bytes").unwrap());
    let store = Decorated::new(memory.clone(), Cleaner(memory.clone()));
    let published =
        publish::publish(Stage::new(&store, &history).world(), &catalog, commit(1), &items, &Stamp::default(), false)
            .await;
    let failures = published.unwrap().failures;
    assert!(matches!(&failures[..], [PublishError::Gone { name, .. }] if name.as_str() == "a.zip"), "{failures:?}");
}

#[tokio::test]
async fn whoever_reads_alone_writes_nothing() {
    let (memory, counter) = (MemoryStore::default(), Counter::default());
    plant(&memory, commit(2), "a.zip");
    let store = Decorated::new(memory, counter.clone());
    let history = chain(&[commit(1), commit(2)]);
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let world = World { store: &store, ancestry: &history, observer: &observer, limits: Limits::default() };
    let (vocabulary, known) = (wanted(&["a.zip"]), BTreeMap::new());
    let question =
        Question { commit: commit(1), vocabulary: &vocabulary, known: &known, pretend: false, keep: Keep::Everything };
    let answer = resolve::compute(world, &question).await.unwrap();
    assert_eq!(answer.metafile.artifacts[&name("a.zip")], commit(2));
    assert_eq!((counter.of("put"), counter.of("copy"), counter.of("delete")), (0, 0, 0));
    assert!(one_stub(world, commit(1), true).await.unwrap().created);
    assert_eq!(counter.of("put"), 0);
}

#[tokio::test]
async fn whoever_reads_alone_asks_nothing_of_s3_that_writes() {
    let (fake, history) = (Fake::start().await, chain(&[commit(1), commit(2)]));
    fake.plant(&Key::Artifact(commit(2), name("a.zip")).to_string(), "a");
    let store = fake.store("");
    let stage = Stage::new(&store, &history);
    let (vocabulary, known) = (wanted(&["a.zip"]), BTreeMap::new());
    let question =
        Question { commit: commit(1), vocabulary: &vocabulary, known: &known, pretend: false, keep: Keep::Everything };
    let answer = resolve::compute(stage.world(), &question).await.unwrap();
    assert_eq!(answer.metafile.artifacts[&name("a.zip")], commit(2));
    assert!(one_stub(stage.world(), commit(1), true).await.unwrap().created);
    assert!(metalogic::show::show(&store, commit(1)).await.unwrap().is_none());
    let requests = fake.requests();
    assert!(requests.len() > 5 && !requests.iter().any(|request| writes(request)), "{requests:?}");
}
