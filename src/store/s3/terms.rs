//! The terms on which a bucket takes and gives objects, as requests say them.

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};

use crate::registry::{Account, Encryption, Terms};
use crate::store::Key;

/// Says on every request who must own the bucket and who pays: a kind of request that is added one day cannot forget it.
#[derive(Debug)]
pub(super) struct OnEvery {
    owner: Option<Account>,
    requester_pays: bool,
}

impl OnEvery {
    pub(super) fn of(terms: &Terms) -> Self {
        Self { owner: terms.expected_owner.clone(), requester_pays: terms.requester_pays }
    }
}

impl Intercept for OnEvery {
    fn name(&self) -> &'static str {
        "OnEvery"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        if let Some(owner) = &self.owner {
            headers.insert("x-amz-expected-bucket-owner", owner.as_str().to_owned());
            // A copy's source is in the same bucket.
            if headers.contains_key("x-amz-copy-source") {
                headers.insert("x-amz-source-expected-bucket-owner", owner.as_str().to_owned());
            }
        }
        if self.requester_pays {
            headers.insert("x-amz-request-payer", "requester");
        }
        Ok(())
    }
}

/// Returns how an object is to be encrypted, and with which key.
pub(super) fn encryption(terms: &Terms) -> (Option<ServerSideEncryption>, Option<String>) {
    match &terms.encryption {
        None => (None, None),
        Some(Encryption::Aes256) => (Some(ServerSideEncryption::Aes256), None),
        Some(Encryption::Kms(key)) => (Some(ServerSideEncryption::AwsKms), key.clone()),
    }
}

/// Returns the storage class of what lies under a key: only artifacts and the bytes of releases have one of their own.
pub(super) fn class(terms: &Terms, key: &Key) -> Option<StorageClass> {
    let class = terms.storage_class.as_ref().filter(|_| matches!(key, Key::Artifact(..) | Key::Data(..)));
    class.map(|class| StorageClass::from(class.as_str()))
}
