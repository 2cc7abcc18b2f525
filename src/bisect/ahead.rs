//! The builds that are tried: fetched verified, and those that may come next while one is tried.

use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::future::{MaybeDone, maybe_done};

use super::range::Build;
use super::{BisectError, Notes};
use crate::address::Commit;
use crate::arrival::{self, Arrival};
use crate::artifact::Name;
use crate::event::{Event, Observer, Silent};
use crate::metafile::Record;
use crate::store::{Key, StoreError};
use crate::stored;
use crate::world::World;

/// Holds a build that lies in a local file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    /// Whether a recorded digest confirmed its bytes.
    verified: bool,
}

/// Fetches builds of one artifact.
pub(super) struct Fetcher<'a> {
    world: World<'a>,
    name: &'a Name,
    silent: Arc<dyn Observer>,
}

type Coming<'f> = Pin<Box<MaybeDone<Pin<Box<dyn Future<Output = Result<Fetched, BisectError>> + Send + 'f>>>>>;

/// Holds the builds that are being fetched ahead.
#[derive(Default)]
pub(super) struct Ahead<'f>(Vec<(Commit, Coming<'f>)>);

impl<'a> Fetcher<'a> {
    pub(super) fn new(world: World<'a>, name: &'a Name) -> Self {
        Self { world, name, silent: Arc::new(Silent) }
    }

    /// Returns what is recorded of a build beside it.
    pub(super) async fn record(&self, build: Build) -> Result<Record, StoreError> {
        let stored = stored::read(self.world.store, build.commit).await?;
        let metafile = stored.and_then(|stored| stored.metafile.ok());
        Ok(metafile.and_then(|metafile| metafile.record(self.name, build.commit).cloned()).unwrap_or_default())
    }

    /// Begins to fetch builds that may come next. Nobody is told of it: something else is at the terminal.
    pub(super) fn begin<'f>(&'f self, notes: &Notes, builds: impl Iterator<Item = Build>) -> Ahead<'f> {
        let begin = |build: Build| {
            let fetching = self.fetch(build, notes.builds(build.commit), &self.silent);
            (build.commit, Box::pin(maybe_done(Box::pin(fetching) as Pin<Box<dyn Future<Output = _> + Send>>)))
        };
        Ahead(builds.map(begin).collect())
    }

    /// Returns a build that is tried now: the one that was fetched ahead, where it was.
    pub(super) async fn take(&self, build: Build, ahead: Ahead<'_>, notes: &Notes) -> Result<Fetched, BisectError> {
        let mut early = None;
        for (commit, mut coming) in ahead.0 {
            if commit == build.commit {
                coming.as_mut().await;
                early = coming.as_mut().take_output().and_then(Result::ok);
            } else {
                drop(coming);
                notes.put_away(commit);
            }
        }
        // What went wrong meanwhile may go well now, and is told if it does not.
        let fetched = match early {
            Some(fetched) => fetched,
            None => self.fetch(build, notes.builds(build.commit), self.world.observer).await?,
        };
        if !fetched.verified {
            let (name, commit) = (self.name.clone(), build.commit);
            self.world.observer.observe(&Event::Unverified { name, commit });
        }
        Ok(fetched)
    }

    async fn fetch(
        &self,
        build: Build,
        directory: PathBuf,
        observer: &Arc<dyn Observer>,
    ) -> Result<Fetched, BisectError> {
        let Build { commit, size } = build;
        let Record { size: recorded, sha256, mode, .. } = self.record(build).await?;
        let arrival = Arrival {
            store: self.world.store,
            key: Key::Artifact(commit, self.name.clone()),
            what: format!("{} at the address of {commit}", self.name),
            observer,
            size: recorded.or(Some(size)),
            sha256,
            mode,
        };
        let path = directory.join(self.name.as_str());
        arrival::make_directory(&directory)?;
        if arrival.is_at(&path).await? {
            return Ok(Fetched { path, verified: true });
        }
        let arrived = arrival.receive(Some(&path)).await?;
        Ok(Fetched { path, verified: arrived.verified })
    }
}

impl Ahead<'_> {
    /// Goes on with fetching while something else is done, and for no longer.
    pub(super) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            for (_, coming) in &mut self.0 {
                // Whoever needs it asks for what came of it.
                let _ = coming.as_mut().poll(context);
            }
            Poll::Pending
        })
        .await
    }
}
