//! Why there was no answer.

use std::error::Error;
use std::io;

use aws_sdk_s3::error::ConnectorError;
use rustls::{CertificateError, Error as Tls};

use super::{Reason, causes};
use crate::reason::{Outage, Setting};
use crate::words::chain;

/// What is told of a proxy that wants a name and a password.
const UNKNOWN: &str = "it wants to know who asks (407)";

/// How the SDK says that a body has stood still. It has no type for that which others could name.
const STALLED: &str = "minimum throughput was specified";

/// Says what a connection failed of, in a reason and in words.
pub(super) fn judge(failure: &ConnectorError) -> (Reason, String) {
    let words = failure.source().map_or_else(|| chain(failure), chain);
    // Where in the client it failed helps nobody.
    let words = ["client error (Connect): ", "client error (SendRequest): "]
        .iter()
        .fold(words.as_str(), |words, place| words.strip_prefix(place).unwrap_or(words))
        .to_owned();
    if let Some(tunnel) = tunnel(&words) {
        return tunnel;
    }
    let encrypted = causes(failure).find_map(|cause| cause.downcast_ref::<Tls>());
    if let Some((setting, words)) = encrypted.and_then(tls) {
        return (Reason::Set(setting), words);
    }
    let system = causes(failure).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match system {
        Some(io::ErrorKind::ConnectionRefused) => (Reason::Out(Outage::Unreachable), "nobody listens there".to_owned()),
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown) => {
            (Reason::Out(Outage::Unreachable), words)
        }
        _ if words.contains("dns error") || words.contains("DNS lookup") => {
            (Reason::Out(Outage::Unreachable), format!("its name has no address: {words}"))
        }
        // Connections alone are given a time.
        _ if failure.is_timeout() => (Reason::Out(Outage::Unreachable), format!("no connection came about: {words}")),
        _ if is_stalled(&words) => (Reason::Out(Outage::Stalled), words),
        _ if encrypted.is_some() => (Reason::Out(Outage::Plain), words),
        // What the connector cannot name is no matter of the line: an endpoint that is no URL, an answer that is not HTTP.
        _ if failure.is_user() || failure.is_other() && failure.as_other().is_none() => {
            (Reason::Set(Setting::Endpoint), words)
        }
        _ => (Reason::Out(Outage::Plain), words),
    }
}

/// Says that the next try would fail of the same. A proxy that refuses does not tell for how long, unless it wants to know who asks.
pub(super) fn is_hopeless(failure: &ConnectorError) -> bool {
    let (reason, words) = judge(failure);
    matches!(reason, Reason::Set(setting) if setting != Setting::Proxy || words == UNKNOWN)
}

/// Says whether a body stood still for longer than the SDK takes.
pub(crate) fn is_stalled(words: &str) -> bool {
    words.contains(STALLED)
}

/// Says what a proxy made of the wish to be connected. The type that says so is nobody's to name.
fn tunnel(words: &str) -> Option<(Reason, String)> {
    let (_, said) = words.split_once("tunnel error: ")?;
    Some(match said {
        "proxy authorization required" => (Reason::Set(Setting::Proxy), UNKNOWN.to_owned()),
        "unsuccessful" => (Reason::Set(Setting::Proxy), "it refuses to connect".to_owned()),
        other => (Reason::Out(Outage::Proxy), other.to_owned()),
    })
}

/// Says what the other side of an encrypted connection is not.
fn tls(error: &Tls) -> Option<(Setting, String)> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "there are dozens, and no more can be done about the others")]
    Some(match error {
        Tls::InvalidCertificate(problem) => (certificate(problem), problem.to_string()),
        Tls::InvalidMessage(_) => (Setting::Encryption, "what it says is no TLS".to_owned()),
        Tls::AlertReceived(_) | Tls::PeerIncompatible(_) => (Setting::Endpoint, error.to_string()),
        _ => return None,
    })
}

fn certificate(problem: &CertificateError) -> Setting {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else is wrong with one, it is not to be trusted")]
    match problem {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Setting::Validity,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Setting::Name,
        _ => Setting::Authority,
    }
}
