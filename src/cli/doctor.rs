//! `metalogic doctor`.

use serde_json::{Value, json};

use crate::catalog::Catalog;
use crate::cli::session::{Session, conclude};
use crate::config::StorePlace;
use crate::doctor::{self, Check, Finding, Outcome};
use crate::failure::Failure;
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
    error: Option<anyhow::Error>,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let place = session.config.store_place().await;
    let store = session.config.store().await;
    let mut lines = vec![git(session)];
    lines.push(registry(session, store.as_ref().ok().map(|(store, _)| &**store)).await);
    let root = match (place, store) {
        (Ok(place), Ok((store, _))) => {
            lines.push(where_it_is(session, &place, &store.root()));
            lines.extend(of_store(session, &place, arguments.dry_run).await.into_iter().map(Line::of));
            Some(store.root())
        }
        (Err(error), _) | (Ok(_), Err(error)) => {
            lines.push(Line::wrong(Check::Store, error.into()));
            None
        }
    };
    let count = |state| lines.iter().filter(|line| line.state == state).count();
    let object = json!({
        "store": root,
        "checks": lines.iter().map(Line::json).collect::<Vec<_>>(),
        "failed": count("failed"),
        "warnings": count("warning"),
        "dry_run": arguments.dry_run,
    });
    let answered = session.answer(&object, || lines.iter().map(Line::text).collect::<String>().into_bytes());
    conclude(answered, lines.into_iter().filter_map(|line| line.error).collect())
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
        Err(error) => return Line::wrong(Check::Git, error.into()),
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
        Err(error) => Line::wrong(Check::Git, error.into()),
    }
}

async fn registry(session: &Session, store: Option<&dyn Store>) -> Line {
    let found = match session.config.registry(None, store).await {
        Ok(found) => found,
        Err(error) => return Line::wrong(Check::Registry, error.into()),
    };
    let (name, unknown) = (found.name, found.registry.unknown_keys.clone());
    let catalog = match Catalog::new(found.registry, &found.own, &[]) {
        Ok(catalog) => catalog,
        Err(error) => return Line::wrong(Check::Registry, error.into()),
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
        return Line::told(Check::Store, "ok", said);
    }
    let said = format!("{root}, the embedded default, on this machine alone");
    let advice = "name a store that machines share with METALOGIC_STORE or [store] url".to_owned();
    let state = if session.config.is_ci() { "warning" } else { "ok" };
    Line { advice: session.config.is_ci().then_some(advice), ..Line::told(Check::Store, state, said) }
}

/// Tests the store, on a store of its own below it.
async fn of_store(session: &Session, place: &StorePlace, dry_run: bool) -> Vec<Finding> {
    let StorePlace { location, terms, .. } = place;
    let below = format!("builds/.doctor/{:016x}", fastrand::u64(..));
    let apart = location.below(&below);
    let stood = matches!(location, Location::Local(root) if root.join("builds").exists());
    let probed = match session.config.open(&apart, terms) {
        Ok(store) if dry_run => doctor::read(&*store).await,
        Ok(store) => doctor::probe(&*store).await,
        // It is the store's directory that cannot be, and that was told.
        Err(_) => Vec::new(),
    };
    let reached = probed.len() > 1;
    match location {
        Location::Local(root) => {
            // What cannot be removed begins with a full stop, so it is in nobody's way.
            let top = if stood { root.join("builds/.doctor") } else { root.clone() };
            drop(files::remove_tree(&root.join(&below), &top));
            probed
        }
        Location::S3 { bucket, prefix } if reached => {
            let survey = session.config.bucket(bucket, prefix, terms).survey().await;
            probed.into_iter().chain(doctor::of_bucket(&survey)).collect()
        }
        Location::S3 { .. } => probed,
    }
}

impl Line {
    fn told(check: Check, state: &'static str, said: String) -> Self {
        Self { check, state, said, advice: None, error: None }
    }

    fn wrong(check: Check, error: anyhow::Error) -> Self {
        let said = error.to_string();
        Self { error: Some(error), ..Self::told(check, "failed", said) }
    }

    fn of(finding: Finding) -> Self {
        let check = finding.check;
        match finding.outcome {
            Outcome::Fine(said) => Self::told(check, "ok", said),
            Outcome::Doubtful { said, advice } => Self { advice: Some(advice), ..Self::told(check, "warning", said) },
            Outcome::Wrong(error) => Self::wrong(check, error.into()),
            Outcome::Unknown(why) => Self::told(check, "unknown", why),
        }
    }

    fn text(&self) -> String {
        let said = format!("{:<8} {:<18} {}\n", self.state, self.check.name(), self.said);
        let advice = self.advice.iter().map(|advice| format!("{:<27} hint: {advice}\n", ""));
        std::iter::once(said).chain(advice).collect()
    }

    fn json(&self) -> Value {
        let failure = self.error.as_ref().and_then(|error| Failure::all_of(error).into_iter().next());
        let (hint, causes) = failure.map_or((None, Vec::new()), |failure| (failure.hint, failure.causes));
        json!({
            "check": self.check.name(),
            "state": self.state,
            "message": self.said,
            "hint": self.advice.clone().or(hint),
            "causes": causes,
        })
    }
}
