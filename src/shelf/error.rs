//! Why a shelf does not do what was asked.

use crate::artifact::NameError;
use crate::organisation::OrganisationError;
use crate::parameters::ParameterError;
use crate::parameters::name::ParameterNameError;
use crate::putting::PutError;
use crate::race::TimeIsUp;
use crate::release::{LARGEST, Release, ReleaseError};
use crate::store::StoreError;
use crate::transfer::ReceiveError;
use crate::version::{ReleaseName, Version};

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
    /// Makes the error of bytes that could not be compared with those that stand.
    pub(super) fn compare(release: &Release, source: ReceiveError) -> Self {
        let (name, version) = (release.name.clone(), release.version.clone());
        Self::Compare { name, version, source: Box::new(source) }
    }

    /// Makes the error of a file that could not be put.
    pub(super) fn put(release: &Release, error: PutError) -> Self {
        match error {
            PutError::Put(source) => source.into(),
            PutError::Compare(source) => Self::compare(release, source),
        }
    }

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
