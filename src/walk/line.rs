//! The line of first parents as far as it is known: from git while git has it, from the metafiles beyond.
//!
//! A metafile names the parent of its commit and, by skip links, some farther ancestors. So one need not read one metafile after the other:
//! those at every stride tell of all the ancestors between, and can be read at the same time.

use std::collections::{BTreeMap, HashSet};

use crate::address::Commit;
use crate::ancestry::{Ancestry, AncestryError, End, Lineage};
use crate::metafile::{Metafile, STRIDE};

/// Knows the ancestors of one commit. Distances are steps from it: 0 is the commit itself, 1 its parent.
pub(super) struct Line {
    commit: Commit,
    ancestors: Vec<Commit>,
    seen: HashSet<Commit>,
    end: End,
    /// Up to where git told it.
    base: usize,
    /// Ancestors that metafiles named farther than the line is known, by their distances.
    ahead: BTreeMap<usize, Commit>,
    /// The distances of those whose metafiles were heard.
    heard: HashSet<usize>,
    /// The distance of the root, where a metafile told it.
    root: Option<usize>,
}

/// Says that a line ends although its last commit is no root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    /// Where.
    pub(super) at: Commit,
    /// Why.
    pub(super) why: &'static str,
}

impl Line {
    /// Begins with what git tells.
    pub(super) fn new(commit: Commit, lineage: Lineage) -> (Self, Option<Broken>) {
        let mut line = Self {
            commit,
            ancestors: Vec::new(),
            seen: HashSet::from([commit]),
            end: End::Unknown,
            base: 0,
            ahead: BTreeMap::new(),
            heard: HashSet::from([0]),
            root: None,
        };
        let broken = line.append(lineage);
        line.base = line.ancestors.len();
        (line, broken)
    }

    /// Returns the ancestors that are known without a gap, the parent first.
    pub(super) fn ancestors(&self) -> &[Commit] {
        &self.ancestors
    }

    /// Says whether more of it may be learned.
    pub(super) fn goes_on(&self) -> bool {
        self.end == End::Unknown
    }

    /// Returns who is so many steps away, as far as the line is known without a gap.
    pub(super) fn known(&self, distance: usize) -> Option<Commit> {
        distance.checked_sub(1).map_or(Some(self.commit), |index| self.ancestors.get(index).copied())
    }

    /// Asks git for up to `most` further ancestors, where it was not asked for all that it has. Says whether there may be more.
    pub(super) fn lengthen(
        &mut self,
        ancestry: &dyn Ancestry,
        most: usize,
    ) -> Result<(bool, Option<Broken>), AncestryError> {
        if self.end != End::Most {
            return Ok((false, None));
        }
        let last = self.ancestors.last().copied().unwrap_or(self.commit);
        let broken = self.append(ancestry.first_parents(last, most)?);
        self.base = self.ancestors.len();
        Ok((true, broken))
    }

    /// Leaves off before an ancestor, and returns it.
    pub(super) fn leave_off(&mut self, index: usize) -> Option<Commit> {
        self.ahead.clear();
        self.end = End::Root;
        self.ancestors.drain(index..).next()
    }

    /// Returns whose metafiles are to be read to know the line up to `target` steps: as many as can be read at the same time now. None where
    /// nobody is left to ask.
    pub(super) fn signposts(&self, target: usize) -> Vec<(usize, Commit)> {
        if !self.goes_on() {
            return Vec::new();
        }
        let last = self.ancestors.len();
        let ask = |distance: usize| Some((distance, self.at(distance).filter(|_| !self.heard.contains(&distance))?));
        let near = |(distance, _): &(usize, Commit)| *distance <= last && distance + STRIDE > last;
        let mut posts: Vec<_> = (self.base..target).step_by(STRIDE).filter_map(ask).collect();
        if !posts.iter().any(near) {
            // Whoever wrote the metafile there did not know enough, or there is none: the others on the last stride may tell.
            let stride = last.saturating_sub(STRIDE - 1)..last;
            posts.extend(ask(last).map_or_else(|| stride.filter_map(ask).collect(), |last| vec![last]));
        }
        posts
    }

    /// Hears what the metafile of an ancestor says, where there is one. Where git knows one of those that are named, git goes on from there.
    pub(super) fn hear(
        &mut self,
        distance: usize,
        metafile: Option<&Metafile>,
        ancestry: &dyn Ancestry,
        most: usize,
    ) -> Option<Broken> {
        self.heard.insert(distance);
        let metafile = metafile?;
        match metafile.parent_commit {
            // What git knows is not disputed, and the nearer of two is heard.
            None if distance >= self.ancestors.len() => {
                self.root = Some(self.root.map_or(distance, |root| root.min(distance)));
            }
            None => {}
            Some(parent) => self.note(distance + 1, parent),
        }
        metafile.skips.iter().for_each(|(steps, ancestor)| self.note(distance.saturating_add(steps), ancestor));
        self.advance(ancestry, most)
    }

    /// Ends the line where nobody is left to ask.
    pub(super) fn give_up(&mut self) -> Broken {
        self.end = End::Root;
        let at = self.ancestors.last().copied().unwrap_or(self.commit);
        Broken { at, why: "git does not have its parent here and it has no metafile that names it" }
    }

    fn at(&self, distance: usize) -> Option<Commit> {
        match distance.checked_sub(1) {
            None => Some(self.commit),
            Some(index) => self.ancestors.get(index).or_else(|| self.ahead.get(&distance)).copied(),
        }
    }

    fn note(&mut self, distance: usize, ancestor: Commit) {
        if distance > self.ancestors.len() {
            self.ahead.entry(distance).or_insert(ancestor);
        }
    }

    /// Goes on as far as there is no gap.
    fn advance(&mut self, ancestry: &dyn Ancestry, most: usize) -> Option<Broken> {
        let mut broken = None;
        while self.goes_on()
            && self.root != Some(self.ancestors.len())
            && let Some(next) = self.ahead.remove(&(self.ancestors.len() + 1))
        {
            broken = self.append(Lineage { ancestors: vec![next], end: End::Unknown });
            let left = most.saturating_sub(self.ancestors.len());
            if self.goes_on()
                && let Ok(lineage) = ancestry.first_parents(next, left)
                && !(lineage.ancestors.is_empty() && lineage.end == End::Unknown)
            {
                broken = self.append(lineage);
                self.base = self.ancestors.len();
            }
        }
        if self.goes_on() && self.root == Some(self.ancestors.len()) {
            self.end = End::Root;
        }
        let known = self.ancestors.len();
        self.ahead.retain(|distance, _| *distance > known);
        broken
    }

    /// Takes further ancestors. A commit that is met twice ends the line.
    fn append(&mut self, lineage: Lineage) -> Option<Broken> {
        self.end = lineage.end;
        for ancestor in lineage.ancestors {
            if !self.seen.insert(ancestor) {
                self.end = End::Root;
                let why = "it is met for the second time: metafiles name each other as parents";
                return Some(Broken { at: ancestor, why });
            }
            self.ancestors.push(ancestor);
        }
        None
    }
}
