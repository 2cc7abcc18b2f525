//! What is wrong with what a run was told, and what to do about it.

use super::{Kind, Verdict, advised, git, local, plain, registry, store};
use crate::config::ConfigError;

pub(super) fn config(error: &ConfigError) -> Verdict {
    let name_a_store = "name one with --store, METALOGIC_STORE or `git config --global metalogic.store`";
    match error {
        ConfigError::NoRegistry { .. } => advised(
            Kind::Configuration,
            "`metalogic init` writes one; --registry or METALOGIC_REGISTRY names another place",
        ),
        ConfigError::NoStore => advised(Kind::Configuration, name_a_store),
        ConfigError::NotADirectory(_) => {
            advised(Kind::Configuration, "name a directory, or move away what stands there")
        }
        ConfigError::RegistryMissing(_) => advised(
            Kind::Configuration,
            "mend what names it: --registry, METALOGIC_REGISTRY, git config metalogic.registry or [repository] registry",
        ),
        ConfigError::NoFile(_) => {
            advised(Kind::Configuration, "name the file to push; `metalogic init` writes one to begin with")
        }
        ConfigError::RegistryPointsOn(_) => {
            advised(Kind::Configuration, "point to the registry that defines the projects itself")
        }
        ConfigError::NoRepository { .. } => {
            advised(Kind::Git, "name a full commit id, or run this in the repository (-C DIR)")
        }
        ConfigError::Variable { .. }
        | ConfigError::Location { .. }
        | ConfigError::Project { .. }
        | ConfigError::Directory { .. } => plain(Kind::Configuration),
        // Where the store is why, that is what there is to mend.
        ConfigError::RegistryUnreadable { source, .. } => {
            let of_file = |error| (Kind::Configuration, local(error).1);
            let file = source.downcast_ref::<std::io::Error>().map(of_file);
            source.downcast_ref().map(store).or(file).unwrap_or_else(|| plain(Kind::Configuration))
        }
        ConfigError::ShelfHidden { .. } => advised(
            Kind::AccessDenied,
            "whoever keeps the bucket can grant s3:GetObject on that file and s3:ListBucket; or say it yourself: STARTIFACT_PARAMETER names \
             Startifact's configuration, --registry or METALOGIC_REGISTRY a registry file that you can read",
        ),
        ConfigError::Registry(source) => registry(source),
        ConfigError::Git(source) => git(source),
    }
}
