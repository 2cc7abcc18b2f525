//! The real binary stages and downloads: on the embedded store, and on S3.

use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::Value;

use crate::fake::{BUCKET, Fault};
use crate::s3::error;
use crate::s3::program::Team;
use crate::sandbox::Sandbox;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Makes a repository in which `app.zip` was built and published.
fn published() -> (Sandbox, String) {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/out/app.zip", "one");
    sandbox.write("repo/out/other.zip", "two");
    sandbox.done(&["-q", "publish", "out/app.zip"]);
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    (sandbox, commit)
}

#[test]
fn what_staging_says_and_what_it_refuses() {
    let (sandbox, _) = published();
    let mut shown = String::new();
    // When is another time each run.
    let mut run = |arguments: &[&str]| {
        let text = sandbox.run(arguments).to_string();
        let line =
            |line: &str| if line.starts_with("staged    ") { "staged    [WHEN]".to_owned() } else { line.to_owned() };
        shown.extend(text.lines().map(line).map(|line| line + "\n"));
        shown.push('\n');
    };
    run(&["stage", "app", "1.0.0", "out/app.zip", "--metadata", "lang=rust", "--metadata", "by=ada=b"]);
    run(&["-q", "stage", "app", "1.0.0", "out/app.zip"]);
    run(&["-q", "stage", "app", "1.0.0", "out/other.zip", "--metadata", "lang=rust", "--metadata", "by=ada=b"]);
    run(&["stage", "app", "2.0.0+build.7", "out/other.zip", "--filename=app 2.zip"]);
    run(&["-q", "stage", "app", "2.0.0", "out/other.zip"]);
    run(&["stage", "app", "1.0.5", "--commit", "HEAD", "--artifact", "app.zip"]);
    run(&["stage", "app", "3.0.0-rc.1", "out/other.zip", "--dry-run"]);
    run(&["latest", "app"]);
    run(&["-q", "versions", "app"]);
    run(&["-q", "info", "app"]);
    run(&["-q", "info", "app", "1.0.5"]);
    run(&["download", "app", "-o", "got"]);
    run(&["-q", "download", "app", "1.0.5", "--as", "-"]);
    run(&["-q", "download", "app", "9.9.9"]);
    run(&["-q", "download", "app", "2.0.0+build.8"]);
    run(&["-q", "latest", "ap"]);
    run(&["-q", "stage", "app", "v4.0.0", "out/app.zip"]);
    run(&["-q", "stage", "app", "4.0", "out/app.zip"]);
    run(&["-q", "stage", "a/b", "4.0.0", "out/app.zip"]);
    run(&["-q", "stage", "--", "-b", "4.0.0", "out/app.zip"]);
    run(&["-q", "stage", "app", "4.0.0"]);
    run(&["-q", "stage", "app", "4.0.0", "out/none.zip"]);
    run(&["-q", "stage", "app", "4.0.0", "--commit", "HEAD"]);
    run(&["-q", "stage", "app", "4.0.0", "out/app.zip", "--commit", "HEAD"]);
    run(&["-q", "stage", "app", "4.0.0", "out/app.zip", "--metadata", "novalue"]);
    run(&["-q", "stage", "app", "4.0.0", "out/app.zip", "--metadata", "startifact:filename=x"]);
    run(&["-q", "stage", "app", "4.0.0", "out/app.zip", "--metadata", "a=1", "--metadata", "a=2"]);
    run(&["-q", "stage", "app", "4.0.0", "out/app.zip", "--filename=../x"]);
    run(&["-q", "stage", "pre", "1.0.0-rc.1", "out/app.zip"]);
    run(&["-q", "latest", "pre"]);
    run(&["-q", "latest", "pre", "--pre"]);
    assert_snapshot!(shown);
}

#[test]
fn a_promotion_records_where_the_artifact_is_and_moves_nothing() {
    let (sandbox, built) = published();
    let released = sandbox.commit("nothing is built here");
    let told = json(&sandbox.done(&["--json", "stage", "app.zip", "1.0.0", "--commit", "HEAD"]));
    assert_eq!(told["release"]["commit"], *released);
    assert_eq!(told["release"]["address"], *built);
    assert_eq!(told["release"]["artifact"], "app.zip");
    assert_eq!((&told["bytes_sent"], &told["present"]), (&0.into(), &false.into()));
    let stands = sandbox.tree("repo/.git/metalogic/versions");
    assert_eq!(stands, ["app.zip", "app.zip/1.0.0", "app.zip/1.0.0/record.json"]);
    assert_eq!(sandbox.done(&["-q", "download", "app.zip", "--as", "-"]), "one");
    // Another commit with the same bytes is another claim; the same one is none.
    assert_eq!(json(&sandbox.done(&["--json", "stage", "app.zip", "1.0.0", "--commit", "HEAD"]))["present"], true);
    assert_eq!(sandbox.run(&["stage", "app.zip", "1.0.0", "--commit", "HEAD~1"]).code, Some(7));
    // Bytes that are not those that were published are not promoted, and not downloaded.
    let object = sandbox.path(&format!("repo/.git/metalogic/builds/{built}/app.zip"));
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, "six").unwrap();
    assert_eq!(sandbox.run(&["download", "app.zip", "--as", "-"]).code, Some(8));
    std::fs::remove_file(&object).unwrap();
    assert_eq!(sandbox.run(&["download", "app.zip", "--as", "-"]).code, Some(3));
    sandbox.write("repo/one.zip", "one");
    let gone = sandbox.run(&["stage", "app.zip", "1.0.0", "one.zip"]);
    assert!(gone.code == Some(3) && gone.stderr.contains("its bytes are gone from file://"), "{gone}");
    assert_eq!(sandbox.tree("repo/.git/metalogic/versions"), stands);
    assert_eq!(sandbox.run(&["stage", "app.zip", "1.0.1", "--commit", "HEAD"]).code, Some(3));
}

#[test]
fn what_nobody_recorded_a_digest_of_is_promoted_and_downloaded_with_a_warning() {
    let (sandbox, commit) = published();
    // As any other program puts it there.
    sandbox.write(&format!("repo/.git/metalogic/builds/{commit}/docs.tar.gz"), "by hand");
    sandbox.done(&["-q", "resolve"]);
    let staged = sandbox.run(&["stage", "docs", "1.0.0", "--commit", "HEAD", "--artifact", "docs.tar.gz"]);
    assert!(staged.code == Some(0) && staged.stderr.contains("cannot be verified"), "{staged}");
    let downloaded = sandbox.run(&["download", "docs", "-o", "got"]);
    assert!(downloaded.code == Some(0) && downloaded.stderr.contains("not verified"), "{downloaded}");
    assert_eq!(sandbox.read("repo/got/docs.tar.gz"), "by hand");
    assert_eq!(json(&sandbox.done(&["--json", "info", "docs"]))["release"].get("sha256"), None);
}

#[test]
fn a_download_is_verified_and_leaves_what_is_there_alone() {
    let (sandbox, _) = published();
    sandbox.done(&["-q", "stage", "app", "1.0.0", "out/app.zip"]);
    let told = json(&sandbox.done(&["--json", "download", "app", "-o", "got"]));
    assert_eq!(
        (&told["verified"], &told["present"], &told["path"]),
        (&true.into(), &false.into(), &"got/app.zip".into())
    );
    assert_eq!(json(&sandbox.done(&["--json", "download", "app", "-o", "got"]))["present"], true);
    let data = sandbox.path("repo/.git/metalogic/versions/app/1.0.0/data");
    std::fs::remove_file(&data).unwrap();
    // What somebody removed can be put again, and only that.
    let again = ["stage", "app", "1.0.0", "out/app.zip"];
    assert!(sandbox.run(&[&again[..], &["--dry-run"]].concat()).stderr.contains("would stage app 1.0.0"));
    let told = json(&sandbox.done(&[&["--json"], &again[..]].concat()));
    assert_eq!((&told["present"], &told["bytes_sent"]), (&false.into(), &3.into()));
    assert_eq!(sandbox.done(&["-q", "download", "app", "--as", "-"]), "one");
    std::fs::remove_file(&data).unwrap();
    std::fs::write(&data, "six").unwrap();
    let refused = sandbox.run(&["download", "app", "--as", "other"]);
    assert_eq!(refused.code, Some(8), "{refused}");
    assert!(!sandbox.path("repo/other").exists());
    // Nor does anybody make a release of them.
    assert_eq!(sandbox.run(&["stage", "app", "1.0.0", "out/app.zip"]).code, Some(8));
    assert_eq!(sandbox.run(&["--json", "download", "app", "--as", "-"]).code, Some(2));
}

#[cfg(unix)]
#[test]
fn a_link_is_replaced_where_it_leads_to_a_file_and_kept_where_it_leads_to_anything_else() {
    let (sandbox, _) = published();
    sandbox.done(&["-q", "stage", "app", "1.0.0", "out/app.zip"]);
    sandbox.write("repo/file", "before");
    std::fs::create_dir(sandbox.path("repo/directory")).unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, sandbox.path(&format!("repo/{name}"))).unwrap();
    for command in [&["download", "app"][..], &["fetch", "app.zip"]] {
        for (to, replaced) in [("file", true), ("nowhere", true), ("directory", false), ("/dev/null", false)] {
            link(to, "link");
            let ran = sandbox.run(&[&["-q"], command, &["--as", "link"]].concat());
            assert_eq!(ran.code, Some(if replaced { 0 } else { 7 }), "{to}: {ran}");
            let there = sandbox.path("repo/link");
            assert_eq!(there.is_symlink(), !replaced, "{to}");
            std::fs::remove_file(there).unwrap();
        }
    }
    assert_eq!(sandbox.read("repo/file"), "before");
}

#[test]
fn a_word_of_the_registry_that_is_not_known_is_told_wherever_releases_are_looked_for() {
    let (sandbox, _) = published();
    for (text, told) in [
        ("[versions]\nparameters = \"/x\"\n", "unknown key \"parameters\" in [versions]"),
        ("[version]\nparameter = \"/x\"\n", "unknown key \"version\""),
    ] {
        let projects = "[projects.app]\nartifacts = [\"app.zip\"]\n";
        sandbox.write("repo/artifacts.toml", format!("{text}{projects}"));
        for command in [&["stage", "app", "1.0.0", "out/app.zip"][..], &["latest", "app"], &["versions", "app"]] {
            let ran = sandbox.run(command);
            assert!(ran.code == Some(0) && ran.stderr.contains(told), "{ran}");
        }
    }
}

#[test]
fn a_record_that_somebody_wrote_by_hand_leads_nowhere_else() {
    let (sandbox, _) = published();
    sandbox.done(&["-q", "stage", "app", "1.0.0", "out/app.zip"]);
    let record = sandbox.path("repo/.git/metalogic/versions/app/1.0.0/record.json");
    std::fs::remove_file(&record).unwrap();
    for (key, value) in [("filename", "../../escaped"), ("name", "other"), ("version", "1.0.1"), ("sha256", "x")] {
        let mut text = serde_json::json!({"name": "app", "version": "1.0.0", "size": 3, "metadata": {}});
        text[key] = value.into();
        std::fs::write(&record, text.to_string()).unwrap();
        for verb in [
            ["download", "app", "1.0.0"].as_slice(),
            &["info", "app", "1.0.0"],
            &["stage", "app", "1.0.0", "out/app.zip"],
        ] {
            let refused = sandbox.run(verb);
            assert_eq!(refused.code, Some(8), "{key}: {refused}");
            assert!(refused.stderr.contains(key), "{refused}");
        }
    }
    assert!(!sandbox.path("escaped").exists() && !sandbox.path("repo/escaped").exists());
}

#[test]
fn many_processes_that_stage_at_once_end_with_the_right_latest() {
    let (sandbox, _) = published();
    let versions = ["1.0.0", "2.0.0", "1.0.5", "2.1.0-rc.1", "0.9.0", "1.10.0", "2.0.0", "1.0.0"];
    let start = |version: &&str| {
        let mut command = sandbox.command("repo", &["-q", "stage", "app", version, "out/app.zip"]);
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = versions.iter().map(start).collect();
    running.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
    assert_eq!(sandbox.done(&["-q", "latest", "app"]).trim(), "2.0.0");
    assert_eq!(sandbox.done(&["-q", "versions", "app"]).lines().count(), 6);
}

/// Returns the requests since the last time that name an object below `versions/` or `builds/`, without what is behind the question mark.
fn moved(team: &Team) -> Vec<String> {
    let plain = |line: &String| line.split('?').next().unwrap().to_owned();
    team.fake.requests().iter().map(plain).filter(|line| !line.ends_with(".conditions")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_s3_a_promotion_reads_no_bytes_and_sends_none() {
    let team = Team::new().await;
    let store = format!("s3://{BUCKET}");
    let run = |arguments: &[&str]| {
        let ran = team.run_as(team.command(arguments).env("METALOGIC_STORE", &store));
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.stdout
    };
    team.sandbox.write("out/app.zip", "the app");
    run(&["publish", "../out/app.zip"]);
    let commit = team.sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    team.fake.requests();
    run(&["stage", "app", "1.0.0", "--commit", "HEAD", "--artifact", "app.zip"]);
    let requests = moved(&team);
    let artifact = format!("/{BUCKET}/builds/{commit}/app.zip");
    let of_artifact: Vec<&String> = requests.iter().filter(|line| line.ends_with(&artifact)).collect();
    assert_eq!(of_artifact, [&format!("HEAD {artifact}")], "{requests:?}");
    let record = format!("/{BUCKET}/versions/app/1.0.0/record.json");
    assert!(requests.contains(&format!("PUT {record}")), "{requests:?}");
    assert_eq!(requests.iter().filter(|line| line.starts_with("PUT")).count(), 1, "{requests:?}");
    assert_eq!(run(&["-q", "download", "app", "--as", "-"]), "the app");
    // A version that is named takes its record and its bytes, and nothing else.
    team.sandbox.write("out/two.zip", "two");
    run(&["stage", "app", "2.0.0", "../out/two.zip"]);
    team.fake.requests();
    assert_eq!(run(&["-q", "download", "app", "2.0.0", "--as", "-"]), "two");
    let data = format!("/{BUCKET}/versions/app/2.0.0");
    assert_eq!(moved(&team), [format!("GET {data}/record.json"), format!("GET {data}/data")]);
}

#[test]
fn outside_a_repository_a_store_is_all_that_is_needed() {
    let (sandbox, _) = published();
    sandbox.done(&["-q", "stage", "app", "1.0.0", "out/app.zip"]);
    std::fs::create_dir(sandbox.path("elsewhere")).unwrap();
    let store = sandbox.path("repo/.git/metalogic");
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command("elsewhere", arguments);
        let output = command.env("METALOGIC_STORE", &store).output().unwrap();
        sandbox.ran(&arguments.join(" "), &output)
    };
    assert_eq!(run(&["latest", "app"]).stdout, "1.0.0\n");
    assert_eq!(run(&["download", "app", "--as", "-"]).stdout, "one");
    sandbox.write("elsewhere/x", "x");
    assert_eq!(run(&["stage", "app", "1.1.0", "x"]).code, Some(0));
    let nowhere = sandbox.run_in("elsewhere", &["latest", "app"]);
    assert_eq!(nowhere.code, Some(12), "{nowhere}");
    assert_eq!(sandbox.tree("elsewhere"), ["x"]);
}

/// As S3 answers whoever may not read.
const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_staged_where_it_is_not_known_where_releases_stand() {
    let team = Team::new().await;
    std::fs::remove_file(team.sandbox.path("repo/artifacts.toml")).unwrap();
    team.sandbox.commit("the names are registered in the store");
    team.sandbox.write("repo/one", "one");
    team.fake.plant("team builds/artifacts.toml", "[versions]\nparameter = \"/startifact\"\n");
    let refuse = || team.fake.fault(Fault { about: vec!["GET", "artifacts.toml"], times: 9, act: error(403, DENIED) });
    refuse();
    let staged = team.run(&["stage", "app", "1.0.0", "one"]);
    assert_eq!(staged.code, Some(9), "{staged}");
    for said in ["artifacts.toml", "STARTIFACT_PARAMETER", "METALOGIC_REGISTRY"] {
        assert!(staged.stderr.contains(said), "{staged}");
    }
    assert_eq!(team.fake.keys(), ["team builds/artifacts.toml"]);
    assert_eq!(team.run(&["setup", "--yes", "--key-prefix", "x/"]).code, Some(9));
    // Readers do no harm.
    team.fake.mend();
    refuse();
    let latest = team.run(&["latest", "app"]);
    assert!(latest.code == Some(3) && latest.stderr.contains("the store is taken"), "{latest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_wrong_elsewhere_still_points_to_where_releases_stand() {
    let team = Team::new().await;
    team.sandbox.write("repo/one", "one");
    team.sandbox.write("org/artifacts.toml", "[versions]\nparameter = \"/none/of/that/name\"\n");
    let pointer = "[repository]\nregistry = \"../org/artifacts.toml\"\n";
    for wrong in ["", "[store]\nsse = 1\n", "[projects.a]\nartifacts = [\"a\", \"a\"]\n"] {
        team.sandbox.write("repo/artifacts.toml", format!("{pointer}{wrong}"));
        let staged = team.run(&["stage", "app", "1.0.0", "one"]);
        assert!(staged.code != Some(0) && !staged.stderr.contains("staged app"), "{wrong:?}: {staged}");
        assert_eq!(team.fake.keys(), Vec::<String>::new(), "{wrong:?}: {staged}");
    }
}
