//! Bytes that have no name yet.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::{Settling, abandoned, begun};
use crate::artifact::{Digest, Hasher, Mode};

/// From how many bytes on a further run goes on with what this one has.
pub const WORTH: u64 = 8 << 20;

/// Holds bytes that are not verified yet. Dropped, it leaves nothing.
#[derive(Debug)]
pub enum Temporary {
    /// Beside the target, on its file system, with the mode that it will have.
    Beside(NamedTempFile, PathBuf),
    /// On the way to standard output.
    Nameless(File),
}

impl Temporary {
    /// Makes a place for bytes that are to be the file `target` with this mode, or to go to standard output. What killed processes left in
    /// the target's directory a day ago goes.
    ///
    /// # Errors
    /// The system's.
    pub fn new(target: Option<&Path>, mode: Option<Mode>) -> io::Result<Self> {
        let Some(target) = target else {
            return Ok(Self::Nameless(tempfile::tempfile()?));
        };
        let parent = super::parent(target);
        abandoned::sweep_once(parent);
        Ok(Self::Beside(make(parent, mode)?, target.to_owned()))
    }

    /// Makes a place for bytes that are to have this digest, where a further run finds them if this one does not come to its end; none
    /// where there is something already, as that of another process that fetches the same.
    #[must_use]
    pub fn lasting(target: &Path, mode: Option<Mode>, sha256: Digest) -> Option<Self> {
        let parent = super::parent(target);
        abandoned::sweep_once(parent);
        let path = begun::path(parent, sha256);
        let file = create(&path, bits(mode)).ok()?;
        let lock = begun::lock(&file);
        let mut made = NamedTempFile::from_parts(file, TempPath::try_from_path(&path).ok()?);
        // Somebody found it at this very moment, and it is theirs.
        made.disable_cleanup(lock == begun::Lock::Others);
        (lock == begun::Lock::Ours).then(|| Self::Beside(made, target.to_owned()))
    }

    /// Takes up what a process before this one had of bytes that are to have this digest, and says how many that were; none where there is
    /// nothing that this one may go on with.
    #[must_use]
    pub fn taken_up(target: &Path, mode: Option<Mode>, sha256: Digest, most: u64) -> Option<(Self, u64)> {
        let parent = super::parent(target);
        abandoned::sweep_once(parent);
        let path = begun::path(parent, sha256);
        std::fs::symlink_metadata(&path).ok()?;
        let like = make(parent, mode).ok()?;
        let taken = begun::take_up(&path, like.as_file())?;
        let size = taken.as_file().metadata().ok()?.len();
        // What is too long is nothing, and goes with what is taken up.
        (0 < size && size <= most).then(|| (Self::Beside(taken, target.to_owned()), size))
    }

    /// Hashes the bytes that were taken up. What follows is written behind them.
    ///
    /// # Errors
    /// The system's.
    pub fn hashed(&self, bytes: u64, progress: &dyn Fn(u64)) -> io::Result<Hasher> {
        match self {
            Self::Beside(file, _) => begun::hash(&mut file.as_file().try_clone()?, bytes, progress),
            Self::Nameless(file) => begun::hash(&mut file.try_clone()?, bytes, progress),
        }
    }

    /// Leaves the bytes for a further run, where they are worth it; says how many those are.
    pub fn leave(self) -> Option<u64> {
        match self {
            Self::Beside(mut file, _) => {
                let size = file.as_file().metadata().map_or(0, |metadata| metadata.len());
                file.disable_cleanup(size >= WORTH);
                (size >= WORTH).then_some(size)
            }
            Self::Nameless(_) => None,
        }
    }

    /// Returns what takes the bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn writer(&self) -> io::Result<Settling> {
        Ok(match self {
            Self::Beside(file, _) => Settling::new(file.as_file().try_clone()?, true),
            Self::Nameless(file) => Settling::new(file.try_clone()?, false),
        })
    }

    /// Gives the bytes the target's name, where nothing has it, or sends them to standard output.
    ///
    /// # Errors
    /// The system's: [`io::ErrorKind::AlreadyExists`] where something has that name.
    pub fn keep_new(self) -> io::Result<()> {
        let (file, target) = match self {
            Self::Beside(file, target) => (file, target),
            nameless @ Self::Nameless(_) => return nameless.keep(),
        };
        sync(file.as_file())?;
        match file.persist_noclobber(&target) {
            Ok(_) => Ok(()),
            // Some file systems can neither rename without replacing nor link: there an empty file takes the name first.
            Err(failed) if may_lack_it(&failed.error) => {
                create(&target, 0o666)?;
                failed.file.persist(&target).map(drop).map_err(|failed| {
                    drop(std::fs::remove_file(&target));
                    failed.error
                })
            }
            Err(failed) => Err(failed.error),
        }
    }

    /// Gives the bytes the target's name, in one step, or sends them to standard output.
    ///
    /// # Errors
    /// The system's; then nothing has the target's name that had not before.
    pub fn keep(self) -> io::Result<()> {
        match self {
            Self::Beside(file, target) => {
                // Some file systems tell only now that there was no room. And after a crash a file with its name has all its bytes.
                sync(file.as_file())?;
                file.persist(target).map(|_| ()).map_err(|error| error.error)
            }
            Self::Nameless(mut file) => {
                file.rewind()?;
                let mut out = io::stdout().lock();
                match io::copy(&mut file, &mut out).and_then(|_| out.flush()) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    done => done,
                }
            }
        }
    }
}

/// Says whether a file system may not know what it was asked for; FAT says that it is not permitted to link.
fn may_lack_it(error: &io::Error) -> bool {
    use io::ErrorKind as System;
    matches!(error.kind(), System::InvalidInput | System::Unsupported | System::PermissionDenied)
}

/// Makes a file of a name that nobody has.
fn make(parent: &Path, mode: Option<Mode>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(abandoned::BEGIN).suffix(abandoned::END);
    builder.make_in(parent, |path| create(path, bits(mode)))
}

/// Returns the bits of a new file with this mode. The system takes the umask off, as it does for any new file.
fn bits(mode: Option<Mode>) -> u32 {
    mode.map_or(0o666, Mode::bits)
}

fn create(path: &Path, bits: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, bits);
    #[cfg(not(unix))]
    let _ = bits;
    options.read(true).write(true).create_new(true).open(path)
}

/// Has a file's bytes on disk, where the file system can do that at all.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if super::cannot_sync(&error) => Ok(()),
        synced => synced,
    }
}

/// Returns where the system keeps what is not to last.
#[must_use]
pub fn temporary_directory() -> PathBuf {
    tempfile::env::temp_dir()
}
