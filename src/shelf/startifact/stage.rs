//! Staging: in each region the bytes, then what stands beside them, then the parameter that says what is latest.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;

use super::Startifact;
use super::find;
use super::notes::Notes;
use super::site::Site;
use crate::artifact::Digest;
use crate::files::{Measured, Scratch};
use crate::putting::{Outcome, PutError, Putting};
use crate::shelf::{Content, ShelfError, Staged, Staging};
use crate::store::{self, Attributes, Condition, Key, Store, StoreError};
use crate::transfer::{self, ReceiveError};
use crate::version::{self, Version};

/// How often something is put when what stood in its way was gone at the next look.
const TRIES: usize = 5;

/// Holds one release on its way to one region.
struct Stage<'a> {
    shelf: &'a Startifact,
    site: &'a Site,
    bucket: &'a Arc<dyn Store>,
    staging: &'a Staging,
    dry_run: bool,
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

impl Startifact {
    /// Stages a release in every region. Where one fails, the others go on: what is left is done when it is staged again.
    pub(super) async fn stage_everywhere(&self, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError> {
        if let Some(key) = Notes::reserved(&staging.release) {
            return Err(ShelfError::Reserved(key.clone()));
        }
        let stage = |site: &Arc<Site>| {
            let site = Arc::clone(site);
            async move { self.stage_in(&site, staging, dry_run).await }
        };
        let outcomes = join_all(self.stagers.iter().map(stage)).await;
        let (mut done, mut staged, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (site, outcome) in self.stagers.iter().zip(outcomes) {
            match outcome {
                Ok(outcome) => {
                    done.push(outcome);
                    staged.push(site.region.clone());
                }
                Err(error) => failed.push((site.region.clone(), site.trouble(error).error)),
            }
        }
        if self.stagers.len() == 1
            && let Some((_, error)) = failed.pop()
        {
            return Err(error);
        }
        if !failed.is_empty() {
            let (name, version) = (staging.release.name.clone(), staging.release.version.clone());
            return Err(ShelfError::Partly { name, version, staged, failed });
        }
        Ok(Staged {
            present: done.iter().all(|staged| staged.present),
            bytes_sent: done.iter().map(|staged| staged.bytes_sent).sum(),
            latest: done.iter().filter_map(|staged| staged.latest.clone()).max(),
            url: done.into_iter().next().map(|staged| staged.url).unwrap_or_default(),
        })
    }

    async fn stage_in(&self, site: &Site, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError> {
        let bucket = site.bucket().await?;
        Stage { shelf: self, site, bucket, staging, dry_run }.run().await
    }
}

impl Stage<'_> {
    async fn run(&self) -> Result<Staged, ShelfError> {
        let (name, version) = (&self.staging.release.name, &self.staging.release.version);
        let builds = self.site.builds(name, version).await?;
        let stands = builds.contains(version);
        if !stands {
            self.expect_alone(&builds)?;
        }
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
        self.expect_alone(&settled.versions)?;
        let present = !sent.put && !noted && !settled.set;
        Ok(Staged { present, bytes_sent: sent.bytes, url, latest: settled.latest })
    }

    fn key(&self) -> Key {
        let release = &self.staging.release;
        Key::Staged(self.site.key_prefix.clone(), release.name.clone(), release.version.clone())
    }

    /// Makes sure that this version stands with no other build metadata.
    fn expect_alone(&self, versions: &[Version]) -> Result<(), ShelfError> {
        let (name, version) = (&self.staging.release.name, &self.staging.release.version);
        match versions.iter().find(|stands| stands.is_same(version) && *stands != version) {
            None => Ok(()),
            Some(stands) => {
                let (name, version, stands) = (name.clone(), version.clone(), stands.clone());
                Err(ShelfError::OtherBuild { name, version, stands, place: self.site.place(), staging: true })
            }
        }
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
        ShelfError::Compare { name, version, source }
    }
}

/// Makes the error of an artifact whose bytes are not those that were recorded.
fn changed(from: &dyn Store, key: &Key, found: Digest, told: Digest) -> ShelfError {
    let problem = format!("it has the SHA-256 {found}, and {told} is recorded");
    StoreError::Corrupt { key: from.url(key), problem }.into()
}
