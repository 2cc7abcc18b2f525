//! File work, which blocks, for callers that must not.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Denial, Outage, StoreError};

/// What the system says where whoever asks may not do this.
const DENIED: [io::ErrorKind; 2] = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];

/// What the system says where it may do this another time.
const UNAVAILABLE: [io::ErrorKind; 9] = [
    io::ErrorKind::HostUnreachable,
    io::ErrorKind::Interrupted,
    io::ErrorKind::NetworkDown,
    io::ErrorKind::NetworkUnreachable,
    io::ErrorKind::QuotaExceeded,
    io::ErrorKind::ResourceBusy,
    io::ErrorKind::StaleNetworkFileHandle,
    io::ErrorKind::StorageFull,
    io::ErrorKind::TimedOut,
];

/// Knows what a piece of work is about, and whether anyone waits for it still.
pub(super) struct Task {
    /// The key, or the address, for messages.
    what: String,
    abandoned: Arc<AtomicBool>,
}

impl Task {
    /// Refuses to go on where nobody waits any more. Whoever works long asks now and then.
    pub(super) fn go_on(&self) -> Result<(), StoreError> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(self.fault(io::Error::new(io::ErrorKind::Interrupted, "nobody waits for it any more")));
        }
        Ok(())
    }

    /// Returns what the system said as what a caller can do about it.
    pub(super) fn fault(&self, error: io::Error) -> StoreError {
        let (kind, key) = (error.kind(), self.what.clone());
        if kind == io::ErrorKind::NotFound {
            StoreError::NotFound(key)
        } else if DENIED.contains(&kind) {
            StoreError::AccessDenied { key, denial: Denial::Plain, source: error.into() }
        } else if UNAVAILABLE.contains(&kind) {
            StoreError::Unavailable { key, outage: Outage::Plain, source: error.into() }
        } else {
            StoreError::Other { key, source: error.into() }
        }
    }

    /// Returns the refusal of a write whose condition does not hold.
    pub(super) fn precondition(&self) -> StoreError {
        StoreError::Precondition { key: self.what.clone() }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Tells the work when the future that waits for it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does work on a thread that may block. To drop the future asks the work to end.
pub(super) async fn run<T: Send + 'static>(
    what: String,
    work: impl FnOnce(&Task) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let waiting = Waiting(Arc::default());
    let task = Task { what: what.clone(), abandoned: Arc::clone(&waiting.0) };
    match tokio::task::spawn_blocking(move || work(&task)).await {
        Ok(answer) => answer,
        Err(error) => Err(StoreError::Other { key: what, source: error.into() }),
    }
}
