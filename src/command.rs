//! A command that somebody gave to be run on a file.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

/// What stands for the file.
const PLACEHOLDER: &str = "{}";

/// How long a command may take to end by itself when this process does: whoever interrupts one at a terminal has told both.
const MOMENT: Duration = Duration::from_secs(2);

/// Holds a command, and knows whether it runs.
#[derive(Debug)]
pub struct Command {
    words: Vec<OsString>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug, Clone)]
struct Running {
    process: u32,
    ended: watch::Receiver<bool>,
}

impl Command {
    /// Takes a program and its arguments; none where there is no program.
    #[must_use]
    pub fn new(words: Vec<OsString>) -> Option<Self> {
        (!words.is_empty()).then(|| Self { words, running: Mutex::default() })
    }

    /// Returns the words to run on a file: `{}` stands for its path in each of them, and where it stands in none, the path is the last.
    #[must_use]
    pub fn words(&self, file: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = self.words.iter().map(|word| filled(word, file)).collect();
        if !self.words.iter().any(|word| has_placeholder(word)) {
            words.push(file.as_os_str().to_owned());
        }
        words
    }

    /// Runs it on a file with these further variables, and returns its exit code; none where a signal ended it. What it writes to its standard
    /// output goes to the standard error of this process, whose own output is an answer.
    ///
    /// # Errors
    /// The system's, where it cannot be run.
    pub async fn run(&self, file: &Path, variables: &[(&str, &OsStr)]) -> io::Result<Option<i32>> {
        let words = self.words(file);
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut process = Process::new(program);
        process.args(arguments).envs(variables.iter().copied()).stdout(Stdio::from(io::stderr()));
        let child = process.spawn()?;
        let (end, ended) = watch::channel(false);
        let running = Running { process: child.id(), ended };
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        let status = waited(child, end).await?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(status)
    }

    /// Sees to it that what still runs ends: waits a moment for it, and then asks it to.
    pub async fn end(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { process, mut ended }) = running else { return };
        if tokio::time::timeout(MOMENT, ended.wait_for(|ended| *ended)).await.is_err() {
            terminate(process);
        }
    }
}

/// Waits for a child in a thread that nobody waits for: whoever is interrupted is not held up by it.
async fn waited(mut child: Child, end: watch::Sender<bool>) -> io::Result<Option<i32>> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let status = child.wait();
        // Nobody listens any more where the run was interrupted.
        drop(tell.send(status.map(|status| status.code())));
        end.send_replace(true);
    });
    told.await.map_err(io::Error::other)?
}

/// Asks a process to end, which is a child of this one that was not waited for yet: the number is nobody else's.
#[cfg(unix)]
fn terminate(process: u32) {
    use nix::sys::signal::{Signal, kill};
    if let Ok(process) = i32::try_from(process) {
        // It may have ended at this very moment.
        let _ = kill(nix::unistd::Pid::from_raw(process), Signal::SIGTERM);
    }
}

#[cfg(not(unix))]
fn terminate(_: u32) {}

fn has_placeholder(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| word.contains(PLACEHOLDER))
}

/// Returns a word with the file's path in the place of what stands for it. A word that is no text has nothing that could.
fn filled(word: &OsStr, file: &Path) -> OsString {
    let Some(text) = word.to_str() else { return word.to_owned() };
    let mut parts = text.split(PLACEHOLDER);
    let mut filled = OsString::from(parts.next().unwrap_or_default());
    for part in parts {
        filled.push(file);
        filled.push(part);
    }
    filled
}
