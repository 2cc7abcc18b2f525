//! Parameters of AWS, as a program has them that was built without the feature `aws-sdk-ssm`.

use async_trait::async_trait;

use super::{ParameterError, Parameters};
use crate::organisation::Region;

/// Answers every question with what it would take to answer it.
#[derive(Debug)]
pub struct AbsentParameters {
    place: String,
}

impl AbsentParameters {
    /// Makes those of a region; where none is named, of the one that the settings say, which nobody reads.
    #[must_use]
    pub fn new(region: Option<&Region>) -> Self {
        Self { place: region.map_or_else(|| "AWS".to_owned(), ToString::to_string) }
    }

    fn error(&self, name: &str) -> ParameterError {
        ParameterError::Absent { name: name.to_owned(), place: self.place.clone() }
    }
}

#[async_trait]
impl Parameters for AbsentParameters {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn get(&self, name: &str) -> Result<Option<String>, ParameterError> {
        Err(self.error(name))
    }

    async fn put(&self, name: &str, _: &str) -> Result<(), ParameterError> {
        Err(self.error(name))
    }
}
