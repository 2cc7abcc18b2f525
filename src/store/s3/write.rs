//! What is written at once, and what a refused write means.

use std::sync::Arc;

use aws_sdk_s3::Client;
use bytes::Bytes;
use futures::{StreamExt as _, pin_mut};

use super::bucket::{Bucket, TRIES};
use super::failed::Failed;
use super::meter::{Meter, Metered};
use super::multipart::{self, File, Origin};
use super::pieces::{self, Piece};
use super::read::{self, MODE, SHA256};
use super::terms;
use crate::aws::pause;
use crate::store::{Attributes, Condition, Content, Key, StoreError, Tag, Upload};

/// How many bytes are put at once; what is larger goes up in parts of so many. Services take no smaller parts than of 5 MiB.
pub(super) const PART: u64 = 8 << 20;

/// Puts an object.
pub(super) async fn put(
    bucket: &Arc<Bucket>,
    key: &Key,
    content: Content,
    attributes: Attributes,
    condition: &Condition,
) -> Result<Tag, StoreError> {
    match content {
        Content::Bytes(bytes) => whole(bucket, key, &bytes, attributes, condition, &Arc::default()).await,
        Content::File(upload) if upload.size > PART => {
            let origin = Origin::File(File::new(&upload));
            multipart::write(bucket, key, &origin, attributes, condition).await
        }
        Content::File(upload) => {
            let piece = only_piece(bucket, &upload).await?;
            let bytes = piece.as_ref().map(|piece| piece.bytes.clone()).unwrap_or_default();
            let meter = Arc::new(Meter::new(upload.progress));
            whole(bucket, key, &bytes, attributes, condition, &meter).await
        }
    }
}

/// Reads a file of one piece at most; none where it is empty. What comes back is what the upload promises.
async fn only_piece(bucket: &Bucket, upload: &Upload) -> Result<Option<Piece>, StoreError> {
    let pieces = pieces::read(&bucket.room, upload, PART);
    pin_mut!(pieces);
    let first = pieces.next().await.transpose()?;
    match pieces.next().await.transpose()? {
        None => Ok(first),
        Some(_) => Err(StoreError::SourceChanged { path: upload.path.clone() }),
    }
}

/// Puts an object whose bytes are in memory.
pub(super) async fn whole(
    bucket: &Bucket,
    key: &Key,
    bytes: &Bytes,
    attributes: Attributes,
    condition: &Condition,
    meter: &Arc<Meter>,
) -> Result<Tag, StoreError> {
    let object = bucket.object(key);
    let Headers { content_type, cache_control } = headers(key);
    let (absent, tag) = preconditions(condition);
    let (encryption, kms_key) = terms::encryption(&bucket.terms);
    let send = |client: Client| {
        let mut put = client.put_object().bucket(&bucket.name).key(&object).body(bytes.clone().into());
        for (name, value) in metadata(attributes) {
            put = put.metadata(name, value);
        }
        let put = put.set_server_side_encryption(encryption.clone()).set_ssekms_key_id(kms_key.clone());
        let put = put.set_storage_class(terms::class(&bucket.terms, key));
        let put = put.set_content_type(content_type.clone()).cache_control(cache_control);
        let put = put.set_if_none_match(absent.clone()).set_if_match(tag.clone());
        put.customize().interceptor(Metered { bytes: bytes.clone(), meter: Arc::clone(meter) }).send()
    };
    for attempt in 1..=TRIES {
        meter.rewind();
        let failed = match bucket.ask_with(meter, send).await {
            Ok(answer) => {
                meter.reach(bytes.len() as u64);
                return tag_of(bucket, key, answer.e_tag);
            }
            Err(failed) => failed,
        };
        let failed = judge(bucket, key, condition, failed).await?;
        if attempt == TRIES {
            return Err(bucket.error(&key.to_string(), failed));
        }
        pause(attempt).await;
    }
    Err(StoreError::Precondition { key: key.to_string() })
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

/// Deletes an object.
pub(super) async fn delete(bucket: &Bucket, key: &Key) -> Result<(), StoreError> {
    let object = bucket.object(key);
    match bucket.ask(|client| client.delete_object().bucket(&bucket.name).key(&object).send()).await {
        Ok(_) => Ok(()),
        Err(failed) if failed.is_missing() => Ok(()),
        Err(failed) => Err(bucket.error(&key.to_string(), failed.of_deleting())),
    }
}

/// Holds what tells those who fetch an object without this program how to treat it.
/// Says for how long caches may keep what is never replaced: a year, which is the most that they heed.
const IMMUTABLE: &str = "max-age=31536000, immutable";

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
