//! Writing to a directory store: to a temporary file first, then under its name at once.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use tempfile::{NamedTempFile, PersistError};

use super::super::source::{self, Reading};
use super::super::{Attributes, Condition, Content, Key, Object, Progress, Put, StoreError, Upload, is_same};
use super::folder::Folder;
use super::site::Site;
use super::task::Task;
use super::{lock, read, system};
use crate::artifact::{Digest, Mode};

/// How many bytes the kernel is asked to copy at once: where it can share them between files, it is quick with more than we read at once.
const COPIED: u64 = 64 << 20;

pub(super) fn put(
    task: &Task,
    site: &Site,
    key: &Key,
    content: &Content,
    attributes: Attributes,
    condition: &Condition,
) -> Result<Put, StoreError> {
    // What is refused already need not be written first; what is not is looked at again, when it counts.
    if !holds(task, &site.path(key), condition)? {
        return Err(task.precondition());
    }
    let mut draft = draft(task, site, attributes)?;
    let put = fill(task, draft.as_file_mut(), content)?;
    let found = match content {
        Content::File(Upload { sha256: None, .. }) => Some(put.sha256),
        Content::File(Upload { sha256: Some(_), .. }) | Content::Bytes(_) => None,
    };
    let attributes = Attributes { sha256: attributes.sha256.or(found), ..attributes };
    settle(task, site, draft, key, attributes, condition)?;
    Ok(put)
}

pub(super) fn copy(task: &Task, site: &Site, from: &Key, to: &Key, wanted: Option<Object>) -> Result<(), StoreError> {
    let fault = |error| task.fault(error);
    let another = || StoreError::NotFound(from.to_string());
    let found = read::find(&site.path(from)).map_err(fault)?;
    let (original, metadata) = found.ok_or_else(another)?;
    if !holds(task, &site.path(to), &Condition::Absent)? {
        return Err(task.precondition());
    }
    let attributes = read::attributes(&original, &metadata);
    let object = Object { size: metadata.len(), attributes };
    if wanted.is_some_and(|wanted| attributes.sha256.map_or(wanted, |recorded| object.known_as(recorded)) != wanted) {
        return Err(another());
    }
    let mut draft = draft(task, site, attributes)?;
    pour(task, &original, draft.as_file_mut()).map_err(fault)?;
    if let (Some(wanted), None) = (wanted, attributes.sha256) {
        draft.as_file_mut().rewind().map_err(fault)?;
        let (put, size) = read::digest(task, draft.as_file(), &silent())?;
        if (Object { size, attributes }.known_as(put.sha256)) != wanted {
            return Err(another());
        }
    }
    // Its bytes are edited by nobody who knows what it is; but then nothing recorded is true.
    if wanted.is_some() && !original.metadata().is_ok_and(|now| is_same(&metadata, &now)) {
        return Err(another());
    }
    settle(task, site, draft, to, attributes, &Condition::Absent)
}

pub(super) fn delete(task: &Task, site: &Site, key: &Key) -> Result<(), StoreError> {
    let path = site.path(key);
    let found = read::present(fs::symlink_metadata(&path)).map_err(|error| task.fault(error))?;
    if !found.is_some_and(|found| found.is_file() || found.is_symlink()) {
        return Ok(());
    }
    let folder = own_folder(task, site, &path)?;
    let _lock = lock::take(task, site, key)?;
    match open_folder(task, site, &path)?.remove(path.file_name().unwrap_or_default()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| system::sync_directory(folder)).map_err(|error| task.fault(error)),
    }
}

/// Makes an empty file on the store's file system, which goes away when it is dropped.
fn draft(task: &Task, site: &Site, attributes: Attributes) -> Result<NamedTempFile, StoreError> {
    let executable = attributes.mode.is_some_and(|mode| Mode::of_file(mode.bits()).is_some());
    let make =
        |folder| tempfile::Builder::new().prefix("put-").make_in(folder, |path| system::create(path, executable));
    site.temporary().and_then(make).map_err(|error| task.fault(error))
}

fn fill(task: &Task, draft: &mut File, content: &Content) -> Result<Put, StoreError> {
    match content {
        Content::Bytes(bytes) => {
            draft.write_all(bytes).map_err(|error| task.fault(error))?;
            Ok(Put { tag: read::tag_of(bytes), sha256: Digest::of(bytes) })
        }
        Content::File(upload) => take_in(task, draft, upload),
    }
}

/// Takes a local file into a draft. Its bytes do not pass through this process but to be hashed, once, and as they are in the draft.
fn take_in(task: &Task, draft: &mut File, upload: &Upload) -> Result<Put, StoreError> {
    let fault = |error| task.fault(error);
    let reading = Reading::begin(upload)?;
    if pour(task, reading.file(), draft).is_err() {
        task.go_on()?;
        // Which of the two files it was is seen when bytes are read and written one by one.
        draft.set_len(0).and_then(|()| draft.rewind()).map_err(fault)?;
        let sink = |piece: &[u8]| task.go_on().and_then(|()| draft.write_all(piece).map_err(fault));
        source::send(&Upload { progress: silent(), ..upload.clone() }, sink)?;
    }
    draft.rewind().map_err(fault)?;
    let (put, size) = read::digest(task, draft, &upload.progress)?;
    if size != upload.size {
        return Err(reading.changed());
    }
    reading.vouch(put.sha256).map(|_| put)
}

/// Gives all bytes of a file to a draft: those of its blocks that the file system can share are shared, and the kernel copies the others.
fn pour(task: &Task, original: &File, draft: &mut File) -> io::Result<()> {
    if system::share_blocks(original, draft) {
        return Ok(());
    }
    while io::copy(&mut original.take(COPIED), draft)? > 0 {
        task.go_on().map_err(io::Error::other)?;
    }
    Ok(())
}

fn silent() -> Progress {
    Arc::new(|_| ())
}

/// Gives a draft that has all its bytes its name, if the condition holds.
fn settle(
    task: &Task,
    site: &Site,
    draft: NamedTempFile,
    key: &Key,
    attributes: Attributes,
    condition: &Condition,
) -> Result<(), StoreError> {
    let path = site.path(key);
    finish(draft.as_file(), key, attributes).map_err(|error| task.fault(error))?;
    let folder = own_folder(task, site, &path)?;
    site.make_directory(folder).map_err(|error| task.fault(error))?;
    task.go_on()?;
    match condition {
        Condition::Absent => add(task, site, draft, &path)?,
        Condition::None | Condition::Matches(_) => {
            let _lock = lock::take(task, site, key)?;
            if !holds(task, &path, condition)? {
                return Err(task.precondition());
            }
            let own = open_folder(task, site, &path)?;
            own.replace(draft, path.file_name().unwrap_or_default()).map_err(|error| task.fault(error))?;
            own_folder(task, site, &path).map_err(|_| astray(task))?;
        }
    }
    system::sync_directory(folder).map_err(|error| task.fault(error))
}

/// Gives a draft a name that nothing has.
fn add(task: &Task, site: &Site, draft: NamedTempFile, path: &Path) -> Result<(), StoreError> {
    match draft.persist_noclobber(path) {
        Ok(file) => {
            if own_folder(task, site, path).is_ok() {
                return Ok(());
            }
            // The link may have led the object elsewhere, where it is not to be; or it came later, and leads to what is somebody else's.
            let _ = system::take_back(path, &file);
            Err(astray(task))
        }
        Err(PersistError { error, .. }) if error.kind() == io::ErrorKind::AlreadyExists => Err(task.precondition()),
        Err(PersistError { error, .. }) => Err(task.fault(error)),
    }
}

/// Records what stands beside a draft's bytes, and has all of it on disk. The digest comes first: it needs the write bits.
fn finish(file: &File, key: &Key, attributes: Attributes) -> io::Result<()> {
    if let Some(digest) = attributes.sha256 {
        system::record_digest(file, digest);
    }
    match key {
        Key::Artifact(..) | Key::Data(..) | Key::Record(..) | Key::Staged(..) | Key::Metadata(..) => {
            system::forbid_writing(file)?;
        }
        Key::Metafile(_) | Key::Registry(_) | Key::Conditions => {}
    }
    file.sync_all()
}

fn astray(task: &Task) -> StoreError {
    task.fault(io::Error::other("its address became a symbolic link while it was written"))
}

/// Says whether the condition of a put holds at this moment.
fn holds(task: &Task, path: &Path, condition: &Condition) -> Result<bool, StoreError> {
    match condition {
        Condition::None => Ok(true),
        Condition::Absent => {
            let fault = |error| task.fault(error);
            let taken = read::present(fs::symlink_metadata(path)).map_err(fault)?.is_some();
            if taken && read::find(path).map_err(fault)?.is_none() {
                return Err(fault(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "something that is not a regular file stands there",
                )));
            }
            Ok(!taken)
        }
        Condition::Matches(tag) => Ok(read::current(task, path)?.as_ref() == Some(tag)),
    }
}

/// Returns the directory of an object. An address that is a link leads to somebody else's files: it is read, but not written.
fn own_folder<'a>(task: &Task, site: &Site, path: &'a Path) -> Result<&'a Path, StoreError> {
    let folder = path.parent().unwrap_or(path);
    if folder != site.root() && folder.is_symlink() {
        let error = io::Error::other("its address is a symbolic link, through which nothing is written");
        return Err(task.fault(error));
    }
    Ok(folder)
}

/// Opens the directory of an object, never one that a link in its place leads to. The store's own may be a link.
fn open_folder(task: &Task, site: &Site, path: &Path) -> Result<Folder, StoreError> {
    let folder = own_folder(task, site, path)?;
    match Folder::open(folder, folder == site.root()) {
        Ok(opened) => Ok(opened),
        // The system's words for a link would be odd ones.
        Err(error) => own_folder(task, site, path).and_then(|_| Err(task.fault(error))),
    }
}
