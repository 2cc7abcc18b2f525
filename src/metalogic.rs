//! The metalogic: the nearest ancestor that built an artifact is where the artifact is.
//!
//! The rule is a fold. It is fed what stands at the commit's address, then at the addresses of its ancestors, nearest first,
//! then the ancestors' metafiles in the same order; it says when nothing is missing any more.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Commit;
use crate::artifact::{METAFILE, Name};
use crate::inputs::Inputs;
use crate::metafile::Metafile;

/// Holds what stands at one address, as a store lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects whose names are artifact names, with their sizes in bytes.
    pub artifacts: BTreeMap<Name, u64>,
    /// Whether the metafile is there.
    pub metafile: bool,
    /// The names of all other objects: no artifact can be called so.
    pub odd: BTreeSet<String>,
}

/// Makes a listing of names below an address and sizes. Names that begin with a full stop are the program's own and the empty name is
/// the "folder" that S3 consoles make: neither counts.
impl FromIterator<(String, u64)> for Listing {
    fn from_iter<T: IntoIterator<Item = (String, u64)>>(objects: T) -> Self {
        let mut listing = Self::default();
        for (text, size) in objects {
            if text == METAFILE {
                listing.metafile = true;
            } else if let Ok(name) = text.parse() {
                listing.artifacts.insert(name, size);
            } else if !text.is_empty() && !text.starts_with('.') {
                listing.odd.insert(text);
            }
        }
        listing
    }
}

/// Holds the names that the registry knows, as the rule needs them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// The names of this repository's projects: what is looked for.
    pub wanted: BTreeSet<Name>,
    /// The names of all projects, those of `wanted` among them.
    pub registered: BTreeSet<Name>,
    /// The names that are resolved no more, but are fine where they lie.
    pub retired: BTreeSet<Name>,
    /// What artifacts are declared to be built from.
    pub inputs: BTreeMap<Name, Inputs>,
}

impl Vocabulary {
    /// Says whether a registry could come to know this name too: it is one, and differs from those that are known in more than case.
    #[must_use]
    pub fn admits(&self, text: &str) -> bool {
        let Ok(name) = text.parse::<Name>() else { return false };
        let folded = name.folded();
        !self.registered.iter().chain(&self.retired).any(|known| known.folded() == folded)
    }
}

/// Says what to do with entries of the commit's own metafile that nothing found supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They stay: a write never removes a name.
    Everything,
    /// They go.
    OnlyFound,
}

/// Tells one step of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The set of missing artifacts changed when this address had been looked at.
    Missing {
        /// The commit whose address was looked at.
        at: Commit,
        /// What is missing still.
        names: BTreeSet<Name>,
    },
    /// So many further ancestors changed nothing.
    SameMissing {
        /// How many, at least one.
        ancestors: usize,
    },
    /// What no address has is now looked for in the ancestors' metafiles.
    ViaMetafiles,
}

/// Folds listings and metafiles into the place of every artifact of one commit.
#[derive(Debug, Clone)]
pub struct Metalogic {
    commit: Commit,
    vocabulary: Vocabulary,
    found: BTreeMap<Name, Commit>,
    missing: BTreeSet<Name>,
    unknown: BTreeSet<String>,
    steps: Vec<Step>,
    unchanged: usize,
}

/// Holds what the fold came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// The metafile to write, with those details that are known already.
    pub metafile: Metafile,
    /// The names that were found now; the others of the metafile are only kept.
    pub found: BTreeSet<Name>,
    /// The wanted names that nothing resolves.
    pub missing: BTreeSet<Name>,
    /// The objects at the commit's own address whose names the registry does not know.
    pub unknown: BTreeSet<String>,
    /// The walk, step by step.
    pub steps: Vec<Step>,
}

impl Metalogic {
    /// Begins with what stands at the commit's own address: every registered name there is resolved to it.
    #[must_use]
    pub fn begin(commit: Commit, listing: &Listing, vocabulary: Vocabulary) -> Self {
        let known = |name: &&Name| vocabulary.registered.contains(*name);
        let retired = |name: &&Name| vocabulary.retired.contains(*name);
        let found: BTreeMap<Name, Commit> =
            listing.artifacts.keys().filter(known).map(|name| (name.clone(), commit)).collect();
        let unregistered = listing.artifacts.keys().filter(|name| !known(name) && !retired(name));
        let unknown = unregistered.map(ToString::to_string).chain(listing.odd.iter().cloned()).collect();
        let missing = vocabulary.wanted.iter().filter(|name| !found.contains_key(*name)).cloned().collect();
        let mut rule = Self { commit, vocabulary, found, missing, unknown, steps: Vec::new(), unchanged: 0 };
        rule.tell_missing(commit);
        rule
    }

    /// Says whether nothing is missing any more, so that nothing further need be fed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Takes what stands at the next ancestor's address. What was looked up ahead in vain, beyond completeness, changes nothing.
    pub fn pass(&mut self, ancestor: Commit, listing: &Listing) {
        if self.is_complete() {
            return;
        }
        let here: Vec<Name> =
            self.missing.iter().filter(|name| listing.artifacts.contains_key(*name)).cloned().collect();
        if here.is_empty() {
            self.unchanged += 1;
            return;
        }
        for name in here {
            self.missing.remove(&name);
            self.found.insert(name, ancestor);
        }
        self.tell_unchanged();
        self.tell_missing(ancestor);
    }

    /// Ends the walk over addresses: what is missing now is looked for in metafiles.
    pub fn turn_to_metafiles(&mut self) {
        self.tell_unchanged();
        if !self.is_complete() {
            self.steps.push(Step::ViaMetafiles);
        }
    }

    /// Returns the addresses at which a metafile says that missing artifacts stand.
    #[must_use]
    pub fn addresses_named(&self, metafile: &Metafile) -> BTreeSet<Commit> {
        self.missing.iter().filter_map(|name| metafile.artifacts.get(name)).copied().collect()
    }

    /// Takes the next ancestor's metafile: an entry counts only if the artifact stands where it says.
    pub fn consult(&mut self, metafile: &Metafile, stands: impl Fn(Commit, &Name) -> bool) {
        let missing = std::mem::take(&mut self.missing);
        for name in missing {
            match metafile.artifacts.get(&name) {
                Some(&commit) if stands(commit, &name) => {
                    self.found.insert(name, commit);
                }
                Some(_) | None => {
                    self.missing.insert(name);
                }
            }
        }
    }

    /// Ends the fold. `base` is the commit's own metafile as it was read or, where there is none, its stub.
    ///
    /// Records of `base` stay where name and commit are the same; the others are left to who can look.
    #[must_use]
    pub fn finish(mut self, parent_commit: Option<Commit>, base: Option<&Metafile>, keep: Keep) -> Resolution {
        self.tell_unchanged();
        let mut metafile = Metafile::empty(self.commit, parent_commit);
        if let Some(base) = base {
            metafile.tree = base.tree;
            metafile.skips = base.skips.clone();
            metafile.unknown = base.unknown.clone();
            // An attempt counts for nothing once the artifact stands here.
            let stands = |name: &Name| self.found.get(name) == Some(&self.commit);
            let attempts = base.attempts.iter().filter(|(name, _)| !stands(name));
            metafile.attempts = attempts.map(|(name, attempt)| (name.clone(), attempt.clone())).collect();
            if keep == Keep::Everything {
                metafile.artifacts = base.artifacts.clone();
            }
        }
        let found = self.found.keys().cloned().collect();
        metafile.artifacts.extend(self.found);
        let record = |(name, &commit): (&Name, &Commit)| Some((name.clone(), base?.record(name, commit)?.clone()));
        metafile.details = metafile.artifacts.iter().filter_map(record).collect();
        let missing = |name: &Name| !metafile.artifacts.contains_key(name);
        Resolution {
            found,
            missing: self.vocabulary.wanted.into_iter().filter(missing).collect(),
            unknown: self.unknown,
            steps: self.steps,
            metafile,
        }
    }

    fn tell_missing(&mut self, at: Commit) {
        if !self.is_complete() {
            self.steps.push(Step::Missing { at, names: self.missing.clone() });
        }
    }

    fn tell_unchanged(&mut self) {
        match std::mem::take(&mut self.unchanged) {
            0 => {}
            ancestors => self.steps.push(Step::SameMissing { ancestors }),
        }
    }
}
