//! Copies from one store to another that the service makes by itself.

use std::sync::Arc;

use bytes::Bytes;
use metalogic::artifact::{Digest, Mode};
use metalogic::store::{Attributes, Condition, Content, Key, Source, Store, StoreError};

use super::{LARGE, noise};
use crate::conformance::{artifact, read, refused};
use crate::fake::Fake;

const NAME: &str = "a+b.zip";

/// Puts an object in one store of a service, and names it to others.
async fn put(from: &dyn Store, bytes: &[u8]) -> (Key, Source) {
    let key = artifact(1, NAME);
    let attributes = Attributes { sha256: Some(Digest::of(bytes)), mode: None };
    let content = Content::Bytes(Bytes::copy_from_slice(bytes));
    from.put(&key, content, attributes, &Condition::None).await.unwrap();
    let source = from.source(&key).await.unwrap().unwrap();
    assert_eq!((source.known.size, source.known.attributes), (bytes.len() as u64, attributes));
    (key, source)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_copies_from_store_to_store_and_never_overwrites() {
    let fake = Fake::start().await;
    let from: Arc<dyn Store> = Arc::new(fake.store("builds/of team"));
    let to: Arc<dyn Store> = Arc::new(fake.store("releases"));
    for (number, size) in [0, 1, LARGE].into_iter().enumerate() {
        let bytes = noise(size);
        let (_, source) = put(&*from, &bytes).await;
        let key = artifact(number as u64, NAME);
        let attributes = Attributes { sha256: source.known.attributes.sha256, mode: Mode::of_file(0o755) };
        assert!(to.copy_from(&source, &key, attributes).await.unwrap());
        assert!(read(&to, &key, None).await == bytes);
        assert_eq!(to.head(&key).await.unwrap().unwrap().attributes, attributes);
        refused(to.copy_from(&source, &key, attributes).await, &key);
        let moved = fake.requests().iter().filter(|line| line.starts_with("GET") && line.contains("team")).count();
        assert_eq!(moved, 0, "no bytes came here");
    }
    assert_eq!(fake.uploads(), 0);
    assert_eq!(from.source(&artifact(9, NAME)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replaced_or_removed_since_it_was_named_is_not_copied() {
    let fake = Fake::start().await;
    let (from, to) = (fake.store("builds"), fake.store("releases"));
    let (key, source) = put(&from, b"one").await;
    put(&from, b"two").await;
    let to_key = artifact(2, NAME);
    let replaced = to.copy_from(&source, &to_key, Attributes::default()).await.unwrap_err();
    assert!(matches!(replaced, StoreError::Corrupt { .. }), "{replaced:?}");
    from.delete(&key).await.unwrap();
    let removed = to.copy_from(&source, &to_key, Attributes::default()).await.unwrap_err();
    assert!(
        matches!(&removed, StoreError::NotFound(what) if what.starts_with("s3://") && what.ends_with(NAME)),
        "{removed:?}"
    );
    assert_eq!((to.head(&to_key).await.unwrap(), fake.uploads()), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_service_cannot_copy_and_nothing_is_done() {
    let (fake, other) = (Fake::start().await, Fake::start().await);
    let (_, source) = put(&fake.store("builds"), b"one").await;
    let to = other.store("releases");
    // That service has a bucket of the same name, and something else in it.
    other.plant(&source.object, "other");
    assert!(!to.copy_from(&source, &artifact(2, NAME), Attributes::default()).await.unwrap());
    assert_eq!((other.count(), other.uploads_begun()), (0, 0));
}
