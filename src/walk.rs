//! The walk along first parents: a look at what stands at the ancestors' addresses, ahead of the rule that asks for it.
//!
//! History comes from git while git has it, and from the `parent_commit` of the metafiles beyond. Round trips, not requests, are what a
//! person waits for, so addresses are looked at in windows of growing width; their answers are taken in order.

use std::collections::{HashMap, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::address::Commit;
use crate::ancestry::{AncestryError, End, Lineage};
use crate::artifact::Name;
use crate::event::Event;
use crate::metafile::Metafile;
use crate::metalogic::Listing;
use crate::store::StoreError;
use crate::stored;
use crate::world::World;

/// How many ancestors the first window has; each further one has twice as many, up to the number of jobs.
const FIRST_WINDOW: usize = 8;

/// Knows the ancestors of one commit, and what has been seen at their addresses.
pub struct Walk<'a> {
    world: World<'a>,
    commit: Commit,
    ancestors: Vec<Commit>,
    seen: HashSet<Commit>,
    end: End,
    /// Why git could not begin, where there is a repository that lacks the commit.
    absent: Option<AncestryError>,
    /// Whether it was told that nothing is known of the commit's parent.
    told: bool,
    listings: HashMap<Commit, Listing>,
    metafiles: HashMap<Commit, Option<Metafile>>,
    window: usize,
}

impl<'a> Walk<'a> {
    /// Asks git for the ancestors of a commit.
    ///
    /// # Errors
    /// A repository that cannot be read. One that lacks the commit is no error yet: its metafile may name its parent.
    pub fn new(world: World<'a>, commit: Commit) -> Result<Self, AncestryError> {
        let (lineage, absent) = match world.ancestry.first_parents(commit, world.limits.max_ancestors.max(1)) {
            Ok(lineage) => (lineage, None),
            Err(absent @ AncestryError::NoSuchCommit(_)) => {
                (Lineage { ancestors: Vec::new(), end: End::Unknown }, Some(absent))
            }
            Err(error @ AncestryError::Unreadable { .. }) => return Err(error),
        };
        let mut walk = Self {
            world,
            commit,
            ancestors: Vec::new(),
            seen: HashSet::from([commit]),
            end: End::Unknown,
            absent,
            told: false,
            listings: HashMap::new(),
            metafiles: HashMap::new(),
            window: FIRST_WINDOW,
        };
        walk.append(lineage);
        Ok(walk)
    }

    /// Returns the commit's first parent, none at a root. Where git does not know, the commit's own metafile says.
    ///
    /// # Errors
    /// There is a repository, it lacks the commit, and there is no metafile either. With no repository at all, nothing is known and
    /// nothing is wrong: the walk ends before it begins, and says so.
    pub fn parent(&mut self, own: Option<&Metafile>) -> Result<Option<Commit>, AncestryError> {
        if let Some(&parent) = self.ancestors.first() {
            return Ok(Some(parent));
        }
        match (self.end, own) {
            (End::Root | End::Most, _) => Ok(None),
            (End::Unknown, Some(own)) => {
                match own.parent_commit {
                    None => self.end = End::Root,
                    Some(parent) => self.follow(parent),
                }
                Ok(own.parent_commit)
            }
            (End::Unknown, None) => {
                if let Some(absent) = self.absent.take() {
                    return Err(absent);
                }
                // Not the end for good: another writer may put a metafile there before this one does.
                if !std::mem::replace(&mut self.told, true) {
                    let why = "no repository is here and no metafile is at its address".to_owned();
                    self.world.observer.observe(&Event::HistoryEnds { at: self.commit, why });
                }
                Ok(None)
            }
        }
    }

    /// Says whether the commit's parent is known without its own metafile.
    ///
    /// # Errors
    /// There is a repository, and it lacks the commit.
    pub fn knows_parent(&mut self) -> Result<bool, AncestryError> {
        let known = !self.ancestors.is_empty() || self.end != End::Unknown;
        self.absent.take().map_or(Ok(known), Err)
    }

    /// Returns the first parent of one of the ancestors that are known; none where it is not.
    #[must_use]
    pub fn parent_of(&self, ancestor: Commit) -> Option<Commit> {
        let at = self.ancestors.iter().position(|known| *known == ancestor)?;
        self.ancestors.get(at + 1).copied()
    }

    /// Leaves off before the nearest ancestor that somebody else sees to, and returns it: beyond it nothing is looked at.
    pub fn leave_off(&mut self, seen_to: impl Fn(Commit) -> bool) -> Option<Commit> {
        let mut reach = self.ancestors.iter().take(self.world.limits.max_ancestors);
        let at = reach.position(|ancestor| seen_to(*ancestor))?;
        let ancestor = self.ancestors.drain(at..).next();
        self.end = End::Root;
        ancestor
    }

    /// Returns what stands at the address of the ancestor so many steps away (0 is the parent); none beyond the last.
    ///
    /// # Errors
    /// The store's.
    pub async fn listing(&mut self, index: usize) -> Result<Option<(Commit, &Listing)>, StoreError> {
        if index >= self.world.limits.max_ancestors {
            return Ok(None);
        }
        if index >= self.ancestors.len() && !self.extend().await? {
            return Ok(None);
        }
        let Some(&commit) = self.ancestors.get(index) else { return Ok(None) };
        if !self.listings.contains_key(&commit) {
            self.look_ahead(index).await?;
        }
        Ok(self.listings.get(&commit).map(|listing| (commit, listing)))
    }

    /// Looks at the first window of addresses, before anyone asks.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin(&mut self) -> Result<(), StoreError> {
        if self.listings.is_empty() { self.look_ahead(0).await } else { Ok(()) }
    }

    /// Takes what stands at the commit's own address now.
    pub fn set_own(&mut self, listing: Listing) {
        self.listings.insert(self.commit, listing);
    }

    /// Looks again at what was seen before the commit's own metafile was written as it is: who wrote it knew of an artifact there that had
    /// not come to stand yet when this walk looked. Without that, a writer that lost a race would take the entry back to a farther commit.
    ///
    /// # Errors
    /// The store's.
    pub async fn renew(&mut self, own: &Metafile) -> Result<(), StoreError> {
        let inherited = || own.artifacts.iter().filter(|(_, at)| **at != own.commit);
        let unseen = |(name, at): &(&Name, &Commit)| self.listings.contains_key(at) && !self.stands(**at, name);
        let behind: HashSet<Commit> = inherited().filter(unseen).map(|(_, at)| *at).collect();
        self.listings.retain(|commit, _| !behind.contains(commit));
        // Whose child an ancestor is does not change: what was read for that need not be read again.
        if self.ancestors.last().is_some_and(|last| self.metafile(*last).is_some()) {
            self.extend().await?;
        }
        self.metafiles.retain(|_, metafile| {
            let says = |name: &Name| metafile.as_ref().and_then(|metafile| metafile.artifacts.get(name));
            inherited().all(|(name, at)| says(name) == Some(at))
        });
        self.look_at(behind).await
    }

    /// Says whether an artifact stands at an address that has been looked at.
    #[must_use]
    pub fn stands(&self, commit: Commit, name: &Name) -> bool {
        self.listings.get(&commit).is_some_and(|listing| listing.artifacts.contains_key(name))
    }

    /// Returns the size in bytes that a look at an address showed of an artifact there.
    #[must_use]
    pub fn size(&self, commit: Commit, name: &Name) -> Option<u64> {
        self.listings.get(&commit)?.artifacts.get(name).copied()
    }

    /// Looks at all of these addresses that were not looked at yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_at(&mut self, commits: impl IntoIterator<Item = Commit>) -> Result<(), StoreError> {
        let fresh: Vec<Commit> = commits.into_iter().filter(|commit| !self.listings.contains_key(commit)).collect();
        let world = self.world;
        let look = |commit| async move { world.store.list(commit).await.map(|listing| (commit, listing)) };
        let seen: Vec<_> = stream::iter(fresh).map(look).buffered(world.limits.jobs).try_collect().await?;
        self.listings.extend(seen);
        Ok(())
    }

    /// Returns the ancestors whose addresses may have a metafile, nearest first: all that were not seen to have none.
    #[must_use]
    pub fn with_metafile(&self) -> Vec<Commit> {
        let reach = self.ancestors.iter().take(self.world.limits.max_ancestors);
        reach.filter(|commit| self.listings.get(commit).is_none_or(|seen| seen.metafile)).copied().collect()
    }

    /// Reads the metafiles of all these commits that were not read yet. A malformed one counts as none, with a warning.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_metafiles(&mut self, commits: &[Commit]) -> Result<(), StoreError> {
        let fresh: Vec<Commit> =
            commits.iter().filter(|commit| !self.metafiles.contains_key(commit)).copied().collect();
        let world = self.world;
        let read = |commit| async move { read_ancestor(world, commit).await.map(|metafile| (commit, metafile)) };
        let read: Vec<_> = stream::iter(fresh).map(read).buffered(world.limits.jobs).try_collect().await?;
        self.metafiles.extend(read);
        Ok(())
    }

    /// Reads the metafile of the commit's parent, before anyone asks.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_parents_metafile(&mut self) -> Result<(), StoreError> {
        let parent: Vec<Commit> = self.ancestors.iter().take(self.world.limits.max_ancestors.min(1)).copied().collect();
        self.read_metafiles(&parent).await
    }

    /// Returns the metafile of an ancestor that [`Walk::read_metafiles`] has read.
    #[must_use]
    pub fn metafile(&self, commit: Commit) -> Option<&Metafile> {
        self.metafiles.get(&commit)?.as_ref()
    }

    /// Returns the nearest ancestor's metafile: what a stub is made of.
    ///
    /// # Errors
    /// The store's.
    pub async fn nearest_metafile(&mut self) -> Result<Option<&Metafile>, StoreError> {
        // Beyond git's history a further ancestor is known only from a metafile, which is then itself the nearest.
        let candidates = self.with_metafile();
        // One that was seen to be there, or read, is all that is needed, unless it is malformed.
        let known = |commit: &&Commit| self.listings.contains_key(*commit) || self.metafiles.contains_key(*commit);
        let seen = candidates.iter().take_while(known).count();
        let (seen, unseen) = candidates.split_at(seen);
        let one_by_one = seen.iter().map(|commit| vec![*commit]);
        for window in one_by_one.chain(windows(unseen, self.world.limits.jobs)) {
            self.read_metafiles(&window).await?;
            if let Some(found) = window.iter().find(|commit| self.metafile(**commit).is_some()) {
                return Ok(self.metafile(*found));
            }
        }
        Ok(None)
    }

    /// Looks at the next window of addresses, and where known history ends in it, reads on.
    async fn look_ahead(&mut self, from: usize) -> Result<(), StoreError> {
        let reach = self.ancestors.len().min(self.world.limits.max_ancestors);
        let end = reach.min(from + self.window.min(self.world.limits.jobs));
        let ahead: Vec<Commit> = self.ancestors.get(from..end).unwrap_or_default().to_vec();
        self.window = self.window.saturating_mul(2);
        let reads_on = self.end == End::Unknown && end == self.ancestors.len() && end < self.world.limits.max_ancestors;
        let last = ahead.last().copied().filter(|last| reads_on && !self.metafiles.contains_key(last));
        let world = self.world;
        let read_last = async {
            match last {
                Some(last) => read_ancestor(world, last).await.map(|metafile| Some((last, metafile))),
                None => Ok(None),
            }
        };
        self.world.store.expect(self.window.min(self.world.limits.jobs).min(reach - end));
        let (looked, read) = futures::future::join(self.look_at(ahead), read_last).await;
        looked?;
        self.metafiles.extend(read?);
        Ok(())
    }

    /// Learns the ancestor after the last one that is known from the last one's metafile; says whether there is one.
    async fn extend(&mut self) -> Result<bool, StoreError> {
        let Some(&last) = self.ancestors.last() else { return Ok(false) };
        if self.end != End::Unknown {
            return Ok(false);
        }
        self.read_metafiles(&[last]).await?;
        match self.metafile(last).map(|metafile| metafile.parent_commit) {
            Some(Some(parent)) => self.follow(parent),
            Some(None) => self.end = End::Root,
            None => self.end_history(last, "git does not have its parent here and it has no metafile that names it"),
        }
        Ok(self.ancestors.last() != Some(&last))
    }

    /// Goes on from a parent that a metafile named. Git may know the history from there on.
    fn follow(&mut self, parent: Commit) {
        self.append(Lineage { ancestors: vec![parent], end: End::Unknown });
        let left = self.world.limits.max_ancestors.saturating_sub(self.ancestors.len());
        if self.end == End::Unknown
            && let Ok(lineage) = self.world.ancestry.first_parents(parent, left)
        {
            self.append(lineage);
        }
    }

    /// Takes further ancestors. A commit that is met twice ends the chain.
    fn append(&mut self, lineage: Lineage) {
        self.end = lineage.end;
        for ancestor in lineage.ancestors {
            if !self.seen.insert(ancestor) {
                self.end_history(ancestor, "it is met for the second time: metafiles name each other as parents");
                return;
            }
            self.ancestors.push(ancestor);
        }
    }

    fn end_history(&mut self, at: Commit, why: &str) {
        self.end = End::Root;
        self.world.observer.observe(&Event::HistoryEnds { at, why: why.to_owned() });
    }
}

/// Cuts commits into windows of growing width.
pub fn windows(commits: &[Commit], jobs: usize) -> Vec<Vec<Commit>> {
    let mut rest = commits;
    let mut width = FIRST_WINDOW.min(jobs);
    let mut windows = Vec::new();
    while !rest.is_empty() {
        let (window, further) = rest.split_at(width.min(rest.len()));
        windows.push(window.to_vec());
        rest = further;
        width = width.saturating_mul(2).min(jobs);
    }
    windows
}

/// Reads an ancestor's metafile; none where there is none that can be read.
async fn read_ancestor(world: World<'_>, commit: Commit) -> Result<Option<Metafile>, StoreError> {
    let Some(stored) = stored::read(world.store, commit).await? else { return Ok(None) };
    match stored.metafile {
        Ok(metafile) => Ok(Some(metafile)),
        Err(error) => {
            let problem = error.to_string();
            world.observer.observe(&Event::MetafileSkipped { commit, problem });
            Ok(None)
        }
    }
}
