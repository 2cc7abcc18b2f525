//! One object on its way out of a store: verified before it has its name.

mod draft;
mod name;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::artifact::{Digest, Hasher, Mode};
use crate::event::{Event, Observer, Transfer};
use crate::files::{self, Occupant, Settling};
use crate::store::{Body, Key, Object, Store, StoreError};
use crate::transfer::{self, Intake, ReceiveError};
use draft::{Begun, Draft};

pub use name::{Rules, UnfitName, within};

/// Says where what arrives goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Into this directory, each under its own name.
    Directory(PathBuf),
    /// The one object to this file.
    File(PathBuf),
    /// The one object to standard output.
    StandardOutput,
}

/// Holds one object on its way to a local file.
pub struct Arrival<'a> {
    /// The store that it comes from.
    pub store: &'a dyn Store,
    /// Its key there.
    pub key: Key,
    /// What messages call it.
    pub what: String,
    /// Who is told of bytes that move.
    pub observer: &'a Arc<dyn Observer>,
    /// The size in bytes that is recorded elsewhere than beside the object.
    pub size: Option<u64>,
    /// The digest that is.
    pub sha256: Option<Digest>,
    /// The mode that is.
    pub mode: Option<Mode>,
}

/// Says what arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// How many bytes.
    pub size: u64,
    /// Their digest.
    pub sha256: Digest,
    /// Whether a recorded digest confirmed them.
    pub verified: bool,
}

/// Says why an object did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalError {
    /// It is not there.
    #[error("{what} is not there")]
    Gone {
        /// What it is called.
        what: String,
    },
    /// The bytes are not those that were recorded.
    #[error("{what} has {found}, and {expected} is recorded")]
    Mismatch {
        /// What it is called.
        what: String,
        /// What the bytes have: a size or a digest.
        found: String,
        /// What was recorded.
        expected: String,
    },
    /// Something that is not a regular file is in the target's place.
    #[error("{} is not a regular file and is not replaced", .0.display())]
    Occupied(PathBuf),
    /// Something that is not a directory is in the output directory's place.
    #[error("{} is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// The local file cannot be written.
    #[error("{} cannot be written", path.display())]
    Target {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are right, and standard output does not take them.
    #[error("standard output cannot be written")]
    Output(#[source] io::Error),
    /// The store does not do what it was asked.
    #[error("{what} could not be fetched")]
    Store {
        /// What it is called.
        what: String,
        /// Why.
        source: StoreError,
    },
}

impl ArrivalError {
    /// Says that it is the bytes that are wrong.
    fn is_of_bytes(&self) -> bool {
        matches!(self, Self::Mismatch { .. } | Self::Store { source: StoreError::Corrupt { .. }, .. })
    }

    /// Says that it is the store that broke off, and that what came by then is right as far as anybody knows.
    fn is_of_store(&self) -> bool {
        matches!(self, Self::Store { .. }) && !self.is_of_bytes()
    }
}

/// Makes the directory that files go to, with all that lead to it, where it is absent.
///
/// # Errors
/// [`ArrivalError::NoDirectory`] and [`ArrivalError::Target`].
pub fn make_directory(directory: &Path) -> Result<(), ArrivalError> {
    let taken = |error: &io::Error| matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory);
    files::make_directory(directory).map_err(|source| {
        let path = directory.to_owned();
        if taken(&source) { ArrivalError::NoDirectory(path) } else { ArrivalError::Target { path, source } }
    })
}

/// Writes a document to a target, whole or not at all. What is neither a regular file nor a link to one is never replaced; whoever else writes
/// it is waited for at most so long.
///
/// # Errors
/// [`ArrivalError::Occupied`] and [`ArrivalError::Target`].
pub async fn write(target: &Path, bytes: Vec<u8>, patience: Duration) -> Result<(), ArrivalError> {
    replaced(target)?;
    let failed = |source| ArrivalError::Target { path: target.to_owned(), source };
    files::replace(target, bytes, patience).await.map_err(failed)
}

/// Returns the size in bytes of the file that a target is; none where there is none.
fn replaced(target: &Path) -> Result<Option<u64>, ArrivalError> {
    let occupant = files::occupant(target);
    match occupant.map_err(|source| ArrivalError::Target { path: target.to_owned(), source })? {
        Occupant::Nothing => Ok(None),
        Occupant::Other => Err(ArrivalError::Occupied(target.to_owned())),
        Occupant::File(size) => Ok(Some(size)),
    }
}

impl Arrival<'_> {
    /// Says whether a target has the recorded bytes already. What is neither a regular file nor a link to one is never
    /// replaced.
    ///
    /// # Errors
    /// [`ArrivalError::Occupied`] and [`ArrivalError::Target`].
    pub async fn is_at(&self, target: &Path) -> Result<bool, ArrivalError> {
        let (Some(size), Some(recorded)) = (replaced(target)?, self.sha256) else { return Ok(false) };
        if self.size.is_some_and(|recorded| recorded != size) {
            return Ok(false);
        }
        // The same bytes that cannot be started are not what was recorded.
        if cfg!(unix) && self.mode.is_some() && !files::is_program(target) {
            return Ok(false);
        }
        // A target that cannot be read can still be replaced.
        Ok(files::digest_of_file(target.to_owned()).await.is_ok_and(|digest| digest == recorded))
    }

    /// Receives the bytes under a temporary name beside the target, verifies them, and gives them the target's name; without a target
    /// they go to standard output. What an earlier run had of them is gone on with.
    ///
    /// # Errors
    /// [`ArrivalError`]; then nothing has the target's name that had not before.
    pub async fn receive(&self, target: Option<&Path>) -> Result<Arrived, ArrivalError> {
        let is_large = self.size.is_some_and(|size| size >= files::WORTH);
        let _turn = if is_large { files::turn().await } else { None };
        if let Some(begun) = Draft::taken_up(self, target).await {
            match self.fill(target, Some(begun)).await {
                // Perhaps what was there was wrong, and not what came.
                Err(error) if error.is_of_bytes() => {}
                ended => return ended,
            }
        }
        self.fill(target, None).await
    }

    /// Returns what is to last of an object under way, where it is one with which a further run can go on: its target, its digest and its
    /// size.
    fn lasting<'t>(&self, target: Option<&'t Path>) -> Option<(&'t Path, Digest, u64)> {
        let size = self.size.filter(|size| *size >= files::WORTH)?;
        Some((target?, self.sha256?, size))
    }

    /// Receives the bytes that are not there yet.
    async fn fill(&self, target: Option<&Path>, begun: Option<Begun<'_>>) -> Result<Arrived, ArrivalError> {
        let at = begun.as_ref().map_or(0, |begun| begun.size);
        // Who says how many bytes are wanted gets them in parts.
        let range = self.size.filter(|size| *size >= files::WORTH).map(|size| at..size);
        let opened = self.store.open(&self.key, range).await.map_err(|source| self.failed(source))?;
        let Some((object, body)) = opened else {
            begun.into_iter().for_each(|mut begun| begun.draft.is_worthless());
            return Err(ArrivalError::Gone { what: self.what.clone() });
        };
        let place = target.map_or_else(files::temporary_directory, Path::to_owned);
        let failed = |source| ArrivalError::Target { path: place.clone(), source };
        let (mut draft, hasher) = match begun {
            Some(begun) => (begun.draft, begun.hasher),
            None => {
                let mode = self.mode.or(object.attributes.mode);
                (Draft::new(self, target, mode).map_err(failed)?, Hasher::default())
            }
        };
        let received = match draft.writer() {
            Ok(to) => self.pour(&object, body, Intake::after(to, hasher, at)).await,
            Err(source) => Err(ReceiveError::Io(source)),
        };
        let verified = received.map_err(|error| match error {
            ReceiveError::Store(source) => self.failed(source),
            ReceiveError::Io(source) => failed(source),
        });
        let verified = verified.and_then(|(size, sha256)| self.verify(&object, size, sha256));
        let arrived = match verified {
            Ok(arrived) => arrived,
            Err(error) => {
                if !error.is_of_store() {
                    draft.is_worthless();
                }
                return Err(error);
            }
        };
        let kept = draft.keep().await;
        kept.map_err(|source| if target.is_some() { failed(source) } else { ArrivalError::Output(source) })?;
        Ok(arrived)
    }

    /// Receives the bytes that follow, and has the first ones brought to disk meanwhile; returns how many there are then, and their digest.
    async fn pour(&self, object: &Object, body: Body, intake: Intake<Settling>) -> Result<(u64, Digest), ReceiveError> {
        let (transfer, at) = (Transfer::Download, intake.size());
        if at > 0 {
            self.observer.observe(&Event::Resumed { what: self.what.clone(), at, size: object.size });
        }
        self.observer.observe(&Event::Started { transfer, size: object.size.saturating_sub(at) });
        let progress = transfer::told(self.observer, transfer);
        let received = transfer::receive_file(self.store.url(&self.key), body, intake, progress).await;
        self.observer.observe(&Event::Finished { transfer });
        let (mut to, size, sha256) = received?.finish();
        files::blocking(move || to.settle()).await?;
        Ok((size, sha256))
    }

    /// Holds what came against what is recorded.
    fn verify(&self, object: &Object, size: u64, sha256: Digest) -> Result<Arrived, ArrivalError> {
        let bytes = |size: u64| format!("{size} bytes");
        let expected = self.size.unwrap_or(object.size);
        // A store that was asked for so many gives no more.
        let found = if object.size == expected { size } else { object.size };
        self.hold(found == expected, bytes(found), || bytes(expected))?;
        let digest = |digest: Digest| format!("the SHA-256 {digest}");
        let expected = self.sha256.or(object.attributes.sha256);
        self.hold(expected.is_none_or(|expected| expected == sha256), digest(sha256), || {
            expected.map(digest).unwrap_or_default()
        })?;
        Ok(Arrived { size, sha256, verified: expected.is_some() })
    }

    fn failed(&self, source: StoreError) -> ArrivalError {
        ArrivalError::Store { what: self.what.clone(), source }
    }

    fn hold(&self, holds: bool, found: String, expected: impl FnOnce() -> String) -> Result<(), ArrivalError> {
        if holds {
            return Ok(());
        }
        Err(ArrivalError::Mismatch { what: self.what.clone(), found, expected: expected() })
    }
}
