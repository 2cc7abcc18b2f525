//! The corpus that fuzzing left, and bytes made of it at random: all of them keep the laws.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastrand::Rng;

use crate::laws::ALL;

/// What is put into mutations: characters that mean something somewhere.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"/",
    b"..",
    b"../",
    b"\0",
    b"\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"=",
    b"#",
    b"%2e",
    b"%2F",
    b"+",
    b"<",
    b">",
    b"&#x2e;",
    b"&amp;",
    b"\xc0\xae",
    b"\xff",
    b"\xef\xbb\xbf",
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    "e\u{301}".as_bytes(),
    b"\\ud800",
    b"\\u0061",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"nul",
    b"CON.txt",
    b"0000000000000000000000000000000000000000",
];

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz").join(target);
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    files.sort();
    files
}

fn law(target: &str) -> fn(&[u8]) {
    ALL.into_iter().find(|(name, _)| *name == target).unwrap().1
}

/// Tries a law on bytes; a breach names them.
fn hold(law: fn(&[u8]), bytes: &[u8], which: &str) {
    if catch_unwind(AssertUnwindSafe(|| law(bytes))).is_err() {
        panic!("{which} breaks the law:\n{}", bytes.escape_ascii());
    }
}

#[test]
fn each_input_that_fuzzing_left_keeps_its_law() {
    for (target, law) in ALL {
        let files = corpus(target);
        assert!((1..=150).contains(&files.len()), "{target} has {} files", files.len());
        assert!(files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() <= 250_000, "{target} is small");
        files.iter().for_each(|(file, bytes)| hold(law, bytes, file));
    }
}

/// Changes bytes a little in some way.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, others: &[(String, Vec<u8>)]) {
    let at = rng.usize(..=bytes.len());
    let until = (at + rng.usize(..=12)).min(bytes.len());
    match rng.u8(..5) {
        0 => bytes.splice(at..until, []).for_each(drop),
        1 => bytes.splice(at..at, rng.choice(PIECES).unwrap().iter().copied()).for_each(drop),
        2 if at < until => bytes[at] = rng.u8(..),
        3 => {
            let piece = bytes[at..until].to_vec();
            bytes.splice(at..at, piece).for_each(drop);
        }
        _ => {
            let other = &others[rng.usize(..others.len())].1;
            let from = rng.usize(..=other.len());
            let piece = other[from..(from + rng.usize(..=64)).min(other.len())].to_vec();
            bytes.splice(at..until, piece).for_each(drop);
        }
    }
}

/// Tries a law on so many mutations of its corpus, which are the same in each run.
fn mutated(target: &str, rounds: usize) {
    let (files, law, mut rng) = (corpus(target), law(target), Rng::with_seed(6));
    for round in 0..rounds {
        let mut bytes = files[rng.usize(..files.len())].1.clone();
        (0..rng.u8(1..6)).for_each(|_| mutate(&mut rng, &mut bytes, &files));
        hold(law, &bytes, &format!("mutation {round} of {target}"));
    }
}

macro_rules! mutated {
    ($($name:ident: $target:literal, $rounds:literal;)*) => {
        $(#[test]
        fn $name() {
            mutated($target, $rounds);
        })*
    };
}

mutated! {
    metafiles_made_at_random_keep_the_law: "metafile", 4000;
    records_made_at_random_keep_the_law: "record", 6000;
    registries_made_at_random_keep_the_law: "registry", 2000;
    configurations_made_at_random_keep_the_law: "organisation", 6000;
    store_urls_made_at_random_keep_the_law: "store_url", 10000;
    what_hooks_hear_made_at_random_keeps_the_law: "hook_stdin", 2000;
    listings_made_at_random_keep_the_law: "listing", 6000;
    answers_to_listings_made_at_random_keep_the_law: "listing_s3", 100;
    names_made_at_random_keep_the_law: "names", 3000;
}
