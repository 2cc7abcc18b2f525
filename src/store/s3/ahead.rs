//! A large object's bytes: in parts that are fetched some at a time, and given in order.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::body::Reading;
use crate::parts::Parts;
use crate::store::StoreError;

/// How many bytes a part has. In the same memory more small parts are faster than few large ones: each waits for its first byte.
const PART: u64 = 5 << 20;

/// How many parts of one object are fetched at once, at most.
const PARTS: u64 = 5;

/// From how many parts on an object is read in parts whose whole was asked for: to go back on that costs a connection.
const WORTH: u64 = 4;

/// Says in what parts objects are read, and bounds how many bytes that nobody has asked for yet are in memory, whatever number of objects
/// is read.
#[derive(Debug, Clone)]
pub(super) struct Room {
    part: u64,
    abreast: u64,
    free: Arc<Semaphore>,
}

impl Room {
    pub(super) fn of(parts: Parts) -> Self {
        let part = parts.size.unwrap_or(PART);
        // Larger parts do not take more memory, unless somebody says so.
        let most = (PARTS * PART / part).clamp(2, PARTS);
        let abreast = parts.abreast.and_then(|abreast| u64::try_from(abreast).ok()).unwrap_or(most);
        let bytes = usize::try_from(part.saturating_mul(abreast.saturating_sub(1))).unwrap_or(usize::MAX);
        Self { part, abreast, free: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))) }
    }

    /// Returns the room for so many bytes, where there is some. Nobody waits for it: who has none reads on without.
    fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }

    /// Returns the bytes of a range that are asked for first.
    pub(super) fn first(&self, range: &Range<u64>) -> Range<u64> {
        let part = if self.abreast > 1 { self.part } else { u64::MAX };
        range.start..range.end.min(range.start.saturating_add(part))
    }
}

/// Returns what a reading gives, and the bytes of the object beyond up to `end`, which are fetched in parts.
pub(super) fn pieces(reading: Reading, end: u64) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    let left = reading.left().end..end;
    let ahead = Ahead {
        version: reading.beyond(end..end),
        now: Source::Reading(Box::new(reading)),
        next: VecDeque::new(),
        left,
    };
    stream::try_unfold(ahead, |mut ahead| async move { Ok(ahead.next().await?.map(|piece| (piece, ahead))) })
}

/// Leaves what lies beyond the first part of a whole object to others, where that is worth it.
pub(super) fn share(reading: &mut Reading) {
    let (room, left) = (reading.room(), reading.left());
    if left.end.saturating_sub(left.start) >= WORTH.saturating_mul(room.part) {
        let first = room.first(&left);
        reading.end_at(first.end);
    }
}

/// Holds an object that is read in parts.
struct Ahead {
    /// Reads further bytes of the same version.
    version: Reading,
    /// Who gives the next bytes.
    now: Source,
    /// The parts that follow, as far as they were asked for.
    next: VecDeque<Part>,
    /// Which bytes nobody was asked for.
    left: Range<u64>,
}

/// Gives bytes in order.
enum Source {
    /// As they come.
    Reading(Box<Reading>),
    /// From a part that was asked for ahead.
    Part(Part),
}

/// Takes what comes of a part that is being fetched. Who drops it ends that.
type Part = mpsc::UnboundedReceiver<Result<Bytes, StoreError>>;

impl Ahead {
    /// Returns the next bytes; none after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            self.look_ahead();
            let piece = match &mut self.now {
                Source::Reading(reading) => reading.next().await?,
                Source::Part(part) => part.recv().await.transpose()?,
            };
            if piece.is_some() {
                return Ok(piece);
            }
            self.now = match self.next.pop_front() {
                Some(part) => Source::Part(part),
                None if self.left.is_empty() => return Ok(None),
                None => Source::Reading(Box::new(self.begin())),
            };
        }
    }

    /// Asks for as many parts as there is room for.
    fn look_ahead(&mut self) {
        let room = self.version.room().clone();
        while (self.next.len() as u64) + 1 < room.abreast && !self.left.is_empty() {
            let Range { start, end } = room.first(&self.left);
            let Some(room) = room.take(end - start) else { return };
            let (pieces, part) = mpsc::unbounded_channel();
            tokio::spawn(fetch(self.begin(), room, pieces));
            self.next.push_back(part);
        }
    }

    /// Returns who reads the next bytes that nobody was asked for.
    fn begin(&mut self) -> Reading {
        let part = self.version.room().first(&self.left);
        self.left.start = part.end;
        self.version.beyond(part)
    }
}

/// Fetches a part, for as long as somebody wants it.
async fn fetch(
    mut reading: Reading,
    mut room: OwnedSemaphorePermit,
    pieces: mpsc::UnboundedSender<Result<Bytes, StoreError>>,
) {
    let fetching = async {
        while let Some(piece) = reading.next().await.transpose() {
            let is_last = piece.is_err();
            let piece = piece.map(|bytes| Bytes::from_owner(Held { _room: room.split(bytes.len()), bytes }));
            if pieces.send(piece).is_err() || is_last {
                break;
            }
        }
    };
    tokio::select! {
        () = fetching => {}
        () = pieces.closed() => {}
    }
}

/// Holds bytes that count as in memory while they live.
struct Held {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
