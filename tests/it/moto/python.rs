//! Python with what `requirements.txt` says, in a venv below the target directory that is made on first use.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use metalogic::artifact::Digest;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Says why there is no such Python.
#[derive(Clone)]
enum Lack {
    /// The machine has not what it takes.
    Missing(String),
    /// It has, and the venv could not be made.
    Failed(String),
}

/// Returns the venv's Python; none, having said why, where this machine has none to make it with. In CI that is a failure.
pub fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, Lack>> = OnceLock::new();
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    match PYTHON.get_or_init(make) {
        Ok(python) => Some(python),
        Err(Lack::Missing(why)) if !ci => {
            eprintln!("skipped: {why}");
            None
        }
        Err(Lack::Missing(why) | Lack::Failed(why)) => panic!("{why}"),
    }
}

/// Returns the source of a script that lies beside this file.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/moto").join(name)
}

fn make() -> Result<PathBuf, Lack> {
    let missing = |what: &str| Lack::Missing(format!("moto, boto3 and the AWS CLI are not there, since {what}"));
    // A venv is of one interpreter: after an upgrade it is another's.
    let ask = ["-c", "import ensurepip, sys, venv; print(sys.version, sys.base_prefix)"];
    let asked = Command::new("python3").args(ask).output().map_err(|_| missing("there is no python3"))?;
    if !asked.status.success() {
        return Err(missing("python3 has no venv module (Debian: apt-get install python3-venv)"));
    }
    if !Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Err(missing("there is no curl"));
    }
    let digest = Digest::of(&[REQUIREMENTS.as_bytes(), &asked.stdout].concat()).to_string();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let venv = target.join(format!("moto-{}", &digest[..16]));
    std::fs::create_dir_all(target).expect("the target directory is there");
    // Who waits here finds what another process made; the lock goes with the process that holds it.
    let lock = std::fs::File::create(target.join("moto.lock")).expect("a lock can be made");
    lock.lock().expect("the lock is to be had");
    if !venv.exists() {
        discard_parts(target);
        // A pip whose test was killed may still be at work on its own.
        install(&target.join(format!("moto.{}.part", std::process::id())), &venv)?;
    }
    Ok(python_of(&venv))
}

/// Removes what interrupted installs left.
fn discard_parts(target: &Path) {
    for entry in std::fs::read_dir(target).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.starts_with("moto.") && name.ends_with(".part") {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// Makes the venv under another name and gives it its own when it is whole. It is not moved far: what names the other path in it are the
/// scripts in its `bin`, which nobody calls.
fn install(part: &Path, venv: &Path) -> Result<(), Lack> {
    eprintln!("moto, boto3 and the AWS CLI are being installed into {}", venv.display());
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Lack::Failed(format!("{command:?} failed: {}", text(&output)))),
        Err(error) => Err(Lack::Failed(format!("{command:?} cannot be run: {error}"))),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(part))?;
    // Nothing is resolved: the file names everything. Where packages come from is the machine's own affair.
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--requirement"];
    run(Command::new(python_of(part)).args(pip).arg(script("requirements.txt")))?;
    std::fs::rename(part, venv).map_err(|error| Lack::Failed(format!("{} cannot be made: {error}", venv.display())))
}

fn python_of(venv: &Path) -> PathBuf {
    venv.join("bin/python")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}
