//! The binary in every kind of repository, and what it says where git does not help.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::Value;

use crate::sandbox::Sandbox;

const REGISTRY: &str = "[projects.app]\nartifacts = [\"app.zip\", \"docs.tar.gz\"]\n";

/// Makes a repository `repo` with these options, three commits, and an artifact at the first and the second.
fn built(options: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git(".", &[&["init", "--quiet", "--initial-branch=main"], options, &["repo"]].concat());
    sandbox.write("repo/artifacts.toml", REGISTRY);
    sandbox.write("app.zip", "the app");
    sandbox.write("docs.tar.gz", "the docs");
    sandbox.commit("first");
    sandbox.done(&["publish", "../app.zip"]);
    sandbox.commit("second");
    sandbox.done(&["publish", "../docs.tar.gz"]);
    sandbox.commit("third");
    sandbox
}

fn artifacts(shown: &str) -> Vec<(String, String)> {
    let metafile: Value = serde_json::from_str(shown).unwrap();
    let entries = metafile["artifacts"].as_object().unwrap().iter();
    entries.map(|(name, commit)| (name.clone(), commit.as_str().unwrap().to_owned())).collect()
}

#[test]
fn each_format_of_repository_resolves_along_its_own_history() {
    for options in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let sandbox = built(options);
        let ids: Vec<String> = sandbox.git("repo", &["log", "--format=%H"]).lines().map(str::to_owned).collect();
        let expected = vec![("app.zip".to_owned(), ids[2].clone()), ("docs.tar.gz".to_owned(), ids[1].clone())];
        assert_eq!(artifacts(&sandbox.done(&["resolve"])), expected, "{options:?}");
        sandbox.done(&["fetch", "-o", "../got"]);
        assert_eq!(sandbox.tree("got"), ["app.zip", "docs.tar.gz"]);
    }
}

#[test]
fn shallow_partial_bare_and_linked_clones_give_the_same_answer() {
    for format in ["sha1", "sha256"] {
        let sandbox = built(&[&format!("--object-format={format}")]);
        let expected = sandbox.done(&["resolve"]);
        let store = sandbox.path("repo/.git/metalogic");
        let url = format!("file://{}", sandbox.path("repo").display());
        sandbox.git("repo", &["config", "uploadpack.allowFilter", "true"]);
        for (name, options) in
            [("shallow", &["--depth=1"][..]), ("partial", &["--filter=blob:none"]), ("bare", &["--bare"])]
        {
            sandbox.git(".", &[&["clone", "--quiet"], options, &[&url, name]].concat());
            // The clone of depth one resolves through what the metafiles say, so its own must not help it.
            let id = sandbox.git(name, &["rev-parse", "HEAD"]).trim().to_owned();
            std::fs::remove_file(store.join(format!("builds/{id}/build_meta.json"))).unwrap();
            let ran = sandbox.run_in(name, &["--store", store.to_str().unwrap(), "resolve"]);
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), expected.as_str()), "{name} {format}: {ran}");
        }
        // Linked worktrees share the embedded store; a submodule is a repository of its own.
        sandbox.git("repo", &["worktree", "add", "--quiet", "../tree", "HEAD~1"]);
        let root = |directory: &str| {
            let ran = sandbox.run_in(directory, &["--json", "stub"]);
            assert_eq!(ran.code, Some(0), "{ran}");
            serde_json::from_str::<Value>(&ran.stdout).unwrap()["store"].as_str().unwrap().replace("file://[DIR]/", "")
        };
        assert_eq!(root("tree"), "repo/.git/metalogic");
        sandbox.git(".", &["init", "--quiet", &format!("--object-format={format}"), "outer"]);
        sandbox.git("outer", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "inner"]);
        assert_eq!(root("outer/inner"), "outer/.git/modules/inner/metalogic");
    }
}

#[test]
fn where_git_cannot_help_it_is_said_and_what_mends_it() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "unborn"]);
    let mut shown = sandbox.run_in("unborn", &["show"]).to_string();
    let sandbox = built(&[]);
    let id = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    for arguments in [&["show", "v9.9"][..], &["show", "HEAD:artifacts.toml"]] {
        write!(shown, "{}", sandbox.run(arguments)).unwrap();
    }
    // A pull request's job has a merge commit that exists nowhere else.
    sandbox.git("repo", &["checkout", "--quiet", "-b", "branch", "HEAD~1"]);
    sandbox.commit("on the branch");
    sandbox.git("repo", &["checkout", "--quiet", "--detach", &id]);
    sandbox.git("repo", &["merge", "--quiet", "--no-edit", "branch"]);
    sandbox.git("repo", &["update-ref", "refs/remotes/pull/7/merge", "HEAD"]);
    write!(shown, "{}", sandbox.run(&["publish"])).unwrap();
    write!(shown, "{}", sandbox.run(&["stub", "--dry-run", "branch"])).unwrap();
    assert_snapshot!(shown);
}

#[cfg(unix)]
#[test]
fn a_repository_of_somebody_else_is_refused_with_what_mends_it() {
    let sandbox = built(&[]);
    // Only root can give files away; elsewhere there is nobody to be somebody else.
    if std::os::unix::fs::chown(sandbox.path("repo"), Some(65534), Some(65534)).is_err() {
        return;
    }
    std::os::unix::fs::chown(sandbox.path("repo/.git"), Some(65534), Some(65534)).unwrap();
    let ran = sandbox.run(&["show"]);
    assert_eq!(ran.code, Some(11), "{ran}");
    assert!(ran.stderr.contains("git config --global --add safe.directory '[DIR]/repo'"), "{ran}");
}

#[test]
fn without_the_git_program_a_sha_256_repository_says_that_it_needs_it() {
    let sandbox = built(&["--object-format=sha256"]);
    let output = sandbox.command("repo", &["show"]).env("PATH", "/nowhere").output().unwrap();
    let ran = sandbox.ran("show", &output);
    assert_eq!(ran.code, Some(11), "{ran}");
    assert!(ran.stderr.contains("the git program is needed") && ran.stderr.contains("hint: install git"), "{ran}");
    let plain = built(&[]);
    let output = plain.command("repo", &["show"]).env("PATH", "/nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", plain.ran("show", &output));
}

#[cfg(unix)]
#[test]
fn the_hook_gives_each_commit_a_metafile_and_holds_up_none() {
    let sandbox = Sandbox::with_repository();
    let hook = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/hooks/post-commit")).unwrap();
    sandbox.write("repo/.git/hooks/post-commit", hook);
    let set = "chmod +x repo/.git/hooks/post-commit && cd repo";
    let shown = sandbox.shell(&format!(
        "{set} && git commit --quiet --allow-empty -m one && git commit --quiet --allow-empty -m two && git worktree add --quiet ../tree \
         && cd ../tree && git commit --quiet --allow-empty -m three; echo $?; git rev-parse HEAD~2 HEAD~1 HEAD"
    ));
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "0"), "{shown}");
    for id in &lines[1..] {
        assert!(sandbox.path(&format!("repo/.git/metalogic/builds/{id}/build_meta.json")).exists(), "{id}");
    }
    // It is silent where the program is not installed, and where the store refuses.
    sandbox.write("repo/.git/blocked", "a file is no store");
    let shown = sandbox.shell(
        "cd repo; git config metalogic.store .git/blocked; git commit --allow-empty -m four 2>&1 >/dev/null; echo $?;\
         PATH=/usr/local/bin:/usr/bin:/bin git commit --allow-empty -m five 2>&1 >/dev/null; echo $?",
    );
    assert_eq!(shown, "0\n0\n");
}

#[cfg(unix)]
#[test]
fn a_store_that_refuses_is_access_denied_and_nothing_is_left_behind() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let sandbox = built(&[]);
    let store = sandbox.path("closed");
    std::fs::create_dir(&store).unwrap();
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = sandbox.command("repo", &["--store", store.to_str().unwrap(), "publish", "../app.zip"]);
    // Root may do anything, so the run is somebody else's, for whom the repository is safe.
    if std::os::unix::fs::chown(&store, None, None).is_ok() && std::fs::write(store.join("probe"), "").is_ok() {
        std::fs::remove_file(store.join("probe")).unwrap();
        std::fs::set_permissions(sandbox.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(65534).gid(65534);
        command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
    }
    let ran = sandbox.ran("publish", &command.output().unwrap());
    assert_eq!(ran.code, Some(9), "{ran}");
    assert!(ran.stderr.contains("is denied") && ran.stderr.contains("hint:"), "{ran}");
    assert_eq!(sandbox.tree("closed"), Vec::<String>::new());
}
