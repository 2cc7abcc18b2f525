//! Fetching: the artifacts that a metafile names, verified, to local files.
//!
//! A metafile is not trusted: its names and commits are values of types that cannot leave a directory or the store, and what it says of
//! size and digest is held against the bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures::stream::{self, StreamExt};

use crate::address::Commit;
use crate::arrival::{self, Arrival, ArrivalError, Arrived};
use crate::artifact::{Digest, Name};
use crate::event::Event;
use crate::metafile::{Metafile, Record};
use crate::store::Key;
use crate::world::World;

pub use crate::arrival::Destination;

/// Says what became of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The artifact.
    pub name: Name,
    /// The commit whose address holds it.
    pub commit: Commit,
    /// The file that has it now; none for standard output.
    pub target: Option<PathBuf>,
    /// Its size in bytes, where it is known.
    pub size: Option<u64>,
    /// The digest that its bytes have, where they were read.
    pub sha256: Option<Digest>,
    /// Whether a recorded digest confirmed the bytes.
    pub verified: bool,
    /// Whether the target had the same bytes already.
    pub present: bool,
}

/// Says why an artifact was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The metafile resolves no artifact of this name.
    #[error("{name} is not resolved at {commit}")]
    Unresolved {
        /// The artifact.
        name: Name,
        /// The commit whose metafile it is.
        commit: Commit,
    },
    /// The metafile says where the artifact is, and it is not there.
    #[error("{name} is not at the address of {commit}, where the metafile says it is")]
    Gone {
        /// The artifact.
        name: Name,
        /// The commit whose address should hold it.
        commit: Commit,
    },
    /// Two names differ only in case, so that one file could be both.
    #[error("{one} and {other} differ only in case and cannot lie in one directory")]
    CaseTwice {
        /// The first name.
        one: Name,
        /// The second name.
        other: Name,
    },
    /// The artifact did not arrive.
    #[error(transparent)]
    Arrival(#[from] ArrivalError),
}

/// Fetches the artifacts of these names, or all that the metafile resolves when there are none.
///
/// With `dry_run` nothing is read or written but the local targets' digests.
///
/// # Errors
/// One for each artifact that was not fetched. Names that are not resolved are all told before anything moves.
pub async fn fetch(
    world: World<'_>,
    metafile: &Metafile,
    names: &[Name],
    destination: &Destination,
    dry_run: bool,
) -> Result<Vec<Fetched>, Vec<FetchError>> {
    let wanted = wanted(metafile, names)?;
    if let Destination::Directory(directory) = destination {
        apart(wanted.keys())?;
        if !dry_run {
            arrival::make_directory(directory).map_err(|error| vec![error.into()])?;
        }
    }
    let fetch = |(name, commit): (Name, Commit)| {
        let record = metafile.details.get(&name).cloned().unwrap_or_default();
        async move { Fetching { world, name, commit, record }.fetch(destination, dry_run).await }
    };
    // Told in the order of names, whichever comes first.
    let mut results = stream::iter(wanted).map(fetch).buffered(world.limits.jobs);
    let mut fetched = Vec::new();
    let mut failed = Vec::new();
    while let Some(result) = results.next().await {
        match result {
            Ok(one) => {
                tell(world, &one, dry_run);
                fetched.push(one);
            }
            Err(error) => failed.push(error),
        }
    }
    if failed.is_empty() { Ok(fetched) } else { Err(failed) }
}

fn tell(world: World<'_>, fetched: &Fetched, dry_run: bool) {
    let Fetched { name, commit, target, present, .. } = fetched.clone();
    if present || !dry_run {
        world.observer.observe(&Event::Fetched { name, commit, target, present });
    }
}

fn wanted(metafile: &Metafile, names: &[Name]) -> Result<BTreeMap<Name, Commit>, Vec<FetchError>> {
    if names.is_empty() {
        return Ok(metafile.artifacts.clone());
    }
    let unresolved = |name: &&Name| !metafile.artifacts.contains_key(*name);
    let error = |name: &Name| FetchError::Unresolved { name: name.clone(), commit: metafile.commit };
    let names: BTreeSet<&Name> = names.iter().collect();
    let errors: Vec<FetchError> = names.iter().copied().filter(unresolved).map(error).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(names.into_iter().filter_map(|name| Some((name.clone(), *metafile.artifacts.get(name)?))).collect())
}

/// Refuses names that one directory cannot hold on every file system.
fn apart<'a>(names: impl Iterator<Item = &'a Name>) -> Result<(), Vec<FetchError>> {
    let mut seen: BTreeMap<String, &Name> = BTreeMap::new();
    let twice = |name: &'a Name| {
        let one = seen.insert(name.folded(), name)?;
        Some(FetchError::CaseTwice { one: one.clone(), other: name.clone() })
    };
    let errors: Vec<FetchError> = names.filter_map(twice).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Holds one artifact on its way from its address.
struct Fetching<'a> {
    world: World<'a>,
    name: Name,
    commit: Commit,
    record: Record,
}

impl Fetching<'_> {
    async fn fetch(&self, destination: &Destination, dry_run: bool) -> Result<Fetched, FetchError> {
        let target = match destination {
            Destination::Directory(directory) => Some(directory.join(self.name.as_str())),
            Destination::File(file) => Some(file.clone()),
            Destination::StandardOutput => None,
        };
        let Record { size, sha256, mode, .. } = self.record;
        let arrival = Arrival {
            store: self.world.store,
            key: Key::Artifact(self.commit, self.name.clone()),
            what: format!("{} at the address of {}", self.name, self.commit),
            observer: self.world.observer,
            size,
            sha256,
            mode,
        };
        let present = match &target {
            Some(target) => arrival.is_at(target).await?,
            None => false,
        };
        if present || dry_run {
            return Ok(self.told(target, size, sha256, present, present));
        }
        let Arrived { size, sha256, verified } =
            arrival.receive(target.as_deref()).await.map_err(|error| match error {
                ArrivalError::Gone { .. } => FetchError::Gone { name: self.name.clone(), commit: self.commit },
                other @ (ArrivalError::Mismatch { .. }
                | ArrivalError::Occupied(_)
                | ArrivalError::NoDirectory(_)
                | ArrivalError::Target { .. }
                | ArrivalError::Output(_)
                | ArrivalError::Store { .. }) => other.into(),
            })?;
        if !verified {
            self.world.observer.observe(&Event::Unverified { name: self.name.clone(), commit: self.commit });
        }
        Ok(self.told(target, Some(size), Some(sha256), verified, false))
    }

    fn told(
        &self,
        target: Option<PathBuf>,
        size: Option<u64>,
        sha256: Option<Digest>,
        verified: bool,
        present: bool,
    ) -> Fetched {
        Fetched { name: self.name.clone(), commit: self.commit, target, size, sha256, verified, present }
    }
}
