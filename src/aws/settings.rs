//! What environment and profile say, under the names of the AWS CLI. A setting that makes no sense is refused: to pass over it would mean
//! to reach another service, or the right one in another way, than whoever set it believes.

use std::path::PathBuf;

use aws_config::SdkConfig;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::{ProfileFileLoadError, ProfileFileRegionProvider, ProfileSet};
use aws_config::retry::{RetryConfig, RetryMode};
use aws_smithy_http_client::tls::TrustStore;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::region::Region;
use aws_types::service_config::ServiceConfigKey;

use super::{Names, authorities};

/// The variables that say a region.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Says which setting makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    /// The profiles cannot be read.
    #[error("the AWS profiles cannot be read")]
    Profiles(#[source] ProfileFileLoadError),
    /// There is no such profile.
    #[error("AWS_PROFILE is {name:?}, and there is no such profile in {files}: {}", known(.profiles))]
    NoProfile {
        /// The profile that is asked for.
        name: String,
        /// The files that were read.
        files: String,
        /// Those that there are.
        profiles: Vec<String>,
    },
    /// Nothing says a region, and there is a service of this kind in each.
    #[error("neither AWS_REGION nor AWS_DEFAULT_REGION is set, nor region in the AWS profile {0}")]
    NoRegion(String),
    /// A variable names no proxy.
    #[error("{variable} is not the URL of a proxy, such as http://proxy.example:3128: {problem}")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting has a value that it cannot have.
    #[error("{setting} is {value:?}: {problem}")]
    Value {
        /// The variable, or the key of the profile.
        setting: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

fn known(profiles: &[String]) -> String {
    match profiles {
        [] => "they have none".to_owned(),
        _ => format!("they have {}", profiles.join(", ")),
    }
}

/// Holds the profile that counts, and looks settings up in the environment and there.
pub(super) struct Settings {
    profile: String,
    profiles: ProfileSet,
}

/// Holds a setting's value and who said it.
struct Said {
    setting: String,
    value: String,
}

impl Said {
    fn wrong(self, problem: impl Into<String>) -> SettingError {
        SettingError::Value { setting: self.setting, value: self.value, problem: problem.into() }
    }
}

impl Settings {
    pub(super) async fn load() -> Result<Self, SettingError> {
        let named = variable("AWS_PROFILE");
        let profile = named.clone().unwrap_or_else(|| "default".to_owned());
        let files = &Default::default();
        let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), files, Some(profile.clone().into())).await;
        let profiles = profiles.map_err(SettingError::Profiles)?;
        // The AWS CLI asks no less. What this profile says of region and endpoint would be missing, too.
        if profile != "default" && profiles.get_profile(&profile).is_none() {
            let mut others: Vec<String> = profiles.profiles().map(str::to_owned).collect();
            others.sort();
            let file = |name: &str, usual: &str| variable(name).unwrap_or_else(|| usual.to_owned());
            let config = file("AWS_CONFIG_FILE", "~/.aws/config");
            let files = format!("{config} and {}", file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"));
            return Err(SettingError::NoProfile { name: profile, files, profiles: others });
        }
        Ok(Self { profile, profiles })
    }

    /// Returns the name of the profile that counts.
    pub(super) fn profile(&self) -> String {
        self.profile.clone()
    }

    /// Returns the region that the environment says, or the profile.
    pub(super) async fn region(&self) -> Result<Option<Region>, SettingError> {
        let told = REGIONS.into_iter().find_map(|name| Some((name.to_owned(), variable(name)?)));
        // A profile takes it from the one that its credentials are from.
        let profile = ProfileFileRegionProvider::builder().profile_name(self.profile()).build();
        let of_profile = || async { Some((self.key("region"), profile.region().await?.to_string())) };
        let told = if told.is_some() { told } else { of_profile().await };
        let Some((setting, value)) = told else { return Ok(None) };
        let allowed = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !allowed || value.is_empty() || value.starts_with('-') || value.ends_with('-') {
            return Err(Said { setting, value }.wrong("a region belongs here, such as eu-north-1"));
        }
        Ok(Some(Region::new(value)))
    }

    /// Returns the authorities to trust instead of the system's, if there are any.
    pub(super) fn authorities(&self) -> Result<Option<TrustStore>, SettingError> {
        let Some(said) = self.said("AWS_CA_BUNDLE", "ca_bundle") else { return Ok(None) };
        authorities::read(&PathBuf::from(&said.value)).map(Some).map_err(|problem| said.wrong(problem))
    }

    /// Says how often a request is tried, and how eagerly.
    pub(super) fn retry(&self) -> Result<RetryConfig, SettingError> {
        let mut retry = RetryConfig::standard();
        if let Some(said) = self.said("AWS_MAX_ATTEMPTS", "max_attempts") {
            match said.value.parse::<u32>() {
                Ok(attempts @ 1..) => retry = retry.with_max_attempts(attempts),
                Ok(0) | Err(_) => return Err(said.wrong("a number from 1 belongs here")),
            }
        }
        if let Some(said) = self.said("AWS_RETRY_MODE", "retry_mode") {
            match said.value.to_ascii_lowercase().as_str() {
                // The SDK has no mode of old, which differs in details of timing.
                "standard" | "legacy" => {}
                "adaptive" => retry = retry.with_retry_mode(RetryMode::Adaptive),
                _ => return Err(said.wrong("standard or adaptive belongs here")),
            }
        }
        Ok(retry)
    }

    /// Returns a service's URL, where it is not where AWS has it.
    pub(super) fn endpoint(&self, shared: &SdkConfig, names: &Names) -> Result<Option<String>, SettingError> {
        let told = |variable: &str| {
            let key = ServiceConfigKey::builder().service_id(names.id).env(variable).profile("endpoint_url").build();
            shared.service_config()?.load_config(key.ok()?)
        };
        // What is ignored is not told. A variable that is set to nothing hides the others from the SDK.
        let Some(first) = told("AWS_ENDPOINT_URL") else { return Ok(None) };
        let rest = || variable("AWS_ENDPOINT_URL").or_else(|| told("")).filter(|url| !url.is_empty());
        let Some(value) = Some(first).filter(|url| !url.is_empty()).or_else(rest) else { return Ok(None) };
        let rest = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"));
        if rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')) {
            return Ok(Some(value));
        }
        let variables = [names.endpoint, "AWS_ENDPOINT_URL"];
        let told = variables.into_iter().find(|name| variable(name).as_ref() == Some(&value));
        let setting = told.map_or_else(|| self.key("endpoint_url"), str::to_owned);
        Err(Said { setting, value }.wrong("a URL belongs here, http://HOST[:PORT] or https://HOST[:PORT]"))
    }

    /// Returns what the profile says of a service alone, in its section: `addressing_style` in `s3`.
    pub(super) fn section(&self, section: &str, key: &str) -> Option<&str> {
        let pairs = self.profiles.get(section)?.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Says whether an instance's metadata are asked for, whatever this machine is: somebody says where they are.
    pub(super) fn wants_instance(&self) -> bool {
        self.said("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint").is_some()
    }

    /// Looks a setting up: first in the environment, then in the profile.
    fn said(&self, name: &str, key: &str) -> Option<Said> {
        let in_profile = || Some(Said { setting: self.key(key), value: self.profiles.get(key)?.to_owned() });
        variable(name).map(|value| Said { setting: name.to_owned(), value }).or_else(in_profile)
    }

    /// Returns how messages call a key of the profile.
    fn key(&self, key: &str) -> String {
        format!("{key} in the AWS profile {}", self.profile)
    }
}

/// Returns a variable's value; one that is set to nothing counts as not set.
pub(super) fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

/// Returns the region that the environment says; it goes before that of any profile.
#[cfg(feature = "aws-sdk-ssm")]
pub(super) fn region_of_environment() -> Option<String> {
    REGIONS.into_iter().find_map(variable)
}
