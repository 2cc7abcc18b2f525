//! Looking for a release: in one region after the other, and with no more rights than to read.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join;

use super::Startifact;
use super::notes::Notes;
use super::site::{Site, Trouble};
use crate::release::{LARGEST, Release, ReleaseError};
use crate::shelf::{Found, ShelfError};
use crate::store::{Denial, Key, Store, StoreError};
use crate::version::{ReleaseName, Version};

/// Says what a look in one region showed.
enum Look {
    /// It is there.
    Found(Box<Found>),
    /// It is not.
    Missing,
    /// It is not, or may not be read: who may not list is not told which.
    Hidden(StoreError),
}

impl Startifact {
    /// Finds a release in the first region that has it.
    pub(super) async fn find_anywhere(&self, name: &ReleaseName, version: &Version) -> Result<Found, ShelfError> {
        let (mut troubles, mut hidden) = (Vec::new(), BTreeMap::new());
        for (at, site) in self.readers.iter().enumerate() {
            match site.look(name, version).await {
                Ok(Look::Found(found)) => {
                    self.tell(&troubles);
                    return Ok(*found);
                }
                Ok(Look::Missing) => {}
                Ok(Look::Hidden(denied)) => drop(hidden.insert(at, denied)),
                Err(error) => troubles.push(site.trouble(error)),
            }
        }
        Trouble::raise(&mut troubles)?;
        self.find_listed(name, version, hidden).await
    }

    /// Looks for a release that nothing stands under the very key of: with other build metadata it is the same version. A listing tells what
    /// is missing from what is hidden at a reader's places.
    async fn find_listed(
        &self,
        name: &ReleaseName,
        version: &Version,
        mut hidden: BTreeMap<usize, StoreError>,
    ) -> Result<Found, ShelfError> {
        let (mut seen, mut unlisted) = (false, false);
        for (at, site) in self.readers.iter().enumerate() {
            let versions = match site.versions(name).await {
                Ok(versions) => versions,
                Err(ShelfError::Store(StoreError::AccessDenied { denial: Denial::Listing, .. })) => {
                    unlisted = true;
                    continue;
                }
                Err(error) => return Err(site.trouble(error).error),
            };
            seen |= !versions.is_empty();
            let denied = hidden.remove(&at);
            let exactly = versions.contains(version).then_some(version);
            let stands = exactly.or_else(|| versions.iter().rfind(|stands| stands.is_same(version)));
            let Some(stands) = stands else { continue };
            if let Some(denied) = denied.filter(|_| exactly.is_some()) {
                return Err(denied.into());
            }
            if exactly.is_none() && version.has_build() {
                let (name, version, stands) = (name.clone(), version.clone(), Box::new(stands.clone()));
                return Err(ShelfError::OtherBuild { name, version, stands, place: site.place(), staging: false });
            }
            match site.look(name, stands).await? {
                Look::Found(found) => return Ok(*found),
                Look::Missing => {}
                Look::Hidden(denied) => return Err(denied.into()),
            }
        }
        let (name, version, place) = (name.clone(), version.clone(), self.place.clone());
        Err(match hidden.pop_first() {
            Some((_, denied)) => ShelfError::Hidden { name, version, place, source: Box::new(denied) },
            None if unlisted || seen => ShelfError::Missing { name, version, place },
            None => ShelfError::Nothing { name, place },
        })
    }
}

impl Site {
    /// Looks for a release exactly as its version is spelled.
    async fn look(&self, name: &ReleaseName, version: &Version) -> Result<Look, ShelfError> {
        let bucket = self.bucket().await?;
        let key = Key::Staged(self.key_prefix.clone(), name.clone(), version.clone());
        let beside = Key::Metadata(self.key_prefix.clone(), name.clone(), version.clone());
        let (object, notes) = join(bucket.head(&key), notes(&**bucket, &beside)).await;
        let object = match object {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(Look::Missing),
            Err(error) if is_hidden(&error) => return Ok(Look::Hidden(error)),
            Err(error) => return Err(error.into()),
        };
        let notes = match notes {
            // Who may read the one may read the other, but is not told that nothing is there without the right to list.
            Err(ShelfError::Store(error)) if is_hidden(&error) => None,
            notes => notes?,
        };
        let mut release = Release {
            name: name.clone(),
            version: version.clone(),
            size: object.size,
            sha256: object.attributes.sha256,
            mode: object.attributes.mode,
            filename: None,
            metadata: BTreeMap::new(),
            at: None,
            origin: None,
        };
        let malformed = |source| ShelfError::Malformed { url: bucket.url(&beside), source };
        notes.unwrap_or_default().tell(&mut release).map_err(malformed)?;
        Ok(Look::Found(Box::new(Found { release, store: Arc::clone(bucket), key })))
    }

    /// Returns where a release is, for messages.
    pub(super) fn place(&self) -> String {
        match self.bucket.get() {
            Some(bucket) => format!("{} in {}", bucket.root(), self.region),
            None => self.region.clone(),
        }
    }
}

/// Reads what stands beside a release; none where nothing does.
pub(super) async fn notes(bucket: &dyn Store, key: &Key) -> Result<Option<Notes>, ShelfError> {
    let malformed = |source| ShelfError::Malformed { url: bucket.url(key), source };
    match bucket.get(key, LARGEST).await {
        Ok(None) => Ok(None),
        Ok(Some((bytes, _))) => Notes::parse(&bytes).map(Some).map_err(malformed),
        Err(StoreError::TooLarge { size, .. }) => Err(malformed(ReleaseError::TooLarge(size))),
        Err(error) => Err(error.into()),
    }
}

fn is_hidden(error: &StoreError) -> bool {
    matches!(error, StoreError::AccessDenied { denial: Denial::Reading, .. })
}
