//! Parameters in this process's memory: what tests and trials run on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{ParameterError, Parameters, expect_text};

/// Keeps parameters in memory, for as long as a handle to it lives. Clones are handles to the same parameters.
#[derive(Debug, Clone, Default)]
pub struct MemoryParameters(Arc<Mutex<BTreeMap<String, String>>>);

impl MemoryParameters {
    fn texts(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Parameters for MemoryParameters {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn get(&self, name: &str) -> Result<Option<String>, ParameterError> {
        Ok(self.texts().get(name).cloned())
    }

    async fn put(&self, name: &str, text: &str) -> Result<(), ParameterError> {
        expect_text(name, text, &self.place())?;
        self.texts().insert(name.to_owned(), text.to_owned());
        Ok(())
    }
}
