//! Where things lie in a store: the one place that puts a key together.

use std::fmt;

use crate::address::Commit;
use crate::artifact::{METAFILE, Name};
use crate::location::FileName;
use crate::organisation::KeyPrefix;
use crate::registry::REGISTRY_FILE;
use crate::version::ReleaseName;
use crate::version::Version;

/// The name of the object that holds a release's bytes.
pub const DATA: &str = "data";

/// The name of the object that holds what is recorded of a release.
pub const RECORD: &str = "record.json";

/// Names an object of a store by its typed parts. Its text, as [`fmt::Display`] gives it, is the key below the store's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An artifact: `builds/<commit>/<artifact>`.
    Artifact(Commit, Name),
    /// A metafile: `builds/<commit>/build_meta.json`.
    Metafile(Commit),
    /// A registry that a team keeps in a store, at its root: `artifacts.toml`, unless somebody says otherwise.
    Registry(FileName),
    /// A release's bytes: `versions/<name>/<version>/data`.
    Data(Name, Version),
    /// What is recorded of a release: `versions/<name>/<version>/record.json`. Build metadata is no part of either key.
    Record(Name, Version),
    /// An artifact of Startifact's: `<prefix><name>@<version>`.
    Staged(KeyPrefix, ReleaseName, Version),
    /// What Startifact records of one: `<prefix><name>@<version>/metadata`.
    Metadata(KeyPrefix, ReleaseName, Version),
    /// The object with which it is tried whether the store keeps conditions: `builds/.conditions`.
    Conditions,
}

impl Key {
    /// Returns the key of the registry that is found without being named.
    #[must_use]
    pub fn registry() -> Self {
        Self::Registry(REGISTRY_FILE.parse().expect("because the registry's own name is a file's name"))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact(commit, name) => write!(f, "{}{name}", commit.address()),
            Self::Metafile(commit) => write!(f, "{}{METAFILE}", commit.address()),
            Self::Registry(file) => write!(f, "{file}"),
            Self::Data(name, version) => write!(f, "versions/{name}/{}/{DATA}", version.bare()),
            Self::Record(name, version) => write!(f, "versions/{name}/{}/{RECORD}", version.bare()),
            Self::Staged(prefix, name, version) => write!(f, "{prefix}{name}@{version}"),
            Self::Metadata(prefix, name, version) => write!(f, "{prefix}{name}@{version}/metadata"),
            Self::Conditions => f.write_str("builds/.conditions"),
        }
    }
}

/// Names what the keys of several objects begin with, by its typed parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// The releases of a name: `versions/<name>/`.
    Releases(Name),
    /// The artifacts of Startifact's that have a name: `<prefix><name>@`.
    Staged(KeyPrefix, ReleaseName),
    /// Those of them that are one version, whatever their build metadata, and some that are not: `<prefix><name>@<version>`.
    StagedAs(KeyPrefix, ReleaseName, Version),
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Releases(name) => write!(f, "versions/{name}/"),
            Self::Staged(prefix, name) => write!(f, "{prefix}{name}@"),
            Self::StagedAs(prefix, name, version) => write!(f, "{prefix}{name}@{}", version.bare()),
        }
    }
}

/// Says whether what follows a prefix counts: it lies at most two segments below, and is not the program's own.
pub(super) fn is_near(rest: &str) -> bool {
    rest.split('/').count() <= 2 && !rest.split('/').any(|segment| segment.starts_with('.'))
}
