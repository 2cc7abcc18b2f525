//! Where things lie in a store: the one place that puts a key together.

use std::fmt;

use crate::address::Commit;
use crate::artifact::{METAFILE, Name};
use crate::location::FileName;
use crate::registry::REGISTRY_FILE;

/// Names an object of a store by its typed parts. Its text, as [`fmt::Display`] gives it, is the key below the store's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An artifact: `builds/<commit>/<artifact>`.
    Artifact(Commit, Name),
    /// A metafile: `builds/<commit>/build_meta.json`.
    Metafile(Commit),
    /// A registry that a team keeps in a store, at its root: `artifacts.toml`, unless somebody says otherwise.
    Registry(FileName),
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
            Self::Conditions => f.write_str("builds/.conditions"),
        }
    }
}
