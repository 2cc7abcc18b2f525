//! Reads a registry and collects everything that is wrong with it.

mod entry;
mod store;
mod table;

use std::collections::HashMap;
use std::fmt;

use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{Place, Places, Problem};
use super::{MOST_UNDEFINED, Project, ProjectName, Registry, RegistryError, RepositoryTable, near_project};
use crate::artifact::Name;

pub(super) use table::{repository_table, store_table, versions_table};

/// The longest piece of the file that a message repeats, in characters.
const SHOWN: usize = 80;

/// Reads the bytes of a registry that is not too large.
pub(super) fn read(bytes: &[u8], file: &str) -> Result<Registry, RegistryError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let malformed = |places: &Places<'_>, offset: usize, message: String| {
        RegistryError::Malformed(vec![Problem { file: file.to_owned(), place: places.at(offset), message }])
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok()).unwrap_or_default();
        malformed(&Places::of(good), good.len(), "this is not UTF-8".to_owned())
    })?;
    let places = Places::of(text);
    let document = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        malformed(&places, offset, error.message().chars().map(plain).collect())
    })?;
    let mut reader = Reader::of(places);
    let mut registry = reader.document(document.get_ref());
    reader.refuse_second_names();
    registry.unknown_keys = reader.told(&reader.unknown, file);
    if reader.problems.is_empty() {
        Ok(registry)
    } else {
        Err(RegistryError::Malformed(reader.told(&reader.problems, file)))
    }
}

/// Returns where a name stands in the bytes of a registry, in whatever case.
pub(super) fn place_of(bytes: &[u8], name: &Name) -> Option<Place> {
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()?;
    let document = DeTable::parse(text).ok()?;
    let mut reader = Reader { places: Places::of(text), problems: Vec::new(), unknown: Vec::new(), names: Vec::new() };
    reader.document(document.get_ref());
    let standing = reader.names.iter().find(|standing| standing.name.folded() == name.folded())?;
    Some(reader.places.at(standing.offset))
}

/// Walks through a document; what it finds wrong stands in it with offsets.
struct Reader<'d> {
    places: Places<'d>,
    problems: Vec<(usize, String)>,
    unknown: Vec<(usize, String)>,
    names: Vec<Standing<'d>>,
}

/// Holds one mention of an artifact's name.
struct Standing<'d> {
    offset: usize,
    name: Name,
    project: &'d str,
    retired: bool,
}

impl<'d> Reader<'d> {
    fn of(places: Places<'d>) -> Self {
        Self { places, problems: Vec::new(), unknown: Vec::new(), names: Vec::new() }
    }

    fn document(&mut self, document: &'d DeTable<'_>) -> Registry {
        let mut registry = Registry::default();
        let (mut pointer, mut wanted, mut defined) = (None, Vec::new(), None);
        for (key, value) in document {
            match key.get_ref().as_ref() {
                "repository" => (registry.repository, pointer, wanted) = self.repository(value),
                "store" => registry.store = self.store(value),
                "versions" => registry.versions = self.versions(value),
                "projects" => (registry.projects, defined) = (self.projects(value), Some(key.span().start)),
                _ => self.unknown_key(key, ""),
            }
        }
        match (pointer, defined) {
            (Some(pointer), Some(defined)) if !registry.projects.is_empty() => {
                let pointer = self.places.at(pointer);
                self.problem(
                    defined,
                    format!("a file that points to another registry ({pointer}) defines no projects"),
                );
            }
            (Some(_), _) => {}
            (None, _) => self.refuse_undefined(&registry.projects, &wanted),
        }
        registry.repository.places = wanted.iter().map(|(offset, _)| self.places.at(*offset)).collect();
        registry
    }

    /// Returns the table, the offset of its pointer, and its projects with their offsets.
    fn repository(
        &mut self,
        value: &'d Spanned<DeValue<'_>>,
    ) -> (RepositoryTable, Option<usize>, Vec<(usize, ProjectName)>) {
        let (mut pointer, mut wanted) = (None, Vec::new());
        let mut repository = RepositoryTable::default();
        for (key, value) in self.table(value, "a table that describes the repository").into_iter().flatten() {
            match key.get_ref().as_ref() {
                "projects" => wanted = self.wanted(value),
                "registry" => {
                    pointer = Some(value.span().start);
                    repository.registry = self.place_of(value, "a path or a URL of a registry");
                }
                _ => self.unknown_key(key, " in [repository]"),
            }
        }
        repository.projects = (!wanted.is_empty()).then(|| wanted.iter().map(|(_, name)| name.clone()).collect());
        (repository, pointer, wanted)
    }

    fn wanted(&mut self, value: &'d Spanned<DeValue<'_>>) -> Vec<(usize, ProjectName)> {
        let items = self.array(value, "an array of project names");
        if items.is_some_and(<[_]>::is_empty) {
            self.problem(
                value.span().start,
                "a repository has at least one project: without this key, it has all".to_owned(),
            );
        }
        let mut wanted = Vec::new();
        for item in items.unwrap_or_default() {
            let text = self.text(item, "a project name in quotes");
            let name = text.and_then(|text| self.valid(item.span().start, "project name", text));
            wanted.extend(name.map(|name| (item.span().start, name)));
        }
        wanted
    }

    fn projects(&mut self, value: &'d Spanned<DeValue<'_>>) -> IndexMap<ProjectName, Project> {
        let mut projects = IndexMap::new();
        for (key, value) in self.table(value, "a table of projects").into_iter().flatten() {
            let name = self.valid(key.span().start, "project name", key.get_ref());
            let project = self.project(key.get_ref(), value);
            projects.extend(name.map(|name| (name, project)));
        }
        projects
    }

    fn project(&mut self, name: &'d str, value: &'d Spanned<DeValue<'_>>) -> Project {
        let mut project = Project::default();
        for (key, value) in self.table(value, "a project's table").into_iter().flatten() {
            match key.get_ref().as_ref() {
                "artifacts" => {
                    let items = self.array(value, "an array of artifacts").unwrap_or_default();
                    project.artifacts = items.iter().filter_map(|item| self.entry(name, item)).collect();
                }
                "retired" => {
                    let items = self.array(value, "an array of artifact names").unwrap_or_default();
                    project.retired = items.iter().filter_map(|item| self.name(name, item, true)).collect();
                }
                _ => self.unknown_key(key, &format!(" in project {}", shown(name))),
            }
        }
        project
    }

    /// Reads one artifact name and remembers where it stands.
    fn name(&mut self, project: &'d str, value: &'d Spanned<DeValue<'_>>, retired: bool) -> Option<Name> {
        let offset = value.span().start;
        let text = self.text(value, "an artifact name in quotes")?;
        let name: Name = self.valid(offset, "artifact name", text)?;
        self.names.push(Standing { offset, name: name.clone(), project, retired });
        Some(name)
    }

    fn valid<T: std::str::FromStr<Err: fmt::Display>>(&mut self, offset: usize, what: &str, text: &str) -> Option<T> {
        let value = text.parse();
        value.map_err(|error| self.problem(offset, format!("{} is no {what}: {error}", shown(text)))).ok()
    }

    /// Reads a text that says where something is; an empty one says nothing.
    fn place_of(&mut self, value: &'d Spanned<DeValue<'_>>, what: &str) -> Option<String> {
        let text = self.text(value, &format!("{what} in quotes"))?;
        if text.trim().is_empty() {
            self.problem(value.span().start, format!("{what} belongs here, this is empty"));
        }
        Some(text.to_owned())
    }

    fn text(&mut self, value: &'d Spanned<DeValue<'_>>, what: &str) -> Option<&'d str> {
        value.get_ref().as_str().or_else(|| self.wrong_type(value, what))
    }

    fn array(&mut self, value: &'d Spanned<DeValue<'_>>, what: &str) -> Option<&'d [Spanned<DeValue<'d>>]> {
        value.get_ref().as_array().map(AsRef::as_ref).or_else(|| self.wrong_type(value, what))
    }

    fn table(&mut self, value: &'d Spanned<DeValue<'_>>, what: &str) -> Option<&'d DeTable<'d>> {
        value.get_ref().as_table().or_else(|| self.wrong_type(value, what))
    }

    fn wrong_type<T>(&mut self, value: &Spanned<DeValue<'_>>, what: &str) -> Option<T> {
        let kind = value.get_ref().type_str();
        let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
        self.problem(value.span().start, format!("{what} belongs here, this is {article} {kind}"));
        None
    }

    fn unknown_key(&mut self, key: &Spanned<impl AsRef<str>>, whose: &str) {
        self.unknown.push((key.span().start, format!("unknown key {}{whose}", shown(key.get_ref().as_ref()))));
    }

    fn problem(&mut self, offset: usize, message: String) {
        self.problems.push((offset, message));
    }

    fn refuse_undefined(&mut self, projects: &IndexMap<ProjectName, Project>, wanted: &[(usize, ProjectName)]) {
        let undefined = wanted.iter().filter(|(_, name)| !projects.contains_key(name));
        for (offset, name) in undefined.take(MOST_UNDEFINED) {
            let near = near_project(name.as_str(), projects.keys());
            let near = near.map(|near| format!(", did you mean {}?", shown(near.as_str())));
            self.problem(
                *offset,
                format!("no project {} is defined{}", shown(name.as_str()), near.unwrap_or_default()),
            );
        }
    }

    /// Refuses each name that stands further up already, in whatever case.
    fn refuse_second_names(&mut self) {
        let mut names = std::mem::take(&mut self.names);
        names.sort_by_key(|standing| standing.offset);
        let mut seen: HashMap<String, &Standing<'_>> = HashMap::new();
        for standing in &names {
            let Some(first) = seen.get(&standing.name.folded()) else {
                seen.insert(standing.name.folded(), standing);
                continue;
            };
            let name = shown(standing.name.as_str());
            let case = if first.name == standing.name {
                format!("{name} stands twice")
            } else {
                format!("{name} and {} differ only in case", shown(first.name.as_str()))
            };
            let retired = if first.retired { ", retired" } else { "" };
            let (place, project) = (self.places.at(first.offset), shown(first.project));
            self.problem(standing.offset, format!("{case}: the other is at {place}, in project {project}{retired}"));
        }
    }

    /// Returns what is told of the file, in its order.
    fn told(&self, found: &[(usize, String)], file: &str) -> Vec<Problem> {
        let problem = |(offset, message): &(usize, String)| Problem {
            file: file.to_owned(),
            place: self.places.at(*offset),
            message: message.clone(),
        };
        let mut problems: Vec<Problem> = found.iter().map(problem).collect();
        problems.sort_by_key(|problem| problem.place);
        problems
    }
}

/// Returns a character as it may stand in a line of plain ASCII.
fn plain(c: char) -> String {
    if matches!(c, ' '..='~') { c.to_string() } else { c.escape_default().to_string() }
}

/// Returns a piece of the file for a message: in quotes, of plain ASCII and a readable length.
fn shown(text: &str) -> String {
    let more = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    let text: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
    format!("\"{text}{more}\"")
}
