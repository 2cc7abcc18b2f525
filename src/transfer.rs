//! Objects on the move into local files, never whole in memory.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt;

use crate::artifact::{Digest, Hasher, Mode};
use crate::event::{Event, Observer, Transfer};
use crate::files::{self, DrainError, MeasureError, Measured, blocking};
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

/// Moves an object's bytes from `place`, as messages call it, to where they are wanted; returns their number and digest.
///
/// # Errors
/// [`ReceiveError`]; what was written by then is the caller's to throw away.
pub async fn receive<W: Write + Send + 'static>(
    place: String,
    body: Body,
    mut to: W,
    progress: Progress,
) -> Result<(u64, Digest), ReceiveError> {
    let mut hasher = Hasher::default();
    match body {
        Body::File(mut file, bytes) => {
            let move_all = move || files::drain(&mut file, bytes, &mut to, &*progress);
            blocking(move_all).await.map_err(|error| match error {
                DrainError::Read(source) => ReceiveError::Store(StoreError::of_system(place, source)),
                DrainError::Write(source) => ReceiveError::Io(source),
            })
        }
        Body::Stream(mut pieces) => {
            let mut size = 0;
            while let Some(piece) = pieces.next().await {
                let piece = piece?;
                size += files::length(&piece);
                progress(files::length(&piece));
                (to, hasher) = blocking(move || {
                    hasher.update(&piece);
                    to.write_all(&piece).map(|()| (to, hasher))
                })
                .await?;
            }
            Ok((size, hasher.finish()))
        }
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
    let (_, digest) = receive(store.url(key), body, io::sink(), Arc::new(|_| ())).await?;
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
