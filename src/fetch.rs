//! Fetching: the artifacts that a metafile names, verified, to local files.
//!
//! A metafile is not trusted: its names and commits are values of types that cannot leave a directory or the store, and what it says of
//! size and digest is held against the bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use futures::stream::{self, StreamExt};

use crate::address::Commit;
use crate::artifact::{Digest, Name};
use crate::event::{Event, Transfer};
use crate::files::{self, Occupant, Temporary};
use crate::metafile::{Metafile, Record};
use crate::store::{Key, StoreError};
use crate::transfer::{self, ReceiveError};
use crate::world::World;

/// Says where artifacts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Into this directory, each under its own name.
    Directory(PathBuf),
    /// The one artifact to this file.
    File(PathBuf),
    /// The one artifact to standard output.
    StandardOutput,
}

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
    /// The bytes are not those that were recorded.
    #[error("{name} at the address of {commit} has {found}, and {expected} is recorded")]
    Mismatch {
        /// The artifact.
        name: Name,
        /// The commit whose address holds it.
        commit: Commit,
        /// What the bytes have: a size or a digest.
        found: String,
        /// What was recorded.
        expected: String,
    },
    /// Two names differ only in case, so that one file could be both.
    #[error("{one} and {other} differ only in case and cannot lie in one directory")]
    CaseTwice {
        /// The first name.
        one: Name,
        /// The second name.
        other: Name,
    },
    /// Something that is not a regular file is in the target's place.
    #[error("{} is not a regular file and is not replaced", .0.display())]
    Occupied(PathBuf),
    /// Something that is not a directory is in the output directory's place.
    #[error("{} is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// The local file cannot be written.
    #[error("{} cannot be written", path.display())]
    Target {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store does not do what it was asked.
    #[error("{name} could not be fetched")]
    Store {
        /// The artifact.
        name: Name,
        /// Why.
        source: StoreError,
    },
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
            let taken =
                |error: &io::Error| matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory);
            let failed = |source: io::Error| {
                let path = directory.clone();
                vec![if taken(&source) { FetchError::NoDirectory(path) } else { FetchError::Target { path, source } }]
            };
            files::make_directory(directory).map_err(failed)?;
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
        let present = match &target {
            Some(target) => self.has_same_bytes(target).await?,
            None => false,
        };
        if present || dry_run {
            return Ok(self.told(target, self.record.size, self.record.sha256, present, present));
        }
        self.receive(target).await
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

    /// Says whether a target has the recorded bytes already. What is not a regular file is never replaced, but for a symbolic link.
    async fn has_same_bytes(&self, target: &Path) -> Result<bool, FetchError> {
        let failed = |source| FetchError::Target { path: target.to_owned(), source };
        let size = match files::occupant(target).map_err(failed)? {
            Occupant::Nothing => return Ok(false),
            Occupant::Other => return Err(FetchError::Occupied(target.to_owned())),
            Occupant::File(size) => size,
        };
        let Some(recorded) = self.record.sha256 else { return Ok(false) };
        if self.record.size.is_some_and(|recorded| recorded != size) {
            return Ok(false);
        }
        // A target that cannot be read can still be replaced.
        Ok(files::digest_of_file(target.to_owned()).await.is_ok_and(|digest| digest == recorded))
    }

    /// Receives the bytes under a temporary name beside the target, verifies them, and gives them the target's name.
    async fn receive(&self, target: Option<PathBuf>) -> Result<Fetched, FetchError> {
        let store = |source| FetchError::Store { name: self.name.clone(), source };
        let opened = self.world.store.open(&Key::Artifact(self.commit, self.name.clone()), None).await;
        let Some((object, body)) = opened.map_err(store)? else {
            return Err(FetchError::Gone { name: self.name.clone(), commit: self.commit });
        };
        let place = target.clone().unwrap_or_else(|| PathBuf::from("-"));
        let failed = |source| FetchError::Target { path: place.clone(), source };
        let mode = self.record.mode.or(object.attributes.mode);
        let temporary = Temporary::new(target.as_deref(), mode).map_err(failed)?;

        let (transfer, name) = (Transfer::Download, self.name.clone());
        self.world.observer.observe(&Event::Started { transfer, name: name.clone(), size: object.size });
        let to = temporary.writer().map_err(failed)?;
        let received = transfer::receive(body, to, transfer::told(self.world.observer, transfer, &name)).await;
        self.world.observer.observe(&Event::Finished { transfer, name });
        let (size, sha256) = received.map_err(|error| match error {
            ReceiveError::Store(source) => store(source),
            ReceiveError::Io(source) => failed(source),
        })?;

        let expected = self.record.sha256.or(object.attributes.sha256);
        let bytes = |size: u64| format!("{size} bytes");
        self.hold(size == self.record.size.unwrap_or(object.size), bytes(size), || {
            bytes(self.record.size.unwrap_or(object.size))
        })?;
        self.hold(expected.is_none_or(|digest| digest == sha256), format!("the SHA-256 {sha256}"), || {
            expected.map_or_else(String::new, |digest| format!("the SHA-256 {digest}"))
        })?;
        if expected.is_none() {
            self.world.observer.observe(&Event::Unverified { name: self.name.clone(), commit: self.commit });
        }
        files::blocking(move || temporary.keep()).await.map_err(failed)?;
        Ok(self.told(target, Some(size), Some(sha256), expected.is_some(), false))
    }

    fn hold(&self, holds: bool, found: String, expected: impl FnOnce() -> String) -> Result<(), FetchError> {
        if holds {
            return Ok(());
        }
        Err(FetchError::Mismatch { name: self.name.clone(), commit: self.commit, found, expected: expected() })
    }
}
