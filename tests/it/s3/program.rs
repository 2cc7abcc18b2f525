//! The real binary against the service, by the SDK's own variables.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::fake::{ACCESS_KEY, Act, BUCKET, Fake, Fault, REGION, SECRET_KEY};
use crate::sandbox::{Ran, Sandbox};

use super::{INTERNAL, LARGE, error, noise, wait_for};

/// A sandbox whose repository has its store in a bucket.
pub struct Team {
    pub fake: Fake,
    pub sandbox: Sandbox,
}

impl Team {
    pub async fn new() -> Self {
        let (fake, sandbox) = (Fake::start().await, Sandbox::with_repository());
        Self { fake, sandbox }
    }

    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.sandbox.command("repo", arguments);
        command
            .env("METALOGIC_STORE", format!("s3://{BUCKET}/team builds"))
            .env("AWS_ENDPOINT_URL", &self.fake.endpoint);
        command.env("AWS_REGION", REGION).env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_as(&mut self.command(arguments))
    }

    pub fn run_as(&self, command: &mut std::process::Command) -> Ran {
        let output = command.output().unwrap();
        self.sandbox.ran("metalogic", &output)
    }

    pub fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.stdout
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_on_s3_is_shown_and_fetched() {
    let team = Team::new().await;
    let parent = team.sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    team.sandbox.write("out/app.zip", noise(LARGE));
    team.sandbox.write("out/docs.tar.gz", "the manual");
    let url = team.done(&["publish", "../out/app.zip"]);
    assert_eq!(url.trim(), format!("s3://{BUCKET}/team builds/builds/{parent}/build_meta.json"));
    let child = team.sandbox.commit("second");
    team.done(&["publish", "../out/docs.tar.gz", "--require-complete"]);

    let shown = team.done(&["show"]);
    assert!(shown.contains(&format!("\"app.zip\": \"{parent}\"")), "{shown}");
    assert!(shown.contains(&format!("\"docs.tar.gz\": \"{child}\"")), "{shown}");
    team.done(&["fetch", "-o", "../in"]);
    assert!(std::fs::read(team.sandbox.path("in/app.zip")).unwrap() == noise(LARGE));
    assert_eq!(team.sandbox.read("in/docs.tar.gz"), "the manual");

    let keys: Vec<_> = team.fake.keys().into_iter().map(|key| key.replace("team builds/builds/", "")).collect();
    let mut expected = vec![
        format!("{parent}/app.zip"),
        format!("{parent}/build_meta.json"),
        format!("{child}/docs.tar.gz"),
        format!("{child}/build_meta.json"),
    ];
    expected.sort();
    assert_eq!(keys, expected);
    assert_eq!(team.fake.uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_under_a_name_are_a_conflict_and_equal_bytes_are_none() {
    let team = Team::new().await;
    team.sandbox.write("out/app.zip", noise(LARGE));
    team.done(&["publish", "../out/app.zip"]);
    team.done(&["publish", "../out/app.zip"]);
    team.sandbox.write("out/app.zip", noise(LARGE - 1));
    let ran = team.run(&["publish", "../out/app.zip"]);
    assert_eq!(ran.code, Some(7), "{ran}");
    team.done(&["publish", "../out/app.zip", "--if-exists", "keep"]);
    let key = team.fake.keys().into_iter().find(|key| key.ends_with("app.zip")).unwrap();
    assert!(team.fake.object(&key).unwrap().bytes == noise(LARGE));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_whose_answers_were_lost_is_no_conflict() {
    for (size, about) in [(10, vec!["PUT", "app.zip"]), (LARGE, vec!["POST", "app.zip", "uploadId="])] {
        let team = Team::new().await;
        team.fake.fault(Fault { about, times: 1, act: Act::LoseAnswer });
        team.fake.fault(Fault { about: vec!["PUT", "build_meta.json"], times: 1, act: Act::LoseAnswer });
        team.sandbox.write("out/app.zip", noise(size));
        let shown = team.done(&["publish", "../out/app.zip", "--json"]);
        assert!(shown.contains("\"app.zip\""), "{shown}");
        assert_eq!(team.fake.uploads(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dozen_that_publish_at_once_on_s3_lose_nothing() {
    let team = Team::new().await;
    let names: Vec<String> = (0..12).map(|n| format!("part-{n:02}+x.zip")).collect();
    team.sandbox.write("repo/artifacts.toml", format!("[projects.app]\nartifacts = {names:?}\n"));
    let commit = team.sandbox.commit("a dozen");
    for name in &names {
        team.sandbox.write(&format!("out/{name}"), name);
    }
    let spawn = |name: &String| {
        let mut command = team.command(&["publish", &format!("../out/{name}")]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = names.iter().map(spawn).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let shown: serde_json::Value = serde_json::from_str(&team.done(&["show", "--json"])).unwrap();
    let text = shown.to_string();
    for name in &names {
        assert!(text.contains(&format!("\"{name}\":\"{commit}\"")), "{name} is missing in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_publish_other_bytes_under_one_name_on_s3_one_wins_and_the_others_are_told() {
    for (size, many) in [(1000, 8), (LARGE / 2, 3)] {
        let team = Team::new().await;
        let content = |number: usize| noise(size + number);
        let spawn = |number: usize| {
            team.sandbox.write(&format!("out/{number}"), content(number));
            let mut command = team.command(&["publish", &format!("app.zip=../out/{number}")]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = (0..many).map(spawn).collect();
        let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code()).collect();
        let won: Vec<_> = (0..many).filter(|number| codes[*number] == Some(0)).collect();
        assert_eq!((won.len(), codes.iter().filter(|code| **code == Some(7)).count()), (1, many - 1), "{codes:?}");
        let key = team.fake.keys().into_iter().find(|key| key.ends_with("app.zip")).unwrap();
        assert!(team.fake.object(&key).unwrap().bytes == content(won[0]));
        assert_eq!(team.fake.uploads(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_there_is_an_answer_at_once() {
    let team = Team::new().await;
    for region in [true, false] {
        let mut command = team.command(&["show"]);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        if !region {
            command.env_remove("AWS_REGION");
        }
        let since = Instant::now();
        let ran = team.run_as(&mut command);
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
        assert_eq!(ran.code, Some(12), "{ran}");
        assert!(ran.stderr.contains("no credentials"), "{ran}");
        assert!(ran.stderr.contains("AWS_ACCESS_KEY_ID"), "{ran}");
    }
    assert!(team.fake.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_s3_outdoes_the_endpoint_of_all() {
    let team = Team::new().await;
    let mut command = team.command(&["stub"]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_ENDPOINT_URL_S3", &team.fake.endpoint);
    let ran = team.run_as(&mut command);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(team.fake.keys().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_s3_has_its_exit_code() {
    const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    const NO_BUCKET: &str = "<Error><Code>NoSuchBucket</Code><Message>No such bucket</Message></Error>";
    const EXPIRED: &str = "<Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>";
    let team = Team::new().await;
    team.sandbox.write("out/app.zip", "bytes");
    let cases = [
        (error(403, DENIED), 9),
        (error(404, NO_BUCKET), 12),
        (error(400, EXPIRED), 9),
        (error(500, INTERNAL), 10),
        (error(503, ""), 10),
        (Act::Break, 10),
        (Act::Silence, 10),
    ];
    for (act, code) in cases {
        team.fake.fault(Fault { about: vec![], times: 9999, act: act.clone() });
        let since = Instant::now();
        let ran = team.run(&["--timeout", "3s", "publish", "../out/app.zip"]);
        assert_eq!(ran.code, Some(code), "{act:?}: {ran}");
        assert!(since.elapsed() < Duration::from_secs(15), "{act:?}: {:?}", since.elapsed());
        team.fake.mend();
    }
    assert_eq!(team.fake.keys().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_fails_leaves_no_file_behind() {
    const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let team = Team::new().await;
    team.sandbox.write("out/app.zip", noise(5000));
    team.done(&["publish", "../out/app.zip"]);
    let cases = [
        (Act::Cut(10), 10),
        (Act::StandStill(1000), 10),
        (Act::Flip, 8),
        (Act::Shorten(1000), 8),
        (error(403, DENIED), 9),
        (error(200, INTERNAL), 10),
    ];
    for (act, code) in cases {
        team.fake.fault(Fault { about: vec!["GET", "app.zip"], times: 9999, act: act.clone() });
        let ran = team.run(&["--timeout", "2s", "fetch", "app.zip", "-o", "../in"]);
        assert_eq!(ran.code, Some(code), "{act:?}: {ran}");
        let left = if team.sandbox.path("in").exists() { team.sandbox.tree("in") } else { Vec::new() };
        assert_eq!(left, Vec::<String>::new(), "{act:?}");
        team.fake.mend();
    }
    team.done(&["fetch", "app.zip", "-o", "../in"]);
    assert!(std::fs::read(team.sandbox.path("in/app.zip")).unwrap() == noise(5000));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_ended_leaves_no_upload() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let team = Team::new().await;
        team.sandbox.write("out/app.zip", noise(LARGE));
        team.fake.fault(Fault { about: vec!["PUT", "partNumber=2"], times: 9, act: Act::Silence });
        let mut child = team.command(&["publish", "../out/app.zip"]).stderr(Stdio::null()).spawn().unwrap();
        wait_for(|| team.fake.seen("partNumber=2")).await;
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!((team.fake.uploads_begun(), team.fake.uploads(), team.fake.keys().len()), (1, 0, 0));
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_ended_leaves_nothing_in_the_output_directory() {
    let team = Team::new().await;
    team.sandbox.write("out/app.zip", noise(LARGE));
    team.done(&["publish", "../out/app.zip"]);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        team.fake.fault(Fault { about: vec!["GET", "app.zip"], times: 1, act: Act::StandStill(1 << 20) });
        let mut child = team.command(&["fetch", "-o", "../got"]).stderr(Stdio::null()).spawn().unwrap();
        let written = || {
            let files = std::fs::read_dir(team.sandbox.path("got")).into_iter().flatten().flatten();
            files.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum::<u64>() > 0
        };
        wait_for(written).await;
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(team.sandbox.tree("got"), Vec::<String>::new());
        team.fake.mend();
    }
}
