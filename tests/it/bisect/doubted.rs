//! A test that was never seen to tell good builds from bad ones comes to an end like any other, and whoever reads that end is told.

use serde_json::Value;

use super::{History, TEST};
use crate::sandbox::Ran;

fn warnings(ran: &Ran) -> Vec<&str> {
    ran.stderr
        .lines()
        .filter_map(|line| line.strip_prefix("warning: "))
        .filter(|line| !line.contains("no recorded") && !line.contains("given before"))
        .collect()
}

/// Returns whether a try showed the last good build of an answer to be good, and the first bad one to be bad.
fn tried(ran: &Ran) -> (bool, bool) {
    let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    (told["good"]["tried"].as_bool().unwrap(), told["bad"]["tried"].as_bool().unwrap())
}

#[test]
fn where_all_that_were_tried_got_the_same_verdict_it_is_doubted_and_nowhere_else() {
    for (commits, culprit) in [(3, 1), (3, 2), (4, 2), (9, 1), (9, 5), (9, 8), (20, 7)] {
        let history = History::line(commits, culprit);
        history.build_all();
        for script in [TEST, "exit 0", "exit 1"] {
            drop(std::fs::remove_file(history.sandbox.path("said")));
            let noting = format!("({script}); code=$?; echo $code >> ../said; exit $code");
            let ran = history.run(&["--quiet"], &noting);
            let said = history.sandbox.read("said");
            let (is_good, is_bad) = (said.lines().any(|code| code == "0"), said.lines().any(|code| code == "1"));
            let (good, bad) = (&history.ids[0], history.ids.last().unwrap());
            let expected = match (is_good, is_bad) {
                (true, true) => vec![],
                (true, false) => vec![format!(
                    "no build that was tried is bad, and a test that never says so ends here, too: only --bad says that app of {bad} is bad. \
                     Try it there"
                )],
                _ => vec![format!(
                    "no build that was tried is good, and a test that never says so ends here, too: only --good says that app of {good} is \
                     good. Try it there"
                )],
            };
            assert_eq!((ran.code, warnings(&ran)), (Some(0), expected.iter().map(String::as_str).collect()), "{ran}");
            let ran = history.run(&["--json"], script);
            assert_eq!((tried(&ran), ran.stderr.as_str()), ((is_good, is_bad), ""), "{ran}");
        }
    }
}

#[test]
fn where_no_build_is_left_to_try_it_is_said_that_nothing_was_tried() {
    let history = History::line(2, 1);
    history.build_all();
    let ran = history.run(&["--quiet"], "touch ../touched");
    let expected = format!(
        "no build was tried: only --good says that app of {} is good, and only --bad says that app of {} is bad",
        history.ids[0], history.ids[1]
    );
    assert_eq!((ran.code, warnings(&ran)), (Some(0), vec![&expected[..]]), "{ran}");
    assert!(ran.stdout.starts_with("first bad: app of") && !history.sandbox.path("touched").exists(), "{ran}");
    assert_eq!(tried(&history.run(&["--json"], "exit 1")), (false, false));
}

#[test]
fn builds_that_were_skipped_show_nothing() {
    let history = History::line(6, 3);
    history.build_all();
    let ran = history.run(&["--quiet"], "exit 125");
    assert_eq!(ran.code, Some(3), "{ran}");
    let [warning] = warnings(&ran)[..] else { panic!("{ran}") };
    assert!(warning.starts_with("no build that was tried is good or bad, and a test that never says so"), "{ran}");
    for commit in [&history.ids[0], &history.ids[5]] {
        assert!(warning.contains(&format!("app of {commit} is ")), "{ran}");
    }
}

#[test]
fn what_an_earlier_run_or_the_known_good_build_showed_counts() {
    let history = History::line(9, 1);
    history.build_all();
    // The first run ends after a try that shows a bad build; the second sees no other kind.
    let once = "[ -e ../once ] && exit 130; touch ../once; exit 1";
    assert_eq!(history.run(&[], once).code, Some(1));
    let ran = history.run(&["--json"], "exit 0");
    assert_eq!((ran.code, tried(&ran)), (Some(0), (true, true)), "{ran}");

    // The first 127 has it tried with the build that is said to be good. What that shows is noted with the rest.
    let good = format!("[ $METALOGIC_COMMIT = {} ] && exit 0", history.ids[0]);
    let once = format!("{good}; [ -e ../twice ] && exit 130; touch ../twice; exit 127");
    assert_eq!(history.run(&[], &once).code, Some(1));
    let ran = history.run(&["--quiet"], "exit 1");
    assert_eq!((ran.code, warnings(&ran)), (Some(0), vec![]), "{ran}");
    // Where it shows that it is bad, too, nothing good was seen.
    let bad = format!("[ $METALOGIC_COMMIT = {} ] && exit 1; exit 127", history.ids[0]);
    let ran = history.run(&["--quiet"], &bad);
    assert_eq!((ran.code, warnings(&ran).len()), (Some(0), 1), "{ran}");
}

#[test]
fn builds_of_the_same_bytes_that_are_told_apart_are_doubted() {
    let history = History::line(4, 1);
    history.sandbox.write("artifacts.toml", "[projects.p]\nartifacts = [\"app\"]\n");
    for (commit, bytes) in history.ids.iter().zip(["first", "the same", "the same", "last"]) {
        history.sandbox.write("app", bytes);
        let publish =
            ["publish", "--commit", commit, "--store", "../store", "--registry", "../artifacts.toml", "../app"];
        history.sandbox.done(&publish);
    }
    let told = |good: usize| {
        let goods = history.ids[..=good].join("|");
        history.run(&["--quiet"], &format!("case $METALOGIC_COMMIT in {goods}) ;; *) exit 1 ;; esac"))
    };
    let ran = told(1);
    let expected = "the last good build of app and the first bad one are the same bytes: what went bad is not in them";
    assert_eq!((ran.code, warnings(&ran)), (Some(0), vec![expected]), "{ran}");
    let ran = told(0);
    assert!(!ran.stderr.contains("the same bytes"), "{ran}");
}
