//! A walk through a commit's trees, as far as they matter.

use crate::tally::TreeEntry;

use super::objects::{self, Cause, Cut, DIRECTORY, Entry, Kind, Malformed, Objects};

/// How deep trees may lie in each other: as git's own `core.maxTreeDepth`.
const DEEPEST: usize = 2048;

/// How many entries of one commit are looked at: a few trees that hold each other many times make more than anyone can count.
const MOST_ENTRIES: usize = 5_000_000;

/// Says that a commit's tree is beyond all reason.
#[derive(Debug, thiserror::Error)]
enum Beyond {
    #[error("the directories lie more than {DEEPEST} deep in each other")]
    Deep,
    #[error("there are more than {MOST_ENTRIES} files")]
    Wide,
}

/// Says that a tree that is needed is not here.
pub(super) struct LeftOut;

/// Takes what a walk comes across.
pub(super) trait Visitor {
    /// Comes to a directory, before anything in it. It is passed over where the answer is no, and then not left either.
    fn enter(&mut self, tree: &str, path: &[u8]) -> bool;
    /// Comes to anything else.
    fn look(&mut self, entry: &TreeEntry<'_>);
    /// Leaves the directory that was entered last.
    fn leave(&mut self);
}

/// Walks through a tree in its order, as deep as the visitor wants; an error inside where a tree is not here.
pub(super) fn walk(
    objects: &mut dyn Objects,
    top: String,
    visitor: &mut dyn Visitor,
) -> Result<Result<(), LeftOut>, Cause> {
    let mut path = Vec::new();
    if !visitor.enter(&top, &path) {
        return Ok(Ok(()));
    }
    let Some(bytes) = read(objects, &top)? else { return Ok(Err(LeftOut)) };
    let (id_length, mut entries) = (top.len() / 2, 0);
    let mut inside = vec![Reading { id: top, bytes, at: 0, path: 0 }];
    while let Some(depth) = inside.len().checked_sub(1)
        && let Some(reading) = inside.last_mut()
    {
        path.truncate(reading.path);
        let Some(entry) = reading.next(id_length)? else {
            visitor.leave();
            inside.pop();
            continue;
        };
        entries += 1;
        if entries > MOST_ENTRIES {
            return Err(Beyond::Wide.into());
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(entry.name);
        let (mode, id) = (entry.mode, entry.id());
        if mode != DIRECTORY {
            visitor.look(&TreeEntry { mode, id: &id, path: &path });
        } else if visitor.enter(&id, &path) {
            if depth == DEEPEST {
                return Err(Beyond::Deep.into());
            }
            let Some(bytes) = read(objects, &id)? else { return Ok(Err(LeftOut)) };
            inside.push(Reading { id, bytes, at: 0, path: path.len() });
        }
    }
    Ok(Ok(()))
}

/// Holds a tree that is read.
struct Reading {
    id: String,
    bytes: Vec<u8>,
    /// How far it was read.
    at: usize,
    /// How much of the path is the directory's own.
    path: usize,
}

impl Reading {
    fn next(&mut self, id_length: usize) -> Result<Option<Entry<'_>>, Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match objects::first(rest, id_length) {
            Ok(Some((entry, rest))) => {
                self.at = self.bytes.len() - rest.len();
                Ok(Some(entry))
            }
            Ok(None) => Ok(None),
            Err(Cut) => Err(Malformed { kind: Kind::Tree, id: self.id.clone() }),
        }
    }
}

fn read(objects: &mut dyn Objects, id: &str) -> Result<Option<Vec<u8>>, Cause> {
    match objects.read(id, u64::MAX)? {
        None => Ok(None),
        Some(object) if object.kind == Kind::Tree => Ok(Some(object.bytes)),
        Some(_) => Err(Malformed { kind: Kind::Tree, id: id.to_owned() }.into()),
    }
}
