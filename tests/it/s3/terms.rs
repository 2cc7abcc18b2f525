//! The terms of `[store]`, as the service hears them.

use std::time::Duration;

use hyper::HeaderMap;
use metalogic::registry::{Encryption, Terms};
use metalogic::store::s3::settle;
use metalogic::store::{Condition, Key};

use super::program::Team;
use super::{INTERNAL, arc, error, noise};
use crate::conformance::{TempFile, artifact, commit, put, read};
use crate::fake::{BUCKET, Fake, Fault};

const OWNER: &str = "111122223333";

fn terms() -> Terms {
    Terms {
        encryption: Some(Encryption::Kms(Some("alias/builds".to_owned()))),
        expected_owner: Some(OWNER.parse().unwrap()),
        requester_pays: true,
        storage_class: Some("STANDARD_IA".parse().unwrap()),
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

/// Says whether a request creates an object: puts one, or begins an upload.
fn creates(line: &str) -> bool {
    let part = line.contains("partNumber=");
    line.starts_with("PUT ") && !part || line.starts_with("POST ") && line.contains("?uploads")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_names_the_owner_and_who_pays() {
    let fake = Fake::start().await;
    let store = arc(fake.store_on("team", Duration::from_secs(30), terms()));
    let (large, key) = (TempFile::with(&noise(9 << 20)), artifact(1, "cef.zip"));
    put(&store, &artifact(1, "small"), b"x", &Condition::Absent).await.unwrap();
    put(&store, &artifact(1, "empty"), b"", &Condition::Absent).await.unwrap();
    store.put(&key, large.content(), large.attributes(), &Condition::Absent).await.unwrap();
    store.copy(&key, &artifact(2, "cef.zip"), None).await.unwrap();
    store.copy(&artifact(1, "empty"), &artifact(2, "empty"), None).await.unwrap();
    store.list(commit(1)).await.unwrap();
    store.head(&key).await.unwrap().unwrap();
    read(&store, &key, Some(5..10)).await;
    store.get(&artifact(1, "small"), 10).await.unwrap().unwrap();
    store.delete(&key).await.unwrap();
    fake.fault(Fault { about: vec!["PUT", "partNumber"], times: 99, act: error(500, INTERNAL) });
    store.put(&key, large.content(), large.attributes(), &Condition::Absent).await.unwrap_err();
    settle().await;

    let heard = fake.heard();
    for word in ["uploads", "partNumber", "uploadId", "list-type", "HEAD", "GET", "DELETE /", "x-id=CopyPart"] {
        let word = word.replace("x-id=CopyPart", "PUT");
        assert!(heard.iter().any(|(line, _)| line.contains(&word)), "no request was a {word}");
    }
    assert!(heard.iter().any(|(line, _)| line.starts_with("DELETE ") && line.contains("uploadId")));
    let mut copied = 0;
    for (line, headers) in &heard {
        assert_eq!(header(headers, "x-amz-expected-bucket-owner"), Some(OWNER), "{line}");
        assert_eq!(header(headers, "x-amz-request-payer"), Some("requester"), "{line}");
        let copies = headers.contains_key("x-amz-copy-source");
        copied += usize::from(copies);
        let source = copies.then_some(OWNER);
        assert_eq!(header(headers, "x-amz-source-expected-bucket-owner"), source, "{line}");
        let kms = creates(line).then_some("aws:kms");
        assert_eq!(header(headers, "x-amz-server-side-encryption"), kms, "{line}");
        let key = creates(line).then_some("alias/builds");
        assert_eq!(header(headers, "x-amz-server-side-encryption-aws-kms-key-id"), key, "{line}");
        let class = creates(line).then_some("STANDARD_IA");
        assert_eq!(header(headers, "x-amz-storage-class"), class, "{line}");
    }
    assert_eq!(copied, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metafile_is_of_the_standard_class_and_encrypted_all_the_same() {
    let fake = Fake::start().await;
    let store =
        arc(fake.store_on("", Duration::from_secs(30), Terms { encryption: Some(Encryption::Aes256), ..terms() }));
    for key in [Key::Metafile(commit(1)), Key::registry()] {
        put(&store, &key, b"{}", &Condition::Absent).await.unwrap();
    }
    for (line, headers) in fake.heard() {
        assert_eq!(header(&headers, "x-amz-storage-class"), None, "{line}");
        assert_eq!(header(&headers, "x-amz-server-side-encryption"), Some("AES256"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_terms_no_request_has_any() {
    let fake = Fake::start().await;
    put(&arc(fake.store("")), &artifact(1, "a"), b"x", &Condition::Absent).await.unwrap();
    for (line, headers) in fake.heard() {
        let ours = ["expected-bucket-owner", "request-payer", "server-side-encryption", "storage-class"];
        assert!(ours.iter().all(|name| !headers.contains_key(format!("x-amz-{name}"))), "{line}");
    }
}

#[test]
fn each_storage_class_of_the_sdk_is_taken_unless_it_is_an_archive() {
    for class in aws_sdk_s3::types::StorageClass::values() {
        let taken = class.parse::<metalogic::registry::StorageClass>();
        // What a service of backups keeps is not for whoever puts.
        let refused = matches!(*class, "GLACIER" | "DEEP_ARCHIVE") || class.starts_with("AWS_BACKUP");
        assert_eq!(taken.is_err(), refused, "{class}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terms_hold_for_the_bucket_that_the_file_names_whoever_names_it_again() {
    let team = Team::new().await;
    let projects = "[projects.app]\nartifacts = [\"app.zip\"]\n";
    let cases = [
        (format!("expected-owner = \"{OWNER}\"\n"), true),
        (format!("url = \"s3://{BUCKET}/elsewhere\"\nexpected-owner = \"{OWNER}\"\n"), true),
        (format!("url = \"s3://another-bucket\"\nexpected-owner = \"{OWNER}\"\n"), false),
        (format!("url = \"builds\"\nexpected-owner = \"{OWNER}\"\n"), false),
    ];
    for (table, hold) in cases {
        team.sandbox.write("repo/artifacts.toml", format!("[store]\n{table}{projects}"));
        team.sandbox.commit("terms");
        team.fake.heard();
        team.done(&["stub"]);
        // A name that is wrong is no reason to forget them.
        team.sandbox.write("repo/artifacts.toml", format!("[store]\n{table}[projects.app]\nartifacts = [\"a/b\"]\n"));
        team.sandbox.commit("a wrong name");
        team.done(&["stub"]);
        let heard = team.fake.heard();
        assert!(heard.len() > 2);
        let owner = hold.then_some(OWNER);
        assert!(heard.iter().all(|(_, headers)| header(headers, "x-amz-expected-bucket-owner") == owner), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_that_names_the_store_gives_its_terms() {
    let team = Team::new().await;
    let table =
        format!("[store]\nurl = \"s3://{BUCKET}\"\nsse = \"aws:kms\"\n[projects.app]\nartifacts = [\"app.zip\"]\n");
    team.sandbox.write("shared.toml", &table);
    team.sandbox.write("out/app.zip", "x");
    let mut command = team.command(&["publish", "../out/app.zip", "--registry", "../shared.toml"]);
    let ran = team.run_as(command.env_remove("METALOGIC_STORE"));
    assert_eq!(ran.code, Some(0), "{ran}");
    let puts: Vec<_> = team.fake.heard().into_iter().filter(|(line, _)| line.starts_with("PUT")).collect();
    assert!(puts.len() >= 2);
    for (line, headers) in puts {
        assert_eq!(header(&headers, "x-amz-server-side-encryption"), Some("aws:kms"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_term_is_refused_before_anything_is_asked_and_a_directory_has_none() {
    let team = Team::new().await;
    let wrong = "[store]\nsse = \"aws:kms:dsse\"\n[projects.app]\nartifacts = [\"app.zip\"]\n";
    team.sandbox.write("repo/artifacts.toml", wrong);
    let ran = team.run(&["stub"]);
    assert_eq!(ran.code, Some(12), "{ran}");
    assert!(ran.stderr.contains("artifacts.toml:2:7: \"aws:kms:dsse\" is no encryption"), "{ran}");
    assert!(team.fake.requests().is_empty());

    let directory = format!("[store]\nurl = \"builds\"\nexpected-owner = \"{OWNER}\"\nsse = \"AES256\"\n");
    team.sandbox.write("repo/artifacts.toml", format!("{directory}[projects.app]\nartifacts = [\"app.zip\"]\n"));
    let ran = team.sandbox.run(&["stub"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let ran = team.sandbox.run(&["registry", "check"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}
