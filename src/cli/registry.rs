//! `metalogic registry`.

mod add;
mod push;

use serde_json::{Value, json};

use crate::ancestry::Ancestry as _;
use crate::artifact::Name;
use crate::catalog::Catalog;
use crate::cli::session::{Session, conclude};
use crate::config::Found;
use crate::event::{Event, Observer as _};
use crate::inputs::Inputs;
use crate::policy::Policy;
use crate::registry::{Entry, RegistryError};
use crate::share;
use crate::words;

/// Look at the registry of artifact names, and add to it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say whether the registry is right; an unknown key is an error here, and inputs that match no file at HEAD are a warning
    Check,
    /// List every artifact with its project
    List,
    Add(add::Arguments),
    Push(push::Arguments),
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Check => check(session, found(session).await?),
        Verb::List => list(session, &found(session).await?),
        Verb::Add(arguments) => add::run(session, arguments).await,
        Verb::Push(arguments) => push::run(session, arguments).await,
    }
}

async fn found(session: &Session) -> anyhow::Result<Found> {
    let store = session.config.store().await.ok().map(|(store, _)| store);
    let found = session.config.registry(None, store.as_deref()).await?;
    if let Some(tag) = &found.tag {
        session.report.detail(&format!("{} has the tag {}", found.name, share::shown(tag)));
    }
    Ok(found)
}

fn check(session: &Session, found: Found) -> anyhow::Result<()> {
    let Found { registry, own, name, tag, tracked: _ } = found;
    let tag = tag.as_ref().map(share::shown);
    let problems = registry.unknown_keys.clone();
    let catalog = Catalog::new(registry, &own, &[])?;
    let artifacts = catalog.vocabulary().registered.len();
    let projects = catalog.registry().projects.len();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let idle = idle(session, &catalog)?;
    let idle = idle.iter().map(|(name, specs)| json!({"name": name.to_string(), "inputs": specs}));
    let idle: Vec<Value> = idle.collect();
    let object = json!({
        "registry": name, "projects": projects, "artifacts": artifacts, "problems": told, "idle": idle, "tag": tag,
    });
    let line = || format!("{name} is right: artifacts {artifacts}, projects {projects}\n").into_bytes();
    let answered = if problems.is_empty() || session.json { session.answer(&object, line) } else { Ok(()) };
    conclude(answered, (!problems.is_empty()).then(|| RegistryError::Malformed(problems).into()).into_iter().collect())
}

/// Returns the inputs of the repository's artifacts that match no file at HEAD, and warns of them: most likely they are slips.
fn idle(session: &Session, catalog: &Catalog) -> anyhow::Result<Vec<(Name, Vec<String>)>> {
    let Some(repository) = session.config.repository()? else { return Ok(Vec::new()) };
    let Some(commit) = repository.head()? else { return Ok(Vec::new()) };
    let ours = catalog.vocabulary().wanted;
    let declared = ours.into_iter().filter_map(|name| Some((catalog.inputs(&name)?, name)));
    let (inputs, names): (Vec<&Inputs>, Vec<Name>) = declared.unzip();
    let taken = repository.inputs(commit, &inputs)?.unwrap_or_default();
    let idle = names.into_iter().zip(taken).map(|(name, taken)| (name, taken.idle));
    let idle: Vec<_> = idle.filter(|(_, specs)| !specs.is_empty()).collect();
    for (name, specs) in &idle {
        session.report.observe(&Event::InputsIdle { name: name.clone(), commit, specs: specs.clone() });
    }
    Ok(idle)
}

fn list(session: &Session, Found { registry, name, tag, .. }: &Found) -> anyhow::Result<()> {
    let (mut artifacts, mut lines) = (Vec::new(), String::new());
    for (project, content) in &registry.projects {
        for Entry { name, description, inputs, policy } in &content.artifacts {
            artifacts.push(json!({
                "name": name.to_string(),
                "project": project.to_string(),
                "description": description,
                "inputs": inputs.as_ref().map(Inputs::specs),
                "policy": policy.map(Policy::as_str),
                "retired": false,
            }));
            let description = words::line(description.as_deref().unwrap_or_default());
            lines += &(format!("{name}\t{project}\t{description}").trim_end().to_owned() + "\n");
        }
        for name in &content.retired {
            artifacts.push(json!({
                "name": name.to_string(),
                "project": project.to_string(),
                "description": null,
                "inputs": null,
                "policy": null,
                "retired": true,
            }));
            lines += &format!("{name}\t{project}\tretired\n");
        }
    }
    let object = json!({"registry": name, "artifacts": artifacts, "tag": tag.as_ref().map(share::shown)});
    session.answer(&object, || lines.into_bytes())
}
