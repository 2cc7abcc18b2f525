//! `metalogic fetch`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::artifact::Name;
use crate::cli::choice::{Choice, Verdicts, Wish};
use crate::cli::session::{Ports, Session, all_of};
use crate::config::ConfigError;
use crate::failure::UsageError;
use crate::fetch::{self, Destination, FetchError, Fetched};
use crate::locking::{self, LockFileError};
use crate::policy::Policy;
use crate::state::Verdict;
use crate::store::Key;

/// Fetch a commit's artifacts to local files
///
/// Fetches what the commit's metafile names, each artifact from the address that holds it, verifies its digest, and only then gives it its
/// name. A file that has the same bytes already is left alone; another is replaced.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The artifacts [default: all that the metafile names]
    #[arg(value_name = "NAME")]
    names: Vec<Name>,
    /// The commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// The directory to put them into, made when absent [default: .]
    #[arg(short, long, value_name = "DIR", conflicts_with = "file")]
    output: Option<PathBuf>,
    /// The file for the one artifact that is named; - is standard output
    #[arg(long = "as", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Resolve anew: a stored metafile may be behind
    #[arg(long)]
    fresh: bool,
    /// What is asked of each artifact, whatever the registry asks: nearest, fresh (built or proven) or exact (built at the commit)
    #[arg(long, value_name = "POLICY")]
    policy: Option<Policy>,
    /// Take exactly what `metalogic lock` wrote into FILE, or fail; from the store that is configured, or where none is, the lock's own
    #[arg(long, value_name = "FILE", conflicts_with_all = ["commit", "fresh", "policy"])]
    locked: Option<PathBuf>,
    /// Say what would be fetched, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: Arguments) -> anyhow::Result<()> {
    let destination = destination(session, &arguments)?;
    let (ports, choice, stood) = match &arguments.locked {
        Some(file) => locked(session, file, &arguments.names).await?,
        None => chosen(session, &arguments).await?,
    };
    let (commit, world) = (choice.metafile.commit, session.world(&ports));
    let fetched = fetch::fetch(world, &choice.metafile, &arguments.names, &destination, arguments.dry_run).await;
    let fetched = match (fetched, &arguments.locked) {
        (Err(errors), Some(_)) => return Err(all_of_lock(errors, &ports.store.root())),
        (fetched, _) => fetched.map_err(all_of)?,
    };
    if arguments.dry_run {
        let moving = fetched.iter().filter(|one| !one.present);
        moving.for_each(|one| session.report.log(&format!("would fetch {} from {}", one.name, one.commit)));
    }
    if fetched.is_empty() {
        session.report.warning(&format!("nothing is resolved at {commit}, so nothing was fetched"));
    }
    if destination == Destination::StandardOutput {
        return Ok(());
    }
    let object = json!({
        "commit": commit.to_string(),
        "url": choice.url,
        "artifacts": fetched.iter().map(|one| artifact(one, &stood)).collect::<Vec<_>>(),
        "missing": choice.missing(),
        "store": ports.store.root(),
        "dry_run": arguments.dry_run,
    });
    let lines = || {
        fetched
            .iter()
            .filter_map(|one| one.target.as_ref())
            .map(|path| format!("{}\n", path.display()))
            .collect::<String>()
    };
    session.answer(&object, || lines().into_bytes())
}

/// Says of what a lock names and is not there that it was the lock.
fn all_of_lock(errors: Vec<FetchError>, store: &str) -> anyhow::Error {
    let error = |error| match error {
        FetchError::Gone { name, commit } => LockFileError::Gone { name, commit, store: store.to_owned() }.into(),
        other @ (FetchError::Unresolved { .. } | FetchError::CaseTwice { .. } | FetchError::Arrival(_)) => {
            anyhow::Error::from(other)
        }
    };
    all_of(errors.into_iter().map(error).collect())
}

fn destination(session: &Session, arguments: &Arguments) -> Result<Destination, UsageError> {
    if arguments.file.is_some() && arguments.names.len() != 1 {
        let hint = "metalogic fetch NAME --as FILE; several go to a directory with -o DIR".to_owned();
        return Err(UsageError { message: "--as takes one artifact, named".to_owned(), hint: Some(hint) });
    }
    session.destination(arguments.file.as_deref(), arguments.output.as_deref())
}

/// Says how each artifact stood, in a word, and what was asked of it.
type Stood = BTreeMap<Name, (String, Policy)>;

async fn chosen(session: &Session, arguments: &Arguments) -> anyhow::Result<(Ports, Choice, Stood)> {
    let commit = session.commit(arguments.commit.as_deref())?;
    let ports = session.ports().await?;
    let wish = Wish { commit, names: &arguments.names, policy: arguments.policy, fresh: arguments.fresh };
    let choice = session.choose(&ports, &wish).await?;
    let stood = |(name, (verdict, policy)): (&Name, &(Verdict, Policy))| {
        (name.clone(), (verdict.state.word().to_owned(), *policy))
    };
    let stood = choice.verdicts.iter().map(stood).collect();
    Ok((ports, choice, stood))
}

/// Takes exactly what a lock says, from the store that is configured; where none is, from the one that the lock names.
async fn locked(session: &Session, file: &Path, names: &[Name]) -> anyhow::Result<(Ports, Choice, Stood)> {
    let lock = locking::read(file, names)?;
    let ports = match session.config.store_place().await {
        Ok(place) if !place.embedded => session.ports().await?,
        Ok(_) | Err(ConfigError::NoStore) => {
            Ports::new(session.config.store_at(&lock.store)?, session.config.ancestry()?)
        }
        Err(error) => return Err(error.into()),
    };
    let url = ports.store.url(&Key::Metafile(lock.commit));
    let stood = lock.artifacts.iter().map(|(name, one)| (name.clone(), (one.state.clone(), one.policy))).collect();
    Ok((ports, Choice { url, metafile: locking::as_metafile(&lock), verdicts: Verdicts::new() }, stood))
}

fn artifact(fetched: &Fetched, stood: &Stood) -> Value {
    let stood = stood.get(&fetched.name);
    json!({
        "name": fetched.name.to_string(),
        "commit": fetched.commit.to_string(),
        "path": fetched.target.as_ref().map(|path| path.display().to_string()),
        "size": fetched.size,
        "sha256": fetched.sha256.map(|digest| digest.to_string()),
        "state": stood.map(|(state, _)| state),
        "policy": stood.map(|(_, policy)| policy.as_str()),
        "verified": fetched.verified,
        "present": fetched.present,
    })
}
