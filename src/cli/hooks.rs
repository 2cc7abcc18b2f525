//! `metalogic hooks`.

mod install;
mod outcome;
mod status;
mod uninstall;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::session::Session;
use crate::files;
use crate::git::HooksPath;
use crate::hooks::{HooksError, Site};

/// Have git give each new commit its metafile
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Install(install::Arguments),
    Uninstall(uninstall::Arguments),
    Status(status::Arguments),
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let repository = session.config.repository()?.ok_or(HooksError::NoRepository)?;
    let site = Site::of(repository)?;
    match &arguments.verb {
        Verb::Install(arguments) => install::run(session, &site, arguments),
        Verb::Uninstall(arguments) => uninstall::run(session, repository, &site, arguments),
        Verb::Status(status::Arguments {}) => status::run(session, repository, &site).await,
    }
}

/// Returns where this program is: a hook looks there where it does not find it on its path.
fn own_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Returns the program that the shell would find on the path.
fn program_on_path() -> Option<PathBuf> {
    let name = format!("metalogic{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(&name)).find(|program| files::is_program(program))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn optional(path: Option<&PathBuf>) -> Option<String> {
    path.map(|path| shown(path))
}

fn setting(setting: Option<&HooksPath>) -> Value {
    setting.map_or(
        Value::Null,
        |setting| json!({"value": setting.value, "scope": setting.scope, "origin": setting.origin}),
    )
}

/// Returns a file's name, as it is told beside the whole path of another.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
