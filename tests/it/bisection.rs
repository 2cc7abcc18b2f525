//! Which build is tried next: against brute force, and against git itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use metalogic::bisection::{Bisection, Outcome, Verdict};

use crate::sandbox::Sandbox;

/// A row of builds that somebody knows all about.
struct Truth {
    builds: usize,
    /// The first bad one.
    culprit: usize,
    skipped: BTreeSet<usize>,
}

impl Truth {
    fn verdict(&self, place: usize) -> Verdict {
        match place {
            place if self.skipped.contains(&place) => Verdict::Skip,
            place if place < self.culprit => Verdict::Good,
            _ => Verdict::Bad,
        }
    }

    /// Bisects to the end; returns what is known then and the places that were tried.
    fn bisected(&self) -> (Bisection, Vec<usize>) {
        let (mut bisection, mut tried) = (Bisection::up_to(self.builds - 1), Vec::new());
        while let Some(place) = bisection.next() {
            assert!(!tried.contains(&place), "{place} is tried twice");
            assert!(place < self.builds - 1, "what is known to be bad is not tried");
            let (ahead, left) = (bisection.ahead(), bisection.left());
            tried.push(place);
            bisection.judge(place, self.verdict(place));
            assert!(bisection.left() < left);
            let next = bisection.next();
            if self.verdict(place) != Verdict::Skip {
                assert!(next.is_none_or(|next| ahead.contains(&next)), "what comes next was not fetched ahead");
            }
        }
        assert_eq!(bisection.left(), 0);
        (bisection, tried)
    }

    /// Holds the end against what is true, found by looking at every build.
    fn hold(&self) -> usize {
        let (end, tried) = self.bisected();
        let known = |place: &usize| !self.skipped.contains(place) || *place == self.builds - 1;
        let last_good = (0..self.culprit).rfind(known);
        let first_bad = (self.culprit..self.builds).find(known).unwrap();
        let between: Vec<usize> = (last_good.map_or(0, |place| place + 1)..first_bad).collect();
        assert_eq!((end.last_good(), end.first_bad()), (last_good, first_bad));
        assert_eq!(end.skipped().collect::<Vec<_>>(), between);
        tried.len()
    }
}

#[test]
fn the_first_bad_build_is_found_whichever_it_is_in_no_more_tries_than_halving_takes() {
    for builds in 1..=200 {
        for culprit in 0..builds {
            let tries = Truth { builds, culprit, skipped: BTreeSet::new() }.hold();
            let most = Bisection::up_to(builds - 1).tries();
            assert!(
                tries <= most as usize && 1 << most < 2 * builds,
                "{builds} builds, the {culprit}th is the first bad"
            );
        }
    }
}

#[test]
fn whatever_is_skipped_what_is_left_is_what_brute_force_leaves() {
    for builds in 1..=9_usize {
        for culprit in 0..builds {
            for skipped in 0..1_u32 << (builds - 1) {
                let skipped = (0..builds).filter(|place| skipped >> place & 1 == 1).collect();
                Truth { builds, culprit, skipped }.hold();
            }
        }
    }
    let mut lots = fastrand::Rng::with_seed(8);
    for _ in 0..500 {
        let builds = lots.usize(1..300);
        let culprit = lots.usize(0..builds);
        let share = lots.f64();
        let skipped = (0..builds - 1).filter(|_| lots.f64() < share).collect();
        Truth { builds, culprit, skipped }.hold();
    }
}

#[test]
fn a_stretch_of_useless_builds_is_leapt_over() {
    for (from, to) in [(400, 600), (300, 520), (490, 999), (1, 510)] {
        // Where the culprit is the next one after it, each of the stretch has to be tried.
        for culprit in [0, 1, from - 1, to + 1, 700, 1023].into_iter().filter(|culprit| !(from..=to).contains(culprit))
        {
            let tries = Truth { builds: 1024, culprit, skipped: (from..to).collect() }.hold();
            assert!(tries <= 70, "{from}..{to}, {culprit}: {tries} tries");
        }
    }
}

#[test]
fn verdicts_that_others_have_decided_already_change_nothing() {
    let mut bisection = Bisection::up_to(9);
    bisection.judge(4, Verdict::Good);
    bisection.judge(7, Verdict::Bad);
    let before = bisection.clone();
    for (place, verdict) in
        [(3, Verdict::Bad), (4, Verdict::Bad), (7, Verdict::Good), (9, Verdict::Skip), (2, Verdict::Skip)]
    {
        bisection.judge(place, verdict);
    }
    assert_eq!(bisection, before);
}

#[test]
fn exit_codes_mean_what_they_mean_to_git() {
    for code in -1..=256 {
        let expected = match code {
            0 => Outcome::Tried(Verdict::Good),
            125 => Outcome::Tried(Verdict::Skip),
            126 | 127 => Outcome::Doubtful(code),
            1..=127 => Outcome::Tried(Verdict::Bad),
            _ => Outcome::Stopped(Some(code)),
        };
        assert_eq!(Outcome::of(Some(code)), expected, "{code}");
    }
    assert_eq!(Outcome::of(None), Outcome::Stopped(None));
}

/// Makes a repository whose history is a line of so many commits, and returns their ids, oldest first.
fn line(sandbox: &Sandbox, commits: usize) -> Vec<String> {
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "line"]);
    let mut stream = String::new();
    for number in 1..=commits {
        let from = if number == 1 { String::new() } else { format!("from :{}\n", number - 1) };
        writeln!(stream, "commit refs/heads/main\nmark :{number}\ncommitter A <a@b> {number} +0000\ndata 0\n{from}")
            .unwrap();
    }
    let mut git = sandbox.git_command("line", &["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(git.wait().unwrap().success());
    sandbox.git("line", &["rev-list", "--reverse", "main"]).lines().map(str::to_owned).collect()
}

#[test]
fn the_next_one_is_the_one_that_git_would_take() {
    let sandbox = Sandbox::new();
    let ids = line(&sandbox, 5001);
    for suspects in (2..40).chain([63, 64, 65, 1000, 2047, 2048, 3071, 3072, 3073, 4096, 5000]) {
        let (good, bad) = (&ids[0], &ids[suspects]);
        let taken = sandbox.git("line", &["rev-list", "--bisect", "--first-parent", bad, &format!("^{good}")]);
        let place = ids[1..].iter().position(|id| *id == taken.trim()).unwrap();
        assert_eq!(Bisection::up_to(suspects - 1).next(), Some(place), "of {suspects}");
    }
}
