//! Random histories with merges in real repositories, lived through: stubs at any time, builds that end late, resolutions in between.
//!
//! At the end every commit is resolved and compared with an oracle that asks git for the first parents and looks at one artifact at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::artifact::Name;
use metalogic::event::{Observer, Silent};
use metalogic::git::Repository;
use metalogic::metafile::{LARGEST, Metafile};
use metalogic::metalogic::{Keep, Vocabulary};
use metalogic::resolve::{self, Question};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Key, Store};
use metalogic::world::{Limits, World};

use crate::flows::one_stub;
use crate::sandbox::Sandbox;

const NAMES: [&str; 3] = ["a.zip", "b.zip", "c.zip"];

/// Makes a repository of random commits, some of them merges, and returns their ids.
fn history(sandbox: &Sandbox, rng: &mut Rng, commits: usize) -> Vec<Commit> {
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    let mut stream = String::new();
    for number in 1..=commits {
        // Each commit has a branch of its own, so that git keeps it.
        writeln!(
            stream,
            "commit refs/heads/b{number}\nmark :{number}\ncommitter A <a@b> {} +0000\ndata 1\nx",
            1_700_000_000 + number
        )
        .unwrap();
        if number > 1 && rng.u8(..20) > 0 {
            writeln!(stream, "from :{}", rng.usize(number.saturating_sub(4).max(1)..number)).unwrap();
            if number > 2 && rng.u8(..3) == 0 {
                writeln!(stream, "merge :{}", rng.usize(1..number)).unwrap();
            }
        }
    }
    let mut command = sandbox.git_command("repo", &["fast-import", "--quiet", "--export-marks=marks"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let marks: BTreeMap<usize, Commit> = sandbox
        .read("repo/marks")
        .lines()
        .map(|line| {
            let (mark, id) = line[1..].split_once(' ').unwrap();
            (mark.parse().unwrap(), id.parse().unwrap())
        })
        .collect();
    marks.into_values().collect()
}

/// Holds what is known of one history, and answers for one artifact at a time.
struct Oracle<'a> {
    sandbox: &'a Sandbox,
    store: &'a MemoryStore,
    most: usize,
}

impl Oracle<'_> {
    fn ancestors(&self, commit: Commit) -> Vec<Commit> {
        let id = commit.to_string();
        let told =
            self.sandbox.git("repo", &["rev-list", "--first-parent", &format!("--max-count={}", self.most + 1), &id]);
        told.lines().skip(1).map(|line| line.parse().unwrap()).collect()
    }

    async fn stands(&self, commit: Commit, name: &Name) -> bool {
        self.store.head(&Key::Artifact(commit, name.clone())).await.unwrap().is_some()
    }

    async fn metafile(&self, commit: Commit) -> Option<Metafile> {
        let (bytes, _) = self.store.get(&Key::Metafile(commit), LARGEST).await.unwrap()?;
        Some(Metafile::parse(&bytes, commit).unwrap())
    }

    async fn place(&self, commit: Commit, ancestors: &[Commit], name: &Name) -> Option<Commit> {
        for place in [commit].iter().chain(ancestors) {
            if self.stands(*place, name).await {
                return Some(*place);
            }
        }
        for ancestor in ancestors {
            if let Some(place) = self.metafile(*ancestor).await.and_then(|told| told.artifacts.get(name).copied())
                && self.stands(place, name).await
            {
                return Some(place);
            }
        }
        let own = match self.metafile(commit).await {
            Some(own) => Some(own),
            None => {
                let mut nearest = None;
                for ancestor in ancestors {
                    nearest = match nearest {
                        None => self.metafile(*ancestor).await,
                        found => found,
                    };
                }
                nearest
            }
        };
        own?.artifacts.get(name).copied()
    }
}

#[tokio::test]
async fn a_history_that_was_lived_through_resolves_as_the_oracle_says() {
    let mut inherited = 0;
    for seed in 0..12 {
        let mut rng = Rng::with_seed(seed);
        let (sandbox, store) = (Sandbox::new(), MemoryStore::default());
        let commits = history(&sandbox, &mut rng, 25);
        let repository = Repository::discover(&sandbox.path("repo")).unwrap().unwrap();
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let limits = Limits { max_ancestors: rng.usize(0..8), jobs: rng.usize(1..5), ..Limits::default() };
        let world = World { store: &store, ancestry: &repository, observer: &observer, limits };
        let names: std::collections::BTreeSet<Name> = NAMES.iter().map(|name| name.parse().unwrap()).collect();
        let vocabulary = Vocabulary { wanted: names.clone(), registered: names.clone(), ..Vocabulary::default() };
        let known = BTreeMap::new();
        let question = |commit| Question {
            commit,
            vocabulary: &vocabulary,
            known: &known,
            pretend: false,
            keep: Keep::Everything,
        };
        // Builds end late and out of order; hooks and resolutions run in between.
        for _ in 0..60 {
            let commit = *rng.choice(&commits).unwrap();
            match rng.u8(..3) {
                0 => drop(one_stub(world, commit, false).await.unwrap()),
                1 => store.plant(&Key::Artifact(commit, NAMES[rng.usize(..3)].parse().unwrap()).to_string(), "x"),
                _ => drop(resolve::resolve(world, &question(commit)).await.unwrap()),
            }
        }
        let oracle = Oracle { sandbox: &sandbox, store: &store, most: limits.max_ancestors };
        for commit in &commits {
            let ancestors = oracle.ancestors(*commit);
            let mut expected = BTreeMap::new();
            for name in &names {
                if let Some(place) = oracle.place(*commit, &ancestors, name).await {
                    inherited += usize::from(place != *commit);
                    expected.insert(name.clone(), place);
                }
            }
            let answer = resolve::resolve(world, &question(*commit)).await.unwrap();
            assert_eq!(answer.metafile.artifacts, expected, "seed {seed}, {commit}");
            assert!(names.iter().all(|name| answer.missing.contains(name) != expected.contains_key(name)));
            let parent = sandbox.git("repo", &["rev-list", "--parents", "--max-count=1", &commit.to_string()]);
            assert_eq!(
                answer.metafile.parent_commit.map(|id| id.to_string()).as_deref(),
                parent.split_whitespace().nth(1)
            );
        }
    }
    assert!(inherited > 100, "the histories are worth resolving: {inherited}");
}
