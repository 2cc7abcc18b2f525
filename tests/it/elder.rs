//! Metafiles that earlier versions of this program wrote, or other tools with nothing but the article's three keys: every command reads them.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::answers::shop;
use crate::sandbox::{Ran, Sandbox};

/// What a metafile of some time has, at its top and of each artifact.
type Era = (&'static str, &'static [&'static str], &'static [&'static str]);

const ERAS: [Era; 4] = [
    ("the article", &["commit", "parent_commit", "artifacts"], &[]),
    ("the first version", &["commit", "parent_commit", "artifacts", "details"], &["size", "sha256"]),
    ("with trees", &["commit", "parent_commit", "artifacts", "details", "tree"], &["size", "sha256", "mode"]),
    (
        "with links to farther ancestors",
        &["commit", "parent_commit", "artifacts", "details", "tree", "ancestors"],
        &["size", "sha256", "mode"],
    ),
];

/// What only a newer metafile, or a sharper look, can tell.
const NEWER: [&str; 9] = ["state", "why", "size", "sha256", "at", "run", "attempt", "verified", "metafile"];

fn metafiles(sandbox: &Sandbox) -> Vec<PathBuf> {
    let builds = "repo/.git/metalogic/builds";
    let names = sandbox.tree(builds).into_iter().filter(|name| name.ends_with("/build_meta.json"));
    names.map(|name| sandbox.path(builds).join(name)).collect()
}

/// Rewrites each metafile of the store.
fn rewrite(sandbox: &Sandbox, rewritten: impl Fn(Map<String, Value>) -> Map<String, Value>) {
    for path in metafiles(sandbox) {
        let Value::Object(metafile) = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap() else {
            panic!("{} is no object", path.display())
        };
        std::fs::write(&path, serde_json::to_string_pretty(&rewritten(metafile)).unwrap() + "\n").unwrap();
    }
}

fn only(object: Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    object.into_iter().filter(|(key, _)| keys.contains(&key.as_str())).collect()
}

fn of_era(metafile: Map<String, Value>, (_, top, detail): Era) -> Map<String, Value> {
    let mut metafile = only(metafile, top);
    for record in metafile.get_mut("details").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        *record = Value::Object(only(record.as_object().unwrap().clone(), detail));
    }
    metafile
}

/// Takes out of an answer what older metafiles cannot tell, so that where everything is remains.
fn where_it_is(answer: Value) -> Value {
    match answer {
        Value::Object(fields) => {
            let known = fields.into_iter().filter(|(key, _)| !NEWER.contains(&key.as_str()));
            Value::Object(known.map(|(key, value)| (key, where_it_is(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(where_it_is).collect()),
        other => other,
    }
}

/// Asks everything that is asked of metafiles, in the repository and with nothing but the store; returns each answer.
fn answers(sandbox: &Sandbox) -> Vec<(String, Value)> {
    let id = |revision: &str| sandbox.git("repo", &["rev-parse", revision]).trim().to_owned();
    let (tip, second, first) = (id("HEAD"), id("HEAD~8"), id("HEAD~9"));
    let commands: [&[&str]; 13] = [
        &["show", &tip],
        &["status", &tip],
        &["why", "web.zip", "--commit", &tip],
        &["log", &tip],
        &["diff", &first, &tip],
        &["report", &tip, "--as", "page.html"],
        &["lock", &tip, "--policy", "nearest", "--artifact", "web.zip"],
        &["fetch", "web.zip", "docs.tgz", "--commit", &tip, "--policy", "nearest", "-o", "got"],
        &["url", "web.zip", "--commit", &tip],
        &["wait", "web.zip", "--commit", &tip, "--policy", "nearest", "--for", "0s"],
        &["wait", "web.zip", "--commit", &second, "--for", "0s"],
        &["bisect", "web.zip", "--good", &first, "--bad", &second, "--", "true"],
        &["resolve", "--dry-run", "--policy", "nearest", &tip],
    ];
    let places = [("repo", &[][..], &commands[..]), (".", &["--store", "repo/.git/metalogic"][..], &commands[..12])];
    let mut answers = Vec::new();
    for (place, store, commands) in places {
        for command in commands {
            let ran = sandbox.run_in(place, &[&["--json"], store, command].concat());
            answers.push((format!("{} in {place}", command.join(" ")), answered(&ran)));
            drop(std::fs::remove_dir_all(sandbox.path(place).join("got")));
        }
    }
    answers
}

fn answered(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{ran}");
    where_it_is(serde_json::from_str(&ran.stdout).unwrap())
}

/// Makes a history of which each commit has a metafile: older ones name no ancestors but the parent.
fn resolved_shop() -> Sandbox {
    let sandbox = shop();
    sandbox.done(&["stub", "HEAD~7", "HEAD~1"]);
    sandbox.done(&["resolve", "--policy", "nearest"]);
    sandbox
}

#[test]
fn what_earlier_versions_wrote_says_where_everything_is_in_every_command() {
    let sandbox = resolved_shop();
    let expected = answers(&sandbox);
    for era in ERAS.into_iter().rev() {
        rewrite(&sandbox, |metafile| of_era(metafile, era));
        for (told, expected) in answers(&sandbox).into_iter().zip(&expected) {
            assert_eq!(&told, expected, "metafiles of {}", era.0);
        }
    }
}

#[test]
fn what_earlier_versions_wrote_proves_nothing_and_nothing_is_made_up() {
    let sandbox = resolved_shop();
    rewrite(&sandbox, |metafile| of_era(metafile, ERAS[0]));
    let status: Value = serde_json::from_str(&sandbox.done(&["--json", "status"])).unwrap();
    let states: Vec<_> =
        status["artifacts"].as_array().unwrap().iter().map(|one| [&one["name"], &one["state"]]).collect();
    let expected = [
        ["api.zip", "assumed"],
        ["cli.bin", "assumed"],
        ["docs.tgz", "assumed"],
        ["gen.bin", "missing"],
        ["web.zip", "assumed"],
    ];
    assert_eq!(json!(states), json!(expected));
    assert_eq!(
        sandbox.done(&["--quiet", "plan"]),
        "api.zip\ngen.bin\n",
        "what is assumed is built again where proof is asked for"
    );
    assert_eq!(sandbox.run(&["fetch", "web.zip", "--policy", "fresh", "-o", "../got"]).code, Some(3));
    // A lock names the bytes: where nobody recorded them, they are read.
    let lock: Value = serde_json::from_str(&sandbox.done(&["--quiet", "lock", "--artifact", "docs.tgz"])).unwrap();
    let digest = metalogic::artifact::Digest::of(b"first").to_string();
    assert_eq!(lock["artifacts"]["docs.tgz"]["sha256"], json!(digest), "{lock}");
}

#[test]
fn a_build_goes_on_from_what_earlier_versions_wrote() {
    for era in ERAS {
        let sandbox = resolved_shop();
        rewrite(&sandbox, |metafile| of_era(metafile, era));
        let tip = sandbox.git("repo", &["rev-parse", "HEAD"]);
        let path = sandbox.path(&format!("repo/.git/metalogic/builds/{}/build_meta.json", tip.trim()));
        let read = || serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()).unwrap();
        let before = read();
        sandbox.done(&["begin", "gen.bin"]);
        sandbox.done(&["fail", "gen.bin", "--reason", "no compiler"]);
        let mut after = read();
        let attempts = after.as_object_mut().unwrap().remove("attempts").unwrap();
        assert_eq!((&after, &attempts["gen.bin"]["state"]), (&before, &json!("failed")), "metafiles of {}", era.0);
        sandbox.write("out/gen.bin", "made");
        sandbox.done(&["publish", "../out/gen.bin"]);
        let built = sandbox.done(&["--quiet", "wait", "gen.bin", "--for", "0s"]);
        assert!(built.trim_end().ends_with("/gen.bin"), "{built}");
        assert_eq!(read().get("attempts"), None, "what stands there was not attempted");
    }
}

#[test]
fn keys_of_ours_that_say_something_else_are_kept_and_say_nothing() {
    let sandbox = resolved_shop();
    let expected = answers(&sandbox);
    let foreign = |mut metafile: Map<String, Value>| {
        metafile.insert("attempts".to_owned(), json!(["web.zip"]));
        for record in metafile.get_mut("details").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
            let record = record.as_object_mut().unwrap();
            record.insert("inputs".to_owned(), json!({ "web/": 1 }));
            record.insert("run".to_owned(), json!(7));
            record.insert("at".to_owned(), json!("yesterday"));
        }
        metafile
    };
    rewrite(&sandbox, foreign);
    for (told, expected) in answers(&sandbox).into_iter().zip(&expected) {
        assert_eq!(&told, expected);
    }
    let tip = sandbox.git("repo", &["rev-parse", "HEAD"]);
    let path = sandbox.path(&format!("repo/.git/metalogic/builds/{}/build_meta.json", tip.trim()));
    sandbox.done(&["resolve", "--policy", "nearest"]);
    let metafile: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(metafile["attempts"], json!(["web.zip"]));
    assert_eq!(metafile["details"]["docs.tgz"]["at"], json!("yesterday"));
}
