//! An S3 of this project's own, in this process: atomic, and stricter than the real one. A listing has two names a page, an ETag is no
//! digest, a lost race is answered in each way that S3 has, and some conditional writes meet a conflict although nobody is in their way.

pub mod answers;
pub mod authority;
pub mod parameters;
pub mod proxy;
mod service;
mod shelf;
mod wire;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::HeaderMap;
use metalogic::registry::Terms;
use metalogic::store::s3::{Reach, S3Store};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

pub use shelf::{Setup, Stored};
pub use wire::{Act, Fault, Porter};

use service::Service;
use shelf::Shelf;
use wire::Wire;

pub const BUCKET: &str = "dev-bucket";
pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
/// More access keys, each of somebody of his own.
pub const ACTORS: [&str; 4] = ["AKIDACTOR0", "AKIDACTOR1", "AKIDACTOR2", "AKIDACTOR3"];
pub const SECRET_KEY: &str = "not-much-of-a-secret";
pub const REGION: &str = "eu-north-1";

/// A running service. It ends when this is dropped.
pub struct Fake {
    shelf: Arc<Mutex<Shelf>>,
    wire: Arc<Wire>,
    pub endpoint: String,
    server: tokio::task::JoinHandle<()>,
}

impl Fake {
    pub async fn start() -> Self {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let mut builder = S3ServiceBuilder::new(Service { shelf: Arc::clone(&shelf) });
        let mut keys = SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY);
        for actor in ACTORS {
            keys.register(actor.to_owned(), SECRET_KEY.into());
        }
        builder.set_auth(keys);
        let wire = Arc::new(Wire::new(builder.build()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(wire::serve(listener, Arc::clone(&wire)));
        Self { shelf, wire, endpoint, server }
    }

    pub fn reach(&self) -> Reach {
        self.reach_as(ACCESS_KEY)
    }

    pub fn reach_as(&self, access_key: &str) -> Reach {
        Reach {
            endpoint: self.endpoint.clone(),
            region: REGION.to_owned(),
            access_key: access_key.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
        }
    }

    pub fn store(&self, prefix: &str) -> S3Store {
        self.store_with(prefix, Duration::from_secs(30))
    }

    pub fn store_with(&self, prefix: &str, timeout: Duration) -> S3Store {
        self.store_on(prefix, timeout, Terms::default())
    }

    pub fn store_on(&self, prefix: &str, timeout: Duration, terms: Terms) -> S3Store {
        S3Store::reached(BUCKET, prefix, timeout, terms, self.reach())
    }

    /// Has some of the next requests go wrong.
    pub fn fault(&self, fault: Fault) {
        self.wire.faults().push(fault);
    }

    /// Returns the requests that came, as `PUT /bucket/key?query`, and forgets them. Those that try conditions do not count.
    pub fn requests(&self) -> Vec<String> {
        let requests = std::mem::take(&mut *self.wire.requests.lock().unwrap());
        requests.into_iter().filter(|line| !line.contains("builds/.conditions")).collect()
    }

    /// Returns the requests that came with their headers, and forgets them.
    pub fn heard(&self) -> Vec<(String, HeaderMap)> {
        std::mem::take(&mut self.wire.heard.lock().unwrap())
    }

    /// Returns how many requests came since they were forgotten.
    pub fn count(&self) -> usize {
        self.wire.requests.lock().unwrap().len()
    }

    /// Returns how many connections are open: where there is none, nothing is under way from whoever was killed.
    pub fn connections(&self) -> usize {
        self.wire.connections.load(Ordering::SeqCst)
    }

    /// Says whether a request came whose line has this in it.
    pub fn seen(&self, word: &str) -> bool {
        self.wire.requests.lock().unwrap().iter().any(|line| line.contains(word))
    }

    /// Has no more requests go wrong.
    pub fn mend(&self) {
        self.wire.faults().clear();
    }

    /// Puts an object under any key, as another program could.
    pub fn plant(&self, key: &str, bytes: impl Into<Bytes>) {
        self.shelf().place(key, Stored { bytes: bytes.into(), ..Stored::default() });
    }

    /// Removes an object, as another program could.
    pub fn remove(&self, key: &str) {
        self.shelf().objects.remove(key);
    }

    pub fn object(&self, key: &str) -> Option<Stored> {
        self.shelf().objects.get(key).cloned()
    }

    /// Returns every key in the bucket, but for that of the object with which conditions are tried.
    pub fn keys(&self) -> Vec<String> {
        self.shelf().objects.keys().filter(|key| !key.ends_with("builds/.conditions")).cloned().collect()
    }

    /// Returns how many uploads were begun and neither completed nor aborted.
    pub fn uploads(&self) -> usize {
        self.shelf().uploads.len()
    }

    /// Returns how many uploads were begun in all.
    pub fn uploads_begun(&self) -> usize {
        self.shelf().begun
    }

    /// Takes conditions of writes and does not heed them: `If-None-Match`, `If-Match`.
    pub fn heed_not(&self, if_none_match: bool, if_match: bool) {
        self.shelf().heedless = (if_none_match, if_match);
    }

    /// Changes what the bucket's keepers have set up.
    pub fn set_up(&self, change: impl FnOnce(&mut Setup)) {
        change(&mut self.shelf().setup);
    }

    /// Makes every upload that is under way older.
    pub fn age_uploads(&self, days: u64) {
        let begun = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        self.shelf().uploads.values_mut().for_each(|upload| upload.begun = begun.into());
    }

    /// Puts away every upload that is under way, as the bucket's lifecycle rule does after some days; returns how many those were.
    pub fn forget_uploads(&self) -> usize {
        std::mem::take(&mut self.shelf().uploads).len()
    }

    /// Begins an upload and forgets it, as a killed process does.
    pub fn plant_upload(&self, key: &str) {
        let upload = shelf::Upload {
            key: key.to_owned(),
            draft: Stored::default(),
            parts: std::collections::BTreeMap::new(),
            spoiled: false,
            begun: SystemTime::now().into(),
        };
        self.shelf().uploads.insert(format!("planted {key}"), upload);
    }

    /// Has every request wait for a porter, and no other one.
    pub fn guard(&self, porter: Arc<dyn Porter>) {
        *self.wire.porter.lock().unwrap() = Some(porter);
    }

    /// Empties the bucket, and begins with this way to refuse. No more conflicts come where nobody is in the way.
    pub fn begin(&self, refusals: usize) {
        *self.shelf() = Shelf::calm(refusals);
    }

    /// Returns the way to refuse that comes next.
    pub fn mood(&self) -> usize {
        self.shelf().mood()
    }

    /// Has no more conflicts come where nobody is in the way.
    pub fn calm(&self) {
        self.shelf().calm = true;
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}
