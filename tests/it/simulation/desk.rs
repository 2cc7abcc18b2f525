//! The desk that every operation passes: one at a time, in the order that the seed chooses, each with its fate.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use fastrand::Rng;
use metalogic::store::Store;
use metalogic::store::memory::MemoryStore;
use tokio::sync::oneshot;

use super::acts::{self, Props};
use super::play::Play;
use super::truths::Truths;
use crate::decorated::{self, Decorated, Fate, Late, Watcher};

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is not as it was promised.
    pub fault: Option<String>,
    /// What happened, where somebody asked for that.
    pub trace: Vec<String>,
    pub tally: BTreeMap<&'static str, u64>,
}

impl Outcome {
    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }
}

/// An operation that waits for its fate.
struct Waiting {
    actor: usize,
    operation: String,
    open: oneshot::Sender<Fate>,
}

/// What happens next.
enum Chosen {
    Waiting(Waiting),
    /// The write that comes late, by its place among those.
    Late(usize),
}

/// Who waits, and who is under way.
#[derive(Default)]
pub struct Desk {
    waiting: Vec<Waiting>,
    /// How many operations of each actor are under way: their files are read while others wait.
    under_way: HashMap<usize, usize>,
    /// The writes that come late, with whoever asked for them.
    late: Vec<(usize, String, Late)>,
    keeper: Option<Waker>,
}

impl Desk {
    fn wait(&mut self, actor: usize, operation: String) -> oneshot::Receiver<Fate> {
        let (open, opened) = oneshot::channel();
        self.waiting.push(Waiting { actor, operation, open });
        if let Some(keeper) = self.keeper.take() {
            keeper.wake();
        }
        opened
    }

    /// Says whether an actor can do nothing before one of its operations has met its fate.
    fn holds(&self, actor: usize) -> bool {
        self.under_way.get(&actor).is_none_or(|under_way| *under_way == 0)
            && self.waiting.iter().any(|waiting| waiting.actor == actor && !waiting.open.is_closed())
    }

    /// Puts those that wait in an order that is the same each time. Whoever asked may have turned to something else.
    fn sort(&mut self) {
        self.waiting.retain(|waiting| !waiting.open.is_closed());
        self.waiting.sort_by(|one, other| (one.actor, &one.operation).cmp(&(other.actor, &other.operation)));
    }
}

/// An actor's place at the desk.
struct Place {
    actor: usize,
    desk: Arc<Mutex<Desk>>,
}

#[async_trait]
impl Watcher for Place {
    async fn before(&self, operation: &str) -> Fate {
        let opened = self.desk.lock().unwrap().wait(self.actor, operation.to_owned());
        // Where nobody answers the run is given up.
        let Ok(fate) = opened.await else { return std::future::pending().await };
        *self.desk.lock().unwrap().under_way.entry(self.actor).or_default() += 1;
        fate
    }

    fn after(&self, _: &str, _: &dyn fmt::Debug) {
        *self.desk.lock().unwrap().under_way.entry(self.actor).or_default() -= 1;
    }

    fn keep(&self, operation: &str, late: Late) {
        self.desk.lock().unwrap().late.push((self.actor, operation.to_owned(), late));
    }
}

/// What an actor does, from its first operation to what it says at the end.
pub type Acting<'a> = Pin<Box<dyn Future<Output = String> + 'a>>;

/// Performs a play to its end, or to the first thing that is not as it is promised. What happens is told as it happens, where somebody asks
/// for that.
pub fn perform(play: &Play, props: &Props, trace: Option<&Mutex<Vec<String>>>) -> Outcome {
    // The pauses after lost races are chance too, and the seed's.
    fastrand::seed(play.seed);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (store, truths) = (MemoryStore::default(), Truths::new(play));
        let mut performance = Performance::new(play, props, &truths, &store, trace);
        let fault = match performance.run().await {
            Ok(()) => truths.hold_at_the_end(&store, props).await.err(),
            Err(fault) => Some(fault),
        };
        Outcome { fault, ..performance.outcome }
    })
}

/// A play that is under way.
struct Performance<'a> {
    play: &'a Play,
    store: &'a MemoryStore,
    truths: &'a Truths<'a>,
    desk: Arc<Mutex<Desk>>,
    running: Vec<Option<Acting<'a>>>,
    rng: Rng,
    trace: Option<&'a Mutex<Vec<String>>>,
    outcome: Outcome,
}

impl<'a> Performance<'a> {
    fn new(
        play: &'a Play,
        props: &'a Props,
        truths: &'a Truths<'a>,
        store: &'a MemoryStore,
        trace: Option<&'a Mutex<Vec<String>>>,
    ) -> Self {
        let desk = Arc::<Mutex<Desk>>::default();
        let begin = |actor| {
            let through: Arc<dyn Store> =
                Arc::new(Decorated::new(store.clone(), Place { actor, desk: Arc::clone(&desk) }));
            Some(acts::act(play, actor, through, props, truths))
        };
        let running = (0..play.actors.len()).map(begin).collect();
        let (rng, outcome) = (Rng::with_seed(play.seed ^ 0x5eed), Outcome::default());
        Self { play, store, truths, desk, running, rng, trace, outcome }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if let Some(trace) = self.trace {
            trace.lock().unwrap().push(what());
        }
    }

    /// Lets one operation after the other meet its fate, until nobody wants anything any more.
    async fn run(&mut self) -> Result<(), String> {
        loop {
            for (actor, said) in self.quiesce().await {
                self.tell(|| format!("{actor} {:?}: {said}", self.play.actors[actor]));
                self.outcome.count(self.play.actors[actor].kind());
            }
            self.truths.hold(self.store)?;
            match self.choose() {
                Some(Chosen::Waiting(waiting)) => self.decide(waiting),
                Some(Chosen::Late(at)) => self.arrive(at).await,
                None => return Ok(()),
            }
        }
    }

    /// Chooses among all that can happen next; none where nothing can.
    fn choose(&mut self) -> Option<Chosen> {
        let mut desk = self.desk.lock().unwrap();
        desk.sort();
        let waiting = desk.waiting.len();
        let chosen = self.rng.choice(0..waiting + desk.late.len())?;
        Some(match chosen.checked_sub(waiting) {
            None => Chosen::Waiting(desk.waiting.remove(chosen)),
            Some(at) => Chosen::Late(at),
        })
    }

    /// Gives an operation its fate, unless whoever asked for it dies.
    fn decide(&mut self, waiting: Waiting) {
        let Waiting { actor, operation, open } = waiting;
        if self.rng.f64() < self.play.deaths {
            self.tell(|| format!("{actor} dies before {operation}"));
            self.outcome.count("died");
            self.dies(actor, (operation, open));
            return;
        }
        let writes = decorated::writes(&operation);
        let (fate, counted) = match self.rng.f64() / self.play.faults {
            chance if chance < 0.25 => (Fate::Lost, "lost"),
            chance if chance < 0.5 => (Fate::AnswerLost, "answer lost"),
            chance if chance < 0.75 => (Fate::SentTwice, "sent twice"),
            chance if chance < 1.0 && writes => (Fate::Late, "late"),
            _ => (Fate::Go, "operations"),
        };
        self.tell(|| match fate {
            Fate::Go => format!("{actor} {operation}"),
            Fate::Lost | Fate::AnswerLost | Fate::SentTwice | Fate::Late => format!("{actor} {operation}: {fate:?}"),
        });
        self.outcome.count(counted);
        self.truths.let_pass(actor, writes);
        // Whoever waited may have turned to something else meanwhile.
        open.send(fate).ok();
    }

    /// Ends an actor. What it had sent may arrive all the same.
    fn dies(&mut self, actor: usize, operation: (String, oneshot::Sender<Fate>)) {
        let mut desk = self.desk.lock().unwrap();
        let (its, others): (Vec<_>, Vec<_>) = desk.waiting.drain(..).partition(|waiting| waiting.actor == actor);
        desk.waiting = others;
        drop(desk);
        let sent = its.into_iter().map(|waiting| (waiting.operation, waiting.open)).chain([operation]);
        for (operation, open) in sent {
            if decorated::writes(&operation) && self.rng.bool() {
                open.send(Fate::Late).ok();
            }
        }
        // It has what is late kept, and is gone before it does anything else.
        if let Some(mut gone) = self.running[actor].take() {
            drop(gone.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        }
    }

    /// Does a write of which nobody thinks any more.
    async fn arrive(&mut self, chosen: usize) {
        let (actor, operation, late) = self.desk.lock().unwrap().late.remove(chosen);
        self.tell(|| format!("{actor} {operation} comes late"));
        self.truths.let_pass(actor, true);
        late.await;
    }

    /// Lets everybody go on until they wait at the desk or have ended; those that sleep or read files are waited for. Returns who ended, and
    /// what they said.
    async fn quiesce(&mut self) -> Vec<(usize, String)> {
        let mut ended = Vec::new();
        poll_fn(|context| self.poll(context, &mut ended)).await;
        ended
    }

    fn poll(&mut self, context: &mut Context<'_>, ended: &mut Vec<(usize, String)>) -> Poll<()> {
        self.desk.lock().unwrap().keeper = Some(context.waker().clone());
        let mut all_wait = true;
        for (actor, slot) in self.running.iter_mut().enumerate() {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(said) => {
                    ended.push((actor, said));
                    *slot = None;
                }
                Poll::Pending => all_wait &= self.desk.lock().unwrap().holds(actor),
            }
        }
        if all_wait { Poll::Ready(()) } else { Poll::Pending }
    }
}
