//! Why an artifact is what it is at a commit: the walk told, address by address.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::address::Commit;
use crate::artifact::Name;
use crate::catalog::Catalog;
use crate::event::{Observer, Silent};
use crate::git::{GitError, Range, Repository};
use crate::metafile::{Attempt, Metafile};
use crate::resolve::ResolveError;
use crate::state::Verdict;
use crate::status::{self, StatusError};
use crate::store::StoreError;
use crate::walk::Walk;
use crate::world::World;

/// How many commits that merges brought are looked at.
const MOST_BESIDE: usize = 200;

/// Tells how an artifact came to be what it is at a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// How it stands.
    pub verdict: Verdict,
    /// The addresses that were looked at, the commit's own first; the last one has the artifact, if it was found at an address.
    pub stations: Vec<Station>,
    /// The commits on the way, from where it was built to the commit in question, that changed its inputs; the newest first. None where that
    /// cannot be told.
    pub changes: Option<Vec<Commit>>,
    /// Where it was built too, on a way that first parents do not go.
    pub beside: Beside,
}

/// Tells of one address on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// The commit.
    pub commit: Commit,
    /// Whether the artifact stands there.
    pub stands: bool,
    /// Whether the commit has a metafile.
    pub metafile: bool,
    /// The attempt to build it there, where it does not stand there.
    pub attempt: Option<Attempt>,
}

/// Tells what merges brought that first parents do not lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// There is no repository, or it does not have what was merged.
    Unknown,
    /// These commits were looked at, and the artifact stands at some of them, the newest first.
    Looked {
        /// How many were looked at.
        commits: usize,
        /// Whether there were more.
        stopped: bool,
        /// Where it stands.
        stands: Vec<Commit>,
    },
}

/// Says why the way of an artifact cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// The commit cannot be resolved.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// Git cannot tell what was merged.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl From<StoreError> for WhyError {
    fn from(error: StoreError) -> Self {
        Self::Status(ResolveError::from(error).into())
    }
}

/// Tells how an artifact came to be what it is at a commit, by a look now: at the commit's address, at those of its ancestors up to where the
/// artifact stands, at their metafiles, and at what merges brought on the way.
///
/// # Errors
/// [`WhyError`].
pub async fn why(
    world: World<'_>,
    repository: Option<&Repository>,
    catalog: Option<&Catalog>,
    commit: Commit,
    name: &Name,
) -> Result<Account, WhyError> {
    let status = status::status_of(world, catalog, commit, &BTreeSet::from([name.clone()])).await?;
    let verdict = status.verdicts.into_values().next().expect("because one name was judged");

    let stations = stations(world, &status.metafile, name).await?;
    let line: Vec<Commit> = stations.iter().map(|station| station.commit).collect();
    let stands = stations.last().is_some_and(|last| last.stands);
    let inputs = catalog.and_then(|catalog| catalog.inputs(name)).filter(|_| stands);
    let changes = match inputs {
        Some(inputs) => {
            let digests = world.ancestry.inputs_along(&line, inputs).map_err(StatusError::from)?;
            changed(&line, &digests)
        }
        None => None,
    };
    let beside = match repository {
        Some(repository) => beside(world, repository, &line, stands, name).await?,
        None => Beside::Unknown,
    };
    Ok(Account { verdict, stations, changes, beside })
}

/// Looks along first parents until the artifact stands somewhere, and at the metafiles of those that were passed over.
async fn stations(world: World<'_>, metafile: &Metafile, name: &Name) -> Result<Vec<Station>, WhyError> {
    let commit = metafile.commit;
    // What is wrong with history was told when the commit was resolved.
    let silent: Arc<dyn Observer> = Arc::new(Silent);
    let mut walk = Walk::new(World { observer: &silent, ..world }, commit).map_err(StatusError::from)?;
    walk.hear_own(metafile);
    let own = world.store.list(commit).await?;
    let mut looked = vec![(commit, own.artifacts.contains_key(name), own.metafile)];
    while !looked.last().is_some_and(|(_, stands, _)| *stands)
        && let Some((ancestor, listing)) = walk.listing(looked.len() - 1).await?
    {
        looked.push((ancestor, listing.artifacts.contains_key(name), listing.metafile));
    }
    let passed: Vec<Commit> = looked.iter().filter(|(_, stands, told)| *told && !stands).map(|(at, ..)| *at).collect();
    walk.read_metafiles(&passed).await?;
    let attempt = |at: Commit| walk.metafile(at).and_then(|metafile| metafile.attempts.get(name)).cloned();
    let station = |(commit, stands, metafile)| {
        let attempt = if stands { None } else { attempt(commit) };
        Station { commit, stands, metafile, attempt }
    };
    Ok(looked.into_iter().map(station).collect())
}

/// Returns which commits of a line, the newest first, have other inputs than their parents; none where any of them is not known.
fn changed<D: PartialEq>(line: &[Commit], digests: &[Option<D>]) -> Option<Vec<Commit>> {
    if digests.iter().any(Option::is_none) {
        return None;
    }
    let pairs = line.iter().zip(digests.iter().zip(digests.iter().skip(1)));
    Some(pairs.filter(|(_, (now, before))| now != before).map(|(commit, _)| *commit).collect())
}

/// Looks at what merges on the way brought.
async fn beside(
    world: World<'_>,
    repository: &Repository,
    line: &[Commit],
    stands: bool,
    name: &Name,
) -> Result<Beside, WhyError> {
    // What was merged before the artifact was built is older than it.
    let way = if stands { line.split_last().map_or(line, |(_, way)| way) } else { line };
    let mut tips = Vec::new();
    for commit in way {
        let Some(summary) = repository.summary(*commit)? else { return Ok(Beside::Unknown) };
        for further in summary.parents.into_iter().skip(1) {
            if repository.peeled(further)?.is_none() {
                return Ok(Beside::Unknown);
            }
            tips.push(further);
        }
    }
    if tips.is_empty() {
        return Ok(Beside::Looked { commits: 0, stopped: false, stands: Vec::new() });
    }
    // Where it was built ends the way; where it was not found, the way goes on where nobody looked.
    let hidden = match line.last() {
        Some(last) if !stands => repository.summary(*last)?.and_then(|summary| summary.parents.first().copied()),
        last => last.copied(),
    };
    let hidden: Vec<Commit> =
        hidden.into_iter().filter(|hidden| repository.peeled(*hidden).is_ok_and(|here| here.is_some())).collect();
    let reached = repository.reach(&Range { tips, hidden, most: Some(MOST_BESIDE) })?;
    let looked: Vec<Commit> = reached.commits.into_iter().rev().filter(|commit| !line.contains(commit)).collect();
    let commits = looked.len();
    let look = |commit| async move { world.store.list(commit).await.map(|listing| (commit, listing)) };
    let listings: Vec<_> = stream::iter(looked).map(look).buffered(world.limits.jobs).try_collect().await?;
    let stands = listings.into_iter().filter(|(_, listing)| listing.artifacts.contains_key(name));
    Ok(Beside::Looked { commits, stopped: reached.stopped, stands: stands.map(|(commit, _)| commit).collect() })
}
