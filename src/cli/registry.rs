//! `metalogic registry`.

use serde_json::json;

use crate::catalog::Catalog;
use crate::cli::session::{Session, conclude};
use crate::registry::{Registry, RegistryError};

/// Look at the registry of artifact names
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say whether the registry is right; an unknown key is an error here
    Check,
    /// List every artifact with its project
    List,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let store = session.config.store().ok().map(|(store, _)| store);
    match arguments.verb {
        Verb::Check => {
            let (registry, own, name) = session.config.registry(None, store.as_deref()).await?;
            check(session, registry, &own, &name)
        }
        Verb::List => {
            let (registry, _, name) = session.config.registry(None, store.as_deref()).await?;
            list(session, &registry, &name)
        }
    }
}

fn check(
    session: &Session,
    registry: Registry,
    own: &[crate::registry::ProjectName],
    name: &str,
) -> anyhow::Result<()> {
    let problems = registry.unknown_keys.clone();
    let catalog = Catalog::new(registry, own, &[])?;
    let artifacts = catalog.vocabulary().registered.len();
    let projects = catalog.registry().projects.len();
    if problems.is_empty() {
        let object = json!({"registry": name, "projects": projects, "artifacts": artifacts, "problems": []});
        session.answer(&object, || {
            format!("{name} is right: artifacts {artifacts}, projects {projects}\n").into_bytes()
        })?;
    }
    conclude((!problems.is_empty()).then(|| RegistryError::Malformed(problems).into()).into_iter().collect())
}

fn list(session: &Session, registry: &Registry, name: &str) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (project, content) in &registry.projects {
        for entry in &content.artifacts {
            rows.push((entry.name.to_string(), project.to_string(), entry.description.clone(), false));
        }
        rows.extend(content.retired.iter().map(|name| (name.to_string(), project.to_string(), None, true)));
    }
    let object = |(name, project, description, retired): &(String, String, Option<String>, bool)| json!({"name": name, "project": project, "description": description, "retired": retired});
    let line = |(name, project, description, retired): &(String, String, Option<String>, bool)| {
        let retired = if *retired { "retired" } else { "" };
        format!("{name}\t{project}\t{}{retired}", description.as_deref().unwrap_or_default()).trim_end().to_owned()
            + "\n"
    };
    session.answer(&json!({"registry": name, "artifacts": rows.iter().map(object).collect::<Vec<_>>()}), || {
        rows.iter().map(line).collect::<String>().into_bytes()
    })
}
