//! `metalogic begin` and `metalogic fail`.

use serde_json::json;

use crate::artifact::Name;
use crate::attempt::{self, LONGEST_REASON, News};
use crate::cli::session::{Session, all_of};
use crate::metafile::Progress;
use crate::publish::{self, PublishError};
use crate::words;

/// Record that builds of artifacts began
///
/// Writes into the commit's metafile that each artifact is pending, with the URL of the CI run where the environment tells one, so that
/// `wait` and `status` know of it. It counts until the artifact is published or `metalogic fail` records that its build failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Begin {
    #[command(flatten)]
    which: Which,
}

/// Record that builds of artifacts failed
///
/// Writes into the commit's metafile that each artifact failed, with the URL of the CI run where the environment tells one. Whoever waits for
/// it is told at once. It counts until the artifact is published or `metalogic begin` records a new attempt.
#[derive(Debug, clap::Args)]
pub(crate) struct Fail {
    #[command(flatten)]
    which: Which,
    /// Why, in a line
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The artifacts
    #[arg(value_name = "NAME", required = true)]
    names: Vec<Name>,
    /// The commit that is built [default: HEAD]
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// Say what would be recorded, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn begin(session: &Session, Begin { which }: Begin) -> anyhow::Result<()> {
    record(session, which, Progress::Pending, None).await
}

pub(crate) async fn fail(session: &Session, Fail { which, reason }: Fail) -> anyhow::Result<()> {
    let one_line = |reason: String| words::line(reason.trim()).chars().take(LONGEST_REASON).collect();
    record(session, which, Progress::Failed, reason.map(one_line).filter(|reason: &String| !reason.is_empty())).await
}

async fn record(
    session: &Session,
    Which { names, commit, dry_run }: Which,
    state: Progress,
    reason: Option<String>,
) -> anyhow::Result<()> {
    let commit = session.commit(commit.as_deref())?;
    session.warn_of_pull_request(commit)?;
    let ports = session.ports().await?;
    let catalog = session.catalog(&ports, commit).await?;
    let refused: Vec<PublishError> =
        names.iter().filter_map(|name| publish::refusal(name, &catalog)).map(PublishError::Refused).collect();
    if !refused.is_empty() {
        return Err(all_of(refused));
    }
    let (names, registered) = (names.into_iter().collect(), catalog.vocabulary().registered);
    let news = News { commit, names, state, stamp: session.stamp(), reason, registered };
    let recording = attempt::record(session.world(&ports), &news, dry_run);
    let recorded = session.writing(&*ports.store, dry_run, recording).await?;
    let word = news.state.as_str();
    for name in &recorded.recorded {
        let recorded = if dry_run { "would be recorded" } else { "recorded" };
        session.report.log(&format!("{recorded}: {name} {word} at {commit}"));
    }
    for name in &recorded.standing {
        session.report.note(&format!("{name} stands at {commit} already: nothing is recorded of it"));
    }
    let object = json!({
        "url": recorded.url,
        "commit": commit.to_string(),
        "state": word,
        "recorded": recorded.recorded.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "standing": recorded.standing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "run": news.stamp.run,
        "reason": news.reason,
        "written": recorded.written,
        "store": ports.store.root(),
        "dry_run": dry_run,
    });
    session.answer(&object, || format!("{}\n", recorded.url).into_bytes())
}
