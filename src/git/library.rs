//! Asks libgit2.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{Config, ErrorCode, ObjectType, Oid, RepositoryOpenFlags, StatusOptions};

use crate::address::Commit;

use super::objects::{Cause, Kind, Object, Objects, TooLarge};
use super::{GitError, PULL_REQUESTS, Places, absolute, is_own_upstream, unreadable};

/// The number of digits in the only ids that the library knows.
const DIGITS: usize = 40;

/// Holds a repository that the library has opened. It may be used by one thread at a time.
pub(super) struct Library(Mutex<git2::Repository>);

impl Library {
    /// Opens the repository of a directory; the variables that git itself minds are minded, relative to that directory.
    pub(super) fn open(directory: &Path) -> Result<(Self, Places), git2::Error> {
        let git_directory = env::var_os("GIT_DIR");
        let mut flags = RepositoryOpenFlags::FROM_ENV;
        let start = match &git_directory {
            Some(git_directory) => {
                flags |= RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT;
                directory.join(git_directory)
            }
            None => directory.to_owned(),
        };
        let ceilings = env::var_os("GIT_CEILING_DIRECTORIES").unwrap_or_default();
        let repository = git2::Repository::open_ext(start, flags, env::split_paths(&ceilings))?;
        let top = match env::var_os("GIT_WORK_TREE") {
            Some(top) => Some(directory.join(top)),
            // Git takes the current directory for the top of the work tree, where nothing but GIT_DIR is said.
            None if git_directory.is_some()
                && !repository.is_bare()
                && repository.config()?.get_entry("core.worktree").is_err() =>
            {
                Some(directory.to_owned())
            }
            None => repository.workdir().map(Path::to_owned),
        };
        let places = Places { common_directory: absolute(repository.commondir()), top: top.as_deref().map(absolute) };
        Ok((Self(Mutex::new(repository)), places))
    }

    /// Returns the id of the object that a revision names; none where the library does not understand or find it.
    pub(super) fn revision(&self, revision: &str) -> Option<String> {
        Some(self.repository().revparse_single(revision).ok()?.id().to_string())
    }

    /// Returns the id that HEAD leads to; none where it leads to a branch without commits.
    pub(super) fn head(&self) -> Result<Option<String>, Cause> {
        match self.repository().head() {
            Ok(head) => Ok(head.target().map(|id| id.to_string())),
            Err(error) if error.code() == ErrorCode::UnbornBranch => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets `look` read objects.
    pub(super) fn read<T>(&self, look: impl FnOnce(&mut dyn Objects) -> Result<T, Cause>) -> Result<T, Cause> {
        look(&mut self.repository().odb()?)
    }

    /// Says whether tracked files differ from HEAD, without the filters that only the program runs.
    pub(super) fn differs(&self) -> Result<bool, Cause> {
        let mut options = StatusOptions::new();
        options.include_untracked(false).include_ignored(false);
        Ok(!self.repository().statuses(Some(&mut options))?.is_empty())
    }

    /// Returns the names of the refs of pull requests that point at a commit.
    pub(super) fn references(&self, commit: Commit) -> Result<Vec<String>, Cause> {
        let commit = Oid::from_str(&commit.to_string())?;
        let repository = self.repository();
        let mut names = Vec::new();
        for prefix in PULL_REQUESTS {
            for reference in repository.references_glob(&format!("{prefix}*/merge"))? {
                let reference = reference?;
                if reference.target() == Some(commit) {
                    names.push(String::from_utf8_lossy(reference.name_bytes()).into_owned());
                }
            }
        }
        Ok(names)
    }

    /// Says whether a commit is a descendant of another one.
    pub(super) fn descends(&self, new: Commit, old: Commit) -> Result<bool, Cause> {
        let (new, old) = (Oid::from_str(&new.to_string())?, Oid::from_str(&old.to_string())?);
        Ok(self.repository().graph_descendant_of(new, old)?)
    }

    /// Returns what the checked-out branch's own upstream is, and what it was before.
    pub(super) fn upstream(&self) -> Result<Vec<String>, Cause> {
        let repository = self.repository();
        let Some(branch) = present(repository.find_reference("HEAD"))? else { return Ok(Vec::new()) };
        let Some(branch) = branch.symbolic_target()? else { return Ok(Vec::new()) };
        let Some(upstream) = present(repository.branch_upstream_name(branch))? else { return Ok(Vec::new()) };
        let upstream = upstream.as_str()?;
        if !is_own_upstream(branch, upstream) {
            return Ok(Vec::new());
        }
        let now = present(repository.find_reference(upstream))?.and_then(|reference| reference.target());
        let before = repository.reflog(upstream)?.get(0).map(|entry| entry.id_old());
        Ok(now.into_iter().chain(before).map(|id| id.to_string()).collect())
    }

    /// Returns what HEAD was lately, newest first.
    pub(super) fn recent_heads(&self, most: usize) -> Result<Vec<String>, Cause> {
        let log = self.repository().reflog("HEAD")?;
        Ok(log.iter().take(most).map(|entry| entry.id_new().to_string()).collect())
    }

    /// Returns all values of a setting, the repository's own last.
    pub(super) fn setting(&self, key: &str) -> Result<Vec<String>, Cause> {
        values(&self.repository().config()?, key)
    }

    fn repository(&self) -> MutexGuard<'_, git2::Repository> {
        // Nothing here leaves a repository in a state that a later caller could not use.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects for git2::Odb<'_> {
    fn read(&mut self, id: &str, largest: u64) -> Result<Option<Object>, Cause> {
        if id.len() != DIGITS {
            return Ok(None);
        }
        let id = Oid::from_str(id)?;
        if largest < u64::MAX
            && let Some((size, ObjectType::Blob)) = present(self.read_header(id))?
        {
            let size = u64::try_from(size).unwrap_or(u64::MAX);
            if size > largest {
                return Err(TooLarge { size, largest }.into());
            }
        }
        let Some(object) = present(Self::read(self, id))? else { return Ok(None) };
        let kind = match object.kind() {
            ObjectType::Commit => Kind::Commit,
            ObjectType::Tree => Kind::Tree,
            ObjectType::Blob => Kind::Blob,
            ObjectType::Tag => Kind::Tag,
            ObjectType::Any => return Ok(None),
        };
        Ok(Some(Object { kind, bytes: object.data().to_vec() }))
    }
}

/// Returns all values of a setting of the user and of the system.
pub(super) fn setting(key: &str) -> Result<Vec<String>, Cause> {
    values(&Config::open_default()?, key)
}

/// Says what the library's refusal to open a repository means where there is no program to ask. To find none is no error.
pub(super) fn refused(directory: &Path, refusal: git2::Error) -> Result<(), GitError> {
    let message = refusal.message();
    if refusal.code() == ErrorCode::NotFound {
        return Ok(());
    }
    if refusal.code() == ErrorCode::Owner {
        return Err(GitError::ForeignOwner {
            directory: owned_elsewhere(message).unwrap_or_else(|| directory.to_owned()),
        });
    }
    let why = if message.contains("object format") {
        "the repository names its objects by SHA-256".to_owned()
    } else if message.contains("extensions.refstorage") {
        "the repository keeps its refs in a reftable".to_owned()
    } else if message.contains("extensions.partialclone") {
        "the repository is a partial clone".to_owned()
    } else if message.contains("extension") {
        message.to_owned()
    } else {
        return Err(unreadable(format!("the repository of {}", directory.display()), refusal.into()));
    };
    Err(GitError::NoProgram { why })
}

/// Returns the directory to trust, from what the library says of the one that it checked: that may be the `.git` inside.
fn owned_elsewhere(message: &str) -> Option<PathBuf> {
    let (_, rest) = message.split_once('\'')?;
    let (path, _) = rest.rsplit_once('\'')?;
    Some(PathBuf::from(path.strip_suffix("/.git").unwrap_or(path)))
}

fn values(config: &Config, key: &str) -> Result<Vec<String>, Cause> {
    let mut values = Vec::new();
    let Some(mut entries) = present(config.multivar(key, None))? else { return Ok(values) };
    while let Some(entry) = entries.next() {
        let entry = entry?;
        // A key without a value is how git writes "true"; as a text it is empty.
        values.push(if entry.has_value() { entry.value()?.to_owned() } else { String::new() });
    }
    Ok(values)
}

fn present<T>(answer: Result<T, git2::Error>) -> Result<Option<T>, git2::Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
