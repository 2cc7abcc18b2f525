//! Where the files of a directory store lie.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use tempfile::TempPath;

use super::super::{Key, Outage};
use super::system;
use crate::address::Commit;

/// The directory of what is the program's own. It begins with a full stop, so nobody takes it for an object.
const OWN: &str = ".metalogic";

/// The directory in it of what is on the way to its name.
const TEMPORARY: &str = "tmp";

/// How the names of directories begin that are on the way to theirs.
const DRAFT: &str = ".metalogic-";

/// How long a temporary file may stand untouched before it is taken for one that a killed process left.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Knows the paths of one store.
#[derive(Debug)]
pub(super) struct Site {
    root: PathBuf,
    patience: Duration,
    swept: Once,
}

impl Site {
    pub(super) fn new(root: &Path, patience: Duration) -> Self {
        Self { root: root.to_owned(), patience, swept: Once::new() }
    }

    /// Says whether a directory has what is the program's own.
    pub(super) fn is_one(directory: &Path) -> bool {
        directory.join(OWN).is_dir()
    }

    /// Returns how long to wait for a lock, which is held for milliseconds unless its holder was stopped.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of an object.
    pub(super) fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.to_string())
    }

    /// Returns the path of a commit's address.
    pub(super) fn address(&self, commit: Commit) -> PathBuf {
        self.root.join(commit.address())
    }

    /// Returns the directory in which locks lie, made where it was absent.
    pub(super) fn locks(&self) -> io::Result<PathBuf> {
        let locks = self.root.join(OWN).join("locks");
        self.make_directory(&locks)?;
        Ok(locks)
    }

    /// Returns the directory in which files lie until they are whole, made where it was absent.
    pub(super) fn temporary(&self) -> io::Result<PathBuf> {
        let temporary = self.root.join(OWN).join(TEMPORARY);
        self.make_directory(&temporary)?;
        self.swept.call_once(|| self.sweep(&temporary));
        Ok(temporary)
    }

    /// Makes a directory and those above it, so that they stand after a crash too.
    pub(super) fn make_directory(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if is_something_else(path) {
            let problem = format!("{} is no directory", path.display());
            return Err(io::Error::new(io::ErrorKind::NotADirectory, problem));
        }
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        self.make_directory(parent)?;
        match self.create(path, parent) {
            // Somebody else was first.
            Err(_) if path.is_dir() => {}
            made => made?,
        }
        system::sync_directory(parent)
    }

    /// Makes a directory of the store that is as open as the one that it lies in from its first moment on: whoever is killed half-way would
    /// leave one that nobody else of the group can write to. How open the store itself is, and what leads to it, the umask says, but where
    /// the directory above hands its group on, as those of a repository that git shares do.
    fn create(&self, path: &Path, parent: &Path) -> io::Result<()> {
        if !(system::is_shared(parent)? && (parent.starts_with(&self.root) || system::hands_on(parent)?)) {
            return fs::create_dir(path);
        }
        let draft = tempfile::Builder::new().prefix(DRAFT).tempdir_in(self.drafts(parent))?;
        system::share(draft.path(), parent)?;
        let mut place = TempPath::try_from_path(draft.path())?;
        place.disable_cleanup(true);
        // An empty directory that stands there is not replaced: somebody is about to put something into it.
        if place.persist_noclobber(path).is_ok() {
            drop(draft.keep());
            return Ok(());
        }
        // Somebody else was first, or the file system cannot do that.
        fs::create_dir(path)?;
        system::share(path, parent)
    }

    /// Returns where a directory is made until it gets its name: with all else that is on the way, as soon as there is such a place.
    fn drafts(&self, parent: &Path) -> PathBuf {
        let temporary = self.root.join(OWN).join(TEMPORARY);
        if system::are_of_one_group(&temporary, parent) { temporary } else { parent.to_owned() }
    }

    /// Removes what killed processes left. What is being written is younger; what cannot be removed is in nobody's way.
    fn sweep(&self, temporary: &Path) {
        for entry in abandoned(temporary) {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_directory { fs::remove_dir(entry.path()) } else { fs::remove_file(entry.path()) };
        }
        // The first directories were made before there was a place for drafts. One that is not empty is not removed.
        for entry in abandoned(&self.root).chain(abandoned(&self.root.join(OWN))) {
            if entry.file_name().to_string_lossy().starts_with(DRAFT) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// Says whether what stands at a path is surely neither a directory nor a link to one.
fn is_something_else(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) => !found.is_dir(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => false,
        Err(error) => Outage::of_system(&error).is_none() && path.is_symlink(),
    }
}

/// Returns what stands in a directory untouched for long.
fn abandoned(directory: &Path) -> impl Iterator<Item = DirEntry> {
    let is_abandoned = |entry: &DirEntry| {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > ABANDONED))
    };
    fs::read_dir(directory).into_iter().flatten().flatten().filter(is_abandoned)
}
