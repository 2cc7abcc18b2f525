//! Staging in every region: what is at odds with one of them is staged in none.

mod region;

use std::mem::discriminant;
use std::sync::Arc;

use futures::future::join_all;

use super::Startifact;
use super::notes::Notes;
use super::site::Site;
use crate::shelf::{ShelfError, Staged, Staging};
use region::Stage;

impl Startifact {
    /// Stages a release in every region. Where one fails, the others go on: what is left is done when it is staged again.
    ///
    /// What is at odds with what stands in any region is staged in none, or regions would have different releases under one version. Of
    /// two who stage at the same moment, the first region decides: they meet there before they go on.
    pub(super) async fn stage_everywhere(&self, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError> {
        if let Some(key) = Notes::reserved(&staging.release) {
            return Err(ShelfError::Reserved(key.clone()));
        }
        let parted = self.stagers.split_first();
        let (first, others) = parted.expect("because there is a site where the configuration is, if nowhere else");
        if !others.is_empty() {
            self.expect_even(staging).await?;
        }
        let mut outcomes = vec![(first, self.stage_in(first, staging, dry_run).await)];
        if let [(_, Err(error))] = outcomes.as_slice()
            && error.is_at_odds()
        {
            return outcomes.remove(0).1;
        }
        outcomes.extend(
            join_all(others.iter().map(|site| async move { (site, self.stage_in(site, staging, dry_run).await) }))
                .await,
        );
        let (mut done, mut staged, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (site, outcome) in outcomes {
            match outcome {
                Ok(outcome) => {
                    done.push(outcome);
                    staged.push(site.region.clone());
                }
                Err(error) => failed.push((site.region.clone(), site.trouble(error).error)),
            }
        }
        joined(staging, done, staged, failed)
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

/// Says how all regions together ended.
fn joined(
    staging: &Staging,
    done: Vec<Staged>,
    staged: Vec<String>,
    mut failed: Vec<(String, ShelfError)>,
) -> Result<Staged, ShelfError> {
    let alike = |failed: &[(String, ShelfError)]| {
        let mut kinds = failed.iter().map(|(_, error)| discriminant(error));
        let first = kinds.next();
        kinds.all(|kind| Some(kind) == first)
    };
    if !failed.is_empty() && done.is_empty() && alike(&failed) {
        return Err(failed.swap_remove(0).1);
    }
    if !failed.is_empty() {
        let (name, version) = (staging.release.name.clone(), staging.release.version.clone());
        return Err(ShelfError::Partly { name, version, staged, failed });
    }
    Ok(Staged {
        present: done.iter().all(|staged| staged.present),
        bytes_sent: done.iter().map(|staged| staged.bytes_sent).sum(),
        latest: done.iter().filter_map(|staged| staged.latest.clone()).max(),
        url: done.into_iter().next().map(|staged| staged.url).unwrap_or_default(),
    })
}
