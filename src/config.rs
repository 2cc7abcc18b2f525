//! What a run is told by its flags, the environment, git's configuration and the registry file: the only reader of the environment.

mod account;
mod ci;
mod pager;
mod registry_file;
mod registry_home;
mod run;
mod settings;
mod stores;
mod versions;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::address::Commit;
use crate::ancestry::{Ancestry, NoHistory};
use crate::aws::Common;
use crate::git::{self, GitError, Repository};
use crate::location::{Location, LocationError};
use crate::parts::Parts;
use crate::registry::{ProjectName, REGISTRY_FILE, RegistryError};
use crate::world::Limits;

pub use crate::git::direct;
pub use registry_file::Found;
pub use settings::{Color, Environment, Flags, Manner, SETTINGS, Setting, duration, jobs, max_ancestors};
use settings::{DIRECTORY, JOBS, MAX_ANCESTORS, PART_SIZE, PARTS, PROJECT, TIMEOUT};
pub use stores::StorePlace;
pub use versions::{DEFAULT_PARAMETER, PARAMETER, REGIONS, VersionsPlace};

/// Says why a run cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable has a value that its setting cannot have.
    #[error("{variable} is {value:?}: {problem}")]
    Variable {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting names no location.
    #[error("{setting} is {value:?}")]
    Location {
        /// Where it was set.
        setting: String,
        /// What it was set to.
        value: String,
        /// What is wrong with it.
        source: LocationError,
    },
    /// A setting names no project.
    #[error("{setting} names the project {value:?}")]
    Project {
        /// Where it was set.
        setting: String,
        /// What it was set to.
        value: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing says where the store is, and without a repository there is no default.
    #[error("no store is configured, and outside a git repository there is no default")]
    NoStore,
    /// What should be the store's directory is something else.
    #[error("the store {} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// There is no registry anywhere.
    #[error("no registry was found: neither {REGISTRY_FILE} at the top of the repository nor {in_store}")]
    NoRegistry {
        /// The URL of the registry that the store could have.
        in_store: String,
    },
    /// The registry that was named is not there.
    #[error("the registry {0} does not exist")]
    RegistryMissing(String),
    /// The registry file that was to be pushed is not there.
    #[error("there is no registry file {0}")]
    NoFile(String),
    /// The registry is there and cannot be read.
    #[error("the registry {name} cannot be read")]
    RegistryUnreadable {
        /// The registry.
        name: String,
        /// What the system or the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Whoever is to write may not read the registry that could say where releases stand.
    #[error("where releases stand is not known: the registry {name} may say it and cannot be read")]
    ShelfHidden {
        /// The registry.
        name: String,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The registry that another one points to points on.
    #[error("the registry {0} points on to another one")]
    RegistryPointsOn(String),
    /// The registry is not valid.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Without a repository only full commit ids are understood.
    #[error("{revision} cannot be looked up outside a git repository")]
    NoRepository {
        /// The revision that was named.
        revision: String,
    },
    /// Git does not do what it was asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The current directory cannot be told or entered.
    #[error("the directory {} cannot be entered", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Knows the settings of a run and what follows from them. Nothing is read before it is needed.
pub struct Config {
    flags: Flags,
    environment: Environment,
    directory: PathBuf,
    limits: Limits,
    aws: Common,
    repository: OnceLock<Option<Arc<Repository>>>,
    /// The registries in buckets that were read, by URL.
    read: Mutex<HashMap<String, registry_file::File>>,
}

impl Config {
    /// Begins in the current directory.
    ///
    /// # Errors
    /// A variable with a value that its setting cannot have, or a current directory that is gone.
    pub fn new(flags: Flags, environment: Environment) -> Result<Self, ConfigError> {
        let gone = |source| ConfigError::Directory { directory: PathBuf::from("."), source };
        let directory = std::env::current_dir().map_err(gone)?;
        let default = Limits::default();
        let most = environment.parsed(MAX_ANCESTORS.variable, max_ancestors)?;
        let parts = Parts {
            size: flags.parts.size.or(environment.parsed(PART_SIZE.variable, Parts::size)?),
            abreast: flags.parts.abreast.or(environment.parsed(PARTS.variable, Parts::abreast)?),
        };
        let limits = Limits {
            parts,
            max_ancestors: flags.max_ancestors.or(most).unwrap_or(default.max_ancestors),
            jobs: flags.jobs.or(environment.parsed(JOBS.variable, jobs)?).unwrap_or(default.jobs),
            timeout: flags.timeout.or(environment.parsed(TIMEOUT.variable, duration)?).unwrap_or(default.timeout),
        };
        let (aws, repository) = (Common::new(limits.timeout), OnceLock::new());
        Ok(Self { flags, environment, directory, limits, aws, repository, read: Mutex::default() })
    }

    /// Enters the directory that `-C` or its variable names, as if the program had been started there.
    ///
    /// # Errors
    /// A directory that cannot be entered.
    pub fn enter(flags: &Flags, environment: &Environment) -> Result<(), ConfigError> {
        let named = flags.directory.clone().or_else(|| environment.get(DIRECTORY.variable).map(PathBuf::from));
        let Some(directory) = named else { return Ok(()) };
        std::env::set_current_dir(&directory).map_err(|source| ConfigError::Directory { directory, source })
    }

    /// Returns the bounds of what flows do.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Says whether this is a CI system's job.
    #[must_use]
    pub fn is_ci(&self) -> bool {
        self.environment.is_ci()
    }

    /// Returns the current directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the repository that the current directory is in, if it is in one.
    ///
    /// # Errors
    /// A repository that is there and cannot be opened.
    pub fn repository(&self) -> Result<Option<&Arc<Repository>>, ConfigError> {
        if let Some(known) = self.repository.get() {
            return Ok(known.as_ref());
        }
        let found = Repository::discover(&self.directory)?.map(Arc::new);
        Ok(self.repository.get_or_init(|| found).as_ref())
    }

    /// Returns what is known of history.
    ///
    /// # Errors
    /// A repository that is there and cannot be opened.
    pub fn ancestry(&self) -> Result<Arc<dyn Ancestry>, ConfigError> {
        Ok(match self.repository()? {
            Some(repository) => repository.clone(),
            None => Arc::new(NoHistory),
        })
    }

    /// Returns the commit that a revision names.
    ///
    /// # Errors
    /// Git's; without a repository, anything but a full id.
    pub fn commit(&self, revision: &str) -> Result<Commit, ConfigError> {
        let id: Option<Commit> = revision.parse().ok();
        match (self.repository()?, id) {
            // Its metafile may know what this repository, shallow or another, does not.
            (Some(repository), Some(id)) => match repository.commit(revision) {
                Err(GitError::NoSuchRevision { .. }) => Ok(id),
                found => Ok(found?),
            },
            (Some(repository), None) => Ok(repository.commit(revision)?),
            (None, Some(id)) => Ok(id),
            (None, None) => Err(ConfigError::NoRepository { revision: revision.to_owned() }),
        }
    }

    /// Returns the projects that the run is limited to; none for no limit.
    ///
    /// # Errors
    /// What is no project's name.
    pub fn projects(&self) -> Result<Vec<ProjectName>, ConfigError> {
        let (setting, names) = if !self.flags.projects.is_empty() {
            ("--project", self.flags.projects.clone())
        } else if let Some(text) = self.environment.text(PROJECT.variable)? {
            ("METALOGIC_PROJECT", vec![text])
        } else {
            ("git config metalogic.project", self.git_settings(&PROJECT)?)
        };
        let one = |name: &str| {
            let wrong = |source| ConfigError::Project {
                setting: setting.to_owned(),
                value: name.to_owned(),
                source: Box::new(source),
            };
            name.parse::<ProjectName>().map_err(wrong)
        };
        names
            .iter()
            .flat_map(|names| names.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(one)
            .collect()
    }

    /// Returns what the flag or the variable of a setting says, and which of them said it.
    fn told(&self, flag: Option<&str>, setting: &Setting) -> Result<Option<(&'static str, String)>, ConfigError> {
        match flag {
            Some(text) => Ok(Some((setting.flag, text.to_owned()))),
            None => Ok(self.environment.text(setting.variable)?.map(|text| (setting.variable, text))),
        }
    }

    fn git_settings(&self, setting: &Setting) -> Result<Vec<String>, ConfigError> {
        let Some(key) = setting.git else { return Ok(Vec::new()) };
        let mut values = match self.repository()? {
            Some(repository) => repository.setting(key)?,
            None => git::setting_without_repository(key)?,
        };
        values.retain(|value| !value.is_empty());
        Ok(values)
    }

    /// Returns the directory that git's configuration and the registry's default place are relative to: the top of the work tree.
    fn base(&self) -> Result<PathBuf, ConfigError> {
        Ok(match self.repository()? {
            Some(repository) => repository.top().unwrap_or(repository.common_directory()).to_owned(),
            None => self.directory.clone(),
        })
    }
}

fn locate(setting: &str, text: &str, base: &Path) -> Result<Location, ConfigError> {
    let wrong = |source| ConfigError::Location { setting: setting.to_owned(), value: text.to_owned(), source };
    Location::parse(text, base).map_err(wrong)
}

fn locate_file(setting: &str, text: &str, base: &Path) -> Result<Location, ConfigError> {
    let wrong = |source| ConfigError::Location { setting: setting.to_owned(), value: text.to_owned(), source };
    Location::parse_file(text, base).map_err(wrong)
}
