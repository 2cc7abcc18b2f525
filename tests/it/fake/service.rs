//! The operations of S3 that a store needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures::StreamExt as _;
use hyper::HeaderMap;
use hyper::header::ETAG;
use s3s::checksum::ChecksumHasher;
use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};

use super::shelf::{Expected, Shelf, Stored, Upload};
use super::{BUCKET, REGION};

/// How many names a page of a listing has.
const PAGE: usize = 2;

pub struct Service {
    pub shelf: Arc<Mutex<Shelf>>,
}

impl Service {
    fn shelf(&self, bucket: &str) -> S3Result<MutexGuard<'_, Shelf>> {
        if bucket != BUCKET {
            return Err(s3_error!(NoSuchBucket));
        }
        Ok(self.shelf.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn strong(tag: &str) -> Option<ETag> {
    Some(ETag::Strong(tag.to_owned()))
}

fn answer<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

/// Answers 304, which has the tag and never a body.
fn unchanged(etag: &str) -> S3Error {
    let mut error = s3_error!(NotModified);
    error.set_headers(HeaderMap::from_iter([(ETAG, format!("\"{etag}\"").parse().unwrap())]));
    error
}

/// Reads a body whole, which must have the length and the checksums that were told.
async fn receive(body: Option<StreamingBlob>, length: Option<i64>, told: &Checksum) -> S3Result<Bytes> {
    let mut bytes = Vec::new();
    if let Some(mut body) = body {
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.map_err(|_| s3_error!(IncompleteBody))?);
        }
    }
    if length.is_some_and(|length| length != bytes.len() as i64) {
        return Err(s3_error!(IncompleteBody));
    }
    let mut hasher = ChecksumHasher {
        crc32: told.checksum_crc32.as_ref().map(|_| s3s::crypto::Checksum::new()),
        crc32c: told.checksum_crc32c.as_ref().map(|_| s3s::crypto::Checksum::new()),
        crc64nvme: told.checksum_crc64nvme.as_ref().map(|_| s3s::crypto::Checksum::new()),
        sha1: told.checksum_sha1.as_ref().map(|_| s3s::crypto::Checksum::new()),
        sha256: told.checksum_sha256.as_ref().map(|_| s3s::crypto::Checksum::new()),
    };
    hasher.update(&bytes);
    let has = hasher.finalize();
    let same = has.checksum_crc32 == told.checksum_crc32
        && has.checksum_crc32c == told.checksum_crc32c
        && has.checksum_crc64nvme == told.checksum_crc64nvme
        && has.checksum_sha1 == told.checksum_sha1
        && has.checksum_sha256 == told.checksum_sha256;
    // A body without any checksum is one that nobody can vouch for.
    let vouched = bytes.is_empty() || *told != Checksum::default();
    if same && vouched { Ok(bytes.into()) } else { Err(s3_error!(BadDigest)) }
}

macro_rules! told {
    ($input:expr) => {
        Checksum {
            checksum_crc32: $input.checksum_crc32.clone(),
            checksum_crc32c: $input.checksum_crc32c.clone(),
            checksum_crc64nvme: $input.checksum_crc64nvme.clone(),
            checksum_sha1: $input.checksum_sha1.clone(),
            checksum_sha256: $input.checksum_sha256.clone(),
            ..Checksum::default()
        }
    };
}

fn metadata(told: Option<Metadata>) -> BTreeMap<String, String> {
    told.unwrap_or_default().into_iter().collect()
}

fn crc32(bytes: &[u8]) -> Option<String> {
    let mut hasher = ChecksumHasher { crc32: Some(s3s::crypto::Checksum::new()), ..ChecksumHasher::default() };
    hasher.update(bytes);
    hasher.finalize().checksum_crc32
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let told = told!(req.input);
        let PutObjectInput { bucket, key, body, content_length, metadata: told_metadata, .. } = req.input;
        let bytes = receive(body, content_length, &told).await?;
        let mut shelf = self.shelf(&bucket)?;
        shelf.admit(&key, &Expected { if_match: req.input.if_match, if_none_match: req.input.if_none_match })?;
        let stored = Stored {
            bytes,
            etag: String::new(),
            metadata: metadata(told_metadata),
            content_type: req.input.content_type.map(|value| value.to_string()),
            cache_control: req.input.cache_control,
        };
        let etag = shelf.place(&key, stored);
        answer(PutObjectOutput { e_tag: strong(&etag), ..Default::default() })
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, range, if_match, if_none_match, checksum_mode, .. } = req.input;
        let shelf = self.shelf(&bucket)?;
        let (range, knows_ranges) = (range.filter(|_| !shelf.setup.whole_for_part), !shelf.setup.whole_for_part);
        let if_none_match = if_none_match.filter(|_| !shelf.setup.always_anew);
        let stored = shelf.objects.get(&key).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        drop(shelf);
        if let Some(ETagCondition::ETag(tag)) = if_match
            && tag.value() != stored.etag
        {
            return Err(s3_error!(PreconditionFailed));
        }
        if let Some(ETagCondition::ETag(tag)) = if_none_match
            && tag.value() == stored.etag
        {
            return Err(unchanged(&stored.etag));
        }
        let size = stored.bytes.len();
        let mut output = GetObjectOutput {
            e_tag: strong(&stored.etag),
            metadata: Some(stored.metadata.into_iter().collect()),
            cache_control: stored.cache_control,
            accept_ranges: knows_ranges.then(|| "bytes".to_owned()),
            ..Default::default()
        };
        let bytes = match range {
            None => {
                output.checksum_crc32 = checksum_mode.and_then(|_| crc32(&stored.bytes));
                stored.bytes
            }
            Some(range) => {
                let range = range.check(size as u64).map_err(|_| s3_error!(InvalidRange))?;
                output.content_range = Some(format!("bytes {}-{}/{size}", range.start, range.end - 1));
                stored.bytes.slice(range.start as usize..range.end as usize)
            }
        };
        output.content_length = Some(bytes.len() as i64);
        let pieces: Vec<_> =
            bytes.chunks(10_007).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        output.body = Some(StreamingBlob::wrap(futures::stream::iter(pieces)));
        answer(output)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let HeadObjectInput { bucket, key, .. } = req.input;
        let stored = self.shelf(&bucket)?.objects.get(&key).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        answer(HeadObjectOutput {
            content_length: Some(stored.bytes.len() as i64),
            e_tag: strong(&stored.etag),
            metadata: Some(stored.metadata.into_iter().collect()),
            ..Default::default()
        })
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.shelf(&req.input.bucket)?.objects.remove(&req.input.key);
        answer(DeleteObjectOutput::default())
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let ListObjectsV2Input { bucket, prefix, delimiter, continuation_token, .. } = req.input;
        let (prefix, delimiter) = (prefix.unwrap_or_default(), delimiter.unwrap_or_default());
        let shelf = self.shelf(&bucket)?;
        let mut entries: BTreeMap<String, Option<&Stored>> = BTreeMap::new();
        for (key, stored) in shelf.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            let rest = &key[prefix.len()..];
            match rest.find(&delimiter).filter(|_| !delimiter.is_empty()) {
                Some(at) => entries.insert(format!("{prefix}{}", &rest[..at + delimiter.len()]), None),
                None => entries.insert(key.clone(), Some(stored)),
            };
        }
        let after = continuation_token.as_deref().map(|token| token.strip_prefix("after ").unwrap());
        let rest: Vec<_> = entries.iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after)).collect();
        let page = &rest[..PAGE.min(rest.len())];
        let truncated = rest.len() > PAGE;
        let object = |(name, stored): &(&String, &Option<&Stored>)| {
            stored.map(|stored| Object {
                key: Some((*name).clone()),
                size: Some(stored.bytes.len() as i64),
                e_tag: strong(&stored.etag),
                ..Default::default()
            })
        };
        let folder = |(name, stored): &(&String, &Option<&Stored>)| {
            stored.is_none().then(|| CommonPrefix { prefix: Some((*name).clone()) })
        };
        answer(ListObjectsV2Output {
            contents: Some(page.iter().filter_map(object).collect()),
            common_prefixes: Some(page.iter().filter_map(folder).collect()),
            is_truncated: Some(truncated),
            next_continuation_token: page.last().filter(|_| truncated).map(|(name, _)| format!("after {name}")),
            key_count: Some(page.len() as i32),
            ..Default::default()
        })
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut shelf = self.shelf(&req.input.bucket)?;
        let id = shelf.tag();
        let draft = Stored {
            metadata: metadata(req.input.metadata),
            content_type: req.input.content_type.map(|value| value.to_string()),
            cache_control: req.input.cache_control,
            ..Stored::default()
        };
        let upload = Upload {
            key: req.input.key,
            draft,
            parts: BTreeMap::new(),
            spoiled: false,
            begun: SystemTime::now().into(),
        };
        shelf.uploads.insert(id.clone(), upload);
        shelf.begun += 1;
        answer(CreateMultipartUploadOutput { upload_id: Some(id), ..Default::default() })
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let told = told!(req.input);
        let UploadPartInput { bucket, key, body, content_length, part_number, upload_id, .. } = req.input;
        let bytes = receive(body, content_length, &told).await?;
        let mut shelf = self.shelf(&bucket)?;
        let etag = shelf.tag();
        shelf.upload(&upload_id, &key)?.parts.insert(part_number, (bytes, etag.clone()));
        answer(UploadPartOutput { e_tag: strong(&etag), checksum_crc32: told.checksum_crc32, ..Default::default() })
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let UploadPartCopyInput { bucket, key, copy_source, copy_source_range, part_number, upload_id, .. } = req.input;
        let CopySource::Bucket { bucket: source_bucket, key: source, .. } = copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        if *source_bucket != *BUCKET {
            return Err(s3_error!(NoSuchBucket));
        }
        let mut shelf = self.shelf(&bucket)?;
        let stored = shelf.objects.get(&*source).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        if let Some(ETagCondition::ETag(tag)) = req.input.copy_source_if_match
            && tag.value() != stored.etag
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let bytes = match copy_source_range {
            None => stored.bytes,
            Some(range) => {
                let bounds = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap();
                let (first, last): (usize, usize) = (bounds.0.parse().unwrap(), bounds.1.parse().unwrap());
                if first > last || last >= stored.bytes.len() {
                    return Err(s3_error!(InvalidRange));
                }
                stored.bytes.slice(first..=last)
            }
        };
        let etag = shelf.tag();
        shelf.upload(&upload_id, &key)?.parts.insert(part_number, (bytes, etag.clone()));
        let copied = CopyPartResult { e_tag: strong(&etag), ..Default::default() };
        answer(UploadPartCopyOutput { copy_part_result: Some(copied), ..Default::default() })
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput { bucket, key, upload_id, multipart_upload, if_match, if_none_match, .. } =
            req.input;
        let parts = multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let named: Option<Vec<_>> = parts.into_iter().map(|part| Some((part.part_number?, part.e_tag?))).collect();
        let named = named.ok_or_else(|| s3_error!(MalformedXML))?;
        let expected = Expected { if_match, if_none_match };
        let etag = self.shelf(&bucket)?.complete(&upload_id, &key, &named, &expected)?;
        answer(CompleteMultipartUploadOutput { e_tag: strong(&etag), ..Default::default() })
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let gone = self.shelf(&req.input.bucket)?.uploads.remove(&req.input.upload_id);
        gone.ok_or_else(|| s3_error!(NoSuchUpload))?;
        answer(AbortMultipartUploadOutput::default())
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        drop(self.shelf(&req.input.bucket)?);
        answer(HeadBucketOutput { bucket_region: Some(REGION.to_owned()), ..Default::default() })
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let shelf = self.shelf(&req.input.bucket)?;
        let prefix = req.input.prefix.unwrap_or_default();
        let below = shelf.uploads.iter().filter(|(_, upload)| upload.key.starts_with(&prefix));
        let uploads = below.map(|(id, upload)| MultipartUpload {
            key: Some(upload.key.clone()),
            upload_id: Some(id.clone()),
            initiated: Some(upload.begun.clone()),
            ..Default::default()
        });
        answer(ListMultipartUploadsOutput { uploads: Some(uploads.collect()), ..Default::default() })
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        req: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let rules = self.shelf(&req.input.bucket)?.setup.rules.clone();
        if rules.is_empty() {
            return Err(s3_error!(NoSuchLifecycleConfiguration));
        }
        answer(GetBucketLifecycleConfigurationOutput { rules: Some(rules), ..Default::default() })
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let versioned = self.shelf(&req.input.bucket)?.setup.versioned;
        let status = versioned.then(|| BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED));
        answer(GetBucketVersioningOutput { status, ..Default::default() })
    }

    async fn get_public_access_block(
        &self,
        req: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        let on = Some(!self.shelf(&req.input.bucket)?.setup.open);
        let set = PublicAccessBlockConfiguration {
            block_public_acls: on,
            ignore_public_acls: on,
            block_public_policy: Some(true),
            restrict_public_buckets: Some(true),
        };
        answer(GetPublicAccessBlockOutput { public_access_block_configuration: Some(set) })
    }
}
