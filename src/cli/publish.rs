//! `metalogic publish`.

use std::ffi::OsString;

use serde_json::{Value, json};

use crate::address::Commit;
use crate::artifact::Name;
use crate::cli::former::{self, Former};
use crate::cli::session::{Session, all_of, conclude};
use crate::config::ConfigError;
use crate::publish::{self, Conflict, Item, PublishError, Published, Refusal};
use crate::report;
use crate::resolve::Objection;
use crate::rewritten::SameTree;

/// Publish what a build produced, and resolve the commit
///
/// Stores each file at the commit's address, where it is created once and never replaced, and then writes the commit's metafile. Without
/// a file it is the run that every build does at its end. It is safe to run at any time, any number of times, many at once.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The files; NAME=FILE publishes a file under another name than its own
    #[arg(value_name = "FILE | NAME=FILE")]
    files: Vec<OsString>,
    /// The commit that was built [default: HEAD]
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// What to do where other bytes stand under a name: fail (exit 7) or keep them with a warning
    #[arg(long, value_name = "fail|keep", default_value = "fail", hide_possible_values = true)]
    if_exists: IfExists,
    /// Fail (exit 3) when artifacts are missing still
    #[arg(long)]
    require_complete: bool,
    /// Say what would be done, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum IfExists {
    Fail,
    Keep,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let revision = arguments.commit.as_deref();
    let commit = session.commit(revision)?;
    session.warn_of_pull_request(commit)?;
    let ports = session.ports().await?;
    let catalog = session.catalog(&ports, commit).await?;
    let items = items(&arguments.files)?;
    let dirty = dirty(session, commit)?;
    let former = Former::of(session, commit);
    let foxtrot = former.warn_of_foxtrot(session);
    let stamp = session.stamp();
    let publishing = publish::publish(session.world(&ports), &catalog, commit, &items, &stamp, arguments.dry_run);
    let publishing = session.writing(&*ports.store, arguments.dry_run, publishing);
    let (published, same_tree) = futures::future::join(publishing, former.same_tree(session, &ports)).await;
    let published = published.map_err(all_of)?;

    if arguments.dry_run {
        published.uploaded.iter().for_each(|name| session.report.log(&format!("would publish {name}")));
        published
            .present
            .iter()
            .for_each(|name| session.report.log(&format!("{name} stands there already with the same bytes")));
    }
    if published.bytes_spared > 0 {
        session.report.log(&spared(&published));
    }
    let answer = &published.answer;
    let missing = catalog.counted(&answer.lacking());
    if !missing.is_empty() {
        session.report.note_list("missing still", &missing);
    }
    // What this build published itself is no news.
    let published_here = |name: &Name| published.uploaded.contains(name) || published.present.contains(name);
    let news = |same: &SameTree| !same.artifacts.iter().all(published_here);
    let same_tree: Vec<SameTree> = same_tree.into_iter().filter(news).collect();
    same_tree.iter().for_each(|same| session.report.note(&same.to_string()));
    let names =
        |names: &std::collections::BTreeSet<Name>| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    let object = json!({
        "url": answer.url,
        "metafile": serde_json::to_value(&answer.metafile)?,
        "uploaded": names(&published.uploaded),
        "copied": names(&published.copied),
        "present": names(&published.present),
        "missing": names(&missing),
        "conflicts": published.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        "bytes_sent": published.bytes_sent,
        "bytes_spared": published.bytes_spared,
        "store": ports.store.root(),
        "dirty": dirty.map_or(Value::Null, Value::Bool),
        "foxtrot": foxtrot.map(|tip| tip.to_string()),
        "same_tree": same_tree.iter().map(former::object).collect::<Vec<_>>(),
        "dry_run": arguments.dry_run,
    });
    let answered = session.answer(&object, || format!("{}\n", answer.url).into_bytes());

    let mut errors: Vec<anyhow::Error> = published.failures.into_iter().map(Into::into).collect();
    match arguments.if_exists {
        IfExists::Fail => errors.extend(published.conflicts.into_iter().map(Into::into)),
        IfExists::Keep => {
            published.conflicts.iter().for_each(|kept| session.report.warning(&format!("{kept}; it stays")));
        }
    }
    errors.extend(answer.unknown().map(Into::into));
    if arguments.require_complete && !missing.is_empty() {
        errors.push(Objection::Incomplete { commit, names: missing }.into());
    }
    conclude(answered, errors)
}

/// Says how much had not to be sent, and why.
fn spared(published: &Published) -> String {
    let (copied, present) = (published.copied.len(), published.present.len());
    let of = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let why: Vec<String> = of(copied, "copied in the store").into_iter().chain(of(present, "there already")).collect();
    format!("{} not sent: {}", report::bytes(published.bytes_spared), why.join(", "))
}

fn conflict(conflict: &Conflict) -> Value {
    json!({
        "name": conflict.name.to_string(),
        "stands": conflict.stands.to_string(),
        "refused": conflict.refused.to_string(),
    })
}

/// Reads what is to be published; all that cannot be is told at once.
fn items(files: &[OsString]) -> anyhow::Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut refused: Vec<PublishError> = Vec::new();
    for file in files {
        match Item::parse(file) {
            Ok(item) => items.push(item),
            Err(refusal) => refused.push(Refusal::into(refusal)),
        }
    }
    if refused.is_empty() { Ok(items) } else { Err(all_of(refused)) }
}

/// Says whether the work tree differs from the commit that is published for it; none where the two have nothing to do with each other.
fn dirty(session: &Session, commit: Commit) -> Result<Option<bool>, ConfigError> {
    let Some(repository) = session.config.repository()? else { return Ok(None) };
    if repository.top().is_none() || repository.head()? != Some(commit) {
        return Ok(None);
    }
    let dirty = match repository.differs_from_head() {
        Ok(dirty) => dirty,
        // What is asked for a warning alone holds up no build.
        Err(error) => {
            session.report.warning(&format!("whether the work tree differs from HEAD is not known: {error}"));
            return Ok(None);
        }
    };
    if dirty {
        session.report.warning("the work tree differs from HEAD, for which this is published: what was built may not be what was committed");
    }
    Ok(Some(dirty))
}
