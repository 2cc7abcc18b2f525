//! Whether the bucket can be found by what a configuration says.

use futures::future::join_all;

use super::{Setup, Standing};
use crate::json;
use crate::location::is_bucket;
use crate::organisation::Organisation;
use crate::organisation::OrganisationKind;
use crate::organisation::Region;
use crate::parameters::ParameterError;

/// Says why the bucket cannot be found by what a configuration says. It may be deployed later.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// There is no such parameter.
    #[error("there is no parameter {parameter} in {place}")]
    Missing {
        /// The parameter.
        parameter: String,
        /// Where it was looked for.
        place: String,
    },
    /// It holds something else.
    #[error("the parameter {parameter} in {place} holds \"{value}\", which is no bucket's name")]
    NoBucket {
        /// The parameter.
        parameter: String,
        /// Where it is.
        place: String,
        /// What it holds, shortened.
        value: String,
    },
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ParameterError),
}

impl Setup {
    /// Looks whether the bucket can be found by what a configuration says; returns what is in the way.
    pub async fn doubts(&self, standing: &Standing, organisation: &Organisation) -> Vec<BucketError> {
        let places = match &organisation.kind {
            OrganisationKind::Described { bucket_parameter_region: Some(region), .. } => vec![Some(region.clone())],
            OrganisationKind::Described { .. } | OrganisationKind::Released { .. } => {
                self.targets(standing, organisation)
            }
        };
        let parameter = organisation.bucket_parameter.as_str();
        let checks = places.iter().map(|place| self.bucket(parameter, place.as_ref()));
        join_all(checks).await.into_iter().filter_map(Result::err).collect()
    }

    async fn bucket(&self, parameter: &str, place: Option<&Region>) -> Result<(), BucketError> {
        let parameters = self.account.parameters(place);
        let (parameter_name, place) = (parameter.to_owned(), parameters.place());
        let Some(value) = parameters.get(parameter).await? else {
            return Err(BucketError::Missing { parameter: parameter_name, place });
        };
        if is_bucket(&value) {
            return Ok(());
        }
        Err(BucketError::NoBucket { parameter: parameter_name, place, value: json::shortened(&value) })
    }
}
