//! Where the registry is, and which version of it counts for a commit.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::settings::REGISTRY;
use super::{Config, ConfigError, REGISTRY_FILE, locate};
use crate::address::Commit;
use crate::catalog::Catalog;
use crate::location::Location;
use crate::registry::{LARGEST, ProjectName, Registry};
use crate::store::{Key, Store, StoreError};

impl Config {
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
            let stored = store.get(&Key::Registry, LARGEST).await.map_err(unreadable)?;
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
                let mut pointed = Registry::parse(&text, &name)?;
                if pointed.repository.registry.is_some() {
                    return Err(ConfigError::RegistryPointsOn(name));
                }
                pointed.unknown_keys.splice(..0, registry.unknown_keys);
                Ok((pointed, own, name))
            }
            place @ Location::S3 { .. } => Err(ConfigError::Unsupported(place.to_string())),
        }
    }

    /// Returns the text of the registry file that counts for a commit, how it is called, and the directory that its paths are
    /// relative to; none where there is no such file. Without a commit it is the work tree's, else the one of HEAD.
    pub(super) fn registry_text(
        &self,
        commit: Option<Commit>,
    ) -> Result<Option<(Vec<u8>, String, PathBuf)>, ConfigError> {
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
        let head = self.repository()?.map_or(Ok(None), |repository| repository.head())?;
        let at = |commit: Option<Commit>| -> Result<_, ConfigError> {
            let tracked = tracked_path(&path, &base);
            let (Some(commit), Some(tracked), Some(repository)) = (commit, tracked, self.repository()?) else {
                return Ok(None);
            };
            let text = repository.file_at(commit, &tracked, LARGEST)?;
            Ok(text.map(|text| (text, format!("{}:{tracked}", commit.short()), base.clone())))
        };
        // The commit's own; else the work tree's; else, where that has none, as in a bare repository, HEAD's.
        if let Some(found) = at(commit.filter(|commit| head != Some(*commit)))? {
            return Ok(Some(found));
        }
        let found = local(&path, name.clone())?.map_or_else(|| at(head), |found| Ok(Some(found)))?;
        match found {
            None if configured.is_some() => Err(ConfigError::RegistryMissing(name)),
            found => Ok(found),
        }
    }
}

/// Returns the path by which git knows a file in the work tree.
fn tracked_path(path: &Path, top: &Path) -> Option<String> {
    let inside = path.strip_prefix(top).ok()?;
    let plain = |part| matches!(part, std::path::Component::Normal(_));
    (inside.components().all(plain)).then(|| inside.to_str().map(|text| text.replace('\\', "/"))).flatten()
}

/// Reads a registry file; none where there is none.
fn read_local(path: &Path, name: &str) -> Result<Option<Vec<u8>>, ConfigError> {
    let unreadable =
        |source: std::io::Error| ConfigError::RegistryUnreadable { name: name.to_owned(), source: Box::new(source) };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut text = Vec::new();
    // One byte more than is allowed is enough for the reader to refuse it.
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
    Ok(Some(text))
}
