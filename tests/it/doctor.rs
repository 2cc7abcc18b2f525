//! What the doctor says is so: of a sound store, of one that breaks each promise, and of a bucket as its keepers have set it up.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::doctor::{self, Check, DoctorError, Outcome};
use metalogic::metalogic::Listing;
use metalogic::store::memory::MemoryStore;
use metalogic::store::s3::{Lifecycle, Survey, Uploads, Versioning};
use metalogic::store::{
    Attributes, Body, Changed, Condition, Content, Denial, Guarantees, Key, Object, Prefix, Presigned, Put, Source,
    Store, StoreError, Tag, Validity,
};
use s3s::dto::{
    AbortIncompleteMultipartUpload, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    Transition, TransitionStorageClass,
};
use serde_json::Value;

use crate::fake::{ACCESS_KEY, Act, BUCKET, Fake, Fault, REGION, SECRET_KEY};
use crate::s3::wait_for;
use crate::sandbox::{Ran, Sandbox};

const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";

struct Team {
    fake: Fake,
    sandbox: Sandbox,
}

impl Team {
    async fn new() -> Self {
        Self { fake: Fake::start().await, sandbox: Sandbox::with_repository() }
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.sandbox.command("repo", arguments);
        command.env("METALOGIC_STORE", format!("s3://{BUCKET}/team")).env("AWS_ENDPOINT_URL", &self.fake.endpoint);
        command.env("AWS_REGION", REGION).env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        self.sandbox.ran(&format!("metalogic {}", arguments.join(" ")), &output)
    }

    fn report(&self) -> (Ran, Value) {
        let ran = self.run(&["doctor", "--json"]);
        let report = serde_json::from_str(&ran.stdout).unwrap();
        (ran, report)
    }
}

/// Returns the state of a check, its message and its hint.
fn of<'r>(report: &'r Value, check: &str) -> (&'r str, &'r str, &'r str) {
    let found = report["checks"].as_array().unwrap().iter().find(|line| line["check"] == check);
    let found = found.unwrap_or_else(|| panic!("{check} is not in {report:#}"));
    (found["state"].as_str().unwrap(), found["message"].as_str().unwrap(), found["hint"].as_str().unwrap_or_default())
}

fn states(report: &Value, state: &str) -> Vec<String> {
    let lines = report["checks"].as_array().unwrap().iter().filter(|line| line["state"] == state);
    lines.map(|line| line["check"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_bucket_passes_and_nothing_of_the_test_is_left() {
    let team = Team::new().await;
    let (ran, report) = team.report();
    assert_eq!(ran.code, Some(0), "{ran}");
    let told: Vec<&str> =
        report["checks"].as_array().unwrap().iter().map(|line| line["check"].as_str().unwrap()).collect();
    assert_eq!(told, Check::ALL.iter().map(|check| check.name()).collect::<Vec<_>>());
    assert_eq!(states(&report, "ok").len(), Check::ALL.len(), "{report:#}");
    assert_eq!((team.fake.keys(), team.fake.uploads()), (vec![], 0));
    let (_, store, _) = of(&report, "store");
    assert_eq!(store, format!("s3://{BUCKET}/team, as METALOGIC_STORE says"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_is_not_heeded_is_found_and_fails() {
    for (heedless, wrong) in [
        ((true, false), vec!["create-only", "create-only-parts"]),
        ((false, true), vec!["compare-and-swap"]),
        ((true, true), vec!["create-only", "create-only-parts", "compare-and-swap"]),
    ] {
        let team = Team::new().await;
        team.fake.heed_not(heedless.0, heedless.1);
        let (ran, report) = team.report();
        assert_eq!(ran.code, Some(12), "{ran}");
        assert_eq!(states(&report, "failed"), wrong, "{report:#}");
        assert!(of(&report, wrong[0]).2.contains("heeds conditions"), "{report:#}");
        assert_eq!(team.fake.keys(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_writing_command_warns_of_a_store_that_does_not_heed_conditions() {
    let team = Team::new().await;
    team.sandbox.write("out/app.zip", "bytes");
    let writing: [&[&str]; 4] =
        [&["publish", "../out/app.zip"], &["resolve"], &["stub"], &["registry", "push", "--expect", "none"]];
    for arguments in writing {
        let ran = team.run(arguments);
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(!ran.stderr.contains("heed"), "{ran}");
    }
    for (heedless, word) in [
        ((true, false), "(create-only puts)"),
        ((false, true), "(compare-and-swap)"),
        ((true, true), "(create-only puts, compare-and-swap)"),
    ] {
        team.fake.heed_not(heedless.0, heedless.1);
        for arguments in writing {
            let ran = team.run(arguments);
            assert_eq!(ran.code, Some(0), "{ran}");
            assert!(ran.stderr.contains("warning: the store") && ran.stderr.contains(word), "{ran}");
        }
        let quiet: [&[&str]; 3] = [&["show"], &["fetch", "-o", "../got"], &["publish", "-n"]];
        for arguments in quiet {
            let ran = team.run(arguments);
            assert!(!ran.stderr.contains("heed"), "{ran}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_a_bucket_says_which_conditions_it_keeps_whoever_asks_first() {
    let fake = Fake::start().await;
    let store = fake.store("team");
    let asked = futures::future::join_all((0..6).map(|_| store.guarantees())).await;
    assert!(asked.into_iter().all(|kept| kept.unwrap() == Guarantees::ALL));
    fake.heed_not(true, true);
    let asked = futures::future::join_all((0..6).map(|_| store.guarantees())).await;
    let none = Guarantees { create_only: false, compare_and_swap: false };
    assert!(asked.into_iter().all(|kept| kept.unwrap() == none));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_refuses_is_told_by_operation() {
    let team = Team::new().await;
    let denied = |about: &[&'static str]| Fault {
        about: about.to_vec(),
        times: 9999,
        act: Act::Answer { status: 403, headers: vec![], body: DENIED },
    };
    team.fake.fault(denied(&["PUT"]));
    let (ran, report) = team.report();
    assert_eq!(ran.code, Some(9), "{ran}");
    assert_eq!(states(&report, "failed"), ["put"]);
    assert_eq!(of(&report, "create-only").0, "unknown");
    team.fake.mend();

    team.fake.fault(denied(&["list-type=2"]));
    let (ran, report) = team.report();
    assert_eq!(ran.code, Some(9), "{ran}");
    assert_eq!(states(&report, "failed"), ["list", "listing-after-put"]);
    team.fake.mend();

    team.fake.fault(denied(&["DELETE"]));
    let (ran, report) = team.report();
    assert_eq!(ran.code, Some(0), "{ran}");
    let (state, said, _) = of(&report, "removal");
    assert!(state == "warning" && said.contains(&format!("s3://{BUCKET}/team/builds/.doctor/")), "{said}");
    assert!(team.fake.keys().iter().all(|key| key.starts_with("team/builds/.doctor/")));
    team.fake.mend();

    for about in ["?lifecycle", "?uploads", "?versioning", "?publicAccessBlock"] {
        team.fake.fault(denied(&["GET", about]));
    }
    let (ran, report) = team.report();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(states(&report, "unknown"), ["uploads", "lifecycle", "versioning", "public-access"]);
    assert_eq!(of(&report, "lifecycle").1, "s3:GetLifecycleConfiguration is not granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_put_without_an_answer_left_is_removed() {
    let team = Team::new().await;
    team.fake.fault(Fault { about: vec!["PUT", "/first"], times: 99, act: Act::LoseAnswer });
    let (ran, report) = team.report();
    // Each further try meets what the first one put.
    assert_eq!((of(&report, "put").0, of(&report, "removal").0), ("failed", "ok"), "{ran}");
    assert_eq!(team.fake.keys(), Vec::<String>::new());

    team.fake.mend();
    let fails = Act::Answer { status: 500, headers: vec![], body: "" };
    team.fake.fault(Fault { about: vec!["DELETE", ".doctor"], times: 99, act: fails });
    let (_, report) = team.report();
    let (state, said, _) = of(&report, "removal");
    assert!(state == "warning" && said.contains(&format!("stay below s3://{BUCKET}/team/builds/.doctor/")), "{said}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_that_is_ended_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let team = Team::new().await;
        team.fake.fault(Fault { about: vec!["PUT", "raced-1"], times: 99, act: Act::Silence });
        let mut child = team.command(&["doctor"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_for(|| team.fake.seen("raced-1")).await;
        assert!(!team.fake.keys().is_empty());
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        assert!(matches!(child.wait().unwrap().code(), Some(130 | 143)));
        assert_eq!(team.fake.keys(), Vec::<String>::new(), "after {signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_falls_silent_is_given_up_in_time() {
    let team = Team::new().await;
    team.fake.fault(Fault { about: vec!["GET", "/first"], times: 99, act: Act::Silence });
    team.fake.fault(Fault { about: vec!["list-type=2", ".doctor"], times: 99, act: Act::Silence });
    let since = std::time::Instant::now();
    let ran = team.run(&["--timeout", "2s", "doctor", "--json"]);
    assert!(since.elapsed().as_secs() < 7, "{:?}: {ran}", since.elapsed());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (ran.code, states(&report, "failed")),
        (Some(10), vec!["get".to_owned(), "listing-after-put".to_owned()])
    );
    assert_eq!(team.fake.keys(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_told_by_how_much_and_an_expired_login_as_that() {
    const SKEWED: &str = "<Error><Code>RequestTimeTooSkewed</Code><Message>Too far off</Message></Error>";
    const EXPIRED: &str = "<Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>";
    let team = Team::new().await;
    let date = ("date", "Fri, 02 Jan 2026 03:04:05 GMT".to_owned());
    let act = Act::Answer { status: 403, headers: vec![date], body: SKEWED };
    team.fake.fault(Fault { about: vec![], times: 9999, act });
    let (ran, report) = team.report();
    assert_eq!((ran.code, states(&report, "failed")), (Some(12), vec!["list".to_owned()]), "{ran}");
    let (state, said, _) = of(&report, "clock");
    assert!(state == "warning" && said.contains("ahead of the store's"), "{said}");

    team.fake.mend();
    team.fake.fault(Fault {
        about: vec![],
        times: 9999,
        act: Act::Answer { status: 400, headers: vec![], body: EXPIRED },
    });
    let (ran, report) = team.report();
    assert_eq!((ran.code, states(&report, "failed")), (Some(9), vec!["list".to_owned()]), "{ran}");
    assert!(!ran.stdout.contains("is not granted"), "{ran}");
}

#[test]
fn one_cause_is_told_once_and_a_directory_that_is_not_there_is_doubtful() {
    let sandbox = Sandbox::with_repository();
    let ran = sandbox.run(&["doctor", "--store", "../stoer", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let (state, said, _) = of(&report, "store");
    assert!(ran.code == Some(0) && state == "warning" && said.ends_with("does not exist yet"), "{ran}");

    sandbox.write("plain/bad.toml", "[store]\nurl = \"../store\"\n[projects.a\n");
    let ran = sandbox.run_in("plain", &["doctor", "--json", "--registry", "bad.toml"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, states(&report, "failed")), (Some(12), vec!["registry".to_owned()]), "{ran}");
    assert_eq!(of(&report, "store").1, "not tested: see registry");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_reached_is_told_once() {
    let team = Team::new().await;
    let mut command = team.command(&["--timeout", "2s", "doctor", "--json"]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let ran = team.sandbox.ran("metalogic doctor", &command.output().unwrap());
    assert_eq!(ran.code, Some(10), "{ran}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(states(&report, "failed"), ["list"]);
}

fn rule(prefix: &str) -> LifecycleRule {
    LifecycleRule {
        abort_incomplete_multipart_upload: None,
        expiration: None,
        filter: Some(LifecycleRuleFilter { prefix: Some(prefix.to_owned()), ..Default::default() }),
        id: Some("tidy".to_owned()),
        noncurrent_version_expiration: None,
        noncurrent_version_transitions: None,
        prefix: None,
        status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
        transitions: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_takes_builds_away_is_told_and_no_other() {
    let expires = |prefix: &str| LifecycleRule {
        expiration: Some(LifecycleExpiration { days: Some(30), ..Default::default() }),
        ..rule(prefix)
    };
    let tagged = |prefix: &str| {
        let tag = s3s::dto::Tag { key: Some("a".to_owned()), value: Some("b".to_owned()) };
        let filter = LifecycleRuleFilter { tag: Some(tag), ..Default::default() };
        LifecycleRule { filter: Some(filter), ..expires(prefix) }
    };
    let archives = |class: &'static str| {
        let storage_class = Some(TransitionStorageClass::from_static(class));
        LifecycleRule { transitions: Some(vec![Transition { days: Some(90), storage_class, date: None }]), ..rule("") }
    };
    let off = LifecycleRule { status: ExpirationStatus::from_static(ExpirationStatus::DISABLED), ..expires("") };
    let old = LifecycleRule { filter: None, prefix: Some("team/".to_owned()), ..expires("") };
    let cases = [
        (expires(""), "deletes objects below builds/, 30 days after they were put"),
        (expires("team/bui"), "deletes objects"),
        (expires("team/builds/00"), "deletes objects"),
        (old, "deletes objects"),
        (archives(TransitionStorageClass::GLACIER), "moves objects below builds/ to GLACIER, 90 days"),
        (archives(TransitionStorageClass::STANDARD_IA), ""),
        (expires("team/logs/"), ""),
        (expires("other/"), ""),
        (expires("team/builds/.doctor/"), ""),
        (tagged(""), ""),
        (off, ""),
    ];
    let team = Team::new().await;
    for (rule, told) in cases {
        team.fake.set_up(|bucket| bucket.rules = vec![rule.clone()]);
        let (ran, report) = team.report();
        assert_eq!(ran.code, Some(0), "{ran}");
        let (state, said, _) = of(&report, "lifecycle");
        let expected = if told.is_empty() { "ok" } else { "warning" };
        assert!(state == expected && said.contains(told), "{rule:?}: {state} {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_described_as_its_keepers_have_set_it_up() {
    let team = Team::new().await;
    team.fake.plant_upload("team/builds/x/app.zip");
    team.fake.plant_upload("elsewhere/app.zip");
    let (_, report) = team.report();
    let (state, said, _) = of(&report, "uploads");
    assert_eq!((state, &said[..20]), ("ok", "uploads under way: 1"), "{said}");
    team.fake.age_uploads(3);
    team.fake.set_up(|bucket| {
        bucket.versioned = true;
        bucket.open = true;
        let days = Some(AbortIncompleteMultipartUpload { days_after_initiation: Some(7) });
        bucket.rules = vec![LifecycleRule { abort_incomplete_multipart_upload: days, ..rule("") }];
    });
    let mut command = team.command(&["doctor", "--json"]);
    command.env("AWS_REGION", "us-west-2");
    let ran = team.sandbox.ran("metalogic doctor", &command.output().unwrap());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    assert_eq!(ran.code, Some(0), "{ran}");
    let (state, said, hint) = of(&report, "uploads");
    assert!(
        state == "warning" && said.contains("the oldest begun 3 days ago") && hint.contains("will put them away"),
        "{said}"
    );
    assert!(of(&report, "versioning").1.starts_with("old versions are kept, "));
    let (state, said, _) = of(&report, "public-access");
    assert_eq!(
        (state, said),
        ("warning", "the bucket's own settings may let the public in: BlockPublicAcls, IgnorePublicAcls off")
    );
    let (state, said, hint) = of(&report, "region");
    assert!(state == "warning" && said.contains(REGION) && hint.contains(REGION), "{said}");
    assert_eq!(states(&report, "warning"), ["region", "uploads", "public-access"]);
}

#[test]
fn a_directory_passes_and_is_as_it_was() {
    for (stood, empty) in [(false, false), (true, false), (true, true)] {
        let sandbox = Sandbox::with_repository();
        if empty {
            std::fs::create_dir(sandbox.path("store")).unwrap();
        } else if stood {
            sandbox.done(&["-q", "stub", "--store", "../store"]);
        }
        sandbox.write("keep", "");
        let before = sandbox.tree(".").into_iter().filter(|path| path.starts_with("store")).collect::<Vec<_>>();
        let ran = sandbox.run(&["doctor", "--store", "../store"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        let fine = ran.stdout.lines().filter(|line| line.starts_with("ok ")).count();
        assert_eq!(fine, if stood { 11 } else { 10 }, "{ran}");
        let after = sandbox.tree(".").into_iter().filter(|path| path.starts_with("store")).collect::<Vec<_>>();
        assert_eq!(after, before, "{ran}");
    }
}

#[test]
fn a_dry_run_of_the_doctor_writes_nothing() {
    let sandbox = Sandbox::with_repository();
    let ran = sandbox.run(&["doctor", "-n", "--store", "../store"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!sandbox.path("store").exists());
    assert!(ran.stdout.contains("ok       get") && !ran.stdout.contains("ok       put"), "{ran}");
}

#[test]
fn what_is_wrong_before_the_store_is_told_with_it() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"a\", \"a\"]\n");
    let ran = sandbox.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, of(&report, "registry").0), (Some(12), "failed"), "{ran}");
    assert_eq!(of(&report, "create-only").0, "ok");

    sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"a\"]\nnewer = 1\n");
    let ran = sandbox.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, of(&report, "registry").0), (Some(0), "warning"), "{ran}");

    sandbox.write("plain/file", "");
    let ran = sandbox.run_in("plain", &["doctor", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, of(&report, "git").0, of(&report, "store").0), (Some(12), "unknown", "failed"), "{ran}");
}

/// Looks before it writes, as if nobody could come between the two.
#[derive(Debug, Default)]
struct Hasty(MemoryStore);

#[async_trait]
impl Store for Hasty {
    fn url(&self, key: &Key) -> String {
        self.0.url(key)
    }
    fn root(&self) -> String {
        self.0.root()
    }
    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        self.0.list(commit).await
    }
    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        self.0.keys(prefix).await
    }
    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        self.0.get(key, largest).await
    }
    async fn get_changed(&self, key: &Key, largest: u64, than: &Tag) -> Result<Changed, StoreError> {
        self.0.get_changed(key, largest, than).await
    }
    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        self.0.open(key, range).await
    }
    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.0.head(key).await
    }
    async fn put(
        &self,
        key: &Key,
        content: Content,
        also: Attributes,
        condition: &Condition,
    ) -> Result<Put, StoreError> {
        let stands = self.0.get(key, u64::MAX).await?.map(|(_, tag)| tag);
        let holds = match condition {
            Condition::None => true,
            Condition::Absent => stands.is_none(),
            Condition::Matches(tag) => stands.as_ref() == Some(tag),
        };
        if !holds {
            return Err(StoreError::Precondition { key: key.to_string() });
        }
        tokio::task::yield_now().await;
        self.0.put(key, content, also, &Condition::None).await
    }
    async fn copy(&self, from: &Key, to: &Key, original: Option<&Object>) -> Result<(), StoreError> {
        self.0.copy(from, to, original).await
    }
    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError> {
        self.0.source(key).await
    }
    async fn copy_from(&self, source: &Source, to: &Key, also: Attributes) -> Result<bool, StoreError> {
        self.0.copy_from(source, to, also).await
    }
    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
    async fn presigned(&self, key: &Key, validity: Validity) -> Result<Option<Presigned>, StoreError> {
        self.0.presigned(key, validity).await
    }
    fn expect(&self, requests: usize) {
        self.0.expect(requests);
    }
    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        self.0.guarantees().await
    }
}

#[tokio::test]
async fn a_store_that_looks_before_it_writes_is_found_out_by_the_race() {
    let mut findings = Vec::new();
    doctor::probe(&MemoryStore::default(), &Hasty::default(), &mut findings).await;
    let raced = |check| {
        let finding = findings.iter().find(|finding| finding.check == check).unwrap();
        matches!(finding.outcome, Outcome::Wrong(DoctorError::Raced { .. }))
    };
    assert!(raced(Check::CreateOnly) && raced(Check::CompareAndSwap), "{findings:?}");
}

#[tokio::test]
async fn the_memory_store_passes() {
    let store = MemoryStore::default();
    let mut findings = Vec::new();
    doctor::probe(&MemoryStore::default(), &store, &mut findings).await;
    for finding in findings {
        assert!(matches!(finding.outcome, Outcome::Fine(_)), "{finding:?}");
    }
}

fn sound() -> Survey {
    Survey {
        endpoint: None,
        region: REGION.to_owned(),
        bucket_region: None,
        ahead: Some(0),
        uploads: Ok(Uploads { count: 0, more: false, oldest: None }),
        lifecycle: Ok(Lifecycle::default()),
        versioning: Ok(Versioning::Off),
        open_to_public: Ok(Vec::new()),
    }
}

#[test]
fn a_login_that_ends_half_way_is_not_taken_for_what_is_not_granted() {
    for (denial, granted) in [(Denial::Expired, true), (Denial::Plain, false)] {
        let denied = StoreError::AccessDenied { key: "k".to_owned(), denial, source: "it is over".into() };
        let findings = doctor::of_bucket(&Survey { versioning: Err(denied), ..sound() });
        let told = findings.into_iter().find(|finding| finding.check == Check::Versioning).unwrap();
        let Outcome::Unknown(why) = told.outcome else { panic!("it is not known") };
        assert_eq!(why, if granted { "it is over" } else { "s3:GetBucketVersioning is not granted" });
    }
}

#[test]
fn a_clock_that_is_off_is_told_with_its_way() {
    for (ahead, told) in [
        (Some(0), "the clock is that of the store"),
        (Some(-60), "the clock is that of the store"),
        (Some(61), "the clock is 1m 1s ahead of the store's"),
        (Some(-3600), "the clock is 1h behind the store's"),
        (None, "the store does not tell the time"),
    ] {
        let survey = Survey { ahead, ..sound() };
        let findings = doctor::of_bucket(&survey);
        let clock = findings.into_iter().find(|finding| finding.check == Check::Clock).unwrap();
        let (Outcome::Fine(said) | Outcome::Doubtful { said, .. } | Outcome::Unknown(said)) = clock.outcome else {
            panic!("a clock is never wrong by itself")
        };
        assert_eq!(said, told);
    }
}
