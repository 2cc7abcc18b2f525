//! `metalogic bisect`: which of the builds between a good commit and a bad one is the first bad one.

mod against_git;
mod answers;
mod doubted;
mod ended;
mod flow;
mod terminal;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use fastrand::Rng;
use serde_json::Value;

use crate::sandbox::{Ran, Sandbox};

/// What is built at each commit, and what is wrong with it.
const STATE: &str = "state";

/// A repository with a planted fault, and a store with builds of its commits.
pub struct History {
    pub sandbox: Sandbox,
    /// The ids of all commits, by their places.
    pub ids: Vec<String>,
    /// The places of those along first parents, oldest first.
    pub line: Vec<usize>,
    /// Whether each commit has the fault.
    faulty: Vec<bool>,
}

impl History {
    /// Makes a history of commits whose parents are known by their places, the first one first. The last is the tip; a fault is planted at one,
    /// and its descendants have it.
    pub fn new(parents: Vec<Vec<usize>>, fault: usize) -> Self {
        let sandbox = Sandbox::fleeting();
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
        let mut faulty: Vec<bool> = Vec::new();
        let mut stream = String::new();
        for (place, from) in parents.iter().enumerate() {
            faulty.push(place == fault || from.iter().any(|parent| faulty[*parent]));
            let state = Self::state(place, faulty[place]);
            writeln!(stream, "commit refs/heads/work\nmark :{}\ncommitter A <a@b> {place} +0000\ndata 0", place + 1)
                .unwrap();
            for (at, parent) in from.iter().enumerate() {
                writeln!(stream, "{} :{}", if at == 0 { "from" } else { "merge" }, parent + 1).unwrap();
            }
            write!(stream, "M 100644 inline {STATE}\ndata {}\n{state}\n", state.len()).unwrap();
        }
        writeln!(stream, "reset refs/heads/main\nfrom :{}\n", parents.len()).unwrap();
        let import = &["fast-import", "--quiet", "--force", "--export-marks=marks"];
        let mut git = sandbox.git_command("repo", import).stdin(Stdio::piped()).spawn().unwrap();
        git.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
        assert!(git.wait().unwrap().success());
        let marks = sandbox.read("repo/marks");
        let mut ids = vec![String::new(); parents.len()];
        for line in marks.lines() {
            let (mark, id) = line.strip_prefix(':').unwrap().split_once(' ').unwrap();
            ids[mark.parse::<usize>().unwrap() - 1] = id.to_owned();
        }
        sandbox.git("repo", &["reset", "--quiet", "--hard", "main"]);
        let mut line: Vec<usize> =
            std::iter::successors(Some(parents.len() - 1), |place: &usize| parents[*place].first().copied()).collect();
        line.reverse();
        Self { sandbox, ids, line, faulty }
    }

    /// Makes a line of so many commits.
    pub fn line(commits: usize, fault: usize) -> Self {
        let parents = (0..commits).map(|place| place.checked_sub(1).into_iter().collect()).collect();
        Self::new(parents, fault)
    }

    fn state(place: usize, faulty: bool) -> String {
        format!("commit {place}\n{}", if faulty { "fault\n" } else { "" })
    }

    /// Puts the build of a commit into the store, as another program could.
    pub fn build(&self, place: usize) {
        let state = Self::state(place, self.faulty[place]);
        self.sandbox.write(&format!("store/builds/{}/app", self.ids[place]), state);
    }

    pub fn build_all(&self) {
        (0..self.ids.len()).for_each(|place| self.build(place));
    }

    /// Returns the first commit along first parents that has the fault.
    pub fn culprit(&self) -> &str {
        &self.ids[*self.line.iter().find(|place| self.faulty[**place]).unwrap()]
    }

    /// Returns a bisection between the root and the tip, by a command that a shell reads. Its `$0` is the build's path.
    pub fn command(&self, options: &[&str], script: &str) -> Command {
        let root = &self.ids[0];
        let asked = ["bisect", "app", "--good", root, "--bad", "main"];
        let mut command = self.sandbox.command("repo", &[&asked, options, &["--", "sh", "-c", script, "{}"]].concat());
        command.env("METALOGIC_STORE", "../store");
        command
    }

    pub fn run(&self, options: &[&str], script: &str) -> Ran {
        let output = self.command(options, script).output().unwrap();
        self.sandbox.ran("metalogic bisect", &output)
    }

    /// Bisects by the fault itself, and returns the answer and the commits whose builds were tried, in that order.
    pub fn bisected(&self) -> (Value, Vec<String>) {
        drop(std::fs::remove_file(self.sandbox.path("tried")));
        let ran = self.run(&["--json"], &format!("echo $METALOGIC_COMMIT >> ../tried; {TEST}"));
        assert_eq!(ran.code, Some(0), "{ran}");
        (serde_json::from_str(&ran.stdout).unwrap(), self.tried())
    }

    pub fn tried(&self) -> Vec<String> {
        let tried = std::fs::read_to_string(self.sandbox.path("tried")).unwrap_or_default();
        tried.lines().map(str::to_owned).collect()
    }

    /// Says whether anything is left of a bisection.
    pub fn is_under_way(&self) -> bool {
        self.sandbox.path("repo/.git/metalogic-bisect").exists()
    }
}

/// What tells a bad build from a good one.
pub const TEST: &str = "! grep -q fault \"$0\"";

/// Draws a history of about so many commits: a line, and where it is to have merges, branches that are merged into it.
pub fn drawn(lots: &mut Rng, commits: usize, merges: bool) -> Vec<Vec<usize>> {
    let mut parents: Vec<Vec<usize>> = vec![Vec::new()];
    let mut line = vec![0];
    while parents.len() < commits {
        let tip = line[line.len() - 1];
        if merges && lots.u8(0..4) == 0 {
            let mut side = line[line.len() - lots.usize(1..=line.len().min(4))];
            for _ in 0..lots.usize(1..4) {
                parents.push(vec![side]);
                side = parents.len() - 1;
            }
            parents.push(vec![tip, side]);
        } else {
            parents.push(vec![tip]);
        }
        line.push(parents.len() - 1);
    }
    parents
}

/// Returns some of these places, each by a chance, and always the first.
fn some(lots: &mut Rng, places: &[usize], chance: f64) -> BTreeSet<usize> {
    places.iter().enumerate().filter(|(at, _)| *at == 0 || lots.f64() < chance).map(|(_, place)| *place).collect()
}

fn ids(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|one| one["commit"].as_str().unwrap()).collect()
}
