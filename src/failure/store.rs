//! What a store's failure is to whoever meets it.

use super::{Kind, Verdict, advised, local, plain};
use crate::store::{Denial, Outage, Setting, StoreError};

pub(super) fn store(error: &StoreError) -> Verdict {
    match error {
        StoreError::NotFound(_) => plain(Kind::NotFound),
        StoreError::Precondition { .. } => advised(Kind::Conflict, "run it again"),
        StoreError::AccessDenied { denial, .. } => advised(Kind::AccessDenied, denied(*denial)),
        StoreError::Configuration { setting, .. } => advised(Kind::Configuration, set(*setting)),
        StoreError::Unavailable { outage, .. } => advised(Kind::Unavailable, out(*outage)),
        StoreError::Corrupt { .. } | StoreError::TooLarge { .. } => plain(Kind::Integrity),
        StoreError::Source { source, .. } => local(source),
        StoreError::SourceChanged { .. } => {
            advised(Kind::Integrity, "publish when the build has finished writing: nothing was stored under its name")
        }
        StoreError::Other { .. } => plain(Kind::Other),
    }
}

pub(super) fn denied(denial: Denial) -> &'static str {
    match denial {
        Denial::Plain => "whoever keeps the store can grant it; --store names another one",
        Denial::Listing => "whoever keeps the bucket can grant s3:ListBucket on it; --store names another one",
        Denial::Reading => {
            "whoever keeps the bucket can grant s3:GetObject; s3:ListBucket tells what is missing from what is forbidden"
        }
        Denial::Writing => {
            "whoever keeps the bucket can grant s3:PutObject and s3:AbortMultipartUpload, and the use of its KMS key if it has one"
        }
        Denial::Deleting => "whoever keeps the bucket can grant s3:DeleteObject",
        Denial::Expired => "get new ones, `aws sso login` or as you got these, and run it again: nothing is lost",
        Denial::Token => {
            "AWS_SESSION_TOKEN must be of the same login as AWS_ACCESS_KEY_ID; unset it where the key has none"
        }
        Denial::Key => {
            "check AWS_ACCESS_KEY_ID or the profile, and AWS_ENDPOINT_URL: no service knows the keys of another"
        }
        Denial::Secret => "check AWS_SECRET_ACCESS_KEY or the profile: a blank or a quote too many is enough",
    }
}

pub(super) fn out(outage: Outage) -> &'static str {
    match outage {
        Outage::Plain => "run it again when the store answers: nothing is lost",
        Outage::Throttled => "run it again later, or ask less at once with a lower --jobs: nothing is lost",
        Outage::Stalled => {
            "run it again, or give it longer with --timeout; if nothing ever comes, check the network, AWS_ENDPOINT_URL and the proxy"
        }
        Outage::Unreachable => {
            "check the network, and AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or AWS_REGION: they say where the store is asked"
        }
        Outage::Proxy => "HTTPS_PROXY or HTTP_PROXY names it; NO_PROXY names hosts that need none",
        Outage::Full => "make room there, or have the quota or limit raised, and run it again: nothing is lost",
        Outage::Failing => "the system's log says more of that disk: run it again when it is sound",
        Outage::Crowded => "raise the limit (`ulimit -n`), or ask less at once with a lower --jobs: nothing is lost",
    }
}

pub(super) fn set(setting: Setting) -> &'static str {
    match setting {
        Setting::Value => "correct or unset it: the names and what they mean are the AWS CLI's",
        Setting::Credentials => {
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sso login` renews a login"
        }
        Setting::Profile => {
            "correct AWS_PROFILE: `aws configure list-profiles` shows the profiles, `aws configure` mends one"
        }
        Setting::Login => "`aws sso login` renews it, with --profile where AWS_PROFILE does not name the profile",
        Setting::Provider => "mend what should give them: `aws sts get-caller-identity` tries it alone",
        Setting::Bucket => "correct --store, METALOGIC_STORE or what else names it, or make the bucket",
        Setting::Region => "set AWS_REGION, or the profile's region, to the one that the bucket is in",
        Setting::NoRegion => "set AWS_REGION, or `region` in the profile",
        Setting::Endpoint => {
            "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL must be the URL of the S3 service itself: https or http, host and port"
        }
        Setting::Encryption => {
            "write http:// instead of https:// in AWS_ENDPOINT_URL, or name the port that speaks TLS"
        }
        Setting::Authority => "AWS_CA_BUNDLE names a PEM file with the authorities to trust: your own, or your proxy's",
        Setting::Validity => {
            "whoever keeps the service must renew it; if it is this machine's clock that is wrong, set that"
        }
        Setting::Name => {
            "write the name that the certificate has in AWS_ENDPOINT_URL, or have it made anew for this one"
        }
        Setting::Clock => "set the clock, for example with `timedatectl set-ntp true`, and run it again",
        Setting::Proxy => {
            "HTTPS_PROXY or HTTP_PROXY names it, as http://USER:PASSWORD@HOST:PORT where it wants to know who asks; NO_PROXY names hosts that need none"
        }
        Setting::Place => "something else stands there: move it away, or name another store",
        Setting::Conditions => {
            "keep the store on a service that knows If-None-Match and If-Match on writes, as Amazon S3 does: without them builds overwrite each other"
        }
    }
}
