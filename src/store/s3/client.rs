//! The SDK's client: made when the first request is, and without waiting for anything that is not there.

mod authorities;
mod connection;
mod credentials;
mod proxies;
mod settings;

use std::time::Duration;

use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Credentials, IdentityCache, Region, StalledStreamProtectionConfig};

use super::Reach;
use super::failed::Retries;
use super::terms::OnEvery;
use super::whole::Whole;
use crate::registry::Terms;
use connection::Connections;
use proxies::Proxies;
use settings::Settings;

pub(super) use settings::SettingError;

/// Where a bucket is looked for when nothing says a region: every region's buckets are known there, and the answer names the right one.
const REGION: &str = "us-east-1";

/// Stands for where AWS has the service, in whatever region.
const AWS: &str = "https://s3.amazonaws.com";

/// How long a connection may take to be made. A host that is there answers in a fraction of it; each retry waits as long again.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a transfer may stand still before the SDK gives it up (its own default).
const STALL: Duration = Duration::from_secs(20);

/// Holds how the service is reached.
pub(super) struct Access {
    pub(super) client: Client,
    /// Its URL, where it is not where AWS has it.
    pub(super) endpoint: Option<String>,
    /// What messages call the proxy by which it is reached.
    proxy: Option<String>,
}

/// Says where a service is asked.
pub(super) struct Place {
    pub(super) words: String,
    /// Whether it is by a proxy.
    pub(super) proxied: bool,
}

impl Access {
    /// Says where it is that the service is asked, which may by now be another region.
    pub(super) fn place(&self, moved: Option<&Client>) -> Place {
        let region = moved.unwrap_or(&self.client).config().region().map_or("", Region::as_ref);
        let here = match &self.endpoint {
            Some(endpoint) => format!("at {endpoint}"),
            None => format!("in region {region}"),
        };
        let words = match &self.proxy {
            Some(proxy) => format!("{here} by the proxy {proxy}"),
            None => here,
        };
        Place { words, proxied: self.proxy.is_some() }
    }
}

/// Makes the client.
pub(super) async fn build(timeout: Duration, reach: Option<Reach>, terms: &Terms) -> Result<Access, SettingError> {
    let (builder, endpoint, proxy, path_style) = match reach {
        Some(reach) => {
            let credentials = Credentials::new(reach.access_key, reach.secret_key, None, None, "told");
            let builder = Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(reach.region))
                .retry_config(in_time(RetryConfig::standard(), timeout))
                .credentials_provider(credentials);
            (builder, Some(reach.endpoint), None, true)
        }
        None => {
            let settings = Settings::load().await?;
            let connections = Connections::new(Proxies::of_environment()?, settings.authorities()?);
            let shared = shared(&settings, &connections, timeout).await?;
            let endpoint = settings.endpoint(&shared)?;
            let proxy = connections.proxy(endpoint.as_deref().unwrap_or(AWS)).map(str::to_owned);
            // Few services have a name for each bucket in the DNS, but all of them take the bucket in the path.
            let path_style = endpoint.is_some() || settings.path_style();
            (Builder::from(&shared), endpoint, proxy, path_style)
        }
    };
    let stalled = StalledStreamProtectionConfig::enabled().grace_period(STALL.min(timeout)).build();
    // That one service fails is no reason to try another one less often.
    let mut builder = builder
        .stalled_stream_protection(stalled)
        .timeout_config(timeouts(timeout))
        .retry_classifier(Retries)
        .retry_partition(RetryPartition::new(endpoint.clone().unwrap_or_default()))
        .force_path_style(path_style)
        .interceptor(Whole)
        .interceptor(OnEvery::of(terms));
    builder.set_endpoint_url(endpoint.clone());
    Ok(Access { client: Client::from_conf(builder.build()), endpoint, proxy })
}

/// Makes a client that differs in its region alone.
pub(super) fn in_region(client: &Client, region: String) -> Client {
    Client::from_conf(client.config().to_builder().region(Region::new(region)).build())
}

/// Keeps the pauses between the tries so short that the last try is over before the wait for all of them is: what it failed of is told
/// then.
fn in_time(retry: RetryConfig, timeout: Duration) -> RetryConfig {
    let (first, longest) = (retry.initial_backoff().min(timeout / 16), retry.max_backoff().min(timeout / 8));
    retry.with_initial_backoff(first).with_max_backoff(longest)
}

fn timeouts(timeout: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT.min(timeout / 4)).build()
}

/// Joins the AWS settings of environment and profiles. The SDK's own way would ask the instance-metadata address for a region, and then
/// for credentials: three seconds of silence on a machine that is no instance.
async fn shared(settings: &Settings, connections: &Connections, timeout: Duration) -> Result<SdkConfig, SettingError> {
    let region = settings.region().await?.unwrap_or_else(|| Region::from_static(REGION));
    let retry = in_time(settings.retry()?, timeout);
    let shared = aws_config::defaults(BehaviorVersion::latest())
        .profile_name(settings.profile())
        .region(region.clone())
        .retry_config(retry.clone())
        .http_client(connections.clone())
        .no_credentials()
        .load()
        .await;
    let config = ProviderConfig::without_region()
        .with_region(Some(region))
        .with_use_fips(shared.use_fips())
        .with_use_dual_stack(shared.use_dual_stack())
        .with_retry_config(retry)
        .with_timeout_config(timeouts(timeout));
    let chain = credentials::chain(&config, connections, settings);
    // A process that gives credentials may ask a person first. But what gives none is told before the request is given up.
    let cache = IdentityCache::lazy().load_timeout(timeout * 3 / 4).build();
    let builder = shared.into_builder().credentials_provider(SharedCredentialsProvider::new(chain));
    Ok(builder.identity_cache(cache).build())
}
