//! `metalogic why`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::address::Commit;
use crate::artifact::Name;
use crate::catalog::Standing;
use crate::cli::session::Session;
use crate::cli::status::{object, told};
use crate::cli::table::styled;
use crate::git::Repository;
use crate::publish::{PublishError, Refusal};
use crate::report;
use crate::state::State;
use crate::store::Key;
use crate::why::{self, Account, Beside, Station};
use crate::words;

/// How many addresses in a row where nothing is to be told are told one by one.
const DULL: usize = 3;

/// Tell why an artifact is what it is at a commit
///
/// Tells the walk: which addresses were looked at and why each was passed over, where the artifact was found, what is recorded of it, whether its
/// inputs changed on the way and in which commits, and whether a merge brought one that first parents do not lead to.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The artifact
    #[arg(value_name = "NAME")]
    name: Name,
    /// The commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let commit = session.commit(arguments.commit.as_deref())?;
    let name = &arguments.name;
    let ports = session.ports().await?;
    let catalog = session.catalog_if_any(&ports, commit).await?;
    if let Some(Standing::Unknown(near)) = catalog.as_ref().map(|catalog| catalog.standing(name)) {
        return Err(PublishError::Refused(Refusal::Unknown { name: name.clone(), near }).into());
    }
    let repository = session.config.repository()?.map(AsRef::as_ref);
    let account = why::why(session.hushed(&ports), repository, catalog.as_ref(), commit, name).await?;
    let inputs = catalog.as_ref().and_then(|catalog| catalog.inputs(name)).map(|inputs| inputs.specs().to_vec());
    let url = account.verdict.from.map(|from| ports.store.url(&Key::Artifact(from, name.clone())));
    let telling =
        Telling { repository, commit, name, account: &account, inputs: inputs.as_deref(), url: url.as_deref() };
    if session.json {
        return session.answer(&telling.object(&ports.store.root(), session.ends().as_deref()), Vec::new);
    }
    session.print_styled(&telling.text())
}

/// Holds what is told.
struct Telling<'a> {
    repository: Option<&'a Repository>,
    commit: Commit,
    name: &'a Name,
    account: &'a Account,
    inputs: Option<&'a [String]>,
    url: Option<&'a str>,
}

impl Telling<'_> {
    fn text(&self) -> String {
        let Account { verdict, stations, .. } = self.account;
        let (name, commit, state) = (self.name, self.commit, verdict.state);
        let mut lines = vec![format!("{name} at {commit} is {}: {}", styled(state), state.meaning()), String::new()];
        lines.extend(self.way(stations));
        lines.push(String::new());
        lines.extend(self.found());
        lines.extend(self.changes());
        lines.extend(self.beside());
        lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// Returns a line for each address, and one for all in a row of which there is nothing to tell.
    fn way(&self, stations: &[Station]) -> Vec<String> {
        let is_dull = |station: &Station| !station.stands && station.attempt.is_none() && station.metafile;
        let (mut lines, mut at) = (Vec::new(), 0);
        for run in stations.chunk_by(|one, other| is_dull(one) && is_dull(other)) {
            match run {
                [first, .., last] if run.len() > DULL => {
                    let (first, last) = (first.commit.short(), last.commit.short());
                    lines.push(format!("{at:>4} to {} back  {first} to {last}  not built", at + run.len() - 1));
                }
                _ => lines.extend(run.iter().zip(at..).map(|(station, at)| self.station(station, at))),
            }
            at += run.len();
        }
        lines
    }

    fn station(&self, station: &Station, at: usize) -> String {
        let Station { commit, stands, metafile, attempt } = station;
        let outcome = match attempt {
            _ if *stands => "built here".to_owned(),
            Some(attempt) => told(attempt, Session::now()),
            None if *metafile => "not built".to_owned(),
            None => "not built, and no metafile".to_owned(),
        };
        format!("{at:>4} back  {}  {outcome}  {}", commit.short(), self.subject(*commit))
    }

    fn found(&self) -> Vec<String> {
        let Account { verdict, stations, .. } = self.account;
        let Some(from) = verdict.from else {
            let looked =
                if stations.len() == 1 { "1 address was" } else { &format!("{} addresses were", stations.len()) };
            return vec![format!("found nowhere: {looked} looked at, and the metafiles there")];
        };
        let found = stations.last().filter(|last| last.stands && last.commit == from);
        let how = match (found, stations.len()) {
            (Some(_), 1) => "at its own address".to_owned(),
            (Some(_), steps) => format!("{} back", report::count(steps - 1, "first parent")),
            (None, steps) => format!("at none of the {steps} addresses: a metafile names it"),
        };
        let record = &verdict.record;
        let fields = [
            ("found", Some(how)),
            ("commit", Some(from.to_string())),
            ("url", self.url.map(str::to_owned)),
            ("size", record.size.map(report::bytes)),
            ("sha256", record.sha256.map(|digest| digest.to_string())),
            ("published", record.at.map(|at| format!("{at}, {}", at.ago(Session::now())))),
            ("run", record.run.as_deref().map(|run| words::told(run).into_owned())),
            ("inputs", self.inputs.map(|specs| words::told(&specs.join(" ")).into_owned())),
        ];
        fields.into_iter().filter_map(|(key, value)| Some(format!("{key:<10} {}", value?))).collect()
    }

    fn changes(&self) -> Vec<String> {
        if self.inputs.is_none() || self.account.verdict.from.is_none() {
            return Vec::new();
        }
        let is_stale = self.account.verdict.state == State::Stale;
        let is_found = self.account.stations.last().is_some_and(|last| last.stands);
        match &self.account.changes {
            None if !is_found => {
                vec!["changed    not known: the address where it was built was not looked at".to_owned()]
            }
            None => vec!["changed    not known: git does not have the trees on the way".to_owned()],
            Some(changes) if changes.is_empty() && is_stale => {
                vec!["changed    in no commit since: other inputs were declared when it was built".to_owned()]
            }
            Some(changes) if changes.is_empty() => vec!["changed    in no commit since".to_owned()],
            Some(changes) => {
                let line = |commit: &Commit| format!("changed    in {}  {}", commit.short(), self.subject(*commit));
                changes.iter().map(line).collect()
            }
        }
    }

    fn beside(&self) -> Vec<String> {
        match &self.account.beside {
            Beside::Unknown => vec!["merges     not known: git does not have what was merged".to_owned()],
            Beside::Looked { commits: 0, .. } => Vec::new(),
            Beside::Looked { commits, stopped, stands } => {
                let more = if *stopped { ", the newest of them" } else { "" };
                if stands.is_empty() {
                    return vec![format!(
                        "merges     brought {}{more}, and it was built at none of them",
                        report::count(*commits, "other commit")
                    )];
                }
                let line = |commit: &Commit| {
                    let subject = self.subject(*commit);
                    format!("merges     brought one that first parents do not lead to: {}  {subject}", commit.short())
                };
                stands.iter().map(line).collect()
            }
        }
    }

    /// Returns what people know a commit by; nothing where git does not have it.
    fn subject(&self, commit: Commit) -> String {
        let summary = self.repository.and_then(|repository| repository.summary(commit).ok().flatten());
        summary.map(|summary| words::told(&summary.subject).into_owned()).unwrap_or_default()
    }

    fn object(&self, store: &str, ends: Option<&str>) -> Value {
        let Account { verdict, stations, changes, beside } = self.account;
        let ids = |commits: &[Commit]| commits.iter().map(ToString::to_string).collect::<Vec<_>>();
        let station = |station: &Station| {
            json!({
                "commit": station.commit.to_string(),
                "stands": station.stands,
                "metafile": station.metafile,
                "attempt": station.attempt.as_ref().map(serde_json::to_value).transpose().unwrap_or_default(),
            })
        };
        let distances: BTreeMap<Commit, usize> = stations.iter().map(|station| station.commit).zip(0..).collect();
        let (looked, stopped, stands) = match beside {
            Beside::Unknown => (None, None, None),
            Beside::Looked { commits, stopped, stands } => (Some(*commits), Some(*stopped), Some(ids(stands))),
        };
        json!({
            "commit": self.commit.to_string(),
            "artifact": object(self.commit, self.name, verdict, &distances),
            "url": self.url,
            "looked_at": stations.iter().map(station).collect::<Vec<_>>(),
            "inputs": self.inputs,
            "changed_in": changes.as_deref().map(ids),
            "merged": json!({"looked_at": looked, "stopped": stopped, "stands": stands}),
            "ends": ends,
            "store": store,
        })
    }
}
