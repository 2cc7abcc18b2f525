//! Where in the file something stands.

use std::fmt;

/// How far apart marks stand, in bytes: to find a place, so many are read again at most.
const STRIDE: usize = 64;

/// Names a place in a file as editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Says what is wrong at one place of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{}:{}: {message}", place.line, place.column)]
pub struct Problem {
    /// How the file is called.
    pub file: String,
    /// The place.
    pub place: Place,
    /// What is wrong, in plain ASCII.
    pub message: String,
}

/// Turns offsets into places. Marks along the way keep it quick for any number of problems in a line of any length.
#[derive(Debug)]
pub(super) struct Places<'t> {
    text: &'t str,
    marks: Vec<(usize, Place)>,
}

impl<'t> Places<'t> {
    /// Takes the text.
    pub(super) fn of(text: &'t str) -> Self {
        let mut place = Place { line: 1, column: 1 };
        let mut marks = vec![(0, place)];
        for (offset, c) in text.char_indices() {
            if marks.last().is_some_and(|(last, _)| offset - last >= STRIDE) {
                marks.push((offset, place));
            }
            place = place.after(c);
        }
        Self { text, marks }
    }

    /// Returns the place of the character at an offset in bytes, or of the text's end.
    pub(super) fn at(&self, offset: usize) -> Place {
        let marks = self.marks.partition_point(|(mark, _)| *mark <= offset);
        let mark = self.marks.get(marks.saturating_sub(1));
        let &(start, place) = mark.expect("because the text's start is marked");
        let rest = self.text.get(start..).unwrap_or_default().char_indices();
        rest.take_while(|(further, _)| start + further < offset).fold(place, |place, (_, c)| place.after(c))
    }
}

impl Place {
    /// Returns the place behind a character.
    fn after(self, c: char) -> Self {
        if c == '\n' { Self { line: self.line + 1, column: 1 } } else { Self { column: self.column + 1, ..self } }
    }
}
