//! Faults at one operation, counted from the first: before it has an effect, or after, so that only the answer is lost.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use metalogic::parameters::{ParameterError, Parameters};
use metalogic::store::Outage;

use crate::decorated::{Fate, Watcher};

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

    /// Says what becomes of the next operation.
    async fn decide(&self, operation: String) -> Fate {
        let number = {
            let mut log = self.log.lock().unwrap();
            log.push(operation);
            log.len()
        };
        // Where nothing else makes them wait, those who work at once take turns.
        for _ in 0..number % 3 {
            tokio::task::yield_now().await;
        }
        match (number == self.at.load(Ordering::SeqCst), self.after.load(Ordering::SeqCst)) {
            (false, _) => Fate::Go,
            (true, false) => Fate::Lost,
            (true, true) => Fate::AnswerLost,
        }
    }
}

#[async_trait]
impl Watcher for Faults {
    async fn before(&self, operation: &str) -> Fate {
        self.decide(operation.to_owned()).await
    }

    fn after(&self, _: &str, _: &dyn fmt::Debug) {}
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
    async fn pass<T, F: Future<Output = Result<T, ParameterError>>>(
        &self,
        operation: String,
        act: impl Fn() -> F,
    ) -> Result<T, ParameterError> {
        let away = || ParameterError::Unavailable {
            name: "?".to_owned(),
            place: self.place(),
            outage: Outage::Plain,
            source: "planned".into(),
        };
        self.faults.decide(operation).await.meet(act, away).await
    }
}

#[async_trait]
impl Parameters for FaultyParameters {
    fn place(&self) -> String {
        self.inner.place()
    }
    async fn get(&self, name: &str) -> Result<Option<String>, ParameterError> {
        self.pass(format!("get parameter {name}"), || self.inner.get(name)).await
    }
    async fn put(&self, name: &str, text: &str) -> Result<(), ParameterError> {
        self.pass(format!("put parameter {name}"), || self.inner.put(name, text)).await
    }
}
