//! What metafiles say of bytes that the store has already.

use std::sync::Arc;

use crate::address::Commit;
use crate::artifact::{Digest, Name};
use crate::event::{Observer, Silent};
use crate::metafile::Metafile;
use crate::putting::Original;
use crate::stored;
use crate::walk::Walk;
use crate::world::World;

/// Holds the nearest metafile: the commit's own, which has what its ancestors' have, or else that of the nearest ancestor.
///
/// It spares bytes and decides nothing: where it cannot be read, all bytes are sent, and whoever resolves the commit is told why.
#[derive(Default)]
pub(super) struct Known(Option<Metafile>);

impl Known {
    /// Reads the commit's own.
    pub(super) async fn own(world: World<'_>, commit: Commit) -> Self {
        let stored = stored::read(world.store, commit).await.ok().flatten();
        Self(stored.and_then(|stored| stored.metafile.ok()))
    }

    /// Reads the nearest ancestor's, where the commit has none.
    pub(super) async fn or_nearest(self, world: World<'_>, commit: Commit) -> Self {
        if self.0.is_some() {
            return self;
        }
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let Ok(mut walk) = Walk::new(World { observer: &observer, ..world }, commit) else { return self };
        Self(walk.nearest_metafile().await.ok().flatten().cloned())
    }

    /// Returns the size and the digest that are recorded of an artifact at the address of `commit`.
    pub(super) fn recorded(&self, name: &Name, commit: Commit) -> Option<(u64, Digest)> {
        let record = self.0.as_ref()?.record(name, commit)?;
        record.size.zip(record.sha256)
    }

    /// Returns where an artifact of that name and size stands that another commit has.
    pub(super) fn original(&self, name: &Name, commit: Commit, size: u64) -> Option<Original> {
        let from = *self.0.as_ref()?.artifacts.get(name).filter(|from| **from != commit)?;
        let (recorded, sha256) = self.recorded(name, from)?;
        // What has no bytes is put as fast as it is copied.
        (recorded == size && size > 0).then(|| Original { commit: from, name: name.clone(), sha256 })
    }
}
