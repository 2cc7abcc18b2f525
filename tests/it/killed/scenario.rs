//! The one notion of a command that is killed: a store made anew, the command, the law that holds at once after the kill, the further run.

use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::moment::{self, Life};
use super::place::Place;
use super::running::Running;
use super::{EVERYWHERE, HITS, ONLY};

/// How often at most a process is killed before one may complete.
const IN_A_ROW: usize = 3;

/// Less than the time for which a lock is waited for.
const SOON: Duration = Duration::from_secs(20);

/// How much of what a command is to do stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Nothing,
    Half,
    Whole,
}

impl Standing {
    /// So many of so many.
    pub fn of(done: usize, all: usize) -> Self {
        match done {
            0 => Self::Nothing,
            done if done == all => Self::Whole,
            _ => Self::Half,
        }
    }
}

/// Another process, and what must hold when it has ended.
type Beside<'a> = (&'a dyn Fn() -> Command, &'a dyn Fn());

pub struct Scenario<'a> {
    pub place: &'a Place,
    /// The command, as the table has it.
    pub name: &'static str,
    pub hits: usize,
    /// Makes what the command begins with.
    pub prepare: &'a dyn Fn(),
    pub command: &'a dyn Fn() -> Command,
    /// What the command reads.
    pub input: String,
    /// Holds what must hold at any time, and says how much stands.
    pub law: &'a dyn Fn() -> Standing,
    /// Others, one of whom reads right after each kill.
    pub readers: &'a [&'a dyn Fn()],
    /// Another process that writes at the same time, and what must hold when it has ended. It is not killed.
    pub beside: Option<Beside<'a>>,
    /// Waits for the moment of the kill, where it is a special one.
    pub moment: Option<&'a dyn Fn(&mut Child)>,
}

/// What is counted for the table.
#[derive(Default)]
struct Tally {
    tried: usize,
    hit: usize,
    half: usize,
    completed: usize,
}

/// Tells the seed of a round that fails.
struct Lots(u64);

impl Drop for Lots {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("METALOGIC_KILLS_SEED={} draws the same lots again", self.0);
        }
    }
}

impl<'a> Scenario<'a> {
    pub fn new(place: &'a Place, name: &'static str, law: &'a dyn Fn() -> Standing) -> Self {
        let is_row = EVERYWHERE.contains(&name) || ONLY.contains(&(place.name, name));
        assert!(is_row, "{name} is no row of the table");
        let command = &|| unreachable!("each scenario has its own");
        let (input, prepare) = (String::new(), &|| ());
        Self { place, name, hits: HITS, prepare, command, input, law, readers: &[], beside: None, moment: None }
    }

    /// Kills it until it was hit as often as it should be, and prints the table's line.
    pub fn run(&self) {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        let times = usize::try_from(number("METALOGIC_KILLS").unwrap_or(1)).unwrap();
        let first = number("METALOGIC_KILLS_SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
        let (mut tally, mut life) = (Tally::default(), self.undisturbed());
        for seed in first.. {
            let lots = Lots(seed);
            self.round(&mut Rng::with_seed(seed), &mut tally, &mut life);
            drop(lots);
            if tally.hit >= self.hits * times {
                break;
            }
            assert!(tally.tried < 50 + 5 * self.hits * times, "{} of {} kills hit", tally.hit, tally.tried);
        }
        println!("| {} | `{}` | {} | {} | {} |", self.place.name, self.name, tally.hit, tally.half, tally.completed);
    }

    /// Makes the store anew, kills a few in a row, and lets the last one complete.
    fn round(&self, rng: &mut Rng, tally: &mut Tally, life: &mut Life) {
        (self.prepare)();
        let mut standing = (self.law)();
        assert_ne!(standing, Standing::Whole, "there is nothing to do");
        for time in 0..rng.usize(1..=IN_A_ROW) {
            let began = Instant::now();
            let hit = self.kill(*life, rng);
            tally.tried += 1;
            standing = self.hold();
            if !hit {
                // A whole life is as good a measure as the first one.
                life.length = if time == 0 { began.elapsed().min(life.length) } else { life.length };
                break;
            }
            tally.hit += 1;
            let left = self.place.leftovers() > 0 && standing == Standing::Nothing;
            tally.half += usize::from(standing == Standing::Half || left);
            self.read(rng);
        }
        let old = rng.bool();
        if old {
            self.place.age();
        }
        self.complete(rng);
        tally.completed += 1;
        if old && standing != Standing::Whole {
            assert_eq!(self.place.aged(), 0, "what was left a day ago is still there");
        }
        self.place.forget_uploads();
    }

    /// Kills it once; says whether it was still running.
    fn kill(&self, life: Life, rng: &mut Rng) -> bool {
        let pause = life.length.mul_f64(0.5 * rng.f64());
        let other = self.beside.map(|(command, _)| {
            let other = Running::start(&mut command());
            std::thread::sleep(if rng.bool() { pause } else { Duration::ZERO });
            other
        });
        let mut child = match self.moment {
            None => moment::before_kill(self.place, life, rng, || self.start()),
            Some(moment) => {
                let mut child = self.start();
                moment(&mut child);
                child
            }
        };
        child.kill().unwrap();
        let output = child.ended();
        let killed = output.status.code().is_none();
        assert!(killed || output.status.success(), "{}", self.place.sandbox.ran(self.name, &output));
        self.hold();
        if let (Some(other), Some((_, law))) = (other, self.beside) {
            self.expect_done(&other.ended());
            law();
        }
        self.place.settle();
        killed
    }

    /// Holds what must hold at any time.
    fn hold(&self) -> Standing {
        self.place.leftovers();
        (self.law)()
    }

    /// Says how long it lives when nobody watches it, and how much is seen of it when somebody does.
    fn undisturbed(&self) -> Life {
        let prepared = || {
            (self.prepare)();
            Instant::now()
        };
        let began = prepared();
        self.expect_done(&self.start().ended());
        let length = began.elapsed();
        prepared();
        let (child, life) = moment::live(self.place, || self.start());
        self.expect_done(&child.ended());
        assert_eq!((self.hold(), self.place.leftovers()), (Standing::Whole, 0));
        Life { length, ..life }
    }

    fn complete(&self, rng: &mut Rng) {
        let began = Instant::now();
        self.expect_done(&self.start().ended());
        assert!(began.elapsed() < SOON, "the dead held it up: {:?}", began.elapsed());
        assert_eq!(self.hold(), Standing::Whole, "a further run completes");
        self.read(rng);
    }

    fn read(&self, rng: &mut Rng) {
        if !self.readers.is_empty() {
            self.readers[rng.usize(..self.readers.len())]();
        }
    }

    fn expect_done(&self, output: &Output) {
        assert!(output.status.success(), "{}", self.place.sandbox.ran(self.name, output));
    }

    fn start(&self) -> Running {
        // Nobody reads what it says before its end, which must not hold it up.
        let mut child = Running::start((self.command)().stdin(Stdio::piped()).stdout(Stdio::null()));
        // Who is killed, or needs none, reads none.
        drop(child.stdin.take().unwrap().write_all(self.input.as_bytes()));
        child
    }
}
