//! A moment: when something happened, to the second; and in which run.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that has four digits of year: 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

/// Holds a moment in seconds since 1970 in UTC, written as RFC 3339 writes it: `2026-11-22T08:15:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

/// Says that a text is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a moment is written as 2026-11-22T08:15:00Z, in UTC and to the second")]
pub struct MomentError;

impl Moment {
    /// Returns the moment so many seconds after the beginning of 1970; the last one that can be written, where that is further.
    #[must_use]
    pub fn of_seconds(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// Returns the moment that a clock shows. One before 1970 is wrong and shows its beginning.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        Self::of_seconds(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    /// Returns the seconds since the beginning of 1970.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// Returns how old it is at another moment, as people say it: `now`, `5 min`, `3 h`, `40 d`. What lies ahead, by a clock that is wrong, is
    /// now.
    #[must_use]
    pub fn age(self, now: Self) -> String {
        let seconds = now.0.saturating_sub(self.0);
        match seconds {
            0..60 => "now".to_owned(),
            60..3_600 => format!("{} min", seconds / 60),
            3_600..86_400 => format!("{} h", seconds / 3_600),
            _ => format!("{} d", seconds / 86_400),
        }
    }

    /// Returns how long ago it was at another moment: `just now`, `5 min ago`.
    #[must_use]
    pub fn ago(self, now: Self) -> String {
        match self.age(now).as_str() {
            "now" => "just now".to_owned(),
            age => format!("{age} ago"),
        }
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let time = humantime::parse_rfc3339(text).map_err(|_| MomentError)?;
        let moment = Self::of(time);
        // Each moment has one way to be written.
        if moment.to_string() == text { Ok(moment) } else { Err(MomentError) }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_secs(self.0);
        f.pad(&humantime::format_rfc3339_seconds(time).to_string())
    }
}

/// Says when something is done, and in which run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub at: Option<Moment>,
    /// The URL of the CI run, where this is one.
    pub run: Option<String>,
}
