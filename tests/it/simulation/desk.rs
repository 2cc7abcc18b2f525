//! The desk that every operation passes: one at a time, in the order that the seed chooses, each with its fate.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::metalogic::Listing;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{
    Attributes, Body, Condition, Content, Guarantees, Key, Object, Outage, Prefix, Source, Store, StoreError, Tag,
};
use tokio::sync::oneshot;

use super::cast::{Files, Play};
use super::truths::Truths;

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Go,
    /// Nothing is done, and the store does not answer.
    Lost,
    /// It is done, and the store does not answer.
    LostAfter,
    /// It is done, the answer is lost on its way, and the client below sends it once more: what comes of that is the answer.
    SentTwice,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    pub fault: Option<String>,
    pub trace: Vec<String>,
    pub tally: BTreeMap<&'static str, u64>,
}

impl Outcome {
    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }
}

/// The operations that wait, by actor.
#[derive(Default)]
struct Desk {
    waiting: Vec<(usize, String, oneshot::Sender<Fate>)>,
    /// How many operations of each actor are under way: their files are read while others wait.
    under_way: HashMap<usize, usize>,
    keeper: Option<Waker>,
}

/// One actor's way to the store.
struct Through {
    actor: usize,
    desk: Arc<Mutex<Desk>>,
    inner: MemoryStore,
}

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Through")
    }
}

impl Through {
    async fn pass<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        operation: String,
        act: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        let (send, fate) = oneshot::channel();
        {
            let mut desk = self.desk.lock().unwrap();
            desk.waiting.push((self.actor, operation.clone(), send));
            if let Some(keeper) = desk.keeper.take() {
                keeper.wake();
            }
        }
        let fate = fate.await;
        *self.desk.lock().unwrap().under_way.entry(self.actor).or_default() += 1;
        let result = self.meet(fate, &operation, act).await;
        *self.desk.lock().unwrap().under_way.entry(self.actor).or_default() -= 1;
        result
    }

    async fn meet<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        fate: Result<Fate, oneshot::error::RecvError>,
        operation: &str,
        act: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        let away =
            || StoreError::Unavailable { key: operation.to_owned(), outage: Outage::Plain, source: "lost".into() };
        match fate {
            Ok(Fate::Go) => act().await,
            Ok(Fate::Lost) => Err(away()),
            Ok(Fate::LostAfter) => {
                drop(act().await);
                Err(away())
            }
            Ok(Fate::SentTwice) => {
                drop(act().await);
                act().await
            }
            // The run is given up.
            Err(_) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Store for Through {
    fn url(&self, key: &Key) -> String {
        self.inner.url(key)
    }

    fn root(&self) -> String {
        self.inner.root()
    }

    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        self.pass(format!("list {}", commit.short()), || self.inner.list(commit)).await
    }

    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        self.pass(format!("keys {prefix}"), || self.inner.keys(prefix)).await
    }

    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        self.pass(format!("get {key}"), || self.inner.get(key, largest)).await
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        self.pass(format!("open {key}"), || self.inner.open(key, range.clone())).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.pass(format!("head {key}"), || self.inner.head(key)).await
    }

    async fn put(
        &self,
        key: &Key,
        content: Content,
        attributes: Attributes,
        condition: &Condition,
    ) -> Result<Tag, StoreError> {
        self.pass(format!("put {key}"), || self.inner.put(key, content.clone(), attributes, condition)).await
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<(), StoreError> {
        self.pass(format!("copy {from} {to}"), || self.inner.copy(from, to)).await
    }

    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError> {
        self.pass(format!("source {key}"), || self.inner.source(key)).await
    }

    async fn copy_from(&self, source: &Source, to: &Key, attributes: Attributes) -> Result<bool, StoreError> {
        self.pass(format!("copy-from {to}"), || self.inner.copy_from(source, to, attributes)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.pass(format!("delete {key}"), || self.inner.delete(key)).await
    }

    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        self.inner.guarantees().await
    }
}

/// What an actor does, from its first operation to what it says at the end.
pub type Acting<'a> = Pin<Box<dyn Future<Output = String> + 'a>>;

/// Performs a play to its end, or to the first thing that is not as it is promised.
pub fn perform(play: &Play, files: &Files) -> Outcome {
    // What pauses after a lost race is chance, too, but it is the seed's.
    fastrand::seed(play.seed);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(on_stage(play, files))
}

async fn on_stage(play: &Play, files: &Files) -> Outcome {
    let (store, desk) = (MemoryStore::default(), Arc::new(Mutex::new(Desk::default())));
    let (mut rng, mut outcome) = (Rng::with_seed(play.seed ^ 0x5eed), Outcome::default());
    let truths = Truths::new(play);
    let through = |actor| Arc::new(Through { actor, desk: Arc::clone(&desk), inner: store.clone() }) as Arc<dyn Store>;
    let mut running: Vec<Option<Acting<'_>>> =
        (0..play.actors.len()).map(|actor| Some(play.act(actor, through(actor), files, &truths))).collect();
    loop {
        for (actor, said) in quiesce(&mut running, &desk).await {
            outcome.trace.push(format!("{actor} {}: {said}", play.actors[actor]));
            outcome.count(play.actors[actor].kind());
        }
        if let Err(fault) = truths.hold(&store) {
            outcome.fault = Some(fault);
            return outcome;
        }
        let (actor, operation, open) = {
            let mut desk = desk.lock().unwrap();
            desk.waiting.retain(|(_, _, open)| !open.is_closed());
            desk.waiting.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
            if desk.waiting.is_empty() {
                break;
            }
            let chosen = rng.usize(..desk.waiting.len());
            desk.waiting.remove(chosen)
        };
        if rng.f64() < play.deaths {
            outcome.trace.push(format!("{actor} dies before {operation}"));
            outcome.count("died");
            running[actor] = None;
            continue;
        }
        let fate = match rng.f64() / play.faults {
            chance if chance < 0.34 => Fate::Lost,
            chance if chance < 0.67 => Fate::LostAfter,
            chance if chance < 1.0 => Fate::SentTwice,
            _ => Fate::Go,
        };
        match fate {
            Fate::Go => outcome.trace.push(format!("{actor} {operation}")),
            Fate::Lost | Fate::LostAfter | Fate::SentTwice => {
                outcome.trace.push(format!("{actor} {operation}: {fate:?}"))
            }
        }
        match fate {
            Fate::Go => {}
            Fate::Lost => outcome.count("lost"),
            Fate::LostAfter => outcome.count("lost after"),
            Fate::SentTwice => outcome.count("sent twice"),
        }
        truths.let_pass(actor, &store);
        // Whoever waited may have died meanwhile.
        open.send(fate).ok();
    }
    outcome.fault = truths.hold_at_the_end(&store).await.err();
    outcome
}

/// Lets everybody go on until they wait at the desk or have ended; those that sleep or read files are waited for. Returns who ended, and what
/// they said.
async fn quiesce(running: &mut [Option<Acting<'_>>], desk: &Arc<Mutex<Desk>>) -> Vec<(usize, String)> {
    let mut ended = Vec::new();
    poll_fn(|context| {
        desk.lock().unwrap().keeper = Some(context.waker().clone());
        let mut waits = false;
        for (actor, slot) in running.iter_mut().enumerate() {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(said) => {
                    ended.push((actor, said));
                    *slot = None;
                }
                Poll::Pending => {
                    let desk = desk.lock().unwrap();
                    let under_way = desk.under_way.get(&actor).is_some_and(|under_way| *under_way > 0);
                    waits |= under_way
                        || !desk.waiting.iter().any(|(waiting, _, open)| *waiting == actor && !open.is_closed());
                }
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    ended
}
