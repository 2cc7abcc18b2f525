//! What it is to whoever publishes that a file is refused, or does not come to stand.

use super::{Kind, Verdict, advised, local, plain, resolve, store};
use crate::files::MeasureError;
use crate::publish::{Conflict, PublishError, Refusal};
use crate::transfer::ReceiveError;

pub(super) fn publish(error: &PublishError) -> Verdict {
    match error {
        PublishError::Refused(source) => refusal(source),
        PublishError::Put { source, .. } | PublishError::Store(source) => store(source),
        PublishError::Compare { source: ReceiveError::Store(source), .. } => store(source),
        PublishError::Compare { source: ReceiveError::Io(_), .. } => plain(Kind::Unavailable),
        PublishError::Gone { .. } => advised(
            Kind::NotFound,
            "run it again, and have whoever cleans the store leave the addresses of commits that are being built",
        ),
        PublishError::Resolve(source) => resolve(source),
    }
}

fn refusal(error: &Refusal) -> Verdict {
    let rename = "give it a name as NAME=FILE";
    match error {
        Refusal::BadName { .. } => advised(Kind::UnknownArtifact, rename),
        Refusal::Unknown { name, near: Some(near) } => advised(
            Kind::UnknownArtifact,
            format!("did you mean {near}? Otherwise `metalogic registry add {name}` registers it"),
        ),
        Refusal::Unknown { name, near: None } => {
            let names = "`metalogic registry list` shows all names";
            let rename = "a file is published under another name as NAME=FILE";
            advised(Kind::UnknownArtifact, format!("`metalogic registry add {name}` registers it; {names}; {rename}"))
        }
        Refusal::Foreign { owner, .. } => advised(
            Kind::UnknownArtifact,
            format!("publish it from that repository, or add {owner} to [repository] projects in artifacts.toml"),
        ),
        Refusal::Excluded { owner, .. } => advised(Kind::UnknownArtifact, format!("add --project {owner}")),
        Refusal::Retired { .. } => advised(
            Kind::UnknownArtifact,
            "move the name from `retired` to `artifacts` in artifacts.toml if it is built again",
        ),
        Refusal::Twice { .. } => advised(Kind::Usage, rename),
        Refusal::File(source) => measured(source, "nothing was published"),
    }
}

/// Judges what is wrong with a local file that was to go into the store.
pub(super) fn measured(error: &MeasureError, outcome: &str) -> Verdict {
    match error {
        MeasureError::Missing(_) => advised(Kind::NotFound, format!("check the path: {outcome}")),
        MeasureError::Directory(_) => advised(Kind::Usage, "pack it first, for example with tar or zip"),
        MeasureError::NotAFile(_) => advised(Kind::Usage, "write it to a file first"),
        MeasureError::Changed(_) => {
            advised(Kind::Integrity, format!("do it again when the build has finished writing: {outcome}"))
        }
        MeasureError::Unreadable { source, .. } => local(source),
    }
}

pub(super) fn conflict(_: &Conflict) -> Verdict {
    advised(
        Kind::Conflict,
        "an artifact is never replaced: commit and build anew, or pass --if-exists keep to accept what stands there",
    )
}
