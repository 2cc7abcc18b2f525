//! `metalogic fetch`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::artifact::Name;
use crate::cli::session::{Session, all_of};
use crate::failure::UsageError;
use crate::fetch::{self, Destination, Fetched};
use crate::show;

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
    /// Say what would be fetched, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: Arguments) -> anyhow::Result<()> {
    let destination = destination(session, &arguments)?;
    let commit = session.commit(arguments.commit.as_deref())?;
    let ports = session.ports().await?;
    let stored = if arguments.fresh { None } else { show::show(&*ports.store, commit).await? };
    let (url, metafile) = match stored {
        Some(shown) => (shown.url, shown.metafile),
        None => {
            let answer = session.compute(&ports, commit).await?;
            if !arguments.fresh {
                session.report.note("no metafile is stored there: what resolving gives now is fetched");
            }
            (answer.url, answer.metafile)
        }
    };
    let fetched =
        fetch::fetch(session.world(&ports), &metafile, &arguments.names, &destination, arguments.dry_run).await;
    let fetched = fetched.map_err(all_of)?;
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
        "url": url,
        "artifacts": fetched.iter().map(artifact).collect::<Vec<_>>(),
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

fn destination(session: &Session, arguments: &Arguments) -> Result<Destination, UsageError> {
    if arguments.file.is_some() && arguments.names.len() != 1 {
        let hint = "metalogic fetch NAME --as FILE; several go to a directory with -o DIR".to_owned();
        return Err(UsageError { message: "--as takes one artifact, named".to_owned(), hint: Some(hint) });
    }
    session.destination(arguments.file.as_deref(), arguments.output.as_deref())
}

fn artifact(fetched: &Fetched) -> Value {
    json!({
        "name": fetched.name.to_string(),
        "commit": fetched.commit.to_string(),
        "path": fetched.target.as_ref().map(|path| path.display().to_string()),
        "size": fetched.size,
        "sha256": fetched.sha256.map(|digest| digest.to_string()),
        "verified": fetched.verified,
        "present": fetched.present,
    })
}
