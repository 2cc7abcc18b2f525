//! What every shelf does: one function a law, and each law is run on each shelf.

pub mod faults;

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use metalogic::account::Account;
use metalogic::arrival::Destination;
use metalogic::artifact::{Digest, Name};
use metalogic::download;
use metalogic::event::{Observer, Silent};
use metalogic::organisation::Region;
use metalogic::parameters::Parameters;
use metalogic::release::{Origin, Release};
use metalogic::shelf::startifact::Startifact;
use metalogic::shelf::store::StoreShelf;
use metalogic::shelf::{Content, Shelf, ShelfError, Staged, Staging};
use metalogic::stage::{self, Label};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{self, Attributes, Condition, Key, Store, StoreError};
use metalogic::version::{self, ReleaseName, Version};
use metalogic::world::Limits;

use crate::conformance::empty;
use crate::decorated::{Decorated, Watcher};
use faults::{Faults, FaultyParameters};

/// A shelf on which nothing stands, and what must live as long as it is used.
pub struct Ground {
    pub shelf: Arc<dyn Shelf>,
    pub faults: Arc<Faults>,
    /// Whether it is recorded of everything when it was staged; Startifact's knows it of promotions.
    tells_when: bool,
    /// How many times what is staged is sent: once for each region.
    regions: u64,
    /// Where builds publish what is promoted.
    builds: Arc<dyn Store>,
    files: tempfile::TempDir,
    _guard: Box<dyn Send + Sync>,
}

macro_rules! laws {
    ($($shelf:ident),+: $laws:tt) => {
        $(mod $shelf {
            laws!(@ $shelf $laws);
        })+
    };
    (@ $shelf:ident { $($law:ident)+ }) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $law() {
            super::$law(&super::ground::$shelf().await).await;
        })+
    };
}

laws! {
    memory, directory, s3, described, released: {
        what_was_staged_is_found_and_downloaded
        nothing_is_found_where_nothing_was_staged
        the_same_bytes_are_staged_as_often_as_anybody_likes
        a_version_is_never_another
        build_metadata_makes_no_other_version
        what_is_recorded_is_part_of_what_is_staged
        a_file_name_that_nobody_asked_for_makes_no_other_release
        what_was_promoted_and_the_file_with_its_bytes_are_one_release
        the_latest_is_the_highest_release_whenever_it_was_staged
        a_dry_run_writes_nothing
        of_all_who_stage_at_once_one_wins
        of_all_who_record_something_else_at_once_one_wins
        all_who_stage_the_same_at_once_succeed
        a_stage_that_fails_anywhere_is_completed_by_another
        many_stagers_at_once_end_with_the_right_latest
    }
}

pub mod ground {
    use super::*;

    fn of_store(subject: crate::conformance::Subject) -> Ground {
        let faults = Arc::new(Faults::default());
        let store = Arc::new(Decorated::over(Arc::clone(&subject.store), Arc::clone(&faults) as Arc<dyn Watcher>));
        let shelf = Arc::new(StoreShelf::new(store, Arc::new(Silent)));
        Ground {
            shelf,
            builds: Arc::clone(&subject.store),
            faults,
            tells_when: true,
            regions: 1,
            files: tempfile::tempdir().unwrap(),
            _guard: Box::new(subject),
        }
    }

    /// Regions of an account in memory, whose parameters and buckets have their faults in common.
    #[derive(Debug)]
    struct Regions(crate::startifact::account::Ground, Arc<Faults>);

    impl Account for Regions {
        fn parameters(&self, region: Option<&Region>) -> Arc<dyn Parameters> {
            let inner = Arc::new(self.0.parameters(region.map_or("home", Region::as_str)));
            Arc::new(FaultyParameters { inner, faults: Arc::clone(&self.1) })
        }

        fn bucket(&self, _: &str, region: Option<&Region>) -> Arc<dyn Store> {
            let inner = Arc::new(self.0.bucket(region.map_or("home", Region::as_str)));
            Arc::new(Decorated::over(inner, Arc::clone(&self.1) as Arc<dyn Watcher>))
        }
    }

    async fn of_account(account: crate::startifact::account::Ground, regions: u64) -> Ground {
        let faults = Arc::new(Faults::default());
        let account = Arc::new(Regions(account, Arc::clone(&faults)));
        let loaded = Startifact::load(account, "/startifact", &[], Arc::new(Silent), Limits::default()).await;
        let shelf = Arc::new(loaded.unwrap());
        Ground {
            shelf,
            faults,
            tells_when: false,
            regions,
            builds: Arc::new(MemoryStore::default()),
            files: tempfile::tempdir().unwrap(),
            _guard: Box::new(()),
        }
    }

    pub async fn described() -> Ground {
        of_account(crate::startifact::account::Ground::described().await, 1).await
    }

    pub async fn released() -> Ground {
        of_account(crate::startifact::account::Ground::released(&["eu", "us"]).await, 2).await
    }

    pub async fn memory() -> Ground {
        of_store(empty::memory().await)
    }

    pub async fn directory() -> Ground {
        of_store(empty::directory().await)
    }

    pub async fn s3() -> Ground {
        of_store(empty::s3().await)
    }
}

fn observer() -> Arc<dyn Observer> {
    Arc::new(Silent)
}

fn name() -> ReleaseName {
    "app".parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn label(text: &str) -> Label {
    let at = "2026-01-02T03:04:05Z".to_owned();
    Label { name: name(), version: version(text), filename: None, metadata: BTreeMap::new(), at }
}

impl Ground {
    /// Makes the staging of a file with these bytes.
    async fn staging(&self, label: Label, file: &str, bytes: &str) -> Staging {
        let path = self.files.path().join(format!("{}", fastrand::u64(..)));
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(file), bytes).unwrap();
        stage::from_file(&observer(), label, path.join(file)).await.unwrap()
    }

    async fn stage(&self, text: &str, bytes: &str) -> Result<Staged, ShelfError> {
        self.shelf.stage(&self.staging(label(text), "app.zip", bytes).await, false).await
    }

    /// Returns when something was staged, as far as it is recorded here.
    fn when(&self, release: &Release) -> Option<String> {
        release.at.clone().filter(|_| self.tells_when || release.origin.is_some())
    }

    async fn staged(&self, text: &str, bytes: &str) -> Staged {
        self.stage(text, bytes).await.unwrap()
    }

    async fn found(&self, text: &str) -> Release {
        self.shelf.find(&name(), &version(text)).await.unwrap().release
    }

    async fn downloaded(&self, text: &str) -> String {
        let found = self.shelf.find(&name(), &version(text)).await.unwrap();
        let target = self.files.path().join(format!("got {}", fastrand::u64(..)));
        let got = download::download(&observer(), &found, &Destination::File(target.clone()), false).await.unwrap();
        assert!(got.verified, "{got:?}");
        std::fs::read_to_string(target).unwrap()
    }

    async fn versions(&self) -> Vec<String> {
        self.shelf.versions(&name()).await.unwrap().iter().map(ToString::to_string).collect()
    }

    async fn latest(&self, pre: bool) -> Option<String> {
        match self.shelf.latest(&name(), pre).await {
            Ok(version) => Some(version.to_string()),
            Err(ShelfError::Nothing { .. } | ShelfError::OnlyPre { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

fn conflict<T: std::fmt::Debug>(staged: Result<T, ShelfError>) -> String {
    match staged {
        Err(ShelfError::Conflict { difference, .. }) => difference,
        other => panic!("no conflict: {other:?}"),
    }
}

async fn what_was_staged_is_found_and_downloaded(ground: &Ground) {
    let metadata = BTreeMap::from([("lang".to_owned(), "rust=ü\n\"".to_owned())]);
    let label = Label { filename: Some("my app.zip".parse().unwrap()), metadata, ..label("1.0.0-rc.1+build.5") };
    let staging = ground.staging(label, "x", "the bytes").await;
    let staged = ground.shelf.stage(&staging, false).await.unwrap();
    assert_eq!((staged.present, staged.bytes_sent), (false, 9 * ground.regions));
    let found = ground.shelf.find(&name(), &version("1.0.0-rc.1+build.5")).await.unwrap();
    assert_eq!(found.release, Release { at: ground.when(&staging.release), ..staging.release });
    assert_eq!(found.release.sha256, Some(Digest::of(b"the bytes")));
    assert_eq!(found.store.url(&found.key), staged.url);
    assert_eq!(ground.downloaded("1.0.0-rc.1+build.5").await, "the bytes");
    // It is the same version without what makes no other one.
    assert_eq!(ground.downloaded("1.0.0-rc.1").await, "the bytes");
    let directory = Destination::Directory(ground.files.path().join("new/there"));
    let got = download::download(&observer(), &found, &directory, false).await.unwrap();
    assert_eq!(got.target.unwrap(), ground.files.path().join("new/there/my app.zip"));
}

async fn nothing_is_found_where_nothing_was_staged(ground: &Ground) {
    assert_eq!(ground.versions().await, [] as [&str; 0]);
    assert!(matches!(ground.shelf.latest(&name(), true).await, Err(ShelfError::Nothing { .. })));
    let find = async |text| ground.shelf.find(&name(), &version(text)).await.map(|found| found.release);
    assert!(matches!(find("1.0.0").await, Err(ShelfError::Nothing { .. })));
    ground.staged("1.0.0", "one").await;
    assert!(matches!(find("1.0.1").await, Err(ShelfError::Missing { .. })));
    assert!(matches!(
        ground.shelf.find(&"ap".parse().unwrap(), &version("1.0.0")).await,
        Err(ShelfError::Nothing { .. })
    ));
}

async fn the_same_bytes_are_staged_as_often_as_anybody_likes(ground: &Ground) {
    let first = ground.staged("1.0.0", "one").await;
    let second = ground.staged("1.0.0", "one").await;
    assert_eq!((second.present, second.bytes_sent, second.url), (true, 0, first.url));
    assert_eq!(second.latest, Some(version("1.0.0")));
    // It is what stands that is told, and not what would have been recorded.
    let later =
        ground.staging(Label { at: "2027-01-01T00:00:00Z".to_owned(), ..label("1.0.0") }, "other.zip", "one").await;
    let third = ground.shelf.stage(&later, false).await.unwrap();
    assert_eq!((third.present, &third.release), (true, &ground.found("1.0.0").await));
    assert_eq!((third.release, second.release.filename), (first.release, Some("app.zip".parse().unwrap())));
}

async fn a_version_is_never_another(ground: &Ground) {
    ground.staged("1.0.0", "one").await;
    let difference = conflict(ground.stage("1.0.0", "two").await);
    for digest in [Digest::of(b"one"), Digest::of(b"two")] {
        assert!(difference.contains(&digest.to_string()), "{difference}");
    }
    assert_eq!(ground.downloaded("1.0.0").await, "one");
}

async fn build_metadata_makes_no_other_version(ground: &Ground) {
    ground.staged("1.0.0+a", "one").await;
    for (text, bytes) in [("1.0.0+b", "one"), ("1.0.0", "one"), ("1.0.0+b", "two")] {
        let refused = ground.stage(text, bytes).await;
        let Err(ShelfError::OtherBuild { stands, staging: true, .. }) = refused else { panic!("{text}: {refused:?}") };
        assert_eq!(*stands, version("1.0.0+a"));
    }
    let other = ground.shelf.find(&name(), &version("1.0.0+b")).await;
    assert!(matches!(other, Err(ShelfError::OtherBuild { staging: false, .. })), "{other:?}");
    assert_eq!(ground.found("1.0.0").await.version, version("1.0.0+a"));
    assert_eq!(ground.versions().await.len(), 1);
}

async fn what_is_recorded_is_part_of_what_is_staged(ground: &Ground) {
    let with =
        |value: &str| Label { metadata: BTreeMap::from([("by".to_owned(), value.to_owned())]), ..label("1.0.0") };
    let stage = async |label: Label| {
        let staging = ground.staging(label, "app.zip", "one").await;
        ground.shelf.stage(&staging, false).await
    };
    stage(with("ada")).await.unwrap();
    assert!(conflict(stage(with("bob")).await).contains("bob"));
    conflict(stage(label("1.0.0")).await);
    assert!(stage(with("ada")).await.unwrap().present);
    // When does not count.
    assert!(stage(Label { at: "2027-01-01T00:00:00Z".to_owned(), ..with("ada") }).await.unwrap().present);
    let at = ground.tells_when.then_some("2026-01-02T03:04:05Z");
    assert_eq!(ground.found("1.0.0").await.at.as_deref(), at);
}

async fn a_file_name_that_nobody_asked_for_makes_no_other_release(ground: &Ground) {
    ground.staged("1.0.0", "one").await;
    let elsewhere = ground.staging(label("1.0.0"), "tmp123", "one").await;
    assert!(ground.shelf.stage(&elsewhere, false).await.unwrap().present);
    let named = Label { filename: Some("tmp123".parse().unwrap()), ..label("1.0.0") };
    conflict(ground.shelf.stage(&ground.staging(named, "app.zip", "one").await, false).await);
    assert_eq!(ground.found("1.0.0").await.filename, Some("app.zip".parse().unwrap()));
}

impl Ground {
    /// Has a build publish bytes, and makes the staging that promotes them.
    async fn promotion(
        &self,
        text: &str,
        [commit, address]: [char; 2],
        bytes: &'static str,
        recorded: bool,
    ) -> Staging {
        let (artifact, sha256) = ("app.zip".parse::<Name>().unwrap(), recorded.then(|| Digest::of(bytes.as_bytes())));
        let [commit, address] = [commit, address].map(|digit| digit.to_string().repeat(40).parse().unwrap());
        let (key, attributes) = (Key::Artifact(address, artifact.clone()), Attributes { sha256, mode: None });
        match self.builds.put(&key, store::Content::Bytes(bytes.into()), attributes, &Condition::Absent).await {
            Ok(_) | Err(StoreError::Precondition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        let Label { name, version, metadata, at, .. } = label(text);
        let origin = Some(Origin { commit, address, artifact: artifact.clone() });
        let filename = Some("app.zip".parse().unwrap());
        let size = bytes.len() as u64;
        let release = Release { name, version, size, sha256, mode: None, filename, metadata, at: Some(at), origin };
        Staging { release, named: false, content: Content::Object { store: Arc::clone(&self.builds), key } }
    }
}

async fn what_was_promoted_and_the_file_with_its_bytes_are_one_release(ground: &Ground) {
    let stage = async |staging: &Staging| ground.shelf.stage(staging, false).await;
    for (number, recorded) in [(0, true), (1, false)] {
        let text = format!("1.{number}.0");
        // What a stage left that came to nothing does not count.
        let data = Key::Data("app".parse().unwrap(), version(&text));
        let left = store::Content::Bytes("left".into());
        ground.builds.put(&data, left, Attributes::default(), &Condition::Absent).await.unwrap();
        let own = ground.promotion(&text, ['2', '1'], "one", recorded).await;
        let promoted = stage(&own).await.unwrap();
        let file = ground.staged(&text, "one").await;
        assert_eq!((file.present, file.bytes_sent), (true, 0));
        assert_eq!((file.url, &file.release.origin), (promoted.url, &own.release.origin));
        assert!(conflict(ground.stage(&text, "two").await).contains(&Digest::of(b"two").to_string()));
        assert!(stage(&own).await.unwrap().present);
        // Another commit may have it, and then it is another release; not so another address, where the bytes are known to be equal.
        conflict(stage(&ground.promotion(&text, ['3', '1'], "one", recorded).await).await);
        if recorded {
            assert!(stage(&ground.promotion(&text, ['2', '4'], "one", recorded).await).await.unwrap().present);
        }
        assert_eq!(ground.found(&text).await.origin, own.release.origin);
    }
    ground.staged("2.0.0", "one").await;
    assert!(conflict(stage(&ground.promotion("2.0.0", ['2', '1'], "one", true).await).await).contains(&"2".repeat(40)));
}

#[tokio::test]
async fn a_digest_that_only_lies_beside_the_bytes_does_not_verify_a_release() {
    let ground = ground::memory().await;
    let own = ground.promotion("1.0.0", ['2', '1'], "one", false).await;
    ground.shelf.stage(&own, false).await.unwrap();
    // Somebody puts other bytes there, with a digest of theirs.
    let Content::Object { key, .. } = &own.content else { panic!("it is promoted") };
    ground.builds.delete(key).await.unwrap();
    ground.promotion("1.0.0", ['2', '1'], "two", true).await;
    let found = ground.shelf.find(&name(), &version("1.0.0")).await.unwrap();
    let target = Destination::File(ground.files.path().join("got"));
    let got = download::download(&observer(), &found, &target, false).await.unwrap();
    assert!(!got.verified, "{got:?}");
}

/// Versions in the order of their precedence, as section 11 of the specification has it, with releases of several lines.
const ORDER: [&str; 12] = [
    "0.9.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.5",
    "1.0.10",
    "2.0.0",
    "2.1.0-rc.1",
];

async fn the_latest_is_the_highest_release_whenever_it_was_staged(ground: &Ground) {
    let mut order = ORDER;
    Rng::with_seed(7).shuffle(&mut order);
    let rank = |text: &&str| ORDER.iter().position(|other| other == text).unwrap();
    let mut there: Vec<&str> = Vec::new();
    for text in order {
        let staged = ground.staged(text, text).await;
        there.push(text);
        let release = there.iter().copied().filter(|text| !text.contains('-')).max_by_key(rank);
        assert_eq!(ground.latest(false).await.as_deref(), release, "after {there:?}");
        assert_eq!(ground.latest(true).await.as_deref(), there.iter().copied().max_by_key(rank), "after {there:?}");
        assert_eq!(staged.latest.map(|latest| latest.to_string()).as_deref(), release);
    }
    assert_eq!(ground.versions().await, ORDER);
}

async fn a_dry_run_writes_nothing(ground: &Ground) {
    let dry = async |text: &str, bytes: &str| {
        let staging = ground.staging(label(text), "app.zip", bytes).await;
        ground.faults.plan(0, false);
        let staged = ground.shelf.stage(&staging, true).await;
        let writes = |operation: &String| ["put", "copy", "delete"].iter().any(|word| operation.starts_with(word));
        assert!(!ground.faults.operations().iter().any(writes), "{:?}", ground.faults.operations());
        staged
    };
    assert_eq!(dry("1.0.0", "one").await.map(|staged| (staged.present, staged.bytes_sent)).unwrap(), (false, 0));
    assert_eq!(ground.versions().await, [] as [&str; 0]);
    ground.staged("1.0.0", "one").await;
    let there = dry("1.0.0", "one").await.unwrap();
    assert_eq!((there.present, there.release), (true, ground.found("1.0.0").await));
    conflict(dry("1.0.0", "two").await);
    // It says what would be.
    assert_eq!(dry("2.0.0", "two").await.unwrap().latest, Some(version("2.0.0")));
    assert_eq!(dry("0.9.0", "two").await.unwrap().latest, Some(version("1.0.0")));
}

async fn of_all_who_stage_at_once_one_wins(ground: &Ground) {
    for round in 0..4 {
        let text = format!("1.{round}.0");
        let stages = (0..6).map(|stager| {
            let (text, bytes) = (text.clone(), format!("bytes of {stager}"));
            async move { (bytes.clone(), ground.stage(&text, &bytes).await) }
        });
        let outcomes = futures::future::join_all(stages).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, staged)| staged.is_ok());
        assert_eq!(won.len(), 1, "{lost:?}");
        lost.into_iter().for_each(|(_, staged)| drop(conflict(staged)));
        assert_eq!(ground.downloaded(&text).await, won[0].0);
    }
}

async fn of_all_who_record_something_else_at_once_one_wins(ground: &Ground) {
    for round in 0..4 {
        let text = format!("1.{round}.0");
        let stages = (0..6).map(|stager| {
            let metadata = BTreeMap::from([("by".to_owned(), stager.to_string())]);
            let label = Label { metadata: metadata.clone(), ..label(&text) };
            async move {
                let staging = ground.staging(label, "app.zip", "one").await;
                (metadata, ground.shelf.stage(&staging, false).await)
            }
        });
        let outcomes = futures::future::join_all(stages).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, staged)| staged.is_ok());
        assert_eq!(won.len(), 1, "{lost:?}");
        lost.into_iter().for_each(|(_, staged)| drop(conflict(staged)));
        assert_eq!(ground.found(&text).await.metadata, won[0].0);
    }
}

async fn all_who_stage_the_same_at_once_succeed(ground: &Ground) {
    let stages = (0..8).map(|_| ground.stage("1.0.0", "one"));
    futures::future::join_all(stages).await.into_iter().for_each(|staged| drop(staged.unwrap()));
    assert_eq!(ground.downloaded("1.0.0").await, "one");
}

async fn a_stage_that_fails_anywhere_is_completed_by_another(ground: &Ground) {
    ground.staged("1.0.0", "old").await;
    ground.faults.plan(0, false);
    ground.staged("1.0.1", "counted").await;
    let steps = ground.faults.operations().len();
    assert!(steps > 2, "{steps}");
    for at in 1..=steps {
        for after in [false, true] {
            let text = format!("{}.{at}.0", if after { 3 } else { 2 });
            let before = ground.latest(false).await;
            ground.faults.plan(at, after);
            let cut = ground.stage(&text, &text).await;
            let operation = ground.faults.operations().get(at - 1).cloned();
            ground.faults.plan(0, false);
            // What is not whole is not there, and nobody is sent to it.
            let listed = ground.versions().await.contains(&text);
            let found = ground.shelf.find(&name(), &version(&text)).await.is_ok();
            assert_eq!(listed, found, "cut at {operation:?} ({at}, {after})");
            assert!(found || ground.latest(false).await == before, "cut at {operation:?}");
            if found {
                assert_eq!(ground.downloaded(&text).await, text);
            } else {
                assert!(cut.is_err(), "{operation:?}");
            }
            let staged = ground.staged(&text, &text).await;
            assert_eq!(staged.latest.map(|latest| latest.to_string()), ground.latest(false).await);
            assert_eq!(ground.downloaded(&text).await, text, "cut at {operation:?}");
            let versions: Vec<Version> = ground.shelf.versions(&name()).await.unwrap();
            assert_eq!(ground.latest(false).await, version::latest(&versions, false).map(ToString::to_string));
            conflict(ground.stage(&text, "others").await);
        }
    }
}

async fn many_stagers_at_once_end_with_the_right_latest(ground: &Ground) {
    let mut rng = Rng::with_seed(11);
    for round in 0..3_u64 {
        let mut texts: Vec<String> = (0..8)
            .map(|_| format!("{round}.{}.{}{}", rng.u8(..3), rng.u8(..3), if rng.bool() { "" } else { "-rc.1" }))
            .collect();
        texts.sort();
        texts.dedup();
        rng.shuffle(&mut texts);
        let stages = texts.iter().map(|text| ground.stage(text, text));
        futures::future::join_all(stages).await.into_iter().for_each(|staged| drop(staged.unwrap()));
        let versions: Vec<Version> = ground.shelf.versions(&name()).await.unwrap();
        assert_eq!(ground.latest(false).await, version::latest(&versions, false).map(ToString::to_string));
    }
}
