//! What a failure is called: one of each kind that the other tests do not meet by running a command.

use std::collections::BTreeSet;

use metalogic::artifact::Name;
use metalogic::failure::{EndedError, Failure, Kind, Several, UsageError};
use metalogic::publish::PublishError;
use metalogic::resolve::{Objection, ResolveError};
use metalogic::store::{Outage, StoreError};

fn told(error: impl Into<anyhow::Error>) -> Failure {
    Failure::all_of(&error.into()).remove(0)
}

fn unavailable() -> StoreError {
    let source = "connection refused".into();
    StoreError::Unavailable { key: "builds/x/app.zip".to_owned(), outage: Outage::Plain, source }
}

#[test]
fn a_wait_that_ran_out_and_a_store_that_does_not_answer_have_their_codes_and_hints() {
    let commit = "1".repeat(40).parse().unwrap();
    let raced = told(ResolveError::Raced { commit, races: 9, waited: std::time::Duration::from_secs(120) });
    assert_eq!(raced.kind, Kind::NotYet);
    assert!(raced.message.contains("first 9 times in 120 s") && raced.hint.unwrap().contains("--timeout"));

    let failure = told(PublishError::Put { name: "app.zip".parse().unwrap(), source: unavailable() });
    assert_eq!(failure.kind, Kind::Unavailable);
    assert_eq!(failure.message, "app.zip could not be published");
    assert_eq!(failure.causes, ["builds/x/app.zip cannot be reached", "connection refused"]);
    // However deep it lies, the store's failure is what decides.
    assert_eq!(told(ResolveError::Store(unavailable())).kind, Kind::Unavailable);
    assert_eq!(told(ResolveError::Store(unavailable())).message, "builds/x/app.zip cannot be reached");
}

#[test]
fn several_failures_of_one_kind_are_that_kind_and_of_several_are_thirteen() {
    let usage = || anyhow::Error::from(UsageError { message: "no".to_owned(), hint: None });
    let kind = |errors| Failure::joint_kind(&Failure::all_of(&Several(errors).into()));
    assert_eq!(kind(vec![usage(), usage()]), Kind::Usage);
    assert_eq!(kind(vec![usage(), unavailable().into()]), Kind::Several);
    assert_eq!(Failure::joint_kind(&[]), Kind::Done);
}

#[test]
fn what_nobody_classified_is_another_failure() {
    let failure = told(anyhow::anyhow!("inner").context("outer"));
    assert_eq!(
        (failure.kind, failure.message.as_str(), failure.causes.as_slice()),
        (Kind::Other, "outer", &["inner".to_owned()][..])
    );
    assert_eq!(told(EndedError::Terminated).kind.code(), 143);
}

#[test]
fn codes_and_names_of_kinds_are_each_their_own() {
    let codes: BTreeSet<u8> = Kind::ALL.iter().map(|kind| kind.code()).collect();
    let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!((codes.len(), names.len()), (Kind::ALL.len(), Kind::ALL.len()));
}

#[test]
fn a_cause_of_several_lines_is_told_line_by_line() {
    let causes = told(anyhow::anyhow!("git says: fatal: one\n\nhint: t\u{1b}wo\n").context("git failed")).causes;
    assert_eq!(causes, ["git says: fatal: one", r"hint: t\u{1b}wo"]);
}

#[test]
fn every_artifact_that_is_missing_is_told() {
    let names: BTreeSet<Name> = (0..81).map(|n| format!("{}-{n}.zip", "long".repeat(10)).parse().unwrap()).collect();
    let message = told(Objection::Incomplete { commit: "1".repeat(40).parse().unwrap(), names: names.clone() }).message;
    assert_eq!(message.lines().skip(1).map(|name| name.trim().parse().unwrap()).collect::<BTreeSet<Name>>(), names);
}
