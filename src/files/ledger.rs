//! A file of lines that is only ever added to, by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::store::is_same;

/// Holds a ledger, which is this process's until it is dropped.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    lines: Vec<String>,
}

impl Ledger {
    /// Opens the ledger at a path, which is made where there is none; none where another process has it. A line at its end that was cut short
    /// counts for nothing, and goes.
    ///
    /// # Errors
    /// The system's, and [`io::ErrorKind::InvalidData`] where it is no text.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let Some(mut file) = hold(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.read_to_end(&mut bytes)?;
        bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
        let whole = bytes.len();
        let text = String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if whole < read {
            file.set_len(whole as u64)?;
        }
        Ok(Some(Self { file, lines: text.lines().map(str::to_owned).collect() }))
    }

    /// Returns its lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Adds a line, which is on disk when this returns.
    ///
    /// # Errors
    /// The system's.
    pub fn add(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())?;
        match self.file.sync_data() {
            Err(error) if super::cannot_sync(&error) => {}
            synced => synced?,
        }
        self.lines.push(line.to_owned());
        Ok(())
    }

    /// Forgets all lines.
    ///
    /// # Errors
    /// The system's.
    pub fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.lines.clear();
        Ok(())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // A child that another thread has just started has the file open too, until it is another program: the lock is not to wait for that.
        drop(self.file.unlock());
    }
}

/// Takes the file of a ledger, whatever is in it, from all others for as long as it is open; none where another process has it.
///
/// # Errors
/// The system's.
pub fn hold(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Who works on such a disk sees to it that there is one.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had it may have removed it.
        let opened = file.metadata()?;
        if std::fs::metadata(path).is_ok_and(|now| is_same(&opened, &now)) {
            return Ok(Some(file));
        }
    }
}
