//! Git's hooks: which there are, and what each says of the commits that came to be.
//!
//! What git gives to a hook, on its command line and its standard input, is input like any other: it is read once, here, into values that
//! cannot be wrong. The forms are those of githooks(5).

mod script;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::{Commit, IdError};
pub use script::Script;

/// Names the hooks that know of new commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// Holds one ref that moved, as git tells it: an id may be that of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Where it was; none where it is new.
    pub old: Option<Commit>,
    /// Where it is; none where it was deleted.
    pub new: Option<Commit>,
    /// Its full name, where it has one.
    pub reference: Option<String>,
}

/// Holds a commit that was made anew, and the one in whose place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The commit that was there before.
    pub old: Commit,
    /// The commit that was made of it.
    pub new: Commit,
}

/// Says what a hook has heard of new commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// HEAD was made just now.
    Head,
    /// HEAD was moved from where `ORIG_HEAD` is.
    Merged,
    /// Commits were made anew.
    Rewritten(Vec<Rewrite>),
    /// Refs moved, here or at a remote of this name or URL.
    Moved {
        /// The refs.
        updates: Vec<Update>,
        /// The remote, where it is not here that they moved.
        remote: Option<String>,
    },
    /// No commit came to be.
    Nothing,
}

/// Says why what a hook was given is not what git gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeardError {
    /// A line has not as many words as it should.
    #[error("line {line} is {text:?}, and `{form}` belongs there")]
    Form {
        /// Which line, from 1.
        line: usize,
        /// The line, cut to a readable length.
        text: String,
        /// What should stand there.
        form: &'static str,
    },
    /// A line has a word where an object id belongs.
    #[error("line {line} has {text:?} where an object id belongs")]
    Id {
        /// Which line, from 1.
        line: usize,
        /// The word, cut to a readable length.
        text: String,
        /// What is wrong with it.
        source: IdError,
    },
}

/// The longest piece of a line that a message repeats, in characters.
const SHOWN: usize = 80;

impl Hook {
    /// Reads what git gives to this hook.
    ///
    /// # Errors
    /// [`HeardError`], with the line of standard input that git would not write.
    pub fn hear(self, arguments: &[String], input: &str) -> Result<Heard, HeardError> {
        Ok(match self {
            Self::PostCommit | Self::PostApplypatch => Heard::Head,
            // After a merge that squashes there is nothing committed yet.
            Self::PostMerge if arguments.first().is_some_and(|squash| squash != "0") => Heard::Nothing,
            Self::PostMerge => Heard::Merged,
            Self::PostRewrite => Heard::Rewritten(rewrites(input)?),
            Self::PostReceive => Heard::Moved { updates: updates(input)?, remote: None },
            Self::PrePush => {
                Heard::Moved { updates: pushed(input)?, remote: Some(arguments.first().cloned().unwrap_or_default()) }
            }
        })
    }
}

/// Reads lines `OLD NEW [REF]`. Zeros stand for no object: the ref is new, or was deleted. Empty lines are passed over.
///
/// # Errors
/// [`HeardError`].
pub fn updates(input: &str) -> Result<Vec<Update>, HeardError> {
    lines(input)
        .map(|(line, text)| match *words(text).as_slice() {
            [old, new] => Ok(Update { old: id(line, old)?, new: id(line, new)?, reference: None }),
            [old, new, name] => {
                Ok(Update { old: id(line, old)?, new: id(line, new)?, reference: Some(name.to_owned()) })
            }
            _ => Err(form(line, text, "OLD NEW [REF]")),
        })
        .collect()
}

/// Reads lines `LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID`: what is about to be pushed. A local ref may be any expression.
fn pushed(input: &str) -> Result<Vec<Update>, HeardError> {
    lines(input)
        .map(|(line, text)| match *words(text).as_slice() {
            [.., local, name, remote] => {
                Ok(Update { old: id(line, remote)?, new: id(line, local)?, reference: Some(name.to_owned()) })
            }
            _ => Err(form(line, text, "LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID")),
        })
        .collect()
}

/// Reads lines `OLD NEW [MORE]`.
fn rewrites(input: &str) -> Result<Vec<Rewrite>, HeardError> {
    let wrong = |line, text| form(line, text, "OLD NEW");
    lines(input)
        .map(|(line, text)| match *words(text).as_slice() {
            [old, new, ..] => {
                let (old, new) = (id(line, old)?, id(line, new)?);
                old.zip(new).map(|(old, new)| Rewrite { old, new }).ok_or_else(|| wrong(line, text))
            }
            _ => Err(wrong(line, text)),
        })
        .collect()
}

fn lines(input: &str) -> impl Iterator<Item = (usize, &str)> {
    input.lines().enumerate().map(|(index, text)| (index + 1, text)).filter(|(_, text)| !text.trim().is_empty())
}

fn words(text: &str) -> Vec<&str> {
    text.split_ascii_whitespace().collect()
}

fn id(line: usize, text: &str) -> Result<Option<Commit>, HeardError> {
    match text.parse() {
        Ok(id) => Ok(Some(id)),
        Err(IdError::Null) => Ok(None),
        Err(source @ (IdError::Length(_) | IdError::Character(_))) => {
            Err(HeardError::Id { line, text: shown(text), source })
        }
    }
}

fn form(line: usize, text: &str, form: &'static str) -> HeardError {
    HeardError::Form { line, text: shown(text), form }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
