//! What people know a commit by.

use crate::address::Commit;

use super::objects::{self, Cause, Objects};
use super::{GitError, Repository, unreadable};

/// Tells what people know a commit by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The first line of the message that says something; empty where none does. It is as the author wrote it, and may hold any character.
    pub subject: String,
    /// When it was committed, in seconds since 1970; none where the commit does not say so in a way that makes sense.
    pub committed: Option<i64>,
    /// All its parents, the first one first. They need not be here.
    pub parents: Vec<Commit>,
}

impl Repository {
    /// Returns what people know a commit by; none where it is not here.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn summary(&self, commit: Commit) -> Result<Option<Summary>, GitError> {
        self.read(|objects| summary(objects, commit))
            .map_err(|source| unreadable(format!("the commit {commit}"), source))
    }
}

fn summary(objects: &mut dyn Objects, commit: Commit) -> Result<Option<Summary>, Cause> {
    let Some(bytes) = objects::commit(objects, commit)? else { return Ok(None) };
    let parents = objects::headers(&bytes, "parent").map(|id| id.parse()).collect::<Result<_, _>>()?;
    let committed = objects::headers(&bytes, "committer").next().and_then(|committer| seconds(&committer));
    Ok(Some(Summary { subject: subject(&bytes), committed, parents }))
}

/// Returns the first line of a commit's message that is not blank. The message begins behind the first empty line.
fn subject(commit: &[u8]) -> String {
    let mut lines = commit.split(|byte| *byte == b'\n').skip_while(|line| !line.is_empty());
    let line = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    String::from_utf8_lossy(line.trim_ascii()).into_owned()
}

/// Returns the seconds in a name, an address, the seconds and a time zone.
fn seconds(committer: &str) -> Option<i64> {
    let (_, time) = committer.rsplit_once('>')?;
    time.split_whitespace().next()?.parse().ok()
}
