//! Where releases stand: each under a name and a version, staged once and for ever.

mod error;
pub mod startifact;
pub mod store;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::artifact::Digest;
use crate::files::Measured;
use crate::putting::Outcome;
use crate::release::Release;
use crate::store::{Key, Store};
use crate::version::{ReleaseName, Version};

pub use error::ShelfError;

/// Keeps releases. What is staged whole is found from then on, and is never another.
///
/// There are no default methods, so that a shelf that wraps another cannot forget one.
#[async_trait]
pub trait Shelf: fmt::Debug + Send + Sync {
    /// Returns what messages call it: a URL, or the name of the parameter that describes it.
    fn place(&self) -> String;

    /// Returns the versions that are staged whole, from the lowest to the highest; none where nothing was ever staged.
    async fn versions(&self, name: &ReleaseName) -> Result<Vec<Version>, ShelfError>;

    /// Returns the latest version: the highest release, or with `pre` the highest of all.
    ///
    /// # Errors
    /// [`ShelfError::Nothing`] and [`ShelfError::OnlyPre`] where there is none.
    async fn latest(&self, name: &ReleaseName, pre: bool) -> Result<Version, ShelfError>;

    /// Finds a release.
    ///
    /// # Errors
    /// [`ShelfError::Missing`] and [`ShelfError::OtherBuild`] where it is not staged.
    async fn find(&self, name: &ReleaseName, version: &Version) -> Result<Found, ShelfError>;

    /// Stages a release, or what an earlier run that was cut short has left to do. With `dry_run` nothing is written.
    ///
    /// # Errors
    /// [`ShelfError::Conflict`] and [`ShelfError::OtherBuild`] where another release stands under this version.
    async fn stage(&self, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError>;
}

/// Holds a release that was found, and where its bytes are.
#[derive(Debug, Clone)]
pub struct Found {
    /// What is recorded of it.
    pub release: Release,
    /// The store that holds the bytes.
    pub store: Arc<dyn Store>,
    /// Their key there.
    pub key: Key,
}

/// Holds what is to be staged.
#[derive(Debug, Clone)]
pub struct Staging {
    /// What is to be recorded of it.
    pub release: Release,
    /// Whether somebody asked for the file name that the record has. One that nobody asked for, since it is only what the file happened to
    /// be called, makes no other release where another name stands or none.
    pub named: bool,
    /// Where its bytes are.
    pub content: Content,
}

/// Says what a release's bytes are staged from.
#[derive(Debug, Clone)]
pub enum Content {
    /// From a local file.
    File {
        /// The file.
        path: PathBuf,
        /// What it was when it was hashed.
        measured: Measured,
    },
    /// From an object of a store, which a build published: it is named or copied there, and read here only where no service copies it.
    Object {
        /// The store.
        store: Arc<dyn Store>,
        /// The object's key.
        key: Key,
    },
}

/// Says what staging came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The release as it is recorded now; with a dry run, as it is or would be.
    pub release: Release,
    /// Whether it was staged whole already, so that nothing was written.
    pub present: bool,
    /// How many bytes were sent.
    pub bytes_sent: u64,
    /// Where the bytes are.
    pub url: String,
    /// What is the latest version now, where it is known.
    pub latest: Option<Version>,
}

/// What is said of what a stage left that was cut short.
const LEFT: &str = "a stage of those began and never ended: run it again, or stage this under another version";

/// Says what became of a release's bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    /// Whether they were put, or would be.
    put: bool,
    /// How many of them were sent.
    bytes: u64,
}

impl Sent {
    /// Takes what became of a file of so many bytes.
    ///
    /// # Errors
    /// The digest of other bytes that stand there.
    fn of(outcome: Outcome, size: u64) -> Result<Self, Digest> {
        match outcome {
            Outcome::Uploaded => Ok(Self { put: true, bytes: size }),
            Outcome::Copied { .. } => Ok(Self { put: true, bytes: 0 }),
            Outcome::Present { sent, .. } => Ok(Self { put: false, bytes: if sent { size } else { 0 } }),
            Outcome::Conflict { stands } => Err(stands),
        }
    }
}
