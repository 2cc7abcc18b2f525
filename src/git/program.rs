//! Asks the `git` program.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::address::Commit;

use super::objects::{Cause, Kind, Object, Objects, TooLarge};
use super::{PULL_REQUESTS, Places, absolute};

/// The file in which there is nothing.
pub(super) const NOWHERE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// Runs `git` in a directory.
pub(super) struct Program {
    pub(super) directory: PathBuf,
    /// The child that reads objects, once one was needed: one answers all that a run asks.
    batch: Mutex<Option<Batch>>,
}

/// Says why the program did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// There is none on the path.
    #[error("there is no git program")]
    Absent,
    /// The repository is not the user's; git wants to be told that it may be trusted.
    #[error("the repository in {} belongs to another user", .0.display())]
    ForeignOwner(PathBuf),
    /// It failed.
    #[error(transparent)]
    Failed(Cause),
}

/// Holds what the program wrote to its standard error.
#[derive(Debug, thiserror::Error)]
#[error("git says: {0}")]
struct Complaint(String);

impl Program {
    pub(super) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), batch: Mutex::default() }
    }

    /// Returns what the program says of its version.
    pub(super) fn version(&self) -> Result<String, ProgramError> {
        let told = succeed(&mut self.command("version"))?;
        Ok(String::from_utf8_lossy(&told).trim().trim_start_matches("git version ").to_owned())
    }

    /// Finds the repository; none where git finds none.
    pub(super) fn places(&self) -> Result<Option<Places>, ProgramError> {
        // Git tells the top last, since that fails in a bare repository and inside `.git`.
        let questions = ["--is-bare-repository", "--git-common-dir", "--absolute-git-dir", "--show-toplevel"];
        let output = run(self.command("rev-parse").args(questions))?;
        let mut lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let (Some(bare), Some(common), Some(git)) = (lines.next(), lines.next(), lines.next().map(path)) else {
            return match complaint(&output) {
                text if text.contains("not a git repository (or any") => Ok(None),
                text => Err(foreign_owner(&text).map_or_else(|| failed(text), ProgramError::ForeignOwner)),
            };
        };
        let top = match lines.next() {
            Some(top) => Some(path(top)),
            None if bare == b"true" => None,
            None => top_of(&git),
        };
        let common_directory = absolute(&self.directory.join(path(common)));
        Ok(Some(Places { common_directory, top: top.as_deref().map(absolute) }))
    }

    /// Returns the id that a revision stands for; none where git finds nothing. The object may not be there.
    ///
    /// The revision must not begin with `-`: older versions of git know no way to tell it from an option.
    pub(super) fn revision(&self, revision: &str) -> Result<Option<String>, ProgramError> {
        // An abbreviation may be that of several objects and of one commit; a search takes all that follows for its pattern.
        let suffix = if revision.starts_with(":/") { "" } else { "^{commit}" };
        let output = run(self.command("rev-parse").args(["--verify", "--quiet"]).arg(format!("{revision}{suffix}")))?;
        let id = output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        // Git shows a negated revision as such.
        Ok(id.filter(|id| !id.starts_with('^')))
    }

    /// Says whether tracked files differ from HEAD in the work tree whose top is given.
    pub(super) fn differs(&self, top: &Path) -> Result<bool, ProgramError> {
        let mut command = self.command("status");
        // Inside `.git` git knows of no work tree. With GIT_DIR it takes the directory in which it runs for the top, so that must stay.
        if std::env::var_os("GIT_DIR").is_none() {
            command = Self::at(top).command("status");
        }
        command.args(["--porcelain", "--untracked-files=no", "--ignore-submodules=untracked"]);
        Ok(!succeed(&mut command)?.is_empty())
    }

    /// Returns the names of the refs of pull requests that point at a commit.
    pub(super) fn references(&self, commit: Commit) -> Result<Vec<String>, ProgramError> {
        let mut command = self.command("for-each-ref");
        command.arg(format!("--points-at={commit}")).arg("--format=%(refname)").args(PULL_REQUESTS);
        let names = succeed(&mut command)?;
        Ok(String::from_utf8_lossy(&names).lines().map(str::to_owned).collect())
    }

    /// Returns all values of a setting, the repository's own last.
    pub(super) fn setting(&self, key: &str) -> Result<Vec<String>, ProgramError> {
        values(self.command("config"), key)
    }

    /// Lets `look` read objects.
    pub(super) fn read<T>(&self, look: impl FnOnce(&mut dyn Objects) -> Result<T, Cause>) -> Result<T, Cause> {
        let mut kept = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        // It is put back only after an answer: a child that failed, or was left in the middle of one, is of no more use.
        let mut batch = match kept.take() {
            Some(batch) => batch,
            None => Batch::start(self.command("cat-file"))?,
        };
        let answer = look(&mut batch)?;
        *kept = Some(batch);
        Ok(answer)
    }

    /// Prepares a child with a fixed set-up. It has the rest of the environment, so that `GIT_DIR` and its like hold.
    pub(super) fn command(&self, verb: &str) -> Command {
        let mut command = Command::new("git");
        command.arg("--no-replace-objects").arg("-C").arg(&self.directory).arg(verb);
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        // A partial clone stays as it is: older versions of git do not know the first of these and heed the second.
        command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Returns all values of a setting of the user and of the system.
pub(super) fn setting(key: &str) -> Result<Vec<String>, ProgramError> {
    let mut command = Program::at(Path::new(".")).command("config");
    // With this git finds no repository, wherever it runs.
    command.env("GIT_DIR", NOWHERE);
    command.env_remove("GIT_WORK_TREE").env_remove("GIT_COMMON_DIR");
    values(command, key)
}

fn values(mut command: Command, key: &str) -> Result<Vec<String>, ProgramError> {
    let output = run(command.args(["--null", "--get-all", key]))?;
    match output.status.code() {
        Some(0) => {}
        Some(1) => return Ok(Vec::new()),
        _ => return Err(failed(complaint(&output))),
    }
    let text = String::from_utf8(output.stdout).map_err(|error| ProgramError::Failed(error.into()))?;
    Ok(text.split_terminator('\0').map(str::to_owned).collect())
}

/// Holds a child that answers each id with that object.
struct Batch {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Takes what the child complains of as it comes, since the child waits where nobody does.
    complaints: Option<JoinHandle<String>>,
}

impl Batch {
    fn start(mut command: Command) -> Result<Self, ProgramError> {
        let mut child = command.arg("--batch").stdin(Stdio::piped()).spawn().map_err(not_started)?;
        let piped = "because the child was given a pipe";
        let (requests, answers) = (child.stdin.take().expect(piped), child.stdout.take().expect(piped));
        let mut stderr = child.stderr.take().expect(piped);
        let complaints = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What cannot be read of a complaint is not worth another one.
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        Ok(Self { child, requests, answers: BufReader::new(answers), complaints: Some(complaints) })
    }

    fn ended(&mut self) -> Cause {
        let complaint = self.complaints.take().and_then(|complaints| complaints.join().ok());
        Complaint(complaint.filter(|text| !text.is_empty()).unwrap_or_else(|| "nothing".to_owned())).into()
    }
}

impl Objects for Batch {
    fn read(&mut self, id: &str, largest: u64) -> Result<Option<Object>, Cause> {
        // A child that has ended says why when it is listened to, not when it is spoken to.
        let _ = writeln!(self.requests, "{id}").and_then(|()| self.requests.flush());
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(self.ended());
        }
        let mut words = line.split_whitespace();
        let (found, kind, size) = (words.next(), words.next(), words.next().and_then(|size| size.parse().ok()));
        let Some(size) = size else { return Ok(None) };
        let kind = match kind {
            Some("commit") => Kind::Commit,
            Some("tree") => Kind::Tree,
            Some("blob") => Kind::Blob,
            Some("tag") => Kind::Tag,
            _ => return Err(Complaint(line).into()),
        };
        if kind == Kind::Blob && size > largest {
            return Err(TooLarge { size, largest }.into());
        }
        let mut bytes = Vec::new();
        (&mut self.answers).take(size.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.pop() != Some(b'\n') {
            return Err(self.ended());
        }
        // Where ids are longer, a short one is an abbreviation to git: what it found is not what was asked for.
        Ok((found == Some(id)).then_some(Object { kind, bytes }))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // It only reads, so that nothing is lost with it; it may be in the middle of an answer that nobody wants.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn run(command: &mut Command) -> Result<Output, ProgramError> {
    command.output().map_err(not_started)
}

pub(super) fn succeed(command: &mut Command) -> Result<Vec<u8>, ProgramError> {
    succeeded(run(command)?)
}

pub(super) fn succeeded(output: Output) -> Result<Vec<u8>, ProgramError> {
    if output.status.success() { Ok(output.stdout) } else { Err(failed(complaint(&output))) }
}

pub(super) fn not_started(error: io::Error) -> ProgramError {
    if error.kind() == io::ErrorKind::NotFound { ProgramError::Absent } else { ProgramError::Failed(error.into()) }
}

pub(super) fn failed(complaint: String) -> ProgramError {
    ProgramError::Failed(Complaint(complaint).into())
}

/// Returns what the program complained of, or how it ended where it did not say.
pub(super) fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if text.is_empty() { output.status.to_string() } else { text }
}

/// Returns the directory that git does not trust. The second wording is that of the first versions that looked.
fn foreign_owner(complaint: &str) -> Option<PathBuf> {
    let end = ["dubious ownership in repository at '", "unsafe repository ('"]
        .iter()
        .find_map(|opening| complaint.split_once(opening))
        .map(|(_, rest)| rest)?;
    let directory = end.split_once("' is owned by").or_else(|| end.split_once('\'')).map(|(directory, _)| directory)?;
    Some(PathBuf::from(directory))
}

/// Returns the top of the work tree that a git directory belongs to, for when git runs inside that directory.
fn top_of(git_directory: &Path) -> Option<PathBuf> {
    if let Ok(link) = std::fs::read(git_directory.join("gitdir")) {
        return git_directory.join(path(link.trim_ascii_end())).parent().map(Path::to_owned);
    }
    git_directory.parent().filter(|_| git_directory.file_name() == Some(OsStr::new(".git"))).map(Path::to_owned)
}

#[cfg(unix)]
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(bytes.to_vec()).into()
}

#[cfg(not(unix))]
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    OsString::from(String::from_utf8_lossy(bytes).into_owned()).into()
}
