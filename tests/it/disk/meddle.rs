//! Runs of the binary in which something meddles with what it asks of the file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sandbox::{Sandbox, at_one_moment};

/// Says what happens to a call.
#[derive(Debug, Clone, Default)]
pub struct Meddling {
    /// What is meddled with: paths of the sandbox, and all below them.
    pub watched: Vec<String>,
    /// Which kinds of calls count, each between commas; all, where there is none.
    pub kinds: Option<&'static str>,
    /// Which of them it is: 1 is the first, 0 none.
    pub nth: usize,
    /// Whether it is all that follow, too.
    pub onwards: bool,
    /// What it comes to.
    pub deed: Deed,
}

#[derive(Debug, Clone, Default)]
pub enum Deed {
    #[default]
    Nothing,
    /// It fails with this number.
    Fails(i32),
    /// It writes half of what it was given.
    Halves,
    /// A shell runs this in the sandbox before it.
    After(String),
}

/// Holds one call that counted.
#[derive(Debug, Clone)]
pub struct Call {
    pub kind: String,
    pub path: String,
    /// The new name, where the call gives one.
    pub to: String,
    pub met: bool,
}

/// Builds the meddler, once; none where there is no compiler, or the kernel does not take part. That is said, and in CI it is a failure.
pub fn meddler() -> Option<&'static Path> {
    static MEDDLER: OnceLock<Option<PathBuf>> = OnceLock::new();
    MEDDLER.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (draft, program) = (directory.join(format!("meddler-{}", std::process::id())), directory.join("meddler"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk/meddler.c");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(&compiler).args(["-O1", "-Wall", "-o"]).arg(&draft).arg(source).output();
    let why = match built {
        Ok(output) if !output.status.success() => String::from_utf8_lossy(&output.stderr).into_owned(),
        Ok(_) => {
            std::fs::rename(&draft, &program).unwrap();
            let output = Command::new(&program).args(["-w", "/", "--", "/bin/sh", "-c", ":"]).output().unwrap();
            if output.status.success() {
                return Some(program);
            }
            String::from_utf8_lossy(&output.stderr).into_owned()
        }
        Err(error) => format!("{}: {error}", compiler.display()),
    };
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!ci, "faults of the disk cannot be tried: {why}");
    eprintln!("FAULTS OF THE DISK ARE NOT TRIED HERE, only limits of the shell are: {why}");
    None
}

impl Sandbox {
    /// Runs a command of the binary, meddled with; says what it came to, and which calls counted.
    pub fn meddled(&self, meddler: &Path, plain: &Command, meddling: &Meddling) -> (Output, Vec<Call>) {
        let log = self.path("calls");
        let mut command = Command::new(meddler);
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(plain.get_current_dir().unwrap()).arg("-l").arg(&log);
        for watched in &meddling.watched {
            command.arg("-w").arg(self.path(watched));
        }
        command.args(meddling.kinds.iter().flat_map(|kinds| ["-k", kinds]));
        command.args(["-n", &meddling.nth.to_string()]);
        command.args(meddling.onwards.then_some("-s"));
        match &meddling.deed {
            Deed::Nothing => {}
            Deed::Fails(number) => drop(command.args(["-e", &number.to_string()])),
            Deed::Halves => drop(command.arg("-h")),
            Deed::After(script) => drop(command.args(["-x", &format!("cd '{}' && {script}", self.path("").display())])),
        }
        command.arg("--").arg(plain.get_program()).args(plain.get_args()).stdin(std::process::Stdio::null());
        let output = command.output().unwrap();
        let lines = std::fs::read_to_string(&log).unwrap_or_default();
        let call = |line: &str| {
            let mut parts = line.split('\t').skip(1).map(str::to_owned);
            let (kind, path, to) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Call { kind, path, to, met: parts.next().is_some_and(|mark| mark == "!") })
        };
        let calls = lines.lines().filter_map(call).collect();
        std::fs::remove_file(log).unwrap();
        (output, calls)
    }

    /// Returns the bytes of every file below a directory, by its path. Metafiles are as if all was recorded at one moment.
    pub fn files(&self, directory: &str) -> BTreeMap<String, Vec<u8>> {
        let is_file = |name: &String| self.path(directory).join(name).is_file();
        let names = if self.path(directory).is_dir() { self.tree(directory) } else { Vec::new() };
        let read = |name: String| {
            let bytes = std::fs::read(self.path(directory).join(&name)).unwrap();
            let timeless = name.ends_with("build_meta.json").then(|| at_one_moment(&String::from_utf8_lossy(&bytes)));
            (name, timeless.map_or(bytes, String::into_bytes))
        };
        names.into_iter().filter(is_file).map(read).collect()
    }

    /// Makes another with the same directories and files; a link becomes a copy of the file that it leads to.
    pub fn copied(&self) -> Self {
        let copy = Self::fleeting();
        copy_tree(&self.path(""), &copy.path(""));
        copy
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (one, other) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&other).unwrap();
            copy_tree(&one, &other);
        } else {
            std::fs::copy(one, other).unwrap();
        }
    }
}

/// Does work on as many threads as there are processors, and returns what it came to in the order of the work.
pub fn side_by_side<'a, W: Sync, R: Send>(work: &'a [W], act: impl Fn(&'a W) -> R + Sync) -> Vec<R> {
    let (next, threads) = (AtomicUsize::new(0), std::thread::available_parallelism().map_or(2, usize::from).min(8));
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let mine = std::iter::from_fn(|| {
                let at = next.fetch_add(1, Ordering::Relaxed);
                work.get(at).map(|one| (at, act(one)))
            });
            mine.collect::<Vec<_>>()
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
