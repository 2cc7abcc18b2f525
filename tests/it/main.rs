//! The laws that the library keeps.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod conformance;
#[cfg(unix)]
mod directory;
