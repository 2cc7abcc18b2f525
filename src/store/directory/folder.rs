//! The directory of an object, held open: what is put into it goes there, whatever its path leads to by then.

#[cfg(unix)]
pub(super) use unix::Folder;

#[cfg(not(unix))]
pub(super) use elsewhere::Folder;

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::Path;

    use nix::fcntl::{AT_FDCWD, OFlag, renameat};
    use nix::unistd::{UnlinkatFlags, unlinkat};
    use tempfile::NamedTempFile;

    pub(in super::super) struct Folder(File);

    impl Folder {
        /// Opens a directory; what a link in its place leads to only where it may be one.
        pub(in super::super) fn open(path: &Path, may_be_link: bool) -> io::Result<Self> {
            let link = if may_be_link { OFlag::empty() } else { OFlag::O_NOFOLLOW };
            OpenOptions::new().read(true).custom_flags((OFlag::O_DIRECTORY | link).bits()).open(path).map(Self)
        }

        /// Gives a draft a name, whoever has it.
        pub(in super::super) fn replace(&self, draft: NamedTempFile, name: &OsStr) -> io::Result<()> {
            let (_file, mut place) = draft.into_parts();
            renameat(AT_FDCWD, place.as_os_str(), &self.0, name)?;
            place.disable_cleanup(true);
            Ok(())
        }

        pub(in super::super) fn remove(&self, name: &OsStr) -> io::Result<()> {
            Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
        }
    }
}

/// Elsewhere directories are known by their paths only.
#[cfg(not(unix))]
mod elsewhere {
    use std::ffi::OsStr;
    use std::io;
    use std::path::{Path, PathBuf};

    use tempfile::NamedTempFile;

    pub(in super::super) struct Folder(PathBuf);

    impl Folder {
        pub(in super::super) fn open(path: &Path, _: bool) -> io::Result<Self> {
            path.metadata().map(|_| Self(path.to_owned()))
        }

        pub(in super::super) fn replace(&self, draft: NamedTempFile, name: &OsStr) -> io::Result<()> {
            draft.persist(self.0.join(name)).map(drop).map_err(|failed| failed.error)
        }

        pub(in super::super) fn remove(&self, name: &OsStr) -> io::Result<()> {
            std::fs::remove_file(self.0.join(name))
        }
    }
}
