//! The states of artifacts: an oracle on random histories, and who may take what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::artifact::{Digest, Name};
use metalogic::attempt::{self, News};
use metalogic::catalog::Catalog;
use metalogic::event::{Observer, Silent};
use metalogic::git::Repository;
use metalogic::metafile::{Attempt, LARGEST, Metafile, Progress, Record};
use metalogic::metalogic::Keep;
use metalogic::moment::{Moment, Stamp};
use metalogic::policy::Policy;
use metalogic::publish::{self, Item};
use metalogic::registry::Registry;
use metalogic::resolve::{self, Question};
use metalogic::state::{self, Now, State, Why};
use metalogic::status;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Key, Store};
use metalogic::world::{Limits, World};

use crate::flows::one_stub;
use crate::sandbox::Sandbox;

pub const REGISTRY: &str = r#"
[projects.p]
artifacts = [
    { name = "a.zip", inputs = ["a/"] },
    { name = "b.zip", inputs = ["a/", "lib/", ":!**/*.md"] },
    "c.zip",
    { name = "d.zip", inputs = [":!a/"] },
]
"#;

pub const NAMES: [&str; 4] = ["a.zip", "b.zip", "c.zip", "d.zip"];

const FILES: [&str; 5] = ["a/x", "a/y.md", "lib/z", "lib/deep/w", "other"];

/// Says by other means than the program's which files an artifact is built from.
pub fn is_input(name: &str, path: &str) -> Option<bool> {
    match name {
        "a.zip" => Some(path.starts_with("a/")),
        "b.zip" => Some((path.starts_with("a/") || path.starts_with("lib/")) && !path.ends_with(".md")),
        "d.zip" => Some(!path.starts_with("a/")),
        _ => None,
    }
}

/// Makes a repository of random commits, some of them merges, whose files change now and then and change back.
pub fn history(sandbox: &Sandbox, rng: &mut Rng, commits: usize) -> Vec<Commit> {
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    let mut stream = String::new();
    for number in 1..=commits {
        let when = 1_700_000_000 + number;
        writeln!(stream, "commit refs/heads/b{number}\nmark :{number}\ncommitter A <a@b> {when} +0000\ndata 1\nx")
            .unwrap();
        if number > 1 {
            writeln!(stream, "from :{}", rng.usize(number.saturating_sub(3).max(1)..number)).unwrap();
            if number > 2 && rng.u8(..3) == 0 {
                writeln!(stream, "merge :{}", rng.usize(1..number)).unwrap();
            }
        }
        for file in FILES {
            if number == 1 || rng.u8(..4) == 0 {
                writeln!(stream, "M 644 inline {file}\ndata 1\n{}", rng.u8(..2)).unwrap();
            }
        }
    }
    let mut command = sandbox.git_command("repo", &["fast-import", "--quiet", "--export-marks=marks"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let line = |line: &str| {
        let (mark, id) = line[1..].split_once(' ').unwrap();
        (mark.parse::<usize>().unwrap(), id.parse().unwrap())
    };
    sandbox.read("repo/marks").lines().map(line).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Asks git, and remembers what was done.
struct Oracle<'a> {
    sandbox: &'a Sandbox,
    store: &'a MemoryStore,
    /// What was put at each address, and whether a publisher put it.
    stands: BTreeMap<(Commit, &'static str), bool>,
    attempts: BTreeMap<(Commit, &'static str), Progress>,
}

impl Oracle<'_> {
    fn inputs(&self, commit: Commit, name: &str) -> Option<Vec<String>> {
        is_input(name, "")?;
        let told = self.sandbox.git("repo", &["ls-tree", "-r", &commit.to_string()]);
        let is_input = |line: &&str| is_input(name, line.split_once('\t').unwrap().1).unwrap();
        Some(told.lines().filter(is_input).map(str::to_owned).collect())
    }

    fn records_inputs(&self, commit: Commit, name: &str) -> bool {
        let Some(bytes) = self.store.objects().remove(&Key::Metafile(commit).to_string()) else { return false };
        let metafile: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        metafile["details"][name]["inputs"].is_string()
    }

    /// Says which state is right, and where the artifact comes from.
    fn state(&self, commit: Commit, name: &'static str) -> (State, Option<Commit>) {
        let line = self.sandbox.git("repo", &["rev-list", "--first-parent", &commit.to_string()]);
        let line: Vec<Commit> = line.lines().map(|id| id.parse().unwrap()).collect();
        let from = line.into_iter().find(|at| self.stands.contains_key(&(*at, name)));
        let attempt = self.attempts.get(&(commit, name));
        let state = match (from, attempt) {
            (Some(from), _) if from == commit => State::Built,
            (_, Some(Progress::Pending)) => State::Pending,
            (_, Some(Progress::Failed)) => State::Failed,
            (None, _) => State::Missing,
            (Some(from), _) => match (self.inputs(commit, name), self.inputs(from, name)) {
                (Some(now), Some(then)) if now == then => State::Proven,
                (Some(_), Some(_)) => State::Stale,
                _ => State::Assumed(Why::Undeclared),
            },
        };
        // Of what no publisher put, the metafile there says from what it was built once somebody resolved that commit.
        let is_recorded = from.is_some_and(|from| self.stands[&(from, name)] || self.records_inputs(from, name));
        let can_be_told = is_recorded || !matches!(state, State::Proven | State::Stale);
        (if can_be_told { state } else { State::Assumed(Why::Unrecorded) }, from)
    }
}

#[tokio::test]
async fn after_any_history_each_state_is_what_git_and_the_builds_say() {
    let mut seen: BTreeMap<State, usize> = BTreeMap::new();
    for seed in 0..10 {
        let mut rng = Rng::with_seed(seed);
        let (sandbox, store) = (Sandbox::new(), MemoryStore::default());
        let commits = history(&sandbox, &mut rng, 20);
        let repository = Repository::discover(&sandbox.path("repo")).unwrap().unwrap();
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let limits = Limits { jobs: rng.usize(1..5), ..Limits::default() };
        let world = World { store: &store, ancestry: &repository, observer: &observer, limits };
        let catalog = Catalog::new(Registry::parse(REGISTRY.as_bytes(), "r").unwrap(), &[], &[]).unwrap();
        let (vocabulary, known) = (catalog.vocabulary(), BTreeMap::new());
        let mut oracle =
            Oracle { sandbox: &sandbox, store: &store, stands: BTreeMap::new(), attempts: BTreeMap::new() };
        for act in 0..50 {
            let (commit, name) = (*rng.choice(&commits).unwrap(), rng.choice(NAMES).unwrap());
            match rng.u8(..6) {
                0 => drop(one_stub(world, commit, false).await.unwrap()),
                1 => {
                    store.plant(&Key::Artifact(commit, name.parse().unwrap()).to_string(), "x");
                    oracle.stands.entry((commit, name)).or_insert(false);
                }
                2 | 3 => {
                    sandbox.write(&format!("{act}/{name}"), "x");
                    let item = Item { name: name.parse().unwrap(), path: sandbox.path(&format!("{act}/{name}")) };
                    let stamp = Stamp { at: Some(Moment::of_seconds(act)), run: None };
                    publish::publish(world, &catalog, commit, &[item], &stamp, false).await.unwrap();
                    oracle.stands.entry((commit, name)).or_insert(true);
                }
                4 => {
                    let question = Question {
                        commit,
                        vocabulary: &vocabulary,
                        known: &known,
                        pretend: false,
                        keep: Keep::Everything,
                    };
                    drop(resolve::resolve(world, &question).await.unwrap());
                }
                _ => {
                    let state = if rng.bool() { Progress::Pending } else { Progress::Failed };
                    let names = BTreeSet::from([name.parse().unwrap()]);
                    let (stamp, reason) = (Stamp::default(), None);
                    let registered = vocabulary.registered.clone();
                    let news = News { commit, names, state: state.clone(), stamp, reason, registered };
                    let recorded = attempt::record(world, &news, false).await.unwrap();
                    assert_eq!(recorded.standing.is_empty(), !oracle.stands.contains_key(&(commit, name)));
                    oracle.attempts.insert((commit, name), state);
                }
            }
        }
        for commit in &commits {
            let told = status::status(world, Some(&catalog), *commit).await.unwrap();
            for name in NAMES {
                let verdict = &told.verdicts[&name.parse::<Name>().unwrap()];
                let (state, from) = oracle.state(*commit, name);
                assert_eq!(verdict.from, from, "seed {seed}, {name} at {commit}");
                assert_eq!(verdict.state, state, "seed {seed}, {name} at {commit}: {verdict:?}");
                assert_eq!(verdict.attempt.is_some(), matches!(verdict.state, State::Pending | State::Failed));
                *seen.entry(verdict.state).or_default() += 1;
            }
        }
    }
    let others = [State::Built, State::Proven, State::Assumed(Why::Undeclared), State::Stale, State::Missing];
    for state in others.into_iter().chain([State::Pending, State::Failed, State::Assumed(Why::Unrecorded)]) {
        assert!(seen.get(&state).is_some_and(|times| *times > 10), "{state:?} is worth a history: {seen:?}");
    }
}

fn commit(digit: char) -> Commit {
    digit.to_string().repeat(40).parse().unwrap()
}

fn attempted(state: Progress) -> Attempt {
    Attempt { state, run: None, at: None, reason: None, unknown: serde_json::Map::new() }
}

#[test]
fn an_attempt_counts_until_the_artifact_stands_and_never_elsewhere() {
    let name: Name = "a.zip".parse().unwrap();
    let mut metafile = Metafile::empty(commit('a'), Some(commit('b')));
    metafile.artifacts.insert(name.clone(), commit('b'));
    let record = Record { inputs: Some(Digest::of(b"1")), ..Record::default() };
    metafile.details.insert(name.clone(), record);
    let same = Now::Known(Digest::of(b"1"));
    assert_eq!(state::judge(&metafile, &name, same).state, State::Proven);
    metafile.attempts.insert(name.clone(), attempted(Progress::Failed));
    assert_eq!(state::judge(&metafile, &name, same).state, State::Failed);
    assert_eq!(metafile.stub(commit('c'), Some(commit('a'))).attempts, BTreeMap::new());
    metafile.attempts.insert(name.clone(), attempted(Progress::Other("cancelled".to_owned())));
    let verdict = state::judge(&metafile, &name, same);
    assert_eq!((verdict.state, verdict.attempt), (State::Proven, None), "a newer version's word counts for nothing");
    metafile.attempts.insert(name.clone(), attempted(Progress::Pending));
    metafile.artifacts.insert(name.clone(), commit('a'));
    let verdict = state::judge(&metafile, &name, same);
    assert_eq!((verdict.state, verdict.attempt), (State::Built, None));
}

#[test]
fn each_policy_admits_what_it_says() {
    let name: Name = "a.zip".parse().unwrap();
    let verdict = |state: State| {
        let from = (state != State::Missing).then(|| commit('b'));
        state::Verdict { state, from, record: Record::default(), attempt: None }
    };
    let states = [State::Built, State::Proven, State::Assumed(Why::Undeclared), State::Stale, State::Pending];
    let admitted = |policy| {
        let all = states.into_iter().chain([State::Failed, State::Missing]);
        all.filter(|state| verdict(*state).expect(policy, &name, commit('a')).is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(admitted(Policy::Exact), [State::Built]);
    assert_eq!(admitted(Policy::Fresh), [State::Built, State::Proven]);
    assert_eq!(admitted(Policy::Nearest), [&states[..], &[State::Failed]].concat(), "all that is anywhere");
}

#[tokio::test]
async fn whoever_records_an_attempt_first_writes_what_the_stub_would_say() {
    let (sandbox, store) = (Sandbox::new(), MemoryStore::default());
    let commits = history(&sandbox, &mut Rng::with_seed(7), 6);
    let repository = Repository::discover(&sandbox.path("repo")).unwrap().unwrap();
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let world = World { store: &store, ancestry: &repository, observer: &observer, limits: Limits::default() };
    let catalog = Catalog::new(Registry::parse(REGISTRY.as_bytes(), "r").unwrap(), &[], &[]).unwrap();
    sandbox.write("a.zip", "x");
    let item = Item { name: "a.zip".parse().unwrap(), path: sandbox.path("a.zip") };
    publish::publish(world, &catalog, commits[0], &[item], &Stamp::default(), false).await.unwrap();
    let news = News {
        commit: commits[5],
        names: BTreeSet::from(["b.zip".parse().unwrap()]),
        state: Progress::Pending,
        stamp: Stamp { at: Some(Moment::of_seconds(1)), run: Some("https://ci/1".to_owned()) },
        reason: None,
        registered: catalog.vocabulary().registered,
    };
    let dry = attempt::record(world, &news, true).await.unwrap();
    assert!(!dry.written && store.head(&Key::Metafile(commits[5])).await.unwrap().is_none());
    assert!(attempt::record(world, &news, false).await.unwrap().written);
    let read = async || {
        let (bytes, _) = store.get(&Key::Metafile(commits[5]), LARGEST).await.unwrap().unwrap();
        Metafile::parse(&bytes, commits[5]).unwrap()
    };
    let mut begun = read().await;
    assert!(!attempt::record(world, &news, false).await.unwrap().written, "the same again changes nothing");
    let recorded = begun.attempts.remove(&"b.zip".parse().unwrap()).unwrap();
    assert_eq!((recorded.state, recorded.run.as_deref()), (Progress::Pending, Some("https://ci/1")));
    store.delete(&Key::Metafile(commits[5])).await.unwrap();
    one_stub(world, commits[5], false).await.unwrap();
    assert_eq!(begun, read().await, "all but the attempt is the stub");
}

#[test]
fn moments_are_written_in_one_way_and_told_as_people_tell_them() {
    for (text, is_moment) in [
        ("2026-11-22T08:15:00Z", true),
        ("1970-01-01T00:00:00Z", true),
        ("9999-12-31T23:59:59Z", true),
        ("2026-11-22T08:15:00.5Z", false),
        ("2026-11-22T08:15:00+00:00", false),
        ("2026-11-22", false),
        ("yesterday", false),
        ("", false),
    ] {
        let read: Result<Moment, _> = text.parse();
        assert_eq!(read.map(|moment| moment.to_string()).ok().as_deref(), is_moment.then_some(text));
    }
    assert_eq!(Moment::of_seconds(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    let then = Moment::of_seconds(1_000_000);
    for (later, age, ago) in [
        (0, "now", "just now"),
        (59, "now", "just now"),
        (60, "1 min", "1 min ago"),
        (3_599, "59 min", "59 min ago"),
        (3_600, "1 h", "1 h ago"),
        (86_399, "23 h", "23 h ago"),
        (86_400 * 40, "40 d", "40 d ago"),
    ] {
        let now = Moment::of_seconds(1_000_000 + later);
        assert_eq!((then.age(now).as_str(), then.ago(now).as_str()), (age, ago));
    }
    assert_eq!(then.age(Moment::of_seconds(0)), "now", "a clock that is wrong makes no nonsense");
}
