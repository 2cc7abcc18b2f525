//! What hooks came to: their last failures, what waits, and what they missed.

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

/// How many commits without a metafile are told by name.
const NAMED: usize = 10;

/// Holds what is to be told of the hooks' work.
pub(super) struct Outcome {
    pub(super) log: PathBuf,
    /// The last lines of the log that tell of a failure, the newest first.
    pub(super) failures: Vec<Entry>,
    /// The names of those who called for what waits, and how often each.
    pub(super) waiting: Vec<Value>,
    /// What mends it.
    pub(super) by_hand: Vec<String>,
    missed: Option<Missed>,
    /// Why it is not known what was missed.
    pub(super) errors: Vec<anyhow::Error>,
}

impl Outcome {
    pub(super) async fn of(session: &Session, repository: &Repository) -> anyhow::Result<Self> {
        let journal = Journal::of(repository.common_directory());
        let failures =
            journal.entries()?.into_iter().rev().filter(|entry| !entry.failures.is_empty()).take(LAST).collect();
        let jobs: Vec<_> = journal.waiting()?.into_iter().map(|waiting| waiting.job).collect();
        let moves: Vec<Moves> = jobs.iter().map(|job| job.moves.clone()).collect();
        let waiting =
            jobs.iter().map(|job| json!({"by": job.by.map_or("stub", Hook::name), "store": job.store})).collect();
        let (missed, errors) = match missed_now(session, repository).await {
            Ok(missed) => (Some(missed), Vec::new()),
            Err(error) => (None, vec![error]),
        };
        let by_hand: IndexSet<String> =
            moved::by_hand(&moves).into_iter().chain(missed.iter().flat_map(|missed| missed.by_hand.clone())).collect();
        let (log, by_hand) = (journal.directory().join("log"), by_hand.into_iter().collect());
        Ok(Self { log, failures, waiting, by_hand, missed, errors })
    }

    /// Returns the commits without a metafile, the newest first; none where nobody knows.
    pub(super) fn without_metafile(&self) -> Value {
        let ids = |missed: &Missed| missed.commits.iter().map(ToString::to_string).collect::<Vec<_>>();
        self.missed.as_ref().map_or(Value::Null, |missed| json!(ids(missed)))
    }

    /// Returns the lines for people.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        for entry in &self.failures {
            lines.push(format!("failed           {} {}", entry.at, entry.by.join(", ")));
            for trouble in &entry.failures {
                lines.push(format!("                 {}", trouble.message));
                lines.extend(trouble.hint.as_ref().map(|hint| format!("                 hint: {hint}")));
            }
        }
        match self.waiting.len() {
            0 => {}
            1 => lines.push("waiting          1 job, for the next hook that runs".to_owned()),
            jobs => lines.push(format!("waiting          {jobs} jobs, for the next hook that runs")),
        }
        lines.extend(self.missed.as_ref().map(told));
        if let Some(missed) = &self.missed {
            lines.extend(missed.commits.iter().take(NAMED).map(|commit| format!("                 {commit}")));
            let more = missed.commits.len().saturating_sub(NAMED);
            lines.extend((more > 0).then(|| format!("                 and {more} more")));
        }
        lines.extend(self.by_hand.iter().map(|command| format!("to mend it now   {command}")));
        lines.push(format!("log              {}", self.log.display()));
        lines.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect()
    }
}

fn told(missed: &Missed) -> String {
    let Missed { commits, seen, stopped, .. } = missed;
    let newest = if *stopped { "the newest " } else { "" };
    let plural = if *seen == 1 { "" } else { "s" };
    let (missing, colon) = match commits.len() {
        0 => ("none is".to_owned(), ""),
        1 => ("1 is".to_owned(), ":"),
        many => (format!("{many} are"), ":"),
    };
    format!("metafiles        {missing} missing of {newest}{seen} commit{plural} that branches and HEAD reach{colon}")
}

async fn missed_now(session: &Session, repository: &Repository) -> anyhow::Result<Missed> {
    let (store, place) = session.config.store().await?;
    session.tell_of(&place);
    Ok(missed::missed(repository, &*store, session.config.limits().jobs).await?)
}
