//! A commit and its address: the place where what was built at that commit lies; and the tree that a commit is of.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Holds the full object id of a git commit in lower-case hex: 40 digits (SHA-1) or 64 (SHA-256).
///
/// It is the only form in which the protocol names a commit, so an abbreviated, upper-case or null id
/// cannot be a value of this type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit(Id);

/// Holds the full object id of a commit's tree, in the same form: equal trees are equal files, whatever history says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tree(Id);

/// Holds a full object id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Id {
    /// The id's bytes, then zeros.
    bytes: [u8; 32],
    /// How many of them are the id: 20 or 32.
    length: u8,
}

/// Says why a text is not a full object id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has a length that no full id has.
    #[error("a full id has 40 or 64 hex digits, this has {0} characters")]
    Length(usize),
    /// The text has a character other than `0-9a-f`.
    #[error("a full id is lower-case hex, this has '{}'", .0.escape_default())]
    Character(char),
    /// The text is git's null id, which stands for "nothing".
    #[error("an id of zeros alone names nothing")]
    Null,
}

impl Commit {
    /// Returns the first twelve digits, for people to read; never for a key.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{self:.12}")
    }

    /// Returns the commit's address below a store, with a slash at its end: `builds/<commit>/`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("builds/{self}/")
    }
}

impl FromStr for Commit {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commit({self})")
    }
}

impl FromStr for Tree {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({self})")
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Some(odd) = text.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(IdError::Character(odd));
        }
        let length = match text.len() {
            40 => 20,
            64 => 32,
            other => return Err(IdError::Length(other)),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = pair.iter().fold(0, |value, &digit| value << 4 | hex_value(digit));
        }
        if bytes == [0; 32] {
            return Err(IdError::Null);
        }
        Ok(Self { bytes, length })
    }
}

/// Returns the value of a digit that is known to be one of `0-9a-f`.
fn hex_value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        let bytes = self.bytes.iter().take(usize::from(self.length));
        let text: String = bytes.flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        f.pad(&text)
    }
}

impl Serialize for Commit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Commit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
