//! What the service or the SDK said when something was not done.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;

use super::client::SettingError;
use crate::store::StoreError;

/// Holds what is known of a failure, whatever was asked.
#[derive(Debug)]
pub(super) struct Failed {
    nature: Nature,
    /// The status of the answer; zero where there was none.
    status: u16,
    /// S3's word for the error; empty where there was none, as in every answer to HEAD.
    code: String,
    /// The region that the bucket is in, where the answer says so.
    region: Option<String>,
    words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// The service answered that it did not.
    Answered,
    /// There was no answer, or none that can be read.
    Unanswered,
    /// Nothing was sent, for want of credentials.
    Credentials,
    /// Nothing was sent, since it makes no sense.
    Unsendable,
    /// Nothing was sent, since a setting makes no sense.
    Settings,
}

/// Holds the words for a failure: the SDK's own repeat themselves.
#[derive(Debug)]
struct Words(String);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Words {}

impl Failed {
    /// Takes what the SDK gives.
    pub(super) fn of<E: Error + ProvideErrorMetadata + 'static>(error: &SdkError<E>) -> Self {
        let raw = error.raw_response();
        let status = raw.map_or(0, |answer| answer.status().as_u16());
        let region = raw.and_then(|answer| answer.headers().get("x-amz-bucket-region")).map(str::to_owned);
        let code = error.code().unwrap_or_default().to_owned();
        if let Some(cause) = credentials(error) {
            return Self { nature: Nature::Credentials, status, code, region, words: cause };
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the SDK may add kinds, and each is an answer that did not come"
        )]
        let (nature, words) = match error {
            SdkError::ServiceError(_) => {
                let request = raw.and_then(|answer| answer.request_id());
                let said = answered(status, &code, error.message(), request);
                // Only the answer to HEAD has no word for its error.
                let foreign =
                    code.is_empty() && raw.and_then(|answer| answer.body().bytes()).is_some_and(|b| !b.is_empty());
                (Nature::Answered, if foreign { format!("{said}, and not as S3 does") } else { said })
            }
            SdkError::ConstructionFailure(_) => (Nature::Unsendable, chain(error)),
            SdkError::DispatchFailure(failure) => {
                let failure = failure.as_connector_error();
                // What the connector cannot name is no matter of the line: an endpoint that is no URL, an answer that is not HTTP.
                let hopeless = failure.is_some_and(|failure| failure.is_other() && failure.as_other().is_none());
                let nature = if hopeless { Nature::Unsendable } else { Nature::Unanswered };
                (nature, failure.and_then(Error::source).map_or_else(|| chain(error), chain))
            }
            _ => (Nature::Unanswered, chain(error)),
        };
        Self { nature, status, code, region, words }
    }

    /// Makes the failure of a request that no client can be made for.
    pub(super) fn of_settings(error: &SettingError) -> Self {
        Self { nature: Nature::Settings, ..Self::without_answer(chain(error)) }
    }

    /// Makes the failure of a request that nothing has moved of for too long.
    pub(super) fn silent(timeout: Duration) -> Self {
        Self::without_answer(format!("nothing has moved for {}", humantime::format_duration(timeout)))
    }

    /// Makes the failure of an answer that lacks what every S3 says.
    pub(super) fn without_answer(words: String) -> Self {
        Self { nature: Nature::Unanswered, status: 0, code: String::new(), region: None, words }
    }

    /// Says that there is no object under the key. A bucket that does not exist is something else, and so is a page that was not found.
    pub(super) fn is_missing(&self) -> bool {
        matches!((self.status, self.code.as_str()), (404, "NoSuchKey" | "NotFound"))
    }

    /// Says that S3 has this word for the error.
    pub(super) fn says(&self, code: &str) -> bool {
        self.code == code
    }

    /// Says that the bytes asked for lie beyond the object's end.
    pub(super) fn is_beyond(&self) -> bool {
        self.status == 416
    }

    /// Says that the condition did not hold when the service looked.
    pub(super) fn is_lost(&self) -> bool {
        self.status == 412 || self.code == "PreconditionFailed"
    }

    /// Says that it is open whether the condition holds: somebody wrote at the same time, or the upload is gone, perhaps because an
    /// answer was lost that said it was completed.
    pub(super) fn is_contended(&self) -> bool {
        self.status == 409 || matches!(self.code.as_str(), "ConditionalRequestConflict" | "NoSuchUpload")
    }

    /// Returns the region that the bucket is in, where that is why it failed.
    pub(super) fn elsewhere(&self, asked: &str) -> Option<String> {
        let may_be_why = matches!(self.status, 301 | 307 | 400);
        self.region.clone().filter(|region| may_be_why && region != asked)
    }

    /// Adds the proxy that was asked, where it may be why there is no answer.
    pub(super) fn by(mut self, proxy: Option<&str>) -> Self {
        if let Some(proxy) = proxy.filter(|_| self.nature != Nature::Credentials && self.code.is_empty()) {
            self.words = format!("{} (by the proxy {proxy})", self.words);
        }
        self
    }

    /// Adds who was asked, where it is not AWS and that may be why there is no answer.
    pub(super) fn at(mut self, endpoint: Option<&str>) -> Self {
        let sent = !matches!(self.nature, Nature::Credentials | Nature::Settings);
        let may_be_why = sent && self.code.is_empty();
        if let Some(endpoint) = endpoint.filter(|_| may_be_why) {
            self.words = format!("{} (at {endpoint})", self.words);
        }
        self
    }

    /// Explains a refusal to read an object, which may say no more than that it does not exist.
    pub(super) fn of_reading(mut self) -> Self {
        if self.status == 403 && matches!(self.code.as_str(), "" | "AccessDenied" | "Forbidden") {
            self.words = format!("it is missing or forbidden; s3:ListBucket tells them apart ({})", self.words);
        }
        self
    }

    /// Returns the error that it is to whoever asked.
    pub(super) fn told(self, what: &str, root: &str, bucket: &str) -> StoreError {
        let (key, source) = (format!("{root}/{what}"), Box::new(Words(self.words)));
        match (self.nature, self.status, self.code.as_str()) {
            (Nature::Credentials, ..) => StoreError::Credentials { store: root.to_owned(), source },
            (Nature::Settings, ..) => StoreError::Settings { store: root.to_owned(), source },
            (Nature::Unsendable, ..) => StoreError::Other { key, source },
            (Nature::Unanswered, ..) => StoreError::Unavailable { key, source },
            (_, _, "NoSuchBucket") => StoreError::NotFound(format!("the bucket {bucket}")),
            (_, 401 | 403, _) | (_, _, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
                StoreError::AccessDenied { key, source }
            }
            (_, 409 | 429 | 500.., _)
            | (
                _,
                _,
                "InternalError"
                | "SlowDown"
                | "ServiceUnavailable"
                | "RequestTimeout"
                | "BadDigest"
                | "IncompleteBody"
                | "OperationAborted"
                | "ConditionalRequestConflict"
                | "NoSuchUpload",
            ) => StoreError::Unavailable { key, source },
            _ => StoreError::Other { key, source },
        }
    }
}

fn answered(status: u16, code: &str, message: Option<&str>, request: Option<&str>) -> String {
    let said = match (code, message) {
        ("", None) => format!("the store answers {status}"),
        (code, None) => format!("the store answers {status} {code}"),
        (code, Some(message)) => format!("the store answers {status} {code}: {}", message.trim_end_matches('.')),
    };
    request.map(|id| format!("{said} (request {id})")).unwrap_or(said)
}

/// Returns what a provider of credentials said, if that is why nothing was sent.
fn credentials(error: &(dyn Error + 'static)) -> Option<String> {
    let cause = causes(error).find(|cause| cause.is::<CredentialsError>())?;
    let none = matches!(cause.downcast_ref(), Some(CredentialsError::CredentialsNotLoaded(_)));
    Some(if none {
        "neither environment, profile, web identity, container nor instance gives any".to_owned()
    } else {
        chain(cause)
    })
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Returns an error and its causes in one line, each said once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error) {
        let said = cause.to_string();
        if !said.is_empty() && !words.iter().any(|before| before.contains(&said)) {
            words.push(said);
        }
    }
    words.join(": ")
}
