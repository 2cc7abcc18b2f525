//! `metalogic hooks uninstall`.

use serde_json::json;

use super::{name, optional, setting, shown};
use crate::cli::session::{Session, conclude};
use crate::git::Repository;
use crate::hooks::{self, Site, Uninstalled, Uninstalling};
use crate::journal::Journal;

/// Take the hooks out again, and give what they kept its name back
///
/// What is not metalogic's stays as it is. It may be run at any time.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(
    session: &Session,
    repository: &Repository,
    site: &Site,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let waiting = Journal::of(repository.common_directory()).waiting().unwrap_or_default().len();
    if waiting > 0 {
        let waiting = if waiting == 1 { "1 job that waits".to_owned() } else { format!("{waiting} jobs that wait") };
        let goes = if arguments.dry_run { "would go" } else { "will go" };
        session.report.warning(&format!(
            "{waiting} for a store {goes} with the hooks: `metalogic hooks status` tells which commits have no metafile"
        ));
    }
    let (done, refused) = hooks::uninstall(site, arguments.dry_run)?;
    let objects: Vec<_> = done
        .iter()
        .map(|one| {
            json!({
                "hook": one.hook.name(),
                "path": shown(&one.path),
                "outcome": outcome(one.step),
                "kept": optional(one.kept.as_ref()),
            })
        })
        .collect();
    let object = json!({
        "directory": shown(&site.directory),
        "core_hooks_path": setting(site.setting.as_ref()),
        "hooks": objects,
        "dry_run": arguments.dry_run,
    });
    let lines = || done.iter().map(|one| line(one, arguments.dry_run)).collect::<String>().into_bytes();
    conclude(session.answer(&object, lines), refused.into_iter().map(Into::into).collect())
}

fn outcome(step: Uninstalling) -> &'static str {
    match step {
        Uninstalling::Nothing => "absent",
        Uninstalling::Remove => "removed",
        Uninstalling::Restore => "restored",
        Uninstalling::Leave => "left",
        Uninstalling::Tell => "to be taken out",
    }
}

fn line(one: &Uninstalled, dry_run: bool) -> String {
    let would = if dry_run { "would be " } else { "" };
    let outcome = outcome(one.step);
    let said = match one.step {
        Uninstalling::Nothing => outcome.to_owned(),
        Uninstalling::Remove => format!("{would}{outcome}"),
        Uninstalling::Restore => format!("{would}{outcome}, as it was before"),
        Uninstalling::Leave => "left as it is: it is not metalogic's".to_owned(),
        Uninstalling::Tell => "left as it is: take out what calls metalogic".to_owned(),
    };
    let kept = one.kept.as_ref().map(|kept| format!("; {} stays too", name(kept))).unwrap_or_default();
    format!("{}: {said}{kept}\n", shown(&one.path))
}
