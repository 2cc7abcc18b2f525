//! The walk along first parents: a look at what stands at the ancestors' addresses, ahead of the rule that asks for it.
//!
//! History comes from git while git has it, and from the `parent_commit` of the metafiles beyond. Round trips, not requests, are what a
//! person waits for, so addresses are looked at in windows of growing width; their answers are taken in order.

mod line;
mod tour;
mod window;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::address::Commit;
use crate::ancestry::{AncestryError, End, Lineage};
use crate::artifact::Name;
use crate::event::Event;
use crate::metafile::{FARTHEST, Metafile, SkipLinks};
use crate::metalogic::{Listing, Metalogic};
use crate::store::StoreError;
use crate::stored;
use crate::world::{Limits, World};
use line::{Broken, Line};
use window::{FIRST_WINDOW, wider};

pub use tour::{Stop, Tour, TourEnd, TourError};
pub use window::windows;

/// Knows the ancestors of one commit, and what has been seen at their addresses.
pub struct Walk<'a> {
    world: World<'a>,
    commit: Commit,
    line: Line,
    /// Why git could not begin, where there is a repository that lacks the commit.
    absent: Option<AncestryError>,
    /// Whether it was told that nothing is known of the commit's parent.
    told: bool,
    /// Whether the line ends at a commit whose parent nobody knows.
    broken: bool,
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
        let (lineage, absent) = match world.ancestry.first_parents(commit, farthest(world)) {
            Ok(lineage) => (lineage, None),
            Err(absent @ AncestryError::NoSuchCommit(_)) => {
                (Lineage { ancestors: Vec::new(), end: End::Unknown }, Some(absent))
            }
            Err(error @ AncestryError::Unreadable { .. }) => return Err(error),
        };
        let (line, broken) = Line::new(commit, lineage);
        let mut walk = Self {
            world,
            commit,
            line,
            absent,
            told: false,
            broken: false,
            listings: HashMap::new(),
            metafiles: HashMap::new(),
            window: FIRST_WINDOW,
        };
        walk.tell(broken);
        Ok(walk)
    }

    /// Returns the commit's first parent, none at a root. Where git does not know, the commit's own metafile says.
    ///
    /// # Errors
    /// There is a repository, it lacks the commit, and there is no metafile either. With no repository at all, nothing is known and
    /// nothing is wrong: the walk ends before it begins, and says so.
    pub fn parent(&mut self, own: Option<&Metafile>) -> Result<Option<Commit>, AncestryError> {
        let known = self.line.ancestors().first().copied();
        if known.is_some() || !self.line.goes_on() {
            return Ok(known);
        }
        if let Some(own) = own {
            return Ok(own.parent_commit);
        }
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

    /// Returns the links that the commit's metafile can have, by what git knows and by the metafiles that were read so far.
    pub fn skips(&mut self) -> SkipLinks {
        loop {
            let mut posts = self.line.signposts(FARTHEST);
            posts.retain(|(_, commit)| self.metafiles.contains_key(commit));
            if posts.is_empty() {
                return SkipLinks::of(self.line.ancestors());
            }
            self.hear(posts);
        }
    }

    /// Says whether the commit's parent is known without its own metafile.
    ///
    /// # Errors
    /// There is a repository, and it lacks the commit.
    pub fn knows_parent(&mut self) -> Result<bool, AncestryError> {
        let known = !self.line.ancestors().is_empty() || !self.line.goes_on();
        self.absent.take().map_or(Ok(known), Err)
    }

    /// Says whether history ended, so far, at a commit whose parent nobody knows.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken || self.told
    }

    /// Returns the first parent of one of the ancestors that are known; none where it is not.
    #[must_use]
    pub fn parent_of(&self, ancestor: Commit) -> Option<Commit> {
        let ancestors = self.line.ancestors();
        let at = ancestors.iter().position(|known| *known == ancestor)?;
        ancestors.get(at + 1).copied()
    }

    /// Leaves off before the nearest ancestor that somebody else sees to, and returns it: beyond it nothing is looked at.
    pub fn leave_off(&mut self, seen_to: impl Fn(Commit) -> bool) -> Option<Commit> {
        let mut reach = self.line.ancestors().iter().take(self.world.limits.max_ancestors);
        let at = reach.position(|ancestor| seen_to(*ancestor))?;
        self.line.leave_off(at)
    }

    /// Returns what stands at the address of the ancestor so many steps away (0 is the parent); none beyond the last.
    ///
    /// # Errors
    /// The store's.
    pub async fn listing(&mut self, index: usize) -> Result<Option<(Commit, &Listing)>, StoreError> {
        if index >= self.world.limits.max_ancestors {
            return Ok(None);
        }
        while index >= self.line.ancestors().len() {
            if !self.extend(index + 1).await? {
                return Ok(None);
            }
        }
        let Some(&commit) = self.line.ancestors().get(index) else { return Ok(None) };
        if !self.listings.contains_key(&commit) {
            self.look_ahead(index, None).await?;
        }
        Ok(self.listings.get(&commit).map(|listing| (commit, listing)))
    }

    /// Says whether nothing was looked at yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.listings.is_empty()
    }

    /// Looks at the first window of addresses, before anyone asks.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin(&mut self) -> Result<(), StoreError> {
        if self.is_new() { self.look_ahead(0, None).await } else { Ok(()) }
    }

    /// Looks at one more window of addresses, unless those that were looked at are enough for a rule that was told what stood at the commit's
    /// own address a moment ago. Reads the metafile of the nearest ancestor too, where `nearest` says that it will be needed.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_further(&mut self, mut rule: Metalogic, nearest: bool) -> Result<(), StoreError> {
        let mut looked = 0;
        while let Some(ancestor) = self.line.ancestors().get(looked)
            && let Some(listing) = self.listings.get(ancestor)
        {
            rule.pass(*ancestor, listing);
            looked += 1;
        }
        let candidate = if nearest { self.with_metafile().first().copied() } else { None };
        let further = !rule.is_complete() && looked < self.line.ancestors().len().min(self.world.limits.max_ancestors);
        if further { self.look_ahead(looked, candidate).await } else { self.read_metafiles(candidate.as_slice()).await }
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

    /// Says whether a look at an address showed that an artifact does not stand there.
    #[must_use]
    pub fn denies(&self, commit: Commit, name: &Name) -> bool {
        self.listings.get(&commit).is_some_and(|listing| !listing.artifacts.contains_key(name))
    }

    /// Goes back as far as history is known within reach: whoever watches is told where it ends.
    ///
    /// # Errors
    /// The store's.
    pub async fn go_back(&mut self) -> Result<(), StoreError> {
        let most = self.world.limits.max_ancestors;
        while self.line.ancestors().len() < most && self.extend(most).await? {}
        Ok(())
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
        let reach = self.line.ancestors().iter().take(self.world.limits.max_ancestors);
        reach.filter(|commit| self.listings.get(commit).is_none_or(|seen| seen.metafile)).copied().collect()
    }

    /// Reads the metafiles of all these commits that were not read yet. A malformed one counts as none, with a warning.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_metafiles(&mut self, commits: &[Commit]) -> Result<(), StoreError> {
        let fresh = self.unread(commits.iter().copied());
        let read = read_all(self.world, fresh).await?;
        self.metafiles.extend(read);
        Ok(())
    }

    /// Reads the metafile of the commit's parent, before anyone asks.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_parents_metafile(&mut self) -> Result<(), StoreError> {
        let parent = self.line.ancestors().iter().take(self.world.limits.max_ancestors.min(1)).copied();
        self.read_metafiles(&parent.collect::<Vec<_>>()).await
    }

    /// Returns the metafile of an ancestor that [`Walk::read_metafiles`] has read.
    #[must_use]
    pub fn metafile(&self, commit: Commit) -> Option<&Metafile> {
        self.metafiles.get(&commit)?.as_ref()
    }

    /// Returns how many steps away ancestors are, as far as that can be told within reach.
    ///
    /// # Errors
    /// The store's.
    pub async fn distances(&mut self, commits: &BTreeSet<Commit>) -> Result<BTreeMap<Commit, usize>, StoreError> {
        let most = self.world.limits.max_ancestors;
        loop {
            let reach = self.line.ancestors().iter().zip(1..=most);
            let known: BTreeMap<Commit, usize> = reach
                .filter(|(ancestor, _)| commits.contains(ancestor))
                .map(|(ancestor, at)| (*ancestor, at))
                .collect();
            let is_done = known.len() == commits.len() || self.line.ancestors().len() >= most;
            if is_done || !self.extend(most).await? {
                return Ok(known);
            }
        }
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

    /// Looks at the next window of addresses and, where git does not know the history of the one after it, reads at the same time the metafiles
    /// that tell it, and one more.
    async fn look_ahead(&mut self, from: usize, also_read: Option<Commit>) -> Result<(), StoreError> {
        let Limits { max_ancestors, jobs, .. } = self.world.limits;
        let width = self.window.min(jobs);
        let end = self.line.ancestors().len().min(max_ancestors).min(from + width);
        let ahead: Vec<Commit> = self.line.ancestors().get(from..end).unwrap_or_default().to_vec();
        if ahead.len() == width {
            self.window = wider(width, self.line.goes_on());
        }
        let posts = self.signposts((end + self.window.min(jobs)).min(max_ancestors));
        let also_read = also_read.filter(|commit| !posts.iter().any(|(_, post)| post == commit));
        let (world, fresh) = (self.world, self.unread(posts.iter().map(|(_, commit)| *commit).chain(also_read)));
        let reach = if self.line.goes_on() { max_ancestors } else { self.line.ancestors().len().min(max_ancestors) };
        world.store.expect(self.window.min(jobs).min(reach.saturating_sub(end)));
        let (looked, read) = futures::future::join(self.look_at(ahead), read_all(world, fresh)).await;
        looked?;
        self.metafiles.extend(read?);
        self.hear(posts);
        Ok(())
    }

    /// Learns more of the line, to `target` steps if it can be, from metafiles; says whether more may be learned.
    async fn extend(&mut self, target: usize) -> Result<bool, StoreError> {
        let posts = self.signposts(target);
        if posts.is_empty() {
            if self.line.goes_on() && !self.line.ancestors().is_empty() {
                let broken = self.line.give_up();
                self.tell(Some(broken));
            }
            return Ok(false);
        }
        self.read_metafiles(&posts.iter().map(|(_, commit)| *commit).collect::<Vec<_>>()).await?;
        self.hear(posts);
        Ok(true)
    }

    /// Returns whose metafiles tell the line up to `target` steps, if it is not known so far.
    fn signposts(&self, target: usize) -> Vec<(usize, Commit)> {
        if target > self.line.ancestors().len() { self.line.signposts(target) } else { Vec::new() }
    }

    /// Hears what the commit's own metafile says of its ancestors.
    pub fn hear_own(&mut self, own: &Metafile) {
        let broken = self.line.hear(0, Some(own), self.world.ancestry, farthest(self.world));
        self.tell(broken);
    }

    fn hear(&mut self, posts: Vec<(usize, Commit)>) {
        for (distance, commit) in posts {
            let metafile = self.metafiles.get(&commit).and_then(Option::as_ref);
            let broken = self.line.hear(distance, metafile, self.world.ancestry, farthest(self.world));
            self.tell(broken);
        }
    }

    fn unread(&self, commits: impl IntoIterator<Item = Commit>) -> Vec<Commit> {
        commits.into_iter().filter(|commit| !self.metafiles.contains_key(commit)).collect()
    }

    fn tell(&mut self, broken: Option<Broken>) {
        if let Some(Broken { at, why }) = broken {
            self.broken = true;
            self.world.observer.observe(&Event::HistoryEnds { at, why: why.to_owned() });
        }
    }
}

/// Returns how much of history git is asked for: what is looked at, and what a metafile names.
fn farthest(world: World<'_>) -> usize {
    world.limits.max_ancestors.max(FARTHEST)
}

/// Reads the metafiles of ancestors, side by side.
async fn read_all(world: World<'_>, commits: Vec<Commit>) -> Result<Vec<(Commit, Option<Metafile>)>, StoreError> {
    let read = |commit| async move { read_ancestor(world, commit).await.map(|metafile| (commit, metafile)) };
    stream::iter(commits).map(read).buffered(world.limits.jobs).try_collect().await
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
