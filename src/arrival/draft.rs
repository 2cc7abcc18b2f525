//! What came of an object so far.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Arrival;
use crate::artifact::{Hasher, Mode};
use crate::event::{Event, Observer, Transfer};
use crate::files::{self, Settling, Temporary};
use crate::transfer;

/// Holds the bytes of an object that is under way. Dropped, it leaves nothing, or what a further run goes on with.
pub(super) struct Draft<'a> {
    what: &'a str,
    observer: &'a Arc<dyn Observer>,
    temporary: Option<Temporary>,
    /// Whether a further run would find it and can verify it.
    lasts: bool,
}

/// Holds what a process before this one had of an object.
pub(super) struct Begun<'a> {
    pub(super) draft: Draft<'a>,
    pub(super) hasher: Hasher,
    pub(super) size: u64,
}

impl<'a> Draft<'a> {
    /// Makes an empty one.
    pub(super) fn new(arrival: &'a Arrival<'_>, target: Option<&Path>, mode: Option<Mode>) -> io::Result<Self> {
        let lasting = arrival.lasting(target);
        let lasting = lasting.and_then(|(target, sha256, _)| Temporary::lasting(target, mode, sha256));
        let lasts = lasting.is_some();
        let temporary = lasting.map_or_else(|| Temporary::new(target, mode), Ok)?;
        Ok(Self { what: &arrival.what, observer: arrival.observer, temporary: Some(temporary), lasts })
    }

    /// Takes up what a process before this one had, where there is something.
    pub(super) async fn taken_up(arrival: &'a Arrival<'_>, target: Option<&Path>) -> Option<Begun<'a>> {
        let (target, sha256, most) = arrival.lasting(target)?;
        let (temporary, size) = Temporary::taken_up(target, arrival.mode, sha256, most)?;
        arrival.observer.observe(&Event::Started { transfer: Transfer::Hash, size });
        let progress = transfer::told(arrival.observer, Transfer::Hash);
        let hash = move || temporary.hashed(size, &*progress).map(|hasher| (hasher, temporary));
        let hashed = files::blocking(hash).await;
        arrival.observer.observe(&Event::Finished { transfer: Transfer::Hash });
        let (hasher, temporary) = hashed.ok()?;
        let temporary = Some(temporary);
        let draft = Self { what: &arrival.what, observer: arrival.observer, temporary, lasts: true };
        Some(Begun { draft, hasher, size })
    }

    /// Returns what takes the bytes that follow.
    pub(super) fn writer(&self) -> io::Result<Settling> {
        self.temporary.as_ref().map_or_else(|| Err(gone()), Temporary::writer)
    }

    /// Takes note that no further run can use it.
    pub(super) fn is_worthless(&mut self) {
        self.lasts = false;
    }

    /// Gives the bytes their name.
    pub(super) async fn keep(mut self) -> io::Result<()> {
        let temporary = self.temporary.take().ok_or_else(gone)?;
        files::blocking(move || temporary.keep()).await
    }
}

fn gone() -> io::Error {
    io::Error::other("it has its name already")
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        let left = self.temporary.take().filter(|_| self.lasts).and_then(Temporary::leave);
        if let Some(size) = left {
            self.observer.observe(&Event::Suspended { what: self.what.to_owned(), size });
        }
    }
}
