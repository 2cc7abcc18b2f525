//! What is noted of a bisection, so that the same command goes on where one ended: nothing that was said of a build is asked again.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{BisectError, Question, UnderWay};
use crate::address::Commit;
use crate::bisection::Verdict;
use crate::files::{self, Ledger};

/// The name of the file that has the verdicts.
const FILE: &str = "verdicts";

/// The name of the directory that has the builds.
const BUILDS: &str = "builds";

/// Keeps the notes of one bisection in a directory, which is this process's for as long.
#[derive(Debug)]
pub struct Notes {
    directory: PathBuf,
    ledger: Ledger,
    asked: Asked,
    said: Said,
    by: By,
}

/// Says who tries builds: a command and its arguments; without any, a person.
pub type By = Vec<String>;

/// Holds what was said.
#[derive(Debug, Default)]
struct Said {
    /// Of builds, in the order in which it was.
    verdicts: Vec<(Commit, Verdict)>,
    /// Who gave the latest verdict, where that is known.
    by: Option<By>,
    /// The verdicts that somebody else gave.
    others: Option<Others>,
    /// Whether the command is known to run.
    runs: bool,
    /// Whether any was heard to say of the build that is said to be good that it is.
    good: bool,
}

/// Describes verdicts that somebody else gave than who tries builds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Others {
    /// How many there are.
    pub(super) verdicts: usize,
    /// Who gave the latest.
    pub(super) by: By,
}

/// Holds what was asked, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    name: String,
    good: String,
    bad: String,
    store: String,
}

/// Holds a line of the notes after the first. Earlier versions did not say by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Note {
    /// What was said of a build.
    Verdict {
        commit: String,
        verdict: Verdict,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    /// The command was seen to run with the good build, and maybe to say that it is good.
    Runs {
        runs: bool,
        #[serde(default)]
        good: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
}

impl Notes {
    /// Opens the notes of a bisection of a store's builds in a directory for whoever tries them now, and goes on with what is noted there. Another
    /// question that nobody has answered anything of is forgotten.
    ///
    /// # Errors
    /// [`BisectError::UnderWay`], [`BisectError::Busy`], [`BisectError::Malformed`] and [`BisectError::Notes`].
    pub fn open(directory: &Path, question: &Question, store: String, by: By) -> Result<Self, BisectError> {
        let asked = Asked {
            name: question.name.to_string(),
            good: question.good.to_string(),
            bad: question.bad.to_string(),
            store,
        };
        let mut ledger = take(directory, Ledger::open)?;
        let malformed = || BisectError::Malformed(directory.join(FILE));
        let (first, rest) = match ledger.lines().split_first() {
            Some((first, rest)) => (Some(serde_json::from_str(first).map_err(|_| malformed())?), rest),
            None => (None, [].as_slice()),
        };
        let rest: Result<Vec<Note>, _> = rest.iter().map(|line| serde_json::from_str(line)).collect();
        let said = read(rest.map_err(|_| malformed())?, &by).ok_or_else(malformed)?;
        if first.as_ref() == Some(&asked) {
            return Ok(Self { directory: directory.to_owned(), ledger, asked, said, by });
        }
        if let Some(other) = first.filter(|_| !said.verdicts.is_empty()) {
            return Err(under_way(other, said).ok_or_else(malformed)?);
        }
        ledger.clear().map_err(|source| BisectError::Notes { path: directory.join(FILE), source })?;
        Ok(Self { directory: directory.to_owned(), ledger, asked, said: Said::default(), by })
    }

    /// Forgets what is noted in a directory, if anything is; says whether it was.
    ///
    /// # Errors
    /// [`BisectError::Busy`] and [`BisectError::Notes`].
    pub fn forget(directory: &Path) -> Result<bool, BisectError> {
        let is_there = files::inspect(&directory.join(FILE)).is_ok();
        // Nobody need be able to read what is to be forgotten.
        let _ours = if is_there { Some(take(directory, files::hold)?) } else { None };
        remove(directory)?;
        Ok(is_there)
    }

    /// Returns where the builds of a commit are put.
    pub(super) fn builds(&self, commit: Commit) -> PathBuf {
        self.directory.join(BUILDS).join(commit.to_string())
    }

    /// Returns what was said of builds, in the order in which it was.
    #[must_use]
    pub fn verdicts(&self) -> &[(Commit, Verdict)] {
        &self.said.verdicts
    }

    /// Returns what is known of the verdicts that somebody else gave; none where there is none.
    pub(super) fn others(&self) -> Option<&Others> {
        self.said.others.as_ref()
    }

    /// Says whether the command is known to run.
    pub(super) fn runs(&self) -> bool {
        self.said.runs
    }

    /// Says whether the command is known to say of the build that is said to be good that it is.
    pub(super) fn says_good(&self) -> bool {
        self.said.good
    }

    /// Writes down what was asked, unless it is.
    pub(super) fn begin(&mut self) -> Result<(), BisectError> {
        if !self.ledger.lines().is_empty() {
            return Ok(());
        }
        let line = serde_json::to_string(&self.asked);
        self.add(line)
    }

    /// Writes down what was said of a build: it is on disk when this returns.
    pub(super) fn note(&mut self, commit: Commit, verdict: Verdict) -> Result<(), BisectError> {
        let by = Some(self.by.clone());
        self.add(serde_json::to_string(&Note::Verdict { commit: commit.to_string(), verdict, by }))?;
        self.said.verdicts.push((commit, verdict));
        Ok(())
    }

    /// Writes down that the command was seen to run with the good build, and whether it said that it is good.
    pub(super) fn note_that_it_runs(&mut self, good: bool) -> Result<(), BisectError> {
        self.add(serde_json::to_string(&Note::Runs { runs: true, good, by: Some(self.by.clone()) }))?;
        (self.said.runs, self.said.good) = (true, self.said.good || good);
        Ok(())
    }

    /// Puts a commit's builds away, and nothing else.
    pub(super) fn put_away(&self, commit: Commit) {
        // What is left goes with all the rest at the end.
        drop(files::remove_tree(&self.builds(commit), &self.builds(commit)));
    }

    /// Puts everything away: the answer was given.
    ///
    /// # Errors
    /// [`BisectError::Notes`].
    pub fn finish(self) -> Result<(), BisectError> {
        remove(&self.directory)
    }

    fn add(&mut self, line: serde_json::Result<String>) -> Result<(), BisectError> {
        let added = line.map_err(io::Error::from).and_then(|line| self.ledger.add(&line));
        added.map_err(|source| BisectError::Notes { path: self.directory.join(FILE), source })
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        if self.ledger.lines().is_empty() {
            drop(remove(&self.directory));
        }
    }
}

/// Takes the ledger, which nobody else may have, in one way or another.
fn take<T>(directory: &Path, open: impl FnOnce(&Path) -> io::Result<Option<T>>) -> Result<T, BisectError> {
    let path = directory.join(FILE);
    match files::make_directory(directory).and_then(|()| open(&path)) {
        Ok(opened) => opened.ok_or(BisectError::Busy(path)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(BisectError::Malformed(path)),
        Err(source) => Err(BisectError::Notes { path, source }),
    }
}

fn remove(directory: &Path) -> Result<(), BisectError> {
    let removed = files::remove_tree(directory, directory);
    removed.map_err(|source| BisectError::Notes { path: directory.to_owned(), source })
}

/// Reads what was said, for whoever tries builds now; none where a line names no commit.
fn read(notes: Vec<Note>, own: &By) -> Option<Said> {
    let mut said = Said::default();
    for note in notes {
        match note {
            Note::Verdict { commit, verdict, by } => {
                said.verdicts.push((commit.parse().ok()?, verdict));
                if let Some(by) = by.clone().filter(|by| by != own) {
                    let verdicts = said.others.map_or(1, |others| others.verdicts + 1);
                    said.others = Some(Others { verdicts, by });
                }
                said.by = by.or(said.by);
            }
            Note::Runs { runs, good, by } => {
                // That another command runs says nothing of this one.
                said.runs |= runs && by.is_none_or(|by| by == *own);
                said.good |= good;
            }
        }
    }
    Some(said)
}

fn under_way(other: Asked, said: Said) -> Option<BisectError> {
    let Asked { name, good, bad, store } = other;
    let (name, good, bad) = (name.parse().ok()?, good.parse().ok()?, bad.parse().ok()?);
    let (command, verdicts) = (said.by.unwrap_or_default(), said.verdicts.len());
    Some(BisectError::UnderWay(Box::new(UnderWay { name, good, bad, store, command, verdicts })))
}
