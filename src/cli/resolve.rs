//! `metalogic resolve`.

use serde_json::json;

use crate::cli::choice::refusals;
use crate::cli::session::{Session, conclude};
use crate::metalogic::Keep;
use crate::policy::Policy;
use crate::status::judge_all;

/// Resolve a commit: write its metafile, and print it
///
/// Looks for every artifact of the repository's projects at the commit's address, then at its ancestors', then in their
/// metafiles; writes what it found and prints it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The commit: anything `git rev-parse` takes
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Drop the names that nothing found supports; otherwise a write never removes a name
    #[arg(long)]
    rebuild: bool,
    /// Fail where an artifact is not what is asked for: fresh (built or proven), exact (built at the commit), or nearest, which asks nothing
    /// [default: what the registry asks]
    #[arg(long, value_name = "POLICY")]
    policy: Option<Policy>,
    /// Print the metafile, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let revision = arguments.revision.as_deref();
    let commit = session.commit(revision)?;
    session.warn_of_pull_request(commit)?;
    let ports = session.ports().await?;
    let catalog = session.catalog(&ports, commit).await?;
    let keep = if arguments.rebuild { Keep::OnlyFound } else { Keep::Everything };
    let vocabulary = catalog.vocabulary();
    let resolving = session.resolve(&ports, commit, &vocabulary, keep, arguments.dry_run);
    let answer = session.writing(&*ports.store, arguments.dry_run, resolving).await?;
    let missing: Vec<String> = catalog.counted(&answer.lacking()).iter().map(ToString::to_string).collect();
    if !missing.is_empty() {
        session.report.note_list("missing still", &missing);
    }
    let wanted = catalog.counted(&vocabulary.wanted);
    let verdicts = judge_all(session.world(&ports).ancestry, Some(&catalog), &answer.standing(), wanted)?;
    let refused = refusals(commit, &verdicts, |name| arguments.policy.or_else(|| catalog.policy(name)));
    let object = json!({
        "url": answer.url,
        "metafile": serde_json::to_value(&answer.metafile)?,
        "written": answer.written,
        "missing": missing,
        "store": ports.store.root(),
        "dry_run": arguments.dry_run,
    });
    let answered = session.answer(&object, || answer.bytes.clone());
    let mut errors: Vec<anyhow::Error> = answer.unknown().map(Into::into).into_iter().collect();
    errors.extend(refused.into_iter().map(Into::into));
    conclude(answered, errors)
}
