//! What is fetched when, and what bytes that are wrong come to.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use metalogic::address::Commit;
use metalogic::ancestry::ToldHistory;
use metalogic::artifact::Digest;
use metalogic::bisect::{self, BisectError, Found, Judge, Notes, Question, Said, Trial};
use metalogic::bisection::{Bisection, Outcome, Verdict};
use metalogic::event::{Observer, Silent};
use metalogic::store::Store;
use metalogic::store::memory::MemoryStore;
use metalogic::world::{Limits, World};

use crate::decorated::{Decorated, Fate, Watcher};

fn commit(number: usize) -> Commit {
    format!("{:040x}", number + 1).parse().unwrap()
}

/// Counts the bodies that are opened, by commit.
#[derive(Default, Clone)]
struct Opened(Arc<Mutex<BTreeMap<String, usize>>>);

#[async_trait]
impl Watcher for Opened {
    async fn before(&self, operation: &str) -> Fate {
        if let Some(key) = operation.strip_prefix("open ") {
            *self.0.lock().unwrap().entry(key.to_owned()).or_default() += 1;
        }
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn std::fmt::Debug) {}
}

/// A line of builds in a store, oldest first.
struct Line {
    commits: usize,
    culprit: usize,
    store: Decorated,
    memory: MemoryStore,
    opened: Opened,
    directory: tempfile::TempDir,
}

impl Line {
    fn new(commits: usize, culprit: usize) -> Self {
        let (memory, opened) = (MemoryStore::default(), Opened::default());
        for number in 0..commits {
            memory.plant(&format!("{}app", commit(number).address()), format!("build {number}"));
        }
        let store = Decorated::new(memory.clone(), opened.clone());
        Self { commits, culprit, store, memory, opened, directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("bisection")
    }

    async fn bisect(&self, judge: &dyn Judge) -> Result<Found, BisectError> {
        let parents = (0..self.commits).map(|number| (commit(number), number.checked_sub(1).map(commit)));
        let history = ToldHistory { parents: parents.collect::<HashMap<_, _>>(), ..ToldHistory::default() };
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let world = World { store: &self.store, ancestry: &history, observer: &observer, limits: Limits::default() };
        let question = Question { name: "app".parse().unwrap(), good: commit(0), bad: commit(self.commits - 1) };
        let mut notes = Notes::open(&self.path(), &question, self.store.root(), Vec::new())?;
        let found = bisect::bisect(world, &question, &mut notes, judge).await?;
        assert!(self.path().exists(), "what was said is kept until the answer is given");
        notes.finish()?;
        Ok(found)
    }
}

/// Judges by the number of a build, once the builds that may come next have come.
struct Patient<'a> {
    line: &'a Line,
    known: Mutex<Bisection>,
}

impl Patient<'_> {
    fn file(&self, place: usize) -> PathBuf {
        self.line.path().join("builds").join(commit(place + 1).to_string()).join("app")
    }
}

#[async_trait]
impl Judge for Patient<'_> {
    async fn judge(&self, trial: Trial<'_>) -> io::Result<Said> {
        let (next, ahead) = {
            let known = self.known.lock().unwrap();
            (known.next().unwrap(), known.ahead())
        };
        assert_eq!((trial.commit, trial.path), (commit(next + 1), self.file(next).as_path()));
        assert_eq!(std::fs::read_to_string(trial.path).unwrap(), format!("build {}", next + 1));
        for place in ahead {
            let come = async {
                while !self.file(place).exists() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), come).await.expect("what may come next comes meanwhile");
        }
        let verdict = if next + 1 < self.line.culprit { Verdict::Good } else { Verdict::Bad };
        self.known.lock().unwrap().judge(next, verdict);
        Ok(Said::Came(Outcome::Tried(verdict)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_build_is_tried_both_that_may_come_next_are_fetched_and_no_other() {
    for culprit in [1, 20, 33, 63] {
        let line = Line::new(64, culprit);
        let judge = Patient { line: &line, known: Mutex::new(Bisection::up_to(62)) };
        let found = line.bisect(&judge).await.unwrap();
        assert_eq!((found.bad.commit, found.good.commit), (commit(culprit), commit(culprit - 1)));
        assert_eq!(found.commits, [commit(culprit)]);
        let opened = line.opened.0.lock().unwrap().clone();
        assert!(opened.values().all(|times| *times == 1), "each is fetched once: {opened:?}");
        assert!(opened.len() <= 2 * found.steps, "{} builds for {} tries", opened.len(), found.steps);
        assert!(!line.path().exists());
    }
}

/// Judges without looking.
struct Blind(Verdict);

#[async_trait]
impl Judge for Blind {
    async fn judge(&self, trial: Trial<'_>) -> io::Result<Said> {
        assert!(Path::new(trial.path).exists());
        Ok(Said::Came(Outcome::Tried(self.0)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_what_was_published_are_tried_by_nobody() {
    let line = Line::new(4, 2);
    let (at, recorded) = (commit(2), Digest::of(b"what was published"));
    let metafile = format!(
        "{{\"commit\":\"{at}\",\"parent_commit\":null,\"artifacts\":{{\"app\":\"{at}\"}},\
         \"details\":{{\"app\":{{\"size\":7,\"sha256\":\"{recorded}\"}}}}}}"
    );
    line.memory.plant(&format!("{}build_meta.json", at.address()), metafile);
    let error = line.bisect(&Blind(Verdict::Good)).await.unwrap_err();
    assert!(matches!(error, BisectError::Arrival(_)), "{error}");
    assert!(error.to_string().contains(&recorded.to_string()), "{error}");
    // What is mended is gone on with.
    line.memory.plant(&format!("{}build_meta.json", at.address()), "{}");
    let found = line.bisect(&Blind(Verdict::Good)).await.unwrap();
    assert_eq!(found.bad.commit, commit(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_build_is_all_there_is_nothing_is_tried() {
    let line = Line::new(2, 1);
    let found = line.bisect(&Blind(Verdict::Skip)).await.unwrap();
    assert_eq!((found.good.commit, found.bad.commit, found.steps), (commit(0), commit(1), 0));
    assert!(line.opened.0.lock().unwrap().is_empty());
}
