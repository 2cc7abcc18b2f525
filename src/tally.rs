//! The digest of an artifact's declared inputs: what a commit's tree has of them.

use crate::artifact::{Digest, Hasher};
use crate::inputs::Inputs;

/// The mode of a submodule: the commit of another repository.
pub const SUBMODULE: u32 = 0o160_000;

/// Holds one entry of a commit's tree that is no directory, as `git ls-tree -r` lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeEntry<'t> {
    /// What it is: `0o100_644`, `0o100_755`, `0o120_000` or [`SUBMODULE`].
    pub mode: u32,
    /// The full id of its object, in lower-case hex.
    pub id: &'t str,
    /// Its path from the top, with `/` between its parts.
    pub path: &'t [u8],
}

/// Takes the entries of a tree, and then says the digest of those that are inputs.
///
/// The digest is the SHA-256 of one record for each entry that is an input, in the order of the tree, which is that of the paths' bytes: its mode in
/// six octal digits, a space, `blob` (for a submodule `commit`), a space, the id of its object, a tab, its path from the top as it is, and a null byte.
/// So, where the pathspecs are plain directories, another tool has it from `git ls-tree -r -z --full-tree <commit> -- web/ libs/common/ | sha256sum`.
#[derive(Debug, Clone)]
pub struct Tally<'i> {
    inputs: &'i Inputs,
    hasher: Hasher,
    entries: u64,
    /// The pathspecs that have taken nothing yet.
    idle: Vec<usize>,
}

/// Says what a commit's tree has of declared inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The digest, as [`Tally`] says.
    pub digest: Digest,
    /// How many entries are inputs.
    pub entries: u64,
    /// The pathspecs that take none of them: most likely a slip. Those that exclude are never among them.
    pub idle: Vec<String>,
}

impl<'i> Tally<'i> {
    /// Begins to count what is declared.
    #[must_use]
    pub fn of(inputs: &'i Inputs) -> Self {
        Self { inputs, hasher: Hasher::default(), entries: 0, idle: inputs.takers().collect() }
    }

    /// Looks at the next entry of the tree, in its order, and counts it where it is one of the inputs.
    pub fn look(&mut self, entry: &TreeEntry<'_>) {
        if entry.is_one_of(self.inputs) {
            self.hasher.update(&entry.record());
            self.entries += 1;
            if !self.idle.is_empty() {
                let taken: Vec<usize> = self.inputs.taken_by(entry.path, entry.mode == SUBMODULE).collect();
                self.idle.retain(|index| !taken.contains(index));
            }
        }
    }

    /// Returns what was counted.
    #[must_use]
    pub fn finish(self) -> Taken {
        let idle = self.idle.iter().filter_map(|index| self.inputs.specs().get(*index)).cloned().collect();
        Taken { digest: self.hasher.finish(), entries: self.entries, idle }
    }
}

impl TreeEntry<'_> {
    /// Says whether the entry is one of the inputs.
    #[must_use]
    pub fn is_one_of(&self, inputs: &Inputs) -> bool {
        if self.mode == SUBMODULE { inputs.is_match_of_submodule(self.path) } else { inputs.is_match(self.path) }
    }

    /// Returns the bytes that stand for the entry in a digest.
    #[must_use]
    pub fn record(&self) -> Vec<u8> {
        let kind = if self.mode == SUBMODULE { "commit" } else { "blob" };
        [format!("{:06o} {kind} {}\t", self.mode, self.id).as_bytes(), self.path, b"\0"].concat()
    }
}
