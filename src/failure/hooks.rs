//! What a failure around git's hooks is.

use super::{Kind, Verdict, advised, git, local};
use crate::hooks::HooksError;

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
