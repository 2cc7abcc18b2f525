//! The summary in bytes, beside the one that git makes of files which grow and shrink by as many lines.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::sandbox::{Ran, Sandbox};

/// The sizes of an artifact at two commits; none where it is not there.
type Sizes = (Option<usize>, Option<usize>);

/// A repository with a file for each artifact, which has as many lines as that has bytes, and a store with those.
struct Twins {
    sandbox: Sandbox,
    commits: Vec<String>,
}

impl Twins {
    fn new(sizes: &BTreeMap<String, Sizes>) -> Self {
        let sandbox = Sandbox::with_repository();
        let commits = [0, 1].map(|side| {
            let sides = sizes.iter().map(|(name, (a, b))| (name, if side == 0 { a } else { b }));
            for (name, size) in sides.clone() {
                let path = format!("repo/{name}");
                drop(std::fs::remove_file(sandbox.path(&path)));
                size.iter().for_each(|size| sandbox.write(&path, "x\n".repeat(*size)));
            }
            let commit = sandbox.commit("files");
            let mut artifacts = Vec::new();
            for (name, size) in sides {
                let Some(size) = size else { continue };
                sandbox.write(&format!("store/builds/{commit}/{name}"), "x".repeat(*size));
                artifacts.push(format!("{name:?}: {commit:?}"));
            }
            let artifacts = artifacts.join(", ");
            let metafile =
                format!("{{\"commit\": {commit:?}, \"parent_commit\": null, \"artifacts\": {{{artifacts}}}}}");
            sandbox.write(&format!("store/builds/{commit}/build_meta.json"), metafile);
            commit
        });
        Self { sandbox, commits: commits.to_vec() }
    }

    fn ours(&self, columns: usize, options: &[&str]) -> Ran {
        let (a, b) = (&self.commits[0], &self.commits[1]);
        let mut command = self.sandbox.command("repo", &[&["diff", "--stat", a, b], options].concat());
        command.env("METALOGIC_STORE", "../store").env("COLUMNS", columns.to_string());
        self.sandbox.ran("metalogic diff --stat", &command.output().unwrap())
    }

    fn gits(&self, columns: usize, options: &[&str]) -> String {
        let (a, b) = (&self.commits[0], &self.commits[1]);
        // A file that went and one that came are not one that was renamed: an artifact is its name.
        let arguments = [&["diff", "--stat", "--no-renames", a, b], options].concat();
        let output = self.sandbox.git_command("repo", &arguments).env("COLUMNS", columns.to_string()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

fn drawn(lots: &mut Rng, largest: usize) -> BTreeMap<String, Sizes> {
    let mut sizes = BTreeMap::new();
    for number in 0..lots.usize(1..9) {
        let length = [2, 8, 20, 60, 150][lots.usize(0..5)];
        let name: String = (0..length).map(|_| lots.alphanumeric()).collect();
        let mut size = || if lots.u8(0..4) == 0 { lots.usize(1..4) } else { lots.usize(1..=largest) };
        let (a, b) = (size(), size() + 1);
        let sides = match number {
            0 => (Some(a), Some(a + 1)),
            1 => (None, Some(b)),
            2 => (Some(a), None),
            _ if a == b => (Some(a), Some(a + b)),
            _ => (Some(a), Some(b)),
        };
        sizes.insert(format!("{number}{name}"), sides);
    }
    sizes
}

/// Returns the lines of a summary without the last.
fn bars(summary: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = summary.lines().collect();
    lines.pop();
    lines
}

/// Returns the nearest number before one of two words in the last line of a summary; 0 where neither is there.
fn number(summary: &str, word: &str, one: &str) -> usize {
    let words: Vec<&str> =
        summary.lines().last().unwrap().split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|found| [word, one].contains(found)).unwrap_or(0);
    words[..at].iter().rev().find_map(|word| word.parse().ok()).unwrap_or(0)
}

#[test]
fn bars_and_sums_are_those_that_git_has_for_lines_however_wide_the_terminal_is() {
    let mut lots = Rng::with_seed(5);
    for round in 0..8 {
        let twins = Twins::new(&drawn(&mut lots, [3, 40, 90, 3000][round % 4]));
        for columns in [1, 20, 27, 40, 79, 80, 81, 133, 500] {
            let (ours, gits) = (twins.ours(columns, &[]), twins.gits(columns, &[]));
            assert_eq!(ours.code, Some(0), "{ours}");
            assert_eq!(bars(&ours.stdout), bars(&gits), "round {round}, {columns} columns:\n{gits}{ours}");
            assert!(bars(&ours.stdout).iter().all(|line| line.ends_with(['+', '-'])), "{ours}");
            for (ours_word, gits_word, gits_one) in
                [("more(+)", "insertions(+)", "insertion(+)"), ("fewer(-)", "deletions(-)", "deletion(-)")]
            {
                let (our, git) = (number(&ours.stdout, ours_word, ""), number(&gits, gits_word, gits_one));
                assert_eq!(our, git, "round {round}:\n{gits}{ours}");
            }
            assert_eq!(number(&ours.stdout, "artifacts", "artifact"), bars(&gits).len(), "{ours}");
        }
        let coloured = |text: &str| text.replace("\u{1b}[0m", "\u{1b}[m");
        let (ours, gits) = (twins.ours(80, &["--color", "always"]), twins.gits(80, &["--color=always"]));
        assert_eq!(bars(&coloured(&ours.stdout)), bars(&coloured(&gits)), "round {round}");
    }
}

#[test]
fn what_is_as_large_as_before_has_no_bar_and_is_told() {
    let twins =
        Twins::new(&BTreeMap::from([("app.zip".to_owned(), (Some(4), Some(4))), ("b".to_owned(), (Some(1), Some(9)))]));
    assert_eq!(
        twins.ours(80, &[]).stdout,
        " app.zip | 0\n b       | 8 ++++++++\n 2 artifacts differ: 2 changed; 8 bytes more(+)\n"
    );
}
