//! What a failure around the registry is: of reading it, of editing it, and of sharing it with others.

use super::store::store;
use super::{Kind, Verdict, advised, local};
use crate::config::ConfigError;
use crate::registry::RegistryError;
use crate::registry::edit::EditError;
use crate::share::ShareError;

/// Says whether an error lists what is wrong in a file or what would be lost, a line each.
pub(super) fn is_list(error: &anyhow::Error) -> bool {
    let of_file = |error: &RegistryError| matches!(error, RegistryError::Malformed(_));
    error.downcast_ref().is_some_and(of_file)
        || error.downcast_ref().is_some_and(|error| matches!(error, ConfigError::Registry(source) if of_file(source)))
        || error.downcast_ref().is_some_and(|error| matches!(error, EditError::Registry(source) if of_file(source)))
        || error.downcast_ref().is_some_and(|error| matches!(error, ShareError::Losses { .. }))
}

pub(super) fn registry(error: &RegistryError) -> Verdict {
    match error {
        RegistryError::UnknownProject { near: Some(near), .. } => {
            advised(Kind::Configuration, format!("did you mean {near}?"))
        }
        RegistryError::UnknownProject { near: None, .. } => {
            advised(Kind::Configuration, "`metalogic registry list` shows the projects")
        }
        RegistryError::NotOurs(_) => {
            advised(Kind::Configuration, "add it to [repository] projects in artifacts.toml, or leave --project out")
        }
        RegistryError::TooLarge { .. } | RegistryError::Malformed(_) => {
            advised(Kind::Configuration, "mend the file; `metalogic registry check` says whether all of it is right")
        }
    }
}

pub(super) fn edit(error: &EditError) -> Verdict {
    match error {
        EditError::Registry(source) => registry(source),
        EditError::Points(_) => {
            advised(Kind::Configuration, "name the registry that defines the names with --registry")
        }
        EditError::NoProject { near: Some(near), .. } => {
            advised(Kind::Configuration, format!("did you mean {near}? --new-project makes it"))
        }
        EditError::NoProject { near: None, .. } => advised(
            Kind::Configuration,
            "--new-project makes it; `metalogic registry list` shows the projects that are there",
        ),
        EditError::WhichProject { .. } => {
            advised(Kind::Usage, "name one with --project; --new-project makes one that is not there")
        }
        EditError::Taken { .. } => advised(
            Kind::Conflict,
            "a name has one project and one spelling: take another name, or agree with whoever owns this one",
        ),
        EditError::NoPlace { .. } => advised(
            Kind::Configuration,
            "write it into the file by hand; `metalogic registry check` says whether it is right",
        ),
    }
}

pub(super) fn share(error: &ShareError) -> Verdict {
    match error {
        ShareError::Store { source, .. } => store(source),
        ShareError::Local { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            advised(Kind::NotFound, "make the directory that it is to lie in, or correct the path")
        }
        ShareError::Local { source, .. } => local(source),
        ShareError::Points(_) => {
            advised(Kind::Configuration, "name the file that defines the names: `metalogic registry push FILE`")
        }
        ShareError::Unexpected { stands: Some(tag), .. } => advised(
            Kind::Conflict,
            format!("look at what stands there, merge it into yours, and push with --expect {tag}"),
        ),
        ShareError::Unexpected { stands: None, .. } => {
            advised(Kind::Conflict, "push with --expect none, or without --expect")
        }
        ShareError::Losses { tag, .. } => advised(
            Kind::Conflict,
            format!(
                "merge what stands there into yours, or add names there with `metalogic registry add`; a name that is built no more goes to `retired = [...]`. Whoever means it pushes with --expect {tag}"
            ),
        ),
        ShareError::Malformed { tag, .. } => advised(
            Kind::Configuration,
            format!("mend it with whoever wrote it; --expect {tag} puts yours in its place"),
        ),
        ShareError::Missing(_) => advised(
            Kind::Configuration,
            "`metalogic init` writes a registry for this repository; `metalogic registry push` puts one where others share it",
        ),
        ShareError::Edit(source) => edit(source),
        ShareError::Raced { .. } => advised(Kind::NotYet, "run it again, or give it longer with --timeout"),
    }
}
