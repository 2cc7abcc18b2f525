//! File work, which blocks, for callers that must not.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::StoreError;

/// Knows what a piece of work is about, and whether anyone waits for it still.
pub(super) struct Task {
    /// The key, or the address, for messages.
    what: String,
    /// The file or directory that it is, for messages about the disk.
    place: PathBuf,
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
        if error.kind() == io::ErrorKind::NotFound {
            return StoreError::NotFound(self.what.clone());
        }
        StoreError::of_system(self.place.display().to_string(), error)
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
    place: PathBuf,
    work: impl FnOnce(&Task) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let waiting = Waiting(Arc::default());
    let task = Task { what: what.clone(), place, abandoned: Arc::clone(&waiting.0) };
    match tokio::task::spawn_blocking(move || work(&task)).await {
        Ok(answer) => answer,
        Err(error) => Err(StoreError::Other { key: what, source: error.into() }),
    }
}
