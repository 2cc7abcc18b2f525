//! What hooks leave in git's common directory: the log of what they did, and what they have still to do.
//!
//! Nobody sees a hook run, so its outcome is written down where `metalogic hooks status` finds it. All of it may be lost without harm: every
//! metafile can be made later, by the next run or by hand.

mod place;
mod queue;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use queue::{Job, Turn, Waiting};

/// The directory's name in git's common directory.
const DIRECTORY: &str = "metalogic-hooks";

/// How many commands and how many notes an entry of the log has at most, the newest, and how many failures.
const LINES: usize = 20;

/// The size in bytes from which the log begins anew; the one before it is kept. So all of it has at most about twice this.
const FULL: u64 = 128 << 10;

/// Keeps the log and the queue of one repository's hooks.
#[derive(Debug, Clone)]
pub struct Journal {
    directory: PathBuf,
}

/// Holds one line of the log: what one run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it ended, as RFC 3339 has it, in UTC.
    pub at: String,
    /// What called for it: the names of hooks, or `stub`.
    pub by: Vec<String>,
    /// The store's URL, as far as it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// How many commits got a metafile.
    pub stubbed: usize,
    /// How many had one.
    pub present: usize,
    /// What is good to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Trouble>,
    /// What does by hand what was not done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<String>,
}

/// Holds one failure as it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Its kind, as in JSON.
    pub kind: String,
    /// What happened, with its causes.
    pub message: String,
    /// What to do next, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Journal {
    /// Returns the journal of a repository, which need not be there yet.
    #[must_use]
    pub fn of(common_directory: &Path) -> Self {
        Self { directory: common_directory.join(DIRECTORY) }
    }

    /// Returns where it is kept.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a line into the log, with the time of now.
    ///
    /// # Errors
    /// The system's.
    pub fn note(&self, entry: &Entry) -> io::Result<()> {
        place::directory(&self.directory)?;
        let log = self.directory.join("log");
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > FULL) {
            std::fs::rename(&log, self.directory.join("log.before"))?;
        }
        let at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let newest = |lines: &[String]| lines.iter().skip(lines.len().saturating_sub(LINES)).cloned().collect();
        let (by_hand, notes) = (newest(&entry.by_hand), newest(&entry.notes));
        let failures = entry.failures.iter().take(LINES).cloned().collect();
        let mut line = serde_json::to_vec(&Entry { at, by_hand, notes, failures, ..entry.clone() })?;
        line.push(b'\n');
        // In one piece, so that lines of processes that write at once stay whole.
        place::to_append(&log)?.write_all(&line)
    }

    /// Returns the lines of the log, oldest first. What is no line of it, as one that was cut short, is passed over.
    ///
    /// # Errors
    /// The system's.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for name in ["log.before", "log"] {
            let text = match std::fs::read(self.directory.join(name)) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            entries.extend(text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()));
        }
        Ok(entries)
    }
}
