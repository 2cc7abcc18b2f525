//! Resolving a commit: the metalogic on a store, and its result as the commit's metafile.

mod details;
mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::address::Commit;
use crate::ancestry::{AncestryError, End};
use crate::artifact::{METAFILE, Name};
use crate::event::Event;
use crate::metafile::{Metafile, MetafileError, Record};
use crate::metalogic::{Keep, Listing, Metalogic, Resolution, Vocabulary};
use crate::race::Race;
use crate::store::{Condition, Key, StoreError, Tag};
use crate::stored;
use crate::walk::{Walk, windows};
use crate::world::World;
use look::Look;

/// Says what to resolve.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The commit.
    pub commit: Commit,
    /// The names that the registry knows.
    pub vocabulary: &'a Vocabulary,
    /// What is known already of artifacts that stand at the commit's own address.
    pub known: &'a BTreeMap<Name, Record>,
    /// Whether the known ones count as standing there even if they do not: for a run that puts nothing.
    pub pretend: bool,
    /// What becomes of names that nothing found supports.
    pub keep: Keep,
}

impl Question<'_> {
    /// Adds to what stands at the commit's address what counts as standing there.
    fn pretend(&self, listing: &mut Listing) {
        if self.pretend {
            let size = |record: &Record| record.size.unwrap_or_default();
            listing.artifacts.extend(self.known.iter().map(|(name, record)| (name.clone(), size(record))));
        }
    }
}

/// Holds the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The metafile.
    pub metafile: Metafile,
    /// Its one encoding.
    pub bytes: Vec<u8>,
    /// Where it lies, or would.
    pub url: String,
    /// Whether this run wrote it.
    pub written: bool,
    /// The wanted names that nothing resolves.
    pub missing: BTreeSet<Name>,
    /// The artifacts that the metafile names, and that do not stand where it says they do, as far as that was looked at.
    pub gone: BTreeSet<Name>,
    /// The objects at the commit's own address whose names the registry does not know.
    pub unknown: BTreeSet<String>,
    /// Those of them that no registry could ever know.
    pub unfit: BTreeSet<String>,
}

/// Says why a commit could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The commit's history cannot be told.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
    /// The metafile would be larger than any that is read.
    #[error("the metafile of {commit} cannot be written")]
    Metafile {
        /// The commit.
        commit: Commit,
        /// Its URL.
        url: String,
        /// What is wrong with it.
        source: Box<MetafileError>,
    },
    /// Nobody knows the commit's parent, so that its metafile would say that it has none.
    #[error("the parent of {0} is not known: no repository is here, and it has no metafile yet")]
    NoParent(Commit),
    /// Other writers were first, each time, until the time was up.
    #[error("other writers of the metafile of {commit} were first {races} times in {} s", waited.as_secs())]
    Raced {
        /// The commit.
        commit: Commit,
        /// How often the write was tried.
        races: usize,
        /// For how long.
        waited: Duration,
    },
}

impl Answer {
    /// Returns the metafile without the artifacts that are gone: what can be relied on.
    #[must_use]
    pub fn standing(&self) -> Metafile {
        let mut metafile = self.metafile.clone();
        metafile.artifacts.retain(|name, _| !self.gone.contains(name));
        metafile
    }

    /// Returns the names that nobody can fetch: the wanted ones that nothing resolves, and those that are gone.
    #[must_use]
    pub fn lacking(&self) -> BTreeSet<Name> {
        self.missing.union(&self.gone).cloned().collect()
    }
}

/// Says what is wrong with an answer, although the metafile is right as far as it goes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// Objects stand at the commit's address whose names the registry does not know.
    #[error("at the address of {commit} stands what no project knows:{}", listed(names.iter().chain(unfit)))]
    Unknown {
        /// The commit.
        commit: Commit,
        /// The names that a registry could know, as people are told them.
        names: BTreeSet<String>,
        /// The URLs of what has a name that no registry could ever know.
        unfit: BTreeSet<String>,
    },
    /// Artifacts are missing that are required.
    #[error("at {commit} are missing:{}", listed(names))]
    Incomplete {
        /// The commit.
        commit: Commit,
        /// The artifacts.
        names: BTreeSet<Name>,
    },
}

/// Returns names as the end of a sentence: one in its line, several in a line each.
fn listed<N: fmt::Display>(names: impl IntoIterator<Item = N>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let before = if names.len() == 1 { " " } else { "\n    " };
    names.iter().map(|name| format!("{before}{name}")).collect()
}

impl Answer {
    /// Returns the objection to objects whose names are unknown, if there are any.
    #[must_use]
    pub fn unknown(&self) -> Option<Objection> {
        let address = self.url.strip_suffix(METAFILE).unwrap_or(&self.url);
        let names = self.unknown.difference(&self.unfit).map(|name| name.escape_debug().to_string()).collect();
        let unfit = self.unfit.iter().map(|name| format!("{address}{}", name.escape_debug())).collect();
        let commit = self.metafile.commit;
        (!self.unknown.is_empty()).then_some(Objection::Unknown { commit, names, unfit })
    }
}

/// Resolves a commit and writes its metafile, by compare-and-swap: the last writer has seen everything that any earlier writer had put.
///
/// # Errors
/// [`ResolveError`].
pub async fn resolve(world: World<'_>, question: &Question<'_>) -> Result<Answer, ResolveError> {
    let mut walk = Walk::new(world, question.commit)?;
    let mut race = Race::new(world.limits.timeout);
    loop {
        let attempt = Attempt::make(world, question, &mut walk).await?;
        if attempt.is_unchanged() {
            return Ok(attempt.tell(world, Outcome::Unchanged));
        }
        if stored::write(world.store, question.commit, attempt.bytes.clone(), &attempt.condition()).await? {
            return Ok(attempt.tell(world, Outcome::Written));
        }
        let commit = question.commit;
        world.observer.observe(&Event::LostRace { commit });
        race.lost().await.map_err(|over| ResolveError::Raced { commit, races: over.races, waited: over.waited })?;
    }
}

/// Makes sure that somebody knows the commit's parent, git or the commit's metafile, before anything is written for it.
///
/// # Errors
/// [`AncestryError::NoSuchCommit`] where the repository lacks the commit and it has no metafile: most likely it is a slip of the pen.
/// [`ResolveError::NoParent`] where there is no repository and no metafile.
pub async fn expect_known(world: World<'_>, commit: Commit) -> Result<(), ResolveError> {
    let unknown = match world.ancestry.first_parents(commit, 1) {
        Ok(lineage) if !lineage.ancestors.is_empty() || lineage.end != End::Unknown => return Ok(()),
        Ok(_) => ResolveError::NoParent(commit),
        Err(absent @ AncestryError::NoSuchCommit(_)) => absent.into(),
        Err(error @ AncestryError::Unreadable { .. }) => return Err(error.into()),
    };
    world.store.head(&Key::Metafile(commit)).await?.map_or(Err(unknown), |_| Ok(()))
}

/// Resolves a commit and writes nothing.
///
/// # Errors
/// [`ResolveError`], but for lost races.
pub async fn compute(world: World<'_>, question: &Question<'_>) -> Result<Answer, ResolveError> {
    let mut walk = Walk::new(world, question.commit)?;
    Ok(Attempt::make(world, question, &mut walk).await?.tell(world, Outcome::Computed))
}

/// Holds one attempt: what was read, and what is to be written over it.
struct Attempt {
    read: Option<(Vec<u8>, Tag)>,
    resolution: Resolution,
    gone: BTreeSet<Name>,
    unfit: BTreeSet<String>,
    bytes: Vec<u8>,
}

impl Attempt {
    /// Reads the commit's metafile with its tag and, only after that answer, looks at its address and resolves.
    async fn make(world: World<'_>, question: &Question<'_>, walk: &mut Walk<'_>) -> Result<Self, ResolveError> {
        let commit = question.commit;
        let Look { read, own, listing } = Look::take(world, question, walk).await?;
        walk.set_own(listing.clone());
        let parent = walk.parent(own.as_ref())?;

        let mut rule = Metalogic::begin(commit, &listing, question.vocabulary.clone());
        walk_addresses(walk, &mut rule).await?;
        rule.turn_to_metafiles();
        consult_metafiles(world, walk, &mut rule).await?;
        // Whoever creates a metafile creates it with at least what the stub would say.
        let base = match own {
            None if question.keep == Keep::Everything => {
                walk.nearest_metafile().await?.map(|nearest| nearest.stub(commit, parent))
            }
            own => own,
        };
        let mut resolution = rule.finish(parent, base.as_ref(), question.keep);
        details::record(world, question, walk, &mut resolution).await?;
        resolution.metafile.skips.learn(walk.skips());
        // Where git does not have the commit, what its metafile said stays.
        resolution.metafile.tree = world.ancestry.tree(commit)?.or(resolution.metafile.tree);
        let bytes = resolution.metafile.to_bytes().map_err(|source| {
            let url = world.store.url(&Key::Metafile(commit));
            ResolveError::Metafile { commit, url, source: Box::new(source) }
        })?;
        let is_unfit = |name: &&String| !question.vocabulary.admits(name);
        let unfit = resolution.unknown.iter().filter(is_unfit).cloned().collect();
        let artifacts = resolution.metafile.artifacts.iter();
        let gone = artifacts.filter(|(name, at)| walk.denies(**at, name)).map(|(name, _)| name.clone()).collect();
        Ok(Self { read, resolution, gone, unfit, bytes })
    }

    fn is_unchanged(&self) -> bool {
        self.read.as_ref().is_some_and(|(read, _)| *read == self.bytes)
    }

    fn condition(&self) -> Condition {
        match &self.read {
            None => Condition::Absent,
            Some((_, tag)) => Condition::Matches(tag.clone()),
        }
    }

    fn tell(mut self, world: World<'_>, outcome: Outcome) -> Answer {
        for step in std::mem::take(&mut self.resolution.steps) {
            world.observer.observe(&Event::Walked(step));
        }
        let Resolution { metafile, missing, unknown, .. } = self.resolution;
        let url = world.store.url(&Key::Metafile(metafile.commit));
        let written = outcome == Outcome::Written;
        if outcome != Outcome::Computed {
            world.observer.observe(&Event::Metafile { url: url.clone(), written });
        }
        for name in &self.gone {
            if let Some(at) = metafile.artifacts.get(name) {
                world.observer.observe(&Event::Gone { name: name.clone(), commit: metafile.commit, at: *at });
            }
        }
        let Self { bytes, gone, unfit, .. } = self;
        Answer { metafile, bytes, url, written, missing, gone, unknown, unfit }
    }
}

/// Says what became of an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was written.
    Written,
    /// The same bytes stand there.
    Unchanged,
    /// It is for reading alone.
    Computed,
}

/// Feeds the ancestors' addresses to the rule until nothing is missing.
async fn walk_addresses(walk: &mut Walk<'_>, rule: &mut Metalogic) -> Result<(), StoreError> {
    let mut index = 0;
    while !rule.is_complete()
        && let Some((ancestor, listing)) = walk.listing(index).await?
    {
        rule.pass(ancestor, listing);
        index += 1;
    }
    Ok(())
}

/// Feeds the ancestors' metafiles to the rule until nothing is missing, with a look at each address that they name.
async fn consult_metafiles(world: World<'_>, walk: &mut Walk<'_>, rule: &mut Metalogic) -> Result<(), StoreError> {
    if rule.is_complete() {
        return Ok(());
    }
    for window in windows(&walk.with_metafile(), world.limits.jobs) {
        walk.read_metafiles(&window).await?;
        for ancestor in window {
            let named = walk.metafile(ancestor).map(|metafile| rule.addresses_named(metafile)).unwrap_or_default();
            walk.look_at(named).await?;
            if let Some(metafile) = walk.metafile(ancestor) {
                rule.consult(metafile, |commit, name| walk.stands(commit, name));
            }
            if rule.is_complete() {
                return Ok(());
            }
        }
    }
    Ok(())
}
