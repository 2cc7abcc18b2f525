//! The lock under which objects are replaced and deleted.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Key, StoreError};
use super::site::Site;
use super::system;
use super::task::Task;
use crate::artifact::Digest;

/// The longest pause between two attempts, in microseconds.
const PAUSE: u64 = 20_000;

/// Takes the kernel's lock for a key: it ends when the file is closed, at the latest with the process.
///
/// The number of lock files is fixed, so that they never need to be deleted (which would race); keys share them.
pub(super) fn take(task: &Task, site: &Site, key: &Key) -> Result<File, StoreError> {
    let file = open(site, key).map_err(|error| task.fault(error))?;
    let start = Instant::now();
    let mut pause = 250;
    loop {
        task.go_on()?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(task.fault(error)),
            Err(TryLockError::WouldBlock) if start.elapsed() > site.patience() => {
                let error = io::Error::new(io::ErrorKind::TimedOut, "another process holds its lock");
                return Err(task.fault(error));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        thread::sleep(Duration::from_micros(fastrand::u64(pause / 2..=pause)));
        pause = PAUSE.min(pause * 2);
    }
}

/// Opens the lock file of a key. Every version of the program must choose the same one, hence no hash of the standard library.
fn open(site: &Site, key: &Key) -> io::Result<File> {
    let name: String = Digest::of(key.to_string().as_bytes()).to_string().chars().take(2).collect();
    let path = site.locks()?.join(name);
    match open_there(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(site, &path),
        opened => opened,
    }
}

fn open_there(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Makes a lock file, which has its name only when it is as open as the store: whoever is killed half-way would leave one that nobody else of
/// the group can take.
fn make(site: &Site, path: &Path) -> io::Result<File> {
    let mut builder = tempfile::Builder::new();
    let draft = builder.prefix("lock-").make_in(site.temporary()?, |path| system::create(path, false))?;
    system::share(draft.path(), path.parent().unwrap_or(path))?;
    match draft.persist_noclobber(path) {
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => open_there(path),
        made => made.map_err(|failed| failed.error),
    }
}
