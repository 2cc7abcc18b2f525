//! Publishing: artifacts first, each created once, then the metafile that names them.

mod item;
mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join;
use futures::stream::{self, StreamExt};

use crate::address::Commit;
use crate::artifact::{Digest, Name};
use crate::catalog::Catalog;
use crate::event::{Event, Observer};
use crate::files::{self, MeasureError, Measured, Seen};
use crate::metafile::Record;
use crate::metalogic::{Keep, Listing};
use crate::moment::Stamp;
use crate::putting::{Done, Outcome, PutError, Putting};
use crate::resolve::{self, Answer, Question, ResolveError};
use crate::store::{Key, StoreError};
use crate::transfer::{self, ReceiveError};
use crate::world::World;
use known::Known;

pub use item::{Item, Refusal, refusal, refusals};

/// Says why publishing failed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file is refused; nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An artifact could not be put. What was put by then stands, and a further run goes on from there.
    #[error("{name} could not be published")]
    Put {
        /// The artifact.
        name: Name,
        /// Why.
        source: StoreError,
    },
    /// What stands under an artifact's name could not be compared with the file.
    #[error("{name} stands there already and could not be compared")]
    Compare {
        /// The artifact.
        name: Name,
        /// Why.
        source: ReceiveError,
    },
    /// An artifact was put, or stood there, and was gone when the commit was resolved.
    #[error("{name} was at the address of {commit} and is gone again: somebody removes what is published")]
    Gone {
        /// The artifact.
        name: Name,
        /// The commit.
        commit: Commit,
    },
    /// The store does not do what it was asked.
    #[error(transparent)]
    Store(StoreError),
    /// The artifacts stand, and the metafile could not be written.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

/// Says that other bytes stand under an artifact's name. They stay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} stands at {commit} with other bytes: SHA-256 {stands} there, {refused} here")]
pub struct Conflict {
    /// The artifact.
    pub name: Name,
    /// The commit.
    pub commit: Commit,
    /// The digest of what stands in the store.
    pub stands: Digest,
    /// The digest of the local file.
    pub refused: Digest,
}

/// Says what publishing came to.
#[derive(Debug)]
pub struct Published {
    /// The metafile that was resolved after the last artifact was put.
    pub answer: Answer,
    /// What was put, with its bytes or by a copy in the store.
    pub uploaded: BTreeSet<Name>,
    /// What of it the store copied, so that its bytes were not sent.
    pub copied: BTreeSet<Name>,
    /// What stood there already with the same bytes.
    pub present: BTreeSet<Name>,
    /// What stood there already with other bytes.
    pub conflicts: Vec<Conflict>,
    /// Why others could not be put. What stands was resolved all the same.
    pub failures: Vec<PublishError>,
    /// How many bytes of artifacts were sent.
    pub bytes_sent: u64,
    /// How many bytes of artifacts had not to be sent.
    pub bytes_spared: u64,
}

/// Publishes files at a commit's address, then resolves the commit.
///
/// With `dry_run` nothing is written, and the answer is what it would be.
///
/// # Errors
/// [`PublishError`], several only where several files are refused. Other bytes under a name are no error here: the caller decides.
pub async fn publish(
    world: World<'_>,
    catalog: &Catalog,
    commit: Commit,
    items: &[Item],
    stamp: &Stamp,
    dry_run: bool,
) -> Result<Published, Vec<PublishError>> {
    let refused = refusals(items, catalog);
    if !refused.is_empty() {
        return Err(refused.into_iter().map(PublishError::Refused).collect());
    }
    resolve::expect_known(world, commit).await.map_err(|error| vec![PublishError::Resolve(error)])?;
    let seen = look_at_all(items, world.limits.jobs).await?;
    let one = |error| vec![error];
    let (listing, known) = match items {
        [] => (Listing::default(), Known::default()),
        _ => {
            let (look, own) = (world.store.list(commit), Known::own(world, commit));
            let one_by_one = world.limits.jobs == 1;
            let (listing, own) = if one_by_one { (look.await, own.await) } else { join(look, own).await };
            let listing = listing.map_err(PublishError::Store).map_err(one)?;
            let all_stand = items.iter().all(|item| listing.artifacts.contains_key(&item.name));
            (listing, if all_stand { own } else { own.or_nearest(world, commit).await })
        }
    };
    let stands = |name: &Name| listing.artifacts.contains_key(name);
    let original = |name: &Name, seen: Seen| known.original(name, commit, seen.size).filter(|_| !stands(name));
    // What may be in the store is hashed first, and what is surely not on the way there.
    let first = |item: &Item, seen: Seen| dry_run || stands(&item.name) || original(&item.name, seen).is_some();
    let first = items.iter().zip(&seen).map(|(item, seen)| (item, *seen, first(item, *seen)));
    let files = hash(world.observer, first.collect()).await?;
    let put = |(item, (seen, sha256)): (&Item, (Seen, Option<Digest>))| {
        let (name, path) = (item.name.clone(), item.path.clone());
        let (listed, original) = (stands(&name), original(&name, seen));
        let recorded = known.recorded(&name, commit);
        let (store, observer, key) = (world.store, world.observer, Key::Artifact(commit, name.clone()));
        let putting = Putting { store, observer, key, path, seen, sha256, recorded, original };
        async move {
            let failed = |error| match error {
                PutError::Put(source) => PublishError::Put { name: name.clone(), source },
                PutError::Compare(source) => PublishError::Compare { name: name.clone(), source },
            };
            putting.put(listed, dry_run).await.map_err(failed).map(|done| (name.clone(), seen, done))
        }
    };
    let puts = stream::iter(items.iter().zip(files)).map(put).buffer_unordered(world.limits.jobs);
    let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
    for put in puts.collect::<Vec<_>>().await {
        match put {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => failures.push(failure),
        }
    }
    outcomes.sort_by(|(name, ..), (other, ..)| name.cmp(other));

    let mut published = Outcomes { stamp: stamp.clone(), ..Outcomes::default() };
    for (name, seen, done) in outcomes {
        if !dry_run {
            tell(world.observer, &name, seen, done.outcome);
        }
        published.take(commit, name, seen, done);
    }
    let vocabulary = catalog.vocabulary();
    let question =
        Question { commit, vocabulary: &vocabulary, known: &published.known, pretend: dry_run, keep: Keep::Everything };
    let answer =
        if dry_run { resolve::compute(world, &question).await } else { resolve::resolve(world, &question).await };
    // What could not be put is told before what came of it.
    let answer = match answer {
        Ok(answer) => answer,
        Err(_) if !failures.is_empty() => return Err(failures),
        Err(error) => return Err(vec![PublishError::Resolve(error)]),
    };
    // Who is told that it is published finds it in the metafile.
    let gone = |name: &&Name| answer.metafile.artifacts.get(*name) != Some(&commit);
    let missed = published.uploaded.iter().chain(&published.present).filter(gone);
    failures.extend(missed.map(|name| PublishError::Gone { name: name.clone(), commit }));
    Ok(Published {
        answer,
        uploaded: published.uploaded,
        copied: published.copied,
        present: published.present,
        conflicts: published.conflicts,
        failures,
        bytes_sent: published.bytes_sent,
        bytes_spared: published.bytes_spared,
    })
}

/// Looks at every file, so that what cannot be read is refused before anything is written.
async fn look_at_all(items: &[Item], jobs: usize) -> Result<Vec<Seen>, Vec<PublishError>> {
    let look = |item: &Item| files::look(item.path.clone());
    all_or_refused(stream::iter(items).map(look).buffered(jobs).collect().await)
}

/// Hashes those of the files that are to be hashed first, as many at once as there are processors.
async fn hash(
    observer: &Arc<dyn Observer>,
    files: Vec<(&Item, Seen, bool)>,
) -> Result<Vec<(Seen, Option<Digest>)>, Vec<PublishError>> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let hash = |(item, seen, first): (&Item, Seen, bool)| {
        let path = item.path.clone();
        async move {
            if !first {
                return Ok((seen, None));
            }
            let Measured { size, sha256, mode } = transfer::measure(observer, path).await?;
            Ok((Seen { size, mode }, Some(sha256)))
        }
    };
    all_or_refused(stream::iter(files).map(hash).buffered(processors).collect().await)
}

fn all_or_refused<T>(results: Vec<Result<T, MeasureError>>) -> Result<Vec<T>, Vec<PublishError>> {
    let mut all = Vec::new();
    let mut refused = Vec::new();
    for result in results {
        match result {
            Ok(one) => all.push(one),
            Err(error) => refused.push(PublishError::Refused(error.into())),
        }
    }
    if refused.is_empty() { Ok(all) } else { Err(refused) }
}

/// Gathers what became of the files.
#[derive(Default)]
struct Outcomes {
    stamp: Stamp,
    known: BTreeMap<Name, Record>,
    uploaded: BTreeSet<Name>,
    copied: BTreeSet<Name>,
    present: BTreeSet<Name>,
    conflicts: Vec<Conflict>,
    bytes_sent: u64,
    bytes_spared: u64,
}

impl Outcomes {
    fn take(&mut self, commit: Commit, name: Name, seen: Seen, done: Done) {
        let (Seen { size, mut mode }, sha256) = (seen, done.sha256);
        match done.outcome {
            Outcome::Conflict { stands } => {
                self.conflicts.push(Conflict { name, commit, stands, refused: sha256 });
                return;
            }
            Outcome::Uploaded => {
                self.uploaded.insert(name.clone());
                self.bytes_sent += size;
            }
            Outcome::Copied { .. } => {
                self.uploaded.insert(name.clone());
                self.copied.insert(name.clone());
                self.bytes_spared += size;
            }
            Outcome::Present { sent, mode: stands } => {
                self.present.insert(name.clone());
                *(if sent { &mut self.bytes_sent } else { &mut self.bytes_spared }) += size;
                mode = stands;
            }
        }
        let Stamp { at, run } = self.stamp.clone();
        self.known.insert(name, Record { size: Some(size), sha256: Some(sha256), mode, at, run, ..Record::default() });
    }
}

fn tell(observer: &Arc<dyn Observer>, name: &Name, Seen { size, .. }: Seen, outcome: Outcome) {
    let name = name.clone();
    match outcome {
        Outcome::Uploaded => observer.observe(&Event::Stored { name, size, present: false }),
        Outcome::Copied { from } => observer.observe(&Event::Copied { name, size, from }),
        Outcome::Present { .. } => observer.observe(&Event::Stored { name, size, present: true }),
        Outcome::Conflict { .. } => {}
    }
}
