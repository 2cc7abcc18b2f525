//! `metalogic hooks install`.

use serde_json::json;

use super::{name, optional, own_program, setting, shown};
use crate::cli::session::{Session, conclude};
use crate::hooks::{self, Installed, Installing, Site};

/// Put the hooks in place that give each new commit its metafile
///
/// In a clone post-commit, post-merge, post-rewrite, post-applypatch and pre-push; in a bare repository post-receive. A hook that is there
/// already is kept as NAME.before-metalogic and runs first. Where core.hooksPath has git look elsewhere nothing is touched, and the lines
/// to add are printed. It may be run at any time.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Say what would be done, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(session: &Session, site: &Site, arguments: &Arguments) -> anyhow::Result<()> {
    let program = own_program();
    let recorded = program.as_ref().map(|program| program.as_os_str().as_encoded_bytes());
    let (done, refused) = hooks::install(site, recorded, arguments.dry_run)?;
    let told = |one: &&Installed| one.step == Installing::Tell;
    if done.iter().filter(told).any(|one| !one.path.exists()) && !site.is_of_husky() {
        session.report.note("a hook that is new begins with #!/bin/sh and is executable (chmod +x)");
    }
    done.iter().filter_map(warning).for_each(|text| session.report.warning(&text));
    let objects: Vec<_> = done
        .iter()
        .map(|one| {
            json!({
                "hook": one.hook.name(),
                "path": shown(&one.path),
                "outcome": outcome(one.step),
                "kept": optional(one.kept.as_ref()),
                "line": told(&one).then(|| one.hook.line()),
                "warning": warning(one),
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

/// Says what may be wrong with a hook that was kept.
fn warning(one: &Installed) -> Option<String> {
    let kept = one.kept.as_ref().filter(|_| one.goes_by_name)?;
    let hook = one.hook.name();
    Some(format!(
        "{} seems to go by its own name, which is another than {hook} now: see that it still does its work, or give it its name back with \
         `metalogic hooks uninstall` and add this to what it does: {}",
        shown(kept),
        one.hook.line()
    ))
}

fn outcome(step: Installing) -> &'static str {
    match step {
        Installing::Nothing => "in place",
        Installing::Write | Installing::Keep => "installed",
        Installing::Rewrite => "rewritten",
        Installing::Conflict => "conflict",
        Installing::Tell => "to be added",
    }
}

fn line(one: &Installed, dry_run: bool) -> String {
    let path = shown(&one.path);
    let outcome = match (one.step, dry_run) {
        (Installing::Write | Installing::Keep, true) => "would be installed",
        (Installing::Rewrite, true) => "would be rewritten",
        (step, _) => outcome(step),
    };
    match (one.step, &one.kept) {
        (Installing::Tell, _) => format!("{path}: to be added:\n    {}\n", one.hook.line()),
        (Installing::Keep, Some(kept)) => {
            format!("{path}: {outcome}; what was there runs first, as {}\n", name(kept))
        }
        (Installing::Nothing | Installing::Write | Installing::Rewrite, Some(kept)) => {
            format!("{path}: {outcome}; {} runs first\n", name(kept))
        }
        _ => format!("{path}: {outcome}\n"),
    }
}
