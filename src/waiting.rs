//! Waiting until artifacts are what is asked for, or it is known that they will not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::future::join;
use tokio::time::Instant;

use crate::address::Commit;
use crate::artifact::Name;
use crate::catalog::Catalog;
use crate::event::{Event, Observer, Silent};
use crate::metafile::{self, Metafile};
use crate::metalogic::Listing;
use crate::policy::Policy;
use crate::resolve::ResolveError;
use crate::show::ShowError;
use crate::state::{Refused, State, Verdict};
use crate::status::{self, StatusError, judge_all};
use crate::store::{Changed, Key, StoreError, Tag};
use crate::stored;
use crate::world::World;

/// The shortest and the longest pause between two looks, before the jitter: a build takes minutes, and whoever waits for one may be many.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How long the last look may take, beyond the time.
const LAST: Duration = Duration::from_secs(20);

/// How long what was seen at ancestors counts while nothing changes at the commit's own address: to look at them all costs many requests.
const AROUND: Duration = Duration::from_secs(30);

/// Says what is waited for.
pub struct Wait<'a> {
    /// The commit.
    pub commit: Commit,
    /// The artifacts.
    pub names: &'a BTreeSet<Name>,
    /// What is asked of each of them.
    pub policy: Policy,
    /// The registry, where there is one.
    pub catalog: Option<&'a Catalog>,
    /// For how long.
    pub patience: Duration,
}

/// Says why waiting ended in vain.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The builds of artifacts failed.
    #[error("{}", told(.0))]
    Failed(Vec<Refused>),
    /// The time is up.
    #[error("after {} s: {}", waited.as_secs(), told(refused))]
    TimeIsUp {
        /// How long was waited.
        waited: Duration,
        /// What is not there yet.
        refused: Vec<Refused>,
    },
    /// The time is up, and the store does not answer.
    #[error("after {} s: the last look got no answer for {} s", waited.as_secs(), LAST.as_secs())]
    NoAnswer {
        /// How long was waited.
        waited: Duration,
    },
    /// How the artifacts stand cannot be told.
    #[error(transparent)]
    Status(#[from] StatusError),
}

fn told(refused: &[Refused]) -> String {
    refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Waits, and returns how the artifacts stand when they are what is asked for. Whoever wants to know meanwhile is told of each look.
///
/// # Errors
/// [`WaitError`]: at once where a build failed; when the time is up, after one last look.
pub async fn wait(
    world: World<'_>,
    wait: &Wait<'_>,
    mut tell: impl FnMut(&BTreeMap<Name, Verdict>),
) -> Result<BTreeMap<Name, Verdict>, WaitError> {
    let began = Instant::now();
    let (shortest, longest) = PAUSES;
    let pauses = ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest).with_factor(1.5);
    let mut pauses = pauses.with_jitter().without_max_times().build();
    let left = || wait.patience.saturating_sub(began.elapsed());
    let mut away = false;
    let mut watch = Watch { world, wait, read: None, around: None, silent: Arc::new(Silent) };
    loop {
        // What is seen after the time is up was the last look.
        let is_last = left().is_zero();
        let looked = tokio::time::timeout(if is_last { LAST } else { left() }, watch.look(is_last)).await;
        let verdicts = match looked {
            Ok(Ok(verdicts)) => verdicts,
            // Whoever waits for a build waits for the store, too.
            Ok(Err(error)) if is_passing(&error) && !is_last => {
                if !std::mem::replace(&mut away, true) {
                    world.observer.observe(&Event::Away { problem: error.to_string() });
                }
                tokio::time::sleep(pauses.next().unwrap_or(longest).min(left())).await;
                continue;
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(_) if is_last => return Err(WaitError::NoAnswer { waited: began.elapsed() }),
            Err(_) => continue,
        };
        away = false;
        tell(&verdicts);
        let expect = |(name, verdict): (&Name, &Verdict)| Some(*verdict.expect(wait.policy, name, wait.commit).err()?);
        let refused: Vec<Refused> = verdicts.iter().filter_map(expect).collect();
        if refused.is_empty() {
            return Ok(verdicts);
        }
        let (failed, refused): (Vec<_>, Vec<_>) = refused.into_iter().partition(|one| one.state == State::Failed);
        if !failed.is_empty() {
            return Err(WaitError::Failed(failed));
        }
        if is_last {
            return Err(WaitError::TimeIsUp { waited: began.elapsed(), refused });
        }
        tokio::time::sleep(pauses.next().unwrap_or(longest).min(left())).await;
    }
}

/// Says whether a look failed by what may be over a moment later: the store does not answer.
fn is_passing(error: &StatusError) -> bool {
    matches!(
        error,
        StatusError::Resolve(ResolveError::Store(StoreError::Unavailable { .. }))
            | StatusError::Show(ShowError::Store(StoreError::Unavailable { .. }))
    )
}

/// Looks again and again at one commit.
struct Watch<'a> {
    world: World<'a>,
    wait: &'a Wait<'a>,
    /// The metafile as it was read last.
    read: Option<(Tag, Metafile)>,
    /// What was seen at ancestors.
    around: Option<Around>,
    silent: Arc<dyn Observer>,
}

/// Holds what was seen at ancestors, and what stood at the commit's own address then.
struct Around {
    at: Instant,
    listing: Listing,
    tag: Option<Tag>,
    verdicts: BTreeMap<Name, Verdict>,
}

impl Watch<'_> {
    /// Tells how the artifacts stand now. The last look is a whole one.
    async fn look(&mut self, is_last: bool) -> Result<BTreeMap<Name, Verdict>, StatusError> {
        let Wait { commit, names, policy, catalog, .. } = *self.wait;
        // What was put at the commit's own address counts before its metafile says so.
        let (listing, read) = join(self.world.store.list(commit), self.read_metafile()).await;
        let listing = listing.map_err(ResolveError::from)?;
        read.map_err(ResolveError::from)?;
        let tag = self.read.as_ref().map(|(tag, _)| tag.clone());
        match catalog {
            Some(catalog) if policy != Policy::Exact => {
                let is_known = |around: &&Around| {
                    (&around.listing, &around.tag) == (&listing, &tag) && around.at.elapsed() < AROUND
                };
                if let Some(around) = self.around.as_ref().filter(is_known).filter(|_| !is_last) {
                    return Ok(around.verdicts.clone());
                }
                let verdicts = self.look_around(catalog).await?;
                self.around = Some(Around { at: Instant::now(), listing, tag, verdicts: verdicts.clone() });
                Ok(verdicts)
            }
            catalog => {
                let read = self.read.as_ref().map_or_else(|| Metafile::empty(commit, None), |(_, read)| read.clone());
                let metafile = stored::standing(read, &listing);
                Ok(judge_all(self.world.ancestry, catalog, &metafile, names.iter().cloned())?)
            }
        }
    }

    /// Looks at ancestors too: one of them may be built meanwhile. What is wrong with history is told once.
    async fn look_around(&self, catalog: &Catalog) -> Result<BTreeMap<Name, Verdict>, StatusError> {
        let Wait { commit, names, .. } = *self.wait;
        let observer = if self.around.is_some() { &self.silent } else { self.world.observer };
        let world = World { observer, ..self.world };
        Ok(status::status_of(world, Some(catalog), commit, names).await?.verdicts)
    }

    /// Reads the metafile, unless it is the version that is known. One that is malformed, or too large, says nothing.
    async fn read_metafile(&mut self) -> Result<(), StoreError> {
        let (store, commit) = (self.world.store, self.wait.commit);
        let key = Key::Metafile(commit);
        let read = match &self.read {
            Some((tag, _)) => match store.get_changed(&key, metafile::LARGEST, tag).await {
                Ok(Changed::Unchanged) => return Ok(()),
                Ok(Changed::Gone) => Ok(None),
                Ok(Changed::Here(bytes, tag)) => Ok(Some((bytes, tag))),
                Err(error) => Err(error),
            },
            None => store.get(&key, metafile::LARGEST).await,
        };
        let read = match read {
            Err(StoreError::TooLarge { .. }) => None,
            read => read?,
        };
        self.read = read.and_then(|(bytes, tag)| Some((tag, Metafile::parse(&bytes, commit).ok()?)));
        Ok(())
    }
}
