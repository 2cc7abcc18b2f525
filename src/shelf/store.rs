//! The shelf in a store: the record of a release decides, and what is latest is computed from the listing.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use super::{Content, Found, Shelf, ShelfError, Staged, Staging};
use crate::artifact::Name;
use crate::event::Observer;
use crate::putting::{Outcome, PutError, Putting};
use crate::release::{LARGEST, Release, ReleaseError};
use crate::store::{self, Attributes, Condition, Key, Prefix, RECORD, Store, StoreError};
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
        let key = match &release.origin {
            Some(origin) => Key::Artifact(origin.address, origin.artifact.clone()),
            None => Key::Data(self.name(name)?, version.clone()),
        };
        Ok(Found { release, store: Arc::clone(&self.store), key })
    }

    async fn stage(&self, staging: &Staging, dry_run: bool) -> Result<Staged, ShelfError> {
        let release = &staging.release;
        let name = self.name(&release.name)?;
        let recorded = self.read(&release.name, &release.version).await?;
        if let Some(stands) = &recorded {
            self.expect_equal(staging, stands)?;
        }
        // A record that stands decides, but bytes that somebody removed since can be put again.
        let (key, bytes_sent) = match &staging.content {
            Content::File { path, measured } => {
                let key = Key::Data(name.clone(), release.version.clone());
                let (path, measured) = (path.clone(), *measured);
                let putting = Putting { store: &*self.store, observer: &self.observer, key, path, measured };
                let sent = self.put(staging, &putting, recorded.is_some(), dry_run).await?;
                (putting.key, sent)
            }
            Content::Object { key, .. } => (key.clone(), 0),
        };
        let present = recorded.is_some();
        if !present && !dry_run {
            self.record(&Key::Record(name, release.version.clone()), staging).await?;
        }
        let latest = self.latest(&release.name, false).await.ok();
        Ok(Staged { present, bytes_sent, url: self.store.url(&key), latest })
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

    /// Makes sure that what stands says the same as what is to be staged.
    fn expect_equal(&self, staging: &Staging, stands: &Release) -> Result<(), ShelfError> {
        let release = &staging.release;
        if release.version != stands.version {
            return Err(self.other_build(stands, &release.version, true));
        }
        let (there, here) = (stands.to_json(), release.to_json());
        let said = |json: &Value, key: &str| json.get(key).map_or_else(|| "nothing".to_owned(), Value::to_string);
        let difference = |key: &&str| format!("{key} is {} there and {} here", said(&there, key), said(&here, key));
        let mut differing = release.differences(stands);
        differing.retain(|key| staging.named || *key != "filename");
        let differences: Vec<String> = differing.iter().map(difference).collect();
        if differences.is_empty() { Ok(()) } else { Err(self.conflict(release, differences.join(", "))) }
    }

    /// Puts the bytes, and returns how many were sent.
    async fn put(
        &self,
        staging: &Staging,
        putting: &Putting<'_>,
        recorded: bool,
        dry_run: bool,
    ) -> Result<u64, ShelfError> {
        let (release, size) = (&staging.release, putting.measured.size);
        let failed = |error| match error {
            PutError::Put(source) => source.into(),
            PutError::Compare(source) => {
                let (name, version) = (release.name.clone(), release.version.clone());
                ShelfError::Compare { name, version, source: Box::new(source) }
            }
        };
        match putting.put(recorded || dry_run, dry_run).await.map_err(failed)? {
            Outcome::Uploaded => Ok(if dry_run { 0 } else { size }),
            Outcome::Present { sent, .. } => Ok(if sent { size } else { 0 }),
            Outcome::Conflict { stands } if recorded => {
                let problem = format!("it has the SHA-256 {stands}, and {} is recorded", putting.measured.sha256);
                Err(StoreError::Corrupt { key: putting.key.to_string(), problem }.into())
            }
            Outcome::Conflict { stands } => Err(self.conflict(
                release,
                format!(
                    "SHA-256 {stands} there, {} here; they were sent by a stage that has not recorded them",
                    putting.measured.sha256
                ),
            )),
        }
    }

    /// Writes the record, which decides: whoever comes second is held against it.
    async fn record(&self, key: &Key, staging: &Staging) -> Result<(), ShelfError> {
        let release = &staging.release;
        for _ in 0..TRIES {
            let content = store::Content::Bytes(Bytes::from(release.to_bytes()));
            match self.store.put(key, content, Attributes::default(), &Condition::Absent).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(stands) = self.read(&release.name, &release.version).await? {
                return self.expect_equal(staging, &stands);
            }
        }
        Err(StoreError::Precondition { key: key.to_string() }.into())
    }
}
