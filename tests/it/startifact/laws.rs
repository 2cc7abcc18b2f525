//! What holds whatever the order in which many stage at once, and wherever one of them breaks off.
//!
//! An order is the outcome of chance: each operation waits for a while before it takes place and before its answer comes. The clock stands
//! still where nothing waits for it, so that thousands of orders take no time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use metalogic::organisation::{KeyPrefix, Organisation};
use metalogic::shelf::{Shelf as _, ShelfError};
use metalogic::store::{self, Attributes, Condition, Key, Prefix};
use metalogic::version::{Version, latest};
use tokio::time::{sleep, timeout};

use super::account::{Fate, Fates, Fine, Ground, Ware, name, version, ware};

/// Has every operation wait by chance.
#[derive(Clone)]
struct Chance {
    random: Arc<std::sync::Mutex<fastrand::Rng>>,
    /// Whether the parameters that say what is latest may not be read.
    blind: bool,
}

impl Chance {
    fn new(seed: u64) -> Self {
        Self { random: Arc::new(fastrand::Rng::with_seed(seed).into()), blind: false }
    }

    fn number(&self, below: u64) -> u64 {
        self.random.lock().unwrap().u64(..below)
    }

    async fn wait(&self) {
        // Most are quick, and some are late.
        let most = [3, 10, 100][usize::try_from(self.number(3)).unwrap()];
        sleep(Duration::from_millis(self.number(most))).await;
    }
}

#[async_trait]
impl Fates for Chance {
    async fn decide(&self, operation: &str) -> Fate {
        self.wait().await;
        if self.blind && operation.contains("ssm get") && operation.ends_with("app/latest") {
            Fate::Denied
        } else {
            Fate::Go
        }
    }
}

/// Runs something where the clock moves when everyone waits.
fn run(act: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(act);
}

/// Where latest versions of a ground are.
type Places = Vec<(&'static str, &'static str, &'static str)>;

/// Returns both kinds of ground, with each bucket's region, and where its latest parameter is.
async fn grounds() -> Vec<(Ground, Places)> {
    vec![
        (Ground::described().await, vec![("eu", "latest", "/org-app/latest")]),
        (Ground::released(&["a", "b"]).await, vec![("a", "a", "/app/latest"), ("b", "b", "/app/latest")]),
    ]
}

fn staged(ground: &Ground, region: &str) -> Vec<Version> {
    let objects = ground.bucket(region).objects();
    objects.keys().filter_map(|key| key.trim_start_matches("org/").strip_prefix("app@")?.parse().ok()).collect()
}

fn random_version(chance: &Chance) -> String {
    let pre = ["", "", "", "-rc.1", "-rc.2"][usize::try_from(chance.number(5)).unwrap()];
    format!("{}.{}.0{pre}", chance.number(3), chance.number(12))
}

/// Says whether every parameter says what is the highest release of its bucket, or nothing of ours where there is none.
async fn is_right(ground: &Ground, places: &Places, before: Option<&str>) -> bool {
    for (bucket, region, parameter) in places {
        let versions = staged(ground, bucket);
        let highest = latest(&versions, false).map(ToString::to_string);
        if ground.said(region, parameter).await != highest.or(before.map(str::to_owned)) {
            return false;
        }
    }
    true
}

#[test]
fn latest_ends_as_the_highest_release_in_whatever_order_many_stage() {
    let mut tried = 0;
    for seed in 0..80 {
        run(async {
            for (ground, places) in grounds().await {
                let chance = Chance::new(seed);
                // Another program may have set it to anything.
                let before =
                    [None, Some("0.5.0"), Some("9.0.0-rc.9"), Some("7.7.7")][usize::try_from(seed % 4).unwrap()];
                for (_, region, parameter) in &places {
                    if let Some(text) = before {
                        ground.set(region, parameter, text).await;
                    }
                }
                let stager = |number: u64| {
                    let (ground, mut chance) = (ground.clone(), Chance::new(seed * 100 + number));
                    chance.blind = number % 3 == 2;
                    async move {
                        let shelf = ground.shelf(chance.clone()).await.unwrap();
                        for _ in 0..=chance.number(1 + seed % 3) {
                            let text = random_version(&chance);
                            shelf.stage(&ware(&text, text.as_bytes(), &[]).staging).await.unwrap();
                        }
                    }
                };
                join_all((0..3 + chance.number(5)).map(stager)).await;
                assert!(is_right(&ground, &places, before).await, "seed {seed}: {places:?}");
                tried += 1;
            }
        });
    }
    assert_eq!(tried, 160);
}

/// Stages as Startifact would, if it were to heed what is highest: it looks before it sets, and not again.
async fn stage_without_looking_again(ground: &Ground, chance: &Chance, text: &str) {
    let organisation = Organisation::parse(&ground.said("home", "/startifact").await.unwrap()).unwrap();
    let account = ground.account(chance.clone());
    let (eu, region) = ("eu".parse().unwrap(), "latest".parse().unwrap());
    let (bucket, parameters) = (account.bucket("bucket-eu", Some(&eu)), account.parameters(Some(&region)));
    let prefix: KeyPrefix = organisation.key_prefix.clone();
    let key = Key::Staged(prefix.clone(), name(), version(text));
    let content = store::Content::Bytes(text.to_owned().into());
    drop(bucket.put(&key, content, Attributes::default(), &Condition::Absent).await);
    let rests = bucket.keys(&Prefix::Staged(prefix, name())).await.unwrap();
    let versions: Vec<Version> = rests.iter().filter_map(|rest| rest.parse().ok()).collect();
    if let Some(highest) = latest(&versions, false) {
        parameters.put(&organisation.latest_parameter(&name()), &highest.to_string()).await.unwrap();
    }
}

#[test]
fn whoever_does_not_look_again_leaves_a_lower_latest_in_some_order() {
    let mut wrong = 0;
    for seed in 0..120 {
        run(async {
            let (ground, places) = grounds().await.remove(0);
            let stager = |number: u64| {
                let (ground, chance) = (ground.clone(), Chance::new(seed * 100 + number));
                async move { stage_without_looking_again(&ground, &chance, &random_version(&chance)).await }
            };
            join_all((0..4).map(stager)).await;
            wrong += usize::from(!is_right(&ground, &places, None).await);
        });
    }
    assert!(wrong > 5, "chance finds what looking again is for: {wrong} of 120 orders");
}

/// While a stager is between its look and what it sets, it may set what was highest a moment ago, and mends that. So the law is of the
/// moments in which nobody is under way.
#[test]
fn latest_never_falls_from_one_quiet_moment_to_the_next() {
    for seed in 0..40 {
        run(async {
            for (ground, _) in grounds().await {
                let reader = ground.shelf(Fine).await.unwrap();
                let mut said: Option<Version> = None;
                let mut returned = BTreeSet::new();
                for wave in 0..4 {
                    let stager = |number: u64| {
                        let (ground, chance) = (ground.clone(), Chance::new(seed * 1000 + wave * 100 + number));
                        async move {
                            let text = random_version(&chance);
                            let shelf = ground.shelf(chance.clone()).await.unwrap();
                            shelf.stage(&ware(&text, text.as_bytes(), &[]).staging).await.unwrap();
                            version(&text)
                        }
                    };
                    returned.extend(join_all((0..3).map(stager)).await);
                    let now = reader.shelf.latest(&name(), false).await.ok();
                    assert!(now >= said, "seed {seed}: {said:?}, then {now:?}");
                    assert_eq!(now.as_ref(), latest(&returned, false));
                    said = now;
                }
            }
        });
    }
}

#[test]
fn of_two_who_stage_different_bytes_one_wins_and_the_other_is_told() {
    for seed in 0..60 {
        run(async {
            for (ground, places) in grounds().await {
                let wares = [ware("1.0.0", b"one", &[]), ware("1.0.0", b"two", &[])];
                let outcomes = race(&ground, seed, &wares).await;
                let won = outcomes.iter().position(Result::is_ok).expect("one wins");
                let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
                assert!(lost.clone().count() == 1 && lost.clone().all(is_conflict), "{outcomes:?}");
                for (bucket, ..) in &places {
                    let objects = ground.bucket(bucket).objects();
                    let stands = [b"one", b"two"][won].as_slice();
                    assert!(
                        objects.len() == 1 && objects.values().all(|bytes| bytes == stands),
                        "every region has the same"
                    );
                }
                assert!(is_right(&ground, &places, None).await);
            }
        });
    }
}

#[test]
fn of_two_who_name_regions_in_another_order_one_wins_all_the_same() {
    for seed in 0..40 {
        run(async {
            let ground = Ground::released(&[]).await;
            for region in ["a", "b"] {
                ground.set(region, "/startifact", &ground.said("home", "/startifact").await.unwrap()).await;
                ground.set(region, "/bucket", &format!("bucket-{region}")).await;
            }
            let wares = [ware("1.0.0", b"one", &[]), ware("1.0.0", b"two", &[])];
            let stager = |number: usize, regions: &'static [&'static str]| {
                let (ground, staging) = (ground.clone(), wares[number].staging.clone());
                let chance = Chance::new(seed * 10 + number as u64);
                async move { ground.shelf_in(regions, chance).await.unwrap().stage(&staging).await }
            };
            let (one, other) = futures::future::join(stager(0, &["a", "b"]), stager(1, &["b", "a"])).await;
            assert!(one.is_ok() != other.is_ok(), "{one:?}, {other:?}");
        });
    }
}

/// Has operations wait by chance, and fail by chance.
struct Mishap(Chance);

#[async_trait]
impl Fates for Mishap {
    async fn decide(&self, operation: &str) -> Fate {
        self.0.wait().await;
        match self.0.number(12) {
            0 => Fate::Lost,
            1 => Fate::LostAfter,
            2 if operation.contains("s3 get") => Fate::Denied,
            _ => Fate::Go,
        }
    }
}

/// Returns what stands under a version in any region: more than one is more than there may ever be.
fn releases(ground: &Ground, regions: &[&str]) -> BTreeSet<(String, Vec<u8>)> {
    let objects = regions.iter().flat_map(|region| ground.bucket(region).objects());
    objects.filter(|(key, _)| key.starts_with("app@1.0.0")).map(|(key, bytes)| (key, bytes.to_vec())).collect()
}

#[test]
fn no_two_regions_ever_have_different_releases_whoever_stages_and_whatever_fails() {
    let regions = ["a", "b", "c"];
    let (partly, refused) = (&AtomicIsize::new(0), &AtomicIsize::new(0));
    for seed in 0..150 {
        run(async {
            let ground = Ground::released(&regions).await;
            let wares = [ware("1.0.0", b"one", &[]), ware("1.0.0", b"two", &[("lang", "rust")])];
            let stager = |(number, ware): (u64, &Ware)| {
                let (ground, staging) = (ground.clone(), ware.staging.clone());
                async move {
                    let chance = Chance::new(seed * 100 + number);
                    // Some come when others have given up.
                    sleep(Duration::from_millis(chance.number(2) * 2000)).await;
                    let shelf = ground.shelf(Mishap(chance)).await.map_err(drop)?;
                    shelf
                        .stage(&staging)
                        .await
                        .map(drop)
                        .map_err(|error| match error {
                            ShelfError::Partly { .. } => partly.fetch_add(1, Ordering::Relaxed),
                            ShelfError::Conflict { .. } => refused.fetch_add(1, Ordering::Relaxed),
                            _ => 0,
                        })
                        .map_err(drop)
                }
            };
            drop(join_all((0..).zip(wares.iter().cycle().take(7)).map(stager)).await);
            let stand = releases(&ground, &regions);
            let bytes: BTreeSet<&Vec<u8>> =
                stand.iter().filter(|(key, _)| !key.ends_with("/metadata")).map(|(_, bytes)| bytes).collect();
            assert!(bytes.len() <= 1, "seed {seed}: {stand:?}");
        });
    }
    let seen = (partly.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
    assert!(seen.0 > 20 && seen.1 > 20, "{seen:?}");
}

fn is_conflict(error: &ShelfError) -> bool {
    matches!(error, ShelfError::Conflict { .. })
}

async fn race(ground: &Ground, seed: u64, wares: &[Ware]) -> Vec<Result<metalogic::shelf::Staged, ShelfError>> {
    let stager = |(number, ware): (u64, &Ware)| {
        let (ground, staging) = (ground.clone(), ware.staging.clone());
        async move { ground.shelf(Chance::new(seed * 10 + number)).await.unwrap().stage(&staging).await }
    };
    join_all((0..).zip(wares).map(stager)).await
}

#[test]
fn two_who_stage_the_same_both_succeed() {
    for seed in 0..60 {
        run(async {
            for (ground, places) in grounds().await {
                let wares = [ware("1.0.0", b"one", &[("a", "1")]), ware("1.0.0", b"one", &[("a", "1")])];
                for outcome in race(&ground, seed, &wares).await {
                    outcome.unwrap();
                }
                assert!(is_right(&ground, &places, None).await);
            }
        });
    }
}

#[test]
fn two_who_stage_the_same_version_with_other_build_metadata_are_told_where_both_stand() {
    let mut both_stood = 0;
    for seed in 0..60 {
        run(async {
            let (ground, places) = grounds().await.remove(0);
            let wares = [ware("1.0.0+a", b"one", &[]), ware("1.0.0+b", b"two", &[])];
            let outcomes = race(&ground, seed, &wares).await;
            let stand = staged(&ground, "eu").len();
            assert!(outcomes.iter().any(Result::is_err), "at least the second is told");
            for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
                let told = matches!(error, ShelfError::OtherBuild { staging: true, .. }) && stand == 1
                    || matches!(error, ShelfError::OtherBuild { .. } | ShelfError::BothStand { .. }) && stand == 2;
                assert!(told, "{error}");
            }
            assert!(is_right(&ground, &places, None).await);
            if stand == 2 {
                both_stood += 1;
                // Whoever stages one of them again is told the same, and leaves nothing undone.
                for outcome in race(&ground, seed, &wares).await {
                    assert!(matches!(outcome, Err(ShelfError::BothStand { .. })));
                }
            }
        });
    }
    assert!(both_stood > 0, "some orders have both");
}

/// Gives one operation another fate: the one that comes after so many.
#[derive(Clone)]
struct Nth {
    left: Arc<AtomicIsize>,
    fate: Fate,
}

#[async_trait]
impl Fates for Nth {
    async fn decide(&self, _: &str) -> Fate {
        sleep(Duration::from_millis(1)).await;
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 => self.fate,
            _ => Fate::Go,
        }
    }
}

/// Returns all that a ground holds.
async fn all(ground: &Ground, places: &Places) -> Vec<String> {
    let mut all = Vec::new();
    for (bucket, region, parameter) in places {
        all.push(format!("{:?}", ground.bucket(bucket).objects()));
        all.push(format!("{:?}", ground.said(region, parameter).await));
    }
    all
}

/// Breaks a stage off at every step with some fate; `meanwhile` happens before it is staged again.
fn broken_off(fate: Fate, meanwhile: Option<&str>) -> usize {
    let mut steps = 0;
    for kind in 0..2 {
        for step in 0.. {
            let mut ended = false;
            run(async {
                let (ground, places) = grounds().await.remove(kind);
                stage(&ground, Fine, &ware("1.0.0", b"old", &[])).await.unwrap();
                let ware = ware("1.1.0", b"new", &[("a", "1")]);
                let (clean, clean_places) = grounds().await.remove(kind);
                let mut rivals = vec![super::account::ware("1.0.0", b"old", &[])];
                rivals.extend(meanwhile.map(|text| super::account::ware(text, text.as_bytes(), &[])));
                for ware in rivals.iter().chain([&ware]) {
                    stage(&clean, Fine, ware).await.unwrap();
                }
                let nth = Nth { left: Arc::new(AtomicIsize::new(step)), fate };
                let broken = stage(&ground, nth.clone(), &ware).await;
                ended = nth.left.load(Ordering::SeqCst) >= 0;
                assert!(!ended || broken.is_ok());
                let bytes: Vec<_> = places.iter().map(|(bucket, ..)| ground.bucket(bucket).objects()).collect();
                if let Some(text) = meanwhile {
                    stage(&ground, Fine, &super::account::ware(text, text.as_bytes(), &[])).await.unwrap();
                    assert!(is_right(&ground, &places, None).await, "whoever stages mends it: step {step}");
                }
                stage(&ground, Fine, &ware).await.unwrap();
                assert_eq!(all(&ground, &places).await, all(&clean, &clean_places).await, "step {step}");
                for ((bucket, ..), before) in places.iter().zip(bytes) {
                    let now = ground.bucket(bucket).objects();
                    assert!(
                        before.iter().all(|(key, bytes)| now.get(key) == Some(bytes)),
                        "nothing that stood changed"
                    );
                }
            });
            if ended {
                break;
            }
            steps += 1;
        }
    }
    steps
}

/// Stages, and gives up where nothing comes.
async fn stage(ground: &Ground, fates: impl Fates + 'static, ware: &Ware) -> Result<(), String> {
    let staging = async {
        let shelf = ground.shelf(fates).await.map_err(|error| error.to_string())?;
        shelf.stage(&ware.staging).await.map_err(|error| error.to_string()).map(drop)
    };
    timeout(Duration::from_secs(60), staging).await.unwrap_or_else(|_| Err("killed".to_owned()))
}

#[test]
fn a_stage_that_breaks_off_at_any_step_is_completed_by_another() {
    for (fate, meanwhile) in [
        (Fate::Lost, None),
        (Fate::Lost, Some("2.0.0")),
        (Fate::LostAfter, None),
        (Fate::LostAfter, Some("1.0.5")),
        (Fate::Hung, Some("2.0.0-rc.1")),
        (Fate::HungAfter, None),
        (Fate::HungAfter, Some("2.0.0")),
    ] {
        let steps = broken_off(fate, meanwhile);
        assert!(steps > 20, "{steps} steps were tried");
    }
}

/// Sets the parameter back before it is looked at, each time.
struct Meddler(Ground);

#[async_trait]
impl Fates for Meddler {
    async fn decide(&self, operation: &str) -> Fate {
        if operation.starts_with("latest/ssm get") {
            self.0.set("latest", "/org-app/latest", "0.0.1").await;
        }
        Fate::Go
    }
}

#[test]
fn whoever_is_always_overtaken_gives_up_in_time() {
    run(async {
        let (ground, _) = grounds().await.remove(0);
        let began = tokio::time::Instant::now();
        let shelf = ground.shelf(Meddler(ground.clone())).await.unwrap();
        let error = shelf.stage(&ware("1.0.0", b"1", &[]).staging).await.unwrap_err();
        assert!(matches!(error, ShelfError::Raced { races, .. } if races > 10), "{error}");
        assert!(began.elapsed() <= Duration::from_secs(120));
    });
}
