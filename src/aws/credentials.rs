//! Who asks: the providers of credentials, in the order of the AWS SDK.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

use super::connection::Connections;
use super::settings::{Settings, variable};

const CONTAINER: &str = "EcsContainer";
const INSTANCE: &str = "Ec2InstanceMetadata";

/// Joins the providers. What asks a service goes where the settings say; what asks this container or this instance goes there
/// straight, since a proxy is another machine.
pub(super) fn chain(
    config: &ProviderConfig,
    connections: &Connections,
    settings: &Settings,
) -> CredentialsProviderChain {
    let near = config.clone().with_http_client(connections.direct());
    let config = config.clone().with_http_client(connections.clone());
    let container = || EcsCredentialsProvider::builder().configure(&near).build();
    let instance = || ImdsCredentialsProvider::builder().configure(&near).build();
    // A profile may name either as the source of its credentials.
    let profile = ProfileFileCredentialsProvider::builder()
        .configure(&config)
        .profile_name(settings.profile())
        .with_custom_provider(CONTAINER, container())
        .with_custom_provider(INSTANCE, instance());
    let chain = CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("Profile", profile.build())
        .or_else(
            "WebIdentityToken",
            WebIdentity(WebIdentityTokenCredentialsProvider::builder().configure(&config).build()),
        )
        .or_else(CONTAINER, container());
    if settings.wants_instance() || is_instance() { chain.or_else(INSTANCE, instance()) } else { chain }
}

/// Knows when the credentials end that were given last. Clones are handles to the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends(Arc<Mutex<Option<SystemTime>>>);

impl Ends {
    /// Returns the time, where whoever gave them says it.
    pub(super) fn get(&self) -> Option<SystemTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives what a chain gives, and notes when that ends: a URL that was signed with it ends then, whatever it says itself.
#[derive(Debug)]
pub(super) struct Noted {
    chain: CredentialsProviderChain,
    ends: Ends,
}

/// Has a chain note when what it gives ends.
pub(super) fn noted(chain: CredentialsProviderChain) -> (Noted, Ends) {
    let ends = Ends::default();
    (Noted { chain, ends: ends.clone() }, ends)
}

impl ProvideCredentials for Noted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let given = self.chain.provide_credentials().await?;
            *self.ends.0.lock().unwrap_or_else(PoisonError::into_inner) = given.expiry();
            Ok(given)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.chain.fallback_on_interrupt()
    }
}

/// Exchanges a token for keys, and says what is missing for that: the SDK does not name the file that it does not find.
#[derive(Debug)]
struct WebIdentity(WebIdentityTokenCredentialsProvider);

impl WebIdentity {
    const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
    const ROLE: &str = "AWS_ROLE_ARN";

    fn expect_settings() -> Result<(), CredentialsError> {
        let unset = || CredentialsError::not_loaded("no web identity is configured");
        let file = variable(Self::FILE).ok_or_else(unset)?;
        let problem = match std::fs::File::open(&file) {
            Ok(_) if variable(Self::ROLE).is_some() => return Ok(()),
            Ok(_) => format!("{} is set, and {} is not", Self::FILE, Self::ROLE),
            Err(error) => format!("{} is {file:?}, which cannot be read ({error})", Self::FILE),
        };
        Err(CredentialsError::invalid_configuration(problem))
    }
}

impl ProvideCredentials for WebIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match Self::expect_settings() {
            Ok(()) => self.0.provide_credentials(),
            Err(error) => future::ProvideCredentials::ready(Err(error)),
        }
    }
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
