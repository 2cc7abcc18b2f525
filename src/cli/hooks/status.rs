//! `metalogic hooks status`.

use std::path::PathBuf;

use serde_json::json;

use super::outcome::{self, Outcome};
use super::{name, optional, program_on_path, setting, shown};
use crate::cli::session::{Session, conclude};
use crate::files;
use crate::git::Repository;
use crate::hooks::{Seat, Site, State};
use crate::missed::Missed;

/// Say how the hooks stand, what they missed and how to mend it
///
/// Tells of each hook whether it is in place and which program it runs; what failed last, from the log that hooks leave in git's common
/// directory; what waits to be done by the next hook that runs; and which of the newest 1000 commits that refs and work trees reach have no metafile.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// Holds a hook with the program that it will find.
struct Row {
    seat: Seat,
    program: Option<PathBuf>,
    line: Option<String>,
}

pub(super) async fn run(session: &Session, repository: &Repository, site: &Site) -> anyhow::Result<()> {
    let outcome = Outcome::of(session, repository).await;
    let on_path = program_on_path();
    let rows: Vec<Row> = site.seats()?.into_iter().map(|seat| row(site, seat, on_path.as_ref())).collect();
    let objects: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "hook": row.seat.hook.name(),
                "path": shown(&row.seat.path),
                "state": state(row.seat.state),
                "kept": optional(row.seat.kept.as_ref()),
                "program": optional(row.program.as_ref()),
                "line": row.line,
            })
        })
        .collect();
    // What is known here is told before a store is asked, which may take its time.
    if !session.json {
        session.print(format!("{}{}", text(site, &rows), outcome.text()).as_bytes())?;
    }
    let (missed, errors) = match outcome::missed_now(session, repository).await {
        Ok(missed) => (Some(missed), Vec::new()),
        Err(error) => (None, vec![error]),
    };
    let by_hand = outcome.by_hand(session, missed.as_ref());
    let ids = |missed: &Missed| missed.commits.iter().map(ToString::to_string).collect::<Vec<_>>();
    let object = json!({
        "directory": shown(&site.directory),
        "core_hooks_path": setting(site.setting.as_ref()),
        "hooks": objects,
        "log": shown(&outcome.log),
        "failures": outcome.failures,
        "waiting": outcome.waiting,
        "without_metafile": missed.as_ref().map(ids),
        "by_hand": by_hand,
    });
    let answered = session.answer(&object, || outcome::told(missed.as_ref(), &by_hand).into_bytes());
    if !site.is_off() && rows.iter().any(|row| wants_installing(row.seat.state)) {
        session.report.note(if site.is_own() {
            "`metalogic hooks install` puts all of them in place"
        } else {
            "`metalogic hooks install` prints the lines to add, and touches nothing"
        });
    }
    conclude(answered, errors)
}

fn row(site: &Site, seat: Seat, on_path: Option<&PathBuf>) -> Row {
    let recorded = || seat.recorded().map(files::path_of).filter(|program| files::is_program(program));
    let program = match seat.state {
        State::Installed | State::Outdated | State::Legacy => on_path.cloned().or_else(recorded),
        State::Called => on_path.cloned(),
        State::Foreign | State::Absent => None,
    };
    let line = match seat.state {
        State::Foreign | State::Absent if !site.is_own() && !site.is_off() => Some(seat.hook.line()),
        State::Installed | State::Outdated | State::Legacy | State::Called | State::Foreign | State::Absent => None,
    };
    Row { seat, program, line }
}

fn wants_installing(state: State) -> bool {
    match state {
        State::Outdated | State::Foreign | State::Absent => true,
        State::Installed | State::Legacy | State::Called => false,
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Installed => "installed",
        State::Outdated => "outdated",
        State::Legacy => "run by pre-commit",
        State::Called => "called",
        State::Foreign => "another's",
        State::Absent => "absent",
    }
}

fn text(site: &Site, rows: &[Row]) -> String {
    let mut text = format!("{}\n", shown(&site.directory));
    if let Some(setting) = &site.setting {
        let off = if site.is_off() { ": git runs no hooks" } else { "" };
        text.push_str(&format!("{setting}{off}\n"));
    }
    for row in rows {
        text.push_str(&format!("{:<16} {}\n", row.seat.hook.name(), said(row)));
        if let Some(line) = &row.line {
            text.push_str(&format!("{:<16} to be added to {}: {line}\n", "", shown(&row.seat.path)));
        }
    }
    text
}

fn said(row: &Row) -> String {
    let said = match row.seat.state {
        State::Installed => "installed",
        State::Outdated => "out of date, or not executable",
        State::Legacy => "run by pre-commit, which keeps it as .legacy",
        State::Called => "called from a hook of your own",
        State::Foreign => return "another's hook is there, and does not call metalogic".to_owned(),
        State::Absent => return "absent".to_owned(),
    };
    let kept = row.seat.kept.as_ref().filter(|_| row.seat.runs_kept);
    let kept = kept.map(|kept| format!("; {} runs first", name(kept))).unwrap_or_default();
    let program = match &row.program {
        Some(program) => format!("runs {}", shown(program)),
        None => "does nothing, since metalogic is not on PATH".to_owned(),
    };
    format!("{said}{kept}; {program}")
}
