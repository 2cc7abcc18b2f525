//! Tables and states as people read them on standard output.

use anstyle::{AnsiColor, Style};
use console::{Alignment, measure_text_width, pad_str};

use crate::state::State;

/// Holds rows of cells, each a plain or a styled text.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins with what stands above the columns.
    pub(crate) fn new(heads: &[&str]) -> Self {
        let style = Style::new().bold();
        Self { rows: vec![heads.iter().map(|head| format!("{style}{head}{style:#}")).collect()] }
    }

    pub(crate) fn add(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Returns the lines, with two spaces between columns and none at the end.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| measure_text_width(cell)).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| pad_str(cell, *width, Alignment::Left, None));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// Returns the word for a state in the colour that it has on a terminal.
pub(crate) fn styled(state: State) -> String {
    let style = style(state);
    format!("{style}{state}{style:#}")
}

fn style(state: State) -> Style {
    let color = match state {
        State::Built | State::Proven => AnsiColor::Green,
        State::Assumed(_) => AnsiColor::Cyan,
        State::Pending => AnsiColor::Yellow,
        State::Stale | State::Failed | State::Missing => AnsiColor::Red,
    };
    Style::new().fg_color(Some(color.into()))
}
