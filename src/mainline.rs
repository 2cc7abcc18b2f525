//! The mainline: whether what was a branch's tip is still among the first parents of its new tip.
//!
//! A `git pull` before a push merges the branch into what was done here, rather than the other way round: such a foxtrot merge makes the
//! mainline its second parent, and hides what was built there from all that follow first parents.

use std::fmt;

use crate::address::Commit;
use crate::git::{GitError, Repository, Sought};

/// How many first parents are looked at before git is asked whether the old tip is an ancestor at all.
const NEAR: usize = 1000;

/// How many first parents are looked at where it is one: some tenths of a second.
const FAR: usize = 100_000;

/// Says what became of a branch's old tip when the branch got a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mainline {
    /// It is among the new tip's first parents, or is the new tip.
    Kept,
    /// It is an ancestor of the new tip, but not along first parents.
    Hidden {
        /// The merge that has it as a further parent, where there is one among the new tip's first parents.
        merge: Option<Commit>,
    },
    /// It is no ancestor of the new tip: the branch was rewritten.
    Rewritten,
    /// This clone does not have the history that would tell.
    Unknown,
}

/// Tells that a branch's old tip is hidden from the first parents of its new one, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foxtrot {
    /// The old tip.
    pub old: Commit,
    /// The new tip.
    pub new: Commit,
    /// The merge that hides it, where it is known.
    pub merge: Option<Commit>,
}

/// Says what became of a branch's old tip.
///
/// Raw headers come first, since they are quick and are there where a shallow clone's history is cut off: a merge names its parents, whether
/// or not they are here.
///
/// # Errors
/// [`GitError::Unreadable`].
pub fn check(repository: &Repository, old: Commit, new: Commit) -> Result<Mainline, GitError> {
    match repository.seek(old, new, NEAR)? {
        Sought::Along => Ok(Mainline::Kept),
        Sought::Beside(merge) => Ok(Mainline::Hidden { merge: Some(merge) }),
        // Beyond the gap it may be among the first parents, even where another way leads to it.
        Sought::Cut => Ok(Mainline::Unknown),
        Sought::Nowhere if repository.descends(new, old)? => Ok(Mainline::Hidden { merge: None }),
        Sought::Further if repository.descends(new, old)? => Ok(match repository.seek(old, new, FAR)? {
            Sought::Along => Mainline::Kept,
            Sought::Beside(merge) => Mainline::Hidden { merge: Some(merge) },
            Sought::Nowhere => Mainline::Hidden { merge: None },
            Sought::Cut | Sought::Further => Mainline::Unknown,
        }),
        // Some way to it may be cut off.
        Sought::Nowhere | Sought::Further if repository.is_shallow() => Ok(Mainline::Unknown),
        Sought::Nowhere | Sought::Further => Ok(Mainline::Rewritten),
    }
}

impl fmt::Display for Foxtrot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new, merge } = self;
        write!(f, "the branch's former tip {old} is not among the first parents of {new}")?;
        if let Some(merge) = merge.filter(|merge| merge != new) {
            write!(f, " (the merge {merge} has it as another parent)")?;
        }
        write!(
            f,
            ", so that builds of the mainline are hidden from it. The merge is the wrong way round, as `git pull` makes it before a push: \
             rebase instead, or merge the branch into the mainline. `metalogic fetch --commit {old}` has what was built there"
        )
    }
}
