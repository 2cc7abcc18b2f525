//! Many resolvers at once in one process, on one store: `crowd ENDPOINT RESOLVERS DISTANCE`.
//!
//! Each resolves a commit of its own and writes its metafile; the artifact stands so many ancestors away. It prints one JSON object, and
//! fails where one of them does.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::ancestry::ToldHistory;
use metalogic::artifact::Name;
use metalogic::event::{Observer, Silent};
use metalogic::metalogic::{Keep, Vocabulary};
use metalogic::registry::Terms;
use metalogic::resolve::{Question, resolve};
use metalogic::store::s3::{Reach, S3Store};
use metalogic::store::{Attributes, Condition, Content, Key, Store as _};
use metalogic::world::{Limits, World};
use serde_json::json;

/// Returns a commit of resolver `of`'s own line: its head is 0, its ancestors follow.
fn commit(of: usize, back: usize) -> Commit {
    format!("{:020x}{back:020x}", of + 1).parse().unwrap()
}

/// Returns the names of an address's only artifact, and what is looked for.
fn vocabulary() -> (Name, Vocabulary) {
    let name: Name = "app.zip".parse().unwrap();
    let names = BTreeSet::from([name.clone()]);
    (name, Vocabulary { wanted: names.clone(), registered: names, retired: BTreeSet::new() })
}

async fn run(store: &S3Store, of: usize, distance: usize) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let parents = (0..=distance).map(|back| (commit(of, back), (back < distance).then(|| commit(of, back + 1))));
    let ancestry = ToldHistory { parents: parents.collect(), ..ToldHistory::default() };
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let world = World { store, ancestry: &ancestry, observer: &observer, limits: Limits::default() };
    let (name, vocabulary) = vocabulary();
    let known = BTreeMap::new();
    let commit = commit(of, 0);
    let question = Question { commit, vocabulary: &vocabulary, known: &known, pretend: false, keep: Keep::Everything };
    let answer = resolve(world, &question).await?;
    Ok(answer.written && answer.metafile.artifacts.contains_key(&name))
}

/// Returns how many files this process has open.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Returns the peak of this process's memory in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("usage: crowd ENDPOINT RESOLVERS DISTANCE");
    let (endpoint, resolvers, distance) = (next(), next().parse().unwrap(), next().parse().unwrap());
    let reach = Reach {
        endpoint,
        region: "us-east-1".to_owned(),
        access_key: "AKIDEXAMPLE".to_owned(),
        secret_key: "not-much-of-a-secret".to_owned(),
    };
    let store = S3Store::reached("bench", "crowd", Duration::from_secs(120), Terms::default(), reach);
    let (name, _) = vocabulary();
    for of in 0..resolvers {
        let (key, content) =
            (Key::Artifact(commit(of, distance), name.clone()), Content::Bytes(Bytes::from_static(b"app")));
        store.put(&key, content, Attributes::default(), &Condition::Absent).await.unwrap();
    }

    let (most, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (watched, over) = (Arc::clone(&most), Arc::clone(&ended));
    let watcher = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            watched.fetch_max(open_files(), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let begun = Instant::now();
    let tasks: Vec<_> = (0..resolvers)
        .map(|of| {
            let store = store.clone();
            tokio::spawn(async move { run(&store, of, distance).await.map_err(|error| chain(&*error)) })
        })
        .collect();
    let (mut right, mut wrong, mut errors) = (0, 0, BTreeMap::<String, usize>::new());
    for task in tasks {
        match task.await.unwrap() {
            Ok(true) => right += 1,
            Ok(false) => wrong += 1,
            Err(error) => *errors.entry(error).or_default() += 1,
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    ended.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    let files = most.load(Ordering::Relaxed);
    println!(
        "{}",
        json!({"resolvers": resolvers, "right": right, "wrong": wrong, "errors": errors, "seconds": seconds,
               "open_files": files, "peak_mib": peak() / 1024})
    );
    if right == resolvers { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns an error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    // Each names another address: what is alike is counted together.
    text.split_whitespace().filter(|word| !word.contains("builds/")).collect::<Vec<_>>().join(" ")
}
