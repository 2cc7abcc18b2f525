//! `metalogic stage`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use crate::address::Commit;
use crate::artifact::Name;
use crate::cli::session::{Ports, Session};
use crate::cli::shelf::Purpose;
use crate::failure::UsageError;
use crate::location::FileName;
use crate::metafile::Metafile;
use crate::organisation::is_reserved;
use crate::report;
use crate::shelf::Staging;
use crate::show;
use crate::stage::{self, Label};
use crate::version::{ReleaseName, Version};

/// Stage a file, or what a build published, as a version: once and for ever
///
/// Stages FILE as VERSION of NAME. With --commit nothing travels: the artifact that the commit's metafile names becomes the release where it
/// lies. The same bytes under the same version succeed, so that a stage that was cut short is completed by running it again; other bytes are a
/// conflict (exit 7). What is latest is the highest release, whenever it was staged.
///
/// Releases stand in the store, or, where STARTIFACT_PARAMETER or `[versions] parameter` in artifacts.toml names the parameter of a set-up
/// of Startifact's, in its bucket.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").args(["file", "commit"]).required(true),
    override_usage = "metalogic stage [OPTIONS] <NAME> <VERSION> <FILE>\n       \
        metalogic stage [OPTIONS] <NAME> <VERSION> --commit <REV> [--artifact <ARTIFACT>]"
)]
pub(crate) struct Arguments {
    /// The name that all versions share: A-Z a-z 0-9 _ . -
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    /// The version, as Semantic Versioning 2 has it: 1.0.0, 1.0.0-rc.1, 1.0.0+build.5
    #[arg(value_name = "VERSION")]
    version: Version,
    /// The file
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Promote an artifact of this commit instead of sending a file
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// The artifact to promote [default: NAME]
    #[arg(long, value_name = "ARTIFACT", requires = "commit")]
    artifact: Option<Name>,
    /// Something to record, such as lang=rust (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// The file name to record: a download into a directory gets it [default: the file's or the artifact's own]
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    filename: Option<String>,
    /// Say what would be done, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let metadata = metadata(&arguments.metadata)?;
    let purpose = if arguments.dry_run { Purpose::Look } else { Purpose::Write };
    let shelf = session.shelf(purpose).await?;
    let staging = staging(session, arguments, metadata).await?;
    let staged = session.stage(&shelf, &staging, arguments.dry_run).await?;
    let release = &staged.release;

    let what = format!("{} {}", release.name, release.version);
    let text = match (staged.present, arguments.dry_run) {
        (true, _) if release.sha256.is_some() => format!("{what} is staged already with the same bytes"),
        (true, _) => format!("{what} is staged already"),
        (false, true) => format!("would stage {what} ({})", report::bytes(release.size)),
        (false, false) => format!("staged {what} ({})", report::bytes(release.size)),
    };
    session.report.log(&text);
    if release.sha256.is_none() {
        session.report.warning(&format!(
            "no SHA-256 of {what} is recorded, so downloads of it cannot be verified: what puts the artifact there does not record one, as \
             `metalogic publish` does"
        ));
    }
    if let Some(latest) = staged.latest.as_ref().filter(|latest| !latest.is_same(&release.version)) {
        session.report.note(&format!("the latest {} is {latest}", release.name));
    }
    let object = json!({
        "release": release.to_json(),
        "url": staged.url,
        "present": staged.present,
        "bytes_sent": staged.bytes_sent,
        "latest": staged.latest.map(|latest| latest.to_string()),
        "place": shelf.place(),
        "dry_run": arguments.dry_run,
    });
    session.answer(&object, || format!("{}\n", staged.url).into_bytes())
}

async fn staging(
    session: &Session,
    arguments: &Arguments,
    metadata: BTreeMap<String, String>,
) -> anyhow::Result<Staging> {
    let filename = arguments.filename.as_deref().filter(|name| !name.is_empty());
    let filename = filename.map(str::parse::<FileName>).transpose().map_err(|error| UsageError {
        message: format!("{:?} is no file name: {error}", arguments.filename.as_deref().unwrap_or_default()),
        hint: None,
    })?;
    let label = Label {
        name: arguments.name.clone(),
        version: arguments.version.clone(),
        filename,
        metadata,
        at: session.config.now(),
    };
    let mut staging = match &arguments.file {
        Some(file) => stage::from_file(session.observer(), label, file.clone()).await?,
        None => {
            let artifact = artifact(arguments)?;
            let commit = session.commit(arguments.commit.as_deref())?;
            let ports = session.ports().await?;
            let metafile = metafile(session, &ports, commit).await?;
            stage::from_build(session.world(&ports), &ports.store, label, &metafile, artifact).await?
        }
    };
    // Without a value it asks for the file's own.
    staging.named |= arguments.filename.is_some();
    Ok(staging)
}

fn artifact(arguments: &Arguments) -> Result<Name, UsageError> {
    let own = || {
        arguments.name.as_str().parse().map_err(|error: crate::artifact::NameError| UsageError {
            message: format!("{} is no artifact's name: {error}", arguments.name),
            hint: Some("name the artifact with --artifact ARTIFACT".to_owned()),
        })
    };
    arguments.artifact.clone().map_or_else(own, Ok)
}

/// Returns the metafile of a commit as it is stored, else what resolving gives now.
async fn metafile(session: &Session, ports: &Ports, commit: Commit) -> anyhow::Result<Metafile> {
    if let Some(shown) = show::show(&*ports.store, commit).await? {
        return Ok(shown.metafile);
    }
    let answer = session.compute(ports, commit).await?;
    session.report.note("no metafile is stored there: what resolving gives now is promoted");
    Ok(answer.metafile)
}

fn metadata(pairs: &[(String, String)]) -> Result<BTreeMap<String, String>, UsageError> {
    let mut metadata = BTreeMap::new();
    for (key, value) in pairs {
        if is_reserved(key) {
            let hint = Some("choose another key; --filename records a file name".to_owned());
            return Err(UsageError { message: format!("the metadata key {key:?} is reserved"), hint });
        }
        if metadata.insert(key.clone(), value.clone()).is_some() {
            let hint = Some("give each key once".to_owned());
            return Err(UsageError { message: format!("the metadata key {key:?} is given twice"), hint });
        }
    }
    Ok(metadata)
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("KEY=VALUE belongs here".to_owned()),
    }
}
