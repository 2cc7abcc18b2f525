//! Replacing a local file, if nobody else did.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Temporary, blocking, open_at_once, version_of};
use crate::artifact::Digest;
use crate::store::is_same;

/// Writes a file whole or not at all, if the version of what stands there is right; says whether it was.
///
/// Whoever else writes this way waits, at most so long: the kernel's lock is on the file that is replaced, and ends with the process. A
/// symbolic link is followed, and permissions are kept.
///
/// # Errors
/// The system's, and what is no regular file; then what stands there is what it was.
pub fn swap(path: &Path, holds: impl Fn(Option<Digest>) -> bool, text: &[u8], patience: Duration) -> io::Result<bool> {
    let target = if path.is_symlink() { path.canonicalize()? } else { path.to_owned() };
    let mut old = match open_at_once(&target) {
        Ok(old) if old.metadata()?.is_file() => Some(old),
        Ok(_) => return Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Some(old) = &old {
        lock(old, patience)?;
        // Whoever held the lock has put another file here.
        if !std::fs::metadata(&target).is_ok_and(|now| old.metadata().is_ok_and(|old| is_same(&old, &now))) {
            return Ok(false);
        }
    }
    let version = old.as_mut().map(version_of).transpose()?;
    if !holds(version) {
        return Ok(false);
    }
    let Temporary::Beside(mut new, target) = Temporary::new(Some(&target), None)? else { return Ok(false) };
    new.as_file_mut().write_all(text)?;
    if let Some(old) = &old {
        new.as_file().set_permissions(old.metadata()?.permissions())?;
    }
    let new = Temporary::Beside(new, target);
    if old.is_some() {
        return new.keep().map(|()| true);
    }
    match new.keep_new() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        kept => kept.map(|()| true),
    }
}

/// Writes a file whole or not at all, whatever stands there, and whoever else writes it at the same time: the last one's bytes stay. A symbolic
/// link is replaced like a file, and not what it leads to.
///
/// # Errors
/// The system's, and what is no regular file; then what stands there is what others made of it.
pub async fn replace(path: &Path, bytes: Vec<u8>, patience: Duration) -> io::Result<()> {
    let path = path.to_owned();
    blocking(move || {
        let began = Instant::now();
        let write = || if path.is_symlink() { put(&path, &bytes) } else { swap(&path, |_| true, &bytes, patience) };
        while !write()? {
            if began.elapsed() > patience {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "others write it again and again"));
            }
        }
        Ok(())
    })
    .await
}

/// Puts a file in the place of a link.
fn put(link: &Path, text: &[u8]) -> io::Result<bool> {
    let Temporary::Beside(mut new, target) = Temporary::new(Some(link), None)? else { return Ok(false) };
    new.as_file_mut().write_all(text)?;
    Temporary::Beside(new, target).keep().map(|()| true)
}

/// Takes the kernel's lock on a file, where the file system has any.
fn lock(file: &File, patience: Duration) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if began.elapsed() > patience => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds its lock"));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(fastrand::u64(1..=10))),
        }
    }
}
