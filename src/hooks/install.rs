//! Putting hooks in place.

use std::path::{Path, PathBuf};

use super::{HooksError, Own, Seat, Site, State, aside, legacy};
use crate::files::{self, Standing};
use crate::hook::{Hook, Script};

/// Says what is done, or would be, to have a hook in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installing {
    /// It is in place already.
    Nothing,
    /// It is written where nothing was.
    Write,
    /// It is written over one of ours that is not what this version installs.
    Rewrite,
    /// It is written where another's hook is, which is kept and runs first.
    Keep,
    /// Another's hook is there, and so is what it would be kept as: nothing is done.
    Conflict,
    /// A line is to be added to a file that is not touched.
    Tell,
}

/// Holds what was done, or would be, to have a hook in place.
#[derive(Debug)]
pub struct Installed {
    /// Which hook.
    pub hook: Hook,
    /// The file.
    pub path: PathBuf,
    /// What was done.
    pub step: Installing,
    /// What was there before, and runs first.
    pub kept: Option<PathBuf>,
    /// Whether that goes by its own name, which is another now.
    pub goes_by_name: bool,
}

/// What is found in programs that do this or that by the name that they are called by.
const BY_NAME: [&str; 4] = ["basename", "argv[0]", "PROGRAM_NAME", "$0"];

/// The shells in which a kept hook sees its old name.
const SHELLS: [&str; 4] = ["sh", "bash", "dash", "ksh"];

/// Puts the hooks of a site in place, each for itself; `program` is where they find the program where that is not on their path.
///
/// Returns what was done with what was refused beside it.
///
/// # Errors
/// What keeps all hooks from being looked at.
pub fn install(
    site: &Site,
    program: Option<&[u8]>,
    dry_run: bool,
) -> Result<(Vec<Installed>, Vec<HooksError>), HooksError> {
    if site.is_off() {
        return Err(HooksError::Off { setting: site.setting.clone() });
    }
    let (mut done, mut refused, mut occupied) = (Vec::new(), Vec::new(), Vec::new());
    for seat in site.seats()? {
        let script = Script::new(seat.hook, program);
        let (step, target) = plan(site, &seat, &script);
        if step == Installing::Conflict {
            occupied.push((seat.path.clone(), aside(&seat.path)));
        }
        // Where ours had gone, what it kept runs again.
        let runs_kept = seat.runs_kept || step == Installing::Write;
        let goes_by_name = step == Installing::Keep && goes_by_name(&seat.path);
        let kept = if step == Installing::Keep { Some(aside(&seat.path)) } else { seat.kept.filter(|_| runs_kept) };
        if !dry_run && let Err(error) = act(step, &seat.path, &target, &script) {
            refused.push(error);
            continue;
        }
        done.push(Installed { hook: seat.hook, path: target, step, kept, goes_by_name });
    }
    if !occupied.is_empty() {
        refused.push(HooksError::Occupied(occupied));
    }
    if done.iter().any(|one| one.step == Installing::Tell) {
        refused.push(site.elsewhere());
    }
    Ok((done, refused))
}

/// Says whether a hook may do something else under another name. What a shell runs does not notice.
fn goes_by_name(path: &Path) -> bool {
    match files::standing(path) {
        Ok(Standing::File { text, .. }) => {
            let text = String::from_utf8_lossy(&text);
            let interpreter = text.lines().next().unwrap_or_default().split(" -").next().unwrap_or_default();
            let is_shell = interpreter.rsplit(['/', ' ']).next().is_some_and(|name| SHELLS.contains(&name));
            !is_shell && BY_NAME.iter().any(|sign| text.contains(sign))
        }
        Ok(Standing::Nothing | Standing::Other) | Err(_) => false,
    }
}

/// Says what is to be done about a hook, and to which file.
fn plan(site: &Site, seat: &Seat, script: &Script) -> (Installing, PathBuf) {
    let path = seat.path.clone();
    let renew = |own: Option<&Own>| match own {
        Some(own) if own.executable && own.script == *script => Installing::Nothing,
        _ => Installing::Rewrite,
    };
    let step = match seat.state {
        State::Installed | State::Outdated if site.is_own() => renew(seat.own.as_ref()),
        State::Legacy if site.is_own() => return (renew(seat.legacy.as_ref()), legacy(&path)),
        // Of what is not touched nobody can say more than that it is there.
        State::Installed | State::Outdated | State::Legacy | State::Called => Installing::Nothing,
        State::Foreign | State::Absent if !site.is_own() => Installing::Tell,
        State::Absent => Installing::Write,
        // An installation that was cut short has given it both names.
        State::Foreign if seat.kept.as_ref().is_none_or(|kept| files::is_same(&path, kept)) => Installing::Keep,
        State::Foreign => Installing::Conflict,
    };
    (step, path)
}

fn act(step: Installing, path: &Path, target: &Path, script: &Script) -> Result<(), HooksError> {
    let failed = |what| move |source| HooksError::File { path: target.to_owned(), what, source };
    match step {
        Installing::Nothing | Installing::Conflict | Installing::Tell => return Ok(()),
        Installing::Write | Installing::Rewrite => {}
        Installing::Keep if files::is_same(path, &aside(path)) => {}
        Installing::Keep => files::set_aside(path, &aside(path)).map_err(failed("kept"))?,
    }
    if let Some(directory) = target.parent() {
        files::make_directory(directory).map_err(failed("written"))?;
    }
    files::place_program(target, script.text()).map_err(failed("written"))
}
