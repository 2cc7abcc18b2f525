//! Every order in which stub, publish, publish and resolve can meet at one commit.
//!
//! The actors are the real flows, each over a store that holds every operation on the commit's own address until the explorer lets it go.
//! An order is a list of choices among the operations that wait. Orders that lead to the same state of the store and of every actor
//! (all that it has seen) have the same future, so each state is gone on from once.

use std::collections::{HashMap, HashSet};
use std::future::{Future, poll_fn};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::ancestry::ToldHistory;
use metalogic::artifact::Name;
use metalogic::catalog::Catalog;
use metalogic::event::{Observer, Silent};
use metalogic::metafile::{LARGEST, Metafile, Record};
use metalogic::metalogic::{Keep, Metalogic, Vocabulary};
use metalogic::publish::{self, Item};
use metalogic::registry::Registry;
use metalogic::resolve::{self, Question};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Attributes, Condition, Content, Key, Store};
use metalogic::stub;
use metalogic::world::{Limits, World};
use tokio::sync::oneshot;

use crate::decorated::{Decorated, Watcher};

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
}

struct Gate {
    actor: usize,
    gates: Arc<Mutex<Gates>>,
}

#[async_trait]
impl Watcher for Gate {
    async fn before(&self, operation: &str) {
        if !matters(operation) || self.is_first_list(operation) {
            return;
        }
        let (open, opened) = oneshot::channel();
        self.gates.lock().unwrap().waiting.push((self.actor, operation.to_owned(), open));
        opened.await.expect("the explorer opens every gate or drops the actor");
    }

    fn after(&self, operation: &str, result: &str) {
        if !matters(operation) {
            return;
        }
        let mut gates = self.gates.lock().unwrap();
        let seen = gates.seen.entry(self.actor).or_default();
        // An attempt that lost its race is forgotten: the next one begins with a read.
        if result.contains("Precondition") && operation.contains("build_meta.json") {
            seen.clear();
        } else if seen.is_empty() && operation.starts_with("list") {
            seen.push(operation.to_owned());
        } else {
            seen.push(format!("{operation} -> {}", without_tag(result)));
        }
    }
}

impl Gate {
    /// Says whether this is a look at the address before anything is read. A publisher begins with one to see whether its own artifact
    /// stands there, which nobody else puts: so it may as well see nothing of what others do.
    fn is_first_list(&self, operation: &str) -> bool {
        operation.starts_with("list") && self.gates.lock().unwrap().seen.get(&self.actor).is_none_or(Vec::is_empty)
    }
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
type Act = Arc<dyn Fn(Arc<dyn Store>) -> Acting>;

type Acting = Pin<Box<dyn Future<Output = Option<Name>>>>;

/// What an exploration came to.
#[derive(Debug, Default)]
struct Findings {
    orders: usize,
    states: usize,
    faults: Vec<String>,
}

/// Tries every order of some actors; `start` makes the store that each order begins with.
fn explore(actors: &[Act], start: impl Fn() -> MemoryStore) -> Findings {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut findings = Findings::default();
    let mut visited = HashSet::new();
    let mut todo: Vec<Vec<usize>> = vec![Vec::new()];
    while let Some(prefix) = todo.pop() {
        let run = runtime.block_on(run(actors, start(), &prefix, &mut visited));
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
    println!("{} orders to the end, {} states, {} faults", findings.orders, findings.states, findings.faults.len());
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
async fn run(actors: &[Act], store: MemoryStore, prefix: &[usize], visited: &mut HashSet<u64>) -> Run {
    let gates = Arc::new(Mutex::new(Gates::default()));
    let mut running: Vec<_> = actors
        .iter()
        .enumerate()
        .map(|(actor, act)| {
            let gate = Gate { actor, gates: gates.clone() };
            Some(act(Arc::new(Decorated::new(store.clone(), gate))))
        })
        .collect();
    let mut published = Vec::new();
    let mut run = Run { widths: Vec::new(), chosen: Vec::new(), told: Vec::new(), ended: false, fault: None };
    loop {
        quiesce(&mut running, &gates, &mut published).await;
        if let Some(fault) = names_nothing_absent(&store).await {
            run.fault = Some(fault);
            return run;
        }
        let mut waiting = std::mem::take(&mut gates.lock().unwrap().waiting);
        waiting.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        if waiting.is_empty() {
            run.ended = true;
            run.fault = nothing_is_lost(&store, &published).await;
            return run;
        }
        let step = run.chosen.len();
        if step >= prefix.len() && !visited.insert(state(&store, &gates, &waiting).await) {
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
        let mut waits = false;
        for (actor, slot) in running.iter_mut().enumerate() {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(name) => {
                    published.extend(name);
                    *slot = None;
                    gates.lock().unwrap().seen.insert(actor, vec!["done".to_owned()]);
                }
                Poll::Pending => waits |= !gates.lock().unwrap().waiting.iter().any(|(waiting, ..)| *waiting == actor),
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

async fn state(
    store: &MemoryStore,
    gates: &Arc<Mutex<Gates>>,
    waiting: &[(usize, String, oneshot::Sender<()>)],
) -> u64 {
    let mut hasher = DefaultHasher::new();
    let metafile = store.get(&Key::Metafile(here()), LARGEST).await.unwrap().map(|(bytes, _)| bytes);
    metafile.hash(&mut hasher);
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

async fn nothing_is_lost(store: &MemoryStore, published: &[Name]) -> Option<String> {
    let Some(metafile) = stored(store).await else { return Some("there is no metafile at the end".to_owned()) };
    if metafile.parent_commit != Some(parent()) || metafile.artifacts.get(&name("c.zip")) != Some(&parent()) {
        return Some("what the stub says is lost".to_owned());
    }
    let lost = published.iter().find(|name| metafile.artifacts.get(*name) != Some(&here()))?;
    Some(format!("{lost} was published and is not in the metafile"))
}

/// Makes the store that every order begins with: the parent has `c.zip` and a metafile that says so.
fn start() -> MemoryStore {
    let store = MemoryStore::default();
    let mut metafile = Metafile::empty(parent(), None);
    metafile.artifacts.insert(name("c.zip"), parent());
    store.plant(&Key::Artifact(parent(), name("c.zip")).to_string(), "c");
    store.plant(&Key::Metafile(parent()).to_string(), metafile.to_bytes().unwrap());
    store
}

fn history() -> ToldHistory {
    ToldHistory { parents: HashMap::from([(here(), Some(parent())), (parent(), None)]) }
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
    Arc::new(move |store| {
        let item = item.clone();
        Box::pin(async move {
            let (history, observer): (_, Arc<dyn Observer>) = (history(), Arc::new(Silent));
            let world = world(&*store, &history, &observer);
            publish::publish(world, &catalog(), here(), std::slice::from_ref(&item), false).await.unwrap();
            Some(item.name)
        })
    })
}

fn stubber() -> Act {
    Arc::new(|store| {
        Box::pin(async move {
            let (history, observer): (_, Arc<dyn Observer>) = (history(), Arc::new(Silent));
            stub::stub(world(&*store, &history, &observer), here(), false).await.unwrap();
            None
        })
    })
}

fn resolver() -> Act {
    Arc::new(|store| {
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
    Arc::new(move |store| {
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
    let findings = explore(&actors, start);
    assert_eq!(findings.faults, Vec::<String>::new());
    // An explorer that finds hardly an order explores nothing.
    assert!(findings.orders > 5 && findings.states > 3000, "{} orders, {} states", findings.orders, findings.states);
}

#[test]
fn the_explorer_sees_a_tag_that_is_read_after_the_look() {
    let actors = [wrong_publisher("a.zip", Wrong::TagAfterLook), wrong_publisher("b.zip", Wrong::TagAfterLook)];
    let faults = explore(&actors, start).faults;
    assert!(faults.iter().any(|fault| fault.contains("was published and is not in the metafile")), "{faults:?}");
}

#[test]
fn the_explorer_sees_a_put_without_a_condition() {
    let actors = [wrong_publisher("a.zip", Wrong::Blind), wrong_publisher("b.zip", Wrong::Blind)];
    let faults = explore(&actors, start).faults;
    assert!(faults.iter().any(|fault| fault.contains("was published and is not in the metafile")), "{faults:?}");
}

#[test]
fn the_explorer_sees_a_metafile_that_is_written_before_its_artifact() {
    let faults = explore(&[wrong_publisher("a.zip", Wrong::MetafileFirst)], start).faults;
    assert!(faults.iter().any(|fault| fault.contains("which is not there")), "{faults:?}");
}

#[test]
fn the_explorer_sees_a_first_metafile_without_what_the_stub_says() {
    let faults = explore(&[wrong_publisher("a.zip", Wrong::NoStub), stubber()], start).faults;
    assert!(faults.iter().any(|fault| fault.contains("what the stub says is lost")), "{faults:?}");
}
