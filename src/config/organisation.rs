//! Where Startifact's configuration of an organisation is looked for.

use super::{Config, ConfigError};
use crate::organisation::Region;
use crate::parameters::name;

/// The parameter that Startifact reads where nobody names another one.
const PARAMETER: &str = "/startifact";

const PARAMETER_VARIABLE: &str = "STARTIFACT_PARAMETER";
const REGIONS_VARIABLE: &str = "STARTIFACT_REGIONS";

impl Config {
    /// Returns the name of the parameter that holds the configuration.
    ///
    /// # Errors
    /// A variable that names no parameter.
    pub fn organisation_parameter(&self) -> Result<String, ConfigError> {
        let parse = |text: &str| name::check(text).map(|()| text.to_owned()).map_err(|error| error.to_string());
        Ok(self.environment.parsed(PARAMETER_VARIABLE, parse)?.unwrap_or_else(|| PARAMETER.to_owned()))
    }

    /// Returns the regions in which it is looked for; none for the one that the settings of the AWS tools say.
    ///
    /// # Errors
    /// A variable that does not name regions.
    pub fn organisation_regions(&self) -> Result<Vec<Region>, ConfigError> {
        let parse = |text: &str| Region::list(text).map_err(|error| error.to_string());
        Ok(self.environment.parsed(REGIONS_VARIABLE, parse)?.unwrap_or_default())
    }
}
