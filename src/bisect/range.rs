//! What lies between a good commit and a bad one: the commits along first parents, and the builds among them.

use futures::future::join3;

use super::{BisectError, Question};
use crate::address::Commit;
use crate::ancestry::{AncestryError, End};
use crate::artifact::Name;
use crate::event::Event;
use crate::metafile::{Metafile, MetafileError};
use crate::metalogic::Listing;
use crate::stored::{self, StoredMetafile};
use crate::walk::Walk;
use crate::world::World;

/// Says what lies between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    /// The commits from the bad one down to the one whose address holds the good build, which is not among them.
    pub(super) commits: Vec<Commit>,
    /// The builds at these commits, oldest first. The last one is bad.
    pub(super) builds: Vec<Build>,
    /// The nearest build that the good commit has.
    pub(super) good: Build,
}

/// Holds a build of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Build {
    /// The commit whose address holds it.
    pub(super) commit: Commit,
    /// Its size in bytes, as its address lists it.
    pub(super) size: u64,
}

impl Build {
    fn at(commit: Commit, listing: &Listing, name: &Name) -> Option<Self> {
        Some(Self { commit, size: *listing.artifacts.get(name)? })
    }
}

/// Looks along first parents from the bad commit down to the build that the good one has.
pub(super) async fn look(world: World<'_>, question: &Question) -> Result<Range, BisectError> {
    let Question { name, good, bad } = question;
    expect_ancestor(world, *good, *bad)?;
    let mut walk = Walk::new(world, *bad)?;
    let (own, listing, ahead) = join3(stored::read(world.store, *bad), world.store.list(*bad), walk.begin()).await;
    let (own, listing) = (own?, listing?);
    ahead?;
    let own = own.and_then(|stored| heeded(world, *bad, stored));
    own.iter().for_each(|own| walk.hear_own(own));
    walk.parent(own.as_ref())?;

    let (mut commits, mut is_good) = (vec![*bad], false);
    let mut builds: Vec<Build> = Build::at(*bad, &listing, name).into_iter().collect();
    let (mut index, mut last) = (0, *bad);
    while let Some((commit, listing)) = walk.listing(index).await? {
        is_good |= commit == *good;
        match Build::at(commit, listing, name) {
            Some(good) if is_good => return between(question, commits, builds, good),
            build => builds.extend(build),
        }
        commits.push(commit);
        (index, last) = (index + 1, commit);
    }
    Err(match is_good {
        true => BisectError::NeverBuilt { name: name.clone(), good: *good, last },
        false if index >= world.limits.max_ancestors => beyond(world, *good, *bad),
        false if walk.is_broken() => BisectError::Unreached { good: *good, bad: *bad, last },
        false => apart(world, *good, *bad),
    })
}

/// Returns the metafile of the bad commit, which tells history where git does not; none, which is said, where it is malformed.
fn heeded(world: World<'_>, commit: Commit, stored: StoredMetafile) -> Option<Metafile> {
    let told = |problem: &MetafileError| {
        world.observer.observe(&Event::MetafileSkipped { commit, problem: problem.to_string() });
    };
    stored.metafile.inspect_err(told).ok()
}

/// Sets down what was found. Without a build between, nothing can be told apart.
fn between(
    question: &Question,
    commits: Vec<Commit>,
    mut builds: Vec<Build>,
    good: Build,
) -> Result<Range, BisectError> {
    if builds.is_empty() {
        let Question { name, good: asked, bad } = question.clone();
        return Err(BisectError::Same { name, good: asked, bad, at: good.commit });
    }
    builds.reverse();
    Ok(Range { commits, builds, good })
}

/// Refuses at once what git knows to be no first parent, or one that is too far away.
fn expect_ancestor(world: World<'_>, good: Commit, bad: Commit) -> Result<(), BisectError> {
    if good == bad {
        return Err(BisectError::Both(good));
    }
    match world.ancestry.first_parents(bad, world.limits.max_ancestors) {
        Ok(lineage) if lineage.ancestors.contains(&good) => Ok(()),
        Ok(lineage) => match lineage.end {
            End::Root => Err(apart(world, good, bad)),
            End::Most => Err(beyond(world, good, bad)),
            // Metafiles may tell more.
            End::Unknown => Ok(()),
        },
        // Its metafile may name its parent.
        Err(AncestryError::NoSuchCommit(_)) => Ok(()),
        Err(error @ AncestryError::Unreadable { .. }) => Err(error.into()),
    }
}

/// How far git is asked where something is wrong, so that it can be said what.
const FAR: usize = 100_000;

/// Says why a commit is not among those that are looked at.
fn beyond(world: World<'_>, good: Commit, bad: Commit) -> BisectError {
    let most = world.limits.max_ancestors;
    match world.ancestry.first_parents(bad, FAR.max(most)) {
        Ok(lineage) => match lineage.ancestors.iter().position(|ancestor| *ancestor == good) {
            None if lineage.end == End::Root || is_reversed(world, good, bad) => apart(world, good, bad),
            at => BisectError::TooFar { good, bad, most, distance: at.map(|at| at + 1) },
        },
        Err(_) => BisectError::TooFar { good, bad, most, distance: None },
    }
}

fn apart(world: World<'_>, good: Commit, bad: Commit) -> BisectError {
    BisectError::Apart { good, bad, reversed: is_reversed(world, good, bad) }
}

/// Says whether it is the bad commit that came first.
fn is_reversed(world: World<'_>, good: Commit, bad: Commit) -> bool {
    world.ancestry.first_parents(good, FAR).is_ok_and(|lineage| lineage.ancestors.contains(&bad))
}
