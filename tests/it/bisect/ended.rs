//! Runs that end in the middle, in whatever way: the same command goes on, and nothing that was said of a build is lost or asked again.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{History, TEST};
use crate::killed::running::Running;
use crate::sandbox::Ran;

const VERDICTS: &str = "repo/.git/metalogic-bisect/verdicts";

/// Returns the commits of which something was said, as it is noted.
fn noted(history: &History) -> Vec<String> {
    let text = std::fs::read_to_string(history.sandbox.path(VERDICTS)).unwrap_or_default();
    let notes = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let notes = notes.map(|line| serde_json::from_str::<Value>(line).unwrap());
    notes.filter(|note| note.get("verdict").is_some()).map(|note| note["commit"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn killed_while_a_build_is_tried_it_asks_again_for_that_one_and_for_no_other() {
    let history = History::line(60, 37);
    history.build_all();
    let (_, whole) = history.bisected();
    std::fs::remove_file(history.sandbox.path("tried")).unwrap();
    // Each build kills whoever tries it the first time.
    let script = format!(
        "echo $METALOGIC_COMMIT >> ../tried; [ $(grep -c $METALOGIC_COMMIT ../tried) = 1 ] && kill -9 $PPID && exit 0; {TEST}"
    );
    let mut runs = 0;
    let last = loop {
        let (before, tried) = (noted(&history), history.tried().len());
        let output = history.command(&["--json"], &script).output().unwrap();
        runs += 1;
        let ran = history.sandbox.ran("killed", &output);
        if ran.code == Some(0) {
            break ran;
        }
        assert_eq!(ran.code, None, "{ran}");
        let asked = &history.tried()[tried..];
        assert!(asked.iter().all(|commit| !before.contains(commit)), "{asked:?} after {before:?}");
        // What was said before the one in whose midst it was killed is on disk.
        assert_eq!(noted(&history).len(), before.len() + asked.len() - 1);
    };
    let told: Value = serde_json::from_str(&last.stdout).unwrap();
    assert_eq!((&told["bad"]["commit"], &told["steps"]), (&json!(history.culprit()), &json!(whole.len())));
    let twice: Vec<String> = whole.iter().flat_map(|commit| [commit.clone(), commit.clone()]).collect();
    assert_eq!((history.tried(), runs), (twice, whole.len() + 1));
    assert!(!history.is_under_way());
}

#[test]
fn killed_at_any_moment_it_loses_no_verdict() {
    let history = History::line(40, 23);
    history.build_all();
    let script = format!("echo $METALOGIC_COMMIT >> ../tried; {TEST}");
    let mut lots = fastrand::Rng::with_seed(7);
    let mut kills = 0;
    for round in 0.. {
        assert!(round < 50, "too few runs were killed: {kills}");
        drop(std::fs::remove_file(history.sandbox.path("tried")));
        let mut killed: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            // What it ran has ended, too, when nobody holds its standard error any more.
            let mut command = history.command(&["--json"], &script);
            let mut child = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
            std::thread::sleep(Duration::from_millis(lots.u64(5..60)));
            child.kill().unwrap();
            let output = child.ended();
            // Who has the answer asks no more, even if the run was killed right after.
            if let Ok(told) = serde_json::from_slice::<Value>(&output.stdout) {
                assert_eq!(told["bad"]["commit"], history.culprit());
                break;
            }
            assert!(!output.status.success() && output.stdout.is_empty());
            kills += 1;
            // Whoever is killed right after a command has ended may not have noted what it said. What is noted is never asked again.
            let said = noted(&history);
            if let Some(open) = history.tried().last().filter(|last| !said.contains(last)) {
                *killed.entry(open.clone()).or_default() += 1;
            }
        }
        let mut asked: BTreeMap<String, usize> = BTreeMap::new();
        history.tried().into_iter().for_each(|commit| *asked.entry(commit).or_default() += 1);
        for (commit, times) in asked {
            assert!(
                times <= 1 + killed.get(&commit).copied().unwrap_or(0),
                "{commit} was asked {times} times: {killed:?}"
            );
        }
        if kills >= 12 {
            break;
        }
    }
}

#[test]
fn a_code_of_128_or_a_signal_ends_the_run_and_no_verdict() {
    let history = History::line(30, 11);
    history.build_all();
    for (way, said) in
        [("exit 128", "ended with 128"), ("exit 255", "ended with 255"), ("kill -9 $$", "was ended by a signal")]
    {
        drop(std::fs::remove_file(history.sandbox.path("tried")));
        let script = format!("echo $METALOGIC_COMMIT >> ../tried; [ $(wc -l < ../tried) = 3 ] && {way}; {TEST}");
        let ran = history.run(&["--json"], &script);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran}");
        let commit = &history.tried()[2];
        assert!(ran.stderr.contains(&format!("the command {said} on app of {commit}")), "{ran}");
        assert!(ran.stderr.contains("the same command goes on from there"), "{ran}");
        assert_eq!(noted(&history), &history.tried()[..2]);
        let ran = history.run(&["--json"], &script);
        assert_eq!(ran.code, Some(0), "{ran}");
        assert_eq!(&history.tried()[3], commit);
    }
}

#[test]
fn an_interrupted_run_ends_what_it_runs_and_goes_on_later() {
    let history = History::line(10, 4);
    history.build_all();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let script = "echo $$ > ../process; exec sleep 100";
        let mut command = history.command(&[], script);
        let child = Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let deadline = Instant::now() + Duration::from_secs(20);
        let process = loop {
            let text = std::fs::read_to_string(history.sandbox.path("process")).unwrap_or_default();
            if let Some(process) = text.strip_suffix('\n') {
                break process.to_owned();
            }
            assert!(Instant::now() < deadline, "the command does not begin");
            std::thread::sleep(Duration::from_millis(5));
        };
        let send = |signal: &str, process: &str| {
            let mut kill = history.sandbox.plain_command("sh");
            kill.args(["-c", &format!("kill -{signal} {process}")]).stderr(Stdio::null()).status().unwrap().success()
        };
        // At a terminal both are told; here only one is, and tells the other.
        assert!(send(signal, &child.id().to_string()));
        let ran = history.sandbox.ran("interrupted", &child.ended());
        assert_eq!(ran.code, Some(code), "{ran}");
        assert!(ran.stderr.contains("every verdict is kept: the same command goes on"), "{ran}");
        while send("0", &process) {
            assert!(Instant::now() < deadline, "the command goes on alone");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::remove_file(history.sandbox.path("process")).unwrap();
        assert!(history.is_under_way());
    }
    assert_eq!(history.bisected().0["bad"]["commit"], history.culprit());
}

#[test]
fn an_answer_that_nobody_got_is_given_again_and_nothing_is_tried_for_it() {
    let history = History::line(10, 4);
    history.build_all();
    let script = format!("echo $METALOGIC_COMMIT >> ../tried; {TEST}");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let output = history.command(&["--json"], &script).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", history.sandbox.ran("full", &output));
    assert!(history.is_under_way());
    let tried = history.tried();
    let ran = history.run(&["--json"], &script);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!((history.tried(), history.is_under_way()), (tried, false));
}

#[test]
fn another_question_does_not_take_the_place_of_one_that_somebody_has_answered() {
    let history = History::line(20, 9);
    history.build_all();
    let (first, second) = (format!("{TEST} || exit 128"), "exit 128");
    // Nobody has said anything of a build: another question costs nothing.
    assert_eq!(history.run(&["--max-ancestors", "100"], second).code, Some(1));
    let other = |arguments: &[&str]| {
        let all = [&["bisect", "app", "--bad", "main"], arguments, &["--", "sh", "-c", &first, "{}"]].concat();
        let output = history.sandbox.command("repo", &all).env("METALOGIC_STORE", "../store").output().unwrap();
        history.sandbox.ran("other", &output)
    };
    assert_eq!(other(&["--good", &history.ids[1]]).code, Some(1));
    assert!(!noted(&history).is_empty() || history.is_under_way());
    history.run(&["--json"], "exit 130");

    let script = format!("[ -s ../{VERDICTS} ] && grep -q verdict ../{VERDICTS} && exit 130; {TEST}");
    history.sandbox.run(&["bisect", "--reset"]);
    assert_eq!(history.run(&[], &script).code, Some(1));
    assert_eq!(noted(&history).len(), 1);
    let ran = other(&["--good", &history.ids[1]]);
    assert_eq!(ran.code, Some(7), "{ran}");
    assert!(ran.stderr.contains("is under way, with 1 verdict"), "{ran}");
    assert!(ran.stderr.contains("`metalogic bisect --reset` forgets it"), "{ran}");
    let hint = ran.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap();
    for word in ["app", &history.ids[0], &history.ids[19], "--store"] {
        assert!(hint.contains(word), "{ran}");
    }
    assert_eq!(noted(&history).len(), 1);

    let ran = history.sandbox.run(&["bisect", "--reset", "--json"]);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told, json!({"forgotten": true, "directory": "[DIR]/repo/.git/metalogic-bisect"}));
    assert!(!history.is_under_way());
    let ran = history.sandbox.run(&["bisect", "--reset"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("no bisection is under way"), "{ran}");
    assert_eq!(history.bisected().0["bad"]["commit"], history.culprit());
}

#[test]
fn two_do_not_bisect_in_one_repository_at_once() {
    let history = History::line(10, 4);
    history.build_all();
    let mut command = history
        .command(&["--json"], "echo > ../begun; while [ ! -e ../go ] && kill -0 $PPID; do sleep 0.02; done; exit 128");
    let child = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !history.sandbox.path("begun").exists() {
        assert!(Instant::now() < deadline, "the command does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    for arguments in [&["bisect", "app", "--good", &history.ids[0], "--", "true"][..], &["bisect", "--reset"]] {
        let mut command = history.sandbox.command("repo", arguments);
        let ran = history.sandbox.ran("second", &command.env("METALOGIC_STORE", "../store").output().unwrap());
        assert_eq!(ran.code, Some(7), "{ran}");
        assert!(ran.stderr.contains("another process bisects here"), "{ran}");
    }
    history.sandbox.write("go", "");
    child.ended();
    assert!(history.is_under_way());
}

#[test]
fn what_was_cut_short_or_is_no_notes_misleads_nobody() {
    let history = History::line(30, 11);
    history.build_all();
    let (_, whole) = history.bisected();
    let script = format!("grep -q verdict ../{VERDICTS} && exit 130; {TEST}");
    assert_eq!(history.run(&[], &script).code, Some(1));
    let path = history.sandbox.path(VERDICTS);
    let text = std::fs::read_to_string(&path).unwrap();
    // A power cut in the middle of a line.
    std::fs::write(&path, [text.as_bytes(), b"{\"commit\":\"", history.ids[3].as_bytes(), b"\",\"ver\xc3"].concat())
        .unwrap();
    let (told, tried) = history.bisected();
    assert_eq!((&told["bad"]["commit"], &told["steps"]), (&json!(history.culprit()), &json!(whole.len())));
    assert_eq!(tried, whole[1..]);

    let no_commit = format!("{text}{{\"commit\":\"x\",\"verdict\":\"good\"}}\n");
    for wrong in [b"nonsense\n".as_slice(), b"{\"name\":\"app\"}\n", no_commit.as_bytes(), b"\xff\n"] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wrong).unwrap();
        let ran = history.run(&[], TEST);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains("is no notes of a bisection") && ran.stderr.contains("--reset"), "{ran}");
        assert_eq!(std::fs::read(&path).unwrap(), wrong);
        let ran = history.sandbox.run(&["bisect", "--reset"]);
        assert!(ran.code == Some(0) && ran.stderr.contains("the bisection is forgotten"), "{ran}");
        assert!(!history.is_under_way());
    }
}

#[test]
fn builds_that_end_late_are_taken_into_account_and_verdicts_stay() {
    let history = History::line(41, 22);
    (0..41).step_by(10).for_each(|place| history.build(place));
    let script = format!("grep -q verdict ../{VERDICTS} && exit 130; echo $METALOGIC_COMMIT >> ../tried; {TEST}");
    assert_eq!(history.run(&[], &script).code, Some(1));
    let said = history.tried();
    assert_eq!(said, [history.ids[20].clone()]);
    history.build_all();
    let (told, tried) = history.bisected();
    assert_eq!(told["bad"]["commit"], history.culprit());
    assert!(tried.iter().all(|commit| history.ids[21..40].contains(commit)), "{tried:?}");
    assert_eq!(told["steps"], json!(tried.len() + 1));
}

#[test]
fn whose_verdicts_are_gone_on_with_is_said_where_it_was_somebody_else() {
    let history = History::line(30, 11);
    history.build_all();
    let first = format!("grep -q verdict ../{VERDICTS} && exit 130; {TEST} # \u{9b}");
    let warned = |ran: &Ran| ran.stderr.lines().find(|line| line.contains("given before")).map(str::to_owned);
    assert_eq!(history.run(&[], &first).code, Some(1));
    let ran = history.run(&[], &first);
    assert_eq!((ran.code, warned(&ran)), (Some(1), None), "{ran}");
    let noted = history.sandbox.read(VERDICTS);
    let went_on = |notes: &str| {
        history.sandbox.write(VERDICTS, notes);
        let ran = history.run(&[], TEST);
        assert!(ran.code == Some(0) && ran.stderr.contains("1 verdict known already"), "{ran}");
        assert!(ran.stdout.contains(&format!("first bad: app of {}", history.culprit())), "{ran}");
        warned(&ran)
    };
    let told = went_on(&noted).unwrap();
    assert!(
        told.starts_with("warning: 1 verdict was given before by another command, `sh -c 'grep -q verdict"),
        "{told}"
    );
    assert!(told.contains(r"\u{9b}' '{}'`: it counts here, too, and `metalogic bisect --reset` forgets it"), "{told}");
    let with = |by: Option<Value>| {
        let line = |line: &str| {
            let mut note: Value = serde_json::from_str(line).unwrap();
            if note.get("verdict").is_some() {
                assert_eq!(note["by"], json!(["sh", "-c", first, "{}"]));
                note.as_object_mut().unwrap().remove("by");
                by.iter().for_each(|by| note["by"] = by.clone());
            }
            format!("{note}\n")
        };
        noted.lines().map(line).collect::<String>()
    };
    // Nothing is known of those that an earlier version noted.
    assert_eq!(went_on(&with(None)), None);
    assert!(went_on(&with(Some(json!([])))).unwrap().contains("1 verdict was given before by hand: it counts"));
    let long = went_on(&with(Some(json!(["x".repeat(100_000)])))).unwrap();
    assert!(long.chars().count() < 1100 && long.ends_with("forgets it"), "{long}");
}

#[test]
fn that_one_command_runs_says_nothing_of_another() {
    let history = History::line(30, 3);
    history.build_all();
    let first = format!("grep -q verdict ../{VERDICTS} && exit 130; {TEST} || exit 127");
    assert_eq!(history.run(&[], &first).code, Some(1));
    assert!(history.sandbox.read(VERDICTS).contains("\"runs\":true"));
    let ran = history.run(&[], "exit 127");
    assert!(ran.code == Some(2) && ran.stderr.contains("most likely it was not run at all"), "{ran}");
    // The one that is known to run is asked of the good build no more.
    let ran = history.run(&[], &format!("echo $METALOGIC_COMMIT >> ../tried; {first}"));
    assert_eq!(ran.code, Some(1), "{ran}");
    assert_eq!(history.run(&[], &first).code, Some(1));
}

#[test]
fn the_hint_repeats_the_command_of_the_bisection_that_is_under_way() {
    let history = History::line(20, 9);
    history.build_all();
    let refused = |script: &str| {
        assert_eq!(history.run(&[], &format!("grep -q verdict ../{VERDICTS} && exit 130; {script}")).code, Some(1));
        let arguments = ["bisect", "app", "--good", &history.ids[1], "--bad", "main", "--", "true"];
        let output = history.sandbox.command("repo", &arguments).env("METALOGIC_STORE", "../store").output().unwrap();
        let ran = history.sandbox.ran("another", &output);
        assert_eq!(ran.code, Some(7), "{ran}");
        let hint = ran.stderr.split_once("hint: `metalogic ").unwrap().1.split_once("` goes on").unwrap().0.to_owned();
        (hint, ran.stderr)
    };
    let script = "[ \"$0\" = 'it'\\''s' ]; exit 0";
    let (hint, _) = refused(script);
    let expected = format!("grep -q verdict ../{VERDICTS} && exit 130; {script}");
    let words = history.sandbox.plain_command("sh").args(["-c", &format!("printf '%s\\n' {hint}")]).output().unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.ends_with(&format!("\n--\nsh\n-c\n{expected}\n{{}}\n")), "{words}");
    for odd in ["exit 0\n#", "exit 0 # \u{202e}", &format!("exit 0 # {}", "x".repeat(1000))] {
        history.sandbox.done(&["bisect", "--reset"]);
        let (hint, told) = refused(odd);
        assert!(hint.ends_with(" -- COMMAND..."), "{told}");
    }
}
