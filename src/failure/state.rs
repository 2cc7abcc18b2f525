//! What a failure is where artifacts are not as they are asked for.

use crate::address::Commit;
use crate::artifact::Name;
use crate::chronicle::ChronicleError;
use crate::lock::LockError;
use crate::locking::{LockFileError, LockingError};
use crate::policy::Policy;
use crate::state::{Refused, State};
use crate::status::StatusError;
use crate::transfer::ReceiveError;
use crate::waiting::WaitError;
use crate::walk::TourError;
use crate::why::WhyError;

use super::{Kind, Verdict, advised, ancestry, git, local, plain, resolve, show, store};

/// Says that artifacts must be built, to whoever asked for an exit code that says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {commit} must be built: {}", names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
pub struct MustBuild {
    /// The commit.
    pub commit: Commit,
    /// The artifacts.
    pub names: Vec<Name>,
}

pub(super) fn must_build(_: &MustBuild) -> Verdict {
    advised(Kind::NotFound, "build them, then `metalogic publish` them")
}

pub(super) fn status(error: &StatusError) -> Verdict {
    match error {
        StatusError::Resolve(source) => resolve(source),
        StatusError::Show(source) => show(source),
        StatusError::Ancestry(source) => ancestry(source),
        StatusError::Nothing(_) => {
            advised(Kind::NotFound, "name a registry with --registry, or a commit that has a metafile")
        }
    }
}

/// Judges by what was asked for and by what is there (source: the table of policies in the README).
pub(super) fn refused(refused: &Refused) -> Verdict {
    let Refused { name, commit, policy, state, from, .. } = refused;
    let kind = match (policy, state) {
        (Policy::Fresh, State::Pending) => Kind::NotYet,
        (Policy::Fresh, State::Failed) => Kind::BuildFailed,
        (Policy::Nearest | Policy::Exact, _) => Kind::NotFound,
        (Policy::Fresh, State::Built | State::Proven | State::Assumed(_) | State::Stale | State::Missing) => {
            Kind::NotFound
        }
    };
    let hint = match state {
        State::Pending => format!("`metalogic wait {name} --commit {commit}` waits for it"),
        State::Failed => "mend the build and run it again".to_owned(),
        State::Missing => format!(
            "build it and `metalogic publish` it; `metalogic why {name} --commit {commit}` tells where it was looked for"
        ),
        State::Assumed(_) | State::Stale | State::Proven | State::Built => match from {
            Some(from) => format!("build it there, or take the one of {from} with --policy nearest"),
            None => "build it there".to_owned(),
        },
    };
    advised(kind, hint)
}

pub(super) fn locking(error: &LockingError) -> Verdict {
    match error {
        LockingError::Gone { .. } => {
            advised(Kind::NotFound, "somebody removed it from the store: --fresh looks for it elsewhere")
        }
        LockingError::Other { .. } => advised(
            Kind::Integrity,
            "these are not the bytes that were published: find out who changed them, and build anew",
        ),
        LockingError::Store(source) | LockingError::Unread { source: ReceiveError::Store(source), .. } => store(source),
        LockingError::Unread { source: ReceiveError::Io(_), .. } => plain(Kind::Unavailable),
    }
}

pub(super) fn lock_file(error: &LockFileError) -> Verdict {
    match error {
        LockFileError::Missing(_) => advised(Kind::NotFound, "check the path; `metalogic lock --as FILE` writes one"),
        LockFileError::Without { .. } => {
            advised(Kind::NotFound, "what is to be taken is locked first: `metalogic lock --as FILE`")
        }
        LockFileError::Unreadable { source, .. } => local(source),
        LockFileError::Gone { .. } => advised(
            Kind::NotFound,
            "somebody removed it, or the lock is of another store than the one that is configured",
        ),
        LockFileError::Wrong { source: LockError::Version(_), .. } => {
            advised(Kind::Integrity, "a newer metalogic wrote it: take that one")
        }
        LockFileError::Wrong { .. } => {
            advised(Kind::Integrity, "take it from where it is kept: one that is written anew may name other bytes")
        }
    }
}

pub(super) fn wait(error: &WaitError) -> Verdict {
    match error {
        WaitError::Failed(_) => advised(Kind::BuildFailed, "mend the build and run it again"),
        WaitError::TimeIsUp { .. } => advised(Kind::NotYet, "see whether it is being built at all; --for waits longer"),
        WaitError::NoAnswer { .. } => {
            advised(Kind::Unavailable, "`metalogic doctor` says whether the store can be reached")
        }
        WaitError::Status(source) => status(source),
    }
}

pub(super) fn why(error: &WhyError) -> Verdict {
    match error {
        WhyError::Status(source) => status(source),
        WhyError::Git(source) => git(source),
    }
}

pub(super) fn chronicle(error: &ChronicleError) -> Verdict {
    match error {
        ChronicleError::Tour(TourError::Store(source)) => store(source),
        ChronicleError::Tour(TourError::Ancestry(source)) | ChronicleError::Ancestry(source) => ancestry(source),
        ChronicleError::Git(source) => git(source),
    }
}
