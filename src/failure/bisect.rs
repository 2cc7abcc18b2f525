//! What it is to whoever bisects that the end is not reached.

use super::arrival::arrival;
use super::{Kind, Verdict, advised, ancestry, local, plain, store};
use crate::artifact::Name;
use crate::bisect::{BisectError, UnderWay};
use crate::words;

/// What ends a bisection that is not to be gone on with.
const RESET: &str = "`metalogic bisect --reset` forgets it";

/// The longest command that a hint repeats, in bytes.
const LONGEST: usize = 500;

/// Says that builds were skipped, each of which may be the first bad one. What is known was answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("which {name} is the first bad one stays open: {} between the last good and the first bad one", skipped(*.builds))]
pub struct SkippedError {
    /// The artifact.
    pub name: Name,
    /// How many were skipped.
    pub builds: usize,
}

fn skipped(builds: usize) -> String {
    if builds == 1 { "a build was skipped".to_owned() } else { format!("{builds} builds were skipped") }
}

pub(super) fn left_open(_: &SkippedError) -> Verdict {
    advised(Kind::NotFound, "try those by hand, or run it again with a command that can tell more of them")
}

pub(super) fn bisect(error: &BisectError) -> Verdict {
    match error {
        BisectError::Both(_) => advised(Kind::Usage, "name an older commit with --good, or a newer one with --bad"),
        BisectError::Apart { reversed: true, .. } => {
            advised(Kind::Git, "it is the other way round: --good names the older commit, --bad the newer one")
        }
        BisectError::Apart { good, reversed: false, .. } => advised(
            Kind::Git,
            format!("name a commit of the same branch, as the first parent at which {good} was merged or branched off"),
        ),
        BisectError::Unreached { .. } => advised(
            Kind::Git,
            "run it in a repository that has both commits: `git fetch --unshallow` completes a shallow clone",
        ),
        BisectError::TooFar { distance, .. } => {
            let further = distance.map_or_else(String::new, |distance| format!(" {distance}"));
            advised(Kind::Git, format!("look further with --max-ancestors{further}, or name a newer --good"))
        }
        BisectError::NeverBuilt { .. } => {
            advised(Kind::NotFound, "name a later --good at which it was built, or look further with --max-ancestors")
        }
        BisectError::Same { .. } => advised(
            Kind::Usage,
            "so what changed is not this artifact: bisect another one, or look at configuration and data",
        ),
        BisectError::UnderWay(other) => advised(Kind::Conflict, going_on(other)),
        BisectError::Busy(_) => advised(Kind::Conflict, "wait for it, or end it"),
        BisectError::Malformed(_) => advised(Kind::Other, format!("it may be of another version: {RESET}")),
        BisectError::Notes { source, .. } => local(source),
        BisectError::Bogus { .. } => advised(
            Kind::Usage,
            "check that the command exists, may be run and is spelled right: after -- it is run as it stands, without a shell",
        ),
        BisectError::Stopped { .. } | BisectError::Left { .. } => {
            advised(Kind::Other, format!("the same command goes on from there; {RESET}"))
        }
        BisectError::Unasked(_) => plain(Kind::Other),
        BisectError::Arrival(source) => arrival(source),
        BisectError::Ancestry(source) => ancestry(source),
        BisectError::Store(source) => store(source),
    }
}

/// Says how to go on with a bisection that is under way.
fn going_on(other: &UnderWay) -> String {
    let UnderWay { name, good, bad, store, command, .. } = other;
    let (store, command) = (words::word(store), after_dashes(command));
    format!("`metalogic bisect {name} --good {good} --bad {bad} --store {store}{command}` goes on with it, {RESET}")
}

/// Returns what follows the options of a bisection that a command tries builds for. One that would not be read as it is is not repeated.
fn after_dashes(command: &[String]) -> String {
    if command.is_empty() {
        return String::new();
    }
    let words = words::command(command);
    let is_told = words.len() <= LONGEST && !words.contains(words::is_unseen);
    format!(" -- {}", if is_told { &words } else { "COMMAND..." })
}
