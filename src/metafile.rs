//! The metafile, `build_meta.json`: for every artifact of a commit, the commit whose address holds it.

mod attempt;
mod record;
mod skip;

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::address::{Commit, Tree};
use crate::artifact::Name;
use crate::json;

pub use attempt::{Attempt, Progress};
pub use record::Record;
pub use skip::{FARTHEST, STRIDE, SkipLinks};

/// The largest metafile that is read or written, in bytes.
pub const LARGEST: u64 = 1 << 20;

/// The key of the farther ancestors.
const ANCESTORS: &str = "ancestors";

/// The key of attempts.
const ATTEMPTS: &str = "attempts";

/// Holds the metafile of one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Metafile {
    /// The commit at whose address the metafile lies.
    pub commit: Commit,
    /// The commit's first parent; none at a root commit.
    pub parent_commit: Option<Commit>,
    /// For each resolved artifact the commit whose address holds it.
    pub artifacts: BTreeMap<Name, Commit>,
    /// What is known of the artifacts that the entries point to. A name that is not in `artifacts` has no record.
    pub details: BTreeMap<Name, Record>,
    /// The tree of the commit, where it is known: it shows which commits, rewritten or not, are of the same files.
    pub tree: Option<Tree>,
    /// The farther ancestors that are named so that history need not be read one metafile after the other.
    pub skips: SkipLinks,
    /// The latest attempts to build artifacts at this commit that have not come to one.
    pub attempts: BTreeMap<Name, Attempt>,
    /// Top-level keys that this version does not know, in the file's order.
    pub unknown: Map<String, Value>,
}

/// Says why bytes are not the metafile of a commit.
#[derive(Debug, thiserror::Error)]
pub enum MetafileError {
    /// The file is larger than [`LARGEST`].
    #[error("a metafile has at most {LARGEST} bytes, this has {0}")]
    TooLarge(u64),
    /// The bytes are not one JSON text, or a key stands in it twice.
    #[error("the metafile is not valid JSON")]
    Syntax(#[source] serde_json::Error),
    /// A key of the protocol is missing.
    #[error("the metafile has no key {0:?}")]
    MissingKey(&'static str),
    /// A key has a value that the protocol does not allow.
    #[error("key {key} of the metafile has the value {value}: {problem}")]
    Value {
        /// Where the value stands: `artifacts.cef.zip`.
        key: String,
        /// The value as JSON, cut to a readable length.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The metafile says that it is another commit's.
    #[error("the metafile at the address of {address} says that it is that of {commit}")]
    Misplaced {
        /// The commit from whose address the metafile was read.
        address: Commit,
        /// The commit that it names.
        commit: Commit,
    },
}

impl Metafile {
    /// Returns a metafile in which nothing is resolved.
    #[must_use]
    pub fn empty(commit: Commit, parent_commit: Option<Commit>) -> Self {
        let (artifacts, details, attempts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let skips = SkipLinks::default();
        Self { commit, parent_commit, artifacts, details, tree: None, skips, attempts, unknown: Map::new() }
    }

    /// Reads the metafile that was found at the address of `address`.
    ///
    /// # Errors
    /// Refuses what is too large, is not JSON, lacks a key of the protocol, has a value of another shape than the protocol's, or
    /// belongs to another commit.
    pub fn parse(bytes: &[u8], address: Commit) -> Result<Self, MetafileError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(MetafileError::TooLarge(size));
        }
        let mut fields = object("", json::read(bytes).map_err(MetafileError::Syntax)?)?;
        let mut required = |key| fields.shift_remove(key).ok_or(MetafileError::MissingKey(key));
        let commit = commit_id("commit", &required("commit")?)?;
        let parent_commit = required("parent_commit")?;
        let parent_commit =
            if parent_commit.is_null() { None } else { Some(commit_id("parent_commit", &parent_commit)?) };
        let artifacts = object("artifacts", required("artifacts")?)?
            .into_iter()
            .map(|(name, id)| {
                let key = format!("artifacts.{}", json::shortened(&name));
                let name = artifact_name(&key, &name)?;
                Ok((name, commit_id(&key, &id)?))
            })
            .collect::<Result<BTreeMap<_, _>, MetafileError>>()?;
        let mut details = BTreeMap::new();
        for (name, record) in object("details", fields.shift_remove("details").unwrap_or_else(|| Map::new().into()))? {
            let key = format!("details.{}", json::shortened(&name));
            let name = artifact_name(&key, &name)?;
            let record = Record::parse(&key, record)?;
            if artifacts.contains_key(&name) {
                details.insert(name, record);
            }
        }
        let tree = fields.shift_remove("tree").map(|tree| text("tree", &tree)).transpose()?;
        let skips = fields.shift_remove(ANCESTORS).map(skip_links).transpose()?.unwrap_or_default();
        let attempts = fields.get_mut(ATTEMPTS).and_then(Value::as_object_mut).map(attempt::take).unwrap_or_default();
        if fields.get(ATTEMPTS).and_then(Value::as_object).is_some_and(Map::is_empty) {
            fields.shift_remove(ATTEMPTS);
        }
        if commit != address {
            return Err(MetafileError::Misplaced { address, commit });
        }
        Ok(Self { commit, parent_commit, artifacts, details, tree, skips, attempts, unknown: fields })
    }

    /// Returns the metafile's one encoding: UTF-8, two-space indent, sorted by name, one newline at the end.
    ///
    /// # Errors
    /// Refuses a metafile that would be larger than [`LARGEST`], since nobody would read it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MetafileError> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .expect("because every key of a metafile is a string and writing to memory does not fail");
        bytes.push(b'\n');
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > LARGEST { Err(MetafileError::TooLarge(size)) } else { Ok(bytes) }
    }

    /// Returns the stub of a commit: what this metafile of an ancestor resolves, re-addressed.
    ///
    /// The tree, the farther ancestors, attempts and keys that this version does not know stay behind: they were said of the other commit.
    #[must_use]
    pub fn stub(&self, commit: Commit, parent_commit: Option<Commit>) -> Self {
        Self {
            artifacts: self.artifacts.clone(),
            details: self.details.iter().map(|(name, record)| (name.clone(), record.known())).collect(),
            ..Self::empty(commit, parent_commit)
        }
    }

    /// Returns what this metafile records of the artifact of that name at the address of `commit`.
    #[must_use]
    pub fn record(&self, name: &Name, commit: Commit) -> Option<&Record> {
        self.details.get(name).filter(|_| self.artifacts.get(name) == Some(&commit))
    }
}

impl Serialize for Metafile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("commit", &self.commit.to_string())?;
        map.serialize_entry("parent_commit", &self.parent_commit.as_ref().map(ToString::to_string))?;
        let artifacts: BTreeMap<&str, String> =
            self.artifacts.iter().map(|(name, commit)| (name.as_str(), commit.to_string())).collect();
        map.serialize_entry("artifacts", &artifacts)?;
        let details: BTreeMap<&str, &Record> = self
            .details
            .iter()
            .filter(|(_, record)| !record.is_empty())
            .map(|(name, record)| (name.as_str(), record))
            .collect();
        if !details.is_empty() {
            map.serialize_entry("details", &details)?;
        }
        // After what older versions know, so that to them it is the first of the keys that they keep.
        if let Some(tree) = self.tree {
            map.serialize_entry("tree", &tree.to_string())?;
        }
        if !self.skips.is_empty() {
            map.serialize_entry(ANCESTORS, &self.skips)?;
        }
        if !self.attempts.is_empty() {
            map.serialize_entry(ATTEMPTS, &attempt::Together(&self.attempts, self.unknown.get(ATTEMPTS)))?;
        }
        // One key stands once: ours counts.
        let unknown = self.unknown.iter().filter(|(key, _)| *key != ATTEMPTS || self.attempts.is_empty());
        for (key, value) in unknown {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

fn object(key: &str, value: Value) -> Result<Map<String, Value>, MetafileError> {
    let key = if key.is_empty() { "(the whole)" } else { key };
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(refused(key, &value, "an object belongs here"))
        }
    }
}

fn skip_links(value: Value) -> Result<SkipLinks, MetafileError> {
    let link = |(steps, id): (String, Value)| {
        let key = format!("{ANCESTORS}.{}", json::shortened(&steps));
        // Each distance has one way to be written.
        let distance = steps.parse::<usize>().ok().filter(|distance| *distance > 1 && distance.to_string() == steps);
        let problem = "a distance is a whole number of steps, 2 or more";
        let distance = distance.ok_or_else(|| refused(&key, &Value::from(steps), problem))?;
        Ok((distance, commit_id(&key, &id)?))
    };
    Ok(SkipLinks::told(object(ANCESTORS, value)?.into_iter().map(link).collect::<Result<_, MetafileError>>()?))
}

fn commit_id(key: &str, value: &Value) -> Result<Commit, MetafileError> {
    text(key, value)
}

fn artifact_name(key: &str, name: &str) -> Result<Name, MetafileError> {
    name.parse().map_err(|error: crate::artifact::NameError| refused(key, &Value::from(name), &error.to_string()))
}

fn text<T: std::str::FromStr<Err: fmt::Display>>(key: &str, value: &Value) -> Result<T, MetafileError> {
    let text = value.as_str().ok_or_else(|| refused(key, value, "a string belongs here"))?;
    text.parse().map_err(|error: T::Err| refused(key, value, &error.to_string()))
}

fn refused(key: &str, value: &Value, problem: &str) -> MetafileError {
    MetafileError::Value {
        key: key.to_owned(),
        value: json::shortened(&value.to_string()),
        problem: problem.to_owned(),
    }
}
