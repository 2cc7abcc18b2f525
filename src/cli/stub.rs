//! `metalogic stub`.

use serde_json::json;

use crate::cli::session::{Session, conclude};
use crate::config::ConfigError;
use crate::stub::{self, Stub};

/// Make sure that commits have a metafile
///
/// Puts the stub of each commit: the first metafile found among its ancestors, re-addressed. A metafile that is there already
/// stays as it is, and that is success. No registry is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The commits: anything `git rev-parse` takes [default: HEAD]
    #[arg(value_name = "REV")]
    revisions: Vec<String>,
    /// Say what would be done, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let revisions: Vec<Option<&str>> = match arguments.revisions.as_slice() {
        [] => vec![None],
        named => named.iter().map(|revision| Some(revision.as_str())).collect(),
    };
    let mut errors: Vec<anyhow::Error> = Vec::new();
    let mut commits = Vec::new();
    for revision in revisions {
        match session.commit(revision) {
            Ok(commit) => commits.push(commit),
            Err(error) => errors.push(error.into()),
        }
    }
    let ports = session.ports().await?;
    let mut stubs = Vec::new();
    let stubbing = async {
        for commit in stub::oldest_first(session.world(&ports), &commits) {
            session.warn_of_pull_request(commit)?;
            match stub::stub(session.world(&ports), commit, arguments.dry_run).await {
                Ok(stub) => stubs.push(stub),
                Err(error) => errors.push(error.into()),
            }
        }
        Ok::<(), ConfigError>(())
    };
    session.writing(&*ports.store, arguments.dry_run, stubbing).await?;
    for Stub { commit, created, .. } in &stubs {
        let outcome = match (created, arguments.dry_run) {
            (true, false) => "stubbed",
            (true, true) => "would be stubbed",
            (false, _) => "has a metafile already",
        };
        session.report.log(&format!("{commit} {outcome}"));
    }
    let objects: Vec<_> = stubs
        .iter()
        .map(|stub| json!({"commit": stub.commit.to_string(), "url": stub.url, "created": stub.created}))
        .collect();
    let lines = || stubs.iter().flat_map(|stub| [stub.url.as_str(), "\n"]).collect::<String>().into_bytes();
    let object = json!({"stubs": objects, "store": ports.store.root(), "dry_run": arguments.dry_run});
    conclude(session.answer(&object, lines), errors)
}
