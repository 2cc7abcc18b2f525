//! Skip links: the ids of a few farther ancestors, by which history is known far ahead of where one reads.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::address::Commit;

/// How many ancestors in a row a metafile names. To know all of a stretch, the metafile of every so-manieth ancestor is enough.
pub const STRIDE: usize = 8;

/// The farthest ancestor that a metafile names.
pub const FARTHEST: usize = 64;

/// How far the ancestors are away that a metafile names: those of one stride, the parent apart, and then some whose metafiles can be read at
/// the same time as that of the last of them.
const DISTANCES: [usize; 10] = [2, 3, 4, 5, 6, 7, STRIDE, 16, 32, FARTHEST];

/// Holds the first-parent ancestors of one commit that its metafile names, by how many steps away each of them is. The parent is not among
/// them: a metafile names it by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkipLinks(BTreeMap<usize, Commit>);

impl SkipLinks {
    /// Chooses from the ancestors of a commit, its parent first, those that its metafile names.
    #[must_use]
    pub fn of(ancestors: &[Commit]) -> Self {
        let at = |&distance: &usize| Some((distance, *ancestors.get(distance - 1)?));
        Self(DISTANCES.iter().filter_map(at).collect())
    }

    /// Takes links as they were read, of whatever distances.
    #[must_use]
    pub fn told(links: BTreeMap<usize, Commit>) -> Self {
        Self(links)
    }

    /// Adds what is known better.
    pub fn learn(&mut self, better: Self) {
        self.0.extend(better.0);
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns each link: how many steps it leads, and to whom.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Commit)> {
        self.0.iter().map(|(distance, commit)| (*distance, *commit))
    }
}

impl Serialize for SkipLinks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (distance, commit) in &self.0 {
            map.serialize_entry(&distance.to_string(), &commit.to_string())?;
        }
        map.end()
    }
}
