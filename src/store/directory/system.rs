//! What differs between operating systems, and between their file systems.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use crate::artifact::{Digest, Mode};

/// The extended attribute in which an object's digest is recorded.
#[cfg(unix)]
const SHA256: &str = "user.metalogic.sha256";

/// Makes a new file with the bits of any other file or program, less the umask: others may have to read it.
pub(super) fn create(path: &Path, executable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if executable { 0o777 } else { 0o666 });
    #[cfg(not(unix))]
    let _ = executable;
    options.read(true).write(true).create_new(true).open(path)
}

/// Says whether a directory's group may write to it.
#[cfg(unix)]
pub(super) fn is_shared(directory: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(directory)?.permissions().mode() & 0o020 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_shared(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Says whether what is made in a directory is of that directory's group.
#[cfg(unix)]
pub(super) fn hands_on(directory: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(directory)?.permissions().mode() & 0o2000 != 0)
}

#[cfg(not(unix))]
pub(super) fn hands_on(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Says whether two directories stand, and are of one group, which what is made inside is of too.
#[cfg(unix)]
pub(super) fn are_of_one_group(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let group = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.gid()).ok();
    group(one).is_some_and(|one| group(other) == Some(one))
}

#[cfg(not(unix))]
pub(super) fn are_of_one_group(one: &Path, other: &Path) -> bool {
    one.is_dir() && other.is_dir()
}

/// Removes a file, unless another than this one has its name by now.
#[cfg(unix)]
pub(super) fn take_back(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (found, own) = (std::fs::symlink_metadata(path)?, file.metadata()?);
    if (found.dev(), found.ino()) == (own.dev(), own.ino()) { std::fs::remove_file(path) } else { Ok(()) }
}

/// Elsewhere nobody can tell, so it stays.
#[cfg(not(unix))]
pub(super) fn take_back(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

/// Opens what is new to the group where the directory that it is to lie in is: people of several accounts may write to one store.
#[cfg(unix)]
pub(super) fn share(path: &Path, parent: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    /// Write, and the group goes on to what is made inside.
    const OF_GROUP: u32 = 0o2070;
    let open = std::fs::metadata(parent)?.permissions().mode() & OF_GROUP;
    let mut permissions = std::fs::metadata(path)?.permissions();
    if open & 0o020 == 0 || permissions.mode() & open == open {
        return Ok(());
    }
    let most = if path.is_dir() { OF_GROUP } else { 0o060 };
    permissions.set_mode(permissions.mode() | open & most);
    std::fs::set_permissions(path, permissions)
}

/// Elsewhere what is new has its directory's permissions by itself.
#[cfg(not(unix))]
pub(super) fn share(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Takes a file's write bits away, so that nobody edits it where it lies.
#[cfg(unix)]
pub(super) fn forbid_writing(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = file.metadata()?.permissions();
    permissions.set_mode(permissions.mode() & !0o222);
    file.set_permissions(permissions)
}

/// A read-only file could be neither replaced nor deleted here.
#[cfg(not(unix))]
pub(super) fn forbid_writing(_: &File) -> io::Result<()> {
    Ok(())
}

/// Returns the mode to record of a file.
#[cfg(unix)]
pub(super) fn mode(metadata: &Metadata) -> Option<Mode> {
    use std::os::unix::fs::PermissionsExt as _;
    Mode::of_file(metadata.permissions().mode())
}

#[cfg(not(unix))]
pub(super) fn mode(_: &Metadata) -> Option<Mode> {
    None
}

/// Records a digest beside a file's bytes, where the file system can: a digest that is not recorded is computed when it is needed.
///
/// The attribute goes wherever the file is copied to, and stays when its bytes are edited. So size and time of change, which
/// editing does change, stand beside the digest.
#[cfg(unix)]
pub(super) fn record_digest(file: &File, digest: Digest) {
    use xattr::FileExt as _;
    if let Ok(metadata) = file.metadata() {
        let _ = file.set_xattr(SHA256, format!("{digest} {}", edition(&metadata)).as_bytes());
    }
}

/// Returns what of a file's metadata changes with its bytes.
#[cfg(unix)]
fn edition(metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    format!("{} {}.{:09}", metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

#[cfg(not(unix))]
pub(super) fn record_digest(_: &File, _: Digest) {}

/// Returns the digest that is recorded beside a file's bytes, unless they were edited since.
#[cfg(unix)]
pub(super) fn recorded_digest(file: &File, metadata: &Metadata) -> Option<Digest> {
    use xattr::FileExt as _;
    let value = file.get_xattr(SHA256).ok()??;
    let (digest, of) = std::str::from_utf8(&value).ok()?.split_once(' ')?;
    digest.parse().ok().filter(|_| of == edition(metadata))
}

#[cfg(not(unix))]
pub(super) fn recorded_digest(_: &File, _: &Metadata) -> Option<Digest> {
    None
}

/// Has an empty file share the blocks of another, with all its bytes; says whether the file system could.
#[cfg(target_os = "linux")]
pub(super) fn share_blocks(original: &File, empty: &File) -> bool {
    rustix::fs::ioctl_ficlone(empty, original).is_ok()
}

/// Elsewhere the copy that the standard library makes does what can be done.
#[cfg(not(target_os = "linux"))]
pub(super) fn share_blocks(_: &File, _: &File) -> bool {
    false
}

/// Makes the names in a directory last through a crash, where the file system can do that at all.
#[cfg(unix)]
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let cannot = |error: &io::Error| matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported);
    match File::open(path)?.sync_all() {
        Err(error) if cannot(&error) => Ok(()),
        synced => synced,
    }
}

#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
