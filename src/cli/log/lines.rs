//! A page of the chronicle as people read it.

use std::collections::BTreeSet;

use anstyle::{AnsiColor, Style};
use console::{Alignment, measure_text_width, pad_str};

use super::time;
use crate::artifact::Name;
use crate::chronicle::{Kept, Page};
use crate::cli::status::told;
use crate::cli::table::styled;
use crate::moment::Moment;
use crate::report;
use crate::state::{State, Verdict};
use crate::words;

/// How wide the longest word for a state is.
const STATE: usize = 7;

/// How many characters of a moment are its day.
const DAY: usize = 10;

/// How many names are told in the one line of a commit; of more, how many there are.
const NAMES: usize = 3;

/// Writes pages.
pub(super) struct Lines<'a> {
    now: Moment,
    /// The artifacts of which alone is told, each at each commit.
    asked: &'a BTreeSet<Name>,
}

/// Holds what is told of one artifact or, where nothing is told but their state, of several.
struct Row {
    state: State,
    what: String,
    rest: String,
}

impl<'a> Lines<'a> {
    pub(super) fn new(now: Moment, asked: &'a BTreeSet<Name>) -> Self {
        Self { now, asked }
    }

    /// Returns the lines of a page: one where nothing was built, failed or begun.
    pub(super) fn page(&self, page: &Page) -> String {
        let happened = |verdict: &Verdict| matches!(verdict.state, State::Built | State::Failed | State::Pending);
        let head = head(page);
        if page.verdicts.values().any(happened) {
            let rows = if self.asked.is_empty() { self.all(page) } else { self.each(page) };
            let remarks = self.remarks(page).into_iter().map(|remark| format!("    {remark}\n"));
            return format!("{head}\n") + &block(&rows) + &remarks.collect::<String>();
        }
        let mut parts = if self.asked.is_empty() { in_brief(page) } else { self.each_in_brief(page) };
        parts.extend(self.remarks(page));
        if parts.is_empty() { format!("{head}\n") } else { format!("{head} ({})\n", parts.join("; ")) }
    }

    /// Tells of all artifacts but those that are inherited as they should be.
    fn all(&self, page: &Page) -> Vec<Row> {
        let of = |state: State| page.verdicts.iter().filter(move |(_, verdict)| verdict.state == state);
        let apart = [State::Built, State::Failed, State::Pending].into_iter().flat_map(of);
        let mut rows: Vec<Row> = apart.map(|(name, verdict)| self.row(name, verdict)).collect();
        for state in [State::Stale, State::Missing] {
            let names: Vec<&str> = of(state).map(|(name, _)| name.as_str()).collect();
            if !names.is_empty() {
                rows.push(Row { state, what: names.join(", "), rest: String::new() });
            }
        }
        rows
    }

    fn each(&self, page: &Page) -> Vec<Row> {
        page.verdicts.iter().map(|(name, verdict)| self.row(name, verdict)).collect()
    }

    fn row(&self, name: &Name, verdict: &Verdict) -> Row {
        let rest = match verdict.state {
            State::Built => verdict.record.size.map(report::bytes),
            State::Failed | State::Pending => verdict.attempt.as_ref().map(|attempt| {
                let told = told(attempt, self.now);
                told.strip_prefix(verdict.state.word()).unwrap_or(&told).trim_start().to_owned()
            }),
            State::Proven | State::Assumed(_) | State::Stale => {
                verdict.from.map(|from| format!("from {}", from.short()))
            }
            State::Missing => None,
        };
        Row { state: verdict.state, what: name.to_string(), rest: rest.unwrap_or_default() }
    }

    fn each_in_brief(&self, page: &Page) -> Vec<String> {
        let alone = self.asked.len() == 1;
        let part = |Row { state, what, rest }: Row| {
            let what = if alone { String::new() } else { format!("{what} ") };
            format!("{what}{} {rest}", styled(state)).trim_end().to_owned()
        };
        self.each(page).into_iter().map(part).collect()
    }

    /// Returns what is to be said of the commit beside its artifacts' states.
    fn remarks(&self, page: &Page) -> Vec<String> {
        let inherited =
            page.verdicts.values().filter(|verdict| matches!(verdict.state, State::Proven | State::Assumed(_))).count();
        let yellow = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        let gap = match &page.metafile {
            Kept::Stored => None,
            Kept::Absent => Some(format!("{yellow}no metafile{yellow:#}: no hook saw it")),
            Kept::Malformed(problem) => Some(format!("{yellow}malformed metafile{yellow:#}: {}", words::told(problem))),
        };
        let inherited = (inherited > 0 && self.asked.is_empty()).then(|| format!("{inherited} inherited"));
        let others: Vec<_> = page.others.iter().map(|name| words::told(name)).collect();
        let others = (!others.is_empty()).then(|| format!("also there: {}", others.join(", ")));
        inherited.into_iter().chain(gap).chain(others).collect()
    }
}

/// Returns what a commit is known by. One that git does not have is known by its id alone, which nobody here can complete.
fn head(page: &Page) -> String {
    let style = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    let Some(summary) = &page.summary else { return format!("{style}{}{style:#}", page.commit) };
    let day: String = time(summary).map(|time| time.to_string().chars().take(DAY).collect()).unwrap_or_default();
    let subject = words::told(&summary.subject);
    format!("{style}{}{style:#} {day:DAY$} {subject}", page.commit.short()).trim_end().to_owned()
}

/// Returns what is stale and what is missing, in a few words.
fn in_brief(page: &Page) -> Vec<String> {
    let part = |state: State| {
        let names: Vec<&str> =
            page.verdicts.iter().filter(|(_, verdict)| verdict.state == state).map(|(name, _)| name.as_str()).collect();
        let told = match names.len() {
            0 => return None,
            1..=NAMES => names.join(", "),
            many => many.to_string(),
        };
        Some(format!("{}: {told}", styled(state)))
    };
    [State::Stale, State::Missing].into_iter().filter_map(part).collect()
}

/// Returns a line for each row.
fn block(rows: &[Row]) -> String {
    let apart = rows.iter().filter(|row| !row.rest.is_empty());
    let width = apart.map(|row| measure_text_width(&row.what)).max().unwrap_or_default();
    let line = |Row { state, what, rest }: &Row| {
        let state = pad_str(&styled(*state), STATE, Alignment::Left, None).into_owned();
        format!("    {state}  {what:width$}  {rest}").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
