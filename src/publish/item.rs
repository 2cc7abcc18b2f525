//! What is to be published, and why it may be refused.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::artifact::{Name, NameError};
use crate::catalog::{Catalog, Standing};
use crate::files::{self, MeasureError};
use crate::registry::ProjectName;

/// Names a local file and the artifact that it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The artifact's name.
    pub name: Name,
    /// The local file.
    pub path: PathBuf,
}

/// Says why a file is refused, before a byte is written.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Its name is no artifact's.
    #[error("{name:?} cannot be an artifact's name")]
    BadName {
        /// The file's name, with what is no text replaced.
        name: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// No project has the name.
    #[error("no project has an artifact {name}")]
    Unknown {
        /// The name.
        name: Name,
        /// The nearest name that could have been meant.
        near: Option<Name>,
    },
    /// The name belongs to another repository's project.
    #[error("{name} belongs to the project {owner}, which is not this repository's")]
    Foreign {
        /// The name.
        name: Name,
        /// The project that has it.
        owner: ProjectName,
    },
    /// The name belongs to a project that `--project` leaves out.
    #[error("{name} belongs to the project {owner}, which --project leaves out")]
    Excluded {
        /// The name.
        name: Name,
        /// The project that has it.
        owner: ProjectName,
    },
    /// The name is retired.
    #[error("{name} is retired by its project {owner}")]
    Retired {
        /// The name.
        name: Name,
        /// The project that has it.
        owner: ProjectName,
    },
    /// Two files are to be one artifact.
    #[error("{} and {} are both to be {name}", first.display(), second.display())]
    Twice {
        /// The name.
        name: Name,
        /// The file that has it first.
        first: PathBuf,
        /// The file that has it again.
        second: PathBuf,
    },
    /// The file itself will not do.
    #[error(transparent)]
    File(#[from] MeasureError),
}

impl Item {
    /// Reads `FILE` or `NAME=FILE`; the latter only where what stands before the first `=` is a valid name.
    ///
    /// # Errors
    /// [`Refusal::BadName`] where a file's own name is no artifact's.
    pub fn parse(argument: &OsStr) -> Result<Self, Refusal> {
        if let Some((name, path)) = split(argument) {
            return Ok(Self { name, path });
        }
        let path = PathBuf::from(argument);
        let name = path.file_name().unwrap_or(argument).to_string_lossy().into_owned();
        match name.parse() {
            Ok(name) => Ok(Self { name, path }),
            // What a path ends in says little when nothing is there, or a directory is.
            Err(source) if argument.is_empty() => Err(Refusal::BadName { name, source }),
            Err(source) => Err(files::inspect(&path).err().map_or(Refusal::BadName { name, source }, Refusal::File)),
        }
    }
}

/// Splits an argument at its first `=`, where a valid name stands before it and anything after it.
#[cfg(unix)]
fn split(argument: &OsStr) -> Option<(Name, PathBuf)> {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = argument.as_bytes();
    let (name, path) = bytes.split_at(bytes.iter().position(|&byte| byte == b'=')?);
    let path = path.get(1..).filter(|path| !path.is_empty())?;
    Some((std::str::from_utf8(name).ok()?.parse().ok()?, PathBuf::from(OsStr::from_bytes(path))))
}

#[cfg(not(unix))]
fn split(argument: &OsStr) -> Option<(Name, PathBuf)> {
    let (name, path) = argument.to_str()?.split_once('=').filter(|(_, path)| !path.is_empty())?;
    Some((name.parse().ok()?, PathBuf::from(path)))
}

/// Says which of these items may not be published here: all of them, so that they can be mended in one go.
#[must_use]
pub fn refusals(items: &[Item], catalog: &Catalog) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut seen: BTreeMap<String, &Path> = BTreeMap::new();
    for Item { name, path } in items {
        let name = name.clone();
        if let Some(first) = seen.insert(name.folded(), path) {
            let (first, second) = (first.to_owned(), path.clone());
            refusals.push(Refusal::Twice { name: name.clone(), first, second });
        }
        match refusal(&name, catalog) {
            Some(refusal) => refusals.push(refusal),
            None => refusals.extend(files::inspect(path).err().map(Refusal::File)),
        }
    }
    refusals
}

/// Says why no artifact of that name may be built here; none where it may.
#[must_use]
pub fn refusal(name: &Name, catalog: &Catalog) -> Option<Refusal> {
    let name = name.clone();
    match catalog.standing(&name) {
        Standing::Ours => None,
        Standing::Unknown(near) => Some(Refusal::Unknown { name, near }),
        Standing::Foreign(owner) => Some(Refusal::Foreign { name, owner }),
        Standing::Excluded(owner) => Some(Refusal::Excluded { name, owner }),
        Standing::Retired(owner) => Some(Refusal::Retired { name, owner }),
    }
}
