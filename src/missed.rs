//! Which commits have no metafile: what hooks have missed, or were never told of.

use std::collections::HashSet;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::address::Commit;
use crate::git::{GitError, Range, Reached, Reference, Repository};
use crate::store::{Key, Store, StoreError};

/// How many commits are looked at, the newest.
pub const REACH: usize = 1000;

/// How many branches are named that lead to commits without a metafile.
const NAMED: usize = 20;

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

/// Looks at the commits that branches and HEAD reach, the newest thousand.
///
/// # Errors
/// [`MissedError`].
pub async fn missed(repository: &Repository, store: &dyn Store, jobs: usize) -> Result<Missed, MissedError> {
    let branches = branches(repository)?;
    if branches.is_empty() {
        return Ok(Missed::default());
    }
    let tips = branches.iter().map(|branch| branch.commit).collect();
    let Reached { mut commits, stopped } = repository.reach(&Range { tips, hidden: Vec::new(), most: Some(REACH) })?;
    commits.reverse();
    let seen = commits.len();
    let look =
        |commit: Commit| async move { store.head(&Key::Metafile(commit)).await.map(|found| (commit, found.is_some())) };
    let looked: Vec<_> = stream::iter(commits).map(look).buffered(jobs).try_collect().await?;
    let commits: Vec<Commit> = looked.into_iter().filter(|(_, found)| !found).map(|(commit, _)| commit).collect();
    let by_hand = by_hand(repository, &branches, &commits)?;
    Ok(Missed { commits, seen, stopped, by_hand })
}

/// Returns the branches, and HEAD first: most often it leads to all that somebody works on.
fn branches(repository: &Repository) -> Result<Vec<Reference>, GitError> {
    let head = repository.head()?.map(|commit| Reference { name: "HEAD".to_owned(), commit });
    let refs = repository.refs()?.into_iter().filter(|found| found.name.starts_with("refs/heads/"));
    Ok(head.into_iter().chain(refs).collect())
}

/// Returns commands that cover all these commits between them: each takes the whole history of one branch.
fn by_hand(repository: &Repository, branches: &[Reference], commits: &[Commit]) -> Result<Vec<String>, GitError> {
    let mut left: HashSet<Commit> = commits.iter().copied().collect();
    let mut commands = Vec::new();
    for branch in branches {
        if left.is_empty() || commands.len() == NAMED {
            break;
        }
        let tips = vec![branch.commit];
        let reached = repository.reach(&Range { tips, hidden: Vec::new(), most: Some(REACH) })?.commits;
        if reached.iter().filter(|commit| left.remove(*commit)).count() > 0 {
            let name = branch.name.strip_prefix("refs/heads/").unwrap_or(&branch.name);
            // A branch may have a name that a shell takes for more than a word.
            let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte));
            let word = if is_word { name.to_owned() } else { branch.commit.to_string() };
            commands.push(format!("metalogic stub --range {word}"));
        }
    }
    Ok(commands)
}
