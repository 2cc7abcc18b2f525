//! A process that is killed while it holds the directory store's lock holds nobody up.

use std::fs::File;
use std::process::Child;
use std::time::{Duration, Instant};

use metalogic::metafile::{LARGEST, Metafile};

use super::FEW_HITS;
use super::law;
use super::place::Place;
use super::scenario::{Scenario, Standing};
use crate::descriptors::is_free;

pub const COMMAND: &str = "resolve, while it holds the lock";

/// What stands in a metafile's place and takes a while to compare, under the lock. It has holes for bytes.
const LARGE: u64 = 16 << 20;

/// How long to wait for a process to take the lock.
const SOON: Duration = Duration::from_secs(20);

/// Says whether somebody holds a lock of the store.
fn is_held(place: &Place) -> bool {
    let mut locks = std::fs::read_dir(place.root().join(".metalogic/locks")).into_iter().flatten().flatten();
    locks.any(|lock| !is_free(&lock.path()))
}

#[test]
fn whoever_is_killed_while_it_holds_the_lock_holds_nobody_up() {
    let place = Place::directory();
    let files = law::files(2, 1_000);
    let commit = place.register(files.keys());
    let path = || place.root().join(law::metafile_key(commit));
    let prepare = || {
        place.begin();
        files.iter().for_each(|(name, bytes)| place.plant(&format!("{}{name}", commit.address()), bytes.clone()));
        File::create(path()).unwrap().set_len(LARGE).unwrap();
    };
    let law = || {
        if std::fs::metadata(path()).unwrap().len() > LARGEST {
            return Standing::Nothing;
        }
        let metafile = Metafile::parse(&std::fs::read(path()).unwrap(), commit).expect("the metafile is whole");
        Standing::of(metafile.artifacts.len(), files.len())
    };
    let moment = |child: &mut Child| {
        let until = Instant::now() + SOON;
        while !is_held(&place) && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "nobody takes the lock");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let free = || {
        let until = Instant::now() + SOON;
        while is_held(&place) {
            assert!(Instant::now() < until, "the lock outlives its process");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    Scenario {
        hits: FEW_HITS,
        prepare: &prepare,
        command: &|| place.command(&["resolve"]),
        moment: Some(&moment),
        readers: &[&free],
        ..Scenario::new(&place, COMMAND, &law)
    }
    .run();
}
