//! Repositories of every kind, made by git itself.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Carries the directory of a test to the process that runs it.
const ROOT: &str = "METALOGIC_TEST_ROOT";

/// What the process of a test says at its end: without it, nothing was tried.
const HELD: &str = "the law holds";

/// How `git init` makes repositories whose objects and refs are stored in different ways.
pub const FORMATS: [(&str, &[&str]); 3] = [
    ("plain", &["--object-format=sha1", "--ref-format=files"]),
    ("sha256", &["--object-format=sha256", "--ref-format=files"]),
    ("reftable", &["--object-format=sha1", "--ref-format=reftable"]),
];

/// The environment of a process that runs a test.
pub struct World {
    directory: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

impl World {
    pub fn at(directory: &Path) -> Self {
        let null = if cfg!(windows) { "NUL" } else { "/dev/null" };
        let mut world = Self { directory: directory.to_owned(), variables: Vec::new() };
        for name in ["PATH", "SYSTEMROOT", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                world = world.with(name, value);
            }
        }
        for name in ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"] {
            world = world.with(name, null);
        }
        for role in ["AUTHOR", "COMMITTER"] {
            world = world
                .with(format!("GIT_{role}_NAME"), "A Tester")
                .with(format!("GIT_{role}_EMAIL"), "tester@example.com");
            world = world.with(format!("GIT_{role}_DATE"), "2001-02-03T04:05:06Z");
        }
        world.with("GIT_CONFIG_NOSYSTEM", "1").with("HOME", "/nonexistent")
    }

    #[must_use]
    pub fn with(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self = self.without(name.as_ref());
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn without(mut self, name: impl AsRef<OsStr>) -> Self {
        self.variables.retain(|(known, _)| known != name.as_ref());
        self
    }

    /// A world in which there is no git program.
    #[must_use]
    pub fn without_program(self, root: &Path) -> Self {
        self.with("PATH", root.join("no-such-directory"))
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables.iter().cloned()).current_dir(&self.directory);
        command
    }
}

/// Runs a test in a process of its own: `prepare` makes what it needs in an empty directory and says in which world `law` is looked at.
///
/// No test may depend on the environment of whoever runs it, nor change that of the tests beside it.
pub fn alone<P, L>(prepare: P, law: L)
where
    P: FnOnce(&Path) -> World,
    L: FnOnce(&Path),
{
    if let Some(root) = std::env::var_os(ROOT) {
        law(Path::new(&root));
        println!("{HELD}");
        // A test may look at several worlds; this process is for one of them.
        std::process::exit(0);
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let world = prepare(&root).with(ROOT, &root);
    // A closure's type is named after the function that it is in, and so is that function's test.
    let name = std::any::type_name::<L>().trim_end_matches("::{{closure}}").split_once("::").unwrap().1;
    let mut command = world.command(std::env::current_exe().unwrap());
    let output = command.args(["--exact", name, "--nocapture", "--test-threads=1"]).output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains(HELD), "{name} failed in its own process:\n{told}");
}

/// Runs a test as [`alone`] does, in an unremarkable world.
pub fn plainly(law: impl FnOnce(&Path)) {
    alone(World::at, law);
}

/// Asks git, whatever it answers.
pub fn ask(directory: &Path, arguments: &[&str]) -> Output {
    World::at(directory).command("git").args(arguments).output().unwrap()
}

/// Asks git, which must succeed, and returns what it says.
pub fn git(directory: &Path, arguments: &[&str]) -> String {
    said(arguments, ask(directory, arguments))
}

/// Gives git something to read, which must succeed, and returns what it says.
pub fn feed(directory: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut command = World::at(directory).command("git");
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        said(arguments, child.wait_with_output().unwrap())
    })
}

/// Asks git about history as commits were made, whatever replaces or grafts them.
pub fn raw(directory: &Path, arguments: &[&str]) -> String {
    let mut command = World::at(directory).with("GIT_GRAFT_FILE", "/dev/null").command("git");
    said(arguments, command.arg("--no-replace-objects").args(arguments).output().unwrap())
}

fn said(arguments: &[&str], output: Output) -> String {
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

pub fn init(directory: &Path, format: &[&str]) {
    std::fs::create_dir_all(directory).unwrap();
    git(directory, &[&["init", "--quiet", "--initial-branch=main"], format].concat());
}

pub fn commit(directory: &Path, message: &str) -> String {
    git(directory, &["commit", "--quiet", "--allow-empty", "-m", message]);
    git(directory, &["rev-parse", "HEAD"])
}

/// Makes a history of six first parents with a merge of two in its middle, tags, a directory and a link.
pub fn history(directory: &Path, format: &[&str]) {
    init(directory, format);
    std::fs::write(directory.join("file"), "first\n").unwrap();
    std::fs::create_dir_all(directory.join("a/b")).unwrap();
    std::fs::write(directory.join("a/b/deep"), "deep\n").unwrap();
    git(directory, &["add", "."]);
    // A line of a message is no header, whatever it looks like.
    commit(directory, &format!("root\n\nparent {0}\nparent {0}", "12".repeat(20)));
    commit(directory, "second");
    git(directory, &["tag", "-m", "annotated", "v1"]);
    git(directory, &["switch", "--quiet", "-c", "side"]);
    commit(directory, "beside");
    git(directory, &["switch", "--quiet", "main"]);
    commit(directory, "third");
    git(directory, &["merge", "--quiet", "--no-ff", "-m", "merged", "side"]);
    git(directory, &["tag", "light"]);
    std::fs::write(directory.join("file"), "changed\n").unwrap();
    git(directory, &["commit", "--quiet", "-a", "-m", "fifth"]);
    commit(directory, "last");
}

/// Makes a repository of every kind, in every format, and returns their names and where one would be standing in them.
pub fn every_kind(root: &Path) -> Vec<(String, PathBuf)> {
    let mut kinds = Vec::new();
    for (format, arguments) in FORMATS {
        let base = root.join(format);
        let full = base.join("full");
        history(&full, arguments);
        git(&full, &["config", "uploadpack.allowFilter", "true"]);
        let url = format!("file://{}", full.display());
        let clone = |name: &str, how: &[&str]| {
            let reference = format!("--ref-format={}", if format == "reftable" { "reftable" } else { "files" });
            git(&base, &[&["clone", "--quiet", &reference], how, &[&url, name]].concat());
        };
        clone("bare", &["--bare"]);
        clone("shallow1", &["--depth=1"]);
        clone("shallow3", &["--depth=3"]);
        clone("blobless", &["--filter=blob:none", "--no-checkout"]);
        clone("treeless", &["--filter=tree:0", "--no-checkout"]);
        clone("promised", &["--filter=blob:none", "--no-checkout"]);
        // Older versions of git write this; newer ones when a filter is first used by a fetch.
        git(&base.join("promised"), &["config", "extensions.partialClone", "origin"]);
        clone("replaced", &[]);
        git(&base.join("replaced"), &["replace", "HEAD~1", "origin/side"]);
        clone("grafted", &[]);
        let (child, other) = (git(&full, &["rev-parse", "HEAD"]), git(&full, &["rev-parse", "side"]));
        std::fs::create_dir_all(base.join("grafted/.git/info")).unwrap();
        std::fs::write(base.join("grafted/.git/info/grafts"), format!("{child} {other}\n")).unwrap();
        clone("packed", &[]);
        git(&base.join("packed"), &["gc", "--quiet"]);
        git(&full, &["worktree", "add", "--quiet", "--detach", "../worktree", "HEAD~1"]);
        init(&base.join("super"), arguments);
        let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "module"];
        git(&base.join("super"), &add);
        commit(&base.join("super"), "with a submodule");
        for name in [
            "full",
            "full/a/b",
            "full/.git",
            "full/.git/objects",
            "bare",
            "shallow1",
            "shallow3",
            "blobless",
            "treeless",
            "promised",
            "replaced",
            "grafted",
            "packed",
            "worktree",
            "worktree/a",
            "full/.git/worktrees/worktree",
            "super",
            "super/module",
            "super/.git/modules/module",
        ] {
            kinds.push((format!("{format}/{name}"), base.join(name)));
        }
    }
    kinds
}
