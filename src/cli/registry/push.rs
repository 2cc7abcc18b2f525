//! `metalogic registry push`.

use std::path::PathBuf;

use bytes::Bytes;
use serde_json::json;

use crate::cli::session::Session;
use crate::config;
use crate::failure::UsageError;
use crate::registry::RegistryError;
use crate::share::{self, Expected, ShareError};

/// Put a registry where others share it
///
/// Checks the file and writes its bytes where --registry or `[repository] registry` says, else as artifacts.toml in the store. What others
/// registered there is never lost: a push that would drop a name or a project is refused, and of many who push at once none overwrites
/// another.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The registry file [default: artifacts.toml at the top of the repository]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Replace the version that has this tag, whatever it registers; `none` where there is none yet. Equal bytes are success in any case
    #[arg(long, value_name = "TAG", value_parser = expected)]
    expect: Option<Expected>,
    /// Say what would be, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let draft = session.config.draft(arguments.file.as_deref())?;
    let registry = &draft.registry;
    if !registry.unknown_keys.is_empty() {
        return Err(RegistryError::Malformed(registry.unknown_keys.clone()).into());
    }
    if registry.repository.registry.is_some() {
        return Err(ShareError::Points(draft.name).into());
    }
    let (home, store) = session.config.shared_home(&draft.path).await?;
    if store.as_ref().is_some_and(|place| place.embedded) {
        let hint = Some(
            "name a store with --store, METALOGIC_STORE or [store] url, or another place with --registry".to_owned(),
        );
        let message = "no store is configured, and what is pushed to this machine's own nobody shares".to_owned();
        return Err(UsageError { message, hint }.into());
    }
    if let Some(place) = &store {
        session.tell_of(place);
    }
    if home.is_local(&config::direct(&draft.path)) {
        let message = format!("{} is the registry that is shared: there is nowhere to push it", draft.name);
        return Err(UsageError {
            message,
            hint: Some("name a store with --store, or another place with --registry".to_owned()),
        }
        .into());
    }
    let (text, url) = (Bytes::from(draft.text), home.place());
    let manners = session.manners(arguments.dry_run);
    let pushing = share::push(&home, &text, registry, arguments.expect.as_ref(), manners);
    let pushed = session.sharing(&home, arguments.dry_run, pushing).await?;
    if pushed.differs && registry.repository.projects.is_some() {
        session.report.warning(&format!(
            "{} says in [repository] which projects are the repository's: shared, that holds for every repository that has no artifacts.toml of its own",
            draft.name
        ));
    }
    let artifacts = registry.all_names().len();
    session.report.log(match (pushed.written, pushed.differs) {
        (true, _) => "pushed",
        (false, true) => "would be pushed",
        (false, false) => "the same stands there already",
    });
    if let Some(tag) = &pushed.tag {
        session.report.log(&format!("tag {tag}"));
    }
    let object = json!({
        "registry": url,
        "projects": registry.projects.len(),
        "artifacts": artifacts,
        "tag": pushed.tag,
        "written": pushed.written,
        "dry_run": arguments.dry_run,
    });
    session.answer(&object, || format!("{url}\n").into_bytes())
}

fn expected(text: &str) -> Result<Expected, String> {
    match text {
        "" => Err("a tag belongs here, or `none`".to_owned()),
        "none" => Ok(Expected::Nothing),
        tag => Ok(Expected::Tag(tag.to_owned())),
    }
}
