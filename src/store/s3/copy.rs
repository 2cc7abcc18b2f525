//! Copies that the service makes by itself, and that never overwrite.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::CompletedPart;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::bucket::Bucket;
use super::multipart::{self, ABREAST, Begun, Origin, PARTS, Trouble};
use super::{read, write};
use crate::artifact::Digest;
use crate::store::{Attributes, Condition, Key, Object, Source, StoreError, Tag};

/// How many bytes are copied with one request: few enough to be answered soon (5 GiB is the most).
const PART: u64 = 64 << 20;

/// What is escaped in the name of a copy's source.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Copies an object under a key that must not exist.
pub(super) async fn copy(
    bucket: &Arc<Bucket>,
    from: &Key,
    to: &Key,
    wanted: Option<&Object>,
) -> Result<(), StoreError> {
    let found = read::head(bucket, from).await?;
    let found = found.filter(|(object, _)| wanted.is_none_or(|wanted| is(bucket, object, wanted)));
    let (object, tag) = found.ok_or_else(|| StoreError::NotFound(from.to_string()))?;
    let path = format!("{}/{}", bucket.name, bucket.object(from));
    let copied = Copied { path, shown: from.to_string(), size: object.size, tag };
    create(bucket, copied, to, object.attributes).await
}

/// Says whether an object is the one that is wanted. What goes up in parts has no digest beside it: of that the metafile's word is taken, to
/// which whoever reads the copy holds it.
fn is(bucket: &Bucket, object: &Object, wanted: &Object) -> bool {
    let in_parts = object.size > multipart::part_size(bucket.parts, object.size);
    let unrecorded = wanted.attributes.sha256.filter(|_| in_parts);
    object.attributes.sha256.or(unrecorded).is_some_and(|sha256| object.known_as(sha256) == *wanted)
}

/// Names an object to other stores.
pub(super) async fn source(bucket: &Arc<Bucket>, key: &Key) -> Result<Option<Source>, StoreError> {
    let Some((known, tag)) = read::head(bucket, key).await? else { return Ok(None) };
    let service = bucket.endpoint().await?.map(str::to_owned);
    Ok(Some(Source { service, bucket: bucket.name.clone(), object: bucket.object(key), known, tag }))
}

/// Copies an object of another bucket under a key that must not exist. Answers whether the service is the same, so that it can.
pub(super) async fn copy_from(
    bucket: &Arc<Bucket>,
    source: &Source,
    to: &Key,
    attributes: Attributes,
) -> Result<bool, StoreError> {
    if bucket.endpoint().await? != source.service.as_deref() {
        return Ok(false);
    }
    let path = format!("{}/{}", source.bucket, source.object);
    let copied = Copied { shown: format!("s3://{path}"), path, size: source.known.size, tag: source.tag.clone() };
    create(bucket, copied, to, attributes).await.map(|()| true)
}

/// `CopyObject` takes no condition that every service keeps. The completion of an upload does, whose parts are copied.
async fn create(bucket: &Arc<Bucket>, copied: Copied, to: &Key, attributes: Attributes) -> Result<(), StoreError> {
    if copied.size == 0 {
        // An upload has one part at least, and a part of nothing cannot be copied.
        return write::whole(
            bucket,
            to,
            &Bytes::new(),
            Digest::of(&[]),
            attributes,
            &Condition::Absent,
            &Arc::default(),
        )
        .await
        .map(drop);
    }
    multipart::write(bucket, to, &copied, attributes, &Condition::Absent).await.map(drop)
}

/// Holds the object that is copied, as it was when it was looked at.
struct Copied {
    /// Its bucket and its key there.
    path: String,
    /// What messages call it.
    shown: String,
    size: u64,
    tag: Tag,
}

impl Copied {
    async fn copy_part(
        &self,
        bucket: &Bucket,
        begun: &Begun,
        number: i32,
        range: Range<u64>,
    ) -> Result<CompletedPart, Trouble> {
        let source = utf8_percent_encode(&self.path, ESCAPED).to_string();
        let ask = |client: Client| {
            let copy = client.upload_part_copy().bucket(&bucket.name).key(&begun.object).upload_id(&begun.id);
            let copy = copy.part_number(number).copy_source(&source);
            let copy = copy.copy_source_range(format!("bytes={}-{}", range.start, range.end - 1));
            copy.copy_source_if_match(&self.tag.0).send()
        };
        match bucket.ask(ask).await {
            Ok(answer) => multipart::part(number, answer.copy_part_result.and_then(|copied| copied.e_tag)),
            Err(failed) if failed.is_missing() => Err(Trouble::Store(StoreError::NotFound(self.shown.clone()))),
            Err(failed) if failed.is_lost() => Err(Trouble::Store(StoreError::Corrupt {
                key: self.shown.clone(),
                problem: "it was replaced while it was copied".to_owned(),
            })),
            Err(failed) => Err(Trouble::Failed(failed)),
        }
    }
}

impl Origin for Copied {
    type Learned = ();

    async fn send(&self, bucket: &Bucket, begun: &Begun) -> Result<(Vec<CompletedPart>, ()), Trouble> {
        let size = PART.max(self.size.div_ceil(PARTS).next_multiple_of(1 << 20));
        let ranges = (0..self.size.div_ceil(size)).map(|n| n * size..self.size.min((n + 1) * size));
        let copy = |(number, range)| self.copy_part(bucket, begun, number, range);
        let parts = stream::iter((1..).zip(ranges)).map(copy).buffer_unordered(ABREAST).try_collect().await?;
        Ok((parts, ()))
    }
}
