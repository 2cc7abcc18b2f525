//! Which store there is, who said so, and what a further process of this program is to be told.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use super::settings::{DIRECTORY, JOBS, MAX_ANCESTORS, PART_SIZE, PARTS, REGISTRY, STORE, Setting, TIMEOUT};
use super::{Config, ConfigError, direct, locate};
use crate::location::Location;
use crate::registry::Terms;
use crate::store::Store;
use crate::store::directory::DirectoryStore;
use crate::store::s3::S3Store;
use crate::words;

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
    /// Returns what `--store` says: as it is written, and as a location relative to the current directory.
    ///
    /// # Errors
    /// What names no location.
    pub fn store_flag(&self) -> Result<Option<(&str, Location)>, ConfigError> {
        let Some(text) = self.flags.store.as_deref() else { return Ok(None) };
        Ok(Some((text, locate(STORE.flag, text, &self.directory)?)))
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
            // What may not be looked at may be there.
            Location::Local(directory) => directory.try_exists().unwrap_or(true),
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
            Location::Local(directory) if directory.metadata().is_ok_and(|found| !found.is_dir()) => {
                return Err(ConfigError::NotADirectory(directory.clone()));
            }
            Location::Local(directory) => Arc::new(DirectoryStore::with_patience(directory, self.limits.timeout)),
            Location::S3 { bucket, prefix } => Arc::new(self.bucket(bucket, prefix, terms)),
        })
    }

    /// Returns the store in a bucket, below a prefix.
    #[must_use]
    pub fn bucket(&self, bucket: &str, prefix: &str, terms: &Terms) -> S3Store {
        S3Store::new(bucket, prefix, None, terms.clone(), &self.aws).in_parts(self.limits.parts)
    }

    /// Returns the flags with which somebody can do by hand, from anywhere, what concerns this directory and this store.
    #[must_use]
    pub fn spelled(&self) -> String {
        let entered = self.flags.directory.is_some();
        let directory = entered.then(|| format!(" -C {}", words::word(&self.directory.display().to_string())));
        let store =
            self.store_flag().ok().flatten().map(|(_, place)| format!(" --store {}", words::word(&place.to_string())));
        directory.into_iter().chain(store).collect()
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
        pass(PART_SIZE, self.limits.parts.size.map(|size| size.to_string()));
        pass(PARTS, self.limits.parts.abreast.map(|abreast| abreast.to_string()));
        pass(TIMEOUT, Some(humantime::format_duration(self.limits.timeout).to_string()));
        passed
    }
}
