//! The README's policies grant what each role asks for, and nothing that it never asks for.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::fake::{ACCESS_KEY, BUCKET, Fault, SECRET_KEY};
use crate::s3::program::Team;
use crate::s3::{LARGE, error, noise};

/// The statements of one policy: actions and resources, each with each.
struct Policy(Vec<(String, String)>);

impl Policy {
    fn allows(&self, action: &str, resource: &str) -> Option<&(String, String)> {
        self.0.iter().find(|(granted, pattern)| granted == action && covers(pattern, resource))
    }
}

/// Says whether a pattern with asterisks covers a text.
fn covers(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            let rest = text.strip_prefix(before);
            rest.is_some_and(|rest| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && covers(after, &rest[at..])))
        }
    }
}

/// Reads the policies of the store: reader, publisher, stager, hook.
fn policies() -> Vec<Policy> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = readme.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    let policies = blocks.filter(|block| block.contains("Statement") && !block.contains("ssm:"));
    let several = |value: &Value| -> Vec<String> {
        match value {
            Value::String(one) => vec![one.clone()],
            value => value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        }
    };
    let read = |block: &str| {
        let policy: Value = serde_json::from_str(block).unwrap();
        let mut granted = Vec::new();
        for statement in policy["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            for action in several(&statement["Action"]) {
                let resources = several(&statement["Resource"]).into_iter();
                granted.extend(resources.map(|resource| (action.clone(), resource.replace("acme-artifacts", BUCKET))));
            }
        }
        Policy(granted)
    };
    policies.map(read).collect()
}

/// Returns the action that a request asks for, and on what; none for what only the doctor asks and calls unknown.
fn asked(line: &str) -> Option<(&'static str, String)> {
    let (method, path) = line.split_once(' ').unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = path.trim_start_matches('/').trim_end_matches('/');
    let resource = format!("arn:aws:s3:::{path}");
    let is_object = path.contains('/');
    let action = match (method, is_object) {
        ("GET", false) if query.contains("list-type=2") => "s3:ListBucket",
        ("HEAD", false) => "s3:ListBucket",
        ("GET", false) => return None,
        ("GET" | "HEAD", true) => "s3:GetObject",
        ("DELETE", true) if query.contains("uploadId") => "s3:AbortMultipartUpload",
        ("DELETE", true) => "s3:DeleteObject",
        ("PUT" | "POST", true) => "s3:PutObject",
        _ => panic!("{line} is of no kind that is known"),
    };
    Some((action, resource))
}

/// Holds a role's requests against its policy.
fn compare(role: &str, policy: &Policy, requests: &[String]) {
    let mut used: BTreeSet<&(String, String)> = BTreeSet::new();
    for line in requests {
        let Some((action, resource)) = asked(line) else { continue };
        let granted = policy.allows(action, &resource);
        used.insert(granted.unwrap_or_else(|| panic!("{role} is not granted {action} on {resource} ({line})")));
    }
    // S3 says that an object is missing only to who may list.
    let needless = |granted: &&(String, String)| !used.contains(granted) && granted.0 != "s3:ListBucket";
    let unused: Vec<_> = policy.0.iter().filter(needless).collect();
    assert!(unused.is_empty(), "{role} never asks for {unused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_is_granted_what_it_asks_for_and_no_more() {
    let policies = policies();
    let [reader, publisher, stager, hook] = policies.as_slice() else {
        panic!("there are {} policies", policies.len())
    };
    let team = Team::new().await;
    let store = format!("s3://{BUCKET}");
    let run = |arguments: &[&str]| {
        let ran = team.run_as(team.command(arguments).env("METALOGIC_STORE", &store));
        assert_eq!(ran.code, Some(0), "{ran}");
    };
    let registry = team.sandbox.read("repo/artifacts.toml");
    team.sandbox.git("repo", &["rm", "--quiet", "artifacts.toml"]);
    team.sandbox.git("repo", &["commit", "--quiet", "--amend", "--allow-empty", "--message", "without a registry"]);
    team.fake.plant("artifacts.toml", registry);
    team.sandbox.write("out/app.zip", noise(LARGE));
    team.sandbox.write("out/docs.tar.gz", "the manual");
    team.fake.requests();

    // A completion that meets a conflict has the upload put away.
    let conflict = error(409, "<Error><Code>ConditionalRequestConflict</Code><Message>Again</Message></Error>");
    team.fake.fault(Fault { about: vec!["POST", "app.zip", "uploadId="], times: 1, act: conflict });
    run(&["publish", "../out/app.zip", "../out/docs.tar.gz"]);
    run(&["resolve"]);
    run(&["doctor"]);
    compare("who publishes", publisher, &team.fake.requests());

    // Where the digest of an artifact is recorded beside it, too, a promotion looks; a file that is large is sent in parts.
    run(&["stage", "app", "1.0.0", "--commit", "HEAD", "--artifact", "app.zip"]);
    let conflict = error(409, "<Error><Code>ConditionalRequestConflict</Code><Message>Again</Message></Error>");
    team.fake.fault(Fault { about: vec!["POST", "versions", "uploadId="], times: 1, act: conflict });
    run(&["stage", "app", "1.1.0", "../out/app.zip"]);
    run(&["stage", "app", "1.1.0", "../out/app.zip"]);
    compare("who stages", stager, &team.fake.requests());

    run(&["latest", "app"]);
    run(&["versions", "app"]);
    run(&["info", "app"]);
    run(&["download", "app", "1.0.0", "--as", "../in.zip"]);
    run(&["download", "app", "-o", "../in"]);
    run(&["show"]);
    run(&["show", "--fresh"]);
    run(&["fetch", "-o", "../in"]);
    run(&["resolve", "--dry-run"]);
    run(&["doctor", "--dry-run"]);
    compare("who reads", reader, &team.fake.requests());

    team.sandbox.git("repo", &["commit", "--quiet", "--allow-empty", "--message", "second"]);
    run(&["stub"]);
    run(&["stub"]);
    compare("a hook", hook, &team.fake.requests());
}

#[test]
fn a_pattern_covers_what_it_should() {
    assert!(covers("a/*", "a/b/c") && covers("a/*/z", "a/b/c/z") && covers("a", "a") && covers("a/*", "a/"));
    assert!(!covers("a/*", "b/a") && !covers("a/*/z", "a/b") && !covers("a", "ab"));
    assert_eq!(asked("PUT /b/k?x-id=PutObject").unwrap().0, "s3:PutObject");
    assert_eq!(asked("DELETE /b/k?uploadId=1").unwrap().0, "s3:AbortMultipartUpload");
}

/// Deploy tooling may have nothing but curl. The service looks at signatures closely, unlike others that are made for tests.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_readme_says_of_curl_fetches_an_artifact() {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "curl is missing");
        println!("skipped: there is no curl");
        return;
    }
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let script =
        readme.split("```sh\n").find(|block| block.starts_with("get() {")).unwrap().split("```").next().unwrap();
    let team = Team::new().await;
    team.sandbox.write("out/app.zip", "the app");
    team.done(&["publish", "../out/app.zip"]);
    let commit = team.sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    let script = script
        .replace("https://acme-artifacts.s3.eu-north-1.amazonaws.com", &format!("$ENDPOINT/{BUCKET}/team%20builds"))
        // Not every machine has jq.
        .replace("$(jq -er '.artifacts[\"app.zip\"]' build_meta.json)", "$COMMIT");
    assert!(!script.contains("amazonaws") && !script.contains("jq"), "{script}");
    let mut shell = std::process::Command::new("sh");
    shell
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .current_dir(team.sandbox.path(""))
        .args(["-c", &script]);
    shell.env("ENDPOINT", &team.fake.endpoint).env("COMMIT", &commit);
    let output = shell.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(team.sandbox.read("app.zip"), "the app");
    assert!(team.sandbox.read("build_meta.json").contains(&commit));
}
