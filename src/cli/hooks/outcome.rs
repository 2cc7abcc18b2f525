//! What hooks came to: their last failures, what waits, and what they missed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indexmap::IndexSet;
use serde_json::{Value, json};

use crate::cli::session::Session;
use crate::git::Repository;
use crate::hook::Hook;
use crate::journal::{Entry, Journal};
use crate::missed::{self, Missed};
use crate::moved::{self, Moves};

/// How many of the last failures are told.
const LAST: usize = 3;

/// How many commits without a metafile, and how many commands, are told one by one.
const NAMED: usize = 10;

/// Holds what is known here of the hooks' work.
pub(super) struct Outcome {
    pub(super) log: PathBuf,
    /// The last lines of the log that tell of a failure, the newest first.
    pub(super) failures: Vec<Entry>,
    /// Who called for what waits, and for which store.
    pub(super) waiting: Vec<Value>,
    /// What does by hand what waits.
    by_hand: Vec<String>,
    is_worked_on: bool,
}

impl Outcome {
    /// Reads what hooks left. What cannot be read of it is told, and is in nobody's way.
    pub(super) async fn of(session: &Session, repository: &Repository) -> Self {
        let journal = Journal::of(repository.common_directory());
        let unreadable = |error: &std::io::Error| {
            let place = journal.directory().display();
            session.report.warning(&format!("{place} cannot be read ({error}): to remove it does no harm"));
        };
        let entries = journal.entries().inspect_err(unreadable).unwrap_or_default();
        let waiting = journal.waiting().inspect_err(unreadable).unwrap_or_default();
        let failures = entries.into_iter().rev().filter(|entry| !entry.failures.is_empty()).take(LAST).collect();
        let here = session.config.store_place().await.ok().map(|place| place.location.to_string());
        let mut by_store: BTreeMap<Option<String>, Vec<Moves>> = BTreeMap::new();
        for job in waiting.iter().map(|waiting| &waiting.job) {
            let elsewhere = job.store.clone().filter(|store| here.as_ref() != Some(store));
            by_store.entry(elsewhere).or_default().push(job.moves.clone());
        }
        let by_hand = by_store.iter().flat_map(|(store, moves)| {
            let store = store.as_ref().map(|store| format!(" --store {store}")).unwrap_or_default();
            moved::by_hand(moves).into_iter().map(move |command| format!("{command}{store}"))
        });
        Self {
            log: journal.directory().join("log"),
            failures,
            by_hand: by_hand.collect(),
            is_worked_on: !waiting.is_empty() && journal.take_turn().is_ok_and(|turn| turn.is_none()),
            waiting: waiting
                .iter()
                .map(|waiting| json!({"by": waiting.job.by.map_or("stub", Hook::name), "store": waiting.job.store}))
                .collect(),
        }
    }

    /// Returns the commands that mend what waits and what is missing.
    pub(super) fn by_hand(&self, session: &Session, missed: Option<&Missed>) -> Vec<String> {
        let all = self.by_hand.iter().chain(missed.iter().flat_map(|missed| &missed.by_hand));
        let called = format!("metalogic{}", session.config.spelled());
        all.map(|command| command.replacen("metalogic", &called, 1)).collect::<IndexSet<_>>().into_iter().collect()
    }

    /// Returns the lines of what is known here.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!("log              {}", self.log.display())];
        for entry in &self.failures {
            lines.push(format!("last failure     {} {}", entry.at, entry.by.join(", ")));
            for trouble in &entry.failures {
                lines.push(format!("                 {}", trouble.message));
                lines.extend(trouble.hint.as_ref().map(|hint| format!("                 hint: {hint}")));
            }
        }
        let jobs = match self.waiting.len() {
            0 => None,
            1 => Some("1 job".to_owned()),
            jobs => Some(format!("{jobs} jobs")),
        };
        let whose = if self.is_worked_on {
            "which are being done"
        } else {
            "for the next hook that runs, or `metalogic stub --queued`"
        };
        lines.extend(jobs.map(|jobs| format!("waiting          {jobs}, {whose}")));
        text(lines)
    }
}

/// Returns the lines of what the store knows, and of what mends it.
pub(super) fn told(missed: Option<&Missed>, by_hand: &[String]) -> String {
    let mut lines = Vec::new();
    if let Some(missed) = missed {
        lines.push(found(missed));
        lines.extend(missed.commits.iter().take(NAMED).map(|commit| format!("                 {commit}")));
        let more = missed.commits.len().saturating_sub(NAMED);
        if more > 0 {
            lines.push(format!("                 and {more} more; commits from before the hooks count too, and none is needed: what is not"));
            lines.push("                 stored is computed by whoever asks for it".to_owned());
        }
    }
    lines.extend(by_hand.iter().take(NAMED).map(|command| format!("to mend it now   {command}")));
    let more = by_hand.len().saturating_sub(NAMED);
    lines.extend((more > 0).then(|| format!("                 and {more} more commands: see --json")));
    text(lines)
}

fn text(lines: Vec<String>) -> String {
    lines.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect()
}

fn found(missed: &Missed) -> String {
    let Missed { commits, seen, stopped, .. } = missed;
    let newest = if *stopped { "the newest " } else { "" };
    let plural = if *seen == 1 { "" } else { "s" };
    let (missing, colon) = match commits.len() {
        0 => ("none is".to_owned(), ""),
        1 => ("1 is".to_owned(), ":"),
        many => (format!("{many} are"), ":"),
    };
    format!("metafiles        {missing} missing of {newest}{seen} commit{plural} that refs and work trees reach{colon}")
}

/// Asks the store which commits have no metafile.
pub(super) async fn missed_now(session: &Session, repository: &Repository) -> anyhow::Result<Missed> {
    let (store, place) = session.config.store().await?;
    session.tell_of(&place);
    Ok(missed::missed(repository, &*store, session.config.limits().jobs).await?)
}
