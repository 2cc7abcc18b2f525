//! What is known of builds that have not come to an artifact.

use std::collections::{BTreeMap, HashSet};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::artifact::Name;
use crate::moment::Moment;

/// Holds what is known of the latest attempt to build one artifact at one commit.
///
/// An attempt is said of that commit alone, and counts for nothing once the artifact stands there.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// How far it came.
    pub state: Progress,
    /// The URL of the CI run that makes it.
    pub run: Option<String>,
    /// When that was recorded.
    pub at: Option<Moment>,
    /// Why it failed, in the words of whoever recorded it.
    pub reason: Option<String>,
    /// Keys that this version does not know, in the file's order.
    pub unknown: Map<String, Value>,
}

/// Says how far an attempt to build an artifact came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It began.
    Pending,
    /// It failed.
    Failed,
    /// What a newer version of the program says of it.
    Other(String),
}

impl Progress {
    /// Returns the word for it in a metafile.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Other(word) => word,
        }
    }
}

/// Takes the attempts that this version understands. Nothing needs them to resolve: what is of another shape stays, and says nothing.
pub(super) fn take(told: &mut Map<String, Value>) -> BTreeMap<Name, Attempt> {
    let understood = |(name, attempt): (&String, &Value)| Some((name.parse().ok()?, Attempt::read(attempt)?));
    let attempts: BTreeMap<Name, Attempt> = told.iter().filter_map(understood).collect();
    let taken = texts(&attempts);
    told.retain(|name, _| !taken.contains(name.as_str()));
    attempts
}

/// Returns the names for quick look-up: nobody but who wrote a metafile says how many there are.
fn texts(attempts: &BTreeMap<Name, Attempt>) -> HashSet<&str> {
    attempts.keys().map(Name::as_str).collect()
}

/// Writes attempts together with those of another shape. Of one name ours counts.
pub(super) struct Together<'a>(pub(super) &'a BTreeMap<Name, Attempt>, pub(super) Option<&'a Value>);

impl Serialize for Together<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(ours, others) = self;
        let mut map = serializer.serialize_map(None)?;
        for (name, attempt) in *ours {
            map.serialize_entry(name.as_str(), attempt)?;
        }
        let own = texts(ours);
        let others = others.and_then(Value::as_object).into_iter().flatten();
        for (name, attempt) in others.filter(|(name, _)| !own.contains(name.as_str())) {
            map.serialize_entry(name, attempt)?;
        }
        map.end()
    }
}

impl Attempt {
    fn read(value: &Value) -> Option<Self> {
        let mut fields = value.as_object()?.clone();
        let state = match fields.shift_remove("state")?.as_str()? {
            "pending" => Progress::Pending,
            "failed" => Progress::Failed,
            other => Progress::Other(other.to_owned()),
        };
        let run = text(&mut fields, "run");
        let at = text(&mut fields, "at");
        let reason = text(&mut fields, "reason");
        Some(Self { state, run, at, reason, unknown: fields })
    }
}

/// Takes a key that has a value of its type. Any other value stays as it is: this version does not know what it says.
pub(super) fn text<T: std::str::FromStr>(fields: &mut Map<String, Value>, key: &str) -> Option<T> {
    let value = fields.get(key)?.as_str()?.parse().ok()?;
    fields.shift_remove(key);
    Some(value)
}

impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("state", self.state.as_str())?;
        if let Some(run) = &self.run {
            map.serialize_entry("run", run)?;
        }
        if let Some(at) = self.at {
            map.serialize_entry("at", &at.to_string())?;
        }
        if let Some(reason) = &self.reason {
            map.serialize_entry("reason", reason)?;
        }
        for (key, value) in &self.unknown {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
