//! Objects that are read in parts: some at a time, and given in order.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use metalogic::parts::Parts;
use metalogic::store::{Body, Condition, Store, StoreError};

use crate::conformance::{artifact, put, read};
use crate::fake::{Act, Fake, Fault};

use super::{all, error, noise, wait_for};

const PART: u64 = 20_000;

fn store(fake: &Fake, abreast: usize) -> Arc<dyn Store> {
    Arc::new(fake.store("").in_parts(Parts { size: Some(PART), abreast: Some(abreast) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_whole_and_in_order_wherever_its_parts_end() {
    let fake = Fake::start().await;
    let key = artifact(1, "cef.zip");
    let mut rng = fastrand::Rng::new();
    for round in 0..40 {
        let abreast = rng.usize(1..=6);
        let parts = rng.u64(0..12) * PART;
        let size = (parts + rng.u64(0..3)).saturating_sub(1).max(1);
        let bytes = noise(usize::try_from(size).unwrap());
        fake.plant(&key.to_string(), bytes.clone());
        let store = store(&fake, abreast);
        assert!(read(&store, &key, None).await == bytes, "{size} bytes, {abreast} abreast");
        assert!(read(&store, &key, Some(0..size)).await == bytes, "{size} bytes, {abreast} abreast, told");
        let (start, end) = (rng.u64(0..size), rng.u64(0..2 * size));
        let expected = bytes.get(start as usize..end.min(size) as usize).unwrap_or_default();
        assert!(read(&store, &key, Some(start..end)).await == expected, "round {round}: {start}..{end} of {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_in_every_part_costs_nothing_but_another() {
    let fake = Fake::start().await;
    let (key, bytes) = (artifact(1, "cef.zip"), noise(200_123));
    fake.plant(&key.to_string(), bytes.clone());
    for at in [0, 1, 9_999] {
        fake.requests();
        fake.fault(Fault { about: vec!["GET", "cef.zip"], times: 11, act: Act::Cut(at) });
        assert!(read(&store(&fake, 4), &key, Some(0..200_123)).await == bytes);
        assert_eq!(fake.requests().len(), 22, "each of eleven parts was cut once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_between_two_parts_is_corrupt_and_never_mixed() {
    for (abreast, deleted) in [(1, false), (2, false), (2, true), (4, false)] {
        let fake = Fake::start().await;
        let (store, key, bytes) = (store(&fake, abreast), artifact(1, "cef.zip"), noise(400_000));
        put(&store, &key, &bytes, &Condition::None).await.unwrap();
        // Where one part alone is asked for, it is its connection that breaks.
        fake.fault(Fault { about: vec!["GET"], times: usize::from(abreast == 1), act: Act::Cut(5) });
        let Some((_, Body::Stream(mut pieces))) = store.open(&key, Some(0..400_000)).await.unwrap() else { panic!() };
        let mut got = pieces.next().await.unwrap().unwrap().to_vec();
        if deleted {
            store.delete(&key).await.unwrap();
        } else {
            put(&store, &key, &vec![0; 400_000], &Condition::None).await.unwrap();
        }
        let ended = loop {
            match pieces.next().await {
                Some(Ok(piece)) => got.extend_from_slice(&piece),
                Some(Err(error)) => break error,
                None => panic!("two versions were joined"),
            }
        };
        assert!(matches!(&ended, StoreError::Corrupt { problem, .. } if problem.contains("replaced")), "{ended:?}");
        assert!(bytes.starts_with(&got), "what came is the first version's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_fetched_ahead_than_there_is_room_for_however_many_objects_are_read() {
    let fake = Fake::start().await;
    let (store, bytes) = (store(&fake, 4), noise(400_000));
    let mut bodies = Vec::new();
    for number in 0..3 {
        let key = artifact(number, "cef.zip");
        fake.plant(&key.to_string(), bytes.clone());
        let (_, body) = store.open(&key, Some(0..400_000)).await.unwrap().unwrap();
        let Body::Stream(mut pieces) = body else { panic!() };
        let first = pieces.next().await.unwrap().unwrap();
        bodies.push((first, pieces));
    }
    // Three parts ahead for all, and the one that each begins with. Nobody reads on, and no more is asked for.
    wait_for(|| fake.count() >= 6).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(fake.count(), 6);
    // Who has no room reads on without: none waits for another.
    for (first, pieces) in bodies.into_iter().rev() {
        let rest = all(Body::Stream(pieces)).await.unwrap();
        assert!([&first[..], &rest].concat() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_object_is_one_request_and_a_large_one_no_more_than_its_parts() {
    let fake = Fake::start().await;
    let (store, key) = (store(&fake, 4), artifact(1, "cef.zip"));
    let requests = async |size: u64, range| {
        fake.plant(&key.to_string(), noise(usize::try_from(size).unwrap()));
        fake.requests();
        assert_eq!(read(&store, &key, range).await.len() as u64, size);
        fake.requests().len()
    };
    assert_eq!(requests(0, None).await, 1);
    assert_eq!(requests(PART, None).await, 1);
    assert_eq!(requests(3 * PART, None).await, 1, "to go back on the whole is not worth it yet");
    assert_eq!(requests(PART, Some(0..PART)).await, 1);
    assert_eq!(requests(10 * PART, None).await, 10);
    assert_eq!(requests(10 * PART, Some(0..10 * PART)).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_knows_no_parts_gives_the_whole() {
    let fake = Fake::start().await;
    fake.set_up(|setup| setup.whole_for_part = true);
    let (store, key, bytes) = (store(&fake, 4), artifact(1, "cef.zip"), noise(400_000));
    fake.plant(&key.to_string(), bytes.clone());
    for range in [None, Some(0..400_000)] {
        fake.requests();
        assert!(read(&store, &key, range).await == bytes);
        assert_eq!(fake.requests().len(), 1);
    }
    assert!(read(&store, &key, Some(0..30_000)).await == bytes[..30_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_refused_ends_it_where_it_would_begin() {
    let fake = Fake::start().await;
    let (store, key, bytes) = (store(&fake, 3), artifact(1, "cef.zip"), noise(100_000));
    fake.plant(&key.to_string(), bytes.clone());
    let Some((_, Body::Stream(mut pieces))) = store.open(&key, Some(0..100_000)).await.unwrap() else { panic!() };
    fake.fault(Fault { about: vec!["GET"], times: 99, act: error(403, "") });
    let mut got = Vec::new();
    let ended = loop {
        match pieces.next().await.unwrap() {
            Ok(piece) => got.extend_from_slice(&piece),
            Err(error) => break error,
        }
    };
    assert!(matches!(ended, StoreError::AccessDenied { .. }), "{ended:?}");
    assert!(got == bytes[..20_000]);
}
