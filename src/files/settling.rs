//! A file that is being written, and that is on its way to the disk meanwhile.

use std::fs::File;
use std::io::{self, Write};
use std::thread::{Builder, JoinHandle};

/// How many bytes are written before the disk is asked to begin with them. Where all of a large file is left to the end, whoever writes it
/// waits then for as long again.
const STRETCH: u64 = 32 << 20;

/// Takes a file's bytes in order, and has what was taken brought to disk while more comes.
#[derive(Debug)]
pub struct Settling {
    file: File,
    is_to_last: bool,
    waiting: u64,
    under_way: Option<JoinHandle<io::Result<()>>>,
}

impl Settling {
    pub(super) fn new(file: File, is_to_last: bool) -> Self {
        Self { file, is_to_last, waiting: 0, under_way: None }
    }

    /// Returns the file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Takes note of bytes that were written.
    pub(super) fn wrote(&mut self, bytes: u64) -> io::Result<()> {
        self.waiting += bytes;
        let is_idle = self.under_way.as_ref().is_none_or(JoinHandle::is_finished);
        if self.waiting < STRETCH || !self.is_to_last || !is_idle {
            return Ok(());
        }
        self.settle()?;
        self.waiting = 0;
        let file = self.file.try_clone()?;
        // Where there is no thread for it, it is all done at the end.
        self.under_way = Builder::new().spawn(move || file.sync_data()).ok();
        Ok(())
    }

    /// Waits for what is on its way to the disk. What went wrong with it is told once, by whoever is asked first.
    ///
    /// # Errors
    /// The system's.
    pub fn settle(&mut self) -> io::Result<()> {
        match self.under_way.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) if super::cannot_sync(&error) => Ok(()),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Write for Settling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.wrote(super::length(bytes.get(..count).unwrap_or_default()))?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
