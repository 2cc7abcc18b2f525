//! The proxies that the environment names, as the AWS CLI reads them: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, and each in lower case,
//! which wins.

use std::net::IpAddr;
use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;

use super::settings::SettingError;

/// Holds the proxies of the two kinds of URL, and what goes past them.
pub(super) struct Proxies {
    pub(super) http: Option<Proxy>,
    pub(super) https: Option<Proxy>,
    pub(super) exceptions: Exceptions,
}

/// Holds a proxy and how messages call it: without the password that may be in its URL.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) config: ProxyConfig,
    pub(super) name: String,
}

impl Proxies {
    /// Has everything go straight.
    pub(super) fn none() -> Self {
        Self { http: None, https: None, exceptions: Exceptions(Arc::default()) }
    }

    pub(super) fn of_environment() -> Result<Self, SettingError> {
        let exceptions = first(["no_proxy", "NO_PROXY"]).map(|(_, list)| list).unwrap_or_default();
        Ok(Self {
            http: proxy(["http_proxy", "HTTP_PROXY"], |url| ProxyConfig::http(url))?,
            https: proxy(["https_proxy", "HTTPS_PROXY"], |url| ProxyConfig::https(url))?,
            exceptions: Exceptions(exceptions.into()),
        })
    }
}

/// Returns the first variable that is set, and its value; one that is set to nothing hides those after it.
fn first(variables: [&'static str; 2]) -> Option<(&'static str, String)> {
    let (variable, value) = variables.into_iter().find_map(|name| Some((name, std::env::var_os(name)?)))?;
    let value = value.to_string_lossy().trim().to_owned();
    (!value.is_empty()).then_some((variable, value))
}

/// Reads the URL of a proxy. What is wrong with it is told without it: there may be a password in it.
fn proxy<E: std::fmt::Display>(
    variables: [&'static str; 2],
    read: impl Fn(&str) -> Result<ProxyConfig, E>,
) -> Result<Option<Proxy>, SettingError> {
    let Some((variable, value)) = first(variables) else { return Ok(None) };
    let wrong = |problem: String| SettingError::Proxy { variable, problem };
    // A host alone is taken for one that speaks plain HTTP.
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value.trim_start_matches('/')));
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    let name = format!("{scheme}://{place}");
    if !value.is_ascii() || Target::of(&name).is_none() {
        return Err(wrong("it names no host, or a port that is none".to_owned()));
    }
    // The library would end the user at the first of several.
    let user = user.map(|user| format!("{}@", user.replace('@', "%40"))).unwrap_or_default();
    let config = read(&format!("{scheme}://{user}{place}"));
    let config = config.map_err(|error| wrong(format!("{error}; user and password are percent-encoded")))?;
    Ok(Some(Proxy { config, name: format!("{name} of {variable}") }))
}

/// Holds what goes past the proxies, separated by commas: hosts and all below them, addresses and networks, each perhaps with a port; `*`
/// is everything.
#[derive(Debug, Clone)]
pub(super) struct Exceptions(Arc<str>);

impl Exceptions {
    /// Says whether a URL is one of them.
    pub(super) fn has(&self, url: &str) -> bool {
        let Some(target) = Target::of(url) else { return false };
        self.0.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| target.is_in(entry))
    }
}

/// Holds where a URL leads.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// The host, in lower case and without brackets.
    host: String,
    port: u16,
}

impl Target {
    fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = split(place);
        let port = match port {
            Some(port) => port.parse().ok()?,
            None if scheme.eq_ignore_ascii_case("https") => 443,
            None => 80,
        };
        (!host.is_empty()).then(|| Self { host: host.to_ascii_lowercase(), port })
    }

    fn is_in(&self, entry: &str) -> bool {
        if entry == "*" || self.is_within(entry) == Some(true) {
            return true;
        }
        let (name, port) = split(entry);
        let name = name.strip_prefix('*').unwrap_or(name).trim_start_matches('.').to_ascii_lowercase();
        let here = port.is_none_or(|port| port.parse() == Ok(self.port));
        let below = || {
            let left = self.host.strip_suffix(&name);
            left.is_some_and(|left| left.ends_with('.')) && self.host.parse::<IpAddr>().is_err()
        };
        here && !name.is_empty() && (self.host == name || below())
    }

    /// Says whether the host is an address in a network such as `10.0.0.0/8`; none where one of them is no such thing.
    fn is_within(&self, network: &str) -> Option<bool> {
        let (base, length) = network.split_once('/')?;
        let (base, length): (IpAddr, u32) = (base.parse().ok()?, length.parse().ok()?);
        let (one, other, bits) = match (base, self.host.parse().ok()?) {
            (IpAddr::V4(one), IpAddr::V4(other)) => (u32::from(one).into(), u32::from(other).into(), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => (u128::from(one), u128::from(other), 128_u32),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return Some(false),
        };
        let rest = bits.checked_sub(length)?;
        // To shift all bits out is no shift.
        Some(one.checked_shr(rest) == other.checked_shr(rest))
    }
}

/// Splits a host from its port. An IPv6 address has brackets where a port follows.
fn split(place: &str) -> (&str, Option<&str>) {
    if place.parse::<IpAddr>().is_ok() {
        return (place, None);
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    (host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host), port)
}
