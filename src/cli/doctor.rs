//! `metalogic doctor`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::catalog::Catalog;
use crate::cli::session::{Session, conclude};
use crate::config::{ConfigError, StorePlace};
use crate::doctor::{self, Check, Finding, Outcome};
use crate::failure::{ChecksFailed, Failure};
use crate::files;
use crate::git;
use crate::location::Location;
use crate::store::Store;

/// Test what publishing needs, and say what follows
///
/// Looks at git, the registry and the store: whether it can be reached, listed, read and written, whether it keeps the conditions of writes
/// (under a real race), and how a bucket is set up. It writes only below builds/.doctor/ in the store, and removes that again. The exit code is
/// that of what is wrong; a warning is no failure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing: test only what can be tested so
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Holds one line of the report.
struct Line {
    check: Check,
    state: &'static str,
    said: String,
    advice: Option<String>,
    failure: Option<Failure>,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let place = session.config.store_place().await;
    let store = session.config.store().await;
    let mut lines = vec![git(session)];
    lines.push(registry(session, store.as_ref().ok().map(|(store, _)| &**store)).await);
    let root = match (place, store) {
        (Ok(place), Ok((store, _))) => {
            lines.push(where_it_is(session, &place, &store.root()));
            lines.extend(of_store(session, &place, &*store, arguments.dry_run).await.into_iter().map(Line::of));
            Some(store.root())
        }
        (Err(error), _) | (Ok(_), Err(error)) => {
            lines.push(Line::wrong(Check::Store, &error.into()));
            None
        }
    };
    say_once(&mut lines);
    let count = |state| lines.iter().filter(|line| line.state == state).count();
    let object = json!({
        "store": root,
        "checks": lines.iter().map(Line::json).collect::<Vec<_>>(),
        "failed": count("failed"),
        "warnings": count("warning"),
        "dry_run": arguments.dry_run,
    });
    let answered = session.answer(&object, || lines.iter().map(Line::text).collect::<String>().into_bytes());
    let failed: Vec<&Line> = lines.iter().filter(|line| line.state == "failed").collect();
    let failures: Vec<Failure> = failed.iter().filter_map(|line| line.failure.clone()).collect();
    let checks = failed.iter().map(|line| line.check.name()).collect::<Vec<_>>().join(", ");
    let error = ChecksFailed { checks, kind: Failure::joint_kind(&failures) };
    conclude(answered, (!failed.is_empty()).then(|| error.into()).into_iter().collect())
}

/// Leaves out what was told already: where git fails, the registry fails for the same reason.
fn say_once(lines: &mut [Line]) {
    for at in 1..lines.len() {
        let (before, line) = lines.split_at_mut(at);
        let Some(line) = line.first_mut().filter(|line| line.failure.is_some()) else { continue };
        if let Some(first) = before.iter().find(|first| first.failure == line.failure) {
            *line = Line::told(line.check, "unknown", format!("not tested: see {}", first.check.name()));
        }
    }
}

fn git(session: &Session) -> Line {
    let program = git::program_version();
    let program = program.map_or_else(|| "no git program on PATH".to_owned(), |version| format!("git {version}"));
    let repository = match session.config.repository() {
        Ok(Some(repository)) => repository,
        Ok(None) => {
            let said = format!("this is no git repository: only full commit ids are understood ({program})");
            return Line::told(Check::Git, "unknown", said);
        }
        Err(error) => return Line::wrong(Check::Git, &error.into()),
    };
    let kind = if repository.is_shallow() {
        "a shallow clone: beyond its boundary the metafiles' parent_commit leads on"
    } else {
        "a full clone"
    };
    let at = repository.top().unwrap_or(repository.common_directory()).display();
    match repository.head() {
        Ok(Some(head)) => Line::told(Check::Git, "ok", format!("{at} at {}, {kind} ({program})", head.short())),
        Ok(None) => Line::told(Check::Git, "ok", format!("{at} has no commit yet ({program})")),
        Err(error) => Line::wrong(Check::Git, &error.into()),
    }
}

async fn registry(session: &Session, store: Option<&dyn Store>) -> Line {
    let found = match session.config.registry(None, store).await {
        Ok(found) => found,
        Err(ConfigError::NoRegistry { .. }) if store.is_none() => {
            let said = "no artifacts.toml is here, and the store, which could have it, cannot be opened";
            return Line::told(Check::Registry, "unknown", said.to_owned());
        }
        Err(error) => return Line::wrong(Check::Registry, &error.into()),
    };
    let (name, unknown) = (found.name, found.registry.unknown_keys.clone());
    let catalog = match Catalog::new(found.registry, &found.own, &[]) {
        Ok(catalog) => catalog,
        Err(error) => return Line::wrong(Check::Registry, &error.into()),
    };
    let (artifacts, projects) = (catalog.vocabulary().registered.len(), catalog.registry().projects.len());
    let said = format!("{name}: artifacts {artifacts}, projects {projects}");
    if unknown.is_empty() {
        return Line::told(Check::Registry, "ok", said);
    }
    let keys: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    let advice = Some("an older program takes a newer file's keys for unknown: mend them or upgrade".to_owned());
    Line { advice, ..Line::told(Check::Registry, "warning", format!("{said}; {}", keys.join("; "))) }
}

fn where_it_is(session: &Session, place: &StorePlace, root: &str) -> Line {
    let said = format!("{root}, as {} says", place.setting);
    if !place.embedded {
        if session.config.is_there(place) {
            return Line::told(Check::Store, "ok", said);
        }
        let advice = Some("check the path; the first put makes the directory".to_owned());
        return Line { advice, ..Line::told(Check::Store, "warning", format!("{said}, does not exist yet")) };
    }
    let said = format!("{root}, the embedded default, on this machine alone");
    let advice = "name a store that machines share with METALOGIC_STORE or [store] url".to_owned();
    let state = if session.config.is_ci() { "warning" } else { "ok" };
    Line { advice: session.config.is_ci().then_some(advice), ..Line::told(Check::Store, state, said) }
}

/// Tests the store: all that is written is written into a store of its own below it.
async fn of_store(session: &Session, place: &StorePlace, store: &dyn Store, dry_run: bool) -> Vec<Finding> {
    let below = format!("builds/.doctor/{:016x}", fastrand::u64(..));
    let Ok(apart) = session.config.open(&place.location.below(&below), &place.terms) else { return Vec::new() };
    let tidied = Arc::new(AtomicBool::new(dry_run));
    let directory = match &place.location {
        Location::Local(root) => {
            // What was not there before is not left behind either, and what was stays, be it empty.
            let made = [root.clone(), root.join("builds"), root.join("builds/.doctor")];
            let top = made.into_iter().find(|directory| !directory.exists());
            Some((root.join(&below), top.unwrap_or_else(|| root.join(&below))))
        }
        Location::S3 { .. } => None,
    };
    session.at_the_end(tidy(Arc::clone(&apart), Arc::clone(&tidied), directory));
    let limit = session.config.limits().timeout;
    // A request that is not answered ends by itself at the limit, and says more.
    let patience = limit + Duration::from_secs(1);
    let mut findings = Vec::new();
    let testing = async {
        if dry_run {
            doctor::read(store, &mut findings).await;
        } else {
            doctor::probe(store, &*apart, &mut findings).await;
            tidied.store(true, Ordering::Relaxed);
        }
    };
    let survey = async {
        let Location::S3 { bucket, prefix } = &place.location else { return None };
        Some(session.config.bucket(bucket, prefix, &place.terms).survey().await)
    };
    let (tested, surveyed) = join(timeout(patience, testing), timeout(patience, survey)).await;
    if tested.is_err() {
        doctor::late(limit, &mut findings);
    }
    if findings.first().is_some_and(|first| first.outcome.has_more()) {
        match surveyed {
            Ok(Some(survey)) => findings.extend(doctor::of_bucket(&survey)),
            Ok(None) => {}
            Err(_) => findings.extend(doctor::unanswered()),
        }
    }
    findings
}

/// Removes what the tests put where they could not do so themselves; of a directory, what is left of it too.
async fn tidy(apart: Arc<dyn Store>, tidied: Arc<AtomicBool>, directory: Option<(PathBuf, PathBuf)>) {
    if !tidied.load(Ordering::Relaxed) {
        // Whether that was possible there is nobody left to be told.
        drop(doctor::remove(&*apart).await);
    }
    if let Some((below, top)) = directory {
        // What cannot be removed begins with a full stop, so it is in nobody's way.
        drop(files::remove_tree(&below, &top));
    }
}

impl Line {
    fn told(check: Check, state: &'static str, said: String) -> Self {
        Self { check, state, said, advice: None, failure: None }
    }

    fn wrong(check: Check, error: &anyhow::Error) -> Self {
        let said = error.to_string();
        Self { failure: Failure::all_of(error).into_iter().next(), ..Self::told(check, "failed", said) }
    }

    fn of(finding: Finding) -> Self {
        let check = finding.check;
        match finding.outcome {
            Outcome::Fine(said) => Self::told(check, "ok", said),
            Outcome::Doubtful { said, advice } => Self { advice: Some(advice), ..Self::told(check, "warning", said) },
            Outcome::Wrong(error) => Self::wrong(check, &error.into()),
            Outcome::Unknown(why) => Self::told(check, "unknown", why),
        }
    }

    /// Returns what was a cause, and what to do.
    fn more(&self) -> (&[String], Option<&str>) {
        let failure = self.failure.as_ref();
        let causes = failure.map(|failure| failure.causes.as_slice()).unwrap_or_default();
        (causes, self.advice.as_deref().or(failure.and_then(|failure| failure.hint.as_deref())))
    }

    fn text(&self) -> String {
        let (causes, hint) = self.more();
        let mut text = format!("{:<8} {:<18} {}\n", self.state, self.check.name(), self.said);
        for cause in causes {
            text.push_str(&format!("{:<27} because {cause}\n", ""));
        }
        if let Some(hint) = hint {
            text.push_str(&format!("{:<27} hint: {hint}\n", ""));
        }
        text
    }

    fn json(&self) -> Value {
        let (causes, hint) = self.more();
        json!({
            "check": self.check.name(),
            "state": self.state,
            "message": self.said,
            "hint": hint,
            "causes": causes,
        })
    }
}
