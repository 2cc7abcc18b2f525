//! The pager: the one that git takes, as it uses it. Both are asked the same in a real terminal.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use pty_process::blocking::open;

use crate::sandbox::Sandbox;

/// How long a command may take: a pager that waits for somebody's hands would wait for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a command in a terminal of its own; returns all that it showed, and the exit code.
fn shown(mut command: Command) -> (String, Option<i32>) {
    let (terminal, inner) = open().unwrap();
    terminal.resize(pty_process::Size::new(24, 80)).unwrap();
    command.env("TERM", "xterm").env("METALOGIC_STORE", ".git/metalogic");
    let mut child = pty_process::blocking::Command::from(command).stdin(Stdio::null()).spawn(inner).unwrap();
    let mut reader = std::fs::File::from(terminal.as_fd().try_clone_to_owned().unwrap());
    let (sender, whole) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut text, mut bytes) = (Vec::new(), [0; 4096]);
        // Where nobody has it open any more, Linux says so with an error.
        while let Ok(length @ 1..) = reader.read(&mut bytes) {
            text.extend_from_slice(&bytes[..length]);
        }
        drop(sender.send(text));
    });
    let whole = whole.recv_timeout(PATIENCE);
    if whole.is_err() {
        child.kill().unwrap();
    }
    let code = child.wait().unwrap().code();
    (String::from_utf8(whole.expect("it ends by itself")).unwrap().replace('\r', ""), code)
}

/// A repository in which both artifacts differ between the last two commits.
fn history() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    for text in ["one", "another"] {
        sandbox.commit("nothing but a subject");
        sandbox.write("out/app.zip", text);
        sandbox.done(&["publish", "../out/app.zip"]);
    }
    sandbox.write("repo/file", "x\n");
    sandbox.commit("a file");
    sandbox.done(&["stub"]);
    sandbox
}

/// Who wants which pager: variables of the environment, and git's settings.
type Wish = (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

impl Sandbox {
    /// Runs git's command, or ours of the same name, in a terminal.
    fn paged(&self, ours: bool, arguments: &[&str], (variables, settings): Wish) -> (String, Option<i32>) {
        let mut command = if ours { self.command("repo", arguments) } else { self.git_command("repo", arguments) };
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (at, (key, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        command.envs(variables.iter().copied());
        shown(command)
    }
}

/// Returns what a pager wrote before the first line; nothing where there was none.
fn mark(shown: &str) -> &str {
    shown.split_once(':').map(|(mark, _)| mark).filter(|mark| mark.chars().all(char::is_uppercase)).unwrap_or_default()
}

const E: &str = "sed s/^/E:/";
const C: &str = "sed s/^/C:/";
const O: &str = "sed s/^/O:/";
const P: &str = "sed s/^/P:/";

#[test]
fn the_pager_is_the_one_that_git_takes() {
    let sandbox = history();
    let wishes: &[Wish] = &[
        (&[("GIT_PAGER", E), ("PAGER", P)], &[("core.pager", C), ("pager.log", O), ("pager.diff", O)]),
        (&[("PAGER", P)], &[("core.pager", C), ("pager.log", O), ("pager.diff", O)]),
        (&[("PAGER", P)], &[("core.pager", C)]),
        (&[("PAGER", P)], &[]),
        (&[("PAGER", P)], &[("core.pager", O), ("core.pager", C)]),
        (&[("PAGER", P)], &[("core.pager", C), ("pager.log", O)]),
        (&[("PAGER", P)], &[("core.pager", C), ("pager.diff", O)]),
        (&[("GIT_PAGER", E)], &[("pager.log", "false"), ("pager.diff", "off")]),
        (&[("GIT_PAGER", E)], &[("pager.log", "0"), ("pager.diff", "")]),
        (&[("GIT_PAGER", E)], &[("pager.log", O), ("pager.log", "no"), ("pager.diff", "no"), ("pager.diff", O)]),
        (&[("PAGER", P)], &[("core.pager", C), ("pager.log", "true"), ("pager.diff", "Yes")]),
        (&[("PAGER", P)], &[("core.pager", C), ("pager.log", "1"), ("pager.diff", "2")]),
        (&[("PAGER", P)], &[("core.pager", C), ("pager.log", "cat"), ("pager.diff", "cat")]),
        (&[("GIT_PAGER", ""), ("PAGER", P)], &[("core.pager", C)]),
        (&[("GIT_PAGER", "cat"), ("PAGER", P)], &[("core.pager", C)]),
        (&[("PAGER", P)], &[("core.pager", "")]),
        (&[("PAGER", P)], &[("core.pager", "cat")]),
        (&[("PAGER", "")], &[]),
        (&[("GIT_PAGER", "sh -c 'echo \"L:$LESS,$LV\"; cat > /dev/null'")], &[]),
        (&[("GIT_PAGER", "sh -c 'echo \"L:$LESS,$LV\"; cat > /dev/null'"), ("LESS", ""), ("LV", "-x")], &[]),
        (&[("GIT_PAGER", "sh -c 'echo \"X:\"; cat > /dev/null; exit 3'")], &[]),
    ];
    let mut marks = std::collections::BTreeSet::new();
    for wish in wishes {
        for command in [&["log", "HEAD"][..], &["diff", "HEAD~1", "HEAD"]] {
            let ours = if command[0] == "diff" { &["diff", "HEAD~2", "HEAD"] } else { command };
            let (ours, gits) = (sandbox.paged(true, ours, *wish), sandbox.paged(false, command, *wish));
            assert_eq!((mark(&ours.0), ours.1), (mark(&gits.0), gits.1), "{wish:?} {command:?}: {ours:?} {gits:?}");
            if mark(&ours.0) == "L" {
                assert_eq!(ours.0, gits.0, "{wish:?}");
            }
            marks.insert(mark(&ours.0).to_owned());
        }
    }
    assert_eq!(marks.into_iter().collect::<Vec<_>>(), ["", "C", "E", "L", "O", "P", "X"]);
}

#[test]
fn whoever_wants_no_pager_has_none_and_json_is_never_paged() {
    let sandbox = history();
    let wish: Wish = (&[("GIT_PAGER", E)], &[]);
    for command in [&["log"][..], &["diff", "HEAD~2"]] {
        let run = |options: &[&str]| sandbox.paged(true, &[command, options].concat(), wish);
        assert_eq!(mark(&run(&[]).0), "E");
        assert_eq!(mark(&run(&["--no-pager"]).0), "");
        let (json, code) = run(&["--json"]);
        assert!(code == Some(0) && serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
        let mut piped = sandbox.command("repo", command);
        let output = piped.env("GIT_PAGER", E).output().unwrap();
        assert!(output.status.success() && !output.stdout.starts_with(b"E:") && !output.stdout.contains(&0x1b));
    }
}

#[test]
fn colours_are_those_of_the_terminal_that_the_pager_is_in() {
    let sandbox = history();
    for (variables, options, is_coloured) in [
        (&[("GIT_PAGER", E)][..], &["log"][..], true),
        (&[("GIT_PAGER", E), ("NO_COLOR", "1")], &["log"], false),
        (&[("GIT_PAGER", E)], &["--color", "never", "log"], false),
        (&[("GIT_PAGER", E), ("NO_COLOR", "1")], &["--color", "always", "log"], true),
        (&[("GIT_PAGER", "")], &["log"], true),
    ] {
        let mut command = sandbox.command("repo", options);
        command.envs(variables.iter().copied());
        let (text, _) = shown(command);
        assert_eq!(text.contains('\u{1b}'), is_coloured, "{variables:?} {options:?}: {text}");
    }
}

#[test]
fn a_pager_that_cannot_be_started_costs_nobody_the_answer() {
    let sandbox = history();
    let (plain, _) = sandbox.paged(true, &["--color", "never", "log", "--no-pager"], (&[], &[]));
    assert!(plain.contains("built    app.zip") && !plain.contains("note: "), "{plain}");
    for (pager, said) in [
        ("no-such-pager", "warning: the pager no-such-pager (GIT_PAGER) cannot be started"),
        ("no-such-pager -x", "not found"),
    ] {
        let mut command = sandbox.command("repo", &["--color", "never", "log"]);
        command.env("GIT_PAGER", pager);
        let (text, code) = shown(command);
        assert!(code == Some(0) && text.ends_with(&plain) && text.contains(said), "{text}");
    }
}

#[test]
fn whoever_leaves_the_pager_early_has_read_enough() {
    let sandbox = Sandbox::with_repository();
    let import: String = (1..=3000).fold(String::new(), |stream, number| {
        let from = if number == 1 { "refs/heads/main^0".to_owned() } else { format!(":{}", number - 1) };
        stream + &format!("commit refs/heads/long\nmark :{number}\ncommitter A <a@b> {number} +0000\ndata 40\n{number:>40}\nfrom {from}\n\n")
    });
    sandbox.write("import", import);
    let stream = std::fs::File::open(sandbox.path("import")).unwrap();
    assert!(sandbox.git_command("repo", &["fast-import", "--quiet"]).stdin(stream).status().unwrap().success());
    for (pager, lines) in [("head -n 2", 2), ("sh -c 'sleep 0.2; exit 1'", 0), ("sh -c 'head -n 1; kill -9 $$'", 1)] {
        let mut command = sandbox.command("repo", &["log", "long", "-n", "3001"]);
        command.env("GIT_PAGER", pager).env("NO_COLOR", "1");
        let (text, code) = shown(command);
        assert_eq!(
            (code, text.lines().filter(|line| line.contains("no metafile")).count()),
            (Some(0), lines),
            "{text}"
        );
        assert!(!text.contains("error") && !text.contains("panicked"), "{text}");
    }
}
