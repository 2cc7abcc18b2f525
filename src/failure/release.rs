//! What it is to whoever stages or downloads a release that it cannot be done.

use super::arrival::arrival;
use super::parameters::parameters;
use super::{Kind, Verdict, advised, measured, plain, store};
use crate::download::DownloadError;
use crate::shelf::ShelfError;
use crate::stage::StageError;
use crate::transfer::ReceiveError;

pub(super) fn stage(error: &StageError) -> Verdict {
    match error {
        StageError::File(source) => measured(source, "nothing was staged"),
        StageError::FileName(_) => advised(Kind::Usage, "say what it is to be called: --filename=NAME"),
        StageError::Unresolved { .. } => {
            advised(Kind::NotFound, "`metalogic show` lists what is; --artifact names another, --commit another commit")
        }
        StageError::Gone { .. } => {
            advised(Kind::NotFound, "somebody removed it from the store: `metalogic resolve` looks for it elsewhere")
        }
        StageError::Mismatch { .. } => advised(
            Kind::Integrity,
            "nothing was staged: these are not the bytes that were published. Find out who changed them, and build anew",
        ),
        StageError::TooLarge(_) => advised(Kind::Usage, "record less with --metadata"),
        StageError::Store(source) => store(source),
        StageError::Shelf(source) => shelf(source),
    }
}

pub(super) fn download(error: &DownloadError) -> Verdict {
    match error {
        DownloadError::Nameless { .. } => advised(Kind::NotFound, "name the file to make: --as FILE"),
        DownloadError::Arrival(source) => arrival(source),
    }
}

pub(super) fn shelf(error: &ShelfError) -> Verdict {
    match error {
        ShelfError::Nothing { .. } => {
            advised(Kind::NotFound, "check the name, and the store: --store, METALOGIC_STORE or [store] url say which")
        }
        ShelfError::OnlyPre { .. } => advised(Kind::NotFound, "--pre counts pre-releases, too"),
        ShelfError::Missing { name, .. } => {
            advised(Kind::NotFound, format!("`metalogic versions {name}` lists what is"))
        }
        ShelfError::OtherBuild { staging: false, name, stands, .. } => {
            advised(Kind::NotFound, format!("ask for {name} {stands}"))
        }
        ShelfError::OtherBuild { staging: true, .. } | ShelfError::Conflict { .. } => {
            advised(Kind::Conflict, "a version is never replaced: stage it under the next one")
        }
        ShelfError::Name { .. } => advised(Kind::Usage, "choose a name that an artifact could have"),
        ShelfError::Malformed { .. } => {
            advised(Kind::Integrity, "this is not what was recorded: find out who changed it")
        }
        ShelfError::Value { .. } => plain(Kind::Configuration),
        ShelfError::Compare { source: ReceiveError::Store(source), .. } => store(source),
        ShelfError::Compare { source: ReceiveError::Io(_), .. } => plain(Kind::Unavailable),
        ShelfError::Away { source, .. } => match shelf(source) {
            (Kind::NotFound, _) => plain(Kind::Unavailable),
            verdict => verdict,
        },
        ShelfError::Store(source) => store(source),
        ShelfError::Parameters(source) => parameters(source),
        ShelfError::Raced { .. } => {
            advised(Kind::NotYet, "run it again, or give it longer with --timeout: what was staged stays")
        }
    }
}
