//! What a failure around git's hooks is.

use super::{Kind, Verdict, advised, git, local, store};
use crate::hooks::HooksError;
use crate::missed::MissedError;

/// Says that a run in the background was not done in the time that it has.
#[derive(Debug, thiserror::Error)]
#[error("{store} was not done in {}", humantime::format_duration(*waited))]
pub struct LateError {
    /// The store that it waited for.
    pub store: String,
    /// How long it had.
    pub waited: std::time::Duration,
}

pub(super) fn hooks(error: &HooksError) -> Verdict {
    match error {
        HooksError::NoRepository => advised(Kind::Git, "run this in the repository (-C DIR)"),
        HooksError::Occupied(_) => advised(
            Kind::Conflict,
            "make one of the two, as NAME.before-metalogic, and move the other away; then run this again",
        ),
        HooksError::Elsewhere { .. } => advised(
            Kind::Configuration,
            "add the lines on standard output to those files; run this again, and it says whether all are there",
        ),
        HooksError::Off { .. } => advised(
            Kind::Configuration,
            "take the setting out, or leave hooks off: `metalogic show` computes what no hook has stubbed",
        ),
        HooksError::File { source, .. } => local(source),
        HooksError::Git(source) => git(source),
    }
}

pub(super) fn late(_: &LateError) -> Verdict {
    advised(Kind::Unavailable, "give it longer with METALOGIC_TIMEOUT")
}

pub(super) fn missed(error: &MissedError) -> Verdict {
    match error {
        MissedError::Git(source) => git(source),
        MissedError::Store(source) => store(source),
    }
}
