//! Where is each artifact of this commit?
//!
//! Builds put their outputs in one flat list of addresses, one address a commit, in a store that a team already has. This crate
//! finds, for every artifact of a commit, the nearest commit whose address holds it, and writes that down beside the artifacts.
//!
//! The modules stand in the order of their floors: each uses only what stands on a floor above it in this list.

// Floor 1, pure: a commit's address, an artifact's name.
pub mod address;
pub mod artifact;
// Floor 2, pure: the two documents.
pub mod metafile;
// pub mod registry;
// Floor 3, pure: the rule.
pub mod metalogic;
// Floor 4, ports: what the rule needs from the world, and whom it tells.
pub mod ancestry;
pub mod event;
pub mod store;
// Floor 5, leaves: stores (below `store`) and git.
// pub mod git;
