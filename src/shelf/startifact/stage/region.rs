//! Staging in one region: what is noted of the bytes, then the bytes, then the parameter that says what is latest.

use bytes::Bytes;

use super::Stage;
use crate::release::Release;
use crate::shelf::startifact::find;
use crate::shelf::startifact::notes::Notes;
use crate::shelf::{LEFT, Sent, ShelfError, Staged};
use crate::store::{self, Attributes, Condition, Key, StoreError};
use crate::version::{self, Version};

/// How often something is put when what stood in its way was gone at the next look.
const TRIES: usize = 5;

/// Says what stands beside the bytes, and whether it was put there now.
struct Noted {
    put: bool,
    notes: Notes,
}

impl Stage<'_> {
    /// Stages it, or what an earlier stage has left to do.
    ///
    /// The notes come first: a release that is seen is whole, and bytes that stand without notes were staged without any.
    pub(super) async fn run(&self) -> Result<Staged, ShelfError> {
        let (name, version) = (&self.staging.release.name, &self.staging.release.version);
        let (sent, noted) = if self.stands().await? && self.is_there().await? {
            (Sent::default(), self.expect_notes().await?)
        } else if self.dry_run {
            (Sent { put: true, bytes: 0 }, self.put_notes().await?)
        } else {
            let ready = self.ready().await?;
            let noted = self.put_notes().await?;
            (self.send(ready).await?, noted)
        };
        let url = self.bucket.url(&self.key());
        let release = self.release_with(noted.notes)?;
        if self.dry_run {
            let mut versions = self.site.versions(name).await?;
            versions.push(version.clone());
            let latest = version::latest(&versions, false).cloned();
            return Ok(Staged { release, present: !sent.put, bytes_sent: 0, url, latest });
        }
        let settled = self.shelf.settle(self.site, name).await?;
        // Another build may have been staged at the same moment. Both stand then, and someone has to know.
        if let Some(stands) = self.other_build(&settled.versions) {
            let (name, version, stands) = (name.clone(), version.clone(), Box::new(stands.clone()));
            return Err(ShelfError::BothStand { name, version, stands, place: self.site.place() });
        }
        let present = !sent.put && !noted.put && !settled.set;
        Ok(Staged { release, present, bytes_sent: sent.bytes, url, latest: settled.latest })
    }

    /// Looks whether anything stands that is at odds with what is to be staged.
    pub(super) async fn look(&self) -> Result<(), ShelfError> {
        let there = self.stands().await? && self.is_there().await?;
        let noted = if there { self.expect_notes().await } else { self.put_notes().await };
        noted.map(drop)
    }

    /// Returns the release with what stands beside its bytes.
    fn release_with(&self, notes: Notes) -> Result<Release, ShelfError> {
        let mut release = self.staging.release.clone();
        let malformed = |source| ShelfError::Malformed { url: self.bucket.url(&self.beside()), source };
        notes.tell(&mut release).map_err(malformed)?;
        Ok(release)
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

    /// Returns the key of what stands beside the bytes.
    fn beside(&self) -> Key {
        let release = &self.staging.release;
        Key::Metadata(self.site.key_prefix.clone(), release.name.clone(), release.version.clone())
    }

    /// Puts the notes where no bytes stand yet, or compares them with those that were left there. Whoever finds those of another release has
    /// to look again: its bytes may have come meanwhile, and then they say what is to be held against which.
    async fn put_notes(&self) -> Result<Noted, ShelfError> {
        let notes = Notes::of(&self.staging.release);
        let key = self.beside();
        for _ in 0..TRIES {
            if !self.dry_run && !notes.is_empty() {
                let content = store::Content::Bytes(Bytes::from(notes.to_bytes()));
                match self.bucket.put(&key, content, Attributes::default(), &Condition::Absent).await {
                    Ok(_) => return Ok(Noted { put: true, notes }),
                    Err(StoreError::Precondition { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let stand = match self.read_notes().await {
                // Who has nothing to note goes on without the right to read.
                Err(ShelfError::Store(StoreError::AccessDenied { .. })) if notes.is_empty() => None,
                stand => stand?,
            };
            let Some(stand) = stand else {
                if self.dry_run || notes.is_empty() {
                    return Ok(Noted { put: false, notes });
                }
                continue;
            };
            return match notes.differences(&stand, self.staging.named, false) {
                None => Ok(Noted { put: false, notes: stand }),
                Some(_) if self.stands().await? => self.expect_notes().await,
                Some(difference) => Err(self.conflict(format!("{difference}; {LEFT}"))),
            };
        }
        Err(StoreError::Precondition { key: key.to_string() }.into())
    }

    /// Makes sure that what stands beside bytes that stand is what is to be told of them.
    async fn expect_notes(&self) -> Result<Noted, ShelfError> {
        let stand = self.read_notes().await?.unwrap_or_default();
        match Notes::of(&self.staging.release).differences(&stand, self.staging.named, true) {
            None => Ok(Noted { put: false, notes: stand }),
            Some(difference) => Err(self.conflict(difference)),
        }
    }

    async fn read_notes(&self) -> Result<Option<Notes>, ShelfError> {
        find::notes(&**self.bucket, &self.beside()).await
    }
}
