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
use aws_types::request_id::RequestId as _;

use super::{Place, SettingError};
use crate::reason::{Denial, Outage, Service, Setting};
use crate::words::chain;
use answer::Answer;

pub(crate) use line::is_stalled;

/// Holds what is known of a failure, whatever was asked.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) reason: Reason,
    /// The status of the answer; zero where there was none.
    pub(crate) status: u16,
    /// The service's word for the error; empty where there was none, as in every answer to HEAD.
    pub(crate) code: String,
    /// The region that a bucket is in, where the answer says so.
    pub(crate) region: Option<String>,
    /// Whether the answer has an id, as those of AWS have.
    named: bool,
    words: String,
}

/// Says what someone can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
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
    pub(crate) fn of<E: Error + ProvideErrorMetadata + 'static>(service: Service, error: &SdkError<E>) -> Self {
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
                Self::answered(Answer::of(service, failure.raw(), error.code(), error.message(), request))
            }
            SdkError::ResponseError(failure) => {
                let answer = Answer::of(service, failure.raw(), None, None, None);
                if answer.is_foreign() && !answer::is_document(service, failure.raw()) {
                    return Self::answered(answer);
                }
                let unread = Self::unanswered(Reason::Out(Outage::Plain), chain(error));
                // Whoever asked may know another way to ask for it.
                Self { status: if failure.raw().status().is_success() { answer.status } else { 0 }, ..unread }
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

    pub(crate) fn unanswered(reason: Reason, words: String) -> Self {
        Self { reason, status: 0, code: String::new(), region: None, named: false, words }
    }

    /// Makes the failure of a request that no client can be made for.
    pub(crate) fn of_settings(error: &SettingError) -> Self {
        let setting = match error {
            SettingError::NoRegion(_) => Setting::NoRegion,
            SettingError::Profiles(_)
            | SettingError::NoProfile { .. }
            | SettingError::Proxy { .. }
            | SettingError::Value { .. } => Setting::Value,
        };
        Self::unanswered(Reason::Set(setting), chain(error))
    }

    /// Makes the failure of a request that nothing has moved of for too long.
    pub(crate) fn silent(timeout: Duration) -> Self {
        let words = format!("nothing has moved for {}", humantime::format_duration(timeout));
        Self::unanswered(Reason::Out(Outage::Stalled), words)
    }

    /// Makes the failure of an answer whose status says that it is what was asked for, and whose body spells an error.
    pub(crate) fn in_body(body: &[u8]) -> Self {
        let (code, message) = answer::spelled(body);
        Self::answered(Answer::in_body(&code, &message, body))
    }

    /// Says that the service has this word for the error.
    pub(crate) fn says(&self, code: &str) -> bool {
        self.code == code
    }

    /// Adds where it was asked, where that may be why there is no answer, or not the right one.
    pub(crate) fn at(mut self, place: &Place) -> Self {
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

    /// Returns the words for it, as an error.
    pub(crate) fn into_words(self) -> Box<dyn Error + Send + Sync> {
        Box::new(Words(self.words))
    }
}

/// Says what is asked again, where the SDK would not do so or would do so in vain.
#[derive(Debug)]
pub(crate) struct Retries;

impl ClassifyRetry for Retries {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let Some(raw) = context.response() else {
            return match error.as_connector_error() {
                Some(failure) if line::is_hopeless(failure) => RetryAction::RetryForbidden,
                // The SDK gives up where a proxy refuses, or the other side of an encrypted connection. Either may think better of it.
                Some(failure) if failure.is_other() => RetryAction::transient_error(),
                Some(_) | None => RetryAction::NoActionIndicated,
            };
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
