//! The hooks of a repository: how they stand, and having them in place.
//!
//! First a plan is made of what is there, which can be shown; then it is done. Only a directory of hooks below git's common directory is
//! ever touched: any other is the work tree's, a person's or a machine's.

mod install;
mod uninstall;

use std::io;
use std::path::{Path, PathBuf};

use crate::files::{self, Standing};
use crate::git::{GitError, HooksPath, Repository};
use crate::hook::{Hook, Script};

pub use install::{Installed, Installing, install};
pub use uninstall::{Uninstalled, Uninstalling, uninstall};

/// Says why hooks are not as they were to be; each variant is something else that a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum HooksError {
    /// There is no repository that could have hooks.
    #[error("this is no git repository, and hooks belong to one")]
    NoRepository,
    /// Hooks of somebody else stand there, and the name under which each would be kept is taken.
    #[error("{}", .0.iter().map(|(path, kept)| {
        format!("{} is not metalogic's, and {}, where it would be kept, is there already", path.display(), kept.display())
    }).collect::<Vec<_>>().join("; "))]
    Occupied(Vec<(PathBuf, PathBuf)>),
    /// Git looks for hooks where nothing is touched.
    #[error("{}git looks for hooks in {}, where nothing is touched", reason(setting.as_ref()), directory.display())]
    Elsewhere {
        /// Where.
        directory: PathBuf,
        /// Who told it so.
        setting: Option<HooksPath>,
    },
    /// Git runs no hooks at all.
    #[error("{}git runs no hooks", reason(setting.as_ref()))]
    Off {
        /// Who told it so.
        setting: Option<HooksPath>,
    },
    /// The system does not let a file be looked at, written or removed.
    #[error("{} cannot be {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was to be done, as a participle.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Git does not do what it was asked.
    #[error(transparent)]
    Git(#[from] GitError),
}

fn reason(setting: Option<&HooksPath>) -> String {
    setting.map(|setting| format!("{setting}: ")).unwrap_or_default()
}

/// Says where git looks for a repository's hooks, and which of them belong there.
#[derive(Debug)]
pub struct Site {
    /// The directory.
    pub directory: PathBuf,
    /// What `core.hooksPath` is, where somebody set it.
    pub setting: Option<HooksPath>,
    /// Those that belong there, in git's order of a commit's life.
    pub hooks: Vec<Hook>,
    common_directory: PathBuf,
}

/// Says how a hook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is there, as this version installs it.
    Installed,
    /// It is there, as another version installed it, or it may not be started.
    Outdated,
    /// Pre-commit keeps it as `NAME.legacy`, and runs it.
    Legacy,
    /// Another's hook is there, and a line of it calls the program.
    Called,
    /// Another's hook is there, and nothing calls the program.
    Foreign,
    /// Nothing is there.
    Absent,
}

/// Holds what was found where a hook belongs.
#[derive(Debug)]
pub struct Seat {
    /// Which hook.
    pub hook: Hook,
    /// The file that has it, or would.
    pub path: PathBuf,
    /// How it stands.
    pub state: State,
    /// What was there before, where it is there still.
    pub kept: Option<PathBuf>,
    /// Whether that runs first.
    pub runs_kept: bool,
    own: Option<Own>,
    legacy: Option<Own>,
}

/// Holds one of our hooks as it was found.
#[derive(Debug)]
struct Own {
    script: Script,
    executable: bool,
}

impl Site {
    /// Asks git where it looks for hooks.
    ///
    /// # Errors
    /// [`HooksError::Git`].
    pub fn of(repository: &Repository) -> Result<Self, HooksError> {
        let (bare, trees) = (repository.is_bare()?, repository.has_work_trees());
        Ok(Self {
            directory: repository.hooks_directory()?,
            setting: repository.hooks_path()?,
            hooks: Hook::ALL.into_iter().filter(|hook| if hook.is_of_bare() { bare } else { trees }).collect(),
            common_directory: repository.common_directory().to_owned(),
        })
    }

    /// Says whether the directory is the repository's own, so that hooks may be put there.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.directory != self.common_directory && self.directory.starts_with(&self.common_directory)
    }

    /// Says whether husky put its own hooks there, each of which runs a file of that name in the directory above.
    #[must_use]
    pub fn is_of_husky(&self) -> bool {
        let own = self.directory.ends_with("_") && self.directory.join("h").is_file();
        !self.is_own() && (own || self.directory.ends_with(".husky/_"))
    }

    /// Says whether git was told to look where no hooks can be, as `/dev/null` is, so that it runs none.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.directory.metadata().is_ok_and(|found| !found.is_dir())
    }

    /// Looks at where each hook belongs that belongs there.
    ///
    /// # Errors
    /// [`HooksError::File`].
    pub fn seats(&self) -> Result<Vec<Seat>, HooksError> {
        // What husky runs is a script of the shell, whoever may start it.
        match self.directory.parent().filter(|_| self.is_of_husky()) {
            Some(above) => self.hooks.iter().map(|hook| Seat::at(*hook, above, true)).collect(),
            None => self.hooks.iter().map(|hook| Seat::at(*hook, &self.directory, false)).collect(),
        }
    }

    fn elsewhere(&self) -> HooksError {
        HooksError::Elsewhere { directory: self.directory.clone(), setting: self.setting.clone() }
    }
}

impl Seat {
    fn at(hook: Hook, directory: &Path, sourced: bool) -> Result<Self, HooksError> {
        let path = directory.join(hook.name());
        let (found, legacy) = (look(&path)?, Own::at(&legacy(&path))?);
        let kept = aside(&path);
        // What cannot be looked at may be what has to run again.
        let is_there =
            files::is_taken(&kept).map_err(|source| HooksError::File { path: kept.clone(), what: "read", source });
        let kept = is_there?.then_some(kept);
        let own = Own::of(&found);
        let state = match (&found, &own, &legacy) {
            (_, Some(own), _) if own.is_current(hook) => State::Installed,
            (_, Some(_), _) => State::Outdated,
            (Standing::Nothing, ..) => State::Absent,
            (Standing::File { text, executable: true }, _, Some(legacy)) if legacy.executable && runs_legacy(text) => {
                State::Legacy
            }
            (Standing::File { text, executable }, ..) if (*executable || sourced) && hook.is_called_by(text) => {
                State::Called
            }
            (Standing::File { .. } | Standing::Other, ..) => State::Foreign,
        };
        let runs_kept = match (&kept, state) {
            // Pre-commit is not run by what it runs.
            (Some(kept), State::Legacy) => !is_of_pre_commit(kept)?,
            (Some(_), State::Installed | State::Outdated) => true,
            (Some(_), State::Called | State::Foreign | State::Absent) | (None, _) => false,
        };
        Ok(Self { hook, path, state, kept, runs_kept, own, legacy })
    }

    /// Returns where the hook that is found says that the program was when it was installed.
    #[must_use]
    pub fn recorded(&self) -> Option<Vec<u8>> {
        self.own.as_ref().or(self.legacy.as_ref()).and_then(|own| own.script.program())
    }
}

impl Own {
    fn at(path: &Path) -> Result<Option<Self>, HooksError> {
        Ok(Self::of(&look(path)?))
    }

    fn of(found: &Standing) -> Option<Self> {
        match found {
            Standing::File { text, executable } => {
                Script::read(text).map(|script| Self { script, executable: *executable })
            }
            Standing::Nothing | Standing::Other => None,
        }
    }

    fn is_current(&self, hook: Hook) -> bool {
        self.executable && self.script.is_current(hook)
    }
}

fn look(path: &Path) -> Result<Standing, HooksError> {
    files::standing(path).map_err(|source| HooksError::File { path: path.to_owned(), what: "read", source })
}

/// Says whether a hook is pre-commit's, which runs what it found there before it as `NAME.legacy`.
fn runs_legacy(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).contains("generated by pre-commit")
}

fn is_of_pre_commit(path: &Path) -> Result<bool, HooksError> {
    Ok(match look(path)? {
        Standing::File { text, .. } => runs_legacy(&text),
        Standing::Nothing | Standing::Other => false,
    })
}

/// Returns where what stood at a hook's place is kept.
fn aside(path: &Path) -> PathBuf {
    path.with_added_extension("before-metalogic")
}

fn legacy(path: &Path) -> PathBuf {
    path.with_added_extension("legacy")
}
