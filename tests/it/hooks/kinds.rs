//! Hooks in every kind of repository.

use super::stand_in::{calls, git, listing, stand_in, with_tools};
use crate::sandbox::Sandbox;

/// A repository at a path, with one commit, and the stand-in on the path.
fn with_repository(path: &str, options: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    stand_in(&sandbox, "bin");
    sandbox.git(".", &[&["init", "--quiet", "--initial-branch=main"], options, &[path]].concat());
    sandbox.git(path, &["commit", "--quiet", "--allow-empty", "-m", "first"]);
    sandbox
}

fn done(sandbox: &Sandbox, directory: &str, arguments: &[&str]) {
    let ran = sandbox.run_in(directory, arguments);
    assert_eq!(ran.code, Some(0), "{ran}");
}

/// Commits, and returns which hooks called the program.
fn commit(sandbox: &Sandbox, directory: &str) -> Vec<String> {
    calls(sandbox);
    git(sandbox, directory, &["commit", "--quiet", "--allow-empty", "-m", "next"]);
    let head = sandbox.git(directory, &["rev-parse", "HEAD"]).trim().to_owned();
    calls(sandbox)
        .into_iter()
        .map(|call| {
            assert_eq!(call.head, head, "the program is asked where the commit is");
            call.arguments[2].clone()
        })
        .collect()
}

/// Installs, commits, uninstalls and commits: what is in the directory of hooks is then what it was.
fn there_and_back(sandbox: &Sandbox, directory: &str, hooks: &str, commits_in: &str) {
    let hooks = sandbox.path(hooks);
    let before = listing(&hooks);
    done(sandbox, directory, &["hooks", "install"]);
    assert_eq!(listing(&hooks).len(), before.len() + 5, "{directory}");
    done(sandbox, directory, &["hooks", "status"]);
    assert_eq!(commit(sandbox, commits_in), ["post-commit"], "{directory}");
    done(sandbox, directory, &["hooks", "uninstall"]);
    assert_eq!(listing(&hooks), before, "{directory}");
    assert_eq!(commit(sandbox, commits_in), Vec::<String>::new(), "{directory}");
}

#[test]
fn in_a_clone_of_any_format_and_name_the_hooks_come_work_and_go() {
    let formats = [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]];
    for (format, name) in formats.into_iter().zip(["repo", "it's \"a\" $HOME repo", "Größe 漢字 \\n"]) {
        let sandbox = with_repository(name, format);
        let hooks = format!("{name}/.git/hooks");
        there_and_back(&sandbox, name, &hooks, name);
        std::fs::create_dir(sandbox.path(&format!("{name}/below"))).unwrap();
        there_and_back(&sandbox, &format!("{name}/below"), &hooks, name);
        there_and_back(&sandbox, &format!("{name}/.git"), &hooks, name);
    }
}

#[test]
fn linked_work_trees_share_their_hooks_and_a_submodule_has_its_own() {
    let sandbox = with_repository("repo", &[]);
    sandbox.git("repo", &["worktree", "add", "--quiet", "../tree", "-b", "other"]);
    there_and_back(&sandbox, "tree", "repo/.git/hooks", "repo");
    there_and_back(&sandbox, "repo", "repo/.git/hooks", "tree");
    let url = format!("file://{}", sandbox.path("repo").display());
    sandbox.git(".", &["init", "--quiet", "outer"]);
    sandbox.git("outer", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "inner"]);
    there_and_back(&sandbox, "outer/inner", "outer/.git/modules/inner/hooks", "outer/inner");
    assert!(!sandbox.path("outer/.git/hooks/post-commit").exists());
}

#[test]
fn a_bare_repository_has_a_hook_for_what_is_pushed_to_it() {
    for format in ["sha1", "sha256"] {
        let format = format!("--object-format={format}");
        let sandbox = with_repository("repo", &[&format]);
        sandbox.git(".", &["init", "--quiet", "--bare", &format, "there"]);
        let before = listing(&sandbox.path("there/hooks"));
        done(&sandbox, "there", &["hooks", "install"]);
        assert_eq!(listing(&sandbox.path("there/hooks")).len(), before.len() + 1);
        let push = |branch: &str| git(&sandbox, "repo", &["push", "../there", &format!("main:{branch}")]);
        // Who pushes hears what is on the program's standard error, and nothing of its standard output.
        let heard = push("one");
        assert!(heard.contains("remote: on stderr") && !heard.contains("on stdout"), "{heard}");
        let head = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
        let calls = calls(&sandbox);
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].arguments, ["stub", "--hook", "post-receive"]);
        assert_eq!(calls[0].input, format!("{} {head} refs/heads/one\n", "0".repeat(head.len())).as_bytes());
        done(&sandbox, "there", &["hooks", "uninstall"]);
        assert_eq!(listing(&sandbox.path("there/hooks")), before);
        assert!(!push("two").contains("remote:"));
        // A bare repository with work trees beside it has commits made in it, too.
        let repository = sandbox.path("there");
        sandbox.git(".", &["--git-dir", repository.to_str().unwrap(), "worktree", "add", "--quiet", "tree", "one"]);
        for directory in ["tree", "there"] {
            done(&sandbox, directory, &["hooks", "install"]);
            assert_eq!(listing(&sandbox.path("there/hooks")).len(), before.len() + 6, "{directory}");
            assert_eq!(commit(&sandbox, "tree"), ["post-commit"]);
            done(&sandbox, directory, &["hooks", "uninstall"]);
            assert_eq!(listing(&sandbox.path("there/hooks")), before);
        }
    }
}

#[test]
fn a_repository_that_the_environment_names_is_the_one_whose_hooks_are_meant() {
    let sandbox = with_repository("repo", &[]);
    sandbox.git(".", &["init", "--quiet", "other"]);
    std::fs::create_dir_all(sandbox.path("other/deep/below")).unwrap();
    let run = |verb: &str| {
        let mut command = sandbox.command("other/deep/below", &["--json", "hooks", verb]);
        command.env("GIT_DIR", "../../../repo/.git").env("GIT_WORK_TREE", "../../../repo");
        let ran = sandbox.ran(verb, &command.output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stdout.contains("[DIR]/repo/.git/hooks/post-commit"), "{ran}");
    };
    run("install");
    assert_eq!(commit(&sandbox, "repo"), ["post-commit"]);
    run("uninstall");
    assert_eq!(commit(&sandbox, "repo"), Vec::<String>::new());
    assert!(!sandbox.path("other/.git/hooks/post-commit").exists());
    // A commit that git makes with GIT_DIR set has its hooks all the same.
    done(&sandbox, "repo", &["hooks", "install"]);
    let mut command = sandbox.git_command(".", &["commit", "--quiet", "--allow-empty", "-m", "from outside"]);
    command.env("GIT_DIR", sandbox.path("repo/.git")).env("GIT_WORK_TREE", sandbox.path("repo"));
    assert!(with_tools(&sandbox, &mut command).output().unwrap().status.success());
    assert_eq!(calls(&sandbox).len(), 1);
}

#[test]
fn rewriting_merging_and_applying_each_run_their_hook() {
    let sandbox = with_repository("repo", &[]);
    done(&sandbox, "repo", &["hooks", "install"]);
    let ran = |arguments: &[&str]| {
        calls(&sandbox);
        git(&sandbox, "repo", arguments);
        let mut names: Vec<String> = calls(&sandbox).into_iter().map(|call| call.arguments[2..].join(" ")).collect();
        names.sort();
        names
    };
    sandbox.write("repo/file", "text");
    git(&sandbox, "repo", &["add", "file"]);
    assert_eq!(ran(&["commit", "--quiet", "-m", "a file"]), ["post-commit"]);
    assert_eq!(ran(&["commit", "--quiet", "--amend", "-m", "the file"]), ["post-commit", "post-rewrite amend"]);
    sandbox.git("repo", &["format-patch", "--quiet", "-1", "-o", ".."]);
    sandbox.git("repo", &["reset", "--quiet", "--hard", "HEAD~1"]);
    let patch = sandbox.path("0001-the-file.patch");
    assert_eq!(ran(&["am", "--quiet", patch.to_str().unwrap()]), ["post-applypatch"]);
    sandbox.git("repo", &["branch", "side"]);
    git(&sandbox, "repo", &["commit", "--quiet", "--allow-empty", "-m", "main goes on"]);
    git(&sandbox, "repo", &["switch", "--quiet", "side"]);
    git(&sandbox, "repo", &["commit", "--quiet", "--allow-empty", "-m", "so does the side"]);
    assert!(ran(&["rebase", "--quiet", "main"]).contains(&"post-rewrite rebase".to_owned()));
    git(&sandbox, "repo", &["switch", "--quiet", "main"]);
    assert_eq!(ran(&["merge", "--quiet", "side"]), ["post-merge 0"]);
}
