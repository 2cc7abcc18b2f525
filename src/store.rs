//! What the protocol needs from a place that keeps objects.

pub mod directory;
mod edition;
mod key;
pub mod memory;
mod presigned;
pub mod s3;
mod source;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::address::Commit;
use crate::artifact::{Digest, Mode};
use crate::metalogic::Listing;
use crate::reason::Service;
use key::is_near;

pub use crate::reason::{Denial, Outage, Setting};
pub use edition::is_same;
pub use key::{DATA, Key, Prefix, RECORD};
pub use presigned::{Ending, Presigned, Validity, ValidityError};

/// Keeps objects under keys. A listing shows every object whose put was answered before.
///
/// There are no default methods, so that a store that wraps another cannot forget one.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Returns the URL of the object under a key, whether it exists or not: what a person can give to other tools.
    fn url(&self, key: &Key) -> String;

    /// Returns the store's own URL, without a slash at its end.
    fn root(&self) -> String;

    /// Lists a commit's address. An address where nothing was ever put is empty.
    async fn list(&self, commit: Commit) -> Result<Listing, StoreError>;

    /// Returns what follows a prefix in the keys that begin with it, sorted.
    ///
    /// What has a segment that begins with a full stop is not among it, nor is what lies more than two segments below.
    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError>;

    /// Returns a small object whole, with the tag of this version of it; none where there is no object.
    ///
    /// An object of more than `largest` bytes is refused with [`StoreError::TooLarge`].
    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError>;

    /// Does as [`Store::get`] does, unless the object is still the version with this tag: whoever asks again and again moves no bytes for
    /// nothing. One that has not changed is not refused for its size.
    async fn get_changed(&self, key: &Key, largest: u64, than: &Tag) -> Result<Changed, StoreError>;

    /// Opens an object of any size for reading the bytes of `range` (to its end, where `range` is none).
    ///
    /// A range that reaches beyond the object's end is cut there.
    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError>;

    /// Returns what is known of an object without reading its bytes.
    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError>;

    /// Puts an object whole or not at all, and returns what was put.
    ///
    /// Where the condition does not hold, nothing changes and the answer is [`StoreError::Precondition`]. A digest that is found on the way
    /// is recorded among the attributes where it is known in time.
    async fn put(
        &self,
        key: &Key,
        content: Content,
        attributes: Attributes,
        condition: &Condition,
    ) -> Result<Put, StoreError>;

    /// Copies an object inside the store under a key that must not exist yet ([`StoreError::Precondition`]), without
    /// moving its bytes through this process. The copy keeps the attributes.
    ///
    /// Where it is said what the object is, nothing else is copied ([`StoreError::NotFound`]): it must have this size and mode, and the
    /// digest. Where no writer recorded one, a store that has the bytes at hand hashes them; one that has not refuses what its own writers
    /// record the digest of.
    async fn copy(&self, from: &Key, to: &Key, original: Option<&Object>) -> Result<(), StoreError>;

    /// Names an object as it is now to other stores of the same service, so that one of them can copy it; none where no other store can,
    /// or where there is no object.
    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError>;

    /// Copies an object of another store under a key that must not exist yet ([`StoreError::Precondition`]), without moving its bytes
    /// through this process, with these attributes. Answers whether it could: where not, nothing was done.
    async fn copy_from(&self, source: &Source, to: &Key, attributes: Attributes) -> Result<bool, StoreError>;

    /// Deletes an object. To delete what does not exist is success.
    async fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// Returns a URL by which anybody reads an object without credentials for so long; none where the store needs no such URL.
    ///
    /// Nothing is asked of the store for that: of an object that is not there it makes a URL of nothing. Where a bucket lies may be known
    /// only once something was asked, so whoever wants the URL has looked at the object before.
    async fn presigned(&self, key: &Key, validity: Validity) -> Result<Option<Presigned>, StoreError>;

    /// Is told that so many requests will come at once before long. A store that is far away opens connections meanwhile; this waits for
    /// nothing, and nothing may come of it.
    fn expect(&self, requests: usize);

    /// Says which conditions of a put the store keeps. Where nobody vouches for them they are tried, on an object that is there for
    /// nothing else.
    async fn guarantees(&self) -> Result<Guarantees, StoreError>;
}

/// Says which conditions of a put a store keeps: without them writers destroy what others wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantees {
    /// Whether [`Condition::Absent`] is kept.
    pub create_only: bool,
    /// Whether [`Condition::Matches`] is kept.
    pub compare_and_swap: bool,
}

impl Guarantees {
    /// What the protocol needs.
    pub const ALL: Self = Self { create_only: true, compare_and_swap: true };
}

/// Holds the opaque tag of one version of an object: it is compared and never computed by a caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(pub String);

/// Says what became of an object since a caller read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It is the version that the caller knows.
    Unchanged,
    /// There is none.
    Gone,
    /// It is another version: its bytes, and its tag.
    Here(Bytes, Tag),
}

impl Changed {
    /// Holds what a store gives against the version that a caller knows, where to read the object costs little.
    fn of(got: Result<Option<(Bytes, Tag)>, StoreError>, than: &Tag) -> Result<Self, StoreError> {
        match got {
            Ok(Some((_, tag))) | Err(StoreError::TooLarge { tag, .. }) if tag == *than => Ok(Self::Unchanged),
            Ok(Some((bytes, tag))) => Ok(Self::Here(bytes, tag)),
            Ok(None) => Ok(Self::Gone),
            Err(error) => Err(error),
        }
    }
}

/// Says what was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The tag of this version of the object.
    pub tag: Tag,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
}

/// Says what must hold for a put to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    None,
    /// There is no object under the key.
    Absent,
    /// The object under the key is the version with this tag.
    Matches(Tag),
}

/// Holds what a store records beside an object's bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The SHA-256 that a writer of this store recorded.
    pub sha256: Option<Digest>,
    /// The permission bits, where the object is an executable file.
    pub mode: Option<Mode>,
}

/// Describes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Its size in bytes: of the whole, whatever range was asked for.
    pub size: u64,
    /// What is recorded beside its bytes.
    pub attributes: Attributes,
}

impl Object {
    /// Returns the object with this digest, whatever is recorded.
    #[must_use]
    pub fn known_as(self, sha256: Digest) -> Self {
        Self { attributes: Attributes { sha256: Some(sha256), ..self.attributes }, ..self }
    }
}

/// Names one version of an object to other stores of the service that keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The service's URL; none for the one that the settings of the AWS tools mean.
    pub service: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The object's whole key there.
    pub object: String,
    /// What is known of it.
    pub known: Object,
    /// The tag of this version of it.
    pub tag: Tag,
}

/// Holds what a put sends.
#[derive(Debug, Clone)]
pub enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// A local file's bytes.
    File(Upload),
}

/// Describes the local file that a put sends. It is never held in memory whole.
#[derive(Clone)]
pub struct Upload {
    /// The file.
    pub path: PathBuf,
    /// The size in bytes that it had when it was looked at. It must have it still, or nothing is put: [`StoreError::SourceChanged`].
    pub size: u64,
    /// The digest that what is sent must have. Where none is known, it is found on the way, and the file must be the same file, of the same
    /// size and time of change, before it is read and after.
    pub sha256: Option<Digest>,
    /// Takes the digest when the file was read whole, whatever the store says then.
    pub found: Found,
    /// Is told of each stretch of bytes that was sent.
    pub progress: Progress,
}

/// Takes a digest that is found on the way.
pub type Found = Arc<OnceLock<Digest>>;

/// Is told how many more bytes have moved.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("path", &self.path).field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

/// Holds the bytes of an open object, or of the range of it that was asked for.
pub enum Body {
    /// They follow in a local file from where it stands, so many of them.
    File(std::fs::File, u64),
    /// They come in pieces.
    Stream(BoxStream<'static, Result<Bytes, StoreError>>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, bytes) => f.debug_tuple("File").field(file).field(bytes).finish(),
            Self::Stream(_) => f.debug_tuple("Stream").finish_non_exhaustive(),
        }
    }
}

/// Says why a store did not do what was asked; each variant is something else that a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What was to be copied is not there.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The condition of a put did not hold: somebody else was first.
    #[error("{key} is not in the state that the write expected")]
    Precondition {
        /// The object's key.
        key: String,
    },
    /// The store refuses this to whoever asks.
    #[error("{}", denial.of(key, Service::Store))]
    AccessDenied {
        /// The object's key, or the address.
        key: String,
        /// Why it does.
        denial: Denial,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store cannot be asked before something is set otherwise.
    #[error("{}", setting.of(store, Service::Store))]
    Configuration {
        /// The store's URL.
        store: String,
        /// What is wrong.
        setting: Setting,
        /// What was asked, and what it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store does not answer, or answers that it cannot, after all retries.
    #[error("{}", outage.of(key, Service::Store))]
    Unavailable {
        /// The object's key, or the address.
        key: String,
        /// Why it does not.
        outage: Outage,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store gave other bytes than it said it would.
    #[error("{key} is corrupt: {problem}")]
    Corrupt {
        /// The object's key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// An object that is read whole is larger than any of its kind.
    #[error("{key} has {size} bytes, more than the {largest} that are read")]
    TooLarge {
        /// The object's key.
        key: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        largest: u64,
        /// The tag of this version of it, so that it can be replaced.
        tag: Tag,
    },
    /// The local file that was to be sent cannot be read.
    #[error("{} cannot be read", path.display())]
    Source {
        /// The local file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The local file that was to be sent is no longer what it was when it was hashed.
    #[error("{} changed while it was being published", path.display())]
    SourceChanged {
        /// The local file.
        path: PathBuf,
    },
    /// Something else, which trying again will not mend.
    #[error("{key} failed")]
    Other {
        /// The object's key, or the address.
        key: String,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Returns what the system said of an object in a local file as what a caller can do about it.
    #[must_use]
    pub fn of_system(key: String, error: std::io::Error) -> Self {
        use std::io::ErrorKind as System;
        if matches!(error.kind(), System::PermissionDenied | System::ReadOnlyFilesystem) {
            return Self::AccessDenied { key, denial: Denial::Plain, source: error.into() };
        }
        if let Some(setting) = Setting::of_system(&error) {
            return Self::Configuration { store: key, setting, source: error.into() };
        }
        match Outage::of_system(&error) {
            Some(outage) => Self::Unavailable { key, outage, source: error.into() },
            None => Self::Other { key, source: error.into() },
        }
    }
}
