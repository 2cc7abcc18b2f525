//! What is written at once.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::Bytes;

use super::bucket::{Bucket, TRIES};
use super::headers::{self, Headers};
use super::meter::{Meter, Metered};
use super::parts::File;
use super::signed::Signed;
use super::{multipart, pieces, terms};
use crate::artifact::Digest;
use crate::aws::pause;
use crate::store::{Attributes, Condition, Content, Key, Put, StoreError};

/// Puts an object.
pub(super) async fn put(
    bucket: &Arc<Bucket>,
    key: &Key,
    content: Content,
    attributes: Attributes,
    condition: &Condition,
) -> Result<Put, StoreError> {
    match content {
        Content::Bytes(bytes) => {
            let sha256 = Digest::of(&bytes);
            whole(bucket, key, &bytes, sha256, attributes, condition, &Arc::default()).await
        }
        Content::File(upload) if upload.size > multipart::part_size(bucket.parts, upload.size) => {
            let (tag, sha256) = multipart::write(bucket, key, &File::new(&upload), attributes, condition).await?;
            Ok(Put { tag, sha256 })
        }
        Content::File(upload) => {
            let (piece, sha256) = pieces::only(&bucket.room, &upload).await?;
            let found = upload.sha256.is_none().then_some(sha256);
            let attributes = Attributes { sha256: attributes.sha256.or(found), ..attributes };
            let meter = Arc::new(Meter::new(upload.progress));
            whole(bucket, key, &piece.bytes, sha256, attributes, condition, &meter).await
        }
    }
}

/// Puts an object whose bytes are in memory. Their digest is what the request is signed by and what the service holds them against, so that
/// they are hashed once.
pub(super) async fn whole(
    bucket: &Bucket,
    key: &Key,
    bytes: &Bytes,
    sha256: Digest,
    attributes: Attributes,
    condition: &Condition,
    meter: &Arc<Meter>,
) -> Result<Put, StoreError> {
    let object = bucket.object(key);
    let Headers { content_type, cache_control } = headers::headers(key);
    let (absent, tag) = headers::preconditions(condition);
    let (encryption, kms_key) = terms::encryption(&bucket.terms);
    let checksum = aws_smithy_types::base64::encode(sha256.as_bytes());
    let send = |client: Client| {
        let mut put = client.put_object().bucket(&bucket.name).key(&object).body(bytes.clone().into());
        for (name, value) in headers::metadata(attributes) {
            put = put.metadata(name, value);
        }
        // Some services pass over a value whose algorithm is not named.
        let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_sha256(&checksum);
        let put = put.set_server_side_encryption(encryption.clone()).set_ssekms_key_id(kms_key.clone());
        let put = put.set_storage_class(terms::class(&bucket.terms, key));
        let put = put.set_content_type(content_type.clone()).cache_control(cache_control);
        let put = put.set_if_none_match(absent.clone()).set_if_match(tag.clone());
        let metered = Metered { bytes: bytes.clone(), meter: Arc::clone(meter) };
        put.customize().interceptor(Signed(sha256)).interceptor(metered).send()
    };
    for attempt in 1..=TRIES {
        meter.rewind();
        let failed = match bucket.ask_with(meter, send).await {
            Ok(answer) => {
                meter.reach(bytes.len() as u64);
                return headers::tag_of(bucket, key, answer.e_tag).map(|tag| Put { tag, sha256 });
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
