//! `stub --range` and `--stdin`: the commits that git itself finds in a range.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::process::{Command, Stdio};

use fastrand::Rng;

use super::{FORMATS, commit, ok};
use crate::sandbox::{Ran, Sandbox};

/// Runs a command with something to read.
fn fed(sandbox: &Sandbox, mut command: Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    sandbox.ran("fed", &child.wait_with_output().unwrap())
}

/// Makes a history in one go: a line for each commit, with the marks (from 1) of its parents.
fn import(sandbox: &Sandbox, format: &str, commits: &[Vec<usize>]) {
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", &format!("--object-format={format}"), "repo"]);
    let mut stream = String::new();
    for (at, parents) in commits.iter().enumerate() {
        let mark = at + 1;
        // No clock is right: a commit may say that it is older than its parents.
        let time = 100_000 - mark;
        writeln!(stream, "commit refs/heads/b{mark}\nmark :{mark}\ncommitter A <a@b> {time} +0000\ndata 1\nx").unwrap();
        for (place, parent) in parents.iter().enumerate() {
            writeln!(stream, "{} :{parent}", if place == 0 { "from" } else { "merge" }).unwrap();
        }
    }
    let ran = fed(sandbox, sandbox.git_command("repo", &["fast-import", "--quiet"]), &stream);
    assert_eq!(ran.code, Some(0), "{ran}");
}

fn stubbed(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.code, Some(0), "{ran}");
    let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    object["stubs"].as_array().unwrap().iter().map(|stub| stub["commit"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_range_is_what_git_says_it_is_and_comes_oldest_first() {
    let mut rng = Rng::with_seed(7);
    for format in FORMATS {
        let sandbox = Sandbox::new();
        let commits: Vec<Vec<usize>> = (0..30)
            .map(|at: usize| {
                let parents = if at == 0 { 0 } else { rng.usize(1..=2) };
                (0..parents)
                    .map(|_| rng.usize(at.saturating_sub(6)..at) + 1)
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .rev()
                    .collect()
            })
            .collect();
        import(&sandbox, format, &commits);
        for round in 0..12 {
            let (old, new) = (format!("b{}", rng.usize(1..=30)), format!("b{}", rng.usize(1..=30)));
            let range = if round % 4 == 0 { new.clone() } else { format!("{old}..{new}") };
            let names = ok(&sandbox, "repo", &["rev-list", &range, "--"]);
            let mut expected: HashSet<&str> = names.lines().collect();
            // Where nothing is new, what it moved to has a metafile all the same.
            let tip = ok(&sandbox, "repo", &["rev-parse", &new]);
            expected.insert(&tip);
            let told = stubbed(&sandbox.run(&["--json", "stub", "--dry-run", "--range", &range]));
            assert_eq!(told.iter().map(String::as_str).collect::<HashSet<_>>(), expected, "{range}");
            assert_eq!(told.len(), expected.len(), "each once");
            for (at, id) in told.iter().enumerate() {
                let parents = ok(&sandbox, "repo", &["rev-list", "--parents", "-1", id]);
                for parent in parents.split(' ').skip(1) {
                    assert!(!told[at..].iter().any(|later| later == parent), "{format}: {parent} comes after {id}");
                }
            }
        }
    }
}

#[test]
fn a_new_branch_is_bounded_and_a_range_that_is_named_is_not() {
    let sandbox = Sandbox::new();
    let line: Vec<Vec<usize>> = (0..1105usize).map(|at| (at > 0).then_some(at).into_iter().collect()).collect();
    import(&sandbox, "sha1", &line);
    let zeros = "0".repeat(40);
    // Only this branch reaches beyond the hundredth commit.
    let refs = ok(&sandbox, "repo", &["for-each-ref", "--format=delete %(refname)"]);
    let tip = ok(&sandbox, "repo", &["rev-parse", "b1105"]);
    let root = ok(&sandbox, "repo", &["rev-parse", "b1"]);
    let base = ok(&sandbox, "repo", &["rev-parse", "b100"]);
    let fourth = ok(&sandbox, "repo", &["rev-parse", "b4"]);
    fed(&sandbox, sandbox.git_command("repo", &["update-ref", "--stdin"]), &format!("{refs}\n"));
    ok(&sandbox, "repo", &["branch", "new", &tip]);
    let known = |range: &str| sandbox.run(&["--json", "stub", "--dry-run", "--range", range]);
    let object = |ran: &Ran| serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap();

    let stopped = known(&format!("{zeros}..{tip}"));
    assert_eq!(stubbed(&stopped).len(), 1000);
    assert_eq!(object(&stopped)["stopped"][0]["new"], tip.as_str());
    let told = sandbox.run(&["--quiet", "stub", "--dry-run", "--range", &format!("{zeros}..{tip}")]);
    let all = format!("the newest 1000 were taken: `metalogic stub --range {tip}` takes all");
    assert!(told.stderr.contains(&all), "{told}");
    assert_eq!(stubbed(&known(&tip)).len(), 1105, "what the message says takes all");
    assert_eq!(stubbed(&known(&format!("{fourth}..{tip}"))).len(), 1101, "a range that is named is whole");
    ok(&sandbox, "repo", &["branch", "base", &base]);
    let rest = known(&format!("{zeros}..{tip}"));
    assert_eq!((stubbed(&rest).len(), object(&rest)["stopped"].as_array().unwrap().len()), (1000, 1));
    ok(&sandbox, "repo", &["branch", "-f", "base", &ok(&sandbox, "repo", &["rev-parse", "new~999"])]);
    let rest = known(&format!("{zeros}..{tip}"));
    assert_eq!((stubbed(&rest).len(), object(&rest)["stopped"].as_array().unwrap().len()), (999, 0));
    // What a ref had before it moved hides too.
    let [fifth, sixth] = ["new~1100", "new~1099"].map(|name| ok(&sandbox, "repo", &["rev-parse", name]));
    let command = sandbox.command("repo", &["--json", "stub", "--dry-run", "--stdin"]);
    let ran = fed(&sandbox, command, &format!("{fourth} {fifth} refs/heads/new\n{zeros} {sixth} refs/heads/base\n"));
    assert_eq!(stubbed(&ran), [fifth, sixth], "{ran}");
    // The same by the lines of a hook, where the ref has a name.
    let command = sandbox.command("repo", &["--json", "stub", "--dry-run", "--stdin"]);
    let ran = fed(
        &sandbox,
        command,
        &format!("{root} {base} refs/heads/base\n\n{zeros} {tip} refs/heads/new\n{root} {zeros} refs/heads/gone\n"),
    );
    assert_eq!(
        (stubbed(&ran).len(), object(&ran)["stopped"].as_array().unwrap().len()),
        (1099, 1),
        "99 and the newest 1000"
    );
}

#[test]
fn what_is_no_range_is_refused_by_name() {
    let sandbox = Sandbox::with_repository();
    let gone = "12".repeat(20);
    for (range, code, says) in [
        ("a...b", 2, "a...b names what either side has alone"),
        ("nowhere..HEAD", 11, "this repository has no commit \"nowhere\""),
        ("HEAD..nowhere", 11, "this repository has no commit \"nowhere\""),
        ("", 2, "does not say where to begin"),
        ("..HEAD", 2, "does not say where to begin"),
        (&format!("HEAD..{gone}"), 11, &format!("this repository has no commit \"{gone}\"")),
    ] {
        let ran = sandbox.run(&["stub", "--range", range]);
        assert_eq!(ran.code, Some(code), "{ran}");
        assert!(ran.stderr.contains(says), "{ran}");
    }
    let outside = sandbox.run_in(".", &["--store", "store", "stub", "--range", "a..b"]);
    assert_eq!(outside.code, Some(11), "{outside}");
    let ran =
        fed(&sandbox, sandbox.command("repo", &["stub", "--stdin"]), &format!("{gone} {gone}\nHEAD~1 HEAD main\n"));
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("line 2 has \"HEAD~1\" where an object id belongs"), "{ran}");
    // What is to be stubbed and is not here is no success, and what is here is stubbed.
    let (head, zeros) = (ok(&sandbox, "repo", &["rev-parse", "HEAD"]), "0".repeat(40));
    let ran = fed(
        &sandbox,
        sandbox.command("repo", &["stub", "--stdin"]),
        &format!("{zeros} {gone} refs/heads/x\n{zeros} {head} refs/heads/main\n"),
    );
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(11), 1), "{ran}");
    assert!(ran.stderr.contains(&format!("{gone} is nothing that this clone has")), "{ran}");
    let ran = sandbox.run(&["stub", "--detach", "nowhere"]);
    assert!(ran.code == Some(11) && !ran.stderr.contains("background"), "{ran}");
    let ran = fed(&sandbox, sandbox.command("repo", &["stub", "--stdin"]), "");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran}");
}

#[test]
fn an_old_tip_that_is_not_here_hides_nothing_and_is_told() {
    let sandbox = Sandbox::with_repository();
    for file in ["a", "b"] {
        commit(&sandbox, "repo", file);
    }
    let gone = "12".repeat(20);
    let ran = sandbox.run(&["stub", "--range", &format!("{gone}..HEAD")]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(ran.stdout.lines().count(), 3, "{ran}");
    assert!(ran.stderr.contains(&format!("{gone} is no commit that this clone has")), "{ran}");
    ok(&sandbox, "repo", &["branch", "other", "HEAD~1"]);
    let ran = sandbox.run(&["stub", "--range", &format!("{gone}..HEAD")]);
    assert_eq!(ran.stdout.lines().count(), 1, "what another ref has is hidden: {ran}");
}

#[test]
fn a_branch_that_went_on_before_somebody_came_to_look_hides_nothing_of_what_it_was() {
    let sandbox = Sandbox::with_repository();
    ok(&sandbox, "repo", &["switch", "--quiet", "-c", "new"]);
    let ids: Vec<String> = ["a", "b", "c", "d"].map(|file| commit(&sandbox, "repo", file)).into();
    ok(&sandbox, "repo", &["tag", "inside", &ids[0]]);
    // The job of a push that made the branch at its second commit runs when it is at its fourth.
    let ran = sandbox.run(&["--json", "stub", "--dry-run", "--range", &format!("{}..{}", "0".repeat(40), ids[1])]);
    assert_eq!(stubbed(&ran), [ids[1].clone()], "what a tag has is the tag's push to stub: {ran}");
    ok(&sandbox, "repo", &["tag", "-d", "inside"]);
    let ran = sandbox.run(&["--json", "stub", "--dry-run", "--range", &format!("{}..{}", "0".repeat(40), ids[1])]);
    assert_eq!(stubbed(&ran), ids[..2]);
}

#[test]
fn a_shallow_clone_is_stubbed_as_far_as_it_goes() {
    let sandbox = Sandbox::with_repository();
    for file in ["a", "b", "c"] {
        commit(&sandbox, "repo", file);
    }
    sandbox
        .git(".", &["clone", "--quiet", "--depth=2", &format!("file://{}", sandbox.path("repo").display()), "shallow"]);
    let before = ok(&sandbox, "repo", &["rev-parse", "HEAD~3"]);
    let ran = sandbox.run_in("shallow", &["--store", "../store", "stub", "--range", &format!("{before}..HEAD")]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 2), "{ran}");
    let oldest = ok(&sandbox, "repo", &["rev-parse", "HEAD~1"]);
    let beyond = ok(&sandbox, "repo", &["rev-parse", "HEAD~2"]);
    assert!(
        sandbox.read(&format!("store/builds/{oldest}/build_meta.json")).contains(&beyond),
        "the header names the parent"
    );
}
