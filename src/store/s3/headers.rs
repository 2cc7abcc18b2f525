//! What goes with an object's bytes: how to treat them, what they are, and on what condition they are written.

use super::bucket::Bucket;
use super::failed::Failed;
use super::read::{self, MODE, SHA256};
use crate::store::{Attributes, Condition, Key, StoreError, Tag};

/// Says for how long caches may keep what is never replaced: a year, which is the most that they heed.
const IMMUTABLE: &str = "max-age=31536000, immutable";

/// Holds what tells those who fetch an object without this program how to treat it.
pub(super) struct Headers {
    pub(super) content_type: Option<String>,
    pub(super) cache_control: &'static str,
}

pub(super) fn headers(key: &Key) -> Headers {
    let (content_type, cache_control) = match key {
        Key::Metafile(_) => (Some("application/json"), "no-cache"),
        Key::Registry(_) => (Some("application/toml"), "no-cache"),
        Key::Conditions => (Some("text/plain"), "no-cache"),
        Key::Record(..) | Key::Metadata(..) => (Some("application/json"), IMMUTABLE),
        Key::Artifact(..) | Key::Data(..) | Key::Staged(..) => (None, IMMUTABLE),
    };
    Headers { content_type: content_type.map(str::to_owned), cache_control }
}

/// Returns the user metadata that records attributes.
pub(super) fn metadata(attributes: Attributes) -> impl Iterator<Item = (&'static str, String)> {
    let sha256 = attributes.sha256.map(|digest| (SHA256, digest.to_string()));
    sha256.into_iter().chain(attributes.mode.map(|mode| (MODE, mode.to_string())))
}

/// Returns the values of `If-None-Match` and `If-Match`.
pub(super) fn preconditions(condition: &Condition) -> (Option<String>, Option<String>) {
    match condition {
        Condition::None => (None, None),
        Condition::Absent => (Some("*".to_owned()), None),
        Condition::Matches(tag) => (None, Some(tag.0.clone())),
    }
}

/// Returns the tag that a write was answered with. An answer without one is no S3's, whatever its status says.
pub(super) fn tag_of(bucket: &Bucket, key: &Key, tag: Option<String>) -> Result<Tag, StoreError> {
    let failed = || Failed::without_answer("the store answers a write without an ETag".to_owned());
    tag.map(Tag).ok_or_else(|| bucket.error(&key.to_string(), failed()))
}

/// Says what a failed write means: gives the failure back where the condition may hold still, so that the write may be tried again.
pub(super) async fn judge(
    bucket: &Bucket,
    key: &Key,
    condition: &Condition,
    failed: Failed,
) -> Result<Failed, StoreError> {
    let lost = || StoreError::Precondition { key: key.to_string() };
    let conditional = *condition != Condition::None;
    if conditional && failed.is_lost() || matches!(condition, Condition::Matches(_)) && failed.is_missing() {
        return Err(lost());
    }
    if !failed.is_contended() {
        return Err(bucket.error(&key.to_string(), failed.of_writing(conditional)));
    }
    if !conditional {
        return Ok(failed);
    }
    // A conflict of two writers does not say which of them wrote, if either did.
    let holds = match (read::head(bucket, key).await?, condition) {
        (None, Condition::Absent) | (_, Condition::None) => true,
        (Some((_, stands)), Condition::Matches(tag)) => stands == *tag,
        (Some(_), Condition::Absent) | (None, Condition::Matches(_)) => false,
    };
    if holds { Ok(failed) } else { Err(lost()) }
}
