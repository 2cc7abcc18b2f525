//! The shelf in a store: the record of a release decides, and what is latest is computed from the listing.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use super::{Content, Found, LEFT, Sent, Shelf, ShelfError, Staged, Staging};
use crate::artifact::{Digest, Name};
use crate::event::Observer;
use crate::files::Measured;
use crate::json;
use crate::putting::Putting;
use crate::release::{LARGEST, Release, ReleaseError};
use crate::store::{self, Attributes, Condition, Key, Prefix, RECORD, Store, StoreError};
use crate::transfer;
use crate::version::{self, ReleaseName, Version};

/// How often a record is put when what stood in its way was gone at the next look.
const TRIES: usize = 5;

/// Keeps releases in a store, beside what builds publish: `versions/<name>/<version>/`.
#[derive(Clone)]
pub struct StoreShelf {
    store: Arc<dyn Store>,
    observer: Arc<dyn Observer>,
}

impl fmt::Debug for StoreShelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreShelf").field(&self.store).finish()
    }
}

#[async_trait]
impl Shelf for StoreShelf {
    fn place(&self) -> String {
        self.store.root()
    }

    async fn versions(&self, name: &ReleaseName) -> Result<Vec<Version>, ShelfError> {
        let rests = self.store.keys(&Prefix::Releases(self.name(name)?)).await?;
        let recorded = |rest: &String| {
            let (version, file) = rest.split_once('/')?;
            // Nothing else is looked for under another spelling.
            let version: Version = version.parse().ok().filter(|version: &Version| !version.has_build())?;
            (file == RECORD).then_some(version)
        };
        let mut versions: Vec<Version> = rests.iter().filter_map(recorded).collect();
        versions.sort();
        Ok(versions)
    }

    async fn latest(&self, name: &ReleaseName, pre: bool) -> Result<Version, ShelfError> {
        let versions = self.versions(name).await?;
        if let Some(latest) = version::latest(&versions, pre) {
            return Ok(latest.clone());
        }
        let (name, place) = (name.clone(), self.place());
        Err(match version::latest(&versions, true) {
            Some(highest) => ShelfError::OnlyPre { name, place, highest: highest.clone() },
            None => ShelfError::Nothing { name, place },
        })
    }

    async fn find(&self, name: &ReleaseName, version: &Version) -> Result<Found, ShelfError> {
        let Some(release) = self.read(name, version).await? else { return Err(self.missing(name, version).await) };
        if version.has_build() && release.version != *version {
            return Err(self.other_build(&release, version, false));
        }
        let key = self.key(&release)?;
        Ok(Found { release, store: Arc::clone(&self.store), key })
    }

    async fn stage(&self, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError> {
        let (name, version) = (&staging.release.name, &staging.release.version);
        let size = u64::try_from(staging.release.to_bytes().len()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(ShelfError::TooLarge(size));
        }
        let recorded = self.read(name, version).await?;
        if let Some(stands) = &recorded {
            self.expect_equal(staging, stands).await?;
        }
        // A record that stands decides where the bytes are. Those of a file that somebody removed since can be put again.
        let promoted = match &recorded {
            Some(stands) if stands.origin.is_some() => self.expect_there(stands).await.map(|()| true)?,
            Some(_) | None => false,
        };
        let sent = match &staging.content {
            Content::File { path, measured } if !promoted => {
                let key = Key::Data(self.name(name)?, version.clone());
                let (path, measured) = (path.clone(), *measured);
                let putting = Putting::of_measured(&*self.store, &self.observer, key, path, measured);
                self.put(staging, &putting, measured, recorded.is_some(), dry_run).await?
            }
            Content::File { .. } | Content::Object { .. } => Sent::default(),
        };
        let present = recorded.is_some() && !sent.put;
        let bytes_sent = if dry_run { 0 } else { sent.bytes };
        let release = match recorded {
            Some(stands) => stands,
            None if dry_run => staging.release.clone(),
            None => self.record(staging).await?,
        };
        let mut versions = self.versions(name).await.ok();
        if let Some(versions) = &mut versions {
            versions.extend(dry_run.then(|| version.bare()));
        }
        let latest = versions.and_then(|versions| version::latest(&versions, false).cloned());
        Ok(Staged { url: self.store.url(&self.key(&release)?), release, present, bytes_sent, latest })
    }
}

impl StoreShelf {
    /// Makes the shelf of a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, observer: Arc<dyn Observer>) -> Self {
        Self { store, observer }
    }

    /// Returns the name as it is part of a key, and of a directory's path: it must be one that an artifact could have.
    fn name(&self, name: &ReleaseName) -> Result<Name, ShelfError> {
        let refused = |source| ShelfError::Name { name: name.clone(), place: self.place(), source };
        name.as_str().parse().map_err(refused)
    }

    /// Reads what is recorded of a version, whatever its build metadata; none where nothing is.
    async fn read(&self, name: &ReleaseName, version: &Version) -> Result<Option<Release>, ShelfError> {
        let key = Key::Record(self.name(name)?, version.clone());
        let malformed = |source| ShelfError::Malformed { url: self.store.url(&key), source };
        match self.store.get(&key, LARGEST).await {
            Ok(None) => Ok(None),
            Ok(Some((bytes, _))) => Release::parse(&bytes, name, version).map(Some).map_err(malformed),
            Err(StoreError::TooLarge { size, .. }) => Err(malformed(ReleaseError::TooLarge(size))),
            Err(error) => Err(error.into()),
        }
    }

    /// Says what is missing: the version, or all of that name. Whoever may not list is told of the version.
    async fn missing(&self, name: &ReleaseName, version: &Version) -> ShelfError {
        let (name, place) = (name.clone(), self.place());
        match self.versions(&name).await {
            Ok(versions) if versions.is_empty() => ShelfError::Nothing { name, place },
            Ok(_) | Err(_) => ShelfError::Missing { name, version: version.clone(), place },
        }
    }

    fn other_build(&self, stands: &Release, version: &Version, staging: bool) -> ShelfError {
        let (name, stands) = (stands.name.clone(), Box::new(stands.version.clone()));
        ShelfError::OtherBuild { name, version: version.clone(), stands, place: self.place(), staging }
    }

    fn conflict(&self, release: &Release, difference: String) -> ShelfError {
        let (name, version) = (release.name.clone(), release.version.clone());
        ShelfError::Conflict { name, version, place: self.place(), difference }
    }

    /// Returns the key of a release's bytes.
    fn key(&self, release: &Release) -> Result<Key, ShelfError> {
        Ok(match &release.origin {
            Some(origin) => Key::Artifact(origin.address, origin.artifact.clone()),
            None => Key::Data(self.name(&release.name)?, release.version.clone()),
        })
    }

    /// Makes sure that what stands says the same as what is to be staged. Where only one of the two has a digest, the other's bytes are read.
    async fn expect_equal(&self, staging: &Staging, stands: &Release) -> Result<(), ShelfError> {
        let (mut here, mut there) = (staging.release.clone(), stands.clone());
        if here.version != there.version {
            return Err(self.other_build(stands, &here.version, true));
        }
        if here.size == there.size && here.sha256.is_none() != there.sha256.is_none() {
            let own = match &staging.content {
                Content::Object { key, .. } => key.clone(),
                Content::File { .. } => self.key(&here)?,
            };
            there.sha256 = self.digest(&there, &self.key(&there)?).await?;
            here.sha256 = self.digest(&here, &own).await?;
        }
        let mut differing = here.differences(&there);
        differing.retain(|key| staging.named || *key != "filename");
        let (there, here) = (there.to_json(), here.to_json());
        let said = |json: &Value, key: &str| {
            json.get(key).map_or_else(|| "nothing".to_owned(), |value| json::shortened(&value.to_string()))
        };
        let difference = |key: &&str| format!("{key} is {} there and {} here", said(&there, key), said(&here, key));
        let differences: Vec<String> = differing.iter().map(difference).collect();
        if differences.is_empty() { Ok(()) } else { Err(self.conflict(stands, differences.join(", "))) }
    }

    /// Makes sure that the bytes of a promoted release are where the build put them.
    async fn expect_there(&self, release: &Release) -> Result<(), ShelfError> {
        let key = self.key(release)?;
        let (name, version) = (release.name.clone(), release.version.clone());
        match self.store.head(&key).await? {
            Some(_) => Ok(()),
            None => Err(ShelfError::Gone { name, version, url: self.store.url(&key) }),
        }
    }

    /// Returns the digest that is recorded of a release, else the one that its bytes have; none where they are gone.
    async fn digest(&self, release: &Release, key: &Key) -> Result<Option<Digest>, ShelfError> {
        if release.sha256.is_some() {
            return Ok(release.sha256);
        }
        let compare = |source| ShelfError::compare(release, source);
        let digest = transfer::digest(&*self.store, key).await.map_err(compare)?;
        Ok(digest.map(|(digest, _)| digest))
    }

    /// Puts the bytes, or compares them with those that stand there.
    async fn put(
        &self,
        staging: &Staging,
        putting: &Putting<'_>,
        measured: Measured,
        recorded: bool,
        dry_run: bool,
    ) -> Result<Sent, ShelfError> {
        let release = &staging.release;
        let done = putting.put(recorded || dry_run, dry_run).await.map_err(|error| ShelfError::put(release, error))?;
        match Sent::of(done.outcome, measured.size) {
            Ok(sent) => Ok(sent),
            Err(stands) if recorded => {
                let problem = format!("it has the SHA-256 {stands}, and {} is recorded", measured.sha256);
                Err(StoreError::Corrupt { key: putting.key.to_string(), problem }.into())
            }
            Err(stands) => {
                Err(self.conflict(release, format!("SHA-256 {stands} there, {} here; {LEFT}", measured.sha256)))
            }
        }
    }

    /// Writes the record, which decides: whoever comes second is held against it. Returns the one that stands.
    async fn record(&self, staging: &Staging) -> Result<Release, ShelfError> {
        let release = &staging.release;
        let key = Key::Record(self.name(&release.name)?, release.version.clone());
        for _ in 0..TRIES {
            let content = store::Content::Bytes(Bytes::from(release.to_bytes()));
            match self.store.put(&key, content, Attributes::default(), &Condition::Absent).await {
                Ok(_) => return Ok(release.clone()),
                Err(StoreError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(stands) = self.read(&release.name, &release.version).await? {
                self.expect_equal(staging, &stands).await?;
                return Ok(stands);
            }
        }
        Err(StoreError::Precondition { key: key.to_string() }.into())
    }
}
