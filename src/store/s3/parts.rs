//! The parts of a local file on their way up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::CompletedPart;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::bucket::Bucket;
use super::meter::{Meter, Metered};
use super::multipart::{ABREAST, Begun, Origin, PARTS, Trouble, part};
use super::pieces::{self, Piece};
use crate::store::Upload;

/// Holds a local file that goes up in parts, and what was told of each: a part that is sent again is not told of again.
pub(super) struct File<'a> {
    upload: &'a Upload,
    size: u64,
    meters: Mutex<BTreeMap<i32, Arc<Meter>>>,
}

impl<'a> File<'a> {
    /// Takes a file whose parts have so many bytes each, or more where it would have too many parts.
    pub(super) fn new(upload: &'a Upload, least: u64) -> Self {
        let size = least.max(upload.size.div_ceil(PARTS).next_multiple_of(1 << 20));
        Self { upload, size, meters: Mutex::default() }
    }

    async fn send_part(
        &self,
        bucket: &Bucket,
        begun: &Begun,
        piece: Piece,
        number: i32,
    ) -> Result<CompletedPart, Trouble> {
        let meter = self.meter(number);
        meter.rewind();
        let ask = |client: Client| {
            let part = client.upload_part().bucket(&bucket.name).key(&begun.object).upload_id(&begun.id);
            let part = part.part_number(number).body(piece.bytes.clone().into());
            part.customize().interceptor(Metered { bytes: piece.bytes.clone(), meter: Arc::clone(&meter) }).send()
        };
        let answer = bucket.ask_with(&meter, ask).await.map_err(Trouble::Failed)?;
        meter.reach(piece.bytes.len() as u64);
        part(number, answer.e_tag)
    }

    fn meter(&self, number: i32) -> Arc<Meter> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(meters.entry(number).or_insert_with(|| Arc::new(Meter::new(self.upload.progress.clone()))))
    }
}

impl Origin for File<'_> {
    async fn send(&self, bucket: &Bucket, begun: &Begun) -> Result<Vec<CompletedPart>, Trouble> {
        let pieces = pieces::read(&bucket.room, self.upload, self.size).map_err(Trouble::Store);
        let numbered = pieces.zip(stream::iter(1..)).map(|(piece, number)| piece.map(|piece| (piece, number)));
        let send = |(piece, number)| self.send_part(bucket, begun, piece, number);
        numbered.map_ok(send).try_buffer_unordered(ABREAST).try_collect().await
    }
}
