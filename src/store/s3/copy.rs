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
use crate::store::{Condition, Key, StoreError, Tag};

/// How many bytes are copied with one request: few enough to be answered soon (5 GiB is the most).
const PART: u64 = 64 << 20;

/// What is escaped in the name of a copy's source.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Copies an object under a key that must not exist.
///
/// `CopyObject` takes no condition that every service keeps. The completion of an upload does, whose parts are copied.
pub(super) async fn copy(bucket: &Arc<Bucket>, from: &Key, to: &Key) -> Result<(), StoreError> {
    let Some((object, tag)) = read::head(bucket, from).await? else {
        return Err(StoreError::NotFound(from.to_string()));
    };
    let attributes = object.attributes;
    if object.size == 0 {
        // An upload has one part at least, and a part of nothing cannot be copied.
        return write::whole(bucket, to, &Bytes::new(), attributes, &Condition::Absent, &Arc::default())
            .await
            .map(drop);
    }
    let origin = Origin::Object(Copied { from, size: object.size, tag });
    multipart::write(bucket, to, &origin, attributes, &Condition::Absent).await.map(drop)
}

/// Holds the object that is copied, as it was when it was looked at.
pub(super) struct Copied<'a> {
    from: &'a Key,
    size: u64,
    tag: Tag,
}

impl Copied<'_> {
    pub(super) async fn send(&self, bucket: &Bucket, begun: &Begun) -> Result<Vec<CompletedPart>, Trouble> {
        let size = PART.max(self.size.div_ceil(PARTS).next_multiple_of(1 << 20));
        let ranges = (0..self.size.div_ceil(size)).map(|n| n * size..self.size.min((n + 1) * size));
        let copy = |(number, range)| self.copy_part(bucket, begun, number, range);
        stream::iter((1..).zip(ranges)).map(copy).buffer_unordered(ABREAST).try_collect().await
    }

    async fn copy_part(
        &self,
        bucket: &Bucket,
        begun: &Begun,
        number: i32,
        range: Range<u64>,
    ) -> Result<CompletedPart, Trouble> {
        let source = format!("{}/{}", bucket.name, bucket.object(self.from));
        let source = utf8_percent_encode(&source, ESCAPED).to_string();
        let ask = |client: Client| {
            let copy = client.upload_part_copy().bucket(&bucket.name).key(&begun.object).upload_id(&begun.id);
            let copy = copy.part_number(number).copy_source(&source);
            let copy = copy.copy_source_range(format!("bytes={}-{}", range.start, range.end - 1));
            copy.copy_source_if_match(&self.tag.0).send()
        };
        match bucket.ask(ask).await {
            Ok(answer) => multipart::part(number, answer.copy_part_result.and_then(|copied| copied.e_tag)),
            Err(failed) if failed.is_missing() => Err(Trouble::Store(StoreError::NotFound(self.from.to_string()))),
            Err(failed) if failed.is_lost() => Err(Trouble::Store(StoreError::Corrupt {
                key: self.from.to_string(),
                problem: "it was replaced while it was copied".to_owned(),
            })),
            Err(failed) => Err(Trouble::Failed(failed)),
        }
    }
}
