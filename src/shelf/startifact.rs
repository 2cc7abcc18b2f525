//! Startifact's shelf: a bucket in each region, and parameters that say what is where.
//!
//! A reader takes what the parameter of a name says is latest, for it may have no right to list. Whoever stages sets that parameter. Since
//! Parameter Store has no compare-and-swap, it is set, and looked at again until it says what is the highest in the bucket's listing.

mod find;
mod latest;
mod load;
mod notes;
mod site;
mod stage;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;

use super::{Found, Shelf, ShelfError, Staged, Staging};
use crate::event::{Event, Observer};
use crate::organisation::Organisation;
use crate::version::{self, ReleaseName, Version};
use crate::words::chain;
use site::{Site, Trouble};

/// Keeps releases as Startifact does, whose configuration of an organisation says where.
pub struct Startifact {
    /// The parameter that holds the configuration, and where it was read.
    place: String,
    organisation: Organisation,
    /// Where releases are looked for, in this order.
    readers: Vec<Arc<Site>>,
    /// Where they are staged.
    stagers: Vec<Arc<Site>>,
    observer: Arc<dyn Observer>,
    timeout: Duration,
}

impl fmt::Debug for Startifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Startifact").field("place", &self.place).field("readers", &self.readers).finish_non_exhaustive()
    }
}

#[async_trait]
impl Shelf for Startifact {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn versions(&self, name: &ReleaseName) -> Result<Vec<Version>, ShelfError> {
        let listings = join_all(self.readers.iter().map(|site| site.versions(name))).await;
        let (listings, mut troubles) = self.part(listings);
        let mut versions: Vec<Version> = listings.into_iter().flatten().collect();
        if versions.is_empty() {
            Trouble::raise(&mut troubles)?;
        }
        self.tell(&troubles);
        versions.sort();
        versions.dedup();
        Ok(versions)
    }

    async fn latest(&self, name: &ReleaseName, pre: bool) -> Result<Version, ShelfError> {
        let nothing = || ShelfError::Nothing { name: name.clone(), place: self.place() };
        if pre {
            let versions = self.versions(name).await?;
            return version::latest(&versions, true).cloned().ok_or_else(nothing);
        }
        let parameter = self.organisation.latest_parameter(name);
        let said = join_all(self.readers.iter().map(|site| site.latest(&parameter))).await;
        let (said, mut troubles) = self.part(said);
        let said: Vec<(Version, String)> = said.into_iter().flatten().collect();
        if said.is_empty() {
            Trouble::raise(&mut troubles)?;
        }
        self.tell(&troubles);
        if let Some(latest) = version::latest(said.iter().map(|(version, _)| version), false) {
            return Ok(latest.clone());
        }
        match said.into_iter().next() {
            Some((version, what)) => Err(ShelfError::LatestIsPre { what, version }),
            None => Err(self.no_latest(name, parameter).await),
        }
    }

    async fn find(&self, name: &ReleaseName, version: &Version) -> Result<Found, ShelfError> {
        self.find_anywhere(name, version).await
    }

    async fn stage(&self, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError> {
        self.stage_everywhere(staging, dry_run).await
    }
}

impl Startifact {
    /// Says why no parameter says what is the latest, as far as whoever asks may look.
    async fn no_latest(&self, name: &ReleaseName, parameter: String) -> ShelfError {
        let (name, place) = (name.clone(), self.place());
        let versions = self.versions(&name).await;
        match versions.as_deref().map(|versions| (version::latest(versions, true), version::latest(versions, false))) {
            Ok((None, _)) => ShelfError::Nothing { name, place },
            Ok((Some(highest), None)) => ShelfError::OnlyPre { name, place, highest: highest.clone() },
            Ok((Some(_), Some(_))) | Err(_) => ShelfError::NoLatest { name, parameter, place },
        }
    }

    /// Parts what sites answered from why others did not, in the order of the readers.
    fn part<T>(&self, answers: Vec<Result<T, ShelfError>>) -> (Vec<T>, Vec<Trouble>) {
        let (mut good, mut troubles) = (Vec::new(), Vec::new());
        for (site, answer) in self.readers.iter().zip(answers) {
            match answer {
                Ok(answer) => good.push(answer),
                Err(error) => troubles.push(site.trouble(error)),
            }
        }
        (good, troubles)
    }

    /// Tells of regions that were passed over because others do.
    fn tell(&self, troubles: &[Trouble]) {
        for Trouble { region, error } in troubles {
            self.observer.observe(&Event::RegionPassedOver { region: region.clone(), problem: chain(error) });
        }
    }
}
