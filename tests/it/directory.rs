//! What is special to stores in directories.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime};

use metalogic::artifact::Mode;
use metalogic::store::directory::DirectoryStore;
use metalogic::store::{Attributes, Condition, Content, Key, Store, StoreError, Upload};

use crate::conformance::{TempFile, artifact, commit, get, increment, matches, put, read, refused};
use crate::descriptors;
use crate::sandbox::Sandbox;

/// Tells a test that it is the child of itself: the directory to work in.
const CHILD: &str = "METALOGIC_TEST_CHILD";

#[tokio::test(flavor = "multi_thread")]
async fn no_increment_is_lost_between_processes() {
    const TIMES: u64 = 40;
    let key = Key::Metafile(commit(1));
    if let Some(root) = std::env::var_os(CHILD) {
        return increment(&*store(Path::new(&root)), &key, TIMES).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let program = std::env::current_exe().unwrap();
    let name = "directory::no_increment_is_lost_between_processes";
    let children: Vec<_> = (0..3).map(|_| child(&program, name, root).spawn().unwrap()).collect();
    increment(&*store(root), &key, TIMES).await;
    children.into_iter().for_each(|child| succeeded(&child.wait_with_output().unwrap()));
    assert_eq!(read(&store(root), &key, None).await, (4 * TIMES).to_string().into_bytes());
    assert_eq!(files(&root.join("builds")), [key.to_string().trim_start_matches("builds/")]);
}

#[tokio::test]
async fn a_read_only_directory_denies_access() {
    let name = "directory::a_read_only_directory_denies_access";
    if let Some(root) = std::env::var_os(CHILD) {
        let (store, key) = (store(Path::new(&root)), artifact(1, "cef.zip"));
        let denied = |error| assert!(matches!(error, StoreError::AccessDenied { .. }), "{error:?}");
        for condition in [Condition::Absent, Condition::None] {
            denied(put(&store, &artifact(2, "new"), b"new", &condition).await.unwrap_err());
        }
        let (bytes, tag) = get(&store, &key).await.unwrap();
        assert_eq!(bytes, b"stands");
        denied(put(&store, &key, b"other", &matches(&tag)).await.unwrap_err());
        denied(store.delete(&key).await.unwrap_err());
        denied(store.copy(&key, &artifact(2, "new"), None).await.unwrap_err());
        denied(store.get(&artifact(1, "secret"), 10).await.unwrap_err());
        denied(store.list(commit(3)).await.unwrap_err());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("store");
    for name in ["cef.zip", "secret"] {
        put(&store(&root), &artifact(1, name), b"stands", &Condition::Absent).await.unwrap();
    }
    fs::create_dir(root.join(commit(3).address())).unwrap();
    let program = directory.path().join("program");
    descriptors::copy_program(&std::env::current_exe().unwrap(), &program);
    let bits = |path: &Path, bits| fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    let closed = [root.join(artifact(1, "secret").to_string()), root.join(commit(3).address())];
    for path in walk(&root) {
        bits(&path, if closed.contains(&path) { 0 } else { 0o555 });
    }
    bits(&root, 0o555);
    bits(directory.path(), 0o755);
    bits(&program, 0o755);
    let mut command = child(&program, name, &root);
    // Nothing is denied to the superuser.
    if fs::metadata(directory.path()).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    for path in walk(&root).into_iter().chain([root.clone()]) {
        bits(&path, 0o755);
    }
    succeeded(&output);
}

#[tokio::test]
async fn a_large_file_that_grows_or_begins_otherwise_is_another_version() {
    let directory = tempfile::tempdir().unwrap();
    let (store, key) = (store(directory.path()), Key::Metafile(commit(1)));
    let path = directory.path().join(key.to_string());
    let large = vec![b'x'; 5 << 20];
    let tag = put(&store, &key, &large, &Condition::Absent).await.unwrap();
    let told = store.get(&key, 1000).await.unwrap_err();
    assert!(matches!(&told, StoreError::TooLarge { size: 5_242_880, tag: told, .. } if *told == tag), "{told:?}");
    assert_eq!(store.get(&key, 10 << 20).await.unwrap().unwrap().1, tag);
    let other = [b"y", &large[1..]].concat();
    for changed in [[large.as_slice(), b"x"].concat(), other] {
        fs::write(&path, changed).unwrap();
        let lost = put(&store, &key, b"small", &matches(&tag)).await.unwrap_err();
        assert!(matches!(lost, StoreError::Precondition { .. }), "{lost:?}");
    }
    fs::write(&path, &large).unwrap();
    put(&store, &key, b"small", &matches(&tag)).await.unwrap();
    assert_eq!(get(&store, &key).await.unwrap().0, b"small");
}

#[tokio::test]
async fn nothing_is_created_before_the_first_put() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("store");
    let (store, key) = (store(&root), artifact(1, "cef.zip"));
    assert_eq!(store.list(commit(1)).await.unwrap(), Default::default());
    assert_eq!(get(&store, &key).await, None);
    store.delete(&key).await.unwrap();
    let tag = metalogic::store::Tag("no such tag".to_owned());
    refused(put(&store, &key, b"x", &matches(&tag)).await, &key);
    assert!(!root.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_make_the_directories_of_a_shared_store_at_once_are_in_nobodys_way() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o2775)).unwrap();
        // Each is another process, as far as that goes.
        let put = |number: u8| {
            let store = store(directory.path());
            let key = artifact(u64::from(number % 2), &format!("{number}"));
            tokio::spawn(async move { put(&store, &key, b"x", &Condition::Absent).await })
        };
        let puts: Vec<_> = (0..24).map(put).collect();
        for put in puts {
            put.await.unwrap().unwrap();
        }
        assert_eq!(files(&directory.path().join("builds")).len(), 24);
    }
}

#[tokio::test]
async fn what_is_made_in_a_directory_that_a_group_shares_is_shared() {
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for (top, made, lock) in [(0o2775, 0o2020, 0o020), (0o755, 0, 0)] {
        let root = directory.path().join(format!("{top:o}"));
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(top)).unwrap();
        let store = store(&root);
        put(&store, &Key::Metafile(commit(1)), b"{}", &Condition::Absent).await.unwrap();
        let (_, tag) = store.get(&Key::Metafile(commit(1)), 9).await.unwrap().unwrap();
        put(&store, &Key::Metafile(commit(1)), b"{ }", &Condition::Matches(tag)).await.unwrap();
        let address = root.join("builds").join(commit(1).to_string());
        for path in [
            &address,
            &root.join("builds"),
            &root.join(".metalogic"),
            &root.join(".metalogic/tmp"),
            &root.join(".metalogic/locks"),
        ] {
            assert_eq!(mode(path) & 0o2020, made, "{}", path.display());
        }
        let taken = fs::read_dir(root.join(".metalogic/locks")).unwrap().next().unwrap().unwrap().path();
        assert_eq!(mode(&taken) & 0o020, lock);
    }
}

#[test]
fn how_open_a_new_store_is_and_what_leads_to_it_the_umask_says() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/app.zip", "app");
    let script = "mkdir -m 1777 open && cd repo && umask 077 && metalogic --store ../open/to/store publish app.zip >&2 && echo done";
    assert_eq!(sandbox.shell(script), "done\n");
    for name in sandbox.tree("open").iter().filter(|name| sandbox.path("open").join(name).is_dir()) {
        let mode = fs::metadata(sandbox.path("open").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");
    }
    // A directory that hands its group on is meant for that group: git makes those of a shared repository so.
    let script =
        "mkdir team && chmod 2775 team && cd repo && umask 077 && metalogic --store ../team/store publish app.zip >&2";
    assert_eq!(sandbox.shell(script), "");
    assert_eq!(fs::metadata(sandbox.path("team/store")).unwrap().permissions().mode() & 0o070, 0o070);
}

#[tokio::test]
async fn objects_are_plain_files_and_all_else_lies_apart() {
    let directory = tempfile::tempdir().unwrap();
    let (store, file) = (store(directory.path()), TempFile::with(b"program"));
    put(&store, &Key::Metafile(commit(1)), b"{}", &Condition::None).await.unwrap();
    put(&store, &Key::registry(), b"", &Condition::None).await.unwrap();
    put(&store, &artifact(1, "data"), b"data", &Condition::Absent).await.unwrap();
    store.put(&artifact(1, "tool"), file.content(), file.attributes(), &Condition::Absent).await.unwrap();
    store.copy(&artifact(1, "tool"), &artifact(2, "tool"), None).await.unwrap();
    let (one, two) = (commit(1), commit(2));
    let builds =
        [format!("{one}/build_meta.json"), format!("{one}/data"), format!("{one}/tool"), format!("{two}/tool")];
    assert_eq!(files(&directory.path().join("builds")), builds);
    assert_eq!(files(&directory.path().join(".metalogic/tmp")), [""; 0]);
    let mut top: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    top.sort();
    assert_eq!(top, [".metalogic", "artifacts.toml", "builds"]);

    let bits = |key: Key| fs::metadata(directory.path().join(key.to_string())).unwrap().permissions().mode() & 0o777;
    let umask = 0o777 & !fs::metadata(directory.path().join("builds")).unwrap().permissions().mode();
    assert_eq!(bits(artifact(1, "data")), 0o444 & !umask);
    assert_eq!(bits(artifact(1, "tool")), 0o555 & !umask);
    assert_eq!(bits(artifact(2, "tool")), 0o555 & !umask);
    assert_eq!(bits(Key::Metafile(commit(1))), 0o666 & !umask);
    let links = |path: &Path| fs::metadata(path).unwrap().nlink();
    assert_eq!(links(file.path()), 1, "a user's file is never linked into the store");
    assert_eq!(links(&directory.path().join(artifact(1, "tool").to_string())), 1);
}

#[tokio::test]
async fn a_file_that_was_copied_there_counts() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let path = directory.path().join(artifact(1, "tool").to_string());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"by hand").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    assert_eq!(store.list(commit(1)).await.unwrap().artifacts.len(), 1);
    let object = store.head(&artifact(1, "tool")).await.unwrap().unwrap();
    assert_eq!((object.size, object.attributes.mode, object.attributes.sha256), (7, Some(Mode::EXECUTABLE), None));
    store.copy(&artifact(1, "tool"), &artifact(2, "tool"), None).await.unwrap();
    assert_eq!(store.head(&artifact(2, "tool")).await.unwrap(), Some(object));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_is_dropped_half_way_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (store, file) = (store(directory.path()), TempFile::with(&vec![1; 16 << 20]));
    let temporary = directory.path().join(".metalogic/tmp");
    let moved = Arc::new(AtomicU64::new(0));
    let (first, at_first) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let (sum, may_go) = (Arc::clone(&moved), Mutex::new(may_go));
    let progress = Arc::new(move |bytes| {
        sum.fetch_add(bytes, Ordering::SeqCst);
        // Once the put was dropped nobody listens, and nobody holds this up.
        let _ = first.send(());
        let _ = may_go.lock().unwrap().recv();
    });
    let content = Content::File(Upload { progress, ..file.upload() });
    let (putting, key) = (Arc::clone(&store), artifact(1, "cef.zip"));
    let put = tokio::spawn({
        let key = key.clone();
        async move { putting.put(&key, content, Attributes::default(), &Condition::Absent).await }
    });
    tokio::task::spawn_blocking(move || at_first.recv().unwrap()).await.unwrap();
    assert_eq!(files(&temporary).len(), 1);
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    drop(go);
    let start = Instant::now();
    while !files(&temporary).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "the temporary file stays");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(moved.load(Ordering::SeqCst) < 16 << 20, "the copying went on");
    assert_eq!(store.head(&key).await.unwrap(), None);
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept_after_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let temporary = directory.path().join(".metalogic/tmp");
    fs::create_dir_all(&temporary).unwrap();
    for (name, hours) in [("old", 25), ("young", 23), ("future", -48)] {
        let age = Duration::from_secs(3600 * i64::unsigned_abs(hours));
        let now = SystemTime::now();
        let time = if hours < 0 { now + age } else { now - age };
        fs::File::create(temporary.join(name)).unwrap().set_modified(time).unwrap();
    }
    let store = store(directory.path());
    assert_eq!(files(&temporary).len(), 3);
    put(&store, &Key::registry(), b"", &Condition::None).await.unwrap();
    assert_eq!(files(&temporary), ["future", "young"]);
}

#[tokio::test]
async fn a_directory_that_a_killed_process_was_about_to_name_is_swept_after_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join(".metalogic");
    let places = [directory.path().to_owned(), own.clone(), own.join("tmp")];
    let drafts = |name: &str| places.each_ref().map(|place| place.join(name));
    for (names, hours) in
        [(drafts(".metalogic-old"), 25), (drafts(".metalogic-new"), 23), (drafts(".metalogic-full"), 25)]
    {
        for draft in names {
            fs::create_dir_all(&draft).unwrap();
            if draft.ends_with(".metalogic-full") {
                fs::write(draft.join("kept"), "").unwrap();
            }
            let time = SystemTime::now() - Duration::from_secs(3600 * hours);
            fs::File::open(&draft).unwrap().set_modified(time).unwrap();
        }
    }
    put(&store(directory.path()), &Key::registry(), b"", &Condition::None).await.unwrap();
    let left = |name| drafts(name).map(|draft| draft.is_dir());
    assert_eq!(
        [left(".metalogic-old"), left(".metalogic-new"), left(".metalogic-full")],
        [[false; 3], [true; 3], [true; 3]]
    );
}

#[tokio::test]
async fn a_link_under_a_key_is_replaced_and_its_target_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("store");
    let (store, target) = (store(&root), directory.path().join("target"));
    fs::write(&target, b"target").unwrap();
    let key = artifact(1, "cef.zip");
    let path = root.join(key.to_string());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for by_tag in [false, true] {
        let _ = fs::remove_file(&path);
        symlink(&target, &path).unwrap();
        let (bytes, tag) = get(&store, &key).await.unwrap();
        assert_eq!(bytes, b"target");
        assert_eq!(store.list(commit(1)).await.unwrap().artifacts.into_values().collect::<Vec<_>>(), [6]);
        refused(put(&store, &key, b"mine", &Condition::Absent).await, &key);
        let condition = if by_tag { matches(&tag) } else { Condition::None };
        put(&store, &key, b"mine", &condition).await.unwrap();
        assert!(!path.is_symlink());
        assert_eq!(read(&store, &key, None).await, b"mine");
        assert_eq!(fs::read(&target).unwrap(), b"target");
    }
    fs::remove_file(&path).unwrap();
    symlink(&target, &path).unwrap();
    store.delete(&key).await.unwrap();
    assert!(target.exists() && !path.is_symlink());
}

#[tokio::test]
async fn an_address_that_is_a_link_is_read_and_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    put(&store, &artifact(1, "cef.zip"), b"bytes", &Condition::Absent).await.unwrap();
    symlink(commit(1).to_string(), directory.path().join("builds").join(commit(2).to_string())).unwrap();
    assert_eq!(read(&store, &artifact(2, "cef.zip"), None).await, b"bytes");
    assert_eq!(store.list(commit(2)).await.unwrap(), store.list(commit(1)).await.unwrap());
    for condition in [Condition::Absent, Condition::None] {
        let error = put(&store, &artifact(2, "new"), b"new", &condition).await.unwrap_err();
        assert!(matches!(error, StoreError::Other { .. }), "{error:?}");
    }
    store.delete(&artifact(2, "cef.zip")).await.unwrap_err();
    assert_eq!(store.list(commit(1)).await.unwrap().artifacts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_and_special_files_are_no_objects() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let address = directory.path().join(commit(1).address());
    fs::create_dir_all(address.join("folder")).unwrap();
    let made = Command::new("mkfifo").arg(address.join("fifo")).arg(directory.path().join("source")).status();
    assert!(made.unwrap().success());
    symlink("nowhere", address.join("dangling")).unwrap();
    let laws = async {
        for name in ["folder", "fifo", "dangling"] {
            let key = artifact(1, name);
            assert_eq!(get(&store, &key).await, None);
            assert_eq!(store.head(&key).await.unwrap(), None);
            assert!(store.open(&key, None).await.unwrap().is_none());
            let copy = store.copy(&key, &artifact(2, name), None).await;
            assert!(matches!(copy, Err(StoreError::NotFound(_))));
            let taken = put(&store, &key, b"x", &Condition::Absent).await;
            assert!(matches!(taken, Err(StoreError::Configuration { .. })), "to try again would not help: {taken:?}");
        }
        let listing = store.list(commit(1)).await.unwrap();
        assert!(listing.artifacts.is_empty(), "they must not pass for artifacts: {listing:?}");
        assert_eq!(listing.odd.into_iter().collect::<Vec<_>>(), ["dangling@", "fifo@", "folder/"]);
        for name in ["folder", "fifo"] {
            store.delete(&artifact(1, name)).await.unwrap();
            assert!(address.join(name).exists());
        }
        let file = TempFile::with(b"");
        let upload = Upload { path: directory.path().join("source"), ..file.upload() };
        let put = store.put(&artifact(3, "x"), Content::File(upload), file.attributes(), &Condition::Absent).await;
        assert!(matches!(put, Err(StoreError::SourceChanged { .. })));
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), laws).await;
    // Whoever waits for a writer gets one, so that this fails and does not hang.
    for fifo in [address.join("fifo"), directory.path().join("source")] {
        fs::OpenOptions::new().read(true).write(true).open(fifo).unwrap();
    }
    ended.unwrap();
}

#[tokio::test]
async fn a_store_whose_root_is_a_file_fails_without_being_absent() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("store");
    fs::write(&root, b"a file").unwrap();
    let (store, key) = (store(&root), artifact(1, "cef.zip"));
    assert!(matches!(store.list(commit(1)).await, Err(StoreError::Configuration { .. })));
    assert!(matches!(store.get(&key, 10).await, Err(StoreError::Configuration { .. })));
    assert!(matches!(put(&store, &key, b"x", &Condition::Absent).await, Err(StoreError::Configuration { .. })));
}

#[tokio::test]
async fn a_url_is_percent_encoded_so_that_other_tools_take_it() {
    let url = |path: &str| DirectoryStore::new(Path::new(path)).url(&Key::registry());
    assert_eq!(url("/srv/store/"), "file:///srv/store/artifacts.toml");
    assert_eq!(url("/"), "file:///artifacts.toml");
    assert_eq!(url("/a b/50%/ü#?[x]&;'\""), "file:///a%20b/50%25/%C3%BC%23%3F%5Bx%5D%26%3B%27%22/artifacts.toml");

    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory.path().join("a b/50%41/ü#?[x]{1,2}"));
    let key = artifact(1, "a+b_c-d.zip");
    put(&store, &key, b"for curl", &Condition::Absent).await.unwrap();
    // Where there is no curl, the spelling above has to do.
    if let Ok(output) = Command::new("curl").args(["-q", "-sS", &store.url(&key)]).output() {
        assert_eq!(output.stdout, b"for curl", "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn store(root: &Path) -> Arc<dyn Store> {
    Arc::new(DirectoryStore::new(root))
}

/// Returns a command that runs one of these tests as another process.
fn child(program: &Path, test: &str, root: &Path) -> Command {
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, root);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Asserts that a child ran its one test, and that it passed.
fn succeeded(output: &Output) {
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains(" 1 passed;"), "{told}{errors}");
}

/// Returns the files below a directory by their relative paths, sorted.
fn files(directory: &Path) -> Vec<String> {
    let relative = |path: &PathBuf| path.strip_prefix(directory).unwrap().to_string_lossy().into_owned();
    let mut files: Vec<_> = walk(directory).iter().filter(|path| !path.is_dir()).map(relative).collect();
    files.sort();
    files
}

/// Returns all that lies below a directory, each directory after what it holds.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}
