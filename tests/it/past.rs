//! The registry as it was: `log` and `report` judge each commit by its own, as `status` does.

use serde_json::Value;

use crate::sandbox::Sandbox;

fn registry(entries: &str) -> String {
    format!("[projects.p]\nartifacts = [{entries}]\n")
}

/// A history in which the registry changes in all ways, the newest commit last. Each commit has a metafile.
fn history() -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    for path in ["web/a", "libs/a"] {
        sandbox.write(&format!("repo/{path}"), "1");
    }
    let web = r#"{ name = "web.zip", inputs = ["web/"] }"#;
    let wider = r#"{ name = "web.zip", inputs = ["web/", "libs/"] }"#;
    let renamed = r#"{ name = "web.zip", retired = true }, { name = "site.zip", inputs = ["web/"] }, "tool""#;
    let pointer = "[repository]\nregistry = \"conf/all.toml\"\n";
    let mut commits = Vec::new();
    let mut commit = |change: &str, built: &[&str]| {
        commits.push(sandbox.commit(change));
        for name in built {
            sandbox.write(&format!("out/{name}"), format!("{name} of {change}"));
            sandbox.done(&["publish", &format!("../out/{name}")]);
        }
        sandbox.done(&["resolve"]);
    };
    sandbox.write("repo/artifacts.toml", registry(web));
    commit("one artifact", &["web.zip"]);
    sandbox.write("repo/libs/a", "2");
    commit("what it is not built from", &[]);
    sandbox.write("repo/artifacts.toml", registry(&format!("{wider}, \"new.zip\"")));
    commit("wider, and another", &[]);
    commit("both", &["web.zip", "new.zip"]);
    sandbox.write("repo/artifacts.toml", registry(renamed));
    commit("renamed", &["tool"]);
    commit("nothing", &["site.zip"]);
    sandbox.write("repo/artifacts.toml", pointer);
    sandbox.write("repo/conf/all.toml", registry(web));
    commit("elsewhere", &[]);
    sandbox.write("repo/conf/all.toml", registry(wider));
    commit("changed elsewhere", &[]);
    sandbox.write("repo/web/a", "2");
    commit("changed", &[]);
    (sandbox, commits)
}

fn object(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    serde_json::from_str(&sandbox.done(&[&["--json"], arguments].concat())).unwrap()
}

#[test]
fn log_says_of_each_commit_what_status_says_there() {
    let (sandbox, commits) = history();
    let told = object(&sandbox, &["log"]);
    let told = told["commits"].as_array().unwrap();
    assert_eq!(told.len(), commits.len());
    let mut states = std::collections::BTreeSet::new();
    for (told, commit) in told.iter().zip(commits.iter().rev()) {
        let mut status = object(&sandbox, &["status", commit])["artifacts"].take();
        for artifact in status.as_array_mut().unwrap() {
            artifact.as_object_mut().unwrap().shift_remove("steps");
            states.insert(artifact["state"].as_str().unwrap().to_owned());
        }
        assert_eq!((&told["commit"], &told["artifacts"]), (&Value::from(commit.as_str()), &status));
    }
    for state in ["built", "proven", "assumed", "stale", "missing"] {
        assert!(states.contains(state), "{state} among {states:?}");
    }
    // From an older commit on it is the same.
    let older = object(&sandbox, &["log", "HEAD~4"]);
    assert_eq!(older["commits"].as_array().unwrap()[..], told[4..]);
}

#[test]
fn what_was_not_registered_yet_is_not_missing() {
    let (sandbox, commits) = history();
    let told = sandbox.done(&["log", "HEAD~4", "--artifact", "tool"]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[1].trim().split("  ").next(), Some("built"), "{told}");
    assert_eq!(lines.len(), commits.len() - 4 + 1, "{told}");
    assert!(lines[2..].iter().all(|line| !line.contains("missing")), "{told}");
}

#[test]
fn a_report_has_what_was_registered_once() {
    let (sandbox, _) = history();
    sandbox.done(&["report", "--as", "../page.html"]);
    let page = sandbox.read("page.html");
    for name in ["web.zip", "new.zip", "site.zip", "tool"] {
        assert!(page.contains(&format!("<th scope=\"col\" title=\"{name}\">")), "{name}");
    }
}

#[test]
fn a_registry_that_was_broken_once_is_told_and_the_newest_counts_there() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    sandbox.write("repo/artifacts.toml", "not TOML at all");
    for change in ["broken", "broken still"] {
        sandbox.commit(change);
    }
    sandbox.write("repo/artifacts.toml", registry("\"a.bin\""));
    sandbox.commit("mended");
    sandbox.write("out/a.bin", "a");
    sandbox.done(&["publish", "../out/a.bin", "--commit", "HEAD"]);
    let ran = sandbox.run(&["log"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(ran.stderr.matches("cannot be read, and that of").count(), 1, "{ran}");
    assert_eq!(ran.stdout.lines().count(), 4, "{ran}");
}

#[test]
fn the_work_trees_registry_counts_for_head_alone() {
    let (sandbox, commits) = history();
    let before = object(&sandbox, &["log"]);
    sandbox.write("repo/conf/all.toml", registry("\"tool\""));
    let after = object(&sandbox, &["log"]);
    assert_ne!(after["commits"][0], before["commits"][0]);
    for at in 1..commits.len() {
        assert_eq!(after["commits"][at], before["commits"][at], "{at} back");
    }
}
