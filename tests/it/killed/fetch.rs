//! Fetching: what has its name in the output directory is whole.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::everywhere;
use super::law::{self, Files};
use super::place::{Place, is_beside};
use super::scenario::{Scenario, Standing};

everywhere! {
    a_fetch_leaves_only_whole_files_under_their_names,
    a_fetch_over_older_files_leaves_the_old_ones_or_the_new_ones,
    a_fetch_to_a_file_leaves_the_old_one_or_the_new_one,
}

/// What lies in the output directory and is nobody's artifact.
const OWN: &str = "own.txt";

/// Kills a fetch to `got`, where the same names may have other bytes before it; `as_file` is the one file that is fetched under another name.
fn fetch(place: &Place, name: &'static str, files: &Files, older: bool, as_file: Option<&str>) {
    place.register(files.keys());
    let paths = law::write(place, files);
    let words: Vec<&str> = ["publish"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let ran = place.run(&words);
    assert_eq!(ran.code, Some(0), "{ran}");
    let target = |name: &str| place.sandbox.path("got").join(as_file.unwrap_or(name));
    let prepare = || {
        drop(std::fs::remove_dir_all(place.sandbox.path("got")));
        place.sandbox.write(&format!("got/{OWN}"), "mine");
        let old = files.keys().filter(|_| older);
        old.for_each(|name| std::fs::write(target(name), format!("older {name}")).unwrap());
    };
    let law = || {
        let mut done = 0;
        for (name, bytes) in files {
            match std::fs::read(target(name)) {
                Ok(read) if read == *bytes => done += 1,
                Ok(read) => assert!(older && read == format!("older {name}").as_bytes(), "{name} is torn"),
                Err(_) => assert!(!older, "{name} is gone"),
            }
        }
        for left in place.sandbox.tree("got") {
            let known = is_beside(&left) || files.keys().any(|name| target(name).ends_with(&left));
            assert!(known || left == OWN, "{left} is nobody's");
        }
        assert_eq!(place.sandbox.read(&format!("got/{OWN}")), "mine");
        Standing::of(done, files.len())
    };
    let words = match as_file {
        None => vec!["fetch".to_owned(), "-o".to_owned(), "../got".to_owned()],
        Some(file) => vec!["fetch".to_owned(), "0.bin".to_owned(), "--as".to_owned(), format!("../got/{file}")],
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let read = || law::fetches(place, files);
    Scenario {
        prepare: &prepare,
        command: &|| place.command(&words),
        readers: &[&read],
        ..Scenario::new(place, name, &law)
    }
    .run();
}

fn a_fetch_leaves_only_whole_files_under_their_names(place: &Place) {
    fetch(place, "fetch -o DIR", &law::files(4, 300_000), false, None);
}

fn a_fetch_over_older_files_leaves_the_old_ones_or_the_new_ones(place: &Place) {
    fetch(place, "fetch -o DIR (over older files)", &law::files(4, 300_000), true, None);
}

fn a_fetch_to_a_file_leaves_the_old_one_or_the_new_one(place: &Place) {
    fetch(place, "fetch NAME --as FILE (over an older file)", &law::files(1, 1_500_000), true, Some("here"));
}

#[test]
fn what_a_killed_fetch_left_is_swept_after_a_day_and_nothing_else_is() {
    let place = Place::directory();
    let files = law::files(1, 10);
    place.register(files.keys());
    law::write(&place, &files);
    place.run(&["publish", "../out/0.bin"]);
    let left = [
        (".metalogic-dead01.part", 25, false),
        (".metalogic-living.part", 23, true),
        (".metalogic-future.part", -48, true),
        (".metalogic-backup", 999, true),
        ("metalogic-mine.part", 999, true),
    ];
    for (name, hours, _) in left {
        let age = Duration::from_secs(3600 * i64::unsigned_abs(hours));
        let time = if hours < 0 { SystemTime::now() + age } else { SystemTime::now() - age };
        place.sandbox.write(&format!("got/{name}"), "");
        File::create(place.sandbox.path("got").join(name)).unwrap().set_modified(time).unwrap();
    }
    assert_eq!(place.run(&["fetch", "0.bin", "--as", "../got/0.bin"]).code, Some(0));
    for (name, _, stays) in left {
        assert_eq!(place.sandbox.path("got").join(name).exists(), stays, "{name}");
    }
}
