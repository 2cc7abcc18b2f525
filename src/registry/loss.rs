//! What is lost where one registry takes another's place.

use std::fmt;

use super::{Entry, ProjectName, Registry};
use crate::artifact::Name;

/// Names one thing that would be lost. To retire a name is to keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// A project would be gone.
    Project(ProjectName),
    /// A name would be gone, neither active nor retired.
    Name {
        /// The name.
        name: Name,
        /// The project that has it.
        project: ProjectName,
    },
    /// A name would be another project's.
    Moved {
        /// The name.
        name: Name,
        /// The project that has it.
        from: ProjectName,
        /// The project that would have it.
        to: ProjectName,
    },
    /// What is declared of an artifact would be undeclared, so that less would be asked of it, and nobody would know.
    Declared {
        /// The artifact's name.
        name: Name,
        /// The project that has it.
        project: ProjectName,
        /// What is declared: `inputs` or `policy`.
        key: &'static str,
    },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => write!(f, "the project {project} would be gone"),
            Self::Name { name, project } => write!(f, "{name} of project {project} would be gone"),
            Self::Moved { name, from, to } => write!(f, "{name} would move from project {from} to {to}"),
            Self::Declared { name, project, key } => write!(f, "{key} of {name} of project {project} would be gone"),
        }
    }
}

impl Registry {
    /// Returns what others would lose if `next` took this registry's place, in this one's order.
    #[must_use]
    pub fn losses(&self, next: &Self) -> Vec<Loss> {
        let mut losses = Vec::new();
        for (project, holds) in &self.projects {
            if !next.projects.contains_key(project) {
                losses.push(Loss::Project(project.clone()));
            }
            for name in holds.active().chain(&holds.retired) {
                let (name, project) = (name.clone(), project.clone());
                match next.owner(&name) {
                    None => losses.push(Loss::Name { name, project }),
                    Some(owner) if *owner.project != project => {
                        losses.push(Loss::Moved { name, from: project, to: owner.project.clone() });
                    }
                    Some(_) => {}
                }
            }
            losses.extend(holds.artifacts.iter().flat_map(|entry| entry.undeclared(project, next.entry(&entry.name))));
        }
        losses
    }
}

impl Entry {
    /// Returns what would be undeclared if `next` took this one's place. What is retired or gone declares nothing, which is not told again.
    fn undeclared(&self, project: &ProjectName, next: Option<&Self>) -> Vec<Loss> {
        let Some(next) = next else { return Vec::new() };
        let keys = [
            ("inputs", self.inputs.is_some() && next.inputs.is_none()),
            ("policy", self.policy.is_some() && next.policy.is_none()),
        ];
        let loss = |key| Loss::Declared { name: self.name.clone(), project: project.clone(), key };
        keys.into_iter().filter(|(_, lost)| *lost).map(|(key, _)| loss(key)).collect()
    }
}
