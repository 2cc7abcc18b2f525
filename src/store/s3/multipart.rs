//! Objects that go up in parts, and that are there whole or not at all.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::bucket::{Bucket, TRIES};
use super::failed::Failed;
use super::headers::{self, Headers};
use super::terms;
use crate::aws::pause;
use crate::parts::Parts;
use crate::store::{Attributes, Condition, Key, StoreError, Tag};

/// How many parts an upload may have.
pub(super) const PARTS: u64 = 10_000;

/// How many bytes a part has where nobody says it; what is no larger is put at once.
pub(super) const PART: u64 = 8 << 20;

/// How many parts of one object are under way at once.
pub(super) const ABREAST: usize = 4;

/// Returns how many bytes the parts of an object of so many have: more than they were to, where it would have too many.
pub(super) fn part_size(parts: Parts, size: u64) -> u64 {
    parts.size.unwrap_or(PART).max(size.div_ceil(PARTS).next_multiple_of(1 << 20))
}

/// How long whoever failed to write waits for the upload to be put away: a service that is down says no more to that.
const ABORT: Duration = Duration::from_secs(2);

/// How many uploads of this process are neither completed nor put away.
static OPEN: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Waits until every upload of this process is completed or put away: what a process does before it ends.
pub async fn settle() {
    // The sender is never dropped, so there is no error to tell.
    drop(OPEN.subscribe().wait_for(|uploads| *uploads == 0).await);
}

/// Says where the bytes of the parts come from.
pub(super) trait Origin: Sync {
    /// What is known of the whole when all parts were sent.
    type Learned;

    /// Sends all parts of an upload that is begun.
    fn send(
        &self,
        bucket: &Bucket,
        begun: &Begun,
    ) -> impl Future<Output = Result<(Vec<CompletedPart>, Self::Learned), Trouble>> + Send;
}

/// Says why parts did not go up.
pub(super) enum Trouble {
    /// For a reason that a new upload would meet again.
    Store(StoreError),
    /// The service said so.
    Failed(Failed),
}

/// Writes an object in parts.
pub(super) async fn write<O: Origin>(
    bucket: &Arc<Bucket>,
    key: &Key,
    origin: &O,
    attributes: Attributes,
    condition: &Condition,
) -> Result<(Tag, O::Learned), StoreError> {
    for attempt in 1..=TRIES {
        let mut begun = Begun::begin(bucket, key, attributes).await?;
        let trouble = match origin.send(bucket, &begun).await {
            Ok((parts, learned)) => match complete(bucket, &begun, parts, condition).await {
                Ok(tag) => {
                    begun.open = None;
                    return headers::tag_of(bucket, key, tag).map(|tag| (tag, learned));
                }
                Err(failed) => Trouble::Failed(failed),
            },
            Err(trouble) => trouble,
        };
        // A refused completion spoils the upload: a new one begins with its first part.
        begun.end().await;
        let failed = match trouble {
            Trouble::Store(error) => return Err(error),
            Trouble::Failed(failed) => headers::judge(bucket, key, condition, failed).await?,
        };
        if attempt == TRIES {
            return Err(bucket.error(&key.to_string(), failed));
        }
        pause(attempt).await;
    }
    Err(StoreError::Precondition { key: key.to_string() })
}

async fn complete(
    bucket: &Bucket,
    begun: &Begun,
    mut parts: Vec<CompletedPart>,
    condition: &Condition,
) -> Result<Option<String>, Failed> {
    parts.sort_by_key(CompletedPart::part_number);
    let (absent, tag) = headers::preconditions(condition);
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let ask = |client: Client| {
        let complete = client.complete_multipart_upload().bucket(&bucket.name).key(&begun.object).upload_id(&begun.id);
        let complete = complete.set_if_none_match(absent.clone()).set_if_match(tag.clone());
        complete.multipart_upload(parts.clone()).send()
    };
    Ok(bucket.ask(ask).await?.e_tag)
}

/// Names a part to complete an upload with.
pub(super) fn part(number: i32, tag: Option<String>) -> Result<CompletedPart, Trouble> {
    let failed = || Failed::without_answer("the store answers a part without an ETag".to_owned());
    let tag = tag.ok_or_else(|| Trouble::Failed(failed()))?;
    Ok(CompletedPart::builder().part_number(number).e_tag(tag).build())
}

/// Holds an upload that is begun. Unless it is completed, it is put away, whatever becomes of whoever sends the parts: its parts would
/// be paid for and never be seen.
pub(super) struct Begun {
    bucket: Arc<Bucket>,
    pub(super) object: String,
    pub(super) id: String,
    open: Option<Open>,
}

impl Begun {
    async fn begin(bucket: &Arc<Bucket>, key: &Key, attributes: Attributes) -> Result<Self, StoreError> {
        let (bucket, key) = (Arc::clone(bucket), key.clone());
        // It goes on where nobody waits for it any more, since an upload whose id nobody learns could not be put away.
        let beginning = tokio::spawn(async move { Self::create(&bucket, &key, attributes).await });
        beginning
            .await
            .unwrap_or_else(|error| Err(StoreError::Other { key: "the upload".to_owned(), source: Box::new(error) }))
    }

    async fn create(bucket: &Arc<Bucket>, key: &Key, attributes: Attributes) -> Result<Self, StoreError> {
        let open = Open::new();
        let object = bucket.object(key);
        let Headers { content_type, cache_control } = headers::headers(key);
        let (encryption, kms_key) = terms::encryption(&bucket.terms);
        let ask = |client: Client| {
            let mut create = client.create_multipart_upload().bucket(&bucket.name).key(&object);
            for (name, value) in headers::metadata(attributes) {
                create = create.metadata(name, value);
            }
            let create = create.set_server_side_encryption(encryption.clone()).set_ssekms_key_id(kms_key.clone());
            let create = create.set_storage_class(terms::class(&bucket.terms, key));
            create.set_content_type(content_type.clone()).cache_control(cache_control).send()
        };
        let answer =
            bucket.ask(ask).await.map_err(|failed| bucket.error(&key.to_string(), failed.of_writing(false)))?;
        let failed = || Failed::without_answer("the store begins an upload without an id".to_owned());
        let id = answer.upload_id.ok_or_else(|| bucket.error(&key.to_string(), failed()))?;
        Ok(Self { bucket: Arc::clone(bucket), object, id, open: Some(open) })
    }

    /// Puts the upload away.
    async fn end(mut self) {
        if let Some(ending) = self.abort() {
            // It tries for itself and has nothing to tell.
            drop(ending.await);
        }
    }

    /// Lets a task put the upload away, so that it is done even where nobody waits.
    fn abort(&mut self) -> Option<JoinHandle<()>> {
        let open = self.open.take()?;
        let (bucket, object, id) = (Arc::clone(&self.bucket), self.object.clone(), self.id.clone());
        let abort = async move {
            let ask = |client: Client| {
                client.abort_multipart_upload().bucket(&bucket.name).key(&object).upload_id(&id).send()
            };
            // The SDK has tried again already; what is left then is for the bucket's lifecycle rule.
            drop(tokio::time::timeout(ABORT, bucket.ask(ask)).await);
            drop(open);
        };
        Some(Handle::try_current().ok()?.spawn(abort))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        drop(self.abort());
    }
}

/// Counts an upload as open while it lives.
struct Open;

impl Open {
    fn new() -> Self {
        OPEN.send_modify(|uploads| *uploads += 1);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.send_modify(|uploads| *uploads = uploads.saturating_sub(1));
    }
}
