//! `metalogic log`.

mod lines;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::artifact::Name;
use crate::catalog::{Catalog, Standing};
use crate::chronicle::{Chronicle, Ends, Inquiry, Kept, Page};
use crate::cli::outlet::Outlet;
use crate::cli::past::Past;
use crate::cli::session::{Ports, Session, all_of};
use crate::cli::status::object;
use crate::git::Summary;
use crate::moment::Moment;
use crate::publish::{PublishError, Refusal};
use lines::Lines;

/// Tell commits by their artifacts, newest first
///
/// Goes from a commit along its first parents and tells for each what was built at its address, and what its stored metafile says of the rest:
/// builds that failed or have not ended, artifacts that are stale or missing, and how many are inherited otherwise. A commit where nothing was
/// built, failed or begun takes one line. Commits that have no metafile say so.
///
/// Nothing is resolved anew: this is what is stored, and a stored metafile may be behind (`metalogic status` looks again). Where git's history
/// ends, that of the metafiles goes on.
///
/// On a terminal it is shown in the pager that git takes: `GIT_PAGER`, git's pager.log, git's core.pager, `PAGER`, else less. JSON is never
/// paged.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The newest commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// How many commits at most [default: one more than --max-ancestors]
    #[arg(short = 'n', long = "number", value_name = "N", value_parser = number)]
    number: Option<usize>,
    /// Tell only of this artifact, and of it at each commit (repeatable)
    #[arg(long = "artifact", value_name = "NAME")]
    names: Vec<Name>,
    /// Write to the terminal as it is
    #[arg(long)]
    no_pager: bool,
}

fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| (1..=1_000_000).contains(number))
        .ok_or_else(|| "a number from 1 to 1000000 belongs here".to_owned())
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let commit = session.commit(arguments.revision.as_deref())?;
    let ports = session.ports().await?;
    let catalog = session.catalog_if_any(&ports, commit).await?;
    let names: BTreeSet<Name> = arguments.names.iter().cloned().collect();
    catalog.as_ref().map_or(Ok(()), |catalog| expect_known(catalog, &names))?;
    let most = arguments.number.unwrap_or(session.config.limits().max_ancestors + 1);
    let repository = session.config.repository()?.map(|repository| &**repository);
    let past = Past::new(session, &ports, commit, catalog);
    let inquiry = Inquiry { commit, most, names: &names, registries: &past, repository };
    let mut chronicle = Chronicle::begin(session.world(&ports), inquiry)?;
    let outlet = session.outlet("log", !arguments.no_pager)?;
    if session.json {
        return tell_json(&mut chronicle, &outlet, &ports).await;
    }
    let lines = Lines::new(Session::now(), &names);
    while let Some(page) = next(&mut chronicle, &outlet).await? {
        outlet.write(lines.page(&page)).await?;
    }
    // Whoever says how many knows that there may be more.
    let is_asked = |ends: &Ends| arguments.number.is_some() && *ends == Ends::Most;
    let Some(ends) = chronicle.ends()?.filter(|ends| !is_asked(ends)) else { return Ok(()) };
    let ends = ended(ends, arguments.number, most);
    Ok(outlet.write(format!("{ends}\n")).await?)
}

/// Says why no older commits are told of.
pub(crate) fn ended(ends: Ends, number: Option<usize>, most: usize) -> String {
    match ends {
        Ends::Most if number.is_some() => format!("older commits were not looked at: -n is {most}"),
        Ends::Most => {
            format!("older commits were not looked at: --max-ancestors is {}, and -n N looks further", most - 1)
        }
        Ends::Unknown { at, why } => format!("history ends at {}: {why}", at.short()),
    }
}

/// Returns the next page. Where the last one waits for its reader, no request does.
async fn next(chronicle: &mut Chronicle<'_>, outlet: &Outlet) -> anyhow::Result<Option<Page>> {
    if outlet.is_full() {
        chronicle.settle().await?;
    }
    Ok(chronicle.next().await?)
}

/// Refuses names that no project has: nothing would be told of them, at any commit.
fn expect_known(catalog: &Catalog, names: &BTreeSet<Name>) -> anyhow::Result<()> {
    let refusal = |name: &Name| match catalog.standing(name) {
        Standing::Unknown(near) => Some(PublishError::Refused(Refusal::Unknown { name: name.clone(), near })),
        Standing::Ours | Standing::Foreign(_) | Standing::Excluded(_) | Standing::Retired(_) => None,
    };
    let refused: Vec<PublishError> = names.iter().filter_map(refusal).collect();
    if refused.is_empty() { Ok(()) } else { Err(all_of(refused)) }
}

/// Writes the object bit by bit, as if it were written at once: of thousands of commits it is large.
async fn tell_json(chronicle: &mut Chronicle<'_>, outlet: &Outlet, ports: &Ports) -> anyhow::Result<()> {
    let mut before = "{\n  \"commits\": [";
    while let Some(page) = next(chronicle, outlet).await? {
        let page = serde_json::to_string_pretty(&told(&page))?.replace('\n', "\n    ");
        outlet.write(format!("{before}\n    {page}")).await?;
        before = ",";
    }
    let ends = chronicle.ends()?.map(|ends| match ends {
        Ends::Most => "older commits were not looked at".to_owned(),
        Ends::Unknown { at, why } => format!("history ends at {at}: {why}"),
    });
    let (ends, store) = (Value::from(ends), Value::from(ports.store.root()));
    Ok(outlet.write(format!("\n  ],\n  \"ends\": {ends},\n  \"store\": {store}\n}}\n")).await?)
}

fn told(page: &Page) -> Value {
    let Page { commit, parent, summary, metafile, verdicts, others } = page;
    let artifact = |(name, verdict)| {
        let mut object = object(*commit, name, verdict, &BTreeMap::new());
        // How far back it was built is not looked for.
        object.as_object_mut().map(|object| object.shift_remove("steps"));
        object
    };
    let problem = match metafile {
        Kept::Malformed(problem) => Some(problem),
        Kept::Stored | Kept::Absent => None,
    };
    json!({
        "commit": commit.to_string(),
        "parent_commit": parent.map(|parent| parent.to_string()),
        "subject": summary.as_ref().map(|summary| summary.subject.as_str()),
        "time": summary.as_ref().and_then(time).map(|time| time.to_string()),
        "metafile": *metafile == Kept::Stored,
        "problem": problem,
        "artifacts": verdicts.iter().map(artifact).collect::<Vec<_>>(),
        "others": others,
    })
}

/// Returns when a commit was made.
pub(crate) fn time(summary: &Summary) -> Option<Moment> {
    summary.committed.and_then(|seconds| u64::try_from(seconds).ok()).map(Moment::of_seconds)
}
