//! `metalogic url`: whoever has the URL needs nothing else.

use std::time::{Duration, SystemTime};

use metalogic::artifact::Digest;
use serde_json::{Value, json};

use crate::fake::{ACCESS_KEY, BUCKET, SECRET_KEY};
use crate::s3::presigned::opened;
use crate::s3::program::Team;
use crate::sandbox::{Ran, Sandbox};

fn object(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{ran}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Returns the time that a URL ends at, in seconds from now.
fn left(object: &Value) -> i64 {
    let ends = humantime::parse_rfc3339(object["expires"].as_str().unwrap()).unwrap();
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    seconds(ends) - seconds(SystemTime::now())
}

#[test]
fn an_artifact_in_a_directory_has_the_url_of_its_file_which_does_not_end() {
    let sandbox = Sandbox::with_repository();
    let first = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    sandbox.write("app.zip", "the app");
    sandbox.done(&["publish", "../app.zip"]);
    let second = sandbox.commit("second");
    for stored in [false, true] {
        let ran = sandbox.run(&["url", "app.zip"]);
        let url = format!("file://[DIR]/repo/.git/metalogic/builds/{first}/app.zip");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), format!("{url}\n").as_str()), "{ran}");
        assert!(ran.stderr.contains("needs no signature, does not end"), "{ran}");
        assert_eq!(ran.stderr.contains("no metafile is stored there"), !stored, "{ran}");
        let told = object(&sandbox.run(&["url", "app.zip", "--json", "--expires", "7d"]));
        let expected = json!({
            "name": "app.zip", "commit": second, "address": first, "url": url, "expires": null, "size": 7,
            "sha256": Digest::of(b"the app").to_string(), "state": "assumed", "policy": "nearest", "store": "file://[DIR]/repo/.git/metalogic",
        });
        assert_eq!(told, expected);
        // What was built elsewhere is not what was asked for.
        assert_eq!(sandbox.run(&["url", "app.zip", "--policy", "exact"]).code, Some(3));
        sandbox.done(&["resolve"]);
    }
}

#[test]
fn there_is_no_url_of_nothing_and_none_of_what_nobody_published() {
    let sandbox = Sandbox::with_repository();
    let first = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    sandbox.write("app.zip", "the app");
    sandbox.done(&["publish", "../app.zip"]);
    let file = sandbox.path(&format!("repo/.git/metalogic/builds/{first}/app.zip"));
    let refused = |arguments: &[&str], code, word: &str| {
        let ran = sandbox.run(&[&["url"], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{ran}");
        assert!(ran.stderr.contains(word), "{ran}");
    };
    refused(&["docs.tar.gz"], 3, "docs.tar.gz is not resolved at");
    refused(&["app.zip", "--commit", "nonsense"], 11, "nonsense");
    refused(&["app.zip", "--expires", "169h"], 2, "S3 lets a URL be good for at most 7 days");
    refused(&["app.zip", "--expires", "0s"], 2, "less than a second");
    refused(&["app.zip", "--expires", "soon"], 2, "a length of time");
    std::fs::write(&file, "other bytes").unwrap();
    refused(&["app.zip"], 8, "it has 11 bytes, and the metafile records 7 bytes");
    std::fs::remove_file(&file).unwrap();
    refused(&["app.zip"], 3, &format!("app.zip is not at the address of {first}"));
}

#[test]
fn fresh_looks_for_what_was_built_since_the_metafile_was_written() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("app.zip", "the app");
    sandbox.done(&["publish", "../app.zip"]);
    let second = sandbox.commit("second");
    let third = sandbox.commit("third");
    sandbox.done(&["resolve"]);
    // A build that ends late, and nobody resolves the commits that came since.
    sandbox.write("app.zip", "the newer app");
    sandbox.done(&["publish", "../app.zip", "--commit", &second]);
    let at = |arguments: &[&str]| {
        object(&sandbox.run(&[&["url", "app.zip", "--json", "--commit", &third], arguments].concat()))["address"]
            .clone()
    };
    assert_ne!(at(&[]), second);
    assert_eq!(at(&["--fresh"]), second);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_an_artifact_on_s3_opens_for_whoever_has_it() {
    let team = Team::new().await;
    let first = team.sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    team.sandbox.write("out/app.zip", "the app");
    team.done(&["publish", "../out/app.zip"]);
    let second = team.sandbox.commit("second");
    team.fake.requests();
    let url = team.done(&["url", "app.zip"]);
    assert_eq!(opened(url.trim_end()).await, (200, b"the app".to_vec()));
    assert!(team.fake.requests().iter().any(|line| line.starts_with("HEAD ")), "what is there is looked at");

    let told = object(&team.run(&["url", "app.zip", "--json", "--expires", "90m"]));
    assert!((5_380..=5_400).contains(&left(&told)), "{told}");
    let signed = told["url"].as_str().unwrap();
    assert!(signed.contains("X-Amz-Expires=5400&"), "{signed}");
    assert!(signed.starts_with(&format!("{}/{BUCKET}/team%20builds/builds/{first}/app.zip?", team.fake.endpoint)));
    let key = format!("team builds/builds/{first}/app.zip");
    let store = format!("s3://{BUCKET}/team builds");
    assert_eq!((&told["commit"], &told["address"], &told["size"]), (&json!(second), &json!(first), &json!(7)));
    assert_eq!((&told["sha256"], &told["store"]), (&json!(Digest::of(b"the app").to_string()), &json!(store)));

    team.done(&["resolve"]);
    team.fake.remove(&key);
    let ran = team.run(&["url", "app.zip"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_ends_with_the_credentials_that_signed_it() {
    let team = Team::new().await;
    team.sandbox.write("out/app.zip", "the app");
    team.done(&["publish", "../out/app.zip"]);
    let ends = SystemTime::now() + Duration::from_secs(20 * 60);
    let keys = json!({
        "Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "SessionToken": "a/token+",
        "Expiration": humantime::format_rfc3339_seconds(ends).to_string(),
    });
    team.sandbox.write("keys.json", keys.to_string());
    let process = format!("[default]\ncredential_process = cat {}\n", team.sandbox.path("keys.json").display());
    team.sandbox.write("aws", process);
    let asked = |expires: &str, keys: &[(&str, &str)]| {
        let mut command = team.command(&["url", "app.zip", "--json", "--expires", expires]);
        let mut plain = team.command(&["url", "app.zip", "--expires", expires]);
        for command in [&mut command, &mut plain] {
            if keys.is_empty() {
                command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
                command.env("AWS_CONFIG_FILE", team.sandbox.path("aws"));
            }
            command.envs(keys.iter().copied());
        }
        (object(&team.run_as(&mut command)), team.run_as(&mut plain).stderr)
    };
    let (told, said) = asked("1h", &[]);
    assert!((1_180..=1_200).contains(&left(&told)), "{told}");
    assert!(said.contains("warning: the URL ends before the time that was asked for"), "{said}");
    let url = told["url"].as_str().unwrap();
    assert!(url.contains("X-Amz-Security-Token=a%2Ftoken%2B"), "{url}");
    assert_eq!(opened(url).await.0, 200);
    let (told, said) = asked("10m", &[]);
    assert!((580..=600).contains(&left(&told)) && !said.contains("warning"), "{told}: {said}");
    // Whoever exports a token does not say when it ends.
    let (told, said) = asked("10m", &[("AWS_SESSION_TOKEN", "token")]);
    assert!((580..=600).contains(&left(&told)), "{told}");
    assert!(said.contains("warning: the credentials are temporary (AWS_SESSION_TOKEN)"), "{said}");
}
