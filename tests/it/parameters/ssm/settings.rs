//! The settings of the AWS CLI, as an account heeds them: each in a process of its own, whose environment has nothing of this machine's.

use std::process::Command;
use std::sync::Arc;

use metalogic::account::Account;
use metalogic::config::{Config, Environment, Flags};
use metalogic::failure::Failure;
use metalogic::store::Key;
use serde_json::{Value, json};

use super::{FOUND, in_turn, region};
use crate::conformance::commit;
use crate::fake::answers::Answers;
use crate::fake::authority::Authority;
use crate::fake::proxy::Proxy;
use crate::fake::{ACCESS_KEY, BUCKET, Fake, REGION, SECRET_KEY};
use crate::sandbox::Sandbox;

/// Tells the test below that it is the child of another: what it is to ask.
const ASKED: &str = "METALOGIC_TEST_ASKED";

/// Says which of the lines that the child prints has the answers.
const ANSWERS: &str = "answers: ";

/// What requests are signed with.
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];

/// Answers what another test here wants to know of an account.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_answers() {
    let Some(asked) = std::env::var_os(ASKED) else { return };
    let flags = Flags { timeout: Some(std::time::Duration::from_secs(3)), ..Flags::default() };
    let account = Config::new(flags, Environment::of_process()).unwrap().account();
    let mut answers = Vec::new();
    for question in asked.to_str().unwrap().split(' ') {
        answers.push(answer(&*account, question).await);
    }
    println!("{ANSWERS}{}", Value::from(answers));
}

/// Answers a question, `parameter@region` or `bucket/@region`; the region may be left out.
async fn answer(account: &dyn Account, question: &str) -> Value {
    let (name, place) = question.split_once('@').unwrap_or((question, ""));
    let place = (!place.is_empty()).then(|| region(place));
    let told = |error: anyhow::Error| {
        let Failure { kind, message, hint, causes } = Failure::all_of(&error).remove(0);
        json!({"code": kind.code(), "message": message, "hint": hint, "causes": causes})
    };
    if let Some(bucket) = name.strip_suffix('/') {
        let found = account.bucket(bucket, place.as_ref()).head(&Key::Metafile(commit(1))).await;
        return found.map_or_else(|error| told(error.into()), |found| json!(found.is_some()));
    }
    let parameters = account.parameters(place.as_ref());
    let before = parameters.place();
    let found = parameters.get(name).await.map_or_else(|error| told(error.into()), Value::from);
    json!({"before": before, "place": parameters.place(), "found": found})
}

/// Has a process with these variables ask an account some questions, and returns the answers.
fn ask(sandbox: &Sandbox, variables: &[(&str, &str)], questions: &str) -> Vec<Value> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = format!("{}::what_an_account_answers", module_path!().split_once("::").unwrap().1);
    command.env_clear().env("HOME", sandbox.path("")).env(ASKED, questions).envs(variables.iter().copied());
    let output = command.args(["--exact", &name, "--nocapture", "--test-threads=1"]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let answers = told.lines().find_map(|line| line.split_once(ANSWERS));
    let Some((_, answers)) = answers else { panic!("{told}{}", String::from_utf8_lossy(&output.stderr)) };
    serde_json::from_str(answers).unwrap()
}

/// Asks for one parameter of the region that the settings say.
fn found(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Value {
    ask(sandbox, variables, "/app/latest").remove(0)
}

fn signed<'v>(variables: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    [&KEYS[..], variables].concat()
}

#[test]
fn what_an_account_has_is_made_once_for_each_region() {
    let account = Config::new(Flags::default(), Environment::default()).unwrap().account();
    let (here, there) = (region(REGION), region("eu-west-1"));
    let parameters = |place| account.parameters(place);
    let bucket = |name, place| account.bucket(name, place);
    assert!(Arc::ptr_eq(&parameters(Some(&here)), &parameters(Some(&here))));
    assert!(Arc::ptr_eq(&bucket("a", None), &bucket("a", None)));
    assert!(!Arc::ptr_eq(&parameters(Some(&here)), &parameters(Some(&there))));
    assert!(!Arc::ptr_eq(&parameters(Some(&here)), &parameters(None)));
    assert!(!Arc::ptr_eq(&bucket("a", None), &bucket("a", Some(&here))));
    assert!(!Arc::ptr_eq(&bucket("a", None), &bucket("b", None)));
    assert_eq!((bucket("a", None).root().as_str(), parameters(Some(&here)).place().as_str()), ("s3://a", REGION));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_systems_manager_outdoes_that_of_all_and_that_of_s3_is_another() {
    let (sandbox, dead) = (Sandbox::new(), "http://127.0.0.1:9");
    let (server, _) = in_turn(&[(200, FOUND)]).await;
    let good = server.url();
    let config = format!(
        "[profile all]\nregion = {REGION}\nendpoint_url = {good}\n[profile of-ssm]\nregion = {REGION}\nendpoint_url = {dead}\n\
         services = ours\n[services ours]\ns3 =\n  endpoint_url = {dead}\nssm =\n  endpoint_url = {good}\n"
    );
    sandbox.write(".aws/config", config);
    let region = ("AWS_REGION", REGION);
    for variables in [
        &[region, ("AWS_ENDPOINT_URL", good.as_str())][..],
        &[region, ("AWS_ENDPOINT_URL_SSM", &good), ("AWS_ENDPOINT_URL", dead), ("AWS_ENDPOINT_URL_S3", dead)],
        &[("AWS_PROFILE", "all")],
        &[("AWS_PROFILE", "of-ssm")],
    ] {
        let answer = found(&sandbox, &signed(variables));
        assert_eq!((&answer["found"], &answer["place"]), (&json!("1.0.0"), &json!(REGION)), "{variables:?}");
    }
    assert_eq!(server.requests().len(), 4);
    let odd = found(&sandbox, &signed(&[region, ("AWS_ENDPOINT_URL_SSM", "localhost:4566")]));
    assert_eq!(odd["found"]["code"], 12, "{odd}");
    assert_eq!(odd["found"]["message"], "the settings for the Parameter Store in eu-north-1 are wrong");
    let cause = odd["found"]["causes"][0].as_str().unwrap();
    assert!(cause.starts_with("AWS_ENDPOINT_URL_SSM is \"localhost:4566\""), "{odd}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_region_is_the_one_that_is_named_or_else_the_one_that_the_settings_say() {
    let sandbox = Sandbox::new();
    let (server, _) = in_turn(&[(200, FOUND)]).await;
    let url = server.url();
    sandbox.write(".aws/config", "[profile here]\nregion = eu-west-3\n");
    let endpoint = ("AWS_ENDPOINT_URL", url.as_str());
    let by_variable = signed(&[endpoint, ("AWS_REGION", "eu-west-1"), ("AWS_PROFILE", "here")]);
    let answers = ask(&sandbox, &by_variable, "/app/latest /app/latest@eu-west-2");
    for (answer, region) in answers.iter().zip(["eu-west-1", "eu-west-2"]) {
        assert_eq!((&answer["before"], &answer["place"]), (&json!(region), &json!(region)));
    }
    // Nobody has read the profile yet when the parameters are made.
    let answer = found(&sandbox, &signed(&[endpoint, ("AWS_PROFILE", "here")]));
    let before = "the default region";
    assert_eq!((&answer["before"], &answer["place"]), (&json!(before), &json!("eu-west-3")));
    let scopes: Vec<String> = server.requests().iter().map(|request| scope(request)).collect();
    assert_eq!(scopes, ["eu-west-1/ssm", "eu-west-2/ssm", "eu-west-3/ssm"]);
}

/// Returns the region and the service that a request is signed for.
fn scope(request: &str) -> String {
    let scope = request.split("Credential=").nth(1).unwrap().split(',').next().unwrap();
    scope.split('/').skip(2).take(2).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_region_nobody_guesses_one_and_without_keys_nobody_waits() {
    let (sandbox, since) = (Sandbox::new(), std::time::Instant::now());
    let (server, _) = in_turn(&[(200, FOUND)]).await;
    let url = server.url();
    let endpoint = ("AWS_ENDPOINT_URL", url.as_str());
    let answer = found(&sandbox, &signed(&[endpoint]));
    assert_eq!((&answer["found"]["code"], &answer["found"]["message"]), (&json!(12), &json!("no region is set")));
    let cause = answer["found"]["causes"][0].as_str().unwrap();
    assert!(cause.contains("AWS_DEFAULT_REGION") && cause.contains("the AWS profile default"), "{answer}");
    assert!(answer["found"]["hint"].as_str().unwrap().contains("AWS_REGION"), "{answer}");
    // It is no matter of the settings where the region is named.
    assert_eq!(ask(&sandbox, &signed(&[endpoint]), "/app/latest@eu-west-1")[0]["found"], "1.0.0");
    assert_eq!(server.requests().len(), 1);
    let answer = found(&sandbox, &[endpoint, ("AWS_REGION", REGION)]);
    assert_eq!(answer["found"]["code"], 12, "{answer}");
    assert_eq!(answer["found"]["message"], "no credentials for the Parameter Store in eu-north-1 could be had");
    assert!(answer["found"]["hint"].as_str().unwrap().contains("AWS_ACCESS_KEY_ID"), "{answer}");
    assert_eq!(server.requests().len(), 1);
    assert!(since.elapsed() < std::time::Duration::from_secs(3), "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_reached_by_the_proxy_and_with_the_authorities_that_buckets_are() {
    let (sandbox, authority) = (Sandbox::new(), Authority::new("the company"));
    let (server, _) = in_turn(&[(200, FOUND)]).await;
    let front = authority.before(&server.url(), &["ssm.invalid"]).await;
    let proxy = Proxy::to(&front.address.to_string()).await;
    sandbox.write("ca.pem", &authority.pem);
    let (bundle, by) = (sandbox.path("ca.pem"), proxy.url());
    let settings = [("AWS_REGION", REGION), ("AWS_ENDPOINT_URL", "https://ssm.invalid"), ("HTTPS_PROXY", by.as_str())];
    let trusted = [&settings[..], &[("AWS_CA_BUNDLE", bundle.to_str().unwrap())]].concat();
    assert_eq!(found(&sandbox, &signed(&trusted))["found"], "1.0.0");
    assert_eq!(proxy.requests(), ["CONNECT ssm.invalid:443 HTTP/1.1"]);
    let answer = found(&sandbox, &signed(&settings));
    let told = "the certificate that answers for the Parameter Store in eu-north-1 is not trusted";
    assert_eq!((&answer["found"]["code"], &answer["found"]["message"]), (&json!(12), &json!(told)));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_asked_for_once_for_all_regions_and_buckets() {
    let keys = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "t", "Expiration": "2099-01-01T00:00:00Z"});
    let container = Answers::start(vec![("GET /role", keys.to_string())]).await;
    let (sandbox, fake) = (Sandbox::new(), Fake::start().await);
    let (server, _) = in_turn(&[(200, FOUND)]).await;
    let (uri, url) = (format!("{}/role", container.url()), server.url());
    let settings = [
        ("AWS_REGION", REGION),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ("AWS_ENDPOINT_URL_SSM", &url),
        ("AWS_ENDPOINT_URL_S3", &fake.endpoint),
    ];
    let bucket = format!("{BUCKET}/");
    let questions = format!("/app/latest /app/latest@eu-west-1 {bucket} {bucket}@eu-west-1 /app/latest");
    let answers = ask(&sandbox, &settings, &questions);
    assert!(answers.iter().filter(|answer| answer["found"] == "1.0.0").count() == 3, "{answers:?}");
    assert_eq!(answers[2..4], [json!(false), json!(false)]);
    assert_eq!((container.requests().len(), server.requests().len()), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_asked_in_the_region_that_is_named_and_followed_where_it_is() {
    let (sandbox, fake) = (Sandbox::new(), Fake::start().await);
    let settings = signed(&[("AWS_REGION", "us-west-2"), ("AWS_ENDPOINT_URL", &fake.endpoint)]);
    let scopes = |questions: &str| {
        assert_eq!(ask(&sandbox, &settings, questions), [json!(false)]);
        let signed = |headers: hyper::HeaderMap| scope(headers["authorization"].to_str().unwrap());
        fake.heard().into_iter().map(|(_, headers)| signed(headers)).collect::<Vec<_>>()
    };
    assert_eq!(scopes(&format!("{BUCKET}/")), ["us-west-2/s3"]);
    assert_eq!(scopes(&format!("{BUCKET}/@eu-west-1")), ["eu-west-1/s3"]);
    let headers = vec![("x-amz-bucket-region", "ap-south-1".to_owned())];
    let act = crate::fake::Act::Answer { status: 301, headers, body: "" };
    fake.fault(crate::fake::Fault { about: vec![], times: 1, act });
    assert_eq!(scopes(&format!("{BUCKET}/@eu-west-1")), ["eu-west-1/s3", "ap-south-1/s3"]);
}
