//! Which of a registry's names are this repository's, and which of those this run is about.

use std::collections::BTreeSet;

use crate::artifact::Name;
use crate::metalogic::Vocabulary;
use crate::registry::{ProjectName, Registry, RegistryError};

/// Joins a registry with the projects of one repository.
#[derive(Debug, Clone)]
pub struct Catalog {
    registry: Registry,
    /// The repository's projects; all of the registry's, when it says nothing.
    repository: BTreeSet<ProjectName>,
    /// Those of them that the run is limited to.
    limited: BTreeSet<ProjectName>,
    /// The names of the repository's projects.
    wanted: BTreeSet<Name>,
}

/// Says what a name is in this repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It may be published here.
    Ours,
    /// No project has it. The nearest name that could have been meant, if any is near.
    Unknown(Option<Name>),
    /// It belongs to a project of another repository.
    Foreign(ProjectName),
    /// It belongs to a project that the run's limit leaves out.
    Excluded(ProjectName),
    /// Its project has retired it.
    Retired(ProjectName),
}

impl Catalog {
    /// Joins a registry with the repository's projects and the projects that the run is limited to; an empty list is no limit.
    ///
    /// # Errors
    /// Refuses a project that the registry does not define.
    pub fn new(registry: Registry, repository: &[ProjectName], limit: &[ProjectName]) -> Result<Self, RegistryError> {
        let all = || registry.projects.keys().cloned().collect();
        let own = |names: &[ProjectName]| if names.is_empty() { all() } else { names.iter().cloned().collect() };
        let (repository, limit): (BTreeSet<_>, BTreeSet<_>) = (own(repository), own(limit));
        // Asked for by name, so that an unknown one is refused even where nothing would come of it.
        registry.names(&limit.iter().cloned().collect::<Vec<_>>())?;
        let wanted = registry.names(&repository.iter().cloned().collect::<Vec<_>>())?;
        let limited = repository.intersection(&limit).cloned().collect();
        Ok(Self { registry, repository, limited, wanted })
    }

    /// Returns the registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the repository's projects.
    #[must_use]
    pub fn repository(&self) -> &BTreeSet<ProjectName> {
        &self.repository
    }

    /// Returns the names as the rule needs them. A limit changes nothing here: it never limits what is written.
    #[must_use]
    pub fn vocabulary(&self) -> Vocabulary {
        Vocabulary {
            wanted: self.wanted.clone(),
            registered: self.registry.all_names(),
            retired: self.registry.retired_names(),
        }
    }

    /// Returns those of the names that this run counts as missing.
    #[must_use]
    pub fn counted(&self, missing: &BTreeSet<Name>) -> BTreeSet<Name> {
        let counts = |name: &&Name| self.registry.owner(name).is_some_and(|owner| self.limited.contains(owner.project));
        missing.iter().filter(counts).cloned().collect()
    }

    /// Says what a name is here.
    #[must_use]
    pub fn standing(&self, name: &Name) -> Standing {
        let Some(owner) = self.registry.owner(name) else {
            return Standing::Unknown(self.registry.near(name.as_str()).cloned());
        };
        let project = owner.project.clone();
        if !self.repository.contains(&project) {
            Standing::Foreign(project)
        } else if owner.retired {
            Standing::Retired(project)
        } else if !self.limited.contains(&project) {
            Standing::Excluded(project)
        } else {
            Standing::Ours
        }
    }
}
