//! What a terminal shows to a person, and what the person types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pty_process::blocking::Pty;

pub struct Screen {
    terminal: Pty,
    shown: Arc<Mutex<String>>,
    read: usize,
}

impl Screen {
    /// Reads from now on what a terminal shows.
    pub fn of(terminal: Pty) -> Self {
        let shown = Arc::<Mutex<String>>::default();
        let (showing, mut reader) = (Arc::clone(&shown), File::from(terminal.as_fd().try_clone_to_owned().unwrap()));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).replace('\r', "");
                showing.lock().unwrap().push_str(&text);
            }
        });
        Self { terminal, shown, read: 0 }
    }

    /// Returns all that was shown.
    pub fn all(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// Waits until the terminal shows a text, after all that was waited for before; returns what stands between.
    pub fn sees(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let shown = self.all();
            if let Some(at) = shown[self.read..].find(text) {
                let between = shown[self.read..self.read + at].to_owned();
                self.read += at + text.len();
                return between;
            }
            assert!(Instant::now() < deadline, "{text:?} is not shown:\n{shown}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn types(&mut self, bytes: impl AsRef<[u8]>) {
        (&self.terminal).write_all(bytes.as_ref()).unwrap();
    }
}
