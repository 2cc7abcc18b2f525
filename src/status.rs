//! The status of a commit: how each artifact stands there, and how far back it was built.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Commit;
use crate::ancestry::{Ancestry, AncestryError};
use crate::artifact::Name;
use crate::catalog::Catalog;
use crate::event::{Observer, Silent};
use crate::metafile::Metafile;
use crate::metalogic::{Keep, Vocabulary};
use crate::resolve::{self, Answer, Question, ResolveError};
use crate::show::{self, ShowError};
use crate::state::{self, Now, Verdict};
use crate::store::StoreError;
use crate::walk::Walk;
use crate::world::World;

/// Says how the artifacts of a commit stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The commit's metafile, as it is stored or as resolving makes it now.
    pub metafile: Metafile,
    /// Where it lies, or would.
    pub url: String,
    /// What was resolved for it; none where the stored metafile is all that was asked.
    pub answer: Option<Answer>,
    /// How each artifact stands.
    pub verdicts: BTreeMap<Name, Verdict>,
}

/// Says why the status of a commit cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// It cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Its metafile cannot be read.
    #[error(transparent)]
    Show(#[from] ShowError),
    /// Its trees cannot be read.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
    /// Nothing says which artifacts there are.
    #[error("there is no registry, and {0} has no metafile")]
    Nothing(Commit),
}

/// Tells how the artifacts of the repository's projects stand at a commit now, by a look at its address and at its ancestors'.
///
/// Without a registry it is the stored metafile that says which artifacts there are, and where.
///
/// # Errors
/// [`StatusError`].
pub async fn status(world: World<'_>, catalog: Option<&Catalog>, commit: Commit) -> Result<Status, StatusError> {
    let Some(catalog) = catalog else {
        let shown = show::show(world.store, commit).await?.ok_or(StatusError::Nothing(commit))?;
        let verdicts = judge_all(world.ancestry, None, &shown.metafile, named(&shown.metafile))?;
        return Ok(Status { metafile: shown.metafile, url: shown.url, answer: None, verdicts });
    };
    let (vocabulary, known) = (catalog.vocabulary(), BTreeMap::new());
    let question = Question { commit, vocabulary: &vocabulary, known: &known, pretend: false, keep: Keep::Everything };
    let answer = resolve::compute(world, &question).await?;
    told(world.ancestry, Some(catalog), answer, catalog.counted(&vocabulary.wanted))
}

/// Judges by what was resolved. What does not stand where the metafile says counts as nowhere.
fn told(
    ancestry: &dyn Ancestry,
    catalog: Option<&Catalog>,
    answer: Answer,
    names: impl IntoIterator<Item = Name>,
) -> Result<Status, StatusError> {
    let metafile = answer.standing();
    let verdicts = judge_all(ancestry, catalog, &metafile, names)?;
    Ok(Status { metafile, url: answer.url.clone(), answer: Some(answer), verdicts })
}

/// Tells how some artifacts stand at a commit now, whatever else is missing there. Who names them needs no registry to know them.
///
/// # Errors
/// [`StatusError`].
pub async fn status_of(
    world: World<'_>,
    catalog: Option<&Catalog>,
    commit: Commit,
    names: &BTreeSet<Name>,
) -> Result<Status, StatusError> {
    let declared = |name: &Name| Some((name.clone(), catalog?.inputs(name)?.clone()));
    let inputs = names.iter().filter_map(declared).collect();
    let vocabulary = Vocabulary { wanted: names.clone(), registered: names.clone(), inputs, ..Vocabulary::default() };
    let known = BTreeMap::new();
    let question = Question { commit, vocabulary: &vocabulary, known: &known, pretend: false, keep: Keep::Everything };
    told(world.ancestry, catalog, resolve::compute(world, &question).await?, names.iter().cloned())
}

/// Returns the artifacts that a metafile says anything of.
#[must_use]
pub fn named(metafile: &Metafile) -> BTreeSet<Name> {
    metafile.artifacts.keys().chain(metafile.attempts.keys()).cloned().collect()
}

/// Judges artifacts by a commit's metafile and by its trees.
///
/// # Errors
/// [`AncestryError::Unreadable`].
pub fn judge_all(
    ancestry: &dyn Ancestry,
    catalog: Option<&Catalog>,
    metafile: &Metafile,
    names: impl IntoIterator<Item = Name>,
) -> Result<BTreeMap<Name, Verdict>, AncestryError> {
    let names: Vec<Name> = names.into_iter().collect();
    let inputs = |name: &Name| catalog.and_then(|catalog| catalog.inputs(name));
    // What was built here needs no proof, and what has no record cannot have any.
    let is_asked = |name: &&Name| {
        let inherited = metafile.artifacts.get(*name).filter(|from| **from != metafile.commit);
        let record = inherited.and_then(|from| metafile.record(name, *from));
        record.is_some_and(|record| record.inputs.is_some()) && inputs(name).is_some()
    };
    let asked: Vec<&Name> = names.iter().filter(is_asked).collect();
    let declared: Vec<_> = asked.iter().filter_map(|name| inputs(name)).collect();
    let digests = if declared.is_empty() { None } else { ancestry.inputs(metafile.commit, &declared)? };
    let known: BTreeMap<&Name, Now> =
        asked.into_iter().zip(digests.into_iter().flatten().map(|taken| Now::Known(taken.digest))).collect();
    let now = |name: &Name| match inputs(name) {
        None if catalog.is_none() => Now::Unregistered,
        None => Now::Undeclared,
        Some(_) => known.get(name).copied().unwrap_or(Now::Unreadable),
    };
    Ok(names.iter().map(|name| (name.clone(), state::judge(metafile, name, now(name)))).collect())
}

/// Returns how many first parents back artifacts were built, as far as that can be told; what was built at the commit itself is not among
/// them.
///
/// # Errors
/// The store's, where metafiles have to tell history; git's.
pub async fn distances(
    world: World<'_>,
    metafile: &Metafile,
    verdicts: &BTreeMap<Name, Verdict>,
) -> Result<BTreeMap<Commit, usize>, StatusError> {
    let elsewhere = |verdict: &Verdict| verdict.from.filter(|from| *from != metafile.commit);
    let sources: BTreeSet<Commit> = verdicts.values().filter_map(elsewhere).collect();
    // Where history ends was told when the commit was resolved.
    let silent: Arc<dyn Observer> = Arc::new(Silent);
    let mut walk = Walk::new(World { observer: &silent, ..world }, metafile.commit)?;
    walk.hear_own(metafile);
    let distances = walk.distances(&sources).await;
    Ok(distances.map_err(|error: StoreError| ResolveError::from(error))?)
}
