//! What every store does: one function a law, and each law is run on each store.

use std::collections::BTreeSet;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use metalogic::address::Commit;
use metalogic::artifact::{Digest, Mode};
use metalogic::store::directory::DirectoryStore;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{
    Attributes, Body, Changed, Condition, Content, Found, Key, Object, Prefix, Put, Store, StoreError, Tag, Upload,
    Validity,
};

use crate::fake::Fake;

/// Puts an object under any text below the root, with means other than the store's own.
type Plant = Box<dyn Fn(String, Vec<u8>) -> BoxFuture<'static, ()> + Send + Sync>;

/// An empty store, and whatever must live as long as it is used.
pub struct Subject {
    pub store: Arc<dyn Store>,
    plant: Plant,
    /// Whether it records digests: not every file system has extended attributes.
    records_digests: bool,
    _guard: Box<dyn Send + Sync>,
}

impl Subject {
    /// Returns what is recorded where these attributes are put.
    fn recorded(&self, attributes: Attributes) -> Attributes {
        Attributes { sha256: attributes.sha256.filter(|_| self.records_digests), ..attributes }
    }
}

impl Deref for Subject {
    type Target = Arc<dyn Store>;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

macro_rules! conformance {
    ($($store:ident),+: $laws:tt) => {
        $(mod $store {
            conformance!(@ $store $laws);
        })+
    };
    (@ $store:ident { $($law:ident)+ }) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $law() {
            super::$law(&super::empty::$store().await).await;
        })+
    };
}

conformance! {
    memory, directory, s3: {
        what_was_put_is_got
        nothing_is_got_where_nothing_was_put
        a_second_creation_is_refused_and_the_first_stays
        a_replacement_needs_the_tag_of_what_stands
        a_replacement_of_what_vanished_is_refused
        an_unconditional_put_overwrites
        equal_bytes_put_again_give_a_tag_to_go_on_with
        a_got_tag_is_as_good_as_a_put_one
        a_head_tells_size_and_attributes
        attributes_are_those_of_the_last_put
        a_range_is_cut_at_the_objects_end
        a_file_is_put_in_pieces_and_told_in_full
        a_file_without_bytes_is_an_object_too
        a_digest_that_is_not_known_is_found_on_the_way
        a_file_that_changed_since_it_was_hashed_puts_nothing
        a_file_that_changes_while_it_is_read_puts_nothing
        a_file_that_is_gone_or_no_file_any_more_has_changed
        what_is_too_large_tells_a_tag_to_replace_it_with
        what_has_not_changed_is_not_given_again
        a_url_that_needs_no_credentials_is_made_where_it_takes_one
        a_copy_keeps_bytes_and_attributes
        a_copy_never_overwrites
        a_copy_of_nothing_is_not_found
        nothing_is_copied_but_what_is_told
        what_was_deleted_is_gone_and_may_be_deleted_again
        a_listing_shows_every_put_that_was_answered
        a_listing_shows_what_others_put_there
        the_keys_below_a_prefix_are_those_that_begin_with_it
        a_releases_keys_have_no_build_metadata
        what_others_put_there_is_an_object
        keys_do_not_get_in_each_others_way
        an_objects_url_lies_below_the_stores
        no_increment_is_lost_in_a_race
        of_all_who_create_at_once_one_wins
    }
}

pub mod empty {
    use super::*;

    pub async fn memory() -> Subject {
        let store = MemoryStore::default();
        let other = store.clone();
        let plant: Plant = Box::new(move |key, bytes| {
            other.plant(&key, bytes);
            Box::pin(std::future::ready(()))
        });
        Subject { store: Arc::new(store), plant, records_digests: true, _guard: Box::new(()) }
    }

    pub async fn directory() -> Subject {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("store");
        let store = DirectoryStore::new(&root);
        let plant: Plant = Box::new(move |key, bytes| {
            let path = root.join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
            Box::pin(std::future::ready(()))
        });
        let records_digests = xattr::set(directory.path(), "user.probe", b"").is_ok();
        Subject { store: Arc::new(store), plant, records_digests, _guard: Box::new(directory) }
    }

    pub async fn s3() -> Subject {
        let fake = Arc::new(Fake::start().await);
        let store = fake.store("team/builds of 100%+");
        let other = Arc::clone(&fake);
        let plant: Plant = Box::new(move |key, bytes| {
            other.plant(&format!("team/builds of 100%+/{key}"), bytes);
            Box::pin(std::future::ready(()))
        });
        Subject { store: Arc::new(store), plant, records_digests: true, _guard: Box::new(fake) }
    }
}

async fn what_was_put_is_got(store: &Subject) {
    for key in [artifact(1, "cef.zip"), artifact(1, "a+b_c-d.1"), Key::Metafile(commit(1)), Key::registry()] {
        let bytes = format!("bytes of {key}").into_bytes();
        let tag = put(store, &key, &bytes, &Condition::Absent).await.unwrap();
        assert_eq!(get(store, &key).await, Some((bytes, tag)), "{key}");
    }
    let empty = artifact(1, "empty");
    let tag = put(store, &empty, b"", &Condition::Absent).await.unwrap();
    assert_eq!(get(store, &empty).await, Some((Vec::new(), tag)));
}

async fn nothing_is_got_where_nothing_was_put(store: &Subject) {
    put(store, &artifact(1, "other.zip"), b"other", &Condition::None).await.unwrap();
    for key in [artifact(1, "cef.zip"), artifact(2, "other.zip"), Key::Metafile(commit(1)), Key::registry()] {
        assert_eq!(get(store, &key).await, None);
        assert_eq!(store.head(&key).await.unwrap(), None);
        assert!(store.open(&key, None).await.unwrap().is_none());
        assert!(store.open(&key, Some(0..10)).await.unwrap().is_none());
    }
}

async fn a_second_creation_is_refused_and_the_first_stays(store: &Subject) {
    let key = artifact(1, "cef.zip");
    let tag = put(store, &key, b"first", &Condition::Absent).await.unwrap();
    for bytes in [&b"second"[..], b"first"] {
        refused(put(store, &key, bytes, &Condition::Absent).await, &key);
        assert_eq!(get(store, &key).await, Some((b"first".to_vec(), tag.clone())));
    }
    let file = TempFile::with(b"third");
    let put = store.put(&key, file.content(), file.attributes(), &Condition::Absent).await;
    refused(put, &key);
    assert_eq!(get(store, &key).await, Some((b"first".to_vec(), tag)));
    assert_eq!(store.head(&key).await.unwrap().unwrap().attributes, Attributes::default());
}

async fn a_replacement_needs_the_tag_of_what_stands(store: &Subject) {
    let key = Key::Metafile(commit(1));
    let first = put(store, &key, b"first", &Condition::Absent).await.unwrap();
    let second = put(store, &key, b"second", &matches(&first)).await.unwrap();
    assert_ne!(first, second);
    refused(put(store, &key, b"third", &matches(&first)).await, &key);
    refused(put(store, &key, b"third", &matches(&no_such_tag())).await, &key);
    assert_eq!(get(store, &key).await, Some((b"second".to_vec(), second.clone())));
    put(store, &key, b"third", &matches(&second)).await.unwrap();
}

async fn a_replacement_of_what_vanished_is_refused(store: &Subject) {
    let key = Key::Metafile(commit(1));
    refused(put(store, &key, b"first", &matches(&no_such_tag())).await, &key);
    let tag = put(store, &key, b"first", &Condition::Absent).await.unwrap();
    store.delete(&key).await.unwrap();
    refused(put(store, &key, b"second", &matches(&tag)).await, &key);
    assert_eq!(get(store, &key).await, None);
}

async fn an_unconditional_put_overwrites(store: &Subject) {
    let key = Key::registry();
    for bytes in [&b"a longer first"[..], b"second", b"third"] {
        let tag = put(store, &key, bytes, &Condition::None).await.unwrap();
        assert_eq!(get(store, &key).await, Some((bytes.to_vec(), tag)));
    }
}

async fn equal_bytes_put_again_give_a_tag_to_go_on_with(store: &Subject) {
    let key = Key::Metafile(commit(1));
    let first = put(store, &key, b"same", &Condition::Absent).await.unwrap();
    let again = put(store, &key, b"same", &matches(&first)).await.unwrap();
    assert_eq!(get(store, &key).await, Some((b"same".to_vec(), again.clone())));
    put(store, &key, b"other", &matches(&again)).await.unwrap();
}

async fn a_got_tag_is_as_good_as_a_put_one(store: &Subject) {
    let key = Key::Metafile(commit(1));
    put(store, &key, b"first", &Condition::Absent).await.unwrap();
    let (_, tag) = get(store, &key).await.unwrap();
    put(store, &key, b"second", &matches(&tag)).await.unwrap();
    (store.plant)(key.to_string(), b"by another program".to_vec()).await;
    let (_, tag) = get(store, &key).await.unwrap();
    put(store, &key, b"third", &matches(&tag)).await.unwrap();
}

async fn a_head_tells_size_and_attributes(store: &Subject) {
    let file = TempFile::with(b"#!/bin/sh\n");
    let key = artifact(1, "tool");
    store.put(&key, file.content(), file.attributes(), &Condition::Absent).await.unwrap();
    let expected = Object { size: 10, attributes: store.recorded(file.attributes()) };
    assert_eq!(store.head(&key).await.unwrap(), Some(expected));
    let (object, _) = store.open(&key, Some(2..3)).await.unwrap().unwrap();
    assert_eq!(object, expected);

    let key = artifact(1, "plain");
    put(store, &key, b"plain", &Condition::Absent).await.unwrap();
    assert_eq!(store.head(&key).await.unwrap(), Some(Object { size: 5, attributes: Attributes::default() }));
}

async fn attributes_are_those_of_the_last_put(store: &Subject) {
    let key = artifact(1, "tool");
    let of = |bytes: &[u8], mode| Attributes { sha256: Some(Digest::of(bytes)), mode };
    for attributes in [of(b"x", Some(Mode::EXECUTABLE)), of(b"x", None), Attributes::default()] {
        store.put(&key, Content::Bytes("x".into()), attributes, &Condition::None).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap().unwrap().attributes, store.recorded(attributes));
    }
}

async fn a_range_is_cut_at_the_objects_end(store: &Subject) {
    let bytes: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
    let size = u64::try_from(bytes.len()).unwrap();
    let key = artifact(1, "cef.zip");
    put(store, &key, &bytes, &Condition::Absent).await.unwrap();
    assert_eq!(read(store, &key, None).await, bytes);
    for range in [0..1, 0..5000, 5000..60_001, 79_999..80_000, 0..size, 5..size + 1, 79_000..u64::MAX] {
        let expected = &bytes[range.start as usize..range.end.min(size) as usize];
        assert!(read(store, &key, Some(range.clone())).await == expected, "{range:?}");
    }
    for range in [0..0, 7..7, size..size, size..size + 1, size + 5..u64::MAX] {
        assert_eq!(read(store, &key, Some(range)).await, b"");
    }
    let key = artifact(1, "empty");
    put(store, &key, b"", &Condition::Absent).await.unwrap();
    for range in [None, Some(0..0), Some(0..10), Some(3..10)] {
        assert_eq!(read(store, &key, range).await, b"");
    }
}

async fn a_file_is_put_in_pieces_and_told_in_full(store: &Subject) {
    let bytes: Vec<u8> = (0..5 << 20_u32).flat_map(|n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let file = TempFile::with(&bytes);
    let (told, times) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (sum, count) = (Arc::clone(&told), Arc::clone(&times));
    let progress = Arc::new(move |more| {
        sum.fetch_add(more, Ordering::SeqCst);
        count.fetch_add(1, Ordering::SeqCst);
    });
    let content = Content::File(Upload { progress, ..file.upload() });
    let key = artifact(1, "cef.zip");
    let Put { tag, sha256 } = store.put(&key, content, file.attributes(), &Condition::Absent).await.unwrap();
    assert_eq!(sha256, Digest::of(&bytes));
    assert_eq!(told.load(Ordering::SeqCst), 20 << 20);
    assert!(times.load(Ordering::SeqCst) > 1, "the whole was told at once");
    assert!(read(store, &key, None).await == bytes);
    let (got, got_tag) = store.get(&key, 20 << 20).await.unwrap().unwrap();
    assert!(got == bytes);
    assert_eq!(got_tag, tag);
}

async fn a_file_without_bytes_is_an_object_too(store: &Subject) {
    let (file, key) = (TempFile::with(b""), artifact(1, "marker"));
    let Put { tag, .. } = store.put(&key, file.content(), file.attributes(), &Condition::Absent).await.unwrap();
    assert_eq!(get(store, &key).await, Some((Vec::new(), tag.clone())));
    let expected = Object { size: 0, attributes: store.recorded(file.attributes()) };
    assert_eq!(store.head(&key).await.unwrap(), Some(expected));
    refused(store.put(&key, file.content(), file.attributes(), &Condition::Absent).await, &key);
    store.put(&key, file.content(), file.attributes(), &matches(&tag)).await.unwrap();
}

async fn a_file_that_changed_since_it_was_hashed_puts_nothing(store: &Subject) {
    let key = artifact(1, "cef.zip");
    for changed in [&b"Hashed"[..], b"hashed, and then some", b"has", b""] {
        let file = TempFile::with(b"hashed");
        let content = file.content();
        std::fs::write(file.path(), changed).unwrap();
        for condition in [Condition::Absent, Condition::None] {
            let error = store.put(&key, content.clone(), file.attributes(), &condition).await.unwrap_err();
            assert!(matches!(error, StoreError::SourceChanged { path } if path == file.path()));
        }
        assert_eq!(get(store, &key).await, None);
        assert!(store.list(commit(1)).await.unwrap().artifacts.is_empty());
    }
    let file = TempFile::with(b"hashed");
    let tag = put(store, &key, b"stands", &Condition::Absent).await.unwrap();
    let content = file.content();
    std::fs::write(file.path(), b"HASHED").unwrap();
    store.put(&key, content, file.attributes(), &matches(&tag)).await.unwrap_err();
    assert_eq!(get(store, &key).await, Some((b"stands".to_vec(), tag)));
}

async fn a_digest_that_is_not_known_is_found_on_the_way(store: &Subject) {
    let large: Vec<u8> = (0..9 << 18_u32).flat_map(|n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for (at, bytes) in [(1, &b""[..]), (2, b"small"), (3, &large)] {
        let (file, key) = (TempFile::with(bytes), artifact(at, "cef.zip"));
        let upload = Upload { sha256: None, ..file.upload() };
        let found = Arc::clone(&upload.found);
        let attributes = Attributes { sha256: None, ..file.attributes() };
        let put = store.put(&key, Content::File(upload.clone()), attributes, &Condition::Absent).await.unwrap();
        assert_eq!((put.sha256, found.get()), (Digest::of(bytes), Some(&Digest::of(bytes))));
        // Where it is known too late to stand beside the bytes, nothing does.
        let recorded = store.head(&key).await.unwrap().unwrap().attributes;
        let late = bytes.len() > 8 << 20 && recorded == attributes;
        assert!(late || recorded == store.recorded(file.attributes()), "{recorded:?}");
        assert!(read(store, &key, None).await == bytes);
        refused(store.put(&key, Content::File(upload), attributes, &Condition::Absent).await, &key);
    }
}

async fn a_file_that_changes_while_it_is_read_puts_nothing(store: &Subject) {
    let bytes = vec![1; 20 << 20];
    for (at, known) in [(1, false), (2, true)] {
        let (file, key) = (TempFile::with(&bytes), artifact(at, "cef.zip"));
        let (path, once) = (file.path().to_owned(), Once::new());
        // The first bytes are on their way, and the last are others now.
        let progress: metalogic::store::Progress = Arc::new(move |_| {
            once.call_once(|| {
                let mut open = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                open.seek(SeekFrom::End(-1)).unwrap();
                open.write_all(b"2").unwrap();
            });
        });
        let whole = file.upload();
        let upload = Upload { sha256: whole.sha256.filter(|_| known), progress, ..whole };
        let put = store.put(&key, Content::File(upload), Attributes::default(), &Condition::Absent).await;
        match put {
            // It was read whole before.
            Ok(put) => assert!(put.sha256 == Digest::of(&bytes) && read(store, &key, None).await == bytes),
            Err(error) => {
                assert!(matches!(error, StoreError::SourceChanged { path } if path == file.path()));
                assert_eq!(store.head(&key).await.unwrap(), None);
            }
        }
    }
}

async fn a_file_that_is_gone_or_no_file_any_more_has_changed(store: &Subject) {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().to_owned(), directory.path().join("absent")] {
        let upload = Upload {
            path: path.clone(),
            size: 0,
            sha256: Some(Digest::of(b"")),
            found: Found::default(),
            progress: Arc::new(|_| {}),
        };
        let put = store.put(&Key::registry(), Content::File(upload), Attributes::default(), &Condition::None).await;
        assert!(matches!(put.unwrap_err(), StoreError::SourceChanged { path: told } if told == path));
    }
    assert_eq!(get(store, &Key::registry()).await, None);
}

async fn what_is_too_large_tells_a_tag_to_replace_it_with(store: &Subject) {
    let key = Key::Metafile(commit(1));
    put(store, &key, &[b'x'; 1000], &Condition::Absent).await.unwrap();
    assert!(store.get(&key, 1000).await.unwrap().is_some());
    for limit in [0, 1, 999] {
        let Err(StoreError::TooLarge { size: 1000, largest, tag, .. }) = store.get(&key, limit).await else {
            panic!("1000 bytes are more than {limit}");
        };
        assert_eq!(largest, limit);
        put(store, &key, &[b'y'; 1000], &matches(&tag)).await.unwrap();
    }
}

async fn what_has_not_changed_is_not_given_again(store: &Subject) {
    let key = Key::Metafile(commit(1));
    let look = async |than: &Tag, largest| store.get_changed(&key, largest, than).await;
    assert_eq!(look(&no_such_tag(), 10).await.unwrap(), Changed::Gone);
    let first = put(store, &key, b"first", &Condition::Absent).await.unwrap();
    assert_eq!(look(&first, 10).await.unwrap(), Changed::Unchanged);
    // However large it is, nobody reads it.
    assert_eq!(look(&first, 0).await.unwrap(), Changed::Unchanged);
    assert_eq!(look(&no_such_tag(), 10).await.unwrap(), Changed::Here("first".into(), first.clone()));
    let second = put(store, &key, b"second", &matches(&first)).await.unwrap();
    assert_eq!(look(&first, 10).await.unwrap(), Changed::Here("second".into(), second.clone()));
    assert_eq!(look(&second, 10).await.unwrap(), Changed::Unchanged);
    let Err(StoreError::TooLarge { size: 6, largest: 5, tag, .. }) = look(&first, 5).await else {
        panic!("6 bytes are more than 5");
    };
    assert_eq!(tag, second);
    (store.plant)(key.to_string(), b"by another program".to_vec()).await;
    let Changed::Here(bytes, planted) = look(&second, 100).await.unwrap() else { panic!("it is another") };
    assert_eq!((bytes, look(&planted, 100).await.unwrap()), ("by another program".into(), Changed::Unchanged));
    store.delete(&key).await.unwrap();
    assert_eq!(look(&planted, 100).await.unwrap(), Changed::Gone);
}

async fn a_url_that_needs_no_credentials_is_made_where_it_takes_one(store: &Subject) {
    let key = artifact(1, "a+b.zip");
    put(store, &key, b"bytes", &Condition::Absent).await.unwrap();
    let signed = store.presigned(&key, Validity::new(Duration::from_secs(60)).unwrap()).await.unwrap();
    assert_eq!(signed.is_some(), store.root().starts_with("s3://"), "{signed:?}");
}

async fn a_copy_keeps_bytes_and_attributes(store: &Subject) {
    let file = TempFile::with(&[7; 300_000]);
    let (from, to) = (artifact(1, "tool"), artifact(2, "tool"));
    store.put(&from, file.content(), file.attributes(), &Condition::Absent).await.unwrap();
    store.copy(&from, &to, None).await.unwrap();
    assert!(read(store, &to, None).await == [7; 300_000]);
    assert_eq!(store.head(&to).await.unwrap(), store.head(&from).await.unwrap());
    assert_eq!(store.head(&to).await.unwrap().unwrap().attributes, store.recorded(file.attributes()));
    store.delete(&from).await.unwrap();
    assert!(read(store, &to, None).await == [7; 300_000], "the copy is an object of its own");

    let (from, to) = (artifact(1, "empty"), artifact(2, "empty"));
    put(store, &from, b"", &Condition::Absent).await.unwrap();
    store.copy(&from, &to, None).await.unwrap();
    assert_eq!(read(store, &to, None).await, b"");
}

async fn a_copy_never_overwrites(store: &Subject) {
    let (from, to) = (artifact(1, "cef.zip"), artifact(2, "cef.zip"));
    put(store, &from, b"from", &Condition::Absent).await.unwrap();
    let tag = put(store, &to, b"to", &Condition::Absent).await.unwrap();
    refused(store.copy(&from, &to, None).await, &to);
    refused(store.copy(&from, &from, None).await, &from);
    assert_eq!(get(store, &to).await, Some((b"to".to_vec(), tag)));
}

async fn a_copy_of_nothing_is_not_found(store: &Subject) {
    let (from, to) = (artifact(1, "cef.zip"), artifact(2, "cef.zip"));
    let error = store.copy(&from, &to, None).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(what) if what == from.to_string()));
    assert_eq!(store.head(&to).await.unwrap(), None);
}

async fn nothing_is_copied_but_what_is_told(store: &Subject) {
    let (bytes, file, to) = (b"the bytes", TempFile::with(b"the bytes"), artifact(2, "tool"));
    let recorded = artifact(1, "tool");
    store.put(&recorded, file.content(), file.attributes(), &Condition::Absent).await.unwrap();
    let planted = artifact(1, "planted");
    (store.plant)(planted.to_string(), bytes.to_vec()).await;
    let of =
        |size, bytes: &[u8], mode| Object { size, attributes: Attributes { sha256: Some(Digest::of(bytes)), mode } };
    for (from, mode, other_mode) in
        [(&recorded, Some(Mode::EXECUTABLE), None), (&planted, None, Some(Mode::EXECUTABLE))]
    {
        for other in [of(8, bytes, mode), of(9, b"the Bytes", mode), of(9, bytes, other_mode)] {
            let error = store.copy(from, &to, Some(&other)).await.unwrap_err();
            assert!(matches!(error, StoreError::NotFound(what) if what == from.to_string()), "{other:?}");
            assert_eq!(store.head(&to).await.unwrap(), None);
        }
        // What nobody recorded the digest of may be refused, but not by who has the bytes at hand.
        match store.copy(from, &to, Some(&of(9, bytes, mode))).await {
            Ok(()) => assert_eq!(read(store, &to, None).await, bytes),
            Err(error) => assert!(from == &planted && matches!(error, StoreError::NotFound(_)), "{error:?}"),
        }
        store.delete(&to).await.unwrap();
    }
}

async fn what_was_deleted_is_gone_and_may_be_deleted_again(store: &Subject) {
    let (key, other) = (artifact(1, "cef.zip"), artifact(1, "other.zip"));
    store.delete(&key).await.unwrap();
    put(store, &key, b"bytes", &Condition::Absent).await.unwrap();
    put(store, &other, b"other", &Condition::Absent).await.unwrap();
    store.delete(&key).await.unwrap();
    store.delete(&key).await.unwrap();
    assert_eq!(get(store, &key).await, None);
    assert_eq!(names(store, commit(1)).await, ["other.zip"]);
    put(store, &key, b"again", &Condition::Absent).await.unwrap();
}

async fn a_listing_shows_every_put_that_was_answered(store: &Subject) {
    assert_eq!(store.list(commit(1)).await.unwrap(), Default::default());
    let puts = (0..40_u64).map(|n| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let (key, bytes) = (artifact(1, &format!("part-{n:02}")), vec![b'x'; n as usize]);
            store.put(&key, Content::Bytes(bytes.into()), Attributes::default(), &Condition::Absent).await.unwrap();
            let listing = store.list(commit(1)).await.unwrap();
            assert_eq!(listing.artifacts.get(&format!("part-{n:02}").parse().unwrap()), Some(&n));
        })
    });
    futures::future::join_all(puts).await.into_iter().for_each(Result::unwrap);
    assert_eq!(names(store, commit(1)).await.len(), 40);
    assert!(!store.list(commit(1)).await.unwrap().metafile);
    put(store, &Key::Metafile(commit(1)), b"{}", &Condition::Absent).await.unwrap();
    let listing = store.list(commit(1)).await.unwrap();
    assert!(listing.metafile && listing.artifacts.len() == 40 && listing.odd.is_empty());
    assert_eq!(store.list(commit(2)).await.unwrap(), Default::default());
}

async fn a_listing_shows_what_others_put_there(store: &Subject) {
    let address = commit(1).address();
    for name in ["cef.zip", ".DS_Store", ".git/config", "no good name", "folder/file", "folder/other", "CON", "x\u{e9}"]
    {
        (store.plant)(format!("{address}{name}"), b"planted".to_vec()).await;
    }
    let listing = store.list(commit(1)).await.unwrap();
    assert_eq!(names(store, commit(1)).await, ["cef.zip"]);
    assert_eq!(listing.artifacts.into_values().collect::<Vec<_>>(), [7]);
    let odd: BTreeSet<String> = ["no good name", "folder/", "CON", "x\u{e9}"].map(str::to_owned).into();
    assert_eq!(listing.odd, odd);
    assert!(!listing.metafile);
    (store.plant)(format!("{address}build_meta.json"), b"{}".to_vec()).await;
    assert!(store.list(commit(1)).await.unwrap().metafile);
}

async fn what_others_put_there_is_an_object(store: &Subject) {
    let key = artifact(1, "cef.zip");
    (store.plant)(key.to_string(), b"planted".to_vec()).await;
    assert_eq!(store.head(&key).await.unwrap(), Some(Object { size: 7, attributes: Attributes::default() }));
    assert_eq!(read(store, &key, None).await, b"planted");
    refused(put(store, &key, b"other", &Condition::Absent).await, &key);
    store.copy(&key, &artifact(2, "cef.zip"), None).await.unwrap();
    store.delete(&key).await.unwrap();
    assert_eq!(get(store, &key).await, None);
}

async fn keys_do_not_get_in_each_others_way(store: &Subject) {
    let keys = [
        artifact(1, "a"),
        artifact(1, "b"),
        artifact(2, "a"),
        artifact(1, "a.b"),
        artifact(1, "a+b"),
        artifact(1, "artifacts.toml"),
        Key::Metafile(commit(1)),
        Key::Metafile(commit(2)),
        Key::registry(),
    ];
    for key in &keys {
        put(store, key, key.to_string().as_bytes(), &Condition::Absent).await.unwrap();
    }
    for key in &keys {
        assert_eq!(read(store, key, None).await, key.to_string().into_bytes());
    }
}

async fn the_keys_below_a_prefix_are_those_that_begin_with_it(store: &Subject) {
    let app = || Prefix::Releases("app".parse().unwrap());
    assert_eq!(store.keys(&app()).await.unwrap(), [] as [&str; 0]);
    let planted = [
        "versions/app/1.0.0/record.json",
        "versions/app/1.0.0/data",
        "versions/app/10.0.0/data",
        "versions/app/1.0.0-rc.1/record.json",
        "versions/app/README",
        "versions/app/.hidden/record.json",
        "versions/app/2.0.0/.record.json",
        "versions/app/2.0.0/deep/record.json",
        "versions/app2/1.0.0/record.json",
        "versions/ap/1.0.0/record.json",
        "builds/app/1.0.0",
    ];
    for key in planted {
        (store.plant)(key.to_owned(), key.as_bytes().to_vec()).await;
    }
    let expected =
        ["1.0.0-rc.1/record.json", "1.0.0/data", "1.0.0/record.json", "10.0.0/data", "README"].map(str::to_owned);
    assert_eq!(store.keys(&app()).await.unwrap(), expected);
    // One that ends within a segment.
    let version = || "1.0.0".parse().unwrap();
    let within = Prefix::StagedAs("org/".parse().unwrap(), "app".parse().unwrap(), version());
    for key in ["org/app@1.0.0+b", "org/app@1.0.0-rc.1", "org/app@1.0", "org/app@2.0.0", "org/app"] {
        (store.plant)(key.to_owned(), Vec::new()).await;
    }
    assert_eq!(store.keys(&within).await.unwrap(), ["+b", "-rc.1"]);
    let all = Prefix::Staged("org/".parse().unwrap(), "app".parse().unwrap());
    assert_eq!(store.keys(&all).await.unwrap(), ["1.0", "1.0.0+b", "1.0.0-rc.1", "2.0.0"]);
}

async fn a_releases_keys_have_no_build_metadata(store: &Subject) {
    let data = |version: &str| Key::Data("app".parse().unwrap(), version.parse().unwrap());
    put(store, &data("1.0.0+a"), b"bytes", &Condition::Absent).await.unwrap();
    refused(put(store, &data("1.0.0+b"), b"others", &Condition::Absent).await, &data("1.0.0"));
    assert_eq!(get(store, &data("1.0.0")).await.unwrap().0, b"bytes");
    assert_eq!(store.url(&data("1.0.0")), format!("{}/versions/app/1.0.0/data", store.root()));
}

async fn an_objects_url_lies_below_the_stores(store: &Subject) {
    let root = store.root();
    assert!(!root.ends_with('/'), "{root}");
    for key in [artifact(1, "a+b.zip"), Key::Metafile(commit(1)), Key::registry()] {
        assert!(store.url(&key).starts_with(&format!("{root}/")), "{root}");
    }
}

async fn no_increment_is_lost_in_a_race(store: &Subject) {
    const TASKS: u64 = 8;
    const TIMES: u64 = 12;
    let key = Key::Metafile(commit(1));
    let tasks = (0..TASKS).map(|_| {
        let (store, key) = (Arc::clone(store), key.clone());
        tokio::spawn(async move { increment(&*store, &key, TIMES).await })
    });
    futures::future::join_all(tasks).await.into_iter().for_each(Result::unwrap);
    assert_eq!(read(store, &key, None).await, (TASKS * TIMES).to_string().into_bytes());
}

async fn of_all_who_create_at_once_one_wins(store: &Subject) {
    for round in 0..10 {
        let key = artifact(round, "cef.zip");
        let start = Arc::new(tokio::sync::Barrier::new(8));
        let tasks = (0..8_u8).map(|task| {
            let (store, key, start) = (Arc::clone(store), key.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                let content = Content::Bytes(vec![task; 50_000].into());
                start.wait().await;
                store.put(&key, content, Attributes::default(), &Condition::Absent).await
            })
        });
        let answers = futures::future::join_all(tasks).await.into_iter().map(Result::unwrap);
        let mut winners = Vec::new();
        for (task, answer) in (0..8_u8).zip(answers) {
            match answer {
                Ok(put) => winners.push((vec![task; 50_000], put.tag)),
                Err(error) => refused::<()>(Err(error), &key),
            }
        }
        assert_eq!(winners.len(), 1);
        assert!(get(store, &key).await == winners.pop());
    }
}

/// Adds one to the number under a key so many times, as a flow replaces a metafile.
pub async fn increment(store: &dyn Store, key: &Key, times: u64) {
    for _ in 0..times {
        loop {
            let (number, condition) = match store.get(key, 100).await.unwrap() {
                Some((bytes, tag)) => (std::str::from_utf8(&bytes).unwrap().parse().unwrap(), Condition::Matches(tag)),
                None => (0_u64, Condition::Absent),
            };
            let content = Content::Bytes((number + 1).to_string().into());
            match store.put(key, content, Attributes::default(), &condition).await {
                Ok(_) => break,
                Err(error) => refused::<()>(Err(error), key),
            }
        }
    }
}

pub fn commit(number: u64) -> Commit {
    format!("{:040x}", number + 0xabc).parse().unwrap()
}

pub fn artifact(number: u64, name: &str) -> Key {
    Key::Artifact(commit(number), name.parse().unwrap())
}

/// Returns a tag that no store gives, written as all of them can read it.
fn no_such_tag() -> Tag {
    Tag("\"no-such-tag\"".to_owned())
}

pub fn matches(tag: &Tag) -> Condition {
    Condition::Matches(tag.clone())
}

pub async fn put(store: &Arc<dyn Store>, key: &Key, bytes: &[u8], condition: &Condition) -> Result<Tag, StoreError> {
    let content = Content::Bytes(Bytes::copy_from_slice(bytes));
    Ok(store.put(key, content, Attributes::default(), condition).await?.tag)
}

pub async fn get(store: &Arc<dyn Store>, key: &Key) -> Option<(Vec<u8>, Tag)> {
    store.get(key, 1 << 20).await.unwrap().map(|(bytes, tag)| (bytes.to_vec(), tag))
}

/// Reads an object that must be there, or a range of it.
pub async fn read(store: &Arc<dyn Store>, key: &Key, range: Option<Range<u64>>) -> Vec<u8> {
    let (_, body) = store.open(key, range).await.unwrap().unwrap();
    match body {
        Body::File(file, size) => {
            let mut bytes = Vec::new();
            file.take(size).read_to_end(&mut bytes).unwrap();
            assert_eq!(u64::try_from(bytes.len()).unwrap(), size);
            bytes
        }
        Body::Stream(pieces) => pieces.map(Result::unwrap).collect::<Vec<_>>().await.concat(),
    }
}

async fn names(store: &Arc<dyn Store>, commit: Commit) -> Vec<String> {
    store.list(commit).await.unwrap().artifacts.keys().map(ToString::to_string).collect()
}

/// Asserts that a write was refused because its condition did not hold.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>, key: &Key) {
    match answer {
        Err(StoreError::Precondition { key: told }) => assert_eq!(told, key.to_string()),
        other => panic!("{other:?} is no refusal"),
    }
}

/// A file to publish: an executable one, whose digest is known.
pub struct TempFile {
    file: tempfile::NamedTempFile,
    size: u64,
    sha256: Digest,
}

impl TempFile {
    pub fn with(bytes: &[u8]) -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Self { file, size: u64::try_from(bytes.len()).unwrap(), sha256: Digest::of(bytes) }
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub fn upload(&self) -> Upload {
        let path = self.path().to_owned();
        Upload { path, size: self.size, sha256: Some(self.sha256), found: Found::default(), progress: Arc::new(|_| {}) }
    }

    pub fn content(&self) -> Content {
        Content::File(self.upload())
    }

    pub fn attributes(&self) -> Attributes {
        Attributes { sha256: Some(self.sha256), mode: Some(Mode::EXECUTABLE) }
    }
}
