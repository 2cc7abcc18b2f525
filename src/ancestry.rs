//! What the rule needs from history: a commit, its first parents and its tree.

use std::collections::HashMap;

use crate::address::{Commit, Tree};
use crate::artifact::Digest;
use crate::inputs::Inputs;
use crate::tally::{Taken, Tally, TreeEntry};

/// Knows the first parents of commits, their trees and what these have of declared inputs.
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

    /// Returns what a commit has of each of several declared inputs; none where there is no repository, the commit is not in it, or a tree
    /// that is needed is not here, as in a partial clone: nothing is fetched.
    ///
    /// Directories below which none of them can match are not read.
    ///
    /// # Errors
    /// [`AncestryError::Unreadable`].
    fn inputs(&self, commit: Commit, declared: &[&Inputs]) -> Result<Option<Vec<Taken>>, AncestryError>;

    /// Returns the digest of one artifact's inputs at each of many commits, in their order; none for a commit where it cannot be told.
    ///
    /// What neighbours have in common is read once, so that a commit costs what it changed.
    ///
    /// # Errors
    /// [`AncestryError::Unreadable`].
    fn inputs_along(&self, commits: &[Commit], declared: &Inputs) -> Result<Vec<Option<Digest>>, AncestryError>;
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

    fn inputs(&self, _: Commit, _: &[&Inputs]) -> Result<Option<Vec<Taken>>, AncestryError> {
        Ok(None)
    }

    fn inputs_along(&self, commits: &[Commit], _: &Inputs) -> Result<Vec<Option<Digest>>, AncestryError> {
        Ok(vec![None; commits.len()])
    }
}

/// Knows the history that it was told: for each commit its first parent, or that it is a root; for some their tree, and for some their files.
///
/// A parent that is not itself a key stands beyond a shallow clone's boundary.
#[derive(Debug, Clone, Default)]
pub struct ToldHistory {
    /// The first parent of each commit that is known.
    pub parents: HashMap<Commit, Option<Commit>>,
    /// The trees that are known.
    pub trees: HashMap<Commit, Tree>,
    /// The files that are known: what is not a key is not here.
    pub files: HashMap<Commit, Vec<File>>,
}

/// Holds an entry of a commit's tree that is no directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Its path from the top.
    pub path: Vec<u8>,
    /// What it is, as [`TreeEntry::mode`] says.
    pub mode: u32,
    /// The full id of its object.
    pub id: String,
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
    fn inputs(&self, commit: Commit, declared: &[&Inputs]) -> Result<Option<Vec<Taken>>, AncestryError> {
        let Some(files) = self.files.get(&commit) else { return Ok(None) };
        let mut files: Vec<&File> = files.iter().collect();
        files.sort();
        let taken = |inputs: &&Inputs| {
            let mut tally = Tally::of(inputs);
            for File { path, mode, id } in &files {
                tally.look(&TreeEntry { mode: *mode, id, path });
            }
            tally.finish()
        };
        Ok(Some(declared.iter().map(taken).collect()))
    }

    fn inputs_along(&self, commits: &[Commit], declared: &Inputs) -> Result<Vec<Option<Digest>>, AncestryError> {
        let digest = |commit: &Commit| {
            let taken = self.inputs(*commit, &[declared])?;
            Ok(taken.and_then(|taken| Some(taken.first()?.digest)))
        };
        commits.iter().map(digest).collect()
    }
}
