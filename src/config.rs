//! What a run is told by its flags, the environment, git's configuration and the registry file: the only reader of the environment.

mod ci;
mod registry_file;
mod registry_home;
mod settings;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::address::Commit;
use crate::ancestry::{Ancestry, NoHistory};
use crate::git::{self, GitError, Repository};
use crate::location::{Location, LocationError};
use crate::registry::{ProjectName, REGISTRY_FILE, RegistryError, Terms};
use crate::store::Store;
use crate::store::directory::DirectoryStore;
use crate::store::s3::S3Store;
use crate::world::Limits;

pub use registry_file::Found;
pub use settings::{Color, Environment, Flags, Manner, SETTINGS, Setting, duration, jobs, max_ancestors};
use settings::{DIRECTORY, JOBS, MAX_ANCESTORS, PROJECT, REGISTRY, STORE, TIMEOUT};

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
    repository: OnceLock<Option<Arc<Repository>>>,
    /// The registries in buckets that were read, by URL.
    read: Mutex<HashMap<String, registry_file::File>>,
}

/// Says where the store is and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePlace {
    /// Where it is.
    pub location: Location,
    /// On what terms, where it is in a bucket.
    pub terms: Terms,
    /// Whether nothing was configured, so that it is the embedded default.
    pub embedded: bool,
    /// Who said so: a flag, a variable, a key, or the embedded default.
    pub setting: String,
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
        let limits = Limits {
            max_ancestors: flags.max_ancestors.or(most).unwrap_or(default.max_ancestors),
            jobs: flags.jobs.or(environment.parsed(JOBS.variable, jobs)?).unwrap_or(default.jobs),
            timeout: flags.timeout.or(environment.parsed(TIMEOUT.variable, duration)?).unwrap_or(default.timeout),
        };
        Ok(Self { flags, environment, directory, limits, repository: OnceLock::new(), read: Mutex::default() })
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

    /// Returns the flags for another process of this program that is to go on in this directory with what this one was told.
    #[must_use]
    pub fn passed_on(&self) -> Vec<OsString> {
        // This directory was entered already; the flag outdoes the variable.
        let mut passed: Vec<OsString> = vec![DIRECTORY.flag.into(), ".".into()];
        let mut pass = |setting: Setting, value: Option<String>| {
            passed.extend(value.into_iter().flat_map(|value| [setting.flag.into(), value.into()]));
        };
        pass(STORE, self.flags.store.clone());
        pass(REGISTRY, self.flags.registry.clone());
        pass(MAX_ANCESTORS, Some(self.limits.max_ancestors.to_string()));
        pass(JOBS, Some(self.limits.jobs.to_string()));
        pass(TIMEOUT, Some(humantime::format_duration(self.limits.timeout).to_string()));
        passed
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

    /// Returns what `--store` says: as it is written, and as a location relative to the current directory.
    ///
    /// # Errors
    /// What names no location.
    pub fn store_flag(&self) -> Result<Option<(&str, Location)>, ConfigError> {
        let Some(text) = self.flags.store.as_deref() else { return Ok(None) };
        Ok(Some((text, locate(STORE.flag, text, &self.directory)?)))
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

    /// Says where the store is: flag, environment, git's configuration, registry file, embedded default.
    ///
    /// # Errors
    /// A setting that names no location, a registry file that cannot be read, or no setting outside a repository.
    pub async fn store_place(&self) -> Result<StorePlace, ConfigError> {
        let configured = |setting: &str, text: &str, base: &Path| {
            let location = locate(setting, text, base)?;
            let terms = self.own_terms(&location)?.unwrap_or_default();
            Ok(StorePlace { location, terms, embedded: false, setting: setting.to_owned() })
        };
        if let Some((setting, text)) = self.told(self.flags.store.as_deref(), &STORE)? {
            return configured(setting, &text, &self.directory);
        }
        if let Some(text) = self.git_settings(&STORE)?.pop() {
            return configured("git config metalogic.store", &text, &self.base()?);
        }
        if let Some((table, name, base)) = self.store_in_registry().await? {
            let setting = format!("[store] url in {name}");
            let location = locate(&setting, table.url.as_deref().unwrap_or_default(), &base)?;
            let terms = self.own_terms(&location)?.unwrap_or(table.terms);
            return Ok(StorePlace { location, terms, embedded: false, setting });
        }
        match self.repository()? {
            Some(repository) => {
                let location = Location::Local(repository.common_directory().join("metalogic"));
                let setting = "the embedded default".to_owned();
                Ok(StorePlace { location, terms: Terms::default(), embedded: true, setting })
            }
            None => Err(ConfigError::NoStore),
        }
    }

    /// Says whether there is anything at the store's place yet, as far as a look at this machine can tell.
    #[must_use]
    pub fn is_there(&self, place: &StorePlace) -> bool {
        match &place.location {
            Location::Local(directory) => directory.exists(),
            Location::S3 { .. } => true,
        }
    }

    /// Returns the store.
    ///
    /// # Errors
    /// Those of [`Config::store_place`].
    pub async fn store(&self) -> Result<(Arc<dyn Store>, StorePlace), ConfigError> {
        let mut place = self.store_place().await?;
        if let Location::Local(directory) = &mut place.location {
            *directory = direct(directory);
        }
        let store = self.open(&place.location, &place.terms)?;
        Ok((store, place))
    }

    /// Returns the store at a URL that an earlier run wrote down.
    ///
    /// # Errors
    /// What names no location, and those of [`Config::open`].
    pub fn store_at(&self, url: &str) -> Result<Arc<dyn Store>, ConfigError> {
        let location = locate("the store of a job that waits", url, &self.directory)?;
        let terms = self.own_terms(&location)?.unwrap_or_default();
        self.open(&location, &terms)
    }

    /// Returns the store at a location, which need not be the one that is configured. A directory has no terms.
    ///
    /// # Errors
    /// [`ConfigError::NotADirectory`].
    pub fn open(&self, location: &Location, terms: &Terms) -> Result<Arc<dyn Store>, ConfigError> {
        Ok(match location {
            Location::Local(directory) if directory.exists() && !directory.is_dir() => {
                return Err(ConfigError::NotADirectory(directory.clone()));
            }
            Location::Local(directory) => Arc::new(DirectoryStore::with_patience(directory, self.limits.timeout)),
            Location::S3 { bucket, prefix } => Arc::new(self.bucket(bucket, prefix, terms)),
        })
    }

    /// Returns the store in a bucket, below a prefix.
    #[must_use]
    pub fn bucket(&self, bucket: &str, prefix: &str, terms: &Terms) -> S3Store {
        S3Store::new(bucket, prefix, self.limits.timeout, terms.clone())
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

/// Returns a directory's path without detours, as far as it exists: it stands in URLs that people read.
#[must_use]
pub fn direct(directory: &Path) -> PathBuf {
    match (directory.canonicalize(), directory.parent(), directory.file_name()) {
        (Ok(direct), ..) => direct,
        (Err(_), Some(parent), Some(name)) => direct(parent).join(name),
        (Err(_), ..) => directory.to_owned(),
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
