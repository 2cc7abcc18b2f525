//! Objects on the move into local files, never whole in memory.

use std::io::{self, Write};
use std::sync::Arc;

use futures::StreamExt;

use crate::artifact::{Digest, Hasher, Name};
use crate::event::{Event, Observer, Transfer};
use crate::files::{self, blocking};
use crate::store::{Body, Progress, StoreError};

/// Says why an object's bytes did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The store broke off.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The local file, or the file that the store reads, failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Moves an object's bytes to where they are wanted; returns their number and digest.
///
/// # Errors
/// [`ReceiveError`]; what was written by then is the caller's to throw away.
pub async fn receive<W: Write + Send + 'static>(
    body: Body,
    mut to: W,
    progress: Progress,
) -> Result<(u64, Digest), ReceiveError> {
    let mut hasher = Hasher::default();
    match body {
        Body::File(mut file, bytes) => {
            let move_all = move || files::drain(&mut file, bytes, &mut to, &*progress);
            Ok(blocking(move_all).await?)
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

/// Returns what tells an observer of bytes that move.
#[must_use]
pub fn told(observer: &Arc<dyn Observer>, transfer: Transfer, name: &Name) -> Progress {
    let (observer, name) = (observer.clone(), name.clone());
    Arc::new(move |bytes| observer.observe(&Event::Moved { transfer, name: name.clone(), bytes }))
}
