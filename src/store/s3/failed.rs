//! What the service or the SDK said when something was not done.

mod answer;
mod credentials;
mod line;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;

use super::client::{Place, SettingError};
use crate::store::{Denial, Outage, Setting, StoreError};
use answer::Answer;

/// Holds what is known of a failure, whatever was asked.
#[derive(Debug)]
pub(super) struct Failed {
    reason: Reason,
    /// The status of the answer; zero where there was none.
    status: u16,
    /// S3's word for the error; empty where there was none, as in every answer to HEAD.
    code: String,
    /// The region that the bucket is in, where the answer says so.
    region: Option<String>,
    /// Whether the answer has an id, as those of S3 have.
    named: bool,
    words: String,
}

/// Says what someone can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Denied(Denial),
    Out(Outage),
    Set(Setting),
    Other,
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
        if let Some((setting, words)) = credentials::cause(error) {
            return Self::unanswered(Reason::Set(setting), words);
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the SDK may add kinds, and each is an answer that did not come"
        )]
        match error {
            SdkError::ServiceError(failure) => {
                let request = failure.raw().request_id();
                Self::answered(Answer::of(failure.raw(), error.code(), error.message(), request))
            }
            SdkError::ResponseError(failure) => {
                let answer = Answer::of(failure.raw(), None, None, None);
                if answer.is_foreign() && !answer::is_document(failure.raw()) {
                    return Self::answered(answer);
                }
                Self::unanswered(Reason::Out(Outage::Plain), chain(error))
            }
            SdkError::ConstructionFailure(_) => Self::unanswered(Reason::Other, chain(error)),
            SdkError::DispatchFailure(failure) => {
                let (reason, words) = failure
                    .as_connector_error()
                    .map_or_else(|| (Reason::Out(Outage::Plain), chain(error)), line::judge);
                Self::unanswered(reason, words)
            }
            _ => Self::unanswered(Reason::Out(Outage::Plain), chain(error)),
        }
    }

    fn answered(answer: Answer<'_>) -> Self {
        let (reason, words, named) = (answer.reason(), answer.words(), answer.request.is_some());
        Self { reason, status: answer.status, code: answer.code.to_owned(), region: answer.region, named, words }
    }

    fn unanswered(reason: Reason, words: String) -> Self {
        Self { reason, status: 0, code: String::new(), region: None, named: false, words }
    }

    /// Makes the failure of a request that no client can be made for.
    pub(super) fn of_settings(error: &SettingError) -> Self {
        Self::unanswered(Reason::Set(Setting::Value), chain(error))
    }

    /// Makes the failure of a request that nothing has moved of for too long.
    pub(super) fn silent(timeout: Duration) -> Self {
        let words = format!("nothing has moved for {}", humantime::format_duration(timeout));
        Self::unanswered(Reason::Out(Outage::Stalled), words)
    }

    /// Makes the failure of a connection that broke too often in the middle of an object.
    pub(super) fn broken(words: String) -> Self {
        let stalled = line::is_stalled(&words);
        Self::unanswered(Reason::Out(if stalled { Outage::Stalled } else { Outage::Plain }), words)
    }

    /// Makes the failure of an answer that says it was done and lacks what every S3 says then.
    pub(super) fn without_answer(words: String) -> Self {
        Self::unanswered(Reason::Set(Setting::Endpoint), words)
    }

    /// Makes the failure of an answer whose status says that it has an object, and whose body says something else.
    pub(super) fn in_body(body: &[u8]) -> Self {
        let (code, message) = answer::spelled(body);
        Self::answered(Answer::in_body(&code, &message, body))
    }

    /// Says that there is no object under the key. A bucket that does not exist is something else, and so is a page that was not found.
    pub(super) fn is_missing(&self) -> bool {
        matches!((self.status, self.code.as_str()), (404, "NoSuchKey" | "NotFound"))
            && self.reason != Reason::Set(Setting::Endpoint)
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

    /// Says that it is a refusal in an answer without a body, which does not tell one reason from another.
    pub(super) fn is_mute(&self) -> bool {
        self.reason != Reason::Set(Setting::Endpoint)
            && matches!(self.status, 400 | 403)
            && matches!(self.code.as_str(), "" | "BadRequest" | "Forbidden")
    }

    /// Says that the next try may go well.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.reason, Reason::Out(_))
    }

    /// Returns the region that the bucket is in, where that is why it failed.
    pub(super) fn elsewhere(&self, asked: &str) -> Option<String> {
        let may_be_why = matches!(self.status, 301 | 307 | 400);
        self.region.clone().filter(|region| may_be_why && region != asked)
    }

    /// Adds where it was asked, where that may be why there is no answer, or not the right one.
    pub(super) fn at(mut self, place: &Place) -> Self {
        if place.proxied {
            self.reason = match (self.reason, self.status) {
                (Reason::Out(Outage::Unreachable), _) => Reason::Out(Outage::Proxy),
                // S3 has no such answers; those who keep others from going where they like do.
                (Reason::Set(Setting::Endpoint), 401 | 403 | 511) => Reason::Set(Setting::Proxy),
                (Reason::Denied(_), _) if self.code.is_empty() && !self.named => Reason::Set(Setting::Proxy),
                (reason, _) => reason,
            };
        }
        let of_place = match self.reason {
            Reason::Denied(denial) => denial == Denial::Key,
            Reason::Out(_) | Reason::Other => self.code.is_empty(),
            Reason::Set(
                Setting::Value | Setting::Credentials | Setting::Profile | Setting::Login | Setting::Provider,
            ) => false,
            Reason::Set(_) => true,
        };
        if of_place {
            self.words = format!("{} ({})", self.words, place.words);
        }
        self
    }

    /// Says that it was to list, to read, to write or to delete that was refused.
    fn refused(mut self, to: Denial) -> Self {
        if self.reason == Reason::Denied(Denial::Plain) {
            self.reason = Reason::Denied(to);
        }
        self
    }

    pub(super) fn of_listing(self) -> Self {
        self.refused(Denial::Listing)
    }

    /// Explains a refusal to read an object, which may say no more than that it does not exist.
    pub(super) fn of_reading(self) -> Self {
        self.refused(Denial::Reading)
    }

    /// Explains a refusal to write, perhaps on a condition.
    pub(super) fn of_writing(mut self, conditional: bool) -> Self {
        if conditional && (self.status == 501 || self.code == "NotImplemented") {
            self.reason = Reason::Set(Setting::Conditions);
        }
        self.refused(Denial::Writing)
    }

    pub(super) fn of_deleting(self) -> Self {
        self.refused(Denial::Deleting)
    }

    /// Returns the error that it is to whoever asked.
    pub(super) fn told(self, what: &str, root: &str, bucket: &str) -> StoreError {
        let (key, source) = (format!("{root}/{what}"), Box::new(Words(self.words)));
        match self.reason {
            Reason::Denied(denial) => StoreError::AccessDenied { key, denial, source },
            Reason::Out(outage) => StoreError::Unavailable { key, outage, source },
            Reason::Set(setting @ (Setting::Bucket | Setting::Region)) => {
                StoreError::Configuration { store: format!("s3://{bucket}"), setting, source }
            }
            Reason::Set(setting) => StoreError::Configuration { store: root.to_owned(), setting, source },
            Reason::Other => StoreError::Other { key, source },
        }
    }
}

/// Says what is asked again, where the SDK would not do so or would do so in vain.
#[derive(Debug)]
pub(super) struct Retries;

impl ClassifyRetry for Retries {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let line = error.as_connector_error().is_some_and(line::is_hopeless);
        let Some(raw) = context.response() else {
            return if line { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated };
        };
        match raw.status().as_u16() {
            429 => RetryAction::throttling_error(),
            // A server that gives pages for what is asked of an S3 has no other; one that is overloaded may give one in its stead.
            ..500 if answer::is_page(raw) => RetryAction::RetryForbidden,
            400 | 403 if answer::may_pass(raw) => RetryAction::transient_error(),
            // All was well, but the answer is not whole.
            _ if error.is_interceptor_error() => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Retries"
    }
}

/// Returns an error and what lies below it. An error of the system hides the one that it was made of from whoever asks for its source.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
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
    words.join(": ").split_whitespace().collect::<Vec<_>>().join(" ")
}
