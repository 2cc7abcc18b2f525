//! Startifact's configuration of an organisation, as it lies in Parameter Store: where its bucket is and what its parameters are called.
//!
//! Two kinds exist. The described one is that of Startifact's documentation: one bucket, each thing in a region of its own. The released
//! one is that of its versions 1.0a8 to 1.0a10: a bucket in each of several regions, which all hold the same.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::json;
use crate::version::ReleaseName;

/// The largest configuration that a parameter holds, in bytes: an advanced one's.
pub const LARGEST: usize = 8 << 10;

/// The key of a release's metadata under which Startifact records the file's name.
pub const FILENAME: &str = "startifact:filename";

/// What the keys of a release's metadata begin with that say something of their own: Startifact's and ours.
const RESERVED: [&str; 2] = ["startifact:", "metalogic:"];

/// Says whether a key of a release's metadata says something of its own, and is free for nobody's use.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    RESERVED.iter().any(|reserved| key.starts_with(reserved))
}

/// Holds the configuration of an organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Organisation {
    /// What every key in the bucket begins with; empty for nothing.
    pub key_prefix: KeyPrefix,
    /// The name of the parameter that holds the bucket's name.
    pub bucket_parameter: String,
    /// What the names of the parameters begin with that hold latest versions; empty for the default.
    pub parameter_prefix: String,
    /// Which of the two kinds it is, with what only that kind says.
    pub kind: OrganisationKind,
    /// All other keys with their values, the recorded answers among them: they are kept.
    pub rest: BTreeMap<String, Value>,
}

/// Says of which kind a configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganisationKind {
    /// That of the documentation. A region that is left out is the one that the configuration itself is read in.
    Described {
        /// The region of the parameter that holds the bucket's name.
        bucket_parameter_region: Option<Region>,
        /// The region of the bucket.
        bucket_region: Option<Region>,
        /// The region of the parameters that hold latest versions.
        parameter_region: Option<Region>,
    },
    /// That of the released versions.
    Released {
        /// The regions, each with a bucket and parameters of its own; none where only the environment of each machine says them.
        regions: Vec<Region>,
    },
}

/// Says why bytes are no configuration.
#[derive(Debug, thiserror::Error)]
pub enum OrganisationError {
    /// The bytes are no JSON.
    #[error("it is not JSON")]
    Syntax(#[source] serde_json::Error),
    /// A key has a value that it cannot have.
    #[error("{key} is {value}: {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value, shortened.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It says nothing of a bucket: nobody has finished the set-up.
    #[error("it names no parameter that holds the bucket's name")]
    Unfinished,
}

/// Holds the name of an AWS region, such as `eu-north-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

/// Says that a text is not the name of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a region has only a-z 0-9 -, as eu-north-1")]
pub struct RegionError;

impl Region {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads names that are separated by commas; empty ones do not count, and none counts twice.
    ///
    /// # Errors
    /// [`RegionError`] for the first that is none.
    pub fn list(text: &str) -> Result<Vec<Self>, RegionError> {
        let mut regions = Vec::new();
        for region in text.split(',').map(str::trim).filter(|region| !region.is_empty()) {
            let region: Self = region.parse()?;
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
        Ok(regions)
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let edges = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || edges || text.len() > 40 || !text.bytes().all(allowed) {
            return Err(RegionError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Holds what the keys of all releases in a bucket begin with. It may end anywhere: `org-` makes `org-app@1.0.0`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrefix(String);

/// Says why a text is no beginning of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyPrefixError {
    /// The text has a character that makes keys that people cannot use.
    #[error("a key prefix has no control characters")]
    Control,
    /// The text leaves no room for names.
    #[error("a key prefix has at most 500 bytes, this has {0}")]
    Long(usize),
}

impl KeyPrefix {
    /// Returns the prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyPrefix {
    type Err = KeyPrefixError;

    fn from_str(text: &str) -> Result<Self, KeyPrefixError> {
        if text.chars().any(char::is_control) {
            return Err(KeyPrefixError::Control);
        }
        if text.len() > 500 { Err(KeyPrefixError::Long(text.len())) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Organisation {
    /// Reads a configuration of either kind.
    ///
    /// # Errors
    /// [`OrganisationError`].
    pub fn parse(text: &str) -> Result<Self, OrganisationError> {
        let value = json::read(text.as_bytes()).map_err(OrganisationError::Syntax)?;
        let fields = value.as_object().ok_or_else(|| refused("(the whole)", &value, "an object belongs here"))?;
        let mut keys = Keys(fields.clone());
        // A released version that was pointed to a described configuration leaves its own keys there, empty; whatever names no bucket is
        // kept as it is.
        let says =
            |key: &str| !matches!(fields.get(key), None | Some(Value::Null)) && fields.get(key) != Some(&"".into());
        let (bucket_parameter, kind) = if says("bucket_name_param") {
            (keys.text("bucket_name_param")?, OrganisationKind::Released { regions: keys.regions()? })
        } else if says("bucket_param_name") {
            let kind = OrganisationKind::Described {
                bucket_parameter_region: keys.region("bucket_param_region")?,
                bucket_region: keys.region("bucket_region")?,
                parameter_region: keys.region("parameter_region")?,
            };
            (keys.text("bucket_param_name")?, kind)
        } else {
            return Err(OrganisationError::Unfinished);
        };
        let key_prefix = keys.text("bucket_key_prefix")?;
        let parse =
            |error: KeyPrefixError| refused("bucket_key_prefix", &key_prefix.as_str().into(), &error.to_string());
        Ok(Self {
            key_prefix: key_prefix.parse().map_err(parse)?,
            bucket_parameter,
            parameter_prefix: keys.text("parameter_name_prefix")?,
            kind,
            rest: keys.0.into_iter().collect(),
        })
    }

    /// Returns the configuration as Startifact writes it: sorted keys, two spaces a level, ASCII alone, nothing at the end.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut keys = self.rest.clone();
        let mut put = |key: &str, value: String| drop(keys.insert(key.to_owned(), Value::from(value)));
        put("bucket_key_prefix", self.key_prefix.to_string());
        put("parameter_name_prefix", self.parameter_prefix.clone());
        match &self.kind {
            OrganisationKind::Described { bucket_parameter_region, bucket_region, parameter_region } => {
                put("bucket_param_name", self.bucket_parameter.clone());
                let regions = [
                    ("bucket_param_region", bucket_parameter_region),
                    ("bucket_region", bucket_region),
                    ("parameter_region", parameter_region),
                ];
                for (key, region) in regions {
                    put(key, region.as_ref().map(ToString::to_string).unwrap_or_default());
                }
            }
            OrganisationKind::Released { regions } => {
                put("bucket_name_param", self.bucket_parameter.clone());
                put("regions", regions.iter().map(Region::as_str).collect::<Vec<_>>().join(","));
            }
        }
        json::sorted(Value::Object(keys.into_iter().collect()))
    }

    /// Returns the name of the parameter that holds the latest version of a name.
    #[must_use]
    pub fn latest_parameter(&self, name: &ReleaseName) -> String {
        match &self.kind {
            OrganisationKind::Described { .. } if self.parameter_prefix.is_empty() => format!("/{name}/latest"),
            OrganisationKind::Described { .. } => format!("{}{name}/latest", self.parameter_prefix),
            OrganisationKind::Released { .. } => format!("{}/{name}/latest", self.parameter_prefix),
        }
    }
}

/// Holds the keys of a configuration that nobody has read yet.
struct Keys(Map<String, Value>);

impl Keys {
    /// Takes a text; a key that is absent or null says nothing. No name of a parameter, a region or an object that anybody uses has control
    /// characters, and messages repeat these texts: an end of a line would make two messages of one.
    fn text(&mut self, key: &'static str) -> Result<String, OrganisationError> {
        match self.0.shift_remove(key) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) if text.contains(char::is_control) => {
                Err(refused(key, &text.into(), "no control characters belong here"))
            }
            Some(Value::String(text)) => Ok(text),
            Some(value) => Err(refused(key, &value, "a string belongs here")),
        }
    }

    fn region(&mut self, key: &'static str) -> Result<Option<Region>, OrganisationError> {
        let text = self.text(key)?;
        let parse =
            || text.parse().map_err(|error: RegionError| refused(key, &text.as_str().into(), &error.to_string()));
        (!text.is_empty()).then(parse).transpose()
    }

    fn regions(&mut self) -> Result<Vec<Region>, OrganisationError> {
        let text = self.text("regions")?;
        let wrong = |problem: String| refused("regions", &text.as_str().into(), &problem);
        Region::list(&text).map_err(|error| wrong(error.to_string()))
    }
}

fn refused(key: &'static str, value: &Value, problem: &str) -> OrganisationError {
    OrganisationError::Value { key, value: json::shortened(&value.to_string()), problem: problem.to_owned() }
}
