//! What follows from how a bucket is set up.

use std::error::Error;
use std::time::Duration;

use super::{Check, Finding, Outcome};
use crate::store::s3::{Deed, Lifecycle, Rule, Survey, Uploads, Versioning};
use crate::store::{Setting, StoreError};

/// How far off the clock may be, in seconds, before it is worth a word. S3 refuses what is signed a quarter of an hour off.
const CLOCK: u64 = 60;

/// How old an upload is before it is taken for one that was left over.
const LEFT_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// What a bucket needs so that no upload is left over for long.
const ABORTING: &str =
    "the rule AbortIncompleteMultipartUpload puts away what is left over: its parts are paid for and never seen";

/// Says what follows from how a bucket is set up.
#[must_use]
pub fn of_bucket(survey: &Survey) -> Vec<Finding> {
    let told = |check, result: Result<Outcome, String>| Finding::new(check, result.unwrap_or_else(Outcome::Unknown));
    let aborts = survey.lifecycle.as_ref().is_ok_and(|lifecycle| lifecycle.aborts_uploads);
    vec![
        Finding::new(Check::Clock, clock(survey.ahead)),
        Finding::new(Check::Region, region(survey)),
        told(
            Check::Uploads,
            survey
                .uploads
                .as_ref()
                .map(|found| uploads(found, aborts))
                .map_err(|error| why(error, "s3:ListBucketMultipartUploads")),
        ),
        told(
            Check::Lifecycle,
            survey.lifecycle.as_ref().map(lifecycle).map_err(|error| why(error, "s3:GetLifecycleConfiguration")),
        ),
        told(
            Check::Versioning,
            survey
                .versioning
                .as_ref()
                .map(|found| versioning(*found))
                .map_err(|error| why(error, "s3:GetBucketVersioning")),
        ),
        told(
            Check::PublicAccess,
            survey
                .open_to_public
                .as_ref()
                .map(|open| public(open))
                .map_err(|error| why(error, "s3:GetBucketPublicAccessBlock")),
        ),
    ]
}

/// Says that a bucket did not tell in time how it is set up.
#[must_use]
pub fn unanswered() -> Vec<Finding> {
    let checks =
        [Check::Clock, Check::Region, Check::Uploads, Check::Lifecycle, Check::Versioning, Check::PublicAccess];
    let silent = |check| Finding::new(check, Outcome::Unknown("this was not answered in time".to_owned()));
    checks.map(silent).into()
}

/// Says why something is not known. None of it is needed to publish, so none of it is an error.
fn why(error: &StoreError, action: &str) -> String {
    if let StoreError::AccessDenied { denial, .. } = error
        && !denial.is_of_identity()
    {
        return format!("{action} is not granted");
    }
    if matches!(error, StoreError::Configuration { setting: Setting::Endpoint, .. }) {
        return "the store does not answer as S3 does".to_owned();
    }
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    if words.is_empty() { error.to_string() } else { words.join(": ") }
}

fn clock(ahead: Option<i64>) -> Outcome {
    let Some(ahead) = ahead else { return Outcome::Unknown("the store does not tell the time".to_owned()) };
    let off = humantime::format_duration(Duration::from_secs(ahead.unsigned_abs()));
    let way = if ahead < 0 { "behind" } else { "ahead of" };
    if ahead.unsigned_abs() <= CLOCK {
        Outcome::fine("the clock is that of the store")
    } else {
        Outcome::doubtful(
            format!("the clock is {off} {way} the store's"),
            "set the clock, best by NTP: S3 refuses what is signed more than 15 minutes off",
        )
    }
}

fn region(survey: &Survey) -> Outcome {
    let asked = &survey.region;
    let at = survey.endpoint.as_ref().map(|endpoint| format!(", at {endpoint}")).unwrap_or_default();
    match &survey.bucket_region {
        Some(lies) if lies != asked => Outcome::doubtful(
            format!("the bucket is in {lies}, and the settings say {asked}{at}: each run asks there first"),
            format!("set AWS_REGION to {lies}, or `region` in the profile"),
        ),
        Some(lies) => Outcome::fine(format!("the bucket is in {lies}{at}")),
        None => Outcome::fine(format!("requests are signed for {asked}{at}")),
    }
}

fn uploads(found: &Uploads, aborts: bool) -> Outcome {
    let count = format!("{}{}", if found.more { "more than " } else { "" }, found.count);
    let (rule, advice) = if aborts {
        (
            "a rule puts away what is left over",
            "the rule will put them away; `aws s3api list-multipart-uploads` lists them",
        )
    } else {
        ("no rule would put away what is left over", ABORTING)
    };
    match found.oldest {
        Some(oldest) if oldest > LEFT_OVER => {
            let days = oldest.as_secs() / (24 * 60 * 60);
            Outcome::doubtful(
                format!("uploads below builds/ that never ended: {count}, the oldest begun {days} days ago"),
                advice,
            )
        }
        _ if found.count == 0 => Outcome::fine(format!("no upload is left over; {rule}")),
        _ => Outcome::fine(format!("uploads under way: {count}, none older than a day; {rule}")),
    }
}

fn lifecycle(found: &Lifecycle) -> Outcome {
    if found.rules.is_empty() {
        return Outcome::fine("no rule takes away what lies below builds/");
    }
    let rule = |Rule { name, deed, when }: &Rule| match deed {
        Deed::Expires => format!("the rule {name:?} deletes objects below builds/, {when}"),
        Deed::Archives(class) => format!("the rule {name:?} moves objects below builds/ to {class}, {when}"),
    };
    Outcome::doubtful(
        found.rules.iter().map(rule).collect::<Vec<_>>().join("; "),
        "limit the rule to another prefix: metafiles go on naming artifacts that are gone, also such as are deployed",
    )
}

fn versioning(found: Versioning) -> Outcome {
    Outcome::fine(match found {
        Versioning::On => {
            "old versions are kept, of these tests too: what is deleted can be had back, and every write of a metafile keeps the one before it"
        }
        Versioning::Suspended => "old versions are kept no more: what is deleted now is gone",
        Versioning::Off => "old versions are not kept: what is deleted is gone",
    })
}

fn public(open: &[&str]) -> Outcome {
    if open.is_empty() {
        return Outcome::fine("the public is kept out");
    }
    Outcome::doubtful(
        format!("the bucket's own settings may let the public in: {} off", open.join(", ")),
        "`aws s3api put-public-access-block` turns all four on, unless the account's own settings do",
    )
}
