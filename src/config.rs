//! What a run is told by its flags, the environment, git's configuration and the registry file: the only reader of the environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::address::Commit;
use crate::ancestry::{Ancestry, NoHistory};
use crate::catalog::Catalog;
use crate::git::{self, GitError, Repository};
use crate::location::{Location, LocationError};
use crate::registry::{ProjectName, Registry, RegistryError};
use crate::store::directory::DirectoryStore;
use crate::store::s3::S3Store;
use crate::store::{Key, Store, StoreError};
use crate::world::Limits;

/// The registry file's name, at the top of a repository and in a store.
pub const REGISTRY_FILE: &str = "artifacts.toml";

/// The largest registry that is read, in bytes.
pub const LARGEST_REGISTRY: u64 = 1 << 20;

/// Describes one setting: where it can be made, in the order in which the places count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The flag of the command line.
    pub flag: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// The key of git's configuration, where there is one.
    pub git: Option<&'static str>,
    /// The key of the registry file, where there is one.
    pub file: Option<&'static str>,
    /// What holds when no place says anything.
    pub default: &'static str,
}

macro_rules! settings {
    ($($name:ident: $flag:literal, $variable:literal, $git:expr, $file:expr, $default:literal;)*) => {
        $(const $name: Setting =
            Setting { flag: $flag, variable: $variable, git: $git, file: $file, default: $default };)*
        /// Lists every setting.
        pub const SETTINGS: &[Setting] = &[$($name),*];
    };
}

settings! {
    DIRECTORY: "-C", "METALOGIC_DIR", None, None, "the current directory";
    STORE: "--store", "METALOGIC_STORE", Some("metalogic.store"), Some("[store] url"), "metalogic/ in git's common directory";
    REGISTRY: "--registry", "METALOGIC_REGISTRY", Some("metalogic.registry"), Some("[repository] registry"), "artifacts.toml at the top of the repository, then in the store";
    PROJECT: "--project", "METALOGIC_PROJECT", Some("metalogic.project"), None, "all of the repository's projects";
    MAX_ANCESTORS: "--max-ancestors", "METALOGIC_MAX_ANCESTORS", None, None, "200";
    JOBS: "--jobs", "METALOGIC_JOBS", None, None, "64";
    TIMEOUT: "--timeout", "METALOGIC_TIMEOUT", None, None, "2m";
    COLOR: "--color", "METALOGIC_COLOR", None, None, "auto";
    JSON: "--json", "METALOGIC_JSON", None, None, "false";
    QUIET: "--quiet", "METALOGIC_QUIET", None, None, "false";
    VERBOSE: "--verbose", "METALOGIC_VERBOSE", None, None, "false";
}

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
    /// The registry's location is of a kind that this version cannot reach.
    #[error("{0} is in a bucket, and this version reads only the registry that lies in its store")]
    Unsupported(String),
    /// There is no registry anywhere.
    #[error("no registry was found: neither {REGISTRY_FILE} at the top of the repository nor {in_store}")]
    NoRegistry {
        /// The URL of the registry that the store could have.
        in_store: String,
    },
    /// The registry that was named is not there.
    #[error("the registry {0} does not exist")]
    RegistryMissing(String),
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

/// Holds the environment variables of a process, or those of a test.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Returns the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// Returns a variable's value. One that is set to nothing counts as not set: that is how many CI systems unset.
    fn get(&self, variable: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(variable)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    fn text(&self, variable: &'static str) -> Option<String> {
        self.get(variable).map(|value| value.to_string_lossy().into_owned())
    }

    fn parsed<T>(
        &self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.text(variable) else { return Ok(None) };
        parse(&value).map(Some).map_err(|problem| ConfigError::Variable { variable, value, problem })
    }

    /// Says whether this is a CI system's job.
    #[must_use]
    pub fn is_ci(&self) -> bool {
        self.get("CI").is_some_and(|value| value != "false" && value != "0")
    }
}

/// Holds what the command line says; what it leaves out is looked for elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// `--store`.
    pub store: Option<String>,
    /// `--registry`.
    pub registry: Option<String>,
    /// `--project`, each.
    pub projects: Vec<String>,
    /// `--max-ancestors`.
    pub max_ancestors: Option<usize>,
    /// `--jobs`.
    pub jobs: Option<usize>,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    /// `--color`.
    pub color: Option<Color>,
    /// `--json`.
    pub json: bool,
    /// `--quiet`.
    pub quiet: bool,
    /// `--verbose`.
    pub verbose: bool,
}

/// Says when standard error is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Holds the settings of how a run talks: they are known before anything can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// When standard error is coloured.
    pub color: Color,
    /// Whether the answer is JSON.
    pub json: bool,
    /// Whether the log is left out.
    pub quiet: bool,
    /// Whether the log has every detail.
    pub verbose: bool,
}

impl Manner {
    /// Joins flags and environment.
    ///
    /// # Errors
    /// A variable with a value that its setting cannot have.
    pub fn of(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let yes = |variable| environment.parsed(variable, boolean).map(Option::unwrap_or_default);
        let color = environment.parsed(COLOR.variable, |text| clap::ValueEnum::from_str(text, true))?;
        Ok(Self {
            color: flags.color.or(color).unwrap_or(Color::Auto),
            json: flags.json || yes(JSON.variable)?,
            // A flag for more outdoes a variable for less, and the other way round.
            quiet: flags.quiet || (yes(QUIET.variable)? && !flags.verbose),
            verbose: flags.verbose || (yes(VERBOSE.variable)? && !flags.quiet),
        })
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("true or false belongs here".to_owned()),
    }
}

/// Reads the number of requests that are under way at once.
///
/// # Errors
/// What is no number from 1 to 1024.
pub fn jobs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|jobs| (1..=1024).contains(jobs))
        .ok_or_else(|| "a number from 1 to 1024 belongs here".to_owned())
}

/// Reads how many ancestors are looked at.
///
/// # Errors
/// What is no number up to a million.
pub fn max_ancestors(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|most| *most <= 1_000_000).ok_or_else(|| "a number up to 1000000 belongs here".to_owned())
}

/// Reads a length of time: `90s`, `2m`, `1h 30m`.
///
/// # Errors
/// What is no length of time.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("a length of time as 90s or 2m belongs here ({error})"))
}

/// Knows the settings of a run and what follows from them. Nothing is read before it is needed.
pub struct Config {
    flags: Flags,
    environment: Environment,
    directory: PathBuf,
    limits: Limits,
    repository: OnceLock<Option<Arc<Repository>>>,
}

/// Says where the store is and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePlace {
    /// Where it is.
    pub location: Location,
    /// Whether nothing was configured, so that it is the embedded default.
    pub embedded: bool,
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
        Ok(Self { flags, environment, directory, limits, repository: OnceLock::new() })
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

    /// Returns what `--store` says.
    #[must_use]
    pub fn store_flag(&self) -> Option<&str> {
        self.flags.store.as_deref()
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
    pub fn store_place(&self) -> Result<StorePlace, ConfigError> {
        let configured = |setting: &str, text: &str, base: &Path| {
            let location = locate(setting, text, base)?;
            Ok(StorePlace { location, embedded: false })
        };
        if let Some((setting, text)) = self.told(self.flags.store.as_deref(), &STORE) {
            return configured(setting, &text, &self.directory);
        }
        if let Some(text) = self.git_settings(&STORE)?.pop() {
            return configured("git config metalogic.store", &text, &self.base()?);
        }
        if let Some((text, name, base)) = self.registry_text(None)?
            && let Some(url) = Registry::store_url_of(&text, &name)?
        {
            return configured(&format!("[store] url in {name}"), &url, &base);
        }
        match self.repository()? {
            Some(repository) => {
                let location = Location::Local(repository.common_directory().join("metalogic"));
                Ok(StorePlace { location, embedded: true })
            }
            None => Err(ConfigError::NoStore),
        }
    }

    /// Returns the store.
    ///
    /// # Errors
    /// Those of [`Config::store_place`].
    pub fn store(&self) -> Result<(Arc<dyn Store>, StorePlace), ConfigError> {
        let mut place = self.store_place()?;
        if let Location::Local(directory) = &mut place.location {
            *directory = direct(directory);
        }
        let store: Arc<dyn Store> = match &place.location {
            Location::Local(directory) => Arc::new(DirectoryStore::new(directory)),
            Location::S3 { bucket, prefix } => Arc::new(S3Store::new(bucket, prefix, self.limits.timeout)),
        };
        Ok((store, place))
    }

    /// Returns the registry as it counts for a commit, joined with the repository's projects and those of `--project`.
    ///
    /// # Errors
    /// No registry, one that cannot be read, or one that is not valid.
    pub async fn catalog(&self, commit: Option<Commit>, store: Option<&dyn Store>) -> Result<Catalog, ConfigError> {
        let (registry, own, _) = self.registry(commit, store).await?;
        let limit = self.projects()?;
        Ok(Catalog::new(registry, &own, &limit)?)
    }

    /// Returns the registry, the projects that the repository says are its own, and how the registry is called in messages.
    ///
    /// # Errors
    /// No registry, one that cannot be read, or one that is not valid.
    pub async fn registry(
        &self,
        commit: Option<Commit>,
        store: Option<&dyn Store>,
    ) -> Result<(Registry, Vec<ProjectName>, String), ConfigError> {
        let Some((text, name, base)) = self.registry_text(commit)? else {
            let Some(store) = store else {
                return Err(ConfigError::NoRegistry { in_store: "in a store, since none is configured".to_owned() });
            };
            let in_store = store.url(&Key::Registry);
            let unreadable = |source: StoreError| ConfigError::RegistryUnreadable {
                name: in_store.clone(),
                source: Box::new(source),
            };
            let stored = store.get(&Key::Registry, LARGEST_REGISTRY).await.map_err(unreadable)?;
            let (text, _) = stored.ok_or(ConfigError::NoRegistry { in_store: in_store.clone() })?;
            let registry = Registry::parse(&text, &in_store)?;
            let own = registry.repository.projects.clone().unwrap_or_default();
            return Ok((registry, own, in_store));
        };
        let registry = Registry::parse(&text, &name)?;
        let own = registry.repository.projects.clone().unwrap_or_default();
        let Some(pointer) = &registry.repository.registry else { return Ok((registry, own, name)) };
        match locate(&format!("[repository] registry in {name}"), pointer, &base)? {
            Location::Local(path) => {
                let name = path.display().to_string();
                let text = read_local(&path, &name)?.ok_or_else(|| ConfigError::RegistryMissing(name.clone()))?;
                let registry = Registry::parse(&text, &name)?;
                if registry.repository.registry.is_some() {
                    return Err(ConfigError::RegistryPointsOn(name));
                }
                Ok((registry, own, name))
            }
            place @ Location::S3 { .. } => Err(ConfigError::Unsupported(place.to_string())),
        }
    }

    /// Returns the text of the registry file that counts for a commit, how it is called, and the directory that its paths are
    /// relative to; none where there is no such file. Without a commit it is the work tree's, else the one of HEAD.
    fn registry_text(&self, commit: Option<Commit>) -> Result<Option<(Vec<u8>, String, PathBuf)>, ConfigError> {
        let local = |path: &Path, name: String| -> Result<_, ConfigError> {
            let base = path.parent().unwrap_or(path).to_owned();
            Ok(read_local(path, &name)?.map(|text| (text, name, base)))
        };
        if let Some((setting, text)) = self.told(self.flags.registry.as_deref(), &REGISTRY) {
            return match locate(setting, &text, &self.directory)? {
                Location::Local(path) => match local(&path, text.clone())? {
                    None => Err(ConfigError::RegistryMissing(text)),
                    found => Ok(found),
                },
                place @ Location::S3 { .. } => Err(ConfigError::Unsupported(place.to_string())),
            };
        }
        let base = self.base()?;
        let configured = self.git_settings(&REGISTRY)?.pop();
        let path = match &configured {
            None => base.join(REGISTRY_FILE),
            Some(text) => match locate("git config metalogic.registry", text, &base)? {
                Location::Local(path) => path,
                place @ Location::S3 { .. } => return Err(ConfigError::Unsupported(place.to_string())),
            },
        };
        let name = configured.clone().unwrap_or_else(|| REGISTRY_FILE.to_owned());
        if let Some(repository) = self.repository()?
            && let Some(tracked) = tracked_path(&path, &base)
        {
            let head = repository.head()?;
            let at = commit.filter(|commit| head != Some(*commit)).or(head.filter(|_| repository.top().is_none()));
            if let Some(at) = at
                && let Some(text) = repository.file_at(at, &tracked, LARGEST_REGISTRY)?
            {
                return Ok(Some((text, format!("{}:{tracked}", at.short()), base)));
            }
        }
        match local(&path, name.clone())? {
            None if configured.is_some() => Err(ConfigError::RegistryMissing(name)),
            found => Ok(found),
        }
    }

    /// Returns the projects that the run is limited to; none for no limit.
    fn projects(&self) -> Result<Vec<ProjectName>, ConfigError> {
        let (setting, names) = if !self.flags.projects.is_empty() {
            ("--project", self.flags.projects.clone())
        } else if let Some(text) = self.environment.text(PROJECT.variable) {
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
    fn told(&self, flag: Option<&str>, setting: &Setting) -> Option<(&'static str, String)> {
        let flagged = flag.map(|text| (setting.flag, text.to_owned()));
        flagged.or_else(|| self.environment.text(setting.variable).map(|text| (setting.variable, text)))
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
fn direct(directory: &Path) -> PathBuf {
    match (directory.canonicalize(), directory.parent(), directory.file_name()) {
        (Ok(direct), ..) => direct,
        (Err(_), Some(parent), Some(name)) => direct(parent).join(name),
        (Err(_), ..) => directory.to_owned(),
    }
}

/// Returns the path by which git knows a file in the work tree.
fn tracked_path(path: &Path, top: &Path) -> Option<String> {
    let inside = path.strip_prefix(top).ok()?;
    let plain = |part| matches!(part, std::path::Component::Normal(_));
    (inside.components().all(plain)).then(|| inside.to_str().map(|text| text.replace('\\', "/"))).flatten()
}

fn locate(setting: &str, text: &str, base: &Path) -> Result<Location, ConfigError> {
    let wrong = |source| ConfigError::Location { setting: setting.to_owned(), value: text.to_owned(), source };
    Location::parse(text, base).map_err(wrong)
}

/// Reads a registry file; none where there is none.
fn read_local(path: &Path, name: &str) -> Result<Option<Vec<u8>>, ConfigError> {
    match std::fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::RegistryUnreadable { name: name.to_owned(), source: Box::new(error) }),
    }
}
