//! A tour along a commit and its first parents, with a look at everything that lies at each address.
//!
//! Unlike the walk of the rule, which stops where nothing is missing any more, a tour is for those who read on: as many requests are under
//! way at once as may be, and what was given is forgotten.

use std::collections::{HashMap, VecDeque};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};

use super::line::{Broken, Line};
use crate::address::Commit;
use crate::ancestry::{AncestryError, End, Lineage};
use crate::metafile::{FARTHEST, Metafile, MetafileError};
use crate::metalogic::Listing;
use crate::store::StoreError;
use crate::stored;
use crate::world::World;

/// How many ancestors git is asked for at once. It tells so many in a few milliseconds, and whoever asks for a million sees the first of them
/// no later.
const STRETCH: usize = 1024;

/// How many commits are looked at ahead of the one that is given next, for each job.
const AHEAD: usize = 2;

/// Goes from a commit along its first parents.
pub struct Tour<'a> {
    world: World<'a>,
    line: Line,
    /// Why git could not begin, where there is a repository that lacks the commit.
    absent: Option<AncestryError>,
    broken: Option<Broken>,
    /// How many commits are given at most.
    most: usize,
    given: usize,
    /// How many commits are asked about, or were.
    asked: usize,
    /// The commits whose metafiles were read and whose addresses are to be looked at next.
    unlisted: VecDeque<Commit>,
    under_way: FuturesUnordered<BoxFuture<'a, Result<Answer, StoreError>>>,
    metafiles: HashMap<Commit, Kept>,
    listings: HashMap<Commit, Listing>,
}

/// What lies under a metafile's key.
type Kept = Option<Result<Metafile, MetafileError>>;

/// Names what is asked of one commit; of one whose metafile is read it is said how far away it is.
#[derive(Clone, Copy)]
enum Request {
    Read(usize, Commit),
    List(Commit),
}

enum Answer {
    Read(usize, Commit, Box<Kept>),
    Listed(Commit, Listing),
}

/// Holds what lies at one commit's address.
#[derive(Debug)]
pub struct Stop {
    /// The commit.
    pub commit: Commit,
    /// Its first parent; none at a root, and where that is not known.
    pub parent: Option<Commit>,
    /// What stands there. It was looked at after the metafile was read, so that all that this says to be there is, unless it was removed.
    pub listing: Listing,
    /// The metafile, or why there is none in what lies under its key.
    pub metafile: Option<Result<Metafile, MetafileError>>,
}

/// Says why a tour ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TourEnd {
    /// The last commit is a root.
    Root,
    /// As many were given as were asked for, and there are more.
    Most,
    /// Nobody knows the parent of this commit.
    Broken {
        /// The commit.
        at: Commit,
        /// Why, as a fragment.
        why: &'static str,
    },
}

/// Says why a tour cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TourError {
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history cannot be told.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
}

impl<'a> Tour<'a> {
    /// Sets out at a commit, for so many commits at most.
    ///
    /// # Errors
    /// A repository that cannot be read. One that lacks the commit is no error yet: something may lie at its address.
    pub fn new(world: World<'a>, commit: Commit, most: usize) -> Result<Self, AncestryError> {
        let (lineage, absent) = match world.ancestry.first_parents(commit, most.min(STRETCH)) {
            Ok(lineage) => (lineage, None),
            Err(absent @ AncestryError::NoSuchCommit(_)) => {
                (Lineage { ancestors: Vec::new(), end: End::Unknown }, Some(absent))
            }
            Err(error @ AncestryError::Unreadable { .. }) => return Err(error),
        };
        world.store.expect(world.limits.jobs.min(most.saturating_mul(2)));
        let (line, broken) = Line::new(commit, lineage);
        Ok(Self {
            world,
            line,
            absent,
            broken,
            most,
            given: 0,
            asked: 0,
            unlisted: VecDeque::new(),
            under_way: FuturesUnordered::new(),
            metafiles: HashMap::new(),
            listings: HashMap::new(),
        })
    }

    /// Returns what lies at the next commit's address; none beyond the last, and then [`Tour::end`] says why.
    ///
    /// # Errors
    /// [`TourError`], also where there is a repository that lacks the commit and nothing lies at its address.
    pub async fn next(&mut self) -> Result<Option<Stop>, TourError> {
        while self.given < self.most {
            if let Some(stop) = self.take()? {
                return Ok(Some(stop));
            }
            self.set_out()?;
            if self.under_way.is_empty() {
                break;
            }
            self.hear_one().await?;
        }
        Ok(None)
    }

    /// Waits for the answers to all that was asked, and asks nothing more: whoever takes a long time before they ask for the next commit
    /// leaves no answer waiting.
    ///
    /// # Errors
    /// The store's.
    pub async fn settle(&mut self) -> Result<(), TourError> {
        while !self.under_way.is_empty() {
            self.hear_one().await?;
        }
        Ok(())
    }

    /// Says why there is no further commit, once there is none.
    ///
    /// # Errors
    /// A repository that cannot be read.
    pub fn end(&mut self) -> Result<TourEnd, AncestryError> {
        if self.given == self.most && self.known(self.most)?.is_some() {
            return Ok(TourEnd::Most);
        }
        if self.line.goes_on() {
            self.broken = Some(self.line.give_up());
        }
        Ok(self.broken.map_or(TourEnd::Root, |Broken { at, why }| TourEnd::Broken { at, why }))
    }

    /// Returns the commits that are known from so many steps away on, at most so many.
    #[must_use]
    pub fn ahead(&self, distance: usize, most: usize) -> Vec<Commit> {
        (distance..distance.saturating_add(most)).map_while(|distance| self.line.known(distance)).collect()
    }

    fn known(&mut self, distance: usize) -> Result<Option<Commit>, AncestryError> {
        loop {
            let known = self.line.known(distance);
            if known.is_some() {
                return Ok(known);
            }
            let (further, broken) = self.line.lengthen(self.world.ancestry, STRETCH)?;
            self.broken = self.broken.or(broken);
            if !further {
                return Ok(None);
            }
        }
    }

    /// Returns the next commit, if all is known of it.
    fn take(&mut self) -> Result<Option<Stop>, TourError> {
        let Some(commit) = self.known(self.given)? else { return Ok(None) };
        let Some(listing) = self.listings.remove(&commit) else { return Ok(None) };
        let metafile = self.metafiles.remove(&commit).flatten();
        let is_bare = metafile.is_none() && listing == Listing::default();
        if let Some(absent) = self.absent.take().filter(|_| is_bare) {
            return Err(absent.into());
        }
        self.given += 1;
        let parent = self.known(self.given)?;
        Ok(Some(Stop { commit, parent, listing, metafile }))
    }

    /// Sends as many requests as may be under way.
    fn set_out(&mut self) -> Result<(), AncestryError> {
        let World { store, limits, .. } = self.world;
        let reach = self.most.min(self.given.saturating_add(AHEAD.saturating_mul(limits.jobs)));
        while self.under_way.len() < limits.jobs
            && let Some(request) = self.next_request(reach)?
        {
            let ask = async move {
                Ok(match request {
                    Request::Read(distance, commit) => {
                        let stored = stored::read(store, commit).await?;
                        Answer::Read(distance, commit, Box::new(stored.map(|stored| stored.metafile)))
                    }
                    Request::List(commit) => Answer::Listed(commit, store.list(commit).await?),
                })
            };
            self.under_way.push(ask.boxed());
        }
        Ok(())
    }

    fn next_request(&mut self, reach: usize) -> Result<Option<Request>, AncestryError> {
        if let Some(commit) = self.unlisted.pop_front() {
            return Ok(Some(Request::List(commit)));
        }
        if self.asked == reach {
            return Ok(None);
        }
        let Some(commit) = self.known(self.asked)? else { return Ok(None) };
        self.asked += 1;
        Ok(Some(Request::Read(self.asked - 1, commit)))
    }

    async fn hear_one(&mut self) -> Result<(), TourError> {
        match self.under_way.next().await.transpose()? {
            None => {}
            Some(Answer::Listed(commit, listing)) => drop(self.listings.insert(commit, listing)),
            Some(Answer::Read(distance, commit, metafile)) => {
                let metafile = *metafile;
                // Beyond what git knows, each metafile tells of so many ancestors that those of a window tell of the next one.
                let read = metafile.as_ref().and_then(|read| read.as_ref().ok());
                let broken = self.line.hear(distance, read, self.world.ancestry, self.most.max(FARTHEST));
                self.broken = self.broken.or(broken);
                self.metafiles.insert(commit, metafile);
                self.unlisted.push_back(commit);
            }
        }
        Ok(())
    }
}
