//! Rewritten history: a commit of the same tree as a former one finds what was built of that one.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use metalogic::address::Commit;
use metalogic::ancestry::{Ancestry, NoHistory, ToldHistory};
use metalogic::artifact::Name;
use metalogic::event::{Observer, Silent};
use metalogic::metafile::Metafile;
use metalogic::rewritten::{SameTree, same_tree};
use metalogic::store::Key;
use metalogic::store::memory::MemoryStore;
use metalogic::world::{Limits, World};
use serde_json::{Value, json};

use crate::decorated::{Decorated, Fate, Watcher};
use crate::sandbox::{Ran, Sandbox};

const FORMATS: [[&str; 2]; 3] = [
    ["--object-format=sha1", "--ref-format=files"],
    ["--object-format=sha256", "--ref-format=files"],
    ["--object-format=sha1", "--ref-format=reftable"],
];

/// Makes `repo` with a commit that builds nothing, and one at which both artifacts are published. Returns the latter.
fn built(format: [&str; 2]) -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", format[0], format[1], "repo"]);
    let registry = "[projects.app]\nartifacts = [\"app.zip\", \"docs.tar.gz\"]\n[store]\nurl = \"../store\"\n";
    sandbox.write("repo/artifacts.toml", registry);
    sandbox.commit("first");
    sandbox.write("repo/file", "some text");
    let old = sandbox.commit("second");
    sandbox.write("app.zip", "the app");
    sandbox.write("docs.tar.gz", "the docs");
    sandbox.done(&["publish", "../app.zip", "../docs.tar.gz"]);
    (sandbox, old)
}

fn tip(sandbox: &Sandbox, directory: &str) -> String {
    sandbox.git(directory, &["rev-parse", "HEAD"]).trim().to_owned()
}

fn run(sandbox: &Sandbox, directory: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let output = sandbox.command(directory, arguments).envs(variables.iter().copied()).output().unwrap();
    let ran = sandbox.ran(&arguments.join(" "), &output);
    assert_eq!(ran.code, Some(0), "{ran}");
    ran
}

/// Publishes nothing, in a directory with these variables: for people and for programs, which must agree. Returns the former commits of the same tree.
fn told(sandbox: &Sandbox, directory: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let people = run(sandbox, directory, &["publish", "--dry-run"], variables);
    let programs = run(sandbox, directory, &["--json", "publish"], variables);
    let object: Value = serde_json::from_str(&programs.stdout).unwrap();
    let same = object["same_tree"].as_array().unwrap();
    let new = tip(sandbox, directory);
    for one in same {
        assert_eq!(one["artifacts"], json!(["app.zip", "docs.tar.gz"]));
        let old = one["commit"].as_str().unwrap();
        let note = format!("note: {new} has the same tree as {old}, whose address has app.zip, docs.tar.gz\n");
        assert!(people.stderr.contains(&note), "{people}");
    }
    assert_eq!(people.stderr.matches("the same tree").count(), same.len(), "{people}");
    // Nothing is reused.
    assert!(same.is_empty() || object["metafile"]["artifacts"] == json!({}), "{object}");
    same.iter().map(|one| one["commit"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_commit_whose_message_alone_was_amended_has_the_same_tree() {
    for format in FORMATS {
        let (sandbox, old) = built(format);
        sandbox.git("repo", &["commit", "--quiet", "--amend", "--message", "better words"]);
        assert_eq!(told(&sandbox, "repo", &[]), [old.as_str()], "{format:?}");
        let amended = tip(&sandbox, "repo");
        sandbox.done(&["publish", "../app.zip"]);
        // Not that of one that was amended with a change.
        sandbox.write("repo/file", "other text");
        sandbox.git("repo", &["commit", "--quiet", "--all", "--amend", "--no-edit"]);
        assert_eq!(told(&sandbox, "repo", &[]), Vec::<String>::new(), "{format:?}");
        // What was checked out here lately is looked through for other commits too.
        let ran = run(&sandbox, "repo", &["publish", "--dry-run", "--commit", &old], &[]);
        let note = format!("note: {old} has the same tree as {amended}, whose address has app.zip\n");
        assert!(ran.stderr.contains(&note), "{ran}");
    }
}

#[test]
fn a_rebase_that_keeps_a_tree_is_told_and_an_empty_commit_is_not() {
    for format in FORMATS {
        let (sandbox, old) = built(format);
        sandbox.commit("empty");
        let ran = run(&sandbox, "repo", &["publish", "--dry-run"], &[]);
        assert!(!ran.stderr.contains("the same tree"), "an ancestor's artifacts are inherited: {ran}");
        sandbox.git("repo", &["switch", "--quiet", "--create", "other", "HEAD~2"]);
        sandbox.commit("meanwhile");
        sandbox.git("repo", &["rebase", "--quiet", "other", &old]);
        assert_ne!(tip(&sandbox, "repo"), old);
        assert_eq!(told(&sandbox, "repo", &[]), [old], "{format:?}");
    }
}

#[test]
fn after_a_force_push_a_job_in_a_clone_of_depth_one_knows_by_the_metafile() {
    for format in FORMATS {
        let (sandbox, old) = built(format);
        let first = sandbox.git("repo", &["rev-parse", "HEAD~1"]).trim().to_owned();
        sandbox.git("repo", &["commit", "--quiet", "--amend", "--message", "better words"]);
        let url = format!("file://{}", sandbox.path("repo").display());
        sandbox.git(".", &["clone", "--quiet", "--depth=1", format[1], &url, "job"]);
        let new = tip(&sandbox, "job");
        assert_eq!(told(&sandbox, "job", &[]), Vec::<String>::new(), "{format:?}: nobody says what was before");
        assert_eq!(told(&sandbox, "job", &[("CI_COMMIT_BEFORE_SHA", &old)]), [old.as_str()], "{format:?}");
        let event = format!(r#"{{"ref":"refs/heads/main","before":"{old}","after":"{new}","forced":true}}"#);
        sandbox.write("event.json", event);
        let path = sandbox.path("event.json");
        let event = [("GITHUB_EVENT_NAME", "push"), ("GITHUB_EVENT_PATH", path.to_str().unwrap())];
        assert_eq!(told(&sandbox, "job", &event), [old.as_str()], "{format:?}");
        assert_eq!(told(&sandbox, "job", &[("CI_COMMIT_BEFORE_SHA", &first)]), Vec::<String>::new(), "{format:?}");
        // An older version did not write the tree, and then nobody knows.
        let metafile = format!("store/builds/{old}/build_meta.json");
        let text = sandbox.read(&metafile);
        let (before, _) = text.split_once(",\n  \"tree\"").unwrap();
        sandbox.write(&metafile, format!("{before}\n}}\n"));
        assert_eq!(told(&sandbox, "job", &event), Vec::<String>::new(), "{format:?}");
        // It gets it again where git has the commit.
        let resolved = sandbox.done(&["resolve", &old]);
        assert_eq!((resolved.as_str(), told(&sandbox, "job", &event)), (text.as_str(), vec![old]), "{format:?}");
    }
}

#[test]
fn without_a_repository_or_a_store_that_answers_publishing_goes_on() {
    let (sandbox, old) = built(FORMATS[0]);
    sandbox.git("repo", &["commit", "--quiet", "--amend", "--message", "better words"]);
    // The former address cannot be listed: that is a detail of what only a note would have told.
    let address = format!("store/builds/{old}");
    std::fs::remove_dir_all(sandbox.path(&address)).unwrap();
    sandbox.write(&address, "no directory");
    for (arguments, told) in [(&["publish"][..], false), (&["--verbose", "publish"], true)] {
        let ran = run(&sandbox, "repo", arguments, &[]);
        assert_eq!(ran.stderr.contains("not known of former commits with the same tree"), told, "{ran}");
    }
}

fn commit(number: usize) -> Commit {
    format!("{number:040x}").parse().unwrap()
}

/// Remembers every operation.
#[derive(Clone, Default)]
struct Operations(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Watcher for Operations {
    async fn before(&self, operation: &str) -> Fate {
        self.0.lock().unwrap().push(operation.to_owned());
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

async fn asked(ancestry: &dyn Ancestry, store: MemoryStore, formers: &[Commit]) -> (Vec<SameTree>, Vec<String>) {
    let (operations, observer) = (Operations::default(), Arc::new(Silent) as Arc<dyn Observer>);
    let store = Decorated::new(store, operations.clone());
    let world = World { store: &store, ancestry, observer: &observer, limits: Limits::default() };
    let same = same_tree(world, commit(1), formers).await.unwrap();
    let operations = operations.0.lock().unwrap().clone();
    (same, operations)
}

#[tokio::test]
async fn only_a_few_former_commits_are_asked_about_and_ancestors_never() {
    let tree = |number: usize| format!("{number:040x}").parse().unwrap();
    let name: Name = "a.zip".parse().unwrap();
    let all: Vec<Commit> = (1..=50).map(commit).collect();
    let store = MemoryStore::default();
    for at in &all {
        store.plant(&Key::Artifact(*at, name.clone()).to_string(), "x".to_owned());
        let mut metafile = Metafile::empty(*at, None);
        metafile.tree = Some(tree(7));
        store.plant(&Key::Metafile(*at).to_string(), metafile.to_bytes().unwrap());
    }
    // Git knows them all: every third is of the same tree, and the fourth is the parent.
    let trees = (1..=50).map(|number| (commit(number), tree(if number % 3 == 1 { 7 } else { 8 })));
    let parents = HashMap::from([(commit(1), Some(commit(4))), (commit(4), None)]);
    let told = ToldHistory { parents: parents.clone(), trees: trees.collect(), ..ToldHistory::default() };
    let (same, operations) = asked(&told, store.clone(), &all).await;
    let olds: Vec<Commit> = same.iter().map(|same| same.old).collect();
    assert_eq!(olds, [7, 10, 13, 16, 19].map(commit), "the nearest first");
    assert!(same.iter().all(|same| same.new == commit(1) && same.artifacts == BTreeSet::from([name.clone()])));
    assert_eq!(operations.len(), 5, "{operations:?}");
    // A descendant, as an empty commit on top is, is no former commit.
    let child = HashMap::from([(commit(7), Some(commit(1))), (commit(1), Some(commit(4))), (commit(4), None)]);
    let (same, _) = asked(&ToldHistory { parents: child, ..told.clone() }, store.clone(), &all[..12]).await;
    assert_eq!(same.iter().map(|same| same.old).collect::<Vec<_>>(), [commit(10)]);
    // A commit is asked about once, and not one of another tree.
    let (same, operations) = asked(&told, store.clone(), &[commit(7), commit(8), commit(7), commit(1)]).await;
    assert_eq!((same.len(), operations.len()), (1, 1), "{operations:?}");
    // Where git knows none, their metafiles do; at most a few are read.
    for ancestry in [&ToldHistory { parents, ..ToldHistory::default() } as &dyn Ancestry, &NoHistory] {
        let (same, operations) = asked(ancestry, store.clone(), &all[9..]).await;
        assert_eq!((same.len(), operations.len()), (5, 1 + 5 + 5), "{operations:?}");
    }
    let (same, operations) = asked(&told, store, &[]).await;
    assert!(same.is_empty() && operations.is_empty());
}
