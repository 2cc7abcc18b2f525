//! A local file on its way into a store.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use super::{StoreError, Upload};
use crate::artifact::Hasher;

/// How many bytes move at once: a put that nobody waits for any more stops after so many.
pub(super) const PIECE: usize = 1 << 20;

/// Gives a file's bytes to `sink`, piece by piece, and answers only if they were those that the upload promises.
///
/// The sink has then had bytes already: what it made of them must be dropped where the answer is an error.
pub(super) fn send(upload: &Upload, mut sink: impl FnMut(&[u8]) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let unreadable = |source| StoreError::Source { path: upload.path.clone(), source };
    let changed = || StoreError::SourceChanged { path: upload.path.clone() };
    let mut file = match open(&upload.path) {
        Ok(Some(file)) => file,
        // It was a file when it was hashed.
        Ok(None) => return Err(changed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(changed()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut hasher = Hasher::default();
    let mut left = upload.size;
    let mut buffer = vec![0; PIECE];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        left = left.checked_sub(bytes).ok_or_else(changed)?;
        hasher.update(piece);
        sink(piece)?;
        (upload.progress)(bytes);
    }
    if left == 0 && hasher.finish() == upload.sha256 { Ok(()) } else { Err(changed()) }
}

/// Opens a regular file; none where something else has its name. What becomes a FIFO at this moment is not waited for either.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
    let file = options.read(true).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}
