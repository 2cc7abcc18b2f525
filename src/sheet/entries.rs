//! What the cells of the grid point to: each build once, and each attempt.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{Sheet, parts};
use crate::address::Commit;
use crate::artifact::Name;
use crate::metafile::{Attempt, Record};
use crate::words;

/// Says which entry a cell points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The build of this number.
    Build(usize),
    /// The attempt of this number.
    Attempt(usize),
}

/// Holds builds and attempts in the order in which they were met.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    builds: Vec<Build>,
    /// The builds of each artifact at each commit: several where metafiles say different things of it.
    known: BTreeMap<(Name, Commit), Vec<usize>>,
    attempts: Vec<Tried>,
}

#[derive(Debug)]
struct Build {
    name: Name,
    commit: Commit,
    record: Record,
}

#[derive(Debug)]
struct Tried {
    name: Name,
    commit: Commit,
    attempt: Attempt,
    /// The build that there is meanwhile.
    nearest: Option<usize>,
}

impl Entries {
    /// Adds what a metafile says of a build, unless it is known.
    pub(super) fn build(&mut self, name: &Name, commit: Commit, record: Record) -> usize {
        let numbers = self.known.entry((name.clone(), commit)).or_default();
        for &number in numbers.iter() {
            if let Some(build) = self.builds.get_mut(number)
                && let Some(joined) = join(&build.record, &record)
            {
                build.record = joined;
                return number;
            }
        }
        let number = self.builds.len();
        numbers.push(number);
        self.builds.push(Build { name: name.clone(), commit, record });
        number
    }

    pub(super) fn attempt(&mut self, name: &Name, commit: Commit, attempt: Attempt, nearest: Option<usize>) -> usize {
        self.attempts.push(Tried { name: name.clone(), commit, attempt, nearest });
        self.attempts.len() - 1
    }

    /// Returns the tables of both.
    pub(super) fn section(&self, sheet: &Sheet<'_>) -> Markup {
        let rows = sheet.grid.rows();
        html! {
            section.entries aria-labelledby="entries" {
                h2 #entries { "Builds and attempts" }
                @if !self.attempts.is_empty() { (self.attempts(&rows)) }
                @if !self.builds.is_empty() { (self.builds(&rows, sheet.bytes)) }
                @if self.attempts.is_empty() && self.builds.is_empty() { p { "None is known." } }
            }
        }
    }

    fn attempts(&self, rows: &BTreeSet<Commit>) -> Markup {
        html! {
            details {
                summary { "Builds that failed or have not ended: " (self.attempts.len()) }
                div.scroll {
                    table.list {
                        thead { tr {
                            @for head in ["Artifact", "Commit", "State", "Recorded", "Reason", "Run", "Nearest build"] {
                                th scope="col" { (head) }
                            }
                        } }
                        tbody {
                            @for (number, Tried { name, commit, attempt, nearest }) in self.attempts.iter().enumerate() {
                                tr id={ "t" (number) } {
                                    th scope="row" { (name) }
                                    td { (parts::commit(*commit, rows.contains(commit))) }
                                    td { (words::told(attempt.state.as_str())) }
                                    td { @if let Some(at) = attempt.at { (parts::moment(at)) } }
                                    td { @if let Some(reason) = &attempt.reason { (words::told(reason)) } }
                                    td { @if let Some(run) = &attempt.run { (parts::run(run)) } }
                                    td { @if let Some(build) = nearest.and_then(|number| self.builds.get(number)) {
                                        (parts::commit(build.commit, rows.contains(&build.commit)))
                                    } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn builds(&self, rows: &BTreeSet<Commit>, bytes: fn(u64) -> String) -> Markup {
        html! {
            details {
                summary { "Builds: " (self.builds.len()) }
                div.scroll {
                    table.list {
                        thead { tr {
                            @for head in ["Artifact", "Built at", "Published", "Size", "SHA-256", "Run"] {
                                th scope="col" { (head) }
                            }
                        } }
                        tbody {
                            @for (number, Build { name, commit, record }) in self.builds.iter().enumerate() {
                                tr id={ "b" (number) } {
                                    th scope="row" { (name) }
                                    td { (parts::commit(*commit, rows.contains(commit))) }
                                    td { @if let Some(at) = record.at { (parts::moment(at)) } }
                                    td { @if let Some(size) = record.size { (parts::size(size, bytes)) } }
                                    td { @if let Some(digest) = record.sha256 { code.id { (digest) } } }
                                    td { @if let Some(run) = &record.run { (parts::run(run)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns what two records of one build say together; none where they are of different bytes, or of different runs.
fn join(one: &Record, other: &Record) -> Option<Record> {
    Some(Record {
        size: either(one.size.as_ref(), other.size.as_ref())?,
        sha256: either(one.sha256.as_ref(), other.sha256.as_ref())?,
        run: either(one.run.as_ref(), other.run.as_ref())?,
        at: either(one.at.as_ref(), other.at.as_ref())?,
        ..Record::default()
    })
}

/// Returns what either knows; the outer none where they know different things.
fn either<T: Clone + PartialEq>(one: Option<&T>, other: Option<&T>) -> Option<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => Some(one.or(other).cloned()),
    }
}
