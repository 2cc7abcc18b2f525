//! A store that tells a watcher of every operation before it takes place and after, so that tests can pause, order, count and break.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::metalogic::Listing;
use metalogic::store::{
    Attributes, Body, Condition, Content, Guarantees, Key, Object, Prefix, Source, Store, StoreError, Tag,
};

/// Is told of operations; an operation takes place when `before` has returned.
#[async_trait]
pub trait Watcher: Send + Sync {
    async fn before(&self, operation: &str);
    fn after(&self, operation: &str, result: &str);
}

/// Wraps a store for one watcher.
pub struct Decorated<S> {
    pub inner: S,
    pub watcher: Arc<dyn Watcher>,
}

impl<S: Store> Decorated<S> {
    pub fn new(inner: S, watcher: impl Watcher + 'static) -> Self {
        Self { inner, watcher: Arc::new(watcher) }
    }

    async fn watched<T: fmt::Debug>(
        &self,
        operation: String,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.watcher.before(&operation).await;
        let result = act.await;
        self.watcher.after(&operation, &format!("{result:?}"));
        result
    }
}

impl<S: fmt::Debug> fmt::Debug for Decorated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Decorated").field(&self.inner).finish()
    }
}

#[async_trait]
impl<S: Store> Store for Decorated<S> {
    fn url(&self, key: &Key) -> String {
        self.inner.url(key)
    }

    fn root(&self) -> String {
        self.inner.root()
    }

    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        self.watched(format!("list {}", commit.address()), self.inner.list(commit)).await
    }

    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        self.watched(format!("keys {prefix}"), self.inner.keys(prefix)).await
    }

    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        self.watched(format!("get {key}"), self.inner.get(key, largest)).await
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        self.watched(format!("open {key}"), self.inner.open(key, range)).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.watched(format!("head {key}"), self.inner.head(key)).await
    }

    async fn put(
        &self,
        key: &Key,
        content: Content,
        attributes: Attributes,
        condition: &Condition,
    ) -> Result<Tag, StoreError> {
        self.watched(format!("put {key}"), self.inner.put(key, content, attributes, condition)).await
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<(), StoreError> {
        self.watched(format!("copy {from} {to}"), self.inner.copy(from, to)).await
    }

    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError> {
        self.watched(format!("source {key}"), self.inner.source(key)).await
    }

    async fn copy_from(&self, source: &Source, to: &Key, attributes: Attributes) -> Result<bool, StoreError> {
        let operation = format!("copy-from {} {to}", source.object);
        self.watched(operation, self.inner.copy_from(source, to, attributes)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.watched(format!("delete {key}"), self.inner.delete(key)).await
    }

    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        self.watched("guarantees".to_owned(), self.inner.guarantees()).await
    }
}
