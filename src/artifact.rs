//! An artifact: its name, and what is known of its bytes.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};

/// The name of the metafile, which no artifact can have.
pub const METAFILE: &str = "build_meta.json";

/// The longest artifact name, in characters.
pub const LONGEST_NAME: usize = 200;

/// Holds an artifact's name: 1 to 200 characters of `A-Z a-z 0-9 . _ + -` that are safe as a key and as a
/// file name everywhere.
///
/// There is no `/` in it, so the list of artifacts at an address stays flat, and no name can leave a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Says why a text is not an artifact's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("an artifact name has at least one character")]
    Empty,
    /// The text is longer than [`LONGEST_NAME`].
    #[error("an artifact name has at most {LONGEST_NAME} characters, this has {0}")]
    Long(usize),
    /// The text has a character that no name has.
    #[error("an artifact name has only A-Z a-z 0-9 . _ + -, this has '{}'", .0.escape_default())]
    Character(char),
    /// The text starts with one of `. _ + -`.
    #[error("an artifact name starts with a letter or a digit, this with {0:?}")]
    Start(char),
    /// The text ends in a full stop, which Windows drops.
    #[error("an artifact name does not end in a full stop")]
    FullStop,
    /// The text is the metafile's name.
    #[error("{METAFILE} is the metafile's own name")]
    Metafile,
    /// The text names a device on Windows, with or without an extension.
    #[error("a Windows device has this name")]
    Device,
}

impl Name {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name in lower case: two names that are equal so are one name twice.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let start = text.chars().next().ok_or(NameError::Empty)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
        if let Some(odd) = text.chars().find(|&c| !allowed(c)) {
            return Err(NameError::Character(odd));
        }
        if !start.is_ascii_alphanumeric() {
            return Err(NameError::Start(start));
        }
        if text.len() > LONGEST_NAME {
            return Err(NameError::Long(text.len()));
        }
        if text.ends_with('.') {
            return Err(NameError::FullStop);
        }
        if text.eq_ignore_ascii_case(METAFILE) {
            return Err(NameError::Metafile);
        }
        if is_device(text) {
            return Err(NameError::Device);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Says whether Windows takes a file name for a device (source: "Naming Files, Paths, and Namespaces").
#[must_use]
pub fn is_device(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or(name).trim_end_matches(' ').to_ascii_lowercase();
    match stem.as_str() {
        "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" => true,
        _ => matches!(
            stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt")),
            Some("0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        ),
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Holds the SHA-256 of an artifact's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Says that a text is not 64 digits of lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 lower-case hex digits")]
pub struct DigestError;

impl Digest {
    /// Returns the 32 bytes that it is.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text.len() != 64 || text.bytes().any(|c| !matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(DigestError);
        }
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            let pair = text.get(2 * at..2 * at + 2).ok_or(DigestError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| DigestError)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Takes bytes as they pass by, and then says their [`Digest`].
///
/// The implementation is that of the library which TLS brings along: where the processor has no instructions for SHA-256, it is twice as fast
/// as that of the `sha2` crate.
#[derive(Clone)]
pub struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes taken.
    #[must_use]
    pub fn finish(self) -> Digest {
        let digest = self.0.finish();
        Digest(digest.as_ref().try_into().expect("because a SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// Holds a file's permission bits as three octal digits, `"755"` for an executable: never setuid, setgid or sticky.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mode(u16);

/// Says that a text is not three octal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mode has three octal digits, as \"755\"")]
pub struct ModeError;

impl Mode {
    /// The mode that is recorded of a file that its owner may execute.
    pub const EXECUTABLE: Self = Self(0o755);

    /// Returns the nine permission bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        u32::from(self.0)
    }

    /// Returns the mode to record of a file with these permission bits: none, unless its owner may execute it.
    #[must_use]
    pub fn of_file(bits: u32) -> Option<Self> {
        (bits & 0o100 != 0).then_some(Self::EXECUTABLE)
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        if text.len() != 3 || text.bytes().any(|digit| !matches!(digit, b'0'..=b'7')) {
            return Err(ModeError);
        }
        u16::from_str_radix(text, 8).map(Self).map_err(|_| ModeError)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03o}", self.0)
    }
}
