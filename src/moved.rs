//! What moved: the commits that ref updates and rewritten history brought.

use std::cell::OnceCell;
use std::collections::HashSet;

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
    /// The old ids that this clone does not have, so that what they hide is not known.
    pub absent: Vec<Commit>,
    /// The new ids that this clone does not have: what they lead to was not stubbed.
    pub missing: Vec<Commit>,
}

impl Moves {
    /// Says whether nothing came to be: refs were deleted, or nothing moved at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let brings = |update: &Update| update.new.is_some() && !is_no_history(update);
        self.commits.is_empty() && self.rewrites.is_empty() && !self.updates.iter().any(brings)
    }

    /// Returns the commits that it came to: all others are their ancestors.
    #[must_use]
    pub fn tips(&self) -> Vec<Commit> {
        let updates = self.updates.iter().filter(|update| !is_no_history(update)).filter_map(|update| update.new);
        let rewrites = self.rewrites.iter().map(|rewrite| rewrite.new);
        self.commits.iter().copied().chain(updates).chain(rewrites).collect()
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
        None => format!("metalogic stub --range {}..{new}", "0".repeat(new.to_string().len())),
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
        bringing.updates(moved)?;
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
    /// Takes what refs moved to. Those that are new with a name of their own are asked about together: a push may have thousands.
    fn updates(&mut self, moved: &Moves) -> Result<(), GitError> {
        let mut new_refs: Vec<(&Update, Commit)> = Vec::new();
        for update in moved.updates.iter().filter(|update| !is_no_history(update)) {
            let Some(named) = update.new else { continue };
            let Some(new) = self.repository.peeled(named)? else {
                // A tag may lead to a tree.
                if !self.repository.has(named)? {
                    self.brought.missing.push(named);
                }
                continue;
            };
            let old = update.old.map(|old| self.repository.peeled(old)).transpose()?.flatten();
            let is_lost = old.is_none() && update.old.is_some();
            if is_lost {
                self.brought.absent.extend(update.old);
            }
            let whole = moved.whole && !is_lost;
            match old {
                Some(old) => self.range(update, &[new], vec![old], whole)?,
                None if whole => self.range(update, &[new], Vec::new(), whole)?,
                None if update.reference.is_none() => {
                    self.range(update, &[new], self.hidden_from_nameless(new)?, false)?;
                }
                None => new_refs.push((update, new)),
            }
        }
        let Some((first, _)) = new_refs.first() else { return Ok(()) };
        let hidden = self.hidden_from_new(moved.remote.as_deref())?;
        let tips: Vec<Commit> = new_refs.iter().map(|(_, new)| *new).collect();
        self.range(first, &tips, hidden, false)
    }

    /// Takes what some tips reach and hidden ones do not, and the tips.
    fn range(&mut self, update: &Update, tips: &[Commit], hidden: Vec<Commit>, whole: bool) -> Result<(), GitError> {
        let most = (!whole).then(|| MOST.saturating_mul(tips.len()));
        let reached = self.repository.reach(&Range { tips: tips.to_vec(), hidden, most })?;
        if reached.stopped {
            let old = update.old.filter(|old| !self.brought.absent.contains(old));
            let new = tips.first().copied();
            self.brought.stopped.push(Update { old, new, reference: update.reference.clone() });
        }
        self.brought.commits.extend(reached.commits);
        self.brought.commits.extend(tips);
        Ok(())
    }

    fn rewrites(&mut self, rewrites: &[Rewrite]) -> Result<(), GitError> {
        let Some(last) = rewrites.last() else { return Ok(()) };
        let (tips, hidden): (Vec<_>, Vec<_>) = rewrites.iter().map(|rewrite| (rewrite.new, rewrite.old)).unzip();
        let update = Update { old: Some(last.old), new: Some(last.new), reference: None };
        let reached = self.repository.reach(&Range { tips, hidden, most: Some(MOST) })?;
        if reached.stopped {
            self.brought.stopped.push(update);
        }
        self.brought.commits.extend(reached.commits);
        Ok(())
    }

    /// Returns what hides the commits that new refs have in common with others.
    ///
    /// Here those are all refs but the ones that moved together with them, which are hidden where they were before. At a remote it is
    /// what this clone knows of the remote.
    fn hidden_from_new(&self, remote: Option<&str>) -> Result<Vec<Commit>, GitError> {
        let refs = self.refs()?;
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
        let have_moved: HashSet<&str> = moved().filter_map(|update| update.reference.as_deref()).collect();
        let now = refs.iter().filter(|found| !have_moved.contains(found.name.as_str())).map(|found| found.commit);
        let before = moved().filter(|update| update.reference.is_some()).filter_map(|update| update.old);
        Ok(now.chain(before).collect())
    }

    /// Returns what hides the commits of a new ref whose name is not told, as CI does not: all refs that do not lead there. One that does is
    /// the ref itself, or it went on before somebody came to look.
    fn hidden_from_nameless(&self, new: Commit) -> Result<Vec<Commit>, GitError> {
        let leading = self.repository.refs_to(new)?;
        Ok(self.refs()?.iter().filter(|found| !leading.contains(&found.name)).map(|found| found.commit).collect())
    }

    fn refs(&self) -> Result<&Vec<Reference>, GitError> {
        match self.refs.get() {
            Some(refs) => Ok(refs),
            None => {
                let refs = self.repository.refs()?;
                Ok(self.refs.get_or_init(|| refs))
            }
        }
    }
}

/// Says whether a ref of that name leads to history of the code.
#[must_use]
pub fn is_history(name: &str) -> bool {
    !NO_HISTORY.iter().any(|prefix| name.starts_with(prefix))
}

fn is_no_history(update: &Update) -> bool {
    !update.reference.as_deref().is_none_or(is_history)
}
