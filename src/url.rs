//! The URL of an artifact of a commit, for whoever has nothing but that.

use crate::address::Commit;
use crate::artifact::{Digest, Name};
use crate::metafile::Metafile;
use crate::moment::Moment;
use crate::store::{Ending, Key, Store, StoreError, Validity};
use crate::stored::{self, Difference};

/// Holds the URL of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The commit whose address holds the artifact.
    pub at: Commit,
    /// The URL.
    pub url: String,
    /// When it ends, and why; none for a URL that needs no signature and does not end.
    pub ends: Option<(Moment, Ending)>,
    /// The artifact's size in bytes.
    pub size: u64,
    /// The digest that is recorded of it.
    pub sha256: Option<Digest>,
}

/// Says why there is no URL.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The metafile resolves no artifact of this name.
    #[error("{name} is not resolved at {commit}")]
    Unresolved {
        /// The artifact.
        name: Name,
        /// The commit whose metafile it is.
        commit: Commit,
    },
    /// The metafile says where the artifact is, and it is not there.
    #[error("{name} is not at the address of {at}, where the metafile says it is")]
    Gone {
        /// The artifact.
        name: Name,
        /// The commit whose address should hold it.
        at: Commit,
    },
    /// Something else is there.
    #[error("{name} at the address of {at} is not what was published")]
    Other {
        /// The artifact.
        name: Name,
        /// The commit whose address holds it.
        at: Commit,
        /// What is another.
        source: Difference,
    },
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the URL of an artifact where a metafile says it is. It is looked at first: the URL of nothing is of no use to anybody.
///
/// # Errors
/// [`UrlError`].
pub async fn url(store: &dyn Store, metafile: &Metafile, name: &Name, validity: Validity) -> Result<Link, UrlError> {
    let Some(&at) = metafile.artifacts.get(name) else {
        return Err(UrlError::Unresolved { name: name.clone(), commit: metafile.commit });
    };
    let key = Key::Artifact(at, name.clone());
    let object = store.head(&key).await?.ok_or_else(|| UrlError::Gone { name: name.clone(), at })?;
    let record = metafile.details.get(name).cloned().unwrap_or_default();
    stored::hold(&record, &object).map_err(|source| UrlError::Other { name: name.clone(), at, source })?;
    let sha256 = record.sha256.or(object.attributes.sha256);
    let (url, ends) = match store.presigned(&key, validity).await? {
        Some(signed) => (signed.url, Some((signed.until, signed.ending))),
        None => (store.url(&key), None),
    };
    Ok(Link { at, url, ends, size: object.size, sha256 })
}
