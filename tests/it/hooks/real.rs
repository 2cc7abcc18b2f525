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

#[test]
fn the_hooks_that_pre_commit_may_have_from_here_do_what_ours_do() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::with_repository();
    sandbox.git(".", &["init", "--quiet", "--bare", "there"]);
    sandbox.git(".", &["init", "--quiet", "ours"]);
    let hooks = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.pre-commit-hooks.yaml")).unwrap();
    sandbox.write("ours/.pre-commit-hooks.yaml", &hooks);
    sandbox.git("ours", &["add", "."]);
    sandbox.git("ours", &["commit", "--quiet", "-m", "hooks"]);
    let names: Vec<&str> = hooks.lines().filter_map(|line| line.strip_prefix("- id: ")).collect();
    assert_eq!(names.len(), 4, "{hooks}");
    let listed: String = names.iter().map(|name| format!("  - id: {name}\n")).collect();
    let (place, revision) = (sandbox.path("ours"), sandbox.git("ours", &["rev-parse", "HEAD"]));
    let config = format!("repos:\n- repo: {}\n  rev: {revision}  hooks:\n{listed}", place.display());
    sandbox.write("repo/.pre-commit-config.yaml", config);
    executable(&sandbox, "pre-commit", &format!("#!/bin/sh\nexec '{}' -m pre_commit \"$@\"\n", python.display()));
    let said = sandbox.shell(
        "cd repo && { metalogic stub && ../pre-commit install -t post-commit -t post-merge -t post-rewrite -t pre-push && git add . && \
         git commit --quiet -m one && git commit --quiet --amend -m two && git switch --quiet -c side && git commit --quiet --allow-empty -m three \
         && git switch --quiet main && git commit --quiet --allow-empty -m four && git merge --quiet --no-ff -m five side \
         && git -c core.hooksPath=/nowhere commit --quiet --allow-empty -m six && git push ../there main && echo done; } 2>&1",
    );
    assert!(said.ends_with("done\n") && said.matches("Passed").count() >= 6 && !said.contains("Failed"), "{said}");
    let has = |id: &str| sandbox.path(&format!("repo/.git/metalogic/builds/{id}/build_meta.json")).exists();
    let reached = sandbox.git("repo", &["rev-list", "main", "side"]);
    // What is pushed is seen to in the background.
    let began = std::time::Instant::now();
    while !reached.lines().all(has) {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{said}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // Without the program they stop nothing.
    let without = sandbox.git_command("repo", &["push", "--quiet", "../there", "main:other"]).output().unwrap();
    assert!(without.status.success(), "{}", sandbox.ran("push", &without));
}
