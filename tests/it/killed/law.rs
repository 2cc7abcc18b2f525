//! What holds of a commit's address at any time, whoever was killed there.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::artifact::Digest;
use metalogic::metafile::{Metafile, Record};

use super::place::Place;

pub type Files = BTreeMap<String, Bytes>;

/// Returns so many files of noise, each of so many bytes.
pub fn files(number: usize, size: usize) -> Files {
    (0..number).map(|number| (format!("{number}.bin"), noise(number, size))).collect()
}

pub fn noise(seed: usize, size: usize) -> Bytes {
    let mut content = vec![0; size];
    fastrand::Rng::with_seed(u64::try_from(seed).unwrap()).fill(&mut content);
    content.into()
}

/// Writes files for the repository's builds to publish, and returns how its commands name them.
pub fn write(place: &Place, files: &Files) -> Vec<String> {
    let path = |(name, bytes): (&String, &Bytes)| {
        place.sandbox.write(&format!("out/{name}"), bytes);
        format!("../out/{name}")
    };
    files.iter().map(path).collect()
}

/// Returns the metafile that names files at a commit, and what is known of them.
pub fn metafile<'a>(commit: Commit, files: impl IntoIterator<Item = (&'a String, &'a Bytes)>) -> Metafile {
    let mut metafile = Metafile::empty(commit, None);
    for (name, bytes) in files {
        let (size, sha256) = (u64::try_from(bytes.len()).ok(), Some(Digest::of(bytes)));
        metafile.artifacts.insert(name.parse().unwrap(), commit);
        metafile.details.insert(name.parse().unwrap(), Record { size, sha256, ..Record::default() });
    }
    metafile
}

pub fn metafile_key(commit: Commit) -> String {
    format!("{}build_meta.json", commit.address())
}

/// Holds that no torn bytes stand at a commit's address, that nothing else does, and that its metafile is whole and names nothing that is
/// not there; returns what stands, and what the metafile names.
pub fn sound(place: &Place, commit: Commit, files: &Files) -> (BTreeSet<String>, BTreeSet<String>) {
    // Read first: what it names was put before it.
    let stored = place.object(&metafile_key(commit));
    let listing = place.ask(async |store| store.list(commit).await.unwrap());
    assert_eq!(listing.odd.iter().collect::<Vec<_>>(), Vec::<&String>::new(), "no name but final ones");
    let stands: BTreeSet<String> = listing.artifacts.keys().map(ToString::to_string).collect();
    for name in &stands {
        let bytes = place.object(&format!("{}{name}", commit.address()));
        assert!(bytes.as_ref() == files.get(name), "torn bytes stand under {name}");
    }
    let Some(text) = stored else { return (stands, BTreeSet::new()) };
    let metafile = Metafile::parse(&text, commit).expect("the metafile is whole");
    assert_eq!(metafile.to_bytes().unwrap(), text, "the metafile is what is written of it");
    for (name, at) in &metafile.artifacts {
        assert!(*at == commit && stands.contains(name.as_str()), "the metafile names {name}, which is not there");
        let record = metafile.details.get(name).cloned().unwrap_or_default();
        let sha256 = files.get(name.as_str()).map(|bytes| Digest::of(bytes));
        assert!(record.sha256.is_none_or(|told| Some(told) == sha256), "another digest is told of {name}");
    }
    (stands, metafile.artifacts.keys().map(ToString::to_string).collect())
}

/// Runs a reader, which finds something or truthfully nothing; says which.
pub fn reads(place: &Place, arguments: &[&str]) -> Option<String> {
    let ran = place.run(arguments);
    assert!(matches!(ran.code, Some(0 | 3)), "{ran}");
    (ran.code == Some(0)).then_some(ran.stdout)
}

/// Holds that another process shows what is stored, byte for byte, or what would be.
pub fn shows(place: &Place, commit: Commit) {
    let shown = reads(place, &["--quiet", "show"]);
    let stored = place.object(&metafile_key(commit));
    match (shown, stored) {
        (Some(shown), Some(stored)) => assert_eq!(shown.as_bytes(), stored),
        (Some(shown), None) => drop(Metafile::parse(shown.as_bytes(), commit).unwrap()),
        (None, stored) => assert!(stored.is_none(), "what is stored is not found"),
    }
}

/// Holds that another process fetches whole files or none.
pub fn fetches(place: &Place, files: &Files) {
    let fetched = reads(place, &["--quiet", "fetch", "-o", "../read"]);
    let names = if place.sandbox.path("read").exists() { place.sandbox.tree("read") } else { Vec::new() };
    for name in &names {
        let bytes = std::fs::read(place.sandbox.path("read").join(name)).unwrap();
        assert!(files.get(name).is_some_and(|file| *file == bytes), "{name} was fetched torn");
    }
    assert_eq!(fetched.map_or(0, |told| told.lines().count()), names.len());
    drop(std::fs::remove_dir_all(place.sandbox.path("read")));
}
