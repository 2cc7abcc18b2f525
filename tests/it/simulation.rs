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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use acts::Props;
use desk::Outcome;
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
    /// The lowest seed that failed, and what was not as it was promised.
    fault: Option<(u64, String)>,
    /// How often what happened.
    tally: BTreeMap<&'static str, u64>,
}

/// Runs one seed. To panic is a fault like any other.
fn performed(seed: u64, wrong: Option<Wrong>, props: &Props, traced: bool) -> Outcome {
    let trace = Mutex::new(Vec::new());
    let perform = || desk::perform(&Play::of(seed, wrong), props, traced.then_some(&trace));
    let mut outcome = catch_unwind(AssertUnwindSafe(perform))
        .unwrap_or_else(|_| Outcome { fault: Some("somebody panics".to_owned()), ..Outcome::default() });
    outcome.trace = trace.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome
}

/// Runs seeds on every processor until one fails.
fn run(seeds: Range<u64>, wrong: Option<Wrong>) -> Findings {
    let (props, next, found) = (Props::new(), AtomicU64::new(seeds.start), Mutex::new(Findings::default()));
    let work = || {
        let mut tally = BTreeMap::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let known = found.lock().unwrap().fault.as_ref().map_or(seeds.end, |(lowest, _)| *lowest);
            if seed >= known {
                break;
            }
            let outcome = performed(seed, wrong, &props, false);
            outcome.tally.iter().for_each(|(what, times)| *tally.entry(*what).or_default() += times);
            if let Some(fault) = outcome.fault {
                let mut found = found.lock().unwrap();
                if found.fault.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                    found.fault = Some((seed, fault));
                }
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
    let outcome = performed(seed, wrong, &Props::new(), true);
    let fault = outcome.fault.as_deref().unwrap_or("all is as it was promised");
    format!("{:?}\n{}\n{fault}", Play::of(seed, wrong), outcome.trace.join("\n"))
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
        let traces = [0, 1].map(|_| performed(seed, None, &props, true).trace);
        assert_eq!(traces[0], traces[1], "seed {seed}");
        assert!(!traces[0].is_empty());
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
        assert!(performed(seed, Some(wrong), &Props::new(), false).fault.is_some(), "{row:?}");
    }
    // They are seen for what is wrong with them: written in the same way and right, nothing is seen.
    let control = run(0..ENOUGH, Some(Wrong::Nothing)).fault;
    assert!(control.is_none(), "{control:?}");
}
