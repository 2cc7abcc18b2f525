//! Small parts of the page: states, commits, moments, sizes and runs.

use maud::{Markup, html};

use crate::address::Commit;
use crate::moment::Moment;
use crate::state::{State, Why};
use crate::words;

/// The states in the order in which they are told, those that one word stands for side by side.
pub(super) const STATES: [State; 11] = [
    State::Built,
    State::Proven,
    State::Assumed(Why::Undeclared),
    State::Assumed(Why::Unregistered),
    State::Assumed(Why::Unrecorded),
    State::Assumed(Why::Unreadable),
    State::Assumed(Why::Idle),
    State::Stale,
    State::Pending,
    State::Failed,
    State::Missing,
];

/// What stands for a cell of which nothing is known.
pub(super) const UNKNOWN: &str = "u";

/// The longest URL that becomes a link, in bytes: browsers take no longer ones for granted.
const LONGEST_URL: usize = 2000;

/// How many characters of a moment are its day.
const DAY: usize = 10;

/// Returns the letter that a state goes by in the page: there may be very many of them.
pub(super) fn letter(state: State) -> &'static str {
    match state {
        State::Built => "b",
        State::Proven => "p",
        State::Assumed(Why::Undeclared) => "a",
        State::Assumed(Why::Unregistered) => "n",
        State::Assumed(Why::Unrecorded) => "r",
        State::Assumed(Why::Unreadable) => "t",
        State::Assumed(Why::Idle) => "i",
        State::Stale => "s",
        State::Pending => "w",
        State::Failed => "f",
        State::Missing => "m",
    }
}

/// Returns the words that a cell says. Those that stand beyond the state tell cells apart that look the same.
pub(super) fn said(state: State) -> &'static str {
    match state {
        State::Assumed(Why::Unrecorded) => "assumed, unrecorded",
        State::Assumed(Why::Unreadable) => "assumed, unreadable",
        State::Assumed(Why::Idle) => "assumed, no file",
        State::Built
        | State::Proven
        | State::Assumed(Why::Undeclared | Why::Unregistered)
        | State::Stale
        | State::Pending
        | State::Failed
        | State::Missing => state.word(),
    }
}

/// Returns a state as a sign and a word. The sign is the style's, so that nobody hears it read.
pub(super) fn chip(state: State) -> Markup {
    html! { span.chip.(letter(state)) { (state.word()) } }
}

/// Returns a commit as people know it: a link to its row, where it has one.
pub(super) fn commit(commit: Commit, has_row: bool) -> Markup {
    let short = html! { code title=(commit) { (commit.short()) } };
    html! { @if has_row { a href={ "#" (commit) } { (short) } } @else { (short) } }
}

/// Returns a commit's whole id.
pub(super) fn commit_whole(commit: Commit) -> Markup {
    html! { code.id { (commit) } }
}

/// Returns a moment.
pub(super) fn moment(moment: Moment) -> Markup {
    html! { time datetime=(moment) { (moment) } }
}

/// Returns the day of a moment.
pub(super) fn day(moment: Moment) -> Markup {
    let day: String = moment.to_string().chars().take(DAY).collect();
    html! { time datetime=(moment) { (day) } }
}

/// Returns how long before another moment it was.
pub(super) fn age(moment: Moment, now: Moment) -> Markup {
    html! { time datetime=(moment) title=(moment) { (moment.ago(now)) } }
}

/// Returns a size as people read it, and to the byte.
pub(super) fn size(size: u64, bytes: fn(u64) -> String) -> Markup {
    html! { span title={ (size) " bytes" } { (bytes(size)) } }
}

/// Returns a CI run: a link where it is a URL of the web and nothing else. What may be a script, or looks like another URL, is a text.
pub(super) fn run(run: &str) -> Markup {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        let beginning = run.get(..scheme.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
    });
    let is_plain = run.len() <= LONGEST_URL && run.bytes().all(|byte| byte.is_ascii_graphic());
    let address = scheme.filter(|_| is_plain).and_then(|scheme| run.get(scheme.len()..));
    html! {
        @if let Some(address) = address {
            a.run href=(run) title=(run) rel="noopener noreferrer" target="_blank" { (address) }
        } @else {
            span.run { (words::told(run)) }
        }
    }
}

/// Returns how many there are of something.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
