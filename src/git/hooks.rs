//! Where git looks for hooks, and who told it so.

use std::fmt;
use std::path::PathBuf;

use super::program::{self, Program, ProgramError};
use super::{GitError, Repository, direct, unreadable};

/// The setting that has git look for hooks elsewhere.
const HOOKS_PATH: &str = "core.hooksPath";

/// Says what `core.hooksPath` is, and where it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HooksPath {
    /// Its value, as it is written.
    pub value: String,
    /// Which of git's configurations sets it: `local`, `global`, `system`, `worktree`, `command`. None where git is too old to say.
    pub scope: Option<String>,
    /// The file, as in `file:/home/ada/.gitconfig`, or what else set it.
    pub origin: String,
}

impl fmt::Display for HooksPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "core.hooksPath is {:?}, set ", self.value)?;
        match self.origin.strip_prefix("file:") {
            Some(file) => write!(f, "in {file}")?,
            None => f.write_str("in the environment or by git's -c")?,
        }
        match &self.scope {
            Some(scope) => write!(f, " ({scope})"),
            None => Ok(()),
        }
    }
}

impl Repository {
    /// Returns the directory in which git looks for hooks here. It need not exist.
    ///
    /// # Errors
    /// [`GitError::NoProgram`]: only git itself knows; [`GitError::Unreadable`].
    pub fn hooks_directory(&self) -> Result<PathBuf, GitError> {
        let asked = self.at_its_place();
        let told = program::succeed(asked.command("rev-parse").args(["--git-path", "hooks"]));
        let told = told.map_err(|error| not_told("the directory of hooks", error))?;
        // A directory's name may end in anything but git's own end of the line.
        let told = program::path(told.strip_suffix(b"\n").unwrap_or(&told));
        Ok(direct(&asked.directory.join(told)))
    }

    /// Returns what `core.hooksPath` is; none where nobody sets it.
    ///
    /// # Errors
    /// Those of [`Repository::hooks_directory`].
    pub fn hooks_path(&self) -> Result<Option<HooksPath>, GitError> {
        let asked = self.at_its_place();
        let told = match asked.origin(&["--show-scope", "--show-origin"]) {
            // Git knows the first of these since 2.26.
            Err(ProgramError::Failed(_)) => asked.origin(&["--show-origin"]),
            told => told,
        };
        let told = told.map_err(|error| not_told("the setting core.hooksPath", error))?;
        let mut parts = told.into_iter().rev();
        let (Some(value), Some(origin)) = (parts.next(), parts.next()) else { return Ok(None) };
        Ok(Some(HooksPath { value, origin, scope: parts.next() }))
    }

    /// Says whether others push to it: it has no work tree of its own.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn is_bare(&self) -> Result<bool, GitError> {
        // In a linked work tree of a bare repository git says that it is none.
        Ok(self.top().is_none() || self.setting("core.bare")?.last().is_some_and(|value| value == "true"))
    }

    /// Says whether commits are made in it: it has a work tree, be it a linked one.
    #[must_use]
    pub fn has_work_trees(&self) -> bool {
        let linked = || self.common_directory().join("worktrees").read_dir();
        self.top().is_some() || linked().is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Returns the program where hooks run, since relative paths are relative to that.
    fn at_its_place(&self) -> Program {
        // With GIT_DIR git takes the directory in which it runs for the top, so that must stay.
        if std::env::var_os("GIT_DIR").is_some() {
            return Program::at(&self.program.directory);
        }
        Program::at(self.top().unwrap_or(self.common_directory()))
    }
}

impl Program {
    /// Returns what `git config` says of `core.hooksPath`, value last; nothing where it is not set.
    fn origin(&self, options: &[&str]) -> Result<Vec<String>, ProgramError> {
        let output = program::run(self.command("config").arg("--null").args(options).args(["--get", HOOKS_PATH]))?;
        match output.status.code() {
            Some(0) => {}
            Some(1) => return Ok(Vec::new()),
            _ => return Err(program::failed(program::complaint(&output))),
        }
        Ok(String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect())
    }
}

fn not_told(what: &str, error: ProgramError) -> GitError {
    match error {
        ProgramError::Absent => GitError::NoProgram { why: format!("{what} is its own to tell") },
        error @ (ProgramError::ForeignOwner(_) | ProgramError::Failed(_)) => unreadable(what.to_owned(), error.into()),
    }
}
