//! Many processes at once, and processes that are told to end: what stands in the store is right all the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use metalogic::address::Commit;
use metalogic::metafile::Metafile;

use crate::sandbox::Sandbox;

const FILES: usize = 12;

/// Makes a repository with a registry of a dozen artifacts, and their files.
fn dozen(bytes: usize) -> (Sandbox, Commit) {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "repo"]);
    let names: Vec<String> = (0..FILES).map(|number| format!("\"{number}.bin\"")).collect();
    sandbox.write("repo/artifacts.toml", format!("[projects.p]\nartifacts = [{}]\n", names.join(", ")));
    let commit = sandbox.commit("first").parse().unwrap();
    for number in 0..FILES {
        sandbox.write(&format!("out/{number}.bin"), content(number, bytes));
    }
    (sandbox, commit)
}

fn content(number: usize, bytes: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(u64::try_from(number).unwrap());
    let mut content = vec![0; bytes];
    rng.fill(&mut content);
    content
}

fn start(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = sandbox.command("repo", arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn address(sandbox: &Sandbox, commit: Commit) -> std::path::PathBuf {
    sandbox.path("repo/.git/metalogic").join(commit.address())
}

/// Holds that no torn bytes stand under a final name and that the metafile is whole and names nothing that is not there; returns what it names.
fn sound(address: &Path, commit: Commit, bytes: usize) -> BTreeSet<String> {
    for number in 0..FILES {
        if let Ok(stands) = std::fs::read(address.join(format!("{number}.bin"))) {
            assert!(stands == content(number, bytes), "torn bytes stand under {number}.bin");
        }
    }
    let Ok(text) = std::fs::read(address.join("build_meta.json")) else { return BTreeSet::new() };
    let metafile = Metafile::parse(&text, commit).expect("the metafile is whole");
    assert_eq!(metafile.to_bytes().unwrap(), text);
    for name in metafile.artifacts.keys() {
        assert!(address.join(name.as_str()).exists(), "the metafile names {name}, which is not there");
    }
    metafile.artifacts.keys().map(ToString::to_string).collect()
}

#[test]
fn a_dozen_publishes_and_a_few_stubs_at_once_lose_nothing() {
    for round in 0..3 {
        let (sandbox, commit) = dozen(1000);
        let mut running: Vec<Child> = Vec::new();
        for number in 0..FILES {
            running.push(start(&sandbox, &["publish", &format!("../out/{number}.bin")]));
            if number % 4 == 0 {
                running.push(start(&sandbox, &["stub"]));
                running.push(start(&sandbox, &["resolve"]));
            }
        }
        for child in running {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", sandbox.ran("at once", &output));
        }
        let named = sound(&address(&sandbox, commit), commit, 1000);
        assert_eq!(named.len(), FILES, "round {round}: {named:?}");
    }
}

#[test]
fn of_many_that_publish_other_bytes_under_one_name_one_wins_and_the_others_are_told() {
    let (sandbox, commit) = dozen(1000);
    let running: Vec<Child> =
        (0..8).map(|number| start(&sandbox, &["publish", &format!("0.bin=../out/{number}.bin")])).collect();
    let codes: Vec<_> = running.into_iter().map(|child| child.wait_with_output().unwrap().status.code()).collect();
    let won: Vec<usize> = (0..8).filter(|number| codes[*number] == Some(0)).collect();
    assert_eq!((won.len(), codes.iter().filter(|code| **code == Some(7)).count()), (1, 7), "{codes:?}");
    assert_eq!(std::fs::read(address(&sandbox, commit).join("0.bin")).unwrap(), content(won[0], 1000));
}

#[cfg(unix)]
#[test]
fn an_interrupted_publish_says_so_and_leaves_no_temporary_file() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut hits = 0;
        for attempt in 0..20 {
            let (sandbox, commit) = dozen(4_000_000);
            let files: Vec<String> = (0..FILES).map(|number| format!("../out/{number}.bin")).collect();
            let arguments: Vec<&str> = std::iter::once("publish").chain(files.iter().map(String::as_str)).collect();
            let child = start(&sandbox, &arguments);
            let temporary = sandbox.path("repo/.git/metalogic/.metalogic/tmp");
            let until = Instant::now() + Duration::from_secs(20);
            // Some bytes are on their way to the store when there is something temporary in it.
            while std::fs::read_dir(&temporary).map_or(0, Iterator::count) == 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
            let output = child.wait_with_output().unwrap();
            if output.status.code() == Some(0) {
                continue;
            }
            let ran = sandbox.ran("interrupted", &output);
            assert!(sent.success() && ran.code == Some(code), "attempt {attempt}: {ran}");
            assert!(ran.stderr.contains(if signal == "INT" { "interrupted" } else { "terminated" }), "{ran}");
            assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "attempt {attempt}: {ran}");
            sound(&address(&sandbox, commit), commit, 4_000_000);
            hits += 1;
            if hits == 3 {
                break;
            }
        }
        assert!(hits > 0, "no SIG{signal} met a run that was under way");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_fetch_leaves_nothing_in_the_output_directory() {
    let (sandbox, _) = dozen(4_000_000);
    let files: Vec<String> = (0..FILES).map(|number| format!("../out/{number}.bin")).collect();
    sandbox.done(&std::iter::once("publish").chain(files.iter().map(String::as_str)).collect::<Vec<_>>());
    let mut hits = 0;
    for attempt in 0..40 {
        let directory = format!("got{attempt}");
        let child = start(&sandbox, &["fetch", "-o", &format!("../{directory}")]);
        let until = Instant::now() + Duration::from_secs(20);
        while std::fs::read_dir(sandbox.path(&directory)).map_or(0, Iterator::count) == 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        for name in sandbox.tree(&directory) {
            let number: usize = name.strip_suffix(".bin").expect("only whole artifacts are left").parse().unwrap();
            assert!(std::fs::read(sandbox.path(&directory).join(&name)).unwrap() == content(number, 4_000_000));
        }
        hits += usize::from(output.status.code() == Some(143));
        if hits == 3 {
            return;
        }
    }
    assert!(hits > 0, "no signal met a run that was under way");
}
