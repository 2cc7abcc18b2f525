//! Rewritten history: which former commits are of the same files, so that what was built of them is known.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::address::{Commit, Tree};
use crate::artifact::Name;
use crate::store::StoreError;
use crate::stored;
use crate::world::World;

/// How many former commits that git does not have here are looked up in the store, and how many of the same tree are told of.
const FEW: usize = 5;

/// Tells that a former commit of the same tree has artifacts at its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameTree {
    /// The commit that was asked about.
    pub new: Commit,
    /// The former commit.
    pub old: Commit,
    /// What stands at the former commit's address.
    pub artifacts: BTreeSet<Name>,
}

/// Returns which of these former commits have the same tree as a commit, and artifacts at their address; the first few of them, in the order given.
///
/// A tree is known from git or, where git does not have the commit, from the commit's own metafile. An ancestor from which
/// the commit inherits is left out, and so is a descendant: neither was rewritten into it. The store is asked only about those that have the same tree, and about a few that git does not have.
///
/// # Errors
/// The store's. What git cannot tell here is not known.
pub async fn same_tree(world: World<'_>, commit: Commit, formers: &[Commit]) -> Result<Vec<SameTree>, StoreError> {
    let mut seen: HashSet<Commit> = ancestors(world, commit).into_iter().collect();
    seen.insert(commit);
    let formers: Vec<Commit> = formers.iter().copied().filter(|former| seen.insert(*former)).collect();
    if formers.is_empty() {
        return Ok(Vec::new());
    }
    let Some(tree) = tree_of(world, commit).await? else { return Ok(Vec::new()) };
    let mut same = Vec::new();
    let mut asked = 0;
    for former in formers {
        let known = in_git(world, former);
        asked += usize::from(known.is_none());
        let known = if known.is_none() && asked <= FEW { in_store(world, former).await? } else { known };
        if known == Some(tree) && same.len() < FEW && !ancestors(world, former).contains(&commit) {
            same.push(former);
        }
    }
    let list = |old| async move {
        let artifacts = world.store.list(old).await?.artifacts.into_keys().collect();
        Ok::<_, StoreError>(SameTree { new: commit, old, artifacts })
    };
    let listed: Vec<SameTree> = stream::iter(same).map(list).buffered(FEW).try_collect().await?;
    Ok(listed.into_iter().filter(|same| !same.artifacts.is_empty()).collect())
}

/// Returns the ancestors that a commit inherits from, as far as git knows them.
fn ancestors(world: World<'_>, commit: Commit) -> Vec<Commit> {
    let lineage = world.ancestry.first_parents(commit, world.limits.max_ancestors);
    lineage.map(|lineage| lineage.ancestors).unwrap_or_default()
}

async fn tree_of(world: World<'_>, commit: Commit) -> Result<Option<Tree>, StoreError> {
    match in_git(world, commit) {
        None => in_store(world, commit).await,
        known => Ok(known),
    }
}

fn in_git(world: World<'_>, commit: Commit) -> Option<Tree> {
    world.ancestry.tree(commit).ok().flatten()
}

async fn in_store(world: World<'_>, commit: Commit) -> Result<Option<Tree>, StoreError> {
    let stored = stored::read(world.store, commit).await?;
    Ok(stored.and_then(|stored| stored.metafile.ok()?.tree))
}

impl fmt::Display for SameTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.artifacts.iter().map(Name::as_str).collect();
        write!(f, "{} has the same tree as {}, whose address has {}", self.new, self.old, names.join(", "))
    }
}
