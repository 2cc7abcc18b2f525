//! What is still to be done: a file for each job, and a lock for whoever does them.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::hook::Hook;
use crate::moved::Moves;

use super::{Journal, place};

/// How many jobs wait at most; beyond, the oldest is dropped, so that a store that is gone for good fills no disk.
const MOST: usize = 1000;

/// How long a job waits at most: by then the store is not what it was, or nobody misses the metafiles.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Says what is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The hook that called for it; none where a person did.
    pub by: Option<Hook>,
    /// What moved.
    pub moves: Moves,
    /// The store's location, where whoever called for it knew it.
    pub store: Option<String>,
    /// What the log is to say of it.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Holds a job that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub job: Job,
    path: PathBuf,
}

impl Waiting {
    /// Returns a job that waits nowhere, since it could not be written down.
    #[must_use]
    pub fn nowhere(job: Job) -> Self {
        Self { job, path: PathBuf::new() }
    }
}

/// Says that this process does the jobs, and nobody else. It ends when it is dropped, and with the process.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

impl Journal {
    /// Adds a job, whole or not at all.
    ///
    /// # Errors
    /// The system's.
    pub fn add(&self, job: &Job) -> io::Result<Waiting> {
        let queue = self.queue();
        place::directory(self.directory())?;
        place::directory(&queue)?;
        let waiting = names(&queue)?;
        for oldest in waiting.iter().take((waiting.len() + 1).saturating_sub(MOST)) {
            remove(oldest)?;
        }
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(&queue)?;
        file.write_all(&serde_json::to_vec(job)?)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let path = queue.join(format!("{:020}-{}.json", now.as_nanos(), std::process::id()));
        place::share(file.path(), 0o666)?;
        file.persist(&path)?;
        Ok(Waiting { job: job.clone(), path })
    }

    /// Returns the jobs that wait, oldest first. What is no job, or has waited for 30 days, is put away.
    ///
    /// # Errors
    /// The system's.
    pub fn waiting(&self) -> io::Result<Vec<Waiting>> {
        let mut waiting = Vec::new();
        for path in names(&self.queue())? {
            if added(&path).is_none_or(|added| added.elapsed().is_ok_and(|waited| waited > LONGEST)) {
                remove(&path)?;
                continue;
            }
            let text = match std::fs::read(&path) {
                Ok(text) => text,
                // Somebody has done it meanwhile, or it is for somebody else to do.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            match serde_json::from_slice(&text) {
                Ok(job) => waiting.push(Waiting { job, path }),
                Err(_) => remove(&path)?,
            }
        }
        Ok(waiting)
    }

    /// Puts a job away that is done, or that nobody can do.
    ///
    /// # Errors
    /// The system's.
    pub fn put_away(&self, waiting: &Waiting) -> io::Result<()> {
        remove(&waiting.path)
    }

    /// Takes the turn, unless another process has it: that one looks for further jobs after its turn, and finds those that were added before.
    ///
    /// # Errors
    /// The system's.
    pub fn take_turn(&self) -> io::Result<Option<Turn>> {
        place::directory(self.directory())?;
        let lock = place::to_append(&self.directory().join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Turn { _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            // Two that do the same jobs do no harm.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Some(Turn { _lock: lock }))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn queue(&self) -> PathBuf {
        self.directory().join("queue")
    }
}

/// Returns the files of a queue by their names, which begin with the time at which they were added.
fn names(queue: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(queue) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            names.push(path);
        }
    }
    names.sort();
    Ok(names)
}

/// Returns when a job was added, as its file's name says.
fn added(path: &Path) -> Option<SystemTime> {
    let (nanos, _) = path.file_name()?.to_str()?.split_once('-')?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos.parse().ok()?))
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
