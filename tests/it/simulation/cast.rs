//! Who takes part in a run, and what each of them does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;
use futures::TryStreamExt as _;
use metalogic::address::Commit;
use metalogic::ancestry::{Ancestry, NoHistory, ToldHistory};
use metalogic::artifact::Name;
use metalogic::catalog::Catalog;
use metalogic::event::{Observer, Silent};
use metalogic::metalogic::{Keep, Vocabulary};
use metalogic::publish::{self, Item};
use metalogic::registry::Registry;
use metalogic::resolve::{self, Question};
use metalogic::shelf::store::StoreShelf;
use metalogic::shelf::{Shelf as _, ShelfError};
use metalogic::show;
use metalogic::stage::{self, Label, StageError};
use metalogic::store::{Body, Key, Store};
use metalogic::stub::{self, Gaps};
use metalogic::world::{Limits, World};

use super::desk::Acting;
use super::truths::Truths;
use super::wrong;

/// The artifacts that there may be.
pub const NAMES: [&str; 3] = ["a.zip", "b.zip", "c.zip"];

/// The versions that may be staged.
const VERSIONS: [&str; 5] = ["1.0.0-rc.1", "1.0.0", "1.0.5", "2.0.0", "2.0.0+build.5"];

/// How many commits a history has at most.
const LONGEST: usize = 8;

/// How often somebody tries again what the store did not do.
const TRIES: usize = 4;

/// A way to publish that is known to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The version that the write depends on is read after the look at the address.
    TagAfterLook,
    /// The metafile is written before the artifact.
    MetafileFirst,
    /// The metafile's write depends on nothing.
    Blind,
    /// Something of the same name is taken for another build's, though a first answer may have been lost.
    OwnConflict,
}

impl Wrong {
    pub const ALL: [Self; 4] = [Self::TagAfterLook, Self::MetafileFirst, Self::Blind, Self::OwnConflict];
}

/// What somebody does.
#[derive(Debug, Clone)]
enum Role {
    Publish { at: usize, names: Vec<&'static str>, odd: bool },
    Stub { commits: Vec<usize> },
    Resolve { at: usize },
    Read { at: usize },
    Stage { version: &'static str, odd: bool },
}

/// How much of history somebody sees.
#[derive(Debug, Clone, Copy)]
enum View {
    Whole,
    /// As many commits as a shallow clone has.
    Shallow(usize),
    Nothing,
}

#[derive(Debug, Clone)]
pub struct Actor {
    role: Role,
    view: View,
    wrong: Option<Wrong>,
}

impl Actor {
    pub fn kind(&self) -> &'static str {
        match self.role {
            Role::Publish { .. } => "publish",
            Role::Stub { .. } => "stub",
            Role::Resolve { .. } => "resolve",
            Role::Read { .. } => "read",
            Role::Stage { .. } => "stage",
        }
    }

    pub fn stubs(&self) -> bool {
        matches!(self.role, Role::Stub { .. })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.role, self.view)
    }
}

/// What happens in a run, but for the order, which the desk makes of the same seed.
#[derive(Debug)]
pub struct Play {
    pub seed: u64,
    /// The place of each commit's first parent, which is smaller than its own.
    pub parents: Vec<Option<usize>>,
    /// How many ancestors everybody looks at.
    pub most: usize,
    pub actors: Vec<Actor>,
    /// How likely an operation fails, and how likely an actor dies at it.
    pub faults: f64,
    pub deaths: f64,
}

pub fn commit(place: usize) -> Commit {
    format!("{:040x}", place + 1).parse().unwrap()
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl Play {
    pub fn of(seed: u64, wrong: Option<Wrong>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let length = rng.usize(1..=LONGEST);
        let parents: Vec<Option<usize>> = (0..length)
            .map(|at| match rng.u8(..10) {
                _ if at == 0 => None,
                0 => None,
                1..4 => Some(rng.usize(..at)),
                _ => Some(at - 1),
            })
            .collect();
        let most = if rng.u8(..4) == 0 { rng.usize(..4) } else { 200 };
        let actors = (0..rng.usize(2..=7)).map(|_| Self::actor(&mut rng, length, wrong)).collect();
        let faults = *rng.choice(&[0.0, 0.02, 0.1]).unwrap();
        let deaths = *rng.choice(&[0.0, 0.0, 0.02]).unwrap();
        Self { seed, parents, most, actors, faults, deaths }
    }

    fn actor(rng: &mut Rng, length: usize, wrong: Option<Wrong>) -> Actor {
        // Few commits make many meetings.
        let place = |rng: &mut Rng| if rng.bool() { length - 1 } else { rng.usize(..length) };
        let role = match rng.u8(..12) {
            0..5 => {
                let count = rng.usize(1..=2);
                let names = rng.choose_multiple(NAMES, count);
                Role::Publish { at: place(rng), names, odd: rng.u8(..8) == 0 }
            }
            5..7 => Role::Stub {
                commits: (0..rng.usize(1..=2)).map(|_| place(rng)).collect::<BTreeSet<_>>().into_iter().collect(),
            },
            7..9 => Role::Resolve { at: place(rng) },
            9 => Role::Read { at: place(rng) },
            _ => Role::Stage { version: rng.choice(VERSIONS).unwrap(), odd: rng.u8(..4) == 0 },
        };
        let view = match rng.u8(..6) {
            0 => View::Shallow(rng.usize(1..4)),
            1 if matches!(role, Role::Resolve { .. } | Role::Publish { .. }) => View::Nothing,
            _ => View::Whole,
        };
        let wrong = wrong.filter(|_| matches!(role, Role::Publish { .. }));
        Actor { role, view, wrong }
    }

    /// Returns a history as somebody sees it who stands at a commit.
    fn history(&self, view: View, at: usize) -> Box<dyn Ancestry> {
        let told = |places: Vec<usize>| {
            let parents: HashMap<_, _> =
                places.into_iter().map(|place| (commit(place), self.parents[place].map(commit))).collect();
            Box::new(ToldHistory { parents, ..ToldHistory::default() })
        };
        match view {
            View::Whole => told((0..self.parents.len()).collect()),
            View::Shallow(depth) => {
                told(std::iter::successors(Some(at), |&place| self.parents[place]).take(depth).collect())
            }
            View::Nothing => Box::new(NoHistory),
        }
    }

    pub fn whole_history(&self) -> Box<dyn Ancestry> {
        self.history(View::Whole, 0)
    }

    pub fn limits(&self) -> Limits {
        Limits { max_ancestors: self.most, ..Limits::default() }
    }

    /// Returns what an actor does, over its own way to the store.
    pub fn act<'a>(
        &'a self,
        actor: usize,
        store: Arc<dyn Store>,
        files: &'a Files,
        truths: &'a Truths<'a>,
    ) -> Acting<'a> {
        let Actor { role, view, wrong } = &self.actors[actor];
        Box::pin(async move {
            let mut said = String::new();
            for _ in 0..TRIES {
                let done = match role {
                    Role::Publish { at, names, odd } => match wrong {
                        Some(wrong) => wrong::publish(self, *wrong, &*store, *at, names[0], *odd, truths).await,
                        None => self.publish(&*store, *view, *at, names, *odd, files, truths).await,
                    },
                    Role::Stub { commits } => self.stub(&*store, *view, commits).await,
                    Role::Resolve { at } => self.resolve(&*store, *view, *at).await,
                    Role::Read { at } => self.read(&*store, *at, truths).await,
                    Role::Stage { version, odd } => self.stage(&store, version, *odd, files, truths).await,
                };
                match done {
                    Ok(done) => return done,
                    Err(error) => said = error,
                }
            }
            format!("gives up: {said}")
        })
    }

    #[expect(clippy::too_many_arguments, reason = "it is all that publishing takes")]
    async fn publish(
        &self,
        store: &dyn Store,
        view: View,
        at: usize,
        names: &[&str],
        odd: bool,
        files: &Files,
        truths: &Truths<'_>,
    ) -> Result<String, String> {
        let (history, observer): (_, Arc<dyn Observer>) = (self.history(view, at), Arc::new(Silent));
        let world = World { store, ancestry: &*history, observer: &observer, limits: self.limits() };
        let items: Vec<Item> =
            names.iter().map(|text| Item { name: name(text), path: files.artifact(at, text, odd) }).collect();
        let published = publish::publish(world, &catalog(), commit(at), &items, false)
            .await
            .map_err(|errors| format!("{errors:?}"))?;
        for conflict in &published.conflicts {
            truths.told_of_a_conflict(
                &Key::Artifact(commit(at), conflict.name.clone()),
                &content(at, conflict.name.as_str(), odd),
            );
        }
        if !published.failures.is_empty() {
            return Err(format!("{:?}", published.failures));
        }
        truths.published(commit(at), published.uploaded.iter().chain(&published.present));
        Ok(format!("published {:?}, conflicts {}", published.uploaded, published.conflicts.len()))
    }

    async fn stub(&self, store: &dyn Store, view: View, commits: &[usize]) -> Result<String, String> {
        let last = commits.last().copied().unwrap_or_default();
        let (history, observer): (_, Arc<dyn Observer>) = (self.history(view, last), Arc::new(Silent));
        let world = World { store, ancestry: &*history, observer: &observer, limits: self.limits() };
        let commits: Vec<Commit> = commits.iter().copied().map(commit).collect();
        let stubbed = stub::stub(world, &commits, Gaps::Leave, false).await;
        if stubbed.failures.is_empty() {
            Ok(format!("stubbed {}", stubbed.stubs.len()))
        } else {
            Err(format!("{:?}", stubbed.failures))
        }
    }

    async fn resolve(&self, store: &dyn Store, view: View, at: usize) -> Result<String, String> {
        let history = self.history(view, at);
        resolve_at(store, &*history, self.limits(), commit(at)).await.map(|()| "resolved".to_owned())
    }

    /// Reads as deploy tooling does: the metafile, then what it names.
    async fn read(&self, store: &dyn Store, at: usize, truths: &Truths<'_>) -> Result<String, String> {
        let told = |error: &dyn fmt::Debug| format!("{error:?}");
        let Some(shown) = show::show(store, commit(at)).await.map_err(|error| told(&error))? else {
            return Ok("read that there is none".to_owned());
        };
        for (name, place) in &shown.metafile.artifacts {
            let key = Key::Artifact(*place, name.clone());
            let Some((_, body)) = store.open(&key, None).await.map_err(|error| told(&error))? else {
                truths.wrong(format!("a reader is told of {key}, which is not there"));
                continue;
            };
            let Body::Stream(pieces) = body else { panic!("the memory store gives pieces") };
            let pieces: Vec<bytes::Bytes> = pieces.try_collect().await.map_err(|error| told(&error))?;
            truths.read(&key, &pieces.concat());
        }
        Ok(format!("read {}", shown.metafile.artifacts.len()))
    }

    async fn stage(
        &self,
        store: &Arc<dyn Store>,
        version: &str,
        odd: bool,
        files: &Files,
        truths: &Truths<'_>,
    ) -> Result<String, String> {
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let shelf = StoreShelf::new(Arc::clone(store), Arc::clone(&observer));
        let label = Label {
            name: "app".parse().unwrap(),
            version: version.parse().unwrap(),
            filename: None,
            metadata: BTreeMap::new(),
            at: "2026-01-02T03:04:05Z".to_owned(),
        };
        let staging =
            stage::from_file(&observer, label, files.version(odd)).await.map_err(|error| format!("{error:?}"))?;
        match stage::stage(&shelf, &staging, false).await {
            Ok(staged) => {
                truths.staged(&staging.release);
                // What is there cannot be missing to whoever looks next.
                let latest = shelf.latest(&staging.release.name, true).await;
                match latest {
                    Ok(latest) if latest.cmp(&staging.release.version.bare()).is_lt() => {
                        truths.wrong(format!("{version} is staged and {latest} is the latest"));
                    }
                    Err(ShelfError::Nothing { .. }) => {
                        truths.wrong(format!("{version} is staged and nothing is listed"))
                    }
                    Ok(_) | Err(_) => {}
                }
                Ok(format!("staged {version}, present {}", staged.present))
            }
            Err(StageError::Shelf(error @ (ShelfError::Conflict { .. } | ShelfError::OtherBuild { .. }))) => {
                Ok(format!("is refused: {error}"))
            }
            Err(error) => Err(format!("{error:?}")),
        }
    }
}

/// Resolves a commit as the end of any build does.
pub async fn resolve_at(
    store: &dyn Store,
    history: &dyn Ancestry,
    limits: Limits,
    commit: Commit,
) -> Result<(), String> {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let world = World { store, ancestry: history, observer: &observer, limits };
    let (vocabulary, known) = (vocabulary(), BTreeMap::new());
    let question = Question { commit, vocabulary: &vocabulary, known: &known, pretend: false, keep: Keep::Everything };
    resolve::resolve(world, &question).await.map(drop).map_err(|error| format!("{error:?}"))
}

pub fn vocabulary() -> Vocabulary {
    catalog().vocabulary()
}

fn catalog() -> Catalog {
    let registry = format!("[projects.p]\nartifacts = {NAMES:?}\n");
    Catalog::new(Registry::parse(registry.as_bytes(), "artifacts.toml").unwrap(), &[], &[]).unwrap()
}

/// Returns what a build makes of a commit; now and then it makes something else.
pub fn content(at: usize, name: &str, odd: bool) -> String {
    format!("{name} of {at}{}", if odd { ", built again" } else { "" })
}

/// The local files of all runs.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for odd in [false, true] {
            for (at, name) in (0..LONGEST).flat_map(|at| NAMES.map(|name| (at, name))) {
                std::fs::write(files.artifact(at, name, odd), content(at, name, odd)).unwrap();
            }
            std::fs::write(files.version(odd), content(0, "app", odd)).unwrap();
        }
        files
    }

    fn artifact(&self, at: usize, name: &str, odd: bool) -> PathBuf {
        self.0.path().join(format!("{at}{odd}{name}"))
    }

    fn version(&self, odd: bool) -> PathBuf {
        self.0.path().join(format!("app{odd}"))
    }
}
