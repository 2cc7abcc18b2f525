//! A local file in pieces: read no faster than they are sent, hashed on the way, and held against what the upload promises.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::multipart::{ABREAST, PART};
use crate::artifact::Digest;
use crate::parts::Parts;
use crate::store::source::Reading;
use crate::store::{StoreError, Upload};

/// How much of local files is in memory at once, in KiB, whatever number of them is sent, unless somebody asks for more.
const MOST: u64 = 32 << 10;

/// Bounds how much of local files is in memory.
#[derive(Clone)]
pub(super) struct Room {
    left: Arc<Semaphore>,
    most: u32,
}

/// Holds one piece of a file. While it lives, its bytes count as in memory.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Makes room for as many parts of one file as are to be sent at once, and for the one that is read meanwhile.
    pub(super) fn of(parts: Parts) -> Self {
        let asked = (parts.abreast.unwrap_or(ABREAST) as u64 + 1) * (parts.size.unwrap_or(PART) >> 10);
        let asked = if parts == Parts::default() { 0 } else { asked };
        let most = u32::try_from(asked.max(MOST)).unwrap_or(u32::MAX >> 4);
        Self { left: Arc::new(Semaphore::new(most as usize)), most }
    }

    /// Waits until so many bytes more may be in memory.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(self.most).clamp(1, self.most);
        Arc::clone(&self.left).acquire_many_owned(units).await.ok()
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
