//! Downloading a release to a local file, verified.

use std::path::PathBuf;
use std::sync::Arc;

use crate::arrival::{self, Arrival, ArrivalError, Arrived, Destination, Rules, UnfitName};
use crate::artifact::Digest;
use crate::event::Observer;
use crate::location::FileName;
use crate::shelf::Found;
use crate::version::{ReleaseName, Version};

/// Says what became of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// The file that has it now; none for standard output.
    pub target: Option<PathBuf>,
    /// Its size in bytes.
    pub size: u64,
    /// The digest that its bytes have, or, where they were not read, the recorded one.
    pub sha256: Option<Digest>,
    /// Whether a recorded digest confirmed the bytes.
    pub verified: bool,
    /// Whether the target had the same bytes already.
    pub present: bool,
}

/// Says why a release was not downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// It is to go to a directory, and nobody recorded what the file is called.
    #[error("{name} {version} has no recorded file name")]
    Nameless {
        /// Its name.
        name: ReleaseName,
        /// Its version.
        version: Version,
    },
    /// It is to go to a directory, and no directory of this machine gets a file of the recorded name.
    #[error("{:?} is recorded as the file's name, and no directory gets such a file", name.to_string())]
    Unfit {
        /// The recorded name.
        name: FileName,
        /// Why.
        source: UnfitName,
    },
    /// It did not arrive.
    #[error(transparent)]
    Arrival(#[from] ArrivalError),
}

/// Downloads a release. With `dry_run` nothing is read or written but the local target's digest.
///
/// # Errors
/// [`DownloadError`].
pub async fn download(
    observer: &Arc<dyn Observer>,
    found: &Found,
    destination: &Destination,
    dry_run: bool,
) -> Result<Downloaded, DownloadError> {
    let release = &found.release;
    let target = match destination {
        Destination::Directory(directory) => {
            let name = release.filename.as_ref().ok_or_else(|| DownloadError::Nameless {
                name: release.name.clone(),
                version: release.version.clone(),
            })?;
            let target = arrival::within(directory, name, Rules::OWN)
                .map_err(|source| DownloadError::Unfit { name: name.clone(), source })?;
            if !dry_run {
                arrival::make_directory(directory)?;
            }
            Some(target)
        }
        Destination::File(file) => Some(file.clone()),
        Destination::StandardOutput => None,
    };
    let arrival = Arrival {
        store: &*found.store,
        key: found.key.clone(),
        what: format!("{} {}", release.name, release.version),
        observer,
        size: Some(release.size),
        sha256: release.sha256,
        mode: release.mode,
    };
    let present = match &target {
        Some(target) => arrival.is_at(target).await?,
        None => false,
    };
    let (size, sha256) = (release.size, release.sha256);
    if present || dry_run {
        return Ok(Downloaded { target, size, sha256, verified: present, present });
    }
    let Arrived { size, sha256, verified } = arrival.receive(target.as_deref()).await?;
    // A digest that lies beside the bytes alone is that of whoever put them there last.
    let verified = verified && release.sha256.is_some();
    Ok(Downloaded { target, size, sha256: Some(sha256), verified, present: false })
}
