//! Small objects, which are read whole.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::body::Reading;
use super::bucket::Bucket;
use super::read::{Beginning, Wanted, begin};
use crate::store::{Changed, Key, Object, StoreError, Tag};

/// Reads a small object whole.
pub(super) async fn get(bucket: &Arc<Bucket>, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
    match begin(bucket, key, None, Wanted::Any).await {
        Ok(Some(begun)) => whole(key, begun, largest).await.map(Some),
        Ok(None) => Ok(None),
        Err(beginning) => Err(beginning.of_whole(key)),
    }
}

/// Reads a small object whole, unless it is still this version.
pub(super) async fn get_changed(
    bucket: &Arc<Bucket>,
    key: &Key,
    largest: u64,
    than: &Tag,
) -> Result<Changed, StoreError> {
    match begin(bucket, key, None, Wanted::Another(than)).await {
        Err(Beginning::Unchanged) => Ok(Changed::Unchanged),
        // A service that does not heed the condition gives the object anew.
        Ok(Some((_, reading))) if reading.tag() == *than => Ok(Changed::Unchanged),
        Ok(Some(begun)) => whole(key, begun, largest).await.map(|(bytes, tag)| Changed::Here(bytes, tag)),
        Ok(None) => Ok(Changed::Gone),
        Err(beginning) => Err(beginning.of_whole(key)),
    }
}

/// Reads all of an object that is being read.
async fn whole(key: &Key, (object, mut reading): (Object, Reading), largest: u64) -> Result<(Bytes, Tag), StoreError> {
    let tag = reading.tag();
    if object.size > largest {
        return Err(StoreError::TooLarge { key: key.to_string(), size: object.size, largest, tag });
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = reading.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes.freeze(), tag))
}
