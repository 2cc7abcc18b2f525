//! How many answers a command waits for one after the other, and the connections that are there before they are needed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::response::Parts;
use metalogic::store::Store;
use tokio::sync::watch;

use crate::conformance::commit;
use crate::fake::{Fake, Porter};

use super::program::Team;
use super::wait_for;

/// How long a request waits for those that are to come beside it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lets each request in when so many of another kind have come: who waits for an answer first never sends them.
struct Beside {
    /// What a line has in it, and which requests must have come, and how many of them.
    rules: Vec<(&'static str, &'static str, usize)>,
    came: watch::Sender<BTreeMap<&'static str, usize>>,
}

impl Beside {
    fn new(rules: &[(&'static str, &'static str, usize)]) -> Arc<Self> {
        Arc::new(Self { rules: rules.to_vec(), came: watch::Sender::default() })
    }
}

#[async_trait::async_trait]
impl Porter for Beside {
    async fn admit(&self, _: &str, line: &str) -> bool {
        self.came.send_modify(|came| {
            for (_, kind, _) in self.rules.iter().filter(|(_, kind, _)| line.contains(kind)) {
                *came.entry(kind).or_default() += 1;
            }
        });
        let Some((_, kind, count)) = self.rules.iter().find(|(about, ..)| line.contains(about)) else { return true };
        let mut came = self.came.subscribe();
        let enough = came.wait_for(|came| came.get(kind).is_some_and(|have| have >= count));
        tokio::time::timeout(PATIENCE, enough).await.is_ok_and(|seen| seen.is_ok())
    }

    fn served(&self, _: &str, _: &str, _: &Parts, _: &[u8]) {}
}

/// Two round trips make a connection with TLS 1.3, and two more are these: five are allowed.
#[tokio::test(flavor = "multi_thread")]
async fn a_stub_waits_for_two_answers_one_after_the_other() {
    let team = Team::new().await;
    team.done(&["stub"]);
    let child = team.sandbox.commit("second");
    team.fake.requests();
    // Both metafiles are asked for before either is answered, and what tries conditions holds up nothing.
    team.fake.guard(Beside::new(&[("GET", "GET", 2), ("builds/.conditions", "build_meta.json?x-id=PutObject", 1)]));
    let shown = team.done(&["stub"]);
    assert!(shown.contains(&child), "{shown}");
    let requests = team.fake.requests();
    let of = |method: &str| requests.iter().filter(|line| line.starts_with(method)).count();
    assert_eq!((of("GET"), of("PUT"), requests.len()), (2, 1, 3), "{requests:?}");
}

/// Holds up what comes until it is told to let it in.
struct Closed(watch::Sender<bool>);

#[async_trait::async_trait]
impl Porter for Closed {
    async fn admit(&self, _: &str, _: &str) -> bool {
        self.0.subscribe().wait_for(|open| *open).await.is_ok()
    }

    fn served(&self, _: &str, _: &str, _: &Parts, _: &[u8]) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_there_before_the_requests_that_are_expected() {
    let fake = Fake::start().await;
    let store: Arc<dyn Store> = Arc::new(fake.store("team"));
    // Nothing is known of where to go, and nothing is opened.
    store.expect(16);
    let gate = Arc::new(Closed(watch::Sender::new(false)));
    fake.guard(gate.clone());
    let first = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.list(commit(1)).await }
    });
    wait_for(|| fake.count() == 1).await;
    assert_eq!(fake.connections(), 1);
    store.expect(16);
    wait_for(|| fake.connections() == 16).await;
    // No request was sent for that.
    assert_eq!(fake.count(), 1);
    gate.0.send_replace(true);
    first.await.unwrap().unwrap();
    let looks = (0..16).map(|n| store.list(commit(n)));
    assert!(futures::future::join_all(looks).await.iter().all(Result::is_ok));
    assert_eq!((fake.connections(), fake.count()), (16, 17));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_expectation_opens_more_connections_than_jobs_need() {
    let fake = Fake::start().await;
    let store: Arc<dyn Store> = Arc::new(fake.store("team"));
    let gate = Arc::new(Closed(watch::Sender::new(false)));
    fake.guard(gate.clone());
    let looks: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.list(commit(n)).await.map(drop) })
        })
        .collect();
    wait_for(|| fake.count() == 8).await;
    // What is there is counted in, however often it is said.
    for expected in [3, 8, 100_000, 100_000] {
        store.expect(expected);
    }
    wait_for(|| fake.connections() >= 64).await;
    gate.0.send_replace(true);
    for look in looks {
        look.await.unwrap().unwrap();
    }
    assert_eq!((fake.connections(), fake.count()), (64, 8));
}
