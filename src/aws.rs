//! How AWS is reached, whichever service is asked: by which settings, with whose credentials and on which way, and what its failures say.

mod ahead;
mod authorities;
mod bounded;
mod connection;
mod credentials;
mod failed;
mod proxies;
mod settings;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::region;
use tokio::sync::OnceCell;

use crate::organisation::Region;
use crate::reason::Service;
use connection::Connections;
use credentials::Ends;
use proxies::Proxies;
use settings::Settings;

pub(crate) use bounded::Bounded;
pub(crate) use failed::{Failed, Reason, Retries, is_stalled};
pub(crate) use settings::SettingError;

/// Where a bucket is looked for when nothing says a region: every region's buckets are known there, and the answer names the right one.
const REGION: &str = "us-east-1";

/// How long a connection may take to be made. A host that is there answers in a fraction of it; each retry waits as long again.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a transfer may stand still before the SDK gives it up (its own default).
const STALL: Duration = Duration::from_secs(20);

/// Says how a service is reached without asking the AWS SDK's settings.
#[derive(Clone)]
pub struct Reach {
    /// The service's URL.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key's id.
    pub access_key: String,
    /// The secret that belongs to it.
    pub secret_key: String,
}

/// Holds what the settings call a service.
struct Names {
    /// Its id, as the AWS SDK has it.
    id: &'static str,
    /// The variable that says its URL.
    endpoint: &'static str,
    /// Stands for where AWS has it, in whatever region.
    aws: &'static str,
}

impl Names {
    fn of(service: Service) -> Self {
        match service {
            Service::Store => Self { id: "S3", endpoint: "AWS_ENDPOINT_URL_S3", aws: "https://s3.amazonaws.com" },
            Service::Parameters => {
                Self { id: "SSM", endpoint: "AWS_ENDPOINT_URL_SSM", aws: "https://ssm.amazonaws.com" }
            }
        }
    }
}

/// Holds what the clients of all services and regions have in common: settings that are read once, and credentials that are asked for
/// once, since a process that gives them may ask a person. Nothing is read before the first request. Clones are handles to the same.
#[derive(Clone)]
pub struct Common(Arc<Inner>);

struct Inner {
    timeout: Duration,
    reach: Option<Reach>,
    loaded: OnceCell<Loaded>,
    /// How services are reached that were told: as no setting says.
    straight: OnceLock<Connections>,
}

struct Loaded {
    settings: Settings,
    connections: Connections,
    shared: SdkConfig,
    region: Option<region::Region>,
    ends: Ends,
}

impl Common {
    /// Begins with the settings of the AWS CLI. No request is waited for longer than `timeout` without a byte having moved.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self::made(timeout, None)
    }

    /// Begins with services that are reached as told, whatever the environment and the profiles of this machine say.
    #[must_use]
    pub fn reached(timeout: Duration, reach: Reach) -> Self {
        Self::made(timeout, Some(reach))
    }

    fn made(timeout: Duration, reach: Option<Reach>) -> Self {
        Self(Arc::new(Inner { timeout, reach, loaded: OnceCell::new(), straight: OnceLock::new() }))
    }

    /// Opens connections for requests that will come at once before long, to where the last one went.
    pub(crate) fn expect(&self, requests: usize) {
        let connections = self.0.loaded.get().map(|loaded| &loaded.connections).or_else(|| self.0.straight.get());
        if let Some(connections) = connections {
            connections.expect(requests);
        }
    }

    /// Returns when the credentials end that were given last, where whoever gave them says so.
    pub(crate) fn keys_end(&self) -> Option<SystemTime> {
        self.0.loaded.get()?.ends.get()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Returns the region that counts where none is named, as far as that can be told without reading a profile.
    #[cfg(feature = "aws-sdk-ssm")]
    pub(crate) fn region_by_now(&self) -> Option<String> {
        let Inner { reach, loaded, .. } = &*self.0;
        let told = reach.as_ref().map(|reach| reach.region.clone());
        let read = || Some(loaded.get()?.region.as_ref()?.to_string());
        told.or_else(read).or_else(settings::region_of_environment)
    }

    /// Returns what the client of a service in a region is made from.
    pub(crate) async fn line(&self, service: Service, region: Option<&Region>) -> Result<Line, SettingError> {
        let (Inner { timeout, reach, loaded, straight }, region) =
            (&*self.0, region.map(|region| region.as_str().to_owned()));
        let stalled = StalledStreamProtectionConfig::enabled().grace_period(STALL.min(*timeout)).build();
        if let Some(reach) = reach {
            let credentials = Credentials::new(&reach.access_key, &reach.secret_key, None, None, "told");
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(region::Region::new(region.unwrap_or_else(|| reach.region.clone())))
                .retry_config(in_time(RetryConfig::standard(), *timeout))
                .timeout_config(timeouts(*timeout))
                .stalled_stream_protection(stalled)
                .http_client(straight.get_or_init(|| Connections::new(Proxies::none(), None)).clone())
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .build();
            let site = Site { endpoint: Some(reach.endpoint.clone()), proxy: None };
            return Ok(Line { service, config, site, path_style: true });
        }
        let Loaded { settings, connections, shared, region: default, .. } =
            loaded.get_or_try_init(|| load(*timeout)).await?;
        let region = match (region.map(region::Region::new).or_else(|| default.clone()), service) {
            (Some(region), _) => region,
            (None, Service::Store) => region::Region::from_static(REGION),
            (None, Service::Parameters) => return Err(SettingError::NoRegion(settings.profile())),
        };
        let names = Names::of(service);
        let endpoint = settings.endpoint(shared, &names)?;
        let proxy = connections.proxy(endpoint.as_deref().unwrap_or(names.aws)).map(str::to_owned);
        let config = shared.clone().into_builder().region(region).timeout_config(timeouts(*timeout));
        let config = config.stalled_stream_protection(stalled).build();
        // Few services have a name for each bucket in the DNS, but all of them take the bucket in the path.
        let path_style = endpoint.is_some() || settings.section("s3", "addressing_style") == Some("path");
        Ok(Line { service, config, site: Site { endpoint, proxy }, path_style })
    }
}

impl fmt::Debug for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Common").field("timeout", &self.0.timeout).finish_non_exhaustive()
    }
}

/// Holds what the client of one service in one region is made from.
pub(crate) struct Line {
    service: Service,
    pub(crate) config: SdkConfig,
    pub(crate) site: Site,
    /// Whether a bucket is named in the path and not in the host.
    pub(crate) path_style: bool,
}

impl Line {
    /// Names those whose failures are a reason to try less often: that one service fails, in one region, is none to do so with another.
    pub(crate) fn partition(&self) -> String {
        let region = self.config.region().map_or("", region::Region::as_ref);
        let endpoint = self.site.endpoint.as_deref().unwrap_or_default();
        format!("{} {region} {endpoint}", Names::of(self.service).id)
    }
}

/// Says where a service is, and which way leads there.
pub(crate) struct Site {
    /// Its URL, where it is not where AWS has it.
    pub(crate) endpoint: Option<String>,
    /// What messages call the proxy by which it is reached.
    proxy: Option<String>,
}

impl Site {
    /// Says where it is that the service is asked.
    pub(crate) fn place(&self, region: Option<&region::Region>) -> Place {
        let here = match &self.endpoint {
            Some(endpoint) => format!("at {endpoint}"),
            None => format!("in region {}", region.map_or("", region::Region::as_ref)),
        };
        let words = match &self.proxy {
            Some(proxy) => format!("{here} by the proxy {proxy}"),
            None => here,
        };
        Place { words, proxied: self.proxy.is_some() }
    }
}

/// Says where a service is asked.
pub(crate) struct Place {
    words: String,
    /// Whether it is by a proxy.
    proxied: bool,
}

/// Waits before something is tried again: longer each time, and nobody as long as anybody else.
pub(crate) async fn pause(attempt: u32) {
    tokio::time::sleep(pause_of(attempt)).await;
}

/// Returns how long to wait before something is tried again.
pub(crate) fn pause_of(attempt: u32) -> Duration {
    let most = 40_u64 << attempt.min(6);
    Duration::from_millis(fastrand::u64(most / 2..=most))
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
async fn load(timeout: Duration) -> Result<Loaded, SettingError> {
    let settings = Settings::load().await?;
    let connections = Connections::new(Proxies::of_environment()?, settings.authorities()?);
    let region = settings.region().await?;
    let some_region = region.clone().unwrap_or_else(|| region::Region::from_static(REGION));
    let retry = in_time(settings.retry()?, timeout);
    let shared = aws_config::defaults(BehaviorVersion::latest())
        .profile_name(settings.profile())
        .region(some_region.clone())
        .retry_config(retry.clone())
        .http_client(connections.clone())
        .no_credentials()
        .load()
        .await;
    let config = ProviderConfig::without_region()
        .with_region(Some(some_region))
        .with_use_fips(shared.use_fips())
        .with_use_dual_stack(shared.use_dual_stack())
        .with_retry_config(retry)
        .with_timeout_config(timeouts(timeout));
    let chain = credentials::chain(&config, &connections, &settings);
    // A process that gives credentials may ask a person first. But what gives none is told before the request is given up.
    let cache = IdentityCache::lazy().load_timeout(timeout * 3 / 4).build();
    let (noted, ends) = credentials::noted(chain);
    let builder = shared.into_builder().credentials_provider(SharedCredentialsProvider::new(noted));
    let shared = builder.identity_cache(cache).build();
    Ok(Loaded { settings, connections, shared, region, ends })
}
