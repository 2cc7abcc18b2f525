//! Publishing, and resolving, which is its second half.

use std::collections::BTreeSet;

use metalogic::address::Commit;

use super::law::{self, Files};
use super::place::Place;
use super::scenario::{Scenario, Standing};
use super::{FEW_HITS, HITS, everywhere};

/// More than one part.
const IN_PARTS: usize = (8 << 20) + 54_321;

/// So many bytes are not written at once.
const LONG: usize = 200_000;

everywhere! {
    a_publish_of_one_file_is_completed_by_a_further_run,
    a_publish_of_a_dozen_files_is_completed_by_a_further_run,
    a_publish_holds_up_no_other_of_the_same_commit,
    a_resolve_leaves_the_metafile_that_was_or_the_one_that_is_to_be,
}

/// Says how much of a publication stands.
fn standing(place: &Place, commit: Commit, files: &Files, published: &Files) -> Standing {
    let (stand, named) = law::sound(place, commit, files);
    let whole = published.keys().all(|name| named.contains(name));
    if whole { Standing::Whole } else { Standing::of(stand.len() + named.len(), usize::MAX) }
}

fn publish(place: &Place, name: &'static str, files: &Files, hits: usize) {
    let commit = place.register(files.keys());
    let paths = law::write(place, files);
    let words: Vec<&str> = ["publish"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let law = || standing(place, commit, files, files);
    let (show, fetch) = (|| law::shows(place, commit), || law::fetches(place, files));
    Scenario {
        hits,
        prepare: &|| place.begin(),
        command: &|| place.command(&words),
        readers: &[&show, &fetch],
        ..Scenario::new(place, name, &law)
    }
    .run();
}

fn a_publish_of_one_file_is_completed_by_a_further_run(place: &Place) {
    publish(place, "publish FILE", &law::files(1, 400_000), HITS);
}

fn a_publish_of_a_dozen_files_is_completed_by_a_further_run(place: &Place) {
    // Where bytes are written to, and not sent, they are quickly there.
    let size = if place.fake.is_none() { 400_000 } else { 50_000 };
    publish(place, "publish FILE... (a dozen)", &law::files(12, size), HITS);
}

#[test]
fn a_publish_in_parts_is_completed_by_a_further_run_on_s3() {
    publish(&Place::s3(), "publish FILE (in parts)", &law::files(1, IN_PARTS), FEW_HITS);
}

fn a_publish_holds_up_no_other_of_the_same_commit(place: &Place) {
    let files = law::files(9, 30_000);
    let commit = place.register(files.keys());
    let paths = law::write(place, &files);
    let publish = |paths: &[String]| {
        place.command(&["publish"].into_iter().chain(paths.iter().map(String::as_str)).collect::<Vec<_>>())
    };
    let own: Files = files.clone().into_iter().take(6).collect();
    let law = || standing(place, commit, &files, &own);
    let others = || {
        let (_, named) = law::sound(place, commit, &files);
        assert!(files.keys().skip(3).all(|name| named.contains(name)), "what another published is not in {named:?}");
    };
    let (show, fetch) = (|| law::shows(place, commit), || law::fetches(place, &files));
    // Three files are one's, three the other's, and three both's.
    let (one, other) = (|| publish(&paths[..6]), || publish(&paths[3..]));
    Scenario {
        prepare: &|| place.begin(),
        command: &one,
        beside: Some((&other, &others)),
        readers: &[&show, &fetch],
        ..Scenario::new(place, "publish, beside another of the same commit", &law)
    }
    .run();
}

fn a_resolve_leaves_the_metafile_that_was_or_the_one_that_is_to_be(place: &Place) {
    let files = law::files(6, 2_000);
    let commit = place.register(files.keys());
    let before: BTreeSet<String> = files.keys().take(2).cloned().collect();
    let mut old = law::metafile(commit, files.iter().take(2));
    // What somebody else wrote there is kept, and takes a while to write.
    old.unknown.insert("notes".to_owned(), "x".repeat(LONG).into());
    let old = old.to_bytes().unwrap();
    let prepare = || {
        place.begin();
        files.iter().for_each(|(name, bytes)| place.plant(&format!("{}{name}", commit.address()), bytes.clone()));
        place.plant(&law::metafile_key(commit), old.clone());
    };
    let law = || {
        let (stand, named) = law::sound(place, commit, &files);
        assert_eq!(stand.len(), files.len());
        assert!(named.len() == files.len() || named == before, "neither the old one nor the new one: {named:?}");
        if named.len() == files.len() { Standing::Whole } else { Standing::Nothing }
    };
    let (show, fetch) = (|| law::shows(place, commit), || law::fetches(place, &files));
    Scenario {
        prepare: &prepare,
        command: &|| place.command(&["resolve"]),
        readers: &[&show, &fetch],
        ..Scenario::new(place, "resolve", &law)
    }
    .run();
}
