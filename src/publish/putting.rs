//! One file on its way to its address: created once, or compared with what stands there.

use std::sync::Arc;

use super::{Item, PublishError};
use crate::address::Commit;
use crate::artifact::{Digest, Mode};
use crate::event::{Event, Observer, Transfer};
use crate::files::Measured;
use crate::store::{Attributes, Condition, Content, Key, Store, StoreError, Upload};
use crate::transfer::{self, ReceiveError};

/// How often a put is tried when what stood in its way was gone at the next look.
const TRIES: usize = 5;

/// Holds one file on its way to its address.
pub(super) struct Putting<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) commit: Commit,
    pub(super) item: Item,
    pub(super) measured: Measured,
}

/// Says what became of one file.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    /// It was put, with its bytes.
    Uploaded,
    /// The same bytes stood there, with this mode; these were or were not sent before that was known.
    Present { sent: bool, mode: Option<Mode> },
    /// Other bytes stand there.
    Conflict { stands: Digest },
}

impl Putting<'_> {
    /// Puts the file where nothing stands, and compares it with what does. `listed` says what a look showed a moment ago.
    pub(super) async fn put(&self, listed: bool, dry_run: bool) -> Result<Outcome, PublishError> {
        let name = &self.item.name;
        let mut look_first = listed;
        let mut sent = false;
        for _ in 0..TRIES {
            if look_first && let Some(outcome) = self.compare(sent).await? {
                return Ok(outcome);
            }
            if dry_run {
                return Ok(Outcome::Uploaded);
            }
            match self.send().await {
                Ok(()) => return Ok(Outcome::Uploaded),
                Err(StoreError::Precondition { .. }) => (look_first, sent) = (true, true),
                Err(source) => return Err(PublishError::Put { name: name.clone(), source }),
            }
        }
        let key = Key::Artifact(self.commit, name.clone()).to_string();
        Err(PublishError::Put { name: name.clone(), source: StoreError::Precondition { key } })
    }

    async fn send(&self) -> Result<(), StoreError> {
        let (name, Measured { size, sha256, mode }) = (&self.item.name, self.measured);
        let progress = transfer::told(&self.observer, Transfer::Upload, name);
        let content = Content::File(Upload { path: self.item.path.clone(), size, sha256, progress });
        let attributes = Attributes { sha256: Some(sha256), mode };
        self.observer.observe(&Event::Started { transfer: Transfer::Upload, name: name.clone(), size });
        let key = Key::Artifact(self.commit, name.clone());
        let put = self.store.put(&key, content, attributes, &Condition::Absent).await;
        self.observer.observe(&Event::Finished { transfer: Transfer::Upload, name: name.clone() });
        put.map(|_| ())
    }

    /// Compares the file with what stands under its name; none where nothing does after all.
    async fn compare(&self, sent: bool) -> Result<Option<Outcome>, PublishError> {
        let name = &self.item.name;
        let failed = |source| PublishError::Compare { name: name.clone(), source };
        let stands = digest_of_object(self.store, &Key::Artifact(self.commit, name.clone())).await.map_err(failed)?;
        Ok(stands.map(|(stands, mode)| {
            if stands == self.measured.sha256 { Outcome::Present { sent, mode } } else { Outcome::Conflict { stands } }
        }))
    }
}

/// Returns the digest of an object, the one that its writer recorded, else that of its bytes; and its mode.
async fn digest_of_object(store: &dyn Store, key: &Key) -> Result<Option<(Digest, Option<Mode>)>, ReceiveError> {
    let Some(object) = store.head(key).await? else { return Ok(None) };
    let mode = object.attributes.mode;
    if let Some(recorded) = object.attributes.sha256 {
        return Ok(Some((recorded, mode)));
    }
    let Some((_, body)) = store.open(key, None).await? else { return Ok(None) };
    let (_, digest) = transfer::receive(body, std::io::sink(), Arc::new(|_| ())).await?;
    Ok(Some((digest, mode)))
}
