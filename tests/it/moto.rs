//! The real binary against an S3 that this project did not write, and beside clients that it did not write: moto, boto3 and the AWS CLI.

pub mod python;
mod rights;
pub mod service;
mod startifact;

use std::process::Command;

use metalogic::artifact::Digest;
use metalogic::registry::Terms;
use metalogic::store::s3::S3Store;
use metalogic::store::{Attributes, Changed, Condition, Content, Key, Store as _, Tag};
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};
use service::Moto;

/// A prefix as a person may have it.
const PREFIX: &str = "team builds/of 2026+";

const REGISTRY: &str = "[projects.app]\nartifacts = [\"tool\", \"large.bin\", \"empty\", \"c++_2+x.zip\"]\n";

/// More than two parts, and the last not a full one.
const LARGE: usize = (17 << 20) + 12_345;

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// A repository whose store is a bucket of its own.
struct Team {
    moto: &'static Moto,
    bucket: &'static str,
    sandbox: Sandbox,
}

impl Team {
    fn new(bucket: &'static str) -> Option<Self> {
        let moto = Moto::get()?;
        moto.boto("create_bucket", json!({"Bucket": bucket}));
        let sandbox = Sandbox::new();
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
        Some(Self { moto, bucket, sandbox })
    }

    /// Makes a team whose registry is in its repository.
    fn with_registry(bucket: &'static str) -> Option<Self> {
        let team = Self::new(bucket)?;
        team.sandbox.write("repo/artifacts.toml", REGISTRY);
        team.sandbox.commit("first");
        Some(team)
    }

    fn store(&self) -> String {
        format!("s3://{}/{PREFIX}", self.bucket)
    }

    fn command(&self, directory: &str, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(directory, arguments);
        self.moto.reach(command.env("METALOGIC_STORE", self.store()));
        command
    }

    fn run_in(&self, directory: &str, arguments: &[&str]) -> Ran {
        let output = self.command(directory, arguments).output().unwrap();
        self.sandbox.ran(&format!("metalogic {}", arguments.join(" ")), &output)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in("repo", arguments)
    }

    fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran
    }

    /// Runs a command and returns its object.
    fn told(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[&["--json"], arguments].concat()).stdout).unwrap()
    }

    fn head(&self) -> String {
        self.sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned()
    }

    fn key(&self, commit: &str, name: &str) -> String {
        format!("{PREFIX}/builds/{commit}/{name}")
    }

    /// Returns every key below the prefix, as boto3 lists them.
    /// Returns every key in the bucket, but for that of the object with which conditions are tried.
    fn keys(&self) -> Vec<String> {
        let listed = self.moto.boto("list_objects_v2", json!({"Bucket": self.bucket}));
        let contents = listed["Contents"].as_array().cloned().unwrap_or_default();
        let keys = contents.iter().map(|object| object["Key"].as_str().unwrap().to_owned());
        keys.filter(|key| !key.ends_with("builds/.conditions")).collect()
    }

    fn object(&self, key: &str) -> Value {
        self.moto.boto("get_object", json!({"Bucket": self.bucket, "Key": key}))
    }

    /// Puts a file of the sandbox with boto3, which sends a large one in parts.
    fn upload(&self, file: &str, key: &str) {
        let file = self.sandbox.path(file).to_str().unwrap().to_owned();
        self.moto.boto("upload_file", json!({"Filename": file, "Bucket": self.bucket, "Key": key}));
    }

    /// Holds that no upload was begun and left.
    fn expect_no_upload(&self) {
        let left = self.moto.boto("list_multipart_uploads", json!({"Bucket": self.bucket}));
        assert_eq!(left.get("Uploads"), None, "{left}");
    }
}

fn set(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Writes the files of a build, `tool` an executable one; returns their names and bytes.
fn built(sandbox: &Sandbox) -> Vec<(&'static str, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt as _;
    let files = vec![
        ("c++_2+x.zip", b"a name with a plus".to_vec()),
        ("empty", Vec::new()),
        ("large.bin", noise(1, LARGE)),
        ("tool", b"#!/bin/sh\n".to_vec()),
    ];
    for (name, bytes) in &files {
        sandbox.write(&format!("out/{name}"), bytes);
    }
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.path("out/tool"), executable).unwrap();
    files
}

const FILES: [&str; 4] = ["../out/c++_2+x.zip", "../out/empty", "../out/large.bin", "../out/tool"];

#[test]
fn what_is_published_on_moto_is_what_boto3_reads_there() {
    let Some(team) = Team::with_registry("published") else { return };
    let (files, commit) = (built(&team.sandbox), team.head());
    let published = team.told(&[&["publish", "--require-complete"], &FILES[..]].concat());
    assert_eq!(set(&published["uploaded"]), ["c++_2+x.zip", "empty", "large.bin", "tool"]);
    assert_eq!(published["url"], format!("{}/builds/{commit}/build_meta.json", team.store()));

    let mut keys: Vec<_> = files.iter().map(|(name, _)| team.key(&commit, name)).collect();
    keys.push(team.key(&commit, "build_meta.json"));
    keys.sort();
    assert_eq!(team.keys(), keys);
    for (name, bytes) in &files {
        let (object, sha256) = (team.object(&team.key(&commit, name)), Digest::of(bytes).to_string());
        assert_eq!(object["Body"], json!({"size": bytes.len(), "sha256": sha256}), "{name}");
        assert_eq!(object["CacheControl"], "max-age=31536000, immutable", "{name}");
        let metadata = match *name {
            "tool" => json!({"sha256": sha256, "mode": "755"}),
            // What goes up in parts is hashed on the way: its digest is known when it is too late to say it beside the bytes.
            "large.bin" => json!({}),
            _ => json!({"sha256": sha256}),
        };
        assert_eq!(object["Metadata"], metadata, "{name}");
    }
    let shown = team.done(&["show"]).stdout;
    let metafile = team.object(&team.key(&commit, "build_meta.json"));
    assert_eq!(metafile["Body"]["sha256"], Digest::of(shown.as_bytes()).to_string());
    assert_eq!((&metafile["ContentType"], &metafile["CacheControl"]), (&json!("application/json"), &json!("no-cache")));
    team.expect_no_upload();

    let again = team.told(&[&["publish"], &FILES[..]].concat());
    assert_eq!(set(&again["present"]), ["c++_2+x.zip", "empty", "large.bin", "tool"]);
    assert_eq!((&again["uploaded"], &again["bytes_sent"]), (&json!([]), &json!(0)));
}

#[test]
fn on_moto_an_artifact_is_never_replaced_and_the_refused_leaves_no_upload() {
    let Some(team) = Team::with_registry("conflicts") else { return };
    let (files, commit) = (built(&team.sandbox), team.head());
    team.done(&[&["publish"], &FILES[..]].concat());
    for (name, other) in [("tool", &b"another"[..]), ("empty", b"no more"), ("large.bin", &noise(2, LARGE))] {
        team.sandbox.write(&format!("other/{name}"), other);
        let ran = team.run(&["publish", &format!("../other/{name}")]);
        assert_eq!(ran.code, Some(7), "{ran}");
        team.done(&["publish", "--if-exists", "keep", &format!("../other/{name}")]);
    }
    for (name, bytes) in &files {
        assert_eq!(team.object(&team.key(&commit, name))["Body"]["sha256"], Digest::of(bytes).to_string(), "{name}");
    }
    team.expect_no_upload();
}

#[test]
fn artifacts_are_inherited_over_three_commits_and_into_a_shallow_clone_on_moto() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(team) = Team::with_registry("inherited") else { return };
    let (files, first) = (built(&team.sandbox), team.head());
    team.done(&["stub"]);
    team.done(&["publish", "../out/large.bin", "../out/empty"]);
    let second = team.sandbox.commit("second");
    team.done(&["stub"]);
    team.done(&["publish", "../out/tool"]);
    team.done(&["publish", "../out/c++_2+x.zip", "--require-complete"]);
    let third = team.sandbox.commit("third");
    assert_eq!(team.told(&["stub"])["stubs"][0]["created"], true);
    assert_eq!(team.told(&["stub"])["stubs"][0]["created"], false);
    let resolved = team.told(&["resolve"]);
    let places = json!({"c++_2+x.zip": second, "empty": first, "large.bin": first, "tool": second});
    assert_eq!(resolved["metafile"]["artifacts"], places);
    assert_eq!(team.told(&["show"])["metafile"], resolved["metafile"]);
    assert_eq!(resolved["metafile"]["commit"], third);

    let url = format!("file://{}", team.sandbox.path("repo").display());
    team.sandbox.git(".", &["clone", "--quiet", "--depth", "1", &url, "shallow"]);
    for directory in ["repo", "shallow"] {
        let ran = team.run_in(directory, &["fetch", "--fresh", "-o", "got"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        for (name, bytes) in &files {
            let path = team.sandbox.path(&format!("{directory}/got/{name}"));
            assert!(std::fs::read(&path).unwrap() == *bytes, "{name}");
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o111;
            assert_eq!(mode != 0, *name == "tool", "{name}");
        }
        assert_eq!(team.sandbox.tree(&format!("{directory}/got")).len(), files.len());
    }
}

#[test]
fn what_boto3_and_the_aws_cli_put_there_counts_as_published() {
    let Some(team) = Team::with_registry("foreign") else { return };
    let (files, first) = (built(&team.sandbox), team.head());
    team.upload("out/large.bin", &team.key(&first, "large.bin"));
    team.upload("out/empty", &team.key(&first, "empty"));
    let second = team.sandbox.commit("second");
    for name in ["tool", "c++_2+x.zip"] {
        let to = format!("s3://{}/{}", team.bucket, team.key(&second, name));
        team.moto.aws(&team.sandbox, &["s3", "cp", "--only-show-errors", &format!("out/{name}"), &to]);
    }
    let resolved = team.told(&["resolve"]);
    let places = json!({"c++_2+x.zip": second, "empty": first, "large.bin": first, "tool": second});
    assert_eq!(resolved["metafile"]["artifacts"], places);
    assert_eq!(resolved["metafile"]["details"]["large.bin"], json!({"size": LARGE}));
    assert_eq!(team.told(&["show"])["metafile"], resolved["metafile"]);
    let fetched = team.done(&["fetch", "-o", "../got"]);
    for (name, bytes) in &files {
        assert!(std::fs::read(team.sandbox.path(&format!("got/{name}"))).unwrap() == *bytes, "{name}");
        assert!(fetched.stderr.contains(&format!("{name} at {}", places[name].as_str().unwrap())), "{fetched}");
    }
    assert_eq!(fetched.stderr.matches("has no recorded digest").count(), files.len(), "{fetched}");

    // They are compared by their bytes, since nobody recorded a digest.
    let again = team.told(&["publish", "--commit", &first, "../out/large.bin", "../out/empty"]);
    assert_eq!((set(&again["present"]), &again["uploaded"]), (vec!["empty", "large.bin"], &json!([])));
    assert_eq!(again["metafile"]["details"]["large.bin"]["sha256"], Digest::of(&files[2].1).to_string());
    let again = team.told(&["publish", "../out/tool"]);
    assert_eq!(set(&again["present"]), ["tool"]);
    team.sandbox.write("other/tool", "another");
    team.sandbox.write("other/large.bin", noise(2, LARGE));
    assert_eq!(team.run(&["publish", "../other/tool"]).code, Some(7));
    assert_eq!(team.run(&["publish", "--commit", &first, "../other/large.bin"]).code, Some(7));
    team.expect_no_upload();
}

#[test]
fn deploy_tooling_reads_the_metafile_and_artifacts_with_the_aws_cli_and_curl_alone() {
    let Some(team) = Team::with_registry("deploy") else { return };
    built(&team.sandbox);
    team.done(&[&["publish"], &FILES[..]].concat());
    let (url, shown) = (team.told(&["show"])["url"].as_str().unwrap().to_owned(), team.done(&["show"]).stdout);
    let copied = team.moto.aws(&team.sandbox, &["s3", "cp", &url, "-"]);
    assert_eq!(String::from_utf8(copied).unwrap(), shown);
    for (url, expected) in [
        (url.clone(), shown.into_bytes()),
        (url.replace("build_meta.json", "c++_2+x.zip"), b"a name with a plus".to_vec()),
    ] {
        let signed = String::from_utf8(team.moto.aws(&team.sandbox, &["s3", "presign", &url])).unwrap();
        let curl = Command::new("curl").args(["--silent", "--fail", "--noproxy", "*", signed.trim()]).output().unwrap();
        assert!(curl.status.success() && curl.stdout == expected, "{signed}: {curl:?}");
    }
}

#[test]
fn a_url_is_all_that_curl_needs() {
    let Some(team) = Team::with_registry("urls") else { return };
    let (files, commit) = (built(&team.sandbox), team.head());
    team.done(&[&["publish"], &FILES[..]].concat());
    team.sandbox.commit("second");
    for (name, bytes) in files {
        let told = team.told(&["url", name, "--expires", "5m"]);
        assert_eq!((&told["address"], &told["size"]), (&json!(commit), &json!(bytes.len())), "{told}");
        let url = told["url"].as_str().unwrap();
        let mut curl = Command::new("curl");
        curl.env_clear().args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--output", "-", url]);
        let output = curl.output().unwrap();
        assert!(output.status.success() && output.stdout == bytes, "{name}: {url}: {:?}", output.status);
    }
}

#[test]
fn what_has_not_changed_is_not_sent_again_by_moto() {
    let Some(team) = Team::with_registry("unchanged") else { return };
    let (commit, runtime) = (team.head(), tokio::runtime::Runtime::new().unwrap());
    let minute = std::time::Duration::from_secs(60);
    let store = S3Store::reached(team.bucket, "", minute, Terms::default(), team.moto.told());
    let key = Key::Metafile(commit.parse().unwrap());
    let put = |text: &'static str| {
        let put = store.put(&key, Content::Bytes(text.into()), Attributes::default(), &Condition::None);
        runtime.block_on(put).unwrap().tag
    };
    let look = |than: &Tag| runtime.block_on(store.get_changed(&key, 100, than)).unwrap();
    let first = put("first");
    assert_eq!(look(&first), Changed::Unchanged);
    let second = put("second");
    assert_eq!(look(&first), Changed::Here("second".into(), second.clone()));
    assert_eq!(look(&second), Changed::Unchanged);
    runtime.block_on(store.delete(&key)).unwrap();
    assert_eq!(look(&second), Changed::Gone);
}

#[test]
fn the_registry_that_boto3_put_into_the_store_is_the_one_that_counts() {
    let Some(team) = Team::new("registry") else { return };
    team.sandbox.commit("without a registry");
    assert_eq!(team.run(&["resolve"]).code, Some(12));
    team.sandbox.write("artifacts.toml", REGISTRY);
    team.upload("artifacts.toml", &format!("{PREFIX}/artifacts.toml"));
    let listed = team.told(&["registry", "list"]);
    let names: Vec<_> = listed["artifacts"].as_array().unwrap().iter().map(|artifact| &artifact["name"]).collect();
    assert_eq!(names.len(), 4, "{listed}");
    assert_eq!(listed["registry"], format!("{}/artifacts.toml", team.store()));
    built(&team.sandbox);
    team.done(&["publish", "../out/tool"]);
    let ran = team.run(&["publish", "other.zip=../out/tool"]);
    assert_eq!(ran.code, Some(6), "{ran}");
}

#[test]
fn a_bucket_that_is_gone_is_named_and_nothing_is_called_done() {
    let Some(team) = Team::with_registry("gone") else { return };
    built(&team.sandbox);
    team.moto.boto("delete_bucket", json!({"Bucket": team.bucket}));
    for arguments in [
        &["publish", "../out/tool"][..],
        &["publish", "../out/large.bin"],
        &["stub"],
        &["resolve"],
        &["show"],
        &["fetch", "-o", "../got"],
    ] {
        let ran = team.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(12), ""), "{ran}");
        assert!(ran.stderr.contains("gone") && ran.stderr.contains("does not exist"), "{ran}");
    }
    let made = team.moto.try_boto("head_bucket", json!({"Bucket": team.bucket}));
    assert!(made.is_err(), "nobody makes a bucket by the way: {made:?}");
}
