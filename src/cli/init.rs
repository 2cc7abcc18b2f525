//! `metalogic init`.

use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use crate::cli::session::Session;
use crate::config;
use crate::failure::ExistsError;
use crate::files;
use crate::location::Location;
use crate::registry::{self, REGISTRY_FILE};

/// Write a registry file to begin with
///
/// Writes a short commented artifacts.toml at the top of the repository, or in the current directory outside of one, and never over an
/// existing one. With --store it says where artifacts live.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print the file, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let directory = match session.config.repository()? {
        Some(repository) => repository.top().unwrap_or(session.config.directory()).to_owned(),
        None => session.config.directory().to_owned(),
    };
    let path = directory.join(REGISTRY_FILE);
    let store = session.config.store_flag()?.map(|(text, location)| relative_to(&directory, text, location));
    let text = text(project(&directory).as_str(), store.as_deref());
    let display = path.display().to_string();
    let object = json!({"path": display, "written": !arguments.dry_run, "text": text});
    if arguments.dry_run {
        return session.answer(&object, || text.into_bytes());
    }
    match files::create_new(&path, &text) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(ExistsError(path).into()),
        Err(error) => return Err(error).with_context(|| format!("{display} cannot be written")),
    }
    session.answer(&object, || format!("{display}\n").into_bytes())?;
    session.report.log(
        "next:\n    1. write the names of your artifacts into it, and commit it\n    2. build, then: metalogic publish FILE...\n    3. see what is where: metalogic show",
    );
    Ok(())
}

/// Returns the project's name to begin with: the directory's, where it can be one.
fn project(directory: &Path) -> registry::ProjectName {
    let named = directory.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
    named.unwrap_or_else(|| "project".parse().expect("because it is a valid project name"))
}

/// Returns a store's place as it is to stand in a file in a directory, where relative paths are relative to that directory.
fn relative_to(directory: &Path, text: &str, location: Location) -> String {
    let Location::Local(store) = location else { return text.to_owned() };
    if text.contains("://") || Path::new(text).is_absolute() {
        return text.to_owned();
    }
    let (store, directory) = (config::direct(&store), config::direct(directory));
    let shared = store.components().zip(directory.components()).take_while(|(one, other)| one == other).count();
    let up = directory.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(store.components().skip(shared)).collect();
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.to_string_lossy().into_owned() }
}

fn text(project: &str, store: Option<&str>) -> String {
    let store = match store {
        Some(store) => format!("[store]\nurl = {}\n", registry::quoted(store)),
        None => "# Where artifacts live. Without it they stay in git's own directory, on this machine alone.\n# [store]\n# url = \"s3://BUCKET\"\n".to_owned(),
    };
    let project = registry::key(project);
    format!(
        "# Every artifact of this repository, by name. A name that is not here is refused, so that no artifact is ever missed.\n\
         # `metalogic registry check` says whether this file is right.\n\
         \n\
         {store}\n\
         [projects.{project}]\n\
         artifacts = [\n    # \"app.zip\",\n    # {{ name = \"docs.tar.gz\", description = \"the manual\" }},\n]\n\
         # Names that are built no more: what lies under them stays, and is resolved no more.\n\
         retired = []\n"
    )
}
