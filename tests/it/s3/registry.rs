//! The registry in a bucket: read from wherever it is named, pushed and added to by many.

use std::process::Stdio;

use serde_json::Value;

use crate::fake::{Act, BUCKET, Fault};

use super::program::Team;
use super::{INTERNAL, error};

const NAMES: &str = "[projects.app]\nartifacts = [\"app.zip\", \"shared.zip\"]\n";
const KEY: &str = "some/where/names.toml";

fn url() -> String {
    format!("s3://{BUCKET}/{KEY}")
}

/// A team whose names lie in a bucket that is not where its store is.
async fn team() -> Team {
    let team = Team::new().await;
    team.fake.plant(KEY, NAMES);
    team
}

fn gets(team: &Team) -> usize {
    team.fake.requests().iter().filter(|line| line.starts_with("GET") && line.contains(KEY)).count()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_a_bucket_is_read_from_every_place_that_names_it_with_one_request() {
    let team = team().await;
    team.sandbox.write("out/shared.zip", "shared");
    let named = |team: &Team| {
        let listed = team.done(&["registry", "list"]);
        assert!(listed.contains("shared.zip"), "{listed}");
        assert_eq!(gets(team), 1);
    };
    let listed = team.done(&["--registry", &url(), "registry", "list", "--json"]);
    assert_eq!((gets(&team), json(&listed)["registry"].as_str()), (1, Some(url().as_str())));

    let mut command = team.command(&["publish", "../out/shared.zip", "--json"]);
    let ran = team.run_as(command.env("METALOGIC_REGISTRY", url()));
    assert_eq!((ran.code, gets(&team)), (Some(0), 1), "{ran}");

    team.sandbox.git("repo", &["config", "metalogic.registry", &url()]);
    named(&team);
    team.sandbox.git("repo", &["config", "--unset", "metalogic.registry"]);
    team.sandbox.write("repo/artifacts.toml", format!("[repository]\nregistry = \"{}\"\n", url()));
    named(&team);
    // Without a file of its own and without a setting the repository has the store's.
    std::fs::remove_file(team.sandbox.path("repo/artifacts.toml")).unwrap();
    team.sandbox.commit("no registry");
    team.fake.plant("team builds/artifacts.toml", NAMES);
    assert!(team.done(&["registry", "list"]).contains("shared.zip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_a_bucket_may_say_where_the_store_is() {
    let team = team().await;
    let run = |registry: &str| {
        team.fake.plant(KEY, registry.to_owned());
        let mut command = team.command(&["--registry", &url(), "resolve", "--json"]);
        team.run_as(command.env_remove("METALOGIC_STORE"))
    };
    let ran = run(&format!("{NAMES}[store]\nurl = \"s3://{BUCKET}/from/there\"\n"));
    assert_eq!((ran.code, gets(&team)), (Some(0), 1), "{ran}");
    assert_eq!(json(&ran.stdout)["store"], format!("s3://{BUCKET}/from/there"));
    let ran = run(&format!("{NAMES}[store]\nurl = \"../builds\"\n"));
    assert_eq!(ran.code, Some(12), "{ran}");
    assert!(
        ran.stderr.contains("[store] url in s3://") && ran.stderr.contains("write a URL or an absolute path"),
        "{ran}"
    );
    // The repository's own file outdoes it.
    team.sandbox.write("repo/artifacts.toml", format!("[store]\nurl = \"s3://{BUCKET}/own\"\n"));
    let ran = run(&format!("{NAMES}[store]\nurl = \"s3://{BUCKET}/from/there\"\n"));
    assert_eq!(json(&ran.stdout)["store"], format!("s3://{BUCKET}/own"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_a_bucket_that_cannot_be_had_is_told_with_what_mends_it() {
    const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let team = team().await;
    let told = |registry: &str, code: i32, words: &[&str]| {
        for verb in [&["registry", "list"][..], &["resolve"], &["registry", "add", "new.zip"]] {
            let ran = team.run(&[&["--timeout", "2s", "--registry", registry], verb].concat());
            assert_eq!(ran.code, Some(code), "{ran}");
            for word in words {
                assert!(ran.stderr.contains(word), "{word}: {ran}");
            }
        }
    };
    told(&format!("s3://{BUCKET}/nowhere.toml"), 12, &["nowhere.toml"]);
    for no_file in [format!("s3://{BUCKET}"), format!("s3://{BUCKET}/"), format!("s3://{BUCKET}/some/where/")] {
        told(&no_file, 12, &["--registry is", "no file is named", "s3://BUCKET/artifacts.toml"]);
    }
    team.fake.plant(KEY, "[projects.app]\nartifacts = 1\n");
    told(&url(), 12, &["names.toml:2:13: an array of artifacts belongs here"]);
    team.fake.plant(KEY, "[repository]\nregistry = \"s3://dev/artifacts.toml\"\n");
    told(&url(), 12, &["names.toml", "point"]);
    for (act, code) in [(error(403, DENIED), 9), (error(500, INTERNAL), 10)] {
        team.fake.fault(Fault { about: vec!["GET", "names.toml"], times: 99, act });
        told(&url(), code, &["names.toml"]);
        team.fake.mend();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_pushed_to_a_bucket_and_its_tag_is_what_the_next_push_expects() {
    let team = Team::new().await;
    let pushed = json(&team.done(&["registry", "push", "--json"]));
    let at = format!("s3://{BUCKET}/team builds/artifacts.toml");
    assert_eq!((pushed["registry"].as_str(), pushed["written"].as_bool()), (Some(at.as_str()), Some(true)));
    let ours = team.sandbox.read("repo/artifacts.toml");
    assert_eq!(team.fake.object("team builds/artifacts.toml").unwrap().bytes, ours.as_bytes());

    // Another repository has no file of its own; whoever expects an older version is told the tag of the newer.
    let check = |_: ()| {
        json(&team.done(&["--registry", &at, "registry", "check", "--json"]))["tag"].as_str().unwrap().to_owned()
    };
    let tag = check(());
    assert_eq!(pushed["tag"], tag);
    team.sandbox.write("less.toml", "[projects.app]\nartifacts = [\"app.zip\"]\n");
    let ran = team.run(&["registry", "push", "../less.toml"]);
    assert_eq!(ran.code, Some(7), "{ran}");
    assert!(
        ran.stderr.contains("docs.tar.gz of project app would be gone") && ran.stderr.contains("retired = [...]"),
        "{ran}"
    );
    team.done(&["--registry", &at, "registry", "add", "new.zip"]);
    let ran = team.run(&["registry", "push", "../less.toml", "--expect", &tag]);
    assert_eq!(ran.code, Some(7), "{ran}");
    assert!(ran.stderr.contains(&check(())), "{ran}");
    team.done(&["registry", "push", "../less.toml", "--expect", &check(())]);
    assert_eq!(
        team.fake.object("team builds/artifacts.toml").unwrap().bytes,
        team.sandbox.read("less.toml").as_bytes()
    );
    assert_eq!(json(&team.done(&["registry", "check", "--json"]))["tag"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_points_into_a_bucket_has_its_names_added_there_by_many_at_once() {
    let team = team().await;
    let own = format!("[repository]\nprojects = [\"app\"]\nregistry = \"{}\"\n", url());
    team.sandbox.write("repo/artifacts.toml", &own);
    team.fake.plant(KEY, format!("# Everybody's.\n{NAMES}[projects.other]\n"));
    let spawn = |n: usize| {
        let name = format!("n{n}.zip");
        let mut command = team.command(&["registry", "add", &name]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in (0..8).map(spawn).collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), url());
    }
    let listed = team.done(&["registry", "list"]);
    assert_eq!(listed.lines().filter(|line| line.starts_with('n')).count(), 8, "{listed}");
    let stands = String::from_utf8(team.fake.object(KEY).unwrap().bytes.to_vec()).unwrap();
    assert!(
        stands.starts_with("# Everybody's.\n[projects.app]\nartifacts = [\"app.zip\", \"shared.zip\", "),
        "{stands}"
    );
    assert_eq!(team.sandbox.read("repo/artifacts.toml"), own);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_push_lose_nothing_and_are_no_success_of_their_own() {
    let team = Team::new().await;
    let push = || team.run(&["--timeout", "2s", "registry", "push"]);
    for (act, code) in [(error(500, INTERNAL), 10), (Act::Break, 10), (error(403, ""), 9)] {
        team.fake.fault(Fault { about: vec!["PUT", "artifacts.toml"], times: 99, act });
        let ran = push();
        assert_eq!(ran.code, Some(code), "{ran}");
        assert!(ran.stderr.contains("artifacts.toml could not be shared"), "{ran}");
        assert_eq!(team.fake.keys().len(), 0);
        team.fake.mend();
    }
    // An answer that was lost is asked for again, and what then stands there is what was sent.
    team.fake.fault(Fault { about: vec!["PUT", "artifacts.toml"], times: 1, act: Act::LoseAnswer });
    let ran = push();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(team.fake.keys(), ["team builds/artifacts.toml"]);
}
