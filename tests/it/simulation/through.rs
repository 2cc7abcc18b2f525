//! An actor's way to the store: every operation waits at the desk, and meets the fate that it is given there.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use metalogic::address::Commit;
use metalogic::metalogic::Listing;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{
    Attributes, Body, Condition, Content, Guarantees, Key, Object, Outage, Prefix, Source, Store, StoreError, Tag,
};

use super::desk::Desk;

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is done and answered.
    Go,
    /// Nothing is done, and there is no answer.
    Lost,
    /// It is done, and there is no answer.
    AnswerLost,
    /// It is done, the answer is lost on its way, and the client below sends it once more: what comes of that is the answer.
    SentTwice,
    /// There is no answer, and it is done at some later time, when nobody thinks of it any more.
    Late,
}

/// What a write does where it comes late.
pub type Late = BoxFuture<'static, ()>;

pub struct Through {
    pub actor: usize,
    pub desk: Arc<Mutex<Desk>>,
    pub inner: MemoryStore,
}

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Through")
    }
}

impl Through {
    async fn read<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        operation: String,
        act: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        self.pass(operation, None, act).await
    }

    /// Passes a write. It owns what it needs, since it may outlive whoever asked for it.
    async fn write<T: Send + 'static>(
        &self,
        operation: String,
        act: impl Fn(MemoryStore) -> BoxFuture<'static, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = act(self.inner.clone()).map(drop).boxed();
        self.pass(operation, Some(late), || act(self.inner.clone())).await
    }

    async fn pass<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        operation: String,
        late: Option<Late>,
        act: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        let opened = self.desk.lock().unwrap().wait(self.actor, operation.clone(), late);
        // Where nobody answers the run is given up.
        let Ok(fate) = opened.await else { return std::future::pending().await };
        self.desk.lock().unwrap().begins(self.actor);
        let result = Self::meet(fate, operation, act).await;
        self.desk.lock().unwrap().ends(self.actor);
        result
    }

    async fn meet<T, F: Future<Output = Result<T, StoreError>>>(
        fate: Fate,
        key: String,
        act: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        match fate {
            Fate::Go => return act().await,
            Fate::SentTwice => {
                drop(act().await);
                return act().await;
            }
            Fate::AnswerLost => drop(act().await),
            Fate::Lost | Fate::Late => {}
        }
        Err(StoreError::Unavailable { key, outage: Outage::Plain, source: "no answer".into() })
    }
}

#[async_trait]
impl Store for Through {
    fn url(&self, key: &Key) -> String {
        self.inner.url(key)
    }

    fn root(&self) -> String {
        self.inner.root()
    }

    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        self.read(format!("list {}", commit.short()), || self.inner.list(commit)).await
    }

    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        self.read(format!("keys {prefix}"), || self.inner.keys(prefix)).await
    }

    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        self.read(format!("get {key}"), || self.inner.get(key, largest)).await
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        self.read(format!("open {key}"), || self.inner.open(key, range.clone())).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.read(format!("head {key}"), || self.inner.head(key)).await
    }

    async fn put(&self, key: &Key, content: Content, also: Attributes, only: &Condition) -> Result<Tag, StoreError> {
        let act = |store: MemoryStore| {
            let (key, content, only) = (key.clone(), content.clone(), only.clone());
            async move { store.put(&key, content, also, &only).await }.boxed()
        };
        self.write(format!("put {key}"), act).await
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<(), StoreError> {
        let act = |store: MemoryStore| {
            let (from, to) = (from.clone(), to.clone());
            async move { store.copy(&from, &to).await }.boxed()
        };
        self.write(format!("copy {from} {to}"), act).await
    }

    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError> {
        self.read(format!("source {key}"), || self.inner.source(key)).await
    }

    async fn copy_from(&self, source: &Source, to: &Key, also: Attributes) -> Result<bool, StoreError> {
        let act = |store: MemoryStore| {
            let (source, to) = (source.clone(), to.clone());
            async move { store.copy_from(&source, &to, also).await }.boxed()
        };
        self.write(format!("copy-from {to}"), act).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let act = |store: MemoryStore| {
            let key = key.clone();
            async move { store.delete(&key).await }.boxed()
        };
        self.write(format!("delete {key}"), act).await
    }

    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        self.inner.guarantees().await
    }
}
