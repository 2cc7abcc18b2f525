//! The configuration of an organisation, read from the first region that has it, and what follows from it.

use std::sync::{Arc, OnceLock};

use super::Startifact;
use super::site::{Site, Trouble, away};
use crate::account::Account;
use crate::event::Observer;
use crate::organisation::{Organisation, OrganisationKind, Region};
use crate::shelf::ShelfError;
use crate::world::Limits;

impl Startifact {
    /// Reads the configuration in a parameter, from the first of some regions that has it; where none is named, in the one that the
    /// settings of the AWS tools say.
    ///
    /// # Errors
    /// [`ShelfError::NoConfiguration`] and [`ShelfError::Configuration`]; [`ShelfError::Away`] where a region that may have it does not answer.
    pub async fn load(
        account: Arc<dyn Account>,
        parameter: &str,
        regions: &[Region],
        observer: Arc<dyn Observer>,
        limits: Limits,
    ) -> Result<Self, ShelfError> {
        let candidates: Vec<Option<&Region>> =
            if regions.is_empty() { vec![None] } else { regions.iter().map(Some).collect() };
        let (mut troubles, mut places) = (Vec::new(), Vec::new());
        for home in candidates {
            let parameters = account.parameters(home);
            let place = parameters.place();
            match parameters.get(parameter).await {
                Ok(None) => places.push(place),
                Ok(Some(text)) => {
                    let malformed = |source| {
                        let (parameter, place) = (parameter.to_owned(), place.clone());
                        ShelfError::Configuration { parameter, place, source }
                    };
                    let organisation = Organisation::parse(&text).map_err(malformed)?;
                    let sites = Sites { account, organisation: &organisation, home, sites: Vec::new() };
                    let (readers, stagers) = sites.make(regions);
                    let place = format!("{parameter} ({place})");
                    let shelf = Self { place, organisation, readers, stagers, observer, timeout: limits.timeout };
                    shelf.tell(&troubles);
                    return Ok(shelf);
                }
                Err(error) => troubles.push(Trouble { error: away(&place, error.into()), region: place }),
            }
        }
        Trouble::raise(&mut troubles)?;
        Err(ShelfError::NoConfiguration { parameter: parameter.to_owned(), places: places.join(", ") })
    }
}

/// Makes the sites of an organisation, each once.
struct Sites<'a> {
    account: Arc<dyn Account>,
    organisation: &'a Organisation,
    /// Where the configuration was read.
    home: Option<&'a Region>,
    sites: Vec<(Option<Region>, Arc<Site>)>,
}

impl Sites<'_> {
    /// Returns where releases are looked for, and where they are staged.
    fn make(mut self, named: &[Region]) -> (Vec<Arc<Site>>, Vec<Arc<Site>>) {
        match &self.organisation.kind {
            OrganisationKind::Described { bucket_parameter_region, bucket_region, parameter_region } => {
                let regions = [bucket_parameter_region, bucket_region, parameter_region];
                let [bucket_parameter, bucket, parameters] = regions.map(|region| region.as_ref().or(self.home));
                let site = self.site(bucket_parameter, bucket, parameters);
                (vec![Arc::clone(&site)], vec![site])
            }
            OrganisationKind::Released { regions } => {
                let (readers, mut stagers) = (self.several(&[named, regions]), self.several(&[regions, named]));
                // The first decides among those who stage at once, so it has to be the same one for all.
                stagers.sort_by(|one, other| one.region.cmp(&other.region));
                (readers, stagers)
            }
        }
    }

    /// Returns the sites of the first list that names any region, or else that of the region where the configuration was read.
    fn several(&mut self, lists: &[&[Region]]) -> Vec<Arc<Site>> {
        let list = lists.iter().find(|list| !list.is_empty());
        match list {
            Some(list) => list.iter().map(|region| self.one(Some(region.clone()))).collect(),
            None => vec![self.one(self.home.cloned())],
        }
    }

    fn one(&mut self, region: Option<Region>) -> Arc<Site> {
        if let Some((_, site)) = self.sites.iter().find(|(of, _)| *of == region) {
            return Arc::clone(site);
        }
        let site = self.site(region.as_ref(), region.as_ref(), region.as_ref());
        self.sites.push((region, Arc::clone(&site)));
        site
    }

    fn site(
        &self,
        bucket_parameter: Option<&Region>,
        bucket: Option<&Region>,
        parameters: Option<&Region>,
    ) -> Arc<Site> {
        let at = |region: Option<&Region>| self.account.parameters(region);
        Arc::new(Site {
            account: Arc::clone(&self.account),
            region: bucket.map_or_else(|| at(bucket).place(), ToString::to_string),
            key_prefix: self.organisation.key_prefix.clone(),
            bucket_parameter: (self.organisation.bucket_parameter.clone(), at(bucket_parameter)),
            bucket_region: bucket.cloned(),
            bucket: OnceLock::new(),
            parameters: at(parameters),
        })
    }
}
