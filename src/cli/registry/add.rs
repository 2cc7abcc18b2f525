//! `metalogic registry add`.

use serde_json::json;

use crate::artifact::{Name, NameError};
use crate::cli::session::Session;
use crate::failure::UsageError;
use crate::registry::ProjectName;
use crate::registry::edit::Addition;
use crate::share;

/// Register artifact names, keeping all else in the file as it is
///
/// Adds the names at the end of the project's artifacts in the registry that counts here: the repository's own file, or the one that it or
/// --registry points to, in a store too. A name that the project has retired is moved back. The project is that of --project, else the
/// repository's or the file's only one.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The artifacts' names
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// What the artifact is, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Make the project where the registry has none of its name
    #[arg(long)]
    new_project: bool,
    /// Print the registry as it would be, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let names = names(arguments)?;
    let (home, own) = session.config.registry_home().await?;
    let project = project(session, own)?;
    let addition = Addition {
        project: project.as_ref(),
        names: &names,
        description: arguments.description.as_deref(),
        new_project: arguments.new_project,
    };
    let adding = share::add(&home, &addition, session.manners(arguments.dry_run));
    let added = session.sharing(&home, arguments.dry_run, adding).await?;
    let (edited, url) = (&added.edited, home.place());
    let told = |names: &[Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let say = |names: &[Name], what: &str| {
        if !names.is_empty() {
            session.report.log(&format!("{} {what} {}", told(names).join(", "), edited.project));
        }
    };
    let (added_to, retired_in) = if arguments.dry_run {
        ("would be added to", "would no longer be retired in")
    } else {
        ("added to", "no longer retired in")
    };
    say(&edited.added, added_to);
    say(&edited.returned, retired_in);
    say(&edited.present, "already in");
    if let Some(tag) = &added.tag {
        session.report.log(&format!("tag {tag}"));
    }
    let object = json!({
        "registry": url,
        "project": edited.project.as_str(),
        "added": told(&edited.added),
        "returned": told(&edited.returned),
        "present": told(&edited.present),
        "text": String::from_utf8_lossy(&edited.text),
        "tag": added.tag,
        "written": added.written,
        "dry_run": arguments.dry_run,
    });
    session.answer(&object, || if arguments.dry_run { edited.text.clone() } else { format!("{url}\n").into_bytes() })
}

fn names(arguments: &Arguments) -> Result<Vec<Name>, UsageError> {
    let usage = |message: String, hint: &str| UsageError { message, hint: Some(hint.to_owned()) };
    if arguments.names.len() > 1 && arguments.description.is_some() {
        return Err(usage("a description is about one name".to_owned(), "add one name at a time"));
    }
    let name = |text: &String| {
        let wrong = |error: NameError| {
            usage(
                format!("{text:?} is no artifact's name: {error}"),
                "a name is what the file is called in the store, without a path",
            )
        };
        text.parse().map_err(wrong)
    };
    arguments.names.iter().map(name).collect()
}

/// Returns the project that is named, else the repository's only one.
fn project(session: &Session, own: Vec<ProjectName>) -> anyhow::Result<Option<ProjectName>> {
    let mut named = session.config.projects()?;
    if named.len() > 1 {
        let hint = Some("name the one that is to own the names with --project".to_owned());
        return Err(UsageError { message: "a name has one project, and several are named".to_owned(), hint }.into());
    }
    let mut own = own;
    Ok(named.pop().or_else(|| if own.len() == 1 { own.pop() } else { None }))
}
