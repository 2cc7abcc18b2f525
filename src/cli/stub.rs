//! `metalogic stub`.

mod hook;
mod queue;

use std::io::Read as _;

use serde_json::json;

use crate::cli::session::{Session, conclude};
use crate::config::ConfigError;
use crate::failure::UsageError;
use crate::files;
use crate::git::{GitError, Repository};
use crate::hook::{self as heard, Update};
use crate::journal::{Job, Journal};
use crate::moved::{self, Brought, MOST, Moves};
use crate::stub::{self, Gaps, Stub, Stubbed};

/// Make sure that commits have a metafile
///
/// Puts the stub of each commit: the first metafile found among its ancestors, re-addressed. A metafile that is there already
/// stays as it is, and that is success. No registry is needed.
///
/// With --range or --stdin each commit of a range is stubbed, along all parents and from the oldest up. An OLD of zeros, as git and CI systems
/// tell it for a new branch, stands for what no other ref has, at most 1000 commits. A name alone, as in `--range main`, takes all of its history.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The commits: anything `git rev-parse` takes [default: HEAD]; with --hook the arguments that git gives
    #[arg(value_name = "REV")]
    revisions: Vec<String>,
    /// Stub all commits that NEW has and OLD has not
    #[arg(long, value_name = "OLD..NEW", conflicts_with = "revisions")]
    range: Option<String>,
    /// Stub the ranges of the lines `OLD NEW [REF]` on standard input, as git gives them to post-receive
    #[arg(long, conflicts_with_all = ["revisions", "range"])]
    stdin: bool,
    /// Be git's hook of that name: read what git gives it, write the outcome to the log, and never fail
    #[arg(long, value_name = "NAME", conflicts_with_all = ["range", "stdin"])]
    hook: Option<String>,
    /// Return at once and go on in the background; `metalogic hooks status` tells the outcome
    #[arg(long, conflicts_with = "dry_run")]
    detach: bool,
    /// Do now what hooks left waiting for a store that did not answer
    #[arg(long, conflicts_with_all = ["revisions", "range", "stdin", "hook", "detach", "dry_run"])]
    queued: bool,
    /// Leave the session of whoever started it
    #[arg(long, hide = true)]
    alone: bool,
    /// Say what would be done, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Arguments {
    /// Says whether git called it.
    pub(crate) fn is_hook(&self) -> bool {
        self.hook.is_some()
    }

    /// Says whether it may see to many commits.
    pub(crate) fn is_long(&self) -> bool {
        self.range.is_some() || self.stdin || self.queued
    }

    /// Says whether it goes on for a process that has ended.
    pub(crate) fn goes_on_alone(&self) -> bool {
        self.alone
    }
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.queued {
        return work_off(session, arguments).await;
    }
    if let Some(name) = &arguments.hook {
        return hook::run(session, name, &arguments.revisions, arguments).await;
    }
    let (moves, mut errors) = asked(session, arguments)?;
    if arguments.detach && !moves.is_empty() {
        let store = session.config.store_place().await?.location.to_string();
        queue::go_on(session, &journal(session)?, &Job { moves, store: Some(store.clone()), ..Job::default() })?;
        session.report.log("going on in the background: `metalogic hooks status` tells the outcome");
        return conclude(answer(session, Some(&store), &Done { detached: true, ..Done::nothing() }, arguments), errors);
    }
    let brought = match session.config.repository()? {
        Some(repository) => moved::brought(repository, std::slice::from_ref(&moves)).map_err(ConfigError::from)?,
        None => Brought { commits: moves.commits.iter().copied().collect(), ..Brought::default() },
    };
    notes(&brought).iter().for_each(|note| session.report.warning(note));
    let missing = brought.missing.iter().map(|id| GitError::NoSuchRevision { revision: id.to_string() });
    errors.extend(missing.map(|error| ConfigError::from(error).into()));
    stub_now(session, &moves, brought, arguments, errors).await
}

/// Does what waits in the queue, and tells the outcome.
async fn work_off(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let queue::Worked { stubs, errors, is_taken } = queue::work_off(session).await?;
    if is_taken {
        session.report.log("another process is at it: `metalogic hooks status` tells the outcome");
    }
    tell(session, &stubs, arguments);
    conclude(answer(session, None, &Done { stubs, ..Done::nothing() }, arguments), errors)
}

fn tell(session: &Session, stubs: &[Stub], arguments: &Arguments) {
    for Stub { commit, created, .. } in stubs {
        let outcome = match (created, arguments.dry_run) {
            (true, false) => "stubbed",
            (true, true) => "would be stubbed",
            (false, _) => "has a metafile already",
        };
        session.report.log(&format!("{commit} {outcome}"));
    }
}

/// Stubs commits while somebody waits for it, and tells the outcome.
async fn stub_now(
    session: &Session,
    moves: &Moves,
    brought: Brought,
    arguments: &Arguments,
    mut errors: Vec<anyhow::Error>,
) -> anyhow::Result<()> {
    let ports = session.ports().await?;
    for tip in moves.commits.iter().copied().chain(moves.updates.iter().filter_map(|update| update.new)) {
        session.warn_of_pull_request(tip)?;
    }
    let commits: Vec<_> = brought.commits.into_iter().collect();
    let stubbing = stub::stub(session.world(&ports), &commits, Gaps::Leave, arguments.dry_run);
    let Stubbed { stubs, failures } = session.writing(&*ports.store, arguments.dry_run, stubbing).await;
    errors.extend(failures.into_iter().map(Into::into));
    tell(session, &stubs, arguments);
    if let (false, Some(repository)) = (arguments.dry_run, session.config.repository()?) {
        let (journal, store) = (Journal::of(repository.common_directory()), session.config.store_place().await?);
        if let Err(error) = queue::settle(&journal, &store.location.to_string(), &stubs) {
            session.report.detail(&format!("{:#}", queue::unwritable(&journal, error)));
        }
    }
    let done = Done { stubs, stopped: brought.stopped, detached: false };
    conclude(answer(session, Some(&ports.store.root()), &done, arguments), errors)
}

/// Holds what a run is to answer.
struct Done {
    stubs: Vec<Stub>,
    stopped: Vec<Update>,
    detached: bool,
}

impl Done {
    fn nothing() -> Self {
        Self { stubs: Vec::new(), stopped: Vec::new(), detached: false }
    }
}

fn answer(session: &Session, store: Option<&str>, done: &Done, arguments: &Arguments) -> anyhow::Result<()> {
    let stub = |stub: &Stub| json!({"commit": stub.commit, "url": stub.url, "created": stub.created});
    let stopped = |update: &Update| json!({"ref": update.reference, "old": update.old, "new": update.new});
    let object = json!({
        "stubs": done.stubs.iter().map(stub).collect::<Vec<_>>(),
        "stopped": done.stopped.iter().map(stopped).collect::<Vec<_>>(),
        "store": store,
        "detached": done.detached,
        "dry_run": arguments.dry_run,
    });
    session.answer(&object, || {
        done.stubs.iter().flat_map(|stub| [stub.url.as_str(), "\n"]).collect::<String>().into_bytes()
    })
}

/// Says what is good to know of the commits that came to be.
fn notes(brought: &Brought) -> Vec<String> {
    let stopped = brought.stopped.iter().map(|update| {
        let old = update.old.map(|old| format!("{old}..")).unwrap_or_default();
        let new = update.new.map(|new| new.to_string()).unwrap_or_default();
        let all = format!("metalogic stub --range {old}{new}");
        let name = update.reference.as_deref().unwrap_or("the range");
        format!("{name} has more than {MOST} new commits, and the newest {MOST} were taken: `{}` takes all", all)
    });
    let absent = brought.absent.iter().map(|id| {
        format!("{id} is no commit that this clone has: what it hides is not known, and what no other ref has was taken instead")
    });
    let missing = brought.missing.iter().map(|id| format!("{id} is nothing that this clone has: it was not stubbed"));
    stopped.chain(absent).chain(missing).collect()
}

/// Returns what the arguments ask for; what is wrong with single commits stops nobody else's.
fn asked(session: &Session, arguments: &Arguments) -> anyhow::Result<(Moves, Vec<anyhow::Error>)> {
    if let Some(range) = &arguments.range {
        return Ok((asked_range(session, range)?, Vec::new()));
    }
    if arguments.stdin {
        let wrong = |error: heard::HeardError| UsageError {
            message: format!("standard input is not what git gives to post-receive: {error}"),
            hint: Some("each line is OLD NEW [REF], with full ids".to_owned()),
        };
        let updates = heard::updates(&read_input()?).map_err(wrong)?;
        repository(session, "what standard input names")?;
        return Ok((Moves { updates, ..Moves::default() }, Vec::new()));
    }
    let revisions: Vec<Option<&str>> = match arguments.revisions.as_slice() {
        [] => vec![None],
        named => named.iter().map(|revision| Some(revision.as_str())).collect(),
    };
    let (mut commits, mut errors) = (Vec::new(), Vec::new());
    for revision in revisions {
        match session.commit(revision) {
            Ok(commit) => commits.push(commit),
            Err(error) => errors.push(error.into()),
        }
    }
    Ok((Moves { commits, ..Moves::default() }, errors))
}

/// Reads `OLD..NEW`, where NEW may be left out for HEAD, or `NEW` alone.
fn asked_range(session: &Session, range: &str) -> anyhow::Result<Moves> {
    let repository = repository(session, range)?;
    let (old, new) = match range.split_once("..") {
        // What a variable says that is not set is no history.
        None if range.is_empty() => return Err(no_range(range)),
        Some(("", _)) => return Err(no_range(range)),
        None => (None, range),
        Some((_, new)) if new.starts_with('.') => {
            let hint = Some("name it as OLD..NEW: what NEW has and OLD has not".to_owned());
            return Err(UsageError { message: format!("{range} names what either side has alone"), hint }.into());
        }
        Some((old, new)) => (Some(old), new),
    };
    let or_head = |revision: &str| session.commit(Some(if revision.is_empty() { "HEAD" } else { revision }));
    let is_null = |id: &str| id.len() >= 40 && id.bytes().all(|digit| digit == b'0');
    let (old, whole) = match old {
        Some(old) if is_null(old) => (None, false),
        Some(old) => (Some(or_head(old)?), true),
        None => (None, true),
    };
    let new = or_head(new)?;
    if repository.peeled(new).map_err(ConfigError::from)?.is_none() {
        return Err(ConfigError::from(GitError::NoSuchRevision { revision: new.to_string() }).into());
    }
    Ok(Moves { updates: vec![Update { old, new: Some(new), reference: None }], whole, ..Moves::default() })
}

fn no_range(range: &str) -> anyhow::Error {
    let hint = Some(
        "name both as OLD..NEW, where HEAD is one; OLD.. ends at HEAD, and a name alone takes all of its history"
            .to_owned(),
    );
    UsageError { message: format!("{range:?} does not say where to begin"), hint }.into()
}

fn repository<'a>(session: &'a Session, asked: &str) -> Result<&'a Repository, ConfigError> {
    let nowhere = || ConfigError::NoRepository { revision: asked.to_owned() };
    Ok(session.config.repository()?.ok_or_else(nowhere)?)
}

fn journal(session: &Session) -> Result<Journal, ConfigError> {
    Ok(Journal::of(repository(session, "where the outcome of --detach is told")?.common_directory()))
}

/// The most that is read of standard input, in bytes: a push of several hundred thousand refs.
const LARGEST: u64 = 64 << 20;

fn read_input() -> anyhow::Result<String> {
    let mut input = Vec::new();
    std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut input)?;
    if files::length(&input) > LARGEST {
        let hint = Some("name the commits, or a range with --range OLD..NEW".to_owned());
        return Err(UsageError { message: format!("standard input has more than {LARGEST} bytes"), hint }.into());
    }
    Ok(String::from_utf8_lossy(&input).into_owned())
}
