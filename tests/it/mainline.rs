//! Whether a branch's former tip is still on its first-parent chain: git itself is asked the same, and the binary says so when it publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::git::Repository;
use metalogic::mainline::{Mainline, check};

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
