//! Bytes of one local file on their way to another.

use std::fs::File;
use std::io;

use super::{DrainError, Settling, drain_into, length};
use crate::artifact::Hasher;

/// How many bytes are moved before they are hashed, while they are still at hand.
const STRETCH: u64 = 8 << 20;

/// Moves up to `most` bytes of a file to another, and hashes what is there then; returns how many that were.
///
/// They are shared where the file system can do that, else copied inside the system, and pass through this process only where neither is
/// possible. Where it goes wrong they pass as well: only so is it told which of the two files it is.
///
/// # Errors
/// [`DrainError`].
pub fn copy(
    from: &mut File,
    most: u64,
    to: &mut Settling,
    hasher: &mut Hasher,
    progress: &dyn Fn(u64),
) -> Result<u64, DrainError> {
    let mut moved = 0;
    while moved < most {
        let Some(count) = inside(from, to.file(), STRETCH.min(most - moved)) else { break };
        hash_behind(to.file(), count, hasher).and_then(|()| to.wrote(count)).map_err(DrainError::Write)?;
        moved += count;
        progress(count);
    }
    let rest = drain_into(from, most - moved, to, hasher, progress)?;
    Ok(moved + rest)
}

/// Has the system move bytes from where one file stands to where another does; none where it does not.
#[cfg(target_os = "linux")]
fn inside(from: &File, to: &File, most: u64) -> Option<u64> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let count = nix::fcntl::copy_file_range(from, None, to, None, most).ok()?;
    u64::try_from(count).ok().filter(|count| *count > 0)
}

#[cfg(not(target_os = "linux"))]
fn inside(_: &File, _: &File, _: u64) -> Option<u64> {
    None
}

/// Hashes the bytes before the one that a file stands at.
fn hash_behind(file: &File, count: u64, hasher: &mut Hasher) -> io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = file;
    file.seek(SeekFrom::Current(i64::try_from(count).map_or(i64::MIN, |count| -count)))?;
    let mut piece = vec![0; super::PIECE];
    let mut left = count;
    while left > 0 {
        let bytes = super::read_some(&mut file.take(left), &mut piece)?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(bytes);
        left -= length(bytes);
    }
    Ok(())
}
