//! A store in a directory: of this machine, or of a file system that several share.

mod folder;
mod lock;
mod read;
mod site;
mod system;
mod task;
mod write;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Attributes, Body, Changed, Condition, Content, Guarantees, Key, Object, Prefix, Presigned, Put, Source, Store,
    StoreError, Tag, Validity,
};
use crate::address::Commit;
use crate::location::file_url;
use crate::metalogic::Listing;
use site::Site;

/// How long to wait for a lock, where nobody says.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps objects as files below a directory, in the layout that every store has: a file that someone copies there counts.
///
/// What the program itself needs lies in `.metalogic` beside them. A tag is the SHA-256 of an object's bytes, so a compare-and-swap
/// compares content and never times; an advisory lock makes it hold between processes.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    site: Arc<Site>,
}

impl DirectoryStore {
    /// Makes a store of a directory, whose path must be absolute. Nothing is created until the first put.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self::with_patience(directory, PATIENCE)
    }

    /// Says whether a directory has been written to as a store.
    #[must_use]
    pub fn is_one(directory: &Path) -> bool {
        Site::is_one(directory)
    }

    /// Makes a store that waits so long for a lock that another process holds.
    #[must_use]
    pub fn with_patience(directory: &Path, patience: Duration) -> Self {
        Self { site: Arc::new(Site::new(directory, patience)) }
    }
}

#[async_trait]
impl Store for DirectoryStore {
    fn url(&self, key: &Key) -> String {
        file_url(&self.site.path(key))
    }

    fn root(&self) -> String {
        file_url(self.site.root())
    }

    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        let site = Arc::clone(&self.site);
        let address = site.address(commit);
        task::run(commit.address(), address.clone(), move |task| read::list(task, &address)).await
    }

    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        let (site, prefix) = (Arc::clone(&self.site), prefix.to_string());
        let place = site.root().join(&prefix);
        task::run(prefix.clone(), place, move |task| read::keys(task, site.root(), &prefix)).await
    }

    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        let path = self.site.path(key);
        task::run(key.to_string(), path.clone(), move |task| read::get(task, &path, largest)).await
    }

    async fn get_changed(&self, key: &Key, largest: u64, than: &Tag) -> Result<Changed, StoreError> {
        Changed::of(self.get(key, largest).await, than)
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        let path = self.site.path(key);
        task::run(key.to_string(), path.clone(), move |task| read::open(task, &path, range)).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        let path = self.site.path(key);
        task::run(key.to_string(), path.clone(), move |task| read::head(task, &path)).await
    }

    async fn put(
        &self,
        key: &Key,
        content: Content,
        attributes: Attributes,
        condition: &Condition,
    ) -> Result<Put, StoreError> {
        let (site, key, condition) = (Arc::clone(&self.site), key.clone(), condition.clone());
        let (what, path) = (key.to_string(), site.path(&key));
        task::run(what, path, move |task| write::put(task, &site, &key, &content, attributes, &condition)).await
    }

    async fn copy(&self, from: &Key, to: &Key, original: Option<&Object>) -> Result<(), StoreError> {
        let (site, from, to) = (Arc::clone(&self.site), from.clone(), to.clone());
        let (path, original) = (site.path(&to), original.copied());
        task::run(to.to_string(), path, move |task| write::copy(task, &site, &from, &to, original)).await
    }

    async fn source(&self, _: &Key) -> Result<Option<Source>, StoreError> {
        Ok(None)
    }

    async fn copy_from(&self, _: &Source, _: &Key, _: Attributes) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let (site, key) = (Arc::clone(&self.site), key.clone());
        let path = site.path(&key);
        task::run(key.to_string(), path, move |task| write::delete(task, &site, &key)).await
    }

    /// A file's own URL needs no signature.
    async fn presigned(&self, _: &Key, _: Validity) -> Result<Option<Presigned>, StoreError> {
        Ok(None)
    }

    fn expect(&self, _: usize) {}

    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        Ok(Guarantees::ALL)
    }
}
