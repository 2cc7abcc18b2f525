//! The parts of a local file on their way up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::CompletedPart;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::bucket::Bucket;
use super::meter::{Meter, Metered};
use super::multipart::{self, ABREAST, Begun, Origin, Trouble, part};
use super::pieces::{Piece, Pieces};
use crate::artifact::Digest;
use crate::store::Upload;

/// Holds a local file that goes up in parts, and what was told of each: a part that is sent again is not told of again.
pub(super) struct File<'a> {
    upload: &'a Upload,
    meters: Mutex<BTreeMap<i32, Arc<Meter>>>,
}

impl<'a> File<'a> {
    pub(super) fn new(upload: &'a Upload) -> Self {
        Self { upload, meters: Mutex::default() }
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
            let metered = Metered { bytes: piece.bytes.clone(), meter: Arc::clone(&meter) };
            // Its checksum, which is signed, guards it on the way; who sends it has the digest of the whole recorded.
            part.customize().disable_payload_signing().interceptor(metered).send()
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
    type Learned = Digest;

    async fn send(&self, bucket: &Bucket, begun: &Begun) -> Result<(Vec<CompletedPart>, Digest), Trouble> {
        let size = multipart::part_size(bucket.parts, self.upload.size);
        let mut pieces = Pieces::of(&bucket.room, self.upload, size);
        let arriving = stream::poll_fn(|context| pieces.poll_next(context));
        let numbered = arriving.zip(stream::iter(1..)).map(Ok);
        let send = |(piece, number)| self.send_part(bucket, begun, piece, number);
        let parts =
            numbered.map_ok(send).try_buffer_unordered(bucket.parts.abreast.unwrap_or(ABREAST)).try_collect().await?;
        Ok((parts, pieces.end().await.map_err(Trouble::Store)?))
    }
}
