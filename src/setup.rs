//! Sets an organisation up for Startifact: makes the configuration that all of its machines read, and saves it.
//!
//! Parameter Store has no compare-and-swap. So what stands there is read again right before the save, and where it is no longer what was
//! read at the beginning, nothing is saved.

mod bucket;
mod draft;

use std::sync::Arc;

use futures::future::join_all;
use serde_json::Value;

use crate::account::Account;
use crate::organisation::{Organisation, OrganisationError, OrganisationKind, Region};
use crate::parameters::ParameterError;

pub use bucket::BucketError;
pub use draft::{AnswerError, Draft, Question, example, kind};

/// Knows where an organisation's configuration is looked for.
#[derive(Debug, Clone)]
pub struct Setup {
    account: Arc<dyn Account>,
    parameter: String,
    regions: Vec<Region>,
}

/// Holds what stands there before anything is asked.
#[derive(Debug)]
pub struct Standing {
    /// Where it was found; where there is none, where it will be.
    pub place: Option<Region>,
    /// What was found.
    pub found: Found,
    /// Why regions that were asked did not answer, although another one did.
    pub away: Vec<ParameterError>,
    /// Where it was looked for, by regions where they are known now.
    places: Vec<Option<Region>>,
    /// Each region that answered, with the text there.
    texts: Vec<(Option<Region>, Option<String>)>,
}

/// Says what was found.
#[derive(Debug)]
pub enum Found {
    /// There is none.
    Nothing,
    /// Somebody began one and did not finish it.
    Unfinished(Draft),
    /// There is one.
    Whole(Organisation),
    /// There is something else.
    Malformed {
        /// What there is.
        text: String,
        /// What is wrong with it.
        error: OrganisationError,
    },
}

/// Holds what a save would do.
#[derive(Debug)]
pub struct Plan {
    /// The configuration.
    pub organisation: Organisation,
    /// Where it is to stand.
    pub targets: Vec<Target>,
    /// The keys that the configuration has otherwise than the one that is there, each with what it is there.
    pub changes: Vec<(String, Value)>,
    /// Where one stood that nobody will read any more.
    pub left: Vec<Region>,
}

/// Says what stands where a configuration is to be saved.
#[derive(Debug)]
pub struct Target {
    /// The region.
    pub place: Option<Region>,
    /// What messages call it.
    pub name: String,
    /// Whether the same stands there already.
    pub same: bool,
    /// What stands there, or why nobody knows.
    seen: Result<Option<String>, ParameterError>,
}

/// Says what became of one region.
#[derive(Debug)]
pub struct Saved {
    /// The region.
    pub place: Option<Region>,
    /// What messages call it.
    pub name: String,
    /// Whether something was written; or why it is not what it should be.
    pub result: Result<bool, ParameterError>,
}

/// Says why nothing was saved or shown.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is no configuration.
    #[error("there is no configuration in the parameter {parameter} in {place}")]
    Nothing {
        /// The parameter.
        parameter: String,
        /// Where it was looked for.
        place: String,
    },
    /// Somebody began one and did not finish it.
    #[error("somebody began the configuration in the parameter {parameter} in {place} and did not finish it")]
    Unfinished {
        /// The parameter.
        parameter: String,
        /// Where it is.
        place: String,
    },
    /// What is there is no configuration.
    #[error("the parameter {parameter} in {place} holds no configuration")]
    Malformed {
        /// The parameter.
        parameter: String,
        /// Where it is.
        place: String,
        /// What is wrong with it.
        source: OrganisationError,
    },
    /// Somebody saved another one since it was read.
    #[error("the parameter {parameter} in {place} was changed by somebody else meanwhile: nothing was saved")]
    Changed {
        /// The parameter.
        parameter: String,
        /// Where it is.
        place: String,
    },
    /// Whoever was asked did not want to go on.
    #[error("the set-up was stopped at question {at} of {of}: nothing was saved")]
    Stopped {
        /// The question that was not answered.
        at: usize,
        /// How many there are.
        of: usize,
    },
    /// Parameter Store does not do what it was asked.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
}

impl Setup {
    /// Looks for the configuration in some regions, or where nobody names one, in the region that the settings of the AWS tools say.
    #[must_use]
    pub fn new(account: Arc<dyn Account>, parameter: String, regions: Vec<Region>) -> Self {
        Self { account, parameter, regions }
    }

    /// Returns the parameter's name.
    #[must_use]
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// Returns what messages call a region.
    #[must_use]
    pub fn name(&self, place: Option<&Region>) -> String {
        self.account.parameters(place).place()
    }

    /// Reads what stands there: of several regions the first that has something counts.
    ///
    /// # Errors
    /// A region that does not answer, where none of the others has anything.
    pub async fn look(&self) -> Result<Standing, SetupError> {
        let (mut texts, mut away) = (Vec::new(), Vec::new());
        let unnamed = vec![None];
        let named = self.regions.iter().cloned().map(Some).collect();
        let asked: Vec<Option<Region>> = if self.regions.is_empty() { unnamed } else { named };
        let reads = join_all(asked.iter().map(|place| self.read(place.as_ref()))).await;
        // Whoever has answered has said which region it is.
        let region = |place: &Option<Region>| place.clone().or_else(|| self.name(None).parse().ok());
        let places: Vec<Option<Region>> = asked.iter().map(region).collect();
        for (place, read) in places.iter().zip(reads) {
            match read {
                Ok(text) => texts.push((place.clone(), text)),
                Err(error) => away.push(error),
            }
        }
        let first = texts.iter().find_map(|(place, text)| Some((place.clone(), text.clone()?)));
        let Some((place, text)) = first else {
            return match away.into_iter().next() {
                Some(error) => Err(error.into()),
                None => {
                    let place = places.first().cloned().flatten();
                    Ok(Standing { place, found: Found::Nothing, away: Vec::new(), places, texts })
                }
            };
        };
        let found = match Organisation::parse(&text) {
            Ok(organisation) => Found::Whole(organisation),
            Err(OrganisationError::Unfinished) => match Draft::unfinished(&text, place.as_ref()) {
                Ok(draft) => Found::Unfinished(draft),
                Err(error) => Found::Malformed { text, error },
            },
            Err(error) => Found::Malformed { text, error },
        };
        Ok(Standing { place, found, away, places, texts })
    }

    /// Returns what to begin with: what stands there. What is malformed is given up only with `force`.
    ///
    /// # Errors
    /// [`SetupError::Malformed`].
    pub fn begin(&self, standing: &mut Standing, force: bool) -> Result<Draft, SetupError> {
        let fresh = || Draft::fresh(standing.place.as_ref());
        match &mut standing.found {
            Found::Nothing => Ok(fresh()),
            Found::Unfinished(draft) => Ok(draft.clone()),
            Found::Whole(organisation) => Ok(Draft::of(organisation.clone())),
            Found::Malformed { .. } if force => Ok(fresh()),
            Found::Malformed { error, .. } => Err(SetupError::Malformed {
                parameter: self.parameter.clone(),
                place: self.name(standing.place.as_ref()),
                source: std::mem::replace(error, OrganisationError::Unfinished),
            }),
        }
    }

    /// Returns the regions that a configuration is saved in.
    #[must_use]
    pub fn targets(&self, standing: &Standing, organisation: &Organisation) -> Vec<Option<Region>> {
        match &organisation.kind {
            OrganisationKind::Described { .. } => vec![standing.place.clone()],
            OrganisationKind::Released { regions } if regions.is_empty() => standing.places.clone(),
            OrganisationKind::Released { regions } => regions.iter().cloned().map(Some).collect(),
        }
    }

    /// Finds out what a save would do.
    pub async fn plan(&self, standing: &Standing, organisation: Organisation) -> Plan {
        let places = self.targets(standing, &organisation);
        let targets = places.iter().map(|place| async move {
            let known = standing.texts.iter().find(|(known, _)| known == place);
            let seen = match known {
                Some((_, text)) => Ok(text.clone()),
                None => self.read(place.as_ref()).await,
            };
            (place.clone(), self.name(place.as_ref()), seen)
        });
        let target = |(place, name, seen): (_, _, Result<Option<String>, _>)| {
            let same = seen.as_ref().is_ok_and(|text| says(text.as_deref(), &organisation));
            Target { place, name, same, seen }
        };
        let targets = join_all(targets).await.into_iter().map(target).collect();
        let left = Self::left(standing, &places, &organisation);
        let changes = match &standing.found {
            Found::Whole(former) => draft::changes(former, &organisation),
            Found::Nothing | Found::Unfinished(_) | Found::Malformed { .. } => Vec::new(),
        };
        Plan { organisation, targets, changes, left }
    }

    /// Returns the regions that had a released configuration and are listed no more.
    fn left(standing: &Standing, places: &[Option<Region>], organisation: &Organisation) -> Vec<Region> {
        let Found::Whole(Organisation { kind: OrganisationKind::Released { regions }, .. }) = &standing.found else {
            return Vec::new();
        };
        let OrganisationKind::Released { regions: listed } = &organisation.kind else { return Vec::new() };
        let read = standing.texts.iter().filter(|(_, text)| text.is_some()).filter_map(|(place, _)| place.as_ref());
        let mut left: Vec<Region> = regions.iter().chain(read).cloned().collect();
        left.retain(|region| !listed.is_empty() && !places.contains(&Some(region.clone())));
        left.sort();
        left.dedup();
        left
    }

    /// Saves a configuration in all of its regions at once; one that fails keeps none of the others from it.
    ///
    /// # Errors
    /// [`SetupError::Changed`], before anything is written.
    pub async fn save(&self, plan: &mut Plan) -> Result<Vec<Saved>, SetupError> {
        let now = join_all(plan.targets.iter().map(|target| self.read(target.place.as_ref()))).await;
        let mut steps = Vec::new();
        for (target, now) in plan.targets.iter_mut().zip(now) {
            // What nobody has seen is not written over.
            let seen = std::mem::replace(&mut target.seen, Ok(None));
            let step = match (seen, now) {
                (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                (Ok(_), Ok(now)) if says(now.as_deref(), &plan.organisation) => Ok(false),
                (Ok(seen), Ok(now)) if seen == now => Ok(true),
                (Ok(_), Ok(_)) => {
                    let (parameter, place) = (self.parameter.clone(), target.name.clone());
                    return Err(SetupError::Changed { parameter, place });
                }
            };
            steps.push((target.place.clone(), target.name.clone(), step));
        }
        let text = plan.organisation.to_text();
        let writes = steps.into_iter().map(|(place, name, step)| async {
            let result = match step {
                Ok(true) => self.account.parameters(place.as_ref()).put(&self.parameter, &text).await.map(|()| true),
                Ok(false) | Err(_) => step,
            };
            Saved { place, name, result }
        });
        Ok(join_all(writes).await)
    }

    async fn read(&self, place: Option<&Region>) -> Result<Option<String>, ParameterError> {
        self.account.parameters(place).get(&self.parameter).await
    }
}

impl Standing {
    /// Returns the regions in which it was looked for, for those of them whose names are known.
    #[must_use]
    pub fn regions(&self) -> Vec<&str> {
        self.places.iter().flatten().map(Region::as_str).collect()
    }

    /// Returns the regions that each machine has to list so that a configuration is found where it will stand; none where it will be already.
    #[must_use]
    pub fn moved(&self, plan: &Plan) -> Option<Vec<String>> {
        let OrganisationKind::Released { .. } = plan.organisation.kind else { return None };
        let mut targets: Vec<_> = plan.targets.iter().map(|target| target.place.as_ref()).collect();
        let mut places: Vec<_> = self.places.iter().map(Option::as_ref).collect();
        let named = targets.iter().flatten().map(ToString::to_string).collect();
        targets.sort();
        places.sort();
        (targets != places).then_some(named)
    }
}

impl Target {
    /// Returns why nobody knows what stands there, and so nothing will be saved there.
    #[must_use]
    pub fn unknown(&self) -> Option<&ParameterError> {
        self.seen.as_ref().err()
    }

    /// Says whether another configuration stands there than at the place that counts.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        !self.same && matches!(&self.seen, Ok(Some(_)))
    }
}

/// Says whether a text is a configuration, up to its writing.
fn says(text: Option<&str>, organisation: &Organisation) -> bool {
    text.and_then(|text| Organisation::parse(text).ok()).is_some_and(|there| draft::same(&there, organisation))
}
