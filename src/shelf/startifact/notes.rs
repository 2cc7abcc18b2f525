//! What stands beside an artifact of Startifact's: a JSON object of strings, in which some keys have a meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::json;
use crate::organisation::{FILENAME, is_reserved};
use crate::release::{LARGEST, Origin, Release, ReleaseError};

/// The keys under which it is recorded what a release was promoted from, and when.
const COMMIT: &str = "metalogic:commit";
const ADDRESS: &str = "metalogic:address";
const ARTIFACT: &str = "metalogic:artifact";
const AT: &str = "metalogic:at";

/// Holds a release's metadata as it lies in a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Notes(BTreeMap<String, String>);

impl Notes {
    /// Returns what is noted of a release.
    pub(super) fn of(release: &Release) -> Self {
        let mut notes = release.metadata.clone();
        let mut note = |key: &str, value: String| drop(notes.insert(key.to_owned(), value));
        if let Some(filename) = &release.filename {
            note(FILENAME, filename.to_string());
        }
        if let Some(Origin { commit, address, artifact }) = &release.origin {
            note(COMMIT, commit.to_string());
            note(ADDRESS, address.to_string());
            note(ARTIFACT, artifact.to_string());
            if let Some(at) = &release.at {
                note(AT, at.clone());
            }
        }
        Self(notes)
    }

    /// Returns the first key of a release's metadata that has a meaning of its own.
    pub(super) fn reserved(release: &Release) -> Option<&String> {
        release.metadata.keys().find(|key| is_reserved(key))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the one encoding that they have, which is Startifact's.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        json::sorted(json!(self.0)).into_bytes()
    }

    /// Reads what stands in a bucket.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ReleaseError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(ReleaseError::TooLarge(size));
        }
        let value = json::read(bytes).map_err(ReleaseError::Syntax)?;
        let wrong = |value: &Value, problem: String| refused("(the whole)", &value.to_string(), problem);
        let fields = value.as_object().ok_or_else(|| wrong(&value, "an object belongs here".to_owned()))?;
        let pair = |(key, value): (&String, &Value)| match value.as_str() {
            Some(text) => Ok((key.clone(), text.to_owned())),
            None => Err(wrong(value, format!("a string belongs to the key {}", json::shortened(key)))),
        };
        fields.iter().map(pair).collect::<Result<_, _>>().map(Self)
    }

    /// Adds to a release what is noted of it.
    pub(super) fn tell(mut self, release: &mut Release) -> Result<(), ReleaseError> {
        release.filename = self.take(FILENAME)?;
        release.at = self.0.remove(AT);
        release.origin = match (self.take(COMMIT)?, self.take(ADDRESS)?, self.take(ARTIFACT)?) {
            (Some(commit), Some(address), Some(artifact)) => Some(Origin { commit, address, artifact }),
            (None, None, None) => None,
            (None, _, _) => return Err(absent(COMMIT)),
            (_, None, _) => return Err(absent(ADDRESS)),
            (_, _, None) => return Err(absent(ARTIFACT)),
        };
        release.metadata = self.0;
        Ok(())
    }

    fn take<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Result<Option<T>, ReleaseError> {
        let parse = |text: String| text.parse().map_err(|error: T::Err| refused(key, &text, error.to_string()));
        self.0.remove(key).map(parse).transpose()
    }

    /// Says in what these differ from those that stand, by the rule of [`Release::differences`]: beside bytes, where they are from does not
    /// count for whoever promotes nothing; where notes stand alone, it says whose bytes are yet to come. A file's name that nobody asked for
    /// does not count.
    pub(super) fn differences(&self, stands: &Self, named: bool, beside_bytes: bool) -> Option<String> {
        let keys: BTreeSet<&String> = self.0.keys().chain(stands.0.keys()).collect();
        let said = |notes: &Self, key: &String| {
            notes.0.get(key).map_or_else(|| "nothing".to_owned(), |text| json::shortened(&json!(text).to_string()))
        };
        let from = !beside_bytes || self.0.contains_key(COMMIT);
        let counts = |key: &&String| match key.as_str() {
            AT | ADDRESS => false,
            COMMIT | ARTIFACT => from,
            FILENAME => named,
            _ => true,
        };
        let differs = |key: &&String| counts(key) && self.0.get(*key) != stands.0.get(*key);
        let told = |key: &String| {
            format!("{} is {} there and {} here", json::shortened(key), said(stands, key), said(self, key))
        };
        let differing: Vec<String> = keys.into_iter().filter(differs).map(told).collect();
        (!differing.is_empty()).then(|| differing.join(", "))
    }
}

fn absent(key: &'static str) -> ReleaseError {
    let problem = "it stands beside the other keys of a promotion".to_owned();
    ReleaseError::Value { key, value: "absent".to_owned(), problem }
}

fn refused(key: &'static str, value: &str, problem: String) -> ReleaseError {
    ReleaseError::Value { key, value: json::shortened(value), problem }
}
