//! What the store has already is not sent to it again, and is never taken for what it is not.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::ancestry::ToldHistory;
use metalogic::artifact::Digest;
use metalogic::catalog::Catalog;
use metalogic::event::{Observer, Silent};
use metalogic::metafile::{LARGEST, Metafile};
use metalogic::moment::Stamp;
use metalogic::publish::{self, Item, Published};
use metalogic::registry::Registry;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Attributes, Condition, Content, Key, Store};
use metalogic::world::{Limits, World};

use crate::decorated::{Decorated, Fate, Watcher};
use crate::fake::Fake;
use crate::sandbox::Sandbox;

const BYTES: &[u8] = b"what two builds make alike";

fn commit(digit: u8) -> Commit {
    format!("{digit}").repeat(40).parse().unwrap()
}

fn key(digit: u8) -> Key {
    Key::Artifact(commit(digit), "app.zip".parse().unwrap())
}

/// A build's file.
struct File {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn of(bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.zip");
        std::fs::write(&path, bytes).unwrap();
        Self { _directory: directory, path }
    }
}

/// Publishes it at the second commit or at its parent, the first.
async fn publish(store: &dyn Store, digit: u8, file: &File) -> Published {
    let history =
        ToldHistory { parents: [(commit(2), Some(commit(1))), (commit(1), None)].into(), ..ToldHistory::default() };
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let world = World { store, ancestry: &history, observer: &observer, limits: Limits::default() };
    let registry = Registry::parse(b"[projects.p]\nartifacts = [\"app.zip\"]\n", "artifacts.toml").unwrap();
    let item = Item { name: "app.zip".parse().unwrap(), path: file.path.clone() };
    let catalog = Catalog::new(registry, &[], &[]).unwrap();
    publish::publish(world, &catalog, commit(digit), &[item], &Stamp::default(), false).await.unwrap()
}

/// Holds that what stands at the second commit is the file, and that its metafile says so.
async fn expect_published(store: &dyn Store, bytes: &[u8]) {
    assert!(store.get(&key(2), u64::MAX).await.unwrap().unwrap().0 == bytes);
    let (metafile, _) = store.get(&Key::Metafile(commit(2)), LARGEST).await.unwrap().unwrap();
    let metafile = Metafile::parse(&metafile, commit(2)).unwrap();
    let record = metafile.record(&"app.zip".parse().unwrap(), commit(2)).unwrap();
    assert_eq!((record.size, record.sha256), (Some(bytes.len() as u64), Some(Digest::of(bytes))));
}

/// Writes down what is asked, and does something before the first copy.
#[derive(Clone, Default)]
struct Clerk {
    asked: Arc<Mutex<Vec<String>>>,
    before_copy: Option<(MemoryStore, Change)>,
}

#[derive(Clone, Copy)]
enum Change {
    Gone,
    Other,
}

#[async_trait]
impl Watcher for Clerk {
    async fn before(&self, operation: &str) -> Fate {
        self.asked.lock().unwrap().push(operation.to_owned());
        if let Some((store, change)) = self.before_copy.as_ref().filter(|_| operation.starts_with("copy")) {
            store.delete(&key(1)).await.unwrap();
            if matches!(change, Change::Other) {
                let other = Bytes::from(BYTES.to_ascii_uppercase());
                store.put(&key(1), Content::Bytes(other), Attributes::default(), &Condition::None).await.unwrap();
            }
        }
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

impl Clerk {
    fn puts(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.starts_with("put") && asked.ends_with("app.zip")).count()
    }
}

#[tokio::test]
async fn what_an_ancestor_has_is_copied_and_not_sent() {
    let (store, clerk, file) = (MemoryStore::default(), Clerk::default(), File::of(BYTES));
    let first = publish(&store, 1, &file).await;
    assert_eq!((first.bytes_sent, first.bytes_spared, first.copied.len()), (BYTES.len() as u64, 0, 0));
    let watched = Decorated::new(store.clone(), clerk.clone());
    let second = publish(&watched, 2, &file).await;
    assert_eq!((second.bytes_sent, second.bytes_spared), (0, BYTES.len() as u64));
    assert!(second.copied.len() == 1 && second.copied == second.uploaded && second.present.is_empty());
    assert_eq!(clerk.puts(), 0);
    expect_published(&store, BYTES).await;
    let again = publish(&watched, 2, &file).await;
    assert_eq!((again.bytes_sent, again.copied.len(), again.present.len(), clerk.puts()), (0, 0, 1, 0));
}

#[tokio::test]
async fn what_has_only_the_size_of_an_ancestors_is_sent() {
    let (store, clerk, other) = (MemoryStore::default(), Clerk::default(), BYTES.to_ascii_uppercase());
    publish(&store, 1, &File::of(BYTES)).await;
    let second = publish(&Decorated::new(store.clone(), clerk.clone()), 2, &File::of(&other)).await;
    assert_eq!((second.bytes_sent, second.copied.len(), clerk.puts()), (BYTES.len() as u64, 0, 1));
    expect_published(&store, &other).await;
}

#[tokio::test]
async fn what_is_gone_or_another_when_it_is_to_be_copied_is_sent() {
    for change in [Change::Gone, Change::Other] {
        let (store, file) = (MemoryStore::default(), File::of(BYTES));
        publish(&store, 1, &file).await;
        let clerk = Clerk { before_copy: Some((store.clone(), change)), ..Clerk::default() };
        let second = publish(&Decorated::new(store.clone(), clerk.clone()), 2, &file).await;
        assert_eq!((second.bytes_sent, second.copied.len(), clerk.puts()), (BYTES.len() as u64, 0, 1));
        expect_published(&store, BYTES).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_an_ancestor_has_with_another_mode_is_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let (store, file) = (MemoryStore::default(), File::of(BYTES));
    publish(&store, 1, &file).await;
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let second = publish(&store, 2, &file).await;
    assert_eq!((second.bytes_sent, second.copied.len()), (BYTES.len() as u64, 0));
    assert!(store.head(&key(2)).await.unwrap().unwrap().attributes.mode.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_s3_neither_body_is_sent_twice_nor_what_stands_is_read() {
    for size in [BYTES.len(), 9 << 20] {
        let fake = Fake::start().await;
        fake.calm();
        let (store, bytes) = (fake.store(""), BYTES.repeat(size.div_ceil(BYTES.len())));
        let (file, large) = (File::of(&bytes), bytes.len() > 8 << 20);
        let first = publish(&store, 1, &file).await;
        assert_eq!(first.bytes_sent, bytes.len() as u64);
        // What goes up in parts is hashed on the way, when it is too late to say it beside the bytes.
        assert_eq!(fake.object(&key(1).to_string()).unwrap().metadata.contains_key("sha256"), !large);
        drop(fake.requests());
        let second = publish(&store, 2, &file).await;
        assert_eq!((second.bytes_sent, second.copied.len()), (0, 1));
        let again = publish(&store, 2, &file).await;
        assert_eq!((again.bytes_sent, again.present.len()), (0, 1));
        let bodies = |heard: &[(String, hyper::HeaderMap)]| {
            let body = |(line, headers): &&(String, hyper::HeaderMap)| {
                let moves = line.contains("app.zip") && !headers.contains_key("x-amz-copy-source");
                moves && (line.starts_with("GET") || line.starts_with("PUT"))
            };
            heard.iter().filter(body).count()
        };
        let heard = fake.heard();
        let sent = usize::from(!large) + usize::from(large) * 2;
        assert_eq!(bodies(&heard), sent, "{heard:?}");
        expect_published(&store, &bytes).await;
    }
}

#[test]
fn what_was_not_sent_is_told() {
    let sandbox = Sandbox::new().having_repository();
    sandbox.write("in/app.zip", BYTES);
    sandbox.done(&["publish", "../in/app.zip"]);
    sandbox.commit("second");
    let ran = sandbox.run(&["publish", "../in/app.zip"]);
    assert!(ran.stderr.contains("26 B not sent: 1 copied in the store\n"), "{ran}");
    let ran = sandbox.run(&["--json", "publish", "../in/app.zip"]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&told["bytes_spared"], &told["copied"], &told["present"][0]),
        (&26.into(), &serde_json::json!([]), &"app.zip".into())
    );
    let ran = sandbox.run(&["publish", "../in/app.zip"]);
    assert!(ran.stderr.contains("26 B not sent: 1 there already\n"), "{ran}");
}
