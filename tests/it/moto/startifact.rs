//! Beside the real Startifact, on the same buckets and parameters: what one stages the other reads.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::service::Moto;
use crate::sandbox::{Ran, Sandbox};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-2"];

/// An organisation that has a bucket in each of two regions, and a person with a few files.
struct Organisation {
    moto: Moto,
    sandbox: Sandbox,
    /// What both programs are told of it.
    told: Vec<(&'static str, String)>,
}

impl Organisation {
    fn new() -> Option<Self> {
        let moto = Moto::alone()?;
        for region in REGIONS {
            let bucket = format!("acme-{region}");
            let mut create = json!({"Bucket": bucket});
            if region != "us-east-1" {
                create["CreateBucketConfiguration"] = json!({"LocationConstraint": region});
            }
            moto.boto_in(region, "s3", "create_bucket", create);
            let parameter = json!({"Name": "/artifacts-bucket", "Value": bucket, "Type": "String"});
            moto.boto_in(region, "ssm", "put_parameter", parameter);
        }
        let sandbox = Sandbox::new();
        for (file, text) in [("one.txt", "one"), ("two.txt", "two"), ("three.txt", "three")] {
            sandbox.write(file, text);
        }
        Some(Self { moto, sandbox, told: vec![("STARTIFACT_PARAMETER", "/startifact".to_owned())] })
    }

    /// Makes one whose set-up the real Startifact has done, as somebody answers its questions.
    fn released() -> Option<Self> {
        let mut organisation = Self::new()?;
        organisation.told.push(("STARTIFACT_REGIONS", REGIONS.join(",")));
        organisation.startifact(&["--setup"], "us-east-1,eu-west-2\n/artifacts-bucket\nteam/\n/acme\ny\n");
        Some(organisation)
    }

    fn run_with(&self, mut command: Command, what: &str, input: &str) -> Ran {
        command.envs(self.told.iter().map(|(name, value)| (*name, value)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        self.sandbox.ran(what, &child.wait_with_output().unwrap())
    }

    fn try_startifact(&self, arguments: &[&str], input: &str) -> Ran {
        let command = self.moto.module(&self.sandbox, "startifact", arguments);
        self.run_with(command, &format!("startifact {}", arguments.join(" ")), input)
    }

    /// Runs the real Startifact, which must succeed; returns what it prints.
    fn startifact(&self, arguments: &[&str], input: &str) -> String {
        let ran = self.try_startifact(arguments, input);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.stdout
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.sandbox.command(".", arguments);
        self.moto.reach(&mut command);
        self.run_with(command, &format!("metalogic {}", arguments.join(" ")), "")
    }

    /// Runs the program, which must succeed; returns what it prints.
    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.stdout
    }

    fn told(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[&["--json"], arguments].concat())).unwrap()
    }

    fn parameter(&self, region: &str, name: &str) -> Value {
        self.moto.boto_in(region, "ssm", "get_parameter", json!({"Name": name}))["Parameter"].clone()
    }
}

#[test]
fn what_startifact_stages_is_read_here() {
    let Some(acme) = Organisation::released() else { return };
    acme.startifact(
        &["app", "1.0.0", "--stage", "one.txt", "--filename", "--metadata", "lang=py", "--metadata", "é=ü=\"1\""],
        "",
    );
    acme.startifact(&["bare", "2.0.0-rc.1", "--stage", "two.txt"], "");
    assert_eq!(acme.done(&["latest", "app"]), "1.0.0\n");
    let info = acme.told(&["info", "app"]);
    assert_eq!(info["release"]["filename"], "one.txt");
    assert_eq!(info["release"]["metadata"], json!({"lang": "py", "é": "ü=\"1\""}));
    assert_eq!((&info["release"]["size"], info["release"].get("sha256")), (&3.into(), None));
    assert_eq!(info["url"], "s3://acme-us-east-1/team/app@1.0.0");
    let downloaded = acme.run(&["download", "app", "-o", "got"]);
    assert_eq!(downloaded.stdout, "got/one.txt\n", "{downloaded}");
    assert!(downloaded.stderr.contains("not verified"), "{downloaded}");
    assert_eq!(acme.sandbox.read("got/one.txt"), "one");
    // Nothing says how the other file is called, and a pre-release is no latest version, whoever says so.
    assert_eq!(acme.run(&["download", "bare", "2.0.0-rc.1", "-o", "got"]).code, Some(3));
    assert_eq!(acme.done(&["download", "bare", "2.0.0-rc.1", "--as", "-"]), "two");
    assert_eq!(acme.run(&["latest", "bare"]).code, Some(3));
    assert_eq!(acme.done(&["latest", "bare", "--pre"]), "2.0.0-rc.1\n");
    // The same bytes are the same release, whoever staged them.
    let again = acme.told(&["stage", "app", "1.0.0", "one.txt", "--metadata", "lang=py", "--metadata", "é=ü=\"1\""]);
    assert_eq!(again["present"], true);
    assert_eq!(acme.run(&["stage", "app", "1.0.0", "two.txt"]).code, Some(7));
    assert_eq!(acme.run(&["stage", "app", "1.0.0", "one.txt", "--metadata", "lang=rust"]).code, Some(7));
}

#[test]
fn what_is_staged_here_startifact_reads() {
    let Some(acme) = Organisation::released() else { return };
    let arguments = ["stage", "app", "1.0.0", "one.txt", "--metadata", "lang=rust", "--metadata", "é=ü=\"1\""];
    assert_eq!(acme.told(&arguments)["present"], false);
    let info = acme.startifact(&["app", "--info"], "");
    for said in ["The latest version of app is 1.0.0", "lang", "rust", "ü=\"1\"", "one.txt"] {
        assert!(info.contains(said), "{info}");
    }
    acme.startifact(&["app", "--download", "theirs.txt"], "");
    assert_eq!(acme.sandbox.read("theirs.txt"), "one");
    std::fs::create_dir(acme.sandbox.path("theirs")).unwrap();
    acme.startifact(&["app", "1.0.0", "--download", "theirs", "--filename"], "");
    assert_eq!(acme.sandbox.read("theirs/one.txt"), "one");
    // It is byte for byte what Startifact writes, and in every region.
    acme.startifact(
        &["app", "1.0.1", "--stage", "one.txt", "--filename", "--metadata", "lang=rust", "--metadata", "é=ü=\"1\""],
        "",
    );
    for region in REGIONS {
        let metadata = |version: &str| {
            let key = format!("team/app@{version}/metadata");
            acme.moto.boto_in(region, "s3", "get_object", json!({"Bucket": format!("acme-{region}"), "Key": key}))["Body"].clone()
        };
        assert_eq!(metadata("1.0.0"), metadata("1.0.1"), "{region}");
        assert_eq!(acme.parameter(region, "/acme/app/latest")["Type"], "String");
    }
    // Startifact refuses it a second time.
    assert_ne!(acme.try_startifact(&["app", "1.0.0", "--stage", "one.txt"], "").code, Some(0));
}

#[test]
fn latest_is_mended_where_startifact_set_what_it_staged_last() {
    let Some(acme) = Organisation::released() else { return };
    acme.done(&["stage", "app", "2.0.0", "two.txt"]);
    acme.done(&["stage", "app", "1.0.5", "one.txt"]);
    acme.done(&["stage", "app", "3.0.0-rc.1", "three.txt"]);
    assert_eq!(acme.done(&["latest", "app"]), "2.0.0\n");
    assert!(acme.startifact(&["app", "--info"], "").contains("version of app is 2.0.0"));
    acme.startifact(&["app", "1.0.6", "--stage", "one.txt"], "");
    assert_eq!(acme.done(&["latest", "app"]), "1.0.6\n", "Startifact's own rule");
    // Even a stage of what is staged already mends it, for both.
    assert_eq!(acme.told(&["stage", "app", "1.0.5", "one.txt"])["latest"], "2.0.0");
    assert_eq!(acme.done(&["latest", "app"]), "2.0.0\n");
    assert!(acme.startifact(&["app", "--info"], "").contains("version of app is 2.0.0"));
    assert_eq!(acme.done(&["versions", "app"]), "3.0.0-rc.1\n2.0.0\n1.0.6\n1.0.5\n");
}

#[test]
fn a_set_up_that_is_updated_here_startifact_understands() {
    let Some(acme) = Organisation::released() else { return };
    let shown = acme.told(&["setup", "--show"]);
    assert_eq!(shown["configuration"]["parameter_name_prefix"], "/acme", "{shown}");
    acme.done(&["setup", "--parameter-prefix", "/acme/next", "--key-prefix", "next/", "--yes"]);
    acme.startifact(&["app", "1.0.0", "--stage", "one.txt"], "");
    for region in REGIONS {
        assert_eq!(acme.parameter(region, "/acme/next/app/latest")["Value"], "1.0.0");
        let text = acme.parameter(region, "/startifact")["Value"].as_str().unwrap().to_owned();
        let keys: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        let known = ["bucket_key_prefix", "bucket_name_param", "parameter_name_prefix", "regions", "save_ok"];
        assert!(known.iter().all(|key| keys.contains_key(*key)), "{text}");
    }
    assert_eq!(acme.done(&["download", "app", "--as", "-"]), "one");
}

#[test]
fn a_region_that_has_not_what_others_have_is_completed() {
    let Some(acme) = Organisation::released() else { return };
    acme.done(&["stage", "app", "1.0.0", "one.txt"]);
    let bucket = "acme-us-east-1";
    for key in ["team/app@1.0.0", "team/app@1.0.0/metadata"] {
        acme.moto.boto_in("us-east-1", "s3", "delete_object", json!({"Bucket": bucket, "Key": key}));
    }
    assert_eq!(acme.told(&["info", "app", "1.0.0"])["url"], "s3://acme-eu-west-2/team/app@1.0.0");
    assert_eq!(acme.done(&["download", "app", "--as", "-"]), "one");
    assert_eq!(acme.told(&["stage", "app", "1.0.0", "one.txt"])["bytes_sent"], 3);
    assert_eq!(acme.told(&["info", "app", "1.0.0"])["url"], "s3://acme-us-east-1/team/app@1.0.0");
    assert_eq!(acme.run(&["download", "app", "9.0.0", "--as", "-"]).code, Some(3));
}

#[test]
fn what_a_build_published_is_promoted_to_startifacts_bucket_by_the_service_itself() {
    let Some(acme) = Organisation::released() else { return };
    let sandbox = &acme.sandbox;
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    sandbox.write(
        "repo/artifacts.toml",
        "[versions]\nparameter = \"/startifact\"\n\n[projects.app]\nartifacts = [\"app.zip\"]\n",
    );
    let commit = sandbox.commit("first");
    sandbox.write("repo/app.zip", "the app");
    acme.moto.boto_in("us-east-1", "s3", "create_bucket", json!({"Bucket": "builds"}));
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command("repo", arguments);
        acme.moto.reach(&mut command);
        let output = command
            .env("METALOGIC_STORE", "s3://builds")
            .env("STARTIFACT_REGIONS", REGIONS.join(","))
            .output()
            .unwrap();
        let ran = sandbox.ran(&arguments.join(" "), &output);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.stdout
    };
    run(&["publish", "app.zip"]);
    let told: Value =
        serde_json::from_str(&run(&["--json", "stage", "app", "1.0.0", "--commit", "HEAD", "--artifact", "app.zip"]))
            .unwrap();
    assert_eq!((&told["bytes_sent"], &told["release"]["commit"]), (&0.into(), &commit.clone().into()), "{told}");
    let info: Value = serde_json::from_str(&run(&["--json", "info", "app"])).unwrap();
    assert_eq!(
        (&info["release"]["commit"], &info["release"]["filename"]),
        (&commit.into(), &"app.zip".into()),
        "{info}"
    );
    assert_eq!(run(&["-q", "download", "app", "--as", "-"]), "the app");
    acme.startifact(&["app", "--download", "theirs.zip"], "");
    assert_eq!(sandbox.read("theirs.zip"), "the app");
}
