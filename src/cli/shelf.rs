//! Which shelf releases stand on, and which of them is meant.

use std::ops::Deref;
use std::sync::Arc;

use crate::cli::session::Session;
use crate::config::{ConfigError, StorePlace};
use crate::shelf::startifact::Startifact;
use crate::shelf::store::StoreShelf;
use crate::shelf::{Found, Shelf, ShelfError, Staged, Staging};
use crate::store::{Store, StoreError};
use crate::version::{ReleaseName, Version};

/// Says which release is wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    /// The name
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    /// The version [default: the latest]
    #[arg(value_name = "VERSION")]
    version: Option<Version>,
    /// Count pre-releases, too, where no version is named
    #[arg(long, conflicts_with = "version")]
    pre: bool,
}

/// Holds the shelf, and the store that it is in, if it is in the store.
pub(crate) struct OpenShelf {
    shelf: Box<dyn Shelf>,
    store: Option<Arc<dyn Store>>,
}

impl Deref for OpenShelf {
    type Target = dyn Shelf;

    fn deref(&self) -> &Self::Target {
        &*self.shelf
    }
}

/// Says what it is asked for where releases stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read, or to say what would be done.
    Look,
    /// To write. What is written in a wrong place stays there, so nothing is taken for granted.
    Write,
}

impl Session {
    /// Returns the shelf: that of the organisation whose parameter the environment or a registry file names, else the store's.
    pub(crate) async fn shelf(&self, purpose: Purpose) -> anyhow::Result<OpenShelf> {
        let opened: Result<(Arc<dyn Store>, StorePlace), ConfigError> = self.config.store().await;
        let store = opened.as_ref().ok().map(|(store, _)| &**store);
        let parameter = self.parameter(store, purpose, "the store").await?;
        if let Some((parameter, said)) = parameter {
            self.report.detail(&format!("{said}: releases stand where {parameter} says"));
            let (account, observer) = (self.config.account(), Arc::clone(self.observer()));
            let regions = self.config.versions_regions()?;
            let shelf = Startifact::load(account, &parameter, &regions, observer, self.config.limits()).await?;
            return Ok(OpenShelf { shelf: Box::new(shelf), store: None });
        }
        let (store, place) = opened?;
        self.tell_of(&place);
        let shelf = Box::new(StoreShelf::new(Arc::clone(&store), Arc::clone(self.observer())));
        Ok(OpenShelf { shelf, store: Some(store) })
    }

    /// Returns the parameter that says where releases stand, and who said so. Whoever may not read the registry in a store cannot know of
    /// one there: then readers are warned of what is taken, and nothing is written.
    pub(crate) async fn parameter(
        &self,
        store: Option<&dyn Store>,
        purpose: Purpose,
        otherwise: &str,
    ) -> Result<Option<(String, String)>, ConfigError> {
        let denied = |source: &(dyn std::error::Error + Send + Sync + 'static)| {
            matches!(source.downcast_ref(), Some(StoreError::AccessDenied { .. }))
        };
        match (self.config.versions_parameter(store).await, purpose) {
            (Err(ConfigError::RegistryUnreadable { name, source }), Purpose::Write) if denied(&*source) => {
                Err(ConfigError::ShelfHidden { name, source })
            }
            (Err(ConfigError::RegistryUnreadable { name, source }), Purpose::Look) if denied(&*source) => {
                self.report.warning(&format!(
                    "whether {name} says that releases stand elsewhere is not known ({source}): {otherwise} is taken"
                ));
                Ok(None)
            }
            (found, Purpose::Look | Purpose::Write) => {
                let found = found?;
                found.unknown_keys.iter().for_each(|unknown| self.report.warning(&unknown.to_string()));
                Ok(found.parameter)
            }
        }
    }

    /// Stages a release; warns where the store does not keep the conditions that keep stagers from each other's work.
    pub(crate) async fn stage(
        &self,
        shelf: &OpenShelf,
        staging: &Staging,
        dry_run: bool,
    ) -> Result<Staged, ShelfError> {
        let stage = shelf.shelf.stage(staging, dry_run);
        match &shelf.store {
            Some(store) => self.writing(&**store, dry_run, stage).await,
            None => stage.await,
        }
    }

    /// Finds the release that is wanted.
    pub(crate) async fn release(&self, shelf: &dyn Shelf, wanted: &Wanted) -> Result<Found, ShelfError> {
        match &wanted.version {
            Some(version) => shelf.find(&wanted.name, version).await,
            None => shelf.find(&wanted.name, &shelf.latest(&wanted.name, wanted.pre).await?).await,
        }
    }
}
