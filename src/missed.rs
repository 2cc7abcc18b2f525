//! Which commits have no metafile: what hooks have missed, or were never told of.

use std::collections::HashSet;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::address::Commit;
use crate::git::{GitError, Range, Reached, Reference, Repository};
use crate::moved;
use crate::store::{Key, Store, StoreError};

/// How many commits are looked at, the newest.
pub const REACH: usize = 1000;

/// How many commits without a metafile are named one by one.
const NAMED: usize = 10;

/// How many refs are asked whether they lead to more of them.
const TRIED: usize = 20;

/// Says why it is not known which commits have no metafile.
#[derive(Debug, thiserror::Error)]
pub enum MissedError {
    /// Git cannot tell which commits there are.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Says which commits have no metafile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// The commits, the newest first.
    pub commits: Vec<Commit>,
    /// How many were looked at.
    pub seen: usize,
    /// Whether there are older ones that were not looked at.
    pub stopped: bool,
    /// The commands that give them theirs.
    pub by_hand: Vec<String>,
}

/// Looks at the commits that refs and what is checked out reach, the newest thousand.
///
/// # Errors
/// [`MissedError`].
pub async fn missed(repository: &Repository, store: &dyn Store, jobs: usize) -> Result<Missed, MissedError> {
    let refs = refs(repository)?;
    let tips: Vec<Commit> = refs.iter().map(|found| found.commit).chain(repository.heads()?).collect();
    if tips.is_empty() {
        return Ok(Missed::default());
    }
    let Reached { mut commits, stopped } = repository.reach(&Range { tips, hidden: Vec::new(), most: Some(REACH) })?;
    commits.reverse();
    let seen = commits.len();
    let look =
        |commit: Commit| async move { store.head(&Key::Metafile(commit)).await.map(|found| (commit, found.is_some())) };
    let looked: Vec<_> = stream::iter(commits).map(look).buffered(jobs).try_collect().await?;
    let commits: Vec<Commit> = looked.into_iter().filter(|(_, found)| !found).map(|(commit, _)| commit).collect();
    let by_hand = by_hand(repository, &refs, &commits)?;
    Ok(Missed { commits, seen, stopped, by_hand })
}

/// Returns the refs, and HEAD first: most often it leads to all that somebody works on.
fn refs(repository: &Repository) -> Result<Vec<Reference>, GitError> {
    let head = repository.head()?.map(|commit| Reference { name: "HEAD".to_owned(), commit });
    let refs = repository.refs()?.into_iter().filter(|found| moved::is_history(&found.name));
    Ok(head.into_iter().chain(refs).collect())
}

/// Returns commands that give these commits their metafiles: a few are named, and of many the refs that lead there, with all of their history.
fn by_hand(repository: &Repository, refs: &[Reference], commits: &[Commit]) -> Result<Vec<String>, GitError> {
    if commits.len() <= NAMED {
        let ids: String = commits.iter().rev().map(|commit| format!(" {commit}")).collect();
        return Ok((!ids.is_empty()).then(|| format!("metalogic stub{ids}")).into_iter().collect());
    }
    let mut left: HashSet<Commit> = commits.iter().copied().collect();
    let mut commands = Vec::new();
    for found in refs.iter().take(TRIED) {
        if left.is_empty() {
            break;
        }
        let tips = vec![found.commit];
        let reached = repository.reach(&Range { tips, hidden: Vec::new(), most: Some(REACH) })?.commits;
        if reached.iter().filter(|commit| left.remove(*commit)).count() > 0 {
            // A ref may have a name that a shell takes for more than a word.
            let is_word = found.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte));
            let word = if is_word { found.name.clone() } else { found.commit.to_string() };
            commands.push(format!("metalogic stub --range {word}"));
        }
    }
    Ok(commands)
}
