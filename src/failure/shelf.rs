//! What it is to whoever stages or asks for a release that it does not come about.

use super::{Kind, Verdict, advised, local, parameters, plain, store};
use crate::shelf::ShelfError;
use crate::transfer::ReceiveError;
use crate::words::chain;

pub(super) fn shelf(error: &ShelfError) -> Verdict {
    let set_up = "`metalogic setup` writes one; STARTIFACT_PARAMETER and STARTIFACT_REGIONS say where it is looked for";
    match error {
        ShelfError::Nothing { .. } => {
            advised(Kind::NotFound, "check the name's spelling, and that this is the store that you mean")
        }
        ShelfError::Gone { .. } => advised(
            Kind::NotFound,
            "publish the same bytes there again, or stage them under another version: what is promoted is as good as its build's address",
        ),
        ShelfError::NoLatest { .. } => advised(
            Kind::NotFound,
            "check the name's spelling; it is set when a release is staged, and --pre counts pre-releases for whoever may list",
        ),
        ShelfError::OnlyPre { .. } => advised(Kind::NotFound, "--pre counts pre-releases, too"),
        ShelfError::LatestIsPre { .. } => advised(
            Kind::NotFound,
            "some other program staged it last: whatever is staged with metalogic next mends it; --pre lists, and takes pre-releases too",
        ),
        ShelfError::Missing { name, .. } => {
            advised(Kind::NotFound, format!("`metalogic versions {name}` lists those that are"))
        }
        ShelfError::Hidden { .. } => advised(
            Kind::AccessDenied,
            "check the version, then the right to read (s3:GetObject): only who may list (s3:ListBucket) is told what is missing from what is forbidden",
        ),
        ShelfError::OtherBuild { staging: false, stands, .. } => {
            advised(Kind::NotFound, format!("ask for {} or {stands}", stands.bare()))
        }
        ShelfError::OtherBuild { staging: true, .. } | ShelfError::Conflict { .. } => {
            advised(Kind::Conflict, "a release is never replaced: stage what differs under a new version")
        }
        ShelfError::BothStand { .. } => advised(
            Kind::Conflict,
            "whoever keeps the bucket has to remove one of the two; until then the higher one by its build metadata is found",
        ),
        ShelfError::Name { .. } => advised(Kind::Usage, "choose a name that an artifact could have"),
        ShelfError::TooLarge(_) => advised(Kind::Usage, "record less with --metadata"),
        ShelfError::LatestParameter { .. } => advised(
            Kind::Usage,
            "choose another name; what all parameters begin with is the organisation's, and `metalogic setup` changes it",
        ),
        ShelfError::Reserved(_) => {
            advised(Kind::Usage, "--filename records a file's name; choose another key for what is your own")
        }
        ShelfError::Malformed { .. } => advised(
            Kind::Integrity,
            "somebody else wrote it, or changed it: nothing is replaced, so whoever keeps the store has to mend it",
        ),
        ShelfError::NoConfiguration { .. } => advised(Kind::Configuration, set_up),
        ShelfError::Configuration { .. } => {
            advised(Kind::Configuration, "`metalogic setup` writes it anew, with --force where it is none at all")
        }
        ShelfError::NoBucket { .. } => advised(
            Kind::Configuration,
            "set that parameter to the bucket's name, or name another one with `metalogic setup`",
        ),
        ShelfError::Value { .. } => advised(Kind::Configuration, "set it to what belongs there"),
        ShelfError::Compare { source, .. } => match &**source {
            ReceiveError::Store(source) => store(source),
            ReceiveError::Io(_) => plain(Kind::Unavailable),
        },
        ShelfError::Local { source, .. } => local(source),
        ShelfError::Away { source, .. } => shelf(source),
        ShelfError::Store(source) => store(source),
        ShelfError::Parameters(source) => parameters(source),
        ShelfError::Raced { .. } => {
            advised(Kind::NotYet, "run it again, or give it longer with --timeout: what was staged stays")
        }
        ShelfError::Partly { failed, .. } => partly(failed),
    }
}

/// Returns how a release that is not staged everywhere fared: one line a region.
pub(super) fn regions(error: &anyhow::Error) -> Vec<String> {
    let Some(ShelfError::Partly { staged, failed, .. }) = error.downcast_ref() else { return Vec::new() };
    let failed = failed.iter().map(|(region, error)| format!("{region} failed: {}", chain(error)));
    failed.chain(staged.iter().map(|region| format!("{region} has it"))).collect()
}

/// Judges failures of several regions, which are one kind together or several.
fn partly(failed: &[(String, ShelfError)]) -> Verdict {
    let mut verdicts = failed.iter().map(|(_, error)| shelf(error));
    let Some((kind, hint)) = verdicts.next() else { return plain(Kind::Other) };
    let again = "stage it again: what is done stays, and what is left is done then";
    if verdicts.any(|(other, _)| other != kind) {
        return advised(Kind::Several, again);
    }
    match hint {
        Some(hint) if kind.may_pass() => advised(kind, format!("{again}; {hint}")),
        hint => (kind, hint),
    }
}
