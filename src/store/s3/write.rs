//! What is written at once.

use std::sync::Arc;

use aws_sdk_s3::Client;
use bytes::Bytes;
use futures::{StreamExt as _, pin_mut};

use super::bucket::{Bucket, TRIES};
use super::headers::{self, Headers};
use super::meter::{Meter, Metered};
use super::multipart;
use super::parts::File;
use super::pieces::{self, Piece};
use super::terms;
use crate::aws::pause;
use crate::store::{Attributes, Condition, Content, Key, StoreError, Tag, Upload};

/// How many bytes are put at once; what is larger goes up in parts of so many. Services take no smaller parts than of 5 MiB.
const PART: u64 = 8 << 20;

/// Puts an object.
pub(super) async fn put(
    bucket: &Arc<Bucket>,
    key: &Key,
    content: Content,
    attributes: Attributes,
    condition: &Condition,
) -> Result<Tag, StoreError> {
    match content {
        Content::Bytes(bytes) => whole(bucket, key, &bytes, attributes, condition, &Arc::default()).await,
        Content::File(upload) if upload.size > PART => {
            multipart::write(bucket, key, &File::new(&upload, PART), attributes, condition).await
        }
        Content::File(upload) => {
            let piece = only_piece(bucket, &upload).await?;
            let bytes = piece.as_ref().map(|piece| piece.bytes.clone()).unwrap_or_default();
            let meter = Arc::new(Meter::new(upload.progress));
            whole(bucket, key, &bytes, attributes, condition, &meter).await
        }
    }
}

/// Reads a file of one piece at most; none where it is empty. What comes back is what the upload promises.
async fn only_piece(bucket: &Bucket, upload: &Upload) -> Result<Option<Piece>, StoreError> {
    let pieces = pieces::read(&bucket.room, upload, PART);
    pin_mut!(pieces);
    let first = pieces.next().await.transpose()?;
    match pieces.next().await.transpose()? {
        None => Ok(first),
        Some(_) => Err(StoreError::SourceChanged { path: upload.path.clone() }),
    }
}

/// Puts an object whose bytes are in memory.
pub(super) async fn whole(
    bucket: &Bucket,
    key: &Key,
    bytes: &Bytes,
    attributes: Attributes,
    condition: &Condition,
    meter: &Arc<Meter>,
) -> Result<Tag, StoreError> {
    let object = bucket.object(key);
    let Headers { content_type, cache_control } = headers::headers(key);
    let (absent, tag) = headers::preconditions(condition);
    let (encryption, kms_key) = terms::encryption(&bucket.terms);
    let send = |client: Client| {
        let mut put = client.put_object().bucket(&bucket.name).key(&object).body(bytes.clone().into());
        for (name, value) in headers::metadata(attributes) {
            put = put.metadata(name, value);
        }
        let put = put.set_server_side_encryption(encryption.clone()).set_ssekms_key_id(kms_key.clone());
        let put = put.set_storage_class(terms::class(&bucket.terms, key));
        let put = put.set_content_type(content_type.clone()).cache_control(cache_control);
        let put = put.set_if_none_match(absent.clone()).set_if_match(tag.clone());
        put.customize().interceptor(Metered { bytes: bytes.clone(), meter: Arc::clone(meter) }).send()
    };
    for attempt in 1..=TRIES {
        meter.rewind();
        let failed = match bucket.ask_with(meter, send).await {
            Ok(answer) => {
                meter.reach(bytes.len() as u64);
                return headers::tag_of(bucket, key, answer.e_tag);
            }
            Err(failed) => failed,
        };
        let failed = headers::judge(bucket, key, condition, failed).await?;
        if attempt == TRIES {
            return Err(bucket.error(&key.to_string(), failed));
        }
        pause(attempt).await;
    }
    Err(StoreError::Precondition { key: key.to_string() })
}

/// Deletes an object.
pub(super) async fn delete(bucket: &Bucket, key: &Key) -> Result<(), StoreError> {
    let object = bucket.object(key);
    match bucket.ask(|client| client.delete_object().bucket(&bucket.name).key(&object).send()).await {
        Ok(_) => Ok(()),
        Err(failed) if failed.is_missing() => Ok(()),
        Err(failed) => Err(bucket.error(&key.to_string(), failed.of_deleting())),
    }
}
