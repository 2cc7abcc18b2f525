//! `metalogic versions`.

use serde_json::json;

use crate::cli::session::Session;
use crate::cli::shelf::Purpose;
use crate::shelf::ShelfError;
use crate::version::{self, ReleaseName};

/// List the versions of a name, the highest first
///
/// Lists what is staged whole, pre-releases too, by precedence.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The name
    #[arg(value_name = "NAME")]
    name: ReleaseName,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let shelf = session.shelf(Purpose::Look).await?;
    let versions = shelf.versions(&arguments.name).await?;
    if versions.is_empty() {
        return Err(ShelfError::Nothing { name: arguments.name.clone(), place: shelf.place() }.into());
    }
    let lines: Vec<String> = versions.iter().rev().map(ToString::to_string).collect();
    let object = json!({
        "name": arguments.name.to_string(),
        "versions": lines,
        "latest": version::latest(&versions, false).map(ToString::to_string),
        "place": shelf.place(),
    });
    session.answer(&object, || lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes())
}
