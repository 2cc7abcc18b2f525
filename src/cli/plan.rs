//! `metalogic plan`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::artifact::Name;
use crate::cli::session::{Session, conclude};
use crate::cli::status::{object, told};
use crate::failure::MustBuild;
use crate::metafile::Attempt;
use crate::state::{State, Verdict};
use crate::status;

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// Tell what must be built at a commit
///
/// Prints the artifacts of the repository's projects that are missing, stale or failed at the commit, or not what the registry's own policy asks
/// for, one a line: what CI asks before it builds. It looks as `resolve` does and writes nothing. What is assumed need not be built, unless a policy asks
/// for more: declare inputs in the registry to have it told when it must. What is pending is being built already; where whoever began it is gone, `metalogic fail NAME` or a new `metalogic begin NAME` ends that.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Fail (exit 3) when anything must be built
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let commit = session.commit(arguments.revision.as_deref())?;
    let ports = session.ports().await?;
    let catalog = session.catalog(&ports, commit).await?;
    let world = session.hushed(&ports);
    let status = status::status(world, Some(&catalog), commit).await?;
    let policy = |name: &Name| catalog.policy(name).unwrap_or_default();
    let must = |(name, verdict): &(&Name, &Verdict)| verdict.must_be_built(policy(name));
    let (build, others): (Vec<_>, Vec<_>) = status.verdicts.iter().partition(must);
    for (name, verdict) in &others {
        if let Some(attempt) = verdict.attempt.as_ref().filter(|_| verdict.state == State::Pending) {
            tell_of_pending(session, name, attempt);
        }
    }
    for (name, verdict) in &build {
        session.report.log(&format!("{name}: {}", verdict.state.meaning()));
    }
    // How far back an artifact was built decides nothing here.
    let distances = if session.json {
        status::distances(world, &status.metafile, &status.verdicts).await?
    } else {
        BTreeMap::new()
    };
    let objects = |verdicts: &[(&_, &_)]| -> Vec<_> {
        verdicts.iter().map(|(name, verdict)| object(commit, name, verdict, &distances)).collect()
    };
    let object = json!({
        "commit": commit.to_string(),
        "build": objects(&build),
        "keep": objects(&others),
        "ends": session.ends(),
        "store": ports.store.root(),
    });
    let lines = || build.iter().map(|(name, _)| format!("{name}\n")).collect::<String>();
    let answered = session.answer(&object, || lines().into_bytes());
    let must = MustBuild { commit, names: build.iter().map(|(name, _)| (*name).clone()).collect() };
    let failed = arguments.check && !build.is_empty();
    conclude(answered, failed.then(|| must.into()).into_iter().collect())
}

/// Tells what nobody is told to build, since somebody builds it; after a day most likely nobody does.
fn tell_of_pending(session: &Session, name: &Name, attempt: &Attempt) {
    let now = Session::now();
    let told = told(attempt, now);
    if attempt.at.is_some_and(|at| now.seconds().saturating_sub(at.seconds()) > DAY) {
        session.report.warning(&format!(
            "{name} is not among what must be built: {told}. If whoever began it is gone, `metalogic fail {name}` ends it"
        ));
    } else {
        session.report.note(&format!("{name} is not among what must be built: {told}"));
    }
}
