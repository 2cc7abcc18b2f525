//! The bucket, and the one way in which it is asked anything.

use std::error::Error;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

use super::ahead;
use super::client::{self, Access};
use super::failed::Failed;
use super::meter::{self, Meter};
use super::pieces::Room;
use crate::aws::{Common, pause_of};
use crate::organisation;
use crate::parts::Parts;
use crate::registry::Terms;
use crate::store::{Key, StoreError};

/// How often something is tried when what stood in its way was gone at the next look.
pub(super) const TRIES: u32 = 6;

/// How many requests are under way at once, whoever asks: each has a connection, and a process may commonly have 1024 files open.
const UNDER_WAY: usize = 256;

/// With which pause those begin who are told, after the tries of the SDK, that they ask too often: a third of a second or more.
const HASTY: u32 = 4;

/// Knows where objects lie and how the service is reached.
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) timeout: Duration,
    pub(super) terms: Terms,
    pub(super) parts: Parts,
    prefix: String,
    common: Common,
    /// The region that somebody says it is in, whatever the settings say.
    region: Option<organisation::Region>,
    first: OnceCell<Access>,
    /// The client for the region that the bucket turned out to be in.
    moved: OnceLock<Client>,
    pub(super) room: Room,
    under_way: Semaphore,
    pub(super) ahead: ahead::Room,
}

impl Bucket {
    pub(super) fn new(
        name: &str,
        prefix: &str,
        region: Option<organisation::Region>,
        terms: Terms,
        common: Common,
    ) -> Self {
        Self {
            name: name.to_owned(),
            timeout: common.timeout(),
            terms,
            parts: Parts::default(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            common,
            region,
            first: OnceCell::new(),
            moved: OnceLock::new(),
            under_way: Semaphore::new(UNDER_WAY),
            ahead: ahead::Room::of(Parts::default()),
            room: Room::of(Parts::default()),
        }
    }

    pub(super) fn root(&self) -> String {
        format!("s3://{}/{}", self.name, self.prefix).trim_end_matches('/').to_owned()
    }

    /// Returns what lies below the store's root under its name in the bucket.
    pub(super) fn below(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    pub(super) fn object(&self, key: &Key) -> String {
        self.below(&key.to_string())
    }

    /// Asks the service. Where it says that the bucket is in another region, that one is asked, now and from now on.
    pub(super) async fn ask<T, E, F>(&self, send: impl Fn(Client) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: Error + ProvideErrorMetadata + 'static,
    {
        self.ask_with(&Meter::default(), send).await
    }

    /// Asks the service something whose bytes pass a meter: while they move, there is no hurry.
    pub(super) async fn ask_with<T, E, F>(&self, meter: &Meter, send: impl Fn(Client) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: Error + ProvideErrorMetadata + 'static,
    {
        let until = Instant::now() + self.timeout;
        let mut attempt = HASTY;
        loop {
            let failed = match self.ask_once(meter, &send).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            // The tries of the SDK are over in a moment, and whoever asks too often may be told so for longer.
            let pause = pause_of(attempt);
            if !failed.is_throttled() || Instant::now() + pause >= until {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
            meter.rewind();
        }
    }

    /// Asks the service, with the tries of the SDK.
    async fn ask_once<T, E, F>(&self, meter: &Meter, send: &impl Fn(Client) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: Error + ProvideErrorMetadata + 'static,
    {
        let client = self.client().await?;
        let failed = match self.once(meter, send(client.clone())).await {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        let region = client.config().region();
        let Some(elsewhere) = failed.elsewhere(region.map_or("", Region::as_ref)) else { return Err(failed) };
        let moved = self.moved.get_or_init(|| client::in_region(client, elsewhere));
        if moved.config().region() == region {
            return Err(failed);
        }
        self.once(meter, send(moved.clone())).await
    }

    async fn once<T, E>(
        &self,
        meter: &Meter,
        sending: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, Failed>
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        // It is never closed, so that there is no error to tell.
        let _turn = self.under_way.acquire().await.ok();
        match meter::watch(self.timeout, meter, sending).await {
            Some(answer) => answer.map_err(|error| Failed::of(&error)),
            None => Err(Failed::silent(self.timeout)),
        }
    }

    /// Opens connections for requests that will come at once before long.
    pub(super) fn expect(&self, requests: usize) {
        self.common.expect(requests);
    }

    async fn client(&self) -> Result<&Client, Failed> {
        if let Some(moved) = self.moved.get() {
            return Ok(moved);
        }
        Ok(&self.access().await?.client)
    }

    async fn access(&self) -> Result<&Access, Failed> {
        let build = || client::build(&self.common, self.region.as_ref(), &self.terms);
        self.first.get_or_try_init(build).await.map_err(|error| Failed::of_settings(&error))
    }

    /// Returns the service's URL, where it is not where AWS has it.
    pub(super) async fn endpoint(&self) -> Result<Option<&str>, StoreError> {
        let access = self.access().await.map_err(|failed| self.error("", failed))?;
        Ok(access.site.endpoint.as_deref())
    }

    /// Returns when the credentials end that requests are signed with, where whoever gave them says so.
    pub(super) fn keys_end(&self) -> Option<SystemTime> {
        self.common.keys_end()
    }

    /// Returns the region that requests were first signed for, and the one that the bucket turned out to be in.
    pub(super) fn regions(&self) -> (Option<String>, Option<String>) {
        let region = |client: &Client| client.config().region().map(ToString::to_string);
        (self.first.get().and_then(|access| region(&access.client)), self.moved.get().and_then(region))
    }

    /// Returns the error that a failure of something asked about a key or an address is.
    pub(super) fn error(&self, what: &str, failed: Failed) -> StoreError {
        let place = self.first.get().map(|access| access.place(self.moved.get()));
        let failed = match place {
            Some(place) => failed.at(&place),
            None => failed,
        };
        failed.told(what, &self.root(), &self.name)
    }
}
