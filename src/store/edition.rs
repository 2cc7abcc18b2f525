//! What tells that a local file is still what it was.

use std::fs::Metadata;

/// Says whether two looks at a file showed the same file, unchanged: the same place on disk, size and time of change.
#[cfg(unix)]
#[must_use]
pub fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |m: &Metadata| (m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec());
    identity(one) == identity(other)
}

/// Elsewhere a file is known by its size and time of change only.
#[cfg(not(unix))]
#[must_use]
pub fn is_same(one: &Metadata, other: &Metadata) -> bool {
    let identity = |m: &Metadata| (m.len(), m.modified().ok());
    identity(one) == identity(other)
}
