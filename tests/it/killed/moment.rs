//! The moment of a kill: drawn by lot from the process's whole life, or from what is seen of it in its store.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::place::Place;
use super::running::Running;
use crate::fake::Fake;

/// How long a process may take that nobody kills.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wrong for a moment only is met at once.
const AT_ONCE: Duration = Duration::from_micros(400);

/// For how long a process runs at least before it is stopped and looked at.
const SLICE: Duration = Duration::from_micros(40);

/// How the life of a process goes that nobody kills.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    pub length: Duration,
    /// How much of it is seen from outside.
    pub events: usize,
}

/// Watches what a process does: the requests that it sends, or the files that it changes in its store and where it fetches to. Files change
/// quickly, so that a process whose store is a directory is let run for slices of its life only.
struct Watch<'a> {
    place: &'a Place,
    state: u64,
    events: usize,
}

impl<'a> Watch<'a> {
    fn begin(place: &'a Place) -> Self {
        if let Some(fake) = &place.fake {
            fake.requests();
            fake.heard();
        }
        Self { place, state: state(place), events: 0 }
    }

    /// Lets a process run for a moment, and returns how much was seen by now; none when it has ended.
    fn go_on(&mut self, child: &mut Child) -> Option<usize> {
        let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        if self.place.fake.is_none() {
            signal::kill(process, Signal::SIGCONT).unwrap();
        }
        std::thread::sleep(SLICE);
        if self.place.fake.is_none() && child.try_wait().unwrap().is_none() {
            signal::kill(process, Signal::SIGSTOP).unwrap();
        }
        Some(self.look())
    }

    /// Returns how much was seen by now.
    fn look(&mut self) -> usize {
        let state = state(self.place);
        self.events += usize::from(state != self.state);
        self.state = state;
        self.events + self.place.fake.as_ref().map_or(0, Fake::count)
    }
}

/// Returns what changes whenever a file comes, goes, grows, or is another one.
fn state(place: &Place) -> u64 {
    fn walk(path: &Path, hasher: &mut DefaultHasher) {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            (entry.file_name(), metadata.ino()).hash(hasher);
            if metadata.is_dir() {
                walk(&entry.path(), hasher);
            } else {
                metadata.size().hash(hasher);
            }
        }
    }
    let mut hasher = DefaultHasher::new();
    if place.fake.is_none() {
        walk(&place.root(), &mut hasher);
    }
    walk(&place.sandbox.path("got"), &mut hasher);
    hasher.finish()
}

/// Starts a process, lets it live to its end while it is watched, and says how it went.
pub fn live(place: &Place, start: impl FnOnce() -> Running) -> (Running, Life) {
    let mut watch = Watch::begin(place);
    let began = Instant::now();
    let mut child = start();
    while watch.go_on(&mut child).is_some() {
        expect_in_time(began);
    }
    let life = Life { length: began.elapsed(), events: watch.look() };
    (child, life)
}

fn expect_in_time(began: Instant) {
    assert!(began.elapsed() < PATIENCE, "it does not end");
}

/// Starts a process, and returns when the moment of its kill has come.
pub fn before_kill(place: &Place, life: Life, rng: &mut fastrand::Rng, start: impl FnOnce() -> Running) -> Running {
    let mut watch = Watch::begin(place);
    if life.events == 0 || rng.u8(0..3) == 0 {
        let child = start();
        std::thread::sleep(life.length.mul_f64(rng.f64()));
        return child;
    }
    let event = rng.usize(1..=life.events);
    let between = life.length / u32::try_from(life.events).unwrap();
    // What is wrong while bytes move is met later than what is wrong for a moment.
    let later = if rng.bool() { between } else { AT_ONCE.min(between) };
    let mut child = start();
    let began = Instant::now();
    while watch.go_on(&mut child).is_some_and(|seen| seen < event) {
        expect_in_time(began);
    }
    // Some are killed right there.
    let until = Instant::now() + later.mul_f64((rng.f64() - 0.3).max(0.0));
    while Instant::now() < until && watch.go_on(&mut child).is_some() {}
    child
}
