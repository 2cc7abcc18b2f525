//! Which of a registry's names are this repository's, and which of those this run is about.

use std::collections::{BTreeMap, BTreeSet};

use crate::artifact::Name;
use crate::inputs::Inputs;
use crate::metalogic::Vocabulary;
use crate::policy::Policy;
use crate::registry::{Entry, ProjectName, Registry, RegistryError};

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
    /// Those of them that the run counts as missing.
    counted: BTreeSet<Name>,
    /// What the registry says of each artifact.
    entries: BTreeMap<Name, Entry>,
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
    /// Refuses a project that the registry does not define, and a limit to a project that is not the repository's.
    pub fn new(registry: Registry, repository: &[ProjectName], limit: &[ProjectName]) -> Result<Self, RegistryError> {
        let all = || registry.projects.keys().cloned().collect();
        let own = |names: &[ProjectName]| if names.is_empty() { all() } else { names.iter().cloned().collect() };
        let limits = !limit.is_empty();
        let (repository, limit): (BTreeSet<_>, BTreeSet<_>) = (own(repository), own(limit));
        // Asked for by name, so that an unknown one is refused even where nothing would come of it.
        registry.names(&limit.iter().cloned().collect::<Vec<_>>())?;
        let wanted = registry.names(&repository.iter().cloned().collect::<Vec<_>>())?;
        if limits && let Some(other) = limit.iter().find(|project| !repository.contains(*project)) {
            return Err(RegistryError::NotOurs(other.clone()));
        }
        let limited: BTreeSet<ProjectName> = repository.intersection(&limit).cloned().collect();
        let counted = match limited.iter().cloned().collect::<Vec<_>>().as_slice() {
            // No project at all, where an empty list would mean all of them.
            [] => BTreeSet::new(),
            limited => registry.names(limited)?,
        };
        let entries = registry.projects.values().flat_map(|project| &project.artifacts);
        let entries = entries.map(|entry| (entry.name.clone(), entry.clone())).collect();
        Ok(Self { registry, repository, limited, wanted, counted, entries })
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
            inputs: self.registry.inputs(),
        }
    }

    /// Returns those of the names that this run counts as missing.
    #[must_use]
    pub fn counted(&self, missing: &BTreeSet<Name>) -> BTreeSet<Name> {
        missing.intersection(&self.counted).cloned().collect()
    }

    /// Returns which files an artifact is built from, where the registry declares it.
    #[must_use]
    pub fn inputs(&self, name: &Name) -> Option<&Inputs> {
        self.entries.get(name)?.inputs.as_ref()
    }

    /// Returns how near is near enough for an artifact, where the registry declares it.
    #[must_use]
    pub fn policy(&self, name: &Name) -> Option<Policy> {
        self.entries.get(name)?.policy
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
