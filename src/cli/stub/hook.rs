//! `metalogic stub --hook`: what git calls. Whatever happens, git goes on.

use std::time::Duration;

use futures::future::FutureExt as _;

use crate::address::Commit;
use crate::ancestry::Ancestry as _;
use crate::cli::session::Session;
use crate::config::ConfigError;
use crate::failure::UsageError;
use crate::git::Repository;
use crate::hook::{Heard, Hook, NoSuchHook, Update};
use crate::journal::{Job, Journal};
use crate::location::Location;
use crate::mainline::{self, Foxtrot, Mainline};
use crate::moved::{self, Moves};

use super::{Arguments, Done, answer, queue, read_input, stub_now};

/// How long git waits for a store that is a directory. One that takes longer is seen to in the background.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many refs and rewritten commits git waits for at most: of each, git itself is asked for its commits.
const FEW: usize = 16;

/// Below this are branches: what moves along first parents.
const BRANCHES: &str = "refs/heads/";

/// How many branches of one push are looked at for foxtrot merges: who pushes more at once moves a repository.
const CHECKED: usize = 8;

/// Does a hook's work. Only a name that is no hook's is an error: somebody wrote it, and git did not.
pub(super) async fn run(session: &Session, name: &str, words: &[String], arguments: &Arguments) -> anyhow::Result<()> {
    let unknown = |error: NoSuchHook| UsageError { message: error.to_string(), hint: None };
    let hook: Hook = name.parse().map_err(unknown)?;
    let idle = || answer(session, None, &Done::nothing(), arguments);
    let repository = match session.config.repository() {
        Ok(Some(repository)) => repository,
        none => {
            let why = none.err().map_or("no git repository is here".to_owned(), |error| error.to_string());
            session.report.warning(&format!("{name} does nothing: {why}"));
            return idle();
        }
    };
    let journal = Journal::of(repository.common_directory());
    let moves = match heard(repository, hook, words) {
        Ok(moves) if moves.is_empty() => return idle(),
        Ok(moves) => moves,
        Err(error) => {
            queue::tell(session, &journal, hook, &error);
            return idle();
        }
    };
    if arguments.dry_run {
        let brought = moved::brought(repository, std::slice::from_ref(&moves)).map_err(ConfigError::from)?;
        return stub_now(session, &moves, brought, arguments, Vec::new()).await;
    }
    let notes = if hook == Hook::PostReceive { foxtrots(session, repository, &moves.updates) } else { Vec::new() };
    let job = Job { by: Some(hook), moves, notes, ..Job::default() };
    let detached = match begin(session, &journal, job, arguments.detach).await {
        Ok(detached) => detached,
        Err(error) => {
            queue::tell(session, &journal, hook, &error);
            false
        }
    };
    answer(session, None, &Done { detached, ..Done::nothing() }, arguments)
}

/// Does a job at once where the store is near, and else in the background; says whether it went there.
async fn begin(session: &Session, journal: &Journal, mut job: Job, detach: bool) -> anyhow::Result<bool> {
    // What is not known without asking a network is not near.
    let place = session.config.store_place().now_or_never();
    if let Some(Ok(place)) = &place {
        job.store = Some(place.location.to_string());
    }
    let is_near = match &place {
        Some(Ok(place)) => matches!(place.location, Location::Local(_)),
        // Nothing is asked where nothing is understood: whoever works the queue off writes down why.
        Some(Err(_)) => true,
        None => false,
    };
    let is_much = job.moves.updates.len().max(job.moves.rewrites.len()) > FEW;
    if detach || !is_near || is_much {
        queue::go_on(session, journal, &job)?;
        return Ok(true);
    }
    let work = queue::work_for(session, journal, &job);
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map(|()| false),
        Err(_) => queue::spawn(session).map(|()| true),
    }
}

/// Warns whoever pushed of branches whose former tips are hidden now; returns that and what else is to be written down of them.
fn foxtrots(session: &Session, repository: &Repository, updates: &[Update]) -> Vec<String> {
    let mut notes = Vec::new();
    let branches =
        updates.iter().filter(|update| update.reference.as_deref().is_some_and(|name| name.starts_with(BRANCHES)));
    for update in branches.take(CHECKED) {
        let (Some(old), Some(new), Some(name)) = (update.old, update.new, &update.reference) else { continue };
        match mainline::check(repository, old, new) {
            Ok(Mainline::Hidden { merge }) => {
                let foxtrot = format!("{name}: {}", Foxtrot { old, new, merge });
                session.report.warning(&foxtrot);
                notes.push(foxtrot);
            }
            Ok(Mainline::Rewritten) => notes.push(format!("{name} was rewritten: {old} is no ancestor of {new}")),
            Ok(Mainline::Kept | Mainline::Unknown) => {}
            Err(error) => notes.push(format!("{name}: whether {old} is hidden from {new} is not known: {error}")),
        }
    }
    notes
}

/// Returns what a hook was told, with HEAD taken for the commit that it is now.
fn heard(repository: &Repository, hook: Hook, words: &[String]) -> anyhow::Result<Moves> {
    let input = if hook.reads() { read_input()? } else { String::new() };
    Ok(match hook.hear(words, &input)? {
        Heard::Nothing => Moves::default(),
        Heard::Head => head(repository)?,
        Heard::Merged => match (repository.commit("ORIG_HEAD"), repository.head()?) {
            (Ok(old), Some(new)) if old != new => updates(old, new),
            _ => head(repository)?,
        },
        Heard::Rewritten(rewrites) => Moves { rewrites, ..Moves::default() },
        Heard::Moved { updates, remote } => Moves { updates, remote, ..Moves::default() },
    })
}

/// Returns HEAD, with what it merged.
fn head(repository: &Repository) -> anyhow::Result<Moves> {
    let Some(head) = repository.head()? else { return Ok(Moves::default()) };
    let parent = repository.first_parents(head, 1)?.ancestors.first().copied();
    match parent.map(|parent| repository.peeled(parent)).transpose()?.flatten() {
        Some(parent) => Ok(updates(parent, head)),
        // A root, or the boundary of a shallow clone.
        None => Ok(Moves { commits: vec![head], ..Moves::default() }),
    }
}

fn updates(old: Commit, new: Commit) -> Moves {
    Moves { updates: vec![Update { old: Some(old), new: Some(new), reference: None }], ..Moves::default() }
}
