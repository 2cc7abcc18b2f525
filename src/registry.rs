//! The registry, `artifacts.toml`: the single source of artifact names, and of who owns them.

pub mod edit;
mod loss;
mod place;
mod reader;
mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;

use crate::artifact::{LONGEST_NAME, Name};
use crate::inputs::Inputs;
use crate::policy::Policy;

pub use loss::Loss;
pub use place::{Place, Problem};
pub use terms::{Account, AccountError, Encryption, StorageClass, StorageClassError, StoreTable, Terms};

/// The registry file's name, at the top of a repository and in a store.
pub const REGISTRY_FILE: &str = "artifacts.toml";

/// The largest registry that is read, in bytes.
pub const LARGEST: u64 = 1 << 20;

/// How many undefined projects are told at most: for each a near name is looked for.
const MOST_UNDEFINED: usize = 20;

/// The longest project name, in characters.
pub const LONGEST_PROJECT: usize = 100;

/// Holds a registry whose names are all valid, and each of them once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// What the repository is that the file lies in.
    pub repository: RepositoryTable,
    /// Where artifacts live, and on what terms.
    pub store: StoreTable,
    /// Where releases stand, if not in the store.
    pub versions: VersionsTable,
    /// The projects, in the author's order; none in a file that points to another registry.
    pub projects: IndexMap<ProjectName, Project>,
    /// The keys that this version does not know, in the file's order: a warning, since older programs live with newer files.
    pub unknown_keys: Vec<Problem>,
}

/// Holds what a registry says of versions, in `[versions]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionsTable {
    /// The parameter that holds Startifact's configuration (`parameter`), where releases stand as it says.
    pub parameter: Option<String>,
}

/// Holds what a registry says of the repository that it lies in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryTable {
    /// The repository's projects, at least one; all of the registry's where there is none.
    pub projects: Option<Vec<ProjectName>>,
    /// Where the names are defined instead, as the file spells it.
    pub registry: Option<String>,
    /// Where each of the projects stands in the file.
    pub places: Vec<Place>,
}

/// Holds the artifacts that one project owns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// What it builds, in the author's order.
    pub artifacts: Vec<Entry>,
    /// What it built once: fine where it lies, resolved no more.
    pub retired: Vec<Name>,
}

/// Describes one artifact of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The artifact's name.
    pub name: Name,
    /// What it is, for people.
    pub description: Option<String>,
    /// Which files of the repository it is built from, where that is declared.
    pub inputs: Option<Inputs>,
    /// How near is near enough, where that is declared.
    pub policy: Option<Policy>,
}

/// Tells whose an artifact name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership<'r> {
    /// The project that owns it.
    pub project: &'r ProjectName,
    /// Whether it is resolved no more.
    pub retired: bool,
}

/// Says why bytes are not a registry, or what a registry does not have.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file is larger than [`LARGEST`].
    #[error("{file} has {size} bytes, a registry has at most {LARGEST}")]
    TooLarge {
        /// How the file is called.
        file: String,
        /// Its size in bytes.
        size: u64,
    },
    /// The file has to be mended in these places, at least one: the first error of syntax or else everything that is wrong.
    #[error("{}", lines(.0))]
    Malformed(Vec<Problem>),
    /// A project is asked for that is another repository's.
    #[error("the project {0} is not this repository's")]
    NotOurs(ProjectName),
    /// A project is asked for that the registry does not define.
    #[error("the registry has no project {project}")]
    UnknownProject {
        /// The project that was asked for.
        project: ProjectName,
        /// The one that may have been meant.
        near: Option<ProjectName>,
    },
}

/// Returns one line a problem.
fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Returns a text as TOML writes it in quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// Returns a text as TOML writes it for a key: bare, where that is possible.
#[must_use]
pub fn key(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !text.is_empty() && text.chars().all(bare) { text.to_owned() } else { quoted(text) }
}

impl Registry {
    /// Reads a registry. `file` is how messages call it.
    ///
    /// # Errors
    /// [`RegistryError::TooLarge`], or [`RegistryError::Malformed`] with everything that is wrong, so that it is mended in one go.
    pub fn parse(text: &[u8], file: &str) -> Result<Self, RegistryError> {
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(RegistryError::TooLarge { file: file.to_owned(), size });
        }
        reader::read(text, file)
    }

    /// Returns what a registry says of the store and nothing else, so that whoever needs no names is not held up by a wrong one.
    ///
    /// # Errors
    /// [`RegistryError::Malformed`] where the file is no TOML, or where it is the store's table that is wrong: then nobody can say what
    /// it says of the store.
    pub fn store_table_of(text: &[u8], file: &str) -> Result<StoreTable, RegistryError> {
        match Self::parse(text, file) {
            Ok(registry) => Ok(registry.store),
            Err(error) => reader::store_table(text).ok_or(error),
        }
    }

    /// Returns what a registry says of versions, in the same way, and what this version does not know in the file.
    ///
    /// # Errors
    /// [`RegistryError::Malformed`] where the file is no TOML, or where it is that table that is wrong.
    pub fn versions_table_of(text: &[u8], file: &str) -> Result<(VersionsTable, Vec<Problem>), RegistryError> {
        match Self::parse(text, file) {
            Ok(registry) => Ok((registry.versions, registry.unknown_keys)),
            Err(error) => reader::versions_table(text).map(|table| (table, Vec::new())).ok_or(error),
        }
    }

    /// Returns what a registry points to, in the same way: the names are defined there.
    ///
    /// # Errors
    /// [`RegistryError::Malformed`] where the file is no TOML, or where it is the repository's table that is wrong.
    pub fn pointer_of(text: &[u8], file: &str) -> Result<Option<String>, RegistryError> {
        match Self::parse(text, file) {
            Ok(registry) => Ok(registry.repository.registry),
            Err(error) => reader::repository_table(text).map(|table| table.registry).ok_or(error),
        }
    }

    /// Makes sure that another registry defines the projects that this file, which is called `file`, says are the repository's.
    ///
    /// # Errors
    /// [`RegistryError::Malformed`] with the place of each that is not defined.
    pub fn expect_defined(&self, other: &Self, file: &str) -> Result<(), RegistryError> {
        let named = self.repository.projects.iter().flatten().zip(&self.repository.places);
        let undefined = named.filter(|(project, _)| !other.projects.contains_key(*project));
        let problem = |(project, place): (&ProjectName, &Place)| {
            let near = near_project(project.as_str(), other.projects.keys());
            let near = near.map(|near| format!(", did you mean {near}?")).unwrap_or_default();
            Problem { file: file.to_owned(), place: *place, message: format!("no project {project} is defined{near}") }
        };
        let problems: Vec<Problem> = undefined.take(MOST_UNDEFINED).map(problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(RegistryError::Malformed(problems)) }
    }

    /// Tells whose a name is; none where no project has it, active or retired.
    #[must_use]
    pub fn owner(&self, name: &Name) -> Option<Ownership<'_>> {
        self.projects.iter().find_map(|(project, holds)| {
            let active = holds.artifacts.iter().any(|entry| entry.name == *name);
            let retired = holds.retired.contains(name);
            (active || retired).then_some(Ownership { project, retired })
        })
    }

    /// Returns what is said of an artifact; none where no project has it, or only as a retired one.
    #[must_use]
    pub fn entry(&self, name: &Name) -> Option<&Entry> {
        self.projects.values().flat_map(|project| &project.artifacts).find(|entry| entry.name == *name)
    }

    /// Tells whose a name is in whatever case, how it is spelled there, and whether it is retired.
    fn mention(&self, name: &Name) -> Option<(&ProjectName, &Name, bool)> {
        let folded = name.folded();
        self.projects.iter().find_map(|(project, holds)| {
            let active = holds.active().map(|name| (project, name, false));
            let retired = holds.retired.iter().map(|name| (project, name, true));
            active.chain(retired).find(|(_, name, _)| name.folded() == folded)
        })
    }

    /// Says whether another registry says the same, wherever it says it.
    fn says_the_same(&self, other: &Self) -> bool {
        let unknown = |registry: &Self| registry.unknown_keys.iter().map(|key| key.message.clone()).collect::<Vec<_>>();
        let repository = |registry: &Self| (registry.repository.projects.clone(), registry.repository.registry.clone());
        self.projects == other.projects
            && self.projects.keys().eq(other.projects.keys())
            && self.store == other.store
            && self.versions == other.versions
            && repository(self) == repository(other)
            && unknown(self) == unknown(other)
    }

    /// Returns the active names of some projects; of all, where none is given.
    ///
    /// # Errors
    /// [`RegistryError::UnknownProject`] for the first one that the registry does not define.
    pub fn names(&self, projects: &[ProjectName]) -> Result<BTreeSet<Name>, RegistryError> {
        if projects.is_empty() {
            return Ok(self.all_names());
        }
        let mut names = BTreeSet::new();
        for name in projects {
            let project = self.projects.get(name).ok_or_else(|| RegistryError::UnknownProject {
                project: name.clone(),
                near: near_project(name.as_str(), self.projects.keys()).cloned(),
            })?;
            names.extend(project.active().cloned());
        }
        Ok(names)
    }

    /// Returns the active names of all projects.
    #[must_use]
    pub fn all_names(&self) -> BTreeSet<Name> {
        self.projects.values().flat_map(Project::active).cloned().collect()
    }

    /// Returns what artifacts are declared to be built from, of all projects.
    #[must_use]
    pub fn inputs(&self) -> BTreeMap<Name, Inputs> {
        let entries = self.projects.values().flat_map(|project| &project.artifacts);
        entries.filter_map(|entry| Some((entry.name.clone(), entry.inputs.clone()?))).collect()
    }

    /// Returns the retired names of all projects.
    #[must_use]
    pub fn retired_names(&self) -> BTreeSet<Name> {
        self.projects.values().flat_map(|project| &project.retired).cloned().collect()
    }

    /// Returns the active name that a text may have been meant for; none where all are too far off to be a slip.
    #[must_use]
    pub fn near(&self, text: &str) -> Option<&Name> {
        nearest(text, self.projects.values().flat_map(Project::active).map(|name| (name.as_str(), name)))
    }
}

impl Entry {
    /// Describes an artifact of which nothing but the name is known.
    #[must_use]
    pub fn named(name: Name) -> Self {
        Self { name, description: None, inputs: None, policy: None }
    }
}

impl Project {
    /// Returns the names that it builds, in the author's order.
    fn active(&self) -> impl Iterator<Item = &Name> {
        self.artifacts.iter().map(|entry| &entry.name)
    }
}

/// Returns the project that a text may have been meant for.
fn near_project<'p>(text: &str, projects: impl Iterator<Item = &'p ProjectName>) -> Option<&'p ProjectName> {
    nearest(text, projects.map(|project| (project.as_str(), project)))
}

/// Returns what stands beside the candidate with the fewest slips of the pen between it and a text, whatever their case; the first of
/// several. More slips than one in three characters are no slips, so nonsense has no candidate.
fn nearest<'c, T>(text: &str, candidates: impl Iterator<Item = (&'c str, T)>) -> Option<T> {
    if text.len() > LONGEST_NAME {
        return None;
    }
    let text = text.to_lowercase();
    let length = text.chars().count();
    let slips = |candidate: &str| {
        let most = length.max(candidate.len()) / 3;
        let worth = length.abs_diff(candidate.len()) <= most;
        let slips = worth.then(|| strsim::osa_distance(&text, &candidate.to_ascii_lowercase()))?;
        (slips <= most).then_some(slips)
    };
    let near = candidates.filter_map(|(candidate, value)| Some((slips(candidate)?, value)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, value)| value)
}

/// Holds a project's name: 1 to 100 characters of `A-Z a-z 0-9 . _ + / -`.
///
/// There is no comma in it, so that several can stand in one environment variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(String);

/// Says why a text is not a project's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProjectNameError {
    /// The text is empty.
    #[error("a project name has at least one character")]
    Empty,
    /// The text is longer than [`LONGEST_PROJECT`].
    #[error("a project name has at most {LONGEST_PROJECT} characters, this has {0}")]
    Long(usize),
    /// The text has a character that no project name has.
    #[error("a project name has only A-Z a-z 0-9 . _ + / -, this has '{}'", .0.escape_default())]
    Character(char),
    /// The text starts with one of `. _ + / -`.
    #[error("a project name starts with a letter or a digit, this with '{0}'")]
    Start(char),
}

impl ProjectName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectName {
    type Err = ProjectNameError;

    fn from_str(text: &str) -> Result<Self, ProjectNameError> {
        let start = text.chars().next().ok_or(ProjectNameError::Empty)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '/' | '-');
        if let Some(odd) = text.chars().find(|&c| !allowed(c)) {
            return Err(ProjectNameError::Character(odd));
        }
        if !start.is_ascii_alphanumeric() {
            return Err(ProjectNameError::Start(start));
        }
        if text.len() > LONGEST_PROJECT {
            return Err(ProjectNameError::Long(text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
