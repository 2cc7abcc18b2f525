//! `metalogic wait`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use crate::artifact::Name;
use crate::cli::session::{Session, all_of};
use crate::cli::status::{object, told};
use crate::config;
use crate::policy::Policy;
use crate::publish::{self, PublishError};
use crate::state::{State, Verdict};
use crate::store::Key;
use crate::waiting::{self, Wait};

/// Wait until artifacts are built
///
/// Looks again and again, ever more seldom, until each artifact stands at the commit, and prints their URLs. It ends at once where
/// `metalogic fail` recorded that a build failed (exit 5), and with exit code 4 when the time is up, after one last look; with 10 where the
/// store does not answer that one.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The artifacts
    #[arg(value_name = "NAME", required = true)]
    names: Vec<Name>,
    /// The commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "20m", value_parser = config::duration)]
    patience: Duration,
    /// What is waited for: exact (built at the commit), fresh (or proven to be what would be built) or nearest (built anywhere before)
    #[arg(long, value_name = "POLICY", default_value = "exact")]
    policy: Policy,
}

pub(crate) async fn run(session: &Session, arguments: Arguments) -> anyhow::Result<()> {
    let commit = session.commit(arguments.commit.as_deref())?;
    let ports = session.ports().await?;
    let catalog = session.catalog_if_any(&ports, commit).await?;
    let names: BTreeSet<Name> = arguments.names.into_iter().collect();
    // What nobody builds is waited for in vain.
    let refusal = |name| catalog.as_ref().and_then(|catalog| publish::refusal(name, catalog));
    let refused: Vec<PublishError> = names.iter().filter_map(refusal).map(PublishError::Refused).collect();
    if !refused.is_empty() {
        return Err(all_of(refused));
    }
    let world = session.hushed(&ports);
    let Arguments { policy, patience, .. } = arguments;
    let wait = Wait { commit, names: &names, policy, catalog: catalog.as_ref(), patience };
    let mut before: BTreeMap<Name, State> = BTreeMap::new();
    let tell = |verdicts: &BTreeMap<Name, Verdict>| {
        for (name, verdict) in verdicts {
            if before.insert(name.clone(), verdict.state) != Some(verdict.state) {
                let attempt = verdict.attempt.as_ref().map(|attempt| told(attempt, Session::now()));
                let is_here = verdict.state == State::Built || policy != Policy::Exact;
                let state =
                    attempt.unwrap_or_else(|| if is_here { verdict.state.word() } else { "not built yet" }.to_owned());
                session.report.log(&format!("{name} at {}: {state}", commit.short()));
            }
        }
    };
    let verdicts = waiting::wait(world, &wait, tell).await?;
    let urls: Vec<String> = verdicts
        .iter()
        .filter_map(|(name, verdict)| Some(ports.store.url(&Key::Artifact(verdict.from?, name.clone()))))
        .collect();
    let distances = BTreeMap::new();
    let artifacts = verdicts.iter().map(|(name, verdict)| object(commit, name, verdict, &distances));
    let object = json!({
        "commit": commit.to_string(),
        "artifacts": artifacts.collect::<Vec<_>>(),
        "urls": urls,
        "store": ports.store.root(),
    });
    session.answer(&object, || urls.iter().map(|url| format!("{url}\n")).collect::<String>().into_bytes())
}
