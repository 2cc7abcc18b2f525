//! Who takes part in a run, what each of them is to do, and what each of them sees of the world: all of it made from the seed.

use std::collections::HashMap;

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::ancestry::{Ancestry, NoHistory, ToldHistory};
use metalogic::stub::Gaps;
use metalogic::world::Limits;

/// The artifacts that there may be.
pub const NAMES: [&str; 3] = ["a.zip", "b.zip", "c.zip"];

/// The versions that may be staged.
const VERSIONS: [&str; 5] = ["1.0.0-rc.1", "1.0.0", "1.0.5", "2.0.0", "2.0.0+build.5"];

/// How many commits a history has at most.
pub const LONGEST: usize = 8;

/// A way to publish that is known to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is right: what is seen of the others is not the fault of how they are written.
    Nothing,
    /// The version that the write depends on is read after the look at the address.
    TagAfterLook,
    /// The metafile is written before the artifact.
    MetafileFirst,
    /// The metafile's write depends on nothing.
    BlindMetafile,
    /// The artifact's write depends on nothing.
    BlindArtifact,
    /// Something of the same name is taken for another build's, though a first answer may have been lost.
    OwnConflict,
}

impl Wrong {
    /// Those that must be seen.
    pub const FAULTS: [Self; 5] =
        [Self::TagAfterLook, Self::MetafileFirst, Self::BlindMetafile, Self::BlindArtifact, Self::OwnConflict];

    /// Returns what the README calls it.
    pub fn told(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::TagAfterLook => "the version that the write depends on is read after the look at the address",
            Self::MetafileFirst => "the metafile is written before the artifact",
            Self::BlindMetafile => "the metafile is put without its condition",
            Self::BlindArtifact => "the artifact is put without its condition",
            Self::OwnConflict => "a retry takes its own object for a conflict",
        }
    }
}

/// What somebody does.
#[derive(Debug, Clone)]
pub enum Role {
    /// Publishes what a build made; now and then the build gives other bytes than another build of the commit.
    Publish { at: usize, names: Vec<&'static str>, odd: bool },
    /// Puts an artifact as any S3 client can.
    Plant { at: usize, name: &'static str },
    /// Stubs commits, as a hook does.
    Stub { commits: Vec<usize>, gaps: Gaps },
    /// Resolves a commit.
    Resolve { at: usize },
    /// Reads a metafile, and the artifacts that it names.
    Read { at: usize },
    /// Stages a version.
    Stage { version: &'static str, odd: bool },
    /// Asks which versions there are, and reads the latest.
    Ask,
}

/// How much of history somebody sees.
#[derive(Debug, Clone, Copy)]
pub enum View {
    Whole,
    /// As many commits as a shallow clone has.
    Shallow(usize),
    /// There is no repository.
    Nothing,
}

#[derive(Debug, Clone)]
pub struct Actor {
    pub role: Role,
    pub view: View,
    /// How many of the names his registry has: he may stand on an old branch.
    pub known: usize,
    pub wrong: Option<Wrong>,
}

impl Actor {
    pub fn kind(&self) -> &'static str {
        match self.role {
            Role::Publish { .. } => "publish",
            Role::Plant { .. } => "plant",
            Role::Stub { .. } => "stub",
            Role::Resolve { .. } => "resolve",
            Role::Read { .. } => "read",
            Role::Stage { .. } => "stage",
            Role::Ask => "ask",
        }
    }
}

/// What happens in a run, but for the order, which the desk makes of the same seed.
#[derive(Debug)]
pub struct Play {
    pub seed: u64,
    /// The place of each commit's first parent, which is smaller than its own.
    pub parents: Vec<Option<usize>>,
    /// How many ancestors everybody looks at.
    pub most: usize,
    pub actors: Vec<Actor>,
    /// How likely an operation fails.
    pub faults: f64,
    /// How likely an actor dies at an operation.
    pub deaths: f64,
}

pub fn commit(place: usize) -> Commit {
    format!("{:040x}", place + 1).parse().unwrap()
}

impl Play {
    pub fn of(seed: u64, wrong: Option<Wrong>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let length = rng.usize(1..=LONGEST);
        let parents: Vec<Option<usize>> = (0..length)
            .map(|at| match rng.u8(..10) {
                _ if at == 0 => None,
                0 => None,
                1..4 => Some(rng.usize(..at)),
                _ => Some(at - 1),
            })
            .collect();
        let most = if rng.u8(..4) == 0 { rng.usize(..4) } else { 200 };
        let actors = (0..rng.usize(2..=7)).map(|_| Actor::of(&mut rng, length, wrong)).collect();
        let faults = *rng.choice(&[0.0, 0.02, 0.1]).unwrap();
        let deaths = *rng.choice(&[0.0, 0.0, 0.02]).unwrap();
        Self { seed, parents, most, actors, faults, deaths }
    }

    /// Returns a history as somebody sees it who stands at a commit.
    pub fn history(&self, view: View, at: usize) -> Box<dyn Ancestry> {
        let told = |places: Vec<usize>| {
            let parents: HashMap<_, _> =
                places.into_iter().map(|place| (commit(place), self.parents[place].map(commit))).collect();
            Box::new(ToldHistory { parents, ..ToldHistory::default() })
        };
        match view {
            View::Whole => told((0..self.parents.len()).collect()),
            View::Shallow(depth) => told(self.line(at).take(depth).collect()),
            View::Nothing => Box::new(NoHistory),
        }
    }

    /// Returns a commit and its first parents.
    pub fn line(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(at), |&place| self.parents[place])
    }

    /// Returns how many commits back an ancestor is; none where it is no ancestor.
    pub fn distance(&self, from: Commit, to: Commit) -> Option<usize> {
        let at = (0..self.parents.len()).find(|place| commit(*place) == from)?;
        self.line(at).position(|place| commit(place) == to)
    }

    pub fn limits(&self) -> Limits {
        Limits { max_ancestors: self.most, ..Limits::default() }
    }
}

impl Actor {
    fn of(rng: &mut Rng, length: usize, wrong: Option<Wrong>) -> Self {
        // Few commits make many meetings.
        let place = |rng: &mut Rng| if rng.bool() { length - 1 } else { rng.usize(..length) };
        let known = if rng.u8(..6) == 0 { rng.usize(1..NAMES.len()) } else { NAMES.len() };
        let role = match rng.u8(..14) {
            0..5 => {
                let count = rng.usize(1..=2.min(known));
                let names = rng.choose_multiple(&NAMES[..known], count).into_iter().copied().collect();
                Role::Publish { at: place(rng), names, odd: rng.u8(..8) == 0 }
            }
            5 => Role::Plant { at: place(rng), name: rng.choice(NAMES).unwrap() },
            6..8 => {
                let mut commits: Vec<usize> = (0..rng.usize(1..=2)).map(|_| place(rng)).collect();
                commits.sort_unstable();
                commits.dedup();
                Role::Stub { commits, gaps: if rng.bool() { Gaps::Leave } else { Gaps::Fill } }
            }
            8..10 => Role::Resolve { at: place(rng) },
            10 => Role::Read { at: place(rng) },
            11 => Role::Ask,
            _ => Role::Stage { version: rng.choice(VERSIONS).unwrap(), odd: rng.u8(..4) == 0 },
        };
        let view = match rng.u8(..6) {
            0 => View::Shallow(rng.usize(1..4)),
            1 if matches!(role, Role::Resolve { .. } | Role::Publish { .. }) => View::Nothing,
            _ => View::Whole,
        };
        let wrong = wrong.filter(|_| matches!(role, Role::Publish { .. }));
        Self { role, view, known, wrong }
    }
}
