//! `metalogic info`.

use serde_json::json;

use crate::cli::session::Session;
use crate::cli::shelf::{Purpose, Wanted};
use crate::report;
use crate::shelf::Found;
use crate::words;

/// Print what is recorded of a release
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    wanted: Wanted,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let shelf = session.shelf(Purpose::Look).await?;
    let found = session.release(&*shelf, &arguments.wanted).await?;
    let url = found.store.url(&found.key);
    let object = json!({
        "release": found.release.to_json(),
        "url": url,
        "place": shelf.place(),
    });
    session.answer(&object, || lines(&found, &url).into_bytes())
}

/// Returns a size for people: exactly, too, where the unit hides it.
fn size(bytes: u64) -> String {
    let shown = report::bytes(bytes);
    if shown.ends_with(" B") { shown } else { format!("{shown} ({bytes} bytes)") }
}

fn lines(found: &Found, url: &str) -> String {
    let release = &found.release;
    let mut rows = vec![
        ("name", Some(release.name.to_string())),
        ("version", Some(release.version.to_string())),
        ("size", Some(size(release.size))),
        ("sha256", Some(release.sha256.map_or_else(|| "not recorded".to_owned(), |digest| digest.to_string()))),
        ("filename", release.filename.as_ref().map(ToString::to_string)),
        ("mode", release.mode.map(|mode| mode.to_string())),
        ("staged", release.at.clone()),
        ("commit", release.origin.as_ref().map(|origin| origin.commit.to_string())),
        ("address", release.origin.as_ref().map(|origin| origin.address.to_string())),
        ("artifact", release.origin.as_ref().map(|origin| origin.artifact.to_string())),
        ("url", Some(url.to_owned())),
    ];
    let pairs = release.metadata.iter().map(|(key, value)| ("metadata", Some(format!("{key}={value}"))));
    rows.extend(pairs);
    let row = |(label, value): (&str, Option<String>)| Some(format!("{label:<10}{}\n", words::line(&value?)));
    rows.into_iter().filter_map(row).collect()
}
