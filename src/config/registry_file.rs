//! Where the registry is, and which version of it counts for a commit.
//!
//! Two files have a say. The repository's own `artifacts.toml` says what the repository is and where its store is. Where names are
//! registered is said by the settings, else by the own file, which defines them itself or points; else the store has them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::settings::REGISTRY;
use super::versions::VersionsPlace;
use super::{Config, ConfigError, locate_file};
use crate::address::Commit;
use crate::catalog::Catalog;
use crate::git::GitError;
use crate::location::Location;
use crate::registry::{LARGEST, ProjectName, REGISTRY_FILE, Registry, RegistryError, StoreTable, Terms};
use crate::store::{Key, Store, StoreError, Tag};

/// Holds a registry file as it was read.
#[derive(Clone)]
pub(super) struct File {
    pub(super) text: Vec<u8>,
    /// How messages call it.
    pub(super) name: String,
    /// The directory that its relative paths are relative to; an empty path for one that lies in a store.
    pub(super) base: PathBuf,
    /// The tag of this version, where the file lies in a store.
    tag: Option<Tag>,
}

/// Holds the registry that counts for a commit.
pub struct Found {
    /// The registry that defines the names.
    pub registry: Registry,
    /// The projects that the repository says are its own; none where it says nothing.
    pub own: Vec<ProjectName>,
    /// How messages call it.
    pub name: String,
    /// The tag of this version, where it lies in a store.
    pub tag: Option<Tag>,
    /// The files of the repository that had a say, or would have if they were there, by the paths by which git knows them.
    pub tracked: Vec<String>,
}

impl File {
    pub(super) fn parse(&self) -> Result<Registry, ConfigError> {
        Ok(Registry::parse(&self.text, &self.name)?)
    }
}

impl Config {
    /// Returns the registry as it counts for a commit, joined with the repository's projects and those of `--project`.
    ///
    /// # Errors
    /// No registry, one that cannot be read, or one that is not valid.
    pub async fn catalog(&self, commit: Option<Commit>, store: Option<&dyn Store>) -> Result<Catalog, ConfigError> {
        Ok(self.catalog_and_files(commit, store).await?.0)
    }

    /// Returns the registry as [`Config::catalog`] does, and the files of the repository that had a say in it.
    ///
    /// # Errors
    /// No registry, one that cannot be read, or one that is not valid.
    pub async fn catalog_and_files(
        &self,
        commit: Option<Commit>,
        store: Option<&dyn Store>,
    ) -> Result<(Catalog, Vec<String>), ConfigError> {
        let Found { registry, own, tracked, .. } = self.registry(commit, store).await?;
        Ok((Catalog::new(registry, &own, &self.projects()?)?, tracked))
    }

    /// Returns what files of the repository hold at a commit; nothing of those that it does not have. Where the texts of all that had a say are
    /// the same, so is the registry.
    ///
    /// # Errors
    /// A file that cannot be read, or is not in a partial clone.
    pub fn texts_at(&self, commit: Commit, tracked: &[String]) -> Result<Vec<Option<Vec<u8>>>, ConfigError> {
        let Some(repository) = self.repository()? else { return Ok(vec![None; tracked.len()]) };
        Ok(tracked.iter().map(|path| repository.file_at(commit, path, LARGEST)).collect::<Result<_, _>>()?)
    }

    /// Returns the registry that counts for a commit, or for the work tree.
    ///
    /// # Errors
    /// No registry, one that cannot be read, or one that is not valid.
    pub async fn registry(&self, commit: Option<Commit>, store: Option<&dyn Store>) -> Result<Found, ConfigError> {
        let own_file = self.own_file(commit)?;
        let mut tracked = self.tracked(&Location::Local(self.base()?.join(REGISTRY_FILE)))?;
        if let Some((place, _)) = self.named_place()? {
            tracked.extend(self.tracked(&place)?);
        }
        let own = own_file.as_ref().map(File::parse).transpose()?;
        let mut file = match (self.named_file(commit).await?, &own_file) {
            (Some(named), _) => named,
            (None, Some(own_file)) => own_file.clone(),
            (None, None) => stored(store).await?,
        };
        let mut registry = file.parse()?;
        let mut unknown_keys = own.as_ref().map(|own| own.unknown_keys.clone()).unwrap_or_default();
        let mut projects = registry.repository.projects.clone();
        if let Some(pointer) = registry.repository.registry.clone() {
            let pointed = self.pointed_file(&file, &pointer, commit).await?;
            tracked.extend(self.tracked(&pointed_place(&file, &pointer)?)?);
            unknown_keys.append(&mut registry.unknown_keys);
            (registry, file) = (pointed.parse()?, pointed);
            if registry.repository.registry.is_some() {
                return Err(ConfigError::RegistryPointsOn(file.name));
            }
        }
        if let (Some(own), Some(own_file)) = (&own, &own_file) {
            own.expect_defined(&registry, &own_file.name)?;
            projects = own.repository.projects.clone().or(projects);
        }
        unknown_keys.append(&mut registry.unknown_keys);
        let mut seen = std::collections::HashSet::new();
        unknown_keys.retain(|unknown| seen.insert(unknown.to_string()));
        registry.unknown_keys = unknown_keys;
        Ok(Found { registry, own: projects.unwrap_or_default(), name: file.name, tag: file.tag, tracked })
    }

    /// Returns the path by which git knows what lies at a place, where it does.
    fn tracked(&self, place: &Location) -> Result<Vec<String>, ConfigError> {
        match place {
            Location::Local(path) => Ok(tracked_path(path, &self.base()?).into_iter().collect()),
            Location::S3 { .. } => Ok(Vec::new()),
        }
    }

    /// Returns what the registry file says of the store that says where it is: the repository's own first, then the one that the settings
    /// name.
    pub(super) async fn store_in_registry(&self) -> Result<Option<(StoreTable, String, PathBuf)>, ConfigError> {
        let table = |file: File| -> Result<_, ConfigError> {
            let table = Registry::store_table_of(&file.text, &file.name)?;
            Ok(table.url.is_some().then_some((table, file.name, file.base)))
        };
        match self.own_file(None)?.map(table).transpose()?.flatten() {
            Some(found) => Ok(Some(found)),
            None => Ok(self.named_file(None).await?.map(table).transpose()?.flatten()),
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
        // A file that was left out of this clone says nothing here, and nothing is fetched for it.
        let own = match self.own_file(None) {
            Err(ConfigError::Git(GitError::NotHere { .. })) => None,
            own => own?,
        };
        let own = own.map(table).transpose()?;
        let own = own.filter(|table| table.describes(location)).map(|table| table.terms);
        Ok(own.filter(|terms| *terms != Terms::default()))
    }

    /// Returns the parameter in which a registry file says that releases stand: the repository's own first, the one that
    /// this points to, the one that the settings name, or, where there is none of them, the store's.
    pub(super) async fn parameter_in_registry(&self, store: Option<&dyn Store>) -> Result<VersionsPlace, ConfigError> {
        let mut place = VersionsPlace::default();
        let own = self.own_file(None)?;
        let named = self.named_file(None).await?;
        let nowhere = own.is_none() && named.is_none();
        for file in own.into_iter().chain(named) {
            if place.take(&file)? {
                return Ok(place);
            }
            if let Some(pointer) = Registry::pointer_of(&file.text, &file.name)?
                && place.take(&self.pointed_file(&file, &pointer, None).await?)?
            {
                return Ok(place);
            }
        }
        if let Some(store) = store.filter(|_| nowhere)
            && let Some(file) = stored_file(store, &Key::registry()).await?
        {
            place.take(&file)?;
        }
        Ok(place)
    }

    /// Returns `artifacts.toml` at the top of the repository, or in the current directory outside of one.
    pub(super) fn own_file(&self, commit: Option<Commit>) -> Result<Option<File>, ConfigError> {
        self.at_commit(&self.base()?.join(REGISTRY_FILE), REGISTRY_FILE, commit)
    }

    /// Returns the registry file that a flag, the environment or git's configuration names.
    async fn named_file(&self, commit: Option<Commit>) -> Result<Option<File>, ConfigError> {
        match self.named_place()? {
            Some((place, text)) => self.file(&place, &text, commit).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns where the registry lies that a flag, the environment or git's configuration names, and how they spell it.
    pub(super) fn named_place(&self) -> Result<Option<(Location, String)>, ConfigError> {
        if let Some((setting, text)) = self.told(self.flags.registry.as_deref(), &REGISTRY)? {
            return Ok(Some((locate_file(setting, &text, &self.directory)?, text)));
        }
        let Some(text) = self.git_settings(&REGISTRY)?.pop() else { return Ok(None) };
        Ok(Some((locate_file("git config metalogic.registry", &text, &self.base()?)?, text)))
    }

    /// Returns the registry file that another one points to.
    async fn pointed_file(&self, file: &File, pointer: &str, commit: Option<Commit>) -> Result<File, ConfigError> {
        self.file(&pointed_place(file, pointer)?, pointer, commit).await
    }

    /// Returns the registry file at a place, which must be there.
    async fn file(&self, place: &Location, text: &str, commit: Option<Commit>) -> Result<File, ConfigError> {
        let file = match place {
            Location::Local(path) => self.at_commit(path, text, commit)?,
            Location::S3 { .. } => self.file_in_bucket(place).await?,
        };
        file.ok_or_else(|| ConfigError::RegistryMissing(text.to_owned()))
    }

    /// Returns the registry file in a bucket: it is asked for once a run, whoever needs it.
    async fn file_in_bucket(&self, place: &Location) -> Result<Option<File>, ConfigError> {
        let url = place.to_string();
        let known = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = known().get(&url) {
            return Ok(Some(file.clone()));
        }
        let wrong = |source| ConfigError::Location { setting: "the registry".to_owned(), value: url.clone(), source };
        let (above, name) = place.part().map_err(wrong)?;
        let store = self.open(&above, &self.own_terms(&above)?.unwrap_or_default())?;
        let file = stored_file(&*store, &Key::Registry(name)).await?;
        known().extend(file.clone().map(|file| (url, file)));
        Ok(file)
    }

    /// Returns a registry file as it counts for a commit. One that is kept in the repository is the commit's own; else, for HEAD and for
    /// commits that are older than it, the work tree's; else, where that has none, as in a bare repository, HEAD's.
    pub(super) fn at_commit(
        &self,
        path: &Path,
        name: &str,
        commit: Option<Commit>,
    ) -> Result<Option<File>, ConfigError> {
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
            Ok(text.map(|text| File { text, name, base: base.clone(), tag: None }))
        };
        if let Some(found) = at(commit.filter(|commit| head != Some(*commit)))? {
            return Ok(Some(found));
        }
        match read_local(path, name)? {
            Some(text) => Ok(Some(File { text, name: name.to_owned(), base, tag: None })),
            None => at(head),
        }
    }
}

impl VersionsPlace {
    /// Takes what a registry file says; answers whether it names a parameter.
    fn take(&mut self, file: &File) -> Result<bool, ConfigError> {
        let (table, mut unknown_keys) = Registry::versions_table_of(&file.text, &file.name)?;
        self.unknown_keys.append(&mut unknown_keys);
        self.parameter = table.parameter.map(|parameter| (parameter, format!("[versions] parameter in {}", file.name)));
        Ok(self.parameter.is_some())
    }
}

/// Returns the registry that a team keeps in its store.
async fn stored(store: Option<&dyn Store>) -> Result<File, ConfigError> {
    let nowhere = || ConfigError::NoRegistry { in_store: "in a store, since none is configured".to_owned() };
    let (store, key) = (store.ok_or_else(nowhere)?, Key::registry());
    stored_file(store, &key).await?.ok_or_else(|| ConfigError::NoRegistry { in_store: store.url(&key) })
}

/// Returns the registry file under a key of a store; none where there is none.
async fn stored_file(store: &dyn Store, key: &Key) -> Result<Option<File>, ConfigError> {
    let name = store.url(key);
    let unreadable =
        |source: StoreError| ConfigError::RegistryUnreadable { name: name.clone(), source: Box::new(source) };
    let stored = match store.get(key, LARGEST).await {
        Err(StoreError::TooLarge { size, .. }) => return Err(RegistryError::TooLarge { file: name, size }.into()),
        stored => stored.map_err(unreadable)?,
    };
    Ok(stored.map(|(text, tag)| File { text: text.to_vec(), name: name.clone(), base: PathBuf::new(), tag: Some(tag) }))
}

/// Returns where the registry lies that a file points to. One that lies in a store itself does not point on.
pub(super) fn pointed_place(file: &File, pointer: &str) -> Result<Location, ConfigError> {
    if file.tag.is_some() {
        return Err(ConfigError::RegistryPointsOn(file.name.clone()));
    }
    locate_file(&format!("[repository] registry in {}", file.name), pointer, &file.base)
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
pub(super) fn read_local(path: &Path, name: &str) -> Result<Option<Vec<u8>>, ConfigError> {
    let unreadable =
        |source: std::io::Error| ConfigError::RegistryUnreadable { name: name.to_owned(), source: Box::new(source) };
    // To open a pipe would wait for a writer.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.len() > LARGEST => {
            return Err(RegistryError::TooLarge { file: name.to_owned(), size: metadata.len() }.into());
        }
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(unreadable(std::io::Error::other("it is not a regular file"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // It may grow meanwhile: one byte more than is allowed is enough for the reader to refuse it.
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
    Ok(Some(text))
}
