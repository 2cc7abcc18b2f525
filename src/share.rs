//! Sharing a registry: many people write one list, and nobody's names are lost by somebody's old copy.

mod home;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::event::{Event, Observer};
use crate::race::Race;
use crate::registry::edit::{self, Addition, EditError, Edited};
use crate::registry::{Loss, Registry, RegistryError};
use crate::store::{Condition, StoreError, Tag};

use home::Standing;
pub use home::{Home, shown};

/// How many losses are told at most.
const MOST_LOSSES: usize = 20;

/// Holds who is told, and how long a write is tried again.
#[derive(Clone, Copy)]
pub struct Manners<'a> {
    /// Who is told.
    pub observer: &'a Arc<dyn Observer>,
    /// How long other writers may be first.
    pub timeout: Duration,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// Names the version that a push is meant to replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// None: there is no registry yet.
    Nothing,
    /// The one with this tag.
    Tag(String),
}

/// Holds what became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The tag of the version that stands there now, if any does.
    pub tag: Option<String>,
    /// Whether this run wrote it.
    pub written: bool,
    /// Whether this run would write something, if it were no dry one.
    pub differs: bool,
}

/// Holds what became of an addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The registry as it is now, or would be.
    pub edited: Edited,
    /// The tag of the version that stands there now; none for a file of this machine.
    pub tag: Option<String>,
    /// Whether this run wrote it.
    pub written: bool,
}

/// Says why a shared registry was not written.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The store does not do what it was asked.
    #[error("the registry {url} could not be shared")]
    Store {
        /// The registry.
        url: String,
        /// What the store said.
        source: StoreError,
    },
    /// The local file cannot be read or written.
    #[error("the registry {url} cannot be read or written")]
    Local {
        /// The registry.
        url: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file that was to be pushed only points to another.
    #[error("{0} only points to another registry: there are no names to push")]
    Points(String),
    /// The version that was expected is not the one that stands there.
    #[error("{url} is not the version that was expected: {}", match .stands { Some(tag) => format!("its tag is {tag}"), None => "there is none".to_owned() })]
    Unexpected {
        /// The registry.
        url: String,
        /// The tag of what stands there.
        stands: Option<String>,
    },
    /// Names would be lost.
    #[error("pushing to {url} would lose what others registered:{}", told(.losses))]
    Losses {
        /// The registry.
        url: String,
        /// The tag of what stands there.
        tag: String,
        /// What would be lost.
        losses: Vec<Loss>,
    },
    /// What stands there is no registry, so nobody can say what would be lost.
    #[error("what stands at {url} is no valid registry, so nobody can say what a push would lose (its tag is {tag})")]
    Malformed {
        /// The registry.
        url: String,
        /// The tag of what stands there.
        tag: String,
        /// What is wrong with it.
        source: RegistryError,
    },
    /// Nothing stands there that a name could be added to.
    #[error("there is no registry at {0}")]
    Missing(String),
    /// The names cannot be added.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Other writers were first, each time, until the time was up.
    #[error("other writers of {url} were first {races} times in {} s", waited.as_secs())]
    Raced {
        /// The registry.
        url: String,
        /// How often the write was tried.
        races: usize,
        /// For how long.
        waited: Duration,
    },
}

fn told(losses: &[Loss]) -> String {
    let mut told: String = losses.iter().take(MOST_LOSSES).map(|loss| format!("\n    {loss}")).collect();
    if let more @ 1.. = losses.len().saturating_sub(MOST_LOSSES) {
        told.push_str(&format!("\n    and {more} more"));
    }
    told
}

/// Writes a valid registry where a shared one lies, by compare-and-swap. Where the same bytes stand there already, nothing is written.
///
/// # Errors
/// [`ShareError`]: without an expected version whatever would lose a name.
pub async fn push(
    home: &Home,
    text: &Bytes,
    registry: &Registry,
    expected: Option<&Expected>,
    manners: Manners<'_>,
) -> Result<Pushed, ShareError> {
    if registry.repository.registry.is_some() {
        return Err(ShareError::Points(home.url()));
    }
    let mut race = Race::new(manners.timeout);
    loop {
        let stands = home.read().await?;
        let tag = stands.as_ref().map(Standing::shown);
        if stands.as_ref().is_some_and(|stands| stands.text.as_ref() == Ok(text)) {
            return Ok(Pushed { tag, written: false, differs: false });
        }
        home.permits(stands.as_ref(), registry, expected)?;
        if manners.dry_run {
            return Ok(Pushed { tag, written: false, differs: true });
        }
        let condition = stands.map_or(Condition::Absent, |stands| Condition::Matches(stands.tag));
        if let Some(tag) = home.write(text.clone(), &condition, manners.timeout).await? {
            return Ok(Pushed { tag: Some(shown(&tag)), written: true, differs: true });
        }
        home.again(&mut race, manners).await?;
    }
}

/// Adds names to the registry that lies somewhere, by compare-and-swap, so that of many who add at once none is lost.
///
/// # Errors
/// [`ShareError`].
pub async fn add(home: &Home, addition: &Addition<'_>, manners: Manners<'_>) -> Result<Added, ShareError> {
    let mut race = Race::new(manners.timeout);
    loop {
        let stands = home.read().await?.ok_or_else(|| ShareError::Missing(home.url()))?;
        let text = stands.text.as_ref().map_err(|size| RegistryError::TooLarge { file: home.url(), size: *size });
        let text = text.map_err(EditError::Registry)?;
        let edited = edit::add(text, &home.url(), addition)?;
        let tag = |tag: &Tag| matches!(home, Home::Stored { .. }).then(|| shown(tag));
        if edited.text == *text || manners.dry_run {
            return Ok(Added { edited, tag: tag(&stands.tag), written: false });
        }
        let new = Bytes::from(edited.text.clone());
        if let Some(written) = home.write(new, &Condition::Matches(stands.tag), manners.timeout).await? {
            return Ok(Added { edited, tag: tag(&written), written: true });
        }
        home.again(&mut race, manners).await?;
    }
}

impl Home {
    /// Refuses to replace another version than the expected one; without an expected one, to lose anything.
    fn permits(
        &self,
        stands: Option<&Standing>,
        next: &Registry,
        expected: Option<&Expected>,
    ) -> Result<(), ShareError> {
        let (url, tag) = (self.url(), stands.map(Standing::shown));
        match (expected, stands) {
            (Some(Expected::Nothing), None) | (None, None) => Ok(()),
            (Some(Expected::Tag(expected)), Some(_)) if tag.as_deref() == Some(expected.trim_matches('"')) => Ok(()),
            (Some(_), _) => Err(ShareError::Unexpected { url, stands: tag }),
            (None, Some(stands)) => {
                let old = stands.parse(&url);
                let tag = stands.shown();
                let losses = match old {
                    Ok(old) => old.losses(next),
                    Err(source) => return Err(ShareError::Malformed { url, tag, source }),
                };
                if losses.is_empty() { Ok(()) } else { Err(ShareError::Losses { url, tag, losses }) }
            }
        }
    }

    async fn again(&self, race: &mut Race, manners: Manners<'_>) -> Result<(), ShareError> {
        let url = self.url();
        manners.observer.observe(&Event::LostRegistryRace { url: url.clone() });
        race.lost().await.map_err(|over| ShareError::Raced { url, races: over.races, waited: over.waited })
    }
}
