//! `metalogic show`.

use serde_json::json;

use crate::cli::session::Session;
use crate::show;

/// Print a commit's metafile
///
/// Prints the stored metafile byte for byte. Where none is stored, the commit is resolved and the result printed, not written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The commit: anything `git rev-parse` takes
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Resolve anew: a stored metafile may be behind
    #[arg(long)]
    fresh: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let commit = session.commit(arguments.revision.as_deref())?;
    let ports = session.ports().await?;
    let stored = if arguments.fresh { None } else { show::show(&*ports.store, commit).await? };
    let (stored, url, metafile, bytes) = match stored {
        Some(shown) => (true, shown.url, shown.metafile, shown.bytes.to_vec()),
        None => {
            let answer = session.compute(&ports, commit).await?;
            session.report.note(match arguments.fresh {
                true => "this is what resolving gives now; it is not stored",
                false => "no metafile is stored there: this is what resolving gives now; it is not stored",
            });
            if let Some(objection) = answer.unknown() {
                session.report.warning_whole(&objection.to_string());
            }
            (false, answer.url, answer.metafile, answer.bytes)
        }
    };
    let object = json!({
        "url": url,
        "stored": stored,
        "metafile": serde_json::to_value(&metafile)?,
        "store": ports.store.root(),
    });
    session.answer(&object, || bytes)
}
