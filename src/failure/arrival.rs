//! What it is to whoever fetches that something does not arrive.

use super::{Kind, Verdict, advised, local, store};
use crate::arrival::ArrivalError;
use crate::fetch::FetchError;
use crate::url::UrlError;

pub(super) fn fetch(error: &FetchError) -> Verdict {
    match error {
        FetchError::Unresolved { .. } => advised(
            Kind::NotFound,
            "`metalogic show` lists what is; a later build may have published it: --fresh looks again",
        ),
        FetchError::Gone { .. } => {
            advised(Kind::NotFound, "--fresh looks for it elsewhere; somebody removed it from the store")
        }
        FetchError::CaseTwice { .. } => advised(Kind::Usage, "fetch them one at a time with --as"),
        FetchError::Arrival(source) => arrival(source),
    }
}

pub(super) fn url(error: &UrlError) -> Verdict {
    match error {
        UrlError::Unresolved { .. } => advised(
            Kind::NotFound,
            "`metalogic show` lists what is; a later build may have published it: --fresh looks again",
        ),
        UrlError::Gone { .. } => {
            advised(Kind::NotFound, "--fresh looks for it elsewhere; somebody removed it from the store")
        }
        UrlError::Other { .. } => advised(
            Kind::Integrity,
            "no URL was made: these are not the bytes that were published. Find out who changed them, and build anew",
        ),
        UrlError::Store(source) => store(source),
    }
}

pub(super) fn arrival(error: &ArrivalError) -> Verdict {
    match error {
        ArrivalError::Gone { .. } => advised(Kind::NotFound, "somebody removed it from the store"),
        ArrivalError::Mismatch { .. } => advised(
            Kind::Integrity,
            "nothing was written: these are not the bytes that were published. Find out who changed them, and build anew",
        ),
        ArrivalError::NoDirectory(_) => {
            advised(Kind::Conflict, "name another directory with -o, or one file with --as")
        }
        ArrivalError::Occupied(_) => advised(Kind::Conflict, "name another target (`--as -` is standard output)"),
        // With -o its directory was made.
        ArrivalError::Target { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            advised(Kind::NotFound, "check the path, and that its directory is there: --as makes none")
        }
        ArrivalError::Target { source, .. } | ArrivalError::Output(source) => local(source),
        ArrivalError::Store { source, .. } => store(source),
    }
}
