//! A policy: how near an artifact must have been built to be good enough.

use std::fmt;
use std::str::FromStr;

/// Says which artifacts are good enough for whoever asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// The nearest one there is, whatever changed since.
    #[default]
    Nearest,
    /// One that was built at the commit itself, or that is proven to be what would be built there.
    Fresh,
    /// One that was built at the commit itself.
    Exact,
}

/// Says that a text names no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a policy is \"nearest\", \"fresh\" or \"exact\"")]
pub struct PolicyError;

impl Policy {
    /// Returns the word for it, in files and on command lines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Fresh => "fresh",
            Self::Exact => "exact",
        }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        [Self::Nearest, Self::Fresh, Self::Exact].into_iter().find(|policy| policy.as_str() == text).ok_or(PolicyError)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
