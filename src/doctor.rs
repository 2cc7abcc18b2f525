//! Tests what the protocol needs of a store, and says in words what follows.

mod bucket;
mod probe;

use std::time::Duration;

use crate::store::{Setting, StoreError};

pub use bucket::{of_bucket, unanswered};
pub use probe::{late, probe, read, remove};

/// Says what was tested and what came of it.
#[derive(Debug)]
pub struct Finding {
    /// What was tested.
    pub check: Check,
    /// What came of it.
    pub outcome: Outcome,
}

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $name:literal;)*) => {
        /// Names what is tested.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Check {
            $($(#[$doc])* $check),*
        }

        impl Check {
            /// Lists every check, in the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$check),*];

            /// Returns the check's name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$check => $name),* }
            }
        }
    };
}

checks! {
    /// Git and the repository.
    Git = "git";
    /// The registry.
    Registry = "registry";
    /// Where the store is, and who said so.
    Store = "store";
    /// Addresses can be listed.
    List = "list";
    /// Objects can be put.
    Put = "put";
    /// Objects can be read, and are what was put.
    Get = "get";
    /// A listing shows what was put before it.
    Listing = "listing-after-put";
    /// A create-only put replaces nothing, and one of many wins.
    CreateOnly = "create-only";
    /// A create-only object of several parts replaces nothing.
    CreateOnlyParts = "create-only-parts";
    /// A compare-and-swap of another version replaces nothing, and one of many wins.
    CompareAndSwap = "compare-and-swap";
    /// What the test put is gone again.
    Removal = "removal";
    /// The clock.
    Clock = "clock";
    /// The bucket's region.
    Region = "region";
    /// Uploads that were left over.
    Uploads = "uploads";
    /// Rules that take objects away.
    Lifecycle = "lifecycle";
    /// Old versions of objects.
    Versioning = "versioning";
    /// The public.
    PublicAccess = "public-access";
}

/// Says what came of a test.
#[derive(Debug)]
pub enum Outcome {
    /// All is well, and this follows.
    Fine(String),
    /// It works, and may do harm all the same.
    Doubtful {
        /// What is.
        said: String,
        /// What to do about it.
        advice: String,
    },
    /// It does not work.
    Wrong(DoctorError),
    /// It was not tested, or cannot be told, and this is why.
    Unknown(String),
}

/// Says what is wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A write took place although its condition did not hold.
    #[error("the store takes the condition of a {what} and does not heed it: what stood there was replaced")]
    Ignored {
        /// Which write.
        what: &'static str,
    },
    /// Of those who wrote at once, several were told that they had won.
    #[error(
        "of {writers} writers at once, {winners} were told that their {what} had won: all but one of them lost what they wrote"
    )]
    Raced {
        /// Which write.
        what: &'static str,
        /// How many wrote at once.
        writers: usize,
        /// How many of them were told that they had won.
        winners: usize,
    },
    /// What stands is not what the winner wrote.
    #[error("an object reads back with other bytes than those that were put")]
    Altered,
    /// The time ran out.
    #[error("this was not answered within {}", humantime::format_duration(*.0))]
    Late(Duration),
    /// A listing does not show an object that was put before.
    #[error("a listing does not show an object that was put before it")]
    Unlisted,
}

impl Finding {
    fn new(check: Check, outcome: Outcome) -> Self {
        Self { check, outcome }
    }
}

impl Outcome {
    /// Says whether a store that answered so may have more to tell of itself.
    #[must_use]
    pub fn has_more(&self) -> bool {
        match self {
            Self::Wrong(DoctorError::Store(StoreError::AccessDenied { denial, .. })) => !denial.is_of_identity(),
            // How far off the clock is, and where the bucket is, is what there is to find out then.
            Self::Wrong(DoctorError::Store(StoreError::Configuration { setting, .. })) => {
                matches!(setting, Setting::Clock | Setting::Region)
            }
            Self::Wrong(_) => false,
            Self::Fine(_) | Self::Doubtful { .. } | Self::Unknown(_) => true,
        }
    }

    fn fine(said: impl Into<String>) -> Self {
        Self::Fine(said.into())
    }

    fn doubtful(said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Doubtful { said: said.into(), advice: advice.into() }
    }
}

impl<E: Into<DoctorError>> From<Result<String, E>> for Outcome {
    fn from(result: Result<String, E>) -> Self {
        match result {
            Ok(said) => Self::Fine(said),
            Err(error) => Self::Wrong(error.into()),
        }
    }
}
