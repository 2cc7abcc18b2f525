//! What is known of an artifact that stands at an address.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::{MetafileError, attempt, object, refused, text};
use crate::artifact::{Digest, Mode};
use crate::moment::Moment;

/// Holds what is known of one artifact at one address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// The artifact's size in bytes.
    pub size: Option<u64>,
    /// The SHA-256 of its bytes.
    pub sha256: Option<Digest>,
    /// Its permission bits, where it is executable.
    pub mode: Option<Mode>,
    /// The digest of what the artifact was built from, as its registry entry declares it; see [`crate::inputs`].
    pub inputs: Option<Digest>,
    /// The URL of the CI run that published it.
    pub run: Option<String>,
    /// When it was published.
    pub at: Option<Moment>,
    /// Keys that this version does not know, in the file's order.
    pub unknown: Map<String, Value>,
}

impl Record {
    /// Says whether nothing is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the record without the keys that this version does not know: those are said of one commit's metafile alone.
    #[must_use]
    pub fn known(&self) -> Self {
        Self { unknown: Map::new(), ..self.clone() }
    }

    /// Says whether another record may be one of the same bytes: nothing that both say tells them apart.
    #[must_use]
    pub fn is_of_same_bytes(&self, other: &Self) -> bool {
        self.size.zip(other.size).is_none_or(|(mine, theirs)| mine == theirs)
            && self.sha256.zip(other.sha256).is_none_or(|(mine, theirs)| mine == theirs)
    }

    /// Returns the record with what was just learned of the same bytes; one that speaks of other bytes is replaced whole.
    #[must_use]
    pub fn learn(&self, known: &Self) -> Self {
        if !self.is_of_same_bytes(known) {
            return known.clone();
        }
        // Who recorded it first is who published it: what came later are repetitions.
        let first = if self.at.is_some() || self.run.is_some() { self } else { known };
        let (run, at) = (first.run.clone(), first.at);
        Self {
            size: known.size.or(self.size),
            sha256: known.sha256.or(self.sha256),
            mode: known.mode.or(self.mode),
            inputs: known.inputs.or(self.inputs),
            run,
            at,
            unknown: self.unknown.clone(),
        }
    }

    pub(super) fn parse(key: &str, record: Value) -> Result<Self, MetafileError> {
        let mut fields = object(key, record)?;
        let mut field = |field: &str| fields.shift_remove(field).map(|value| (format!("{key}.{field}"), value));
        let size = field("size").map(|(key, value)| {
            value.as_u64().ok_or_else(|| refused(&key, &value, "a size is a whole number of bytes"))
        });
        let sha256 = field("sha256").map(|(key, value)| text(&key, &value));
        let mode = field("mode").map(|(key, value)| text(&key, &value));
        let (size, sha256, mode) = (size.transpose()?, sha256.transpose()?, mode.transpose()?);
        let inputs = attempt::text(&mut fields, "inputs");
        let run = attempt::text(&mut fields, "run");
        let at = attempt::text(&mut fields, "at");
        Ok(Self { size, sha256, mode, inputs, run, at, unknown: fields })
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(size) = self.size {
            map.serialize_entry("size", &size)?;
        }
        if let Some(sha256) = self.sha256 {
            map.serialize_entry("sha256", &sha256.to_string())?;
        }
        if let Some(mode) = self.mode {
            map.serialize_entry("mode", &mode.to_string())?;
        }
        if let Some(inputs) = self.inputs {
            map.serialize_entry("inputs", &inputs.to_string())?;
        }
        if let Some(run) = &self.run {
            map.serialize_entry("run", run)?;
        }
        if let Some(at) = self.at {
            map.serialize_entry("at", &at.to_string())?;
        }
        // One key stands once: ours counts.
        let ours = |key: &str| match key {
            "inputs" => self.inputs.is_some(),
            "run" => self.run.is_some(),
            "at" => self.at.is_some(),
            _ => false,
        };
        for (key, value) in self.unknown.iter().filter(|(key, _)| !ours(key)) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
