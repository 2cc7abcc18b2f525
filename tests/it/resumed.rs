//! Fetches that did not come to their end, and what the next one makes of what they left.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use metalogic::arrival::{Arrival, ArrivalError, Arrived};
use metalogic::artifact::{Digest, Mode};
use metalogic::event::{Event, Observer};
use metalogic::store::Store;
use metalogic::store::memory::MemoryStore;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::conformance::artifact;
use crate::decorated::{Decorated, Fate, Watcher};
use crate::descriptors::is_free;
use crate::fake::{Act, Fault};
use crate::killed::running::Running;
use crate::s3::program::Team;
use crate::sandbox::Sandbox;

/// What is worth to go on with.
const WORTH: usize = 8 << 20;

/// Counts how often an object is opened, and lets all be done.
struct Opens(Arc<Mutex<usize>>);

#[async_trait::async_trait]
impl Watcher for Opens {
    async fn before(&self, operation: &str) -> Fate {
        *self.0.lock().unwrap() += usize::from(operation.starts_with("open"));
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn std::fmt::Debug) {}
}

#[derive(Default)]
struct Ears(Mutex<Vec<Event>>);

impl Observer for Ears {
    fn observe(&self, event: &Event) {
        let is_of_interest = matches!(event, Event::Resumed { .. } | Event::Suspended { .. });
        self.0.lock().unwrap().extend(is_of_interest.then(|| event.clone()));
    }
}

/// An object in a store that breaks off to order, and a directory to bring it to.
struct Desk {
    store: Decorated,
    memory: MemoryStore,
    opens: Arc<Mutex<usize>>,
    ears: Arc<Ears>,
    sandbox: Sandbox,
    bytes: Vec<u8>,
}

fn noise(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fastrand::fill(&mut bytes);
    bytes
}

impl Desk {
    fn new(size: usize) -> Self {
        let (memory, bytes, opens) = (MemoryStore::default(), noise(size), Arc::default());
        memory.plant(&artifact(1, "cef.zip").to_string(), bytes.clone());
        let store = Decorated::new(memory.clone(), Opens(Arc::clone(&opens)));
        let sandbox = Sandbox::new();
        sandbox.write("in/own.txt", "mine");
        Self { store, memory, opens, ears: Arc::default(), sandbox, bytes }
    }

    fn target(&self) -> PathBuf {
        self.sandbox.path("in/cef.zip")
    }

    fn part(&self) -> PathBuf {
        self.sandbox.path(&format!("in/.metalogic-{}.part", Digest::of(&self.bytes)))
    }

    /// Fetches as a process does that finds nobody else at work: what was dropped may be at work for a moment still.
    async fn fetch(&self, target: &Path, cut: Option<u64>) -> Result<Arrived, ArrivalError> {
        while !is_free(&self.part()) {
            tokio::task::yield_now().await;
        }
        self.fetch_at_once(target, cut).await
    }

    async fn fetch_at_once(&self, target: &Path, cut: Option<u64>) -> Result<Arrived, ArrivalError> {
        self.store.cut.store(cut.unwrap_or(u64::MAX), Ordering::SeqCst);
        let observer: Arc<dyn Observer> = self.ears.clone();
        let arrival = Arrival {
            store: &self.store as &dyn Store,
            key: artifact(1, "cef.zip"),
            what: "cef.zip".to_owned(),
            observer: &observer,
            size: u64::try_from(self.bytes.len()).ok(),
            sha256: Some(Digest::of(&self.bytes)),
            mode: Some(Mode::EXECUTABLE),
        };
        arrival.receive(Some(target)).await
    }

    fn heard(&self) -> Vec<Event> {
        std::mem::take(&mut self.ears.0.lock().unwrap())
    }

    /// Holds that the object is there, and nothing else but what was there before.
    fn expect_whole(&self, others: &[&str]) {
        assert!(fs::read(self.target()).unwrap() == self.bytes);
        let left: Vec<String> =
            self.sandbox.tree("in").into_iter().filter(|name| !others.contains(&name.as_str())).collect();
        assert_eq!(left, ["cef.zip", "own.txt"]);
    }
}

fn resumed(at: u64, size: usize) -> Event {
    Event::Resumed { what: "cef.zip".to_owned(), at, size: size as u64 }
}

fn suspended(size: u64) -> Event {
    Event::Suspended { what: "cef.zip".to_owned(), size }
}

#[tokio::test]
async fn what_an_earlier_run_got_is_gone_on_with_wherever_it_broke_off() {
    let desk = Desk::new(WORTH + 3_000_000);
    let first = WORTH as u64 + fastrand::u64(0..1_000_000);
    let mut at = first;
    assert!(matches!(desk.fetch(&desk.target(), Some(first)).await, Err(ArrivalError::Store { .. })));
    assert_eq!(desk.heard(), [suspended(first)]);
    for _ in 0..2 {
        let more = fastrand::u64(0..900_000);
        assert!(matches!(desk.fetch(&desk.target(), Some(more)).await, Err(ArrivalError::Store { .. })));
        assert_eq!(desk.heard(), [resumed(at, desk.bytes.len()), suspended(at + more)]);
        at += more;
        assert!(fs::read(desk.part()).unwrap() == desk.bytes[..at as usize], "what stays are the first bytes");
    }
    let arrived = desk.fetch(&desk.target(), None).await.unwrap();
    assert_eq!(desk.heard(), [resumed(at, desk.bytes.len())]);
    assert_eq!((arrived.size, arrived.verified), (desk.bytes.len() as u64, true));
    assert_eq!(fs::metadata(desk.target()).unwrap().mode() & 0o100, 0o100);
    desk.expect_whole(&[]);
}

#[tokio::test]
async fn all_bytes_that_are_there_already_are_verified_and_need_no_others() {
    let desk = Desk::new(WORTH + 1);
    desk.sandbox.write(desk.part().strip_prefix(desk.sandbox.path("")).unwrap().to_str().unwrap(), &desk.bytes);
    desk.fetch(&desk.target(), Some(0)).await.unwrap();
    desk.expect_whole(&[]);
}

#[tokio::test]
async fn of_what_is_little_nothing_stays() {
    let desk = Desk::new(WORTH + 1);
    assert!(desk.fetch(&desk.target(), Some(WORTH as u64 - 1)).await.is_err());
    assert_eq!(desk.heard(), []);
    assert_eq!(desk.sandbox.tree("in"), ["own.txt"]);
}

#[tokio::test]
async fn who_does_not_wait_for_the_end_leaves_the_first_bytes_too() {
    let desk = Desk::new(WORTH + 3_000_000);
    let target = desk.target();
    let fetch = desk.fetch(&target, None);
    tokio::select! {
        biased;
        done = fetch => panic!("{done:?}"),
        () = async {
            while !fs::metadata(desk.part()).is_ok_and(|part| part.len() >= WORTH as u64) {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert!(matches!(desk.heard().as_slice(), [Event::Suspended { .. }]));
    desk.fetch(&desk.target(), None).await.unwrap();
    desk.expect_whole(&[]);
}

#[tokio::test]
async fn first_bytes_that_are_wrong_are_thrown_away_and_the_object_is_fetched_anew() {
    let desk = Desk::new(WORTH + 100_000);
    for size in [1, WORTH, desk.bytes.len(), desk.bytes.len() + 1] {
        fs::write(desk.part(), noise(size)).unwrap();
        *desk.opens.lock().unwrap() = 0;
        desk.fetch(&desk.target(), None).await.unwrap();
        assert_eq!(*desk.opens.lock().unwrap(), if size > desk.bytes.len() { 1 } else { 2 });
        desk.expect_whole(&[]);
        fs::remove_file(desk.target()).unwrap();
    }
}

#[tokio::test]
async fn an_object_that_is_corrupt_is_fetched_anew_once_and_leaves_nothing() {
    let desk = Desk::new(WORTH + 100_000);
    assert!(desk.fetch(&desk.target(), Some(WORTH as u64)).await.is_err());
    let mut other = desk.bytes.clone();
    other[WORTH + 5] ^= 1;
    desk.memory.plant(&artifact(1, "cef.zip").to_string(), other);
    *desk.opens.lock().unwrap() = 0;
    assert!(matches!(desk.fetch(&desk.target(), None).await, Err(ArrivalError::Mismatch { .. })));
    assert_eq!(*desk.opens.lock().unwrap(), 2);
    assert_eq!(desk.sandbox.tree("in"), ["own.txt"]);
}

#[tokio::test]
async fn what_somebody_planted_where_first_bytes_lie_is_neither_followed_nor_used() {
    let desk = Desk::new(WORTH + 100_000);
    let victim = desk.sandbox.path("victim");
    let clean = || {
        fs::write(&victim, "the victim's").unwrap();
        drop(fs::remove_file(desk.part()));
        drop(fs::remove_file(desk.target()));
    };
    let name = desk.part().file_name().unwrap().to_str().unwrap().to_owned();
    let plants: [&dyn Fn(); 4] = [
        &|| symlink(&victim, desk.part()).unwrap(),
        &|| nix::unistd::mkfifo(&desk.part(), nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap(),
        &|| fs::hard_link(&victim, desk.part()).unwrap(),
        &|| symlink(desk.sandbox.path("nowhere"), desk.part()).unwrap(),
    ];
    for plant in plants {
        clean();
        plant();
        tokio::time::timeout(Duration::from_secs(20), desk.fetch(&desk.target(), None)).await.unwrap().unwrap();
        desk.expect_whole(&[&name]);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "the victim's");
        assert!(fs::symlink_metadata(desk.part()).is_ok(), "what is somebody's stays");
        assert!(!desk.sandbox.path("nowhere").exists());
    }
}

#[tokio::test]
async fn the_first_bytes_get_the_permissions_that_a_new_file_would_have() {
    let desk = Desk::new(WORTH + 100_000);
    fs::write(desk.part(), &desk.bytes[..WORTH]).unwrap();
    fs::set_permissions(desk.part(), fs::Permissions::from_mode(0o606)).unwrap();
    desk.fetch(&desk.target(), None).await.unwrap();
    let resumed = fs::metadata(desk.target()).unwrap().mode();
    fs::remove_file(desk.target()).unwrap();
    desk.fetch(&desk.target(), None).await.unwrap();
    assert_eq!(resumed, fs::metadata(desk.target()).unwrap().mode());
}

#[tokio::test]
async fn whoever_fetches_the_same_at_once_has_bytes_of_its_own() {
    let desk = Desk::new(WORTH + 100_000);
    // Another process is at work on them.
    fs::write(desk.part(), &desk.bytes[..WORTH]).unwrap();
    let other = File::options().write(true).open(desk.part()).unwrap();
    other.try_lock().unwrap();
    desk.fetch_at_once(&desk.target(), None).await.unwrap();
    assert_eq!(desk.heard(), []);
    assert!(fs::read(desk.part()).unwrap() == desk.bytes[..WORTH], "nobody else writes there");
    drop(other);
    fs::remove_file(desk.part()).unwrap();
    // And two of this one.
    let targets: Vec<PathBuf> = (0..4).map(|number| desk.sandbox.path(&format!("in/{number}"))).collect();
    for done in futures::future::join_all(targets.iter().map(|target| desk.fetch_at_once(target, None))).await {
        done.unwrap();
    }
    for target in targets {
        assert!(fs::read(&target).unwrap() == desk.bytes);
        fs::remove_file(target).unwrap();
    }
    desk.expect_whole(&[]);
}

/// Keeps whoever opens an object until it may go on.
struct Doorman(Arc<tokio::sync::Semaphore>, Arc<Mutex<usize>>);

#[async_trait::async_trait]
impl Watcher for Doorman {
    async fn before(&self, _: &str) -> Fate {
        *self.1.lock().unwrap() += 1;
        drop(self.0.acquire().await);
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn std::fmt::Debug) {}
}

#[tokio::test]
async fn however_many_large_objects_are_fetched_a_few_of_them_are_under_way_at_once() {
    let (door, opened) = (Arc::new(tokio::sync::Semaphore::new(0)), Arc::default());
    let mut desk = Desk::new(10);
    desk.store = Decorated::new(desk.memory.clone(), Doorman(Arc::clone(&door), Arc::clone(&opened)));
    let observer: Arc<dyn Observer> = desk.ears.clone();
    let fetch = |number: usize| {
        let (store, key, what) = (&desk.store as &dyn Store, artifact(1, "cef.zip"), "cef.zip".to_owned());
        let arrival = Arrival { store, key, what, observer: &observer, size: Some(1 << 30), sha256: None, mode: None };
        let target = desk.sandbox.path(&format!("in/{number}"));
        async move { arrival.receive(Some(&target)).await }
    };
    let all = futures::future::join_all((0..20).map(fetch));
    let watch = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let under_way = *opened.lock().unwrap();
        door.add_permits(1);
        under_way
    };
    let (ended, under_way) = tokio::join!(all, watch);
    assert!(under_way <= 8, "{under_way}");
    assert!(ended.iter().all(|ended| matches!(ended, Err(ArrivalError::Mismatch { .. }))), "{ended:?}");
    assert_eq!(*opened.lock().unwrap(), 20, "each has its turn");
}

/// Ends the binary with a signal in the midst of a fetch, and holds that the next one goes on.
async fn ended_by(signal: Signal) {
    let team = Team::new().await;
    let bytes = noise(WORTH + 3_000_000);
    team.sandbox.write("out/app.zip", &bytes);
    team.done(&["publish", "../out/app.zip"]);
    let at = WORTH + fastrand::usize(0..900_000);
    team.fake.fault(Fault { about: vec!["GET", "app.zip"], times: 1, act: Act::StandStill(at) });
    let mut command = team.command(&["fetch", "-o", "../in"]);
    command.env("METALOGIC_PARTS", "1").stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = Running::start(&mut command);
    let part = team.sandbox.path(&format!("in/.metalogic-{}.part", Digest::of(&bytes)));
    let since = Instant::now();
    while fs::metadata(&part).map_or(0, |part| part.len()) < at as u64 {
        assert!(since.elapsed() < Duration::from_secs(30), "what came is not written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    signal::kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    let output = child.ended();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_told = said.contains("stay: the same command goes on there");
    assert_eq!(
        (output.status.code(), is_told),
        if signal == Signal::SIGINT { (Some(130), true) } else { (None, false) }
    );
    assert!(fs::read(&part).unwrap() == bytes[..at]);
    let ran = team.run(&["fetch", "-o", "../in"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("goes on at 8."), "{ran}");
    assert!(fs::read(team.sandbox.path("in/app.zip")).unwrap() == bytes);
    assert_eq!(team.sandbox.tree("in"), ["app.zip"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_was_killed_is_gone_on_with() {
    ended_by(Signal::SIGKILL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_was_interrupted_is_gone_on_with_and_says_so() {
    ended_by(Signal::SIGINT).await;
}
