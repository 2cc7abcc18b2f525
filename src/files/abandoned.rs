//! What killed processes left beside the files that they wrote.

use std::collections::HashSet;
use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// How the name of a temporary file begins.
pub const BEGIN: &str = ".metalogic-";

/// How it ends, so that nobody's own file is taken for one.
pub(super) const END: &str = ".part";

/// How long one may stand untouched before it is taken for one that a killed process left.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// The directories that this process has looked through.
static SWEPT: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// Removes what killed processes left in a directory, unless this process has looked there. A file that is being written is younger; what
/// cannot be removed is in nobody's way.
pub(super) fn sweep_once(directory: &Path) {
    if SWEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.to_owned()) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten().filter(is_abandoned) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn is_abandoned(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let is_ours = name.to_str().is_some_and(|name| name.starts_with(BEGIN) && name.ends_with(END));
    let metadata = || entry.metadata().ok().filter(Metadata::is_file);
    let modified = || metadata().and_then(|metadata| metadata.modified().ok());
    is_ours && modified().is_some_and(|modified| modified.elapsed().is_ok_and(|age| age > ABANDONED))
}
