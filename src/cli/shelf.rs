//! Which shelf releases stand on, and which of them is meant.

use std::ops::Deref;
use std::sync::Arc;

use crate::cli::session::Session;
use crate::config::{ConfigError, StorePlace};
use crate::shelf::startifact::Startifact;
use crate::shelf::store::StoreShelf;
use crate::shelf::{Found, Shelf, ShelfError, Staged, Staging};
use crate::stage::{self, StageError};
use crate::store::{Store, StoreError};
use crate::version::{ReleaseName, Version};

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

impl Session {
    /// Returns the shelf: that of the organisation whose parameter the environment or a registry file names, else the store's.
    pub(crate) async fn shelf(&self) -> anyhow::Result<OpenShelf> {
        let opened: Result<(Arc<dyn Store>, StorePlace), ConfigError> = self.config.store().await;
        let store = opened.as_ref().ok().map(|(store, _)| &**store);
        if let Some((parameter, said)) = self.parameter(store).await? {
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

    /// Returns the parameter that says where releases stand. Whoever may not read the registry in a store cannot know of one there.
    pub(crate) async fn parameter(&self, store: Option<&dyn Store>) -> Result<Option<(String, String)>, ConfigError> {
        let found = self.config.versions_parameter(store).await;
        let denied = |source: &(dyn std::error::Error + Send + Sync + 'static)| {
            matches!(source.downcast_ref(), Some(StoreError::AccessDenied { .. }))
        };
        match found {
            Err(ConfigError::RegistryUnreadable { name, source }) if denied(&*source) => {
                self.report.warning(&format!(
                    "whether {name} says that releases stand elsewhere is not known ({source}): the store is taken"
                ));
                Ok(None)
            }
            found => found,
        }
    }

    /// Stages a release; warns where the store does not keep the conditions that keep stagers from each other's work.
    pub(crate) async fn stage(
        &self,
        shelf: &OpenShelf,
        staging: &Staging,
        dry_run: bool,
    ) -> Result<Staged, StageError> {
        let stage = stage::stage(&**shelf, staging, dry_run);
        match &shelf.store {
            Some(store) => self.writing(&**store, dry_run, stage).await,
            None => stage.await,
        }
    }

    /// Finds the release that is meant: the latest, where no version is named.
    pub(crate) async fn release(
        &self,
        shelf: &dyn Shelf,
        name: &ReleaseName,
        version: Option<&Version>,
        pre: bool,
    ) -> Result<Found, ShelfError> {
        match version {
            Some(version) => shelf.find(name, version).await,
            None => shelf.find(name, &shelf.latest(name, pre).await?).await,
        }
    }
}
