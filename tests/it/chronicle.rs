//! The chronicle of a commit is what lies in the store, as git and an independent reader of metafiles see it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::artifact::Name;
use metalogic::attempt::{self, News};
use metalogic::catalog::Catalog;
use metalogic::chronicle::{Chronicle, Ends, Inquiry, Kept, Page, Registries};
use metalogic::event::{Observer, Silent};
use metalogic::git::Repository;
use metalogic::metafile::Progress;
use metalogic::metalogic::Keep;
use metalogic::moment::Stamp;
use metalogic::publish::{self, Item};
use metalogic::registry::Registry;
use metalogic::resolve::{self, Question};
use metalogic::state::State;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Key, Store};
use metalogic::world::{Limits, World};
use serde_json::Value;

use crate::flows::one_stub;
use crate::repo::git;
use crate::sandbox::Sandbox;
use crate::states::{NAMES, REGISTRY, history, is_input};

/// Gives every commit the same registry.
pub struct Always(pub Option<Arc<Catalog>>);

#[async_trait::async_trait]
impl Registries for Always {
    async fn at(&self, _: Commit) -> Option<Arc<Catalog>> {
        self.0.clone()
    }
}

/// Reads what lies in a store, and asks git for all else.
struct Reader<'a> {
    objects: BTreeMap<String, Bytes>,
    full: &'a Path,
    /// The subjects of the commits that the repository of whoever asks has.
    here: BTreeMap<String, String>,
    trees: RefCell<BTreeMap<String, String>>,
}

impl<'a> Reader<'a> {
    fn new(store: &MemoryStore, full: &'a Path, here: &Path) -> Self {
        let told = git(here, &["log", "--all", "--format=%H %s"]);
        let here = told.lines().filter_map(|line| line.split_once(' '));
        let here = here.map(|(id, subject)| (id.to_owned(), subject.to_owned())).collect();
        Self { objects: store.objects(), full, here, trees: RefCell::default() }
    }

    fn metafile(&self, commit: Commit) -> Option<Value> {
        serde_json::from_slice(self.objects.get(&format!("builds/{commit}/build_meta.json"))?).ok()
    }

    fn object(&self, commit: Commit, name: &str) -> Option<&Bytes> {
        self.objects.get(&format!("builds/{commit}/{name}"))
    }

    fn is_here(&self, commit: Commit) -> bool {
        self.here.contains_key(&commit.to_string())
    }

    fn inputs(&self, commit: &str, name: &str) -> Vec<String> {
        let mut trees = self.trees.borrow_mut();
        let told = trees.entry(commit.to_owned()).or_insert_with(|| git(self.full, &["ls-tree", "-r", commit]));
        let is_input = |line: &&str| is_input(name, line.split_once('\t').unwrap().1).unwrap();
        told.lines().filter(is_input).map(str::to_owned).collect()
    }

    /// Returns the word for an artifact's state at a commit, and where it comes from; none where nothing is known of it.
    fn state(&self, commit: Commit, name: &str) -> Option<(&'static str, Option<String>)> {
        if self.object(commit, name).is_some() {
            return Some(("built", Some(commit.to_string())));
        }
        let metafile = self.metafile(commit)?;
        let from = metafile["artifacts"][name].as_str().filter(|from| *from != commit.to_string());
        let word = match metafile["attempts"][name]["state"].as_str() {
            Some("pending") => "pending",
            Some("failed") => "failed",
            _ => match from {
                None => "missing",
                Some(_) if is_input(name, "").is_none() => "assumed",
                Some(_) if !metafile["details"][name]["inputs"].is_string() || !self.is_here(commit) => "assumed",
                Some(from) if self.inputs(from, name) == self.inputs(&commit.to_string(), name) => "proven",
                Some(_) => "stale",
            },
        };
        Some((word, from.map(str::to_owned)))
    }

    /// Holds a page against what lies at its commit.
    fn compare(&self, page: &Page, names: &[&str], which: &str) -> Vec<&'static str> {
        let told: BTreeMap<String, (&str, Option<String>)> = page
            .verdicts
            .iter()
            .map(|(name, verdict)| (name.to_string(), (verdict.state.word(), verdict.from.map(|at| at.to_string()))))
            .collect();
        let expected: BTreeMap<String, _> =
            names.iter().filter_map(|name| Some(((*name).to_owned(), self.state(page.commit, name)?))).collect();
        assert_eq!(told, expected, "{which}, {}", page.commit);
        for (name, verdict) in &page.verdicts {
            if verdict.state == State::Built {
                let size = self.object(page.commit, name.as_str()).unwrap().len();
                assert_eq!(verdict.record.size, Some(size as u64), "{which}, {name} at {}", page.commit);
            }
        }
        let kept = match self.object(page.commit, "build_meta.json") {
            None => 0,
            Some(_) if self.metafile(page.commit).is_some() => 1,
            Some(_) => 2,
        };
        let told = match page.metafile {
            Kept::Absent => 0,
            Kept::Stored => 1,
            Kept::Malformed(_) => 2,
        };
        assert_eq!(told, kept, "{which}, {}", page.commit);
        let others = self.objects.keys().filter_map(|key| key.strip_prefix(&format!("builds/{}/", page.commit)));
        let others = others.filter(|name| *name != "build_meta.json" && !NAMES.contains(name)).map(str::to_owned);
        assert_eq!(page.others, others.collect(), "{which}, {}", page.commit);
        let subject = self.here.get(&page.commit.to_string()).cloned();
        assert_eq!(page.summary.as_ref().map(|summary| summary.subject.clone()), subject);
        expected.into_values().map(|(word, _)| word).collect()
    }
}

/// Does one thing that may happen to a store.
async fn act(
    world: World<'_>,
    store: &MemoryStore,
    catalog: &Catalog,
    sandbox: &Sandbox,
    rng: &mut Rng,
    commit: Commit,
) {
    let name = *rng.choice(&NAMES).unwrap();
    let key = |name: &str| format!("builds/{commit}/{name}");
    match rng.u8(..20) {
        0 => drop(one_stub(world, commit, false).await),
        1..=4 | 16..=19 => {
            let (vocabulary, known) = (catalog.vocabulary(), BTreeMap::new());
            let question =
                Question { commit, vocabulary: &vocabulary, known: &known, pretend: false, keep: Keep::Everything };
            drop(resolve::resolve(world, &question).await);
        }
        5 => store.plant(&key(name), "put there by hand"),
        6..=10 => {
            let size = rng.usize(1..9);
            sandbox.write(&format!("{size}/{name}"), "x".repeat(size));
            let item = Item { name: name.parse().unwrap(), path: sandbox.path(&format!("{size}/{name}")) };
            let stamp = Stamp::default();
            drop(publish::publish(world, catalog, commit, &[item], &stamp, false).await);
        }
        11 | 12 => {
            let state = if rng.bool() { Progress::Pending } else { Progress::Failed };
            let names = BTreeSet::from([name.parse().unwrap()]);
            let news =
                News { commit, names, state, stamp: Stamp::default(), reason: None, registered: BTreeSet::new() };
            drop(attempt::record(world, &news, false).await);
        }
        13 => store.delete(&Key::Metafile(commit)).await.unwrap(),
        14 => store.delete(&Key::Artifact(commit, name.parse().unwrap())).await.unwrap(),
        _ => store.plant(&key(rng.choice(["old.zip", "no name", "build_meta.json"]).unwrap()), "no metafile"),
    }
}

async fn tell<'a>(world: World<'a>, inquiry: Inquiry<'a>) -> (Vec<Page>, Option<Ends>) {
    let mut chronicle = Chronicle::begin(world, inquiry).unwrap();
    let mut pages = Vec::new();
    while let Some(page) = chronicle.next().await.unwrap() {
        pages.push(page);
    }
    (pages, chronicle.ends().unwrap())
}

#[tokio::test]
async fn after_any_history_a_chronicle_says_what_git_and_the_store_say() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..8 {
        let mut rng = Rng::with_seed(seed);
        let (sandbox, store) = (Sandbox::new(), MemoryStore::default());
        let commits = history(&sandbox, &mut rng, 24);
        let repository = Repository::discover(&sandbox.path("repo")).unwrap().unwrap();
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let limits = Limits { jobs: rng.usize(1..9), ..Limits::default() };
        let world = World { store: &store, ancestry: &repository, observer: &observer, limits };
        let catalog = Catalog::new(Registry::parse(REGISTRY.as_bytes(), "r").unwrap(), &[], &[]).unwrap();
        let always = Always(Some(Arc::new(catalog.clone())));
        for commit in &commits {
            drop(one_stub(world, *commit, false).await);
        }
        for _ in 0..70 {
            let commit = *rng.choice(&commits).unwrap();
            act(world, &store, &catalog, &sandbox, &mut rng, commit).await;
        }
        let tip = *rng.choice(&commits[20..]).unwrap();
        let line = sandbox.git("repo", &["rev-list", "--first-parent", &tip.to_string()]);
        let line: Vec<Commit> = line.lines().map(|id| id.parse().unwrap()).collect();
        sandbox.git("repo", &["update-ref", "refs/heads/tip", &tip.to_string()]);
        let (from, depth) = (format!("file://{}", sandbox.path("repo").display()), rng.usize(1..6).to_string());
        let how = ["clone", "--quiet", "--bare", "--depth", &depth, "--branch", "tip", &from, "shallow"];
        sandbox.git(".", &how);
        let shallow = Repository::discover(&sandbox.path("shallow")).unwrap().unwrap();
        let full = sandbox.path("repo");
        for (here, repository) in [("repo", &repository), ("shallow", &shallow)] {
            let world = World { ancestry: repository, ..world };
            let reader = Reader::new(&store, &full, &sandbox.path(here));
            let which = format!("seed {seed}, {here} of depth {depth}");
            let all = BTreeSet::new();
            let inquiry =
                Inquiry { commit: tip, most: 40, names: &all, registries: &always, repository: Some(repository) };
            let (pages, ends) = tell(world, inquiry).await;
            let told: Vec<Commit> = pages.iter().map(|page| page.commit).collect();
            assert_eq!(told, line[..told.len()], "{which}");
            let is_all = told.len() == line.len();
            let root_is_known =
                reader.is_here(*line.last().unwrap()) || reader.metafile(*line.last().unwrap()).is_some();
            assert_eq!(ends.is_none(), is_all && root_is_known, "{which}: {ends:?}");
            assert!(is_all || here == "shallow", "{which}");
            for page in &pages {
                for word in reader.compare(page, &NAMES, &which) {
                    *seen.entry(word).or_default() += 1;
                }
            }
            let some: BTreeSet<Name> = BTreeSet::from(["b.zip".parse().unwrap()]);
            let (some, ends) = tell(world, Inquiry { names: &some, most: 3.min(told.len()), ..inquiry }).await;
            assert_eq!(ends.is_some(), line.len() > 3, "{which}");
            for (page, all) in some.iter().zip(&pages) {
                let mut all = all.clone();
                all.verdicts.retain(|name, _| name.as_str() == "b.zip");
                all.others.clear();
                assert_eq!(*page, all, "{which}: what is asked for is what is told of it among all");
            }
        }
    }
    for word in ["built", "proven", "assumed", "stale", "pending", "failed", "missing"] {
        assert!(seen.get(word).is_some_and(|times| *times > 10), "{word} is worth a history: {seen:?}");
    }
}
