//! Hooks beside the real git-lfs and the real husky, from their packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::stand_in::{hooks_of, listing};
use crate::sandbox::Sandbox;

/// What brings git-lfs and husky into the current directory. Where packages come from is the machine's own affair.
const GIT_LFS: &str = "apt-get download --quiet git-lfs && dpkg-deb --extract git-lfs_*.deb .";
const HUSKY: &str = "npm install --silent --no-audit --no-fund husky@9";

/// Returns a directory below the target directory into which a package was brought; none, having said so, where this machine has no way to it.
fn brought(name: &str, by: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = target.join(name);
    std::fs::create_dir_all(target).unwrap();
    let lock = std::fs::File::create(target.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !place.exists() {
        let part = tempfile::Builder::new().prefix(name).tempdir_in(target).unwrap();
        let output = Command::new("sh").args(["-c", by]).current_dir(part.path()).output().unwrap();
        if !output.status.success() {
            eprintln!("skipped: {name} is not to be had: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        std::fs::rename(part.keep(), &place).unwrap();
    }
    Some(place)
}

/// Runs a script in `repo` with the program, and with what lies in a directory; it must succeed.
fn sh(sandbox: &Sandbox, tools: &Path, script: &str) -> String {
    let mut command = sandbox.with_program(sandbox.plain_command("sh"));
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap().to_owned();
    let path = std::env::join_paths(std::iter::once(tools.to_owned()).chain(std::env::split_paths(&path))).unwrap();
    let output = command.env("PATH", path).current_dir(sandbox.path("repo")).args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{}", sandbox.ran(script, &output));
    String::from_utf8(output.stdout).unwrap()
}

fn without_metafile(sandbox: &Sandbox) -> Vec<String> {
    let has = |id: &&str| sandbox.path(&format!("repo/.git/metalogic/builds/{id}/build_meta.json")).exists();
    sandbox.git("repo", &["rev-list", "HEAD"]).lines().filter(|id| !has(id)).map(str::to_owned).collect()
}

#[test]
fn git_lfs_uploads_what_is_pushed_and_ours_see_to_the_metafiles() {
    static GOT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let Some(tools) = GOT.get_or_init(|| brought("git-lfs", GIT_LFS)).as_ref().map(|place| place.join("usr/bin"))
    else {
        return;
    };
    let sandbox = Sandbox::with_repository();
    sandbox.git(".", &["init", "--quiet", "--bare", "there"]);
    sh(&sandbox, &tools, "git lfs install --local; git remote add origin \"file://$PWD/../there\"");
    let before = listing(&hooks_of(&sandbox));
    sh(&sandbox, &tools, "metalogic stub; metalogic hooks install");
    let commit = "git lfs track '*.bin'; echo large > a.bin; git add .; git commit --quiet -m large; git push --quiet origin HEAD:refs/heads/main";
    sh(&sandbox, &tools, commit);
    assert!(sandbox.tree("there/lfs/objects").len() > 2, "git-lfs has uploaded: {:?}", sandbox.tree("there/lfs"));
    assert_eq!(without_metafile(&sandbox), Vec::<String>::new());
    sh(&sandbox, &tools, "metalogic hooks uninstall");
    assert_eq!(listing(&hooks_of(&sandbox)), before);
}

#[test]
fn husky_runs_the_lines_that_it_is_told_to_add() {
    static GOT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let Some(tools) = GOT.get_or_init(|| brought("husky", HUSKY)) else { return };
    let sandbox = Sandbox::with_repository();
    sandbox.git(".", &["init", "--quiet", "--bare", "there"]);
    let husky = tools.join("node_modules/husky/bin.js");
    sh(&sandbox, tools, &format!("echo '{{}}' > package.json; node '{}'; metalogic stub", husky.display()));
    let told = sandbox.run(&["hooks", "install"]);
    assert_eq!(told.code, Some(12), "{told}");
    // What is told is done by hand: a line with a path, then the line that belongs there.
    let told = sandbox.shell("cd repo && metalogic hooks install 2>/dev/null");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 10, "{told}");
    for pair in lines.chunks(2) {
        let path = pair[0].strip_suffix(": to be added:").unwrap();
        let old = std::fs::read_to_string(path).unwrap_or_default();
        std::fs::write(path, format!("{old}{}\n", pair[1].trim())).unwrap();
    }
    assert_eq!(sandbox.run(&["hooks", "install"]).code, Some(0));
    sh(
        &sandbox,
        tools,
        "git add .; git commit --quiet -m one; git commit --quiet --amend -m two; git push --quiet ../there HEAD:refs/heads/main",
    );
    assert_eq!(without_metafile(&sandbox), Vec::<String>::new());
    // Where the program is gone, nothing is stopped.
    let without = "PATH=$(echo \"$PATH\" | tr : '\\n' | while read -r part; do [ -x \"$part/metalogic\" ] || printf %s: \"$part\"; done); \
                   git commit --quiet --allow-empty -m three; git push --quiet ../there HEAD:refs/heads/main";
    sh(&sandbox, tools, without);
    assert_eq!(without_metafile(&sandbox).len(), 1);
}
