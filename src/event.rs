//! What happens on the way to an answer, for whoever wants to tell it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::address::Commit;
use crate::artifact::Name;
use crate::bisection::Verdict;
use crate::metalogic::Step;
use crate::version::Version;

/// Names one thing that happened while a flow ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The walk went on by one step that is worth telling.
    Walked(Step),
    /// The ancestors beyond this commit cannot be known.
    HistoryEnds {
        /// The last commit that is known.
        at: Commit,
        /// Why, as a fragment.
        why: String,
    },
    /// An ancestor's metafile is malformed and was passed over.
    MetafileSkipped {
        /// The commit at whose address it lies.
        commit: Commit,
        /// What is wrong with it.
        problem: String,
    },
    /// The commit's own metafile is malformed and is made anew.
    MetafileRemade {
        /// The commit at whose address it lies.
        commit: Commit,
        /// What is wrong with it.
        problem: String,
    },
    /// Another writer was first: the metafile is resolved again.
    LostRace {
        /// The commit whose metafile it is.
        commit: Commit,
    },
    /// Another writer of a registry was first: it is read again.
    LostRegistryRace {
        /// The registry's URL.
        url: String,
    },
    /// The metafile at an address says what it should.
    Metafile {
        /// The metafile's URL.
        url: String,
        /// Whether this run wrote it; otherwise it stood there.
        written: bool,
    },
    /// A file's bytes begin to move.
    Started {
        /// Which kind of move.
        transfer: Transfer,
        /// Its size in bytes.
        size: u64,
    },
    /// More of a file's bytes have moved.
    Moved {
        /// Which kind of move.
        transfer: Transfer,
        /// How many more bytes.
        bytes: u64,
    },
    /// A file's bytes have moved.
    Finished {
        /// Which kind of move.
        transfer: Transfer,
    },
    /// An earlier run had the first bytes of an object already: the others are fetched.
    Resumed {
        /// What messages call it.
        what: String,
        /// How many bytes are there.
        at: u64,
        /// How many it has in all.
        size: u64,
    },
    /// The first bytes of an object stay, so that a further run can go on there.
    Suspended {
        /// What messages call it.
        what: String,
        /// How many bytes those are.
        size: u64,
    },
    /// An artifact was stored.
    Stored {
        /// The artifact.
        name: Name,
        /// Its size in bytes.
        size: u64,
        /// Whether the same bytes stood there already, so that nothing was sent.
        present: bool,
    },
    /// An artifact was stored without its bytes being sent: the store copied them.
    Copied {
        /// The artifact.
        name: Name,
        /// Its size in bytes.
        size: u64,
        /// The commit from whose address they were copied.
        from: Commit,
    },
    /// An artifact is at its target.
    Fetched {
        /// The artifact.
        name: Name,
        /// The commit whose address holds it.
        commit: Commit,
        /// The file; none for standard output.
        target: Option<PathBuf>,
        /// Whether the target had the same bytes already.
        present: bool,
    },
    /// A bisection begins, or goes on.
    Bisecting {
        /// Its artifact.
        name: Name,
        /// How many builds may have to be tried.
        builds: usize,
        /// How many commits lie between.
        commits: usize,
        /// How many tries that takes at most, unless some are skipped.
        tries: u32,
        /// How many verdicts are known from earlier runs.
        verdicts: usize,
    },
    /// A build is tried.
    Trying {
        /// How many tries that makes.
        step: usize,
        /// The artifact.
        name: Name,
        /// The commit whose address holds the build.
        commit: Commit,
        /// How many builds are left to try after it, at most.
        left: usize,
    },
    /// A build was tried.
    Tried {
        /// The artifact.
        name: Name,
        /// The commit whose address holds the build.
        commit: Commit,
        /// What was said of it.
        verdict: Verdict,
    },
    /// A bisection goes on with verdicts that somebody else gave than who tries builds now.
    GivenBefore {
        /// How many verdicts.
        verdicts: usize,
        /// The command that gave the latest of them, with its arguments; without any, it was a person.
        by: Vec<String>,
    },
    /// A bisection ended, and nothing shows that good builds were told from bad ones.
    NotToldApart {
        /// The artifact.
        name: Name,
        /// The commit of the last good build, where only whoever asked says that it is good.
        good: Option<Commit>,
        /// The commit of the first bad build, where only whoever asked says that it is bad.
        bad: Option<Commit>,
        /// How often a build was tried.
        steps: usize,
    },
    /// The store does not answer whoever waits, and is asked again.
    Away {
        /// What it said.
        problem: String,
    },
    /// An artifact that a metafile names does not stand where it says.
    Gone {
        /// The artifact.
        name: Name,
        /// The commit of the metafile.
        commit: Commit,
        /// The commit at whose address it should stand.
        at: Commit,
    },
    /// The last good build that a bisection found and the first bad one are the same bytes.
    SameBytes {
        /// The artifact.
        name: Name,
    },
    /// One of several regions does not do what it was asked, and others do.
    RegionPassedOver {
        /// The region.
        region: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The parameter that says what is latest was set.
    LatestSet {
        /// The parameter's name.
        parameter: String,
        /// Where it is.
        place: String,
        /// What it says now.
        version: Version,
    },
    /// Other stagers set what is latest at the same time: it is looked at again.
    LostLatestRace {
        /// The parameter's name.
        parameter: String,
        /// Where it is.
        place: String,
    },
    /// Pathspecs of an artifact's declared inputs match nothing at the commit where it was built: most likely slips of the pen.
    InputsIdle {
        /// The artifact.
        name: Name,
        /// The commit.
        commit: Commit,
        /// The pathspecs.
        specs: Vec<String>,
    },
    /// No digest of an artifact is recorded anywhere, so that its bytes could not be verified.
    Unverified {
        /// The artifact.
        name: Name,
        /// The commit whose address holds it.
        commit: Commit,
    },
}

/// Names the ways in which a file's bytes move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// From a local file into its digest.
    Hash,
    /// From a local file into the store.
    Upload,
    /// From the store into a local file.
    Download,
}

/// Is told what happens, in the order in which it happens.
pub trait Observer: Send + Sync {
    /// Takes note of one event. It must not block for long.
    fn observe(&self, event: &Event);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _: &Event) {}
}

/// Tells somebody everything but the walk: for whoever asks how things stand, and not how that was found. Remembers where history ended.
pub struct Hushed {
    told: Arc<dyn Observer>,
    ends: OnceLock<(Commit, String)>,
}

impl Hushed {
    /// Tells this one.
    #[must_use]
    pub fn new(told: Arc<dyn Observer>) -> Self {
        Self { told, ends: OnceLock::new() }
    }

    /// Returns the commit whose parent nobody knew, and why; none where history did not end at one.
    #[must_use]
    pub fn ends(&self) -> Option<(Commit, &str)> {
        self.ends.get().map(|(at, why)| (*at, why.as_str()))
    }
}

impl Observer for Hushed {
    fn observe(&self, event: &Event) {
        if let Event::HistoryEnds { at, why } = event {
            self.ends.get_or_init(|| (*at, why.clone()));
        }
        if !matches!(event, Event::Walked(_)) {
            self.told.observe(event);
        }
    }
}
