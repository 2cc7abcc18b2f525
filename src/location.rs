//! Where a store or a registry lies, as people write it.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What is percent-encoded in a part of a `file:` URL: all that RFC 3986 does not let stand in a path for itself.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b':').remove(b'@');

/// Says where something lies: in a directory of this machine or in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A path of this machine, absolute.
    Local(PathBuf),
    /// A key or a prefix in a bucket.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// The key or prefix, without slashes at its ends; empty for the whole bucket.
        prefix: String,
    },
}

/// Says why a text names no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The text is empty.
    #[error("the location is empty")]
    Empty,
    /// The URL has a scheme that is not spoken.
    #[error("{0:?} is not a scheme of a location; s3://BUCKET[/PREFIX], file:///DIR and plain paths are")]
    Scheme(String),
    /// The text looks like a URL and lacks the two slashes.
    #[error("a URL has two slashes after its colon; a path with a colon is written with ./ before it")]
    Slashes,
    /// The text begins with a tilde, which only a shell understands.
    #[error("the tilde is not expanded here: write the home directory in full")]
    Tilde,
    /// The `file` URL names another machine.
    #[error("a file URL has three slashes and an absolute path, as file:///srv/builds")]
    Host,
    /// The `s3` URL has a bucket's name that no bucket has.
    #[error("{0:?} is not a bucket's name")]
    Bucket(String),
    /// The prefix has an empty or a relative segment, or a control character.
    #[error("{0:?} is not a prefix in a bucket")]
    Prefix(String),
    /// The URL escapes bytes that are no text.
    #[error("the URL's escapes are not UTF-8")]
    Escapes,
    /// The path has a character that no path has.
    #[error("no path has a NUL")]
    Nul,
    /// The path is relative, and what says it lies in no directory of this machine.
    #[error("what lies in a store has no directory that a path could be relative to: write a URL or an absolute path")]
    Relative,
    /// The URL of a file names none.
    #[error("no file is named: write the file's own name too, as s3://BUCKET/artifacts.toml")]
    NoFile,
    /// The file would lie at a commit's address, where nothing lies but artifacts and the metafile.
    #[error("no registry lies at a commit's address")]
    AtAnAddress,
}

/// Says that a text is not the name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file name has no / and no control characters, and is not . or ..")]
pub struct FileNameError;

/// Holds the name of one file: a single segment of a key or a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

impl FromStr for FileName {
    type Err = FileNameError;

    fn from_str(text: &str) -> Result<Self, FileNameError> {
        let bad = matches!(text, "" | "." | "..") || text.contains(|c: char| c == '/' || c.is_control());
        if bad { Err(FileNameError) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Location {
    /// Reads `s3://BUCKET[/PREFIX]`, `file:///DIR` or a path, which is relative to `base`: an absolute directory, or an empty path where
    /// there is none.
    ///
    /// # Errors
    /// Refuses other schemes, file URLs of other machines, names that no bucket has, and what is relative to nothing.
    pub fn parse(text: &str, base: &Path) -> Result<Self, LocationError> {
        match text.split_once("://") {
            _ if text.is_empty() => Err(LocationError::Empty),
            None if scheme_without_slashes(text) => Err(LocationError::Slashes),
            None if text == "~" || text.starts_with("~/") => Err(LocationError::Tilde),
            None if text.contains('\0') => Err(LocationError::Nul),
            None if base.join(text).is_absolute() => Ok(Self::Local(base.join(text))),
            None => Err(LocationError::Relative),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("s3") => Self::s3(rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
                let path = rest.strip_prefix("localhost").unwrap_or(rest);
                if !path.starts_with('/') {
                    return Err(LocationError::Host);
                }
                let path = percent_decode_str(path).decode_utf8().map_err(|_| LocationError::Escapes)?;
                if path.contains('\0') {
                    Err(LocationError::Nul)
                } else {
                    Ok(Self::Local(PathBuf::from(path.into_owned())))
                }
            }
            Some((scheme, _)) => Err(LocationError::Scheme(scheme.to_owned())),
        }
    }

    /// Returns the location of what lies below this one, where `path` is relative, has no `..`, and no slash at its ends.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        match self {
            Self::Local(directory) => Self::Local(directory.join(path)),
            Self::S3 { bucket, prefix } if prefix.is_empty() => {
                Self::S3 { bucket: bucket.clone(), prefix: path.to_owned() }
            }
            Self::S3 { bucket, prefix } => Self::S3 { bucket: bucket.clone(), prefix: format!("{prefix}/{path}") },
        }
    }

    /// Reads where a file lies, as [`Location::parse`] does.
    ///
    /// # Errors
    /// Those of [`Location::parse`], and [`LocationError::NoFile`] for a bucket, or what ends as a prefix does.
    pub fn parse_file(text: &str, base: &Path) -> Result<Self, LocationError> {
        match Self::parse(text, base)? {
            Self::S3 { prefix, .. } if prefix.is_empty() || text.ends_with('/') => Err(LocationError::NoFile),
            location @ (Self::S3 { .. } | Self::Local(_)) => Ok(location),
        }
    }

    /// Parts a file's location into where the file lies and its name.
    ///
    /// # Errors
    /// [`LocationError::NoFile`] for a bucket, the root directory, or what has a name that is no text;
    /// [`LocationError::AtAnAddress`] for what would be taken for an artifact or a metafile.
    pub fn part(&self) -> Result<(Self, FileName), LocationError> {
        if self.is_at_an_address() {
            return Err(LocationError::AtAnAddress);
        }
        match self {
            Self::S3 { bucket, prefix } => {
                let (above, name) = prefix.rsplit_once('/').unwrap_or(("", prefix));
                Ok((Self::S3 { bucket: bucket.clone(), prefix: above.to_owned() }, named(name)?))
            }
            Self::Local(path) => {
                let name = path.file_name().and_then(|name| name.to_str()).ok_or(LocationError::NoFile)?;
                let above = path.parent().ok_or(LocationError::NoFile)?;
                Ok((Self::Local(above.to_owned()), named(name)?))
            }
        }
    }

    /// Says whether it lies in a bucket at what could be a commit's address in some store.
    fn is_at_an_address(&self) -> bool {
        let Self::S3 { prefix, .. } = self else { return false };
        let segments: Vec<&str> = prefix.split('/').collect();
        let id = |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        segments.windows(2).any(|pair| matches!(pair, [builds, commit] if *builds == "builds" && id(commit)))
    }

    /// Reads what follows `s3://`.
    fn s3(rest: &str) -> Result<Self, LocationError> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            return Err(LocationError::Bucket(bucket.to_owned()));
        }
        let prefix = prefix.trim_end_matches('/');
        let bad = |segment: &str| matches!(segment, "" | "." | "..") || segment.contains(char::is_control);
        if !prefix.is_empty() && prefix.split('/').any(bad) {
            return Err(LocationError::Prefix(prefix.to_owned()));
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// Says whether a text is the name of a bucket, and nothing beside it (source: "General purpose bucket naming rules").
#[must_use]
pub fn is_bucket(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let edges = name.starts_with(['.', '-']) || name.ends_with(['.', '-']);
    (3..=63).contains(&name.len()) && name.chars().all(allowed) && !edges
}

fn named(name: &str) -> Result<FileName, LocationError> {
    name.parse().map_err(|FileNameError| LocationError::NoFile)
}

/// Says whether a text begins as a URL does, with a scheme and a colon. A single letter is a drive.
fn scheme_without_slashes(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.len() > 1 && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(part)
}

/// Writes the location as a URL, without a slash at its end but for that of the root directory.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => f.write_str(&file_url(path)),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Returns the `file` URL of an absolute path, escaped so that other tools read it as this one. It has no slash at its end, unless it is that
/// of the root directory.
#[must_use]
pub fn file_url(path: &Path) -> String {
    let part = |component: Component<'_>| match component {
        Component::RootDir | Component::CurDir => String::new(),
        Component::Prefix(_) | Component::ParentDir | Component::Normal(_) => {
            format!("/{}", percent_encode(component.as_os_str().as_encoded_bytes(), RESERVED))
        }
    };
    let parts: String = path.components().map(part).collect();
    // Without a slash it would name no path at all.
    format!("file://{}", if parts.is_empty() { "/" } else { &parts })
}
