//! What stands in a store, what is recorded of it, and what is said where the two are not the same.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

const REGISTRY: &str = r#"[projects.p]
artifacts = [{ name = "a.bin", inputs = ["a"] }, "b.bin", { name = "old.bin", inputs = ["a"] }]
"#;

/// A repository whose first commit has `a.bin` and `b.bin`, and whose second has nothing.
fn begun() -> (Sandbox, String, String) {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    sandbox.write("repo/artifacts.toml", REGISTRY);
    sandbox.write("repo/a", "1");
    let first = sandbox.commit("first");
    for name in ["a.bin", "b.bin"] {
        sandbox.write(&format!("out/{name}"), format!("first {name}"));
        sandbox.done(&["publish", &format!("../out/{name}")]);
    }
    let second = sandbox.commit("second");
    (sandbox, first, second)
}

fn stored(commit: &str, name: &str) -> String {
    format!("repo/.git/metalogic/builds/{commit}/{name}")
}

fn metafile(sandbox: &Sandbox, commit: &str) -> Value {
    serde_json::from_str(&sandbox.read(&stored(commit, "build_meta.json"))).unwrap()
}

fn states(ran: &Ran) -> Vec<(String, String)> {
    let object: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    object["artifacts"].as_array().unwrap().iter().map(|one| (word(&one["name"]), word(&one["state"]))).collect()
}

fn state_of(sandbox: &Sandbox, name: &str, commit: &str) -> String {
    let states = states(&sandbox.run(&["--json", "status", commit]));
    states.into_iter().find(|(one, _)| one == name).unwrap().1
}

#[test]
fn what_was_removed_is_missing_whatever_the_metafile_says() {
    let (sandbox, first, second) = begun();
    sandbox.done(&["resolve"]);
    assert_eq!(state_of(&sandbox, "a.bin", &second), "proven");
    fs::remove_file(sandbox.path(&stored(&first, "a.bin"))).unwrap();
    for commit in [&first, &second] {
        assert_eq!(state_of(&sandbox, "a.bin", commit), "missing");
        let plan = sandbox.run(&["plan", commit]);
        assert_eq!(plan.stdout, "a.bin\nold.bin\n", "{plan}");
        assert!(plan.stderr.contains("somebody removed it"), "{plan}");
        let why = sandbox.run(&["why", "a.bin", "--commit", commit]);
        assert!(why.stdout.contains("is missing") && why.stdout.contains("found nowhere"), "{why}");
    }
    for policy in ["exact", "nearest"] {
        let wait = sandbox.run(&["wait", "a.bin", "--commit", &first, "--for", "0s", "--policy", policy]);
        assert_eq!(wait.code, Some(4), "{wait}");
    }
    // No gate lets pass what nobody can fetch.
    for arguments in [
        &["resolve", "--policy", "exact", &first][..],
        &["resolve", "--policy", "fresh"],
        &["fetch", "a.bin", "--policy", "fresh", "--dry-run", "--fresh"],
        &["lock", "--policy", "fresh", "--artifact", "a.bin", "--fresh"],
    ] {
        let ran = sandbox.run(arguments);
        assert!(ran.code == Some(3) && ran.stderr.contains("a.bin"), "{ran}");
    }
    // And no deployment of everything goes without, whether the metafile is stored or not.
    for arguments in [&["fetch", "-o", "../got"][..], &["fetch", "-o", "../got", "--fresh"], &["lock", "--fresh"]] {
        let ran = sandbox.run(arguments);
        assert!(ran.code == Some(3) && ran.stderr.contains("a.bin is not at the address of"), "{ran}");
    }
    let ran = sandbox.run(&["--json", "publish", "../out/b.bin", "--require-complete", "--commit", &first]);
    assert_eq!(ran.code, Some(3), "{ran}");
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap()["missing"], json!(["a.bin", "old.bin"]), "{ran}");
    // What is left to do is what the warning says.
    sandbox.done(&["resolve", "--rebuild", &first]);
    assert_eq!(metafile(&sandbox, &first)["artifacts"].get("a.bin"), None);
}

#[test]
fn what_somebody_put_in_the_place_of_other_bytes_is_proven_by_nothing() {
    let (sandbox, first, second) = begun();
    sandbox.write(&stored(&first, "a.bin"), "an intruder's");
    sandbox.done(&["resolve", &first]);
    assert_eq!(metafile(&sandbox, &first)["details"]["a.bin"], json!({"size": 13}));
    assert_eq!(state_of(&sandbox, "a.bin", &second), "assumed");
    let lock = sandbox.run(&["lock", "--policy", "fresh", "--artifact", "a.bin"]);
    assert_eq!(lock.code, Some(3), "{lock}");
    let lock = sandbox.run(&["lock", "--artifact", "a.bin", "--quiet"]);
    assert!(lock.code == Some(0) && lock.stderr.contains("no recorded digest"), "{lock}");
}

#[test]
fn inputs_that_are_recorded_after_a_descendant_was_resolved_count_there_too() {
    let (sandbox, first, second) = begun();
    // Somebody else put it, so that the descendant finds nothing recorded.
    sandbox.write(&stored(&first, "old.bin"), "old");
    sandbox.done(&["resolve"]);
    assert_eq!(state_of(&sandbox, "old.bin", &second), "assumed");
    sandbox.done(&["resolve", &first]);
    assert_eq!(state_of(&sandbox, "old.bin", &second), "proven");
    sandbox.write("repo/a", "2");
    let third = sandbox.commit("third");
    assert_eq!(state_of(&sandbox, "old.bin", &third), "stale");
}

#[test]
fn inputs_that_match_no_file_prove_nothing() {
    let (sandbox, ..) = begun();
    // What a slip of the pen declares, and what was moved away before it was built.
    let registry = |inputs: &str| {
        format!("[projects.p]\nartifacts = [{{ name = \"a.bin\", inputs = [\"{inputs}\"], policy = \"fresh\" }}]\n")
    };
    sandbox.write("repo/artifacts.toml", registry("aa"));
    let slip = sandbox.commit("a slip");
    let check = sandbox.run(&["registry", "check"]);
    assert!(check.code == Some(0) && check.stderr.contains("of the inputs of a.bin, \"aa\" match nothing"), "{check}");
    let check: Value = serde_json::from_str(&sandbox.done(&["registry", "check", "--json"])).unwrap();
    assert_eq!(check["idle"], json!([{"name": "a.bin", "inputs": ["aa"]}]));
    assert_eq!(state_of(&sandbox, "a.bin", &slip), "stale", "it was built from other inputs");
    sandbox.write("out/a.bin", "second");
    let ran = sandbox.run(&["publish", "../out/a.bin"]);
    assert!(ran.stderr.contains("match nothing"), "{ran}");
    sandbox.write("repo/a", "3");
    let changed = sandbox.commit("changed");
    assert_eq!(state_of(&sandbox, "a.bin", &changed), "assumed");
    let why = sandbox.run(&["why", "a.bin"]);
    assert!(why.stdout.contains("its declared inputs match no file"), "{why}");
    assert_eq!(sandbox.run(&["plan"]).stdout, "a.bin\n");
    let fetched = sandbox.run(&["fetch", "-o", "../got"]);
    assert!(fetched.code == Some(3) && fetched.stderr.contains("match no file"), "{fetched}");
    // Who mends it knows that it changed.
    sandbox.write("repo/artifacts.toml", registry("a"));
    let mended = sandbox.commit("mended");
    assert_eq!(state_of(&sandbox, "a.bin", &mended), "stale");
}

#[test]
fn what_was_built_nearer_since_is_taken_rather_than_what_is_stale() {
    let (sandbox, ..) = begun();
    sandbox.write("repo/a", "2");
    let late = sandbox.commit("to be built late");
    let tip = sandbox.commit("tip");
    sandbox.done(&["resolve"]);
    sandbox.write("out/a.bin", "late");
    sandbox.done(&["publish", "../out/a.bin", "--commit", &late]);
    assert_eq!(metafile(&sandbox, &tip)["artifacts"]["a.bin"].as_str().map(|at| at == late), Some(false));
    let fetched = sandbox.run(&["fetch", "a.bin", "--as", "-", "--quiet"]);
    assert_eq!((fetched.stdout.as_str(), fetched.stderr.as_str()), ("late", ""), "{fetched}");
    let lock: Value = serde_json::from_str(&sandbox.done(&["lock", "--artifact", "a.bin", "--quiet"])).unwrap();
    assert_eq!(lock["artifacts"]["a.bin"]["state"], "proven", "{lock}");
}

#[test]
fn a_url_says_in_json_too_how_the_artifact_stands() {
    let (sandbox, first, second) = begun();
    sandbox.write("repo/a", "2");
    let third = sandbox.commit("third");
    for (commit, state) in [(&first, "built"), (&second, "proven"), (&third, "stale")] {
        let url: Value = serde_json::from_str(&sandbox.done(&["--json", "url", "a.bin", "--commit", commit])).unwrap();
        assert_eq!((&url["state"], &url["policy"], &url["address"]), (&json!(state), &json!("nearest"), &json!(first)));
    }
    // Where nobody knows what is declared, nobody says that nothing is.
    sandbox.done(&["resolve", &second]);
    let (store, nowhere) = (sandbox.path("repo/.git/metalogic"), sandbox.path(""));
    let arguments = ["--store", store.to_str().unwrap(), "why", "a.bin", "--commit", &second];
    let why = sandbox.ran(
        "why",
        &sandbox.plain_command(env!("CARGO_BIN_EXE_metalogic")).args(arguments).current_dir(nowhere).output().unwrap(),
    );
    assert!(why.stdout.contains("assumed: inherited, and there is no registry here"), "{why}");
}

#[test]
fn what_is_said_to_begin_hides_nothing_that_stands() {
    for spoiled in [Some("no metafile"), None] {
        let (sandbox, first, _) = begun();
        let path = sandbox.path(&stored(&first, "build_meta.json"));
        match spoiled {
            Some(text) => fs::write(path, text).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        sandbox.done(&["begin", "old.bin", "--commit", &first]);
        let metafile = metafile(&sandbox, &first);
        assert_eq!(metafile["artifacts"], json!({"a.bin": first, "b.bin": first}), "{metafile}");
        assert_eq!(metafile["attempts"]["old.bin"]["state"], "pending");
    }
}

#[test]
fn in_a_shallow_clone_whoever_says_that_it_begins_is_told_where_history_ends_and_hides_nothing_from_others() {
    let (sandbox, first, second) = begun();
    for number in 0..3 {
        sandbox.commit(&format!("nothing {number}"));
    }
    let origin = format!("file://{}", sandbox.path("repo").display());
    sandbox.git(".", &["clone", "--quiet", "--depth=1", &origin, "shallow"]);
    let begin = sandbox.run_in("shallow", &["--store", "../repo/.git/metalogic", "begin", "old.bin"]);
    assert!(begin.code == Some(0) && begin.stderr.contains("warning: history ends at"), "{begin}");
    for command in [&["status"][..], &["plan"], &["why", "a.bin"]] {
        let json = [&["--json", "--store", "../repo/.git/metalogic"], command].concat();
        let ends = |ran: &Ran| serde_json::from_str::<Value>(&ran.stdout).unwrap()["ends"].clone();
        let ended = ends(&sandbox.run_in("shallow", &json));
        assert!(ended.as_str().is_some_and(|ends| ends.starts_with("history ends at")), "{command:?}: {ended}");
        assert_eq!(ends(&sandbox.run(&json)), Value::Null);
    }
    let lock: Value = serde_json::from_str(&sandbox.done(&["lock", "--quiet"])).unwrap();
    assert_eq!(lock["artifacts"]["a.bin"]["commit"], json!(first), "{lock}");
    assert_eq!(sandbox.run(&["fetch", "b.bin", "-o", "../got"]).code, Some(0));
    assert_ne!(first, second);
}

#[test]
fn a_plan_has_what_the_registrys_own_policy_refuses() {
    let (sandbox, _, _) = begun();
    let policies = r#"[projects.p]
artifacts = [{ name = "a.bin", inputs = ["a"], policy = "exact" }, { name = "b.bin", policy = "fresh" }]
retired = ["old.bin"]
"#;
    sandbox.write("repo/artifacts.toml", policies);
    sandbox.commit("policies");
    assert_eq!(state_of(&sandbox, "a.bin", "HEAD"), "proven");
    assert_eq!(sandbox.done(&["--quiet", "plan"]), "a.bin\nb.bin\n");
    assert_eq!(sandbox.run(&["fetch", "-o", "../got"]).code, Some(3));
    for name in ["a.bin", "b.bin"] {
        sandbox.done(&["publish", &format!("../out/{name}")]);
    }
    assert_eq!(sandbox.done(&["--quiet", "plan"]), "");
    assert_eq!(sandbox.run(&["fetch", "-o", "../got"]).code, Some(0));
}

#[test]
fn what_is_retired_is_asked_nothing() {
    let (sandbox, first, _) = begun();
    sandbox.write(&stored(&first, "old.bin"), "old");
    sandbox.done(&["resolve", &first]);
    sandbox.done(&["publish", "../out/a.bin", "../out/b.bin"]);
    sandbox.write(
        "repo/artifacts.toml",
        REGISTRY.replace(", { name = \"old.bin\", inputs = [\"a\"] }]", "]\nretired = [\"old.bin\"]"),
    );
    let ran = sandbox.run(&["fetch", "--policy", "exact", "-o", "../got"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(sandbox.read("got/old.bin"), "old");
}

#[test]
fn what_a_newer_version_says_of_an_attempt_is_kept_and_drives_no_terminal() {
    let (sandbox, _, second) = begun();
    sandbox.done(&["begin", "a.bin", "old.bin"]);
    let mut newer = metafile(&sandbox, &second);
    newer["attempts"]["b.bin"] = json!({"state": "\u{1b}]0;owned\u{7}\u{1b}[2J"});
    newer["attempts"]["c.bin"] = json!(["of another shape"]);
    sandbox.write(&stored(&second, "build_meta.json"), newer.to_string());
    let why = sandbox.run(&["why", "b.bin"]);
    assert!(why.code == Some(0) && !why.stdout.contains(['\u{1b}', '\u{7}']) && why.stdout.contains("owned"), "{why}");
    assert_eq!(state_of(&sandbox, "a.bin", &second), "pending", "what is beside it counts");
    sandbox.done(&["fail", "a.bin"]);
    let kept = metafile(&sandbox, &second);
    assert_eq!(kept["attempts"]["c.bin"], json!(["of another shape"]), "{kept}");
    assert_eq!(
        (&kept["attempts"]["a.bin"]["state"], &kept["attempts"]["old.bin"]["state"]),
        (&json!("failed"), &json!("pending"))
    );
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_said_to_be_written_was_written_last() {
    let (sandbox, _, _) = begun();
    sandbox.write("deploy.lock", "another lock");
    let path = sandbox.path("deploy.lock");
    let held = File::open(&path).unwrap();
    held.lock().unwrap();
    let lock = sandbox.command("repo", &["lock", "--as", "../deploy.lock"]).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    // Whoever held the kernel's lock has put another file there.
    sandbox.write("newer.lock", "a newer lock");
    fs::rename(sandbox.path("newer.lock"), &path).unwrap();
    drop(held);
    assert!(lock.wait_with_output().unwrap().status.success());
    assert!(sandbox.read("deploy.lock").contains("\"a.bin\""), "{}", sandbox.read("deploy.lock"));
    let ran = sandbox.run(&["lock", "--as", "../no/such/place"]);
    assert!(ran.code == Some(3) && ran.stderr.contains("../no/such/place cannot be written"), "{ran}");
}

#[cfg(unix)]
#[test]
fn what_a_lock_says_is_executable_is_executable_when_it_was_fetched() {
    use std::os::unix::fs::PermissionsExt as _;

    let (sandbox, first, _) = begun();
    sandbox.write("out/old.bin", "a program");
    fs::set_permissions(sandbox.path("out/old.bin"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.done(&["publish", "../out/old.bin", "--commit", &first]);
    sandbox.done(&["lock", "--as", "../deploy.lock"]);
    sandbox.write("got/old.bin", "a program");
    let fetched = sandbox.done(&["fetch", "--locked", "../deploy.lock", "-o", "../got", "--json"]);
    assert_eq!(fs::metadata(sandbox.path("got/old.bin")).unwrap().permissions().mode() & 0o111, 0o111);
    let fetched: Value = serde_json::from_str(&fetched).unwrap();
    let old = fetched["artifacts"].as_array().unwrap().iter().find(|one| one["name"] == "old.bin").unwrap();
    assert_eq!((&old["state"], &old["policy"]), (&json!("proven"), &json!("nearest")));
    fs::remove_file(sandbox.path(&stored(&first, "old.bin"))).unwrap();
    let gone = sandbox.run(&["fetch", "old.bin", "--locked", "../deploy.lock", "-o", "../new"]);
    assert!(gone.code == Some(3) && gone.stderr.contains("where the lock says it is"), "{gone}");
}

#[test]
fn of_many_that_begin_fail_and_publish_at_once_nothing_is_lost() {
    for round in 0..3 {
        let sandbox = Sandbox::new();
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
        let names: Vec<String> = (0..9).map(|number| format!("{number}.bin")).collect();
        sandbox.write("repo/artifacts.toml", format!("[projects.p]\nartifacts = {names:?}\n"));
        let commit = sandbox.commit("first");
        names.iter().for_each(|name| sandbox.write(&format!("out/{name}"), name));
        let run = |(at, name): (usize, &String)| {
            let file = format!("../out/{name}");
            let words = [["publish", &file], ["begin", name], ["fail", name]];
            sandbox.command("repo", &words[at % 3]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = names.iter().enumerate().map(run).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let metafile = metafile(&sandbox, &commit);
        for (at, name) in names.iter().enumerate() {
            let told = (metafile["artifacts"][name].as_str(), metafile["attempts"][name]["state"].as_str());
            let expected = [(Some(&*commit), None), (None, Some("pending")), (None, Some("failed"))];
            assert_eq!(told, expected[at % 3], "round {round}, {name}: {metafile}");
        }
    }
}

#[test]
fn what_first_parents_lead_to_was_brought_by_no_merge_however_short_the_walk_was() {
    let (sandbox, ..) = begun();
    sandbox.git("repo", &["checkout", "--quiet", "-b", "side"]);
    let side = sandbox.commit("on the side");
    sandbox.git("repo", &["checkout", "--quiet", "main"]);
    for change in ["third", "fourth"] {
        sandbox.commit(change);
    }
    sandbox.git("repo", &["merge", "--quiet", "--no-ff", "-m", "merged", "side"]);
    for most in ["1", "2", "200"] {
        let told = sandbox.done(&["--json", "--max-ancestors", most, "why", "b.bin"]);
        let why: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(why["merged"], json!({"looked_at": 1, "stopped": false, "stands": []}), "{most}: {told}");
    }
    sandbox.write("out/b.bin", "another");
    sandbox.done(&["publish", "../out/b.bin", "--commit", &side]);
    let told = sandbox.done(&["--json", "--max-ancestors", "1", "why", "b.bin"]);
    let why: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(why["merged"]["stands"], json!([side]), "{told}");
}
