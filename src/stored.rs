//! Metafiles as they lie in a store: read with their tag, written on a condition.

use bytes::Bytes;

use crate::address::Commit;
use crate::artifact::Digest;
use crate::metafile::{self, Metafile, MetafileError, Record};
use crate::metalogic::Listing;
use crate::store::{Attributes, Condition, Content, Key, Object, Store, StoreError, Tag};

/// Holds what lies under a metafile's key.
#[derive(Debug)]
pub struct StoredMetafile {
    /// The bytes; empty where they are too many to be read.
    pub bytes: Bytes,
    /// The tag of this version.
    pub tag: Tag,
    /// The metafile that the bytes hold, or why they hold none.
    pub metafile: Result<Metafile, MetafileError>,
}

/// Reads the metafile of a commit; none where there is none.
///
/// # Errors
/// Only the store's own: a malformed metafile is an answer, since every reader does something else about it.
pub async fn read(store: &dyn Store, commit: Commit) -> Result<Option<StoredMetafile>, StoreError> {
    match store.get(&Key::Metafile(commit), metafile::LARGEST).await {
        Ok(None) => Ok(None),
        Ok(Some((bytes, tag))) => {
            // One that could not be written again as it must be encoded is as good as too large: it would block whoever inherits it.
            let metafile = Metafile::parse(&bytes, commit).and_then(|read| read.to_bytes().map(|_| read));
            Ok(Some(StoredMetafile { bytes, tag, metafile }))
        }
        Err(StoreError::TooLarge { size, tag, .. }) => {
            Ok(Some(StoredMetafile { bytes: Bytes::new(), tag, metafile: Err(MetafileError::TooLarge(size)) }))
        }
        Err(error) => Err(error),
    }
}

/// Writes a metafile's bytes, if its key is in the state that the condition says; says whether it was.
///
/// # Errors
/// The store's own, but for a condition that does not hold.
pub async fn write(
    store: &dyn Store,
    commit: Commit,
    bytes: Vec<u8>,
    condition: &Condition,
) -> Result<bool, StoreError> {
    let content = Content::Bytes(Bytes::from(bytes));
    match store.put(&Key::Metafile(commit), content, Attributes::default(), condition).await {
        Ok(_) => Ok(true),
        Err(StoreError::Precondition { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says where an object is not what a metafile records of it, as far as can be told without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it has {found}, and the metafile records {expected}")]
pub struct Difference {
    /// What the object has: a size, or a digest that is recorded beside it.
    pub found: String,
    /// What the metafile records.
    pub expected: String,
}

/// Holds an object against what a metafile records of it.
///
/// # Errors
/// [`Difference`].
pub fn hold(record: &Record, object: &Object) -> Result<(), Difference> {
    if let Some(size) = record.size.filter(|size| *size != object.size) {
        let bytes = |size: u64| format!("{size} bytes");
        return Err(Difference { found: bytes(object.size), expected: bytes(size) });
    }
    match object.attributes.sha256.zip(record.sha256) {
        Some((beside, recorded)) if beside != recorded => {
            let digest = |digest: Digest| format!("the SHA-256 {digest}");
            Err(Difference { found: digest(beside), expected: digest(recorded) })
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns a metafile that says of its commit's own address what stands there now.
#[must_use]
pub fn standing(mut metafile: Metafile, listing: &Listing) -> Metafile {
    let commit = metafile.commit;
    metafile.artifacts.retain(|name, from| *from != commit || listing.artifacts.contains_key(name));
    for (name, size) in &listing.artifacts {
        let is_known = metafile.artifacts.insert(name.clone(), commit) == Some(commit);
        let record = metafile.details.entry(name.clone()).or_default();
        // What has another size than the address showed, or another address, is a record of other bytes.
        if !is_known || record.size.is_some_and(|recorded| recorded != *size) {
            *record = Record::default();
        }
        record.size = Some(*size);
    }
    metafile
}
