//! Answers for people: what each command says of one history, with its exit code.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const REGISTRY: &str = r#"[projects.shop]
artifacts = [
    { name = "web.zip", inputs = ["web/", "libs/", ":!**/*.md"] },
    { name = "api.zip", inputs = ["api/", "libs/"], policy = "fresh" },
    "docs.tgz",
]
[projects.tools]
artifacts = ["cli.bin", { name = "gen.bin", inputs = ["tools/"] }]
"#;

/// A repository of two projects: all but `gen.bin` were built at the first commit, `web.zip` again at the second; a merge brought other docs;
/// then a library changed. At the tip `cli.bin` is being built, and a build of `gen.bin` failed.
pub fn shop() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    sandbox.write("repo/artifacts.toml", REGISTRY);
    for file in ["web/x", "api/x", "libs/x", "docs/x", "tools/x"] {
        sandbox.write(&format!("repo/{file}"), "1");
    }
    sandbox.commit("Begin the shop");
    let publish = |name: &str, text: &str| {
        sandbox.write(&format!("out/{name}"), text);
        sandbox.done(&["publish", &format!("../out/{name}")]);
    };
    ["web.zip", "api.zip", "docs.tgz", "cli.bin"].iter().for_each(|name| publish(name, "first"));
    sandbox.write("repo/web/x", "2");
    sandbox.commit("web: blue buttons");
    publish("web.zip", "second");
    sandbox.git("repo", &["switch", "--quiet", "--create", "side"]);
    sandbox.write("repo/docs/x", "2");
    sandbox.commit("docs: all anew");
    publish("docs.tgz", "second");
    sandbox.git("repo", &["switch", "--quiet", "main"]);
    sandbox.write("repo/web/README.md", "read");
    sandbox.commit("web: a word on buttons");
    for number in 1..=5 {
        sandbox.commit(&format!("nothing {number}"));
        sandbox.done(&["stub"]);
    }
    sandbox.git("repo", &["merge", "--quiet", "--no-ff", "--message", "Merge the docs", "side"]);
    sandbox.write("repo/libs/x", "2");
    sandbox.commit("libs: faster");
    sandbox
}

fn told(sandbox: &Sandbox, commands: &[&[&str]]) -> String {
    commands.iter().fold(String::new(), |mut shown, command| {
        writeln!(shown, "{}", sandbox.run(command)).unwrap();
        shown
    })
}

#[test]
fn how_things_stand() {
    let sandbox = shop();
    let begin: &[&[&str]] = &[
        &["status"],
        &["begin", "cli.bin", "gen.bin"],
        &["fail", "gen.bin", "--reason", "out of memory\nat last"],
        &["fail", "nonsense"],
        &["begin", "docs.tgz", "--commit", "HEAD~9", "--dry-run"],
        &["status"],
        &["status", "--project", "tools", "HEAD~1"],
        &["plan"],
        &["plan", "--check", "--quiet"],
        &["plan", "--check", "--project", "nothing"],
        &["plan", "--quiet", "--project", "shop", "HEAD~8"],
        &["plan", "--check", "--project", "shop", "HEAD~8"],
    ];
    assert_snapshot!(told(&sandbox, begin));
    let object: Value = serde_json::from_str(&sandbox.done(&["--json", "status"])).unwrap();
    let state = |name: &str| {
        let artifacts = object["artifacts"].as_array().unwrap();
        artifacts.iter().find(|one| one["name"] == name).unwrap()["state"].as_str().unwrap()
    };
    assert_eq!(["web.zip", "api.zip", "docs.tgz"].map(state), ["stale", "stale", "assumed"]);
    assert_eq!(["cli.bin", "gen.bin"].map(state), ["pending", "failed"]);

    let listed: Value = serde_json::from_str(&sandbox.done(&["--json", "registry", "list"])).unwrap();
    let api = listed["artifacts"].as_array().unwrap().iter().find(|one| one["name"] == "api.zip").unwrap();
    assert_eq!((&api["inputs"], &api["policy"]), (&json!(["api/", "libs/"]), &json!("fresh")));
}

#[test]
fn why_it_stands_so() {
    let sandbox = shop();
    sandbox.done(&["fail", "web.zip", "--commit", "HEAD~1", "--reason", "no room"]);
    let why: &[&[&str]] = &[
        &["why", "web.zip"],
        &["why", "docs.tgz"],
        &["why", "api.zip", "--commit", "HEAD~9"],
        &["why", "gen.bin"],
        &["why", "nonsense"],
    ];
    assert_snapshot!(told(&sandbox, why));
    let object: Value = serde_json::from_str(&sandbox.done(&["--json", "why", "web.zip"])).unwrap();
    assert_eq!(object["looked_at"].as_array().unwrap().len(), 9);
    assert_eq!(object["changed_in"].as_array().unwrap().len(), 1, "the library, and no README");
}

#[test]
fn what_was_built_where_and_what_differs() {
    let sandbox = shop();
    sandbox.done(&["fail", "gen.bin", "--reason", "out of memory"]);
    let head = sandbox.git("repo", &["rev-parse", "HEAD"]);
    // A build that was put there with another program, and one that nobody registered.
    let address = |name: &str| format!("repo/.git/metalogic/builds/{}/{name}", head.trim());
    sandbox.write(&address("cli.bin"), "second");
    sandbox.write(&address("notes.txt"), "?");
    let tell: &[&[&str]] = &[
        &["log"],
        &["log", "HEAD~1", "-n", "2"],
        &["log", "--artifact", "docs.tgz", "--artifact", "web.zip", "-n", "3"],
        &["log", "--artifact", "web.zip", "HEAD~6"],
        &["log", "--project", "tools", "--max-ancestors", "1"],
        &["log", "--artifact", "web.zap"],
        &["log", "HEAD~3..HEAD"],
        &["log", "-n", "0"],
        &["diff", "HEAD~9"],
        &["diff", "HEAD~9", "HEAD", "--fresh"],
        &["diff", "HEAD~9", "--stat"],
        &["diff", "HEAD", "HEAD~9", "--stat", "--quiet"],
        &["diff", "HEAD~2", "HEAD~1"],
        &["diff", "HEAD~8", "side"],
        &["diff", "HEAD~3...HEAD"],
        &["diff", "HEAD", "nonsense"],
    ];
    assert_snapshot!(told(&sandbox, tell));
    let both = sandbox.done(&["diff", "HEAD~9", "HEAD"]);
    for range in ["HEAD~9..HEAD", "HEAD~9.."] {
        assert_eq!(sandbox.done(&["diff", range]), both);
    }
    assert_eq!(sandbox.done(&["diff", "..HEAD~9"]), sandbox.done(&["diff", "HEAD", "HEAD~9"]));
}

#[test]
fn what_is_taken_is_what_was_asked_for() {
    let sandbox = shop();
    sandbox.done(&["fail", "gen.bin"]);
    let take: &[&[&str]] = &[
        &["fetch", "web.zip", "-o", "../got"],
        &["fetch", "web.zip", "-o", "../got", "--quiet"],
        &["fetch", "api.zip", "-o", "../got"],
        &["fetch", "-o", "../got"],
        &["fetch", "-o", "../got", "--policy", "nearest", "--quiet"],
        &["fetch", "web.zip", "-o", "../got", "--policy", "exact"],
        &["fetch", "gen.bin", "-o", "../got", "--policy", "fresh"],
        &["fetch", "web.zip", "docs.tgz", "-o", "../got", "--policy", "fresh", "--commit", "HEAD~8"],
        &["fetch", "web.zip", "-o", "../got", "--policy", "fresh", "--commit", "HEAD~7", "--quiet"],
        &["resolve", "--dry-run", "--quiet", "--project", "shop", "HEAD~8"],
        &["resolve", "--policy", "fresh", "--dry-run", "--quiet", "--project", "tools", "HEAD~8"],
        &["fetch", "web.zip", "--policy", "newest"],
    ];
    assert_snapshot!(told(&sandbox, take));
    sandbox.done(&["begin", "gen.bin", "--commit", "HEAD"]);
    assert_eq!(sandbox.run(&["fetch", "gen.bin", "-o", "../got", "--policy", "fresh"]).code, Some(4));
}

#[test]
fn before_a_policy_refuses_the_commit_is_looked_at_again() {
    let sandbox = shop();
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]);
    sandbox.done(&["stub"]);
    let fetch = ["fetch", "api.zip", "-o", "../got", "--json"];
    assert_eq!(sandbox.run(&fetch).code, Some(3));
    // Somebody put it there with another program.
    sandbox.write(&format!("repo/.git/metalogic/builds/{}/api.zip", commit.trim()), "newest");
    let object: Value = serde_json::from_str(&sandbox.done(&fetch)).unwrap();
    assert_eq!(object["artifacts"][0]["state"], "built");
    assert_eq!(sandbox.read("got/api.zip"), "newest");
}

#[test]
fn a_lock_is_the_same_bytes_each_time_and_nothing_but_what_it_says_is_taken() {
    let sandbox = shop();
    let nearest = ["lock", "--policy", "nearest", "--as", "../deploy.lock"];
    let lock: &[&[&str]] = &[
        &["lock", "--quiet"],
        &["lock", "--quiet", "--policy", "nearest"],
        &["lock", "--quiet", "--artifact", "docs.tgz", "--as", "../one.lock"],
        &["lock", "--quiet", "--artifact", "gen.bin"],
        &nearest,
        &["fetch", "--locked", "../deploy.lock", "-o", "../got"],
        &["fetch", "gen.bin", "--locked", "../deploy.lock", "-o", "../got"],
        &["fetch", "--locked", "../nothing.lock", "-o", "../got"],
        &["fetch", "--locked", "artifacts.toml", "-o", "../got"],
        &["fetch", "--locked", "../deploy.lock", "--fresh"],
    ];
    assert_snapshot!(told(&sandbox, lock));
    let first = sandbox.read("deploy.lock");
    sandbox.done(&["stub"]);
    sandbox.done(&nearest);
    assert_eq!(sandbox.read("deploy.lock"), first);
    // Where no store is configured, it is the one that the lock names.
    let elsewhere = sandbox.run_in(".", &["fetch", "web.zip", "--locked", "deploy.lock", "-o", "elsewhere"]);
    assert_eq!(elsewhere.code, Some(0), "{elsewhere}");
    assert_eq!(sandbox.read("elsewhere/web.zip"), "second");

    let object: Value = serde_json::from_str(&first).unwrap();
    let place = |name: &str| {
        let commit = object["artifacts"][name]["commit"].as_str().unwrap();
        format!("repo/.git/metalogic/builds/{commit}/{name}")
    };
    std::fs::remove_file(sandbox.path(&place("docs.tgz"))).unwrap();
    assert_eq!(sandbox.run(&["fetch", "docs.tgz", "--locked", "../deploy.lock", "-o", "../new"]).code, Some(3));
    std::fs::remove_file(sandbox.path(&place("web.zip"))).unwrap();
    sandbox.write(&place("web.zip"), "other!");
    assert_eq!(sandbox.run(&["fetch", "web.zip", "--locked", "../deploy.lock", "-o", "../new"]).code, Some(8));
    assert_eq!(sandbox.run(&["lock", "--artifact", "cli.bin", "--policy", "exact"]).code, Some(3));
    assert!(!sandbox.path("new/web.zip").exists() && !sandbox.path("new/docs.tgz").exists());
}

#[test]
fn who_waits_is_told_at_once_when_it_is_built_when_it_failed_and_when_the_time_is_up() {
    let sandbox = shop();
    let began = Instant::now();
    let wait: &[&[&str]] = &[
        &["wait", "docs.tgz", "--commit", "HEAD~9"],
        &["wait", "docs.tgz", "--policy", "nearest"],
        &["wait", "docs.tgz", "--for", "0s"],
        &["wait", "nonsense"],
    ];
    let mut shown = told(&sandbox, wait);
    sandbox.done(&["begin", "docs.tgz", "api.zip"]);
    shown.push_str(&told(&sandbox, &[&["wait", "docs.tgz", "--for", "0s"]]));
    sandbox.done(&["fail", "api.zip", "--reason", "no compiler"]);
    shown.push_str(&told(&sandbox, &[&["wait", "docs.tgz", "api.zip"]]));
    assert_snapshot!(shown);

    let child =
        sandbox.command("repo", &["wait", "docs.tgz", "--for", "1m"]).stdout(std::process::Stdio::piped()).spawn();
    sandbox.write("out/docs.tgz", "third");
    sandbox.done(&["publish", "../out/docs.tgz"]);
    let output = child.unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().trim_end().ends_with("/docs.tgz"));
    assert!(began.elapsed() < Duration::from_secs(50), "nobody waited until the time was up");
}

#[test]
fn a_clone_of_depth_one_can_plan_as_a_whole_one_does() {
    let sandbox = shop();
    sandbox.done(&["publish"]);
    sandbox.commit("docs: a comma");
    let whole = sandbox.run(&["plan", "--json"]);
    sandbox
        .git(".", &["clone", "--quiet", "--depth=1", &format!("file://{}", sandbox.path("repo").display()), "shallow"]);
    let store = ["--store", "../repo/.git/metalogic"];
    // The commit has no metafile yet, so that its parent's tells the history.
    let shallow = sandbox.run_in("shallow", &[&store[..], &["plan", "--json"]].concat());
    let build = |ran: &crate::sandbox::Ran| {
        let object: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
        (object["build"].clone(), object["keep"].clone())
    };
    assert_eq!(build(&shallow), build(&whole));
    assert_eq!(build(&whole).0.as_array().unwrap().len(), 3, "both that need the library, and what was never built");
    // With nothing but the store, what the metafile says is told.
    sandbox.done(&["stub"]);
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]);
    let bare = sandbox.run_in(".", &["--store", "repo/.git/metalogic", "status", commit.trim()]);
    assert_eq!(bare.code, Some(0), "{bare}");
    assert!(bare.stdout.contains("web.zip   assumed"), "{bare}");
}
