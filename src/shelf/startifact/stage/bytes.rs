//! The bytes of a release on their way to one region.

use std::path::PathBuf;
use std::sync::Arc;

use super::Stage;
use crate::artifact::Digest;
use crate::files::{Measured, Scratch};
use crate::putting::Putting;
use crate::shelf::{Content, Sent, ShelfError};
use crate::store::{Attributes, Key, Source, Store, StoreError};
use crate::transfer::{self, Intake, ReceiveError};

/// How often something is copied when what stood in its way was gone at the next look.
const TRIES: usize = 5;

/// Holds bytes that are at hand.
pub(super) enum Ready<'a> {
    /// A local file that is to be staged.
    File(PathBuf, Measured),
    /// A local file that has the bytes of an object for as long as it is held.
    Received(Scratch, Measured),
    /// An object that its service may copy.
    Object(Source, &'a dyn Store, &'a Key),
}

impl Stage<'_> {
    /// Says whether what stands has the same bytes; not so where nothing stands after all.
    pub(super) async fn is_there(&self) -> Result<bool, ShelfError> {
        match &self.staging.content {
            Content::File { path, measured } => Ok(!self.put(path.clone(), *measured, true, true).await?.put),
            Content::Object { store, key } => self.is_equal(&**store, key).await,
        }
    }

    /// Has the bytes at hand, before anything says that they are to stand.
    pub(super) async fn ready(&self) -> Result<Ready<'_>, ShelfError> {
        let (from, key) = match &self.staging.content {
            Content::File { path, measured } => return Ok(Ready::File(path.clone(), *measured)),
            Content::Object { store, key } => (&**store, key),
        };
        let Some(source) = from.source(key).await? else {
            let (scratch, measured) = self.receive(from, key).await?;
            return Ok(Ready::Received(scratch, measured));
        };
        match (source.known.attributes.sha256, self.staging.release.sha256) {
            (Some(recorded), Some(told)) if recorded != told => Err(changed(from, key, recorded, told)),
            _ => Ok(Ready::Object(source, from, key)),
        }
    }

    /// Puts the bytes where none stand. Where the service does not copy an object, they go by a local file.
    pub(super) async fn send(&self, ready: Ready<'_>) -> Result<Sent, ShelfError> {
        let (source, from, key) = match ready {
            Ready::File(path, measured) => return self.put(path, measured, false, false).await,
            Ready::Received(scratch, measured) => {
                return self.put(scratch.path().to_owned(), measured, false, false).await;
            }
            Ready::Object(source, from, key) => (source, from, key),
        };
        let release = &self.staging.release;
        let sha256 = source.known.attributes.sha256.or(release.sha256);
        let attributes = Attributes { sha256, mode: release.mode };
        for _ in 0..TRIES {
            match self.bucket.copy_from(&source, &self.key(), attributes).await {
                Ok(true) => return Ok(Sent { put: true, bytes: 0 }),
                Ok(false) => break,
                Err(StoreError::Precondition { .. }) if self.is_equal(from, key).await? => return Ok(Sent::default()),
                Err(StoreError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (scratch, measured) = self.receive(from, key).await?;
        self.put(scratch.path().to_owned(), measured, false, false).await
    }

    /// Puts a local file, or compares it with what stands.
    async fn put(&self, path: PathBuf, measured: Measured, listed: bool, dry_run: bool) -> Result<Sent, ShelfError> {
        let (store, observer) = (&**self.bucket, &self.shelf.observer);
        let done = Putting::of_measured(store, observer, self.key(), path, measured).put(listed, dry_run).await;
        let done = done.map_err(|error| ShelfError::put(&self.staging.release, error))?;
        Sent::of(done.outcome, measured.size).map_err(|stands| self.other_bytes(stands, measured.sha256))
    }

    /// Says whether what stands has the same bytes as an object; not so where nothing stands after all.
    async fn is_equal(&self, from: &dyn Store, key: &Key) -> Result<bool, ShelfError> {
        let compare = |source| ShelfError::compare(&self.staging.release, source);
        let Some((stands, _)) = transfer::digest(&**self.bucket, &self.key()).await.map_err(compare)? else {
            return Ok(false);
        };
        let ours = match self.staging.release.sha256 {
            Some(told) => told,
            None => match transfer::digest(from, key).await.map_err(compare)? {
                Some((digest, _)) => digest,
                None => return Err(StoreError::NotFound(from.url(key)).into()),
            },
        };
        if stands == ours { Ok(true) } else { Err(self.other_bytes(stands, ours)) }
    }

    /// Brings an object's bytes into a local file.
    async fn receive(&self, from: &dyn Store, key: &Key) -> Result<(Scratch, Measured), ShelfError> {
        let local = |source| ShelfError::Local { what: from.url(key), source };
        let scratch = Scratch::new().map_err(local)?;
        let to = scratch.writer().map_err(local)?;
        let Some((_, body)) = from.open(key, None).await? else {
            return Err(StoreError::NotFound(from.url(key)).into());
        };
        let failed = |error| match error {
            ReceiveError::Store(source) => source.into(),
            ReceiveError::Io(source) => local(source),
        };
        let received = transfer::receive(from.url(key), body, Intake::new(to), Arc::new(|_| ())).await;
        let (_, size, sha256) = received.map_err(failed)?.finish();
        match self.staging.release.sha256 {
            Some(told) if told != sha256 => Err(changed(from, key, sha256, told)),
            _ => Ok((scratch, Measured { size, sha256, mode: self.staging.release.mode })),
        }
    }

    fn other_bytes(&self, there: Digest, here: Digest) -> ShelfError {
        self.conflict(format!("SHA-256 {there} there, {here} here"))
    }
}

/// Makes the error of an artifact whose bytes are not those that were recorded.
fn changed(from: &dyn Store, key: &Key, found: Digest, told: Digest) -> ShelfError {
    let problem = format!("it has the SHA-256 {found}, and {told} is recorded");
    StoreError::Corrupt { key: from.url(key), problem }.into()
}
