//! Files that change while they are read: inputs on their way into a store, and stored artifacts on their way out.

use std::collections::BTreeMap;

use metalogic::artifact::Digest;

use super::meddle::{Call, Deed, Meddling, meddler, side_by_side};
use crate::fake::{ACCESS_KEY, BUCKET, Fake, REGION, SECRET_KEY};
use crate::sandbox::Sandbox;

/// More than one of the pieces that are read at once.
const PIECES: usize = 3 << 19;
/// More than one of the parts that go up at once.
const PARTS: usize = 9 << 20;

/// What becomes of `in/app.zip`.
const CHANGES: [(&str, &str); 7] = [
    ("truncated", "truncate -s 1100000 in/app.zip"),
    ("grown", "echo more >>in/app.zip"),
    ("rewritten in place", "cat other >in/app.zip"),
    ("replaced", "cp other new && mv new in/app.zip"),
    ("deleted", "rm -f in/app.zip"),
    ("replaced by a pipe", "rm -rf in/app.zip && mkfifo in/app.zip"),
    ("replaced by a directory", "rm -rf in/app.zip && mkdir in/app.zip"),
];

fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..size).map(|_| random.u8(..)).collect()
}

fn template(size: usize) -> Sandbox {
    let sandbox = Sandbox::fleeting().having_repository();
    sandbox.write("in/app.zip", noise(size, 1));
    sandbox.write("other", noise(size, 2));
    sandbox
}

/// Returns the number of the call that opens the file: before it, it may be absent, or none.
fn opened(calls: &[Call]) -> usize {
    1 + calls.iter().position(|call| call.kind == "open").unwrap()
}

/// Prints how often what came to which exit code.
fn row(what: &str, change: &str, codes: &[i32]) {
    let mut times = BTreeMap::<i32, usize>::new();
    codes.iter().for_each(|code| *times.entry(*code).or_default() += 1);
    let times: Vec<String> = times.into_iter().map(|(code, times)| format!("{code} ({times})")).collect();
    println!("| {what} | {change} | {} | {} |", codes.len(), times.join(", "));
}

#[test]
fn a_file_that_changes_while_it_is_published_is_refused_or_was_read_whole() {
    let Some(meddler) = meddler() else { return };
    let template = template(PIECES);
    let stage = ["stage", "app", "1.0.0", "../in/app.zip"];
    for (what, arguments, stride) in [("publish", &["publish", "../in/app.zip"][..], 1), ("stage", &stage, 4)] {
        let command = |sandbox: &Sandbox| {
            let mut command = sandbox.command("repo", arguments);
            command.env("METALOGIC_STORE", sandbox.path("store"));
            command
        };
        let meddling = |nth, deed| Meddling { watched: vec!["in".to_owned()], nth, deed, ..Meddling::default() };
        let sandbox = template.copied();
        let (_, calls) = sandbox.meddled(meddler, &command(&sandbox), &meddling(0, Deed::Nothing));
        assert!(
            calls.iter().any(|call| call.kind == "copy") || what == "stage",
            "its bytes do not pass through the program"
        );
        let opened = opened(&calls);
        for (at, (change, script)) in CHANGES.into_iter().enumerate() {
            let nths: Vec<usize> = (1 + at % stride..=calls.len()).step_by(stride).collect();
            let codes = side_by_side(&nths, |nth| {
                let sandbox = template.copied();
                let (output, _) =
                    sandbox.meddled(meddler, &command(&sandbox), &meddling(*nth, Deed::After(script.to_owned())));
                let ran = sandbox.ran(&format!("{what}, {change} before call {nth}"), &output);
                let stored = sandbox.files("store");
                let held: Vec<&Vec<u8>> = stored
                    .iter()
                    .filter(|(name, _)| name.ends_with("/app.zip") || name.ends_with("/data"))
                    .map(|(_, bytes)| bytes)
                    .collect();
                assert!(!stored.keys().any(|name| name.contains(".metalogic/tmp")), "{ran}");
                if ran.code == Some(0) {
                    let recorded: String = stored
                        .iter()
                        .filter(|(name, _)| name.ends_with(".json"))
                        .map(|(_, text)| String::from_utf8_lossy(text).into_owned())
                        .collect();
                    assert!(recorded.contains(&Digest::of(held[0]).to_string()), "{ran}");
                } else {
                    assert_eq!(held, Vec::<&Vec<u8>>::new(), "{ran}");
                    assert!(
                        ran.code == Some(8) && ran.stderr.contains("/app.zip changed while it was being")
                            || *nth <= opened,
                        "{ran}"
                    );
                    assert!(ran.stderr.contains("hint: "), "{ran}");
                }
                ran.code.unwrap()
            });
            row(what, change, &codes);
            assert!(codes.iter().any(|code| *code != 0), "{what}, {change}: nothing was met");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_on_its_way_to_s3_is_refused_or_was_read_whole() {
    let Some(meddler) = meddler() else { return };
    let fake = Fake::start().await;
    fake.calm();
    for (what, size, stride) in [("publish to S3 in one piece", PIECES, 2), ("publish to S3 in parts", PARTS, 5)] {
        let template = template(size);
        let command = |sandbox: &Sandbox, prefix: &str| {
            let mut command = sandbox.command("repo", &["publish", "../in/app.zip"]);
            command.env("METALOGIC_STORE", format!("s3://{BUCKET}/{prefix}")).env("AWS_ENDPOINT_URL", &fake.endpoint);
            command
                .env("AWS_REGION", REGION)
                .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
                .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
            command
        };
        let meddling = |nth, deed| Meddling { watched: vec!["in".to_owned()], nth, deed, ..Meddling::default() };
        let sandbox = template.copied();
        let (_, calls) = sandbox.meddled(meddler, &command(&sandbox, "first"), &meddling(0, Deed::Nothing));
        let opened = opened(&calls);
        let commit = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
        for (at, (change, script)) in CHANGES.into_iter().enumerate() {
            let nths: Vec<usize> = (1 + at % stride..=calls.len()).step_by(stride).collect();
            let codes = side_by_side(&nths, |nth| {
                let (sandbox, prefix) = (template.copied(), format!("{size}-{at}-{nth}"));
                let deed = Deed::After(script.to_owned());
                let (output, _) = sandbox.meddled(meddler, &command(&sandbox, &prefix), &meddling(*nth, deed));
                let ran = sandbox.ran(&format!("{what}, {change} before call {nth}"), &output);
                let stands = fake.object(&format!("{prefix}/builds/{commit}/app.zip"));
                if ran.code == Some(0) {
                    let digest = Digest::of(&stands.unwrap().bytes).to_string();
                    let metafile = fake.object(&format!("{prefix}/builds/{commit}/build_meta.json")).unwrap();
                    assert!(String::from_utf8_lossy(&metafile.bytes).contains(&digest), "{ran}");
                } else {
                    assert!(stands.is_none(), "{ran}");
                    assert!(
                        ran.code == Some(8) && ran.stderr.contains("changed while it was being") || *nth <= opened,
                        "{ran}"
                    );
                }
                ran.code.unwrap()
            });
            row(what, change, &codes);
            assert!(codes.iter().any(|code| *code != 0), "{what}, {change}: nothing was met");
        }
        assert_eq!(fake.uploads(), 0, "what was begun is put away");
    }
}

#[test]
fn an_artifact_that_changes_while_it_is_fetched_is_refused_or_was_read_whole() {
    let Some(meddler) = meddler() else { return };
    let template = template(PIECES);
    template.done(&["publish", "../in/app.zip", "--store", "../store"]);
    template.write("out/app.zip", "an older program");
    let command = |sandbox: &Sandbox| sandbox.command("repo", &["fetch", "-o", "../out", "--store", "../store"]);
    let meddling = |nth, deed| Meddling { watched: vec!["store/builds".to_owned()], nth, deed, ..Meddling::default() };
    let sandbox = template.copied();
    let (_, calls) = sandbox.meddled(meddler, &command(&sandbox), &meddling(0, Deed::Nothing));
    let right = template.files("in")["app.zip"].clone();
    for (at, (change, script)) in CHANGES.into_iter().enumerate() {
        let script = format!(
            "cd store/builds/* && ln -sfn . in && cp ../../../other . && chmod -R u+w . && {script}; rm -f in other"
        );
        let nths: Vec<usize> = (1 + at % 2..=calls.len()).step_by(2).collect();
        let codes = side_by_side(&nths, |nth| {
            let sandbox = template.copied();
            let (output, _) =
                sandbox.meddled(meddler, &command(&sandbox), &meddling(*nth, Deed::After(script.clone())));
            let ran = sandbox.ran(&format!("fetch, {change} before call {nth}"), &output);
            let left = sandbox.files("out");
            assert_eq!(left.keys().collect::<Vec<_>>(), ["app.zip"], "{ran}");
            if ran.code == Some(0) {
                assert!(left["app.zip"] == right, "{ran}");
            } else {
                assert_eq!(left["app.zip"], b"an older program", "{ran}");
                assert!(matches!(ran.code, Some(3 | 8)) && ran.stderr.contains("hint: "), "{ran}");
                assert!(ran.code == Some(8) || change.contains("deleted") || change.contains("by a"), "{ran}");
            }
            ran.code.unwrap()
        });
        row("fetch", change, &codes);
        assert!(codes.iter().any(|code| *code != 0), "{change}: nothing was met");
    }
}
