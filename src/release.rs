//! A release: what is recorded of the bytes that were staged under a version.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::address::Commit;
use crate::artifact::{Digest, Mode, Name};
use crate::json;
use crate::location::FileName;
use crate::version::{ReleaseName, Version};

/// The largest record that is read, in bytes.
pub const LARGEST: u64 = 1 << 20;

/// Holds what is known of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its name.
    pub name: ReleaseName,
    /// Its version, with the build metadata under which it was staged.
    pub version: Version,
    /// The number of its bytes.
    pub size: u64,
    /// Their SHA-256, where it is recorded.
    pub sha256: Option<Digest>,
    /// The mode of the file, where it is executable.
    pub mode: Option<Mode>,
    /// What the file is called.
    pub filename: Option<FileName>,
    /// What whoever staged it says of it.
    pub metadata: BTreeMap<String, String>,
    /// When it was staged, in UTC as RFC 3339 writes it.
    pub at: Option<String>,
    /// What it was promoted from, where no file was sent.
    pub origin: Option<Origin>,
}

/// Says which artifact of which commit a release is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The commit that was released.
    pub commit: Commit,
    /// The commit whose address holds the artifact: the nearest that built it.
    pub address: Commit,
    /// The artifact.
    pub artifact: Name,
}

/// Says why bytes are not the record of a release.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The bytes are more than [`LARGEST`].
    #[error("it has {0} bytes, a record has at most {LARGEST}")]
    TooLarge(u64),
    /// The bytes are no JSON.
    #[error("it is not JSON")]
    Syntax(#[source] serde_json::Error),
    /// A key is missing or has a value that it cannot have.
    #[error("{key} is {value}: {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value, shortened; `absent` where there is none.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Release {
    /// Reads the record of a release. Keys that this version does not know are passed over: a record is never written again.
    ///
    /// # Errors
    /// [`ReleaseError`], also for the record of another release than that of this name and version.
    pub fn parse(bytes: &[u8], name: &ReleaseName, version: &Version) -> Result<Self, ReleaseError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(ReleaseError::TooLarge(size));
        }
        let value = json::read(bytes).map_err(ReleaseError::Syntax)?;
        let fields = value.as_object().ok_or_else(|| refused("(the whole)", Some(&value), "an object belongs here"))?;
        let release = Self {
            name: text(fields, "name")?,
            version: text(fields, "version")?,
            size: required(fields, "size", Value::as_u64, "a whole number of bytes belongs here")?,
            sha256: optional(fields, "sha256")?,
            mode: optional(fields, "mode")?,
            filename: optional(fields, "filename")?,
            metadata: metadata(fields)?,
            at: optional(fields, "at")?,
            origin: origin(fields)?,
        };
        if release.name != *name {
            return Err(refused("name", fields.get("name"), &format!("this is the record of {name}")));
        }
        if !release.version.is_same(version) {
            let problem = format!("this is the record of {}", version.bare());
            return Err(refused("version", fields.get("version"), &problem));
        }
        Ok(release)
    }

    /// Returns the record's bytes: the one encoding that it has.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        format!("{:#}\n", self.to_json()).into_bytes()
    }

    /// Returns the record as JSON: what is not known is left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |key: &str, value: Option<String>| {
            fields.extend(value.map(|value| (key.to_owned(), Value::from(value))));
        };
        put("name", Some(self.name.to_string()));
        put("version", Some(self.version.to_string()));
        put("sha256", self.sha256.map(|digest| digest.to_string()));
        put("mode", self.mode.map(|mode| mode.to_string()));
        put("filename", self.filename.as_ref().map(ToString::to_string));
        put("at", self.at.clone());
        let origin = self.origin.as_ref();
        put("commit", origin.map(|origin| origin.commit.to_string()));
        put("address", origin.map(|origin| origin.address.to_string()));
        put("artifact", origin.map(|origin| origin.artifact.to_string()));
        fields.shift_insert(2, "size".to_owned(), json!(self.size));
        let after = fields.keys().take_while(|key| !matches!(key.as_str(), "at" | "commit")).count();
        fields.shift_insert(after, "metadata".to_owned(), json!(self.metadata));
        Value::Object(fields)
    }

    /// Returns in which keys what stands differs from this one, which is to be staged under the same version.
    ///
    /// When they were staged does not count, nor do permissions, which get lost on the way from one job to another. Where this one is
    /// promoted from does, but not where the other is: the bytes are what is staged. Of equal bytes it does not count at which address.
    #[must_use]
    pub fn differences(&self, stands: &Self) -> Vec<&'static str> {
        let origin = |part: fn(&Origin) -> String| {
            self.origin.as_ref().is_some_and(|origin| Some(part(origin)) != stands.origin.as_ref().map(part))
        };
        let both = [
            ("version", self.version != stands.version),
            ("size", self.size != stands.size),
            ("sha256", self.sha256 != stands.sha256),
            ("filename", self.filename != stands.filename),
            ("metadata", self.metadata != stands.metadata),
            ("commit", origin(|origin| origin.commit.to_string())),
            ("address", self.sha256.is_none() && origin(|origin| origin.address.to_string())),
            ("artifact", origin(|origin| origin.artifact.to_string())),
        ];
        both.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }
}

fn origin(fields: &Map<String, Value>) -> Result<Option<Origin>, ReleaseError> {
    if !["commit", "address", "artifact"].iter().any(|key| fields.contains_key(*key)) {
        return Ok(None);
    }
    let (commit, address) = (text(fields, "commit")?, text(fields, "address")?);
    Ok(Some(Origin { commit, address, artifact: text(fields, "artifact")? }))
}

fn metadata(fields: &Map<String, Value>) -> Result<BTreeMap<String, String>, ReleaseError> {
    let wrong = |value: Option<&Value>| refused("metadata", value, "an object of strings belongs here");
    let pairs = match fields.get("metadata") {
        None => return Ok(BTreeMap::new()),
        Some(value) => value.as_object().ok_or_else(|| wrong(Some(value)))?,
    };
    let pair = |(key, value): (&String, &Value)| {
        let text = value.as_str().ok_or_else(|| wrong(Some(value)))?;
        Ok((key.clone(), text.to_owned()))
    };
    pairs.iter().map(pair).collect()
}

fn required<T>(
    fields: &Map<String, Value>,
    key: &'static str,
    read: impl Fn(&Value) -> Option<T>,
    problem: &str,
) -> Result<T, ReleaseError> {
    let value = fields.get(key);
    value.and_then(read).ok_or_else(|| refused(key, value, problem))
}

fn text<T: FromStr<Err: fmt::Display>>(fields: &Map<String, Value>, key: &'static str) -> Result<T, ReleaseError> {
    let text = required(fields, key, |value| value.as_str().map(str::to_owned), "a string belongs here")?;
    text.parse().map_err(|error: T::Err| refused(key, fields.get(key), &error.to_string()))
}

fn optional<T: FromStr<Err: fmt::Display>>(
    fields: &Map<String, Value>,
    key: &'static str,
) -> Result<Option<T>, ReleaseError> {
    fields.contains_key(key).then(|| text(fields, key)).transpose()
}

fn refused(key: &'static str, value: Option<&Value>, problem: &str) -> ReleaseError {
    let value = value.map_or_else(|| "absent".to_owned(), |value| json::shortened(&value.to_string()));
    ReleaseError::Value { key, value, problem: problem.to_owned() }
}
