//! What a bisection found, for people and for programs.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::address::Commit;
use crate::artifact::Name;
use crate::bisect::{Found, Known};
use crate::git::Repository;
use crate::report;
use crate::words;

/// Holds the first lines of commits' messages, as far as git has them.
pub(super) struct Subjects(HashMap<Commit, String>);

impl Subjects {
    /// Asks git for those of some commits. That it does not answer is no reason not to tell of the rest.
    pub(super) fn of(commits: &[Commit], repository: Option<&Repository>) -> Self {
        let subject = |commit: &Commit| Some((*commit, repository?.summary(*commit).ok()??.subject));
        Self(commits.iter().filter_map(subject).collect())
    }
}

/// Returns the answer as an object.
pub(super) fn object(name: &Name, found: &Found, Subjects(subjects): &Subjects, store: &str) -> Value {
    let commit = |commit: &Commit| {
        json!({
            "commit": commit.to_string(),
            "subject": subjects.get(commit),
            "skipped": found.skipped.contains(commit),
        })
    };
    json!({
        "name": name.to_string(),
        "good": build(&found.good),
        "bad": build(&found.bad),
        "commits": found.commits.iter().map(commit).collect::<Vec<_>>(),
        "skipped": found.skipped.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "steps": found.steps,
        "store": store,
    })
}

fn build(known: &Known) -> Value {
    json!({
        "commit": known.commit.to_string(),
        "size": known.size,
        "sha256": known.record.sha256.map(|digest| digest.to_string()),
        "run": known.record.run,
        "tried": known.tried,
    })
}

/// Returns the answer as people read it.
pub(super) fn text(name: &Name, found: &Found, Subjects(subjects): &Subjects) -> String {
    let mut lines = vec![
        format!("{}: {}", if found.skipped.is_empty() { "first bad" } else { "bad" }, described(name, &found.bad)),
        format!("last good: {}", described(name, &found.good)),
        match found.commits.len() {
            1 => "the commit that makes the difference:".to_owned(),
            commits => format!("the {commits} commits that make the difference, newest first:"),
        },
    ];
    lines.extend(found.commits.iter().map(|commit| {
        let skipped = if found.skipped.contains(commit) { " (its build was skipped)" } else { "" };
        let subject = subjects.get(commit).map(|subject| words::told(subject)).unwrap_or_default();
        format!("    {commit}{skipped} {subject}").trim_end().to_owned()
    }));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn described(name: &Name, known: &Known) -> String {
    let Known { commit, size, record, .. } = known;
    let digest =
        record.sha256.map_or_else(|| "no SHA-256 is recorded".to_owned(), |digest| format!("SHA-256 {digest}"));
    let run = record.run.as_ref().map(|run| format!(", {}", words::line(run)));
    format!("{name} of {commit} ({}, {digest}{})", report::bytes(*size), run.unwrap_or_default())
}
