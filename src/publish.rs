//! Publishing: artifacts first, each created once, then the metafile that names them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::address::Commit;
use crate::artifact::{Digest, Name, NameError};
use crate::catalog::{Catalog, Standing};
use crate::event::{Event, Observer, Transfer};
use crate::files::{self, MeasureError, Measured};
use crate::metafile::Record;
use crate::metalogic::Keep;
use crate::registry::ProjectName;
use crate::resolve::{self, Answer, Question, ResolveError};
use crate::store::{Attributes, Condition, Content, Key, Store, StoreError, Upload};
use crate::transfer::{self, ReceiveError};
use crate::world::World;

/// How often a put is tried when what stood in its way was gone at the next look.
const TRIES: usize = 5;

/// Names a local file and the artifact that it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The artifact's name.
    pub name: Name,
    /// The local file.
    pub path: PathBuf,
}

/// Says why a file is refused, before a byte is written.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Its name is no artifact's.
    #[error("{name:?} cannot be an artifact's name")]
    BadName {
        /// The file's name, with what is no text replaced.
        name: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// No project has the name.
    #[error("no project has an artifact {name}")]
    Unknown {
        /// The name.
        name: Name,
        /// The nearest name that could have been meant.
        near: Option<Name>,
    },
    /// The name belongs to another repository's project.
    #[error("{name} belongs to the project {owner}, which is not this repository's")]
    Foreign {
        /// The name.
        name: Name,
        /// The project that has it.
        owner: ProjectName,
    },
    /// The name belongs to a project that `--project` leaves out.
    #[error("{name} belongs to the project {owner}, which --project leaves out")]
    Excluded {
        /// The name.
        name: Name,
        /// The project that has it.
        owner: ProjectName,
    },
    /// The name is retired.
    #[error("{name} is retired by its project {owner}")]
    Retired {
        /// The name.
        name: Name,
        /// The project that has it.
        owner: ProjectName,
    },
    /// Two files are to be one artifact.
    #[error("{} and {} are both to be {name}", first.display(), second.display())]
    Twice {
        /// The name.
        name: Name,
        /// The file that has it first.
        first: PathBuf,
        /// The file that has it again.
        second: PathBuf,
    },
    /// The file itself will not do.
    #[error(transparent)]
    File(#[from] MeasureError),
}

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
    /// What was put.
    pub uploaded: BTreeSet<Name>,
    /// What stood there already with the same bytes.
    pub present: BTreeSet<Name>,
    /// What stood there already with other bytes.
    pub conflicts: Vec<Conflict>,
    /// How many bytes of artifacts were sent.
    pub bytes_sent: u64,
    /// How many bytes of artifacts had not to be sent.
    pub bytes_spared: u64,
}

impl Item {
    /// Reads `FILE` or `NAME=FILE`; the latter only where what stands before the first `=` is a valid name.
    ///
    /// # Errors
    /// [`Refusal::BadName`] where a file's own name is no artifact's.
    pub fn parse(argument: &OsStr) -> Result<Self, Refusal> {
        let bytes = argument.as_encoded_bytes();
        let split = bytes.iter().position(|&byte| byte == b'=');
        let named = split.and_then(|at| {
            let name = std::str::from_utf8(bytes.get(..at)?).ok()?.parse().ok()?;
            // A path that is no text can only be given whole, since a part of it cannot be cut out safely.
            Some((name, argument.to_str()?.get(at + 1..)?))
        });
        if let Some((name, path)) = named {
            return Ok(Self { name, path: PathBuf::from(path) });
        }
        let path = PathBuf::from(argument);
        let name = path.file_name().unwrap_or(argument).to_string_lossy().into_owned();
        match name.parse() {
            Ok(name) => Ok(Self { name, path }),
            // What a path ends in says little when nothing is there, or a directory is.
            Err(source) => Err(files::inspect(&path).err().map_or(Refusal::BadName { name, source }, Refusal::File)),
        }
    }
}

/// Says which of these items may not be published here: all of them, so that they can be mended in one go.
#[must_use]
pub fn refusals(items: &[Item], catalog: &Catalog) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut seen: BTreeMap<String, &Path> = BTreeMap::new();
    for Item { name, path } in items {
        let name = name.clone();
        if let Some(first) = seen.insert(name.folded(), path) {
            let (first, second) = (first.to_owned(), path.clone());
            refusals.push(Refusal::Twice { name: name.clone(), first, second });
        }
        match catalog.standing(&name) {
            Standing::Ours => refusals.extend(files::inspect(path).err().map(Refusal::File)),
            Standing::Unknown(near) => refusals.push(Refusal::Unknown { name, near }),
            Standing::Foreign(owner) => refusals.push(Refusal::Foreign { name, owner }),
            Standing::Excluded(owner) => refusals.push(Refusal::Excluded { name, owner }),
            Standing::Retired(owner) => refusals.push(Refusal::Retired { name, owner }),
        }
    }
    refusals
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
    dry_run: bool,
) -> Result<Published, Vec<PublishError>> {
    let refused = refusals(items, catalog);
    if !refused.is_empty() {
        return Err(refused.into_iter().map(PublishError::Refused).collect());
    }
    resolve::expect_known(world, commit).await.map_err(|error| vec![PublishError::Resolve(error)])?;
    let measured = measure_all(world.observer, items).await?;
    let one = |error| vec![error];
    let listing = match items {
        [] => None,
        _ => Some(world.store.list(commit).await.map_err(PublishError::Store).map_err(one)?),
    };
    let stands = |name: &Name| listing.as_ref().is_some_and(|listing| listing.artifacts.contains_key(name));
    let put = |(item, measured): (&Item, Measured)| {
        let putting =
            Putting { store: world.store, observer: world.observer.clone(), commit, item: item.clone(), measured };
        let listed = stands(&item.name);
        async move { putting.put(listed, dry_run).await.map(|outcome| (putting.item.name, measured, outcome)) }
    };
    let puts = stream::iter(items.iter().zip(measured)).map(put).buffer_unordered(world.limits.jobs);
    let outcomes: Vec<_> = puts.try_collect().await.map_err(one)?;

    let mut published = Outcomes::default();
    for (name, measured, outcome) in outcomes {
        if !dry_run {
            tell(world.observer, &name, measured, outcome);
        }
        published.take(commit, name, measured, outcome);
    }
    let vocabulary = catalog.vocabulary();
    let question =
        Question { commit, vocabulary: &vocabulary, known: &published.known, pretend: dry_run, keep: Keep::Everything };
    let answer =
        if dry_run { resolve::compute(world, &question).await } else { resolve::resolve(world, &question).await };
    let answer = answer.map_err(|error| vec![PublishError::Resolve(error)])?;
    published.conflicts.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Published {
        answer,
        uploaded: published.uploaded,
        present: published.present,
        conflicts: published.conflicts,
        bytes_sent: published.bytes_sent,
        bytes_spared: published.bytes_spared,
    })
}

/// Hashes every file, as many at once as there are processors, in the order given.
async fn measure_all(observer: &Arc<dyn Observer>, items: &[Item]) -> Result<Vec<Measured>, Vec<PublishError>> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let measure = |item: &Item| {
        let (name, path, observer) = (item.name.clone(), item.path.clone(), observer.clone());
        async move {
            let size = files::inspect(&path)?.len();
            observer.observe(&Event::Started { transfer: Transfer::Hash, name: name.clone(), size });
            let measured = files::measure(path, transfer::told(&observer, Transfer::Hash, &name)).await;
            observer.observe(&Event::Finished { transfer: Transfer::Hash, name });
            measured
        }
    };
    let results: Vec<Result<Measured, MeasureError>> =
        stream::iter(items).map(measure).buffered(processors).collect().await;
    let mut measured = Vec::new();
    let mut refused = Vec::new();
    for result in results {
        match result {
            Ok(one) => measured.push(one),
            Err(error) => refused.push(PublishError::Refused(error.into())),
        }
    }
    if refused.is_empty() { Ok(measured) } else { Err(refused) }
}

/// Holds one file on its way to its address.
struct Putting<'a> {
    store: &'a dyn Store,
    observer: Arc<dyn Observer>,
    commit: Commit,
    item: Item,
    measured: Measured,
}

/// Says what became of one file.
#[derive(Clone, Copy)]
enum Outcome {
    /// It was put, with its bytes.
    Uploaded,
    /// The same bytes stood there; these were or were not sent before that was known.
    Present { sent: bool },
    /// Other bytes stand there.
    Conflict { stands: Digest },
}

impl Putting<'_> {
    /// Puts the file where nothing stands, and compares it with what does. `listed` says what a look showed a moment ago.
    async fn put(&self, listed: bool, dry_run: bool) -> Result<Outcome, PublishError> {
        let name = &self.item.name;
        let mut look_first = listed;
        let mut sent = false;
        for _ in 0..TRIES {
            if look_first && let Some(outcome) = self.compare(sent).await? {
                return Ok(outcome);
            }
            if dry_run {
                return Ok(Outcome::Uploaded);
            }
            match self.send().await {
                Ok(()) => return Ok(Outcome::Uploaded),
                Err(StoreError::Precondition { .. }) => (look_first, sent) = (true, true),
                Err(source) => return Err(PublishError::Put { name: name.clone(), source }),
            }
        }
        let key = Key::Artifact(self.commit, name.clone()).to_string();
        Err(PublishError::Put { name: name.clone(), source: StoreError::Precondition { key } })
    }

    async fn send(&self) -> Result<(), StoreError> {
        let (name, Measured { size, sha256, mode }) = (&self.item.name, self.measured);
        let progress = transfer::told(&self.observer, Transfer::Upload, name);
        let content = Content::File(Upload { path: self.item.path.clone(), size, sha256, progress });
        let attributes = Attributes { sha256: Some(sha256), mode };
        self.observer.observe(&Event::Started { transfer: Transfer::Upload, name: name.clone(), size });
        let key = Key::Artifact(self.commit, name.clone());
        let put = self.store.put(&key, content, attributes, &Condition::Absent).await;
        self.observer.observe(&Event::Finished { transfer: Transfer::Upload, name: name.clone() });
        put.map(|_| ())
    }

    /// Compares the file with what stands under its name; none where nothing does after all.
    async fn compare(&self, sent: bool) -> Result<Option<Outcome>, PublishError> {
        let name = &self.item.name;
        let failed = |source| PublishError::Compare { name: name.clone(), source };
        let stands = digest_of_object(self.store, &Key::Artifact(self.commit, name.clone())).await.map_err(failed)?;
        Ok(stands.map(|stands| {
            if stands == self.measured.sha256 { Outcome::Present { sent } } else { Outcome::Conflict { stands } }
        }))
    }
}

/// Returns the digest of an object: the one that its writer recorded, else that of its bytes.
async fn digest_of_object(store: &dyn Store, key: &Key) -> Result<Option<Digest>, ReceiveError> {
    match store.head(key).await? {
        None => Ok(None),
        Some(object) if object.attributes.sha256.is_some() => Ok(object.attributes.sha256),
        Some(_) => match store.open(key, None).await? {
            None => Ok(None),
            Some((_, body)) => {
                transfer::receive(body, std::io::sink(), Arc::new(|_| ())).await.map(|(_, digest)| Some(digest))
            }
        },
    }
}

/// Gathers what became of the files.
#[derive(Default)]
struct Outcomes {
    known: BTreeMap<Name, Record>,
    uploaded: BTreeSet<Name>,
    present: BTreeSet<Name>,
    conflicts: Vec<Conflict>,
    bytes_sent: u64,
    bytes_spared: u64,
}

impl Outcomes {
    fn take(&mut self, commit: Commit, name: Name, measured: Measured, outcome: Outcome) {
        let Measured { size, sha256, mode } = measured;
        match outcome {
            Outcome::Conflict { stands } => {
                self.conflicts.push(Conflict { name, commit, stands, refused: sha256 });
                return;
            }
            Outcome::Uploaded => {
                self.uploaded.insert(name.clone());
                self.bytes_sent += size;
            }
            Outcome::Present { sent } => {
                self.present.insert(name.clone());
                *(if sent { &mut self.bytes_sent } else { &mut self.bytes_spared }) += size;
            }
        }
        self.known.insert(name, Record { size: Some(size), sha256: Some(sha256), mode, ..Record::default() });
    }
}

fn tell(observer: &Arc<dyn Observer>, name: &Name, measured: Measured, outcome: Outcome) {
    let present = match outcome {
        Outcome::Uploaded => false,
        Outcome::Present { .. } => true,
        Outcome::Conflict { .. } => return,
    };
    observer.observe(&Event::Stored { name: name.clone(), size: measured.size, present });
}
