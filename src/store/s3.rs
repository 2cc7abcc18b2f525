//! A store in a bucket of S3, or of a service that speaks as S3 does.

mod ahead;
mod body;
mod bucket;
mod client;
mod copy;
mod document;
mod failed;
mod guarantees;
mod headers;
mod meter;
mod multipart;
mod parts;
mod pieces;
mod presigned;
mod read;
mod signed;
mod survey;
mod terms;
mod whole;
mod write;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Attributes, Body, Changed, Condition, Content, Guarantees, Key, Object, Prefix, Presigned, Put, Source, Store,
    StoreError, Tag, Validity,
};
use crate::address::Commit;
use crate::aws::Common;
use crate::metalogic::Listing;
use crate::organisation::Region;
use crate::parts::Parts;
use crate::registry::Terms;
use bucket::Bucket;
use pieces::Room;

pub use crate::aws::Reach;
pub use multipart::settle;
pub use survey::{Deed, Lifecycle, Rule, Survey, Uploads, Versioning};

/// Keeps objects in a bucket, below a prefix. What any other client puts there counts.
///
/// Region, credentials, endpoint, proxies and authorities are those of the settings of the AWS CLI. They are looked for when the first
/// request is made, so a store that nobody asks costs nothing.
#[derive(Clone)]
pub struct S3Store {
    bucket: Arc<Bucket>,
}

impl S3Store {
    /// Makes a store of a bucket and a prefix, which has no slashes at its ends and may be empty.
    ///
    /// The bucket is asked in `region`, whatever the settings say; where none is named, in theirs. A bucket that turns out to be elsewhere
    /// is followed all the same.
    #[must_use]
    pub fn new(bucket: &str, prefix: &str, region: Option<&Region>, terms: Terms, common: &Common) -> Self {
        Self { bucket: Arc::new(Bucket::new(bucket, prefix, region.cloned(), terms, common.clone())) }
    }

    /// Has large files move in such parts. It is said before the first request.
    #[must_use]
    pub fn in_parts(mut self, parts: Parts) -> Self {
        if let Some(bucket) = Arc::get_mut(&mut self.bucket) {
            (bucket.parts, bucket.room) = (parts, Room::of(parts));
            bucket.ahead = ahead::Room::of(parts);
        }
        self
    }

    /// Looks at the bucket itself: what its keepers have set up, as far as that may be asked.
    pub async fn survey(&self) -> Survey {
        survey::survey(&self.bucket).await
    }

    /// Makes a store whose service is reached as told, whatever the environment and the profiles of this machine say.
    ///
    /// No request is waited for longer than `timeout` without a byte having moved.
    #[must_use]
    pub fn reached(bucket: &str, prefix: &str, timeout: Duration, terms: Terms, reach: Reach) -> Self {
        Self::new(bucket, prefix, None, terms, &Common::reached(timeout, reach))
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Store").field(&self.root()).finish()
    }
}

#[async_trait]
impl Store for S3Store {
    fn url(&self, key: &Key) -> String {
        format!("{}/{key}", self.root())
    }

    fn root(&self) -> String {
        self.bucket.root()
    }

    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        read::list(&self.bucket, commit).await
    }

    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        read::keys(&self.bucket, prefix).await
    }

    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        document::get(&self.bucket, key, largest).await
    }

    async fn get_changed(&self, key: &Key, largest: u64, than: &Tag) -> Result<Changed, StoreError> {
        document::get_changed(&self.bucket, key, largest, than).await
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        read::open(&self.bucket, key, range).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        Ok(read::head(&self.bucket, key).await?.map(|(object, _)| object))
    }

    async fn put(
        &self,
        key: &Key,
        content: Content,
        attributes: Attributes,
        condition: &Condition,
    ) -> Result<Put, StoreError> {
        write::put(&self.bucket, key, content, attributes, condition).await
    }

    async fn copy(&self, from: &Key, to: &Key, original: Option<&Object>) -> Result<(), StoreError> {
        copy::copy(&self.bucket, from, to, original).await
    }

    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError> {
        copy::source(&self.bucket, key).await
    }

    async fn copy_from(&self, source: &Source, to: &Key, attributes: Attributes) -> Result<bool, StoreError> {
        copy::copy_from(&self.bucket, source, to, attributes).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        write::delete(&self.bucket, key).await
    }

    async fn presigned(&self, key: &Key, validity: Validity) -> Result<Option<Presigned>, StoreError> {
        presigned::presigned(&self.bucket, key, validity).await.map(Some)
    }

    fn expect(&self, requests: usize) {
        self.bucket.expect(requests);
    }

    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        guarantees::guarantees(&self.bucket).await
    }
}
