//! What a failure of an organisation's set-up is.

use super::parameters::parameters;
use super::{Kind, Verdict, advised, plain};
use crate::parameters::name::ParameterNameError;
use crate::setup::{AnswerError, SetupError};

pub(super) fn setup(error: &SetupError) -> Verdict {
    match error {
        SetupError::Nothing { .. } => advised(
            Kind::NotFound,
            "`metalogic setup` makes one; STARTIFACT_PARAMETER, STARTIFACT_REGIONS, AWS_PROFILE and AWS_REGION say where it is looked for",
        ),
        SetupError::Unfinished { .. } => advised(
            Kind::NotFound,
            "`metalogic setup` goes on with it; `metalogic setup --yes` takes what it lacks as it is by default",
        ),
        SetupError::Malformed { parameter, .. } => advised(
            Kind::Configuration,
            format!(
                "`aws ssm get-parameter-history --name {parameter}` shows what it was before; `metalogic setup --force` puts a new one in its place; STARTIFACT_PARAMETER names another parameter"
            ),
        ),
        SetupError::Changed { .. } => {
            advised(Kind::Conflict, "`metalogic setup --show` shows what it says now; run the set-up again on that")
        }
        SetupError::Stopped { .. } => plain(Kind::Other),
        SetupError::Parameters(source) => parameters(source),
    }
}

/// Judges a parameter's name where a setting says it.
pub(super) fn parameter_name(_: &ParameterNameError) -> Verdict {
    advised(
        Kind::Configuration,
        "correct what names it: STARTIFACT_PARAMETER, or [versions] parameter in the registry file",
    )
}

pub(super) fn answer(_: &AnswerError) -> Verdict {
    plain(Kind::Usage)
}
