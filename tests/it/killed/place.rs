//! A repository with a store that is made anew for each round: in a directory, or in a bucket.

use std::cell::Cell;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::store::Store;
use metalogic::store::directory::DirectoryStore;
use tokio::runtime::Runtime;

use crate::fake::{ACCESS_KEY, BUCKET, Fake, REGION, SECRET_KEY};
use crate::sandbox::{Ran, Sandbox};

/// A directory that people of one group share.
const SHARED: u32 = 0o2775;

/// What is longer untouched than any temporary file of a living process.
const LONG: Duration = Duration::from_secs(25 * 60 * 60);

/// How the names of temporary files begin and end that lie beside what they are to become.
const BESIDE: (&str, &str) = (".metalogic-", ".part");

/// Says whether a file is on the way to another name.
pub fn is_beside(name: &str) -> bool {
    name.starts_with(BESIDE.0) && name.ends_with(BESIDE.1)
}

/// Says whether a directory is on the way to its name.
fn is_draft(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with(BESIDE.0)
}

pub struct Place {
    pub name: &'static str,
    pub sandbox: Sandbox,
    pub fake: Option<Fake>,
    runtime: Runtime,
    round: Cell<usize>,
}

impl Place {
    pub fn directory() -> Self {
        Self::new("directory", |_| None)
    }

    pub fn s3() -> Self {
        Self::new("S3", |runtime| Some(runtime.block_on(Fake::start())))
    }

    fn new(name: &'static str, fake: impl FnOnce(&Runtime) -> Option<Fake>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (fake, sandbox) = (fake(&runtime), Sandbox::new());
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
        let place = Self { name, sandbox, fake, runtime, round: Cell::new(0) };
        place.begin();
        place
    }

    /// Registers names, commits, and returns the commit.
    pub fn register<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Commit {
        let names: Vec<_> = names.into_iter().collect();
        self.sandbox.write("repo/artifacts.toml", format!("[projects.p]\nartifacts = {names:?}\n"));
        self.commit("the names")
    }

    pub fn commit(&self, message: &str) -> Commit {
        self.sandbox.commit(message).parse().unwrap()
    }

    /// Goes on with an empty store, and forgets the one before it.
    pub fn begin(&self) {
        let old = self.root();
        self.keys().iter().for_each(|key| self.fake.as_ref().unwrap().remove(&format!("{}/{key}", self.round.get())));
        self.forget_uploads();
        self.round.set(self.round.get() + 1);
        if self.fake.is_none() {
            drop(fs::remove_dir_all(old));
            make_shared(&self.root());
        }
    }

    /// Puts away what was never completed, as a bucket's lifecycle rule does; returns how many uploads that were.
    pub fn forget_uploads(&self) -> usize {
        self.fake.as_ref().map_or(0, Fake::forget_uploads)
    }

    /// Waits until nothing comes any more from those who were killed: what they sent may be on its way still.
    pub fn settle(&self) {
        let began = Instant::now();
        while self.fake.as_ref().is_some_and(|fake| fake.connections() > 0) {
            assert!(began.elapsed() < Duration::from_secs(20), "the connections of the dead stay");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Returns the directory that is the store, where it is one.
    pub fn root(&self) -> PathBuf {
        self.sandbox.path(&format!("store-{}", self.round.get()))
    }

    pub fn url(&self) -> String {
        match &self.fake {
            None => self.root().to_str().unwrap().to_owned(),
            Some(_) => format!("s3://{BUCKET}/{}", self.round.get()),
        }
    }

    /// Returns the binary, ready to run in the repository with this store.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command("repo", arguments);
        command.env("METALOGIC_STORE", self.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(fake) = &self.fake {
            command.env("AWS_ENDPOINT_URL", &fake.endpoint).env("AWS_REGION", REGION);
            command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        self.sandbox.ran(&format!("metalogic {}", arguments.join(" ")), &output)
    }

    /// Asks the store from this process.
    pub fn ask<T>(&self, question: impl AsyncFnOnce(Arc<dyn Store>) -> T) -> T {
        let store: Arc<dyn Store> = match &self.fake {
            None => Arc::new(DirectoryStore::new(&self.root())),
            Some(fake) => Arc::new(fake.store(&self.round.get().to_string())),
        };
        self.runtime.block_on(question(store))
    }

    /// Returns the bytes that stand under a key.
    pub fn object(&self, key: &str) -> Option<Bytes> {
        match &self.fake {
            None => fs::read(self.root().join(key)).ok().map(Bytes::from),
            Some(fake) => fake.object(&format!("{}/{key}", self.round.get())).map(|stored| stored.bytes),
        }
    }

    /// Puts an object, as another program could.
    pub fn plant(&self, key: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        match &self.fake {
            None => {
                let path = self.root().join(key);
                make_shared(path.parent().unwrap());
                fs::write(path, bytes).unwrap();
            }
            Some(fake) => fake.plant(&format!("{}/{key}", self.round.get()), bytes),
        }
    }

    /// Returns the keys of this round's store, where it is a bucket.
    fn keys(&self) -> Vec<String> {
        let begin = format!("{}/", self.round.get());
        let keys = self.fake.as_ref().map(Fake::keys).unwrap_or_default();
        keys.iter().filter_map(|key| key.strip_prefix(&begin)).map(str::to_owned).collect()
    }

    /// Returns the files that are in the store, by their keys.
    fn files(&self) -> Vec<String> {
        let files = |name: &String| self.root().join(name).is_file();
        if self.fake.is_some() {
            return self.keys();
        }
        let directory = format!("store-{}", self.round.get());
        self.sandbox.tree(&directory).into_iter().filter(files).collect()
    }

    /// Returns the directories that are in the store, where it is one itself.
    fn directories(&self) -> Vec<PathBuf> {
        if self.fake.is_some() {
            return Vec::new();
        }
        let names = self.sandbox.tree(&format!("store-{}", self.round.get()));
        names.iter().map(|name| self.root().join(name)).filter(|path| path.is_dir()).collect()
    }

    /// Returns how much the killed processes left that is on the way to a name; it may lie where nobody takes it for an object, and
    /// nowhere else. All else must be as open as the store.
    pub fn leftovers(&self) -> usize {
        for draft in self.directories().iter().filter(|path| is_draft(path)) {
            let place = draft.parent().unwrap().strip_prefix(self.root()).unwrap().to_str().unwrap();
            assert!(["", ".metalogic", ".metalogic/tmp"].contains(&place), "{} lies in the store", draft.display());
        }
        for file in self.files() {
            let first = file.split('/').next().unwrap();
            let last = file.rsplit('/').next().unwrap();
            assert!(
                ["builds", "versions", "artifacts.toml", ".metalogic"].contains(&first),
                "{file} lies in the store"
            );
            assert!(first == ".metalogic" || !last.starts_with('.'), "{file} lies in the store");
        }
        if self.fake.is_none() {
            self.assert_shared();
        }
        self.temporary().len() + self.fake.as_ref().map_or(0, Fake::uploads)
    }

    /// Holds that whoever of the group comes next can go on: no directory, and no lock, is its maker's alone.
    fn assert_shared(&self) {
        let directory = format!("store-{}", self.round.get());
        for name in self.sandbox.tree(&directory) {
            let path = self.root().join(&name);
            // What is not finished has no name yet.
            let Some(metadata) = fs::metadata(&path).ok().filter(|_| !is_draft(&path)) else { continue };
            let wanted = match metadata.is_dir() {
                true => 0o2070,
                false if name.starts_with(".metalogic/locks/") => 0o060,
                false => 0,
            };
            let mode = metadata.permissions().mode();
            assert_eq!(mode & wanted, wanted, "{name} is not as open as the store: {mode:o}");
        }
    }

    /// Returns the temporary files of this machine.
    fn temporary(&self) -> Vec<PathBuf> {
        let inside = |directory: PathBuf| fs::read_dir(directory).into_iter().flatten().flatten();
        let of_store = inside(self.root().join(".metalogic/tmp")).map(|entry| entry.path());
        let is_beside = |entry: &fs::DirEntry| is_beside(entry.file_name().to_str().unwrap());
        let of_target = inside(self.sandbox.path("got")).filter(is_beside).map(|entry| entry.path());
        let mut all: Vec<PathBuf> = of_store.chain(of_target).collect();
        let drafts = self.directories().into_iter().filter(|path| is_draft(path) && !all.contains(path));
        all.extend(drafts.collect::<Vec<_>>());
        all
    }

    /// Has the temporary files be a day older.
    pub fn age(&self) {
        for path in self.temporary() {
            File::open(path).unwrap().set_modified(SystemTime::now() - LONG).unwrap();
        }
    }

    /// Returns how many temporary files are a day old.
    pub fn aged(&self) -> usize {
        let is_old = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap().elapsed().unwrap_or_default();
        self.temporary().iter().filter(|path| is_old(path) > Duration::from_secs(60 * 60)).count()
    }
}

/// Makes a directory with those above it up to the sandbox, as open as a group wants it.
fn make_shared(path: &Path) {
    if path.is_dir() {
        return;
    }
    make_shared(path.parent().unwrap());
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(SHARED)).unwrap();
}
