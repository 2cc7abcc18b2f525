//! Simulations of the whole protocol: many who publish, stub, resolve, read and stage at once, each with its own view of history, over a store
//! that delays, reorders, fails before its effect or after it, while any of them may die at any step.
//!
//! A run is made by its seed alone, and is the same each time. `METALOGIC_SCHEDULES` says how many are run; a seed that fails is printed with
//! what happened, and `METALOGIC_SEED` runs it alone.

mod cast;
mod desk;
mod truths;
mod wrong;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cast::{Play, Wrong};

/// How many schedules the test command runs.
const SCHEDULES: u64 = 10_000;

/// How many schedules are enough for every planted fault to show.
const ENOUGH: u64 = 3_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}")))
}

/// Runs seeds on every processor until one fails; returns it with its trace, and what happened in all.
fn run(seeds: std::ops::Range<u64>, wrong: Option<Wrong>) -> (Option<(u64, String)>, BTreeMap<&'static str, u64>) {
    let files = cast::Files::new();
    let next = AtomicU64::new(seeds.start);
    let found = std::sync::Mutex::new((None, BTreeMap::new()));
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                let mut tally = BTreeMap::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || found.lock().unwrap().0.is_some() {
                        break;
                    }
                    let play = Play::of(seed, wrong);
                    let outcome = desk::perform(&play, &files);
                    outcome.tally.iter().for_each(|(what, times)| *tally.entry(*what).or_default() += times);
                    if let Some(fault) = outcome.fault {
                        let mut found = found.lock().unwrap();
                        found.0.get_or_insert_with(|| (seed, format!("{fault}\n{}", outcome.trace.join("\n"))));
                    }
                }
                let mut found = found.lock().unwrap();
                tally.into_iter().for_each(|(what, times): (_, u64)| *found.1.entry(what).or_default() += times);
            });
        }
    });
    found.into_inner().unwrap()
}

#[test]
fn no_schedule_breaks_what_is_promised() {
    let seeds = match number("METALOGIC_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("METALOGIC_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let (fault, tally) = run(seeds.clone(), None);
    println!("{} schedules: {tally:?}", seeds.end - seeds.start);
    if let Some((seed, told)) = fault {
        panic!("METALOGIC_SEED={seed}: {told}");
    }
    // A simulation in which hardly anything happens shows nothing.
    if seeds.end - seeds.start >= SCHEDULES {
        for what in ["publish", "stub", "resolve", "read", "stage", "lost", "lost after", "sent twice", "died"] {
            assert!(tally.get(what).is_some_and(|times| *times > SCHEDULES / 20), "{what}: {tally:?}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    let files = cast::Files::new();
    for seed in 0..number("METALOGIC_TWICE").unwrap_or(50) {
        let trace = |_| desk::perform(&Play::of(seed, None), &files).trace;
        let traces = [0, 1].map(trace);
        assert_eq!(traces[0], traces[1], "seed {seed}");
        assert!(!traces[0].is_empty());
    }
}

#[test]
fn planted_faults_are_found() {
    for wrong in Wrong::ALL {
        let (fault, _) = run(0..ENOUGH, Some(wrong));
        let (seed, told) = fault.unwrap_or_else(|| panic!("nobody saw {wrong:?}"));
        println!("{wrong:?} is seen with seed {seed}: {}", told.lines().next().unwrap_or_default());
    }
}
