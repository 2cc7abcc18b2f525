//! A store in this process's memory: what tests and trials run on.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};

use super::{
    Attributes, Body, Changed, Condition, Content, Guarantees, Key, Object, Prefix, Presigned, Put, Source, Store,
    StoreError, Tag, Upload, Validity, is_near, source,
};
use crate::address::Commit;
use crate::artifact::Digest;
use crate::metalogic::Listing;

/// How many bytes an open object gives at once: few and odd, so that nobody comes to rely on where pieces end.
const PIECE: usize = 4093;

/// Keeps objects in memory, for as long as a handle to it lives. Clones are handles to the same objects.
///
/// It is stricter than real stores: each put makes a tag that was never there before, even for equal bytes.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    objects: BTreeMap<String, Stored>,
    versions: u64,
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    attributes: Attributes,
    tag: Tag,
}

impl MemoryStore {
    /// Puts an object under any text below the root, as a program that knows nothing of this one could.
    pub fn plant(&self, key: &str, bytes: impl Into<Bytes>) {
        self.shelf().place(key.to_owned(), bytes.into(), Attributes::default());
    }

    /// Returns every object by its key below the root, as a program that knows nothing of this one sees them.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.shelf().objects.iter().map(|(key, stored)| (key.clone(), stored.bytes.clone())).collect()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn place(&mut self, key: String, bytes: Bytes, attributes: Attributes) -> Tag {
        self.versions += 1;
        let tag = Tag(format!("version {}", self.versions));
        self.objects.insert(key, Stored { bytes, attributes, tag: tag.clone() });
        tag
    }

    fn allows(&self, key: &str, condition: &Condition) -> bool {
        match condition {
            Condition::None => true,
            Condition::Absent => !self.objects.contains_key(key),
            Condition::Matches(tag) => self.objects.get(key).is_some_and(|stored| stored.tag == *tag),
        }
    }
}

impl Stored {
    fn size(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    fn object(&self) -> Object {
        Object { size: self.size(), attributes: self.attributes }
    }

    fn is(&self, original: &Object) -> bool {
        let sha256 = self.attributes.sha256.unwrap_or_else(|| Digest::of(&self.bytes));
        self.object().known_as(sha256) == *original
    }

    fn cut(&self, range: Option<Range<u64>>) -> Bytes {
        let Some(range) = range else {
            return self.bytes.clone();
        };
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.bytes.len());
        let (start, end) = (within(range.start), within(range.end));
        self.bytes.slice(start..end.max(start))
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn url(&self, key: &Key) -> String {
        format!("{}/{key}", self.root())
    }

    fn root(&self) -> String {
        "memory:".to_owned()
    }

    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        let address = commit.address();
        let shelf = self.shelf();
        let below = shelf.objects.iter().filter_map(|(key, stored)| Some((key.strip_prefix(&address)?, stored)));
        Ok(below
            .map(|(name, stored)| match name.split_once('/') {
                Some((folder, _)) => (format!("{folder}/"), 0),
                None => (name.to_owned(), stored.size()),
            })
            .collect())
    }

    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        let prefix = prefix.to_string();
        let shelf = self.shelf();
        let rests = shelf.objects.keys().filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned));
        Ok(rests.filter(|rest| is_near(rest)).collect())
    }

    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        let Some(stored) = self.shelf().objects.get(&key.to_string()).cloned() else {
            return Ok(None);
        };
        let size = stored.size();
        if size > largest {
            return Err(StoreError::TooLarge { key: key.to_string(), size, largest, tag: stored.tag });
        }
        Ok(Some((stored.bytes, stored.tag)))
    }

    async fn get_changed(&self, key: &Key, largest: u64, than: &Tag) -> Result<Changed, StoreError> {
        Changed::of(self.get(key, largest).await, than)
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        let stored = self.shelf().objects.get(&key.to_string()).cloned();
        Ok(stored.map(|stored| (stored.object(), Body::Stream(pieces(stored.cut(range)).boxed()))))
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        Ok(self.shelf().objects.get(&key.to_string()).map(Stored::object))
    }

    async fn put(
        &self,
        key: &Key,
        content: Content,
        attributes: Attributes,
        condition: &Condition,
    ) -> Result<Put, StoreError> {
        let (bytes, sha256, found) = match content {
            Content::Bytes(bytes) => (bytes.clone(), Digest::of(&bytes), None),
            Content::File(upload) => {
                let known = upload.sha256.is_some();
                let (bytes, sha256) = read(upload).await?;
                (bytes, sha256, (!known).then_some(sha256))
            }
        };
        let attributes = Attributes { sha256: attributes.sha256.or(found), ..attributes };
        let key = key.to_string();
        let mut shelf = self.shelf();
        if shelf.allows(&key, condition) {
            Ok(Put { tag: shelf.place(key, bytes, attributes), sha256 })
        } else {
            Err(StoreError::Precondition { key })
        }
    }

    async fn copy(&self, from: &Key, to: &Key, original: Option<&Object>) -> Result<(), StoreError> {
        let mut shelf = self.shelf();
        let stored = shelf.objects.get(&from.to_string()).cloned();
        let stored = stored.filter(|stored| original.is_none_or(|original| stored.is(original)));
        let stored = stored.ok_or_else(|| StoreError::NotFound(from.to_string()))?;
        let key = to.to_string();
        if !shelf.allows(&key, &Condition::Absent) {
            return Err(StoreError::Precondition { key });
        }
        shelf.place(key, stored.bytes, stored.attributes);
        Ok(())
    }

    async fn source(&self, _: &Key) -> Result<Option<Source>, StoreError> {
        Ok(None)
    }

    async fn copy_from(&self, _: &Source, _: &Key, _: Attributes) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.shelf().objects.remove(&key.to_string());
        Ok(())
    }

    async fn presigned(&self, _: &Key, _: Validity) -> Result<Option<Presigned>, StoreError> {
        Ok(None)
    }

    fn expect(&self, _: usize) {}

    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        Ok(Guarantees::ALL)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &self.shelf().objects.keys()).finish()
    }
}

fn pieces(bytes: Bytes) -> impl futures::Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    stream::unfold(bytes, |mut rest| async move {
        let piece = rest.split_to(PIECE.min(rest.len()));
        (!piece.is_empty()).then_some((Ok(piece), rest))
    })
}

/// Reads a local file whole, off the threads that must not block.
async fn read(upload: Upload) -> Result<(Bytes, Digest), StoreError> {
    let path = upload.path.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        let digest = source::send(&upload, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok((Bytes::from(bytes), digest))
    });
    reading.await.unwrap_or_else(|error| Err(StoreError::Source { path, source: error.into() }))
}
