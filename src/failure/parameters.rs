//! What it is to whoever meets it that a parameter is not read or set.

use super::store::{denied, out, set};
use super::{Kind, Verdict, advised, plain};
use crate::parameters::ParameterError;
use crate::store::Denial;

pub(super) fn parameters(error: &ParameterError) -> Verdict {
    match error {
        ParameterError::AccessDenied { denial, .. } if denial.is_of_identity() => {
            advised(Kind::AccessDenied, denied(*denial))
        }
        ParameterError::AccessDenied { denial: Denial::Writing, .. } => {
            advised(Kind::AccessDenied, "whoever keeps the account can grant ssm:PutParameter on it")
        }
        ParameterError::AccessDenied { .. } => {
            advised(Kind::AccessDenied, "whoever keeps the account can grant ssm:GetParameter on it")
        }
        ParameterError::Configuration { setting, .. } => advised(Kind::Configuration, set(*setting)),
        ParameterError::Unavailable { outage, .. } => advised(Kind::Unavailable, out(*outage)),
        ParameterError::Other { .. } => plain(Kind::Other),
    }
}
