//! A program by the name of `metalogic` that writes down how it was called, and what else the tests of hooks share.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::descriptors;
use crate::sandbox::Sandbox;

/// The mode of a directory that its owner may write.
pub const MODE: u32 = 0o755;

/// Writes down one call as `calls/<process>.{arguments,input,head}`; says something on both streams.
const SCRIPT: &str = "#!/bin/sh\n\
    call=$CALLS/$$\n\
    printf '%s\\n' \"$@\" > \"$call.arguments\"\n\
    cat > \"$call.input\"\n\
    git rev-parse HEAD > \"$call.head\" 2>/dev/null\n\
    echo 'on stdout'; echo 'on stderr' >&2\n\
    if [ -n \"$LINGER\" ]; then sleep 30 & echo $! > \"$call.lingering\"; fi\n\
    exit 9\n";

/// One call of the stand-in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The arguments, of which none has a line's end, without the `--` that says that what git gives are no options.
    pub arguments: Vec<String>,
    pub input: Vec<u8>,
    pub head: String,
}

/// Puts the stand-in into a directory of the sandbox.
pub fn stand_in(sandbox: &Sandbox, directory: &str) {
    executable(sandbox, &format!("{directory}/metalogic"), SCRIPT);
    std::fs::create_dir_all(sandbox.path("calls")).unwrap();
}

/// Returns what was called since the last time that this was asked, in no order.
pub fn calls(sandbox: &Sandbox) -> Vec<Call> {
    let mut calls = Vec::new();
    for entry in std::fs::read_dir(sandbox.path("calls")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "arguments") {
            let text = |path: &Path| std::fs::read_to_string(path).unwrap();
            calls.push(Call {
                arguments: text(&path).lines().filter(|word| *word != "--").map(str::to_owned).collect(),
                input: std::fs::read(path.with_extension("input")).unwrap(),
                head: text(&path.with_extension("head")).trim().to_owned(),
            });
        }
    }
    std::fs::remove_dir_all(sandbox.path("calls")).unwrap();
    std::fs::create_dir(sandbox.path("calls")).unwrap();
    calls.sort();
    calls
}

/// Returns a `PATH` on which there is what hooks and git need, and no `metalogic` of this machine.
pub fn tools(sandbox: &Sandbox) -> String {
    let tools = sandbox.path("tools");
    if !tools.exists() {
        std::fs::create_dir(&tools).unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        for name in [
            "git", "sh", "bash", "env", "cat", "sleep", "head", "grep", "mkdir", "touch", "dirname", "basename",
            "python3",
        ] {
            let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|tool| tool.exists());
            if let Some(found) = found {
                // A wrapper, since some programs find what is theirs by the name that they are called by.
                executable(
                    sandbox,
                    &format!("tools/{name}"),
                    &format!("#!/bin/sh\nexec '{}' \"$@\"\n", found.display()),
                );
            }
        }
    }
    tools.to_str().unwrap().to_owned()
}

/// Has a command find the tools, and the stand-in where it is in `bin`.
pub fn with_tools<'a>(sandbox: &Sandbox, command: &'a mut Command) -> &'a mut Command {
    let path = format!("{}:{}", sandbox.path("bin").display(), tools(sandbox));
    command.env("PATH", path).env("CALLS", sandbox.path("calls"))
}

/// Runs git with the stand-in's directory on the path; it must succeed.
pub fn git(sandbox: &Sandbox, directory: &str, arguments: &[&str]) -> String {
    let output = with_tools(sandbox, &mut sandbox.git_command(directory, arguments)).output().unwrap();
    let heard = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {heard}");
    heard
}

pub fn executable(sandbox: &Sandbox, path: &str, text: &str) {
    descriptors::write_program(&sandbox.path(path), text);
}

pub fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Returns the directory of hooks of `repo`.
pub fn hooks_of(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("repo/.git/hooks")
}

/// Returns all that lies in a directory: name, mode, and bytes or where it leads.
pub fn listing(directory: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut listing = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = if path.is_symlink() {
            std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if path.is_dir() {
            b"a directory".to_vec()
        } else {
            std::fs::read(&path).unwrap()
        };
        listing.push((path.file_name().unwrap().to_str().unwrap().to_owned(), mode(&path), text));
    }
    listing.sort();
    listing
}
