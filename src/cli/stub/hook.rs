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
use crate::moved::{self, Moves};

use super::{Arguments, Done, answer, queue, read_input, stub_now};

/// How long git waits for a store that is a directory. One that takes longer is seen to in the background.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does a hook's work. Only a name that is no hook's is an error: somebody wrote it, and git did not.
pub(super) async fn run(session: &Session, name: &str, words: &[String], arguments: &Arguments) -> anyhow::Result<()> {
    let unknown = |error: NoSuchHook| UsageError { message: error.to_string(), hint: None };
    let hook: Hook = name.parse().map_err(unknown)?;
    let repository = match session.config.repository() {
        Ok(Some(repository)) => repository,
        Ok(None) => {
            session.report.warning(&format!("{name} does nothing outside a git repository"));
            return answer(session, None, &Done::nothing(), arguments);
        }
        Err(error) => {
            session.report.warning(&format!("{name} does nothing: {:#}", anyhow::Error::from(error)));
            return answer(session, None, &Done::nothing(), arguments);
        }
    };
    let moves = match heard(repository, hook, words) {
        Ok(moves) => moves,
        Err(error) => {
            queue::tell(session, &Journal::of(repository.common_directory()), hook, &error);
            return answer(session, None, &Done::nothing(), arguments);
        }
    };
    if moves.is_empty() {
        return answer(session, None, &Done::nothing(), arguments);
    }
    if arguments.dry_run {
        let brought = moved::brought(repository, std::slice::from_ref(&moves)).map_err(ConfigError::from)?;
        return stub_now(session, &moves, brought, arguments, Vec::new()).await;
    }
    let journal = Journal::of(repository.common_directory());
    let detached = match begin(session, &journal, Job { by: Some(hook), moves, store: None }, arguments.detach).await {
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
    if detach || !is_near {
        queue::go_on(session, journal, &job)?;
        return Ok(true);
    }
    let store = journal.add(&job)?.job.store;
    let work = queue::work_for(session, journal, store.as_deref());
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map(|()| false),
        Err(_) => queue::spawn(session).map(|()| true),
    }
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
