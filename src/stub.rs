//! Stubbing a commit: its first metafile, so that one always exists.

use crate::address::Commit;
use crate::ancestry::AncestryError;
use crate::metafile::{Metafile, MetafileError};
use crate::store::{Condition, Key, StoreError};
use crate::stored;
use crate::walk::Walk;
use crate::world::World;

/// Says what stubbing a commit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stub {
    /// The commit.
    pub commit: Commit,
    /// Where its metafile lies.
    pub url: String,
    /// Whether this run made it (or would, where nothing is written); otherwise there was one already.
    pub created: bool,
}

/// Says why a commit could not be stubbed.
#[derive(Debug, thiserror::Error)]
pub enum StubError {
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The commit's history cannot be told.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
    /// Nobody knows the commit's parent, so that a stub would say nothing true.
    #[error("the parent of {0} is not known without a repository")]
    NoParent(Commit),
    /// The metafile would be larger than any that is read.
    #[error("the metafile of {commit} cannot be written")]
    Metafile {
        /// The commit.
        commit: Commit,
        /// What is wrong with it.
        source: MetafileError,
    },
}

/// Puts the stub of a commit, unless there is a metafile already: then that is the success.
///
/// The stub is the first metafile found among the ancestors, re-addressed.
///
/// # Errors
/// [`StubError`].
pub async fn stub(world: World<'_>, commit: Commit, dry_run: bool) -> Result<Stub, StubError> {
    let url = world.store.url(&Key::Metafile(commit));
    let mut walk = Walk::new(world, commit)?;
    // Most often the parent has a metafile: it is read while the commit's own is looked for.
    let key = Key::Metafile(commit);
    let (own, ahead) = futures::future::join(world.store.head(&key), walk.read_parents_metafile()).await;
    if own?.is_some() {
        return Ok(Stub { commit, url, created: false });
    }
    ahead?;
    if !walk.knows_parent()? {
        return Err(StubError::NoParent(commit));
    }
    let parent = walk.parent(None)?;
    let mut stub = match walk.nearest_metafile().await? {
        Some(nearest) => nearest.stub(commit, parent),
        None => Metafile::empty(commit, parent),
    };
    stub.tree = world.ancestry.tree(commit)?;
    let bytes = stub.to_bytes().map_err(|source| StubError::Metafile { commit, source })?;
    let created = dry_run || stored::write(world.store, commit, bytes, &Condition::Absent).await?;
    Ok(Stub { commit, url, created })
}

/// How far back one of several commits is looked for among the ancestors of another.
const REACH: usize = 1000;

/// Puts commits in an order in which ancestors come before their descendants, so that a stub finds those made before it. A commit that
/// is named several times is there once.
#[must_use]
pub fn oldest_first(world: World<'_>, commits: &[Commit]) -> Vec<Commit> {
    let mut ordered: indexmap::IndexSet<Commit> = commits.iter().copied().collect();
    if ordered.len() > 1 {
        let named = ordered.clone();
        let before = |commit: &Commit| {
            // What git does not know here is refused when its turn comes.
            let ancestors = world.ancestry.first_parents(*commit, REACH).map(|lineage| lineage.ancestors);
            ancestors.unwrap_or_default().iter().filter(|ancestor| named.contains(*ancestor)).count()
        };
        ordered.sort_by_cached_key(|commit| before(commit));
    }
    ordered.into_iter().collect()
}
