//! What git knows: the repository, its commits and their first parents, its settings.
//!
//! There are two ways to ask. The library (libgit2) answers in microseconds and needs nothing installed, but does not open every kind of
//! repository. The program (`git`) opens all of them, and is the reference wherever the two might differ.

mod former;
mod hooks;
mod inputs;
mod library;
mod objects;
mod program;
mod range;
mod summary;
mod trees;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::address::{Commit, Tree};
use crate::ancestry::{Ancestry, AncestryError, Lineage};
use crate::artifact::Digest;
use crate::inputs::Inputs;
use crate::tally::Taken;

pub use former::Sought;
pub use hooks::HooksPath;
use library::Library;
use objects::{Blob, Cause, Objects};
use program::{Program, ProgramError};

pub use range::{Range, Reached, Reference};
pub use summary::Summary;

/// Where hosts keep the merge of a pull request with its target: below one of these, under `<number>/merge`.
const PULL_REQUESTS: [&str; 3] = ["refs/pull/", "refs/remotes/pull/", "refs/merge-requests/"];

/// Answers questions about one git repository.
pub struct Repository {
    /// None where only the program can open the repository.
    library: Option<Library>,
    program: Program,
    places: Places,
}

/// Says where a repository is, in absolute paths without symbolic links.
struct Places {
    common_directory: PathBuf,
    top: Option<PathBuf>,
}

/// Says why git does not answer; each variant is something else that a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The repository has no commit of that name.
    #[error("this repository has no commit {revision:?}")]
    NoSuchRevision {
        /// What was asked for.
        revision: String,
    },
    /// The revision starts from HEAD, on whose branch nothing was committed yet.
    #[error("HEAD has no commit yet")]
    Unborn,
    /// Git refuses a repository that belongs to another user until `safe.directory` names it.
    #[error("the repository in {} belongs to another user", directory.display())]
    ForeignOwner {
        /// What `safe.directory` must name.
        directory: PathBuf,
    },
    /// The repository is of a kind that needs the `git` program, and there is no such program on the path.
    #[error("the git program is needed and not found: {why}")]
    NoProgram {
        /// What the library cannot read, as a fragment.
        why: String,
    },
    /// A part of the commit was left out of this clone, which is partial; nothing is fetched unasked.
    #[error("this partial clone does not have {path} of {commit}")]
    NotHere {
        /// The path below the commit's tree.
        path: String,
        /// The commit.
        commit: Commit,
    },
    /// Git fails.
    #[error("{what} cannot be read")]
    Unreadable {
        /// What was to be read.
        what: String,
        /// What git says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Repository {
    /// Finds the repository that a directory is in, as git finds it: with `GIT_DIR` and its like. None where there is none.
    ///
    /// Where the library finds nothing or refuses, the program is asked: a repository that is broken is not taken for none.
    ///
    /// # Errors
    /// [`GitError::ForeignOwner`], [`GitError::NoProgram`], or [`GitError::Unreadable`] where git's files make no sense.
    pub fn discover(directory: &Path) -> Result<Option<Self>, GitError> {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let program = Program::at(directory);
        let refusal = match Library::open(directory) {
            Ok((library, places)) => return Ok(Some(Self::new(Some(library), program, places))),
            Err(refusal) => refusal,
        };
        match program.places() {
            Ok(places) => Ok(places.map(|places| Self::new(None, program, places))),
            Err(ProgramError::Absent) => library::refused(directory, refusal).map(|()| None),
            Err(ProgramError::ForeignOwner(directory)) => Err(GitError::ForeignOwner { directory }),
            Err(ProgramError::Failed(source)) => {
                Err(unreadable(format!("the repository of {}", directory.display()), source))
            }
        }
    }

    fn new(library: Option<Library>, program: Program, places: Places) -> Self {
        Self { library, program, places }
    }

    /// Returns git's common directory, which all work trees of a repository share.
    #[must_use]
    pub fn common_directory(&self) -> &Path {
        &self.places.common_directory
    }

    /// Returns the top of the work tree; none in a bare repository.
    #[must_use]
    pub fn top(&self) -> Option<&Path> {
        self.places.top.as_deref()
    }

    /// Says whether the repository is a shallow clone: one whose history was cut off.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        let boundary = self.places.common_directory.join("shallow");
        boundary.metadata().is_ok_and(|file| file.len() > 0)
    }

    /// Returns the commit that a revision names: anything that `git rev-parse` takes, with tags followed.
    ///
    /// # Errors
    /// [`GitError::NoSuchRevision`], also for the full id of a commit that is not there; [`GitError::Unborn`]; [`GitError::Unreadable`].
    pub fn commit(&self, revision: &str) -> Result<Commit, GitError> {
        let failed = |source| unreadable(format!("the revision {revision:?}"), source);
        let refused = || GitError::NoSuchRevision { revision: revision.to_owned() };
        // No revision looks like an option, and none that does may ever reach the program.
        if revision.is_empty() || revision.starts_with('-') || revision.contains(char::is_control) {
            return Err(refused());
        }
        let peel = |id: String| self.read(|objects| objects::peel(objects, id)).map_err(failed);
        if let Ok(id) = revision.parse::<Commit>()
            && let Some(commit) = peel(id.to_string())?
        {
            return Ok(commit);
        }
        let library = || self.library.as_ref().and_then(|library| library.revision(revision));
        // What the reflog and its dates mean is told by git itself.
        if !revision.contains("@{")
            && let Some(id) = library()
            && let Some(commit) = peel(id)?
        {
            return Ok(commit);
        }
        let id = match self.program.revision(revision) {
            Ok(id) => id,
            Err(ProgramError::Absent) => library(),
            Err(error) => return Err(failed(error.into())),
        };
        match id.map(peel).transpose()?.flatten() {
            Some(commit) => Ok(commit),
            None if starts_from_head(revision) && self.head_id()?.is_none() => Err(GitError::Unborn),
            None => Err(refused()),
        }
    }

    /// Returns the commit that is checked out; none where nothing was committed yet.
    ///
    /// # Errors
    /// [`GitError::NoSuchRevision`] where HEAD names a commit that is not there; [`GitError::Unreadable`].
    pub fn head(&self) -> Result<Option<Commit>, GitError> {
        self.head_id()?.map(|id| self.commit(&id)).transpose()
    }

    /// Returns the bytes of a file as a commit has it; none where the commit, the path or its object is not there.
    ///
    /// The path is relative to the top, with `/` between its parts. Nothing is fetched: in a partial clone a file may not be there.
    ///
    /// # Errors
    /// [`GitError::Unreadable`], also for a file of more than `largest` bytes; [`GitError::NotHere`] in a partial clone.
    pub fn file_at(&self, commit: Commit, path: &str, largest: u64) -> Result<Option<Vec<u8>>, GitError> {
        let failed = |source| unreadable(format!("{path} at {commit}"), source);
        match self.read(|objects| objects::file_at(objects, commit, path, largest)).map_err(failed)? {
            Blob::Here(bytes) => Ok(Some(bytes)),
            Blob::Nowhere => Ok(None),
            Blob::LeftOut => Err(GitError::NotHere { path: path.to_owned(), commit }),
        }
    }

    /// Says whether tracked files, in the work tree or the index, differ from HEAD. Untracked files do not count.
    ///
    /// The program is asked first: only it runs the filters that stand between a file and its blob, such as those of git-lfs.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn differs_from_head(&self) -> Result<bool, GitError> {
        let Some(top) = self.top() else { return Ok(false) };
        let differs = match (self.program.differs(top), &self.library) {
            (Err(ProgramError::Absent), Some(library)) => library.differs(),
            (answer, _) => answer.map_err(Into::into),
        };
        differs.map_err(|source| unreadable(format!("the state of {}", top.display()), source))
    }

    /// Returns all values of a setting in git's order: the last one is the one that holds.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn setting(&self, key: &str) -> Result<Vec<String>, GitError> {
        let library = self.library.as_ref().map(|library| || library.setting(key));
        settings(key, library, || self.program.setting(key))
    }

    /// Returns the ref under which a host keeps the merge of a pull request, where this commit is one.
    ///
    /// Such a merge was made by the host, for a trial: it will never be in the history of any branch.
    ///
    /// # Errors
    /// [`GitError::Unreadable`].
    pub fn pull_request(&self, commit: Commit) -> Result<Option<String>, GitError> {
        let failed = |source| unreadable(format!("the refs of {commit}"), source);
        if !self.read(|objects| objects::is_merge(objects, commit)).map_err(failed)? {
            return Ok(None);
        }
        let names = match &self.library {
            Some(library) => library.references(commit),
            None => self.program.references(commit).map_err(Into::into),
        };
        Ok(names.map_err(failed)?.into_iter().filter(|name| is_pull_request(name)).min())
    }

    fn head_id(&self) -> Result<Option<String>, GitError> {
        let id = match &self.library {
            Some(library) => library.head(),
            None => self.program.revision("HEAD").map_err(Into::into),
        };
        id.map_err(|source| unreadable("HEAD".to_owned(), source))
    }

    fn read<T>(&self, look: impl FnOnce(&mut dyn Objects) -> Result<T, Cause>) -> Result<T, Cause> {
        match &self.library {
            Some(library) => library.read(look),
            None => self.program.read(look),
        }
    }
}

impl Ancestry for Repository {
    fn first_parents(&self, commit: Commit, most: usize) -> Result<Lineage, AncestryError> {
        self.read(|objects| objects::lineage(objects, commit, most))
            .map_err(|source| AncestryError::Unreadable { commit, source })?
            .ok_or(AncestryError::NoSuchCommit(commit))
    }

    fn tree(&self, commit: Commit) -> Result<Option<Tree>, AncestryError> {
        self.read(|objects| objects::tree(objects, commit))
            .map_err(|source| AncestryError::Unreadable { commit, source })
    }

    fn inputs(&self, commit: Commit, declared: &[&Inputs]) -> Result<Option<Vec<Taken>>, AncestryError> {
        self.read(|objects| inputs::at(objects, commit, declared))
            .map_err(|source| AncestryError::Unreadable { commit, source })
    }

    fn inputs_along(&self, commits: &[Commit], declared: &Inputs) -> Result<Vec<Option<Digest>>, AncestryError> {
        inputs::along(self, commits, declared)
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("common_directory", &self.common_directory()).finish_non_exhaustive()
    }
}

/// Returns the version of the `git` program; none where there is none, which is needed only for what the library cannot read.
#[must_use]
pub fn program_version() -> Option<String> {
    Program::at(Path::new(".")).version().ok()
}

/// Returns all values of a setting in the user's and the system's configuration, in git's order.
///
/// # Errors
/// [`GitError::Unreadable`].
pub fn setting_without_repository(key: &str) -> Result<Vec<String>, GitError> {
    settings(key, Some(|| library::setting(key)), || program::setting(key))
}

/// Asks the library for a setting; the program, where the environment has settings too: the library does not know all of those variables.
fn settings(
    key: &str,
    library: Option<impl FnOnce() -> Result<Vec<String>, Cause>>,
    program: impl FnOnce() -> Result<Vec<String>, ProgramError>,
) -> Result<Vec<String>, GitError> {
    let from_environment = std::env::vars_os().any(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_CONFIG"));
    let values = match library {
        Some(library) if !from_environment => library(),
        Some(library) => match program() {
            Err(ProgramError::Absent) => library(),
            answer => answer.map_err(Into::into),
        },
        None => program().map_err(Into::into),
    };
    values.map_err(|source| unreadable(format!("the setting {key}"), source))
}

/// Says whether a revision is HEAD, or goes on from there.
fn starts_from_head(revision: &str) -> bool {
    let rest = revision.strip_prefix("HEAD").or_else(|| revision.strip_prefix('@'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['~', '^', '@', '{']))
}

/// Says whether a ref is the merge of a pull request.
fn is_pull_request(name: &str) -> bool {
    let number = |prefix| name.strip_prefix(prefix).and_then(|rest: &str| rest.strip_suffix("/merge"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    PULL_REQUESTS.into_iter().filter_map(number).any(is_number)
}

/// Says whether a branch is pushed to where its upstream is: both have the same name.
fn is_own_upstream(branch: &str, upstream: &str) -> bool {
    let name = branch.strip_prefix("refs/heads/");
    name.is_some_and(|name| upstream.strip_suffix(name).is_some_and(|remote| remote.ends_with('/')))
}

/// Makes a path absolute and without detours, as far as it exists: people read it, and paths are compared.
#[must_use]
pub fn direct(path: &Path) -> PathBuf {
    match (path.exists(), path.parent(), path.file_name()) {
        (false, Some(parent), Some(name)) => direct(parent).join(name),
        _ => absolute(path),
    }
}

/// Makes a path that git told absolute, so that both back-ends tell the same one.
fn absolute(path: &Path) -> PathBuf {
    // On Windows a canonical path has a prefix that few other programs understand.
    let resolved = if cfg!(windows) { std::path::absolute(path) } else { path.canonicalize() };
    resolved.unwrap_or_else(|_| path.to_owned())
}

fn unreadable(what: String, source: Cause) -> GitError {
    GitError::Unreadable { what, source }
}
