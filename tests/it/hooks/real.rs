//! Hooks beside the real pre-commit, from the same venv as moto.

use super::stand_in::{calls, executable, stand_in, with_tools};
use crate::moto::python::python;
use crate::sandbox::Sandbox;

const CONFIG: &str = "default_install_hook_types: [pre-push, post-commit]\nrepos:\n- repo: local\n  hooks:\n  - id: check\n    \
    name: check\n    entry: sh -c 'echo checks >> \"$CALLS/../checks\"'\n    language: system\n    always_run: true\n    \
    pass_filenames: false\n    stages: [pre-push, post-commit]\n";

/// Returns which hooks called the program at a commit and a push, and how often pre-commit checked.
fn commit_and_push(sandbox: &Sandbox) -> (Vec<String>, usize) {
    calls(sandbox);
    sandbox.write("checks", "");
    for arguments in [
        &["commit", "--quiet", "--allow-empty", "-m", "next"][..],
        &["push", "--quiet", "../there", "HEAD:refs/heads/main"],
    ] {
        let output = with_tools(sandbox, &mut sandbox.git_command("repo", arguments)).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", sandbox.ran("git", &output));
    }
    let told = calls(sandbox).into_iter().map(|call| call.arguments[2].clone()).collect();
    (told, sandbox.read("checks").lines().count())
}

#[test]
fn pre_commit_itself_and_ours_get_along_in_either_order() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::with_repository();
    stand_in(&sandbox, "bin");
    sandbox.git(".", &["init", "--quiet", "--bare", "there"]);
    sandbox.write("repo/.pre-commit-config.yaml", CONFIG);
    sandbox.commit("configured");
    executable(&sandbox, "pre-commit", &format!("#!/bin/sh\nexec '{}' -m pre_commit \"$@\"\n", python.display()));
    let pre_commit = |arguments: &str| sandbox.shell(&format!("cd repo && ../pre-commit {arguments} 2>&1"));
    let both = || vec!["post-commit".to_owned(), "pre-push".to_owned()];
    // Ours over its own, and it over ours again, which is where hooks could run each other for ever.
    pre_commit("install");
    sandbox.done(&["hooks", "install"]);
    assert_eq!(commit_and_push(&sandbox), (both(), 2));
    let said = pre_commit("install");
    assert!(said.contains("migration mode"), "{said}");
    assert_eq!(commit_and_push(&sandbox), (both(), 2));
    sandbox.done(&["hooks", "uninstall"]);
    assert_eq!(commit_and_push(&sandbox), (vec![], 2));
    // It over ours, and away again.
    pre_commit("uninstall");
    for hook in ["post-commit", "pre-push"] {
        std::fs::remove_file(sandbox.path(&format!("repo/.git/hooks/{hook}.before-metalogic"))).unwrap();
    }
    sandbox.done(&["hooks", "install"]);
    pre_commit("install");
    assert!(sandbox.done(&["hooks", "status"]).contains("run by pre-commit"));
    assert_eq!(commit_and_push(&sandbox), (both(), 2));
    pre_commit("uninstall");
    assert_eq!(commit_and_push(&sandbox), (both(), 0));
}
