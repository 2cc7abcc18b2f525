//! The parameter that says what is latest: set, and looked at again until it says what is the highest.

use super::Startifact;
use super::site::Site;
use crate::event::Event;
use crate::parameters::ParameterError;
use crate::race::Race;
use crate::shelf::ShelfError;
use crate::version::{self, ReleaseName, Version};

/// Says how the parameter was left.
pub(super) struct Settled {
    /// What stands in the bucket.
    pub(super) versions: Vec<Version>,
    /// What it says, where there is any release.
    pub(super) latest: Option<Version>,
    /// Whether it was set.
    pub(super) set: bool,
}

/// Says what the parameter says.
enum Said {
    /// This, or nothing.
    Told(Option<String>),
    /// Whoever stages may set it, and not read it.
    Secret,
}

impl Startifact {
    /// Has a region's parameter say what is the highest release in the bucket. Where there are only pre-releases, it is left alone.
    ///
    /// Of all who set it, the last one looked at the listing after that and found it right; and whoever put something higher since has yet
    /// to look. So it is right when all have ended, in whatever order they went. The listing is read between the parameter and the set, so
    /// that nobody lowers it on the strength of a listing that is older than what the parameter said.
    pub(super) async fn settle(&self, site: &Site, name: &ReleaseName) -> Result<Settled, ShelfError> {
        let parameter = self.organisation.latest_parameter(name);
        let place = site.parameters.place();
        let mut race = Race::new(self.timeout);
        let mut put: Option<Version> = None;
        let mut looked_again = true;
        loop {
            let said = site.said(&parameter).await?;
            let versions = site.versions(name).await?;
            let Some(highest) = version::latest(&versions, false).cloned() else {
                return Ok(Settled { versions, latest: None, set: false });
            };
            let right = match said {
                Said::Told(said) => said.is_some_and(|said| said == highest.to_string()),
                Said::Secret => put.as_ref() == Some(&highest),
            };
            if right {
                return Ok(Settled { versions, latest: Some(highest), set: put.is_some() });
            }
            if looked_again {
                site.parameters.put(&parameter, &highest.to_string()).await?;
                let (parameter, place) = (parameter.clone(), place.clone());
                self.observer.observe(&Event::LatestSet { parameter, place, version: highest.clone() });
                put = Some(highest);
            } else {
                self.observer.observe(&Event::LostLatestRace { parameter: parameter.clone(), place: place.clone() });
                race.lost().await.map_err(|up| ShelfError::raced(name, up))?;
            }
            looked_again = !looked_again;
        }
    }
}

impl Site {
    async fn said(&self, parameter: &str) -> Result<Said, ShelfError> {
        match self.parameters.get(parameter).await {
            Ok(said) => Ok(Said::Told(said)),
            Err(ParameterError::AccessDenied { denial, .. }) if !denial.is_of_identity() => Ok(Said::Secret),
            Err(error) => Err(error.into()),
        }
    }
}
