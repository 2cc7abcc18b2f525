//! What releases are called: a name, and a version that says which of two is the later.

use std::fmt;
use std::str::FromStr;

/// The longest name of a release, in characters.
pub const LONGEST_NAME: usize = 200;

/// The longest version, in characters: it has to be the name of a directory.
pub const LONGEST_VERSION: usize = 200;

/// Holds the name that releases of one thing share: 1 to 200 characters of `A-Z a-z 0-9 _ . -`, which is what Startifact takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseName(String);

/// Says why a text is not the name of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseNameError {
    /// The text is empty.
    #[error("a release's name has at least one character")]
    Empty,
    /// The text is longer than [`LONGEST_NAME`].
    #[error("a release's name has at most {LONGEST_NAME} characters, this has {0}")]
    Long(usize),
    /// The text has a character that no name has.
    #[error("a release's name has only A-Z a-z 0-9 _ . -, this has '{}'", .0.escape_default())]
    Character(char),
}

impl ReleaseName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReleaseName {
    type Err = ReleaseNameError;

    fn from_str(text: &str) -> Result<Self, ReleaseNameError> {
        if text.is_empty() {
            return Err(ReleaseNameError::Empty);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if let Some(odd) = text.chars().find(|&c| !allowed(c)) {
            return Err(ReleaseNameError::Character(odd));
        }
        if text.len() > LONGEST_NAME {
            return Err(ReleaseNameError::Long(text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Holds a version as Semantic Versioning 2.0.0 defines it. Versions are ordered by precedence; those that differ in build metadata alone,
/// which are the same version, by that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(semver::Version);

/// Says why a text is not a version.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The text is a version but for the letter before it.
    #[error("a version has no letter before it: {0} is one")]
    Prefixed(Version),
    /// The text is longer than [`LONGEST_VERSION`].
    #[error("a version has at most {LONGEST_VERSION} characters, this has {0}")]
    Long(usize),
    /// The text breaks the grammar.
    #[error("a version has three numbers, as 1.0.0, 1.0.0-rc.1 or 1.0.0+build.5: {0}")]
    Malformed(semver::Error),
}

impl Version {
    /// Says whether it is a release and not a pre-release, such as `1.0.0-rc.1`.
    #[must_use]
    pub fn is_release(&self) -> bool {
        self.0.pre.is_empty()
    }

    /// Returns the version without its build metadata: what `1.0.0+a` and `1.0.0+b` have in common.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self(semver::Version { build: semver::BuildMetadata::EMPTY, ..self.0.clone() })
    }

    /// Says whether two are the same version: they may differ in build metadata.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.cmp_precedence(&other.0).is_eq()
    }

    /// Says whether there is build metadata.
    #[must_use]
    pub fn has_build(&self) -> bool {
        !self.0.build.is_empty()
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > LONGEST_VERSION {
            return Err(VersionError::Long(text.len()));
        }
        let parse = |text: &str| semver::Version::parse(text).map(Self);
        parse(text).map_err(|error| match text.strip_prefix(['v', 'V']).and_then(|rest| parse(rest).ok()) {
            Some(version) => VersionError::Prefixed(version),
            None => VersionError::Malformed(error),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// Returns the latest of some versions: the highest release by precedence, whenever it was staged; pre-releases count only where they are
/// asked for.
pub fn latest<'v>(versions: impl IntoIterator<Item = &'v Version>, pre: bool) -> Option<&'v Version> {
    versions.into_iter().filter(|version| pre || version.is_release()).max()
}
