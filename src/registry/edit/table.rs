//! Adding to tables: a key to a project, a project to the projects, an entry to an array of tables.

use std::ops::Range;

use toml_edit::{ArrayOfTables, InlineTable, Item, Table, Value};

use super::super::{Entry, ProjectName, key, quoted};
use super::array::INDENT;
use super::inline;
use super::splice::{Splice, Text};

/// Gives a project that has none the key `artifacts`.
pub(super) fn new_key(text: &Text<'_>, item: &Item, project: &ProjectName, entry: &Entry) -> Option<Vec<Splice>> {
    let pair = format!("artifacts = [{}]", inline(entry));
    match item {
        Item::Value(Value::InlineTable(table)) => Some(vec![into_inline(text, table, &pair)?]),
        Item::Table(table) => match (last_pair(table), table.is_implicit() || table.is_dotted()) {
            // As its neighbour begins, so it does: with the same blanks, and the same path where that is dotted.
            (Some((key, value)), _) => {
                let begin = text.piece(text.line_start(key.start)..key.start);
                Some(vec![Splice::insert(text.line_end(value.end), format!("{}{begin}{pair}", text.newline()))])
            }
            (None, true) => Some(vec![at_the_end(text, project, entry)]),
            (None, false) => {
                let header = table.span()?;
                let indent = text.indent(header.start);
                Some(vec![Splice::insert(text.line_end(header.end), format!("{}{indent}{pair}", text.newline()))])
            }
        },
        Item::None | Item::Value(_) | Item::ArrayOfTables(_) => None,
    }
}

/// Makes a project with one artifact.
pub(super) fn new_project(
    text: &Text<'_>,
    projects: Option<&Item>,
    project: &ProjectName,
    entry: &Entry,
) -> Option<Vec<Splice>> {
    match projects {
        Some(Item::Value(Value::InlineTable(table))) => {
            let pair = format!("{} = {{ artifacts = [{}] }}", key(project.as_str()), inline(entry));
            Some(vec![into_inline(text, table, &pair)?])
        }
        None | Some(Item::Table(_)) => Some(vec![at_the_end(text, project, entry)]),
        Some(Item::None | Item::Value(_) | Item::ArrayOfTables(_)) => None,
    }
}

/// Puts an entry behind the others of an array of tables.
pub(super) fn append(text: &Text<'_>, tables: &ArrayOfTables, entry: &Entry) -> Option<Vec<Splice>> {
    let last = tables.iter().last()?;
    let header = last.span()?;
    let end = last_pair(last).map_or(header.end, |(_, value)| value.end.max(header.end));
    let (newline, indent) = (text.newline(), text.indent(header.start));
    let line = |line: &str| format!("{newline}{indent}{line}");
    let mut added = line(text.piece(header));
    added.push_str(&line(&format!("name = {}", quoted(entry.name.as_str()))));
    if let Some(description) = &entry.description {
        added.push_str(&line(&format!("description = {}", quoted(description))));
    }
    Some(vec![Splice::insert(text.line_end(end), format!("{newline}{added}"))])
}

/// Writes a project's table at the file's end.
fn at_the_end(text: &Text<'_>, project: &ProjectName, entry: &Entry) -> Splice {
    let (newline, all) = (text.newline(), text.as_str());
    let gap = match all {
        "" => String::new(),
        all if all.ends_with('\n') => newline.to_owned(),
        _ => newline.repeat(2),
    };
    let table = [
        format!("[projects.{}]", key(project.as_str())),
        "artifacts = [".to_owned(),
        format!("{INDENT}{},", inline(entry)),
        "]".to_owned(),
    ];
    Splice::insert(all.len(), format!("{gap}{}{newline}", table.join(newline)))
}

/// Puts a key before the others of an inline table.
fn into_inline(text: &Text<'_>, table: &InlineTable, pair: &str) -> Option<Splice> {
    let span = table.span()?;
    let inside = span.start + 1..span.end.checked_sub(1)?;
    if table.is_empty() && !text.piece(inside.clone()).contains('\n') {
        return Some(Splice::replace(inside, format!(" {pair} ")));
    }
    let comma = if table.is_empty() { "" } else { "," };
    let gap = if text.piece(inside.clone()).starts_with([' ', '\t', '\r', '\n']) { "" } else { " " };
    Some(Splice::insert(inside.start, format!(" {pair}{comma}{gap}")))
}

/// Returns where the last key of a table that has a value stands, and where its value does.
fn last_pair(table: &Table) -> Option<(Range<usize>, Range<usize>)> {
    let pair = |(name, item): (&str, &Item)| {
        let value = item.as_value()?.span()?;
        Some((table.key(name)?.span()?, value))
    };
    table.iter().filter_map(pair).max_by_key(|(_, value)| value.end)
}
