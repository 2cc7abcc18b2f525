//! Whether the service keeps the conditions of writes. AWS does; services that speak as S3 does may take a condition and not heed it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join;

use super::bucket::Bucket;
use super::write;
use crate::artifact::Digest;
use crate::store::{Attributes, Condition, Guarantees, Key, StoreError, Tag};

/// What the object says to whoever finds it.
const WORDS: &str = "metalogic tries with this object whether the store keeps the conditions of writes.\n";

/// A tag that no version of the object ever has.
const NO_TAG: &str = "\"00000000000000000000000000000000\"";

/// Tries the conditions, unless the service is one of AWS.
///
/// The object stays: while it stands, one request tells each condition, and those who try at the same time do not mislead each other.
pub(super) async fn guarantees(bucket: &Bucket) -> Result<Guarantees, StoreError> {
    if bucket.endpoint().await?.is_none_or(of_aws) {
        return Ok(Guarantees::ALL);
    }
    let create_only = async { Ok(!(puts(bucket, Condition::Absent).await? && puts(bucket, Condition::Absent).await?)) };
    let compare_and_swap = async { Ok(!puts(bucket, Condition::Matches(Tag(NO_TAG.to_owned()))).await?) };
    let (create_only, compare_and_swap) = try_join(create_only, compare_and_swap).await?;
    Ok(Guarantees { create_only, compare_and_swap })
}

/// Says whether the object is put on a condition.
async fn puts(bucket: &Bucket, condition: Condition) -> Result<bool, StoreError> {
    let words = Bytes::from_static(WORDS.as_bytes());
    let (sha256, attributes) = (Digest::of(&words), Attributes::default());
    match write::whole(bucket, &Key::Conditions, &words, sha256, attributes, &condition, &Arc::default()).await {
        Ok(_) => Ok(true),
        Err(StoreError::Precondition { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says whether a URL is that of a service of AWS, such as an endpoint in a network of one's own.
fn of_aws(endpoint: &str) -> bool {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|domain| host.ends_with(domain))
}
