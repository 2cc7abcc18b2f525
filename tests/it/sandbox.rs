//! A directory of its own for one test, with repositories whose commit ids are the same on every machine, and the real binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub struct Sandbox {
    directory: tempfile::TempDir,
}

/// The moment that all are shown as: when tests run is no matter of theirs.
const MOMENT: &str = "2026-11-22T08:15:00Z";

/// Returns a text in which whatever was recorded now was recorded at one moment. What commits are dated stays.
pub fn at_one_moment(text: &str) -> String {
    let is_moment = |text: &str| {
        text.bytes()
            .zip(MOMENT.bytes())
            .all(|(one, shape)| one == shape || (one.is_ascii_digit() && shape.is_ascii_digit()))
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        let moment = from.get(..MOMENT.len()).filter(|text| is_moment(text) && !text.starts_with("2026-01-02"));
        let digit = from.get(..moment.map_or(1, str::len)).unwrap_or(from);
        shown.push_str(moment.map_or(digit, |_| MOMENT));
        rest = &from[digit.len()..];
    }
    shown + rest
}

/// What a run of the binary came to, as a person would see it.
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
    shown: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { directory: tempfile::Builder::new().prefix("metalogic-test-").tempdir().unwrap() }
    }

    /// Makes one whose files are in memory, where this machine has such a place with room in it (a container's has next to none): they need
    /// not last.
    #[allow(clippy::useless_conversion, reason = "these numbers are smaller on some systems")]
    pub fn fleeting() -> Self {
        const MEMORY: &str = "/dev/shm";
        const ROOM: u64 = 2 << 30;
        let has_room = nix::sys::statvfs::statvfs(MEMORY)
            .is_ok_and(|found| u64::from(found.blocks_available()) * u64::from(found.fragment_size()) >= ROOM);
        let in_memory = || tempfile::Builder::new().prefix("metalogic-test-").tempdir_in(MEMORY);
        match has_room.then(in_memory) {
            Some(Ok(directory)) => Self { directory },
            Some(Err(_)) | None => Self::new(),
        }
    }

    /// Makes a repository `repo` whose registry has two artifacts, and one commit.
    pub fn with_repository() -> Self {
        Self::new().having_repository()
    }

    /// Makes a repository in this one.
    pub fn having_repository(self) -> Self {
        let sandbox = self;
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
        let registry = "[projects.app]\nartifacts = [\"app.zip\", { name = \"docs.tar.gz\", description = \"the manual\" }]\n\
                        retired = [\"old.zip\"]\n";
        sandbox.write("repo/artifacts.toml", registry);
        sandbox.commit("first");
        sandbox
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// Commits all of `repo`'s work tree and returns the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git("repo", &["add", "--all"]);
        self.git("repo", &["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git("repo", &["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub fn git(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self.git_command(directory, arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns git, ready to run in a directory of the sandbox.
    pub fn git_command(&self, directory: &str, arguments: &[&str]) -> Command {
        let mut command = self.clean(Command::new("git"));
        command.current_dir(self.path(directory)).args(arguments);
        command
    }

    /// Returns a program of this machine, ready to run in the sandbox.
    pub fn plain_command(&self, program: &str) -> Command {
        let mut command = self.clean(Command::new(program));
        command.current_dir(self.path(""));
        command
    }

    /// Gives a command an environment with nothing of this machine in it.
    fn clean(&self, mut command: Command) -> Command {
        command.env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.directory.path()).env("TMPDIR", self.directory.path());
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for person in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{person}_NAME"), "Ada").env(format!("GIT_{person}_EMAIL"), "ada@example.org");
            command.env(format!("GIT_{person}_DATE"), "2026-01-02T03:04:05Z");
        }
        command
    }

    /// Returns the binary, ready to run in a directory of the sandbox.
    pub fn command(&self, directory: &str, arguments: &[&str]) -> Command {
        let mut command = self.clean(Command::new(env!("CARGO_BIN_EXE_metalogic")));
        command.current_dir(self.path(directory)).args(arguments);
        command
    }

    /// Puts the binary on a command's path.
    pub fn with_program(&self, mut command: Command) -> Command {
        let binaries = Path::new(env!("CARGO_BIN_EXE_metalogic")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(binaries).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(all).unwrap());
        command
    }

    /// Runs a script with the binary on its path, in the sandbox itself, and returns what it prints.
    pub fn shell(&self, script: &str) -> String {
        let mut command = self.with_program(self.clean(Command::new("sh")));
        command.current_dir(self.path("")).args(["-c", script]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    /// Runs the binary in `repo`.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in("repo", arguments)
    }

    pub fn run_in(&self, directory: &str, arguments: &[&str]) -> Ran {
        let output = self.command(directory, arguments).output().unwrap();
        self.ran(&format!("metalogic {}", arguments.join(" ")), &output)
    }

    /// Runs the binary in `repo`, and it must succeed.
    pub fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.shown);
        ran.stdout
    }

    pub fn ran(&self, command: &str, output: &Output) -> Ran {
        let directory = self.directory.path().to_str().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(directory, "[DIR]");
        let (stdout, stderr, code) = (text(&output.stdout), text(&output.stderr), output.status.code());
        let status = code.map_or("killed".to_owned(), |code| code.to_string());
        let shown = format!("$ {command}\n--- stdout\n{stdout}--- stderr\n{stderr}--- exit {status}\n");
        Ran { stdout, stderr, code, shown: at_one_moment(&shown.replace(directory, "[DIR]")) }
    }

    /// Returns the names of all that lies below a directory, sorted. What goes away meanwhile may be among them or not.
    pub fn tree(&self, directory: &str) -> Vec<String> {
        fn walk(directory: &Path, top: &Path, into: &mut Vec<String>) {
            let entries = match std::fs::read_dir(directory) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && directory != top => return,
                entries => entries.unwrap(),
            };
            for entry in entries {
                let path = entry.unwrap().path();
                into.push(path.strip_prefix(top).unwrap().to_str().unwrap().to_owned());
                if path.is_dir() && !path.is_symlink() {
                    walk(&path, top, into);
                }
            }
        }
        let (top, mut names) = (self.path(directory), Vec::new());
        walk(&top, &top, &mut names);
        names.sort();
        names
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}
