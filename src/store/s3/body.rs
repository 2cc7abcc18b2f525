//! An object's bytes as they come, over as many connections as it takes.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::time::Instant;

use super::bucket::{Bucket, TRIES};
use super::failed::Failed;
use super::read;
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
    stream: ByteStream,
    tries: u32,
    /// Where the last connection broke.
    broke_at: u64,
    /// Since when the next bytes are waited for.
    since: Instant,
}

impl Reading {
    pub(super) fn new(bucket: Arc<Bucket>, key: Key, bytes: Range<u64>, answer: GetObjectOutput, tag: Tag) -> Self {
        let (stream, since, broke_at) = (answer.body, Instant::now(), bytes.start);
        Self { bucket, key, tag, left: bytes, stream, tries: 0, broke_at, since }
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
            let patience = self.bucket.timeout.saturating_sub(self.since.elapsed());
            let Ok(piece) = tokio::time::timeout(patience, self.stream.try_next()).await else {
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

    fn take(&mut self, piece: Bytes) -> Result<Bytes, StoreError> {
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
        match read::request(&self.bucket, &self.key, Some(&self.left), Some(&self.tag)).await {
            Ok((answer, _)) => {
                let (bytes, _) = read::extent(&answer, at, true).map_err(|problem| self.corrupt(problem))?;
                if bytes != self.left {
                    return Err(self.corrupt(format!("its store gives {bytes:?} for {:?}", self.left)));
                }
                self.stream = answer.body;
                Ok(())
            }
            Err(failed) if failed.is_lost() || failed.is_missing() || failed.is_beyond() => {
                Err(self.corrupt(format!("it was replaced when {at} bytes of it were read")))
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
