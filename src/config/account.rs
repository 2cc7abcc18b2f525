//! What an account of AWS has in its regions, by the settings of the AWS CLI.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Config;
use crate::account::Account;
use crate::aws::Common;
use crate::organisation::Region;
use crate::parameters::Parameters;
use crate::parts::Parts;
use crate::registry::Terms;
use crate::store::Store;
use crate::store::s3::S3Store;

/// Reaches an account. What was reached once is reached the same way from then on.
#[derive(Debug)]
struct Reached {
    common: Common,
    parts: Parts,
    parameters: Known<Option<Region>, dyn Parameters>,
    buckets: Known<(String, Option<Region>), dyn Store>,
}

type Known<K, V> = Mutex<BTreeMap<K, Arc<V>>>;

impl Config {
    /// Returns the account that the settings of the AWS CLI lead to. Nothing is asked of it yet.
    #[must_use]
    pub fn account(&self) -> Arc<dyn Account> {
        let (common, parts) = (self.aws.clone(), self.limits.parts);
        Arc::new(Reached { common, parts, parameters: Mutex::default(), buckets: Mutex::default() })
    }
}

impl Account for Reached {
    fn parameters(&self, region: Option<&Region>) -> Arc<dyn Parameters> {
        known(&self.parameters, region.cloned(), || in_region(region, &self.common))
    }

    fn bucket(&self, name: &str, region: Option<&Region>) -> Arc<dyn Store> {
        let make = || {
            let store = S3Store::new(name, "", region, Terms::default(), &self.common);
            Arc::new(store.in_parts(self.parts)) as Arc<dyn Store>
        };
        known(&self.buckets, (name.to_owned(), region.cloned()), make)
    }
}

fn known<K: Ord, V: ?Sized>(known: &Known<K, V>, key: K, make: impl FnOnce() -> Arc<V>) -> Arc<V> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(key).or_insert_with(make))
}

#[cfg(feature = "aws-sdk-ssm")]
fn in_region(region: Option<&Region>, common: &Common) -> Arc<dyn Parameters> {
    Arc::new(crate::parameters::ssm::SsmParameters::new(region, common))
}

#[cfg(not(feature = "aws-sdk-ssm"))]
fn in_region(region: Option<&Region>, _: &Common) -> Arc<dyn Parameters> {
    Arc::new(crate::parameters::absent::AbsentParameters::new(region))
}
