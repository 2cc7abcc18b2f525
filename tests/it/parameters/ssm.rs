//! The Parameter Store of Systems Manager, as moto has it, and as it answers when something is wrong.

mod settings;

use std::time::{Duration, Instant};

use metalogic::aws::{Common, Reach};
use metalogic::failure::Kind;
use metalogic::organisation::Region;
use metalogic::parameters::Parameters;
use metalogic::parameters::ssm::SsmParameters;

use super::failure;
use crate::fake::answers::{Answers, Turns};
use crate::fake::{ACCESS_KEY, REGION, SECRET_KEY};

/// A parameter, as the service answers with it.
const FOUND: &str = r#"{"Parameter":{"Name":"/app/latest","Type":"String","Value":"1.0.0","Version":1}}"#;
const NOT_FOUND: &str = r#"{"__type":"ParameterNotFound"}"#;
const DENIED: &str =
    r#"{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::111122223333:user/ci is not authorized."}"#;
const TOO_MANY: &str = r#"{"__type":"com.amazonaws.ssm#TooManyUpdates","message":"There are concurrent updates."}"#;
const THROTTLED: &str = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
const PUT: &str = r#"{"Tier":"Standard","Version":2}"#;

const PATIENCE: Duration = Duration::from_millis(1500);

/// Returns parameters of moto in a region where nobody else has any; none where this machine cannot run moto.
#[cfg(unix)]
pub fn moto(law: &str) -> Option<SsmParameters> {
    let reach = crate::moto::service::Moto::get()?.told();
    let regions = ["eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"];
    let laws = ["what_was_put", "what_nobody", "a_text", "an_empty"];
    let number = laws.iter().position(|begin| law.starts_with(begin)).unwrap();
    Some(SsmParameters::new(Some(&region(regions[number])), &Common::reached(Duration::from_secs(20), reach)))
}

fn region(name: &str) -> Region {
    name.parse().unwrap()
}

/// Returns the parameters that a server has, as somebody sees them who has a little patience.
fn at(url: &str) -> SsmParameters {
    let reach = Reach {
        endpoint: url.to_owned(),
        region: REGION.to_owned(),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
    };
    SsmParameters::new(None, &Common::reached(PATIENCE, reach))
}

async fn in_turn(turns: &[(u16, &str)]) -> (Answers, SsmParameters) {
    by(turns, None).await
}

/// Returns a server whose clock stands still.
async fn late(turns: &[(u16, &str)]) -> (Answers, SsmParameters) {
    by(turns, Some("Fri, 02 Jan 2026 03:04:05 GMT")).await
}

async fn by(turns: &[(u16, &str)], date: Option<&'static str>) -> (Answers, SsmParameters) {
    let turns: Turns = turns.iter().map(|(status, text)| (*status, (*text).to_owned())).collect();
    let answers = Answers::in_turn(turns, date).await;
    let parameters = at(&answers.url());
    (answers, parameters)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn each_region_has_parameters_of_its_own_which_others_read_and_set() {
    let Some(moto) = crate::moto::service::Moto::get() else { return };
    let common = Common::reached(Duration::from_secs(20), moto.told());
    let parameters = |name: &str| SsmParameters::new(Some(&region(name)), &common);
    let (here, there) = (parameters("ap-south-1"), parameters("ap-northeast-1"));
    here.put("/app/latest", "1.0.0").await.unwrap();
    assert_eq!(there.get("/app/latest").await.unwrap(), None);
    there.put("/app/latest", "2.0.0").await.unwrap();
    assert_eq!(here.get("/app/latest").await.unwrap().as_deref(), Some("1.0.0"));
    assert_eq!((here.place().as_str(), there.place().as_str()), ("ap-south-1", "ap-northeast-1"));
    let name = serde_json::json!({"Name": "/app/latest"});
    let seen = moto.boto_in("ap-northeast-1", "ssm", "get_parameter", name);
    assert_eq!((&seen["Parameter"]["Value"], &seen["Parameter"]["Type"]), (&"2.0.0".into(), &"String".into()));
    let put = serde_json::json!({"Name": "/app/latest", "Value": "3.0.0", "Type": "String", "Overwrite": true});
    moto.boto_in("ap-south-1", "ssm", "put_parameter", put);
    assert_eq!(here.get("/app/latest").await.unwrap().as_deref(), Some("3.0.0"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn rights_are_heeded_by_what_is_done_and_to_what() {
    use metalogic::store::s3::S3Store;
    use metalogic::store::{Attributes, Condition, Content, Key, Store, StoreError};
    let Some(moto) = crate::moto::service::Moto::alone() else { return };
    let arn = |name: &str| format!("arn:aws:ssm:us-east-1:123456789012:parameter{name}");
    let reader = moto.user(
        "reader",
        serde_json::json!([{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": arn("/startifact")}]),
    );
    let stager = moto.user(
        "stager",
        serde_json::json!([
            {"Effect": "Allow", "Action": "ssm:PutParameter", "Resource": arn("/org/*")},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::shelf"},
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::shelf/team of 2026/*"},
        ]),
    );
    moto.boto("create_bucket", serde_json::json!({"Bucket": "shelf"}));
    let put = serde_json::json!({"Name": "/startifact", "Value": "{}", "Type": "String"});
    moto.boto_in("us-east-1", "ssm", "put_parameter", put);
    moto.heed_rights();
    let of = |reach: &Reach| Common::reached(Duration::from_secs(20), reach.clone());
    let (reads, sets) = (SsmParameters::new(None, &of(&reader)), SsmParameters::new(None, &of(&stager)));
    assert_eq!(reads.get("/startifact").await.unwrap().as_deref(), Some("{}"));
    sets.put("/org/app/latest", "1.0.0").await.unwrap();
    for (refused, right) in [
        (reads.get("/org/app/latest").await.map(drop), "GetParameter"),
        (reads.put("/startifact", "{\"a\":1}").await, "PutParameter"),
        (sets.get("/org/app/latest").await.map(drop), "GetParameter"),
        (sets.put("/startifact", "{}").await, "PutParameter"),
    ] {
        let failure = failure(refused.unwrap_err());
        assert_eq!(failure.kind, Kind::AccessDenied, "{failure:?}");
        assert!(failure.causes[0].contains(&format!("is not authorized to perform: ssm:{right} ")), "{failure:?}");
    }
    let store =
        |reach: &Reach, prefix| S3Store::new("shelf", prefix, None, metalogic::registry::Terms::default(), &of(reach));
    let key = Key::Data("app_1.0".parse().unwrap(), "1.0.0-rc.1+build.5".parse().unwrap());
    let write = async |store: S3Store| {
        store.put(&key, Content::Bytes("x".into()), Attributes::default(), &Condition::Absent).await.map(drop)
    };
    write(store(&stager, "team of 2026")).await.unwrap();
    assert_eq!(
        store(&stager, "").keys(&metalogic::store::Prefix::Releases("app_1.0".parse().unwrap())).await.unwrap(),
        Vec::<String>::new()
    );
    let denied = |result: Result<(), StoreError>| matches!(result, Err(StoreError::AccessDenied { .. }));
    assert!(denied(write(store(&stager, "other")).await) && denied(write(store(&reader, "team of 2026")).await));
    assert!(denied(store(&stager, "team of 2026").get(&key, 10).await.map(drop)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_is_no_more_than_the_article_grants() {
    let (server, parameters) = in_turn(&[(200, FOUND), (200, PUT)]).await;
    assert!(server.requests().is_empty());
    assert_eq!(parameters.get("/app/latest").await.unwrap().as_deref(), Some("1.0.0"));
    parameters.put("/app/latest", "2.0.0").await.unwrap();
    let bodies = server.requests().into_iter().map(|request| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let target = head.lines().find_map(|line| line.strip_prefix("x-amz-target: ")).unwrap().to_owned();
        (target, serde_json::from_str::<serde_json::Value>(body).unwrap())
    });
    let put = serde_json::json!({"Name": "/app/latest", "Value": "2.0.0", "Type": "String", "Overwrite": true});
    let expected = [
        ("AmazonSSM.GetParameter".to_owned(), serde_json::json!({"Name": "/app/latest"})),
        ("AmazonSSM.PutParameter".to_owned(), put),
    ];
    assert_eq!(bodies.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_right_that_is_missing_and_is_no_reason_to_ask_again() {
    let (server, parameters) = in_turn(&[(400, DENIED)]).await;
    let read = failure(parameters.get("/app/latest").await.unwrap_err());
    let set = failure(parameters.put("/app/latest", "1.0.0").await.unwrap_err());
    for (failure, right) in [(read, "ssm:GetParameter"), (set, "ssm:PutParameter")] {
        assert_eq!(failure.kind, Kind::AccessDenied);
        assert_eq!(failure.message, "access to the parameter /app/latest in eu-north-1 is denied");
        assert!(failure.causes[0].contains("user/ci is not authorized"), "{failure:?}");
        let hint = failure.hint.unwrap();
        assert!(hint.contains(right) && hint.contains("/app/latest"), "{hint}");
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_told_what_is_wrong_with_them() {
    let cases = [
        ("UnrecognizedClientException", "does not know the access key", "AWS_ACCESS_KEY_ID"),
        ("ExpiredTokenException", "the credentials have expired", "aws sso login"),
    ];
    for (code, words, hint) in cases {
        let answer = format!("{{\"__type\":\"{code}\",\"message\":\"No.\"}}");
        let (_server, parameters) = in_turn(&[(400, &answer)]).await;
        let failure = failure(parameters.get("/app/latest").await.unwrap_err());
        assert_eq!(failure.kind, Kind::AccessDenied);
        assert!(failure.message.contains(words) && failure.hint.as_ref().unwrap().contains(hint), "{failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_is_not_taken_is_a_matter_of_the_secret_or_of_the_clock() {
    const NO: &str = r#"{"__type":"InvalidSignatureException","message":"No."}"#;
    let (_server, parameters) = in_turn(&[(400, NO)]).await;
    let told = failure(parameters.get("/app/latest").await.unwrap_err());
    assert_eq!((told.kind, told.hint.unwrap().contains("AWS_SECRET_ACCESS_KEY")), (Kind::AccessDenied, true));
    let (_server, parameters) = late(&[(400, NO)]).await;
    let told = failure(parameters.get("/app/latest").await.unwrap_err());
    assert_eq!(told.kind, Kind::Configuration);
    let message = "the Parameter Store in eu-north-1 refuses what comes from a machine whose clock is wrong";
    assert_eq!(told.message, message);
    assert!(told.causes[0].contains("ahead of the Parameter Store's") && told.hint.unwrap().contains("timedatectl"));
    // The SDK signs again with the time that the service told.
    let (server, parameters) = late(&[(400, NO), (200, FOUND)]).await;
    assert_eq!(parameters.get("/app/latest").await.unwrap().as_deref(), Some("1.0.0"));
    assert!(server.requests()[1].contains("x-amz-date: 20260102T0304"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_come_later_and_then_nothing_more_is_told_the_former() {
    let (_server, parameters) = in_turn(&[(400, TOO_MANY), (0, "")]).await;
    let told = failure(parameters.put("/app/latest", "2.0.0").await.unwrap_err());
    assert!(told.message.ends_with("is asked too often"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_too_often_asks_again_a_little_later() {
    for refusal in [TOO_MANY, THROTTLED] {
        let turns: Vec<_> = std::iter::repeat_n((400, refusal), 3).collect();
        let (server, parameters) = in_turn(&[&turns[..], &[(200, PUT)]].concat()).await;
        parameters.put("/app/latest", "2.0.0").await.unwrap();
        assert_eq!(server.requests().len(), 4, "{refusal}");
        let (server, parameters) = in_turn(&[(400, refusal), (200, FOUND)]).await;
        assert_eq!(parameters.get("/app/latest").await.unwrap().as_deref(), Some("1.0.0"));
        assert_eq!(server.requests().len(), 2, "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_always_told_to_come_later_is_told_so_in_time() {
    for refusal in [TOO_MANY, THROTTLED] {
        let (server, parameters) = in_turn(&[(400, refusal)]).await;
        let since = Instant::now();
        let failure = failure(parameters.put("/app/latest", "2.0.0").await.unwrap_err());
        assert!(since.elapsed() < PATIENCE + Duration::from_secs(1), "{:?}", since.elapsed());
        assert_eq!(failure.kind, Kind::Unavailable);
        let told = "the parameter /app/latest in eu-north-1 cannot be had now: the Parameter Store is asked too often";
        assert_eq!(failure.message, told);
        assert!(failure.hint.unwrap().contains("--timeout"));
        assert!(server.requests().len() > 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_once_is_asked_again() {
    const FAILED: &str = r#"{"__type":"InternalServerError","message":"An error occurred on the server side."}"#;
    let (server, parameters) = in_turn(&[(500, FAILED), (200, FOUND)]).await;
    assert_eq!(parameters.get("/app/latest").await.unwrap().as_deref(), Some("1.0.0"));
    assert_eq!(server.requests().len(), 2);
    let (_server, parameters) = in_turn(&[(500, FAILED)]).await;
    let failure = failure(parameters.get("/app/latest").await.unwrap_err());
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Unavailable, "the parameter /app/latest in eu-north-1 cannot be reached")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_says_nothing_is_given_up_in_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let since = Instant::now();
    let failure = failure(at(&url).get("/app/latest").await.unwrap_err());
    assert!(since.elapsed() >= PATIENCE && since.elapsed() < PATIENCE * 2, "{:?}", since.elapsed());
    assert_eq!(failure.kind, Kind::Unavailable);
    assert_eq!(failure.message, "the parameter /app/latest in eu-north-1 is waited for in vain");
    assert_eq!(failure.causes, [format!("nothing has moved for 1s 500ms (at {url})")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_is_told_with_what_says_where_it_is() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = failure(at(&format!("http://{nobody}")).put("/app/latest", "1.0.0").await.unwrap_err());
    assert_eq!(failure.kind, Kind::Unavailable);
    assert_eq!(failure.message, "the parameter /app/latest in eu-north-1 cannot be reached");
    assert_eq!(failure.causes, [format!("nobody listens there (at http://{nobody})")]);
    assert!(failure.hint.unwrap().contains("AWS_ENDPOINT_URL_SSM"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_parameter_store_is_told() {
    const S3: &str = "<?xml version=\"1.0\"?><Error><Code>MethodNotAllowed</Code></Error>";
    for answer in [
        (200, "{}"),
        (200, "<html><title>Welcome</title></html>"),
        (405, S3),
        (404, ""),
        (404, r#"{"message":"Not Found"}"#),
    ] {
        let (server, parameters) = in_turn(&[answer]).await;
        let failure = failure(parameters.get("/app/latest").await.unwrap_err());
        assert_eq!(failure.kind, Kind::Configuration, "{answer:?}: {failure:?}");
        assert_eq!(failure.message, "what answers for the Parameter Store in eu-north-1 is no Parameter Store");
        assert!(failure.hint.as_ref().unwrap().contains("AWS_ENDPOINT_URL_SSM"), "{failure:?}");
        assert!(failure.causes[0].contains(&server.url()), "{failure:?}");
        assert_eq!(server.requests().len(), 1);
    }
    let (_server, parameters) = in_turn(&[(400, NOT_FOUND)]).await;
    assert_eq!(parameters.get("/app/latest").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_encrypted_is_no_text_and_what_is_too_long_is_told_in_the_words_of_the_service() {
    let (_server, parameters) = in_turn(&[(200, &FOUND.replace("String", "SecureString"))]).await;
    let told = failure(parameters.get("/app/latest").await.unwrap_err());
    assert_eq!(told.kind, Kind::Configuration);
    assert!(told.message.ends_with("is a SecureString, and a String belongs there"), "{told:?}");
    let long = r#"{"__type":"ValidationException","message":"Standard tier parameters support 4096 characters."}"#;
    let (server, parameters) = in_turn(&[(400, long)]).await;
    let told = failure(parameters.put("/app/latest", &"x".repeat(5000)).await.unwrap_err());
    assert_eq!(told.kind, Kind::Other);
    let words = "the Parameter Store answers 400 ValidationException: Standard tier parameters support 4096 characters";
    assert_eq!(told.causes, [words]);
    assert_eq!(server.requests().len(), 1);
}
