//! The grid: a row for each commit, a column for each artifact.
//!
//! It is a plain table of links, and no ARIA grid: screen readers have keys of their own to go through a table and say the heads of each cell
//! on the way, and a grid would take those keys from them. The arrow keys that the script adds are for whoever sees the table, and the cells
//! are one stop of the Tab key then. Without the script each link leads to the entry that says the rest.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexSet;
use maud::{Markup, html};

use super::entries::{Entries, Entry};
use super::{Sheet, parts};
use crate::address::Commit;
use crate::artifact::Name;
use crate::moment::Moment;
use crate::state::{State, Verdict};
use crate::words;

/// Up to so many columns there is room for words in the cells of a wide window.
const ROOMY: usize = 8;

/// So many commits are one group of rows: a browser lays out a long table in a time that grows with all of its cells, and in a quarter of that
/// where groups are blocks of which it need only lay out those that are seen (1,000 commits by 50 artifacts, in Chromium 148).
const GROUP: usize = 50;

/// With more commits a table is long.
const LONG: usize = 2 * GROUP;

/// The most columns: a team that has more artifacts looks for one, and scans none of them.
pub const COLUMNS: usize = 1_000;

/// The most cells: more are a page of a hundred megabytes, which no browser lays out in the time that anybody waits. Where nothing says which
/// artifacts count, each commit may name thousands of its own, and every commit would have a cell for each of them.
pub const CELLS: usize = 1_000_000;

/// Tells of one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The commit.
    pub commit: Commit,
    /// Its first parent; none at a root, and where that is not known.
    pub parent: Option<Commit>,
    /// The first line of its message, where git has it.
    pub subject: Option<String>,
    /// When it was made, where that is known.
    pub time: Option<Moment>,
    /// What its metafile lacks.
    pub gap: Option<Gap>,
    /// How each artifact stands of which anything is known.
    pub verdicts: BTreeMap<Name, Verdict>,
    /// What else stands at the address.
    pub others: BTreeSet<String>,
}

/// Says why little is known of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// It has no metafile.
    Absent,
    /// What is stored is none, and this is wrong with it.
    Malformed(String),
}

/// Holds commits, the newest first, in little room: what is known of a build is held once, however many commits inherit it. It has no more than
/// [`COLUMNS`] columns and [`CELLS`] cells.
#[derive(Debug, Default)]
pub struct Grid {
    /// The artifacts that have a column as long as there is room, in the order in which they are preferred.
    names: IndexSet<Name>,
    /// Those that have none.
    beyond: BTreeSet<Name>,
    rows: Vec<Row>,
    entries: Entries,
}

#[derive(Debug)]
struct Row {
    commit: Commit,
    parent: Option<Commit>,
    subject: Option<String>,
    time: Option<Moment>,
    gap: Option<Gap>,
    others: BTreeSet<String>,
    cells: BTreeMap<Name, (State, Option<Entry>)>,
}

impl Grid {
    /// Begins with the artifacts that have a column even where no commit says anything of them, those that are preferred first. Behind them come
    /// those that later commits name, as they are met.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = Name>) -> Self {
        let mut grid = Self::default();
        for name in names {
            grid.has_room(&name);
        }
        grid
    }

    /// Says whether an artifact may have a column.
    fn has_room(&mut self, name: &Name) -> bool {
        if self.names.len() < COLUMNS {
            self.names.insert(name.clone());
        }
        let has_room = self.names.contains(name);
        if !has_room {
            self.beyond.insert(name.clone());
        }
        has_room
    }

    /// Adds the next commit.
    pub fn add(&mut self, line: Line) {
        let Line { commit, parent, subject, time, gap, verdicts, others } = line;
        let mut cells = BTreeMap::new();
        for (name, Verdict { state, from, record, attempt }) in verdicts {
            if !self.has_room(&name) {
                continue;
            }
            let build = from.map(|from| self.entries.build(&name, from, record));
            let entry = match attempt {
                Some(attempt) => Some(Entry::Attempt(self.entries.attempt(&name, commit, attempt, build))),
                None => build.map(Entry::Build),
            };
            cells.insert(name, (state, entry));
        }
        self.rows.push(Row { commit, parent, subject, time, gap, others, cells });
    }

    /// Returns how many commits it has.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.rows.len()
    }

    /// Returns how many artifacts have a column.
    #[must_use]
    pub fn artifacts(&self) -> usize {
        self.names.len().min(CELLS / self.rows.len().max(1))
    }

    /// Returns how many artifacts were met that have none.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.names.len() + self.beyond.len() - self.artifacts()
    }

    /// Returns the artifacts that have a column, as they stand side by side.
    fn columns(&self) -> BTreeSet<&Name> {
        self.names.iter().take(self.artifacts()).collect()
    }

    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Returns the commits that have a row.
    pub(super) fn rows(&self) -> BTreeSet<Commit> {
        self.rows.iter().map(|row| row.commit).collect()
    }
}

pub(super) fn section(sheet: &Sheet<'_>) -> Markup {
    html! {
        section aria-labelledby="commits" {
            h2 #commits { "Commits" }
            p.note { "As it is stored, and a stored metafile may be behind." }
            @if sheet.grid.left_out() > 0 { p.note { (left_out(sheet.grid)) } }
            (legend())
            (filter())
            div #grid-scroll.scroll role="region" aria-label="Grid of commits by artifacts" tabindex="0" { (table(sheet)) }
            dialog #pane aria-labelledby="pane-title" {}
        }
    }
}

/// Says what is not in the grid, and how to see it.
fn left_out(grid: &Grid) -> String {
    format!(
        "This grid has room for {}, and leaves out {} more. Those of the registry come first, then those that were built nearest. A registry says which \
         count, with fewer commits (-n) there may be room for more, and metalogic log --artifact NAME tells of any.",
        parts::count(grid.artifacts(), "artifact"),
        grid.left_out(),
    )
}

/// Says what the signs mean.
fn legend() -> Markup {
    html! {
        details.legend open {
            summary { "What the signs mean" }
            dl {
                @for state in parts::STATES {
                    div #{ "s-" (parts::letter(state)) } { dt { (parts::chip(state)) } dd { (state.meaning()) } }
                }
                div #{ "s-" (parts::UNKNOWN) } {
                    dt { span.chip.(parts::UNKNOWN) { "unknown" } }
                    dd { "nothing is recorded of it at this commit" }
                }
            }
        }
    }
}

/// Returns the filter, which is hidden until there is a script that heeds it.
fn filter() -> Markup {
    let mut words: Vec<(State, String)> = Vec::new();
    for state in parts::STATES {
        match words.last_mut() {
            Some((last, letters)) if last.word() == state.word() => letters.push_str(parts::letter(state)),
            _ => words.push((state, parts::letter(state).to_owned())),
        }
    }
    html! {
        form #filter role="search" aria-label="Filter" hidden {
            label.field { span { "Commits" } input #q type="search" placeholder="id or subject" autocomplete="off" spellcheck="false"; }
            label.field { span { "Artifacts" } input #names type="search" placeholder="part of a name" autocomplete="off" spellcheck="false"; }
            fieldset {
                legend { "Commits where something is" }
                @for (state, letters) in &words {
                    label.check { input type="checkbox" name="state" value=(state.word()) data-letters=(letters); (parts::chip(*state)) }
                }
            }
            button #clear type="reset" { "Clear" }
            p #found role="status" {}
        }
    }
}

fn table(sheet: &Sheet<'_>) -> Markup {
    let (names, rows) = (sheet.grid.columns(), &sheet.grid.rows);
    html! {
        table #grid .roomy[names.len() <= ROOMY] .long[rows.len() > LONG] {
            caption.heard { "Commits, the newest first, by artifacts. A cell says how the artifact stands at the commit, and leads to what is known of it." }
            thead { tr {
                th.corner scope="col" { "Commit" }
                @for name in &names { th scope="col" title=(name) { span { (name) } } }
            } }
            @for group in rows.chunks(GROUP) { tbody { @for row in group { (self::row(row, &names)) } } }
            tfoot { tr { td.ends colspan=(names.len() + 1) { span { (words::told(sheet.ends)) } } } }
        }
    }
}

fn row(row: &Row, names: &BTreeSet<&Name>) -> Markup {
    html! {
        tr id=(row.commit) data-parent=[row.parent] {
            th scope="row" { (head(row)) }
            @for name in names { (cell(row.cells.get(*name).copied())) }
        }
        "\n"
    }
}

/// Returns what a commit is known by, and what there is to say of it beside its artifacts' states.
fn head(row: &Row) -> Markup {
    let subject = row.subject.as_deref().map(words::told);
    html! {
        a href={ "#" (row.commit) } {
            code title=(row.commit) { (row.commit.short()) }
            @if let Some(time) = row.time { " " (parts::day(time)) }
            @if let Some(subject) = &subject { " " span.subject title=(subject) { (subject) } }
        }
        @match &row.gap {
            None => {},
            Some(Gap::Absent) => { " " span.gap { "no metafile" } },
            Some(Gap::Malformed(problem)) => { " " span.gap title=(words::told(problem)) { "malformed metafile: " (words::told(problem)) } },
        }
        @if !row.others.is_empty() {
            " " span.others {
                "also there: "
                @for (number, other) in row.others.iter().enumerate() { @if number > 0 { ", " } (words::told(other)) }
            }
        }
    }
}

fn cell(cell: Option<(State, Option<Entry>)>) -> Markup {
    let Some((state, entry)) = cell else {
        return html! { td.(parts::UNKNOWN) { a href={ "#s-" (parts::UNKNOWN) } { "unknown" } } };
    };
    let letter = parts::letter(state);
    html! {
        td.(letter) {
            @match entry {
                Some(Entry::Build(number)) => a href={ "#b" (number) } { (parts::said(state)) },
                Some(Entry::Attempt(number)) => a href={ "#t" (number) } { (parts::said(state)) },
                None => a href={ "#s-" (letter) } { (parts::said(state)) },
            }
        }
    }
}
