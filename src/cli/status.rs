//! `metalogic status`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::address::Commit;
use crate::artifact::Name;
use crate::cli::session::Session;
use crate::cli::table::{Table, styled};
use crate::metafile::Attempt;
use crate::moment::Moment;
use crate::report;
use crate::resolve::Answer;
use crate::state::Verdict;
use crate::status;
use crate::words;

/// Tell how each artifact of a commit stands
///
/// Looks at the commit's address and its ancestors', as `resolve` does, writes nothing, and tells for each artifact of the repository's
/// projects its state, the commit whose address holds it, how many first parents back that is, how long ago it was published, and its size.
///
/// The states: built (at this commit), proven (inherited, and its inputs are the same), assumed (inherited, and its inputs are not declared
/// or not recorded), stale (inherited, and its inputs changed since), pending and failed (as `begin` and `fail` recorded), missing.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(value_name = "REV")]
    revision: Option<String>,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let commit = session.commit(arguments.revision.as_deref())?;
    let ports = session.ports().await?;
    let catalog = session.catalog_if_any(&ports, commit).await?;
    let world = session.hushed(&ports);
    let status = status::status(world, catalog.as_ref(), commit).await?;
    let distances = status::distances(world, &status.metafile, &status.verdicts).await?;
    if let Some(objection) = status.answer.as_ref().and_then(Answer::unknown) {
        session.report.warning_whole(&objection.to_string());
    }
    let now = Session::now();
    let object = json!({
        "commit": commit.to_string(),
        "url": status.url,
        "artifacts": status.verdicts.iter().map(|(name, verdict)| object(commit, name, verdict, &distances)).collect::<Vec<_>>(),
        "ends": session.ends(),
        "store": ports.store.root(),
    });
    if session.json {
        return session.answer(&object, Vec::new);
    }
    if status.verdicts.is_empty() {
        session.report.note(&format!("no artifact is known at {commit}"));
        return Ok(());
    }
    let mut table = Table::new(&["ARTIFACT", "STATE", "FROM", "BACK", "AGE", "SIZE"]);
    let mut why = vec![None];
    for (name, verdict) in &status.verdicts {
        let Verdict { from, record, .. } = verdict;
        let back = from.map(|from| steps(commit, from, &distances).map_or("?".to_owned(), |steps| steps.to_string()));
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.add(vec![
            name.to_string(),
            styled(verdict.state),
            or_none(from.map(|from| from.short())),
            or_none(back),
            or_none(record.at.map(|at| at.age(now))),
            or_none(record.size.map(report::bytes)),
        ]);
        why.push(verdict.attempt.as_ref().map(|attempt| told(attempt, now)));
    }
    let mut text = String::new();
    for (line, why) in table.lines().iter().zip(why) {
        text.push_str(&format!("{line}\n"));
        why.iter().for_each(|why| text.push_str(&format!("    {why}\n")));
    }
    session.print_styled(&text)
}

/// Returns what an attempt says, in one line.
pub(crate) fn told(attempt: &Attempt, now: Moment) -> String {
    let ago = attempt.at.map(|at| at.ago(now));
    let reason = attempt.reason.as_deref().map(|reason| words::told(reason).into_owned());
    let run = attempt.run.as_deref().map(|run| words::told(run).into_owned());
    let parts: Vec<String> = ago.into_iter().chain(reason).chain(run).collect();
    format!("{} {}", words::told(attempt.state.as_str()), parts.join(", ")).trim_end().to_owned()
}

/// Returns how many first parents back an artifact was built; none where that is not known.
pub(crate) fn steps(commit: Commit, from: Commit, distances: &BTreeMap<Commit, usize>) -> Option<usize> {
    if from == commit { Some(0) } else { distances.get(&from).copied() }
}

/// Returns what is known of one artifact at a commit as JSON.
pub(crate) fn object(commit: Commit, name: &Name, verdict: &Verdict, distances: &BTreeMap<Commit, usize>) -> Value {
    let Verdict { state, from, record, attempt } = verdict;
    json!({
        "name": name.to_string(),
        "state": state.word(),
        "why": state.meaning(),
        "commit": from.map(|from| from.to_string()),
        "steps": from.and_then(|from| steps(commit, from, distances)),
        "size": record.size,
        "sha256": record.sha256.map(|digest| digest.to_string()),
        "at": record.at.map(|at| at.to_string()),
        "run": record.run,
        "attempt": attempt.as_ref().map(serde_json::to_value).transpose().unwrap_or_default(),
    })
}
