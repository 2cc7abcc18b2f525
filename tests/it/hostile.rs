//! Names, commits, paths and documents that somebody wrote to do harm: each is refused by name, and nothing happens elsewhere.

mod documents;
#[cfg(unix)]
mod planted;
#[cfg(unix)]
mod service;

use metalogic::json::shortened;
use metalogic::words;

use crate::sandbox::{Ran, Sandbox};

/// Names that no artifact has, one of each sort.
pub const NAMES: [&str; 21] = [
    "",
    ".",
    "..",
    "../x",
    "a/../../x",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:x",
    "con",
    "NUL.tar.gz",
    "com1.zip",
    "a.",
    ".hidden",
    "-rf",
    "BUILD_META.json",
    "a\0b",
    "a\nhint: trust me",
    "a\u{1b}]0;x\u{7}",
    "a\u{202e}gpj.exe",
    "%2e%2e%2fx",
];

/// Texts that are no commit, one of each sort.
const COMMITS: [&str; 8] = [
    "",
    "..",
    "../../x",
    "HEAD",
    "BB7ABF8DF6603159DEACF1E1060C3DBF49489D8A",
    "bb7abf8df660",
    "0000000000000000000000000000000000000000",
    "bb7abf8df6603159deacf1e1060c3dbf49489d8a\n",
];

/// Says that a run told what it told in lines of its own, which somebody reads to their ends.
pub fn expect_lines(ran: &Ran) {
    for line in ran.stderr.lines().filter(|line| !line.is_empty()) {
        let own = [
            "error: ",
            "hint: ",
            "note: ",
            "warning: ",
            "  because ",
            // A name of a list.
            "    ",
            "artifacts.toml:",
            "and ",
            "For more information",
        ];
        assert!(own.iter().any(|own| line.starts_with(own)), "{line:?} of {ran}");
        assert!(line.chars().count() < 1100 && !line.chars().any(words::is_unseen), "{ran}");
    }
    assert!(!ran.stderr.contains("\nhint: trust me"), "{ran}");
}

/// Puts a metafile where that of HEAD is, and returns the commit.
fn plant_metafile(sandbox: &Sandbox, text: impl FnOnce(&str) -> String) -> String {
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    sandbox.write(&format!("store/builds/{commit}/build_meta.json"), text(&commit));
    commit
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn a_hostile_name_in_a_metafile_is_refused_by_name_and_nothing_is_written() {
    let sandbox = Sandbox::with_repository();
    let mut before = None;
    for name in NAMES {
        for details in [false, true] {
            plant_metafile(&sandbox, |commit| {
                let own = format!("{{{}:{}}}", quoted(name), if details { "{}".to_owned() } else { quoted(commit) });
                let (artifacts, details) = if details { ("{}", own.as_str()) } else { (own.as_str(), "{}") };
                format!(r#"{{"commit":"{commit}","parent_commit":null,"artifacts":{artifacts},"details":{details}}}"#)
            });
            let before = before.get_or_insert_with(|| sandbox.tree("."));
            let ran = sandbox.run(&["-q", "--store", "../store", "fetch", "-o", "out"]);
            assert_eq!(ran.code, Some(8), "{name:?}: {ran}");
            assert!(ran.stderr.contains(&shortened(&quoted(name))), "{name:?}: {ran}");
            expect_lines(&ran);
            assert_eq!(sandbox.tree("."), *before, "{name:?}");
        }
    }
}

#[test]
fn a_hostile_commit_in_a_metafile_is_refused_by_name_and_nothing_is_written() {
    let sandbox = Sandbox::with_repository();
    for odd in COMMITS {
        for key in ["commit", "parent_commit", "artifacts.app.zip"] {
            plant_metafile(&sandbox, |commit| {
                let of = |place: &str| quoted(if place == key { odd } else { commit });
                let (own, parent, app) = (of("commit"), of("parent_commit"), of("artifacts.app.zip"));
                format!(r#"{{"commit":{own},"parent_commit":{parent},"artifacts":{{"app.zip":{app}}}}}"#)
            });
            let ran = sandbox.run(&["-q", "--store", "../store", "fetch", "-o", "out"]);
            assert_eq!(ran.code, Some(8), "{key} {odd:?}: {ran}");
            assert!(ran.stderr.contains(&format!("key {key} ")), "{key} {odd:?}: {ran}");
            expect_lines(&ran);
            assert!(!sandbox.path("repo/out").exists());
        }
    }
}

#[test]
fn hostile_words_on_the_command_line_are_refused_by_name_and_nothing_is_written() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/app.zip", "app");
    sandbox.done(&["-q", "publish", "app.zip"]);
    let before = sandbox.tree(".");
    let long = "x".repeat(100_000);
    for odd in ["../x", "..", "a\nhint: trust me", "a\u{202e}b", "a%2Fb", "-x", &long] {
        let store = format!("--store=s3://{odd}");
        let (commit, project) = (format!("--commit={odd}"), format!("--project={odd},"));
        let (named, range) = (format!("{odd}=app.zip"), format!("--range={odd}..HEAD"));
        let both = |one: &'static str, name: &'static str| vec![one, name, "--", odd];
        let table: Vec<(&[i32], Vec<&str>)> = vec![
            (&[1, 3], vec!["publish", "--", &named]),
            (&[2], both("fetch", "-oout")),
            (&[11], vec!["fetch", &commit]),
            (&[11], vec!["show", "--", odd]),
            (&[11], vec!["stub", "--", odd]),
            (&[2, 11], vec!["stub", &range]),
            (&[12], vec!["resolve", &project]),
            (&[12], vec!["show", &store]),
            (&[2], vec!["stage", "--", odd, "1.0.0", "app.zip"]),
            (&[2], vec!["stage", "--", "app", odd, "app.zip"]),
            (&[2], vec!["download", "-oout", "--", odd]),
            (&[2], vec!["info", "app", "--", odd]),
            (&[2], vec!["registry", "add", "--", odd]),
        ];
        for (codes, arguments) in table {
            let ran = sandbox.run(&[&["-q"], arguments.as_slice()].concat());
            assert!(ran.code.is_some_and(|code| codes.contains(&code)), "{:.2000}", ran.to_string());
            expect_lines(&ran);
            let shown = shortened(odd).trim_end_matches('.').to_owned();
            let shown = if odd.len() > 1000 { "xxxxx" } else { &shown };
            let said = ran.stderr.replace("\\n", "\\u{a}");
            assert!(said.contains(shown) || odd.ends_with('.'), "{shown:?}: {ran}");
        }
        assert_eq!(sandbox.tree("."), before, "{odd:.40}");
    }
}

#[test]
fn hostile_settings_are_refused_by_name() {
    let sandbox = Sandbox::with_repository();
    let odd = "s3://../x\nhint: trust me";
    let mut command = sandbox.command("repo", &["-q", "show"]);
    let ran = sandbox.ran("show", &command.env("METALOGIC_STORE", odd).output().unwrap());
    assert!(ran.code == Some(12) && ran.stderr.contains("METALOGIC_STORE is \"s3://../x\\nhint"), "{ran}");
    expect_lines(&ran);
    let mut command = sandbox.command("repo", &["-q", "resolve"]);
    let ran = sandbox.ran("resolve", &command.env("METALOGIC_PROJECT", "../x").output().unwrap());
    assert!(ran.code == Some(12) && ran.stderr.contains("METALOGIC_PROJECT names the project \"../x\""), "{ran}");
    for (key, value) in [("metalogic.store", odd), ("metalogic.registry", odd), ("metalogic.project", "a\u{202e}b")] {
        sandbox.git("repo", &["config", key, value]);
        let ran = sandbox.run(&["-q", "resolve"]);
        assert!(ran.code == Some(12) && ran.stderr.contains(&format!("git config {key}")), "{ran}");
        expect_lines(&ran);
        sandbox.git("repo", &["config", "--unset", key]);
    }
    for table in ["[store]\nurl = \"s3://..\\nhint: trust me\"", "[repository]\nregistry = \"a\\nhint: trust me\""] {
        sandbox.write("repo/artifacts.toml", table);
        let ran = sandbox.run(&["-q", "resolve"]);
        assert_eq!(ran.code, Some(12), "{ran}");
        expect_lines(&ran);
    }
}

#[test]
fn hostile_lines_that_a_hook_reads_are_refused_by_name_and_git_goes_on() {
    use std::io::Write as _;
    use std::process::Stdio;
    let sandbox = Sandbox::with_repository();
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    let fed = |arguments: &[&str], input: &[u8]| {
        let mut command = sandbox.command("repo", arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever refuses need not have read all of it.
        drop(child.stdin.take().unwrap().write_all(input));
        sandbox.ran(&arguments.join(" "), &child.wait_with_output().unwrap())
    };
    let long = format!("{} x y\n", "x".repeat(100_000));
    let odd = [format!("../../x {commit} r\n"), format!("{commit} --help r\n"), format!("{commit} HEAD r\n"), long];
    for (at, line) in odd.iter().chain(&["\u{1b}[31m \u{202e} r\n".to_owned(), "\0\0\0".to_owned()]).enumerate() {
        let input = format!("{commit} {commit} refs/heads/main\n{line}");
        let ran = fed(&["-q", "stub", "--stdin"], input.as_bytes());
        assert!(ran.code == Some(2) && ran.stderr.contains("line 2 "), "{ran}");
        expect_lines(&ran);
        for hook in ["post-receive", "post-rewrite", "pre-push"] {
            let ran = fed(&["stub", "--hook", hook], line.as_bytes());
            assert_eq!(ran.code, Some(0), "{ran}");
        }
        let log = sandbox.read("repo/.git/metalogic-hooks/log");
        let last = log.lines().last().unwrap();
        assert!(last.contains("line 1 ") && last.len() < 2000 && log.lines().count() == 3 * (at + 1), "{last}");
        assert!(!last.chars().any(words::is_unseen), "{last:?}");
    }
    assert!(!sandbox.path("repo/.git/metalogic").exists(), "nothing was stubbed");
    let flood = "x".repeat((64 << 20) + 1);
    let ran = fed(&["-q", "stub", "--stdin"], flood.as_bytes());
    assert!(ran.code == Some(2) && ran.stderr.contains("more than 67108864 bytes"), "{ran}");
}

#[test]
fn words_of_others_in_json_say_the_same_and_drive_no_terminal() {
    let sandbox = Sandbox::with_repository();
    let theirs = "\u{9b}2J\u{7f}\u{202e}gpj\u{e0041}\u{1b}]0;x\u{7}";
    let commit = plant_metafile(&sandbox, |commit| {
        let attempts = format!(r#"{{"app.zip":{{"state":"failed","run":{}}}}}"#, quoted(theirs));
        format!(r#"{{"commit":"{commit}","parent_commit":null,"artifacts":{{}},"attempts":{attempts}}}"#)
    });
    let run = |arguments: &[&str]| sandbox.run(&[&["--store", "../store", "--json"], arguments].concat());
    for (arguments, place) in [
        (&["status"][..], "/artifacts/0/attempt/run"),
        (&["log"], "/commits/0/artifacts/0/attempt/run"),
        (&["show"], "/metafile/attempts/app.zip/run"),
    ] {
        let ran = run(arguments);
        let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(object.pointer(place).and_then(|run| run.as_str()), Some(theirs), "{ran}");
        assert!(ran.stdout.contains(r"\u009b2J\u007f\u202egpj\udb40\udc41"), "{ran}");
        assert!(!ran.stdout.contains(|c| words::is_unseen(c) && c != '\n'), "{ran}");
    }
    let ran = run(&[&format!("--{theirs}")]);
    let said: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert!(said["error"]["message"].as_str().unwrap().contains("gpj"), "{ran}");
    assert!(!ran.stderr.contains(|c| words::is_unseen(c) && c != '\n'), "{ran}");
    // A stored document is told as it is stored.
    let path = format!("store/builds/{commit}/build_meta.json");
    assert_eq!(sandbox.done(&["--store", "../store", "show"]), sandbox.read(&path));
}
