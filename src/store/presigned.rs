//! URLs by which anybody reads an object for a while.

use std::time::Duration;

use crate::moment::Moment;

/// The longest that S3 lets such a URL be good for: seven days (source: "Sharing objects with presigned URLs", the service's own limit).
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Says for how long a URL is to be good: whole seconds, from one to seven days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity(Duration);

/// Says why a URL cannot be good for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    /// It would end before anybody could use it.
    #[error("a URL that is good for less than a second is good for nobody")]
    Short,
    /// No store makes one that lasts so long.
    #[error("S3 lets a URL be good for at most 7 days")]
    Long,
}

impl Validity {
    /// Takes a length of time; what is left of a second is dropped.
    ///
    /// # Errors
    /// [`ValidityError`].
    pub fn new(length: Duration) -> Result<Self, ValidityError> {
        match Duration::from_secs(length.as_secs()) {
            Duration::ZERO => Err(ValidityError::Short),
            _ if length > LONGEST => Err(ValidityError::Long),
            length => Ok(Self(length)),
        }
    }

    /// Returns the length of time.
    #[must_use]
    pub fn length(self) -> Duration {
        self.0
    }
}

/// Holds a URL by which anybody reads an object without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presigned {
    /// The URL. Whoever has it may read the object, so it is as much of a secret as that.
    pub url: String,
    /// When it ends.
    pub until: Moment,
    /// Why then.
    pub ending: Ending,
}

/// Says what ends a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is as old as was asked for.
    Asked,
    /// The credentials that signed it end, which is before that.
    Credentials,
    /// Whichever is first: the credentials are temporary ones, and nobody says when they end.
    Either,
}
