//! Simulations of the whole protocol: many who publish, stub, resolve, read and stage at once, each with its own view of history and of the
//! registry, over a store that delays, reorders, fails before its effect or after it, or does what it was asked long after, while any of them
//! may die at any step.
//!
//! A run is made by its seed alone, and is the same each time. `METALOGIC_SCHEDULES` says how many are run, beginning with `METALOGIC_FROM`.
//! A seed that fails is printed with all that happened, and `METALOGIC_SEED` runs it alone, and prints that in any case.

mod acts;
mod desk;
mod play;
mod truths;
mod wrong;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use acts::Props;
use play::{Play, Wrong};

use crate::readme::{readme, table};

/// How many schedules the test command runs.
const SCHEDULES: u64 = 10_000;

/// How many schedules are enough for every planted fault to show.
const ENOUGH: u64 = 2_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}")))
}

/// What came of many runs.
#[derive(Default)]
struct Findings {
    /// The lowest seed that failed, as far as was looked, and what was not as it was promised.
    fault: Option<(u64, String)>,
    /// How often what happened.
    tally: BTreeMap<&'static str, u64>,
}

/// Runs seeds on every processor until one fails.
fn run(seeds: Range<u64>, wrong: Option<Wrong>) -> Findings {
    let (props, next, found) = (Props::new(), AtomicU64::new(seeds.start), Mutex::new(Findings::default()));
    let work = || {
        let mut tally = BTreeMap::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || found.lock().unwrap().fault.is_some() {
                break;
            }
            let outcome = desk::perform(&Play::of(seed, wrong), &props, false);
            outcome.tally.iter().for_each(|(what, times)| *tally.entry(*what).or_default() += times);
            if let Some(fault) = outcome.fault {
                found.lock().unwrap().fault.get_or_insert((seed, fault));
            }
        }
        let mut found = found.lock().unwrap();
        tally.into_iter().for_each(|(what, times): (_, u64)| *found.tally.entry(what).or_default() += times);
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    found.into_inner().unwrap()
}

/// Runs a seed once more and tells all that happened.
fn told(seed: u64, wrong: Option<Wrong>) -> String {
    let play = Play::of(seed, wrong);
    let outcome = desk::perform(&play, &Props::new(), true);
    let happened = outcome.trace.unwrap_or_default().join("\n");
    format!("{play:?}\n{happened}\n{}", outcome.fault.as_deref().unwrap_or("all is as it was promised"))
}

#[test]
fn no_schedule_breaks_what_is_promised() {
    if let Some(seed) = number("METALOGIC_SEED") {
        println!("{}", told(seed, None));
    }
    let from = number("METALOGIC_SEED").or(number("METALOGIC_FROM")).unwrap_or_default();
    let schedules = number("METALOGIC_SEED").map(|_| 1).or(number("METALOGIC_SCHEDULES")).unwrap_or(SCHEDULES);
    let began = Instant::now();
    let Findings { fault, tally } = run(from..from + schedules, None);
    println!("{schedules} schedules from seed {from} on, in {} s: {tally:?}", began.elapsed().as_secs());
    if let Some((seed, fault)) = fault {
        panic!("METALOGIC_SEED={seed}: {fault}\n{}", told(seed, None));
    }
    // A simulation in which hardly anything happens shows nothing.
    if schedules >= SCHEDULES {
        let acts = ["publish", "plant", "stub", "resolve", "read", "stage", "ask"];
        for what in acts.into_iter().chain(["lost", "answer lost", "sent twice", "late", "died"]) {
            assert!(tally.get(what).is_some_and(|times| *times > schedules / 20), "{what}: {tally:?}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    let props = Props::new();
    for seed in 0..number("METALOGIC_TWICE").unwrap_or(100) {
        let trace = |_| desk::perform(&Play::of(seed, None), &props, true).trace;
        let traces = [0, 1].map(trace);
        assert_eq!(traces[0], traces[1], "seed {seed}");
        assert!(traces[0].as_ref().is_some_and(|trace| !trace.is_empty()));
    }
}

#[test]
fn planted_faults_are_found() {
    for wrong in Wrong::FAULTS {
        let (seed, fault) = run(0..ENOUGH, Some(wrong)).fault.unwrap_or_else(|| panic!("nobody saw {wrong:?}"));
        println!("{wrong:?} is seen with seed {seed}: {fault}");
        // What is seen can be seen again.
        assert!(told(seed, Some(wrong)).ends_with(&fault), "{wrong:?}");
    }
    // The README says with which seeds.
    let told_of: Vec<_> = table(&readme(), "| planted fault | seen with seed |");
    assert_eq!(told_of.iter().map(|row| &*row[0]).collect::<Vec<_>>(), Wrong::FAULTS.map(Wrong::told));
    for (wrong, row) in Wrong::FAULTS.into_iter().zip(&told_of) {
        let seed = row[1].parse().unwrap();
        assert!(desk::perform(&Play::of(seed, Some(wrong)), &Props::new(), false).fault.is_some(), "{row:?}");
    }
    // They are seen for what is wrong with them: written in the same way and right, nothing is seen.
    let control = run(0..ENOUGH, Some(Wrong::Nothing)).fault;
    assert!(control.is_none(), "{control:?}");
}
