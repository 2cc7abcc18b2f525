//! A store that fails at one operation, counted from the first: before it has an effect, or after, so that only the answer is lost.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::metalogic::Listing;
use metalogic::parameters::{ParameterError, Parameters};
use metalogic::store::{
    Attributes, Body, Condition, Content, Guarantees, Key, Object, Outage, Prefix, Source, Store, StoreError, Tag,
};

/// Says at which operation to fail, and remembers all of them.
#[derive(Debug, Default)]
pub struct Faults {
    /// The operation that fails, counted from one; none at zero.
    at: AtomicUsize,
    /// Whether it takes place all the same.
    after: std::sync::atomic::AtomicBool,
    log: Mutex<Vec<String>>,
}

impl Faults {
    pub fn plan(&self, at: usize, after: bool) {
        self.log.lock().unwrap().clear();
        self.at.store(at, Ordering::SeqCst);
        self.after.store(after, Ordering::SeqCst);
    }

    /// Returns the operations since the plan was made.
    pub fn operations(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Does an operation, or fails at it.
    pub async fn pass<T, E>(
        &self,
        operation: String,
        act: impl Future<Output = Result<T, E>>,
        fail: impl FnOnce() -> E,
    ) -> Result<T, E> {
        let number = {
            let mut log = self.log.lock().unwrap();
            log.push(operation);
            log.len()
        };
        // Where nothing else makes them wait, those who work at once take turns.
        for _ in 0..number % 3 {
            tokio::task::yield_now().await;
        }
        if number != self.at.load(Ordering::SeqCst) {
            return act.await;
        }
        if self.after.load(Ordering::SeqCst) {
            drop(act.await);
        }
        Err(fail())
    }
}

pub struct Faulty {
    pub inner: Arc<dyn Store>,
    pub faults: Arc<Faults>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Faulty {
    async fn pass<T>(
        &self,
        operation: String,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let away = || StoreError::Unavailable { key: "?".to_owned(), outage: Outage::Plain, source: "planned".into() };
        self.faults.pass(operation, act, away).await
    }
}

#[async_trait]
impl Store for Faulty {
    fn url(&self, key: &Key) -> String {
        self.inner.url(key)
    }
    fn root(&self) -> String {
        self.inner.root()
    }
    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        self.pass(format!("list {commit}"), self.inner.list(commit)).await
    }
    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        self.pass(format!("keys {prefix}"), self.inner.keys(prefix)).await
    }
    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        self.pass(format!("get {key}"), self.inner.get(key, largest)).await
    }
    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        self.pass(format!("open {key}"), self.inner.open(key, range)).await
    }
    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.pass(format!("head {key}"), self.inner.head(key)).await
    }
    async fn put(&self, key: &Key, content: Content, also: Attributes, only: &Condition) -> Result<Tag, StoreError> {
        self.pass(format!("put {key}"), self.inner.put(key, content, also, only)).await
    }
    async fn copy(&self, from: &Key, to: &Key) -> Result<(), StoreError> {
        self.pass(format!("copy {from} {to}"), self.inner.copy(from, to)).await
    }
    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError> {
        self.pass(format!("source {key}"), self.inner.source(key)).await
    }
    async fn copy_from(&self, source: &Source, to: &Key, also: Attributes) -> Result<bool, StoreError> {
        self.pass(format!("copy {} {to}", source.object), self.inner.copy_from(source, to, also)).await
    }
    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.pass(format!("delete {key}"), self.inner.delete(key)).await
    }
    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        self.inner.guarantees().await
    }
}

/// Parameters that fail as a store does.
pub struct FaultyParameters {
    pub inner: Arc<dyn Parameters>,
    pub faults: Arc<Faults>,
}

impl fmt::Debug for FaultyParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl FaultyParameters {
    async fn pass<T>(
        &self,
        operation: String,
        act: impl Future<Output = Result<T, ParameterError>>,
    ) -> Result<T, ParameterError> {
        let away = || ParameterError::Unavailable {
            name: "?".to_owned(),
            place: self.place(),
            outage: Outage::Plain,
            source: "planned".into(),
        };
        self.faults.pass(operation, act, away).await
    }
}

#[async_trait]
impl Parameters for FaultyParameters {
    fn place(&self) -> String {
        self.inner.place()
    }
    async fn get(&self, name: &str) -> Result<Option<String>, ParameterError> {
        self.pass(format!("get parameter {name}"), self.inner.get(name)).await
    }
    async fn put(&self, name: &str, text: &str) -> Result<(), ParameterError> {
        self.pass(format!("put parameter {name}"), self.inner.put(name, text)).await
    }
}
