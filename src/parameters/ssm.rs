//! Parameters of AWS Systems Manager.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::Builder;
use aws_sdk_ssm::config::retry::RetryPartition;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::types::{Parameter, ParameterType};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::{ParameterError, Parameters, expect_text};
use crate::aws::{Bounded, Common, Failed, Reason, Retries, Site, pause_of};
use crate::organisation::Region;
use crate::reason::{Denial, Outage, Service, Setting};

/// What messages say where the region is not known yet: a profile may name it, which is not read before the first request.
const SOMEWHERE: &str = "the default region";

/// Reaches the Parameter Store of a region.
///
/// Credentials, endpoint, proxies and authorities are those of the settings of the AWS CLI. They are looked for when the first request is
/// made, so parameters that nobody asks for cost nothing.
pub struct SsmParameters {
    common: Common,
    region: Option<Region>,
    access: OnceCell<Access>,
}

/// Holds how the service is reached.
struct Access {
    client: Client,
    site: Site,
}

impl SsmParameters {
    /// Makes those of a region; where none is named, of the one that the settings say.
    #[must_use]
    pub fn new(region: Option<&Region>, common: &Common) -> Self {
        Self { common: common.clone(), region: region.cloned(), access: OnceCell::new() }
    }

    async fn access(&self) -> Result<&Access, Failed> {
        let build = || async {
            let line = self.common.line(Service::Parameters, self.region.as_ref()).await?;
            let mut builder = Builder::from(&line.config)
                .retry_classifier(Retries)
                .retry_partition(RetryPartition::new(line.partition()))
                .interceptor(Bounded);
            builder.set_endpoint_url(line.site.endpoint.clone());
            Ok(Access { client: Client::from_conf(builder.build()), site: line.site })
        };
        self.access.get_or_try_init(build).await.map_err(|error| Failed::of_settings(&error))
    }

    /// Asks the service, for as long as anybody waits: the tries of the SDK are over in a moment, and an account has few requests a second,
    /// which all of its builds share.
    async fn ask<T, E, F>(&self, send: impl Fn(Client) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: Error + ProvideErrorMetadata + 'static,
    {
        let (until, mut refused) = (Instant::now() + self.common.timeout(), None);
        for attempt in 1.. {
            let client = self.access().await?.client.clone();
            let failed = match tokio::time::timeout_at(until, send(client)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => Failed::of(Service::Parameters, &error),
                Err(_) => break,
            };
            let pause = pause_of(attempt);
            if failed.reason != Reason::Out(Outage::Throttled) || Instant::now() + pause >= until {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            refused = Some(failed);
        }
        Err(refused.unwrap_or_else(|| Failed::silent(self.common.timeout())))
    }

    /// Returns the error that a failure of something asked about a parameter is, with what is denied to whoever may not do it.
    fn error(&self, name: &str, to: Denial, failed: Failed) -> ParameterError {
        let failed = match self.access.get() {
            Some(access) => failed.at(&access.site.place(access.client.config().region())),
            None => failed,
        };
        let (name, place, reason) = (name.to_owned(), self.place(), failed.reason);
        let source = failed.into_words();
        match reason {
            Reason::Denied(Denial::Plain) => ParameterError::AccessDenied { name, place, denial: to, source },
            Reason::Denied(denial) => ParameterError::AccessDenied { name, place, denial, source },
            Reason::Out(outage) => ParameterError::Unavailable { name, place, outage, source },
            Reason::Set(setting) => ParameterError::Configuration { place, setting, source },
            Reason::Other => ParameterError::Other { name, place, source },
        }
    }
}

impl fmt::Debug for SsmParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SsmParameters").field(&self.place()).finish()
    }
}

#[async_trait]
impl Parameters for SsmParameters {
    fn place(&self) -> String {
        let named = self.region.as_ref().map(ToString::to_string);
        named.or_else(|| self.common.region_by_now()).unwrap_or_else(|| SOMEWHERE.to_owned())
    }

    async fn get(&self, name: &str) -> Result<Option<String>, ParameterError> {
        let answer = match self.ask(|client| client.get_parameter().name(name).send()).await {
            Ok(answer) => answer,
            Err(failed) if failed.says("ParameterNotFound") => return Ok(None),
            Err(failed) => return Err(self.error(name, Denial::Plain, failed)),
        };
        match answer.parameter {
            Some(Parameter { r#type: Some(ParameterType::SecureString), .. }) => {
                Err(ParameterError::Encrypted { name: name.to_owned(), place: self.place() })
            }
            Some(Parameter { value: Some(text), .. }) => Ok(Some(text)),
            Some(Parameter { value: None, .. }) | None => {
                let words = "the Parameter Store answers without a parameter".to_owned();
                Err(self.error(name, Denial::Plain, Failed::unanswered(Reason::Set(Setting::Endpoint), words)))
            }
        }
    }

    async fn put(&self, name: &str, text: &str) -> Result<(), ParameterError> {
        expect_text(name, text, &self.place())?;
        // A tier that is named replaces the one that the parameter's owner has chosen.
        let send = |client: Client| {
            client.put_parameter().name(name).value(text).r#type(ParameterType::String).overwrite(true).send()
        };
        self.ask(send).await.map(drop).map_err(|failed| self.error(name, Denial::Writing, failed))
    }
}
