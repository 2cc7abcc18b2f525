//! Staging in every region, of which the first decides.

mod bytes;
mod region;

use std::sync::Arc;

use futures::future::join_all;

use super::Startifact;
use super::notes::Notes;
use super::site::Site;
use crate::parameters;
use crate::release::{LARGEST, Release};
use crate::shelf::{ShelfError, Staged, Staging};
use crate::store::{Key, Store};

/// Holds one release on its way to one region.
struct Stage<'a> {
    shelf: &'a Startifact,
    site: &'a Site,
    bucket: &'a Arc<dyn Store>,
    staging: &'a Staging,
    dry_run: bool,
}

impl Stage<'_> {
    fn key(&self) -> Key {
        let release = &self.staging.release;
        Key::Staged(self.site.key_prefix.clone(), release.name.clone(), release.version.clone())
    }

    fn conflict(&self, difference: String) -> ShelfError {
        let (name, version) = (self.staging.release.name.clone(), self.staging.release.version.clone());
        ShelfError::Conflict { name, version, place: self.site.place(), difference }
    }
}

impl Startifact {
    /// Stages a release in every region. The first one decides: where it fails, nothing is staged in any other, and where it does not, all
    /// others are told the same. So no two regions ever have different releases under one version, whoever meets and whatever is down. Where
    /// another fails, the rest go on, and what is left is done when it is staged again.
    ///
    /// What is at odds with what stands in any region, which Startifact itself may have put there, is staged in none.
    pub(super) async fn stage_everywhere(&self, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError> {
        self.expect_possible(&staging.release)?;
        let parted = self.stagers.split_first();
        let (first, others) = parted.expect("because there is a site where the configuration is, if nowhere else");
        if !others.is_empty() {
            self.expect_even(staging).await?;
        }
        let decided = self.stage_in(first, staging, dry_run).await.map_err(|error| first.trouble(error).error)?;
        let stage = |site: &Arc<Site>| {
            let site = Arc::clone(site);
            async move {
                let staged = self.stage_in(&site, staging, dry_run).await;
                (site.region.clone(), staged.map_err(|error| site.trouble(error).error))
            }
        };
        let outcomes = join_all(others.iter().map(stage)).await;
        joined(first.region.clone(), decided, outcomes, dry_run)
    }

    /// Makes sure that everything of a release can be written, before anything is.
    fn expect_possible(&self, release: &Release) -> Result<(), ShelfError> {
        if let Some(key) = Notes::reserved(release) {
            return Err(ShelfError::Reserved(key.clone()));
        }
        let size = u64::try_from(Notes::of(release).to_bytes().len()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(ShelfError::TooLarge(size));
        }
        let parameter = self.organisation.latest_parameter(&release.name);
        match parameters::name::check(&parameter) {
            Ok(()) => Ok(()),
            Err(source) => Err(ShelfError::LatestParameter { name: release.name.clone(), parameter, source }),
        }
    }

    /// Makes sure that no region has another release under this version. One that does not answer says no.
    async fn expect_even(&self, staging: &Staging) -> Result<(), ShelfError> {
        let look = |site: &Arc<Site>| {
            let site = Arc::clone(site);
            async move {
                let bucket = site.bucket().await?;
                Stage { shelf: self, site: &site, bucket, staging, dry_run: true }.look().await
            }
        };
        let looks = join_all(self.stagers.iter().map(look)).await;
        match looks.into_iter().filter_map(Result::err).find(ShelfError::is_at_odds) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    async fn stage_in(&self, site: &Site, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError> {
        let bucket = site.bucket().await?;
        Stage { shelf: self, site, bucket, staging, dry_run }.run().await
    }
}

/// Says how all regions together ended, where the first has the release.
fn joined(
    first: String,
    decided: Staged,
    outcomes: Vec<(String, Result<Staged, ShelfError>)>,
    dry_run: bool,
) -> Result<Staged, ShelfError> {
    let (mut all, mut staged, mut failed) = (decided, vec![first], Vec::new());
    for (region, outcome) in outcomes {
        match outcome {
            Ok(outcome) => {
                all.present &= outcome.present;
                all.bytes_sent += outcome.bytes_sent;
                all.latest = all.latest.max(outcome.latest);
                staged.push(region);
            }
            // What is not staged at all is not staged in part.
            Err(error) if dry_run => return Err(error),
            Err(error) => failed.push((region, error)),
        }
    }
    if failed.is_empty() {
        return Ok(all);
    }
    let (name, version) = (all.release.name, all.release.version);
    Err(ShelfError::Partly { name, version, staged, failed })
}
