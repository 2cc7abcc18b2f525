//! The queue of a repository's hooks: added to in no time, worked off by one process at a time.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;

use futures::stream::{self, StreamExt as _};

use crate::address::Commit;
use crate::cli::session::{Ports, Session, all_of};
use crate::config::ConfigError;
use crate::detach;
use crate::failure::{Failure, LateError};
use crate::hook::{Hook, Rewrite};
use crate::journal::{Entry, Job, Journal, Trouble, Waiting};
use crate::moved::{self, MOST, Moves};
use crate::rewritten;
use crate::stub::{self, Gaps, Stub, Stubbed};
use crate::world::World;

use super::{journal, notes};

/// How many commits a command line names at most.
const TIPS: usize = 100;

/// Adds a job and has it done in the background.
pub(super) fn go_on(session: &Session, journal: &Journal, job: &Job) -> anyhow::Result<()> {
    if let Err(error) = journal.add(job) {
        // What cannot wait here is done at once, as far as a command line has room for it.
        let tips = job.moves.tips().into_iter().take(TIPS).map(|tip| OsString::from(tip.to_string()));
        let mut arguments = session.config.passed_on();
        arguments.extend(["stub", "--alone"].map(OsString::from));
        arguments.extend(tips);
        detach::go_on(&arguments)?;
        return Err(unwritable(journal, error));
    }
    // Whoever has the turn looks once more when it is over.
    if journal.take_turn()?.is_some() { spawn(session) } else { Ok(()) }
}

/// Says what is wrong with the place where hooks leave what they have to do.
pub(super) fn unwritable(journal: &Journal, error: std::io::Error) -> anyhow::Error {
    let place = journal.directory().display().to_string();
    anyhow::Error::from(error).context(format!("{place} cannot be used; to remove it does no harm"))
}

/// Starts a process that works the queue off.
pub(super) fn spawn(session: &Session) -> anyhow::Result<()> {
    let mut arguments = session.config.passed_on();
    arguments.extend(["stub", "--queued", "--alone"].map(OsString::from));
    Ok(detach::go_on(&arguments)?)
}

/// Does a job, and those of the same store that wait. No turn is needed: who does the same ones at the same time does no harm.
pub(super) async fn work_for(session: &Session, journal: &Journal, job: &Job) -> anyhow::Result<()> {
    let added = journal.add(job);
    let waiting = journal.waiting().unwrap_or_default();
    let (mut own, others): (Vec<&Waiting>, Vec<&Waiting>) =
        waiting.iter().partition(|waiting| waiting.job.store == job.store);
    let unwritten = added.is_err().then(|| Waiting::nowhere(job.clone()));
    own.extend(&unwritten);
    // What went wrong is in the log.
    work(session, journal, job.store.as_deref(), &own).await?;
    added.map_err(|error| unwritable(journal, error))?;
    // What waits for another store may find it by now, and this one need not wait for that.
    if !others.is_empty() && journal.take_turn()?.is_some() { spawn(session) } else { Ok(()) }
}

/// Puts those jobs away whose commits have a metafile now, since somebody gave it to them by hand.
pub(super) fn settle(journal: &Journal, store: &str, stubs: &[Stub]) -> std::io::Result<()> {
    let done: HashSet<Commit> = stubs.iter().map(|stub| stub.commit).collect();
    for waiting in journal.waiting()? {
        let is_here = waiting.job.store.as_deref().is_none_or(|url| url == store);
        if is_here && waiting.job.moves.tips().iter().all(|tip| done.contains(tip)) {
            journal.put_away(&waiting)?;
        }
    }
    Ok(())
}

/// Holds what working the queue off came to.
#[derive(Default)]
pub(super) struct Worked {
    /// The commits that have a metafile now.
    pub(super) stubs: Vec<Stub>,
    /// What went wrong; it is in the log, too.
    pub(super) errors: Vec<anyhow::Error>,
    /// Whether another process is at it.
    pub(super) is_taken: bool,
}

/// Does all jobs that wait, unless another process has the turn. A job that fails for what may pass stays, for the next hook that runs.
pub(super) async fn work_off(session: &Session) -> anyhow::Result<Worked> {
    let journal = journal(session)?;
    let mut worked = Worked::default();
    let mut tried: Vec<Waiting> = Vec::new();
    loop {
        let Some(turn) = journal.take_turn()? else { return Ok(Worked { is_taken: true, ..worked }) };
        let mut waiting = fresh(&journal, &tried)?;
        while !waiting.is_empty() {
            for (store, jobs) in by_store(&waiting) {
                let (stubs, error) = work(session, &journal, store, &jobs).await?;
                worked.stubs.extend(stubs);
                worked.errors.extend(error);
            }
            tried.append(&mut waiting);
            waiting = fresh(&journal, &tried)?;
        }
        drop(turn);
        // What was added while the turn was still taken is nobody else's to do.
        if fresh(&journal, &tried)?.is_empty() {
            return Ok(worked);
        }
    }
}

fn fresh(journal: &Journal, tried: &[Waiting]) -> anyhow::Result<Vec<Waiting>> {
    let mut waiting = journal.waiting()?;
    waiting.retain(|waiting| !tried.contains(waiting));
    Ok(waiting)
}

fn by_store(waiting: &[Waiting]) -> BTreeMap<Option<&str>, Vec<&Waiting>> {
    let mut grouped: BTreeMap<Option<&str>, Vec<&Waiting>> = BTreeMap::new();
    for one in waiting {
        grouped.entry(one.job.store.as_deref()).or_default().push(one);
    }
    grouped
}

/// Does the jobs of one store together, and writes down what came of it.
async fn work(
    session: &Session,
    journal: &Journal,
    store: Option<&str>,
    waiting: &[&Waiting],
) -> anyhow::Result<(Vec<Stub>, Option<anyhow::Error>)> {
    let moves: Vec<Moves> = waiting.iter().map(|waiting| waiting.job.moves.clone()).collect();
    let by: BTreeSet<&str> = waiting.iter().map(|waiting| waiting.job.by.map_or("stub", Hook::name)).collect();
    let by = by.into_iter().map(str::to_owned).collect();
    let notes = waiting.iter().flat_map(|waiting| waiting.job.notes.clone()).collect();
    let mut entry = Entry { by, store: store.map(str::to_owned), notes, ..Entry::default() };
    let waited = session.config.limits().timeout;
    let (stubs, error) = match tokio::time::timeout(waited, stub_all(session, store, &moves, &mut entry)).await {
        Ok(Ok((stubs, error))) => (stubs, error),
        Ok(Err(error)) => (Vec::new(), Some(error)),
        Err(_) => (Vec::new(), Some(LateError { store: store.unwrap_or("the store").to_owned(), waited }.into())),
    };
    let failures = error.as_ref().map(Failure::all_of).unwrap_or_default();
    let stays = failures.iter().any(|failure| failure.kind.may_pass());
    if !failures.is_empty() {
        entry.by_hand = moved::by_hand(&moves);
    }
    entry.failures = failures.iter().map(trouble).collect();
    let noted = journal.note(&entry);
    for done in waiting.iter().filter(|_| !stays) {
        journal.put_away(done)?;
    }
    noted.map_err(|error| unwritable(journal, error))?;
    Ok((stubs, error))
}

async fn stub_all(
    session: &Session,
    store: Option<&str>,
    moves: &[Moves],
    entry: &mut Entry,
) -> anyhow::Result<(Vec<Stub>, Option<anyhow::Error>)> {
    let Some(repository) = session.config.repository()? else { return Ok((Vec::new(), None)) };
    let brought = moved::brought(repository, moves).map_err(ConfigError::from)?;
    entry.notes.extend(notes(&brought));
    let store = match store {
        Some(url) => session.config.store_at(url)?,
        None => session.config.store().await?.0,
    };
    entry.store = Some(store.root());
    let ports = Ports::new(store, session.config.ancestry()?);
    let commits: Vec<_> = brought.commits.into_iter().collect();
    let Stubbed { stubs, failures } = stub::stub(session.world(&ports), &commits, Gaps::Fill, false).await;
    entry.stubbed = stubs.iter().filter(|stub| stub.created).count();
    entry.present = stubs.len() - entry.stubbed;
    entry.notes.extend(same_trees(session.world(&ports), moves).await);
    let error = (!failures.is_empty()).then(|| all_of(failures));
    Ok((stubs, error))
}

/// Says which rewritten commits are of the same files as what they were made of, where that was built.
async fn same_trees(world: World<'_>, moves: &[Moves]) -> Vec<String> {
    let rewrites = moves.iter().flat_map(|moved| &moved.rewrites).take(MOST);
    let same = |rewrite: &Rewrite| {
        let Rewrite { old, new } = *rewrite;
        async move { rewritten::same_tree(world, new, &[old]).await.unwrap_or_default() }
    };
    let found: Vec<_> = stream::iter(rewrites).map(same).buffered(world.limits.jobs).collect().await;
    found.iter().flatten().map(ToString::to_string).collect()
}

/// Writes down why a hook could not even say what is to be done.
pub(super) fn tell(session: &Session, journal: &Journal, hook: Hook, error: &anyhow::Error) {
    let failures = Failure::all_of(error).iter().map(trouble).collect();
    let entry = Entry { by: vec![hook.name().to_owned()], failures, ..Entry::default() };
    if let Err(wrong) = journal.note(&entry) {
        session.report.warning(&format!("{}: {error:#}; and the log cannot be written: {wrong}", hook.name()));
    }
}

fn trouble(failure: &Failure) -> Trouble {
    let causes: String = failure.causes.iter().map(|cause| format!(": {cause}")).collect();
    Trouble {
        kind: failure.kind.name().to_owned(),
        message: format!("{}{causes}", failure.message),
        hint: failure.hint.clone(),
    }
}
