//! What is known of the artifacts that a metafile names.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::{Question, ResolveError};
use crate::address::Commit;
use crate::artifact::Name;
use crate::event::Event;
use crate::metafile::{Metafile, Record};
use crate::metalogic::{Keep, Resolution};
use crate::store::Key;
use crate::walk::Walk;
use crate::world::World;

/// Fills in what is known of each artifact whose place is new: from this run, else from the metafile where it stands, else from the object.
pub(super) async fn record(
    world: World<'_>,
    question: &Question<'_>,
    walk: &mut Walk<'_>,
    resolution: &mut Resolution,
) -> Result<(), ResolveError> {
    let commit = question.commit;
    let Resolution { metafile, found, .. } = resolution;
    // Only of what was found now: what else was looked at depends on how far ahead it was looked.
    let listed = |walk: &Walk<'_>, name: &Name, at: Commit| found.get(name).and_then(|name| walk.size(at, name));
    for (name, known) in question.known {
        if metafile.artifacts.get(name) == Some(&commit) {
            let record = metafile.details.entry(name.clone()).or_default();
            *record = record.learn(known);
        }
    }
    // What has another size than the address showed is a record of other bytes.
    let mut replaced = BTreeSet::new();
    metafile.details.retain(|name, record| {
        let listed = metafile.artifacts.get(name).and_then(|at| listed(walk, name, *at));
        let is_same = listed.is_none() || record.size.is_none() || listed == record.size;
        if !is_same {
            replaced.insert(name.clone());
        }
        is_same
    });
    let again = question.keep == Keep::OnlyFound;
    let told = |name: &Name, at: Commit| at == commit && question.known.contains_key(name);
    let bare = |name: &Name| metafile.details.get(name).is_none_or(Record::is_empty);
    let all = metafile.artifacts.iter().map(|(name, at)| (name.clone(), *at));
    let unsure = all.filter(|(name, at)| !told(name, *at) && (again || bare(name)));
    let (here, elsewhere): (Vec<_>, Vec<_>) = unsure.partition(|(name, at)| *at == commit || !bare(name));
    let unproven = unproven(question, metafile);

    let sources: BTreeSet<Commit> = elsewhere.iter().chain(&unproven).map(|(_, at)| *at).collect();
    walk.read_metafiles(&sources.into_iter().collect::<Vec<_>>()).await?;
    for (name, at) in unproven {
        if let Some((source, record)) =
            walk.metafile(at).and_then(|source| source.record(&name, at)).zip(metafile.details.get_mut(&name))
            && source.is_of_same_bytes(record)
        {
            *record = record.learn(&source.known());
        }
    }
    let mut unrecorded = here;
    for (name, at) in elsewhere {
        match walk.metafile(at).and_then(|source| source.record(&name, at)).map(Record::known) {
            Some(record) if listed(walk, &name, at).is_none_or(|size| record.size == Some(size)) => {
                metafile.details.insert(name.clone(), record);
                unrecorded.extend(again.then_some((name, at)));
            }
            Some(_) | None => unrecorded.push((name, at)),
        }
    }
    let head = |(name, at): (Name, Commit)| async move {
        world.store.head(&Key::Artifact(at, name.clone())).await.map(|object| (name, object))
    };
    let heads: Vec<_> = stream::iter(unrecorded).map(head).buffered(world.limits.jobs).try_collect().await?;
    for (name, object) in heads {
        if let Some(object) = object {
            let known = Record {
                size: Some(object.size),
                sha256: object.attributes.sha256,
                mode: object.attributes.mode,
                ..Record::default()
            };
            let record = metafile.details.entry(name).or_default();
            *record = record.learn(&known);
        }
    }
    record_inputs(world, question, metafile, &replaced)
}

/// Returns the inherited artifacts whose inputs are declared and not recorded, with the commits that hold them: whoever recorded something of them
/// may have come before the metafile there said from what they were built.
fn unproven(question: &Question<'_>, metafile: &Metafile) -> Vec<(Name, Commit)> {
    let lacks = |name: &Name| {
        question.vocabulary.inputs.contains_key(name)
            && metafile.details.get(name).is_some_and(|record| !record.is_empty() && record.inputs.is_none())
    };
    let inherited = metafile.artifacts.iter().filter(|(name, at)| **at != metafile.commit && lacks(name));
    inherited.map(|(name, at)| (name.clone(), *at)).collect()
}

/// Fills in what the artifacts that stand at the commit were built from, where that is declared: of what this run published, and of what nothing
/// is recorded yet. What was recorded once stays, whatever is declared later. From what bytes were built that somebody put in the place of others,
/// nobody knows.
fn record_inputs(
    world: World<'_>,
    question: &Question<'_>,
    metafile: &mut Metafile,
    replaced: &BTreeSet<Name>,
) -> Result<(), ResolveError> {
    let commit = question.commit;
    let is_here = |name: &&Name| metafile.artifacts.get(*name) == Some(&commit);
    let recorded = |name: &Name| metafile.details.get(name).is_some_and(|record| record.inputs.is_some());
    let is_new = |name: &&Name| question.known.contains_key(*name) || !recorded(name) && !replaced.contains(*name);
    let declared = question.vocabulary.inputs.iter().filter(|(name, _)| is_here(name) && is_new(name));
    let (names, declared): (Vec<_>, Vec<_>) = declared.unzip();
    if names.is_empty() {
        return Ok(());
    }
    // Where git does not have the trees, nobody can say what it was built from.
    let all = world.ancestry.inputs(commit, &declared)?.unwrap_or_default();
    for (name, taken) in names.into_iter().zip(all) {
        if !taken.idle.is_empty() {
            world.observer.observe(&Event::InputsIdle { name: name.clone(), commit, specs: taken.idle });
        }
        metafile.details.entry(name.clone()).or_default().inputs = Some(taken.digest);
    }
    Ok(())
}
