//! An account in memory: regions with parameters and buckets, each of whose operations may wait, fail, or be denied.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use metalogic::account::Account;
use metalogic::address::Commit;
use metalogic::artifact::Digest;
use metalogic::event::{Event, Observer};
use metalogic::files::Measured;
use metalogic::metalogic::Listing;
use metalogic::organisation::Region;
use metalogic::parameters::memory::MemoryParameters;
use metalogic::parameters::{ParameterError, Parameters};
use metalogic::release::Release;
use metalogic::shelf::startifact::Startifact;
use metalogic::shelf::{Content, Shelf as _, ShelfError, Staged, Staging};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{
    self, Attributes, Body, Changed, Condition, Denial, Guarantees, Key, Object, Outage, Prefix, Presigned, Put,
    Source, Store, StoreError, Tag, Validity,
};
use metalogic::version::{ReleaseName, Version};
use metalogic::world::Limits;
use serde_json::json;

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Go,
    /// The service does not answer, and nothing was done.
    Lost,
    /// The service does not answer, and it was done.
    LostAfter,
    /// It is not allowed.
    Denied,
    /// Nothing comes for ever, and nothing was done; or it was.
    Hung,
    HungAfter,
}

/// Decides what becomes of operations: `eu/s3 put org/app@1.0.0`, `eu/ssm get /app/latest`.
#[async_trait]
pub trait Fates: Send + Sync {
    async fn decide(&self, operation: &str) -> Fate;
}

/// Lets everything go.
pub struct Fine;

#[async_trait]
impl Fates for Fine {
    async fn decide(&self, _: &str) -> Fate {
        Fate::Go
    }
}

/// Gives the same fate to every operation whose text has one of these words in it, and writes them all down.
#[derive(Default)]
pub struct Where {
    pub words: Vec<(&'static str, Fate)>,
    pub seen: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Fates for Where {
    async fn decide(&self, operation: &str) -> Fate {
        self.seen.lock().unwrap().push(operation.to_owned());
        self.words.iter().find(|(word, _)| operation.contains(word)).map_or(Fate::Go, |(_, fate)| *fate)
    }
}

/// The parameters of a region, and its buckets by their names.
type Holdings = (MemoryParameters, BTreeMap<String, MemoryStore>);

/// What really is in an account, region by region.
#[derive(Debug, Clone, Default)]
pub struct Ground(Arc<Mutex<BTreeMap<String, Holdings>>>);

/// The region that the settings of the AWS tools say.
pub const HOME: &str = "home";

impl Ground {
    pub fn parameters(&self, region: &str) -> MemoryParameters {
        self.0.lock().unwrap().entry(region.to_owned()).or_default().0.clone()
    }

    pub fn bucket(&self, region: &str) -> MemoryStore {
        self.named_bucket(region, &format!("bucket-{region}"))
    }

    fn named_bucket(&self, region: &str, name: &str) -> MemoryStore {
        self.0.lock().unwrap().entry(region.to_owned()).or_default().1.entry(name.to_owned()).or_default().clone()
    }

    pub async fn set(&self, region: &str, parameter: &str, text: &str) {
        self.parameters(region).put(parameter, text).await.unwrap();
    }

    pub async fn said(&self, region: &str, parameter: &str) -> Option<String> {
        self.parameters(region).get(parameter).await.unwrap()
    }

    /// Sets up the described kind: the bucket in `eu`, its name in `names`, latest versions in `latest`.
    pub async fn described() -> Self {
        let ground = Self::default();
        let configuration = json!({
            "bucket_key_prefix": "org/",
            "bucket_param_name": "/bucket",
            "bucket_param_region": "names",
            "bucket_region": "eu",
            "parameter_name_prefix": "/org-",
            "parameter_region": "latest",
        });
        ground.set(HOME, "/startifact", &configuration.to_string()).await;
        ground.set("names", "/bucket", "bucket-eu").await;
        ground
    }

    /// Sets up the released kind in some regions.
    pub async fn released(regions: &[&str]) -> Self {
        let ground = Self::default();
        let configuration = json!({
            "bucket_key_prefix": "",
            "bucket_name_param": "/bucket",
            "parameter_name_prefix": "",
            "regions": regions.join(","),
        });
        for region in regions.iter().chain(&[HOME]) {
            ground.set(region, "/startifact", &configuration.to_string()).await;
            ground.set(region, "/bucket", &format!("bucket-{region}")).await;
        }
        ground
    }

    pub fn account(&self, fates: impl Fates + 'static) -> Arc<dyn Account> {
        Arc::new(Through { ground: self.clone(), fates: Arc::new(fates) })
    }

    /// Loads the shelf as one who meets these fates.
    pub async fn shelf(&self, fates: impl Fates + 'static) -> Result<Told, ShelfError> {
        self.shelf_in(&[], fates).await
    }

    /// Loads the shelf as one who reads these regions.
    pub async fn shelf_in(&self, regions: &[&str], fates: impl Fates + 'static) -> Result<Told, ShelfError> {
        let regions: Vec<Region> = regions.iter().map(|region| region.parse().unwrap()).collect();
        let notebook = Arc::new(Notebook::default());
        let account = self.account(fates);
        let shelf = Startifact::load(account, "/startifact", &regions, notebook.clone(), Limits::default()).await?;
        Ok(Told { shelf, notebook })
    }
}

/// A shelf, and what it told.
pub struct Told {
    pub shelf: Startifact,
    notebook: Arc<Notebook>,
}

#[derive(Default)]
struct Notebook(Mutex<Vec<Event>>);

impl Observer for Notebook {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Told {
    /// Returns the regions that were passed over.
    pub fn passed_over(&self) -> Vec<String> {
        let passed = |event: &Event| match event {
            Event::RegionPassedOver { region, .. } => Some(region.clone()),
            _ => None,
        };
        self.notebook.0.lock().unwrap().iter().filter_map(passed).collect()
    }

    pub async fn stage(&self, staging: &Staging) -> Result<Staged, ShelfError> {
        self.shelf.stage(staging, false).await
    }
}

#[derive(Clone)]
struct Through {
    ground: Ground,
    fates: Arc<dyn Fates>,
}

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Through")
    }
}

impl Account for Through {
    fn parameters(&self, region: Option<&Region>) -> Arc<dyn Parameters> {
        let region = region.map_or(HOME, Region::as_str).to_owned();
        Arc::new(Guarded { inner: self.ground.parameters(&region), region, fates: self.fates.clone() })
    }

    fn bucket(&self, name: &str, region: Option<&Region>) -> Arc<dyn Store> {
        let region = region.map_or(HOME, Region::as_str).to_owned();
        let inner = self.ground.named_bucket(&region, name);
        Arc::new(Guarded { inner, region, fates: self.fates.clone() })
    }
}

/// A leaf whose operations meet fates.
struct Guarded<T> {
    inner: T,
    region: String,
    fates: Arc<dyn Fates>,
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.region)
    }
}

impl<T> Guarded<T> {
    async fn pass<A, E>(
        &self,
        operation: String,
        act: impl Future<Output = Result<A, E>>,
        lost: impl FnOnce() -> E,
        denied: impl FnOnce() -> E,
    ) -> Result<A, E> {
        let operation = format!("{}/{operation}", self.region);
        match self.fates.decide(&operation).await {
            Fate::Go => act.await,
            Fate::Lost => Err(lost()),
            Fate::LostAfter => act.await.and_then(|_| Err(lost())),
            Fate::Denied => Err(denied()),
            Fate::Hung => std::future::pending().await,
            Fate::HungAfter => {
                drop(act.await);
                std::future::pending().await
            }
        }
    }
}

impl Guarded<MemoryStore> {
    async fn s3<A>(
        &self,
        operation: &str,
        key: &(dyn fmt::Display + Sync),
        denial: Denial,
        act: impl Future<Output = Result<A, StoreError>>,
    ) -> Result<A, StoreError> {
        let lost = || StoreError::Unavailable { key: key.to_string(), outage: Outage::Plain, source: "down".into() };
        let denied = || StoreError::AccessDenied { key: key.to_string(), denial, source: "AccessDenied".into() };
        self.pass(format!("s3 {operation} {key}"), act, lost, denied).await
    }
}

impl Guarded<MemoryParameters> {
    async fn ssm<A>(
        &self,
        operation: &str,
        name: &str,
        act: impl Future<Output = Result<A, ParameterError>>,
    ) -> Result<A, ParameterError> {
        let (name, place) = (name.to_owned(), self.region.clone());
        let fault = (name.clone(), place.clone());
        let lost = move || ParameterError::Unavailable {
            name: fault.0,
            place: fault.1,
            outage: Outage::Plain,
            source: "down".into(),
        };
        let operation = format!("ssm {operation} {name}");
        let denied = || {
            let denial = if operation.starts_with("ssm get") { Denial::Reading } else { Denial::Writing };
            ParameterError::AccessDenied { name, place, denial, source: "AccessDeniedException".into() }
        };
        self.pass(operation.clone(), act, lost, denied).await
    }
}

#[async_trait]
impl Parameters for Guarded<MemoryParameters> {
    fn place(&self) -> String {
        self.region.clone()
    }

    async fn get(&self, name: &str) -> Result<Option<String>, ParameterError> {
        self.ssm("get", name, self.inner.get(name)).await
    }

    async fn put(&self, name: &str, text: &str) -> Result<(), ParameterError> {
        self.ssm("put", name, self.inner.put(name, text)).await
    }
}

#[async_trait]
impl Store for Guarded<MemoryStore> {
    fn url(&self, key: &Key) -> String {
        format!("{}/{key}", self.root())
    }

    fn root(&self) -> String {
        format!("s3://bucket-{}", self.region)
    }

    async fn list(&self, commit: Commit) -> Result<Listing, StoreError> {
        self.s3("list", &commit, Denial::Listing, self.inner.list(commit)).await
    }

    async fn keys(&self, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
        self.s3("list", prefix, Denial::Listing, self.inner.keys(prefix)).await
    }

    async fn get(&self, key: &Key, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
        self.s3("get", key, Denial::Reading, self.inner.get(key, largest)).await
    }

    async fn get_changed(&self, key: &Key, largest: u64, than: &Tag) -> Result<Changed, StoreError> {
        self.s3("get", key, Denial::Reading, self.inner.get_changed(key, largest, than)).await
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
        self.s3("get", key, Denial::Reading, self.inner.open(key, range)).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.s3("head", key, Denial::Reading, self.inner.head(key)).await
    }

    async fn put(
        &self,
        key: &Key,
        content: store::Content,
        attributes: Attributes,
        condition: &Condition,
    ) -> Result<Put, StoreError> {
        self.s3("put", key, Denial::Writing, self.inner.put(key, content, attributes, condition)).await
    }

    async fn copy(&self, from: &Key, to: &Key, original: Option<&Object>) -> Result<(), StoreError> {
        self.s3("copy", to, Denial::Writing, self.inner.copy(from, to, original)).await
    }

    async fn source(&self, key: &Key) -> Result<Option<Source>, StoreError> {
        self.inner.source(key).await
    }

    async fn copy_from(&self, source: &Source, to: &Key, attributes: Attributes) -> Result<bool, StoreError> {
        self.s3("copy-from", to, Denial::Writing, self.inner.copy_from(source, to, attributes)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.s3("delete", key, Denial::Deleting, self.inner.delete(key)).await
    }

    async fn presigned(&self, _: &Key, _: Validity) -> Result<Option<Presigned>, StoreError> {
        Ok(None)
    }

    fn expect(&self, _: usize) {}

    async fn guarantees(&self) -> Result<Guarantees, StoreError> {
        Ok(Guarantees::ALL)
    }
}

pub fn name() -> ReleaseName {
    "app".parse().unwrap()
}

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Some bytes in a local file, to be staged under a version. The file lives as long as this does.
pub struct Ware {
    _file: tempfile::NamedTempFile,
    pub staging: Staging,
}

pub fn ware(text: &str, bytes: &[u8], metadata: &[(&str, &str)]) -> Ware {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let measured = Measured { size: bytes.len() as u64, sha256: Digest::of(bytes), mode: None };
    let release = Release {
        name: name(),
        version: version(text),
        size: measured.size,
        sha256: Some(measured.sha256),
        mode: None,
        filename: None,
        metadata: metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        at: Some("2026-11-21T12:00:00Z".to_owned()),
        origin: None,
    };
    let content = Content::File { path: file.path().to_owned(), measured };
    Ware { _file: file, staging: Staging { release, named: false, content } }
}

/// Returns the text under a key of a bucket.
pub fn text(bucket: &MemoryStore, key: &str) -> Option<String> {
    bucket.objects().remove(key).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}
