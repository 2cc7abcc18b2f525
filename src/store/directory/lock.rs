//! The lock under which objects are replaced and deleted.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
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
    match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(&path)
        }
        made => made.and_then(|file| system::share(&path).map(|()| file)),
    }
}
