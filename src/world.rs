//! What a flow is given of the world, and how far it may go there.

use std::sync::Arc;
use std::time::Duration;

use crate::ancestry::Ancestry;
use crate::event::Observer;
use crate::parts::Parts;
use crate::store::Store;

/// Holds the ports that a flow works through.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Where artifacts and metafiles lie.
    pub store: &'a dyn Store,
    /// Which commit is whose parent.
    pub ancestry: &'a dyn Ancestry,
    /// Who is told.
    pub observer: &'a Arc<dyn Observer>,
    /// How far to go.
    pub limits: Limits,
}

/// Bounds what a flow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many ancestors are looked at.
    pub max_ancestors: usize,
    /// How many requests to the store are under way at once, at least one.
    pub jobs: usize,
    /// How long a metafile's write is tried again when other writers are first.
    pub timeout: Duration,
    /// In what parts large files move, where somebody said so.
    pub parts: Parts,
}

impl Default for Limits {
    /// The defaults of the command line.
    fn default() -> Self {
        Self { max_ancestors: 200, jobs: 64, timeout: Duration::from_secs(120), parts: Parts::default() }
    }
}
