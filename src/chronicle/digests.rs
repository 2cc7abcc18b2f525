//! The digests of declared inputs along a line of commits, found for many commits at once.

use std::collections::HashMap;

use crate::address::Commit;
use crate::ancestry::{Ancestry, AncestryError};
use crate::artifact::{Digest, Name};
use crate::inputs::Inputs;

/// For how many commits the digests are found at first, and then: the first of them are wanted at once, and neighbours cost little.
const FIRST: usize = 8;
const THEN: usize = 64;

/// Knows the digests of stretches of the line.
pub(super) struct Digests<'a> {
    ancestry: &'a dyn Ancestry,
    stretches: HashMap<Name, Stretch>,
}

/// Holds the digests of one artifact's inputs at commits in a row.
struct Stretch {
    inputs: Inputs,
    /// How far away the first of them is.
    from: usize,
    digests: Vec<Option<Digest>>,
}

impl<'a> Digests<'a> {
    pub(super) fn new(ancestry: &'a dyn Ancestry) -> Self {
        Self { ancestry, stretches: HashMap::new() }
    }

    /// Returns the digest of an artifact's inputs at the commit that is so many steps away; none where it cannot be told. `ahead` tells that
    /// commit and the ones after it, as many as are known and asked for.
    pub(super) fn at(
        &mut self,
        name: &Name,
        inputs: &Inputs,
        distance: usize,
        ahead: impl FnOnce(usize) -> Vec<Commit>,
    ) -> Result<Option<Digest>, AncestryError> {
        let known = |stretch: &Stretch| stretch.digests.get(distance.checked_sub(stretch.from)?).copied();
        // What was declared otherwise at newer commits says nothing here.
        let before = self.stretches.get(name).filter(|stretch| stretch.inputs == *inputs);
        if let Some(digest) = before.and_then(known) {
            return Ok(digest);
        }
        let width = if before.is_none() { FIRST } else { THEN };
        let digests = self.ancestry.inputs_along(&ahead(width), inputs)?;
        let digest = digests.first().copied().flatten();
        self.stretches.insert(name.clone(), Stretch { inputs: inputs.clone(), from: distance, digests });
        Ok(digest)
    }
}
