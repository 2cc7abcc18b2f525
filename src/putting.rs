//! One file on its way to its key: created once, or compared with what stands there.

use std::path::PathBuf;
use std::sync::Arc;

use crate::artifact::{Digest, Mode};
use crate::event::{Event, Observer, Transfer};
use crate::files::Measured;
use crate::store::{Attributes, Condition, Content, Key, Store, StoreError, Upload};
use crate::transfer::{self, ReceiveError};

/// How often a put is tried when what stood in its way was gone at the next look.
const TRIES: usize = 5;

/// Holds one file on its way to its key.
pub struct Putting<'a> {
    /// The store that it goes to.
    pub store: &'a dyn Store,
    /// Who is told of bytes that move.
    pub observer: &'a Arc<dyn Observer>,
    /// Its key there.
    pub key: Key,
    /// The local file.
    pub path: PathBuf,
    /// What the file was when it was hashed.
    pub measured: Measured,
}

/// Says what became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was put, with its bytes.
    Uploaded,
    /// The same bytes stood there, with this mode; these were or were not sent before that was known.
    Present {
        /// Whether they were.
        sent: bool,
        /// The mode that is recorded there.
        mode: Option<Mode>,
    },
    /// Other bytes stand there.
    Conflict {
        /// Their digest.
        stands: Digest,
    },
}

/// Says why a file was not put.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The store does not take it.
    #[error(transparent)]
    Put(StoreError),
    /// What stands under its key could not be compared with it.
    #[error(transparent)]
    Compare(ReceiveError),
}

impl Putting<'_> {
    /// Puts the file where nothing stands, and compares it with what does. `listed` says what a look showed a moment ago.
    ///
    /// # Errors
    /// [`PutError`]. Other bytes under the key are no error here.
    pub async fn put(&self, listed: bool, dry_run: bool) -> Result<Outcome, PutError> {
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
                Err(source) => return Err(PutError::Put(source)),
            }
        }
        Err(PutError::Put(StoreError::Precondition { key: self.key.to_string() }))
    }

    async fn send(&self) -> Result<(), StoreError> {
        let Measured { size, sha256, mode } = self.measured;
        let progress = transfer::told(self.observer, Transfer::Upload);
        let content = Content::File(Upload { path: self.path.clone(), size, sha256, progress });
        let attributes = Attributes { sha256: Some(sha256), mode };
        self.observer.observe(&Event::Started { transfer: Transfer::Upload, size });
        let put = self.store.put(&self.key, content, attributes, &Condition::Absent).await;
        self.observer.observe(&Event::Finished { transfer: Transfer::Upload });
        put.map(|_| ())
    }

    /// Compares the file with what stands under its key; none where nothing does after all.
    async fn compare(&self, sent: bool) -> Result<Option<Outcome>, PutError> {
        let stands = transfer::digest(self.store, &self.key).await.map_err(PutError::Compare)?;
        Ok(stands.map(|(stands, mode)| {
            if stands == self.measured.sha256 { Outcome::Present { sent, mode } } else { Outcome::Conflict { stands } }
        }))
    }
}
