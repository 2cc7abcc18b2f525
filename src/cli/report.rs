//! `metalogic report`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::address::Commit;
use crate::arrival;
use crate::artifact::Name;
use crate::catalog::{self, Catalog};
use crate::chronicle::{Chronicle, Inquiry, Kept, Page};
use crate::cli::log;
use crate::cli::past::Past;
use crate::cli::session::{Ports, Session};
use crate::failure::UsageError;
use crate::files;
use crate::report;
use crate::resolve::Answer;
use crate::sheet::{Gap, Grid, Line, Sheet, Standing};
use crate::status::{self, StatusError};

/// The most commits that one page holds: with more, no browser would be a pleasure.
const MOST: usize = 10_000;

/// Write a page for a browser: commits by their artifacts
///
/// Writes one file of HTML that holds all it needs: how each artifact of the newest commit stands, as `status` looks for it, and a grid of
/// commits by artifacts, as `log` tells it, to scan, to filter and to click. It loads nothing from elsewhere, so it may be kept as an artifact of
/// a CI run, sent, or put on any web server. In the page, the address bar holds what is filtered: whoever gets the link sees the same.
///
/// Without scripts the page still says all it knows.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The newest commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// How many commits at most [default: one more than --max-ancestors]
    #[arg(short = 'n', long = "number", value_name = "N", value_parser = number)]
    number: Option<usize>,
    /// The file to write; - is standard output
    #[arg(long = "as", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {MOST} belongs here"))
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let file = file(session, arguments)?;
    let revision = arguments.revision.as_deref().unwrap_or("HEAD");
    let commit = session.commit(Some(revision))?;
    let ports = session.ports().await?;
    let catalog = session.catalog_if_any(&ports, commit).await?;
    let standings = standings(session, &ports, catalog.as_ref(), commit).await?;
    let mut grid = Grid::new(preferred(catalog.as_ref(), standings.as_deref().unwrap_or_default()));
    let past = Past::new(session, &ports, commit, catalog);
    let ends = tell(session, &ports, arguments, &past, commit, &mut grid).await?;
    let sheet = Sheet {
        store: &ports.store.root(),
        revision,
        commit,
        made: Session::now(),
        standings: standings.as_deref(),
        looked: past.newest().is_some(),
        grid: &grid,
        ends: ends.as_deref().unwrap_or("history begins here"),
        bytes: report::bytes,
    };
    let html = sheet.to_html();
    if grid.left_out() > 0 {
        session.report.warning(&format!(
            "the page has room for {} artifacts by {} commits, and leaves out {} more: a registry says which count, with fewer commits (-n) there \
             may be room for more, and `metalogic log --artifact NAME` tells of any",
            grid.artifacts(),
            grid.commits(),
            grid.left_out()
        ));
    }
    let path = file.filter(|_| !arguments.dry_run);
    let what = format!(
        "{} commits by {} artifacts in {}",
        grid.commits(),
        grid.artifacts(),
        report::bytes(files::length(html.as_bytes()))
    );
    match path {
        Some(path) => {
            arrival::write(path, html.clone().into_bytes(), session.config.limits().timeout).await?;
            session.report.log(&format!("reported {what}"));
        }
        None if arguments.dry_run => session.report.log(&format!("would report {what}")),
        None => {}
    }
    let object = json!({
        "commit": commit.to_string(),
        "path": path.map(|path| path.display().to_string()),
        "commits": grid.commits(),
        "artifacts": grid.artifacts(),
        "left_out": grid.left_out(),
        "size": html.len(),
        "ends": ends,
        "store": ports.store.root(),
        "dry_run": arguments.dry_run,
    });
    session.answer(&object, || match path {
        Some(path) => format!("{}\n", path.display()).into_bytes(),
        None if arguments.dry_run => Vec::new(),
        None => html.into_bytes(),
    })
}

/// Returns the file that is written; none for standard output.
fn file<'a>(session: &Session, arguments: &'a Arguments) -> Result<Option<&'a Path>, UsageError> {
    let usage = |message: &str, hint: &str| UsageError { message: message.to_owned(), hint: Some(hint.to_owned()) };
    let Some(file) = arguments.file.as_deref() else {
        let hint = "name it with --as FILE.html; --as - is standard output";
        return Err(usage("a report is written to a file, and none is named", hint));
    };
    let is_file = file != Path::new("-");
    if session.json && !is_file {
        let message = "--json and the page cannot both go to standard output";
        return Err(usage(message, "name a file with --as FILE.html"));
    }
    Ok(is_file.then_some(file))
}

/// Returns the artifacts of the newest commit as they are preferred where there is no room for all: those of the registry, then those that were
/// built nearest.
fn preferred(catalog: Option<&Catalog>, standings: &[Standing]) -> Vec<Name> {
    let is_ours =
        |name: &Name| catalog.is_some_and(|catalog| matches!(catalog.standing(name), catalog::Standing::Ours));
    let mut standings: Vec<&Standing> = standings.iter().collect();
    standings.sort_by_key(|standing| (!is_ours(&standing.name), standing.steps.unwrap_or(usize::MAX)));
    standings.into_iter().map(|standing| standing.name.clone()).collect()
}

/// Returns how the artifacts of the newest commit stand; none where nothing says which it has.
async fn standings(
    session: &Session,
    ports: &Ports,
    catalog: Option<&Catalog>,
    commit: Commit,
) -> anyhow::Result<Option<Vec<Standing>>> {
    let world = session.hushed(ports);
    let status = match status::status(world, catalog, commit).await {
        Err(StatusError::Nothing(_)) => return Ok(None),
        status => status?,
    };
    if let Some(objection) = status.answer.as_ref().and_then(Answer::unknown) {
        session.report.warning_whole(&objection.to_string());
    }
    let distances = status::distances(world, &status.metafile, &status.verdicts).await?;
    let standing = |(name, verdict): (Name, crate::state::Verdict)| {
        let steps = verdict.from.and_then(|from| super::status::steps(commit, from, &distances));
        Standing { name, verdict, steps }
    };
    Ok(Some(status.verdicts.into_iter().map(standing).collect()))
}

/// Puts the chronicle into the grid; says why it ends, unless it is with a root.
async fn tell(
    session: &Session,
    ports: &Ports,
    arguments: &Arguments,
    past: &Past<'_>,
    commit: Commit,
    grid: &mut Grid,
) -> anyhow::Result<Option<String>> {
    let most = arguments.number.unwrap_or((session.config.limits().max_ancestors + 1).min(MOST));
    let repository = session.config.repository()?.map(|repository| &**repository);
    let inquiry = Inquiry { commit, most, names: &BTreeSet::new(), registries: past, repository };
    let mut chronicle = Chronicle::begin(session.world(ports), inquiry)?;
    while let Some(page) = chronicle.next().await? {
        grid.add(line(page));
    }
    Ok(chronicle.ends()?.map(|ends| log::ended(ends, arguments.number, most)))
}

fn line(page: Page) -> Line {
    let Page { commit, parent, summary, metafile, verdicts, others } = page;
    let gap = match metafile {
        Kept::Stored => None,
        Kept::Absent => Some(Gap::Absent),
        Kept::Malformed(problem) => Some(Gap::Malformed(problem)),
    };
    let time = summary.as_ref().and_then(log::time);
    let subject = summary.map(|summary| summary.subject);
    Line { commit, parent, subject, time, gap, verdicts, others }
}
