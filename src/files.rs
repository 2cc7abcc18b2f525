//! Local files: what they are, and how new ones come to be.

mod abandoned;
mod begun;
mod copy;
mod drain;
mod ledger;
mod program;
mod scratch;
mod settling;
mod swap;
mod temporary;
mod turn;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::artifact::{Digest, Hasher, Mode};
use crate::store::{self, Progress};

pub use abandoned::BEGIN as DRAFT;
pub use copy::copy;
pub use drain::{DrainError, drain, drain_into};
pub use ledger::{Ledger, hold};
pub use program::{
    Standing, is_program, is_same, is_taken, path_of, place_program, remove, rename, set_aside, standing,
};
pub use scratch::Scratch;
pub use settling::Settling;
pub use swap::{replace, swap};
pub use temporary::{Temporary, WORTH, temporary_directory};
pub use turn::turn;

/// How many bytes are read from a file at a time.
const PIECE: usize = 256 << 10;

/// Holds what a local file was when it was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its mode, where it is executable.
    pub mode: Option<Mode>,
}

/// Holds what a local file was when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its size in bytes.
    pub size: u64,
    /// Its mode, where it is executable.
    pub mode: Option<Mode>,
}

/// Says why a local file cannot be an artifact.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// There is no such file.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// It is a directory, and a directory is no artifact.
    #[error("{} is a directory, and an artifact is one file", .0.display())]
    Directory(PathBuf),
    /// It is a device, a pipe or a socket.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// It is not the same before and after it was read.
    #[error("{} changed while it was being read", .0.display())]
    Changed(PathBuf),
    /// The system does not let it be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads a local file through once and says what it is.
///
/// # Errors
/// [`MeasureError`].
pub async fn measure(path: PathBuf, progress: Progress) -> Result<Measured, MeasureError> {
    blocking(move || measure_now(&path, &progress)).await
}

/// Says what a local file is that can be read, before it is.
///
/// # Errors
/// [`MeasureError`].
pub async fn look(path: PathBuf) -> Result<Seen, MeasureError> {
    let look = move || {
        let metadata = inspect(&path)?;
        open_at_once(&path).map_err(|error| unreadable(&path, error))?;
        Ok(Seen { size: metadata.len(), mode: mode(&metadata) })
    };
    blocking(look).await
}

/// Says what kind of thing lies at a path, before anything is read.
///
/// # Errors
/// What is not a regular file.
pub fn inspect(path: &Path) -> Result<Metadata, MeasureError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        return Err(MeasureError::Directory(path.to_owned()));
    }
    if metadata.is_file() { Ok(metadata) } else { Err(MeasureError::NotAFile(path.to_owned())) }
}

fn measure_now(path: &Path, progress: &Progress) -> Result<Measured, MeasureError> {
    let told = |error| unreadable(path, error);
    let changed = || MeasureError::Changed(path.to_owned());
    let before = inspect(path)?;
    // What was there a moment ago, and as a file, changed.
    let again = |error: MeasureError| match error {
        MeasureError::Unreadable { .. } => error,
        MeasureError::Missing(_) | MeasureError::Directory(_) | MeasureError::NotAFile(_) => changed(),
        MeasureError::Changed(_) => changed(),
    };
    let mut file = open_at_once(path).map_err(told).map_err(again)?;
    if !store::is_same(&before, &file.metadata().map_err(told)?) {
        return Err(changed());
    }
    let mut hasher = Hasher::default();
    let mut size = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let bytes = read_some(&mut file, &mut piece).map_err(told)?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        size += length(bytes);
        progress(length(bytes));
    }
    let opened = file.metadata().map_err(told)?;
    let after = inspect(path).map_err(again)?;
    if !store::is_same(&before, &after) || !store::is_same(&before, &opened) || size != before.len() {
        return Err(changed());
    }
    Ok(Measured { size, sha256: hasher.finish(), mode: mode(&before) })
}

/// Opens a file, and waits for nobody where it became a FIFO a moment ago.
fn open_at_once(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
    options.read(true).open(path)
}

fn unreadable(path: &Path, source: io::Error) -> MeasureError {
    if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        MeasureError::Missing(path.to_owned())
    } else {
        MeasureError::Unreadable { path: path.to_owned(), source }
    }
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> Option<Mode> {
    use std::os::unix::fs::PermissionsExt as _;
    Mode::of_file(metadata.permissions().mode())
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> Option<Mode> {
    None
}

/// Returns the digest of a local file's bytes as they are now.
///
/// # Errors
/// The system's.
pub async fn digest_of_file(path: PathBuf) -> io::Result<Digest> {
    blocking(move || {
        let mut file = File::open(path)?;
        drain(&mut file, u64::MAX, &mut io::sink(), &|_| ()).map(|(_, digest)| digest).map_err(DrainError::into_io)
    })
    .await
}

/// How many bytes of a document its version is told by, and its size where it has more: nobody waits until all of one was read that is far
/// too large.
const TELLING: u64 = 4 << 20;

/// Returns what tells this version of a local document from another: its digest, where it is no larger than any document.
///
/// # Errors
/// The system's.
pub async fn version_of_file(path: PathBuf) -> io::Result<Digest> {
    blocking(move || version_of(&mut File::open(path)?)).await
}

fn version_of(file: &mut File) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut beginning = file.take(TELLING);
    let mut piece = vec![0; PIECE];
    let mut read = 0;
    loop {
        let bytes = read_some(&mut beginning, &mut piece)?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        read += length(bytes);
    }
    let size = file.metadata()?.len().max(read);
    if size > TELLING {
        hasher.update(&size.to_be_bytes());
    }
    Ok(hasher.finish())
}

/// Says what stands in a target's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// Nothing, or a symbolic link to a file or to nothing, which is replaced and never followed.
    Nothing,
    /// A regular file of so many bytes.
    File(u64),
    /// A directory, a device or the like, or a symbolic link to one or to what is open in a process, which is not replaced.
    Other,
}

/// Says what stands in a target's way.
///
/// # Errors
/// The system's.
pub fn occupant(target: &Path) -> io::Result<Occupant> {
    match std::fs::symlink_metadata(target) {
        // A link to a file is replaced like a file, and not what it leads to. One to a directory or a device is not to be lost.
        Ok(metadata) if metadata.is_symlink() => match std::fs::metadata(target) {
            Ok(metadata) if !metadata.is_file() => Ok(Occupant::Other),
            Ok(_) | Err(_) if leads_to_system(target) => Ok(Occupant::Other),
            Ok(_) | Err(_) => Ok(Occupant::Nothing),
        },
        Ok(metadata) if metadata.is_file() => Ok(Occupant::File(metadata.len())),
        Ok(_) => Ok(Occupant::Other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Occupant::Nothing),
        Err(error) => Err(error),
    }
}

/// Says whether a symbolic link is the system's own, or leads to one that is: `/dev/stdout` leads to a regular file where the output goes
/// to one, and is the machine's all the same.
fn leads_to_system(link: &Path) -> bool {
    /// As many as Linux follows.
    const MOST: usize = 40;
    let mut path = link.to_owned();
    for _ in 0..MOST {
        let (Some(name), Ok(parent)) = (path.file_name(), std::fs::canonicalize(parent(&path))) else { return false };
        let is_in = |directory: &&str| parent.starts_with(directory);
        // What is shared in memory are people's files.
        if ["/dev", "/proc", "/sys"].iter().any(is_in) && !parent.starts_with("/dev/shm") {
            return true;
        }
        let Ok(next) = std::fs::read_link(parent.join(name)) else { return false };
        path = parent.join(next);
    }
    false
}

/// Returns the directory that a file lies in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a directory with all that lead to it, where it is absent.
///
/// # Errors
/// The system's.
pub fn make_directory(path: &Path) -> io::Result<()> {
    match std::fs::create_dir_all(path) {
        // What could not be looked at a moment ago, or was made by another, is there.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Removes a directory with all that lies in it, and those that are then empty above it, up to and with `top`.
///
/// # Errors
/// The system's, where the directory itself cannot be removed.
pub fn remove_tree(path: &Path, top: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let above = path.ancestors().skip(1).take_while(|above| above.starts_with(top));
    // One that is not empty is somebody's.
    above.map(std::fs::remove_dir).take_while(Result::is_ok).for_each(drop);
    Ok(())
}

/// Writes a new file, whole or not at all, never over an existing one.
///
/// # Errors
/// The system's: [`io::ErrorKind::AlreadyExists`] where there is one.
pub fn create_new(path: &Path, text: &str) -> io::Result<()> {
    let Temporary::Beside(mut file, target) = Temporary::new(Some(path), None)? else { return Ok(()) };
    file.as_file_mut().write_all(text.as_bytes())?;
    Temporary::Beside(file, target).keep_new()
}

/// Reads a regular file whole; none where there is nothing.
///
/// # Errors
/// The system's, and what is no regular file: to open a pipe would wait for a writer.
pub fn read_whole(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => std::fs::read(path).map(Some),
        Ok(_) => Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads what comes next, as much as fits; nothing at the end.
fn read_some<'a>(from: &mut dyn Read, piece: &'a mut [u8]) -> io::Result<&'a [u8]> {
    loop {
        match from.read(piece) {
            Ok(bytes) => return Ok(piece.get(..bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the number of some bytes.
#[must_use]
pub fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Says whether a file system cannot bring a file to disk at all.
fn cannot_sync(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Runs work that waits for a disk where it holds up nobody.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down: nobody waits for this answer any more.
            Err(_) => std::future::pending().await,
        },
    }
}
