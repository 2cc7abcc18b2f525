//! The look at the commit itself, and ahead of it.

use futures::future::{join, join3};

use super::Question;
use crate::event::Event;
use crate::metafile::{Metafile, MetafileError};
use crate::metalogic::{Keep, Listing, Metalogic};
use crate::store::{StoreError, Tag};
use crate::stored;
use crate::walk::Walk;
use crate::world::World;

/// Holds what was read and seen at the commit's own address.
pub(super) struct Look {
    /// The metafile's bytes, with the tag of that version.
    pub(super) read: Option<(Vec<u8>, Tag)>,
    /// The metafile, where it can be read.
    pub(super) own: Option<Metafile>,
    /// What stood there after that.
    pub(super) listing: Listing,
}

impl Look {
    /// Reads the commit's metafile and, only after that answer, lists its address. Ancestors are looked at meanwhile.
    pub(super) async fn take(
        world: World<'_>,
        question: &Question<'_>,
        walk: &mut Walk<'_>,
    ) -> Result<Self, StoreError> {
        let commit = question.commit;
        // What stands there now shows how far it is worth to look ahead; it counts for nothing else.
        let is_new = walk.is_new();
        let early = async { if is_new { world.store.list(commit).await.map(Some) } else { Ok(None) } };
        let (stored, early, ahead) = join3(stored::read(world.store, commit), early, walk.begin()).await;
        let (stored, early) = (stored?, early?);
        ahead?;
        let (read, own) = stored.map_or((None, None), |stored| {
            let remade = |error: &MetafileError| Event::MetafileRemade { commit, problem: error.to_string() };
            let own = stored.metafile.inspect_err(|error| world.observer.observe(&remade(error))).ok();
            (Some((stored.bytes.to_vec(), stored.tag)), own)
        });
        if let Some(own) = &own {
            walk.hear_own(own);
            walk.renew(own).await?;
        }
        let look_further = async {
            let Some(mut early) = early else { return Ok(()) };
            question.pretend(&mut early);
            let rule = Metalogic::begin(commit, &early, question.vocabulary.clone());
            walk.look_further(rule, own.is_none() && question.keep == Keep::Everything).await
        };
        let (listing, ahead) = join(world.store.list(commit), look_further).await;
        let mut listing = listing?;
        ahead?;
        question.pretend(&mut listing);
        Ok(Self { read, own, listing })
    }
}
