//! Git's hooks: which there are, and what each says of the commits that came to be.
//!
//! What git gives to a hook, on its command line and its standard input, is input like any other: it is read once, here, into values that
//! cannot be wrong. The forms are those of githooks(5).

mod script;

use std::str::FromStr;

pub use script::Script;

/// Names the hooks that know of new commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// A commit was made.
    PostCommit,
    /// A merge was made, or a branch was moved forward to what was merged.
    PostMerge,
    /// Commits were made anew: amended or rebased.
    PostRewrite,
    /// A patch of a mailbox was committed.
    PostApplypatch,
    /// Refs are about to be pushed.
    PrePush,
    /// Refs were pushed to here.
    PostReceive,
}

impl Hook {
    /// Lists every hook.
    pub const ALL: [Self; 6] =
        [Self::PostCommit, Self::PostMerge, Self::PostRewrite, Self::PostApplypatch, Self::PrePush, Self::PostReceive];

    /// Returns the name that git has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PostCommit => "post-commit",
            Self::PostMerge => "post-merge",
            Self::PostRewrite => "post-rewrite",
            Self::PostApplypatch => "post-applypatch",
            Self::PrePush => "pre-push",
            Self::PostReceive => "post-receive",
        }
    }

    /// Says whether git tells it something on its standard input.
    #[must_use]
    pub fn reads(self) -> bool {
        match self {
            Self::PostRewrite | Self::PrePush | Self::PostReceive => true,
            Self::PostCommit | Self::PostMerge | Self::PostApplypatch => false,
        }
    }

    /// Says whether it belongs into a bare repository, which others push to; else it belongs into a clone, where commits are made.
    #[must_use]
    pub fn is_of_bare(self) -> bool {
        self == Self::PostReceive
    }
}

/// Says that git has no such hook, or that it says nothing of new commits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hook that knows of new commits; these do: {known}", known = Hook::ALL.map(Hook::name).join(", "))]
pub struct NoSuchHook(String);

impl FromStr for Hook {
    type Err = NoSuchHook;

    fn from_str(text: &str) -> Result<Self, NoSuchHook> {
        Self::ALL.into_iter().find(|hook| hook.name() == text).ok_or_else(|| NoSuchHook(text.to_owned()))
    }
}
