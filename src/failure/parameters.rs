//! What a failure of Parameter Store is to whoever meets it.

use super::{Kind, Verdict, advised, plain};
use crate::parameters::ParameterError;
use crate::reason::{Denial, Outage, Setting};

pub(super) fn parameters(error: &ParameterError) -> Verdict {
    match error {
        ParameterError::AccessDenied { name, denial, .. } => advised(Kind::AccessDenied, denied(*denial, name)),
        ParameterError::Configuration { setting, .. } => advised(Kind::Configuration, set(*setting)),
        ParameterError::Unavailable { outage, .. } => advised(Kind::Unavailable, out(*outage)),
        ParameterError::Absent { .. } => advised(
            Kind::Configuration,
            "install the program as it comes: the feature is on unless somebody turns it off",
        ),
        ParameterError::Encrypted { .. } => advised(
            Kind::Configuration,
            "delete it and set it as a String: what it says is no secret, and Startifact reads no other",
        ),
        ParameterError::Other { .. } => plain(Kind::Other),
    }
}

/// Advises whoever may not read or set a parameter.
fn denied(denial: Denial, name: &str) -> String {
    let grant = |action: &str| format!("whoever keeps the account can grant {action} on the parameter {name}");
    match denial {
        Denial::Plain | Denial::Listing | Denial::Reading => grant("ssm:GetParameter"),
        Denial::Writing | Denial::Deleting => grant("ssm:PutParameter"),
        Denial::Expired | Denial::Token | Denial::Key | Denial::Secret => super::store::denied(denial).to_owned(),
    }
}

fn out(outage: Outage) -> &'static str {
    match outage {
        Outage::Plain => "run it again when the Parameter Store answers",
        Outage::Throttled => {
            "run it again later, or give it longer with --timeout: an account has few requests a second"
        }
        Outage::Unreachable => {
            "check the network, and AWS_ENDPOINT_URL_SSM or AWS_ENDPOINT_URL: they say where the Parameter Store is asked"
        }
        Outage::Stalled | Outage::Proxy | Outage::Full | Outage::Failing | Outage::Crowded => super::store::out(outage),
    }
}

fn set(setting: Setting) -> &'static str {
    match setting {
        Setting::NoRegion | Setting::Region => {
            "set AWS_REGION, or `region` in the profile: each region has parameters of its own"
        }
        Setting::Endpoint => {
            "AWS_ENDPOINT_URL_SSM or AWS_ENDPOINT_URL must be the URL of Systems Manager itself: https or http, host and port"
        }
        Setting::Value
        | Setting::Credentials
        | Setting::Profile
        | Setting::Login
        | Setting::Provider
        | Setting::Bucket
        | Setting::Encryption
        | Setting::Authority
        | Setting::Validity
        | Setting::Name
        | Setting::Clock
        | Setting::Proxy
        | Setting::Conditions
        | Setting::Place => super::store::set(setting),
    }
}
