//! Bytes that have no name yet.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::abandoned;
use crate::artifact::Mode;

/// Holds bytes that are not verified yet. Dropped, it leaves nothing.
#[derive(Debug)]
pub enum Temporary {
    /// Beside the target, on its file system, with the mode that it will have.
    Beside(tempfile::NamedTempFile, PathBuf),
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
        // The system takes the umask off, as it does for any new file.
        let bits = mode.map_or(0o666, Mode::bits);
        let mut builder = tempfile::Builder::new();
        builder.prefix(abandoned::BEGIN).suffix(abandoned::END);
        let made = builder.make_in(parent, |path| create(path, bits))?;
        Ok(Self::Beside(made, target.to_owned()))
    }

    /// Returns what takes the bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn writer(&self) -> io::Result<File> {
        match self {
            Self::Beside(file, _) => file.as_file().try_clone(),
            Self::Nameless(file) => file.try_clone(),
        }
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
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Returns where the system keeps what is not to last.
#[must_use]
pub fn temporary_directory() -> PathBuf {
    tempfile::env::temp_dir()
}
