//! Why a bisection does not come to its end.

use std::io;
use std::path::PathBuf;

use crate::address::Commit;
use crate::ancestry::AncestryError;
use crate::arrival::ArrivalError;
use crate::artifact::Name;
use crate::store::StoreError;

/// Says why a bisection does not begin, or leaves off.
#[derive(Debug, thiserror::Error)]
pub enum BisectError {
    /// The same commit is said to be good and bad.
    #[error("{0} cannot be both good and bad")]
    Both(Commit),
    /// What is said to be good is not among the first parents of what is said to be bad.
    #[error("{good} is not among the first parents of {bad}")]
    Apart {
        /// The commit that is said to be good.
        good: Commit,
        /// The one that is said to be bad.
        bad: Commit,
        /// Whether the bad one is among the first parents of the good one.
        reversed: bool,
    },
    /// Nobody knows enough of history.
    #[error("{good} is not among the first parents of {bad} as far as they are known, which is down to {last}")]
    Unreached {
        /// The commit that is said to be good.
        good: Commit,
        /// The one that is said to be bad.
        bad: Commit,
        /// The last commit that is known.
        last: Commit,
    },
    /// Nobody looks so far.
    #[error("{good} is not among the nearest {most} first parents of {bad}{}", distance.map_or_else(String::new, |at| format!(", but the {at}th")))]
    TooFar {
        /// The commit that is said to be good.
        good: Commit,
        /// The one that is said to be bad.
        bad: Commit,
        /// How many ancestors are looked at.
        most: usize,
        /// How far away it is, where git knows.
        distance: Option<usize>,
    },
    /// The artifact was not built at the good commit, nor at any of its ancestors that are looked at.
    #[error("{name} stands neither at {good} nor at one of its ancestors down to {last}")]
    NeverBuilt {
        /// The artifact.
        name: Name,
        /// The commit that is said to be good.
        good: Commit,
        /// The last ancestor that was looked at.
        last: Commit,
    },
    /// Both commits have the same build.
    #[error("{name} was not built between {good} and {bad}: both have the one of {at}")]
    Same {
        /// The artifact.
        name: Name,
        /// The commit that is said to be good.
        good: Commit,
        /// The one that is said to be bad.
        bad: Commit,
        /// The commit whose address holds the build of both.
        at: Commit,
    },
    /// Another bisection is under way, and somebody has tried builds for it.
    #[error("the bisection of {} between {} and {} is under way, with {}", .0.name, .0.good, .0.bad, counted(.0.verdicts))]
    UnderWay(Box<UnderWay>),
    /// Another process is at it.
    #[error("another process bisects here: it has {}", .0.display())]
    Busy(PathBuf),
    /// What was noted of a bisection makes no sense.
    #[error("{} is no notes of a bisection", .0.display())]
    Malformed(PathBuf),
    /// Nothing can be noted.
    #[error("{} cannot be written", path.display())]
    Notes {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The command ends in the same way with a build that is known to be good, so it is the command that cannot be run.
    #[error(
        "the command ends with {code} on the known good {name} of {commit}, too: most likely it was not run at all"
    )]
    Bogus {
        /// The artifact.
        name: Name,
        /// The commit of the good build.
        commit: Commit,
        /// The exit code.
        code: i32,
    },
    /// The command ended in a way that says that it is not to be asked again before somebody has looked.
    #[error("the command {} on {name} of {commit}", ending(*.code))]
    Stopped {
        /// The artifact.
        name: Name,
        /// The commit of the build that was tried.
        commit: Commit,
        /// Its exit code; none where a signal ended it.
        code: Option<i32>,
    },
    /// Whoever was asked left off.
    #[error("left off after {}", counted(*.verdicts))]
    Left {
        /// How many there are.
        verdicts: usize,
    },
    /// Nobody can be asked.
    #[error("the answer cannot be read")]
    Unasked(#[source] io::Error),
    /// A build did not arrive.
    #[error(transparent)]
    Arrival(#[from] ArrivalError),
    /// History cannot be told.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Describes the bisection that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// Its artifact.
    pub name: Name,
    /// Its good commit.
    pub good: Commit,
    /// Its bad commit.
    pub bad: Commit,
    /// The store that it is of.
    pub store: String,
    /// The command that gave its latest verdict; no words where a person did, and where that is not known.
    pub command: Vec<String>,
    /// How many verdicts it has.
    pub verdicts: usize,
}

/// Says how a command ended.
fn ending(code: Option<i32>) -> String {
    code.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with {code}"))
}

fn counted(verdicts: usize) -> String {
    if verdicts == 1 { "1 verdict".to_owned() } else { format!("{verdicts} verdicts") }
}
