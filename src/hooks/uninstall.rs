//! Taking hooks out.

use std::path::{Path, PathBuf};

use super::{HooksError, JOURNAL, Seat, Site, State, legacy};
use crate::files;
use crate::hook::Hook;

/// Says what is done, or would be, to have a hook out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uninstalling {
    /// Nothing of ours is there.
    Nothing,
    /// Ours is removed.
    Remove,
    /// What was there before gets its name back.
    Restore,
    /// Another's hook is there: it stays, with what was kept.
    Leave,
    /// A line is to be taken out of a file that is not touched, or the whole file.
    Tell,
}

/// Holds what was done, or would be, to have a hook out.
#[derive(Debug)]
pub struct Uninstalled {
    /// Which hook.
    pub hook: Hook,
    /// The file.
    pub path: PathBuf,
    /// What was done.
    pub step: Uninstalling,
    /// What was kept and still is.
    pub kept: Option<PathBuf>,
}

/// Takes all hooks of a repository out, each for itself, and what they kept to say.
///
/// Returns what was done with what was refused beside it.
///
/// # Errors
/// What keeps all hooks from being looked at.
pub fn uninstall(site: &Site, dry_run: bool) -> Result<(Vec<Uninstalled>, Vec<HooksError>), HooksError> {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    // Where git was told to look elsewhere later, ours are still where it looked before.
    let own = if site.is_own() { site.directory.clone() } else { site.common_directory.join("hooks") };
    for hook in Hook::ALL {
        let seat = Seat::at(hook, &own, false)?;
        let (step, target) = plan(&seat)?;
        let uninstalled = || -> Result<(), HooksError> {
            act(step, &target, seat.kept.as_deref())?;
            let other = legacy(&seat.path);
            if seat.legacy.is_some() && target != other { remove(&other) } else { Ok(()) }
        };
        if !dry_run && let Err(error) = uninstalled() {
            refused.push(error);
            continue;
        }
        let kept = seat.kept.filter(|_| step != Uninstalling::Restore);
        // One that does not belong there is told of only where there is something to tell.
        if step != Uninstalling::Nothing || site.hooks.contains(&hook) {
            done.push(Uninstalled { hook, path: target, step, kept });
        }
    }
    if !site.is_own() {
        for seat in site.seats()? {
            let step = match seat.state {
                State::Installed | State::Outdated | State::Legacy | State::Called => Uninstalling::Tell,
                State::Foreign | State::Absent => continue,
            };
            done.push(Uninstalled { hook: seat.hook, path: seat.path, step, kept: None });
        }
    }
    let journal = site.common_directory.join(JOURNAL);
    if !dry_run && let Err(source) = files::remove_tree(&journal, &journal) {
        refused.push(HooksError::File { path: journal, what: "removed", source });
    }
    Ok((done, refused))
}

/// Says what is to be done about a hook, and to which file.
fn plan(seat: &Seat) -> Result<(Uninstalling, PathBuf), HooksError> {
    let path = seat.path.clone();
    let out = if seat.kept.is_some() { Uninstalling::Restore } else { Uninstalling::Remove };
    Ok(match seat.state {
        State::Installed | State::Outdated => (out, path),
        State::Absent if seat.kept.is_some() => (out, path),
        // Pre-commit would run itself for ever, if that was what ours kept.
        State::Legacy if seat.kept_is_of_pre_commit()? => (Uninstalling::Remove, legacy(&path)),
        // Else it goes on to run what ours ran first.
        State::Legacy => (out, legacy(&path)),
        State::Foreign | State::Called if seat.legacy.is_some() => (Uninstalling::Remove, legacy(&path)),
        State::Called => (Uninstalling::Tell, path),
        State::Foreign => (Uninstalling::Leave, path),
        State::Absent => (Uninstalling::Nothing, path),
    })
}

fn act(step: Uninstalling, target: &Path, kept: Option<&Path>) -> Result<(), HooksError> {
    match (step, kept) {
        (Uninstalling::Remove, _) => remove(target),
        (Uninstalling::Restore, Some(kept)) => files::rename(kept, target).map_err(|source| HooksError::File {
            path: target.to_owned(),
            what: "restored",
            source,
        }),
        (Uninstalling::Restore, None) => Ok(()),
        (Uninstalling::Nothing | Uninstalling::Leave | Uninstalling::Tell, _) => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), HooksError> {
    files::remove(path).map_err(|source| HooksError::File { path: path.to_owned(), what: "removed", source })
}
