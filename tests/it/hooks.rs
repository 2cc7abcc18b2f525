//! Git's hooks: what they do when git runs them, and having them in place.

mod kinds;
mod layouts;
mod packages;
mod real;
mod scripts;
mod stand_in;

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;
use serde_json::Value;

use crate::sandbox::Sandbox;
use stand_in::{MODE, executable, hooks_of, listing, mode};

/// Every hook of a clone, in git's order of a commit's life.
const OF_CLONE: [&str; 5] = ["post-commit", "post-merge", "post-rewrite", "post-applypatch", "pre-push"];

/// What `hooks/post-commit` was before there was `hooks install`: people copied it by hand.
const FIRST_VERSION: &str = "#!/bin/sh\n\
    # Gives each new commit its metafile. It never fails a commit, and where metalogic is not installed it does nothing.\n\
    command -v metalogic >/dev/null 2>&1 || exit 0\n\
    metalogic --quiet stub HEAD >/dev/null 2>&1 </dev/null\n\
    exit 0\n";

/// Returns each hook with what a key says of it.
fn said(sandbox: &Sandbox, arguments: &[&str], key: &str) -> Vec<(String, String)> {
    let ran = sandbox.run(&[&["--json", "hooks"], arguments].concat());
    let object: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    object["hooks"].as_array().unwrap().iter().map(|one| (text(&one["hook"]), text(&one[key]))).collect()
}

fn all(what: &str) -> Vec<(String, String)> {
    OF_CLONE.iter().map(|hook| ((*hook).to_owned(), what.to_owned())).collect()
}

#[test]
fn what_is_said_of_hooks_is_what_is_done() {
    let sandbox = Sandbox::with_repository();
    executable(&sandbox, "repo/.git/hooks/pre-push", "#!/bin/sh\nexit 0\n");
    let mut shown = String::new();
    let mut tell = |arguments: &[&str]| {
        let output = sandbox.command("repo", arguments).env("PATH", stand_in::tools(&sandbox)).output().unwrap();
        let ran = sandbox.ran(&format!("metalogic {}", arguments.join(" ")), &output);
        shown.push_str(&ran.to_string().replace(env!("CARGO_BIN_EXE_metalogic"), "[PROGRAM]"));
        shown.push('\n');
    };
    tell(&["hooks", "status"]);
    tell(&["hooks", "install", "--dry-run"]);
    tell(&["hooks", "install"]);
    tell(&["hooks", "install"]);
    sandbox.write("repo/.git/hooks/post-commit", FIRST_VERSION);
    tell(&["hooks", "status"]);
    tell(&["hooks", "install"]);
    tell(&["hooks", "uninstall", "-n"]);
    tell(&["hooks", "uninstall"]);
    tell(&["hooks", "uninstall"]);
    executable(&sandbox, "repo/.git/hooks/pre-push.before-metalogic", "#!/bin/sh\nexit 0\n");
    executable(&sandbox, "repo/.git/hooks/post-merge", "#!/bin/sh\nexit 0\n");
    executable(&sandbox, "repo/.git/hooks/post-merge.before-metalogic", "#!/bin/sh\nexit 1\n");
    tell(&["hooks", "install"]);
    sandbox.git("repo", &["config", "core.hooksPath", "/dev/null"]);
    tell(&["hooks", "status"]);
    tell(&["hooks", "install"]);
    tell(&["-C", "..", "hooks", "install"]);
    assert_snapshot!(shown);
}

#[test]
fn to_install_again_changes_nothing_and_a_dry_run_never_does() {
    let sandbox = Sandbox::with_repository();
    let hooks = hooks_of(&sandbox);
    executable(&sandbox, "repo/.git/hooks/pre-push", "#!/bin/sh\nexit 0\n");
    let before = listing(&hooks);
    assert_eq!(said(&sandbox, &["install", "--dry-run"], "outcome"), all("installed"));
    assert_eq!(listing(&hooks), before);
    assert_eq!(said(&sandbox, &["install"], "outcome"), all("installed"));
    let installed = listing(&hooks);
    assert_ne!(installed, before);
    assert_eq!(said(&sandbox, &["install"], "outcome"), all("in place"));
    assert_eq!(said(&sandbox, &["uninstall", "--dry-run"], "outcome")[0].1, "removed");
    assert_eq!(listing(&hooks), installed);
    sandbox.write("repo/.git/metalogic-hooks/log", "something failed");
    sandbox.done(&["hooks", "uninstall"]);
    assert_eq!(listing(&hooks), before);
    assert!(!sandbox.path("repo/.git/metalogic-hooks").exists());
    sandbox.done(&["hooks", "uninstall"]);
    assert_eq!(listing(&hooks), before);
}

#[test]
fn one_of_ours_that_another_version_wrote_or_that_may_not_be_started_is_written_anew() {
    let sandbox = Sandbox::with_repository();
    sandbox.done(&["hooks", "install"]);
    let right = listing(&hooks_of(&sandbox));
    sandbox.write("repo/.git/hooks/post-commit", FIRST_VERSION);
    let path = sandbox.path("repo/.git/hooks/post-merge");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut expected = all("installed");
    for hook in [0, 1] {
        "outdated".clone_into(&mut expected[hook].1);
    }
    assert_eq!(said(&sandbox, &["status"], "state"), expected);
    sandbox.done(&["hooks", "install"]);
    assert_eq!(listing(&hooks_of(&sandbox)), right);
    // Where the program was is no matter of versions; to install tells it anew.
    let moved = sandbox.read("repo/.git/hooks/pre-push").replace(env!("CARGO_BIN_EXE_metalogic"), "/else/where");
    sandbox.write("repo/.git/hooks/pre-push", moved);
    assert_eq!(said(&sandbox, &["status"], "state"), all("installed"));
    assert_eq!(said(&sandbox, &["install"], "outcome")[4].1, "rewritten");
    assert_eq!(listing(&hooks_of(&sandbox)), right);
}

#[test]
fn a_hook_that_is_there_is_kept_as_it_is_and_given_back_as_it_was() {
    let sandbox = Sandbox::with_repository();
    let hooks = hooks_of(&sandbox);
    executable(&sandbox, "repo/.git/hooks/post-commit", "#!/bin/sh\nexit 3\n");
    executable(&sandbox, "repo/.git/hooks/post-merge", "#!/usr/bin/env python3\nprint('here')\n");
    std::fs::set_permissions(hooks.join("post-merge"), std::fs::Permissions::from_mode(0o4711)).unwrap();
    // Not executable: git does not run it, and neither does ours.
    sandbox.write("repo/.git/hooks/post-rewrite", "#!/bin/sh\nexit 4\n");
    executable(&sandbox, "repo/tools/hook", "#!/bin/sh\nexit 5\n");
    std::os::unix::fs::symlink("../../tools/hook", hooks.join("post-applypatch")).unwrap();
    // A directory has no second name, as no file has where there are no hard links.
    std::fs::create_dir(hooks.join("pre-push")).unwrap();
    let before = listing(&hooks);
    sandbox.done(&["hooks", "install"]);
    let installed = listing(&hooks);
    for hook in OF_CLONE {
        let named = |listing: &[(String, u32, Vec<u8>)], name: &str| {
            let found = listing.iter().find(|(known, ..)| known == name).cloned();
            found.map(|(_, mode, text)| (mode, text)).unwrap_or_else(|| panic!("there is no {name}"))
        };
        assert_eq!(named(&installed, &format!("{hook}.before-metalogic")), named(&before, hook), "{hook}");
        assert_eq!(mode(&hooks.join(hook)), 0o755, "{hook}");
        assert!(!hooks.join(hook).is_symlink(), "{hook}");
    }
    sandbox.done(&["hooks", "uninstall"]);
    assert_eq!(listing(&hooks), before);
}

#[test]
fn whoever_has_a_hook_that_goes_by_its_own_name_is_warned() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--bare", "bare"]);
    let hook = sandbox.path("bare/hooks/post-receive");
    for (text, warned) in [
        ("#!/usr/bin/env ruby\nload File.join(__dir__, File.basename($0) + '.rb')\n", true),
        ("#!/usr/bin/python3 -u\nimport sys\nprint(sys.argv[0])\n", true),
        ("#!/usr/bin/env ruby\nputs 1\n", false),
        ("#!/usr/bin/env bash\nexec run-parts \"$0.d\"\n", false),
        ("#!/bin/sh -e\nexec \"$(dirname \"$0\")/$(basename \"$0\").d/mail\"\n", false),
    ] {
        executable(&sandbox, "bare/hooks/post-receive", text);
        let ran = sandbox.run_in("bare", &["hooks", "install"]);
        let told = "post-receive.before-metalogic seems to go by its own name, which is another than post-receive now";
        assert_eq!((ran.code, ran.stderr.contains(told)), (Some(0), warned), "{ran}");
        // Told once: nothing is new when it is installed again.
        assert_eq!(sandbox.run_in("bare", &["hooks", "install"]).stderr, "");
        assert_eq!(sandbox.run_in("bare", &["hooks", "uninstall"]).code, Some(0));
        assert_eq!(std::fs::read_to_string(&hook).unwrap(), text);
    }
}

#[test]
fn a_kept_hook_that_a_shell_runs_sees_the_name_that_git_calls_it_by() {
    for first in ["#!/bin/sh", "#!/bin/sh -e", "#! /usr/bin/env bash", "#!/bin/bash -u"] {
        let sandbox = Sandbox::with_repository();
        sandbox.git(".", &["init", "--quiet", "--bare", "there"]);
        let text = format!(
            "{first}\necho \"$0 $(basename \"$0\") $(dirname \"$0\") $*\" >>../heard\ncat >>../heard\nexit 3\n"
        );
        executable(&sandbox, "repo/.git/hooks/pre-push", &text);
        let push = ["push", "--quiet", "../there", "HEAD:refs/heads/main"];
        let heard = || {
            let output = sandbox.with_program(sandbox.git_command("repo", &push)).output().unwrap();
            assert!(!output.status.success(), "it refuses: {}", sandbox.ran("push", &output));
            let heard = sandbox.read("heard");
            std::fs::remove_file(sandbox.path("heard")).unwrap();
            heard
        };
        let before = heard();
        assert!(before.starts_with(".git/hooks/pre-push pre-push .git/hooks ../there ../there\nHEAD "), "{before}");
        sandbox.done(&["hooks", "install"]);
        assert_eq!(heard(), before, "{first}");
    }
}

#[test]
fn where_a_hook_and_what_it_would_be_kept_as_are_both_taken_neither_is_touched() {
    let sandbox = Sandbox::with_repository();
    let taken = ["post-commit", "post-commit.before-metalogic", "pre-push", "pre-push.before-metalogic"].map(|name| {
        let path = format!("repo/.git/hooks/{name}");
        executable(&sandbox, &path, &format!("#!/bin/sh\n# {name}\n"));
        path
    });
    let ran = sandbox.run(&["hooks", "install"]);
    assert_eq!(ran.code, Some(7), "{ran}");
    for path in &taken {
        assert!(ran.stderr.contains(&format!("[DIR]/{path}")), "{path}: {ran}");
        assert_eq!(sandbox.read(path), format!("#!/bin/sh\n# {}\n", path.rsplit('/').next().unwrap()));
    }
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{ran}");
    let states: Vec<String> = said(&sandbox, &["status"], "state").into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["another's", "installed", "installed", "installed", "another's"]);
    // What is nobody's of ours stays when ours go, too.
    sandbox.done(&["hooks", "uninstall"]);
    assert!(taken.iter().all(|path| sandbox.path(path).exists()));
}

#[test]
fn an_installation_that_was_cut_short_is_finished_by_the_next() {
    let sandbox = Sandbox::with_repository();
    let hooks = hooks_of(&sandbox);
    executable(&sandbox, "repo/.git/hooks/pre-push", "#!/bin/sh\nexit 6\n");
    let before = listing(&hooks);
    std::fs::hard_link(hooks.join("pre-push"), hooks.join("pre-push.before-metalogic")).unwrap();
    sandbox.done(&["hooks", "install"]);
    assert_eq!(said(&sandbox, &["status"], "state"), all("installed"));
    assert_eq!(sandbox.read("repo/.git/hooks/pre-push.before-metalogic"), "#!/bin/sh\nexit 6\n");
    // Who removed ours by hand has what was kept run again, or gets it back.
    std::fs::remove_file(hooks.join("pre-push")).unwrap();
    sandbox.done(&["hooks", "uninstall"]);
    assert_eq!(listing(&hooks), before);
}

#[test]
fn a_directory_of_hooks_that_is_absent_is_made() {
    let sandbox = Sandbox::with_repository();
    std::fs::remove_dir_all(hooks_of(&sandbox)).unwrap();
    assert_eq!(said(&sandbox, &["status"], "state"), all("absent"));
    assert_eq!(said(&sandbox, &["uninstall"], "outcome"), all("absent"));
    assert_eq!(said(&sandbox, &["install", "-n"], "outcome"), all("installed"));
    assert!(!hooks_of(&sandbox).exists());
    sandbox.done(&["hooks", "install"]);
    assert_eq!(said(&sandbox, &["status"], "state"), all("installed"));
}

#[test]
fn a_directory_that_may_not_be_written_is_access_denied_and_stays_as_it_is() {
    use std::os::unix::process::CommandExt as _;
    let sandbox = Sandbox::with_repository();
    let hooks = hooks_of(&sandbox);
    executable(&sandbox, "repo/.git/hooks/pre-push", "#!/bin/sh\nexit 0\n");
    let before = listing(&hooks);
    std::fs::set_permissions(&hooks, std::fs::Permissions::from_mode(0o555)).unwrap();
    // Root may do anything, so the run is somebody else's, for whom the repository is safe.
    let root = std::fs::write(hooks.join("probe"), "").is_ok();
    if root {
        std::fs::remove_file(hooks.join("probe")).unwrap();
        std::fs::set_permissions(sandbox.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command("repo", arguments);
        if root {
            command.uid(65534).gid(65534);
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory");
            command.env("GIT_CONFIG_VALUE_0", "*");
        }
        sandbox.ran(&arguments.join(" "), &command.output().unwrap())
    };
    let ran = run(&["hooks", "install"]);
    assert_eq!(ran.code, Some(9), "{ran}");
    for hook in OF_CLONE {
        assert!(ran.stderr.contains(&format!("[DIR]/repo/.git/hooks/{hook} cannot be")), "{hook}: {ran}");
    }
    assert!(ran.stderr.contains("hint:"), "{ran}");
    assert_eq!(listing(&hooks), before);
    std::fs::set_permissions(&hooks, std::fs::Permissions::from_mode(MODE)).unwrap();
    sandbox.done(&["hooks", "install"]);
    let installed = listing(&hooks);
    std::fs::set_permissions(&hooks, std::fs::Permissions::from_mode(0o555)).unwrap();
    let ran = run(&["hooks", "uninstall"]);
    assert_eq!((ran.code, listing(&hooks)), (Some(9), installed), "{ran}");
    std::fs::set_permissions(&hooks, std::fs::Permissions::from_mode(MODE)).unwrap();
}

#[test]
fn outside_a_repository_there_are_no_hooks() {
    let sandbox = Sandbox::new();
    for verb in ["install", "uninstall", "status"] {
        let ran = sandbox.run_in(".", &["hooks", verb]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(11), ""), "{ran}");
        assert!(ran.stderr.contains("hint: run this in the repository (-C DIR)"), "{ran}");
    }
}
