//! Processes that are killed, each at a moment of its own: nothing torn stands under a final name, and a further run completes.
//!
//! The moment is one at the wire, since nothing else can be seen from outside: when some request has come, and
//! as much later as the next one may take.

use std::process::Stdio;
use std::time::{Duration, Instant};

use metalogic::address::Commit;
use metalogic::metafile::Metafile;

use super::noise;
use super::program::Team;

/// How often each command is killed.
const TIMES: u64 = 10;

/// More than one part.
const IN_PARTS: usize = (8 << 20) + 54_321;

const NAMES: [&str; 2] = ["app.zip", "docs.tar.gz"];

/// A command that is killed, over and over, each time with a store of its own.
struct Killing<'a> {
    team: &'a Team,
    arguments: &'a [&'a str],
    /// How many requests it makes when nobody kills it.
    requests: usize,
    /// How long it takes for each of them.
    pause: Duration,
    killed: usize,
}

impl<'a> Killing<'a> {
    fn new(team: &'a Team, arguments: &'a [&'a str], store: &str) -> Self {
        let mut killing = Self { team, arguments, requests: 0, pause: Duration::ZERO, killed: 0 };
        let began = Instant::now();
        killing.complete(store);
        killing.requests = team.fake.requests().len();
        killing.pause = began.elapsed() / u32::try_from(killing.requests).unwrap();
        killing
    }

    fn command(&self, store: &str) -> std::process::Command {
        let mut command = self.team.command(self.arguments);
        command.env("METALOGIC_STORE", store).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs it to its end.
    fn complete(&self, store: &str) {
        let output = self.command(store).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Kills it, when a request has come that is drawn by lot.
    fn kill(&mut self, store: &str, rng: &mut fastrand::Rng) {
        // What is wrong for a moment only is met at once, and what is wrong while bytes move is met later.
        let longest = if rng.bool() { self.pause } else { self.pause.min(Duration::from_millis(3)) };
        let (request, later) = (rng.usize(1..=self.requests), longest.mul_f64(rng.f64()));
        self.team.fake.requests();
        let mut child = self.command(store).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while self.team.fake.count() < request && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "request {request} of {} never came", self.requests);
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(later);
        child.kill().unwrap();
        self.killed += usize::from(!child.wait().unwrap().success());
    }

    fn expect_hits(&self) {
        println!("{:?}: {} of {TIMES} runs were killed before their end", self.arguments, self.killed);
        assert!(self.killed > 1, "{} of {TIMES} kills hit a running process", self.killed);
    }
}

fn store(prefix: &str) -> String {
    format!("s3://{}/{prefix}", crate::fake::BUCKET)
}

/// Returns the names of the artifacts that stand below a prefix. What stands must be whole, and the metafile names nothing else.
fn sound(team: &Team, prefix: &str, commit: Commit, size: usize) -> Vec<&'static str> {
    let object = |name: &str| team.fake.object(&format!("{prefix}/{}{name}", commit.address()));
    let stand: Vec<_> = NAMES.into_iter().filter(|name| object(name).is_some()).collect();
    for name in &stand {
        assert!(object(name).unwrap().bytes == content(name, size), "torn bytes stand under {name}");
    }
    if let Some(stored) = object("build_meta.json") {
        let metafile = Metafile::parse(&stored.bytes, commit).expect("the metafile is whole");
        for name in metafile.artifacts.keys() {
            assert!(stand.contains(&name.as_str()), "the metafile names {name}, which is not there");
        }
    }
    stand
}

/// Returns what is published under a name: of so many bytes under the first, and of a few under the other.
fn content(name: &str, size: usize) -> Vec<u8> {
    noise(if name == NAMES[0] { size } else { 1000 })
}

async fn a_publish_that_is_killed(size: usize, seed: u64) {
    let team = Team::new().await;
    let commit: Commit = team.sandbox.git("repo", &["rev-parse", "HEAD"]).trim().parse().unwrap();
    for name in NAMES {
        team.sandbox.write(&format!("out/{name}"), content(name, size));
    }
    let mut killing = Killing::new(&team, &["publish", "../out/app.zip", "../out/docs.tar.gz"], &store("whole"));
    let mut rng = fastrand::Rng::with_seed(seed);
    for number in 0..TIMES {
        let prefix = format!("{size}-{number}");
        killing.kill(&store(&prefix), &mut rng);
        sound(&team, &prefix, commit, size);
        killing.complete(&store(&prefix));
        assert_eq!(sound(&team, &prefix, commit, size), NAMES);
    }
    killing.expect_hits();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_is_killed_leaves_nothing_wrong_on_s3_and_a_further_run_completes() {
    a_publish_that_is_killed(1000, 11).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_in_parts_that_is_killed_leaves_nothing_wrong_on_s3_and_a_further_run_completes() {
    a_publish_that_is_killed(IN_PARTS, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_that_is_killed_leaves_a_whole_metafile_or_none_on_s3() {
    let team = Team::new().await;
    let first: Commit = team.sandbox.git("repo", &["rev-parse", "HEAD"]).trim().parse().unwrap();
    let second: Commit = team.sandbox.commit("second").parse().unwrap();
    let tree = team.sandbox.git("repo", &["rev-parse", "HEAD^{tree}"]).trim().parse().ok();
    let mut built = Metafile::empty(first, None);
    built.artifacts.insert("app.zip".parse().unwrap(), first);
    let plant = |prefix: &str| {
        team.fake.plant(&format!("{prefix}/{}build_meta.json", first.address()), built.to_bytes().unwrap());
    };
    plant("whole");
    let mut killing = Killing::new(&team, &["stub"], &store("whole"));
    let mut rng = fastrand::Rng::with_seed(13);
    for number in 0..TIMES {
        let prefix = number.to_string();
        plant(&prefix);
        let stubbed = || team.fake.object(&format!("{prefix}/{}build_meta.json", second.address()));
        let expected = Metafile { tree, ..built.stub(second, Some(first)) }.to_bytes().unwrap();
        killing.kill(&store(&prefix), &mut rng);
        assert!(stubbed().is_none_or(|stored| stored.bytes == expected));
        killing.complete(&store(&prefix));
        assert!(stubbed().unwrap().bytes == expected);
    }
    killing.expect_hits();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_killed_leaves_only_whole_artifacts_under_their_names() {
    let team = Team::new().await;
    for name in NAMES {
        team.sandbox.write(&format!("out/{name}"), content(name, 3_000_000));
    }
    Killing::new(&team, &["publish", "../out/app.zip", "../out/docs.tar.gz"], &store("whole"));
    let mut rng = fastrand::Rng::with_seed(14);
    let mut killing = Killing::new(&team, &["fetch", "-o", "../got"], &store("whole"));
    for _ in 0..TIMES {
        std::fs::remove_dir_all(team.sandbox.path("got")).unwrap();
        std::fs::create_dir(team.sandbox.path("got")).unwrap();
        killing.kill(&store("whole"), &mut rng);
        let whole = |name: &str| {
            let read = std::fs::read(team.sandbox.path("got").join(name));
            read.map(|bytes| assert!(bytes == content(name, 3_000_000), "torn bytes stand under {name}"))
        };
        NAMES.iter().for_each(|name| drop(whole(name)));
        for left in team.sandbox.tree("got") {
            assert!(left.starts_with('.') || NAMES.contains(&left.as_str()), "{left} is no artifact's name");
        }
        killing.complete(&store("whole"));
        NAMES.iter().for_each(|name| whole(name).unwrap());
    }
    killing.expect_hits();
}
