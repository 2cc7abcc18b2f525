//! What a branch was before: whether a former tip is still in its history, and which former tips this clone knows of.

use crate::address::Commit;

use super::program::ProgramError;
use super::{GitError, Repository, objects, unreadable};

/// Says where a commit was found that was looked for along the first parents of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// It is one of them, or the commit itself.
    Along,
    /// It is a further parent of this one of them.
    Beside(Commit),
    /// They were all seen, and it is none of their parents.
    Nowhere,
    /// It is not among as many as were looked at.
    Further,
    /// It is not among those that are here, and there are more elsewhere: the clone is shallow.
    Cut,
}

impl Repository {
    /// Looks for a commit among another one and its first parents, at most so many of them.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn seek(&self, old: Commit, new: Commit, most: usize) -> Result<Sought, GitError> {
        self.read(|objects| objects::seek(objects, old, new, most))
            .map_err(|source| unreadable(format!("the history of {new}"), source))
    }

    /// Says whether a commit is a descendant of another one, along any parents that are here.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn descends(&self, new: Commit, old: Commit) -> Result<bool, GitError> {
        let failed = |source| unreadable(format!("the history of {new}"), source);
        for commit in [new, old] {
            if self.read(|objects| objects::tree(objects, commit)).map_err(failed)?.is_none() {
                return Ok(false);
            }
        }
        let answer = match (self.program.descends(new, old), &self.library) {
            (Err(ProgramError::Absent), Some(library)) => library.descends(new, old),
            (answer, _) => answer.map_err(Into::into),
        };
        answer.map_err(failed)
    }

    /// Returns the former tip of the branch whose newest commit is checked out: what its upstream is or, where that is the same commit, was before.
    ///
    /// None where the branch has no upstream of its own name: a branch that was begun from another one's is not pushed there.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn former_tip(&self, head: Commit) -> Result<Option<Commit>, GitError> {
        let tips = match &self.library {
            Some(library) => library.upstream(),
            None => self.program.upstream().map_err(Into::into),
        };
        let tips = tips.map_err(|source| unreadable("the upstream of HEAD".to_owned(), source))?;
        Ok(tips.into_iter().find_map(|id| id.parse().ok().filter(|tip| *tip != head)))
    }

    /// Returns what HEAD was lately, newest first, as its log says: at most so many entries.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn recent_heads(&self, most: usize) -> Result<Vec<Commit>, GitError> {
        let ids = match &self.library {
            Some(library) => library.recent_heads(most),
            None => self.program.recent_heads(most).map_err(Into::into),
        };
        let ids = ids.map_err(|source| unreadable("the log of HEAD".to_owned(), source))?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }
}

/// Says whether a branch is pushed to where its upstream is: both have the same name.
pub(super) fn is_own_upstream(branch: &str, upstream: &str) -> bool {
    let name = branch.strip_prefix("refs/heads/");
    name.is_some_and(|name| upstream.strip_suffix(name).is_some_and(|remote| remote.ends_with('/')))
}
