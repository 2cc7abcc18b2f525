//! Where the registry is, and which version of it counts for a commit.
//!
//! Two files have a say. The repository's own `artifacts.toml` says what the repository is and where its store is. Where names are
//! registered is said by the settings, else by the own file, which defines them itself or points; else the store has them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::settings::REGISTRY;
use super::{Config, ConfigError, REGISTRY_FILE, locate};
use crate::address::Commit;
use crate::catalog::Catalog;
use crate::location::Location;
use crate::registry::{LARGEST, ProjectName, Registry, StoreTable, Terms};
use crate::store::{Key, Store, StoreError};

/// Holds a registry file as it was read.
struct File {
    text: Vec<u8>,
    /// How messages call it.
    name: String,
    /// The directory that its relative paths are relative to.
    base: PathBuf,
}

/// Holds the registry that counts for a commit.
pub struct Found {
    /// The registry that defines the names.
    pub registry: Registry,
    /// The projects that the repository says are its own; none where it says nothing.
    pub own: Vec<ProjectName>,
    /// How messages call it.
    pub name: String,
}

impl File {
    fn parse(&self) -> Result<Registry, ConfigError> {
        Ok(Registry::parse(&self.text, &self.name)?)
    }
}

impl Config {
    /// Returns the registry as it counts for a commit, joined with the repository's projects and those of `--project`.
    ///
    /// # Errors
    /// No registry, one that cannot be read, or one that is not valid.
    pub async fn catalog(&self, commit: Option<Commit>, store: Option<&dyn Store>) -> Result<Catalog, ConfigError> {
        let Found { registry, own, .. } = self.registry(commit, store).await?;
        Ok(Catalog::new(registry, &own, &self.projects()?)?)
    }

    /// Returns the registry that counts for a commit, or for the work tree.
    ///
    /// # Errors
    /// No registry, one that cannot be read, or one that is not valid.
    pub async fn registry(&self, commit: Option<Commit>, store: Option<&dyn Store>) -> Result<Found, ConfigError> {
        let own_file = self.own_file(commit)?;
        let own = own_file.as_ref().map(File::parse).transpose()?;
        let named = self.named_file(commit)?;
        let (mut registry, mut name) = match (&named, &own, &own_file) {
            (Some(named), ..) => (named.parse()?, named.name.clone()),
            (None, Some(own), Some(file)) => (own.clone(), file.name.clone()),
            (None, ..) => stored(store).await?,
        };
        let mut unknown_keys = own.as_ref().map(|own| own.unknown_keys.clone()).unwrap_or_default();
        let mut projects = registry.repository.projects.clone();
        if let Some(pointer) = registry.repository.registry.clone() {
            let base = named.as_ref().or(own_file.as_ref()).map(|file| file.base.clone());
            // A registry in a store has no directory of this machine that a path could be relative to.
            let base = base.ok_or_else(|| ConfigError::RegistryPointsOn(name.clone()))?;
            let setting = format!("[repository] registry in {name}");
            let pointed = self.file(&setting, &pointer, &base, commit)?;
            unknown_keys.append(&mut registry.unknown_keys);
            (registry, name) = (pointed.parse()?, pointed.name);
            if registry.repository.registry.is_some() {
                return Err(ConfigError::RegistryPointsOn(name));
            }
        }
        if let (Some(own), Some(file)) = (&own, &own_file) {
            own.expect_defined(&registry, &file.name)?;
            projects = own.repository.projects.clone().or(projects);
        }
        unknown_keys.append(&mut registry.unknown_keys);
        let mut seen = std::collections::HashSet::new();
        unknown_keys.retain(|unknown| seen.insert(unknown.to_string()));
        registry.unknown_keys = unknown_keys;
        Ok(Found { registry, own: projects.unwrap_or_default(), name })
    }

    /// Returns what the registry file says of the store that says where it is: the repository's own first, then the one that the settings
    /// name.
    pub(super) fn store_in_registry(&self) -> Result<Option<(StoreTable, String, PathBuf)>, ConfigError> {
        let table = |file: File| -> Result<_, ConfigError> {
            let table = Registry::store_table_of(&file.text, &file.name)?;
            Ok(table.url.is_some().then_some((table, file.name, file.base)))
        };
        match self.own_file(None)?.map(table).transpose()?.flatten() {
            Some(found) => Ok(Some(found)),
            None => Ok(self.named_file(None)?.map(table).transpose()?.flatten()),
        }
    }

    /// Returns the terms that the repository's own registry file has for the store at a location; none where it has none for this one.
    ///
    /// The file describes the team's store. Its terms hold whoever says where the store is (a flag, the environment, git's
    /// configuration), unless that is another bucket than the one that the file names: that one has an owner and keys of its own.
    pub(super) fn own_terms(&self, location: &Location) -> Result<Option<Terms>, ConfigError> {
        if !matches!(location, Location::S3 { .. }) {
            return Ok(None);
        }
        let table = |file: File| Registry::store_table_of(&file.text, &file.name);
        let own = self.own_file(None)?.map(table).transpose()?;
        let own = own.filter(|table| table.describes(location)).map(|table| table.terms);
        Ok(own.filter(|terms| *terms != Terms::default()))
    }

    /// Returns `artifacts.toml` at the top of the repository, or in the current directory outside of one.
    fn own_file(&self, commit: Option<Commit>) -> Result<Option<File>, ConfigError> {
        self.at_commit(&self.base()?.join(REGISTRY_FILE), REGISTRY_FILE, commit)
    }

    /// Returns the registry file that a flag, the environment or git's configuration names.
    fn named_file(&self, commit: Option<Commit>) -> Result<Option<File>, ConfigError> {
        if let Some((setting, text)) = self.told(self.flags.registry.as_deref(), &REGISTRY)? {
            return self.file(setting, &text, &self.directory, commit).map(Some);
        }
        let configured = self.git_settings(&REGISTRY)?.pop();
        let named = configured.map(|text| self.file("git config metalogic.registry", &text, &self.base()?, commit));
        named.transpose()
    }

    /// Returns the registry file at a place, which must be there.
    fn file(&self, setting: &str, text: &str, base: &Path, commit: Option<Commit>) -> Result<File, ConfigError> {
        match locate(setting, text, base)? {
            Location::Local(path) => {
                self.at_commit(&path, text, commit)?.ok_or_else(|| ConfigError::RegistryMissing(text.to_owned()))
            }
            place @ Location::S3 { .. } => Err(ConfigError::Unsupported(place.to_string())),
        }
    }

    /// Returns a registry file as it counts for a commit. One that is kept in the repository is the commit's own; else, for HEAD and for
    /// commits that are older than it, the work tree's; else, where that has none, as in a bare repository, HEAD's.
    fn at_commit(&self, path: &Path, name: &str, commit: Option<Commit>) -> Result<Option<File>, ConfigError> {
        let top = self.base()?;
        let tracked = tracked_path(path, &top);
        let head = self.repository()?.map_or(Ok(None), |repository| repository.head())?;
        let base = path.parent().unwrap_or(path).to_owned();
        let at = |commit: Option<Commit>| -> Result<Option<File>, ConfigError> {
            let (Some(commit), Some(tracked), Some(repository)) = (commit, &tracked, self.repository()?) else {
                return Ok(None);
            };
            let text = repository.file_at(commit, tracked, LARGEST)?;
            let name = format!("{}:{tracked}", commit.short());
            Ok(text.map(|text| File { text, name, base: base.clone() }))
        };
        if let Some(found) = at(commit.filter(|commit| head != Some(*commit)))? {
            return Ok(Some(found));
        }
        match read_local(path, name)? {
            Some(text) => Ok(Some(File { text, name: name.to_owned(), base })),
            None => at(head),
        }
    }
}

/// Returns the registry that a team keeps in its store.
async fn stored(store: Option<&dyn Store>) -> Result<(Registry, String), ConfigError> {
    let nowhere = || ConfigError::NoRegistry { in_store: "in a store, since none is configured".to_owned() };
    let store = store.ok_or_else(nowhere)?;
    let name = store.url(&Key::Registry);
    let unreadable =
        |source: StoreError| ConfigError::RegistryUnreadable { name: name.clone(), source: Box::new(source) };
    let stored = store.get(&Key::Registry, LARGEST).await.map_err(unreadable)?;
    let (text, _) = stored.ok_or_else(|| ConfigError::NoRegistry { in_store: name.clone() })?;
    Ok((Registry::parse(&text, &name)?, name))
}

/// Returns the path by which git knows a file in the work tree.
fn tracked_path(path: &Path, top: &Path) -> Option<String> {
    // A path by way of `..` or a link is taken as it is known to git only where the file is there to be asked.
    let direct = path.canonicalize().ok();
    let inside = path.strip_prefix(top).ok().or_else(|| direct.as_deref()?.strip_prefix(top).ok())?;
    let plain = |part| matches!(part, std::path::Component::Normal(_));
    (inside.components().all(plain)).then(|| inside.to_str().map(|text| text.replace('\\', "/"))).flatten()
}

/// Reads a registry file; none where there is none.
fn read_local(path: &Path, name: &str) -> Result<Option<Vec<u8>>, ConfigError> {
    let unreadable =
        |source: std::io::Error| ConfigError::RegistryUnreadable { name: name.to_owned(), source: Box::new(source) };
    // To open a pipe would wait for a writer.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(unreadable(std::io::Error::other("it is not a regular file"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // One byte more than is allowed is enough for the reader to refuse it.
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
    Ok(Some(text))
}
