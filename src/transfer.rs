//! Objects on the move into local files, never whole in memory.

use std::future::poll_fn;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};

use crate::artifact::{Digest, Hasher, Mode};
use crate::event::{Event, Observer, Transfer};
use crate::files::{self, DrainError, MeasureError, Measured, Settling, blocking};
use crate::store::{Body, Key, Progress, Store, StoreError};

/// Says why an object's bytes did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The store broke off.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The local file that they go to failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How many bytes of one object wait at most to be written, while others are: enough that a thread is worth its wakening.
const WAITING: u64 = 256 << 10;

/// How many bytes are many: more than a thread's wakening costs.
const MANY: u64 = 128 << 10;

/// Takes an object's bytes in order to where they are wanted, and hashes them.
pub struct Intake<W> {
    to: W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Intake<W> {
    /// Takes bytes from the first on.
    pub fn new(to: W) -> Self {
        Self::after(to, Hasher::default(), 0)
    }

    /// Takes the bytes that follow those that were hashed already.
    pub fn after(to: W, hasher: Hasher, size: u64) -> Self {
        Self { to, hasher, size }
    }

    /// Returns how many bytes there are by now.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns where the bytes went, how many those are, and their digest.
    pub fn finish(self) -> (W, u64, Digest) {
        (self.to, self.size, self.hasher.finish())
    }

    fn take(mut self, pieces: &[Bytes]) -> io::Result<Self> {
        for piece in pieces {
            self.hasher.update(piece);
            self.to.write_all(piece)?;
            self.size += files::length(piece);
        }
        Ok(self)
    }
}

impl<W: Write + Send + 'static> Intake<W> {
    /// Takes pieces of so many bytes, where that holds up nobody. Many bytes are hashed and written at once: to hash takes longer, and what a
    /// file waits for is that alone then.
    async fn take_all(self, pieces: Vec<Bytes>, bytes: u64) -> io::Result<Self> {
        if bytes < MANY {
            return blocking(move || self.take(&pieces)).await;
        }
        let Self { mut to, mut hasher, size } = self;
        let same = pieces.clone();
        let hash = move || {
            same.iter().for_each(|piece| hasher.update(piece));
            hasher
        };
        let write = move || pieces.iter().try_for_each(|piece| to.write_all(piece)).map(|()| to);
        let (hasher, to) = futures::future::join(blocking(hash), blocking(write)).await;
        Ok(Self { to: to?, hasher, size: size + bytes })
    }
}

/// Moves an object's bytes from `place`, as messages call it, to where they are wanted.
///
/// # Errors
/// [`ReceiveError`]; what was written by then is the caller's to throw away.
pub async fn receive<W: Write + Send + 'static>(
    place: String,
    body: Body,
    mut intake: Intake<W>,
    progress: Progress,
) -> Result<Intake<W>, ReceiveError> {
    match body {
        Body::File(mut file, bytes) => {
            let move_all = move || {
                let Intake { to, hasher, size } = &mut intake;
                *size += files::drain_into(&mut file, bytes, to, hasher, &*progress)?;
                Ok(intake)
            };
            blocking(move_all).await.map_err(|error| failed(place, error))
        }
        Body::Stream(pieces) => pour(pieces, intake, progress).await,
    }
}

/// Moves an object's bytes into a local file, inside the system where that can do it.
///
/// # Errors
/// [`ReceiveError`]; what was written by then are the first bytes of the object, in order.
pub async fn receive_file(
    place: String,
    body: Body,
    mut intake: Intake<Settling>,
    progress: Progress,
) -> Result<Intake<Settling>, ReceiveError> {
    match body {
        Body::File(mut file, bytes) => {
            let move_all = move || {
                let Intake { to, hasher, size } = &mut intake;
                *size += files::copy(&mut file, bytes, to, hasher, &*progress)?;
                Ok(intake)
            };
            blocking(move_all).await.map_err(|error| failed(place, error))
        }
        Body::Stream(pieces) => pour(pieces, intake, progress).await,
    }
}

fn failed(place: String, error: DrainError) -> ReceiveError {
    match error {
        DrainError::Read(source) => ReceiveError::Store(StoreError::of_system(place, source)),
        DrainError::Write(source) => ReceiveError::Io(source),
    }
}

/// Names what comes next where bytes come and are written at the same time.
enum Next<W> {
    Written(io::Result<Intake<W>>),
    Came(Option<Result<Bytes, StoreError>>),
}

/// Writes what comes while more comes. However it ends, all that came is written.
async fn pour<W: Write + Send + 'static>(
    mut pieces: BoxStream<'static, Result<Bytes, StoreError>>,
    intake: Intake<W>,
    progress: Progress,
) -> Result<Intake<W>, ReceiveError> {
    let (mut idle, mut writing) = (Some(intake), None);
    let (mut waiting, mut bytes, mut end) = (Vec::new(), 0, None);
    loop {
        if !waiting.is_empty()
            && let Some(intake) = idle.take()
        {
            writing = Some(intake.take_all(std::mem::take(&mut waiting), std::mem::take(&mut bytes)).boxed());
        }
        if let (Some(_), Some(_)) = (&idle, &end) {
            break;
        }
        let wants_more = end.is_none() && bytes < WAITING;
        let next = poll_fn(|context| {
            if let Some(Poll::Ready(written)) = writing.as_mut().map(|writing| writing.poll_unpin(context)) {
                return Poll::Ready(Next::Written(written));
            }
            if wants_more { pieces.poll_next_unpin(context).map(Next::Came) } else { Poll::Pending }
        });
        match next.await {
            Next::Written(intake) => (idle, writing) = (Some(intake?), None),
            Next::Came(Some(Ok(piece))) => {
                progress(files::length(&piece));
                bytes += files::length(&piece);
                waiting.push(piece);
            }
            Next::Came(Some(Err(error))) => end = Some(Err(error)),
            Next::Came(None) => end = Some(Ok(())),
        }
    }
    match (idle, end) {
        (_, Some(Err(error))) => Err(error.into()),
        (Some(intake), _) => Ok(intake),
        (None, _) => Err(io::Error::other("nobody writes what came").into()),
    }
}

/// Returns the digest of an object, the one that its writer recorded, else that of its bytes; and its mode. None where there is no object.
///
/// # Errors
/// [`ReceiveError`].
pub async fn digest(store: &dyn Store, key: &Key) -> Result<Option<(Digest, Option<Mode>)>, ReceiveError> {
    digest_as_told(store, key, None).await
}

/// Returns the digest of an object as [`digest`] does, but takes another's word of it before it reads the bytes: that of a metafile which
/// records the object's size and digest.
///
/// # Errors
/// [`ReceiveError`].
pub async fn digest_as_told(
    store: &dyn Store,
    key: &Key,
    told: Option<(u64, Digest)>,
) -> Result<Option<(Digest, Option<Mode>)>, ReceiveError> {
    let Some(object) = store.head(key).await? else { return Ok(None) };
    let mode = object.attributes.mode;
    let told = told.filter(|(size, _)| *size == object.size).map(|(_, digest)| digest);
    if let Some(recorded) = object.attributes.sha256.or(told) {
        return Ok(Some((recorded, mode)));
    }
    let Some((_, body)) = store.open(key, None).await? else { return Ok(None) };
    let (_, _, digest) = receive(store.url(key), body, Intake::new(io::sink()), Arc::new(|_| ())).await?.finish();
    Ok(Some((digest, mode)))
}

/// Hashes a local file, and tells an observer how far it is.
///
/// # Errors
/// [`MeasureError`].
pub async fn measure(observer: &Arc<dyn Observer>, path: PathBuf) -> Result<Measured, MeasureError> {
    let size = files::inspect(&path)?.len();
    observer.observe(&Event::Started { transfer: Transfer::Hash, size });
    let measured = files::measure(path, told(observer, Transfer::Hash)).await;
    observer.observe(&Event::Finished { transfer: Transfer::Hash });
    measured
}

/// Returns what tells an observer of bytes that move.
#[must_use]
pub fn told(observer: &Arc<dyn Observer>, transfer: Transfer) -> Progress {
    let observer = observer.clone();
    Arc::new(move |bytes| observer.observe(&Event::Moved { transfer, bytes }))
}
