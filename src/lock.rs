//! The deploy lock: exactly which bytes a deployment takes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::address::Commit;
use crate::artifact::{Digest, Mode, Name};
use crate::json;
use crate::policy::Policy;

/// The version of the format, which stands in each lock.
pub const VERSION: u64 = 1;

/// The largest lock that is read, in bytes: many times what the largest metafile comes to.
pub const LARGEST: u64 = 64 << 20;

/// Holds a lock: equal locks are equal bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The revision as it was asked for.
    pub revision: String,
    /// The commit that it named.
    pub commit: Commit,
    /// The URL of the store.
    pub store: String,
    /// The artifacts.
    pub artifacts: BTreeMap<Name, Locked>,
}

/// Holds what is locked of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The commit whose address holds it.
    pub commit: Commit,
    /// The URL of the object.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its permission bits, where it is executable.
    pub mode: Option<Mode>,
    /// The word for how it stood at the commit.
    pub state: String,
    /// What was asked of it.
    pub policy: Policy,
}

/// Says why bytes are no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// They are more than [`LARGEST`].
    #[error("a lock has at most {LARGEST} bytes, this has {0}")]
    TooLarge(u64),
    /// They are not one JSON text, or a key stands in it twice.
    #[error("the lock is not valid JSON")]
    Syntax(#[source] serde_json::Error),
    /// It is of a version that this program does not know.
    #[error("the lock is of version {0}, and this program knows version {VERSION}")]
    Version(String),
    /// A key is missing or has a value that it cannot have.
    #[error("key {key} of the lock is {}: {problem}", value.as_deref().unwrap_or("missing"))]
    Value {
        /// Where the value stands.
        key: String,
        /// The value as JSON, cut to a readable length; none where there is none.
        value: Option<String>,
        /// What belongs there.
        problem: String,
    },
}

impl Lock {
    /// Reads a lock. Keys that this version does not know are passed over: they cannot change which bytes are meant.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LockError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(LockError::TooLarge(size));
        }
        let whole = json::read(bytes).map_err(LockError::Syntax)?;
        let fields = Fields::of("(the whole)", &whole)?;
        let version = fields.value("version")?;
        if version.as_u64() != Some(VERSION) {
            return Err(LockError::Version(json::shortened(&version.to_string())));
        }
        let artifacts = fields.value("artifacts")?;
        let artifacts =
            artifacts.as_object().ok_or_else(|| wrong("artifacts", Some(artifacts), "an object belongs here"))?;
        let artifact = |(name, value): (&String, &Value)| {
            let key = format!("artifacts.{}", json::shortened(name));
            let name = name
                .parse()
                .map_err(|error: crate::artifact::NameError| wrong(&key, Some(value), &error.to_string()))?;
            Ok((name, Locked::read(&key, value)?))
        };
        Ok(Self {
            revision: fields.parsed("revision")?,
            commit: fields.parsed("commit")?,
            store: fields.parsed("store")?,
            artifacts: artifacts.iter().map(artifact).collect::<Result<_, LockError>>()?,
        })
    }

    /// Returns the lock's one encoding: two-space indent, sorted by name, one newline at the end.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let artifacts: Map<String, Value> =
            self.artifacts.iter().map(|(name, locked)| (name.to_string(), locked.to_json())).collect();
        let object = json!({
            "version": VERSION,
            "revision": self.revision,
            "commit": self.commit.to_string(),
            "store": self.store,
            "artifacts": artifacts,
        });
        format!("{object:#}\n").into_bytes()
    }
}

impl Locked {
    fn read(key: &str, value: &Value) -> Result<Self, LockError> {
        let fields = Fields::of(key, value)?;
        let size = fields.value("size")?;
        let mode = fields.fields.get("mode").filter(|mode| !mode.is_null());
        Ok(Self {
            commit: fields.parsed("commit")?,
            url: fields.parsed("url")?,
            size: size.as_u64().ok_or_else(|| fields.wrong("size", "a size is a whole number of bytes"))?,
            sha256: fields.parsed("sha256")?,
            mode: mode.map(|_| fields.parsed("mode")).transpose()?,
            state: fields.parsed("state")?,
            policy: fields.parsed("policy")?,
        })
    }

    fn to_json(&self) -> Value {
        json!({
            "commit": self.commit.to_string(),
            "url": self.url,
            "size": self.size,
            "sha256": self.sha256.to_string(),
            "mode": self.mode.map(|mode| mode.to_string()),
            "state": self.state,
            "policy": self.policy.as_str(),
        })
    }
}

/// Reads the keys of one object.
struct Fields<'a> {
    key: &'a str,
    fields: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn of(key: &'a str, value: &'a Value) -> Result<Self, LockError> {
        let fields = value.as_object().ok_or_else(|| wrong(key, Some(value), "an object belongs here"))?;
        Ok(Self { key, fields })
    }

    fn value(&self, key: &str) -> Result<&'a Value, LockError> {
        self.fields.get(key).ok_or_else(|| self.wrong(key, "every lock has it"))
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, key: &str) -> Result<T, LockError> {
        let text = self.value(key)?.as_str().ok_or_else(|| self.wrong(key, "a string belongs here"))?;
        text.parse().map_err(|error: T::Err| self.wrong(key, &error.to_string()))
    }

    fn wrong(&self, key: &str, problem: &str) -> LockError {
        let whole = if self.key.starts_with('(') { key.to_owned() } else { format!("{}.{key}", self.key) };
        wrong(&whole, self.fields.get(key), problem)
    }
}

fn wrong(key: &str, value: Option<&Value>, problem: &str) -> LockError {
    let value = value.map(|value| json::shortened(&value.to_string()));
    LockError::Value { key: key.to_owned(), value, problem: problem.to_owned() }
}
