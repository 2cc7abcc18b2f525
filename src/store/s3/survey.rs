//! What the bucket's keepers have set up, as far as that may be asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{
    BucketVersioningStatus, ExpirationStatus, LifecycleRule, PublicAccessBlockConfiguration as Block,
    TransitionStorageClass,
};
use futures::join;

use super::bucket::Bucket;
use super::failed::Failed;
use crate::store::StoreError;

/// Describes a bucket. What cannot be told holds why.
#[derive(Debug)]
pub struct Survey {
    /// The service's URL, where it is not where AWS has it.
    pub endpoint: Option<String>,
    /// The region that the settings say.
    pub region: String,
    /// The region that the bucket is in, where the service says so.
    pub bucket_region: Option<String>,
    /// How many seconds this machine's clock is ahead of the service's; none where the service tells no time.
    pub ahead: Option<i64>,
    /// The uploads that were begun below `builds/` and neither completed nor put away.
    pub uploads: Result<Uploads, StoreError>,
    /// What the bucket's rules do to objects below `builds/`.
    pub lifecycle: Result<Lifecycle, StoreError>,
    /// Whether old versions of objects are kept.
    pub versioning: Result<Versioning, StoreError>,
    /// Which of the four settings that keep the public out are off.
    pub open_to_public: Result<Vec<&'static str>, StoreError>,
}

/// Counts uploads that are under way or were left over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uploads {
    /// How many there are: at least, where there are more than one page of them.
    pub count: usize,
    /// Whether there are more than were counted.
    pub more: bool,
    /// How long ago the oldest was begun.
    pub oldest: Option<Duration>,
}

/// Tells what a bucket's rules do to objects below `builds/`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lifecycle {
    /// The rules that take objects away, or where nothing can be fetched at once.
    pub rules: Vec<Rule>,
    /// Whether uploads that are left over are put away.
    pub aborts_uploads: bool,
}

/// Describes a rule that takes objects away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it does.
    pub deed: Deed,
    /// When, as a fragment: `30 days after they were put`.
    pub when: String,
}

/// Names what a rule does to objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It deletes them.
    Expires,
    /// It moves them to a class from which they must be restored before they can be read.
    Archives(String),
}

/// Says whether old versions of objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// They are.
    On,
    /// They are not, but were.
    Suspended,
    /// They never were.
    Off,
}

/// Looks at the bucket.
pub(super) async fn survey(bucket: &Bucket) -> Survey {
    let (clock, region) = look(bucket).await;
    let (uploads, lifecycle, versioning, open_to_public) =
        join!(uploads(bucket), lifecycle(bucket), versioning(bucket), open_to_public(bucket));
    let (asked, moved) = bucket.regions();
    Survey {
        // Where the settings make no sense, all that was asked says so.
        endpoint: bucket.endpoint().await.ok().flatten().map(str::to_owned),
        region: asked.unwrap_or_default(),
        bucket_region: region.or(moved),
        ahead: clock,
        uploads,
        lifecycle,
        versioning,
        open_to_public,
    }
}

/// Returns how far the clock is ahead, and the bucket's region.
async fn look(bucket: &Bucket) -> (Option<i64>, Option<String>) {
    let clock = Clock::default();
    let ask = |client: Client| client.head_bucket().bucket(&bucket.name).customize().interceptor(clock.clone()).send();
    // Any answer tells the time, and who may not ask this is told so elsewhere.
    let region = bucket.ask(ask).await.ok().and_then(|answer| answer.bucket_region().map(str::to_owned));
    (clock.ahead(), region)
}

/// Compares the clock with the time that an answer tells.
#[derive(Debug, Clone, Default)]
struct Clock {
    ahead: Arc<Mutex<Option<i64>>>,
}

impl Clock {
    fn ahead(&self) -> Option<i64> {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let told = context.response().headers().get("date");
        if let Some(told) = told.and_then(|told| DateTime::from_str(told, DateTimeFormat::HttpDate).ok()) {
            let ahead = DateTime::from(SystemTime::now()).secs() - told.secs();
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        Ok(())
    }
}

async fn uploads(bucket: &Bucket) -> Result<Uploads, StoreError> {
    let prefix = bucket.below("builds/");
    let ask = |client: Client| client.list_multipart_uploads().bucket(&bucket.name).prefix(&prefix).send();
    let page = bucket.ask(ask).await.map_err(|failed| bucket.error("builds/", failed))?;
    let now = SystemTime::now();
    let age = |begun: &DateTime| now.duration_since(SystemTime::try_from(*begun).ok()?).ok();
    let oldest = page.uploads().iter().filter_map(|upload| age(upload.initiated()?)).max();
    Ok(Uploads { count: page.uploads().len(), more: page.is_truncated() == Some(true), oldest })
}

async fn lifecycle(bucket: &Bucket) -> Result<Lifecycle, StoreError> {
    let ask = |client: Client| client.get_bucket_lifecycle_configuration().bucket(&bucket.name).send();
    let answer = match bucket.ask(ask).await {
        Ok(answer) => answer,
        Err(failed) if failed.says("NoSuchLifecycleConfiguration") => return Ok(Lifecycle::default()),
        Err(failed) => return Err(bucket.error("", failed)),
    };
    let builds = bucket.below("builds/");
    let in_force: Vec<&LifecycleRule> =
        answer.rules().iter().filter(|rule| rule.status == ExpirationStatus::Enabled).collect();
    let aborts = |rule: &&LifecycleRule| {
        let prefix = prefix(rule).unwrap_or_default();
        rule.abort_incomplete_multipart_upload().is_some() && builds.starts_with(&prefix)
    };
    Ok(Lifecycle {
        rules: in_force.iter().filter(|rule| concerns(rule, &builds)).flat_map(|rule| deeds(rule)).collect(),
        aborts_uploads: in_force.iter().any(aborts),
    })
}

/// Says whether a rule is about objects below a prefix that have no tags, as those of this program have none.
fn concerns(rule: &LifecycleRule, builds: &str) -> bool {
    let tagged = rule
        .filter()
        .is_some_and(|filter| filter.tag().is_some() || filter.and().is_some_and(|and| !and.tags().is_empty()));
    let prefix = prefix(rule).unwrap_or_default();
    // What begins with a full stop is no address.
    let below = prefix.strip_prefix(builds).is_some_and(|rest| !rest.starts_with('.'));
    !tagged && (builds.starts_with(&prefix) || below)
}

fn prefix(rule: &LifecycleRule) -> Option<String> {
    let of_filter = rule.filter().and_then(|filter| filter.prefix().or_else(|| filter.and()?.prefix()));
    #[expect(deprecated, reason = "rules that are old enough have their prefix there")]
    let prefix = of_filter.or_else(|| rule.prefix());
    prefix.map(str::to_owned)
}

/// Returns what a rule does to objects that can be read now.
fn deeds(rule: &LifecycleRule) -> Vec<Rule> {
    let name = rule.id().unwrap_or("without a name").to_owned();
    let when = |days: Option<i32>, date: Option<&DateTime>| match (days, date) {
        (Some(1), _) => Some("a day after they were put".to_owned()),
        (Some(days), _) => Some(format!("{days} days after they were put")),
        (None, Some(date)) => date.fmt(DateTimeFormat::DateTime).ok().map(|date| format!("from {date}")),
        (None, None) => None,
    };
    let expires = rule.expiration().and_then(|expiration| when(expiration.days(), expiration.date()));
    let expires = expires.map(|when| Rule { name: name.clone(), deed: Deed::Expires, when });
    let archives = rule.transitions().iter().filter_map(|transition| {
        let class = transition.storage_class()?;
        let slow = matches!(class, TransitionStorageClass::Glacier | TransitionStorageClass::DeepArchive);
        let when = when(transition.days(), transition.date()).filter(|_| slow)?;
        Some(Rule { name: name.clone(), deed: Deed::Archives(class.as_str().to_owned()), when })
    });
    expires.into_iter().chain(archives).collect()
}

async fn versioning(bucket: &Bucket) -> Result<Versioning, StoreError> {
    let ask = |client: Client| client.get_bucket_versioning().bucket(&bucket.name).send();
    let answer = bucket.ask(ask).await.map_err(|failed| bucket.error("", failed))?;
    Ok(match answer.status() {
        Some(BucketVersioningStatus::Enabled) => Versioning::On,
        Some(_) => Versioning::Suspended,
        None => Versioning::Off,
    })
}

async fn open_to_public(bucket: &Bucket) -> Result<Vec<&'static str>, StoreError> {
    const ALL: [&str; 4] = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    let ask = |client: Client| client.get_public_access_block().bucket(&bucket.name).send();
    let none = |failed: &Failed| failed.says("NoSuchPublicAccessBlockConfiguration");
    let answer = match bucket.ask(ask).await {
        Ok(answer) => answer,
        Err(failed) if none(&failed) => return Ok(ALL.to_vec()),
        Err(failed) => return Err(bucket.error("", failed)),
    };
    let set = answer.public_access_block_configuration();
    let on = [
        set.and_then(Block::block_public_acls),
        set.and_then(Block::ignore_public_acls),
        set.and_then(Block::block_public_policy),
        set.and_then(Block::restrict_public_buckets),
    ];
    Ok(ALL.into_iter().zip(on).filter(|(_, on)| *on != Some(true)).map(|(name, _)| name).collect())
}
