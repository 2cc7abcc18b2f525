//! Whether a branch's former tip is still on its first-parent chain: git itself is asked the same, and the binary says so when it publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::git::Repository;
use metalogic::mainline::{Mainline, check};
use serde_json::Value;

use crate::sandbox::Sandbox;

/// Imports commits, each with the numbers (from 1) of its parents, and returns their ids. Each has a branch of its own.
fn import(sandbox: &Sandbox, format: &str, commits: &[Vec<usize>]) -> Vec<Commit> {
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", &format!("--object-format={format}"), "repo"]);
    let mut stream = String::new();
    for (at, parents) in commits.iter().enumerate() {
        let (number, time) = (at + 1, 1_700_000_000 + at);
        write!(stream, "commit refs/heads/b{number}\nmark :{number}\ncommitter A <a@b> {time} +0000\ndata 1\nx\n")
            .unwrap();
        for (at, parent) in parents.iter().enumerate() {
            writeln!(stream, "{} :{parent}", if at == 0 { "from" } else { "merge" }).unwrap();
        }
    }
    let mut command = sandbox.git_command("repo", &["fast-import", "--quiet", "--export-marks=marks"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let mark = |line: &str| {
        let (mark, id) = line[1..].split_once(' ').unwrap();
        (mark.parse().unwrap(), id.parse().unwrap())
    };
    sandbox.read("repo/marks").lines().map(mark).collect::<BTreeMap<usize, Commit>>().into_values().collect()
}

/// Makes the parents of commits at random: some are roots, some merges, and now and then of an ancestor of their own.
fn random(rng: &mut Rng, commits: usize) -> Vec<Vec<usize>> {
    let one = |number: usize, rng: &mut Rng| {
        let mut parents = Vec::new();
        if number > 1 && rng.u8(..12) > 0 {
            parents.push(rng.usize(number.saturating_sub(3).max(1)..number));
            for _ in 0..[0, 0, 1, 1, 2][rng.usize(..5)] {
                let further = rng.usize(1..number);
                if !parents.contains(&further) {
                    parents.push(further);
                }
            }
        }
        parents
    };
    (1..=commits).map(|number| one(number, rng)).collect()
}

fn open(sandbox: &Sandbox, directory: &str) -> Repository {
    Repository::discover(&sandbox.path(directory)).unwrap().unwrap()
}

fn listed(sandbox: &Sandbox, arguments: &[&str]) -> BTreeSet<Commit> {
    sandbox.git("repo", arguments).lines().map(|line| line.parse().unwrap()).collect()
}

/// Knows what git says of each pair of commits, old and new.
fn told_by_git(sandbox: &Sandbox, ids: &[Commit]) -> BTreeMap<(Commit, Commit), Mainline> {
    let mut told = BTreeMap::new();
    for new in ids {
        let text = new.to_string();
        let (line, all) =
            (listed(sandbox, &["rev-list", "--first-parent", &text]), listed(sandbox, &["rev-list", &text]));
        let merges = sandbox.git("repo", &["rev-list", "--first-parent", "--parents", &text]);
        for old in ids {
            let mut beside = merges.lines().filter(|line| line.split(' ').skip(2).any(|id| id == old.to_string()));
            let merge = beside.next_back().map(|line| line.split(' ').next().unwrap().parse().unwrap());
            let is = match (line.contains(old), all.contains(old)) {
                (true, _) => Mainline::Kept,
                (false, true) => Mainline::Hidden { merge },
                (false, false) => Mainline::Rewritten,
            };
            told.insert((*old, *new), is);
        }
    }
    told
}

#[test]
fn what_became_of_an_old_tip_is_what_git_says() {
    for (seed, format) in [(1, "sha1"), (2, "sha1"), (3, "sha1"), (4, "sha256")] {
        let sandbox = Sandbox::new();
        let ids = import(&sandbox, format, &random(&mut Rng::with_seed(seed), 14));
        let repository = open(&sandbox, "repo");
        for ((old, new), expected) in told_by_git(&sandbox, &ids) {
            assert_eq!(check(&repository, old, new).unwrap(), expected, "seed {seed}: {old} in {new}");
        }
        // What a whole clone does not have is no ancestor of anything in it; of what is not there nothing is known.
        let absent: Commit = "12".repeat(ids[0].to_string().len() / 2).parse().unwrap();
        assert_eq!(check(&repository, absent, ids[13]).unwrap(), Mainline::Rewritten);
        assert_eq!(check(&repository, ids[13], absent).unwrap(), Mainline::Unknown);
    }
}

#[test]
fn a_shallow_clone_tells_the_truth_or_that_it_does_not_know() {
    let (mut known, mut unknown) = (0, 0);
    for (seed, format) in [(11, "sha1"), (12, "sha1"), (13, "sha256")] {
        let sandbox = Sandbox::new();
        let ids = import(&sandbox, format, &random(&mut Rng::with_seed(seed), 14));
        let truth = told_by_git(&sandbox, &ids);
        let url = format!("file://{}", sandbox.path("repo").display());
        for (tip, depth) in [(14, 1), (14, 3), (13, 2)] {
            let name = format!("clone-{tip}-{depth}");
            let (depth, branch) = (format!("--depth={depth}"), format!("--branch=b{tip}"));
            sandbox.git(".", &["clone", "--quiet", &depth, &branch, &url, &name]);
            let (repository, new) = (open(&sandbox, &name), ids[tip - 1]);
            let own = |merge: &Commit, old: Commit| truth[&(old, *merge)] == Mainline::Kept;
            for &old in &ids {
                match (check(&repository, old, new).unwrap(), truth[&(old, new)]) {
                    (Mainline::Unknown, _) => unknown += 1,
                    // Of a merge of an own ancestor, which `git merge` does not make, only the merge may be seen.
                    (Mainline::Hidden { merge: Some(merge) }, Mainline::Kept) if own(&merge, old) => {}
                    (Mainline::Hidden { .. }, Mainline::Hidden { .. }) => known += 1,
                    (found, truth) if found == truth => known += 1,
                    (found, truth) => panic!("seed {seed}, {name}: {old} is {truth:?}, not {found:?}"),
                }
            }
        }
    }
    // What is an ancestor by a way that is here may be a first parent beyond the boundary.
    let sandbox = Sandbox::new();
    let ids = import(&sandbox, "sha1", &[vec![], vec![1], vec![2], vec![3], vec![1], vec![4, 5]]);
    assert_eq!(check(&open(&sandbox, "repo"), ids[0], ids[5]).unwrap(), Mainline::Kept);
    let url = format!("file://{}", sandbox.path("repo").display());
    sandbox.git(".", &["clone", "--quiet", "--depth=3", "--branch=b6", &url, "clone"]);
    assert!(sandbox.git("clone", &["rev-list", "HEAD"]).contains(&ids[0].to_string()));
    assert_eq!(check(&open(&sandbox, "clone"), ids[0], ids[5]).unwrap(), Mainline::Unknown);
    assert!(known > 20 && unknown > 20, "{known} known, {unknown} unknown");
}

#[test]
fn an_old_tip_far_back_is_found_too() {
    for format in ["sha1", "sha256"] {
        // A line of 1,200 with, at its beginning, a branch of two that is merged; and a root of its own.
        let mut commits: Vec<Vec<usize>> = vec![vec![], vec![1], vec![1], vec![3], vec![2, 4]];
        commits.extend((6..=1205).map(|number| vec![number - 1]));
        commits.push(vec![]);
        let sandbox = Sandbox::new();
        let ids = import(&sandbox, format, &commits);
        let repository = open(&sandbox, "repo");
        let tip = ids[1204];
        for (old, expected) in [
            (ids[1203], Mainline::Kept),
            (ids[0], Mainline::Kept),
            (ids[3], Mainline::Hidden { merge: Some(ids[4]) }),
            (ids[2], Mainline::Hidden { merge: None }),
            (ids[1205], Mainline::Rewritten),
        ] {
            assert_eq!(check(&repository, old, tip).unwrap(), expected, "{format}: {old}");
        }
    }
}

/// The kinds of repositories whose upstreams and logs are read in different ways.
const FORMATS: [[&str; 2]; 3] = [
    ["--object-format=sha1", "--ref-format=files"],
    ["--object-format=sha256", "--ref-format=files"],
    ["--object-format=sha1", "--ref-format=reftable"],
];

/// Makes a hub that others push to, `repo` as its clone with one commit pushed, and another clone `theirs`.
fn shared(format: [&str; 2]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--bare", "--initial-branch=main", format[0], format[1], "hub"]);
    sandbox.git(".", &["clone", "--quiet", format[1], "hub", "repo"]);
    sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"app.zip\"]\n[store]\nurl = \"../store\"\n");
    sandbox.commit("first");
    sandbox.git("repo", &["push", "--quiet", "origin", "main"]);
    sandbox.git(".", &["clone", "--quiet", format[1], "hub", "theirs"]);
    sandbox
}

/// Commits something of its own name, and returns the commit.
fn change(sandbox: &Sandbox, directory: &str, name: &str) -> String {
    sandbox.write(&format!("{directory}/{name}"), name);
    sandbox.git(directory, &["add", "--all"]);
    sandbox.git(directory, &["commit", "--quiet", "--message", name]);
    tip(sandbox, directory)
}

fn tip(sandbox: &Sandbox, directory: &str) -> String {
    sandbox.git(directory, &["rev-parse", "HEAD"]).trim().to_owned()
}

/// Pushes a commit from `theirs`, makes one in `repo`, and pulls as `git pull` does when nobody says otherwise. Returns their tip.
fn pulled(sandbox: &Sandbox) -> String {
    let old = change(sandbox, "theirs", "theirs");
    sandbox.git("theirs", &["push", "--quiet"]);
    change(sandbox, "repo", "ours");
    sandbox.git("repo", &["pull", "--quiet", "--no-rebase", "--no-edit"]);
    old
}

/// Publishes in a directory with these variables, twice: once for people and once for programs, which must agree. Returns the tip that is hidden.
fn warned(sandbox: &Sandbox, directory: &str, variables: &[(&str, &str)]) -> Option<String> {
    let run = |arguments: &[&str]| {
        let output = sandbox.command(directory, arguments).envs(variables.iter().copied()).output().unwrap();
        let ran = sandbox.ran(&arguments.join(" "), &output);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran
    };
    let (told, object) = (run(&["publish", "--dry-run"]), run(&["--json", "publish"]));
    let object: Value = serde_json::from_str(&object.stdout).unwrap();
    let hidden = object["foxtrot"].as_str().map(str::to_owned);
    assert!(object["foxtrot"].is_null() || hidden.is_some());
    match &hidden {
        None => assert!(!told.stderr.contains("former tip"), "{told}"),
        Some(old) => {
            let new = tip(sandbox, directory);
            let warning = format!("warning: the branch's former tip {old} is not among the first parents of {new}");
            assert!(told.stderr.contains(&warning), "{told}");
            for advice in ["`git pull`", "rebase", &format!("`metalogic fetch --commit {old}`")] {
                assert!(told.stderr.contains(advice), "{told}");
            }
        }
    }
    hidden
}

#[test]
fn a_pull_before_a_push_is_warned_of_before_the_push_and_after_it() {
    for format in FORMATS {
        let sandbox = shared(format);
        let old = pulled(&sandbox);
        assert_eq!(warned(&sandbox, "repo", &[]), Some(old.clone()), "{format:?}");
        let merge = tip(&sandbox, "repo");
        change(&sandbox, "repo", "more");
        assert_eq!(warned(&sandbox, "repo", &[]), Some(old.clone()), "{format:?}");
        let ran = sandbox.run(&["publish", "--dry-run"]);
        assert!(ran.stderr.contains(&format!("(the merge {merge} has it as another parent)")), "{ran}");
        sandbox.git("repo", &["push", "--quiet"]);
        assert_eq!(warned(&sandbox, "repo", &[]), Some(old), "{format:?}");
        // What comes after is no news.
        change(&sandbox, "repo", "later");
        assert_eq!(warned(&sandbox, "repo", &[]), None, "{format:?}");
        sandbox.git("repo", &["push", "--quiet"]);
        assert_eq!(warned(&sandbox, "repo", &[]), None, "{format:?}");
    }
}

#[test]
fn the_artifacts_that_a_foxtrot_merge_hides_are_fetched_as_the_warning_says() {
    let sandbox = shared(FORMATS[0]);
    let old = change(&sandbox, "theirs", "theirs");
    sandbox.git("theirs", &["push", "--quiet"]);
    sandbox.write("app.zip", "the app");
    assert_eq!(sandbox.run_in("theirs", &["publish", "../app.zip"]).code, Some(0));
    change(&sandbox, "repo", "ours");
    sandbox.git("repo", &["pull", "--quiet", "--no-rebase", "--no-edit"]);
    assert_eq!(warned(&sandbox, "repo", &[]), Some(old.clone()));
    let hidden = sandbox.run(&["show"]);
    assert!(!hidden.stdout.contains("app.zip"), "{hidden}");
    assert_eq!(sandbox.done(&["fetch", "--commit", &old, "app.zip", "--as", "-"]), "the app");
}

#[test]
fn a_merge_the_right_way_round_a_rebase_and_a_fast_forward_are_no_foxtrot() {
    for format in FORMATS {
        let sandbox = shared(format);
        // A branch is merged into the mainline, pushed, and taken by others, who then go on.
        sandbox.git("repo", &["switch", "--quiet", "--create", "topic"]);
        change(&sandbox, "repo", "topic");
        assert_eq!(warned(&sandbox, "repo", &[]), None, "{format:?}: without an upstream");
        sandbox.git("repo", &["switch", "--quiet", "main"]);
        change(&sandbox, "repo", "main");
        sandbox.git("repo", &["merge", "--quiet", "--no-edit", "topic"]);
        assert_eq!(warned(&sandbox, "repo", &[]), None, "{format:?}: before the push");
        sandbox.git("repo", &["push", "--quiet"]);
        assert_eq!(warned(&sandbox, "repo", &[]), None, "{format:?}: after the push");
        sandbox.git("theirs", &["pull", "--quiet", "--ff-only"]);
        assert_eq!(warned(&sandbox, "theirs", &[]), None, "{format:?}: fast-forward");
        // A pull that rebases.
        change(&sandbox, "theirs", "theirs");
        sandbox.git("theirs", &["push", "--quiet"]);
        change(&sandbox, "repo", "ours");
        sandbox.git("repo", &["pull", "--quiet", "--rebase"]);
        assert_eq!(warned(&sandbox, "repo", &[]), None, "{format:?}: rebase");
        sandbox.git("repo", &["push", "--quiet"]);
        // A branch that begins at the mainline's is brought up to date with it: it is not pushed there.
        sandbox.git("repo", &["switch", "--quiet", "--create", "other", "--track", "origin/main"]);
        change(&sandbox, "repo", "other");
        sandbox.git("theirs", &["pull", "--quiet", "--ff-only"]);
        change(&sandbox, "theirs", "further");
        sandbox.git("theirs", &["push", "--quiet"]);
        sandbox.git("repo", &["pull", "--quiet", "--no-rebase", "--no-edit"]);
        assert_eq!(warned(&sandbox, "repo", &[]), None, "{format:?}: a branch of another name");
        // Nor is that branch the one whose upstream counts while another one is checked out.
        sandbox.git("repo", &["switch", "--quiet", "main"]);
        let ran = sandbox.run(&["publish", "--commit", "other"]);
        assert!(ran.code == Some(0) && !ran.stderr.contains("former tip"), "{format:?}: {ran}");
        // What is rewritten is not hidden by a merge.
        sandbox.git("theirs", &["commit", "--quiet", "--amend", "--message", "rewritten"]);
        assert_eq!(warned(&sandbox, "theirs", &[]), None, "{format:?}: rewritten");
    }
}

#[test]
fn a_job_in_a_clone_of_depth_one_knows_the_tip_before_the_push() {
    for format in FORMATS {
        let sandbox = shared(format);
        let first = tip(&sandbox, "repo");
        let old = pulled(&sandbox);
        sandbox.git("repo", &["push", "--quiet"]);
        let url = format!("file://{}", sandbox.path("hub").display());
        sandbox.git(".", &["clone", "--quiet", "--depth=1", format[1], &url, "job"]);
        let new = tip(&sandbox, "job");
        let push = |before: &str, after: &str| {
            sandbox
                .write("event.json", format!(r#"{{"ref":"refs/heads/main","before":"{before}","after":"{after}"}}"#));
            sandbox.path("event.json").to_str().unwrap().to_owned()
        };
        assert_eq!(warned(&sandbox, "job", &[]), None, "{format:?}: nobody says what was before");
        assert_eq!(warned(&sandbox, "job", &[("CI_COMMIT_BEFORE_SHA", &old)]), Some(old.clone()), "{format:?}");
        let path = push(&old, &new);
        let event = [("GITHUB_EVENT_NAME", "push"), ("GITHUB_EVENT_PATH", path.as_str())];
        assert_eq!(warned(&sandbox, "job", &event), Some(old.clone()), "{format:?}");
        assert_eq!(warned(&sandbox, "job", &event[1..]), Some(old.clone()), "{format:?}");
        // Of other jobs it says something else, and what was before the first push is zeros.
        assert_eq!(warned(&sandbox, "job", &[("GITHUB_EVENT_NAME", "pull_request"), event[1]]), None);
        push(&old, &first);
        assert_eq!(warned(&sandbox, "job", &event), None);
        push(&"0".repeat(old.len()), &new);
        assert_eq!(warned(&sandbox, "job", &event), None);
        // What lies beyond the clone's boundary is not known, and that is no warning.
        push(&first, &new);
        assert_eq!(warned(&sandbox, "job", &event), None);
        let zeros = "0".repeat(old.len());
        assert_eq!(warned(&sandbox, "job", &[("CI_COMMIT_BEFORE_SHA", &zeros)]), None);
        assert_eq!(warned(&sandbox, "job", &[("CI_COMMIT_BEFORE_SHA", &old), ("CI_COMMIT_SHA", &first)]), None);
        assert_eq!(
            warned(&sandbox, "job", &[("CI_COMMIT_BEFORE_SHA", &old), ("CI_COMMIT_SHA", &new)]),
            Some(old.clone())
        );
    }
}

#[test]
fn an_event_that_cannot_be_read_is_a_detail() {
    let sandbox = shared(FORMATS[0]);
    sandbox.write("event.json", "{\"before\": ");
    for path in ["event.json", "nowhere.json", "."] {
        let path = sandbox.path(path);
        for (verbose, told) in [(false, false), (true, true)] {
            let arguments: &[&str] = if verbose { &["--verbose", "publish"] } else { &["publish"] };
            let output = sandbox.command("repo", arguments).env("GITHUB_EVENT_PATH", &path).output().unwrap();
            let ran = sandbox.ran("publish", &output);
            assert_eq!((ran.code, ran.stderr.contains("GITHUB_EVENT_PATH")), (Some(0), told), "{ran}");
        }
    }
}
