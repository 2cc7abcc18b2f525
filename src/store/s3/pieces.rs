//! A local file in pieces: read no faster than they are sent, and held against what the upload promises.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::store::{StoreError, Upload, source};

/// How much of local files is in memory at once, in MiB, whatever number of them is sent.
const MOST: u32 = 64;

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
        let units = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(MOST).clamp(1, MOST);
        Arc::clone(&self.0).acquire_many_owned(units).await.ok()
    }
}

/// Reads a file in pieces of so many bytes; the last may be smaller.
///
/// The bytes are known to be those of the upload only when the stream has ended without an error.
pub(super) fn read(
    room: &Room,
    upload: &Upload,
    size: u64,
) -> impl Stream<Item = Result<Piece, StoreError>> + Send + use<> {
    let (pieces, arrived) = mpsc::channel(1);
    let length = usize::try_from(size.min(upload.size)).unwrap_or(usize::MAX);
    let mut filling =
        Filling { room: room.clone(), handle: Handle::current(), length, buffer: BytesMut::new(), taken: None, pieces };
    // To be read is not to be sent: whoever sends the pieces tells of that.
    let upload = Upload { progress: Arc::new(|_| ()), ..upload.clone() };
    let path = upload.path.clone();
    let reading = tokio::task::spawn_blocking(move || {
        source::send(&upload, |bytes| filling.take(bytes).map_err(|source| abandoned(&upload, source)))?;
        filling.give().map_err(|source| abandoned(&upload, source))
    });
    let pieces = stream::unfold((arrived, Some((reading, path))), |(mut arrived, mut reading)| async move {
        if let Some(piece) = arrived.recv().await {
            return Some((Ok(piece), (arrived, reading)));
        }
        let (reading, path) = reading.take()?;
        let verdict = reading.await.unwrap_or_else(|error| Err(StoreError::Source { path, source: error.into() }));
        verdict.err().map(|error| (Err(error), (arrived, None)))
    });
    // Whoever asks whether there is more after the last piece is told, of a file without bytes too.
    pieces.fuse()
}

fn abandoned(upload: &Upload, source: io::Error) -> StoreError {
    StoreError::Source { path: upload.path.clone(), source }
}

/// Gathers a file's bytes into pieces, on a thread that may wait.
struct Filling {
    room: Room,
    handle: Handle,
    length: usize,
    buffer: BytesMut,
    taken: Option<OwnedSemaphorePermit>,
    pieces: mpsc::Sender<Piece>,
}

impl Filling {
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.taken.is_none() {
                self.taken = self.handle.block_on(self.room.take(self.length));
                self.buffer = BytesMut::with_capacity(self.length);
            }
            let count = bytes.len().min(self.length.saturating_sub(self.buffer.len()).max(1));
            let (now, later) = bytes.split_at(count);
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= self.length {
                self.give()?;
            }
        }
        Ok(())
    }

    fn give(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Piece { bytes: self.buffer.split().freeze(), _room: self.taken.take() };
        // Nobody waits for the rest of a file whose sending was given up.
        self.pieces.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
