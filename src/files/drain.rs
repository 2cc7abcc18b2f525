//! Bytes of a local file on their way to where they are wanted, past this process.

use std::fs::File;
use std::io::{self, Read as _, Write};

use super::{PIECE, length, read_some};
use crate::artifact::{Digest, Hasher};

/// Says at which end bytes did not move on.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// Where they come from.
    #[error(transparent)]
    Read(io::Error),
    /// Where they go to.
    #[error(transparent)]
    Write(io::Error),
}

impl DrainError {
    /// Returns what the system said, where it does not matter at which end.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        match self {
            Self::Read(error) | Self::Write(error) => error,
        }
    }
}

/// Moves up to `most` bytes of a file to where they are wanted, and hashes them on the way.
///
/// # Errors
/// [`DrainError`].
pub fn drain(
    from: &mut File,
    most: u64,
    to: &mut dyn Write,
    progress: &dyn Fn(u64),
) -> Result<(u64, Digest), DrainError> {
    let mut hasher = Hasher::default();
    let size = drain_into(from, most, to, &mut hasher, progress)?;
    Ok((size, hasher.finish()))
}

/// Moves up to `most` bytes of a file to where they are wanted, past a hasher, and returns how many those were.
///
/// # Errors
/// [`DrainError`].
pub fn drain_into(
    from: &mut File,
    most: u64,
    to: &mut dyn Write,
    hasher: &mut Hasher,
    progress: &dyn Fn(u64),
) -> Result<u64, DrainError> {
    let mut from = from.take(most);
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        let bytes = read_some(&mut from, &mut piece).map_err(DrainError::Read)?;
        if bytes.is_empty() {
            return Ok(size);
        }
        hasher.update(bytes);
        to.write_all(bytes).map_err(DrainError::Write)?;
        size += length(bytes);
        progress(length(bytes));
    }
}
