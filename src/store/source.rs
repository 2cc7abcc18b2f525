//! A local file on its way into a store.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use super::{StoreError, Upload, is_same};
use crate::artifact::{Digest, Hasher};

/// How many bytes move at once: a put that nobody waits for any more stops after so many.
pub(super) const PIECE: usize = 256 << 10;

/// Holds a local file that is read once, from its beginning to its end.
pub(super) struct Reading<'a> {
    upload: &'a Upload,
    file: File,
    /// What the file was before the first byte was read.
    before: Metadata,
    left: u64,
    hasher: Hasher,
}

impl<'a> Reading<'a> {
    pub(super) fn begin(upload: &'a Upload) -> Result<Self, StoreError> {
        let changed = || StoreError::SourceChanged { path: upload.path.clone() };
        let unreadable = |source: io::Error| {
            // It was a file when it was looked at.
            let gone = source.kind() == io::ErrorKind::NotFound;
            if gone { changed() } else { StoreError::Source { path: upload.path.clone(), source } }
        };
        let file = open(&upload.path).map_err(unreadable)?.ok_or_else(changed)?;
        let before = file.metadata().map_err(unreadable)?;
        if before.len() != upload.size {
            return Err(changed());
        }
        Ok(Self { upload, file, before, left: upload.size, hasher: Hasher::default() })
    }

    /// Returns the file, which whoever copies it otherwise reads from its beginning.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Fills a piece with what comes next, hashes it, and returns how many bytes that is: fewer than fit only at the end.
    pub(super) fn fill(&mut self, piece: &mut [u8]) -> Result<usize, StoreError> {
        let mut filled = 0;
        while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// Reads what comes next, at most [`PIECE`] bytes, so that they are hashed while they are still near the processor.
    fn read(&mut self, piece: &mut [u8]) -> Result<usize, StoreError> {
        let most = piece.len().min(PIECE);
        let piece = piece.get_mut(..most).unwrap_or_default();
        let count = loop {
            match self.file.read(piece) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(StoreError::Source { path: self.upload.path.clone(), source }),
            }
        };
        let read = piece.get(..count).unwrap_or_default();
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| self.changed())?;
        self.hasher.update(read);
        Ok(count)
    }

    /// Ends the reading, and returns the digest of all bytes if they are those that the upload promises.
    pub(super) fn end(mut self) -> Result<Digest, StoreError> {
        let more = self.read(&mut [0])?;
        let digest = std::mem::take(&mut self.hasher).finish();
        let whole = more == 0 && self.left == 0;
        if whole { self.vouch(digest) } else { Err(self.changed()) }
    }

    /// Says whether a digest of bytes that were taken from the file is that of the file: the one that was known, or that of a file which
    /// nobody changed meanwhile.
    pub(super) fn vouch(&self, digest: Digest) -> Result<Digest, StoreError> {
        let holds = match self.upload.sha256 {
            Some(known) => known == digest,
            None => self.is_unchanged()?,
        };
        if !holds {
            return Err(self.changed());
        }
        // Where it is tried anew, it is of the same file or is told to have changed.
        Ok(*self.upload.found.get_or_init(|| digest))
    }

    fn is_unchanged(&self) -> Result<bool, StoreError> {
        let look = |found: io::Result<Metadata>| match found {
            Ok(now) => Ok(is_same(&self.before, &now)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(source) => Err(StoreError::Source { path: self.upload.path.clone(), source }),
        };
        Ok(look(self.file.metadata())? && look(std::fs::metadata(&self.upload.path))?)
    }

    pub(super) fn changed(&self) -> StoreError {
        StoreError::SourceChanged { path: self.upload.path.clone() }
    }
}

/// Gives a file's bytes to `sink`, piece by piece, and returns their digest only if they were those that the upload promises.
///
/// The sink has then had bytes already: what it made of them must be dropped where the answer is an error.
pub(super) fn send(
    upload: &Upload,
    mut sink: impl FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<Digest, StoreError> {
    let mut reading = Reading::begin(upload)?;
    let mut buffer = vec![0; usize::try_from(upload.size).unwrap_or(PIECE).min(PIECE)];
    loop {
        let count = reading.fill(&mut buffer)?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            return reading.end();
        }
        sink(piece)?;
        (upload.progress)(count as u64);
    }
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
