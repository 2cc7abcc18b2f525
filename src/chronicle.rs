//! The chronicle of a commit: what was built at it and at its first parents, the newest first, as it is stored.
//!
//! Nothing is resolved anew. What stands at a commit is told by a look at its address, whoever put it there; what it inherits, and which
//! builds began or failed there, by its stored metafile. Which artifacts it should have, and what they are built from, is said by the registry
//! as it was then.

mod digests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use crate::address::Commit;
use crate::ancestry::AncestryError;
use crate::artifact::Name;
use crate::catalog::{Catalog, Standing};
use crate::git::{GitError, Repository, Summary};
use crate::metafile::Metafile;
use crate::metalogic::Listing;
use crate::state::{self, Now, Verdict};
use crate::stored;
use crate::walk::{Stop, Tour, TourEnd, TourError};
use crate::world::World;
use digests::Digests;

/// Says what is to be told.
#[derive(Clone, Copy)]
pub struct Inquiry<'a> {
    /// The newest commit.
    pub commit: Commit,
    /// How many commits at most.
    pub most: usize,
    /// The artifacts; where there are none, those of the repository's projects or, without a registry, those of each metafile.
    pub names: &'a BTreeSet<Name>,
    /// What knows the registry of each commit.
    pub registries: &'a dyn Registries,
    /// What knows the subjects and the times of commits, where there is one.
    pub repository: Option<&'a Repository>,
}

/// Knows the registry as it counts for each commit.
#[async_trait]
pub trait Registries: Send + Sync {
    /// Returns the registry that counts for a commit, where there is one. Commits that have the same one are given the same.
    async fn at(&self, commit: Commit) -> Option<Arc<Catalog>>;
}

/// Holds the registry that counts, and what it says of the repository's projects.
struct Counting {
    catalog: Arc<Catalog>,
    /// Their names that count.
    counted: BTreeSet<Name>,
    /// All of them.
    ours: BTreeSet<Name>,
}

/// Tells of one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The commit.
    pub commit: Commit,
    /// Its first parent; none at a root, and where that is not known.
    pub parent: Option<Commit>,
    /// What git knows of it; none where it does not have it.
    pub summary: Option<Summary>,
    /// What became of its metafile.
    pub metafile: Kept,
    /// How each artifact stands. Without a metafile only what was built at the commit is known.
    pub verdicts: BTreeMap<Name, Verdict>,
    /// What else stands at the address: names that are none of the repository's projects'.
    pub others: BTreeSet<String>,
}

/// Says what became of a commit's metafile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is stored.
    Stored,
    /// There is none: no hook and no publisher saw the commit.
    Absent,
    /// What is stored is none, and this is wrong with it.
    Malformed(String),
}

/// Says why older commits are not told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// As many were told of as were asked for, and there are more.
    Most,
    /// Nobody knows the parent of this commit.
    Unknown {
        /// The commit.
        at: Commit,
        /// Why, as a fragment.
        why: &'static str,
    },
}

/// Says why a chronicle cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ChronicleError {
    /// The store or git does not tell what lies at a commit.
    #[error(transparent)]
    Tour(#[from] TourError),
    /// A commit's trees cannot be read.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
    /// A commit cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Tells page after page.
pub struct Chronicle<'a> {
    inquiry: Inquiry<'a>,
    counting: Option<Counting>,
    tour: Tour<'a>,
    digests: Digests<'a>,
    told: usize,
}

impl<'a> Chronicle<'a> {
    /// Begins at the newest commit. Nothing is asked of the store yet.
    ///
    /// # Errors
    /// [`ChronicleError`].
    pub fn begin(world: World<'a>, inquiry: Inquiry<'a>) -> Result<Self, ChronicleError> {
        let tour = Tour::new(world, inquiry.commit, inquiry.most)?;
        Ok(Self { inquiry, counting: None, tour, digests: Digests::new(world.ancestry), told: 0 })
    }

    /// Tells of the next commit; none beyond the last, and then [`Chronicle::ends`] says why.
    ///
    /// # Errors
    /// [`ChronicleError`].
    pub async fn next(&mut self) -> Result<Option<Page>, ChronicleError> {
        let Some(stop) = self.tour.next().await? else { return Ok(None) };
        let distance = self.told;
        self.told += 1;
        self.count_by(self.inquiry.registries.at(stop.commit).await);
        self.page(stop, distance).map(Some)
    }

    /// Takes another registry, where it is another.
    fn count_by(&mut self, catalog: Option<Arc<Catalog>>) {
        let same =
            |counting: &Counting| catalog.as_ref().is_some_and(|catalog| Arc::ptr_eq(&counting.catalog, catalog));
        if !self.counting.as_ref().is_some_and(same) {
            self.counting = catalog.map(Counting::new);
        }
    }

    /// Waits for the answers to all that was asked of the store: for whoever takes a long time before they ask for the next page.
    ///
    /// # Errors
    /// [`ChronicleError`].
    pub async fn settle(&mut self) -> Result<(), ChronicleError> {
        Ok(self.tour.settle().await?)
    }

    /// Says why there is no further page, once there is none; nothing where the last was that of a root.
    ///
    /// # Errors
    /// [`ChronicleError`].
    pub fn ends(&mut self) -> Result<Option<Ends>, ChronicleError> {
        Ok(match self.tour.end()? {
            TourEnd::Root => None,
            TourEnd::Most => Some(Ends::Most),
            TourEnd::Broken { at, why } => Some(Ends::Unknown { at, why }),
        })
    }

    fn page(&mut self, stop: Stop, distance: usize) -> Result<Page, ChronicleError> {
        let Stop { commit, parent, listing, metafile } = stop;
        let (kept, metafile) = match metafile {
            None => (Kept::Absent, None),
            Some(Ok(metafile)) => (Kept::Stored, Some(metafile)),
            Some(Err(error)) => (Kept::Malformed(error.to_string()), None),
        };
        let is_stored = metafile.is_some();
        let metafile = stored::standing(metafile.unwrap_or_else(|| Metafile::empty(commit, parent)), &listing);
        let mut names = self.names(&metafile);
        names.retain(|name| is_stored || metafile.artifacts.contains_key(name));
        let mut verdicts = BTreeMap::new();
        for name in names {
            let now = self.now(&metafile, &name, distance)?;
            let verdict = state::judge(&metafile, &name, now);
            verdicts.insert(name, verdict);
        }
        let summary = self.inquiry.repository.map(|repository| repository.summary(commit)).transpose()?.flatten();
        let others = self.others(listing);
        Ok(Page { commit, parent, summary, metafile: kept, verdicts, others })
    }

    fn names(&self, metafile: &Metafile) -> BTreeSet<Name> {
        let told = || metafile.artifacts.keys().chain(metafile.attempts.keys());
        match &self.counting {
            None if !self.inquiry.names.is_empty() => self.inquiry.names.clone(),
            // What was not registered yet is not missing.
            Some(Counting { catalog, .. }) if !self.inquiry.names.is_empty() => {
                let is_known = |name: &&Name| !matches!(catalog.standing(name), Standing::Unknown(_));
                let is_told = |name: &&Name| told().any(|told| told == *name);
                self.inquiry.names.iter().filter(|name| is_known(name) || is_told(name)).cloned().collect()
            }
            Some(Counting { counted, .. }) => counted.clone(),
            None => told().cloned().collect(),
        }
    }

    fn others(&self, listing: Listing) -> BTreeSet<String> {
        if !self.inquiry.names.is_empty() {
            return BTreeSet::new();
        }
        let is_other = |name: &&Name| self.counting.as_ref().is_some_and(|counting| !counting.ours.contains(*name));
        listing.artifacts.keys().filter(is_other).map(ToString::to_string).chain(listing.odd).collect()
    }

    /// Says what an artifact's inputs are at the commit of a metafile, where they count.
    fn now(&mut self, metafile: &Metafile, name: &Name, distance: usize) -> Result<Now, AncestryError> {
        let Some(counting) = &self.counting else { return Ok(Now::Unregistered) };
        let Some(inputs) = counting.catalog.inputs(name) else { return Ok(Now::Undeclared) };
        let inherited = metafile.artifacts.get(name).filter(|from| **from != metafile.commit);
        let record = inherited.and_then(|from| metafile.record(name, *from));
        // Without a record there is nothing to compare them with.
        if record.is_none_or(|record| record.inputs.is_none()) {
            return Ok(Now::Unreadable);
        }
        let digest = self.digests.at(name, inputs, distance, |most| self.tour.ahead(distance, most))?;
        Ok(digest.map_or(Now::Unreadable, Now::Known))
    }
}

impl Counting {
    fn new(catalog: Arc<Catalog>) -> Self {
        let ours = catalog.vocabulary().wanted;
        Self { counted: catalog.counted(&ours), ours, catalog }
    }
}
