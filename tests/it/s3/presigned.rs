//! URLs by which anybody reads an object for a while, as somebody opens them who has nothing else.

use std::time::{Duration, SystemTime};

use metalogic::moment::Moment;
use metalogic::registry::Terms;
use metalogic::store::s3::S3Store;
use metalogic::store::{Changed, Condition, Ending, Key, Presigned, Store, Validity, ValidityError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{arc, noise};
use crate::conformance::{artifact, commit, put};
use crate::fake::{Act, BUCKET, Fake, Fault, REGION};

const MINUTE: Duration = Duration::from_secs(60);

/// Opens a URL as a browser does, and returns the status and the body.
pub async fn opened(url: &str) -> (u16, Vec<u8>) {
    opened_with(url, "").await
}

async fn opened_with(url: &str, header: &str) -> (u16, Vec<u8>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n{header}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), answer[end + 4..].to_vec())
}

async fn signed(store: &S3Store, key: &Key, length: Duration) -> Presigned {
    store.presigned(key, Validity::new(length).unwrap()).await.unwrap().unwrap()
}

/// Returns what a URL says beside its path, sorted.
fn query(url: &str) -> Vec<(&str, &str)> {
    let (_, query) = url.split_once('?').unwrap();
    let mut pairs: Vec<_> = query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    pairs.sort_unstable();
    pairs
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_url_reads_the_object_and_nothing_else() {
    let fake = Fake::start().await;
    let store = fake.store("team builds/of 100%+");
    let bytes = noise(20_000);
    let key = artifact(1, "c++_2+x.zip");
    put(&arc(store.clone()), &key, &bytes, &Condition::Absent).await.unwrap();
    put(&arc(store.clone()), &artifact(1, "other.zip"), b"other", &Condition::Absent).await.unwrap();
    let url = signed(&store, &key, MINUTE).await.url;
    let (status, body) = opened(&url).await;
    assert!(status == 200 && body == bytes, "{status} {url}");
    let keyless = url.split_once('?').unwrap().0;
    let signature = url.split_once("X-Amz-Signature=").unwrap().1.split('&').next().unwrap();
    let reversed: String = signature.chars().rev().collect();
    for forged in [
        url.replace("c%2B%2B_2%2Bx.zip", "other.zip"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"),
        url.replace(signature, &reversed),
        keyless.to_owned(),
    ] {
        assert!(forged != url && opened(&forged).await.0 == 403, "{forged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_says_who_signed_it_when_and_for_how_long_and_asks_for_no_header() {
    let fake = Fake::start().await;
    let terms =
        Terms { expected_owner: Some("111122223333".parse().unwrap()), requester_pays: true, ..Terms::default() };
    let store = fake.store_on("", MINUTE, terms);
    let key = artifact(1, "app.zip");
    put(&arc(store.clone()), &key, b"the app", &Condition::Absent).await.unwrap();
    fake.requests();
    let before = Moment::of(SystemTime::now()).seconds();
    let Presigned { url, until, ending } = signed(&store, &key, Duration::from_millis(3_600_900)).await;
    let after = Moment::of(SystemTime::now()).seconds();
    assert!(fake.requests().is_empty(), "to sign takes no request");
    let signed = until.seconds() - 3600;
    assert!(before <= signed && signed <= after && ending == Ending::Asked);

    assert!(url.starts_with(&format!("{}/{BUCKET}/{key}?", fake.endpoint)), "{url}");
    let query = query(&url);
    let names: Vec<_> = query.iter().map(|(name, _)| *name).collect();
    let expected = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "x-amz-expected-bucket-owner",
        "x-amz-request-payer",
        "x-id",
    ];
    assert_eq!(names, expected);
    let told = |name: &str| query.iter().find(|(other, _)| *other == name).unwrap().1;
    assert_eq!(told("X-Amz-Expires"), "3600");
    assert_eq!(told("X-Amz-SignedHeaders"), "host");
    assert!(told("X-Amz-Credential").contains(REGION));
    let date = Moment::of_seconds(signed).to_string();
    assert_eq!(told("X-Amz-Date"), date.replace(['-', ':'], ""));
    assert_eq!((told("x-amz-expected-bucket-owner"), told("x-amz-request-payer")), ("111122223333", "requester"));
    assert_eq!(opened(&url).await, (200, b"the app".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_has_ended_opens_nothing() {
    let fake = Fake::start().await;
    let store = fake.store("");
    let key = artifact(1, "app.zip");
    put(&arc(store.clone()), &key, b"the app", &Condition::Absent).await.unwrap();
    let Presigned { url, until, .. } = signed(&store, &key, Duration::from_secs(1)).await;
    while Moment::of(SystemTime::now()).seconds() <= until.seconds() + 1 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(opened(&url).await.0, 403);
}

#[test]
fn a_url_is_good_for_a_second_to_seven_days() {
    let week = Duration::from_secs(7 * 24 * 3600);
    assert_eq!(Validity::new(week).unwrap().length(), week);
    assert_eq!(Validity::new(week + Duration::from_nanos(1)), Err(ValidityError::Long));
    assert_eq!(Validity::new(Duration::MAX), Err(ValidityError::Long));
    assert_eq!(Validity::new(Duration::from_millis(1999)).unwrap().length(), Duration::from_secs(1));
    assert_eq!(Validity::new(Duration::from_millis(999)), Err(ValidityError::Short));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_is_of_the_region_in_which_the_bucket_is() {
    let fake = Fake::start().await;
    let store = fake.store("");
    let key = artifact(1, "app.zip");
    put(&arc(store.clone()), &key, b"the app", &Condition::Absent).await.unwrap();
    let moved = Act::Answer {
        status: 301,
        headers: vec![("x-amz-bucket-region", "eu-west-2".to_owned())],
        body: "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>",
    };
    fake.fault(Fault { about: vec!["HEAD"], times: 1, act: moved });
    store.head(&key).await.unwrap().unwrap();
    let url = signed(&store, &key, MINUTE).await.url;
    assert!(url.contains("%2Feu-west-2%2Fs3%2F"), "{url}");
    assert_eq!(opened(&url).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_costs_an_answer_without_a_body() {
    let fake = Fake::start().await;
    let store = fake.store("");
    let key = Key::Metafile(commit(1));
    let tag = put(&arc(store.clone()), &key, &noise(5000), &Condition::Absent).await.unwrap();
    let url = signed(&store, &key, MINUTE).await.url;
    assert_eq!(opened_with(&url, &format!("If-None-Match: {}\r\n", tag.0)).await, (304, Vec::new()));
    fake.heard();
    for always_anew in [false, true] {
        // A service that gives it all the same is not believed to have another.
        fake.set_up(|setup| setup.always_anew = always_anew);
        assert_eq!(store.get_changed(&key, 9000, &tag).await.unwrap(), Changed::Unchanged);
        let heard = fake.heard();
        let [(line, headers)] = &heard[..] else { panic!("one request: {heard:?}") };
        assert!(line.starts_with("GET ") && headers["if-none-match"] == tag.0, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_asked_for_is_no_object() {
    let fake = Fake::start().await;
    let store = fake.store("");
    let key = Key::Metafile(commit(1));
    put(&arc(store.clone()), &key, b"bytes", &Condition::Absent).await.unwrap();
    let unchanged = || Act::Answer { status: 304, headers: Vec::new(), body: "" };
    for fails in [0, 1] {
        fake.fault(Fault { about: vec!["GET"], times: 9, act: unchanged() });
        let failed = match fails {
            0 => store.get(&key, 10).await.unwrap_err(),
            _ => store.open(&key, None).await.unwrap_err(),
        };
        assert!(failed.to_string().contains("it has not changed"), "{failed}");
        fake.mend();
    }
}
