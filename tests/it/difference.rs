//! In what two commits differ: against brute force on random metafiles, and what `metalogic diff` makes of it.

mod stat;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::ancestry::ToldHistory;
use metalogic::artifact::{Digest, Name};
use metalogic::difference::{self, Change, Difference};
use metalogic::event::{Observer, Silent};
use metalogic::metafile::{Metafile, Record};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Attributes, Condition, Content, Key, Store};
use metalogic::world::{Limits, World};

use crate::sandbox::Sandbox;

fn commit(number: usize) -> Commit {
    format!("{:040x}", number + 1).parse().unwrap()
}

fn name(number: usize) -> Name {
    format!("{number}.zip").parse().unwrap()
}

/// What is true of a build, and who knows it.
struct Truth {
    bytes: Vec<u8>,
    /// Whether the store, and whether metafiles, have the digest and the size.
    stored: bool,
    recorded: (bool, bool),
}

const NAMES: usize = 7;
const BUILDS: usize = 3;

/// Draws builds of each name at each of a few commits: of few bytes, so that many are alike. What a digest is recorded of, others know or not.
fn builds(lots: &mut Rng) -> BTreeMap<(usize, usize), Truth> {
    let mut truth = |_| {
        let bytes = vec![b'a' + lots.u8(0..2); lots.usize(1..3)];
        Truth { bytes, stored: lots.bool(), recorded: (lots.bool(), lots.bool()) }
    };
    (0..NAMES).flat_map(|name| (0..BUILDS).map(move |at| (name, at))).map(|key| (key, truth(key))).collect()
}

async fn keep(store: &MemoryStore, truths: &BTreeMap<(usize, usize), Truth>) {
    for ((number, at), truth) in truths {
        let key = Key::Artifact(commit(*at), name(*number));
        let bytes = Bytes::from(truth.bytes.clone());
        if truth.stored {
            let attributes = Attributes { sha256: Some(Digest::of(&bytes)), ..Attributes::default() };
            store.put(&key, Content::Bytes(bytes), attributes, &Condition::Absent).await.unwrap();
        } else {
            store.plant(&key.to_string(), bytes);
        }
    }
}

/// Draws a metafile that names some of the builds.
fn metafile(lots: &mut Rng, at: usize, truths: &BTreeMap<(usize, usize), Truth>) -> Metafile {
    let mut metafile = Metafile::empty(commit(at), None);
    for number in 0..NAMES {
        if lots.u8(0..5) == 0 {
            continue;
        }
        let from = lots.usize(0..BUILDS);
        let truth = &truths[&(number, from)];
        let (digest, size) = truth.recorded;
        metafile.artifacts.insert(name(number), commit(from));
        let record = Record {
            size: size.then_some(truth.bytes.len() as u64),
            sha256: digest.then(|| Digest::of(&truth.bytes)),
            ..Record::default()
        };
        if record != Record::default() {
            metafile.details.insert(name(number), record);
        }
    }
    metafile
}

/// Says how an artifact differs, from all that anybody knows.
fn word(number: usize, a: &Metafile, b: &Metafile, truths: &BTreeMap<(usize, usize), Truth>) -> &'static str {
    let build = |metafile: &Metafile| metafile.artifacts.get(&name(number)).copied();
    let digest = |from: Commit| {
        let truth = (0..BUILDS).find(|at| commit(*at) == from).map(|at| &truths[&(number, at)]).unwrap();
        (truth.stored || truth.recorded.0).then(|| Digest::of(&truth.bytes))
    };
    match (build(a), build(b)) {
        (None, None) => "nowhere",
        (None, Some(_)) => "added",
        (Some(_), None) => "removed",
        (Some(from), Some(to)) if from == to => "same",
        (Some(from), Some(to)) => match (digest(from), digest(to)) {
            (Some(one), Some(other)) if one == other => "rebuilt",
            _ => "changed",
        },
    }
}

fn exchanged(difference: &Difference) -> Difference {
    let exchange = |change: &Change| match change.clone() {
        Change::Added(side) => Change::Removed(side),
        Change::Removed(side) => Change::Added(side),
        Change::Changed(from, to) => Change::Changed(to, from),
    };
    let changes = difference.changes.iter().map(|(name, change)| (name.clone(), exchange(change))).collect();
    Difference { changes, ..difference.clone() }
}

#[tokio::test]
async fn artifacts_differ_by_their_digests_and_where_one_is_not_known_by_their_addresses() {
    let (mut lots, mut seen) = (Rng::with_seed(8), BTreeMap::<&str, usize>::new());
    for round in 0..300 {
        let (store, truths) = (MemoryStore::default(), builds(&mut lots));
        keep(&store, &truths).await;
        let (a, b) = (metafile(&mut lots, 0, &truths), metafile(&mut lots, 1, &truths));
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let history = ToldHistory::default();
        let world = World { store: &store, ancestry: &history, observer: &observer, limits: Limits::default() };
        let difference = difference::compare(world, &a, &b).await.unwrap();

        let words: Vec<&str> = (0..NAMES).map(|number| word(number, &a, &b, &truths)).collect();
        words.iter().for_each(|word| *seen.entry(word).or_default() += 1);
        let count = |wanted: &[&str]| words.iter().filter(|word| wanted.contains(word)).count();
        let told: Vec<Option<&str>> =
            (0..NAMES).map(|number| difference.changes.get(&name(number)).map(Change::word)).collect();
        let expected: Vec<Option<&str>> =
            words.iter().map(|word| ["added", "removed", "changed"].contains(word).then_some(*word)).collect();
        assert_eq!(told, expected, "round {round}");
        assert_eq!((difference.same, difference.rebuilt), (count(&["same", "rebuilt"]), count(&["rebuilt"])));
        for (artifact, change) in &difference.changes {
            let size = |metafile: &Metafile| {
                let from = metafile.artifacts.get(artifact)?;
                let key = (0..NAMES).flat_map(|number| (0..BUILDS).map(move |at| (number, at)));
                let key = key.into_iter().find(|(number, at)| name(*number) == *artifact && commit(*at) == *from)?;
                i128::try_from(truths[&key].bytes.len()).ok()
            };
            let growth = size(&b).unwrap_or(0) - size(&a).unwrap_or(0);
            assert_eq!(change.growth(), Some(growth), "round {round}, {artifact}");
        }

        let back = difference::compare(world, &b, &a).await.unwrap();
        assert_eq!(back, exchanged(&difference), "round {round}: the other way round it is the same difference");
        for metafile in [&a, &b] {
            let none = difference::compare(world, metafile, metafile).await.unwrap();
            assert_eq!((none.changes.len(), none.same), (0, metafile.artifacts.len()), "round {round}");
        }
    }
    for word in ["added", "removed", "changed", "same", "rebuilt"] {
        assert!(seen[word] > 50, "{word} is worth a comparison: {seen:?}");
    }
}

#[test]
fn where_nothing_differs_there_is_no_output() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("out/app.zip", "the app");
    sandbox.done(&["publish", "../out/app.zip"]);
    sandbox.commit("nothing");
    sandbox.done(&["stub"]);
    // The same bytes, from another build of them.
    sandbox.commit("a comma");
    sandbox.done(&["publish", "../out/app.zip"]);
    for options in [&[][..], &["--stat"], &["--fresh"]] {
        for sides in [["HEAD~1", "HEAD~2"], ["HEAD", "HEAD"], ["HEAD~2", "HEAD"], ["HEAD", "HEAD~1"]] {
            let ran = sandbox.run(&[&["diff"], options, &sides].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran}");
            assert!(ran.stderr.contains("all their artifacts are the same"), "{ran}");
            assert_eq!(sandbox.done(&[&["--quiet", "diff"], options, &sides].concat()), "");
        }
    }
}
