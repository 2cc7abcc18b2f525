//! New files and directories that are as open as the directory that they lie in: people of several accounts may push to one repository.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a directory, unless it is there.
pub(super) fn directory(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Ok(()) => share(path, 0o7777),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens a file to write at its end; makes it, unless it is there.
pub(super) fn to_append(path: &Path) -> io::Result<File> {
    match OpenOptions::new().create_new(true).append(true).open(path) {
        Ok(file) => share(path, 0o666).map(|()| file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => OpenOptions::new().append(true).open(path),
        Err(error) => Err(error),
    }
}

/// Gives a new path those of its directory's permissions that it may have.
#[cfg(unix)]
pub(super) fn share(path: &Path, most: u32) -> io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    let Some(parent) = path.parent() else { return Ok(()) };
    let mode = std::fs::metadata(parent)?.permissions().mode() & most;
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Elsewhere what is new has its directory's permissions by itself.
#[cfg(not(unix))]
pub(super) fn share(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
