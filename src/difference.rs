//! The difference between two commits: the artifacts that are not the same bytes, as their metafiles tell.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::address::Commit;
use crate::artifact::{Digest, Name};
use crate::metafile::Metafile;
use crate::store::{Key, StoreError};
use crate::world::World;

/// Says in what two commits differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The artifacts that differ.
    pub changes: BTreeMap<Name, Change>,
    /// How many artifacts both have, at the same address or with the same digest.
    pub same: usize,
    /// How many of those were built by different commits: their digests are equal.
    pub rebuilt: usize,
}

/// Says how an artifact differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only the second commit has it.
    Added(Side),
    /// Only the first commit has it.
    Removed(Side),
    /// They have different ones or, where a digest is not known, ones of different addresses.
    Changed(Side, Side),
}

/// Holds what is known of an artifact that one of the two commits has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The commit that built it.
    pub commit: Commit,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// The SHA-256 of its bytes.
    pub sha256: Option<Digest>,
    /// Whether it was looked for at its address and is not there.
    pub gone: bool,
}

impl Change {
    /// Returns the word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Added(_) => "added",
            Self::Removed(_) => "removed",
            Self::Changed(..) => "changed",
        }
    }

    /// Returns what the first commit has.
    #[must_use]
    pub fn from(&self) -> Option<&Side> {
        match self {
            Self::Added(_) => None,
            Self::Removed(from) | Self::Changed(from, _) => Some(from),
        }
    }

    /// Returns what the second commit has.
    #[must_use]
    pub fn to(&self) -> Option<&Side> {
        match self {
            Self::Removed(_) => None,
            Self::Added(to) | Self::Changed(_, to) => Some(to),
        }
    }

    /// Returns by how many bytes it is larger on the second side; none where a size is not known.
    #[must_use]
    pub fn growth(&self) -> Option<i128> {
        let size = |side: Option<&Side>| side.map_or(Some(0), |side| side.size.map(i128::from));
        Some(size(self.to())? - size(self.from())?)
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        self.from().into_iter().chain(self.to())
    }

    fn sides_mut(&mut self) -> Vec<&mut Side> {
        match self {
            Self::Added(side) | Self::Removed(side) => vec![side],
            Self::Changed(from, to) => vec![from, to],
        }
    }

    /// Says whether both sides are known to be the same bytes.
    fn is_none(&self) -> bool {
        match self {
            Self::Added(_) | Self::Removed(_) => false,
            Self::Changed(from, to) => from.sha256.is_some() && from.sha256 == to.sha256,
        }
    }

    /// Says whether the objects must be looked at to tell whether, and by how much, it differs.
    fn is_open(&self) -> bool {
        let sizes = self.sides().all(|side| side.size.is_some());
        match self {
            Self::Added(_) | Self::Removed(_) => !sizes,
            Self::Changed(from, to) => {
                let digests = from.sha256.is_some() && to.sha256.is_some();
                let tell = if digests { from.sha256 == to.sha256 || sizes } else { sizes && from.size != to.size };
                !tell
            }
        }
    }
}

impl Side {
    fn of(metafile: &Metafile, name: &Name) -> Option<Self> {
        let commit = *metafile.artifacts.get(name)?;
        let record = metafile.record(name, commit);
        let (size, sha256) = record.map_or((None, None), |record| (record.size, record.sha256));
        Some(Self { commit, size, sha256, gone: false })
    }
}

/// Compares what two metafiles name. Objects are looked at only where the metafiles do not tell enough of them.
///
/// # Errors
/// The store's.
pub async fn compare(world: World<'_>, a: &Metafile, b: &Metafile) -> Result<Difference, StoreError> {
    let names: BTreeSet<&Name> = a.artifacts.keys().chain(b.artifacts.keys()).collect();
    let (mut changes, mut same) = (BTreeMap::new(), 0);
    for name in names {
        let change = match (Side::of(a, name), Side::of(b, name)) {
            (None, None) => continue,
            (None, Some(to)) => Change::Added(to),
            (Some(from), None) => Change::Removed(from),
            (Some(from), Some(to)) if from.commit == to.commit => {
                same += 1;
                continue;
            }
            (Some(from), Some(to)) => Change::Changed(from, to),
        };
        changes.insert(name.clone(), change);
    }
    look(world, &mut changes).await?;
    let before = changes.len();
    changes.retain(|_, change| !change.is_none());
    let rebuilt = before - changes.len();
    Ok(Difference { changes, same: same + rebuilt, rebuilt })
}

/// Looks at the objects of which the metafiles do not tell enough.
async fn look(world: World<'_>, changes: &mut BTreeMap<Name, Change>) -> Result<(), StoreError> {
    let lacks = |side: &&mut Side| side.size.is_none() || side.sha256.is_none();
    let open = changes.iter_mut().filter(|(_, change)| change.is_open());
    let sides = open.flat_map(|(name, change)| {
        change.sides_mut().into_iter().filter(lacks).map(|side| (name.clone(), side)).collect::<Vec<_>>()
    });
    let head = |(name, side): (Name, _)| async move {
        let side: &mut Side = side;
        match world.store.head(&Key::Artifact(side.commit, name)).await? {
            None => side.gone = true,
            Some(object) => {
                // What has another size than the metafile says is a record of other bytes.
                let recorded = side.sha256.filter(|_| side.size.is_none_or(|size| size == object.size));
                side.size = Some(object.size);
                side.sha256 = object.attributes.sha256.or(recorded);
            }
        }
        Ok::<(), StoreError>(())
    };
    stream::iter(sides).map(head).buffered(world.limits.jobs).try_collect().await
}
