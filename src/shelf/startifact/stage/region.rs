//! Staging in one region: the bytes, then what stands beside them, then the parameter that says what is latest.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::artifact::Digest;
use crate::files::{Measured, Scratch};
use crate::putting::{Outcome, PutError, Putting};
use crate::shelf::startifact::notes::Notes;
use crate::shelf::startifact::site::Site;
use crate::shelf::startifact::{Startifact, find};
use crate::shelf::{Content, ShelfError, Staged, Staging};
use crate::store::{self, Attributes, Condition, Key, Store, StoreError};
use crate::transfer::{self, ReceiveError};
use crate::version::{self, Version};

/// How often something is put when what stood in its way was gone at the next look.
const TRIES: usize = 5;

/// Holds one release on its way to one region.
pub(super) struct Stage<'a> {
    pub(super) shelf: &'a Startifact,
    pub(super) site: &'a Site,
    pub(super) bucket: &'a Arc<dyn Store>,
    pub(super) staging: &'a Staging,
    pub(super) dry_run: bool,
}

/// Says what became of bytes.
struct Sent {
    /// Whether they were put.
    put: bool,
    /// How many of them were sent.
    bytes: u64,
}

impl Sent {
    const NOTHING: Self = Self { put: false, bytes: 0 };
}

impl Stage<'_> {
    /// Stages it, or what an earlier stage has left to do.
    pub(super) async fn run(&self) -> Result<Staged, ShelfError> {
        let (name, version) = (&self.staging.release.name, &self.staging.release.version);
        let stands = self.stands().await?;
        let sent = self.send(stands).await?;
        // Beside bytes that were not there a moment ago there is nothing to be held against.
        let noted = if sent.put && Notes::of(&self.staging.release).is_empty() { false } else { self.note().await? };
        let url = self.bucket.url(&self.key());
        if self.dry_run {
            let mut versions = self.site.versions(name).await?;
            versions.push(version.clone());
            let latest = version::latest(&versions, false).cloned();
            return Ok(Staged { present: stands && !noted, bytes_sent: 0, url, latest });
        }
        let settled = self.shelf.settle(self.site, name).await?;
        // Another build may have been staged at the same moment. Both stand then, and someone has to know.
        if let Some(stands) = self.other_build(&settled.versions) {
            let (name, version, stands) = (name.clone(), version.clone(), Box::new(stands.clone()));
            return Err(ShelfError::BothStand { name, version, stands, place: self.site.place() });
        }
        let present = !sent.put && !noted && !settled.set;
        Ok(Staged { present, bytes_sent: sent.bytes, url, latest: settled.latest })
    }

    /// Looks whether anything stands that is at odds with what is to be staged.
    pub(super) async fn look(&self) -> Result<(), ShelfError> {
        if self.stands().await? {
            self.send(true).await?;
            self.note().await?;
        }
        Ok(())
    }

    /// Says whether this version stands, and makes sure that it does not with other build metadata alone.
    async fn stands(&self) -> Result<bool, ShelfError> {
        let (name, version) = (&self.staging.release.name, &self.staging.release.version);
        let builds = self.site.builds(name, version).await?;
        if builds.contains(version) {
            return Ok(true);
        }
        match self.other_build(&builds) {
            None => Ok(false),
            Some(stands) => {
                let (name, version, stands) = (name.clone(), version.clone(), Box::new(stands.clone()));
                Err(ShelfError::OtherBuild { name, version, stands, place: self.site.place(), staging: true })
            }
        }
    }

    /// Returns the same version with other build metadata, where it is among these.
    fn other_build<'v>(&self, versions: &'v [Version]) -> Option<&'v Version> {
        let version = &self.staging.release.version;
        versions.iter().find(|stands| stands.is_same(version) && *stands != version)
    }

    fn key(&self) -> Key {
        let release = &self.staging.release;
        Key::Staged(self.site.key_prefix.clone(), release.name.clone(), release.version.clone())
    }

    /// Puts the bytes, or compares them with those that stand there.
    async fn send(&self, stands: bool) -> Result<Sent, ShelfError> {
        match &self.staging.content {
            Content::File { path, measured } => self.send_file(path.clone(), *measured, stands).await,
            Content::Object { store, key } => self.send_object(&**store, key, stands).await,
        }
    }

    async fn send_file(&self, path: PathBuf, measured: Measured, stands: bool) -> Result<Sent, ShelfError> {
        let (store, observer) = (&**self.bucket, &self.shelf.observer);
        let putting = Putting { store, observer, key: self.key(), path, measured };
        match putting.put(stands, self.dry_run).await {
            Ok(Outcome::Uploaded) => Ok(Sent { put: true, bytes: measured.size }),
            Ok(Outcome::Present { sent, .. }) => Ok(Sent { put: false, bytes: if sent { measured.size } else { 0 } }),
            Ok(Outcome::Conflict { stands }) => Err(self.other_bytes(stands, measured.sha256)),
            Err(PutError::Put(source)) => Err(source.into()),
            Err(PutError::Compare(source)) => Err(self.compare(source)),
        }
    }

    /// Has the service copy an object. Where it cannot, the bytes go by a local file.
    async fn send_object(&self, from: &dyn Store, key: &Key, stands: bool) -> Result<Sent, ShelfError> {
        if stands && self.is_equal(from, key).await? || self.dry_run {
            return Ok(Sent::NOTHING);
        }
        let release = &self.staging.release;
        if let Some(source) = from.source(key).await? {
            let recorded = source.known.attributes.sha256;
            if let (Some(recorded), Some(told)) = (recorded, release.sha256)
                && recorded != told
            {
                return Err(changed(from, key, recorded, told));
            }
            let attributes = Attributes { sha256: recorded.or(release.sha256), mode: release.mode };
            for _ in 0..TRIES {
                match self.bucket.copy_from(&source, &self.key(), attributes).await {
                    Ok(true) => return Ok(Sent { put: true, bytes: 0 }),
                    Ok(false) => break,
                    Err(StoreError::Precondition { .. }) if self.is_equal(from, key).await? => {
                        return Ok(Sent::NOTHING);
                    }
                    Err(StoreError::Precondition { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let (scratch, measured) = self.receive(from, key).await?;
        self.send_file(scratch.path().to_owned(), measured, stands).await
    }

    /// Says whether what stands has the same bytes as an object; not so where nothing stands after all.
    async fn is_equal(&self, from: &dyn Store, key: &Key) -> Result<bool, ShelfError> {
        let compare = |source| self.compare(source);
        let Some((stands, _)) = transfer::digest(&**self.bucket, &self.key()).await.map_err(compare)? else {
            return Ok(false);
        };
        let ours = match self.staging.release.sha256 {
            Some(told) => told,
            None => match transfer::digest(from, key).await.map_err(compare)? {
                Some((digest, _)) => digest,
                None => return Err(StoreError::NotFound(from.url(key)).into()),
            },
        };
        if stands == ours { Ok(true) } else { Err(self.other_bytes(stands, ours)) }
    }

    /// Brings an object's bytes into a local file.
    async fn receive(&self, from: &dyn Store, key: &Key) -> Result<(Scratch, Measured), ShelfError> {
        let local = |source| ShelfError::Local { what: from.url(key), source };
        let scratch = Scratch::new().map_err(local)?;
        let to = scratch.writer().map_err(local)?;
        let Some((_, body)) = from.open(key, None).await? else {
            return Err(StoreError::NotFound(from.url(key)).into());
        };
        let failed = |error| match error {
            ReceiveError::Store(source) => source.into(),
            ReceiveError::Io(source) => local(source),
        };
        let (size, sha256) = transfer::receive(body, to, Arc::new(|_| ())).await.map_err(failed)?;
        match self.staging.release.sha256 {
            Some(told) if told != sha256 => Err(changed(from, key, sha256, told)),
            _ => Ok((scratch, Measured { size, sha256, mode: self.staging.release.mode })),
        }
    }

    /// Writes what stands beside the bytes, or compares it with what does; says whether it was written, or would be.
    async fn note(&self) -> Result<bool, ShelfError> {
        let release = &self.staging.release;
        let notes = Notes::of(release);
        let key = Key::Metadata(self.site.key_prefix.clone(), release.name.clone(), release.version.clone());
        for _ in 0..TRIES {
            if !self.dry_run && !notes.is_empty() {
                let content = store::Content::Bytes(Bytes::from(notes.to_bytes()));
                match self.bucket.put(&key, content, Attributes::default(), &Condition::Absent).await {
                    Ok(_) => return Ok(true),
                    Err(StoreError::Precondition { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let Some(stand) = find::notes(&**self.bucket, &key).await? else {
                if self.dry_run || notes.is_empty() {
                    return Ok(!notes.is_empty());
                }
                continue;
            };
            return match notes.differences(&stand, self.staging.named) {
                None => Ok(false),
                Some(difference) => Err(self.conflict(difference)),
            };
        }
        Err(StoreError::Precondition { key: key.to_string() }.into())
    }

    fn other_bytes(&self, there: Digest, here: Digest) -> ShelfError {
        self.conflict(format!("SHA-256 {there} there, {here} here"))
    }

    fn conflict(&self, difference: String) -> ShelfError {
        let (name, version) = (self.staging.release.name.clone(), self.staging.release.version.clone());
        ShelfError::Conflict { name, version, place: self.site.place(), difference }
    }

    fn compare(&self, source: ReceiveError) -> ShelfError {
        let (name, version) = (self.staging.release.name.clone(), self.staging.release.version.clone());
        ShelfError::Compare { name, version, source: Box::new(source) }
    }
}

/// Makes the error of an artifact whose bytes are not those that were recorded.
fn changed(from: &dyn Store, key: &Key, found: Digest, told: Digest) -> ShelfError {
    let problem = format!("it has the SHA-256 {found}, and {told} is recorded");
    StoreError::Corrupt { key: from.url(key), problem }.into()
}
