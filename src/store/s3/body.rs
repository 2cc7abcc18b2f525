//! An object's bytes as they come, over as many connections as it takes.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::time::Instant;

use super::ahead;
use super::bucket::{Bucket, TRIES};
use super::failed::Failed;
use super::read::{self, Wanted};
use crate::aws::pause;
use crate::store::{Key, StoreError, Tag};
use crate::words;

/// How many bytes between two broken connections let the tries begin anew.
const PROGRESS: u64 = 1 << 20;

/// Holds an object, or a range of it, that is being read.
pub(super) struct Reading {
    bucket: Arc<Bucket>,
    key: Key,
    tag: Tag,
    /// Which bytes are still to come.
    left: Range<u64>,
    /// Where they come from; none where nobody was asked for them yet.
    stream: Option<ByteStream>,
    /// Whether the answer has bytes beyond them, which nobody asked for.
    has_more: bool,
    /// Whether the service says that it gives parts of an object as well.
    knows_ranges: bool,
    tries: u32,
    /// Where the last connection broke.
    broke_at: u64,
    /// Since when the next bytes are waited for.
    since: Instant,
}

impl Reading {
    pub(super) fn new(bucket: Arc<Bucket>, key: Key, bytes: Range<u64>, answer: GetObjectOutput, tag: Tag) -> Self {
        let knows_ranges = answer.accept_ranges() == Some("bytes");
        Self { stream: Some(answer.body), knows_ranges, ..Self::later(bucket, key, bytes, tag) }
    }

    /// Reads bytes of a version that are asked for when the first of them is wanted.
    pub(super) fn later(bucket: Arc<Bucket>, key: Key, bytes: Range<u64>, tag: Tag) -> Self {
        let (since, broke_at) = (Instant::now(), bytes.start);
        let (stream, has_more, knows_ranges) = (None, false, false);
        Self { bucket, key, tag, left: bytes, stream, has_more, knows_ranges, tries: 0, broke_at, since }
    }

    /// Reads other bytes of the same version.
    pub(super) fn beyond(&self, bytes: Range<u64>) -> Self {
        Self::later(Arc::clone(&self.bucket), self.key.clone(), bytes, self.tag())
    }

    /// Returns the room for bytes of this object that nobody has asked for yet.
    pub(super) fn room(&self) -> &ahead::Room {
        &self.bucket.ahead
    }

    /// Ends the reading at this byte, whatever more the answer has.
    pub(super) fn end_at(&mut self, end: u64) {
        self.has_more |= end < self.left.end;
        self.left.end = self.left.end.min(end);
    }

    /// Says whether the service gives parts of an object as well.
    pub(super) fn knows_ranges(&self) -> bool {
        self.knows_ranges
    }

    /// Returns which bytes are still to come.
    pub(super) fn left(&self) -> Range<u64> {
        self.left.clone()
    }

    /// Returns the tag of the version that is read.
    pub(super) fn tag(&self) -> Tag {
        self.tag.clone()
    }

    /// Returns the next bytes; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        // How long the last piece was worked on says nothing about the store.
        self.since = Instant::now();
        loop {
            if self.has_more && self.left.is_empty() {
                return Ok(None);
            }
            let Some(stream) = &mut self.stream else {
                self.ask().await?;
                continue;
            };
            let patience = self.bucket.timeout.saturating_sub(self.since.elapsed());
            let Ok(piece) = tokio::time::timeout(patience, stream.try_next()).await else {
                return Err(self.error(Failed::silent(self.bucket.timeout)));
            };
            match piece {
                Ok(None) if self.left.is_empty() => return Ok(None),
                // All bytes came, and what ends them is a checksum that they do not have.
                Err(error) if self.left.is_empty() => return Err(self.corrupt(words::chain(&error))),
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(Some(piece)) => return self.take(piece).map(Some),
                Ok(None) => self.resume("the connection ended early".to_owned()).await?,
                Err(error) => self.resume(words::chain(&error)).await?,
            }
        }
    }

    fn take(&mut self, mut piece: Bytes) -> Result<Bytes, StoreError> {
        if self.has_more {
            piece.truncate(usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX));
        }
        let at = self.left.start + piece.len() as u64;
        if at > self.left.end {
            return Err(self.corrupt("its store gives more bytes than it said".to_owned()));
        }
        self.left.start = at;
        Ok(piece)
    }

    /// Goes on from the first byte that did not come, if the object is still the one that it was.
    async fn resume(&mut self, why: String) -> Result<(), StoreError> {
        let at = self.left.start;
        if at - self.broke_at >= PROGRESS {
            self.tries = 0;
        }
        self.broke_at = at;
        self.tries += 1;
        if self.tries > TRIES || self.since.elapsed() >= self.bucket.timeout {
            return Err(self.error(Failed::broken(format!("broken off at byte {at}: {why}"))));
        }
        pause(self.tries).await;
        self.ask().await
    }

    /// Asks for the bytes that are still to come, of the version that is read.
    async fn ask(&mut self) -> Result<(), StoreError> {
        let at = self.left.start;
        match read::request(&self.bucket, &self.key, Some(&self.left), Wanted::This(&self.tag)).await {
            // Not every service heeds the condition.
            Ok((_, tag)) if tag != self.tag => Err(self.corrupt(replaced(at))),
            Ok((answer, _)) => {
                let (bytes, _) = read::extent(&answer, at, true).map_err(|problem| self.corrupt(problem))?;
                if bytes != self.left {
                    return Err(self.corrupt(format!("its store gives {bytes:?} for {:?}", self.left)));
                }
                (self.stream, self.has_more) = (Some(answer.body), false);
                Ok(())
            }
            Err(failed) if failed.is_lost() || failed.is_missing() || failed.is_beyond() => {
                Err(self.corrupt(replaced(at)))
            }
            Err(failed) => Err(self.error(failed.of_reading())),
        }
    }

    fn corrupt(&self, problem: String) -> StoreError {
        StoreError::Corrupt { key: self.key.to_string(), problem }
    }

    fn error(&self, failed: Failed) -> StoreError {
        self.bucket.error(&self.key.to_string(), failed)
    }
}

fn replaced(at: u64) -> String {
    format!("it was replaced when {at} bytes of it were read")
}
