//! Why there are no credentials.

use std::error::Error;

use aws_config::meta::ProviderChainError;
use aws_credential_types::provider::error::CredentialsError;

use super::causes;
use crate::reason::Setting;
use crate::words::chain;

/// How the SDK says that it no longer waits for credentials. It has no type for that which others could name.
const WAITED: &str = "identity resolver timed out";

/// Returns what a provider of credentials said, if that is why nothing was sent.
pub(super) fn cause(error: &(dyn Error + 'static)) -> Option<(Setting, String)> {
    if let Some(waited) = causes(error).map(ToString::to_string).find(|said| said.contains(WAITED)) {
        return Some((Setting::Provider, waited.replace(WAITED, "what should give them says nothing")));
    }
    let cause = causes(error).find(|cause| cause.is::<CredentialsError>())?;
    if matches!(cause.downcast_ref(), Some(CredentialsError::CredentialsNotLoaded(_))) {
        let nobody = || {
            (
                Setting::Credentials,
                "neither environment, profile, web identity, container nor instance gives any".to_owned(),
            )
        };
        return Some(profile(cause).map_or_else(nobody, |words| (Setting::Profile, words)));
    }
    // What the SDK says first is that there are none.
    let words = cause.source().map_or_else(|| chain(cause), chain);
    let setting = if words.contains("SSO") || words.contains("sso") {
        Setting::Login
    } else if matches!(cause.downcast_ref(), Some(CredentialsError::InvalidConfiguration(_))) {
        Setting::Profile
    } else {
        Setting::Provider
    };
    Some((setting, words))
}

/// Returns what is wrong with the profile that was asked for. That there is none of the default's name is nothing that anybody asked for.
fn profile(cause: &(dyn Error + 'static)) -> Option<String> {
    let all = causes(cause).find_map(|cause| cause.downcast_ref::<ProviderChainError<CredentialsError>>());
    let said = |words: &String| words.contains("rofile") && !words.contains("profile `default`");
    match all {
        Some(all) => all.attempts().iter().filter_map(|attempt| attempt.error().source()).map(chain).find(said),
        None => cause.source().map(chain).filter(said),
    }
}
