//! What a hook does when it is run, in each shell that this machine has.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use metalogic::hook::{Hook, Script};

use super::stand_in::{calls, executable, git, stand_in, tools, with_tools};
use crate::descriptors;
use crate::sandbox::Sandbox;

/// Shells that serve as `sh` somewhere.
const SHELLS: [&[&str]; 6] =
    [&["sh"], &["dash"], &["bash", "--posix"], &["busybox", "sh"], &["ksh"], &["zsh", "--emulate", "sh"]];

/// Returns how to call each shell that is there.
fn shells() -> Vec<Vec<String>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let called = |shell: &&[&str]| {
        let found =
            std::env::split_paths(&path).map(|directory| directory.join(shell[0])).find(|path| path.exists())?;
        let rest = shell[1..].iter().map(|&word| word.to_owned());
        Some(std::iter::once(found.to_str().unwrap().to_owned()).chain(rest).collect())
    };
    let mut shells: Vec<Vec<String>> = SHELLS.iter().filter_map(called).collect();
    // One shell may have two names.
    let mut known = std::collections::BTreeSet::new();
    shells.retain(|shell| known.insert((std::fs::canonicalize(&shell[0]).unwrap(), shell[1..].to_vec())));
    shells
}

/// A directory of hooks, as it lies in `hooks/` or was installed with the program at a place.
fn with_hook(hook: Hook, program: Option<&str>) -> Sandbox {
    let sandbox = Sandbox::new();
    let script = Script::new(hook, program.map(str::as_bytes));
    executable(&sandbox, &format!("hooks/{}", hook.name()), std::str::from_utf8(script.text()).unwrap());
    std::fs::create_dir(sandbox.path("calls")).unwrap();
    sandbox
}

/// Runs a hook in a shell as git would, from the directory above.
fn run(sandbox: &Sandbox, shell: &[String], name: &str, input: &[u8]) -> Output {
    let mut command = Command::new(&shell[0]);
    command.env_clear().args(&shell[1..]).arg(format!("hooks/{name}")).args(["one", "two words", "*"]);
    with_tools(sandbox, &mut command).current_dir(sandbox.path(""));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn heard(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// What may be heard of the stand-in: who pushes is to hear a warning.
fn warned(hook: Hook) -> &'static str {
    if hook == Hook::PostReceive { "on stderr\n" } else { "" }
}

#[test]
fn the_hooks_differ_in_their_names_alone_and_are_told_from_those_of_others() {
    let plain = |hook: Hook| String::from_utf8(Script::new(hook, None).text().to_vec()).unwrap();
    let first = plain(Hook::ALL[0]);
    for hook in Hook::ALL {
        let file = format!("{}/hooks/{}", env!("CARGO_MANIFEST_DIR"), hook.name());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), plain(hook), "they work copied by hand");
        assert_eq!(super::mode(std::path::Path::new(&file)) & 0o111, 0o111, "{file}");
        let renamed = first.replace("post-commit.", &format!("{}.", hook.name()));
        assert_eq!(plain(hook), renamed.replace("hook=post-commit", &format!("hook={}", hook.name())));
        for program in [None, Some("/usr/bin/metalogic"), Some("/it's \"here\"/$HOME/`x`/\\n/m"), Some("''")] {
            let script = Script::new(hook, program.map(str::as_bytes));
            let read = Script::read(script.text()).unwrap();
            assert_eq!(read.program().as_deref(), program.map(str::as_bytes));
            assert!(read.is_current(hook));
            assert_eq!(read.text().iter().filter(|&&byte| byte == b'\n').count(), first.lines().count());
            let changed = [read.text(), b"# more\n"].concat();
            assert!(!Script::read(&changed).unwrap().is_current(hook));
        }
        // A path of several lines would be the start of another line.
        assert_eq!(Script::new(hook, Some(b"/a\n/b")), Script::new(hook, None));
        assert!(Script::read(hook.line().as_bytes()).is_none());
        assert!(hook.is_called_by(format!("  {}", hook.line()).as_bytes()));
        assert!(!hook.is_called_by(format!("# {}", hook.line()).as_bytes()));
    }
    for other in ["", "\n", "#!/bin/sh\n", "#!/bin/sh\n\n# Gives each new commit its metafile.\n", "\u{7f}ELF"] {
        assert!(Script::read(other.as_bytes()).is_none(), "{other:?}");
    }
}

#[test]
fn the_program_gets_what_git_said_and_the_hook_is_silent_and_succeeds() {
    for hook in Hook::ALL {
        let sandbox = with_hook(hook, None);
        stand_in(&sandbox, "bin");
        for shell in shells() {
            let inputs = ["%s \\n $HOME * `x`\n", "", "no end", "two\n\n\n"];
            for input in inputs.into_iter().take(if hook.reads() { 4 } else { 1 }) {
                let output = run(&sandbox, &shell, hook.name(), input.as_bytes());
                assert_eq!(heard(&output), (Some(0), warned(hook).to_owned()), "{shell:?} {hook:?} {input:?}");
                let calls = calls(&sandbox);
                assert_eq!(calls.len(), 1, "{shell:?} {hook:?}");
                assert_eq!(calls[0].arguments, ["stub", "--hook", hook.name(), "one", "two words", "*"]);
                let expected = if hook.reads() { input } else { "" };
                assert_eq!(String::from_utf8_lossy(&calls[0].input), expected, "{shell:?} {hook:?}");
            }
        }
    }
}

#[test]
fn what_was_there_runs_first_with_the_same_arguments_and_input_and_its_status_counts() {
    for hook in Hook::ALL {
        let sandbox = with_hook(hook, None);
        stand_in(&sandbox, "bin");
        let kept = format!("hooks/{}.before-metalogic", hook.name());
        for shell in shells() {
            for status in [0, 42] {
                let text = format!(
                    "#!/bin/sh\nfor calls in \"$CALLS\"/*.input; do [ ! -e \"$calls\" ] || echo late; done\n\
                     printf '%s,' \"$@\"; cat; echo 'also heard' >&2; exit {status}\n"
                );
                executable(&sandbox, &kept, &text);
                let output = run(&sandbox, &shell, hook.name(), b"a\nb\n\n");
                let input = if hook.reads() { "a\nb\n\n" } else { "" };
                let said = format!("one,two words,*,{input}also heard\n");
                let refused = hook == Hook::PrePush && status != 0;
                let said = if refused { said } else { said + warned(hook) };
                assert_eq!(heard(&output), (Some(status), said), "{shell:?} {hook:?}");
                // What is refused is not pushed, and all else has happened already.
                assert_eq!(calls(&sandbox).len(), usize::from(!refused), "{shell:?} {hook:?} {status}");
            }
            // One that may not be started is none.
            sandbox.write(&kept, "#!/bin/sh\nexit 7\n");
            std::fs::set_permissions(sandbox.path(&kept), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            let output = run(&sandbox, &shell, hook.name(), b"");
            assert_eq!(heard(&output), (Some(0), warned(hook).to_owned()), "{shell:?} {hook:?}");
            assert_eq!(calls(&sandbox).len(), 1);
        }
    }
}

#[test]
fn a_kept_hook_that_leaves_its_input_breaks_nothing_be_the_input_megabytes() {
    let sandbox = with_hook(Hook::PrePush, None);
    stand_in(&sandbox, "bin");
    let input = "refs/heads/main 0123456789012345678901234567890123456789 x y\n".repeat(50_000);
    for shell in shells() {
        for reads in [":", "read line", "head -c 100000 >/dev/null", "cat >/dev/null", "exec <&-"] {
            let kept = |status: &str| {
                executable(
                    &sandbox,
                    "hooks/pre-push.before-metalogic",
                    &format!("#!/bin/sh\n{reads}\nexit {status}\n"),
                );
            };
            kept("0");
            let output = run(&sandbox, &shell, "pre-push", input.as_bytes());
            assert_eq!(heard(&output), (Some(0), String::new()), "{shell:?} {reads}");
            let calls = calls(&sandbox);
            assert_eq!((calls.len(), calls[0].input.len()), (1, input.len()), "{shell:?} {reads}");
            assert!(calls[0].input == input.as_bytes(), "{shell:?} {reads}");
            kept("5");
            // Who ignores the signal of a closed pipe hands that down, and is then told of an error instead.
            let deaf = ["sh", "-c", "trap '' PIPE; exec \"$@\"", "sh"].map(str::to_owned);
            let output = run(&sandbox, &[&deaf[..], &shell].concat(), "pre-push", input.as_bytes());
            assert_eq!(heard(&output), (Some(5), String::new()), "{shell:?} {reads}");
        }
    }
}

#[test]
fn the_program_is_found_on_the_path_then_where_it_was_and_without_it_all_is_silent() {
    for hook in Hook::ALL {
        let place = Sandbox::new();
        let directory = place.path("it's \"here\" $HOME");
        let program = directory.join("metalogic");
        let sandbox = with_hook(hook, Some(program.to_str().unwrap()));
        let kept = format!("hooks/{}.before-metalogic", hook.name());
        for shell in shells() {
            let status = |expected: i32, said: &str| {
                let output = run(&sandbox, &shell, hook.name(), b"x\n");
                assert_eq!(heard(&output), (Some(expected), said.to_owned()), "{shell:?} {hook:?}");
                calls(&sandbox).len()
            };
            assert_eq!(status(0, ""), 0);
            executable(&sandbox, &kept, "#!/bin/sh\nexit 8\n");
            assert_eq!(status(8, ""), 0);
            std::fs::remove_file(sandbox.path(&kept)).unwrap();
            // What is there may not be started.
            std::fs::create_dir_all(&program).unwrap();
            assert_eq!(status(0, ""), 0);
            std::fs::remove_dir(&program).unwrap();
            place.write("it's \"here\" $HOME/metalogic", "#!/bin/sh\n");
            assert_eq!(status(0, ""), 0);
            stand_in(&place, "it's \"here\" $HOME");
            assert_eq!(status(0, warned(hook)), 1);
            // The path comes first.
            executable(&sandbox, "bin/metalogic", "#!/bin/sh\ntouch \"$CALLS/path\"\n");
            assert_eq!(status(0, ""), 0);
            executable(
                &sandbox,
                "bin/metalogic",
                "#!/bin/sh\nprintf x > \"$CALLS/on-path.arguments\"; printf x > \"$CALLS/on-path.input\"; printf x > \"$CALLS/on-path.head\"\n",
            );
            run(&sandbox, &shell, hook.name(), b"x\n");
            assert_eq!(calls(&sandbox)[0].arguments, ["x"]);
            std::fs::remove_file(sandbox.path("bin/metalogic")).unwrap();
            std::fs::remove_file(&program).unwrap();
        }
    }
}

#[test]
fn hooks_that_run_each_other_come_to_an_end() {
    for hook in Hook::ALL {
        let sandbox = with_hook(hook, None);
        stand_in(&sandbox, "bin");
        let name = hook.name();
        descriptors::copy_program(
            &sandbox.path(&format!("hooks/{name}")),
            &sandbox.path(&format!("hooks/{name}.legacy")),
        );
        for (other, rounds) in [("legacy", 1), ("own", 8)] {
            let called = if other == "own" { format!("hooks/{name}") } else { format!("hooks/{name}.{other}") };
            let text = format!("#!/bin/sh\necho round\nexec {called} \"$@\"\n");
            executable(&sandbox, &format!("hooks/{name}.before-metalogic"), &text);
            for shell in shells() {
                let output = run(&sandbox, &shell, name, b"x\n");
                assert_eq!(output.status.code(), Some(0), "{shell:?} {name}");
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert_eq!(said.matches("round").count(), rounds, "{shell:?} {name} {other}");
                assert_eq!(calls(&sandbox).len(), rounds + 1, "{shell:?} {name} {other}");
            }
        }
        // What another hook's kept hook does is no loop: here the push of a hook that pushes.
        executable(&sandbox, &format!("hooks/{name}.before-metalogic"), "#!/bin/sh\necho round\n");
        let mut command = Command::new(sandbox.path(&format!("hooks/{name}.legacy")));
        with_tools(&sandbox, command.env_clear()).env("METALOGIC_HOOKS", ":another-hook:").stdin(Stdio::null());
        assert!(String::from_utf8_lossy(&command.output().unwrap().stdout).contains("round"));
    }
}

#[test]
fn a_commit_made_inside_a_kept_hook_has_its_hooks_too() {
    let sandbox = Sandbox::with_repository();
    stand_in(&sandbox, "bin");
    sandbox.done(&["hooks", "install"]);
    let kept = "#!/bin/sh\necho ran >> \"$CALLS/../ran\"\n[ -e \"$CALLS/../once\" ] && exit 0\n\
                touch \"$CALLS/../once\"\ngit commit --quiet --allow-empty -m inside\n";
    executable(&sandbox, "repo/.git/hooks/post-commit.before-metalogic", kept);
    git(&sandbox, "repo", &["commit", "--quiet", "--allow-empty", "-m", "outside"]);
    let head = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    let calls = calls(&sandbox);
    assert_eq!(sandbox.git("repo", &["log", "-1", "--format=%s"]).trim(), "inside");
    assert_eq!(sandbox.read("ran"), "ran\nran\n", "what was there ran for both");
    assert_eq!(calls.iter().map(|call| call.head.clone()).collect::<Vec<_>>(), [head.clone(), head], "{calls:?}");
}

#[test]
fn git_waits_for_nothing_that_the_program_leaves_running() {
    let sandbox = Sandbox::with_repository();
    stand_in(&sandbox, "bin");
    sandbox.done(&["hooks", "install"]);
    sandbox.git(".", &["init", "--quiet", "--bare", "there"]);
    let began = Instant::now();
    for arguments in [
        &["commit", "--quiet", "--allow-empty", "-m", "two"][..],
        &["commit", "--quiet", "--amend", "--allow-empty", "-m", "three"],
        &["push", "--quiet", "../there", "HEAD:refs/heads/main"],
    ] {
        let mut command = sandbox.git_command("repo", arguments);
        let output = with_tools(&sandbox, &mut command).env("LINGER", "yes").output().unwrap();
        assert_eq!(heard(&output), (Some(0), String::new()), "{arguments:?}");
    }
    let took = began.elapsed();
    // Those that were started are ended, by their ids.
    for entry in std::fs::read_dir(sandbox.path("calls")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "lingering") {
            let id = std::fs::read_to_string(&path).unwrap();
            drop(Command::new("kill").arg(id.trim()).output());
        }
    }
    assert!(took < Duration::from_secs(20), "git waited {took:?}");
    let told: Vec<String> = calls(&sandbox).into_iter().map(|call| call.arguments[2].clone()).collect();
    assert_eq!(told, ["post-commit", "post-commit", "post-rewrite", "pre-push"]);
    assert!(!tools(&sandbox).is_empty());
}
