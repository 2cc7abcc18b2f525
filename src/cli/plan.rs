//! `metalogic plan`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::session::{Session, conclude};
use crate::cli::status::{object, told};
use crate::failure::MustBuild;
use crate::state::State;
use crate::status;

/// Tell what must be built at a commit
///
/// Prints the artifacts of the repository's projects that are missing, stale or failed at the commit, one a line: what CI asks before it builds.
/// It looks as `resolve` does and writes nothing. What is assumed need not be built: declare inputs in the registry to have it told when it
/// must. What is pending is being built already.
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
    let (build, others): (Vec<_>, Vec<_>) = status.verdicts.iter().partition(|(_, verdict)| verdict.must_be_built());
    let now = Session::now();
    for (name, verdict) in others.iter().chain(&build) {
        if verdict.state == State::Pending {
            let attempt = verdict.attempt.as_ref().map(|attempt| told(attempt, now)).unwrap_or_default();
            session.report.note(&format!("{name} is not among what must be built: {attempt}"));
        } else if verdict.must_be_built() {
            session.report.log(&format!("{name}: {}", verdict.state.meaning()));
        }
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
        "store": ports.store.root(),
    });
    let lines = || build.iter().map(|(name, _)| format!("{name}\n")).collect::<String>();
    let answered = session.answer(&object, || lines().into_bytes());
    let must = MustBuild { commit, names: build.iter().map(|(name, _)| (*name).clone()).collect() };
    let failed = arguments.check && !build.is_empty();
    conclude(answered, failed.then(|| must.into()).into_iter().collect())
}
