//! A store that asks a watcher about every operation before it takes place and tells it after, so that tests can pause, order, count and break.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _};
use metalogic::address::Commit;
use metalogic::metalogic::Listing;
use metalogic::store::{
    Attributes, Body, Changed, Condition, Content, Guarantees, Key, Object, Outage, Prefix, Presigned, Put, Source,
    Store, StoreError, Tag, Validity,
};

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done and answered.
    Go,
    /// Nothing is done, and there is no answer.
    Lost,
    /// It is done, and there is no answer.
    AnswerLost,
    /// It is done, the answer is lost on its way, and the client below sends it once more: what comes of that is the answer.
    SentTwice,
    /// There is no answer, and the watcher keeps it to be done when nobody thinks of it any more.
    Late,
}

impl Fate {
    /// Does an operation as it is fated.
    pub async fn meet<T, E, F: Future<Output = Result<T, E>>>(
        self,
        act: impl Fn() -> F,
        unanswered: impl FnOnce() -> E,
    ) -> Result<T, E> {
        match self {
            Self::Go => return act().await,
            Self::SentTwice => {
                drop(act().await);
                return act().await;
            }
            Self::AnswerLost => drop(act().await),
            Self::Lost | Self::Late => {}
        }
        Err(unanswered())
    }
}

/// An operation that comes late.
pub type Late = BoxFuture<'static, ()>;

/// Is asked and told of operations; an operation takes place when `before` has returned.
#[async_trait]
pub trait Watcher: Send + Sync {
    async fn before(&self, operation: &str) -> Fate;

    fn after(&self, operation: &str, result: &dyn fmt::Debug);

    /// Takes what is to come late. Only who fates it so need care.
    fn keep(&self, operation: &str, _: Late) {
        panic!("nobody keeps {operation}");
    }
}

/// Says whether an operation may change what stands.
pub fn writes(operation: &str) -> bool {
    ["put", "copy", "delete"].iter().any(|kind| operation.starts_with(kind))
}

/// Wraps a store for one watcher.
pub struct Decorated {
    pub inner: Arc<dyn Store>,
    watcher: Arc<dyn Watcher>,
    /// After how many bytes a body breaks off.
    pub cut: AtomicU64,
}

impl Decorated {
    pub fn new(inner: impl Store + 'static, watcher: impl Watcher + 'static) -> Self {
        Self::over(Arc::new(inner), Arc::new(watcher))
    }

    pub fn over(inner: Arc<dyn Store>, watcher: Arc<dyn Watcher>) -> Self {
        Self { inner, watcher, cut: AtomicU64::new(u64::MAX) }
    }

    /// Passes an operation on. It owns what it needs, since it may outlive whoever asked for it.
    async fn watched<T: fmt::Debug + 'static>(
        &self,
        operation: String,
        act: impl Fn(Arc<dyn Store>) -> BoxFuture<'static, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let fate = self.watcher.before(&operation).await;
        let act = || act(Arc::clone(&self.inner));
        if fate == Fate::Late {
            self.watcher.keep(&operation, act().map(drop).boxed());
        }
        let key = operation.clone();
        let unanswered = || StoreError::Unavailable { key, outage: Outage::Plain, source: "no answer".into() };
        let result = fate.meet(act, unanswered).await;
        self.watcher.after(&operation, &result);
        result
    }
}

/// Has a body break off after so many bytes.
fn cut(body: Body, left: u64) -> Body {
    let Body::Stream(pieces) = body else { panic!("a stream is cut, and no file") };
    let broken = || StoreError::Unavailable { key: "it".into(), outage: Outage::Plain, source: "cut".into() };
    let pieces = pieces.scan(left, move |left, piece| {
        let piece = match piece {
            Ok(_) if *left == 0 => Err(broken()),
            Ok(mut bytes) => {
                bytes.truncate(usize::try_from(*left).unwrap());
                *left -= bytes.len() as u64;
                Ok(bytes)
            }
            Err(error) => Err(error),
        };
        std::future::ready(Some(piece))
    });
    Body::Stream(pieces.boxed())
}

impl fmt::Debug for Decorated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for Decorated {
    fn url(&self, key: &Key) -> String {
        self.inner.url(key)
    }

    fn root(&self) -> String {
        self.inner.root()
    }

    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        let act = |store: Arc<dyn Store>| async move { store.list(commit).await }.boxed();
        self.watched(format!("list {}", commit.address()), act).await
    }

    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let prefix = prefix.clone();
            async move { store.keys(&prefix).await }.boxed()
        };
        self.watched(format!("keys {prefix}"), act).await
    }

    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let key = key.clone();
            async move { store.get(&key, largest).await }.boxed()
        };
        self.watched(format!("get {key}"), act).await
    }

    async fn get_changed(&self, key: &Key, largest: u64, than: &Tag) -> Result<Changed, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let (key, than) = (key.clone(), than.clone());
            async move { store.get_changed(&key, largest, &than).await }.boxed()
        };
        self.watched(format!("get-changed {key}"), act).await
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let (key, range) = (key.clone(), range.clone());
            async move { store.open(&key, range).await }.boxed()
        };
        let opened = self.watched(format!("open {key}"), act).await?;
        let left = self.cut.load(Ordering::SeqCst);
        Ok(opened.map(|(object, body)| (object, if left == u64::MAX { body } else { cut(body, left) })))
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let key = key.clone();
            async move { store.head(&key).await }.boxed()
        };
        self.watched(format!("head {key}"), act).await
    }

    async fn put(&self, key: &Key, content: Content, also: Attributes, only: &Condition) -> Result<Put, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let (key, content, only) = (key.clone(), content.clone(), only.clone());
            async move { store.put(&key, content, also, &only).await }.boxed()
        };
        self.watched(format!("put {key}"), act).await
    }

    async fn copy(&self, from: &Key, to: &Key, original: Option<&Object>) -> Result<(), StoreError> {
        let act = |store: Arc<dyn Store>| {
            let (from, to, original) = (from.clone(), to.clone(), original.copied());
            async move { store.copy(&from, &to, original.as_ref()).await }.boxed()
        };
        self.watched(format!("copy {from} {to}"), act).await
    }

    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let key = key.clone();
            async move { store.source(&key).await }.boxed()
        };
        self.watched(format!("source {key}"), act).await
    }

    async fn copy_from(&self, source: &Source, to: &Key, also: Attributes) -> Result<bool, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let (source, to) = (source.clone(), to.clone());
            async move { store.copy_from(&source, &to, also).await }.boxed()
        };
        self.watched(format!("copy-from {} {to}", source.object), act).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let act = |store: Arc<dyn Store>| {
            let key = key.clone();
            async move { store.delete(&key).await }.boxed()
        };
        self.watched(format!("delete {key}"), act).await
    }

    async fn presigned(&self, key: &Key, validity: Validity) -> Result<Option<Presigned>, StoreError> {
        let act = |store: Arc<dyn Store>| {
            let key = key.clone();
            async move { store.presigned(&key, validity).await }.boxed()
        };
        self.watched(format!("presigned {key}"), act).await
    }

    fn expect(&self, requests: usize) {
        self.inner.expect(requests);
    }

    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        let act = |store: Arc<dyn Store>| async move { store.guarantees().await }.boxed();
        self.watched("guarantees".to_owned(), act).await
    }
}
