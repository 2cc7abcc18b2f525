//! `metalogic completions`.

use serde_json::json;

use crate::cli::session::Session;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "metalogic", &mut script);
    let object = json!({"shell": arguments.shell.to_string(), "script": String::from_utf8_lossy(&script)});
    session.answer(&object, || script.clone())
}
