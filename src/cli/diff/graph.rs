//! A summary of changes in bytes, as `git diff --stat` makes one of lines.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use console::{Alignment, Term, measure_text_width, pad_str};

use crate::artifact::Name;
use crate::difference::Change;

/// How many columns are taken where there is no terminal.
const COLUMNS: usize = 80;

/// What stands in a line beside name, number and bar: ` | `, one space before and one after the number, and an empty last column.
const FIXED: usize = 6;

/// The least width of a bar, and of a name and a bar together.
const LEAST_BAR: usize = 6;
const LEAST: usize = 16;

/// Returns one line for each change, with a bar that shows how large it is beside the others, and one of them all.
///
/// The widths are shared as git shares them: what does not fit leaves the bar three eighths of the terminal, and the name the rest.
pub(super) fn lines(changes: &BTreeMap<Name, Change>, columns: Option<usize>) -> String {
    let columns = columns.or_else(|| Term::stdout().size_checked().map(|(_, columns)| usize::from(columns)));
    let growths: Vec<Option<i128>> = changes.values().map(Change::growth).collect();
    // The bar tells more from fewer.
    let number = |growth: &Option<i128>| growth.map_or("?".to_owned(), |growth| growth.unsigned_abs().to_string());
    let numbers: Vec<String> = growths.iter().map(number).collect();
    let largest = growths.iter().flatten().map(|growth| growth.unsigned_abs()).max().unwrap_or_default();
    let longest = changes.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
    let width = numbers.iter().map(String::len).max().unwrap_or_default();
    let (name_width, bar_width) = widths(columns.unwrap_or(COLUMNS), longest, width, largest);
    let mut text = String::new();
    for ((name, growth), number) in changes.keys().zip(&growths).zip(&numbers) {
        let name = pad_str(&shortened(name.as_str(), name_width), name_width, Alignment::Left, None).into_owned();
        let bar = growth.map(|growth| bar(growth, bar_width, largest)).unwrap_or_default();
        text.push_str(format!(" {name} | {number:>width$} {bar}").trim_end());
        text.push('\n');
    }
    text + &total(changes, &growths)
}

/// Returns the word for a change in the colour that it has on a terminal.
pub(super) fn styled(change: &Change) -> String {
    let style = match change {
        Change::Added(_) => color(AnsiColor::Green),
        Change::Removed(_) => color(AnsiColor::Red),
        Change::Changed(..) => color(AnsiColor::Yellow),
    };
    format!("{style}{}{style:#}", change.word())
}

/// Shares the columns (source: git's `show_stats`).
fn widths(columns: usize, longest: usize, number: usize, largest: u128) -> (usize, usize) {
    let columns = columns.max(LEAST + FIXED + number);
    let (mut name, mut bar) = (longest, usize::try_from(largest).unwrap_or(columns).min(columns));
    if name + number + FIXED + bar > columns {
        let share = (columns * 3 / 8).saturating_sub(number + FIXED);
        if bar > share {
            bar = share.max(LEAST_BAR);
        }
        if name > columns - number - FIXED - bar {
            name = columns - number - FIXED - bar;
        } else {
            bar = columns - number - FIXED - name;
        }
    }
    (name, bar)
}

/// Returns a name that fits, without its beginning where it is too long, as git shortens one.
fn shortened(name: &str, width: usize) -> String {
    if measure_text_width(name) <= width {
        return name.to_owned();
    }
    let end: Vec<char> = name.chars().rev().take(width.saturating_sub(3)).collect();
    format!("...{}", end.into_iter().rev().collect::<String>())
}

/// Returns a bar: as many signs as bytes where they all fit, else in proportion, and at least one where anything changed.
fn bar(growth: i128, width: usize, largest: u128) -> String {
    let (size, most) = (growth.unsigned_abs(), u128::try_from(width).unwrap_or(u128::MAX));
    let length = match size {
        0 => 0,
        size if largest <= most => size,
        size => 1 + size.saturating_mul(most.saturating_sub(1)) / largest,
    };
    let (sign, style) = if growth < 0 { ("-", color(AnsiColor::Red)) } else { ("+", color(AnsiColor::Green)) };
    let signs = sign.repeat(usize::try_from(length).unwrap_or(width));
    if signs.is_empty() { signs } else { format!("{style}{signs}{style:#}") }
}

fn total(changes: &BTreeMap<Name, Change>, growths: &[Option<i128>]) -> String {
    let count = |word: &str| changes.values().filter(|change| change.word() == word).count();
    let (changed, added, removed) = (count("changed"), count("added"), count("removed"));
    let artifacts = if changes.len() == 1 { "artifact differs" } else { "artifacts differ" };
    let kinds = [(changed, "changed"), (added, "added"), (removed, "removed")];
    let kinds: Vec<String> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let sum = |sign: i128| growths.iter().flatten().filter(|growth| growth.signum() == sign).sum::<i128>();
    let bytes = |count: i128| if count.abs() == 1 { "byte" } else { "bytes" };
    let mut text = format!(" {} {artifacts}: {}", changes.len(), kinds.join(", "));
    let (more, fewer) = (sum(1), -sum(-1));
    if more > 0 {
        text.push_str(&format!("; {more} {} more(+)", bytes(more)));
    }
    if fewer > 0 {
        text.push_str(&format!("{} {fewer} {} fewer(-)", if more > 0 { "," } else { ";" }, bytes(fewer)));
    }
    text + "\n"
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}
