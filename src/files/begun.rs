//! What a process before this one had of an object when it ended.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::{NamedTempFile, TempPath};

use super::abandoned::{BEGIN, END};
use super::{DrainError, drain_into};
use crate::artifact::{Digest, Hasher};

/// Returns where bytes lie that are to have this digest, so that whoever wants the same later finds them.
pub(super) fn path(parent: &Path, digest: Digest) -> PathBuf {
    parent.join(format!("{BEGIN}{digest}{END}"))
}

/// Takes up what lies at a path, if it is of the same person as a file that was just made beside it, and nobody is at work on it; none
/// where it is not, or where nothing is there. What it has is trusted by nobody: it is hashed like anything else.
pub(super) fn take_up(path: &Path, like: &File) -> Option<NamedTempFile> {
    let file = open(path).ok()?;
    let (found, like) = (file.metadata().ok()?, like.metadata().ok()?);
    if !found.is_file() || !is_as_own(&found, &like) || lock(&file) != Lock::Ours {
        return None;
    }
    // Whoever held the lock may have given it its name, or removed it.
    let stands = std::fs::symlink_metadata(path).is_ok_and(|now| is_same(&found, &now));
    if !stands {
        return None;
    }
    // It is young again, so that nobody sweeps it away.
    file.set_modified(SystemTime::now()).ok()?;
    file.set_permissions(like.permissions()).ok()?;
    Some(NamedTempFile::from_parts(file, TempPath::try_from_path(path).ok()?))
}

/// Says who has the kernel's lock on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// This process, until the last handle to the file is closed.
    Ours,
    /// Another one.
    Others,
    /// Nobody: the file system has no locks.
    Nobody,
}

/// Takes the kernel's lock on a file, if nobody else has it.
pub(super) fn lock(file: &File) -> Lock {
    match file.try_lock() {
        Ok(()) => Lock::Ours,
        Err(TryLockError::WouldBlock) => Lock::Others,
        Err(TryLockError::Error(_)) => Lock::Nobody,
    }
}

/// Hashes the first bytes of a file, which then stands behind them.
pub(super) fn hash(file: &mut File, bytes: u64, progress: &dyn Fn(u64)) -> io::Result<Hasher> {
    let mut hasher = Hasher::default();
    file.seek(SeekFrom::Start(0))?;
    let hashed = drain_into(file, bytes, &mut io::sink(), &mut hasher, progress).map_err(DrainError::into_io)?;
    if hashed == bytes { Ok(hasher) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Opens a file to read and to write, follows no link, and waits for nobody where it is a FIFO.
fn open(path: &Path) -> io::Result<File> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK);
    options.read(true).write(true).open(path)
}

/// Says whether a file is of the same person as another, and has no other name, by which somebody could write to it.
#[cfg(unix)]
fn is_as_own(found: &Metadata, own: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (found.uid(), found.nlink()) == (own.uid(), 1)
}

#[cfg(not(unix))]
fn is_as_own(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, other: &Metadata) -> bool {
    other.is_file()
}
