//! Links, devices and pipes that stand where a file is expected: nothing behind them changes, and nobody waits for them.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::expect_lines;
use crate::sandbox::{Ran, Sandbox};

/// Longer than anything here takes, and shorter than anybody waits for a pipe.
const PATIENCE: Duration = Duration::from_secs(20);

/// A repository with an artifact at HEAD, and what links lead to: a file, a directory, nothing, a device, a pipe.
fn trap() -> (Sandbox, String, Vec<PathBuf>) {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/app.zip", "app");
    sandbox.done(&["-q", "--store", "../store", "publish", "app.zip"]);
    sandbox.write("victim", "secret");
    sandbox.write("elsewhere/app.zip", "theirs");
    assert!(sandbox.plain_command("mkfifo").arg("pipe").status().unwrap().success());
    let at = |name: &str| sandbox.path(name);
    let targets = vec![at("victim"), at("elsewhere"), at("nowhere"), PathBuf::from("/dev/zero"), at("pipe")];
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    (sandbox, commit, targets)
}

/// Runs the program, which waits for nothing.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let since = Instant::now();
    let mut command = sandbox.command("repo", &["-q", "--store", "../store"]);
    let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() && since.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    // Whoever has ended is not hurt.
    drop(child.kill());
    let ran = sandbox.ran(&arguments.join(" "), &child.wait_with_output().unwrap());
    assert!(since.elapsed() < PATIENCE, "{ran}");
    expect_lines(&ran);
    ran
}

fn expect_untouched(sandbox: &Sandbox) {
    assert_eq!(sandbox.read("victim"), "secret");
    assert_eq!(sandbox.tree("elsewhere"), ["app.zip"]);
    assert_eq!(sandbox.read("elsewhere/app.zip"), "theirs");
    assert!(!sandbox.path("nowhere").exists());
}

#[test]
fn a_link_under_an_artifacts_name_is_replaced_or_refused_and_never_followed() {
    let (sandbox, _, targets) = trap();
    std::fs::create_dir(sandbox.path("repo/out")).unwrap();
    let link = sandbox.path("repo/out/app.zip");
    for (target, code) in targets.iter().zip([0, 7, 0, 7, 7]) {
        for arguments in [["fetch", "-o", "out", "app.zip"], ["fetch", "--as", "out/app.zip", "app.zip"]] {
            symlink(target, &link).unwrap();
            let ran = run(&sandbox, &arguments);
            assert_eq!(ran.code, Some(code), "{}: {ran}", target.display());
            assert_eq!(link.is_symlink(), code != 0);
            expect_untouched(&sandbox);
            std::fs::remove_file(&link).unwrap();
            assert_eq!(sandbox.tree("repo/out"), Vec::<String>::new(), "nothing is left");
        }
    }
}

#[test]
fn what_a_lock_or_a_report_is_written_to_is_a_file_or_refused_before_it_is_opened() {
    let (sandbox, _, targets) = trap();
    let (page, lock) = (["report", "--as", "out"], ["lock", "--as", "out"]);
    let out = sandbox.path("repo/out");
    for arguments in [page, lock] {
        for (target, code) in targets.iter().zip([0, 7, 0, 7, 7]) {
            symlink(target, &out).unwrap();
            let ran = run(&sandbox, &arguments);
            assert_eq!(ran.code, Some(code), "{}: {ran}", target.display());
            assert_eq!(out.is_symlink(), code != 0);
            expect_untouched(&sandbox);
            std::fs::remove_file(&out).unwrap();
        }
        let socket = std::os::unix::net::UnixListener::bind(sandbox.path("socket")).unwrap();
        for occupant in ["../pipe", "../socket", "../elsewhere"] {
            let ran = run(&sandbox, &[arguments[0], "--as", occupant]);
            assert_eq!(ran.code, Some(7), "{ran}");
            assert!(ran.stderr.contains(&format!("{occupant} is not a regular file and is not replaced")), "{ran}");
            assert!(ran.stderr.contains("hint: name another target (`--as -` is standard output)"), "{ran}");
            expect_untouched(&sandbox);
        }
        drop(socket);
        std::fs::remove_file(sandbox.path("socket")).unwrap();
        let ran = run(&sandbox, &[arguments[0], "--as", "../absent/out"]);
        assert!(ran.code == Some(3) && ran.stderr.contains("../absent/out cannot be written"), "{ran}");
        assert!(ran.stderr.contains("that its directory is there: --as makes none"), "{ran}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_to_what_is_open_in_a_process_is_the_systems_and_never_replaced() {
    let (sandbox, ..) = trap();
    let link = sandbox.path("repo/stdout");
    symlink("/proc/self/fd/1", &link).unwrap();
    let output = std::fs::File::create(sandbox.path("output")).unwrap();
    let mut command = sandbox.command("repo", &["-q", "--store", "../store", "fetch", "app.zip", "--as", "stdout"]);
    let ran = command.stdout(output).output().unwrap();
    assert_eq!(ran.status.code(), Some(7), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(link.is_symlink() && String::from_utf8_lossy(&ran.stderr).contains("--as -"));
    assert_eq!(sandbox.read("output"), "");
}

#[test]
fn links_with_the_names_of_temporary_files_are_in_nobodys_way() {
    let (sandbox, _, _) = trap();
    for at in 0..200 {
        std::fs::create_dir_all(sandbox.path("repo/out")).unwrap();
        symlink(sandbox.path("victim"), sandbox.path(&format!("repo/out/.metalogic-{at:06}"))).unwrap();
    }
    assert_eq!(run(&sandbox, &["fetch", "-o", "out"]).code, Some(0));
    assert_eq!(sandbox.read("repo/out/app.zip"), "app");
    assert_eq!(sandbox.tree("repo/out").len(), 201);
    expect_untouched(&sandbox);
}

#[test]
fn a_link_in_the_output_directorys_place_leads_to_a_directory_or_is_refused() {
    let (sandbox, _, targets) = trap();
    let link = sandbox.path("repo/out");
    for target in &targets {
        symlink(target, &link).unwrap();
        let ran = run(&sandbox, &["fetch", "-o", "out"]);
        if target.ends_with("elsewhere") {
            // Whoever names a directory by a link means the directory.
            assert!(ran.code == Some(0) && sandbox.read("elsewhere/app.zip") == "app", "{ran}");
            sandbox.write("elsewhere/app.zip", "theirs");
        } else {
            assert!(ran.code == Some(7) && ran.stderr.contains("is not a directory"), "{ran}");
        }
        expect_untouched(&sandbox);
        std::fs::remove_file(&link).unwrap();
    }
}

#[test]
fn a_link_inside_the_store_is_never_written_through_and_nobody_waits_for_it() {
    for place in ["", "app.zip", "build_meta.json"] {
        let (sandbox, commit, targets) = trap();
        let link = sandbox.path(&format!("store/builds/{commit}/{place}"));
        let link = PathBuf::from(link.to_str().unwrap().trim_end_matches('/'));
        for target in &targets {
            if link.is_symlink() || link.is_file() {
                std::fs::remove_file(&link).unwrap();
            } else {
                std::fs::remove_dir_all(&link).unwrap();
            }
            symlink(target, &link).unwrap();
            for arguments in
                [&["show"][..], &["show", "--fresh"], &["fetch", "-o", "got"], &["publish", "app.zip"], &["resolve"]]
            {
                let ran = run(&sandbox, arguments);
                assert!(ran.code.is_some(), "{ran}");
                // A metafile that is a link to a file may be put in its place.
                assert!(ran.code == Some(0) || ran.stderr.contains(&commit), "{place} {}: {ran}", target.display());
                expect_untouched(&sandbox);
            }
            drop(std::fs::remove_dir_all(sandbox.path("repo/got")));
        }
    }
}

#[test]
fn a_store_whose_builds_lead_nowhere_says_so_at_once() {
    let (sandbox, _, targets) = trap();
    std::fs::rename(sandbox.path("store/builds"), sandbox.path("store/before")).unwrap();
    for target in targets.iter().filter(|target| !target.ends_with("elsewhere")) {
        symlink(target, sandbox.path("store/builds")).unwrap();
        for arguments in [&["show"][..], &["fetch", "-o", "got"], &["publish", "app.zip"]] {
            let ran = run(&sandbox, arguments);
            assert!(ran.code.is_some(), "{ran}");
            assert!(arguments[0] != "publish" || ran.code != Some(0), "{ran}");
        }
        expect_untouched(&sandbox);
        std::fs::remove_file(sandbox.path("store/builds")).unwrap();
    }
}
