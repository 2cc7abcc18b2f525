//! Bisecting: which of the builds between a good commit and a bad one is the first that is bad.
//!
//! Only commits at which the artifact was built are tried, so it takes fewer tries than the commits would.

mod ahead;
mod error;
mod notes;
mod range;

use std::io;
use std::path::Path;

use async_trait::async_trait;

use crate::address::Commit;
use crate::artifact::Name;
use crate::bisection::{Bisection, Outcome, Verdict};
use crate::event::Event;
use crate::metafile::Record;
use crate::world::World;
use ahead::{Ahead, Fetcher};
use notes::Others;
use range::{Build, Range};

pub use error::{BisectError, UnderWay};
pub use notes::{By, Notes};

/// Says what is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The artifact.
    pub name: Name,
    /// A commit at which it is good: the nearest build there or before.
    pub good: Commit,
    /// A later one at which it is bad.
    pub bad: Commit,
}

/// Describes a build that is to be tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// The artifact.
    pub name: &'a Name,
    /// The commit whose address holds the build.
    pub commit: Commit,
    /// The file that it lies in, verified.
    pub path: &'a Path,
}

/// Says what came of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It was made.
    Came(Outcome),
    /// Whoever was asked leaves off.
    Leave,
}

/// Tries builds.
#[async_trait]
pub trait Judge: Send + Sync {
    /// Says whether a build is good.
    ///
    /// # Errors
    /// The system's, where nobody can be asked.
    async fn judge(&self, trial: Trial<'_>) -> io::Result<Said>;
}

/// Says what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The last build that is known to be good.
    pub good: Known,
    /// The first that is known to be bad.
    pub bad: Known,
    /// The commits after that of the good build, up to that of the bad one, along first parents, newest first.
    pub commits: Vec<Commit>,
    /// Those of them whose builds were skipped, newest first: each of these may be the first bad one.
    pub skipped: Vec<Commit>,
    /// How often a build was tried, in all runs.
    pub steps: usize,
}

/// Describes a build.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The commit whose address holds it.
    pub commit: Commit,
    /// Its size in bytes.
    pub size: u64,
    /// What is recorded of it.
    pub record: Record,
    /// Whether a try showed what it is; else only whoever asked says so.
    pub tried: bool,
}

/// Finds the first bad build. What was said of builds is noted at once, so that whoever asks the same again goes on where a run ended; the notes
/// are to be kept until the answer was given.
///
/// # Errors
/// [`BisectError`].
pub async fn bisect(
    world: World<'_>,
    question: &Question,
    notes: &mut Notes,
    judge: &dyn Judge,
) -> Result<Found, BisectError> {
    let range = range::look(world, question).await?;
    let mut bisection = Bisection::up_to(range.builds.len().saturating_sub(1));
    for (commit, verdict) in notes.verdicts() {
        if let Some(place) = range.builds.iter().position(|build| build.commit == *commit) {
            bisection.judge(place, *verdict);
        }
    }
    let fetcher = Fetcher::new(world, &question.name);
    let mut search = Search { world, question, fetcher: &fetcher, range, bisection, notes, judge };
    search.notes.begin()?;
    search.tell();
    search.run().await?;
    let found = search.found().await?;
    search.doubt(&found);
    Ok(found)
}

/// Holds a bisection that is under way.
struct Search<'s> {
    world: World<'s>,
    question: &'s Question,
    fetcher: &'s Fetcher<'s>,
    range: Range,
    bisection: Bisection,
    notes: &'s mut Notes,
    judge: &'s dyn Judge,
}

impl Search<'_> {
    /// Tries builds until nothing is left to try.
    async fn run(&mut self) -> Result<(), BisectError> {
        let mut ahead = Ahead::default();
        while let Some((place, build)) = self.next() {
            let fetched = self.fetcher.take(build, ahead, self.notes).await?;
            let (commit, name) = (build.commit, self.question.name.clone());
            let (step, left) = (self.notes.verdicts().len() + 1, self.bisection.left_after_next());
            self.world.observer.observe(&Event::Trying { step, name: name.clone(), commit, left });
            let nexts = self.bisection.ahead();
            ahead = self.fetcher.begin(self.notes, nexts.into_iter().filter_map(|place| self.build(place)));
            let trial = Trial { name: &name, commit, path: &fetched.path };
            let said = ahead.meanwhile(self.judge.judge(trial)).await.map_err(BisectError::Unasked)?;
            let verdict = self.weigh(said, commit).await?;
            self.notes.note(commit, verdict)?;
            self.bisection.judge(place, verdict);
            self.world.observer.observe(&Event::Tried { name, commit, verdict });
            self.notes.put_away(commit);
        }
        Ok(())
    }

    fn next(&self) -> Option<(usize, Build)> {
        let place = self.bisection.next()?;
        Some((place, self.build(place)?))
    }

    fn build(&self, place: usize) -> Option<Build> {
        self.range.builds.get(place).copied()
    }

    /// Returns the verdict that a trial comes to.
    async fn weigh(&mut self, said: Said, commit: Commit) -> Result<Verdict, BisectError> {
        let outcome = match said {
            Said::Came(outcome) => outcome,
            Said::Leave => return Err(BisectError::Left { verdicts: self.notes.verdicts().len() }),
        };
        match outcome {
            Outcome::Tried(verdict) => Ok(verdict),
            Outcome::Doubtful(code) => self.expect_run(code).await.map(|()| Verdict::Bad),
            Outcome::Stopped(code) => Err(BisectError::Stopped { name: self.question.name.clone(), commit, code }),
        }
    }

    /// Holds the first code that may mean that the command was not run at all against what it makes of the good build, as git does.
    async fn expect_run(&mut self, code: i32) -> Result<(), BisectError> {
        if self.notes.runs() {
            return Ok(());
        }
        let (name, build) = (self.question.name.clone(), self.range.good);
        let fetched = self.fetcher.take(build, Ahead::default(), self.notes).await?;
        let trial = Trial { name: &name, commit: build.commit, path: &fetched.path };
        let said = self.judge.judge(trial).await.map_err(BisectError::Unasked)?;
        self.notes.put_away(build.commit);
        match said {
            Said::Came(Outcome::Doubtful(same)) if same == code => {
                Err(BisectError::Bogus { name, commit: build.commit, code })
            }
            Said::Came(Outcome::Stopped(code)) => Err(BisectError::Stopped { name, commit: build.commit, code }),
            Said::Leave => Err(BisectError::Left { verdicts: self.notes.verdicts().len() }),
            Said::Came(outcome @ (Outcome::Tried(_) | Outcome::Doubtful(_))) => {
                self.notes.note_that_it_runs(outcome == Outcome::Tried(Verdict::Good))
            }
        }
    }

    fn tell(&self) {
        self.world.observer.observe(&Event::Bisecting {
            name: self.question.name.clone(),
            builds: self.bisection.left(),
            commits: self.range.commits.len(),
            tries: self.bisection.tries(),
            verdicts: self.notes.verdicts().len(),
        });
        if let Some(Others { verdicts, by }) = self.notes.others().cloned() {
            self.world.observer.observe(&Event::GivenBefore { verdicts, by });
        }
    }

    /// Says what is known at the end.
    async fn found(&self) -> Result<Found, BisectError> {
        let last_good = self.bisection.last_good().and_then(|place| self.build(place));
        let (good, is_good) = (last_good.unwrap_or(self.range.good), last_good.is_some() || self.notes.says_good());
        let bad = self.build(self.bisection.first_bad()).unwrap_or(self.range.good);
        let is_bad = self.bisection.first_bad() + 1 < self.range.builds.len();
        let skipped = self.bisection.skipped().filter_map(|place| self.build(place));
        let mut skipped: Vec<Commit> = skipped.map(|build| build.commit).collect();
        skipped.reverse();
        let commits = self.range.commits.iter().skip_while(|commit| **commit != bad.commit);
        let commits = commits.take_while(|commit| **commit != good.commit).copied().collect();
        let (good, bad) = futures::future::try_join(self.known(good, is_good), self.known(bad, is_bad)).await?;
        Ok(Found { good, bad, commits, skipped, steps: self.notes.verdicts().len() })
    }

    async fn known(&self, build: Build, tried: bool) -> Result<Known, BisectError> {
        let record = self.fetcher.record(build).await?;
        Ok(Known { commit: build.commit, size: build.size, record, tried })
    }

    /// Says so where nothing shows that good and bad were told apart: a test that always says the same comes to an end, too.
    fn doubt(&self, found: &Found) {
        let untried = |known: &Known| (!known.tried).then_some(known.commit);
        let (good, bad) = (untried(&found.good), untried(&found.bad));
        if good.is_some() || bad.is_some() {
            let (name, steps) = (self.question.name.clone(), found.steps);
            self.world.observer.observe(&Event::NotToldApart { name, good, bad, steps });
        }
        let digests = (found.good.record.sha256, found.bad.record.sha256);
        if let (Some(good), Some(bad)) = digests
            && good == bad
        {
            self.world.observer.observe(&Event::SameBytes { name: self.question.name.clone() });
        }
    }
}
