//! What the rule needs from history: a commit, its first parents and its tree.

use std::collections::HashMap;

use crate::address::{Commit, Tree};

/// Knows the first parents and the trees of commits.
pub trait Ancestry: Send + Sync {
    /// Returns up to `most` ancestors of a commit along first parents, nearest first, without the commit itself.
    ///
    /// # Errors
    /// [`AncestryError::NoSuchCommit`] where there is a repository and the commit is not in it; [`AncestryError::Unreadable`] where
    /// the repository cannot be read. To have no repository at all is no error: then nothing is known.
    fn first_parents(&self, commit: Commit, most: usize) -> Result<Lineage, AncestryError>;

    /// Returns the tree of a commit; none where there is no repository, or the commit is not in it.
    ///
    /// # Errors
    /// [`AncestryError::Unreadable`].
    fn tree(&self, commit: Commit) -> Result<Option<Tree>, AncestryError>;
}

/// Holds a stretch of history: the first parents of a commit, as far as they were asked for or are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The ancestors, nearest first.
    pub ancestors: Vec<Commit>,
    /// Why there are no more.
    pub end: End,
}

/// Says why a [`Lineage`] has no further ancestors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The last one has no parent.
    Root,
    /// As many as were asked for are there.
    Most,
    /// The last one is named by its child, but is itself not there: the boundary of a shallow clone, or no repository.
    Unknown,
}

/// Says why a commit's ancestors cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum AncestryError {
    /// There is a repository, and it does not have the commit.
    #[error("this repository has no commit {0}")]
    NoSuchCommit(Commit),
    /// The repository has the commit, or should, and reading fails.
    #[error("the history of {commit} cannot be read")]
    Unreadable {
        /// The commit whose ancestors were asked for.
        commit: Commit,
        /// What git says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Knows no history: what there is without a repository.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHistory;

impl Ancestry for NoHistory {
    fn first_parents(&self, _: Commit, _: usize) -> Result<Lineage, AncestryError> {
        Ok(Lineage { ancestors: Vec::new(), end: End::Unknown })
    }

    fn tree(&self, _: Commit) -> Result<Option<Tree>, AncestryError> {
        Ok(None)
    }
}

/// Knows the history that it was told: for each commit its first parent, or that it is a root; and for some their tree.
///
/// A parent that is not itself a key stands beyond a shallow clone's boundary.
#[derive(Debug, Clone, Default)]
pub struct ToldHistory {
    /// The first parent of each commit that is known.
    pub parents: HashMap<Commit, Option<Commit>>,
    /// The trees that are known.
    pub trees: HashMap<Commit, Tree>,
}

impl Ancestry for ToldHistory {
    fn first_parents(&self, commit: Commit, most: usize) -> Result<Lineage, AncestryError> {
        let mut next = *self.parents.get(&commit).ok_or(AncestryError::NoSuchCommit(commit))?;
        let mut ancestors = Vec::new();
        while ancestors.len() < most {
            let Some(parent) = next else {
                return Ok(Lineage { ancestors, end: End::Root });
            };
            ancestors.push(parent);
            match self.parents.get(&parent) {
                Some(&grandparent) => next = grandparent,
                None => return Ok(Lineage { ancestors, end: End::Unknown }),
            }
        }
        Ok(Lineage { ancestors, end: if next.is_none() { End::Root } else { End::Most } })
    }

    fn tree(&self, commit: Commit) -> Result<Option<Tree>, AncestryError> {
        Ok(self.trees.get(&commit).copied())
    }
}
