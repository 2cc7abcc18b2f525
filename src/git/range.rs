//! Which commits a range has: the only walk that goes along all parents, which the `git` program does.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::Stdio;

use crate::address::Commit;

use super::program::{self, NOWHERE, Program, ProgramError};
use super::{GitError, Repository, objects, unreadable};

/// Says which commits are asked for: those that the tips reach and the hidden ones do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Where to begin.
    pub tips: Vec<Commit>,
    /// What is hidden, with all that it reaches. What is not in the repository hides nothing.
    pub hidden: Vec<Commit>,
    /// How many commits at most, the newest; all where none.
    pub most: Option<usize>,
}

/// Holds the commits of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// The commits, each after all of its parents.
    pub commits: Vec<Commit>,
    /// Whether there were more.
    pub stopped: bool,
}

/// Holds a ref and the commit that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its full name.
    pub name: String,
    /// The commit, with tags followed.
    pub commit: Commit,
}

impl Repository {
    /// Returns the commits of a range, along all parents, the oldest first. A shallow clone's boundary ends it.
    ///
    /// # Errors
    /// [`GitError::NoProgram`], unless the range is one commit on its only parent; [`GitError::Unreadable`], also for a tip that is not there.
    pub fn reach(&self, range: &Range) -> Result<Reached, GitError> {
        let failed = |source| unreadable("a range of commits".to_owned(), source);
        if let ([tip], [hidden]) = (range.tips.as_slice(), range.hidden.as_slice())
            && self.read(|objects| objects::is_only_parent(objects, *hidden, *tip)).map_err(failed)?
        {
            return Ok(Reached { commits: vec![*tip], stopped: false });
        }
        let most = range.most.map(|most| most.saturating_add(1));
        let mut commits = match self.program.reach(&range.tips, &range.hidden, most) {
            Ok(commits) => commits,
            Err(ProgramError::Absent) => {
                return Err(GitError::NoProgram { why: "a range goes along all parents".to_owned() });
            }
            Err(error) => return Err(failed(error.into())),
        };
        let stopped = range.most.is_some_and(|most| commits.len() > most);
        if stopped {
            commits.remove(0);
        }
        Ok(Reached { commits, stopped })
    }

    /// Returns every ref that leads to a commit.
    ///
    /// # Errors
    /// [`GitError::NoProgram`]; [`GitError::Unreadable`].
    pub fn refs(&self) -> Result<Vec<Reference>, GitError> {
        match self.program.refs() {
            Ok(refs) => Ok(refs),
            Err(ProgramError::Absent) => Err(GitError::NoProgram { why: "all refs are asked for".to_owned() }),
            Err(error) => Err(unreadable("the refs".to_owned(), error.into())),
        }
    }

    /// Returns the names of the refs from which a commit is reached.
    ///
    /// # Errors
    /// [`GitError::NoProgram`]; [`GitError::Unreadable`].
    pub fn refs_to(&self, commit: Commit) -> Result<HashSet<String>, GitError> {
        match self.program.refs_to(commit) {
            Ok(names) => Ok(names),
            Err(ProgramError::Absent) => Err(GitError::NoProgram { why: "all refs are asked for".to_owned() }),
            Err(error) => Err(unreadable("the refs".to_owned(), error.into())),
        }
    }

    /// Returns the commits that are checked out in all work trees.
    ///
    /// # Errors
    /// [`GitError::NoProgram`]; [`GitError::Unreadable`].
    pub fn heads(&self) -> Result<Vec<Commit>, GitError> {
        match self.program.heads() {
            Ok(heads) => Ok(heads),
            Err(ProgramError::Absent) => Err(GitError::NoProgram { why: "all work trees are asked for".to_owned() }),
            Err(error) => Err(unreadable("the work trees".to_owned(), error.into())),
        }
    }

    /// Says whether an object is here, whatever it is.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn has(&self, id: Commit) -> Result<bool, GitError> {
        let failed = |source| unreadable(format!("the object {id}"), source);
        self.read(|objects| Ok(objects.read(&id.to_string(), u64::MAX)?.is_some())).map_err(failed)
    }

    /// Returns the commit that an id leads to, with tags followed; none where it leads to none, or is not there.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn peeled(&self, id: Commit) -> Result<Option<Commit>, GitError> {
        let failed = |source| unreadable(format!("the object {id}"), source);
        self.read(|objects| objects::peel(objects, id.to_string())).map_err(failed)
    }
}

impl Program {
    fn reach(&self, tips: &[Commit], hidden: &[Commit], most: Option<usize>) -> Result<Vec<Commit>, ProgramError> {
        let mut command = self.command("rev-list");
        command.args(["--topo-order", "--reverse", "--ignore-missing", "--stdin"]);
        if let Some(most) = most {
            command.arg(format!("--max-count={most}"));
        }
        // Grafts are as little heeded as replaced objects are.
        command.env("GIT_GRAFT_FILE", NOWHERE);
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(program::not_started)?;
        let mut asked: String = tips.iter().map(|tip| format!("{tip}\n")).collect();
        asked.extend(hidden.iter().map(|hidden| format!("^{hidden}\n")));
        let mut requests = child.stdin.take().expect("because the child was given a pipe");
        // It reads all of this before it says anything. One that has ended says why.
        let _ = requests.write_all(asked.as_bytes());
        drop(requests);
        let told = program::succeeded(child.wait_with_output().map_err(program::not_started)?)?;
        let ids = String::from_utf8_lossy(&told);
        ids.lines().map(|id| id.parse().map_err(|error| ProgramError::Failed(Box::new(error)))).collect()
    }

    fn refs_to(&self, commit: Commit) -> Result<HashSet<String>, ProgramError> {
        let mut command = self.command("for-each-ref");
        let names = program::succeed(command.arg(format!("--contains={commit}")).arg("--format=%(refname)"))?;
        Ok(String::from_utf8_lossy(&names).lines().map(str::to_owned).collect())
    }

    fn heads(&self) -> Result<Vec<Commit>, ProgramError> {
        let told = program::succeed(self.command("worktree").args(["list", "--porcelain"]))?;
        // A work tree without a commit tells zeros.
        let head = |line: &str| line.strip_prefix("HEAD ")?.parse().ok();
        Ok(String::from_utf8_lossy(&told).lines().filter_map(head).collect())
    }

    fn refs(&self) -> Result<Vec<Reference>, ProgramError> {
        let mut command = self.command("for-each-ref");
        // What a tag leads to has an id of its own, which is the last one told.
        command.arg("--format=%(objecttype) %(objectname) %(refname)%00%(*objecttype) %(*objectname)");
        let told = program::succeed(&mut command)?;
        Ok(String::from_utf8_lossy(&told).lines().filter_map(reference).collect())
    }
}

fn reference(line: &str) -> Option<Reference> {
    let (own, leads_to) = line.split_once('\0')?;
    let (own_kind, rest) = own.split_once(' ')?;
    let (own_id, name) = rest.split_once(' ')?;
    let (kind, id) = match leads_to.split_once(' ')? {
        ("", _) => (own_kind, own_id),
        followed => followed,
    };
    // A tag of a tag is left to git, which follows it where it is named.
    matches!(kind, "commit" | "tag").then_some(())?;
    Some(Reference { name: name.to_owned(), commit: id.parse().ok()? })
}
