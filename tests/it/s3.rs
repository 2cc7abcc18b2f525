//! What is special about S3: parts, broken connections, headers, and a service that says no.

mod ahead;
mod copies;
mod credentials;
mod faults;
pub mod presigned;
pub mod program;
mod registry;
mod rounds;
mod settings;
mod terms;
mod wrong;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use metalogic::artifact::Digest;
use metalogic::registry::Terms;
use metalogic::store::s3::{Reach, S3Store, settle};
use metalogic::store::{Body, Condition, Content, Denial, Key, Put, Setting, Store, StoreError, Upload};

use crate::conformance::{TempFile, artifact, commit, get, increment, matches, put, read, refused};
use crate::fake::{Act, BUCKET, Fake, Fault};

/// More than two parts, and the last not a full one.
pub const LARGE: usize = (20 << 20) + 12_345;

pub fn noise(size: usize) -> Vec<u8> {
    (0..size as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn arc(store: S3Store) -> Arc<dyn Store> {
    Arc::new(store)
}

/// Returns an answer with an error as S3 writes it.
pub fn error(status: u16, body: &'static str) -> Act {
    Act::Answer { status, headers: vec![("content-type", "application/xml".to_owned())], body }
}

const INTERNAL: &str = "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>";

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_up_in_parts_and_leaves_no_upload() {
    let fake = Fake::start().await;
    let store = arc(fake.store("team"));
    let bytes = noise(LARGE);
    let (file, key) = (TempFile::with(&bytes), artifact(1, "cef.zip"));
    let Put { tag, .. } = store.put(&key, file.content(), file.attributes(), &Condition::Absent).await.unwrap();
    assert!(read(&store, &key, None).await == bytes);
    assert_eq!(store.get(&key, 1 << 30).await.unwrap().unwrap().1, tag);
    assert_eq!(store.head(&key).await.unwrap().unwrap().attributes, file.attributes());
    refused(store.put(&key, file.content(), file.attributes(), &Condition::Absent).await, &key);
    store.put(&key, file.content(), file.attributes(), &matches(&tag)).await.unwrap();
    refused(store.put(&key, file.content(), file.attributes(), &matches(&tag)).await, &key);
    assert!(fake.uploads_begun() >= 4);
    assert_eq!(fake.uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_create_in_parts_at_once_one_wins() {
    let fake = Fake::start().await;
    let store = fake.store("");
    for round in 0..3 {
        let key = artifact(round, "cef.zip");
        let files: Vec<_> = (0..4_u8).map(|n| TempFile::with(&vec![n; 9 << 20])).collect();
        let puts = files.iter().map(|file| store.put(&key, file.content(), file.attributes(), &Condition::Absent));
        let answers = futures::future::join_all(puts).await;
        let winners: Vec<_> = (0..4).filter(|n| answers[*n].is_ok()).collect();
        assert_eq!(winners.len(), 1);
        for answer in answers.into_iter().filter(Result::is_err) {
            refused(answer, &key);
        }
        let stands = fake.object(&key.to_string()).unwrap();
        assert!(stands.bytes.len() == 9 << 20 && stands.bytes.iter().all(|byte| usize::from(*byte) == winners[0]));
        assert_eq!(stands.metadata["sha256"], Digest::of(&stands.bytes).to_string());
    }
    assert_eq!(fake.uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_once_is_sent_again_and_told_once() {
    for act in [error(500, INTERNAL), Act::Break, Act::LoseAnswer] {
        let fake = Fake::start().await;
        fake.calm();
        fake.fault(Fault { about: vec!["PUT", "partNumber=2"], times: 1, act });
        let file = TempFile::with(&noise(LARGE));
        let (told, times, key) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), artifact(1, "a"));
        let (sum, count) = (Arc::clone(&told), Arc::clone(&times));
        let progress = Arc::new(move |more| {
            sum.fetch_add(more, Ordering::SeqCst);
            count.fetch_add(1, Ordering::SeqCst);
        });
        let content = Content::File(Upload { progress, ..file.upload() });
        fake.store("").put(&key, content, file.attributes(), &Condition::Absent).await.unwrap();
        assert_eq!(told.load(Ordering::SeqCst), LARGE as u64);
        assert!(times.load(Ordering::SeqCst) > 100, "a part is told of bit by bit");
        assert_eq!((fake.uploads_begun(), fake.uploads()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_at_the_completion_begins_anew_where_nothing_stands() {
    const CONFLICT: &str = "<Error><Code>ConditionalRequestConflict</Code><Message>Again.</Message></Error>";
    let fake = Fake::start().await;
    fake.calm();
    fake.fault(Fault { about: vec!["POST", "uploadId="], times: 2, act: error(409, CONFLICT) });
    let (file, key) = (TempFile::with(&noise(9 << 20)), artifact(1, "a"));
    fake.store("").put(&key, file.content(), file.attributes(), &Condition::Absent).await.unwrap();
    assert_eq!((fake.uploads_begun(), fake.uploads()), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_whose_answer_was_lost_is_no_success_and_no_failure_of_its_own() {
    let fake = Fake::start().await;
    fake.calm();
    fake.fault(Fault { about: vec!["POST", "uploadId="], times: 1, act: Act::LoseAnswer });
    let (file, key) = (TempFile::with(&noise(9 << 20)), artifact(1, "a"));
    let store = fake.store("");
    // Whoever asked finds the same digest there.
    refused(store.put(&key, file.content(), file.attributes(), &Condition::Absent).await, &key);
    assert_eq!(store.head(&key).await.unwrap().unwrap().attributes, file.attributes());
    assert_eq!(fake.uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_nobody_waits_for_any_more_leaves_no_upload() {
    for about in [vec!["PUT", "partNumber=2"], vec!["POST", "uploads"], vec!["POST", "uploadId="]] {
        let fake = Fake::start().await;
        let waiting_for_id = about == ["POST", "uploads"];
        let act = if waiting_for_id { Act::Slow } else { Act::Silence };
        fake.fault(Fault { about: about.clone(), times: 9, act });
        let (file, key, store) = (TempFile::with(&noise(LARGE)), artifact(1, "a"), fake.store(""));
        let put = store.put(&key, file.content(), file.attributes(), &Condition::Absent);
        // It is left when the request is there that it waits for, however long the way to it takes.
        let is_asked = |line: &String| about.iter().all(|word| line.contains(word));
        let is_under_way = async {
            wait_for(|| fake.requests().iter().any(is_asked)).await;
            wait_for(|| fake.uploads() == 1).await;
        };
        tokio::select! {
            done = put => panic!("{done:?}"),
            () = is_under_way => {}
        }
        tokio::time::timeout(Duration::from_secs(10), settle()).await.unwrap();
        // Other tests of this process have uploads of their own, so this one's may be gone a moment later.
        wait_for(|| fake.uploads() == 0).await;
        assert_eq!((fake.uploads_begun(), fake.keys().len()), (1, 0), "{about:?}");
    }
}

pub async fn wait_for(condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came to be");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_that_changed_since_it_was_hashed_leaves_nothing() {
    let fake = Fake::start().await;
    let (file, key, mut bytes) = (TempFile::with(&noise(LARGE)), artifact(1, "a"), noise(LARGE));
    *bytes.last_mut().unwrap() ^= 1;
    let longer = [&noise(LARGE)[..], b"more"].concat();
    for changed in [bytes, longer, noise(LARGE - 1), noise(100)] {
        std::fs::write(file.path(), changed).unwrap();
        let put = fake.store("").put(&key, file.content(), file.attributes(), &Condition::Absent).await;
        assert!(matches!(put, Err(StoreError::SourceChanged { .. })), "{put:?}");
        assert_eq!((fake.uploads(), fake.keys().len()), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_download_goes_on_where_it_broke() {
    let fake = Fake::start().await;
    let (store, key, bytes) = (arc(fake.store("")), artifact(1, "cef.zip"), noise(1 << 20));
    put(&store, &key, &bytes, &Condition::Absent).await.unwrap();
    fake.requests();
    fake.fault(Fault { about: vec!["GET", "cef.zip"], times: 1, act: Act::Cut(300_000) });
    fake.fault(Fault { about: vec!["GET", "cef.zip"], times: 1, act: Act::Cut(7) });
    fake.fault(Fault { about: vec!["GET", "cef.zip"], times: 1, act: Act::Cut(0) });
    assert!(read(&store, &key, None).await == bytes);
    assert_eq!(fake.requests().len(), 4);
    fake.fault(Fault { about: vec!["GET", "cef.zip"], times: 1, act: Act::Cut(1000) });
    assert!(read(&store, &key, Some(5..700_000)).await == bytes[5..700_000]);
    // It breaks off each time, and then that is told.
    fake.fault(Fault { about: vec!["GET", "cef.zip"], times: 99, act: Act::Cut(10) });
    assert!(matches!(drain(&store, &key).await, Err(StoreError::Unavailable { .. })));
    assert!(fake.requests().len() < 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_never_joins_two_versions() {
    let fake = Fake::start().await;
    let (store, key) = (arc(fake.store("")), artifact(1, "cef.zip"));
    for deleted in [false, true] {
        put(&store, &key, &noise(1 << 20), &Condition::None).await.unwrap();
        fake.fault(Fault { about: vec!["GET", "cef.zip"], times: 1, act: Act::Cut(300_000) });
        let (_, body) = store.open(&key, None).await.unwrap().unwrap();
        if deleted {
            store.delete(&key).await.unwrap();
        } else {
            put(&store, &key, &vec![0; 1 << 20], &Condition::None).await.unwrap();
        }
        assert!(matches!(all(body).await, Err(StoreError::Corrupt { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_without_hurry_is_waited_for() {
    let fake = Fake::start().await;
    let key = artifact(1, "a");
    fake.plant(&key.to_string(), noise(100_000));
    fake.fault(Fault { about: vec!["GET"], times: 1, act: Act::Hesitate(1000, Duration::from_millis(1300)) });
    let store = fake.store_with("", Duration::from_millis(800));
    let Some((_, Body::Stream(mut pieces))) = store.open(&key, None).await.unwrap() else { panic!() };
    let mut got = pieces.next().await.unwrap().unwrap().to_vec();
    // The disk, say, is slow. Then the store hesitates for half a second more.
    tokio::time::sleep(Duration::from_millis(900)).await;
    while let Some(piece) = pieces.next().await {
        got.extend_from_slice(&piece.unwrap());
    }
    assert!(got == noise(100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_line_is_waited_for_as_long_as_bytes_move() {
    let fake = Fake::start().await;
    fake.calm();
    fake.fault(Fault { about: vec!["PUT"], times: 1, act: Act::Crawl });
    let patience = Duration::from_millis(1800);
    let (store, since) = (arc(fake.store_with("", patience)), Instant::now());
    put(&store, &artifact(1, "a"), &vec![7; 30 << 20], &Condition::Absent).await.unwrap();
    assert!(since.elapsed() > patience, "the line was not slow: {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_of_several_pages_is_whole_or_not_at_all() {
    let fake = Fake::start().await;
    let store = arc(fake.store("a/b"));
    for n in 0..7 {
        put(&store, &artifact(1, &format!("part-{n}")), b"x", &Condition::Absent).await.unwrap();
    }
    fake.requests();
    assert_eq!(store.list(commit(1)).await.unwrap().artifacts.len(), 7);
    assert_eq!(fake.requests().len(), 4);
    fake.fault(Fault { about: vec!["GET", "continuation-token"], times: 1, act: error(500, INTERNAL) });
    assert_eq!(store.list(commit(1)).await.unwrap().artifacts.len(), 7);
    for (act, denied) in [(error(500, INTERNAL), false), (error(200, INTERNAL), false), (error(403, ""), true)] {
        let fault = Fault { about: vec!["GET", "continuation-token"], times: 9, act };
        let fake = Fake::start().await;
        (0..3).for_each(|n| fake.plant(&format!("a/b/{}part-{n}", commit(1).address()), "x"));
        fake.fault(fault);
        match fake.store("a/b").list(commit(1)).await {
            Err(StoreError::AccessDenied { .. }) if denied => {}
            Err(StoreError::Unavailable { .. }) if !denied => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_tell_caches_what_may_change() {
    let fake = Fake::start().await;
    let store = arc(fake.store("p"));
    let (small, large) = (TempFile::with(b"small"), TempFile::with(&noise(9 << 20)));
    for (name, file) in [("small", &small), ("large", &large)] {
        let key = artifact(1, name);
        store.put(&key, file.content(), file.attributes(), &Condition::Absent).await.unwrap();
        store.copy(&key, &artifact(2, name), None).await.unwrap();
        for n in [1, 2] {
            let stored = fake.object(&format!("p/{}", artifact(n, name))).unwrap();
            assert_eq!(stored.cache_control.as_deref(), Some("max-age=31536000, immutable"));
            assert_eq!(stored.metadata["mode"], "755");
            assert_eq!(stored.metadata["sha256"], file.attributes().sha256.unwrap().to_string());
        }
    }
    put(&store, &Key::Metafile(commit(1)), b"{}", &Condition::Absent).await.unwrap();
    let stored = fake.object(&format!("p/{}", Key::Metafile(commit(1)))).unwrap();
    assert_eq!(stored.cache_control.as_deref(), Some("no-cache"));
    assert_eq!(stored.content_type.as_deref(), Some("application/json"));
    assert!(stored.metadata.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_moves_no_bytes_through_this_process_however_many_they_are() {
    let fake = Fake::start().await;
    let prefix = "50%2B and more+";
    let store = arc(fake.store(prefix));
    let (from, to) = (artifact(1, "a+b.zip"), artifact(2, "a+b.zip"));
    let bytes = noise((64 << 20) + 5);
    fake.plant(&format!("{prefix}/{from}"), bytes.clone());
    fake.requests();
    store.copy(&from, &to, None).await.unwrap();
    assert!(fake.object(&format!("{prefix}/{to}")).unwrap().bytes == bytes);
    assert!(fake.requests().iter().all(|line| !line.starts_with("GET")));
    refused(store.copy(&from, &to, None).await, &to);
    assert_eq!(fake.uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_no_reason_to_ask_again() {
    let fake = Fake::start().await;
    let key = artifact(1, "a");
    let stranger = Reach { secret_key: "wrong".to_owned(), ..fake.reach() };
    let stranger = S3Store::reached(BUCKET, "", Duration::from_secs(5), Terms::default(), stranger);
    for told in [stranger.list(commit(1)).await.map(drop), stranger.head(&key).await.map(drop)] {
        assert!(matches!(told, Err(StoreError::AccessDenied { denial: Denial::Secret, .. })), "{told:?}");
    }
    // What HEAD cannot tell, GET does.
    assert_eq!(fake.requests().len(), 3);
    let nobody = S3Store::reached("no-such-bucket", "", Duration::from_secs(5), Terms::default(), fake.reach());
    let told = nobody.list(commit(1)).await.unwrap_err();
    assert_eq!(told.to_string(), "the bucket s3://no-such-bucket does not exist");
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_in_another_region_is_followed_once() {
    const PLAIN: &str = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>Wrong region.</Message></Error>";
    // Some services tell the region there alone, and say nothing of it in words.
    const TOLD: &str = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>Wrong.</Message>\
                        <Region>ap-south-1</Region></Error>";
    for (status, told) in [(301, PLAIN), (307, PLAIN), (400, PLAIN), (400, TOLD)] {
        let fake = Fake::start().await;
        let store = arc(fake.store(""));
        let header = ("x-amz-bucket-region", "ap-south-1".to_owned());
        let headers = if told == PLAIN { vec![header] } else { Vec::new() };
        let body = told;
        fake.fault(Fault { about: vec![], times: 1, act: Act::Answer { status, headers: headers.clone(), body } });
        assert!(store.list(commit(1)).await.unwrap().artifacts.is_empty());
        put(&store, &artifact(1, "a"), b"x", &Condition::Absent).await.unwrap();
        fake.requests();
        fake.fault(Fault { about: vec![], times: 99, act: Act::Answer { status, headers, body } });
        let told = store.list(commit(1)).await;
        assert!(matches!(told, Err(StoreError::Configuration { setting: Setting::Region, .. })), "{told:?}");
        assert_eq!(fake.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_was_lost_stands_and_is_told_as_lost() {
    let fake = Fake::start().await;
    let store = arc(fake.store(""));
    fake.fault(Fault { about: vec!["PUT"], times: 1, act: Act::LoseAnswer });
    let key = artifact(1, "a");
    refused(put(&store, &key, b"x", &Condition::Absent).await, &key);
    assert_eq!(get(&store, &key).await.unwrap().0, b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_that_race_through_a_bad_line_are_never_lost() {
    let fake = Fake::start().await;
    let store = fake.store("");
    let key = Key::Metafile(commit(1));
    // Each request is tried three times, so that no two faults of its kind are too many.
    fake.fault(Fault { about: vec!["PUT"], times: 1, act: Act::Break });
    fake.fault(Fault { about: vec!["PUT"], times: 1, act: error(500, INTERNAL) });
    fake.fault(Fault { about: vec!["GET"], times: 1, act: error(503, "") });
    fake.fault(Fault { about: vec!["GET"], times: 1, act: Act::Cut(0) });
    let tasks = (0..4).map(|_| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move { increment(&store, &key, 5).await })
    });
    futures::future::join_all(tasks).await.into_iter().for_each(Result::unwrap);
    assert_eq!(get(&arc(store), &key).await.unwrap().0, b"20");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_files_at_once_all_go_up() {
    let fake = Fake::start().await;
    let store = fake.store("");
    let files: Vec<_> = (0..12_u8).map(|n| TempFile::with(&vec![n; 17 << 20])).collect();
    let puts = files.iter().enumerate().map(|(n, file)| {
        let (store, key) = (&store, artifact(n as u64, "a"));
        async move { store.put(&key, file.content(), file.attributes(), &Condition::Absent).await }
    });
    for answer in futures::future::join_all(puts).await {
        answer.unwrap();
    }
    assert_eq!((fake.uploads(), fake.keys().len()), (0, 12));
}

async fn drain(store: &Arc<dyn Store>, key: &Key) -> Result<Vec<u8>, StoreError> {
    all(store.open(key, None).await?.unwrap().1).await
}

async fn all(body: Body) -> Result<Vec<u8>, StoreError> {
    let Body::Stream(mut pieces) = body else { panic!("S3 gives streams") };
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}
