//! Attempts: that builds of artifacts began or failed, recorded in the commit's metafile.
//!
//! Only a publisher can say that an artifact was built. That one is being built, or that its build failed, is said here, so that whoever
//! waits need not wait in vain.

use std::collections::BTreeSet;

use serde_json::Map;

use crate::address::Commit;
use crate::artifact::Name;
use crate::event::Event;
use crate::metafile::{Attempt, Metafile, MetafileError, Progress};
use crate::moment::Stamp;
use crate::race::Race;
use crate::resolve::{self, ResolveError};
use crate::store::{Condition, Key};
use crate::stored;
use crate::walk::Walk;
use crate::world::World;

/// The longest reason that is recorded, in characters: a metafile is read by everybody, and a log is not for it.
pub const LONGEST_REASON: usize = 500;

/// Says what is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The commit at which the artifacts are built.
    pub commit: Commit,
    /// The artifacts.
    pub names: BTreeSet<Name>,
    /// How far their builds came.
    pub state: Progress,
    /// When, and in which run.
    pub stamp: Stamp,
    /// Why they failed.
    pub reason: Option<String>,
    /// The names that a metafile may have.
    pub registered: BTreeSet<Name>,
}

/// Says what recording came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where the metafile lies.
    pub url: String,
    /// The artifacts whose attempts are recorded now (or would be).
    pub recorded: BTreeSet<Name>,
    /// Those that stand there already, so that nothing is said of them.
    pub standing: BTreeSet<Name>,
    /// Whether this run wrote the metafile.
    pub written: bool,
}

/// Records attempts, by compare-and-swap. Whoever creates the metafile so creates it with what its stub would say.
///
/// # Errors
/// [`ResolveError`].
pub async fn record(world: World<'_>, news: &News, dry_run: bool) -> Result<Recorded, ResolveError> {
    let commit = news.commit;
    resolve::expect_known(world, commit).await?;
    let mut walk = Walk::new(world, commit)?;
    let mut race = Race::new(world.limits.timeout);
    loop {
        let (read, own) = stored::read(world.store, commit).await?.map_or((None, None), |stored| {
            let remade = |error: &MetafileError| Event::MetafileRemade { commit, problem: error.to_string() };
            let own = stored.metafile.inspect_err(|error| world.observer.observe(&remade(error))).ok();
            (Some((stored.bytes, stored.tag)), own)
        });
        let standing = world.store.list(commit).await?.artifacts;
        let mut metafile = match own {
            Some(own) => own,
            None => {
                let here = standing.keys().filter(|name| news.registered.contains(*name));
                first_metafile(world, &mut walk, commit, here).await?
            }
        };
        let (standing, recorded): (BTreeSet<Name>, BTreeSet<Name>) =
            news.names.iter().cloned().partition(|name| standing.contains_key(name));
        metafile.attempts.retain(|name, _| !standing.contains(name));
        metafile.attempts.extend(recorded.iter().map(|name| (name.clone(), news.attempt())));
        let url = world.store.url(&Key::Metafile(commit));
        let bytes = metafile.to_bytes().map_err(|source| ResolveError::Metafile {
            commit,
            url: url.clone(),
            source: Box::new(source),
        })?;
        let unchanged = read.as_ref().is_some_and(|(read, _)| *read == bytes);
        if dry_run || unchanged {
            return Ok(Recorded { url, recorded, standing, written: false });
        }
        let condition = read.map_or(Condition::Absent, |(_, tag)| Condition::Matches(tag));
        if stored::write(world.store, commit, bytes, &condition).await? {
            return Ok(Recorded { url, recorded, standing, written: true });
        }
        world.observer.observe(&Event::LostRace { commit });
        race.lost().await.map_err(|over| ResolveError::Raced { commit, races: over.races, waited: over.waited })?;
    }
}

/// Returns what the commit's stub would say, and of what stands there that it does.
async fn first_metafile(
    world: World<'_>,
    walk: &mut Walk<'_>,
    commit: Commit,
    here: impl Iterator<Item = &Name>,
) -> Result<Metafile, ResolveError> {
    let parent = walk.parent(None)?;
    let nearest = walk.nearest_metafile().await?;
    let mut metafile =
        nearest.map_or_else(|| Metafile::empty(commit, parent), |nearest: &Metafile| nearest.stub(commit, parent));
    for name in here {
        metafile.artifacts.insert(name.clone(), commit);
        metafile.details.remove(name);
    }
    metafile.skips = walk.skips();
    metafile.tree = world.ancestry.tree(commit)?;
    // Whoever asks from now on is answered by this: where it knows no history, that is no secret.
    if metafile.artifacts.is_empty() {
        walk.go_back().await?;
    }
    Ok(metafile)
}

impl News {
    fn attempt(&self) -> Attempt {
        Attempt {
            state: self.state.clone(),
            run: self.stamp.run.clone(),
            at: self.stamp.at,
            reason: self.reason.clone(),
            unknown: Map::new(),
        }
    }
}
