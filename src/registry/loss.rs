//! What is lost where one registry takes another's place.

use std::fmt;

use super::{ProjectName, Registry};
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
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => write!(f, "the project {project} would be gone"),
            Self::Name { name, project } => write!(f, "{name} of project {project} would be gone"),
            Self::Moved { name, from, to } => write!(f, "{name} would move from project {from} to {to}"),
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
        }
        losses
    }
}
