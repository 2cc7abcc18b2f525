//! Real git drives the hooks: whatever makes commits, each of them has a metafile.

#[cfg(target_os = "linux")]
mod away;
mod heard;
mod range;

use std::collections::BTreeSet;
use std::process::Output;

use crate::descriptors;
use crate::sandbox::Sandbox;

/// Formats of repositories, by what `git init` is told.
const FORMATS: [&str; 2] = ["sha1", "sha256"];

/// Makes a repository whose hooks call the program, with one commit.
fn clone_with_hooks(format: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", &format!("--object-format={format}"), "repo"]);
    sandbox.done(&["hooks", "install"]);
    sandbox.write("repo/file", "first\n");
    sandbox.git("repo", &["add", "file"]);
    ok(&sandbox, "repo", &["commit", "--quiet", "-m", "first"]);
    sandbox
}

/// Runs git with the program on its path; it must succeed.
fn ok(sandbox: &Sandbox, directory: &str, arguments: &[&str]) -> String {
    let output = run(sandbox, directory, arguments);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn run(sandbox: &Sandbox, directory: &str, arguments: &[&str]) -> Output {
    sandbox.with_program(sandbox.git_command(directory, arguments)).output().unwrap()
}

/// Makes a commit that changes a file of its own, and returns its id.
fn commit(sandbox: &Sandbox, directory: &str, file: &str) -> String {
    sandbox.write(&format!("{directory}/{file}"), file);
    ok(sandbox, directory, &["add", file]);
    ok(sandbox, directory, &["commit", "--quiet", "-m", file]);
    ok(sandbox, directory, &["rev-parse", "HEAD"])
}

/// Returns the commits that some refs reach and that have no metafile in an embedded store.
fn without_metafile(sandbox: &Sandbox, directory: &str, refs: &[&str]) -> Vec<String> {
    let common = ok(sandbox, directory, &["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    let reached = ok(sandbox, directory, &[&["rev-list"], refs].concat());
    let has = |id: &&str| std::path::Path::new(&common).join(format!("metalogic/builds/{id}/build_meta.json")).exists();
    reached.lines().filter(|id| !has(id)).map(str::to_owned).collect()
}

/// Asserts that a metafile names the commit's first parent, as git knows it.
fn assert_parents(sandbox: &Sandbox, directory: &str) {
    let common = ok(sandbox, directory, &["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    let told = ok(sandbox, directory, &["rev-list", "--all", "--parents"]);
    for line in told.lines() {
        let ids: Vec<&str> = line.split(' ').collect();
        let path = format!("{common}/metalogic/builds/{}/build_meta.json", ids[0]);
        let metafile: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(metafile["parent_commit"].as_str(), ids.get(1).copied(), "{path}");
    }
}

fn log(sandbox: &Sandbox, directory: &str) -> Vec<serde_json::Value> {
    let common = ok(sandbox, directory, &["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    let text = std::fs::read_to_string(format!("{common}/metalogic-hooks/log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn whatever_makes_commits_in_a_clone_gives_each_a_metafile() {
    for format in FORMATS {
        let sandbox = clone_with_hooks(format);
        let git = |arguments: &[&str]| ok(&sandbox, "repo", arguments);
        commit(&sandbox, "repo", "a");
        commit(&sandbox, "repo", "b");
        git(&["commit", "--quiet", "--amend", "-m", "b, said better"]);
        git(&["switch", "--quiet", "-c", "side", "HEAD~1"]);
        commit(&sandbox, "repo", "s1");
        commit(&sandbox, "repo", "s2");
        git(&["rebase", "--quiet", "main"]);
        git(&["switch", "--quiet", "main"]);
        git(&["merge", "--quiet", "--no-ff", "-m", "merged", "side"]);
        git(&["switch", "--quiet", "-c", "picks", "HEAD~1"]);
        commit(&sandbox, "repo", "p1");
        git(&["switch", "--quiet", "main"]);
        git(&["cherry-pick", "picks"]);
        git(&["revert", "--no-edit", "HEAD"]);
        git(&["switch", "--quiet", "-c", "mail", "HEAD~2"]);
        commit(&sandbox, "repo", "m1");
        commit(&sandbox, "repo", "m2");
        git(&["format-patch", "--quiet", "-2", "-o", "../patches"]);
        git(&["switch", "--quiet", "main"]);
        git(&["am", "--quiet", "../patches/0001-m1.patch", "../patches/0002-m2.patch"]);
        git(&["switch", "--quiet", "-c", "squashed", "HEAD~1"]);
        git(&["merge", "--squash", "picks"]);
        git(&["commit", "--quiet", "--allow-empty", "-m", "squashed"]);
        git(&["-c", "sequence.editor=sed -i 2s/pick/fixup/", "rebase", "--quiet", "-i", "HEAD~2"]);
        git(&["rebase", "--quiet", "--apply", "main"]);
        // A conflict that is concluded by hand.
        git(&["switch", "--quiet", "-c", "left", "main"]);
        sandbox.write("repo/file", "left\n");
        git(&["commit", "--quiet", "-am", "left"]);
        git(&["switch", "--quiet", "-c", "right", "main"]);
        sandbox.write("repo/file", "right\n");
        git(&["commit", "--quiet", "-am", "right"]);
        assert!(!run(&sandbox, "repo", &["merge", "left"]).status.success());
        sandbox.write("repo/file", "both\n");
        git(&["commit", "--quiet", "-am", "concluded"]);
        // A linked work tree, and one without a branch.
        git(&["worktree", "add", "--quiet", "../tree"]);
        commit(&sandbox, "tree", "in a work tree");
        git(&["worktree", "add", "--quiet", "--detach", "../loose", "HEAD~1"]);
        commit(&sandbox, "loose", "on no branch");
        git(&["branch", "kept", &ok(&sandbox, "loose", &["rev-parse", "HEAD"])]);

        assert_eq!(without_metafile(&sandbox, "repo", &["--all"]), Vec::<String>::new(), "{format}");
        assert_parents(&sandbox, "repo");
        let failures: Vec<_> =
            log(&sandbox, "repo").into_iter().filter(|entry| entry.get("failures").is_some()).collect();
        assert_eq!(failures, Vec::<serde_json::Value>::new(), "{format}");
    }
}

#[test]
fn a_pull_that_moves_forward_brings_metafiles_for_all_that_it_brings() {
    let sandbox = clone_with_hooks("sha1");
    sandbox.git(".", &["clone", "--quiet", "repo", "other"]);
    ok(&sandbox, "other", &["switch", "--quiet", "-c", "side"]);
    commit(&sandbox, "other", "beside");
    commit(&sandbox, "other", "and once more");
    ok(&sandbox, "other", &["switch", "--quiet", "main"]);
    commit(&sandbox, "other", "ahead");
    ok(&sandbox, "other", &["merge", "--quiet", "--no-ff", "-m", "merged", "side"]);
    commit(&sandbox, "other", "last");
    ok(&sandbox, "repo", &["pull", "--quiet", "--ff-only", "../other", "main"]);
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]), Vec::<String>::new());
    assert_eq!(log(&sandbox, "repo").last().unwrap()["stubbed"], 5, "{:?}", log(&sandbox, "repo"));
}

#[test]
fn a_submodule_has_hooks_and_metafiles_of_its_own() {
    let sandbox = clone_with_hooks("sha1");
    sandbox.git(".", &["clone", "--quiet", "repo", "other"]);
    let url = sandbox.path("other");
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url.to_str().unwrap(), "module"];
    ok(&sandbox, "repo", &add);
    ok(&sandbox, "repo", &["commit", "--quiet", "-m", "with a submodule"]);
    let ran = sandbox.run_in("repo/module", &["hooks", "install"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let id = commit(&sandbox, "repo/module", "inside");
    assert!(sandbox.path(&format!("repo/.git/modules/module/metalogic/builds/{id}/build_meta.json")).exists());
    assert!(!sandbox.path(&format!("repo/.git/metalogic/builds/{id}")).exists());
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]), Vec::<String>::new());
}

#[test]
fn whatever_is_pushed_has_metafiles_at_a_bare_repository() {
    for format in FORMATS {
        let sandbox = Sandbox::new();
        sandbox.git(".", &["init", "--quiet", "--bare", &format!("--object-format={format}"), "bare"]);
        let ran = sandbox.run_in("bare", &["hooks", "install"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", &format!("--object-format={format}"), "repo"]);
        let git = |arguments: &[&str]| ok(&sandbox, "repo", arguments);
        git(&["remote", "add", "origin", "../bare"]);
        let all = || without_metafile(&sandbox, "bare", &["--all"]);

        commit(&sandbox, "repo", "a");
        commit(&sandbox, "repo", "b");
        git(&["push", "--quiet", "origin", "main"]);
        assert_eq!(all(), Vec::<String>::new(), "{format}: a first branch");
        commit(&sandbox, "repo", "c");
        commit(&sandbox, "repo", "d");
        git(&["push", "--quiet", "origin", "main"]);
        assert_eq!(all(), Vec::<String>::new(), "{format}: one that goes on");
        // Two new branches at once that have commits in common, which only those two reach.
        git(&["switch", "--quiet", "-c", "one"]);
        commit(&sandbox, "repo", "e");
        git(&["switch", "--quiet", "-c", "two"]);
        commit(&sandbox, "repo", "f");
        git(&["switch", "--quiet", "main"]);
        git(&["merge", "--quiet", "--no-ff", "-m", "merged", "two"]);
        git(&["push", "--quiet", "origin", "one", "two", "main"]);
        assert_eq!(all(), Vec::<String>::new(), "{format}: several at once");
        // Tags, notes, a deletion and a rewritten branch.
        git(&["tag", "light"]);
        commit(&sandbox, "repo", "g");
        git(&["tag", "-m", "annotated", "v1"]);
        git(&["notes", "add", "-m", "a note"]);
        let notes = git(&["rev-parse", "refs/notes/commits"]);
        git(&["push", "--quiet", "origin", "v1", "light", "refs/notes/*:refs/notes/*", ":one"]);
        assert_eq!(
            without_metafile(&sandbox, "bare", &["--branches", "--tags"]),
            Vec::<String>::new(),
            "{format}: tags"
        );
        assert_eq!(without_metafile(&sandbox, "bare", &["refs/notes/commits"]), [notes], "notes are no history");
        git(&["switch", "--quiet", "two"]);
        git(&["reset", "--quiet", "--hard", "HEAD~1"]);
        commit(&sandbox, "repo", "h");
        git(&["push", "--quiet", "--force", "origin", "two"]);
        git(&["tag", "tree", "HEAD^{tree}"]);
        git(&["push", "--quiet", "origin", "tree"]);
        assert_eq!(
            without_metafile(&sandbox, "bare", &["--branches", "--tags"]),
            Vec::<String>::new(),
            "{format}: by force"
        );
        assert!(
            log(&sandbox, "bare").iter().all(|entry| entry.get("failures").is_none()),
            "{:?}",
            log(&sandbox, "bare")
        );
    }
}

#[test]
fn what_was_committed_without_hooks_is_made_up_for_by_a_push() {
    let sandbox = clone_with_hooks("sha1");
    sandbox.git(".", &["init", "--quiet", "--bare", "bare"]);
    ok(&sandbox, "repo", &["push", "--quiet", "../bare", "main"]);
    ok(&sandbox, "repo", &["remote", "add", "origin", "../bare"]);
    ok(&sandbox, "repo", &["fetch", "--quiet", "origin"]);
    for number in 0..5 {
        let nowhere = ["-c", "core.hooksPath=/nowhere", "commit", "--quiet", "--allow-empty", "-m"];
        ok(&sandbox, "repo", &[nowhere.as_slice(), &[&number.to_string()]].concat());
    }
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]).len(), 5);
    ok(&sandbox, "repo", &["push", "--quiet", "origin", "HEAD:refs/heads/other"]);
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]), Vec::<String>::new());
    let stubbed: BTreeSet<u64> = log(&sandbox, "repo").iter().filter_map(|entry| entry["stubbed"].as_u64()).collect();
    assert!(stubbed.contains(&5), "what the remote has is not looked at: {:?}", log(&sandbox, "repo"));
}

#[test]
fn what_no_hook_saw_is_made_up_for_by_the_next_commit() {
    let sandbox = clone_with_hooks("sha1");
    for number in 0..3 {
        ok(
            &sandbox,
            "repo",
            &["-c", "core.hooksPath=/nowhere", "commit", "--quiet", "--allow-empty", "-m", &number.to_string()],
        );
    }
    commit(&sandbox, "repo", "seen");
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]), Vec::<String>::new());
    // A kept hook that commits itself: the commit that it follows is nobody's HEAD when ours has its turn.
    let commits = "#!/bin/sh\n[ -n \"$INSIDE\" ] || INSIDE=1 git commit --quiet --allow-empty -m inside\n";
    descriptors::write_program(&sandbox.path("repo/.git/hooks/post-commit.before-metalogic"), commits);
    commit(&sandbox, "repo", "outside");
    assert_eq!(ok(&sandbox, "repo", &["log", "-1", "--format=%s"]), "inside");
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]), Vec::<String>::new());
}

#[test]
fn a_hook_fails_no_commit_whatever_is_wrong() {
    let sandbox = clone_with_hooks("sha1");
    let hears = |name: &str, words: &[&str], input: &str| {
        let arguments = [&["stub", "--hook", name], words].concat();
        let mut child = sandbox.command("repo", &arguments);
        child
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = child.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        sandbox.ran(name, &child.wait_with_output().unwrap())
    };
    for (name, words, input) in [
        ("post-receive", vec![], "nonsense\n"),
        ("post-receive", vec![], "0123 4567 refs/heads/x\n"),
        ("pre-push", vec!["--", "origin", "--url"], "\u{0}\u{202e}\n"),
        ("post-rewrite", vec!["amend"], "one two three\n"),
        ("post-merge", vec!["0"], ""),
        ("post-commit", vec!["surprise"], ""),
    ] {
        let ran = hears(name, &words, input);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran}");
    }
    let told = log(&sandbox, "repo").iter().filter(|entry| entry.get("failures").is_some()).count();
    assert_eq!(told, 4, "{:?}", log(&sandbox, "repo"));
    sandbox.write("repo/.git/blocked", "a file is no store");
    sandbox.git("repo", &["config", "metalogic.store", ".git/blocked"]);
    ok(&sandbox, "repo", &["commit", "--quiet", "--allow-empty", "-m", "while the store is none"]);
    assert_eq!(log(&sandbox, "repo").last().unwrap()["failures"][0]["kind"], "configuration");
    // Its turn comes when there is one again.
    sandbox.git("repo", &["config", "--unset", "metalogic.store"]);
    let ran = sandbox.run(&["stub", "--hook", "no-such-hook"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    let outside = sandbox.run_in(".", &["stub", "--hook", "post-commit"]);
    assert_eq!(outside.code, Some(0), "{outside}");
}

#[test]
fn whoever_pushes_a_foxtrot_merge_is_told_and_whoever_does_not_is_not() {
    for format in FORMATS {
        let sandbox = Sandbox::new();
        let format = format!("--object-format={format}");
        sandbox.git(".", &["init", "--quiet", "--bare", "--initial-branch=main", &format, "bare"]);
        assert_eq!(sandbox.run_in("bare", &["hooks", "install"]).code, Some(0));
        for clone in ["ada", "bob"] {
            sandbox.git(".", &["init", "--quiet", "--initial-branch=main", &format, clone]);
            ok(&sandbox, clone, &["remote", "add", "origin", "../bare"]);
        }
        let push = |clone: &str, arguments: &[&str]| {
            let output = run(&sandbox, clone, &[&["push", "origin"], arguments].concat());
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{told}");
            told
        };
        commit(&sandbox, "ada", "a");
        assert!(!push("ada", &["main"]).contains("warning"));
        ok(&sandbox, "bob", &["pull", "--quiet", "origin", "main"]);
        let mainline = commit(&sandbox, "ada", "on the mainline");
        assert!(!push("ada", &["main"]).contains("warning"));
        // Bob has work of his own, pulls, and pushes the merge: the mainline is its second parent.
        commit(&sandbox, "bob", "b");
        ok(&sandbox, "bob", &["pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main"]);
        let told = push("bob", &["HEAD:main"]);
        assert!(
            told.contains(&format!("remote: warning: refs/heads/main: the branch's former tip {mainline}")),
            "{told}"
        );
        let told: Vec<_> = log(&sandbox, "bare");
        assert!(told.last().unwrap()["notes"][0].as_str().unwrap().contains(&mainline), "{told:?}");
        // A merge the right way round, and a branch that is rewritten, are no such thing.
        ok(&sandbox, "ada", &["pull", "--quiet", "origin", "main"]);
        ok(&sandbox, "ada", &["switch", "--quiet", "-c", "topic"]);
        commit(&sandbox, "ada", "t");
        ok(&sandbox, "ada", &["switch", "--quiet", "main"]);
        ok(&sandbox, "ada", &["merge", "--quiet", "--no-ff", "-m", "merged", "topic"]);
        assert!(!push("ada", &["main", "topic"]).contains("warning"));
        ok(&sandbox, "ada", &["commit", "--quiet", "--amend", "-m", "said better"]);
        assert!(!push("ada", &["--force", "main"]).contains("warning"));
        let last = log(&sandbox, "bare").pop().unwrap();
        assert!(last["notes"][0].as_str().unwrap().starts_with("refs/heads/main was rewritten"), "{last}");
        assert_eq!(without_metafile(&sandbox, "bare", &["--all"]), Vec::<String>::new());
    }
}

#[test]
fn a_rewritten_commit_of_the_same_tree_is_told_with_what_was_built_of_it() {
    let sandbox = clone_with_hooks("sha1");
    sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"app.zip\"]\n");
    ok(&sandbox, "repo", &["add", "artifacts.toml"]);
    ok(&sandbox, "repo", &["commit", "--quiet", "-m", "register"]);
    sandbox.write("app.zip", "the app");
    sandbox.done(&["publish", "../app.zip"]);
    let built = ok(&sandbox, "repo", &["rev-parse", "HEAD"]);
    let notes = || -> Vec<String> {
        let told = |entry: &serde_json::Value| entry["notes"].as_array().cloned().unwrap_or_default();
        log(&sandbox, "repo").iter().flat_map(told).map(|note| note.as_str().unwrap().to_owned()).collect()
    };
    ok(&sandbox, "repo", &["commit", "--quiet", "--amend", "-m", "register, said better"]);
    let amended = ok(&sandbox, "repo", &["rev-parse", "HEAD"]);
    assert_eq!(notes(), [format!("{amended} has the same tree as {built}, whose address has app.zip")]);
    sandbox.write("repo/file", "changed\n");
    ok(&sandbox, "repo", &["commit", "--quiet", "-a", "--amend", "-m", "changed"]);
    assert_eq!(notes().len(), 1, "other files are another tree");
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]), Vec::<String>::new());
}

/// Somebody who is not root, where this is root.
const SOMEBODY: u32 = 65534;

#[test]
fn people_of_several_accounts_push_to_a_repository_that_their_group_shares() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;
    let sandbox = Sandbox::new();
    if chown(sandbox.path(""), Some(0), None).is_err() {
        println!("only root can be somebody else");
        return;
    }
    std::fs::set_permissions(sandbox.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.git(".", &["init", "--quiet", "--bare", "--shared=group", "--initial-branch=main", "bare"]);
    assert_eq!(sandbox.run_in("bare", &["hooks", "install"]).code, Some(0));
    sandbox.shell(&format!("chgrp -R {SOMEBODY} bare && find bare -type d -exec chmod g+ws {{}} +"));
    sandbox.write("config", "[safe]\ndirectory = *\n");
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    let push = |time: usize, id: u32| {
        commit(&sandbox, "repo", &time.to_string());
        let mut git = sandbox.with_program(sandbox.git_command("repo", &["push", "--quiet", "../bare", "main"]));
        git.env("GIT_CONFIG_GLOBAL", sandbox.path("config")).uid(id).gid(if id == 0 { 0 } else { SOMEBODY });
        let output = git.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for (time, id) in [0, SOMEBODY, 0, SOMEBODY].into_iter().enumerate() {
        push(time, id);
        assert_eq!(
            without_metafile(&sandbox, "bare", &["--all"]),
            Vec::<String>::new(),
            "{id}: {:?}",
            log(&sandbox, "bare")
        );
    }
    assert_eq!(log(&sandbox, "bare").len(), 4, "{:?}", log(&sandbox, "bare"));
}

#[test]
fn a_push_of_hundreds_of_branches_holds_nobody_up_and_all_are_stubbed() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--bare", "bare"]);
    assert_eq!(sandbox.run_in("bare", &["hooks", "install"]).code, Some(0));
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    commit(&sandbox, "repo", "a");
    let script = "cd repo && for n in $(seq 300); do id=$(git commit-tree -m $n -p HEAD HEAD^{tree}) && echo create refs/heads/b$n $id; done | git update-ref --stdin";
    sandbox.shell(script);
    ok(&sandbox, "repo", &["push", "--quiet", "--all", "../bare"]);
    let began = std::time::Instant::now();
    while !without_metafile(&sandbox, "bare", &["--all"]).is_empty() {
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", log(&sandbox, "bare"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_place_for_the_log_that_cannot_be_used_costs_no_metafile_and_is_told() {
    for damage in [
        "rm -rf .git/metalogic-hooks && echo x >.git/metalogic-hooks",
        "rm -rf .git/metalogic-hooks/log && mkdir .git/metalogic-hooks/log",
        "rm -rf .git/metalogic-hooks/queue && echo x >.git/metalogic-hooks/queue",
        "mkdir -p .git/metalogic-hooks/queue/00000000000000000003-1.json",
    ] {
        let sandbox = clone_with_hooks("sha1");
        sandbox.shell(&format!("cd repo && {damage}"));
        commit(&sandbox, "repo", "next");
        assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]), Vec::<String>::new(), "{damage}");
        let status = sandbox.run(&["hooks", "status"]);
        assert!(status.code == Some(0) && status.stdout.contains("none is missing of 2"), "{damage}: {status}");
        let is_told = status.stderr.contains("metalogic-hooks cannot be read")
            && status.stderr.contains("to remove it does no harm");
        assert_eq!(is_told, !damage.starts_with("mkdir"), "{damage}: {status}");
    }
}

#[test]
fn a_hook_is_where_git_says_and_takes_its_options_where_they_stand() {
    let sandbox = clone_with_hooks("sha1");
    sandbox.git(".", &["init", "--quiet", "other"]);
    let mut git =
        sandbox.with_program(sandbox.git_command("repo", &["commit", "--quiet", "--allow-empty", "-m", "next"]));
    assert!(git.env("METALOGIC_DIR", sandbox.path("other")).status().unwrap().success());
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]), Vec::<String>::new());
    ok(&sandbox, "repo", &["-c", "core.hooksPath=/nowhere", "commit", "--quiet", "--allow-empty", "-m", "unseen"]);
    let ran = sandbox.run(&["stub", "--hook", "post-commit", "--dry-run", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&object["dry_run"], object["stubs"].as_array().unwrap().len()), (&true.into(), 1), "{ran}");
    assert_eq!(without_metafile(&sandbox, "repo", &["HEAD"]).len(), 1);
    // What is checked out in another work tree, on no branch, is looked at too.
    ok(&sandbox, "repo", &["worktree", "add", "--quiet", "--detach", "../loose"]);
    ok(&sandbox, "loose", &["-c", "core.hooksPath=/nowhere", "commit", "--quiet", "--allow-empty", "-m", "loose"]);
    let loose = ok(&sandbox, "loose", &["rev-parse", "HEAD"]);
    assert!(sandbox.done(&["hooks", "status"]).contains(&loose));
}
