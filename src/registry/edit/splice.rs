//! A text, its lines, and what is put into it.

use std::ops::Range;

/// Says what is put in the place of a piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    range: Range<usize>,
    with: String,
}

impl Splice {
    /// Puts something in at an offset.
    pub(super) fn insert(at: usize, with: String) -> Self {
        Self { range: at..at, with }
    }

    /// Puts something in the place of a piece.
    pub(super) fn replace(range: Range<usize>, with: String) -> Self {
        Self { range, with }
    }

    /// Takes a piece out.
    pub(super) fn remove(range: Range<usize>) -> Self {
        Self { range, with: String::new() }
    }

    /// Returns a text with all of them done; none where two are about the same piece.
    pub(super) fn apply(mut splices: Vec<Self>, text: &str) -> Option<String> {
        splices.sort_by_key(|splice| splice.range.start);
        let (mut done, mut new) = (0, String::with_capacity(text.len() + 100));
        for Self { range, with } in splices {
            new.push_str(text.get(done..range.start)?);
            new.push_str(&with);
            done = range.end;
        }
        new.push_str(text.get(done..)?);
        Some(new)
    }
}

/// Knows the lines of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'t> {
    text: &'t str,
    newline: &'static str,
}

impl<'t> Text<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let first = text.find('\n').and_then(|end| text.get(..end));
        let newline = if first.is_some_and(|line| line.ends_with('\r')) { "\r\n" } else { "\n" };
        Self { text, newline }
    }

    pub(super) fn as_str(&self) -> &'t str {
        self.text
    }

    /// Returns how the text's lines end.
    pub(super) fn newline(&self) -> &'static str {
        self.newline
    }

    pub(super) fn piece(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    /// Returns where the line begins that an offset is in.
    pub(super) fn line_start(&self, offset: usize) -> usize {
        self.piece(0..offset).rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Returns where the line ends that an offset is in, before what ends it.
    pub(super) fn line_end(&self, offset: usize) -> usize {
        let rest = self.piece(offset..self.text.len());
        let line = rest.split('\n').next().unwrap_or_default();
        offset + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// Returns the blanks with which the line begins that an offset is in.
    pub(super) fn indent(&self, offset: usize) -> &'t str {
        let line = self.piece(self.line_start(offset)..self.text.len());
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        line.get(..blank).unwrap_or_default()
    }

    /// Says whether nothing but blanks stands before an offset in its line.
    pub(super) fn begins_line(&self, offset: usize) -> bool {
        self.piece(self.line_start(offset)..offset).trim_matches([' ', '\t']).is_empty()
    }

    /// Returns where what is no blank ends in a piece: at its start, where all is blank.
    pub(super) fn content_end(&self, range: Range<usize>) -> usize {
        range.start + self.piece(range).trim_end_matches([' ', '\t', '\r', '\n']).len()
    }

    /// Returns where the comma stands in a piece between two values, which has only blanks, comments and one comma at most.
    pub(super) fn comma(&self, range: Range<usize>) -> Option<usize> {
        let mut comment = false;
        let start = range.start;
        for (offset, c) in self.piece(range).char_indices() {
            match c {
                '\n' => comment = false,
                '#' => comment = true,
                ',' if !comment => return Some(start + offset),
                _ => {}
            }
        }
        None
    }

    /// Takes out a piece with the blanks behind it, and with its line where that has nothing else.
    pub(super) fn without(&self, range: Range<usize>) -> Splice {
        let rest = self.piece(range.end..self.text.len());
        let end = range.end + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let ends_line = ["\n", "\r\n"].into_iter().find(|ends| self.piece(end..self.text.len()).starts_with(ends));
        match ends_line {
            Some(ends) if self.begins_line(range.start) => {
                Splice::remove(self.line_start(range.start)..end + ends.len())
            }
            Some(_) => Splice::remove(range),
            None => Splice::remove(range.start..end),
        }
    }
}
