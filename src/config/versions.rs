//! Where releases stand: in the store, or as an organisation's parameter says.

use super::{Config, ConfigError};
use crate::organisation::Region;
use crate::registry::Problem;
use crate::store::Store;

/// The environment variable that names the parameter, as Startifact has it.
pub const PARAMETER: &str = "STARTIFACT_PARAMETER";

/// The environment variable that lists the regions, as Startifact has it.
pub const REGIONS: &str = "STARTIFACT_REGIONS";

/// The parameter that holds the configuration where nobody says another.
pub const DEFAULT_PARAMETER: &str = "/startifact";

/// Says where releases stand.
#[derive(Debug, Clone, Default)]
pub struct VersionsPlace {
    /// The parameter that holds Startifact's configuration, and who said so: the environment, else a registry file. None where nobody did:
    /// then releases stand in the store.
    pub parameter: Option<(String, String)>,
    /// What this version does not know in the registry files that were read for it.
    pub unknown_keys: Vec<Problem>,
}

impl Config {
    /// Returns where releases stand.
    ///
    /// # Errors
    /// A registry file that cannot be read, or is wrong.
    pub async fn versions_parameter(&self, store: Option<&dyn Store>) -> Result<VersionsPlace, ConfigError> {
        match self.environment.text(PARAMETER)? {
            Some(parameter) => {
                Ok(VersionsPlace { parameter: Some((parameter, PARAMETER.to_owned())), unknown_keys: Vec::new() })
            }
            None => self.parameter_in_registry(store).await,
        }
    }

    /// Returns the regions in which Startifact's configuration, and what it describes, is read; none where nobody says.
    ///
    /// # Errors
    /// What is no region.
    pub fn versions_regions(&self) -> Result<Vec<Region>, ConfigError> {
        let list = |text: &str| Region::list(text).map_err(|error| error.to_string());
        Ok(self.environment.parsed(REGIONS, list)?.unwrap_or_default())
    }

    /// Returns the time, in UTC as RFC 3339 writes it, to the second.
    #[must_use]
    pub fn now(&self) -> String {
        humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
    }
}
