//! What every command has at hand, and the two streams that it answers on.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, SystemTime};

use futures::future::{BoxFuture, Either, join_all, select};
use futures::pin_mut;
use serde_json::{Value, json};

use crate::address::Commit;
use crate::ancestry::Ancestry;
use crate::arrival::Destination;
use crate::catalog::Catalog;
use crate::cli::outlet::Writing;
use crate::config::{Config, ConfigError, StorePlace};
use crate::event::{Hushed, Observer};
use crate::failure::{Failure, Kind, OutputClosed, OutputError, Several, UsageError};
use crate::location::Location;
use crate::metalogic::{Keep, Vocabulary};
use crate::moment::{Moment, Stamp};
use crate::report::Report;
use crate::resolve::{self, Answer, Question, ResolveError};
use crate::share::{Home, Manners};
use crate::store::{Guarantees, Store};
use crate::words;
use crate::world::World;

/// How long a command that has done its work waits for the store's answer whether it keeps conditions.
const GRACE: Duration = Duration::from_secs(10);

/// Holds what a command works with.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) report: Arc<Report>,
    pub(crate) json: bool,
    observer: Arc<dyn Observer>,
    hushed: Arc<dyn Observer>,
    /// The same, which remembers.
    hush: Arc<Hushed>,
    closing: Mutex<Vec<BoxFuture<'static, ()>>>,
    writing: Mutex<Option<Writing>>,
    told: Once,
}

/// Holds the ports of a command that needs a store.
pub(crate) struct Ports {
    pub(crate) store: Arc<dyn Store>,
    ancestry: Arc<dyn Ancestry>,
}

impl Ports {
    pub(crate) fn new(store: Arc<dyn Store>, ancestry: Arc<dyn Ancestry>) -> Self {
        Self { store, ancestry }
    }
}

impl Session {
    pub(crate) fn new(config: Config, report: Arc<Report>, json: bool) -> Self {
        let observer: Arc<dyn Observer> = report.clone();
        let hush = Arc::new(Hushed::new(report.clone()));
        let hushed: Arc<dyn Observer> = hush.clone();
        let (closing, writing) = (Mutex::default(), Mutex::default());
        Self { config, report, json, observer, hushed, hush, closing, writing, told: Once::new() }
    }

    /// Returns who is told what happens.
    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        &self.observer
    }

    /// Has something done when the run ends, however it ends.
    pub(crate) fn at_the_end(&self, act: impl Future<Output = ()> + Send + 'static) {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(act));
    }

    /// Does what is to be done when the run ends.
    pub(crate) async fn close(&self) {
        let acts = std::mem::take(&mut *self.closing.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(acts).await;
    }

    /// Has what is being written finished when the run ends.
    pub(crate) fn write_until_the_end(&self, writing: Writing) {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = Some(writing);
    }

    /// Waits for what is being written, and for whoever reads it in a pager. Nobody waits for the rest of an answer that was cut short.
    pub(crate) fn finish_writing(&self, cut_short: bool) -> std::io::Result<()> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        writing.map_or(Ok(()), |writing| writing.finish(cut_short))
    }

    /// Opens the store and history; says so where nobody configured a store.
    pub(crate) async fn ports(&self) -> Result<Ports, ConfigError> {
        let (store, place) = self.config.store().await?;
        self.tell_of(&place);
        Ok(Ports { store, ancestry: self.config.ancestry()? })
    }

    /// Says where the store is, once, where that may surprise.
    pub(crate) fn tell_of(&self, place: &StorePlace) {
        self.told.call_once(|| self.tell(place));
    }

    fn tell(&self, place: &StorePlace) {
        if place.embedded {
            let text = format!("no store is configured: {} serves, on this machine alone", place.location);
            if self.config.is_ci() {
                self.report.warning(&format!(
                    "{text}. CI is set, and a runner's disk is thrown away: name a store with METALOGIC_STORE or [store] url"
                ));
            } else {
                self.report.note(&text);
            }
        }
        if let (Location::Local(directory), false) = (&place.location, place.embedded || self.config.is_there(place)) {
            self.report.warning(&format!("the store {} does not exist yet", directory.display()));
        }
    }

    pub(crate) fn world<'a>(&'a self, ports: &'a Ports) -> World<'a> {
        let limits = self.config.limits();
        World { store: &*ports.store, ancestry: &*ports.ancestry, observer: &self.observer, limits }
    }

    /// Returns the same world for a flow whose walk is not told while it goes on.
    pub(crate) fn hushed<'a>(&'a self, ports: &'a Ports) -> World<'a> {
        World { observer: &self.hushed, ..self.world(ports) }
    }

    /// Says where a walk in such a world found that history ends, as answers have it; none where it did not.
    pub(crate) fn ends(&self) -> Option<String> {
        self.hush.ends().map(|(at, why)| format!("history ends at {}: {why}", at.short()))
    }

    /// Does what writes, and warns where the store does not keep the conditions that keep writers from each other's work.
    pub(crate) async fn writing<T>(&self, store: &dyn Store, dry_run: bool, act: impl Future<Output = T>) -> T {
        if dry_run {
            return act.await;
        }
        let warn = async {
            let kept = match store.guarantees().await {
                Ok(kept) => kept,
                // What is written meets the same trouble and tells it, unless it is that this alone may not be tried.
                Err(error) => {
                    let root = store.root();
                    self.report.detail(&format!("whether {root} heeds the conditions of writes is not known: {error}"));
                    return;
                }
            };
            let unkept: &[&str] = match kept {
                Guarantees { create_only: true, compare_and_swap: true } => return,
                Guarantees { create_only: false, compare_and_swap: true } => &["create-only puts"],
                Guarantees { create_only: true, compare_and_swap: false } => &["compare-and-swap"],
                Guarantees { .. } => &["create-only puts", "compare-and-swap"],
            };
            self.report.warning(&format!(
                "the store {} does not heed the conditions of writes ({}): those who write at once destroy what others \
                 wrote. `metalogic doctor` shows it",
                store.root(),
                unkept.join(", ")
            ));
        };
        pin_mut!(act, warn);
        match select(act, warn).await {
            Either::Left((done, warning)) => {
                drop(tokio::time::timeout(GRACE.min(self.config.limits().timeout), warning).await);
                done
            }
            Either::Right(((), act)) => act.await,
        }
    }

    /// Does what writes a registry, with the same warning where it lies in a store.
    pub(crate) async fn sharing<T>(&self, home: &Home, dry_run: bool, act: impl Future<Output = T>) -> T {
        match home {
            Home::Stored { store, .. } => {
                // What is tried leaves an object, and only a store has a place for it: not any prefix that a registry lies below.
                let configured = self.config.store().await.ok().map(|(store, _)| store);
                let tried = configured.filter(|configured| configured.root().starts_with("s3://"));
                self.writing(&*tried.unwrap_or_else(|| Arc::clone(store)), dry_run, act).await
            }
            Home::Local { .. } => act.await,
        }
    }

    pub(crate) fn manners(&self, dry_run: bool) -> Manners<'_> {
        Manners { observer: &self.observer, timeout: self.config.limits().timeout, dry_run }
    }

    /// Returns when it is, and in which CI run, for what is written now.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { at: Some(Self::now()), run: self.config.run_url() }
    }

    /// Returns when it is.
    pub(crate) fn now() -> Moment {
        Moment::of(SystemTime::now())
    }

    /// Returns the commit that a revision names, HEAD when there is none.
    pub(crate) fn commit(&self, revision: Option<&str>) -> Result<Commit, ConfigError> {
        self.config.commit(revision.unwrap_or("HEAD"))
    }

    /// Warns where what is about to be written concerns a commit that nobody else will ever see.
    pub(crate) fn warn_of_pull_request(&self, commit: Commit) -> Result<(), ConfigError> {
        if let Some(repository) = self.config.repository()?
            && let Some(name) = repository.pull_request(commit)?
        {
            self.report.warning(&format!(
                "{commit} is {name}, a merge commit that was made for a pull request and exists nowhere else: \
                 name the branch's own commit instead, as in `metalogic publish --commit REV`"
            ));
        }
        Ok(())
    }

    /// Returns the registry as it counts for a commit; warns of what this version does not know in it.
    pub(crate) async fn catalog(&self, ports: &Ports, commit: Commit) -> Result<Catalog, ConfigError> {
        let catalog = self.config.catalog(Some(commit), Some(&*ports.store)).await?;
        catalog.registry().unknown_keys.iter().for_each(|unknown| self.report.warning(&unknown.to_string()));
        Ok(catalog)
    }

    /// Returns the registry as it counts for a commit; none where there is none, which is said.
    pub(crate) async fn catalog_if_any(&self, ports: &Ports, commit: Commit) -> Result<Option<Catalog>, ConfigError> {
        match self.catalog(ports, commit).await {
            Ok(catalog) => Ok(Some(catalog)),
            Err(ConfigError::NoRegistry { .. }) => {
                self.report.note("there is no registry: what the stored metafile says is all that is known");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Resolves a commit without writing, as the readers do where nothing is stored.
    pub(crate) async fn compute(&self, ports: &Ports, commit: Commit) -> anyhow::Result<Answer> {
        self.compute_in(self.world(ports), ports, commit).await
    }

    /// Resolves a commit without writing, in a world where the walk is told or not.
    pub(crate) async fn compute_in(&self, world: World<'_>, ports: &Ports, commit: Commit) -> anyhow::Result<Answer> {
        let vocabulary = self.catalog(ports, commit).await?.vocabulary();
        Ok(resolve::compute(world, &Self::question(commit, &vocabulary, Keep::Everything)).await?)
    }

    /// Resolves a commit and writes its metafile, unless it is a dry run.
    pub(crate) async fn resolve(
        &self,
        ports: &Ports,
        commit: Commit,
        vocabulary: &Vocabulary,
        keep: Keep,
        dry_run: bool,
    ) -> Result<Answer, ResolveError> {
        let (world, question) = (self.world(ports), Self::question(commit, vocabulary, keep));
        resolve::expect_known(world, commit).await?;
        if dry_run { resolve::compute(world, &question).await } else { resolve::resolve(world, &question).await }
    }

    fn question(commit: Commit, vocabulary: &Vocabulary, keep: Keep) -> Question<'_> {
        static NOTHING: std::collections::BTreeMap<crate::artifact::Name, crate::metafile::Record> =
            std::collections::BTreeMap::new();
        Question { commit, vocabulary, known: &NOTHING, pretend: false, keep }
    }

    /// Returns where what is fetched goes: to a file or standard output (`--as`), else to a directory (`-o`).
    pub(crate) fn destination(&self, file: Option<&Path>, output: Option<&Path>) -> Result<Destination, UsageError> {
        let Some(file) = file else {
            return Ok(Destination::Directory(output.unwrap_or(Path::new(".")).to_owned()));
        };
        if file.as_os_str() != "-" {
            return Ok(Destination::File(file.to_owned()));
        }
        if self.json {
            let message = "--json and the bytes cannot both go to standard output".to_owned();
            return Err(UsageError { message, hint: Some("name a file with --as FILE".to_owned()) });
        }
        Ok(Destination::StandardOutput)
    }

    /// Writes a text to standard output: byte for byte, as whatever reads it wants it, but to a terminal without the orders that others may
    /// have put into it.
    pub(crate) fn print(&self, text: &[u8]) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if out.is_terminal() {
            return write(&mut out, words::text(&String::from_utf8_lossy(text)).as_bytes());
        }
        write(&mut out, text)
    }

    /// Writes a text with styles to standard output, as `--color` and `NO_COLOR` have it. What others wrote in it must be plain already.
    pub(crate) fn print_styled(&self, text: &str) -> anyhow::Result<()> {
        write(&mut anstream::stdout().lock(), text.as_bytes())
    }

    /// Writes the answer as JSON, or as what `text` makes of it.
    pub(crate) fn answer(&self, json: &Value, text: impl FnOnce() -> Vec<u8>) -> anyhow::Result<()> {
        if !self.json {
            return self.print(&text());
        }
        let text = serde_json::to_string_pretty(json)? + "\n";
        write(&mut std::io::stdout().lock(), words::json(&text).as_bytes())
    }
}

fn write(out: &mut impl std::io::Write, bytes: &[u8]) -> anyhow::Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        done => Ok(done.map_err(OutputError)?),
    }
}

/// Ends a command with what is wrong although it gave its answer. That counts for more than whether anybody read the answer.
pub(crate) fn conclude(answered: anyhow::Result<()>, errors: Vec<anyhow::Error>) -> anyhow::Result<()> {
    if errors.is_empty() { answered } else { Err(all_of(errors)) }
}

/// Returns the error that a list of errors is.
pub(crate) fn all_of<E: Into<anyhow::Error>>(errors: Vec<E>) -> anyhow::Error {
    let mut errors: Vec<anyhow::Error> = errors.into_iter().map(Into::into).collect();
    if errors.len() == 1 { errors.remove(0) } else { Several(errors).into() }
}

/// Tells failures as one object on standard error.
pub(crate) fn tell_json(kind: Kind, failures: &[Failure]) {
    let object = match failures {
        [one] => {
            json!({"code": kind.code(), "kind": kind.name(), "message": one.message, "hint": one.hint, "causes": one.causes})
        }
        several => {
            let causes: Vec<String> =
                several.iter().flat_map(|one| std::iter::once(&one.message).chain(&one.causes)).cloned().collect();
            let hints: indexmap::IndexSet<&str> = several.iter().filter_map(|one| one.hint.as_deref()).collect();
            let hint = (!hints.is_empty()).then(|| hints.into_iter().collect::<Vec<_>>().join("; "));
            let message = format!("{} failures", several.len());
            json!({"code": kind.code(), "kind": kind.name(), "message": message, "hint": hint, "causes": causes})
        }
    };
    // Nobody can be told that standard error is closed.
    drop(writeln!(std::io::stderr().lock(), "{}", words::json(&json!({ "error": object }).to_string())));
}
