//! What is read from raw objects, whichever way they are got.
//!
//! Raw objects know nothing of grafts, replace refs or a shallow clone's boundary: a commit's header names the parents that it was made with.

use crate::address::{Commit, Tree};
use crate::ancestry::{End, Lineage};
use crate::tally::SUBMODULE;

use super::Sought;

/// The mode of a directory in a tree.
pub(super) const DIRECTORY: u32 = 0o040_000;

/// Says why reading fails.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Reads objects by their full ids.
pub(super) trait Objects {
    /// Returns an object; none where it is not there. A blob of more than `largest` bytes fails with [`TooLarge`].
    fn read(&mut self, id: &str, largest: u64) -> Result<Option<Object>, Cause>;
}

/// Holds an object as git hashed it, without its own first line.
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

/// Names the kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Blob,
    Commit,
    Tag,
    Tree,
}

/// Says that a blob is larger than its reader expects.
#[derive(Debug, thiserror::Error)]
#[error("it has {size} bytes, more than the {largest} that are read")]
pub(super) struct TooLarge {
    pub(super) size: u64,
    pub(super) largest: u64,
}

/// Says that an object is not what git writes.
#[derive(Debug, thiserror::Error)]
#[error("the {kind:?} {id} is malformed")]
pub(super) struct Malformed {
    pub(super) kind: Kind,
    pub(super) id: String,
}

/// Walks first parents: one object for each ancestor, and the commit itself. None where that is not there.
pub(super) fn lineage(objects: &mut dyn Objects, commit: Commit, most: usize) -> Result<Option<Lineage>, Cause> {
    let Some(mut next) = first_parent(objects, commit)? else { return Ok(None) };
    let mut ancestors = Vec::new();
    while let Some(parent) = next {
        if ancestors.len() == most {
            return Ok(Some(Lineage { ancestors, end: End::Most }));
        }
        ancestors.push(parent);
        match first_parent(objects, parent)? {
            Some(grandparent) => next = grandparent,
            None => return Ok(Some(Lineage { ancestors, end: End::Unknown })),
        }
    }
    Ok(Some(Lineage { ancestors, end: End::Root }))
}

/// Looks for a commit along the first parents of another one. To be a further parent of a merge counts only where it is no first parent itself.
pub(super) fn seek(objects: &mut dyn Objects, old: Commit, new: Commit, most: usize) -> Result<Sought, Cause> {
    let (mut at, mut beside) = (new, None);
    for _ in 0..=most {
        if at == old {
            return Ok(Sought::Along);
        }
        let otherwise = |end| beside.map_or(end, Sought::Beside);
        let Some(header) = commit(objects, at)? else {
            return Ok(otherwise(Sought::Cut));
        };
        let mut parents = headers(&header, "parent");
        let Some(first) = parents.next() else { return Ok(otherwise(Sought::Nowhere)) };
        if parents.any(|further| further == old.to_string()) {
            beside = Some(at);
        }
        at = first.parse()?;
    }
    Ok(beside.map_or(Sought::Further, Sought::Beside))
}

/// Returns the commit that an object is, or that a tag leads to.
pub(super) fn peel(objects: &mut dyn Objects, mut id: String) -> Result<Option<Commit>, Cause> {
    loop {
        let Some(object) = objects.read(&id, u64::MAX)? else { return Ok(None) };
        match object.kind {
            Kind::Commit => return Ok(Some(id.parse()?)),
            Kind::Tag => id = headers(&object.bytes, "object").next().ok_or(Malformed { kind: Kind::Tag, id })?,
            Kind::Tree | Kind::Blob => return Ok(None),
        }
    }
}

/// Says whether a commit is there and has several parents.
pub(super) fn is_merge(objects: &mut dyn Objects, commit: Commit) -> Result<bool, Cause> {
    let header = self::commit(objects, commit)?;
    Ok(header.is_some_and(|bytes| headers(&bytes, "parent").nth(1).is_some()))
}

/// Says whether a commit is there and has that one parent alone.
pub(super) fn is_only_parent(objects: &mut dyn Objects, parent: Commit, commit: Commit) -> Result<bool, Cause> {
    let header = self::commit(objects, commit)?;
    let parents = header.map(|bytes| headers(&bytes, "parent").collect::<Vec<_>>());
    Ok(parents.is_some_and(|parents| *parents == [parent.to_string()]))
}

/// Says what is at a path below a commit's tree.
pub(super) enum Blob {
    /// A file with these bytes.
    Here(Vec<u8>),
    /// No file, or no such commit.
    Nowhere,
    /// The commit is here, and a tree or the file itself is not: the clone is partial.
    LeftOut,
}

/// Returns the bytes of the blob at a path below a commit's tree.
pub(super) fn file_at(objects: &mut dyn Objects, commit: Commit, path: &str, largest: u64) -> Result<Blob, Cause> {
    let id = commit.to_string();
    let Some(header) = read(objects, &id, Kind::Commit, u64::MAX)? else { return Ok(Blob::Nowhere) };
    let mut at = headers(&header, "tree").next().ok_or_else(|| Malformed { kind: Kind::Commit, id: id.clone() })?;
    for part in path.split('/') {
        let Some(tree) = objects.read(&at, u64::MAX)? else { return Ok(Blob::LeftOut) };
        if tree.kind != Kind::Tree {
            return Ok(Blob::Nowhere);
        }
        match entry(&tree.bytes, part, id.len() / 2) {
            Ok(Some(child)) => at = child,
            Ok(None) => return Ok(Blob::Nowhere),
            Err(Cut) => return Err(Malformed { kind: Kind::Tree, id: at }.into()),
        }
    }
    Ok(match objects.read(&at, largest)? {
        None => Blob::LeftOut,
        Some(file) if file.kind == Kind::Blob => Blob::Here(file.bytes),
        Some(_) => Blob::Nowhere,
    })
}

/// Returns the tree of a commit; none where the commit is not there. The tree itself need not be.
pub(super) fn tree(objects: &mut dyn Objects, commit: Commit) -> Result<Option<Tree>, Cause> {
    let id = commit.to_string();
    let Some(header) = read(objects, &id, Kind::Commit, u64::MAX)? else { return Ok(None) };
    let tree = headers(&header, "tree").next().ok_or(Malformed { kind: Kind::Commit, id })?;
    Ok(Some(tree.parse()?))
}

/// Returns the first parent of a commit: none inside where it is a root, none at all where the commit is not there.
fn first_parent(objects: &mut dyn Objects, commit: Commit) -> Result<Option<Option<Commit>>, Cause> {
    let Some(header) = self::commit(objects, commit)? else { return Ok(None) };
    Ok(Some(headers(&header, "parent").next().map(|id| id.parse()).transpose()?))
}

/// Returns the bytes of a commit; none where it is not there.
pub(super) fn commit(objects: &mut dyn Objects, commit: Commit) -> Result<Option<Vec<u8>>, Cause> {
    read(objects, &commit.to_string(), Kind::Commit, u64::MAX)
}

fn read(objects: &mut dyn Objects, id: &str, kind: Kind, largest: u64) -> Result<Option<Vec<u8>>, Cause> {
    let object = objects.read(id, largest)?;
    Ok(object.filter(|object| object.kind == kind).map(|object| object.bytes))
}

/// Returns the values of one header of a commit or a tag. The headers end where the message begins: at an empty line.
pub(super) fn headers(bytes: &[u8], name: &'static str) -> impl Iterator<Item = String> {
    let lines = bytes.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty());
    let value = move |line: &[u8]| Some(line.strip_prefix(name.as_bytes())?.strip_prefix(b" ")?.to_vec());
    lines.filter_map(value).map(|value| String::from_utf8_lossy(&value).into_owned())
}

/// Says that a tree ends in the middle of an entry.
pub(super) struct Cut;

/// Holds an entry of a tree.
pub(super) struct Entry<'t> {
    /// The mode as git reads it: older versions wrote more of them.
    pub(super) mode: u32,
    pub(super) name: &'t [u8],
    id: &'t [u8],
}

impl Entry<'_> {
    /// Returns the full id of the entry's object.
    pub(super) fn id(&self) -> String {
        let digits = self.id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')).collect()
    }
}

/// Returns a tree's first entry, and the rest of the tree. Each entry is a mode, a space, a name, a null byte and the id's bytes.
pub(super) fn first(tree: &[u8], id_length: usize) -> Result<Option<(Entry<'_>, &[u8])>, Cut> {
    if tree.is_empty() {
        return Ok(None);
    }
    let end = tree.iter().position(|&byte| byte == 0).ok_or(Cut)?;
    let (title, rest) = tree.split_at(end);
    let (id, rest) = rest.get(1..).and_then(|rest| rest.split_at_checked(id_length)).ok_or(Cut)?;
    let space = title.iter().position(|&byte| byte == b' ').ok_or(Cut)?;
    let (mode, name) = (title.get(..space).unwrap_or_default(), title.get(space + 1..).unwrap_or_default());
    let mode = str::from_utf8(mode).ok().and_then(|mode| u32::from_str_radix(mode, 8).ok()).ok_or(Cut)?;
    Ok(Some((Entry { mode: canonical(mode), name, id }, rest)))
}

/// Returns the mode that git shows for one: of a file's permissions only whether its owner may execute it, and what is nothing else is a submodule.
fn canonical(mode: u32) -> u32 {
    match mode & 0o170_000 {
        0o100_000 if mode & 0o100 != 0 => 0o100_755,
        0o100_000 => 0o100_644,
        0o120_000 => 0o120_000,
        0o040_000 => DIRECTORY,
        _ => SUBMODULE,
    }
}

/// Returns the id of a tree's entry of that name; none for a submodule, whose commit is another repository's.
fn entry(mut tree: &[u8], name: &str, id_length: usize) -> Result<Option<String>, Cut> {
    while let Some((entry, rest)) = first(tree, id_length)? {
        if entry.name == name.as_bytes() {
            return Ok((entry.mode != SUBMODULE).then(|| entry.id()));
        }
        tree = rest;
    }
    Ok(None)
}
