//! Every call of the file system that a command makes meets every fault that could meet it.

use std::collections::BTreeMap;

use metalogic::address::Commit;
use metalogic::artifact::Digest;
use metalogic::metafile::Metafile;

use super::meddle::{Call, Deed, Meddling, meddler, side_by_side};
use super::scenarios::{SCENARIOS, Scenario};
use crate::sandbox::Sandbox;

/// Describes a fault, and what a run that meets it comes to.
struct Fault {
    name: &'static str,
    deed: Deed,
    kinds: &'static str,
    onwards: bool,
    /// The exit codes of a fault of the store, and of one of the user's own files.
    codes: (i32, i32),
    /// Every how many calls are tried, unless all are.
    stride: usize,
}

/// The variable with which every fault meets every call: some minutes instead of some seconds.
const ALL_OF_THEM: &str = "METALOGIC_TEST_EVERY_FAULT";

const EIO: i32 = 5;
const EINTR: i32 = 4;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ESTALE: i32 = 116;
const EDQUOT: i32 = 122;

/// What takes room, what changes anything, and what asks anything at all.
const ROOM: &str = ",create,write,copy,mkdir,rename,link,truncate,sync,xattr,";
const CHANGES: &str = ",create,write,copy,mkdir,rename,link,unlink,truncate,chmod,sync,xattr,";
const NAMES: &str = ",create,open,mkdir,rename,link,unlink,";
const ALL: &str =
    ",create,open,read,write,copy,list,mkdir,rename,link,unlink,truncate,chmod,sync,xattr,getxattr,lock,stat,";
const NOT_STAT: &str = ",create,open,read,write,copy,list,mkdir,rename,link,unlink,truncate,chmod,sync,xattr,lock,";

fn faults() -> Vec<Fault> {
    let fault = |name, number, kinds, onwards, codes, stride| Fault {
        name,
        deed: Deed::Fails(number),
        kinds,
        onwards,
        codes,
        stride,
    };
    vec![
        fault("no room, once (ENOSPC)", ENOSPC, ROOM, false, (10, 1), 2),
        fault("no room from then on (ENOSPC)", ENOSPC, ROOM, true, (10, 1), 1),
        fault("over the quota from then on (EDQUOT)", EDQUOT, ROOM, true, (10, 1), 3),
        fault("the disk fails once (EIO)", EIO, NOT_STAT, false, (10, 1), 1),
        fault("the disk fails once, at a look (EIO)", EIO, ",stat,getxattr,", false, (10, 1), 3),
        fault("the disk fails from then on (EIO)", EIO, NOT_STAT, true, (10, 1), 3),
        fault("read-only from then on (EROFS)", EROFS, CHANGES, true, (9, 9), 1),
        fault("permission is lost from then on (EACCES)", EACCES, NAMES, true, (9, 9), 2),
        fault("a stale handle, once (ESTALE)", ESTALE, NOT_STAT, false, (10, 1), 5),
        fault("too many open files, once (EMFILE)", EMFILE, ",create,open,", false, (10, 1), 2),
        fault("interrupted once (EINTR)", EINTR, ",create,open,read,write,sync,lock,", false, (10, 1), 5),
        Fault {
            name: "half is written, once",
            deed: Deed::Halves,
            kinds: ",write,",
            onwards: false,
            codes: (0, 0),
            stride: 1,
        },
    ]
}

/// A commit's own directory and what a run leaves in it.
type Files = BTreeMap<String, Vec<u8>>;

/// Holds what a command does where nothing goes wrong.
struct Plan<'a> {
    scenario: &'a Scenario,
    template: Sandbox,
    before: Files,
    after: Files,
    calls: Vec<Call>,
}

/// Holds what a run came to.
struct Outcome {
    code: i32,
    /// Whether the fault came.
    met: bool,
    wrong: Vec<String>,
}

/// Names one run.
struct Run<'a> {
    plan: &'a Plan<'a>,
    fault: &'a Fault,
    nth: usize,
}

#[test]
fn whatever_the_disk_does_nothing_torn_is_left_and_the_exit_code_says_whose_it_was() {
    let Some(meddler) = meddler() else { return };
    let plans: Vec<Plan<'_>> = side_by_side(SCENARIOS, |scenario| Plan::make(scenario, meddler));
    let (faults, all) = (faults(), std::env::var_os(ALL_OF_THEM).is_some());
    let mut runs = Vec::new();
    for (at, fault) in faults.iter().enumerate() {
        for plan in &plans {
            let met = |call: &&Call| fault.kinds.contains(&format!(",{},", call.kind));
            let stride = if all { 1 } else { fault.stride * plan.scenario.stride };
            // Each fault begins at another call, so that together they meet all of them.
            let nths = (1..=plan.calls.iter().filter(met).count()).filter(|nth| (nth + at) % stride == 0);
            runs.extend(nths.map(|nth| Run { plan, fault, nth }));
        }
    }
    let outcomes = side_by_side(&runs, |run| run.go(meddler));
    let wrong: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.wrong).collect();
    let told: Vec<(&str, &str, i32)> = runs
        .iter()
        .zip(&outcomes)
        .map(|(run, outcome)| (run.fault.name, run.plan.scenario.name, outcome.code))
        .collect();
    table("fault", told.iter().map(|(fault, _, code)| (*fault, *code)));
    table("command", told.iter().map(|(_, command, code)| (*command, *code)));
    println!("{} runs of {} commands, {} wrong", runs.len(), plans.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.iter().take(40).map(|wrong| wrong.as_str()).collect::<Vec<_>>().join("\n"));
    // A meddler that meddles with nothing would find nothing.
    assert!(told.iter().filter(|(.., code)| *code != 0).count() > 300);
    // A write of one byte cannot be halved, and where no write can be, nothing was tried.
    let halves = runs.iter().zip(&outcomes).filter(|(run, _)| matches!(run.fault.deed, Deed::Halves));
    let (met, tried) = (halves.clone().filter(|(_, outcome)| outcome.met).count(), halves.count());
    println!("{met} of {tried} writes were halved");
    assert!(met > 10, "{met} of {tried} writes were halved");
}

#[test]
fn what_gets_a_name_is_on_disk_before_and_the_name_after() {
    let Some(meddler) = meddler() else { return };
    let mut named = 0;
    for plan in side_by_side(SCENARIOS, |scenario| Plan::make(scenario, meddler)) {
        let calls = &plan.calls;
        // A lock holds nothing that could be lost.
        let names = |call: &Call| call.kind == "rename" && is_draft(&call.path) && !call.to.contains("/locks/");
        for (at, naming) in calls.iter().enumerate().filter(|(_, call)| names(call)) {
            named += 1;
            let last = |kind: &str| calls[..at].iter().rposition(|call| call.kind == kind && call.path == naming.path);
            let copied = calls[..at].iter().rposition(|call| call.kind == "copy" && call.to == naming.path);
            let (written, synced) = (last("write").max(copied), last("sync"));
            assert!(synced.is_some() && synced > written, "{}: {} is not on disk", plan.scenario.name, naming.to);
            let directory = naming.to.rsplit_once('/').unwrap().0;
            let lasts = |call: &Call| call.kind == "sync" && call.path == directory;
            // What a store tells to have done outlasts the machine; a local file is there, or is fetched again.
            let is_of_store = naming.to.contains("/store/");
            assert!(!is_of_store || calls[at..].iter().any(lasts), "{}: {} may be lost", plan.scenario.name, naming.to);
        }
    }
    assert!(named >= 20, "{named}");
}

/// Prints how often what came to which exit code.
fn table<'a>(head: &str, runs: impl Iterator<Item = (&'a str, i32)>) {
    let (mut order, mut rows) = (Vec::new(), BTreeMap::<&str, BTreeMap<i32, usize>>::new());
    for (name, code) in runs {
        if !order.contains(&name) {
            order.push(name);
        }
        *rows.entry(name).or_default().entry(code).or_default() += 1;
    }
    println!("| {head} | runs | exit codes |\n| --- | --- | --- |");
    for name in order {
        let codes: Vec<String> = rows[name].iter().map(|(code, times)| format!("{code} ({times})")).collect();
        println!("| {name} | {} | {} |", rows[name].values().sum::<usize>(), codes.join(", "));
    }
}

impl<'a> Plan<'a> {
    fn make(scenario: &'a Scenario, meddler: &std::path::Path) -> Self {
        let template = scenario.begin();
        let sandbox = template.copied();
        let watched = scenario.watched.iter().map(|path| (*path).to_owned()).collect();
        let meddling = Meddling { watched, kinds: Some(ALL), ..Meddling::default() };
        let (output, calls) = sandbox.meddled(meddler, &scenario.command(&sandbox), &meddling);
        assert!(output.status.success(), "{}", sandbox.ran(scenario.name, &output));
        assert!(!calls.is_empty(), "{} asks nothing of the disk", scenario.name);
        Self { scenario, before: template.files(""), after: sandbox.files(""), template, calls }
    }
}

impl Run<'_> {
    fn go(&self, meddler: &std::path::Path) -> Outcome {
        let (scenario, sandbox) = (self.plan.scenario, self.plan.template.copied());
        let meddling = Meddling {
            watched: scenario.watched.iter().map(|path| (*path).to_owned()).collect(),
            kinds: Some(self.fault.kinds),
            nth: self.nth,
            onwards: self.fault.onwards,
            deed: self.fault.deed.clone(),
        };
        let (output, calls) = sandbox.meddled(meddler, &scenario.command(&sandbox), &meddling);
        let ran = sandbox.ran(scenario.name, &output);
        let met: Vec<&Call> = calls.iter().filter(|call| call.met).collect();
        let code = output.status.code().unwrap_or(-1);
        let left = sandbox.files("");
        let mut wrong = self.judge_files(&left, code == 0, &met);
        wrong.extend(self.judge_words(&sandbox, code, &ran.stderr, &met));
        if code == 0 || scenario.repeats {
            wrong.extend(self.judge_again(&sandbox, code));
        } else if let Some(error) = again(&sandbox, scenario) {
            wrong.push(error);
        }
        let what = |wrong: String| {
            let met: Vec<String> = met.iter().take(3).map(|call| format!("{} {}", call.kind, call.path)).collect();
            format!("{}, {} at call {} ({}): {wrong}\n{ran}", scenario.name, self.fault.name, self.nth, met.join(", "))
        };
        Outcome { code, met: !met.is_empty(), wrong: wrong.into_iter().map(what).collect() }
    }

    /// What a run leaves is whole: as it was, or as it was to be.
    fn judge_files(&self, left: &Files, done: bool, met: &[&Call]) -> Vec<String> {
        let (before, after) = (&self.plan.before, &self.plan.after);
        let mut wrong = Vec::new();
        // What the disk does not let be removed stays.
        let stays = met.iter().any(|call| call.kind == "unlink");
        for (name, bytes) in left {
            if name.contains("/locks/") {
                continue;
            }
            if is_draft(name) {
                wrong.extend((!stays).then(|| format!("{name} is left")));
            } else if name.ends_with("build_meta.json") {
                wrong.extend(judge_metafile(name, bytes, left).err());
            } else if name.ends_with("record.json") {
                wrong.extend(
                    serde_json::from_slice::<serde_json::Value>(bytes).err().map(|_| format!("{name} is torn")),
                );
            } else if before.get(name) != Some(bytes) && after.get(name) != Some(bytes) {
                wrong.push(format!("{name} is neither what it was nor what it was to be"));
            }
        }
        // A hook that is uninstalled goes.
        let lost = before.keys().filter(|name| !left.contains_key(*name) && after.contains_key(*name));
        wrong.extend(lost.map(|name| format!("{name} is lost")));
        if done {
            wrong.extend(self.differs(left).map(|name| format!("it is done, and {name} is not as it was to be")));
        }
        wrong
    }

    fn differs(&self, left: &Files) -> Option<String> {
        let after = &self.plan.after;
        let counts = |name: &&String| !is_draft(name) && !name.contains("/locks/") && !name.ends_with("record.json");
        let names: Vec<&String> = after.keys().chain(left.keys()).filter(counts).collect();
        names.into_iter().find(|name| after.get(*name) != left.get(*name)).cloned()
    }

    /// What is said names what it was and what to do, and the exit code says whose it was.
    fn judge_words(&self, sandbox: &Sandbox, code: i32, said: &str, met: &[&Call]) -> Vec<String> {
        let mut wrong = Vec::new();
        if said.contains("panicked") {
            wrong.push("it panics".to_owned());
        }
        let Some(first) = met.first() else {
            return if code == 0 { wrong } else { vec!["it fails, and met nothing".to_owned()] };
        };
        let path = &first.path;
        let (store, own) = self.fault.codes;
        let is_of_store = |call: &&&Call| call.path.starts_with(sandbox.path("store").to_str().unwrap());
        let of_store = met.iter().filter(is_of_store).count();
        let expected = [(of_store > 0, store), (of_store < met.len(), own), (of_store > 0 && of_store < met.len(), 13)];
        let expected: Vec<i32> = expected.iter().filter(|(holds, _)| *holds).map(|(_, code)| *code).collect();
        // A registry that cannot be read is the configuration's fault, whatever the disk does.
        let is_registry = self.plan.scenario.name.starts_with("registry") && code == 12;
        // What the git program says is git's.
        if code == 11 && said.contains("git says: ") {
            return wrong;
        }
        if code != 0 && !expected.contains(&code) && !is_registry {
            wrong.push(format!("exit {code} instead of {expected:?} for {path}"));
        }
        if code == 0 && first.kind == "sync" && !matches!(self.fault.deed, Deed::Fails(EINTR)) {
            wrong.push(format!("{path} is not on disk, and it is done"));
        }
        if code != 0 && !(said.contains("error: ") && said.contains("hint: ") && said.contains("  because ")) {
            wrong.push("nothing is said of what to do".to_owned());
        }
        let named = [
            "[DIR]/store/",
            "../out",
            "../in",
            "[DIR]/tmp",
            "../shared",
            "../team",
            "artifacts.toml",
            "[DIR]/repo/.git/hooks",
            "standard output",
        ];
        if code != 0 && !named.iter().any(|name| said.contains(name)) {
            wrong.push("no path is named".to_owned());
        }
        wrong
    }

    /// The same again, without the fault, completes it.
    fn judge_again(&self, sandbox: &Sandbox, code: i32) -> Vec<String> {
        if !self.plan.scenario.repeats {
            return Vec::new();
        }
        // To be quick: what is done needs it seldom.
        if !self.nth.is_multiple_of(if code == 0 { 4 } else { 2 }) {
            return Vec::new();
        }
        let mut wrong: Vec<String> = again(sandbox, self.plan.scenario).into_iter().collect();
        wrong.extend(self.differs(&sandbox.files("")).map(|name| format!("run again, {name} is not as it was to be")));
        wrong
    }
}

fn again(sandbox: &Sandbox, scenario: &Scenario) -> Option<String> {
    let output = scenario.command(sandbox).output().unwrap();
    (!output.status.success()).then(|| format!("it is not completed: {}", sandbox.ran("again", &output)))
}

/// Says whether a file has not got its name yet.
fn is_draft(name: &str) -> bool {
    name.contains("/.metalogic/tmp/") || name.rsplit('/').next().is_some_and(|name| name.starts_with(".metalogic-"))
}

/// A metafile is whole, and names only what is there, with the digest that it has.
fn judge_metafile(name: &str, bytes: &[u8], left: &Files) -> Result<(), String> {
    let address = name.trim_end_matches("build_meta.json");
    let commit: Commit = address.trim_end_matches('/').rsplit('/').next().unwrap().parse().unwrap();
    let metafile = Metafile::parse(bytes, commit).map_err(|error| format!("{name} is torn: {error}"))?;
    for artifact in metafile.artifacts.keys() {
        let bytes =
            left.get(&format!("{address}{artifact}")).ok_or(format!("{name} names {artifact}, which is absent"))?;
        let recorded = metafile.details.get(artifact).and_then(|record| record.sha256);
        if recorded.is_some_and(|recorded| recorded != Digest::of(bytes)) {
            return Err(format!("{name} records another digest of {artifact} than it has"));
        }
    }
    Ok(())
}
