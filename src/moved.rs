//! What moved: the commits that ref updates and rewritten history brought.

use std::cell::OnceCell;

use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

use crate::address::Commit;
use crate::git::{GitError, Range, Reference, Repository};
use crate::hook::{Rewrite, Update};

/// How many commits of one update are taken, the newest, where nobody asked for all.
pub const MOST: usize = 1000;

/// Refs below these lead to what is no history of the code.
const NO_HISTORY: [&str; 3] = ["refs/notes/", "refs/replace/", "refs/stash"];

/// Says what moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves {
    /// Commits that are named one by one.
    #[serde(default)]
    pub commits: Vec<Commit>,
    /// Refs that moved.
    #[serde(default)]
    pub updates: Vec<Update>,
    /// Commits that were made anew.
    #[serde(default)]
    pub rewrites: Vec<Rewrite>,
    /// The remote at which the refs moved; none where it was here.
    #[serde(default)]
    pub remote: Option<String>,
    /// Whether somebody asked for all of it: then there is no bound, and a ref that was nowhere before has all that it reaches.
    #[serde(default)]
    pub whole: bool,
}

/// Holds the commits that came to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    /// The commits, each once; those of one update from its oldest up.
    pub commits: IndexSet<Commit>,
    /// Those updates that brought more than [`MOST`].
    pub stopped: Vec<Update>,
    /// The ids that this clone does not have, so that what they hide is not known.
    pub absent: Vec<Commit>,
}

impl Moves {
    /// Says whether nothing came to be: refs were deleted, or nothing moved at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let brings = |update: &Update| update.new.is_some() && !is_no_history(update);
        self.commits.is_empty() && self.rewrites.is_empty() && !self.updates.iter().any(brings)
    }
}

/// Says how to do by hand what is to be done for these moves, the newest last. Where one goes on from the other, they are one.
#[must_use]
pub fn by_hand(moves: &[Moves]) -> Vec<String> {
    let mut commits: IndexSet<Commit> = IndexSet::new();
    let mut ranges: IndexSet<(Option<Commit>, Commit)> = IndexSet::new();
    for moved in moves {
        commits.extend(&moved.commits);
        let updates = moved.updates.iter().filter(|update| !is_no_history(update));
        let updates = updates.filter_map(|update| update.new.map(|new| (update.old, new)));
        let last = moved.rewrites.last().map(|rewrite| (Some(rewrite.old), rewrite.new));
        for (old, new) in updates.chain(last) {
            let before = ranges.iter().find(|(_, before)| Some(*before) == old).copied();
            if let Some(before) = before {
                ranges.shift_remove(&before);
            }
            ranges.insert((before.map_or(old, |(old, _)| old), new));
        }
    }
    let commits = commits.iter().map(|commit| format!("metalogic stub {commit}"));
    let range = |(old, new): &(Option<Commit>, Commit)| match old {
        Some(old) => format!("metalogic stub --range {old}..{new}"),
        None => format!("metalogic stub --range {new}"),
    };
    commits.chain(ranges.iter().map(range)).collect()
}

/// Returns the commits that came to be by all these moves. What an update moved to is among them even where others had it already.
///
/// # Errors
/// Git's.
pub fn brought(repository: &Repository, moves: &[Moves]) -> Result<Brought, GitError> {
    let mut bringing = Bringing { repository, moves, refs: OnceCell::new(), brought: Brought::default() };
    for moved in moves {
        for update in moved.updates.iter().filter(|update| !is_no_history(update)) {
            bringing.update(moved, update)?;
        }
        bringing.rewrites(&moved.rewrites)?;
        bringing.brought.commits.extend(&moved.commits);
    }
    Ok(bringing.brought)
}

/// Gathers what moves brought.
struct Bringing<'a> {
    repository: &'a Repository,
    moves: &'a [Moves],
    refs: OnceCell<Vec<Reference>>,
    brought: Brought,
}

impl Bringing<'_> {
    fn update(&mut self, moved: &Moves, update: &Update) -> Result<(), GitError> {
        let Some(named) = update.new else { return Ok(()) };
        let Some(new) = self.repository.peeled(named)? else {
            // A tag may lead to a tree; else it is not here.
            self.brought.absent.push(named);
            return Ok(());
        };
        let old = update.old.map(|old| self.repository.peeled(old)).transpose()?.flatten();
        let is_lost = old.is_none() && update.old.is_some();
        if is_lost {
            self.brought.absent.extend(update.old);
        }
        let whole = moved.whole && !is_lost;
        let hidden = match old {
            Some(old) => vec![old],
            None if whole => Vec::new(),
            None => self.hidden_from_new(moved.remote.as_deref(), update, new)?,
        };
        let most = (!whole).then_some(MOST);
        let reached = self.repository.reach(&Range { tips: vec![new], hidden, most })?;
        if reached.stopped {
            self.brought.stopped.push(Update { new: Some(new), old, reference: update.reference.clone() });
        }
        self.brought.commits.extend(reached.commits);
        self.brought.commits.insert(new);
        Ok(())
    }

    fn rewrites(&mut self, rewrites: &[Rewrite]) -> Result<(), GitError> {
        let Some(last) = rewrites.last() else { return Ok(()) };
        let (tips, hidden) = rewrites.iter().map(|rewrite| (rewrite.new, rewrite.old)).unzip();
        let reached = self.repository.reach(&Range { tips, hidden, most: Some(MOST) })?;
        if reached.stopped {
            self.brought.stopped.push(Update { old: Some(last.old), new: Some(last.new), reference: None });
        }
        self.brought.commits.extend(reached.commits);
        Ok(())
    }

    /// Returns what hides the commits that a new ref has in common with others.
    ///
    /// Here those are all refs but the ones that moved together with it, which are hidden where they were before. At a remote it is what
    /// this clone knows of the remote. A ref without a name is what CI and people tell: then all refs count that do not lead to the
    /// same commit, since one of those is the ref itself.
    fn hidden_from_new(&self, remote: Option<&str>, update: &Update, new: Commit) -> Result<Vec<Commit>, GitError> {
        let refs = match self.refs.get() {
            Some(refs) => refs,
            None => {
                let refs = self.repository.refs()?;
                self.refs.get_or_init(|| refs)
            }
        };
        if let Some(remote) = remote {
            let tracking = format!("refs/remotes/{remote}/");
            let is_known = refs.iter().any(|found| found.name.starts_with(&tracking));
            let tracking = if is_known { tracking.as_str() } else { "refs/remotes/" };
            return Ok(refs
                .iter()
                .filter(|found| found.name.starts_with(tracking))
                .map(|found| found.commit)
                .collect());
        }
        let moved = || self.moves.iter().filter(|moved| moved.remote.is_none()).flat_map(|moved| &moved.updates);
        let has_moved = |name: &str| moved().any(|update| update.reference.as_deref() == Some(name));
        let counts =
            |found: &&Reference| !has_moved(&found.name) && (update.reference.is_some() || found.commit != new);
        let now = refs.iter().filter(counts).map(|found| found.commit);
        let before = moved().filter(|update| update.reference.is_some()).filter_map(|update| update.old);
        Ok(now.chain(before).collect())
    }
}

fn is_no_history(update: &Update) -> bool {
    let below = |name: &str| NO_HISTORY.iter().any(|prefix| name.starts_with(prefix));
    update.reference.as_deref().is_some_and(below)
}
