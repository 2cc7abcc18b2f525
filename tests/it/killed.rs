//! Kill -9, for real: the binary is killed at random moments of what writes to a store and of what fetches from it. Nothing torn stands under
//! a final name, whoever reads right then finds whole things or none, and a further run completes, however often it was killed before.
//!
//! `cargo test --test it killed:: -- --nocapture | grep '^|'` prints the table. `METALOGIC_KILLS=N` makes it N times as many kills, and
//! `METALOGIC_KILLS_SEED=N`, which every failure tells, draws the same lots again.

mod fetch;
mod law;
mod lock;
mod moment;
mod place;
mod publish;
mod registry;
pub mod running;
mod scenario;
mod stage;
mod stub;

/// How many kills of each command have to hit a running process.
const HITS: usize = 22;

/// How many have to where each takes a second: while the lock is held, and where megabytes move.
const FEW_HITS: usize = 8;

/// The commands that are killed, as the table has them, each on both stores.
const EVERYWHERE: [&str; 13] = [
    "publish FILE",
    "publish FILE... (a dozen)",
    "publish, beside another of the same commit",
    "resolve",
    "stub",
    "stub --stdin (a pushed range)",
    "stub --queued (what a hook left to do)",
    "fetch -o DIR",
    "fetch -o DIR (over older files)",
    "fetch NAME --as FILE (over an older file)",
    "registry push",
    "stage NAME VERSION FILE",
    "stage NAME VERSION --commit REV",
];

/// Those that are killed where they differ.
const ONLY: [(&str, &str); 3] =
    [("directory", "stub --hook pre-push"), ("directory", lock::COMMAND), ("S3", "publish FILE (in parts)")];

const _: () = assert!((2 * EVERYWHERE.len() + 1) * HITS + 2 * FEW_HITS >= 600);

/// Names the tests of commands that are killed on both stores.
macro_rules! everywhere {
    ($($law:ident),+ $(,)?) => {
        mod directory {
            $(#[test]
            fn $law() {
                super::$law(&crate::killed::place::Place::directory());
            })+
        }
        mod s3 {
            $(#[test]
            fn $law() {
                super::$law(&crate::killed::place::Place::s3());
            })+
        }
    };
}
use everywhere;
