//! The kinds of ending that the exit code tells apart.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $name:literal, $meaning:literal;)*) => {
        /// Names the kinds of ending that the exit code tells apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind),*
        }

        impl Kind {
            /// Lists every kind, by its exit code.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Returns the exit code.
            #[must_use]
            pub fn code(self) -> u8 {
                match self { $(Self::$kind => $code),* }
            }

            /// Returns the kind's name in JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// Says in a few words what the kind means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $meaning),* }
            }
        }
    };
}

kinds! {
    /// Done.
    Done = 0, "done", "done";
    /// Another failure.
    Other = 1, "other", "other failure";
    /// The command line is not understood.
    Usage = 2, "usage", "usage";
    /// What was named is not there.
    NotFound = 3, "not-found", "not found, or missing where it is required";
    /// A wait ran out.
    NotYet = 4, "not-yet", "not yet (a wait ran out)";
    /// The build is recorded as failed.
    BuildFailed = 5, "build-failed", "the build is recorded as failed";
    /// An artifact's name is unknown.
    UnknownArtifact = 6, "unknown-artifact", "unknown artifact name";
    /// Something else stands there.
    Conflict = 7, "conflict", "conflict: something else stands there";
    /// Bytes are not what they should be.
    Integrity = 8, "integrity", "integrity: bytes are not what was recorded";
    /// Access is denied.
    AccessDenied = 9, "access-denied", "access denied";
    /// The store does not answer.
    Unavailable = 10, "unavailable", "store unavailable";
    /// Git does not do what it was asked.
    Git = 11, "git", "git (no such revision too)";
    /// The registry or the configuration is wrong.
    Configuration = 12, "configuration", "registry or configuration";
    /// Several failures of different kinds.
    Several = 13, "several", "several failures of different kinds";
    /// The user interrupted the run.
    Interrupted = 130, "interrupted", "interrupted";
    /// The system terminated the run.
    Terminated = 143, "terminated", "terminated";
}

impl Kind {
    /// Says whether the same thing, done again later, may well succeed: the world is in its way, and not what was asked.
    #[must_use]
    pub fn may_pass(self) -> bool {
        match self {
            Self::Other | Self::NotYet | Self::AccessDenied | Self::Unavailable | Self::Configuration => true,
            Self::Interrupted | Self::Terminated | Self::NotFound | Self::Several => true,
            Self::Done | Self::Usage | Self::BuildFailed | Self::UnknownArtifact => false,
            Self::Conflict | Self::Integrity | Self::Git => false,
        }
    }
}
