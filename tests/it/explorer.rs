//! Every order in which stub, publish, publish and resolve can meet at one commit.
//!
//! The actors are the real flows, each over a store that holds every operation on the commit's own address until the explorer lets it go.
//! An order is a list of choices among the operations that wait. Orders that lead to the same state of the store and of every actor
//! (all that it has seen) have the same future, so each state is gone on from once.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::flows::one_stub;
use async_trait::async_trait;
use bytes::Bytes;
use hyper::http::response::Parts;
use metalogic::address::Commit;
use metalogic::ancestry::ToldHistory;
use metalogic::artifact::{Digest, Name};
use metalogic::attempt::{self, News};
use metalogic::catalog::Catalog;
use metalogic::event::{Observer, Silent};
use metalogic::metafile::{Attempt, LARGEST, Metafile, Progress, Record};
use metalogic::metalogic::{Keep, Metalogic, Vocabulary};
use metalogic::moment::Stamp;
use metalogic::publish::{self, Item};
use metalogic::registry::Registry;
use metalogic::registry::Terms;
use metalogic::resolve::{self, Question};
use metalogic::store::memory::MemoryStore;
use metalogic::store::s3::S3Store;
use metalogic::store::{Attributes, Condition, Content, Key, Store};
use metalogic::world::{Limits, World};
use tokio::sync::oneshot;

use crate::decorated::{Decorated, Fate, Watcher};
use crate::fake::{ACTORS, BUCKET, Fake, Porter};

const REGISTRY: &str = "[projects.p]\nartifacts = [\"a.zip\", \"b.zip\", \"c.zip\"]\n";

fn here() -> Commit {
    "1".repeat(40).parse().unwrap()
}

fn parent() -> Commit {
    "2".repeat(40).parse().unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The operations that wait, by actor and number, and what each actor has seen.
#[derive(Default)]
struct Gates {
    waiting: Vec<(usize, String, oneshot::Sender<()>)>,
    seen: HashMap<usize, Vec<String>>,
    /// How many operations of each actor are under way, those that wait among them.
    busy: HashMap<usize, usize>,
    /// The publishers that have not put anything yet: what they read by then only says which bytes need not be sent.
    plan: HashSet<usize>,
    /// Wakes the explorer when something waits.
    explorer: Option<Waker>,
}

/// Counts the operations that an actor has under way.
struct Busy {
    actor: usize,
    gates: Arc<Mutex<Gates>>,
}

#[async_trait]
impl Watcher for Busy {
    async fn before(&self, _: &str) -> Fate {
        *self.gates.lock().unwrap().busy.entry(self.actor).or_default() += 1;
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {
        *self.gates.lock().unwrap().busy.entry(self.actor).or_default() -= 1;
    }
}

/// Gives an actor its access to a store, with its operations counted.
fn counted(store: impl Store + 'static, actor: usize, gates: &Arc<Mutex<Gates>>) -> Arc<dyn Store> {
    Arc::new(Decorated::new(store, Busy { actor, gates: gates.clone() }))
}

struct Gate {
    actor: usize,
    gates: Arc<Mutex<Gates>>,
}

#[async_trait]
impl Watcher for Gate {
    async fn before(&self, operation: &str) -> Fate {
        assert!(self.is_opened(operation).await, "the explorer opens every gate or drops the actor");
        Fate::Go
    }

    fn after(&self, operation: &str, result: &dyn Debug) {
        self.sees(operation, &format!("{result:?}"));
    }
}

impl Gate {
    fn sees(&self, operation: &str, result: &str) {
        if !matters(operation) || self.is_planned(operation) {
            return;
        }
        let mut gates = self.gates.lock().unwrap();
        let seen = gates.seen.entry(self.actor).or_default();
        // An attempt that lost its race is forgotten: the next one begins with a read.
        if result.contains("Precondition") && operation.contains("build_meta.json") {
            seen.clear();
        } else if is_early(seen, operation) {
            seen.push(operation.to_owned());
        } else {
            seen.push(format!("{operation} -> {}", without_tag(result)));
        }
    }

    /// Waits until an operation may take place; it never may when the order was given up.
    async fn is_opened(&self, operation: &str) -> bool {
        if !matters(operation) || self.is_early_list(operation) || self.is_planned(operation) {
            return true;
        }
        self.wait(operation).await.is_ok()
    }

    /// Says whether an operation is for a publisher's plan alone: it ends with the first that is for more.
    fn is_planned(&self, operation: &str) -> bool {
        let mut gates = self.gates.lock().unwrap();
        let reads = operation.starts_with("get") || operation.starts_with("list");
        if !reads {
            gates.plan.remove(&self.actor);
        }
        operation.starts_with("get") && gates.plan.contains(&self.actor)
    }

    fn wait(&self, operation: &str) -> oneshot::Receiver<()> {
        let (open, opened) = oneshot::channel();
        let mut gates = self.gates.lock().unwrap();
        gates.waiting.push((self.actor, operation.to_owned(), open));
        if let Some(explorer) = gates.explorer.take() {
            explorer.wake();
        }
        opened
    }

    fn is_early_list(&self, operation: &str) -> bool {
        is_early(self.gates.lock().unwrap().seen.entry(self.actor).or_default(), operation)
    }
}

/// Says whether an operation is a look at the address before the metafile was read. Whoever publishes looks whether its own artifact stands
/// there, which nobody else puts; whoever resolves, how far to look ahead: so they may as well see nothing of what others do.
fn is_early(seen: &[String], operation: &str) -> bool {
    operation.starts_with("list") && !seen.iter().any(|seen| seen.starts_with("get"))
}

/// Says whether an operation can meet another one: what lies at other addresses is not written by anyone here, and an artifact
/// that stands stays as it is.
fn matters(operation: &str) -> bool {
    operation.contains(&here().to_string()) && !(operation.starts_with("head") && operation.contains(".zip"))
}

/// Cuts the tag out of a result. Metafiles here only ever grow, so that equal bytes are the same version.
fn without_tag(result: &str) -> &str {
    result.split("Tag(").next().unwrap_or_default()
}

/// What an actor does: it is given a store and answers which artifact it says is published.
#[derive(Clone)]
struct Act {
    /// Whether it looks first at what need not be sent.
    plans: bool,
    act: Arc<dyn Fn(Arc<dyn Store>) -> Acting>,
}

impl Act {
    fn new(plans: bool, act: impl Fn(Arc<dyn Store>) -> Acting + 'static) -> Self {
        Self { plans, act: Arc::new(act) }
    }
}

type Acting = Pin<Box<dyn Future<Output = Option<Name>>>>;

/// What an exploration came to.
#[derive(Debug, Default)]
struct Findings {
    runs: usize,
    orders: usize,
    states: usize,
    faults: Vec<String>,
}

/// What every order begins with. In any case the parent has `c.zip` and a metafile that says so.
#[derive(Clone, Copy, Default)]
struct Start {
    /// Whether the commit has its stub already.
    stubbed: bool,
    /// Which of S3's ways to refuse comes first.
    refusals: usize,
    /// Whether the parent has the `a.zip` that is to be published, and what the metafile says of it.
    copies: Option<Copies>,
    /// The artifacts that are said to be built and are not published: their attempts stand at the end.
    begun: &'static [&'static str],
}

/// Says what the parent's `a.zip` is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// What its metafile says.
    True,
    /// Something else of the same size, of which its metafile says that it is what is published.
    Lie,
}

impl Start {
    fn objects(self) -> Vec<(String, Vec<u8>)> {
        let mut metafile = Metafile::empty(parent(), None);
        metafile.artifacts.insert(name("c.zip"), parent());
        if self.copies.is_some() {
            metafile.artifacts.insert(name("a.zip"), parent());
            let record = Record { size: Some(5), sha256: Some(Digest::of(b"a.zip")), ..Record::default() };
            metafile.details.insert(name("a.zip"), record);
        }
        let stub = metafile.stub(here(), Some(parent()));
        let planted = |metafile: &Metafile| (Key::Metafile(metafile.commit).to_string(), metafile.to_bytes().unwrap());
        let artifact = (Key::Artifact(parent(), name("c.zip")).to_string(), b"c".to_vec());
        let original = match self.copies {
            Some(Copies::True) => Some(b"a.zip"),
            Some(Copies::Lie) => Some(b"A.ZIP"),
            None => None,
        };
        let original = original.map(|bytes| (Key::Artifact(parent(), name("a.zip")).to_string(), bytes.to_vec()));
        let stub = self.stubbed.then(|| planted(&stub));
        [artifact, planted(&metafile)].into_iter().chain(stub).chain(original).collect()
    }
}

/// What an exploration takes place on.
trait Ground {
    /// Makes the ground, in the explorer's own runtime.
    async fn new(start: Start) -> Self;

    /// Makes the store anew that each order begins with, and gives each actor its own access to it, which waits at the gates.
    fn begin(&self, actors: usize, gates: &Arc<Mutex<Gates>>) -> Vec<Arc<dyn Store>>;

    /// Returns what the store holds.
    fn look(&self) -> MemoryStore;

    /// Returns what else decides on the store's answers.
    fn mood(&self) -> usize;
}

/// The memory store: a step is an operation.
struct InMemory {
    start: Start,
    store: RefCell<MemoryStore>,
}

impl Ground for InMemory {
    async fn new(start: Start) -> Self {
        Self { start, store: RefCell::default() }
    }

    fn begin(&self, actors: usize, gates: &Arc<Mutex<Gates>>) -> Vec<Arc<dyn Store>> {
        drop(self.store.replace(MemoryStore::default()));
        self.start.objects().into_iter().for_each(|(key, bytes)| self.store.borrow().plant(&key, bytes));
        let actor = |actor| {
            let gate = Gate { actor, gates: gates.clone() };
            counted(Decorated::new(self.look(), gate), actor, gates)
        };
        (0..actors).map(actor).collect()
    }

    fn look(&self) -> MemoryStore {
        self.store.borrow().clone()
    }

    fn mood(&self) -> usize {
        0
    }
}

/// S3, over its own socket: a step is a request.
///
/// Time stands still there too: client and service live on one thread, so that something is under way whenever it would be moved on.
struct OnS3 {
    start: Start,
    fake: Fake,
    stores: Vec<S3Store>,
}

impl Ground for OnS3 {
    async fn new(start: Start) -> Self {
        let fake = Fake::start().await;
        let as_actor =
            |actor| S3Store::reached(BUCKET, "", Duration::from_secs(30), Terms::default(), fake.reach_as(actor));
        Self { start, stores: ACTORS.map(as_actor).into(), fake }
    }

    fn begin(&self, actors: usize, gates: &Arc<Mutex<Gates>>) -> Vec<Arc<dyn Store>> {
        self.fake.begin(self.start.refusals);
        self.start.objects().into_iter().for_each(|(key, bytes)| self.fake.plant(&key, bytes));
        let gate = |actor| Gate { actor, gates: gates.clone() };
        self.fake.guard(Arc::new(AtTheWire((0..actors).map(gate).collect())));
        self.stores.iter().take(actors).enumerate().map(|(actor, store)| counted(store.clone(), actor, gates)).collect()
    }

    fn look(&self) -> MemoryStore {
        let store = MemoryStore::default();
        self.fake.keys().iter().for_each(|key| store.plant(key, self.fake.object(key).unwrap().bytes));
        store
    }

    fn mood(&self) -> usize {
        self.fake.mood()
    }
}

/// Has each actor's requests wait at its gate. Whose they are is told by whoever signed them.
struct AtTheWire(Vec<Gate>);

impl AtTheWire {
    fn gate(&self, who: &str) -> &Gate {
        &self.0[ACTORS.iter().position(|actor| *actor == who).expect("actors sign their requests")]
    }
}

/// Returns the operation that a request is.
fn operation(line: &str) -> String {
    let (method, uri) = line.split_once(' ').unwrap();
    let kind = if uri.contains("list-type=2") { "list" } else { &method.to_ascii_lowercase() };
    format!("{kind} {uri}")
}

#[async_trait]
impl Porter for AtTheWire {
    async fn admit(&self, who: &str, line: &str) -> bool {
        self.gate(who).is_opened(&operation(line)).await
    }

    fn served(&self, who: &str, line: &str, answer: &Parts, body: &[u8]) {
        let (gate, operation) = (self.gate(who), operation(line));
        let metafile = |text: &str| text.contains("build_meta.json");
        // A conflict is looked into before its attempt is given up.
        if operation.starts_with("get") && metafile(&operation) {
            let mut gates = gate.gates.lock().unwrap();
            let seen = gates.seen.entry(gate.actor).or_default();
            if seen.iter().any(|seen| seen.starts_with("put") && metafile(seen)) {
                seen.clear();
            }
        }
        let length = answer.headers.get("content-length");
        let told = match operation.split(' ').next() {
            // A listing has the tags of what it lists, which say no more than the names.
            Some("list") => String::from_utf8_lossy(body).split("<Key>").skip(1).map(until_its_end).collect(),
            Some("get") => String::from_utf8_lossy(body).into_owned(),
            _ => format!("{length:?}"),
        };
        let lost = matches!(answer.status.as_u16(), 404 | 412) && operation.starts_with("put");
        let status = if lost { "Precondition" } else { answer.status.as_str() };
        gate.sees(&operation, &format!("{status} {told}"));
    }
}

fn until_its_end(key: &str) -> String {
    key.split('<').take(1).map(|key| format!("{key}, ")).collect()
}

/// Tries every order of some actors.
fn explore<G: Ground>(actors: &[Act], start: Start) -> Findings {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().enable_io().start_paused(true).build().unwrap();
    let ground = runtime.block_on(G::new(start));
    let mut findings = Findings::default();
    let mut visited = HashSet::new();
    let mut todo: Vec<Vec<usize>> = vec![Vec::new()];
    while let Some(prefix) = todo.pop() {
        findings.runs += 1;
        let run = runtime.block_on(run(actors, &ground, start.begun, &prefix, &mut visited));
        findings.orders += usize::from(run.ended);
        for (at, width) in run.widths.iter().enumerate().skip(prefix.len()) {
            for other in 1..*width {
                let mut branch = run.chosen[..at].to_vec();
                branch.push(other);
                todo.push(branch);
            }
        }
        if let Some(fault) = run.fault {
            findings.faults.push(format!("{fault}\n  order: {}", run.told.join("; ")));
        }
    }
    findings.states = visited.len();
    println!(
        "{} runs, {} orders to the end, {} states, {} faults",
        findings.runs,
        findings.orders,
        findings.states,
        findings.faults.len()
    );
    findings
}

struct Run {
    /// How many operations waited at each choice that was made for the first time.
    widths: Vec<usize>,
    chosen: Vec<usize>,
    told: Vec<String>,
    ended: bool,
    fault: Option<String>,
}

/// Runs the actors in the order that `prefix` says and the first waiting operation after it, until a state was met before.
async fn run(
    actors: &[Act],
    ground: &impl Ground,
    begun: &[&str],
    prefix: &[usize],
    visited: &mut HashSet<u64>,
) -> Run {
    let gates = Arc::new(Mutex::new(Gates::default()));
    let stores = ground.begin(actors.len(), &gates);
    gates.lock().unwrap().plan = (0..actors.len()).filter(|actor| actors[*actor].plans).collect();
    let mut running: Vec<_> = actors.iter().zip(stores).map(|(act, store)| Some((act.act)(store))).collect();
    let mut published = Vec::new();
    let mut run = Run { widths: Vec::new(), chosen: Vec::new(), told: Vec::new(), ended: false, fault: None };
    loop {
        quiesce(&mut running, &gates, &mut published).await;
        let store = ground.look();
        if let Some(fault) = names_nothing_absent(&store).await {
            run.fault = Some(fault);
            return run;
        }
        let mut waiting = std::mem::take(&mut gates.lock().unwrap().waiting);
        waiting.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        if waiting.is_empty() {
            run.ended = true;
            run.fault = nothing_is_lost(&store, &published).await;
            if run.fault.is_none() {
                run.fault = what_is_said_is_true(&store).await;
            }
            if run.fault.is_none() {
                run.fault = attempts_are_those_that_came_to_nothing(&store, begun).await;
            }
            return run;
        }
        let step = run.chosen.len();
        if step >= prefix.len() && !visited.insert(state(&store, ground.mood(), &gates, &waiting).await) {
            return run;
        }
        let choice = prefix.get(step).copied().unwrap_or(0);
        run.widths.push(waiting.len());
        run.chosen.push(choice);
        let (actor, operation, open) = waiting.remove(choice);
        run.told.push(format!("{actor} {operation}"));
        gates.lock().unwrap().waiting = waiting;
        open.send(()).unwrap();
    }
}

/// Lets every actor go on until it waits at a gate or has ended; those that sleep or read files are waited for.
async fn quiesce(running: &mut [Option<Acting>], gates: &Arc<Mutex<Gates>>, published: &mut Vec<Name>) {
    poll_fn(|context| {
        gates.lock().unwrap().explorer = Some(context.waker().clone());
        let mut waits = false;
        for (actor, slot) in running.iter_mut().enumerate() {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(name) => {
                    published.extend(name);
                    *slot = None;
                    gates.lock().unwrap().seen.insert(actor, vec!["done".to_owned()]);
                }
                Poll::Pending => {
                    // What was sent and does not wait yet is still on its way.
                    let gates = gates.lock().unwrap();
                    let waiting = gates.waiting.iter().filter(|(waiting, ..)| *waiting == actor).count();
                    waits |= waiting == 0 || gates.busy.get(&actor) != Some(&waiting);
                }
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

async fn state(
    store: &MemoryStore,
    mood: usize,
    gates: &Arc<Mutex<Gates>>,
    waiting: &[(usize, String, oneshot::Sender<()>)],
) -> u64 {
    let mut hasher = DefaultHasher::new();
    let metafile = store.get(&Key::Metafile(here()), LARGEST).await.unwrap().map(|(bytes, _)| bytes);
    (metafile, mood).hash(&mut hasher);
    format!("{:?}", store.list(here()).await).hash(&mut hasher);
    let gates = gates.lock().unwrap();
    let mut seen: Vec<_> = gates.seen.iter().collect();
    seen.sort();
    seen.hash(&mut hasher);
    for (actor, operation, _) in waiting {
        (actor, operation).hash(&mut hasher);
    }
    hasher.finish()
}

async fn stored(store: &MemoryStore) -> Option<Metafile> {
    let (bytes, _) = store.get(&Key::Metafile(here()), LARGEST).await.unwrap()?;
    Some(Metafile::parse(&bytes, here()).unwrap())
}

async fn names_nothing_absent(store: &MemoryStore) -> Option<String> {
    let metafile = stored(store).await?;
    for (name, commit) in &metafile.artifacts {
        if store.head(&Key::Artifact(*commit, name.clone())).await.unwrap().is_none() {
            return Some(format!("the metafile names {name}, which is not there"));
        }
    }
    None
}

/// Holds that what is said of a published artifact is true of the bytes that stand.
async fn what_is_said_is_true(store: &MemoryStore) -> Option<String> {
    let metafile = stored(store).await?;
    for (name, record) in &metafile.details {
        let Some(sha256) = record.sha256.filter(|_| metafile.artifacts.get(name) == Some(&here())) else { continue };
        let (bytes, _) = store.get(&Key::Artifact(here(), name.clone()), LARGEST).await.unwrap()?;
        if Digest::of(&bytes) != sha256 {
            return Some(format!("{name} has another digest than is recorded"));
        }
    }
    None
}

async fn attempts_are_those_that_came_to_nothing(store: &MemoryStore, begun: &[&str]) -> Option<String> {
    let attempts: Vec<String> = stored(store).await?.attempts.keys().map(ToString::to_string).collect();
    (attempts != begun).then(|| format!("the attempts are {attempts:?} and not {begun:?}"))
}

async fn nothing_is_lost(store: &MemoryStore, published: &[Name]) -> Option<String> {
    let Some(metafile) = stored(store).await else { return Some("there is no metafile at the end".to_owned()) };
    if metafile.parent_commit != Some(parent()) || metafile.artifacts.get(&name("c.zip")) != Some(&parent()) {
        return Some("what the stub says is lost".to_owned());
    }
    let lost = published.iter().find(|name| metafile.artifacts.get(*name) != Some(&here()))?;
    Some(format!("{lost} was published and is not in the metafile"))
}

fn history() -> ToldHistory {
    ToldHistory { parents: HashMap::from([(here(), Some(parent())), (parent(), None)]), ..ToldHistory::default() }
}

fn world<'a>(store: &'a dyn Store, history: &'a ToldHistory, observer: &'a Arc<dyn Observer>) -> World<'a> {
    World { store, ancestry: history, observer, limits: Limits::default() }
}

fn catalog() -> Catalog {
    Catalog::new(Registry::parse(REGISTRY.as_bytes(), "artifacts.toml").unwrap(), &[], &[]).unwrap()
}

fn publisher(file: &str, directory: &std::path::Path) -> Act {
    let path = directory.join(file);
    std::fs::write(&path, file).unwrap();
    let item = Item { name: name(file), path };
    Act::new(true, move |store| {
        let item = item.clone();
        Box::pin(async move {
            let (history, observer): (_, Arc<dyn Observer>) = (history(), Arc::new(Silent));
            let world = world(&*store, &history, &observer);
            publish::publish(world, &catalog(), here(), std::slice::from_ref(&item), &Stamp::default(), false)
                .await
                .unwrap();
            Some(item.name)
        })
    })
}

fn stubber() -> Act {
    Act::new(false, |store| {
        Box::pin(async move {
            let (history, observer): (_, Arc<dyn Observer>) = (history(), Arc::new(Silent));
            one_stub(world(&*store, &history, &observer), here(), false).await.unwrap();
            None
        })
    })
}

fn resolver() -> Act {
    Act::new(false, |store| {
        Box::pin(async move {
            let (history, observer): (_, Arc<dyn Observer>) = (history(), Arc::new(Silent));
            let (vocabulary, known) = (catalog().vocabulary(), std::collections::BTreeMap::<Name, Record>::new());
            let question = Question {
                commit: here(),
                vocabulary: &vocabulary,
                known: &known,
                pretend: false,
                keep: Keep::Everything,
            };
            resolve::resolve(world(&*store, &history, &observer), &question).await.unwrap();
            None
        })
    })
}

/// Says that the build of an artifact began.
fn beginner(file: &'static str) -> Act {
    Act::new(false, move |store| {
        Box::pin(async move {
            let (history, observer): (_, Arc<dyn Observer>) = (history(), Arc::new(Silent));
            let news = News {
                commit: here(),
                names: BTreeSet::from([name(file)]),
                state: Progress::Pending,
                stamp: Stamp::default(),
                reason: None,
                registered: catalog().vocabulary().registered,
            };
            attempt::record(world(&*store, &history, &observer), &news, false).await.unwrap();
            None
        })
    })
}

/// Says so by a write that depends on nothing.
fn blind_beginner(file: &'static str) -> Act {
    Act::new(false, move |store| {
        Box::pin(async move {
            let key = Key::Metafile(here());
            let read = store.get(&key, LARGEST).await.unwrap();
            let mut metafile = match &read {
                Some((bytes, _)) => Metafile::parse(bytes, here()).unwrap(),
                None => Metafile::empty(parent(), None).stub(here(), Some(parent())),
            };
            metafile.artifacts.insert(name("c.zip"), parent());
            let (state, unknown) = (Progress::Pending, serde_json::Map::new());
            metafile.attempts.insert(name(file), Attempt { state, run: None, at: None, reason: None, unknown });
            let bytes = Content::Bytes(Bytes::from(metafile.to_bytes().unwrap()));
            store.put(&key, bytes, Attributes::default(), &Condition::None).await.unwrap();
            None
        })
    })
}

/// A way to write the metafile that is known to be wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    /// The tag that the write depends on is read after the look at the address.
    TagAfterLook,
    /// The write depends on nothing.
    Blind,
    /// The metafile is written before the artifact.
    MetafileFirst,
    /// A first metafile is made without what the stub would say.
    NoStub,
}

/// Publishes in a way that is known to be wrong.
fn wrong_publisher(file: &'static str, wrong: Wrong) -> Act {
    Act::new(false, move |store| {
        Box::pin(async move {
            let artifact = || async {
                let (key, bytes) = (Key::Artifact(here(), name(file)), Content::Bytes(Bytes::from(file)));
                store.put(&key, bytes, Attributes::default(), &Condition::Absent).await.unwrap();
            };
            if wrong != Wrong::MetafileFirst {
                artifact().await;
            }
            loop {
                let key = Key::Metafile(here());
                let read = store.get(&key, LARGEST).await.unwrap();
                let mut listing = store.list(here()).await.unwrap();
                let tag = match wrong {
                    Wrong::TagAfterLook => store.get(&key, LARGEST).await.unwrap().map(|(_, tag)| tag),
                    Wrong::Blind | Wrong::MetafileFirst | Wrong::NoStub => read.as_ref().map(|(_, tag)| tag.clone()),
                };
                listing.artifacts.insert(name(file), 1);
                let vocabulary: Vocabulary = catalog().vocabulary();
                let mut rule = Metalogic::begin(here(), &listing, vocabulary);
                if wrong != Wrong::NoStub {
                    rule.pass(parent(), &store.list(parent()).await.unwrap());
                }
                let own = read.as_ref().map(|(bytes, _)| Metafile::parse(bytes, here()).unwrap());
                let metafile = rule.finish(Some(parent()), own.as_ref(), Keep::Everything).metafile;
                let condition = match tag {
                    _ if wrong == Wrong::Blind => Condition::None,
                    None => Condition::Absent,
                    Some(tag) => Condition::Matches(tag),
                };
                let bytes = Content::Bytes(Bytes::from(metafile.to_bytes().unwrap()));
                if store.put(&key, bytes, Attributes::default(), &condition).await.is_ok() {
                    break;
                }
            }
            if wrong == Wrong::MetafileFirst {
                artifact().await;
            }
            Some(name(file))
        })
    })
}

#[test]
fn no_order_of_stub_publish_publish_and_resolve_loses_anything() {
    let directory = tempfile::tempdir().unwrap();
    let actors = [stubber(), publisher("a.zip", directory.path()), publisher("b.zip", directory.path()), resolver()];
    let findings = explore::<InMemory>(&actors, Start::default());
    assert_eq!(findings.faults, Vec::<String>::new());
    // An explorer that finds hardly an order explores nothing.
    assert!(findings.orders > 5 && findings.states > 3000, "{} orders, {} states", findings.orders, findings.states);
}

/// All four at once would take minutes here, where a step is a request.
#[test]
fn no_order_of_the_requests_of_stub_publish_and_publish_on_s3_loses_anything() {
    let directory = tempfile::tempdir().unwrap();
    let actors = [stubber(), publisher("a.zip", directory.path()), publisher("b.zip", directory.path())];
    let findings = explore::<OnS3>(&actors, Start::default());
    assert_eq!(findings.faults, Vec::<String>::new());
    assert!(findings.orders > 5 && findings.states > 500, "{} orders, {} states", findings.orders, findings.states);
}

#[test]
fn no_order_of_the_requests_of_two_on_s3_loses_anything_however_a_lost_race_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = |file| publisher(file, directory.path());
    for (actors, stubbed) in [
        ([publishing("a.zip"), publishing("b.zip")], true),
        ([publishing("a.zip"), publishing("b.zip")], false),
        ([publishing("a.zip"), stubber()], false),
        ([publishing("a.zip"), resolver()], false),
        ([stubber(), resolver()], false),
    ] {
        for refusals in 0..3 {
            let findings = explore::<OnS3>(&actors, Start { stubbed, refusals, ..Start::default() });
            assert_eq!(findings.faults, Vec::<String>::new());
            assert!(findings.orders > 2 && findings.states > 10, "{findings:?}");
        }
    }
}

#[test]
fn no_order_of_those_who_copy_loses_anything_or_records_what_is_not_so() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = |file| publisher(file, directory.path());
    for copies in [Copies::True, Copies::Lie] {
        for stubbed in [false, true] {
            let start = Start { stubbed, copies: Some(copies), ..Start::default() };
            let one = [publishing("a.zip"), publishing("b.zip"), stubber()];
            let same = [publishing("a.zip"), publishing("a.zip"), resolver()];
            let findings = explore::<InMemory>(if stubbed { &same } else { &one }, start);
            assert_eq!(findings.faults, Vec::<String>::new());
            assert!(findings.orders > 2, "{findings:?}");
            let findings = explore::<OnS3>(&[publishing("a.zip"), publishing("b.zip")], start);
            assert_eq!(findings.faults, Vec::<String>::new());
        }
    }
}

#[test]
fn no_order_of_those_who_begin_and_those_who_publish_loses_anything_or_leaves_an_attempt_that_came_to_something() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = |file| publisher(file, directory.path());
    for stubbed in [false, true] {
        let start = |begun| Start { stubbed, begun, ..Start::default() };
        let many = [beginner("a.zip"), publishing("a.zip"), beginner("b.zip")];
        let findings = explore::<InMemory>(&many, start(&["b.zip"]));
        assert_eq!(findings.faults, Vec::<String>::new());
        assert!(findings.orders > 5 && findings.states > 100, "{findings:?}");
        let two: [(_, &[&str]); 3] = [
            ([beginner("a.zip"), beginner("b.zip")], &["a.zip", "b.zip"]),
            ([beginner("a.zip"), publishing("a.zip")], &[]),
            ([beginner("b.zip"), stubber()], &["b.zip"]),
        ];
        for (actors, begun) in two {
            let findings = explore::<OnS3>(&actors, start(begun));
            assert_eq!(findings.faults, Vec::<String>::new());
            assert!(findings.orders > 1 && findings.states > 5, "{findings:?}");
        }
    }
}

/// Holds that the explorer sees what is wrong with a way to write, on either ground.
fn expect_seen(actors: &[Act], fault: &str) {
    for findings in [explore::<InMemory>(actors, Start::default()), explore::<OnS3>(actors, Start::default())] {
        assert!(findings.faults.iter().any(|seen| seen.contains(fault)), "{:?}", findings.faults);
    }
}

#[test]
fn the_explorer_sees_a_tag_that_is_read_after_the_look() {
    let actors = [wrong_publisher("a.zip", Wrong::TagAfterLook), wrong_publisher("b.zip", Wrong::TagAfterLook)];
    expect_seen(&actors, "was published and is not in the metafile");
}

#[test]
fn the_explorer_sees_a_put_without_a_condition() {
    let actors = [wrong_publisher("a.zip", Wrong::Blind), wrong_publisher("b.zip", Wrong::Blind)];
    expect_seen(&actors, "was published and is not in the metafile");
}

#[test]
fn the_explorer_sees_a_metafile_that_is_written_before_its_artifact() {
    expect_seen(&[wrong_publisher("a.zip", Wrong::MetafileFirst)], "which is not there");
}

#[test]
fn the_explorer_sees_a_first_metafile_without_what_the_stub_says() {
    expect_seen(&[wrong_publisher("a.zip", Wrong::NoStub), stubber()], "what the stub says is lost");
}

#[test]
fn the_explorer_sees_an_attempt_that_is_recorded_blindly() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = || publisher("a.zip", directory.path());
    expect_seen(&[blind_beginner("b.zip"), publishing()], "was published and is not in the metafile");
}
