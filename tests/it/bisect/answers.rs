//! What is answered, and what a command's exit codes come to.

use metalogic::artifact::Digest;
use serde_json::{Value, json};

use super::{History, TEST, ids};
use crate::sandbox::Sandbox;

#[test]
fn the_answer_is_both_builds_and_the_commits_between_and_nothing_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::with_repository();
    let mut commits = vec![sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned()];
    for number in 0..9 {
        if number % 2 == 0 {
            // The build is a program that says by itself whether it is good.
            sandbox.write("out/app.zip", format!("#!/bin/sh\necho build {number} $1\n[ {number} -lt 5 ]\n"));
            std::fs::set_permissions(sandbox.path("out/app.zip"), std::fs::Permissions::from_mode(0o755)).unwrap();
            sandbox.done(&["publish", "../out/app.zip"]);
        }
        commits.push(sandbox.commit(&format!("change {number}")));
    }
    let sizes = |number: usize| format!("#!/bin/sh\necho build {number} $1\n[ {number} -lt 5 ]\n");
    let described = |number: usize| {
        let bytes = sizes(number);
        json!({
            "commit": commits[number], "size": bytes.len(), "sha256": Digest::of(bytes.as_bytes()).to_string(), "run": null,
            "tried": true,
        })
    };
    let ran = sandbox.run(&["bisect", "app.zip", "--good", "HEAD~9", "--json", "--", "{}", "an argument"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = json!({
        "name": "app.zip", "good": described(4), "bad": described(6),
        "commits": [
            {"commit": commits[6], "subject": "change 5", "skipped": false},
            {"commit": commits[5], "subject": "change 4", "skipped": false},
        ],
        "skipped": [], "steps": 2, "store": "file://[DIR]/repo/.git/metalogic",
    });
    assert_eq!(told, expected);
    // What the command prints is talk.
    assert_eq!(ran.stderr, "build 4 an argument\nbuild 6 an argument\n");

    let ran = sandbox.run(&["bisect", "app.zip", "--good", "HEAD~9", "--", "{}"]);
    let (bad, good) = (&commits[6], &commits[4]);
    let digest = |number| Digest::of(sizes(number).as_bytes());
    let expected = format!(
        "first bad: app.zip of {bad} (38 B, SHA-256 {})\nlast good: app.zip of {good} (38 B, SHA-256 {})\n\
         the 2 commits that make the difference, newest first:\n    {bad} change 5\n    {} change 4\n",
        digest(6),
        digest(4),
        commits[5]
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), expected.as_str()), "{ran}");
    for said in [
        "bisecting app.zip: 3 builds to try in 9 commits, at most 2 tries",
        &format!("try 1: app.zip of {good}, at most 1 build left after it"),
        &format!("app.zip of {} is bad", &bad[..12]),
    ] {
        assert!(ran.stderr.contains(said), "{said}: {ran}");
    }
}

#[test]
fn the_path_stands_where_the_braces_are_and_else_at_the_end() {
    let history = History::line(3, 2);
    history.build_all();
    let builds = history.sandbox.path("repo/.git/metalogic-bisect/builds").canonicalize();
    assert!(builds.is_err());
    let heard = |words: &[&str]| {
        let asked = ["bisect", "app", "--good", &history.ids[0], "--"];
        let mut command = history.sandbox.command("repo", &[&asked, words].concat());
        let output = command.env("METALOGIC_STORE", "../store").output().unwrap();
        history.sandbox.ran("bisect", &output).stderr
    };
    let path = format!("[DIR]/repo/.git/metalogic-bisect/builds/{}/app", history.ids[1]);
    let said = "printf '%s|' \"$@\" \"$METALOGIC_ARTIFACT\" \"$METALOGIC_COMMIT\"; echo";
    let told = |arguments: &str| format!("{arguments}|{path}|{}|\n", history.ids[1]);
    let shell = ["sh", "-c", said, "sh"];
    assert!(
        heard(&[&shell[..], &["--file={}", "x", "{}{}"]].concat())
            .contains(&told(&format!("--file={path}|x|{path}{path}")))
    );
    assert!(heard(&[&shell[..], &["one", "two"]].concat()).contains(&told(&format!("one|two|{path}"))));
}

#[test]
fn builds_of_which_nothing_can_be_said_are_passed_over_and_told_where_they_leave_it_open() {
    let history = History::line(12, 6);
    history.build_all();
    let skipping = |places: &[usize]| {
        let places: String = places.iter().map(|place| format!("commit {place}\n")).collect();
        history.sandbox.write("skip", places);
        format!("grep -qxf ../skip \"$0\" && exit 125; {TEST}")
    };
    let ran = history.run(&["--json"], &skipping(&[1, 4, 9]));
    assert_eq!(ran.code, Some(0), "{ran}");
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["bad"]["commit"], &told["skipped"]), (&json!(history.ids[6]), &json!([])));

    let ran = history.run(&["--json"], &skipping(&[5, 6, 9]));
    assert_eq!(ran.code, Some(3), "{ran}");
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["good"]["commit"], &told["bad"]["commit"]), (&json!(history.ids[4]), &json!(history.ids[7])));
    assert_eq!(told["skipped"], json!([history.ids[6], history.ids[5]]));
    assert_eq!(ids(&told["commits"]), [&history.ids[7], &history.ids[6], &history.ids[5]]);
    let skipped: Vec<_> =
        told["commits"].as_array().unwrap().iter().map(|one| one["skipped"].as_bool().unwrap()).collect();
    assert_eq!(skipped, [false, true, true]);
    assert!(ran.stderr.contains("\"not-found\"") && ran.stderr.contains("2 builds were skipped"), "{ran}");
    assert!(!history.is_under_way());

    let ran = history.run(&[], &skipping(&[5, 6]));
    assert!(ran.stdout.starts_with(&format!("bad: app of {}", history.ids[7])), "{ran}");
    assert!(ran.stdout.contains(&format!("    {} (its build was skipped)\n", history.ids[5])), "{ran}");
}

#[test]
fn a_command_that_does_not_run_is_told_from_a_bad_build_by_the_good_one() {
    let history = History::line(9, 5);
    history.build_all();
    let asked = ["bisect", "app", "--good", &history.ids[0], "--"];
    for (words, code) in [(&["no-such-program"][..], 127), (&["../store"], 126), (&["sh", "-c", "exit 127"], 127)] {
        let mut command = history.sandbox.command("repo", &[&asked[..], words].concat());
        let output = command.env("METALOGIC_STORE", "../store").output().unwrap();
        let ran = history.sandbox.ran("bisect", &output);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran}");
        let said = format!("the command ends with {code} on the known good app of {}, too", history.ids[0]);
        assert!(ran.stderr.contains(&said), "{ran}");
    }
    // A command that runs with the good build, and not with a bad one, says what it says: it is tried with the good one once.
    for code in [126, 127] {
        let tried = format!("echo $METALOGIC_COMMIT >> ../tried; {TEST} || exit {code}");
        let ran = history.run(&["--json"], &tried);
        assert_eq!(ran.code, Some(0), "{ran}");
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(told["bad"]["commit"], history.ids[5]);
        let good = history.tried().iter().filter(|commit| **commit == history.ids[0]).count();
        assert_eq!((good, history.tried().len() as u64), (1, told["steps"].as_u64().unwrap() + 1));
        std::fs::remove_file(history.sandbox.path("tried")).unwrap();
    }
    // With another code, even a bad one, it runs.
    let other = format!("[ $METALOGIC_COMMIT = {} ] && exit 1; {TEST} || exit 127", history.ids[0]);
    assert_eq!(history.run(&[], &other).code, Some(0));
    let worse = format!("[ $METALOGIC_COMMIT = {} ] && exit 200; {TEST} || exit 127", history.ids[0]);
    let ran = history.run(&[], &worse);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("the command ended with 200"), "{ran}");
}

#[test]
fn what_cannot_be_bisected_is_said_before_anything_is_tried() {
    let history = History::new(vec![vec![], vec![0], vec![1], vec![1], vec![2, 3], vec![4], vec![5]], 5);
    [1, 2, 5].into_iter().for_each(|place| history.build(place));
    let id = |place: usize| history.ids[place].as_str();
    let refused = |options: &[&str], good: &str, bad: &str, code, words: &[&str]| {
        let asked = ["bisect", "app", "--good", good, "--bad", bad, "--", "touch", "../touched"];
        let mut command = history.sandbox.command("repo", &[options, &asked].concat());
        let output = command.env("METALOGIC_STORE", "../store").output().unwrap();
        let ran = history.sandbox.ran(&format!("bisect {good} {bad}"), &output);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{ran}");
        words.iter().for_each(|word| assert!(ran.stderr.contains(word), "{word}: {ran}"));
        assert!(!history.is_under_way() && !history.sandbox.path("touched").exists());
    };
    refused(&[], id(2), id(4), 2, &["was not built between", "both have the one of", id(2)]);
    refused(&[], id(4), id(4), 2, &["cannot be both good and bad"]);
    refused(&[], id(5), id(2), 11, &["is not among the first parents", "it is the other way round"]);
    refused(&[], id(3), id(6), 11, &["is not among the first parents", "name a commit of the same branch"]);
    refused(&[], id(0), id(6), 3, &["app stands neither at", "name a later --good"]);
    refused(
        &["--max-ancestors", "2"],
        id(1),
        id(6),
        11,
        &["is not among the nearest 2 first parents", "--max-ancestors"],
    );
    refused(&["--max-ancestors", "2"], id(6), id(1), 11, &["it is the other way round"]);
    refused(&[], "nonsense", id(6), 11, &["nonsense"]);
    refused(&[], id(1), &"7".repeat(40), 11, &[&"7".repeat(40)]);
    // A name that no project has is most likely a slip of the pen.
    history.sandbox.write("repo/artifacts.toml", "[projects.p]\nartifacts = [\"app\", \"late\"]\n");
    for (name, code, word) in [("apq", 6, "did you mean app?"), ("late", 3, "name a later --good")] {
        let asked = ["--store", "../store", "bisect", name, "--good", id(1), "--", "true"];
        let ran = history.sandbox.run(&asked);
        assert!(ran.code == Some(code) && ran.stderr.contains(word) && !history.is_under_way(), "{ran}");
    }
    let ran = history.sandbox.run(&["bisect", "app", "--good", id(1)]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("there is no terminal to ask on") && ran.stderr.contains("-- COMMAND {}"), "{ran}");
    assert_eq!(history.sandbox.run(&["bisect", "app"]).code, Some(2));
    assert_eq!(history.sandbox.run(&["bisect", "--reset", "app"]).code, Some(2));
}

#[test]
fn where_history_is_not_known_down_to_the_good_commit_nobody_says_that_it_is_elsewhere() {
    let history = History::line(9, 4);
    history.build_all();
    let (sandbox, good, bad) = (&history.sandbox, &history.ids[0], &history.ids[8]);
    let url = format!("file://{}", sandbox.path("repo").display());
    sandbox.git(".", &["clone", "--quiet", "--depth", "3", &url, "shallow"]);
    std::fs::create_dir(sandbox.path("nowhere")).unwrap();
    let asked = ["--store", "../store", "bisect", "app", "--good", good, "--bad", bad, "--", "touch", "../touched"];
    for (directory, last) in [("shallow", &history.ids[5]), ("nowhere", bad)] {
        let ran = sandbox.run_in(directory, &asked);
        assert_eq!(ran.code, Some(11), "{ran}");
        assert!(ran.stderr.contains(&format!("as far as they are known, which is down to {last}")), "{ran}");
        assert!(ran.stderr.contains("`git fetch --unshallow`") && !sandbox.path("touched").exists(), "{ran}");
    }
    sandbox.write(&format!("store/builds/{bad}/build_meta.json"), "{");
    let ran = sandbox.run_in("nowhere", &asked);
    assert!(ran.stderr.contains(&format!("the metafile at {bad} is passed over: ")), "{ran}");
    // One whose history is whole, and without it, is somewhere else.
    for (place, id) in history.ids.iter().enumerate() {
        let parent = place.checked_sub(1).map(|place| &history.ids[place]);
        let text = json!({"commit": id, "parent_commit": parent, "artifacts": {}});
        sandbox.write(&format!("store/builds/{id}/build_meta.json"), text.to_string());
    }
    let elsewhere = asked.map(|word| if word == good { "7777777777777777777777777777777777777777" } else { word });
    let ran = sandbox.run_in("nowhere", &elsewhere);
    assert!(ran.code == Some(11) && ran.stderr.contains("name a commit of the same branch"), "{ran}");
}

#[test]
fn beyond_a_shallow_boundary_and_without_a_repository_metafiles_tell_history() {
    let history = History::line(12, 7);
    history.build_all();
    let sandbox = &history.sandbox;
    for id in &history.ids {
        let mut stub = sandbox.command("repo", &["stub", id]);
        assert!(stub.env("METALOGIC_STORE", "../store").output().unwrap().status.success());
    }
    let url = format!("file://{}", sandbox.path("repo").display());
    sandbox.git(".", &["clone", "--quiet", "--depth", "1", &url, "shallow"]);
    std::fs::create_dir(sandbox.path("nowhere")).unwrap();
    let (good, bad) = (&history.ids[0], &history.ids[11]);
    for (directory, state) in [("shallow", "shallow/.git/metalogic-bisect"), ("nowhere", "nowhere/.metalogic-bisect")] {
        let asked = ["bisect", "app", "--good", good, "--bad", bad, "--json", "--", "sh", "-c"];
        let run = |script: &str| {
            let mut command = sandbox.command(directory, &[&asked[..], &[script, "{}"]].concat());
            let output = command.env("METALOGIC_STORE", "../store").output().unwrap();
            sandbox.ran(directory, &output)
        };
        let ran = run("exit 130");
        assert!(ran.code == Some(1) && sandbox.path(state).join("verdicts").exists(), "{ran}");
        let ran = run(TEST);
        assert_eq!(ran.code, Some(0), "{ran}");
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(
            (&told["bad"]["commit"], ids(&told["commits"])),
            (&json!(history.ids[7]), vec![&history.ids[7][..]])
        );
        assert!(!sandbox.path(state).exists());
    }
}
