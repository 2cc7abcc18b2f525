//! Many who write one registry: on every store, and in a file, no name is ever lost.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use metalogic::artifact::Name;
use metalogic::event::{Event, Observer, Silent};
use metalogic::failure::{Failure, Kind};
use metalogic::registry::edit::{Addition, EditError};
use metalogic::registry::{LARGEST, Loss, ProjectName, Registry};
use metalogic::share::{self, Added, Expected, Home, Manners, Pushed, ShareError};
use metalogic::store::directory::DirectoryStore;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Attributes, Condition, Content, Key, Store};

use crate::decorated::{Decorated, Fate, Watcher};
use crate::fake::Fake;

const OURS: &str = "[projects.web]\nartifacts = [\n  'web.zip', # the site\n]\nretired = ['old.zip']\n\n[projects.tools]\nartifacts = ['tool.zip']\n";

/// A place for a registry, and what must not end before it.
struct Place {
    home: Home,
    _guard: Box<dyn Send + Sync>,
}

async fn every_place() -> Vec<Place> {
    let directory = tempfile::tempdir().unwrap();
    let stored = |store: Arc<dyn Store>, key: Key| Home::Stored { store, key };
    let names = || Key::Registry("names.toml".parse().unwrap());
    let fake = Fake::start().await;
    let path = directory.path().join("shared.toml");
    vec![
        Place { home: stored(Arc::new(MemoryStore::default()), Key::registry()), _guard: Box::new(()) },
        Place {
            home: stored(Arc::new(DirectoryStore::new(&directory.path().join("store"))), names()),
            _guard: Box::new(()),
        },
        Place { home: stored(Arc::new(fake.store("some/where else")), names()), _guard: Box::new(fake) },
        Place { home: Home::Local { path, name: "shared.toml".to_owned() }, _guard: Box::new(directory) },
    ]
}

fn observer() -> Arc<dyn Observer> {
    Arc::new(Silent)
}

fn manners(observer: &Arc<dyn Observer>) -> Manners<'_> {
    Manners { observer, timeout: Duration::from_secs(30), dry_run: false }
}

fn project(text: &str) -> ProjectName {
    text.parse().unwrap()
}

async fn push(home: &Home, text: &str, expected: Option<Expected>) -> Result<Pushed, ShareError> {
    let registry = Registry::parse(text.as_bytes(), "ours.toml").unwrap();
    let text = Bytes::copy_from_slice(text.as_bytes());
    share::push(home, &text, &registry, expected.as_ref(), manners(&observer())).await
}

async fn add(home: &Home, to: &str, name: &str) -> Result<Added, ShareError> {
    let (names, project): ([Name; 1], _) = ([name.parse().unwrap()], project(to));
    let addition = Addition { project: Some(&project), names: &names, description: None, new_project: true };
    share::add(home, &addition, manners(&observer())).await
}

async fn stands(home: &Home) -> Option<String> {
    let bytes = match home {
        Home::Stored { store, key } => store.get(key, 1 << 30).await.unwrap().map(|(bytes, _)| bytes.to_vec()),
        Home::Local { path, .. } => std::fs::read(path).ok(),
    };
    bytes.map(|bytes| String::from_utf8(bytes).unwrap())
}

async fn plant(home: &Home, text: &[u8]) {
    match home {
        Home::Stored { store, key } => {
            let content = Content::Bytes(Bytes::copy_from_slice(text));
            store.put(key, content, Attributes::default(), &Condition::None).await.unwrap();
        }
        Home::Local { path, .. } => std::fs::write(path, text).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_stands_byte_for_byte_and_is_not_written_twice() {
    for Place { home, _guard } in every_place().await {
        let text = format!("\u{feff}{}", OURS.replace('\n', "\r\n"));
        let first = push(&home, &text, None).await.unwrap();
        assert!(first.written && first.tag.is_some());
        assert_eq!(stands(&home).await.as_ref(), Some(&text));
        let again = push(&home, &text, None).await.unwrap();
        assert_eq!(again, Pushed { written: false, differs: false, tag: first.tag });
        // Nobody is in the way of what is there already, whatever was expected.
        assert!(push(&home, &text, Some(Expected::Nothing)).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_loses_nobodys_name_and_says_whose_it_would() {
    for Place { home, _guard } in every_place().await {
        push(&home, OURS, None).await.unwrap();
        let theirs = add(&home, "tools", "their.zip").await.unwrap();
        let Err(ShareError::Losses { losses, tag, .. }) = push(&home, &OURS.replace("site", "web site"), None).await
        else {
            panic!("an old copy was pushed");
        };
        assert_eq!(losses, [Loss::Name { name: "their.zip".parse().unwrap(), project: project("tools") }]);
        assert!(stands(&home).await.unwrap().contains("their.zip"));
        // Whoever has merged, or means it, may.
        let merged = OURS.replace("'tool.zip'", "'tool.zip', 'their.zip', 'more.zip'");
        assert!(push(&home, &merged, None).await.unwrap().written);
        let Err(ShareError::Unexpected { stands: Some(now), .. }) = push(&home, OURS, Some(Expected::Tag(tag))).await
        else {
            panic!("another version was replaced");
        };
        assert!(push(&home, OURS, Some(Expected::Tag(format!("\"{now}\"")))).await.unwrap().written);
        assert_eq!(stands(&home).await.as_deref(), Some(OURS));
        assert!(theirs.tag.is_none() || theirs.tag.as_ref() != Some(&now));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_expected_only_where_nothing_is() {
    for Place { home, _guard } in every_place().await {
        let wrong = push(&home, OURS, Some(Expected::Tag("x".to_owned()))).await;
        assert!(matches!(wrong, Err(ShareError::Unexpected { stands: None, .. })), "{wrong:?}");
        assert_eq!(stands(&home).await, None);
        assert!(push(&home, OURS, Some(Expected::Nothing)).await.unwrap().written);
        let again = push(&home, "[projects.web]\n", Some(Expected::Nothing)).await;
        assert!(matches!(again, Err(ShareError::Unexpected { stands: Some(_), .. })), "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_there_and_is_no_registry_is_replaced_only_by_its_tag() {
    let large = vec![b'#'; usize::try_from(LARGEST).unwrap() + 1];
    for malformed in [b"[projects.web]\nartifacts = 1\n".to_vec(), large] {
        for Place { home, _guard } in every_place().await {
            plant(&home, &malformed).await;
            let Err(ShareError::Malformed { tag, .. }) = push(&home, OURS, None).await else {
                panic!("it was replaced")
            };
            let refused = add(&home, "web", "new.zip").await;
            assert!(matches!(refused, Err(ShareError::Edit(EditError::Registry(_)))), "{refused:?}");
            assert_eq!(stands(&home).await.unwrap().len(), malformed.len());
            assert!(push(&home, OURS, Some(Expected::Tag(tag))).await.unwrap().written);
            assert_eq!(stands(&home).await.as_deref(), Some(OURS));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_answers_as_the_run_would_and_writes_nothing() {
    for Place { home, _guard } in every_place().await {
        let (observer, registry) = (observer(), Registry::parse(OURS.as_bytes(), "x").unwrap());
        let dry = Manners { dry_run: true, ..manners(&observer) };
        let (text, old) = (Bytes::from(OURS), "[projects.web]\nartifacts = ['lost.zip']\n");
        assert!(share::push(&home, &text, &registry, None, dry).await.unwrap().differs);
        assert_eq!(stands(&home).await, None);
        plant(&home, old.as_bytes()).await;
        assert!(matches!(share::push(&home, &text, &registry, None, dry).await, Err(ShareError::Losses { .. })));
        let names = ["new.zip".parse().unwrap()];
        let addition = Addition { project: None, names: &names, description: None, new_project: false };
        let added = share::add(&home, &addition, dry).await.unwrap();
        assert_eq!(added.edited.text, b"[projects.web]\nartifacts = ['lost.zip', \"new.zip\"]\n");
        assert!(!added.written);
        assert_eq!(stands(&home).await.as_deref(), Some(old));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_add_where_nothing_stands_is_refused() {
    for Place { home, _guard } in every_place().await {
        assert!(matches!(add(&home, "web", "new.zip").await, Err(ShareError::Missing(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_add_at_once_nobody_is_lost() {
    for Place { home, _guard } in every_place().await {
        push(&home, OURS, None).await.unwrap();
        let one = |n: usize| {
            let home = home.clone();
            tokio::spawn(async move {
                for round in 0..3 {
                    add(&home, "web", &format!("n{n}-{round}.zip")).await.unwrap();
                }
            })
        };
        for task in (0..8).map(one).collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let text = stands(&home).await.unwrap();
        let registry = Registry::parse(text.as_bytes(), "x").unwrap();
        assert_eq!(registry.projects[&project("web")].artifacts.len(), 25, "{text}");
        assert!(text.starts_with(OURS.split("]").next().unwrap()) && text.contains("# the site"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_push_at_once_into_nothing_one_is_first_and_nobody_is_overwritten() {
    for Place { home, _guard } in every_place().await {
        let text = |n: usize| format!("[projects.p{n}]\nartifacts = ['n{n}.zip']\n");
        let one = |n: usize| {
            let home = home.clone();
            tokio::spawn(async move { push(&home, &text(n), None).await })
        };
        let mut written = Vec::new();
        for (n, task) in (0..8).map(one).collect::<Vec<_>>().into_iter().enumerate() {
            match task.await.unwrap() {
                Ok(pushed) => written.extend(pushed.written.then_some(n)),
                Err(error) => assert!(matches!(error, ShareError::Losses { .. }), "{error}"),
            }
        }
        assert_eq!(written.len(), 1);
        assert_eq!(stands(&home).await, Some(text(written[0])));
    }
}

/// Puts another registry in place before each of the first writes.
struct Rival {
    store: MemoryStore,
    left: Mutex<usize>,
}

#[async_trait]
impl Watcher for Rival {
    async fn before(&self, operation: &str) -> Fate {
        let left = {
            let mut left = self.left.lock().unwrap();
            if !operation.starts_with("put") || *left == 0 {
                return Fate::Go;
            }
            *left -= 1;
            *left
        };
        let home = Home::Stored { store: Arc::new(self.store.clone()), key: Key::registry() };
        add(&home, "tools", &format!("rival-{left}.zip")).await.unwrap();
        Fate::Go
    }

    fn after(&self, _: &str, _: &dyn Debug) {}
}

#[derive(Default)]
struct Races(Mutex<Vec<String>>);

impl Observer for Races {
    fn observe(&self, event: &Event) {
        if let Event::LostRegistryRace { url } = event {
            self.0.lock().unwrap().push(url.clone());
        }
    }
}

fn rivalled(left: usize) -> (Home, MemoryStore) {
    let store = MemoryStore::default();
    let rival = Rival { store: store.clone(), left: Mutex::new(left) };
    (Home::Stored { store: Arc::new(Decorated::new(store.clone(), rival)), key: Key::registry() }, store)
}

#[tokio::test(start_paused = true)]
async fn a_lost_race_begins_again_from_the_read_and_is_told() {
    let (home, store) = rivalled(3);
    push(&Home::Stored { store: Arc::new(store), key: Key::registry() }, OURS, None).await.unwrap();
    let (races, names) = (Arc::new(Races::default()), ["mine.zip".parse().unwrap()]);
    let observer: Arc<dyn Observer> = races.clone();
    let project = project("web");
    let addition = Addition { project: Some(&project), names: &names, description: None, new_project: false };
    share::add(&home, &addition, manners(&observer)).await.unwrap();
    assert_eq!(*races.0.lock().unwrap(), vec![home.url(); 3]);
    let text = stands(&home).await.unwrap();
    for name in ["mine.zip", "rival-0.zip", "rival-1.zip", "rival-2.zip"] {
        assert!(text.contains(name), "{text}");
    }
    // What the push was looked at for is looked for again, in what the rival wrote.
    let (home, store) = rivalled(1);
    push(&Home::Stored { store: Arc::new(store), key: Key::registry() }, OURS, None).await.unwrap();
    let pushed = push(&home, &OURS.replace("site", "web site"), None).await;
    assert!(matches!(pushed, Err(ShareError::Losses { .. })), "{pushed:?}");
}

#[tokio::test(start_paused = true)]
async fn races_that_are_lost_for_ever_end_with_the_time() {
    let (home, store) = rivalled(usize::MAX);
    push(&Home::Stored { store: Arc::new(store), key: Key::registry() }, OURS, None).await.unwrap();
    let (began, added) = (tokio::time::Instant::now(), add(&home, "web", "mine.zip").await);
    let Err(ShareError::Raced { races, waited, .. }) = added else { panic!("{added:?}") };
    assert!(races > 20 && waited <= Duration::from_secs(30) && began.elapsed() <= Duration::from_secs(30));
}

#[test]
fn a_registry_loses_what_the_next_neither_has_nor_has_retired_in_the_same_project() {
    let parse = |text: &str| Registry::parse(text.as_bytes(), "x").unwrap();
    let old = parse("[projects.a]\nartifacts = ['x', 'y']\nretired = ['old']\n[projects.b]\nartifacts = ['z']\n");
    let losses = |text: &str| old.losses(&parse(text)).iter().map(ToString::to_string).collect::<Vec<_>>();
    let all = "[projects.b]\nretired = ['z']\n[projects.a]\nartifacts = ['old', 'new']\nretired = ['y', 'x']\n";
    assert_eq!(losses(all), Vec::<String>::new());
    assert_eq!(
        losses("[projects.a]\nartifacts = ['X', 'y']\n[projects.c]\nartifacts = ['z']\n"),
        [
            "x of project a would be gone",
            "old of project a would be gone",
            "the project b would be gone",
            "z would move from project b to c",
        ]
    );
    assert_eq!(parse("").losses(&old), []);
}

#[test]
fn a_registry_loses_what_the_next_declares_no_more_of_an_artifact() {
    let parse = |text: &str| Registry::parse(text.as_bytes(), "x").unwrap();
    let project = |artifacts: &str| parse(&format!("[projects.a]\nartifacts = [{artifacts}]\n"));
    let old = project("{ name = 'x', inputs = ['web'], policy = 'fresh' }, 'y'");
    let losses = |next: &Registry| old.losses(next).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(losses(&project("{ name = 'x', policy = 'exact' }, 'y'")), ["inputs of x of project a would be gone"]);
    assert_eq!(losses(&project("'x', 'y'")).len(), 2);
    // To declare something else is no loss, nor is to declare more; what is gone altogether is told once, and what is retired is kept.
    let other = "{ name = 'y', inputs = ['a'] }, { name = 'x', inputs = ['lib'], policy = 'nearest' }";
    assert_eq!(losses(&project(other)), Vec::<String>::new());
    assert_eq!(losses(&project("'y'")), ["x of project a would be gone"]);
    assert_eq!(losses(&parse("[projects.a]\nretired = ['x', 'y']\n")), Vec::<String>::new());
}

#[cfg(unix)]
#[tokio::test]
async fn a_local_registry_keeps_its_permissions_and_the_link_that_leads_to_it() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("real.toml"), directory.path().join("link.toml"));
    std::fs::write(&file, OURS).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o664)).unwrap();
    symlink("real.toml", &link).unwrap();
    let home = Home::Local { path: link.clone(), name: "link.toml".to_owned() };
    assert!(add(&home, "web", "new.zip").await.unwrap().written);
    let homeless = Home::Local { path: directory.path().join("absent/x.toml"), name: "x.toml".to_owned() };
    let failure = Failure::all_of(&push(&homeless, OURS, None).await.unwrap_err().into()).remove(0);
    assert_eq!(failure.kind, Kind::NotFound);
    assert!(failure.hint.unwrap().starts_with("make the directory"));
    assert!(link.is_symlink());
    assert!(std::fs::read_to_string(&file).unwrap().contains("new.zip"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o664);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left beside it");
}
