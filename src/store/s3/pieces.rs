//! A local file in pieces: read no faster than they are sent, hashed on the way, and held against what the upload promises.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::artifact::Digest;
use crate::store::source::Reading;
use crate::store::{StoreError, Upload};

/// How much of local files is in memory at once, in KiB, whatever number of them is sent.
const MOST: u32 = 32 << 10;

/// Bounds how much of local files is in memory.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// Holds one piece of a file. While it lives, its bytes count as in memory.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST as usize)))
    }
}

impl Room {
    /// Waits until so many bytes more may be in memory.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(MOST).clamp(1, MOST);
        Arc::clone(&self.0).acquire_many_owned(units).await.ok()
    }
}

/// Reads a file that is one piece. What comes back is what the upload promises, and its digest.
pub(super) async fn only(room: &Room, upload: &Upload) -> Result<(Piece, Digest), StoreError> {
    let length = usize::try_from(upload.size).unwrap_or(usize::MAX);
    let room = room.take(length).await;
    let upload = upload.clone();
    let path = upload.path.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let mut reading = Reading::begin(&upload)?;
        let mut bytes = BytesMut::zeroed(length);
        let count = reading.fill(&mut bytes)?;
        bytes.truncate(count);
        let sha256 = reading.end()?;
        Ok((Piece { bytes: bytes.freeze(), _room: room }, sha256))
    });
    reading.await.unwrap_or_else(|error| Err(StoreError::Source { path, source: error.into() }))
}

/// Holds a file that is read in pieces.
pub(super) struct Pieces {
    path: PathBuf,
    arrived: mpsc::Receiver<Piece>,
    reading: JoinHandle<Result<Digest, StoreError>>,
}

impl Pieces {
    /// Reads a file in pieces of so many bytes; the last may be smaller.
    pub(super) fn of(room: &Room, upload: &Upload, size: u64) -> Self {
        let (pieces, arrived) = mpsc::channel(1);
        let length = usize::try_from(size.min(upload.size)).unwrap_or(usize::MAX);
        let (room, handle, upload) = (room.clone(), Handle::current(), upload.clone());
        let path = upload.path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut reading = Reading::begin(&upload)?;
            let mut left = upload.size;
            while left > 0 {
                let room = handle.block_on(room.take(length));
                let mut bytes = BytesMut::zeroed(length.min(usize::try_from(left).unwrap_or(usize::MAX)));
                let count = reading.fill(&mut bytes)?;
                if count < bytes.len() {
                    return Err(reading.changed());
                }
                left = left.saturating_sub(count as u64);
                let piece = Piece { bytes: bytes.freeze(), _room: room };
                // Nobody waits for the rest of a file whose sending was given up.
                if pieces.blocking_send(piece).is_err() {
                    return Err(StoreError::Source {
                        path: upload.path.clone(),
                        source: io::ErrorKind::BrokenPipe.into(),
                    });
                }
            }
            reading.end()
        });
        Self { path, arrived, reading }
    }

    /// Returns the next piece; none where there is no further one, or the file cannot be read on.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.arrived.poll_recv(context)
    }

    /// Returns the digest of all pieces, if they were those of the file that the upload promises.
    pub(super) async fn end(self) -> Result<Digest, StoreError> {
        let Self { path, arrived, reading } = self;
        drop(arrived);
        reading.await.unwrap_or_else(|error| Err(StoreError::Source { path, source: error.into() }))
    }
}
