//! Staging: a file, or what a build published, becomes a release.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::artifact::Name;
use crate::files::MeasureError;
use crate::location::FileName;
use crate::metafile::Metafile;
use crate::release::{Origin, Release};
use crate::shelf::{Content, Staging};
use crate::store::{Key, Store, StoreError};
use crate::stored;
use crate::stored::Difference;
use crate::transfer;
use crate::version::{ReleaseName, Version};
use crate::world::World;

/// Says what a release is to be called, and what is to be recorded of it.
#[derive(Debug, Clone)]
pub struct Label {
    /// Its name.
    pub name: ReleaseName,
    /// Its version.
    pub version: Version,
    /// What the file is to be called; as it is called, where nobody says.
    pub filename: Option<FileName>,
    /// What is said of it.
    pub metadata: BTreeMap<String, String>,
    /// The time, in UTC as RFC 3339 writes it.
    pub at: String,
}

/// Says why nothing was staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The file is none that can be staged.
    #[error(transparent)]
    File(#[from] MeasureError),
    /// The file has a name that no other machine could give it.
    #[error("{} has no name that can be recorded", .0.display())]
    FileName(PathBuf),
    /// The commit's metafile resolves no artifact of this name.
    #[error("{artifact} is not resolved at {commit}")]
    Unresolved {
        /// The artifact.
        artifact: Name,
        /// The commit.
        commit: crate::address::Commit,
    },
    /// The metafile says where the artifact is, and it is not there.
    #[error("{artifact} is not at the address of {address}, where the metafile says it is")]
    Gone {
        /// The artifact.
        artifact: Name,
        /// The commit whose address should hold it.
        address: crate::address::Commit,
    },
    /// What the metafile records of the artifact is not what is recorded beside it.
    #[error("{artifact} at the address of {address} has {found}, and the metafile records {expected}")]
    Mismatch {
        /// The artifact.
        artifact: Name,
        /// The commit whose address holds it.
        address: crate::address::Commit,
        /// What is recorded beside it: a size or a digest.
        found: String,
        /// What the metafile records.
        expected: String,
    },
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the staging of a local file, which is read through once.
///
/// # Errors
/// [`StageError::File`] and [`StageError::FileName`].
pub async fn from_file(
    observer: &Arc<dyn crate::event::Observer>,
    label: Label,
    path: PathBuf,
) -> Result<Staging, StageError> {
    let measured = transfer::measure(observer, path.clone()).await?;
    let own = || {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).ok_or_else(|| StageError::FileName(path.clone()))
    };
    let named = label.filename.is_some();
    let filename = label.filename.clone().map_or_else(own, Ok)?;
    let release = Release {
        size: measured.size,
        sha256: Some(measured.sha256),
        mode: measured.mode,
        ..label.release(Some(filename), None)
    };
    Ok(Staging { release, named, content: Content::File { path, measured } })
}

/// Returns the staging of an artifact of a commit, which lies where the commit's metafile says. Its bytes are not read.
///
/// # Errors
/// [`StageError`], where it is not there or is not what was recorded.
pub async fn from_build(
    world: World<'_>,
    store: &Arc<dyn Store>,
    label: Label,
    metafile: &Metafile,
    artifact: Name,
) -> Result<Staging, StageError> {
    let commit = metafile.commit;
    let Some(&address) = metafile.artifacts.get(&artifact) else {
        return Err(StageError::Unresolved { artifact, commit });
    };
    let key = Key::Artifact(address, artifact.clone());
    let Some(object) = world.store.head(&key).await? else { return Err(StageError::Gone { artifact, address }) };
    let record = metafile.record(&artifact, address).cloned().unwrap_or_default();
    stored::hold(&record, &object).map_err(|Difference { found, expected }| StageError::Mismatch {
        artifact: artifact.clone(),
        address,
        found,
        expected,
    })?;
    let named = label.filename.is_some();
    let filename = label.filename.clone().or_else(|| artifact.as_str().parse().ok());
    let release = Release {
        size: object.size,
        sha256: record.sha256.or(object.attributes.sha256),
        mode: record.mode.or(object.attributes.mode),
        ..label.release(filename, Some(Origin { commit, address, artifact }))
    };
    Ok(Staging { release, named, content: Content::Object { store: Arc::clone(store), key } })
}

impl Label {
    fn release(self, filename: Option<FileName>, origin: Option<Origin>) -> Release {
        let Self { name, version, metadata, at, .. } = self;
        Release { name, version, size: 0, sha256: None, mode: None, filename, metadata, at: Some(at), origin }
    }
}
