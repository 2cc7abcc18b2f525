//! What an account of AWS has in its regions, as Startifact uses it.

use std::fmt;
use std::sync::Arc;

use crate::organisation::Region;
use crate::parameters::Parameters;
use crate::store::Store;

/// Reaches parameters and buckets by region; where none is named, in the one that the settings of the AWS tools say.
pub trait Account: fmt::Debug + Send + Sync {
    /// Returns a region's parameters.
    fn parameters(&self, region: Option<&Region>) -> Arc<dyn Parameters>;

    /// Returns a bucket, whose root is the bucket's own.
    fn bucket(&self, name: &str, region: Option<&Region>) -> Arc<dyn Store>;
}
