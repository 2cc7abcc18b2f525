//! Where releases stand: each under a name and a version, staged once and for ever.

pub mod startifact;
pub mod store;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::artifact::NameError;
use crate::files::Measured;
use crate::organisation::OrganisationError;
use crate::parameters::ParameterError;
use crate::parameters::name::ParameterNameError;
use crate::race::TimeIsUp;
use crate::release::{LARGEST, Release, ReleaseError};
use crate::store::{Key, Store, StoreError};
use crate::transfer::ReceiveError;
use crate::version::{ReleaseName, Version};

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

/// Says why a shelf did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Nothing is staged under this name.
    #[error("nothing is staged as {name} in {place}")]
    Nothing {
        /// The name.
        name: ReleaseName,
        /// Where it was looked for.
        place: String,
    },
    /// It is recorded, and its bytes are gone from where a build put them.
    #[error("{name} {version} is staged, and its bytes are gone from {url}")]
    Gone {
        /// The name.
        name: ReleaseName,
        /// The version.
        version: Version,
        /// Where they were.
        url: String,
    },
    /// Nothing says what is the latest.
    #[error("no parameter {parameter} says what is the latest {name} in {place}")]
    NoLatest {
        /// The name.
        name: ReleaseName,
        /// The parameter that would.
        parameter: String,
        /// Where it was looked for.
        place: String,
    },
    /// Only pre-releases are.
    #[error("only pre-releases are staged as {name} in {place}, up to {highest}")]
    OnlyPre {
        /// The name.
        name: ReleaseName,
        /// Where it was looked for.
        place: String,
        /// The highest of them.
        highest: Version,
    },
    /// This version is not staged.
    #[error("{name} {version} is not staged in {place}")]
    Missing {
        /// The name.
        name: ReleaseName,
        /// The version.
        version: Version,
        /// Where it was looked for.
        place: String,
    },
    /// Nobody can say whether this version is staged to whoever may not list what is.
    #[error("{name} {version} is not staged in {place}, as far as can be seen")]
    Hidden {
        /// The name.
        name: ReleaseName,
        /// The version.
        version: Version,
        /// Where it was looked for.
        place: String,
        /// What the store says.
        source: Box<StoreError>,
    },
    /// What was set as latest is a pre-release, which no release of ours ever is.
    #[error("{what} says {version}, which is a pre-release")]
    LatestIsPre {
        /// What says it.
        what: String,
        /// What it says.
        version: Version,
    },
    /// The version is staged with other build metadata, which makes it no other version.
    #[error("{name} {version} is staged as {stands} in {place}: build metadata makes no other version")]
    OtherBuild {
        /// The name.
        name: ReleaseName,
        /// The version that was asked for, or that was to be staged.
        version: Version,
        /// The version as it stands.
        stands: Box<Version>,
        /// Where.
        place: String,
        /// Whether one was to be staged.
        staging: bool,
    },
    /// The version was staged with other build metadata at the same moment, so that both stand.
    #[error("{name} {version} was staged in {place} at the same moment as {stands}, and both stand")]
    BothStand {
        /// The name.
        name: ReleaseName,
        /// The version that was staged.
        version: Version,
        /// The version that was staged by someone else.
        stands: Box<Version>,
        /// Where.
        place: String,
    },
    /// Another release stands under this version. It stays.
    #[error("{name} {version} stands in {place} already, and is another: {difference}")]
    Conflict {
        /// The name.
        name: ReleaseName,
        /// The version.
        version: Version,
        /// Where.
        place: String,
        /// In what they differ.
        difference: String,
    },
    /// The name cannot be kept on this shelf.
    #[error("{name} cannot be the name of releases in {place}")]
    Name {
        /// The name.
        name: ReleaseName,
        /// Where.
        place: String,
        /// Why.
        source: NameError,
    },
    /// What is recorded of a release is not what a record is.
    #[error("{url} is malformed")]
    Malformed {
        /// Where it lies.
        url: String,
        /// What is wrong with it.
        source: ReleaseError,
    },
    /// There is no configuration of an organisation.
    #[error("no parameter {parameter} with the organisation's configuration in {places}")]
    NoConfiguration {
        /// The parameter's name.
        parameter: String,
        /// Where it was looked for.
        places: String,
    },
    /// The configuration of the organisation is none.
    #[error("the configuration in the parameter {parameter} in {place} is of no use")]
    Configuration {
        /// The parameter's name.
        parameter: String,
        /// Where it is.
        place: String,
        /// What is wrong with it.
        source: OrganisationError,
    },
    /// The parameter is not there that holds the bucket's name.
    #[error("no parameter {parameter} with the bucket's name in {place}")]
    NoBucket {
        /// The parameter's name.
        parameter: String,
        /// Where it was looked for.
        place: String,
    },
    /// What is to be recorded is more than a record holds.
    #[error("the record would have {0} bytes, a record has at most {LARGEST}")]
    TooLarge(u64),
    /// Parameter Store takes no parameter of the name that would say what is latest.
    #[error("{parameter} cannot be the parameter that says what is latest of {name}")]
    LatestParameter {
        /// The name.
        name: ReleaseName,
        /// The parameter's name.
        parameter: String,
        /// Why.
        source: ParameterNameError,
    },
    /// A key of metadata is one that says something of its own.
    #[error("the metadata key {0} is not free to use")]
    Reserved(String),
    /// Some regions do not have the release, for one reason or another.
    #[error("{name} {version} is staged in {} of {} regions", staged.len(), staged.len() + failed.len())]
    Partly {
        /// The name.
        name: ReleaseName,
        /// The version.
        version: Version,
        /// Where it is staged.
        staged: Vec<String>,
        /// Where it is not, and why.
        failed: Vec<(String, ShelfError)>,
    },
    /// A parameter or an object says what it cannot say.
    #[error("{what} is {value}: {problem}")]
    Value {
        /// What says it.
        what: String,
        /// What it says.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Bytes that stand there could not be compared with those to be staged.
    #[error("{name} {version} stands there already and could not be compared")]
    Compare {
        /// The name.
        name: ReleaseName,
        /// The version.
        version: Version,
        /// Why.
        source: Box<ReceiveError>,
    },
    /// Bytes that go from one store to another by this machine could not be kept here.
    #[error("{what} could not be kept in a local file on its way")]
    Local {
        /// The object.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A region does not answer, so that nobody can say whether something is there.
    #[error("{region} does not answer")]
    Away {
        /// The region.
        region: String,
        /// Why.
        source: Box<ShelfError>,
    },
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Parameter Store does not do what it was asked.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// Other stagers were first, each time, until the time was up.
    #[error("what is latest of {name} was set by others {races} times in {} s", waited.as_secs())]
    Raced {
        /// The name.
        name: ReleaseName,
        /// How often it was tried.
        races: usize,
        /// For how long.
        waited: std::time::Duration,
    },
}

impl ShelfError {
    /// Says whether what was asked is at odds with what stands, so that nothing of it is to be done anywhere.
    #[must_use]
    pub fn is_at_odds(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::OtherBuild { .. } | Self::BothStand { .. })
    }

    /// Makes the error of a race that was lost too often.
    #[must_use]
    pub fn raced(name: &ReleaseName, up: TimeIsUp) -> Self {
        Self::Raced { name: name.clone(), races: up.races, waited: up.waited }
    }
}
