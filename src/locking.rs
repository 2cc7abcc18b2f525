//! Locking: what a commit's metafile names, with the size and the digest of each artifact as it lies in the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::stream::{self, StreamExt};

use crate::address::Commit;
use crate::artifact::{Digest, Name};
use crate::event::Event;
use crate::files;
use crate::lock::{Lock, LockError, Locked};
use crate::metafile::{Metafile, Record};
use crate::policy::Policy;
use crate::state::Verdict;
use crate::store::{Key, StoreError};
use crate::stored::{self, Difference};
use crate::transfer::{self, ReceiveError};
use crate::world::World;

/// Says why an artifact cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockingError {
    /// The metafile says where the artifact is, and it is not there.
    #[error("{name} is not at the address of {commit}, where the metafile says it is")]
    Gone {
        /// The artifact.
        name: Name,
        /// The commit whose address should hold it.
        commit: Commit,
    },
    /// Something else is there.
    #[error("{name} at the address of {commit} is not what was published")]
    Other {
        /// The artifact.
        name: Name,
        /// The commit whose address holds it.
        commit: Commit,
        /// What is another.
        source: Difference,
    },
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody recorded a digest, and the bytes cannot be read.
    #[error("{name} has no recorded digest, and its bytes cannot be read")]
    Unread {
        /// The artifact.
        name: Name,
        /// Why.
        source: ReceiveError,
    },
}

/// Locks artifacts, each with a look at the object; one whose digest nobody recorded is read whole.
///
/// # Errors
/// One for each artifact that cannot be locked.
pub async fn lock(
    world: World<'_>,
    revision: &str,
    metafile: &Metafile,
    verdicts: &BTreeMap<Name, (Verdict, Policy)>,
) -> Result<Lock, Vec<LockingError>> {
    let found = verdicts.iter().filter_map(|(name, (verdict, policy))| Some((name, verdict.from?, verdict, *policy)));
    let one = |(name, commit, verdict, policy): (&Name, Commit, &Verdict, Policy)| {
        let (name, verdict) = (name.clone(), verdict.clone());
        async move { locked(world, &name, commit, &verdict, policy).await.map(|locked| (name, locked)) }
    };
    let (mut artifacts, mut errors) = (BTreeMap::new(), Vec::new());
    let mut all = stream::iter(found).map(one).buffered(world.limits.jobs);
    while let Some(done) = all.next().await {
        match done {
            Ok((name, locked)) => drop(artifacts.insert(name, locked)),
            Err(error) => errors.push(error),
        }
    }
    let (revision, commit, store) = (revision.to_owned(), metafile.commit, world.store.root());
    if errors.is_empty() { Ok(Lock { revision, commit, store, artifacts }) } else { Err(errors) }
}

async fn locked(
    world: World<'_>,
    name: &Name,
    commit: Commit,
    verdict: &Verdict,
    policy: Policy,
) -> Result<Locked, LockingError> {
    let key = Key::Artifact(commit, name.clone());
    let gone = || LockingError::Gone { name: name.clone(), commit };
    let object = world.store.head(&key).await?.ok_or_else(gone)?;
    let record = &verdict.record;
    stored::hold(record, &object).map_err(|source| LockingError::Other { name: name.clone(), commit, source })?;
    let beside = object.attributes.sha256;
    let sha256 = match record.sha256.or(beside) {
        Some(sha256) => sha256,
        None => {
            world.observer.observe(&Event::Unverified { name: name.clone(), commit });
            hashed(world, name, &key).await?.ok_or_else(gone)?
        }
    };
    Ok(Locked {
        commit,
        url: world.store.url(&key),
        size: object.size,
        sha256,
        mode: record.mode.or(object.attributes.mode),
        state: verdict.state.word().to_owned(),
        policy,
    })
}

async fn hashed(world: World<'_>, name: &Name, key: &Key) -> Result<Option<Digest>, LockingError> {
    let read = transfer::digest(world.store, key).await;
    let failed = |source| LockingError::Unread { name: name.clone(), source };
    Ok(read.map_err(failed)?.map(|(digest, _)| digest))
}

/// Says why a lock cannot be taken from a file.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// It is not there.
    #[error("there is no lock {}", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("the lock {} cannot be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It locks no artifact of these names.
    #[error("the lock {} has no {}", file.display(), names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Without {
        /// The file.
        file: PathBuf,
        /// The artifacts.
        names: Vec<Name>,
    },
    /// What it names is not there.
    #[error("{name} is not at the address of {commit} in {store}, where the lock says it is")]
    Gone {
        /// The artifact.
        name: Name,
        /// The commit whose address should hold it.
        commit: Commit,
        /// The URL of the store that was asked.
        store: String,
    },
    /// It is no lock.
    #[error("{} is no lock that can be used", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: LockError,
    },
}

/// Reads a lock from a file; it must have the artifacts of these names.
///
/// # Errors
/// [`LockFileError`].
pub fn read(file: &Path, names: &[Name]) -> Result<Lock, LockFileError> {
    let path = || file.to_owned();
    let bytes = files::read_whole(file).map_err(|source| LockFileError::Unreadable { file: path(), source })?;
    let bytes = bytes.ok_or_else(|| LockFileError::Missing(path()))?;
    let lock = Lock::parse(&bytes).map_err(|source| LockFileError::Wrong { file: path(), source })?;
    let without: Vec<Name> = names.iter().filter(|name| !lock.artifacts.contains_key(*name)).cloned().collect();
    if without.is_empty() { Ok(lock) } else { Err(LockFileError::Without { file: path(), names: without }) }
}

/// Returns a metafile that says what a lock says, for whoever takes artifacts by one.
#[must_use]
pub fn as_metafile(lock: &Lock) -> Metafile {
    let mut metafile = Metafile::empty(lock.commit, None);
    for (name, locked) in &lock.artifacts {
        let Locked { commit, size, sha256, mode, .. } = locked;
        metafile.artifacts.insert(name.clone(), *commit);
        let record = Record { size: Some(*size), sha256: Some(*sha256), mode: *mode, ..Record::default() };
        metafile.details.insert(name.clone(), record);
    }
    metafile
}
