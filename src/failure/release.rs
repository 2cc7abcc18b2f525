//! What it is to whoever stages or downloads a release that it cannot be done.

use super::arrival::arrival;
use super::{Kind, Verdict, advised, measured, store};
use crate::download::DownloadError;
use crate::stage::StageError;

pub(super) fn stage(error: &StageError) -> Verdict {
    match error {
        StageError::File(source) => measured(source, "nothing was staged"),
        StageError::FileName(_) => advised(Kind::Usage, "say what it is to be called: --filename=NAME"),
        StageError::Unresolved { commit, .. } => advised(
            Kind::NotFound,
            format!("`metalogic show {commit}` lists what is; --artifact names another, --commit another commit"),
        ),
        StageError::Gone { .. } => {
            advised(Kind::NotFound, "somebody removed it from the store: `metalogic resolve` looks for it elsewhere")
        }
        StageError::Mismatch { .. } => advised(
            Kind::Integrity,
            "nothing was staged: these are not the bytes that were published. Find out who changed them, and build anew",
        ),
        StageError::Store(source) => store(source),
    }
}

pub(super) fn download(error: &DownloadError) -> Verdict {
    match error {
        DownloadError::Nameless { .. } => advised(Kind::NotFound, "name the file to make: --as FILE"),
        DownloadError::Unfit { .. } => advised(Kind::Integrity, "name the file to make: --as FILE"),
        DownloadError::Arrival(source) => arrival(source),
    }
}
