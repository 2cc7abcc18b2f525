//! Setting an organisation up: what is saved, where, and what is never overwritten.

#[cfg(unix)]
mod terminal;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use metalogic::account::Account;
use metalogic::organisation::{Organisation, Region};
use metalogic::parameters::memory::MemoryParameters;
use metalogic::parameters::name::{self, ParameterNameError};
use metalogic::parameters::{ParameterError, Parameters};
use metalogic::setup::{AnswerError, BucketError, Draft, Found, Question, Setup, SetupError};
use metalogic::store::{Denial, Store};
use serde_json::{Value, json};

use crate::fake::parameters::{ParameterStore, REGION};
use crate::sandbox::{Ran, Sandbox};

const PARAMETER: &str = "/startifact";

/// A described configuration of which everything is as it is where nobody says otherwise.
fn described() -> Value {
    json!({
        "bucket_key_prefix": "", "bucket_param_name": "/artifacts-bucket", "bucket_param_region": REGION,
        "bucket_region": REGION, "parameter_name_prefix": "", "parameter_region": REGION, "save_ok": "y", "start_ok": "y",
    })
}

/// A released configuration, as Startifact 1.0a10 writes it.
fn released(regions: &str) -> Value {
    json!({
        "bucket_key_prefix": "", "bucket_name_param": "/artifacts-bucket", "parameter_name_prefix": "",
        "regions": regions, "save_ok": "y",
    })
}

/// Returns the configuration that is saved in a region.
fn saved(store: &ParameterStore, region: &str) -> Value {
    let text = store.get(region, PARAMETER).unwrap_or_else(|| panic!("nothing is saved in {region}"));
    serde_json::from_str(&text).unwrap()
}

/// An account in memory, some regions of which do not do what they are asked.
#[derive(Debug, Clone, Default)]
struct Memory {
    regions: Arc<Mutex<Vec<(String, MemoryParameters)>>>,
    unreadable: Vec<&'static str>,
    unwritable: Vec<&'static str>,
}

#[derive(Debug)]
struct Place {
    region: String,
    texts: MemoryParameters,
    readable: bool,
    writable: bool,
}

impl Account for Memory {
    fn parameters(&self, region: Option<&Region>) -> Arc<dyn Parameters> {
        let region = region.map_or(REGION.to_owned(), ToString::to_string);
        let mut regions = self.regions.lock().unwrap();
        if !regions.iter().any(|(known, _)| *known == region) {
            regions.push((region.clone(), MemoryParameters::default()));
        }
        let texts = regions.iter().find(|(known, _)| *known == region).unwrap().1.clone();
        let can = |refusing: &[&str]| !refusing.contains(&region.as_str());
        let (readable, writable) = (can(&self.unreadable), can(&self.unwritable));
        Arc::new(Place { region, texts, readable, writable })
    }

    fn bucket(&self, name: &str, _: Option<&Region>) -> Arc<dyn Store> {
        panic!("the set-up needs nothing of the bucket {name}")
    }
}

impl Place {
    fn refused(&self, name: &str, denial: Denial) -> ParameterError {
        let (name, place) = (name.to_owned(), self.region.clone());
        ParameterError::AccessDenied { name, place, denial, source: "refused".into() }
    }
}

#[async_trait]
impl Parameters for Place {
    fn place(&self) -> String {
        self.region.clone()
    }

    async fn get(&self, name: &str) -> Result<Option<String>, ParameterError> {
        if self.readable { self.texts.get(name).await } else { Err(self.refused(name, Denial::Reading)) }
    }

    async fn put(&self, name: &str, text: &str) -> Result<(), ParameterError> {
        if self.writable { self.texts.put(name, text).await } else { Err(self.refused(name, Denial::Writing)) }
    }
}

impl Memory {
    async fn set(&self, region: &str, name: &str, text: &str) {
        self.parameters(Some(&area(region))).put(name, text).await.unwrap();
    }

    async fn get(&self, region: &str) -> Option<String> {
        let place = Self { unreadable: Vec::new(), ..self.clone() };
        place.parameters(Some(&area(region))).get(PARAMETER).await.unwrap()
    }

    fn setup(&self, regions: &str) -> Setup {
        Setup::new(Arc::new(self.clone()), PARAMETER.to_owned(), Region::list(regions).unwrap())
    }
}

fn area(region: &str) -> Region {
    region.parse().unwrap()
}

/// Makes what is there into a configuration with another key prefix, and saves it.
async fn change(setup: &Setup, prefix: &str) -> Result<Vec<(String, Result<bool, ParameterError>)>, SetupError> {
    let mut standing = setup.look().await?;
    let mut draft = setup.begin(&mut standing, false)?;
    draft.set(Question::KeyPrefix, prefix).unwrap();
    let mut plan = setup.plan(&standing, draft.finished()).await;
    Ok(setup.save(&mut plan).await?.into_iter().map(|saved| (saved.name, saved.result)).collect())
}

#[tokio::test]
async fn where_there_is_nothing_the_described_kind_is_saved() {
    let memory = Memory::default();
    let saved = change(&memory.setup(""), "").await.unwrap();
    assert!(matches!(&saved[..], [(place, Ok(true))] if place == REGION), "{saved:?}");
    let text = memory.get(REGION).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), described());
    assert_eq!(text, Organisation::parse(&text).unwrap().to_text());
    let again = change(&memory.setup(""), "").await.unwrap();
    assert!(matches!(&again[..], [(_, Ok(false))]), "{again:?}");
}

#[tokio::test]
async fn an_update_keeps_the_kind_and_all_keys_that_nobody_asks_for() {
    for mut there in [described(), released("eu-west-1,eu-west-2")] {
        let memory = Memory::default();
        there["their"] = json!({"own": [1, 2.50]});
        memory.set("eu-west-1", PARAMETER, &there.to_string()).await;
        change(&memory.setup("eu-west-1"), "new/").await.unwrap();
        there["bucket_key_prefix"] = json!("new/");
        assert_eq!(serde_json::from_str::<Value>(&memory.get("eu-west-1").await.unwrap()).unwrap(), there);
        let others = [memory.get("eu-west-2").await, memory.get(REGION).await];
        assert_eq!(others[0].is_some(), there.get("regions").is_some(), "{others:?}");
        assert_eq!(others[1], None);
    }
}

#[tokio::test]
async fn what_nobody_finished_counts_as_none_and_keeps_its_other_keys() {
    for text in ["{}", r#"{"bucket_param_name":"","their":1}"#, r#"{"bucket_name_param":"","regions":"","their":1}"#] {
        let memory = Memory::default();
        memory.set(REGION, PARAMETER, text).await;
        assert!(matches!(memory.setup("").look().await.unwrap().found, Found::Unfinished(_)), "{text}");
        change(&memory.setup(""), "").await.unwrap();
        let saved: Value = serde_json::from_str(&memory.get(REGION).await.unwrap()).unwrap();
        let mut expected = described();
        if text.contains("their") {
            expected["their"] = json!(1);
        }
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&saved[key], value, "{text}: {key}");
        }
    }
}

#[tokio::test]
async fn what_is_malformed_is_given_up_only_by_force() {
    for text in ["no JSON", "[]", r#"{"bucket_param_name": 5}"#, r#"{"bucket_region": "EU"}"#] {
        let memory = Memory::default();
        memory.set(REGION, PARAMETER, text).await;
        let refused = change(&memory.setup(""), "").await;
        assert!(matches!(refused, Err(SetupError::Malformed { .. })), "{text}: {refused:?}");
        assert_eq!(memory.get(REGION).await.as_deref(), Some(text));
        let setup = memory.setup("");
        let mut standing = setup.look().await.unwrap();
        let draft = setup.begin(&mut standing, true).unwrap();
        setup.save(&mut setup.plan(&standing, draft.finished()).await).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&memory.get(REGION).await.unwrap()).unwrap(), described());
    }
}

#[tokio::test]
async fn what_somebody_saved_since_it_was_read_is_never_overwritten() {
    let there = [None, Some(described().to_string()), Some(released("eu-west-1,eu-west-2").to_string())];
    for before in there {
        for region in ["eu-west-1", "eu-west-2"] {
            let memory = Memory::default();
            if let Some(before) = &before {
                memory.set("eu-west-1", PARAMETER, before).await;
            }
            let setup = memory.setup("eu-west-1");
            let mut standing = setup.look().await.unwrap();
            let mut draft = setup.begin(&mut standing, false).unwrap();
            draft.set(Question::KeyPrefix, "mine/").unwrap();
            let mut plan = setup.plan(&standing, draft.finished()).await;
            let concerned = plan.targets.iter().any(|target| target.name == region);
            memory.set(region, PARAMETER, "theirs").await;
            let saved = setup.save(&mut plan).await;
            assert_eq!(matches!(saved, Err(SetupError::Changed { .. })), concerned, "{saved:?}");
            assert_eq!(memory.get(region).await.as_deref(), Some("theirs"));
            let other = if region == "eu-west-1" { "eu-west-2" } else { "eu-west-1" };
            if concerned {
                let expected = before.clone().filter(|_| other == "eu-west-1");
                assert_eq!(memory.get(other).await, expected, "nothing is saved anywhere");
            }
        }
    }
}

#[tokio::test]
async fn a_region_that_fails_keeps_no_other_from_being_saved_and_a_later_run_mends_it() {
    let mut memory = Memory::default();
    memory.set("eu-west-1", PARAMETER, &released("eu-west-1,eu-west-2,eu-west-3").to_string()).await;
    (memory.unreadable, memory.unwritable) = (vec!["eu-west-2"], vec!["eu-west-3"]);
    let saved = change(&memory.setup("eu-west-1"), "new/").await.unwrap();
    assert!(matches!(&saved[..], [(_, Ok(true)), (_, Err(_)), (_, Err(_))]), "{saved:?}");
    assert_eq!((memory.get("eu-west-2").await, memory.get("eu-west-3").await), (None, None));
    memory.unreadable.clear();
    memory.unwritable.clear();
    let saved = change(&memory.setup("eu-west-1"), "new/").await.unwrap();
    assert!(matches!(&saved[..], [(_, Ok(false)), (_, Ok(true)), (_, Ok(true))]), "{saved:?}");
    assert_eq!(memory.get("eu-west-3").await, memory.get("eu-west-1").await);
}

#[tokio::test]
async fn a_region_that_is_down_is_no_region_without_a_configuration() {
    let memory = Memory { unreadable: vec!["eu-west-1"], ..Memory::default() };
    let refused = change(&memory.setup("eu-west-1,eu-west-2"), "").await;
    assert!(matches!(refused, Err(SetupError::Parameters(_))), "{refused:?}");
    assert_eq!(memory.get("eu-west-2").await, None);
    memory.set("eu-west-2", PARAMETER, &described().to_string()).await;
    let standing = memory.setup("eu-west-1,eu-west-2").look().await.unwrap();
    assert!(matches!(standing.found, Found::Whole(_)) && standing.away.len() == 1, "{standing:?}");
}

#[tokio::test]
async fn a_region_that_is_listed_no_more_is_named() {
    let memory = Memory::default();
    memory.set("eu-west-1", PARAMETER, &released("eu-west-1,eu-west-2").to_string()).await;
    let setup = memory.setup("eu-west-1");
    let mut standing = setup.look().await.unwrap();
    let mut draft = setup.begin(&mut standing, false).unwrap();
    draft.set(Question::Regions, "eu-west-2,eu-west-3").unwrap();
    let plan = setup.plan(&standing, draft.finished()).await;
    assert_eq!(plan.left, [area("eu-west-1")]);
    let targets: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(targets, ["eu-west-2", "eu-west-3"]);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_found_is_told_with_the_reason() {
    let mut memory = Memory::default();
    let setup = memory.setup("");
    let standing = setup.look().await.unwrap();
    let organisation = Draft::fresh(Some(&area(REGION))).finished();
    let doubts = setup.doubts(&standing, &organisation).await;
    assert!(matches!(&doubts[..], [BucketError::Missing { .. }]), "{doubts:?}");
    for (value, fine) in [
        ("org-bucket-1", true),
        ("s3://org", false),
        ("org/prefix", false),
        ("No Bucket", false),
        ("org-bucket-1/", false),
    ] {
        memory.set(REGION, "/artifacts-bucket", value).await;
        assert_eq!(setup.doubts(&standing, &organisation).await.is_empty(), fine, "{value}");
    }
    memory.unreadable = vec![REGION];
    let doubts = memory.setup("").doubts(&standing, &organisation).await;
    assert!(matches!(&doubts[..], [BucketError::Unreadable(_)]), "{doubts:?}");
}

#[test]
fn an_answer_is_taken_or_refused_and_a_refused_one_changes_nothing() {
    let of = |value: Value| Draft::of(Organisation::parse(&value.to_string()).unwrap());
    let (fresh, listed) = (of(described()), of(released("eu-west-1")));
    let taken = [
        (&fresh, Question::BucketParameter, "bucket"),
        (&fresh, Question::BucketRegion, ""),
        (&fresh, Question::ParameterPrefix, "/org-"),
        (&fresh, Question::ParameterPrefix, "/org/"),
        (&fresh, Question::ParameterPrefix, "/"),
        (&fresh, Question::ParameterPrefix, ""),
        (&fresh, Question::KeyPrefix, "a b/-"),
        (&listed, Question::ParameterPrefix, "/org"),
        (&listed, Question::ParameterPrefix, ""),
        (&listed, Question::Regions, "eu-west-2,us-east-1"),
    ];
    for (draft, question, text) in taken {
        let mut draft = draft.clone();
        draft.set(question, text).unwrap();
        assert_eq!(draft.value(question), text);
    }
    let long = format!("/{}", "x".repeat(900));
    let refused = [
        (&fresh, Question::BucketParameter, "", "no part of it is"),
        (&fresh, Question::BucketParameter, "/x:3", "':'"),
        (&fresh, Question::BucketRegion, "Europe", "a region"),
        (&fresh, Question::ParameterPrefix, "org-", "org-app/latest"),
        (&fresh, Question::ParameterPrefix, "/AWS", "aws or ssm"),
        (&fresh, Question::ParameterPrefix, "//", "no part of it is"),
        (&fresh, Question::ParameterPrefix, &long, "at most 803 characters"),
        (&fresh, Question::KeyPrefix, "a\tb", "control"),
        (&fresh, Question::Regions, "eu-west-1", "described kind"),
        (&listed, Question::ParameterPrefix, "/org/", "does not end"),
        (&listed, Question::ParameterPrefix, "org", "begins with /"),
        (&listed, Question::Regions, " , ", "at least one"),
        (&listed, Question::Regions, "eu west", "a region"),
        (&listed, Question::BucketRegion, "eu-west-1", "released kind"),
    ];
    for (draft, question, text, problem) in refused {
        let mut changed = draft.clone();
        let error: AnswerError = changed.set(question, text).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(format!("{error}: {source}").contains(problem), "{text}: {error}: {source}");
        assert_eq!(changed, *draft);
    }
}

#[test]
fn a_parameter_has_the_names_that_parameter_store_takes() {
    for fine in ["x", "/x", "/a/b-c/d_e.f", &"x".repeat(1011), &"/x".repeat(15), "/law/ssm"] {
        assert_eq!(name::check(fine), Ok(()), "{fine}");
    }
    let refused = [
        ("", ParameterNameError::Empty),
        ("/", ParameterNameError::Empty),
        ("/a/", ParameterNameError::Empty),
        ("/a//b", ParameterNameError::Empty),
        ("a/b", ParameterNameError::Relative),
        ("/a b", ParameterNameError::Character(' ')),
        ("ä", ParameterNameError::Character('ä')),
        ("aWs", ParameterNameError::Reserved),
        ("/ssm/x", ParameterNameError::Reserved),
        (&"x".repeat(1012), ParameterNameError::Long(1012)),
        (&"/x".repeat(16), ParameterNameError::Deep(16)),
    ];
    for (text, error) in refused {
        assert_eq!(name::check(text), Err(error), "{text}");
    }
}

/// Runs the set-up where there is no terminal.
fn run(store: &ParameterStore, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(".", &[&["setup"], arguments].concat());
    let output = store.reach(&mut command).envs(variables.iter().copied()).output().unwrap();
    sandbox.ran(&format!("metalogic setup {}", arguments.join(" ")), &output)
}

#[test]
fn what_nobody_finished_is_shown_as_that() {
    let store = ParameterStore::start();
    let nothing = run(&store, &[], &["--show"]);
    assert!(nothing.code == Some(3) && nothing.stderr.contains("there is no configuration"), "{nothing}");
    store.set(REGION, PARAMETER, r#"{"start_ok":"y","bucket_param_name":""}"#);
    let begun = run(&store, &[], &["--show"]);
    assert!(begun.code == Some(3) && begun.stderr.contains("did not finish it"), "{begun}");
    assert!(begun.stderr.contains("metalogic setup"), "{begun}");
}

#[test]
fn without_a_terminal_flags_answer_and_yes_takes_the_rest_as_it_is() {
    let store = ParameterStore::start();
    let ran = run(&store, &[], &[]);
    assert!(ran.code == Some(2) && ran.stderr.contains("--yes") && ran.stderr.contains("--bucket-parameter"), "{ran}");
    let flags = [
        "--bucket-parameter",
        "--bucket-parameter-region",
        "--bucket-region",
        "--key-prefix",
        "--parameter-region",
        "--parameter-prefix",
    ];
    let values = ["/team/bucket", "eu-west-1", "eu-west-2", "releases/", "eu-west-3", "/org/"];
    let keys = [
        "bucket_param_name",
        "bucket_param_region",
        "bucket_region",
        "bucket_key_prefix",
        "parameter_region",
        "parameter_name_prefix",
    ];
    let mut expected = described();
    for ((flag, value), key) in flags.iter().zip(values).zip(keys) {
        let ran = run(&store, &[], &["--yes", flag, value]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "/startifact in eu-north-1\n"), "{ran}");
        expected[key] = json!(value);
        assert_eq!(saved(&store, REGION), expected);
    }
    let written = store.puts().len();
    let ran = run(&store, &[], &["--yes"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("the same stands already"), "{ran}");
    assert_eq!((store.puts().len(), written), (6, 6), "what is there already is not written");
    for (flag, value) in [("--bucket-region", "EU"), ("--parameter-prefix", "org-"), ("--regions", "eu-west-1")] {
        let ran = run(&store, &[], &["--yes", flag, value]);
        assert!(ran.code == Some(2) && ran.stderr.contains(flag), "{ran}");
    }
    assert_eq!((store.puts().len(), saved(&store, REGION)), (6, expected));
}

#[test]
fn a_dry_run_prints_what_would_be_saved_and_saves_nothing() {
    let store = ParameterStore::start();
    let ran = run(&store, &[], &["--dry-run", "--key-prefix", "x/"]);
    let mut expected = described();
    expected["bucket_key_prefix"] = json!("x/");
    assert_eq!((ran.code, serde_json::from_str::<Value>(&ran.stdout).unwrap()), (Some(0), expected), "{ran}");
    assert!(ran.stderr.contains("would be saved as /startifact in eu-north-1"), "{ran}");
    assert_eq!(store.puts(), [""; 0]);
}

#[test]
fn what_is_there_is_shown_and_where_there_is_nothing_that_is_told() {
    let store = ParameterStore::start();
    let variables = [("STARTIFACT_PARAMETER", "/other")];
    let ran = run(&store, &variables, &["--show"]);
    assert!(ran.code == Some(3) && ran.stderr.contains("/other in eu-north-1"), "{ran}");
    store.set(REGION, "/other", &described().to_string());
    let ran = run(&store, &variables, &["--show"]);
    assert!(ran.code == Some(0) && ran.stdout.starts_with("/other in eu-north-1\n"), "{ran}");
    assert!(ran.stdout.contains("described") && ran.stdout.contains("/app/latest"), "{ran}");
    let ran = run(&store, &variables, &["--show", "--json"]);
    let object: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&object["configuration"], &object["written"]), (&described(), &json!(false)), "{ran}");
    store.set(REGION, "/other", "garbage");
    let ran = run(&store, &variables, &["--show", "--force"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    for arguments in [&["--show"][..], &["--yes"], &["--dry-run"]] {
        let ran = run(&store, &variables, arguments);
        assert!(ran.code == Some(12) && ran.stderr.contains("--force"), "{ran}");
    }
    let ran = run(&store, &variables, &["--yes", "--force"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("given up: garbage"), "{ran}");
    let ran = run(&store, &[("STARTIFACT_PARAMETER", "a/b")], &["--show"]);
    assert!(ran.code == Some(12) && ran.stderr.contains("STARTIFACT_PARAMETER"), "{ran}");
}

#[test]
fn a_region_that_fails_is_told_beside_those_that_were_saved() {
    let store = ParameterStore::start();
    store.set("eu-west-1", PARAMETER, &released("eu-west-1,eu-west-2").to_string());
    store.kept().unwritable.insert("eu-west-2".to_owned());
    let ran = run(&store, &[("STARTIFACT_REGIONS", "eu-west-1")], &["--yes", "--key-prefix", "x/"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(9), "/startifact in eu-west-1\n"), "{ran}");
    assert!(ran.stderr.contains("eu-west-2") && ran.stderr.contains("ssm:PutParameter"), "{ran}");
    assert_eq!(store.get("eu-west-2", PARAMETER), None);
}
