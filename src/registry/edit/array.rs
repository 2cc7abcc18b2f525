//! Adding to an array, and taking out of one, in the style that it has.

use std::ops::Range;

use toml_edit::{Array, Value};

use super::splice::{Splice, Text};

/// How much further than their array's line elements begin, where the array has none to go by.
pub(super) const INDENT: &str = "    ";

/// Puts an element at the end of an array.
pub(super) fn append(text: &Text<'_>, array: &Array, item: &str) -> Option<Vec<Splice>> {
    let span = array.span()?;
    let inside = span.start + 1..span.end.checked_sub(1)?;
    let Some(last) = array.iter().last().map(Value::span) else {
        return Some(vec![first(text, inside, item)]);
    };
    let last = last?;
    let rest = text.piece(last.end..inside.end);
    let newline = text.newline();
    let own_line = text.begins_line(last.start);
    if !own_line && !rest.contains('#') {
        return Some(vec![Splice::insert(last.end, format!(", {item}"))]);
    }
    let hugs = text.line_start(last.start) == text.line_start(span.start);
    let indent = format!("{}{}", text.indent(last.start), if hugs { INDENT } else { "" });
    if !rest.contains('\n') {
        return Some(vec![Splice::insert(last.end, format!(",{newline}{indent}{item}"))]);
    }
    // Behind all comments, which are about what stands before them.
    let (mut splices, mut comma) = (Vec::new(), ",");
    if !array.trailing_comma() {
        splices.push(Splice::insert(last.end, ",".to_owned()));
        comma = "";
    }
    let end = text.content_end(last.end..inside.end);
    splices.push(Splice::insert(end, format!("{newline}{indent}{item}{comma}")));
    Some(splices)
}

/// Puts the first element into an array that has none.
fn first(text: &Text<'_>, inside: Range<usize>, item: &str) -> Splice {
    if !text.piece(inside.clone()).contains('\n') {
        return Splice::replace(inside, item.to_owned());
    }
    let end = text.content_end(inside.clone());
    let hugs = text.line_start(end) == text.line_start(inside.start);
    let indent = format!("{}{}", text.indent(end), if hugs { INDENT } else { "" });
    Splice::insert(end, format!("{}{indent}{item},", text.newline()))
}

/// Takes an element out of an array. Comments stay.
pub(super) fn without(text: &Text<'_>, array: &Array, index: usize) -> Option<Vec<Splice>> {
    let span = array.span()?;
    let element = array.get(index)?.span()?;
    let next = array.get(index + 1).map_or(Some(span.end - 1), |next| Some(next.span()?.start))?;
    if let Some(comma) = text.comma(element.end..next) {
        return Some(together(text, element, comma..comma + 1));
    }
    let Some(before) = index.checked_sub(1) else { return Some(vec![text.without(element)]) };
    // It was the last one, and no comma ends the array.
    let before = array.get(before)?.span()?;
    let comma = text.comma(before.end..element.start)?;
    Some(together(text, comma..comma + 1, element))
}

/// Takes out two pieces, with what is between them where that is blank.
fn together(text: &Text<'_>, first: Range<usize>, second: Range<usize>) -> Vec<Splice> {
    if text.piece(first.end..second.start).trim_matches([' ', '\t']).is_empty() {
        vec![text.without(first.start..second.end)]
    } else {
        // The blanks behind a comma part what stays.
        let first = if text.piece(first.clone()) == "," { Splice::remove(first) } else { text.without(first) };
        vec![first, text.without(second)]
    }
}
