//! Where the registry lies that is written: the one that counts, or the one that many share.

use std::path::{Path, PathBuf};

use super::registry_file::{File, pointed_place, read_local};
use super::{Config, ConfigError, REGISTRY_FILE, StorePlace, direct};
use crate::location::{Location, LocationError};
use crate::registry::{ProjectName, Registry};
use crate::share::Home;
use crate::store::Key;
use crate::store::directory::DirectoryStore;

/// Holds a registry file that is to be pushed.
pub struct Draft {
    /// The file.
    pub path: PathBuf,
    /// How messages call it.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
    /// What they say.
    pub registry: Registry,
}

impl Config {
    /// Returns where the registry lies that counts for the work tree, and the projects that the repository says are its own.
    ///
    /// # Errors
    /// A registry file that is not valid, and settings that name no location.
    pub async fn registry_home(&self) -> Result<(Home, Vec<ProjectName>), ConfigError> {
        let own_file = self.own_file(None)?;
        let own = own_file.as_ref().map(File::parse).transpose()?;
        let projects = own.and_then(|own| own.repository.projects).unwrap_or_default();
        let (place, name) = match self.named_place()? {
            Some(named) => named,
            None if own_file.is_some() => (Location::Local(self.base()?.join(REGISTRY_FILE)), REGISTRY_FILE.to_owned()),
            None => return Ok((self.home_in_store().await?.0, projects)),
        };
        let home = match self.pointer_of(&place, &name)? {
            Some((place, name)) => self.home(&place, &name)?,
            None => self.home(&place, &name)?,
        };
        Ok((home, projects))
    }

    /// Returns the registry file that is to be pushed: where none is named, the one at the top of the repository.
    ///
    /// # Errors
    /// [`ConfigError::NoFile`], and a file that cannot be read or is not valid.
    pub fn draft(&self, file: Option<&Path>) -> Result<Draft, ConfigError> {
        let (path, name) = match file {
            Some(file) => (self.directory.join(file), file.display().to_string()),
            None => (self.base()?.join(REGISTRY_FILE), REGISTRY_FILE.to_owned()),
        };
        let text = read_local(&path, &name)?.ok_or_else(|| ConfigError::NoFile(name.clone()))?;
        let registry = Registry::parse(&text, &name)?;
        Ok(Draft { path, name, text, registry })
    }

    /// Returns where the registry lies that many share: what the settings or the repository's own file name, unless that is `file` itself;
    /// else the store has it, whose place is told then.
    ///
    /// # Errors
    /// Settings that name no location, and an own file that is not valid.
    pub async fn shared_home(&self, file: &Path) -> Result<(Home, Option<StorePlace>), ConfigError> {
        let elsewhere = |place: &Location| match place {
            Location::Local(path) => direct(path) != direct(file),
            Location::S3 { .. } => true,
        };
        if let Some((place, name)) = self.named_place()?.filter(|(place, _)| elsewhere(place)) {
            // What stands there may be malformed, and is to be replaced.
            let pointer = self.pointer_of(&place, &name).ok().flatten();
            let (place, name) = pointer.unwrap_or((place, name));
            return Ok((self.home(&place, &name)?, None));
        }
        let own = Location::Local(self.base()?.join(REGISTRY_FILE));
        match self.pointer_of(&own, REGISTRY_FILE)?.filter(|(place, _)| elsewhere(place)) {
            Some((place, name)) => Ok((self.home(&place, &name)?, None)),
            None => self.home_in_store().await.map(|(home, place)| (home, Some(place))),
        }
    }

    /// Returns where a local registry file points, if it does. One in a bucket does not point on.
    fn pointer_of(&self, place: &Location, name: &str) -> Result<Option<(Location, String)>, ConfigError> {
        let Location::Local(path) = place else { return Ok(None) };
        let Some(file) = self.at_commit(path, name, None)? else { return Ok(None) };
        let Some(pointer) = file.parse()?.repository.registry else { return Ok(None) };
        Ok(Some((pointed_place(&file, &pointer)?, pointer)))
    }

    async fn home_in_store(&self) -> Result<(Home, StorePlace), ConfigError> {
        let (store, place) = self.store().await?;
        Ok((Home::Stored { store, key: Key::registry() }, place))
    }

    fn home(&self, place: &Location, name: &str) -> Result<Home, ConfigError> {
        let wrong =
            |source| ConfigError::Location { setting: "the registry".to_owned(), value: name.to_owned(), source };
        if let Location::Local(path) = place
            && is_at_an_address(&direct(path))
        {
            return Err(wrong(LocationError::AtAnAddress));
        }
        if let Location::Local(path) = place
            && !path.parent().is_some_and(DirectoryStore::is_one)
        {
            return Ok(Home::Local { path: direct(path), name: name.to_owned() });
        }
        // What lies in a directory that is a store is written as the store writes it: two ways would mean two locks.
        let (mut above, file) = place.part().map_err(wrong)?;
        if let Location::Local(directory) = &mut above {
            *directory = direct(directory);
        }
        let terms = self.own_terms(&above)?.unwrap_or_default();
        Ok(Home::Stored { store: self.open(&above, &terms)?, key: Key::Registry(file) })
    }
}

/// Says whether a path is that of an artifact or a metafile in a directory that is a store.
fn is_at_an_address(path: &Path) -> bool {
    let builds = path.ancestors().nth(2);
    builds.is_some_and(|builds| {
        builds.file_name().is_some_and(|name| name == "builds") && builds.parent().is_some_and(DirectoryStore::is_one)
    })
}
