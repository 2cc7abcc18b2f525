//! What is needed of a place that keeps named texts and knows no conditions: the Parameter Store of Systems Manager.

pub mod absent;
pub mod memory;
pub mod name;
#[cfg(feature = "aws-sdk-ssm")]
pub mod ssm;

use std::fmt;

use async_trait::async_trait;

use crate::reason::{Denial, Outage, Service, Setting};

/// Keeps texts under names. Whoever sets one sets it whatever it was: there is no compare-and-swap.
///
/// There are no default methods, so that one that wraps another cannot forget one.
#[async_trait]
pub trait Parameters: fmt::Debug + Send + Sync {
    /// Says where they are, for messages: `eu-north-1`.
    fn place(&self) -> String;

    /// Returns what a parameter says; none where there is no such parameter.
    async fn get(&self, name: &str) -> Result<Option<String>, ParameterError>;

    /// Makes a parameter say a text, as a `String` parameter, whether it was there or not. No parameter says nothing.
    async fn put(&self, name: &str, text: &str) -> Result<(), ParameterError>;
}

/// Says why a parameter was not read or set; each variant is something else that a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum ParameterError {
    /// It is refused to whoever asks.
    #[error("{}", denial.of(&format!("the parameter {name} in {place}"), Service::Parameters))]
    AccessDenied {
        /// The parameter.
        name: String,
        /// Where.
        place: String,
        /// Why it is.
        denial: Denial,
        /// What the service said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The service cannot be asked before something is set otherwise.
    #[error("{}", setting.of(&format!("the Parameter Store in {place}"), Service::Parameters))]
    Configuration {
        /// Where.
        place: String,
        /// What is wrong.
        setting: Setting,
        /// What was asked, and what it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The service does not answer, or answers that it cannot, after all retries.
    #[error("{}", outage.of(&format!("the parameter {name} in {place}"), Service::Parameters))]
    Unavailable {
        /// The parameter.
        name: String,
        /// Where.
        place: String,
        /// Why it does not.
        outage: Outage,
        /// What the service said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is encrypted, and says nothing to whoever has no right to its key.
    #[error("the parameter {name} in {place} is a SecureString, and a String belongs there")]
    Encrypted {
        /// The parameter.
        name: String,
        /// Where.
        place: String,
    },
    /// This program knows no parameters of AWS.
    #[error("the parameter {name} in {place} cannot be had: this program was built without the feature aws-sdk-ssm")]
    Absent {
        /// The parameter.
        name: String,
        /// Where.
        place: String,
    },
    /// Something else, such as a name or a text that no parameter has.
    #[error("the parameter {name} in {place} failed")]
    Other {
        /// The parameter.
        name: String,
        /// Where.
        place: String,
        /// What the service said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Refuses a text that no parameter has: those of AWS are never empty.
fn expect_text(name: &str, text: &str, place: &str) -> Result<(), ParameterError> {
    if !text.is_empty() {
        return Ok(());
    }
    let source = "a parameter has at least one character".into();
    Err(ParameterError::Other { name: name.to_owned(), place: place.to_owned(), source })
}
