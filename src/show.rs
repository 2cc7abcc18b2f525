//! Showing the metafile of a commit as it is stored.

use bytes::Bytes;

use crate::address::Commit;
use crate::metafile::{Metafile, MetafileError};
use crate::store::{Key, Store, StoreError};
use crate::stored;

/// Holds a stored metafile.
#[derive(Debug)]
pub struct Shown {
    /// Its bytes as they are stored.
    pub bytes: Bytes,
    /// What they say.
    pub metafile: Metafile,
    /// Where it lies.
    pub url: String,
}

/// Says why a stored metafile cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is no metafile of that commit.
    #[error("{url} is malformed")]
    Malformed {
        /// Where it lies.
        url: String,
        /// What is wrong with it.
        source: MetafileError,
    },
}

/// Returns the stored metafile of a commit; none where none is stored.
///
/// # Errors
/// [`ShowError`].
pub async fn show(store: &dyn Store, commit: Commit) -> Result<Option<Shown>, ShowError> {
    let Some(stored) = stored::read(store, commit).await? else { return Ok(None) };
    let url = store.url(&Key::Metafile(commit));
    match stored.metafile {
        Ok(metafile) => Ok(Some(Shown { bytes: stored.bytes, metafile, url })),
        Err(source) => Err(ShowError::Malformed { url, source }),
    }
}
