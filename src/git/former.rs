//! What a branch was before: whether a former tip is still in its history, and which former tips this clone knows of.

use crate::address::Commit;

use super::program::{self, NOWHERE, Program, ProgramError};
use super::{GitError, Repository, is_own_upstream, objects, unreadable};

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

impl Program {
    /// Says whether a commit is a descendant of another one; both must be there. Grafts do not count.
    fn descends(&self, new: Commit, old: Commit) -> Result<bool, ProgramError> {
        let mut command = self.command("merge-base");
        command.env("GIT_GRAFT_FILE", NOWHERE).arg("--is-ancestor").args([old.to_string(), new.to_string()]);
        let output = program::run(&mut command)?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(program::failed(program::complaint(&output))),
        }
    }

    /// Returns what the checked-out branch's own upstream is, and what it was before.
    fn upstream(&self) -> Result<Vec<String>, ProgramError> {
        let output = program::run(self.command("rev-parse").args(["--symbolic-full-name", "HEAD", "@{upstream}"]))?;
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut names = names.lines();
        // Git fails where there is none, and then may say so on its standard output too.
        let (true, Some(branch), Some(upstream)) = (output.status.success(), names.next(), names.next()) else {
            return Ok(Vec::new());
        };
        if !is_own_upstream(branch, upstream) {
            return Ok(Vec::new());
        }
        let (now, before) = (self.revision(upstream)?, self.revision(&format!("{upstream}@{{1}}"))?);
        Ok(now.into_iter().chain(before).collect())
    }

    /// Returns what HEAD was lately, newest first.
    fn recent_heads(&self, most: usize) -> Result<Vec<String>, ProgramError> {
        let mut command = self.command("log");
        command.args(["--walk-reflogs", "--format=%H", &format!("--max-count={most}"), "HEAD", "--"]);
        let ids = program::succeed(&mut command)?;
        Ok(String::from_utf8_lossy(&ids).lines().map(str::to_owned).collect())
    }
}
