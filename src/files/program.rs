//! Small programs that somebody else starts by their names, as git does its hooks: putting them there, and setting aside what stood there.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Temporary, read_whole};

/// Says what stands at a path from which a program may be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Nothing,
    /// A file, or a link to one.
    File {
        /// Its bytes.
        text: Vec<u8>,
        /// Whether it may be started.
        executable: bool,
    },
    /// Something that is no file: a directory, or a link that leads nowhere.
    Other,
}

/// Says what stands at a path from which a program may be started.
///
/// # Errors
/// The system's.
pub fn standing(path: &Path) -> io::Result<Standing> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(match read_whole(path)? {
            Some(text) => Standing::File { text, executable: is_executable(&metadata.permissions()) },
            None => Standing::Nothing,
        }),
        Ok(_) => Ok(Standing::Other),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(if path.is_symlink() { Standing::Other } else { Standing::Nothing })
        }
        Err(error) => Err(error),
    }
}

/// Says whether a path is that of a file that may be started.
#[must_use]
pub fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && is_executable(&metadata.permissions()))
}

/// Returns the path that some bytes are.
#[must_use]
pub fn path_of(bytes: Vec<u8>) -> PathBuf {
    #[cfg(unix)]
    return <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into();
    #[cfg(not(unix))]
    return String::from_utf8_lossy(&bytes).into_owned().into();
}

/// Says whether two names are those of one file, which a hard link gives it.
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    match (std::fs::symlink_metadata(one), std::fs::symlink_metadata(other)) {
        (Ok(one), Ok(other)) => is_one(&one, &other),
        _ => false,
    }
}

/// Says whether anything stands at a path, were it a link that leads nowhere.
///
/// # Errors
/// The system's.
pub fn is_taken(path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives what stands at a path a second name, which is free, and the first one too until something else takes that.
///
/// Where the file system has no hard links the first name is free in between.
///
/// # Errors
/// The system's; then all is as it was.
pub fn set_aside(path: &Path, aside: &Path) -> io::Result<()> {
    match std::fs::hard_link(path, aside) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => std::fs::rename(path, aside),
    }
}

/// Puts a program that everybody may start, in one step, over whatever has the name.
///
/// # Errors
/// The system's; then what had the name still has it.
pub fn place_program(path: &Path, text: &[u8]) -> io::Result<()> {
    let Temporary::Beside(mut file, target) = Temporary::new(Some(path), None)? else { return Ok(()) };
    file.as_file_mut().write_all(text)?;
    if let Some(permissions) = everybody() {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(target).map(drop).map_err(|error| error.error)
}

/// Gives what stands at one path the name of another, in one step.
///
/// # Errors
/// The system's.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    // Of two names of one file, a rename would leave both.
    if is_same(from, to) {
        return std::fs::remove_file(from);
    }
    // A directory takes the place of nothing but another one.
    if from.is_dir() {
        remove(to)?;
    }
    std::fs::rename(from, to)
}

/// Removes a file; that it is gone already is no failure.
///
/// # Errors
/// The system's.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there are no such permissions")]
fn everybody() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn everybody() -> Option<Permissions> {
    None
}

#[cfg(unix)]
fn is_executable(permissions: &Permissions) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    permissions.mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Permissions) -> bool {
    true
}

#[cfg(unix)]
fn is_one(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_one(_: &std::fs::Metadata, _: &std::fs::Metadata) -> bool {
    false
}
