//! A file that is there for as long as somebody needs it.

use std::fs::File;
use std::io;
use std::path::Path;

/// Holds a local file of no lasting name. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Scratch(tempfile::NamedTempFile);

impl Scratch {
    /// Makes an empty one, where the system keeps what is not to last.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        tempfile::Builder::new().prefix(".metalogic-").tempfile().map(Self)
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns what takes the bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn writer(&self) -> io::Result<File> {
        self.0.as_file().try_clone()
    }
}
