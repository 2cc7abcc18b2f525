//! `metalogic download`.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::session::Session;
use crate::cli::shelf::{Purpose, Wanted};
use crate::download;
use crate::report;

/// Download a release, verified
///
/// Downloads one version of a name, the latest where none is named, holds it against the digest that was recorded when it was staged, and only
/// then gives it its name. A file that has the same bytes already is left alone; another is replaced.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    wanted: Wanted,
    /// The directory to put it into under its recorded file name, made when absent [default: .]
    #[arg(short, long, value_name = "DIR", conflicts_with = "file")]
    output: Option<PathBuf>,
    /// The file to make; - is standard output
    #[arg(long = "as", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Say what would be downloaded, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let destination = session.destination(arguments.file.as_deref(), arguments.output.as_deref())?;
    let shelf = session.shelf(Purpose::Look).await?;
    let found = session.release(&*shelf, &arguments.wanted).await?;
    let downloaded = download::download(session.observer(), &found, &destination, arguments.dry_run).await?;

    let release = &found.release;
    let what = format!("{} {}", release.name, release.version);
    session.report.log(&match (downloaded.present, arguments.dry_run) {
        (true, _) => format!("{what} is there already"),
        (false, true) => format!("would download {what} ({})", report::bytes(downloaded.size)),
        (false, false) => format!("downloaded {what} ({})", report::bytes(downloaded.size)),
    });
    if !downloaded.verified && !arguments.dry_run {
        session.report.warning(&format!("{what} has no recorded digest: its bytes are not verified"));
    }
    let Some(target) = &downloaded.target else { return Ok(()) };
    let path = target.display().to_string();
    let object = json!({
        "release": release.to_json(),
        "path": path,
        "size": downloaded.size,
        "sha256": downloaded.sha256.map(|digest| digest.to_string()),
        "verified": downloaded.verified,
        "present": downloaded.present,
        "url": found.store.url(&found.key),
        "place": shelf.place(),
        "dry_run": arguments.dry_run,
    });
    session.answer(&object, || format!("{path}\n").into_bytes())
}
