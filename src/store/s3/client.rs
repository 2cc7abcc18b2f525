//! The SDK's client: made when the first request is, and without waiting for anything that is not there.

use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Credentials, Region, StalledStreamProtectionConfig};
use aws_types::service_config::ServiceConfigKey;

use super::Reach;

/// Where a bucket is looked for when nothing says a region: every region's buckets are known there, and the answer names the right one.
const REGION: &str = "us-east-1";

/// How long a connection may take to be made. A host that is there answers in a fraction of it; each retry waits as long again.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a transfer may stand still before the SDK gives it up (its own default).
const STALL: Duration = Duration::from_secs(20);

/// Holds how the service is reached.
pub(super) struct Access {
    pub(super) client: Client,
    /// Its URL, where it is not where AWS has it.
    pub(super) endpoint: Option<String>,
}

/// Makes the client.
pub(super) async fn build(timeout: Duration, reach: Option<Reach>) -> Access {
    let (builder, endpoint) = match reach {
        Some(reach) => {
            let credentials = Credentials::new(reach.access_key, reach.secret_key, None, None, "told");
            let builder = Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(reach.region))
                .endpoint_url(&reach.endpoint)
                .credentials_provider(credentials);
            (builder, Some(reach.endpoint))
        }
        None => {
            let shared = settings().await;
            (Builder::from(&shared), endpoint(&shared))
        }
    };
    let stalled = StalledStreamProtectionConfig::enabled().grace_period(STALL.min(timeout)).build();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT.min(timeout)).build();
    let builder = builder.stalled_stream_protection(stalled).timeout_config(timeouts);
    // Few services have a name for each bucket in the DNS, but all of them take the bucket in the path.
    let client = Client::from_conf(builder.force_path_style(endpoint.is_some()).build());
    Access { client, endpoint }
}

/// Makes a client that differs in its region alone.
pub(super) fn in_region(client: &Client, region: String) -> Client {
    Client::from_conf(client.config().to_builder().region(Region::new(region)).build())
}

/// Reads the AWS settings of environment and profiles. The SDK's own way would ask the instance-metadata address for a region, and then
/// for credentials: three seconds of silence on a machine that is no instance.
async fn settings() -> SdkConfig {
    let told = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
    let told = told.or_else(ProfileFileRegionProvider::new()).region().await;
    let region = told.unwrap_or_else(|| Region::from_static(REGION));
    let config = ProviderConfig::without_region().with_region(Some(region.clone()));
    let mut chain = CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("Profile", ProfileFileCredentialsProvider::builder().configure(&config).build())
        .or_else("WebIdentityToken", WebIdentityTokenCredentialsProvider::builder().configure(&config).build())
        .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&config).build());
    if is_instance() {
        chain = chain.or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&config).build());
    }
    aws_config::defaults(BehaviorVersion::latest()).region(region).credentials_provider(chain).load().await
}

/// Says whether this machine is one of EC2's, by what its firmware says (source: "Detect whether a host is an EC2 instance").
///
/// Where there is no such thing to read, it may be one.
fn is_instance() -> bool {
    let says = |path: &str, word: &str| {
        std::fs::read_to_string(path).is_ok_and(|text| text.to_ascii_lowercase().starts_with(word))
    };
    !cfg!(target_os = "linux")
        || says("/sys/class/dmi/id/sys_vendor", "amazon")
        || says("/sys/class/dmi/id/bios_vendor", "amazon")
        || says("/sys/hypervisor/uuid", "ec2")
}

/// Returns the service's URL where a setting has it; the SDK gives it to the client by itself.
fn endpoint(shared: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_s3 = key.ok().and_then(|key| shared.service_config()?.load_config(key));
    of_s3.or_else(|| shared.endpoint_url().map(str::to_owned))
}
