//! One bucket with the parameters that go with it: what Startifact has in a region.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::account::Account;
use crate::json;
use crate::location::is_bucket;
use crate::organisation::{KeyPrefix, Region};
use crate::parameters::{ParameterError, Parameters};
use crate::shelf::ShelfError;
use crate::store::{Prefix, Store, StoreError};
use crate::version::{ReleaseName, Version};

/// Knows where things are of one region. Nobody is asked before something is.
pub(super) struct Site {
    pub(super) account: Arc<dyn Account>,
    /// What messages call it: the bucket's region.
    pub(super) region: String,
    pub(super) key_prefix: KeyPrefix,
    /// The parameter that holds the bucket's name, and where it is.
    pub(super) bucket_parameter: (String, Arc<dyn Parameters>),
    pub(super) bucket_region: Option<Region>,
    /// The bucket, once its name is known.
    pub(super) bucket: OnceLock<Arc<dyn Store>>,
    /// The parameters that say what is latest.
    pub(super) parameters: Arc<dyn Parameters>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Site").field(&self.region).finish()
    }
}

/// Says what is wrong with a region.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) region: String,
    pub(super) error: ShelfError,
}

impl Trouble {
    /// Ends with an error where there is any: with that of a region that does not answer before others, since another day may mend it.
    pub(super) fn raise(troubles: &mut Vec<Self>) -> Result<(), ShelfError> {
        if troubles.is_empty() {
            return Ok(());
        }
        let away = |trouble: &Self| matches!(trouble.error, ShelfError::Away { .. });
        let gravest = troubles.iter().position(away).unwrap_or(0);
        Err(troubles.swap_remove(gravest).error)
    }
}

impl Site {
    /// Returns the bucket.
    pub(super) async fn bucket(&self) -> Result<&Arc<dyn Store>, ShelfError> {
        if let Some(bucket) = self.bucket.get() {
            return Ok(bucket);
        }
        let (name, parameters) = &self.bucket_parameter;
        let told = parameters.get(name).await?;
        let told = told.ok_or_else(|| ShelfError::NoBucket { parameter: name.clone(), place: parameters.place() })?;
        if !is_bucket(&told) {
            let what = format!("the parameter {name} in {}", parameters.place());
            let problem = "the name of a bucket belongs there".to_owned();
            return Err(ShelfError::Value { what, value: json::shortened(&told), problem });
        }
        Ok(self.bucket.get_or_init(|| self.account.bucket(&told, self.bucket_region.as_ref())))
    }

    /// Returns every version of a name that stands in the bucket, from the lowest to the highest.
    pub(super) async fn versions(&self, name: &ReleaseName) -> Result<Vec<Version>, ShelfError> {
        let prefix = Prefix::Staged(self.key_prefix.clone(), name.clone());
        let rests = self.bucket().await?.keys(&prefix).await?;
        Ok(versions("", &rests))
    }

    /// Returns the version as it stands in the bucket, whatever its build metadata: it may stand more than once.
    pub(super) async fn builds(&self, name: &ReleaseName, version: &Version) -> Result<Vec<Version>, ShelfError> {
        let prefix = Prefix::StagedAs(self.key_prefix.clone(), name.clone(), version.clone());
        let rests = self.bucket().await?.keys(&prefix).await?;
        let mut builds = versions(&version.bare().to_string(), &rests);
        builds.retain(|build| build.is_same(version));
        Ok(builds)
    }

    /// Returns what a parameter says is latest, and what messages call that parameter; none where it is not there.
    pub(super) async fn latest(&self, parameter: &str) -> Result<Option<(Version, String)>, ShelfError> {
        let Some(said) = self.parameters.get(parameter).await? else { return Ok(None) };
        let what = format!("the parameter {parameter} in {}", self.parameters.place());
        match said.parse() {
            Ok(version) => Ok(Some((version, what))),
            Err(error) => {
                let problem = format!("a version belongs there ({error})");
                Err(ShelfError::Value { what, value: json::shortened(&said), problem })
            }
        }
    }

    /// Returns what an error says of this region.
    pub(super) fn trouble(&self, error: ShelfError) -> Trouble {
        Trouble { region: self.region.clone(), error: away(&self.region, error) }
    }
}

/// Says that a region does not answer, where that is what an error means.
pub(super) fn away(region: &str, error: ShelfError) -> ShelfError {
    let outage = matches!(
        error,
        ShelfError::Store(StoreError::Unavailable { .. }) | ShelfError::Parameters(ParameterError::Unavailable { .. })
    );
    if outage { ShelfError::Away { region: region.to_owned(), source: Box::new(error) } } else { error }
}

/// Returns the versions among the ends of keys. What else lies there, metadata for one, is no version.
fn versions(begin: &str, rests: &[String]) -> Vec<Version> {
    let parse = |rest: &String| format!("{begin}{rest}").parse().ok();
    let mut versions: Vec<Version> = rests.iter().filter_map(parse).collect();
    versions.sort();
    versions
}
