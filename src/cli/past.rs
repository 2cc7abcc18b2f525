//! The registry as it counts for each of many commits.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::address::Commit;
use crate::catalog::Catalog;
use crate::chronicle::Registries;
use crate::cli::session::{Ports, Session};
use crate::config::ConfigError;

/// Reads the registry of older commits, no oftener than it changes.
pub(crate) struct Past<'a> {
    session: &'a Session,
    ports: &'a Ports,
    newest: Commit,
    /// The one that counts for the newest commit; where there is none, none counts for any.
    first: Option<Arc<Catalog>>,
    seen: Mutex<Seen>,
}

/// Files of the repository by the paths by which git knows them, and what they hold.
type Files = (Vec<String>, Vec<Option<Vec<u8>>>);

/// Holds what was read.
#[derive(Default)]
struct Seen {
    /// The files of the repository that had a say in the last one that was read.
    files: Vec<String>,
    /// Those that were read.
    catalogs: HashMap<Files, Arc<Catalog>>,
    /// Whether it was told that one cannot be read.
    told: bool,
}

impl<'a> Past<'a> {
    pub(crate) fn new(session: &'a Session, ports: &'a Ports, newest: Commit, first: Option<Catalog>) -> Self {
        Self { session, ports, newest, first: first.map(Arc::new), seen: Mutex::default() }
    }

    /// Returns the one that counts for the newest commit.
    pub(crate) fn newest(&self) -> Option<&Catalog> {
        self.first.as_deref()
    }

    async fn read(&self, seen: &mut Seen, commit: Commit) -> Result<Arc<Catalog>, ConfigError> {
        let config = &self.session.config;
        let key = |files: Vec<String>| config.texts_at(commit, &files).map(|texts| (files, texts));
        // The work tree's counts for HEAD, whatever was committed.
        let is_head = config.repository()?.map_or(Ok(None), |repository| repository.head())? == Some(commit);
        if !is_head && let Some(known) = seen.catalogs.get(&key(seen.files.clone())?) {
            return Ok(known.clone());
        }
        let (catalog, files) = config.catalog_and_files(Some(commit), Some(&*self.ports.store)).await?;
        let catalog = Arc::new(catalog);
        if !is_head {
            seen.files.clone_from(&files);
            seen.catalogs.insert(key(files)?, catalog.clone());
        }
        Ok(catalog)
    }
}

#[async_trait]
impl Registries for Past<'_> {
    async fn at(&self, commit: Commit) -> Option<Arc<Catalog>> {
        let first = self.first.as_ref()?;
        if commit == self.newest {
            return Some(first.clone());
        }
        let mut seen = self.seen.lock().await;
        match self.read(&mut seen, commit).await {
            Ok(catalog) => Some(catalog),
            Err(error) => {
                if !std::mem::replace(&mut seen.told, true) {
                    let (short, newest) = (commit.short(), self.newest.short());
                    self.session.report.warning(&format!(
                        "the registry of {short} cannot be read, and that of {newest} counts there: {error}"
                    ));
                }
                Some(first.clone())
            }
        }
    }
}
