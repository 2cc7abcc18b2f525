//! `metalogic lock`.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::arrival;
use crate::artifact::Name;
use crate::cli::choice::Wish;
use crate::cli::session::{Session, all_of};
use crate::fetch::FetchError;
use crate::locking;
use crate::policy::Policy;

/// Write down exactly which bytes a deployment takes
///
/// Prints a deploy lock: the revision that was asked for, its commit, and for each artifact its address, size, SHA-256, state and policy. Each
/// object is looked at. Locks of the same are the same bytes, and `metalogic fetch --locked FILE` takes exactly what one says or fails.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// The artifacts (repeatable) [default: all that the metafile names]
    #[arg(long = "artifact", value_name = "NAME")]
    names: Vec<Name>,
    /// The file to write; - is standard output [default: -]
    #[arg(long = "as", value_name = "FILE")]
    file: Option<PathBuf>,
    /// What is asked of each artifact, whatever the registry asks: nearest, fresh (built or proven) or exact (built at the commit)
    #[arg(long, value_name = "POLICY")]
    policy: Option<Policy>,
    /// Resolve anew: a stored metafile may be behind
    #[arg(long)]
    fresh: bool,
    /// Print what would be written, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let revision = arguments.revision.as_deref().unwrap_or("HEAD");
    let commit = session.commit(Some(revision))?;
    let ports = session.ports().await?;
    let wish = Wish { commit, names: &arguments.names, policy: arguments.policy, fresh: arguments.fresh };
    let choice = session.choose(&ports, &wish).await?;
    let unresolved = arguments.names.iter().filter(|name| !choice.metafile.artifacts.contains_key(*name));
    let unresolved: Vec<FetchError> =
        unresolved.map(|name| FetchError::Unresolved { name: name.clone(), commit }).collect();
    if !unresolved.is_empty() {
        return Err(all_of(unresolved));
    }
    let lock =
        locking::lock(session.world(&ports), revision, &choice.metafile, &choice.verdicts).await.map_err(all_of)?;
    if lock.artifacts.is_empty() {
        session.report.warning(&format!("nothing is resolved at {commit}, so nothing is locked"));
    }
    let bytes = lock.to_bytes();
    let file = arguments.file.as_deref().filter(|file| *file != Path::new("-") && !arguments.dry_run);
    if let Some(file) = file {
        arrival::write(file, bytes.clone(), session.config.limits().timeout).await?;
        session.report.log(&format!("locked {} artifacts of {commit}", lock.artifacts.len()));
    }
    let object = json!({
        "lock": serde_json::from_slice::<serde_json::Value>(&bytes)?,
        "path": file.map(|file| file.display().to_string()),
        "url": choice.url,
        "missing": choice.missing(),
        "store": ports.store.root(),
        "dry_run": arguments.dry_run,
    });
    session.answer(&object, || match file {
        Some(file) => format!("{}\n", file.display()).into_bytes(),
        None => bytes.clone(),
    })
}
