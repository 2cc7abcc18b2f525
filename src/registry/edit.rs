//! Adding names to a registry as a person would: nothing else in the file changes, neither a comment nor a line's end.
//!
//! The file is parsed for where things stand in it, and the text is cut open there. Nothing is ever written anew from what was parsed.

mod array;
mod splice;
mod table;

use toml_edit::{Document, Item, TableLike, Value};

use super::{Entry, Place, ProjectName, Registry, RegistryError, near_project, reader};
use crate::artifact::Name;
use splice::{Splice, Text};

/// Says what is to be added.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    /// The project that is to own the names; where it is none, the file's only one.
    pub project: Option<&'a ProjectName>,
    /// The names.
    pub names: &'a [Name],
    /// What each of them is, for people.
    pub description: Option<&'a str>,
    /// Whether a project that is not there is made.
    pub new_project: bool,
}

/// Holds a registry's text with names added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The text: the old one, where all names were there already.
    pub text: Vec<u8>,
    /// The project that owns the names.
    pub project: ProjectName,
    /// The names that are new.
    pub added: Vec<Name>,
    /// The names that had been retired.
    pub returned: Vec<Name>,
    /// The names that the project had already.
    pub present: Vec<Name>,
}

/// Says why a name was not added to a registry.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The registry is not valid as it is.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The file defines no names.
    #[error("{0} only points to another registry")]
    Points(String),
    /// The file has no such project.
    #[error("{file} has no project {project}")]
    NoProject {
        /// How the file is called.
        file: String,
        /// The project that was asked for.
        project: ProjectName,
        /// The one that may have been meant.
        near: Option<ProjectName>,
    },
    /// Nobody said which of the file's projects is meant.
    #[error("{file} has {}, and none was named", if .projects.is_empty() { "no projects".to_owned() } else { format!("several projects ({})", .projects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) })]
    WhichProject {
        /// How the file is called.
        file: String,
        /// Those that it has.
        projects: Vec<ProjectName>,
    },
    /// The name is another's, or differs from another only in case.
    #[error("{name} {} project {owner}{} ({file}:{}:{})", if name == stands { "is registered already, in".to_owned() } else { format!("differs only in case from {stands}, in") }, if *retired { ", retired" } else { "" }, place.line, place.column)]
    Taken {
        /// How the file is called.
        file: String,
        /// The name.
        name: Name,
        /// The name as it stands there.
        stands: Name,
        /// Whose it is.
        owner: ProjectName,
        /// Whether it is retired there.
        retired: bool,
        /// Where it stands.
        place: Place,
    },
    /// The file is written in a way that leaves no place for the name.
    #[error("{name} cannot be added to {file} without writing other lines anew")]
    NoPlace {
        /// How the file is called.
        file: String,
        /// The name.
        name: Name,
    },
}

/// Adds names at the end of a project's artifacts. A name that the project has retired is moved back. `file` is how messages call the text.
///
/// # Errors
/// [`EditError`]; the text that comes out has exactly the old names and the new ones.
pub fn add(text: &[u8], file: &str, addition: &Addition<'_>) -> Result<Edited, EditError> {
    let mut expected = Registry::parse(text, file)?;
    if expected.repository.registry.is_some() {
        return Err(EditError::Points(file.to_owned()));
    }
    let project = project_of(&expected, file, addition)?;
    let mut edited = Edited {
        text: text.to_vec(),
        project: project.clone(),
        added: Vec::new(),
        returned: Vec::new(),
        present: Vec::new(),
    };
    for name in addition.names {
        expect_free(&expected, text, file, &project, name)?;
        let description = addition.description.map(str::to_owned);
        let entry = Entry { description, ..Entry::named(name.clone()) };
        let holds = expected.projects.entry(project.clone()).or_default();
        if holds.active().any(|active| active == name) {
            edited.present.push(name.clone());
            continue;
        }
        let retired = holds.retired.iter().position(|retired| retired == name);
        if let Some(index) = retired {
            holds.retired.remove(index);
        }
        holds.artifacts.push(entry.clone());
        let no_place = || EditError::NoPlace { file: file.to_owned(), name: name.clone() };
        let new = one(&edited.text, &project, &entry, retired).ok_or_else(no_place)?;
        if !Registry::parse(&new, file).is_ok_and(|new| new.says_the_same(&expected)) {
            return Err(no_place());
        }
        edited.text = new;
        if retired.is_some() { edited.returned.push(name.clone()) } else { edited.added.push(name.clone()) }
    }
    Ok(edited)
}

fn project_of(registry: &Registry, file: &str, addition: &Addition<'_>) -> Result<ProjectName, EditError> {
    let Some(project) = addition.project else {
        let projects: Vec<ProjectName> = registry.projects.keys().cloned().collect();
        return match projects.as_slice() {
            [only] => Ok(only.clone()),
            _ => Err(EditError::WhichProject { file: file.to_owned(), projects }),
        };
    };
    if registry.projects.contains_key(project) || addition.new_project {
        return Ok(project.clone());
    }
    let near = near_project(project.as_str(), registry.projects.keys()).cloned();
    Err(EditError::NoProject { file: file.to_owned(), project: project.clone(), near })
}

/// Makes sure that a name is nobody's but the project's, in this spelling.
fn expect_free(
    registry: &Registry,
    text: &[u8],
    file: &str,
    project: &ProjectName,
    name: &Name,
) -> Result<(), EditError> {
    let Some((owner, stands, retired)) = registry.mention(name) else { return Ok(()) };
    if owner == project && stands == name {
        return Ok(());
    }
    Err(EditError::Taken {
        file: file.to_owned(),
        name: name.clone(),
        stands: stands.clone(),
        owner: owner.clone(),
        retired,
        // A name that is added twice in two spellings stands nowhere yet.
        place: reader::place_of(text, name).unwrap_or(Place { line: 1, column: 1 }),
    })
}

/// Adds one name, and takes it out of the retired ones; none where there is no place for it.
fn one(bytes: &[u8], project: &ProjectName, entry: &Entry, retired: Option<usize>) -> Option<Vec<u8>> {
    let (mark, bytes) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (&b"\xef\xbb\xbf"[..], rest),
        None => (&b""[..], bytes),
    };
    let text = Text::of(std::str::from_utf8(bytes).ok()?);
    let document = Document::parse(text.as_str()).ok()?;
    let projects = document.as_table().get("projects");
    let item = projects.and_then(|projects| projects.as_table_like()).and_then(|all| all.get(project.as_str()));
    let mut splices = match item {
        Some(item) => into_project(&text, item, project, entry)?,
        None => table::new_project(&text, projects, project, entry)?,
    };
    if let Some(index) = retired {
        let retired = item?.as_table_like()?.get("retired")?.as_array()?;
        splices.extend(array::without(&text, retired, index)?);
    }
    Some([mark, Splice::apply(splices, text.as_str())?.as_bytes()].concat())
}

fn into_project(text: &Text<'_>, item: &Item, project: &ProjectName, entry: &Entry) -> Option<Vec<Splice>> {
    let holds: &dyn TableLike = item.as_table_like()?;
    match holds.get("artifacts") {
        Some(Item::Value(Value::Array(array))) => array::append(text, array, &inline(entry)),
        Some(Item::ArrayOfTables(tables)) => table::append(text, tables, entry),
        Some(_) => None,
        None => table::new_key(text, item, project, entry),
    }
}

/// Returns an entry as it stands in an array.
fn inline(entry: &Entry) -> String {
    let name = super::quoted(entry.name.as_str());
    match &entry.description {
        None => name,
        Some(description) => format!("{{ name = {name}, description = {} }}", super::quoted(description)),
    }
}
