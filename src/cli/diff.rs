//! `metalogic diff`.

mod graph;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::address::Commit;
use crate::cli::session::{Ports, Session};
use crate::cli::table::Table;
use crate::difference::{self, Change, Difference, Side};
use crate::metafile::Metafile;
use crate::report;
use crate::show;

/// Tell which artifacts differ between two commits
///
/// Compares the stored metafiles of two commits: artifacts differ by their digests or, where one is not recorded, by the commits that built them.
/// Tells for each the commits that built it, their sizes and how much larger or smaller it is. Where no metafile is stored, what resolving gives
/// is taken.
///
/// On a terminal it is shown in the pager that git takes: `GIT_PAGER`, git's pager.diff, git's core.pager, `PAGER`, else less. JSON is never
/// paged.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The first commit: anything `git rev-parse` takes; A..B names both
    #[arg(value_name = "A")]
    a: String,
    /// The second commit [default: HEAD]
    #[arg(value_name = "B")]
    b: Option<String>,
    /// Tell how many bytes were added and removed, with a bar for each artifact
    #[arg(long)]
    stat: bool,
    /// Resolve both anew: a stored metafile may be behind
    #[arg(long)]
    fresh: bool,
    /// Write to the terminal as it is
    #[arg(long)]
    no_pager: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let (a, b) = sides(arguments);
    let (a, b) = (session.commit(a)?, session.commit(b)?);
    let ports = session.ports().await?;
    let one = |commit| metafile(session, &ports, commit, arguments.fresh);
    let (first, second) = futures::future::try_join(one(a), one(b)).await?;
    let difference = difference::compare(session.world(&ports), &first, &second).await?;
    warn_of_gone(session, &difference);
    let outlet = session.outlet("diff", !arguments.no_pager)?;
    if session.json {
        let mut text = serde_json::to_string_pretty(&object(a, b, &difference, &ports))?;
        text.push('\n');
        return Ok(outlet.write(text).await?);
    }
    let Difference { changes, same, rebuilt } = &difference;
    if *rebuilt > 0 {
        session.report.detail(&format!("built anew with the same bytes: {rebuilt}"));
    }
    if changes.is_empty() {
        let which = if *same == 0 { "neither has any artifact" } else { "all their artifacts are the same" };
        session.report.note(&format!("{} and {}: {which}", a.short(), b.short()));
        return Ok(());
    }
    let text = if arguments.stat { graph::lines(changes, session.config.columns()) } else { table(&difference) };
    Ok(outlet.write(text).await?)
}

/// Returns the revisions of both commits, where they are named. `A..B` names both, as it does to `git diff`.
fn sides(arguments: &Arguments) -> (Option<&str>, Option<&str>) {
    let named = |revision| Some(revision).filter(|revision: &&str| !revision.is_empty());
    match (arguments.a.split_once(".."), arguments.b.as_deref()) {
        (Some((a, b)), None) if !b.starts_with('.') => (named(a), named(b)),
        (_, b) => (Some(&arguments.a), b),
    }
}

/// Returns the stored metafile of a commit, or what resolving makes of it now.
async fn metafile(session: &Session, ports: &Ports, commit: Commit, fresh: bool) -> anyhow::Result<Metafile> {
    if !fresh {
        if let Some(shown) = show::show(&*ports.store, commit).await? {
            return Ok(shown.metafile);
        }
        session.report.note(&format!("no metafile is stored of {commit}: what resolving gives now is taken"));
    }
    Ok(session.compute_in(session.hushed(ports), ports, commit).await?.metafile)
}

fn warn_of_gone(session: &Session, difference: &Difference) {
    for (name, change) in &difference.changes {
        for side in change.from().into_iter().chain(change.to()).filter(|side| side.gone) {
            let commit = side.commit;
            session.report.warning(&format!("{name} is not at the address of {commit} any more: it was removed"));
        }
    }
}

fn object(a: Commit, b: Commit, difference: &Difference, ports: &Ports) -> Value {
    let side = |side: &Side| {
        json!({
            "commit": side.commit.to_string(),
            "size": side.size,
            "sha256": side.sha256.map(|digest| digest.to_string()),
        })
    };
    let artifact = |(name, change): (&_, &Change)| {
        json!({
            "name": ToString::to_string(name),
            "change": change.word(),
            "from": change.from().map(side),
            "to": change.to().map(side),
        })
    };
    json!({
        "a": a.to_string(),
        "b": b.to_string(),
        "artifacts": difference.changes.iter().map(artifact).collect::<Vec<_>>(),
        "same": difference.same,
        "store": ports.store.root(),
    })
}

fn table(difference: &Difference) -> String {
    let mut table = Table::new(&["ARTIFACT", "CHANGE", "FROM", "SIZE", "TO", "SIZE", "DIFFERENCE"]);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for (name, change) in &difference.changes {
        let commit = |side: Option<&Side>| or_none(side.map(|side| side.commit.short()));
        let size = |side: Option<&Side>| or_none(side.and_then(|side| side.size).map(report::bytes));
        table.add(vec![
            name.to_string(),
            graph::styled(change),
            commit(change.from()),
            size(change.from()),
            commit(change.to()),
            size(change.to()),
            or_none(change.growth().map(grown)),
        ]);
    }
    table.lines().iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// Returns a number of bytes more or fewer, as people read it.
fn grown(growth: i128) -> String {
    let bytes = report::bytes(u64::try_from(growth.unsigned_abs()).unwrap_or(u64::MAX));
    match growth {
        0 => "as large".to_owned(),
        1.. => format!("+{bytes}"),
        _ => format!("-{bytes}"),
    }
}
