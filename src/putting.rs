//! One file on its way to its key: created once, copied from where its bytes are known to stand, or compared with what stands there.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::address::Commit;
use crate::artifact::{Digest, Mode, Name};
use crate::event::{Event, Observer, Transfer};
use crate::files::{MeasureError, Measured, Seen};
use crate::store::{Attributes, Condition, Content, Found, Key, Object, Store, StoreError, Upload};
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
    /// What the file was when it was looked at.
    pub seen: Seen,
    /// The digest that it had when it was hashed; none where it is to be found on the way.
    pub sha256: Option<Digest>,
    /// The size and the digest that the metafile beside the key records of what stands there.
    pub recorded: Option<(u64, Digest)>,
    /// Where the same bytes may stand already.
    pub original: Option<Original>,
}

/// Says where a metafile has an object of a file's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The commit at whose address it stands.
    pub commit: Commit,
    /// Its name there.
    pub name: Name,
    /// Its digest.
    pub sha256: Digest,
}

/// Says what became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was put, with its bytes.
    Uploaded,
    /// The store copied its bytes from this commit's address.
    Copied {
        /// The commit.
        from: Commit,
    },
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

/// Says what became of one file, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// What became of it.
    pub outcome: Outcome,
    /// The SHA-256 of the file's bytes.
    pub sha256: Digest,
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

impl<'a> Putting<'a> {
    /// Takes a file that was hashed before.
    #[must_use]
    pub fn of_measured(
        store: &'a dyn Store,
        observer: &'a Arc<dyn Observer>,
        key: Key,
        path: PathBuf,
        Measured { size, sha256, mode }: Measured,
    ) -> Self {
        let seen = Seen { size, mode };
        Self { store, observer, key, path, seen, sha256: Some(sha256), recorded: None, original: None }
    }

    /// Puts the file where nothing stands, and compares it with what does. `listed` says what a look showed a moment ago.
    ///
    /// # Errors
    /// [`PutError`]. Other bytes under the key are no error here.
    pub async fn put(&self, listed: bool, dry_run: bool) -> Result<Done, PutError> {
        let mut look_first = listed;
        let mut sent = false;
        let known: Found = self.sha256.map(OnceLock::from).unwrap_or_default().into();
        let original = match &self.original {
            Some(original) if self.digest(&known).await? == original.sha256 => Some(original),
            Some(_) | None => None,
        };
        for _ in 0..TRIES {
            if look_first && let Some(done) = self.compare(&known, sent).await? {
                return Ok(done);
            }
            if dry_run {
                let outcome = original.map_or(Outcome::Uploaded, |original| Outcome::Copied { from: original.commit });
                return Ok(Done { outcome, sha256: self.digest(&known).await? });
            }
            match self.create(original, &known).await {
                Ok(done) => return Ok(done),
                Err((StoreError::Precondition { .. }, bytes)) => (look_first, sent) = (true, sent || bytes),
                Err((source, _)) => return Err(PutError::Put(source)),
            }
        }
        Err(PutError::Put(StoreError::Precondition { key: self.key.to_string() }))
    }

    /// Creates the object, without its bytes where they are in the store already. An error comes with whether bytes were sent.
    async fn create(&self, original: Option<&Original>, known: &Found) -> Result<Done, (StoreError, bool)> {
        if let Some(original) = original
            && self.copy(original).await.map_err(|error| (error, false))?
        {
            return Ok(Done { outcome: Outcome::Copied { from: original.commit }, sha256: original.sha256 });
        }
        let sha256 = self.send(known).await.map_err(|error| (error, true))?;
        Ok(Done { outcome: Outcome::Uploaded, sha256 })
    }

    /// Has the store copy what stands under another key, if that is these bytes with this mode still; says whether it could.
    async fn copy(&self, original: &Original) -> Result<bool, StoreError> {
        let from = Key::Artifact(original.commit, original.name.clone());
        let attributes = Attributes { sha256: Some(original.sha256), mode: self.seen.mode };
        match self.store.copy(&from, &self.key, Some(&Object { size: self.seen.size, attributes })).await {
            Ok(()) => Ok(true),
            Err(error @ (StoreError::Precondition { .. } | StoreError::Unavailable { .. })) => Err(error),
            // It is gone, is another object, may not be read by whoever may write here, or the service does not know how: bytes go too.
            Err(
                StoreError::NotFound(_)
                | StoreError::AccessDenied { .. }
                | StoreError::Configuration { .. }
                | StoreError::Corrupt { .. }
                | StoreError::TooLarge { .. }
                | StoreError::Source { .. }
                | StoreError::SourceChanged { .. }
                | StoreError::Other { .. },
            ) => Ok(false),
        }
    }

    /// Sends the file, and returns the digest that it has or turned out to have.
    async fn send(&self, known: &Found) -> Result<Digest, StoreError> {
        let (Seen { size, mode }, sha256, found) = (self.seen, known.get().copied(), Arc::clone(known));
        let progress = transfer::told(self.observer, Transfer::Upload);
        let content = Content::File(Upload { path: self.path.clone(), size, sha256, found, progress });
        let attributes = Attributes { sha256, mode };
        self.observer.observe(&Event::Started { transfer: Transfer::Upload, size });
        let put = self.store.put(&self.key, content, attributes, &Condition::Absent).await;
        self.observer.observe(&Event::Finished { transfer: Transfer::Upload });
        put.map(|put| put.sha256)
    }

    /// Compares the file with what stands under its key; none where nothing does after all.
    async fn compare(&self, known: &Found, sent: bool) -> Result<Option<Done>, PutError> {
        let stands = transfer::digest_as_told(self.store, &self.key, self.recorded).await;
        let Some((stands, mode)) = stands.map_err(PutError::Compare)? else { return Ok(None) };
        let sha256 = self.digest(known).await?;
        let outcome = if stands == sha256 { Outcome::Present { sent, mode } } else { Outcome::Conflict { stands } };
        Ok(Some(Done { outcome, sha256 }))
    }

    /// Returns the file's digest, for which it is read where that was not done yet.
    async fn digest(&self, known: &Found) -> Result<Digest, PutError> {
        if let Some(known) = known.get() {
            return Ok(*known);
        }
        let measured =
            transfer::measure(self.observer, self.path.clone()).await.map_err(|error| PutError::Put(changed(error)))?;
        if measured.size != self.seen.size {
            return Err(PutError::Put(StoreError::SourceChanged { path: self.path.clone() }));
        }
        Ok(*known.get_or_init(|| measured.sha256))
    }
}

/// Returns what is wrong with a file that was one when it was looked at.
fn changed(error: MeasureError) -> StoreError {
    match error {
        MeasureError::Unreadable { path, source } => StoreError::Source { path, source },
        MeasureError::Missing(path)
        | MeasureError::Directory(path)
        | MeasureError::NotAFile(path)
        | MeasureError::Changed(path) => StoreError::SourceChanged { path },
    }
}
