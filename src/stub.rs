//! Stubbing commits: their first metafiles, so that one always exists.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use indexmap::IndexSet;

use crate::address::Commit;
use crate::ancestry::{Ancestry, AncestryError, End, Lineage};
use crate::event::Event;
use crate::metafile::{FARTHEST, Metafile, MetafileError, SkipLinks};
use crate::store::{Condition, Key, StoreError};
use crate::stored;
use crate::walk::Walk;
use crate::world::World;

/// Says what stubbing a commit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stub {
    /// The commit.
    pub commit: Commit,
    /// Where its metafile lies.
    pub url: String,
    /// Whether this run made it (or would, where nothing is written); otherwise there was one already.
    pub created: bool,
}

/// Says why a commit could not be stubbed.
#[derive(Debug, thiserror::Error)]
pub enum StubError {
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The commit's history cannot be told.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
    /// Nobody knows the commit's parent, so that a stub would say nothing true.
    #[error("the parent of {0} is not known without a repository")]
    NoParent(Commit),
    /// The metafile would be larger than any that is read.
    #[error("the metafile of {commit} cannot be written")]
    Metafile {
        /// The commit.
        commit: Commit,
        /// What is wrong with it.
        source: MetafileError,
    },
}

/// Holds what stubbing several commits came to.
#[derive(Debug, Default)]
pub struct Stubbed {
    /// The commits that have a metafile now, ancestors before their descendants.
    pub stubs: Vec<Stub>,
    /// Why others have none. After a failure of the store nothing more is tried.
    pub failures: Vec<StubError>,
}

/// Says what becomes of ancestors that were found to have no metafile on the way to the nearest one that has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// They stay without: nobody asked for them.
    Leave,
    /// They are stubbed too: no hook saw them.
    Fill,
}

/// Puts the stub of each commit, unless it has a metafile already: then that is the success.
///
/// A stub is the first metafile found among the ancestors, re-addressed. Among commits that are stubbed together it is looked for only where
/// the first of them leave off: all others have the stub, or the metafile, of an ancestor in their midst.
pub async fn stub(world: World<'_>, commits: &[Commit], gaps: Gaps, dry_run: bool) -> Stubbed {
    let mut stubbed = Stubbed::default();
    let mut midst: IndexSet<Commit> = commits.iter().copied().collect();
    let mut family = Family::new(world, gaps);
    let mut failures = match family.meet(&mut midst).await {
        Ok(failures) => failures,
        Err(error) => {
            stubbed.failures.push(error.into());
            return stubbed;
        }
    };
    let mut puts = Vec::new();
    let ordered = family.oldest_first(&midst);
    family.link(&ordered);
    for commit in ordered {
        match family.first_metafile(commit) {
            Ok(bytes) => puts.push((commit, bytes)),
            Err(error) => failures.push(error),
        }
    }
    let put = |(commit, bytes): (Commit, Option<Vec<u8>>)| async move {
        let created = match bytes {
            Some(bytes) => dry_run || stored::write(world.store, commit, bytes, &Condition::Absent).await?,
            None => false,
        };
        Ok::<_, StoreError>(Stub { commit, url: world.store.url(&Key::Metafile(commit)), created })
    };
    let mut puts = stream::iter(puts).map(put).buffered(world.limits.jobs);
    while let Some(done) = puts.next().await {
        match done {
            Ok(stub) => stubbed.stubs.push(stub),
            Err(error) => {
                failures.push(error.into());
                break;
            }
        }
    }
    stubbed.failures = failures;
    stubbed
}

/// Says where a commit's stub comes from, and whose child it is.
struct Kin {
    parent: Option<Commit>,
    source: Source,
}

/// Says where a stub comes from.
enum Source {
    /// From an ancestor that is stubbed with it.
    Midst(Commit),
    /// From the nearest metafile outside, which may be none.
    Outside(Option<Box<Metafile>>),
}

/// Knows the commits that are stubbed together.
struct Family<'a> {
    world: World<'a>,
    gaps: Gaps,
    /// Whether a commit has a metafile, and which; a malformed one is there and says nothing.
    own: HashMap<Commit, Option<Metafile>>,
    kin: HashMap<Commit, Kin>,
    /// What each commit's metafile says, or will say.
    known: HashMap<Commit, Metafile>,
    skips: HashMap<Commit, SkipLinks>,
}

impl<'a> Family<'a> {
    fn new(world: World<'a>, gaps: Gaps) -> Self {
        let (own, kin, known, skips) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Self { world, gaps, own, kin, known, skips }
    }

    /// Looks for the commits' own metafiles and, at the same time, for what those inherit whose parents are outside. Returns what is wrong
    /// with single commits: those are left out.
    async fn meet(&mut self, midst: &mut IndexSet<Commit>) -> Result<Vec<StubError>, StoreError> {
        let (world, mut failures, mut first) = (self.world, Vec::new(), Vec::new());
        for &commit in midst.iter() {
            match world.ancestry.first_parents(commit, 1).map(|lineage| lineage.ancestors.first().copied()) {
                Ok(Some(parent)) if midst.contains(&parent) => {
                    self.kin.insert(commit, Kin { parent: Some(parent), source: Source::Midst(parent) });
                }
                // What git does not know may have a metafile all the same.
                Ok(_) | Err(AncestryError::NoSuchCommit(_)) => first.push(commit),
                Err(error @ AncestryError::Unreadable { .. }) => failures.push(error.into()),
            }
        }
        let read =
            |&commit: &Commit| async move { Ok::<_, StoreError>((commit, stored::read(world.store, commit).await?)) };
        let own = stream::iter(midst.iter()).map(read).buffered(world.limits.jobs).try_collect::<Vec<_>>();
        let mut walks = Vec::new();
        for commit in first {
            match Walk::new(world, commit) {
                Ok(walk) => walks.push((commit, walk)),
                Err(error) => failures.push(error.into()),
            }
        }
        // Most often the parent has a metafile: it is read while the commit's own is looked for.
        let ahead = stream::iter(&mut walks).map(|(_, walk)| walk.read_parents_metafile());
        let ahead = ahead.buffered(world.limits.jobs).try_collect::<()>();
        let (own, ahead) = futures::future::join(own, ahead).await;
        for (commit, stored) in own? {
            let Some(stored) = stored else { continue };
            self.own.insert(commit, self.readable(commit, stored.metafile));
        }
        // What only somebody without a metafile needs fails nobody else.
        if midst.iter().any(|commit| !self.own.contains_key(commit)) {
            ahead?;
        }
        for (commit, mut walk) in walks {
            if self.own.get(&commit).is_some_and(Option::is_some) {
                continue;
            }
            let skips = walk.skips();
            match self.look_outside(commit, &mut walk, midst).await? {
                Ok(kin) => {
                    self.kin.insert(commit, kin);
                    self.skips.insert(commit, skips);
                    self.fill_gap(commit, &walk, midst);
                }
                // One that has a metafile needs nothing more.
                Err(_) if self.own.contains_key(&commit) => {}
                Err(error) => failures.push(error),
            }
        }
        Ok(failures)
    }

    /// Looks for what a commit inherits whose parent is not stubbed with it.
    async fn look_outside(
        &self,
        commit: Commit,
        walk: &mut Walk<'_>,
        midst: &IndexSet<Commit>,
    ) -> Result<Result<Kin, StubError>, StoreError> {
        match walk.knows_parent() {
            Ok(true) => {}
            Ok(false) => return Ok(Err(StubError::NoParent(commit))),
            Err(error) => return Ok(Err(error.into())),
        }
        let parent = match walk.parent(None) {
            Ok(parent) => parent,
            Err(error) => return Ok(Err(error.into())),
        };
        let kept = walk.leave_off(|ancestor| midst.contains(&ancestor));
        let source = match (walk.nearest_metafile().await?, kept) {
            (Some(nearest), _) => Source::Outside(Some(Box::new(nearest.clone()))),
            (None, Some(ancestor)) => Source::Midst(ancestor),
            (None, None) => Source::Outside(None),
        };
        Ok(Ok(Kin { parent, source }))
    }

    /// Takes those ancestors in that were found to have no metafile, between a commit and the nearest one that has.
    fn fill_gap(&mut self, commit: Commit, walk: &Walk<'_>, midst: &mut IndexSet<Commit>) {
        if self.gaps == Gaps::Leave {
            return;
        }
        let end = match self.kin.get(&commit).map(|kin| &kin.source) {
            Some(Source::Outside(Some(nearest))) => nearest.commit,
            Some(Source::Midst(ancestor)) => *ancestor,
            // Where there is no metafile at all, nobody wants hundreds that say nothing.
            Some(Source::Outside(None)) | None => return,
        };
        let gap = walk.with_metafile().into_iter().take_while(|ancestor| *ancestor != end);
        let mut child = commit;
        for ancestor in gap {
            let Some(Kin { parent, source }) = self.kin.remove(&child) else { return };
            // Another line may have led here before.
            let is_new = midst.insert(ancestor);
            self.kin.insert(child, Kin { parent, source: Source::Midst(ancestor) });
            if !is_new {
                return;
            }
            // The walk leaves off before one that is stubbed too.
            let parent = walk.parent_of(ancestor).or(Some(end));
            self.kin.insert(ancestor, Kin { parent, source });
            child = ancestor;
        }
    }

    fn readable(&self, commit: Commit, metafile: Result<Metafile, MetafileError>) -> Option<Metafile> {
        let skipped = |error: &MetafileError| Event::MetafileSkipped { commit, problem: error.to_string() };
        metafile.inspect_err(|error| self.world.observer.observe(&skipped(error))).ok()
    }

    /// Returns the commits that can be told of, each after the one that it inherits from.
    fn oldest_first(&self, midst: &IndexSet<Commit>) -> IndexSet<Commit> {
        let mut ordered = IndexSet::new();
        for &commit in midst {
            let inherits = |commit: &Commit| match self.kin.get(commit).map(|kin| &kin.source) {
                Some(Source::Midst(ancestor)) => Some(*ancestor),
                Some(Source::Outside(_)) | None => None,
            };
            let line: Vec<Commit> =
                std::iter::successors(Some(commit), inherits).take_while(|next| !ordered.contains(next)).collect();
            ordered.extend(line.into_iter().rev());
        }
        ordered.retain(|commit| self.own.contains_key(commit) || self.kin.contains_key(commit));
        ordered
    }

    /// Finds out which farther ancestors the stubs name.
    fn link(&mut self, oldest_first: &IndexSet<Commit>) {
        let mut lines =
            Lines { ancestry: self.world.ancestry, most: FARTHEST + oldest_first.len(), told: HashMap::new() };
        for &commit in oldest_first.iter().rev().filter(|commit| !self.own.contains_key(*commit)) {
            self.skips.entry(commit).or_insert_with(|| lines.links(commit));
        }
    }

    /// Returns the bytes of a commit's first metafile; none where it has one. Whom it inherits from must have been asked before.
    fn first_metafile(&mut self, commit: Commit) -> Result<Option<Vec<u8>>, StubError> {
        let has_one = self.own.contains_key(&commit);
        if let Some(Some(own)) = self.own.get(&commit) {
            self.known.insert(commit, own.clone());
            return Ok(None);
        }
        let Some(kin) = self.kin.get(&commit) else { return Ok(None) };
        let nearest = match &kin.source {
            Source::Midst(ancestor) => self.known.get(ancestor),
            Source::Outside(found) => found.as_deref(),
        };
        let mut stub = match nearest {
            Some(nearest) => nearest.stub(commit, kin.parent),
            None => Metafile::empty(commit, kin.parent),
        };
        stub.tree = self.world.ancestry.tree(commit)?;
        stub.skips = self.skips.remove(&commit).unwrap_or_default();
        let bytes = stub.to_bytes().map_err(|source| StubError::Metafile { commit, source })?;
        // Where a malformed one stands, whoever inherits still has what it should have said.
        self.known.insert(commit, stub);
        Ok((!has_one).then_some(bytes))
    }
}

/// Remembers the lines of first parents that git told: those who are stubbed together most often lie on one, and whoever is asked about
/// first is its newest.
struct Lines<'a> {
    ancestry: &'a dyn Ancestry,
    most: usize,
    told: HashMap<Commit, (Arc<Lineage>, usize)>,
}

impl Lines<'_> {
    /// Returns the links of a commit that git knows.
    fn links(&mut self, commit: Commit) -> SkipLinks {
        let (lineage, at) = match self.told.get(&commit) {
            Some((lineage, at)) if lineage.end != End::Most || at + FARTHEST <= lineage.ancestors.len() => {
                (Arc::clone(lineage), *at)
            }
            Some(_) | None => {
                // What git does not know, nobody names.
                let Ok(lineage) = self.ancestry.first_parents(commit, self.most) else { return SkipLinks::default() };
                let lineage = Arc::new(lineage);
                let each =
                    lineage.ancestors.iter().zip(1..).map(|(ancestor, at)| (*ancestor, (Arc::clone(&lineage), at)));
                self.told.extend(each);
                (lineage, 0)
            }
        };
        SkipLinks::of(lineage.ancestors.get(at..).unwrap_or_default())
    }
}
