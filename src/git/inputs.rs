//! What commits have of declared inputs.

use std::collections::HashMap;
use std::rc::Rc;

use crate::address::Commit;
use crate::ancestry::AncestryError;
use crate::artifact::{Digest, Hasher};
use crate::inputs::Inputs;
use crate::tally::{Taken, Tally, TreeEntry};

use super::Repository;
use super::objects::{self, Cause, Objects};
use super::trees::{Visitor, walk};

/// Returns what a commit has of each of several declared inputs; none where the commit or a tree is not here.
pub(super) fn at(objects: &mut dyn Objects, commit: Commit, declared: &[&Inputs]) -> Result<Option<Vec<Taken>>, Cause> {
    let Some(tree) = objects::tree(objects, commit)? else { return Ok(None) };
    let mut tallies =
        Tallies { tallies: declared.iter().map(|inputs| (*inputs, Tally::of(inputs))).collect(), active: Vec::new() };
    let walked = walk(objects, tree.to_string(), &mut tallies)?;
    Ok(walked.ok().map(|()| tallies.tallies.into_iter().map(|(_, tally)| tally.finish()).collect()))
}

/// Counts several declared inputs at once.
struct Tallies<'i> {
    tallies: Vec<(&'i Inputs, Tally<'i>)>,
    /// For each directory that the walk is in, which of them may match in it.
    active: Vec<Vec<bool>>,
}

impl Visitor for Tallies<'_> {
    fn enter(&mut self, _: &str, path: &[u8]) -> bool {
        let above = self.active.last();
        let may = |(index, (inputs, _)): (usize, &(&Inputs, Tally<'_>))| {
            above.is_none_or(|above| above.get(index) == Some(&true)) && inputs.may_match_below(path)
        };
        let active: Vec<bool> = self.tallies.iter().enumerate().map(may).collect();
        let enters = active.contains(&true);
        if enters {
            self.active.push(active);
        }
        enters
    }

    fn look(&mut self, entry: &TreeEntry<'_>) {
        for ((_, tally), active) in self.tallies.iter_mut().zip(self.active.last().into_iter().flatten()) {
            if *active {
                tally.look(entry);
            }
        }
    }

    fn leave(&mut self) {
        self.active.pop();
    }
}

/// Returns the digest of one artifact's inputs at each of many commits.
pub(super) fn along(
    repository: &Repository,
    commits: &[Commit],
    inputs: &Inputs,
) -> Result<Vec<Option<Digest>>, AncestryError> {
    let mut memory = Memory { inputs, before: None, inside: Vec::new(), now: None };
    let mut digest = |commit: &Commit| {
        let answer = repository.read(|objects| memory.digest(objects, *commit));
        answer.map_err(|source| AncestryError::Unreadable { commit: *commit, source })
    };
    commits.iter().map(&mut digest).collect()
}

/// Holds what a directory has of the inputs, in the order of its tree.
#[derive(Debug)]
struct Found {
    tree: String,
    pieces: Vec<Piece>,
    /// The directories among the pieces by their names.
    below: HashMap<Vec<u8>, Rc<Found>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// What the digest is made of, for entries that stand side by side.
    Records(Vec<u8>),
    Below(Rc<Found>),
}

/// What was found is the same where the digest is made of the same, whatever else the trees hold.
impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.pieces == other.pieces
    }
}

impl Eq for Found {}

impl Found {
    fn in_tree(tree: &str) -> Self {
        Self { tree: tree.to_owned(), pieces: Vec::new(), below: HashMap::new() }
    }

    fn digest(&self) -> Digest {
        let mut hasher = Hasher::default();
        let mut rest: Vec<_> = vec![self.pieces.iter()];
        while let Some(pieces) = rest.last_mut() {
            match pieces.next() {
                Some(Piece::Records(records)) => hasher.update(records),
                Some(Piece::Below(found)) => rest.push(found.pieces.iter()),
                None => drop(rest.pop()),
            }
        }
        hasher.finish()
    }
}

/// Takes one commit after the other. What a directory has is known where the commit before has the same tree at the same path.
struct Memory<'i> {
    inputs: &'i Inputs,
    /// What the commit before has, and its digest.
    before: Option<(Rc<Found>, Digest)>,
    /// The directories that the walk is in.
    inside: Vec<Inside>,
    /// What this commit has, once its walk is through.
    now: Option<Rc<Found>>,
}

/// Holds a directory that the walk is in.
struct Inside {
    name: Vec<u8>,
    /// What the commit before has there.
    before: Option<Rc<Found>>,
    found: Found,
}

impl Memory<'_> {
    fn digest(&mut self, objects: &mut dyn Objects, commit: Commit) -> Result<Option<Digest>, Cause> {
        let Some(tree) = objects::tree(objects, commit)? else { return Ok(None) };
        (self.inside, self.now) = (Vec::new(), None);
        if walk(objects, tree.to_string(), self)?.is_err() {
            return Ok(None);
        }
        let now = self.now.take().unwrap_or_else(|| Rc::new(Found::in_tree("")));
        let digest = match &self.before {
            Some((before, digest)) if *before == now => *digest,
            _ => now.digest(),
        };
        self.before = Some((now, digest));
        Ok(Some(digest))
    }

    /// Keeps what was found in a directory for the one above it.
    fn keep(&mut self, name: Vec<u8>, found: Rc<Found>) {
        let Some(Inside { found: above, .. }) = self.inside.last_mut() else {
            self.now = Some(found);
            return;
        };
        if !found.pieces.is_empty() {
            above.pieces.push(Piece::Below(Rc::clone(&found)));
        }
        above.below.insert(name, found);
    }
}

impl Visitor for Memory<'_> {
    fn enter(&mut self, tree: &str, path: &[u8]) -> bool {
        if !self.inputs.may_match_below(path) {
            return false;
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
        let before = match self.inside.last() {
            Some(above) => above.before.as_ref().and_then(|above| above.below.get(&name)),
            None => self.before.as_ref().map(|(before, _)| before),
        };
        let before = before.cloned();
        if let Some(known) = before.as_ref().filter(|before| before.tree == tree) {
            self.keep(name, Rc::clone(known));
            return false;
        }
        self.inside.push(Inside { name, before, found: Found::in_tree(tree) });
        true
    }

    fn look(&mut self, entry: &TreeEntry<'_>) {
        let Some(Inside { found, .. }) = self.inside.last_mut() else { return };
        if !entry.is_one_of(self.inputs) {
            return;
        }
        match found.pieces.last_mut() {
            Some(Piece::Records(records)) => records.extend(entry.record()),
            Some(Piece::Below(_)) | None => found.pieces.push(Piece::Records(entry.record())),
        }
    }

    fn leave(&mut self) {
        if let Some(Inside { name, found, .. }) = self.inside.pop() {
            self.keep(name, Rc::new(found));
        }
    }
}
