//! What everybody does: the real flows, over a way to the store of one's own, tried again a few times where the store did not answer.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use metalogic::address::Commit;
use metalogic::ancestry::Ancestry;
use metalogic::artifact::{Digest, Name};
use metalogic::catalog::Catalog;
use metalogic::event::{Observer, Silent};
use metalogic::metalogic::{Keep, Vocabulary};
use metalogic::moment::Stamp;
use metalogic::publish::{self, Item};
use metalogic::registry::Registry;
use metalogic::resolve::{self, Answer, Question};
use metalogic::shelf::store::StoreShelf;
use metalogic::shelf::{Shelf as _, ShelfError};
use metalogic::show;
use metalogic::stage::{self, Label};
use metalogic::store::{Attributes, Body, Condition, Content, Key, Store, StoreError};
use metalogic::stub::{self, Gaps};
use metalogic::world::{Limits, World};

use super::desk::Acting;
use super::play::{Actor, LONGEST, NAMES, Play, Role, Wrong, commit};
use super::truths::Truths;
use super::wrong;

/// How often somebody tries again what the store did not do.
const TRIES: usize = 4;

/// What all runs need and none changes: the local files, and the registries that somebody may have.
pub struct Props {
    files: tempfile::TempDir,
    /// By how many of the names they have.
    catalogs: Vec<Catalog>,
    observer: Arc<dyn Observer>,
}

impl Props {
    pub fn new() -> Self {
        let catalog = |known: usize| {
            let registry = format!("[projects.p]\nartifacts = {:?}\n", &NAMES[..known]);
            Catalog::new(Registry::parse(registry.as_bytes(), "artifacts.toml").unwrap(), &[], &[]).unwrap()
        };
        let props = Self {
            files: tempfile::tempdir().unwrap(),
            catalogs: (0..=NAMES.len()).map(catalog).collect(),
            observer: Arc::new(Silent),
        };
        for odd in [false, true] {
            for (at, name) in (0..LONGEST).flat_map(|at| NAMES.map(|name| (at, name))) {
                std::fs::write(props.artifact(at, name, odd), content(at, name, odd)).unwrap();
            }
            std::fs::write(props.version(odd), content(0, "app", odd)).unwrap();
        }
        props
    }

    fn artifact(&self, at: usize, name: &str, odd: bool) -> PathBuf {
        self.files.path().join(format!("{at}{odd}{name}"))
    }

    fn version(&self, odd: bool) -> PathBuf {
        self.files.path().join(format!("app{odd}"))
    }

    pub fn vocabulary(&self) -> Vocabulary {
        self.catalogs[NAMES.len()].vocabulary()
    }
}

/// Returns what a build makes of a commit, as of the one before it for every second; now and then it makes something else.
pub fn content(at: usize, name: &str, odd: bool) -> String {
    format!("{name} of {}{}", at / 2, if odd { ", built again" } else { "" })
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn told(error: impl Debug) -> String {
    format!("{error:?}")
}

/// Resolves a commit as the end of any build does.
pub async fn resolve_at(
    store: &dyn Store,
    history: &dyn Ancestry,
    limits: Limits,
    commit: Commit,
    vocabulary: &Vocabulary,
) -> Result<Answer, String> {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let world = World { store, ancestry: history, observer: &observer, limits };
    let known = BTreeMap::new();
    let question = Question { commit, vocabulary, known: &known, pretend: false, keep: Keep::Everything };
    resolve::resolve(world, &question).await.map_err(told)
}

/// One actor at work.
struct Act<'a> {
    play: &'a Play,
    actor: &'a Actor,
    props: &'a Props,
    truths: &'a Truths<'a>,
    store: Arc<dyn Store>,
}

/// Returns what an actor does, over its own way to the store.
pub fn act<'a>(
    play: &'a Play,
    actor: usize,
    store: Arc<dyn Store>,
    props: &'a Props,
    truths: &'a Truths<'a>,
) -> Acting<'a> {
    let act = Act { play, actor: &play.actors[actor], props, truths, store };
    Box::pin(async move {
        let mut said = String::new();
        for _ in 0..TRIES {
            match act.once().await {
                Ok(done) => return done,
                Err(error) => said = error,
            }
        }
        format!("gives up: {said}")
    })
}

impl Act<'_> {
    async fn once(&self) -> Result<String, String> {
        match &self.actor.role {
            Role::Publish { at, names, odd } => match self.actor.wrong {
                Some(wrong) => self.publish_wrongly(wrong, *at, names[0], *odd).await,
                None => self.publish(*at, names, *odd).await,
            },
            Role::Plant { at, name } => self.plant(*at, name).await,
            Role::Stub { commits, gaps } => self.stub(commits, *gaps).await,
            Role::Resolve { at } => self.resolve(*at).await,
            Role::Read { at } => self.read(*at).await,
            Role::Stage { version, odd } => self.stage(version, *odd).await,
            Role::Ask => self.ask().await,
        }
    }

    fn world<'w>(&'w self, ancestry: &'w dyn Ancestry) -> World<'w> {
        World { store: &*self.store, ancestry, observer: &self.props.observer, limits: self.play.limits() }
    }

    async fn publish(&self, at: usize, names: &[&str], odd: bool) -> Result<String, String> {
        let history = self.play.history(self.actor.view, at);
        let items: Vec<Item> =
            names.iter().map(|text| Item { name: name(text), path: self.props.artifact(at, text, odd) }).collect();
        let catalog = &self.props.catalogs[self.actor.known];
        let published =
            publish::publish(self.world(&*history), catalog, commit(at), &items, &Stamp::default(), false).await;
        let published = published.map_err(told)?;
        for conflict in &published.conflicts {
            let key = Key::Artifact(commit(at), conflict.name.clone());
            self.truths.told_of_a_conflict(&key, &content(at, conflict.name.as_str(), odd));
        }
        if !published.failures.is_empty() {
            return Err(told(published.failures));
        }
        self.truths.published(commit(at), published.uploaded.iter().chain(&published.present));
        let (uploaded, present) = (&published.uploaded, &published.present);
        Ok(format!("uploaded {uploaded:?}, present {present:?}, conflicts {}", published.conflicts.len()))
    }

    async fn publish_wrongly(&self, wrong: Wrong, at: usize, name: &str, odd: bool) -> Result<String, String> {
        let vocabulary = self.props.vocabulary();
        wrong::publish(self.play, wrong, &*self.store, (at, name, odd), vocabulary, self.truths).await
    }

    async fn plant(&self, at: usize, text: &str) -> Result<String, String> {
        let bytes = Content::Bytes(Bytes::from(content(at, text, false)));
        let key = Key::Artifact(commit(at), name(text));
        match self.store.put(&key, bytes, Attributes::default(), &Condition::Absent).await {
            Ok(_) | Err(StoreError::Precondition { .. }) => Ok("planted".to_owned()),
            Err(error) => Err(told(error)),
        }
    }

    async fn stub(&self, commits: &[usize], gaps: Gaps) -> Result<String, String> {
        let history = self.play.history(self.actor.view, commits.last().copied().unwrap_or_default());
        let commits: Vec<Commit> = commits.iter().copied().map(commit).collect();
        let stubbed = stub::stub(self.world(&*history), &commits, gaps, false).await;
        if !stubbed.failures.is_empty() {
            return Err(told(stubbed.failures));
        }
        self.truths.stubbed(&commits);
        Ok(format!("stubbed {}", stubbed.stubs.len()))
    }

    async fn resolve(&self, at: usize) -> Result<String, String> {
        let history = self.play.history(self.actor.view, at);
        let vocabulary = self.props.catalogs[self.actor.known].vocabulary();
        let answer = resolve_at(&*self.store, &*history, self.play.limits(), commit(at), &vocabulary).await?;
        self.truths.resolved(&answer);
        Ok(format!("resolved, missing {:?}, unknown {:?}", answer.missing, answer.unknown))
    }

    /// Reads as deploy tooling does: the metafile, then what it names.
    async fn read(&self, at: usize) -> Result<String, String> {
        let Some(shown) = show::show(&*self.store, commit(at)).await.map_err(told)? else {
            return Ok("read that there is none".to_owned());
        };
        for (name, place) in &shown.metafile.artifacts {
            let key = Key::Artifact(*place, name.clone());
            match self.bytes(&*self.store, &key).await? {
                None => self.truths.wrong(format!("a reader is told of {key}, which is not there")),
                Some(bytes) => self.truths.read(&key, &bytes),
            }
        }
        Ok(format!("read {}", shown.metafile.artifacts.len()))
    }

    async fn bytes(&self, store: &dyn Store, key: &Key) -> Result<Option<Vec<u8>>, String> {
        let Some((_, body)) = store.open(key, None).await.map_err(told)? else { return Ok(None) };
        let Body::Stream(pieces) = body else { panic!("the memory store gives pieces") };
        let pieces: Vec<Bytes> = pieces.try_collect().await.map_err(told)?;
        Ok(Some(pieces.concat()))
    }

    fn shelf(&self) -> StoreShelf {
        StoreShelf::new(Arc::clone(&self.store), Arc::clone(&self.props.observer))
    }

    async fn stage(&self, version: &str, odd: bool) -> Result<String, String> {
        let shelf = self.shelf();
        let label = Label {
            name: "app".parse().unwrap(),
            version: version.parse().unwrap(),
            filename: None,
            metadata: BTreeMap::new(),
            at: "2026-01-02T03:04:05Z".to_owned(),
        };
        let path = self.props.version(odd);
        let staging = stage::from_file(&self.props.observer, label, path).await.map_err(told)?;
        let staged = match shelf.stage(&staging, false).await {
            Ok(staged) => staged,
            Err(error @ (ShelfError::Conflict { .. } | ShelfError::OtherBuild { .. })) => {
                self.truths.refused(&staging.release);
                return Ok(format!("is refused: {error}"));
            }
            Err(error) => return Err(told(error)),
        };
        self.truths.staged(&staging.release);
        // What is there cannot be missing to whoever looks next.
        match shelf.latest(&staging.release.name, true).await {
            Ok(latest) if latest.cmp(&staging.release.version.bare()).is_lt() => {
                self.truths.wrong(format!("{version} is staged and {latest} is the latest"));
            }
            Err(ShelfError::Nothing { .. }) => {
                self.truths.wrong(format!("{version} is staged and nothing is listed"));
            }
            Ok(_) | Err(_) => {}
        }
        Ok(format!("staged {version}, present {}", staged.present))
    }

    async fn ask(&self) -> Result<String, String> {
        let (shelf, name) = (self.shelf(), "app".parse().unwrap());
        let versions = shelf.versions(&name).await.map_err(told)?;
        for version in &versions {
            let found = shelf.find(&name, version).await.map_err(told)?;
            let Some(bytes) = self.bytes(&*found.store, &found.key).await? else {
                self.truths.wrong(format!("{version} is listed and its bytes are not there"));
                continue;
            };
            if found.release.sha256 != Some(Digest::of(&bytes)) {
                self.truths.wrong(format!("{version} has other bytes than its record says"));
            }
        }
        Ok(format!("there are {}", versions.len()))
    }
}
