//! What a failure is to whoever meets it: a kind with its exit code, a message, and what to do next. The only place that decides it.

mod arrival;
mod bisect;
mod config;
mod hooks;
mod kind;
mod parameters;
mod publish;
mod registry;
mod release;
mod setup;
mod shelf;
mod state;
mod store;

use std::borrow::Cow;
use std::error::Error;

use crate::ancestry::AncestryError;
use crate::doctor::DoctorError;
use crate::git::GitError;
use crate::metafile::MetafileError;
use crate::reason::Outage;
use crate::resolve::{Objection, ResolveError};
use crate::show::ShowError;
use crate::stub::StubError;
use crate::words;

use arrival::{arrival, fetch, url};
use bisect::{bisect, left_open};
use config::config;
use hooks::{hooks, late, missed};

pub use bisect::SkippedError;
pub use hooks::LateError;
pub use kind::Kind;
use parameters::parameters;
use publish::{conflict, measured, publish};
use registry::{edit, is_list, registry, share};
use release::{download, stage};
use setup::{answer, parameter_name, setup};
use shelf::shelf;
pub use state::MustBuild;
use state::{chronicle, lock_file, locking, must_build, refused, status, wait, why};
use store::{out, store};

/// Holds one failure as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind it is.
    pub kind: Kind,
    /// What happened, naming the thing.
    pub message: String,
    /// What to do next, when that is known.
    pub hint: Option<String>,
    /// Why it happened, outermost first.
    pub causes: Vec<String>,
}

/// Holds failures that happened side by side.
#[derive(Debug, thiserror::Error)]
#[error("{} failures", .0.len())]
pub struct Several(pub Vec<anyhow::Error>);

/// Says that the command line asks for something that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct UsageError {
    /// What makes no sense.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Says that checks failed, each of which was told already.
#[derive(Debug, thiserror::Error)]
#[error("{} {checks}", if checks.contains(',') { "these checks failed:" } else { "this check failed:" })]
pub struct ChecksFailed {
    /// Their names.
    pub checks: String,
    /// What kind they are together.
    pub kind: Kind,
}

/// Says that a local file that a command writes is there already.
#[derive(Debug, thiserror::Error)]
#[error("{} exists already and stays as it is", .0.display())]
pub struct ExistsError(pub std::path::PathBuf);

/// Says that a person or the system ended the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndedError {
    /// By an interrupt, as Ctrl-C sends it.
    #[error("interrupted")]
    Interrupted,
    /// By a request to terminate.
    #[error("terminated")]
    Terminated,
}

/// Says that nobody reads standard output any more, which is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("standard output is closed")]
pub struct OutputClosed;

/// Says that standard output does not take the answer.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub struct OutputError(#[source] pub std::io::Error);

/// How many lines of a list are told: who mends so many places of a file looks again.
const MOST_LINES: usize = 100;

type Verdict = (Kind, Option<String>);

impl Failure {
    /// Classifies an error; one that holds several gives one failure each.
    #[must_use]
    pub fn all_of(error: &anyhow::Error) -> Vec<Self> {
        match error.downcast_ref::<Several>() {
            Some(Several(errors)) => errors.iter().flat_map(Self::all_of).collect(),
            None => vec![Self::of(error)],
        }
    }

    /// Returns the kind that several failures are together.
    #[must_use]
    pub fn joint_kind(failures: &[Self]) -> Kind {
        match failures {
            [] => Kind::Done,
            [first, rest @ ..] if rest.iter().all(|failure| failure.kind == first.kind) => first.kind,
            _ => Kind::Several,
        }
    }

    fn of(error: &anyhow::Error) -> Self {
        let (kind, hint) = verdict(error).unwrap_or((Kind::Other, None));
        let mut causes: Vec<String> = error.chain().skip(1).flat_map(|cause| lines(&cause.to_string())).collect();
        causes.extend(shelf::regions(error));
        causes.dedup();
        let message = message(error);
        causes.retain(|cause| *cause != message);
        let hint = hint.map(|hint| words::told(&hint).into_owned());
        Self { kind, message, hint, causes }
    }
}

/// Returns the lines of what a cause says, which may be another program's words.
fn lines(said: &str) -> Vec<String> {
    let lines = said.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.take(MOST_LINES).map(|line| words::told(line).into_owned()).collect()
}

/// Returns what an error says: in one line, unless it lists things. Anything else that would begin a line was put there by others.
fn message(error: &anyhow::Error) -> String {
    let said = error.to_string();
    // All names are told: whoever mends half of them is refused again.
    if error.is::<Objection>() {
        return words::text(&said).into_owned();
    }
    if !is_list(error) {
        return words::told(&said).into_owned();
    }
    let mut lines: Vec<Cow<'_, str>> = said.lines().take(MOST_LINES).map(words::told).collect();
    let more = said.lines().count().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.push(format!("and {more} more").into());
    }
    lines.join("\n")
}

/// Tries every type of error that a command can end with.
fn verdict(error: &anyhow::Error) -> Option<Verdict> {
    fn of<E: Error + Send + Sync + 'static>(error: &anyhow::Error, judge: impl Fn(&E) -> Verdict) -> Option<Verdict> {
        error.downcast_ref().map(judge)
    }
    of(error, usage)
        .or_else(|| of(error, config))
        .or_else(|| of(error, registry))
        .or_else(|| of(error, git))
        .or_else(|| of(error, store))
        .or_else(|| of(error, parameters))
        .or_else(|| of(error, ancestry))
        .or_else(|| of(error, metafile))
        .or_else(|| of(error, resolve))
        .or_else(|| of(error, objection))
        .or_else(|| of(error, stub))
        .or_else(|| of(error, show))
        .or_else(|| of(error, publish))
        .or_else(|| of(error, conflict))
        .or_else(|| of(error, fetch))
        .or_else(|| of(error, arrival))
        .or_else(|| of(error, url))
        .or_else(|| of(error, bisect))
        .or_else(|| of(error, left_open))
        .or_else(|| of(error, stage))
        .or_else(|| of(error, shelf))
        .or_else(|| of(error, download))
        .or_else(|| of(error, share))
        .or_else(|| of(error, edit))
        .or_else(|| of(error, hooks))
        .or_else(|| of(error, exists))
        .or_else(|| of(error, doctor))
        .or_else(|| of(error, |failed: &ChecksFailed| plain(failed.kind)))
        .or_else(|| of(error, late))
        .or_else(|| of(error, |error: &std::io::Error| local(error)))
        .or_else(|| of(error, |OutputError(source)| local(source)))
        .or_else(|| of(error, missed))
        .or_else(|| of(error, setup))
        .or_else(|| of(error, answer))
        .or_else(|| of(error, parameter_name))
        .or_else(|| of(error, status))
        .or_else(|| of(error, must_build))
        .or_else(|| of(error, chronicle))
        .or_else(|| of(error, refused))
        .or_else(|| of(error, locking))
        .or_else(|| of(error, lock_file))
        .or_else(|| of(error, wait))
        .or_else(|| of(error, why))
        .or_else(|| of(error, ended))
}

fn plain(kind: Kind) -> Verdict {
    (kind, None)
}

fn advised(kind: Kind, hint: impl Into<String>) -> Verdict {
    (kind, Some(hint.into()))
}

/// Judges what the system says of a local file.
fn local(error: &std::io::Error) -> Verdict {
    use std::io::ErrorKind as System;
    let kind = error.kind();
    if matches!(kind, System::PermissionDenied | System::ReadOnlyFilesystem) {
        advised(Kind::AccessDenied, "check who may read and write there")
    } else if kind == System::NotFound {
        advised(Kind::NotFound, "check the path, and that its directory is there still")
    } else if matches!(kind, System::AlreadyExists | System::NotADirectory | System::IsADirectory) {
        advised(Kind::Conflict, "something else stands there: name another place")
    } else if kind == System::InvalidFilename {
        advised(Kind::Other, "the disk keeps no such name: take a shorter one")
    } else {
        (Kind::Other, Outage::of_system(error).map(|outage| out(outage).to_owned()))
    }
}

fn usage(error: &UsageError) -> Verdict {
    (Kind::Usage, error.hint.clone())
}

fn exists(_: &ExistsError) -> Verdict {
    advised(Kind::Conflict, "edit it, or move it away first")
}

fn ended(error: &EndedError) -> Verdict {
    match error {
        EndedError::Interrupted => plain(Kind::Interrupted),
        EndedError::Terminated => plain(Kind::Terminated),
    }
}

fn git(error: &GitError) -> Verdict {
    match error {
        // No name of a ref may have two dots in a row (source: `git check-ref-format`).
        GitError::NoSuchRevision { revision } if revision.contains("..") => {
            advised(Kind::Git, "it is a range: a single commit belongs here")
        }
        GitError::NoSuchRevision { .. } => {
            advised(Kind::Git, "check its spelling, or `git fetch`: a shallow clone has only the newest commits")
        }
        GitError::Unborn => advised(Kind::Git, "make a first commit, or name a commit that is there"),
        GitError::ForeignOwner { directory } => advised(
            Kind::Git,
            format!("if you trust it: git config --global --add safe.directory '{}'", directory.display()),
        ),
        GitError::NoProgram { .. } => advised(Kind::Git, "install git, or put it on PATH"),
        GitError::NotHere { .. } => advised(
            Kind::Git,
            "this clone is partial, and nothing is fetched unasked: `git fetch --refetch --no-filter`, or look at that file once with git",
        ),
        GitError::Unreadable { .. } => plain(Kind::Git),
    }
}

fn ancestry(error: &AncestryError) -> Verdict {
    match error {
        AncestryError::NoSuchCommit(_) => {
            advised(Kind::Git, "`git fetch` it first, or correct the id: it has no metafile in the store either")
        }
        AncestryError::Unreadable { .. } => advised(Kind::Git, "`git fsck` says what is broken"),
    }
}

fn metafile(_: &MetafileError) -> Verdict {
    advised(Kind::Integrity, "`metalogic resolve` makes it anew; --fresh looks past it")
}

fn resolve(error: &ResolveError) -> Verdict {
    match error {
        ResolveError::Store(source) => store(source),
        ResolveError::Ancestry(source) => ancestry(source),
        ResolveError::NoParent(_) => {
            advised(Kind::Git, "run it in a clone that has the commit (-C DIR), or `metalogic stub` it in one first")
        }
        ResolveError::Metafile { url, .. } => advised(
            Kind::Integrity,
            format!(
                "its keys that this program does not know are kept and leave no room: take them out of {url}, or delete that and run `metalogic resolve`"
            ),
        ),
        ResolveError::Raced { .. } => {
            advised(Kind::NotYet, "run it again, or give it longer with --timeout: what was published stays")
        }
    }
}

fn objection(error: &Objection) -> Verdict {
    match error {
        Objection::Unknown { names, unfit, .. } => {
            let register = "`metalogic registry add` registers them, or write them among a project's `retired`";
            let unfit = match unfit.len() {
                0 => None,
                1 => unfit.first().map(|url| format!("remove or move away {url}: no artifact can have that name")),
                _ => {
                    Some("remove or move away what a whole URL is told of: no artifact can have such a name".to_owned())
                }
            };
            let register = (!names.is_empty()).then(|| register.to_owned());
            let advice: Vec<String> = register.into_iter().chain(unfit).collect();
            let advice = advice.join("; ");
            advised(Kind::UnknownArtifact, format!("{advice}; then run this again. What is known was resolved"))
        }
        Objection::Incomplete { .. } => advised(
            Kind::NotFound,
            "build and publish them here or at an ancestor, or look further with --max-ancestors",
        ),
    }
}

fn stub(error: &StubError) -> Verdict {
    match error {
        StubError::Store(source) => store(source),
        StubError::Ancestry(source) => ancestry(source),
        StubError::NoParent(_) => advised(Kind::Git, "run this in a clone that has the commit (-C DIR)"),
        StubError::Metafile { .. } => plain(Kind::Integrity),
    }
}

fn show(error: &ShowError) -> Verdict {
    match error {
        ShowError::Store(source) => store(source),
        ShowError::Malformed { .. } => {
            advised(Kind::Integrity, "`metalogic resolve` makes it anew; --fresh looks past it")
        }
    }
}

fn doctor(error: &DoctorError) -> Verdict {
    let unfit = "keep artifacts in a store that heeds conditions, as S3 itself does: in this one writers destroy what others wrote";
    match error {
        DoctorError::Store(source) => store(source),
        DoctorError::Ignored { .. } | DoctorError::Raced { .. } => advised(Kind::Configuration, unfit),
        DoctorError::Late(_) => {
            advised(Kind::Unavailable, "give it longer with --timeout, or ask again when the store is quicker")
        }
        DoctorError::Altered => advised(Kind::Integrity, "trust nothing that lies there"),
        DoctorError::Unlisted => advised(
            Kind::Configuration,
            "ask the store itself rather than a cache or a replica before it: a build that is not listed is not found",
        ),
    }
}
