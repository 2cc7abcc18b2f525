//! `metalogic latest`.

use serde_json::json;

use crate::cli::session::Session;
use crate::cli::shelf::Purpose;
use crate::version::ReleaseName;

/// Print the latest version of a name
///
/// Prints the highest release by precedence, whenever it was staged: a back-port of 1.0.5 after 2.0.0 is not the latest.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The name
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    /// Count pre-releases such as 2.0.0-rc.1, too
    #[arg(long)]
    pre: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let shelf = session.shelf(Purpose::Look).await?;
    let version = shelf.latest(&arguments.name, arguments.pre).await?;
    let object = json!({
        "name": arguments.name.to_string(),
        "version": version.to_string(),
        "place": shelf.place(),
    });
    session.answer(&object, || format!("{version}\n").into_bytes())
}
