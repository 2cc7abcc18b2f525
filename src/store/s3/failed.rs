//! What the service or the SDK said when something was not done, as it concerns objects in buckets.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::aws::{self, Place, Reason, SettingError};
use crate::reason::{Denial, Outage, Service, Setting};
use crate::store::StoreError;

/// Holds what is known of a failure, whatever was asked.
#[derive(Debug)]
pub(super) struct Failed(aws::Failed);

impl Failed {
    /// Takes what the SDK gives.
    pub(super) fn of<E: Error + ProvideErrorMetadata + 'static>(error: &SdkError<E>) -> Self {
        Self(aws::Failed::of(Service::Store, error))
    }

    /// Makes the failure of a request that no client can be made for.
    pub(super) fn of_settings(error: &SettingError) -> Self {
        Self(aws::Failed::of_settings(error))
    }

    /// Makes the failure of a request that nothing has moved of for too long.
    pub(super) fn silent(timeout: Duration) -> Self {
        Self(aws::Failed::silent(timeout))
    }

    /// Makes the failure of a connection that broke too often in the middle of an object.
    pub(super) fn broken(words: String) -> Self {
        let outage = if aws::is_stalled(&words) { Outage::Stalled } else { Outage::Plain };
        Self(aws::Failed::unanswered(Reason::Out(outage), words))
    }

    /// Makes the failure of an answer that says it was done and lacks what every S3 says then.
    pub(super) fn without_answer(words: String) -> Self {
        Self(aws::Failed::unanswered(Reason::Set(Setting::Endpoint), words))
    }

    /// Makes the failure of an answer whose status says that it has an object, and whose body says something else.
    pub(super) fn in_body(body: &[u8]) -> Self {
        Self(aws::Failed::in_body(body))
    }

    /// Says that there is no object under the key. A bucket that does not exist is something else, and so is a page that was not found.
    pub(super) fn is_missing(&self) -> bool {
        matches!((self.0.status, self.0.code.as_str()), (404, "NoSuchKey" | "NotFound"))
            && self.0.reason != Reason::Set(Setting::Endpoint)
    }

    /// Says that it was done, and that nobody can read the answer.
    pub(super) fn is_unreadable(&self) -> bool {
        self.0.status == 200
    }

    /// Says that S3 has this word for the error.
    pub(super) fn says(&self, code: &str) -> bool {
        self.0.says(code)
    }

    /// Says that the bytes asked for lie beyond the object's end.
    pub(super) fn is_beyond(&self) -> bool {
        self.0.status == 416
    }

    /// Says that another version was asked for than one that stands there still.
    pub(super) fn is_unchanged(&self) -> bool {
        self.0.status == 304
    }

    /// Says that the condition did not hold when the service looked.
    pub(super) fn is_lost(&self) -> bool {
        self.0.status == 412 || self.says("PreconditionFailed")
    }

    /// Says that it is open whether the condition holds: somebody wrote at the same time, or the upload is gone, perhaps because an
    /// answer was lost that said it was completed.
    pub(super) fn is_contended(&self) -> bool {
        self.0.status == 409 || matches!(self.0.code.as_str(), "ConditionalRequestConflict" | "NoSuchUpload")
    }

    /// Says that it is a refusal in an answer without a body, which does not tell one reason from another.
    pub(super) fn is_mute(&self) -> bool {
        self.0.reason != Reason::Set(Setting::Endpoint)
            && matches!(self.0.status, 400 | 403)
            && matches!(self.0.code.as_str(), "" | "BadRequest" | "Forbidden")
    }

    /// Says that the service is asked too often.
    pub(super) fn is_throttled(&self) -> bool {
        self.0.reason == Reason::Out(Outage::Throttled)
    }

    /// Says that the next try may go well.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.0.reason, Reason::Out(_))
    }

    /// Returns the region that the bucket is in, where that is why it failed.
    pub(super) fn elsewhere(&self, asked: &str) -> Option<String> {
        let may_be_why = matches!(self.0.status, 301 | 307 | 400);
        self.0.region.clone().filter(|region| may_be_why && region != asked)
    }

    /// Adds where it was asked, where that may be why there is no answer, or not the right one.
    pub(super) fn at(self, place: &Place) -> Self {
        Self(self.0.at(place))
    }

    /// Says that it was to list, to read, to write or to delete that was refused.
    fn refused(mut self, to: Denial) -> Self {
        if self.0.reason == Reason::Denied(Denial::Plain) {
            self.0.reason = Reason::Denied(to);
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
        if conditional && (self.0.status == 501 || self.says("NotImplemented")) {
            self.0.reason = Reason::Set(Setting::Conditions);
        }
        self.refused(Denial::Writing)
    }

    pub(super) fn of_deleting(self) -> Self {
        self.refused(Denial::Deleting)
    }

    /// Returns the error that it is to whoever asked.
    pub(super) fn told(self, what: &str, root: &str, bucket: &str) -> StoreError {
        let (key, reason, source) = (format!("{root}/{what}"), self.0.reason, self.0.into_words());
        match reason {
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
