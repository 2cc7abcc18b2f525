//! Reading from a directory store.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::super::source::{self, PIECE};
use super::super::{Attributes, Body, Object, Progress, Put, StoreError, Tag, is_near};
use super::system;
use super::task::Task;
use crate::artifact::{Digest, Hasher, METAFILE};
use crate::metalogic::Listing;

pub(super) fn list(task: &Task, address: &Path) -> Result<Listing, StoreError> {
    let fault = |error| task.fault(error);
    let mut objects = entries(task, address)?;
    // A name that is renamed over while the directory is read may be left out of it, so the one that is gets a look of its own.
    if let Some((_, metadata)) = find(&address.join(METAFILE)).map_err(fault)? {
        objects.push((METAFILE.to_owned(), metadata.len()));
    }
    Ok(objects.into_iter().collect())
}

/// Returns the names and sizes of what is in a directory; nothing, where it is none.
fn entries(task: &Task, directory: &Path) -> Result<Vec<(String, u64)>, StoreError> {
    let fault = |error| task.fault(error);
    let entries = match present(fs::read_dir(directory)) {
        Ok(Some(entries)) => entries,
        Ok(None) => return Ok(Vec::new()),
        // Somebody put a file in the directory's place, or a link that leads nowhere: nothing lies below it.
        Err(_) if fs::symlink_metadata(directory).is_ok_and(|found| !found.is_dir()) => return Ok(Vec::new()),
        Err(error) => return Err(fault(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(describe(&entry.map_err(fault)?).map_err(fault)?);
    }
    Ok(found)
}

/// Returns what follows a prefix in the paths of the files that begin with it, sorted.
pub(super) fn keys(task: &Task, root: &Path, prefix: &str) -> Result<Vec<String>, StoreError> {
    let above = prefix.rsplit_once('/').map_or("", |(above, _)| above);
    let mut rests = Vec::new();
    let mut left = vec![(root.join(above), if above.is_empty() { String::new() } else { format!("{above}/") })];
    while let Some((directory, path)) = left.pop() {
        task.go_on()?;
        for (name, _) in entries(task, &directory)? {
            let path = format!("{path}{name}");
            // A directory may lie on the way to a prefix that does not end in a slash, or below one.
            let rest = path.strip_prefix(prefix).filter(|rest| is_near(rest));
            match (path.strip_suffix('/'), rest) {
                (Some(inner), _) if rest.is_some() || prefix.starts_with(inner) => {
                    left.push((directory.join(name.trim_end_matches('/')), path));
                }
                (Some(_), _) | (None, None) => {}
                (None, Some(rest)) => rests.push(rest.to_owned()),
            }
        }
    }
    rests.sort();
    Ok(rests)
}

/// Returns the name and size of an entry; none where it is gone already. What is no file and leads to none gets a name that nothing can
/// be found under: it must not pass for an artifact.
fn describe(entry: &fs::DirEntry) -> io::Result<Option<(String, u64)>> {
    let lossy = |name: &OsStr| name.to_string_lossy().into_owned();
    let name = lossy(&entry.file_name());
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return Ok(Some((name + "/", 0)));
    }
    if kind.is_file() {
        return Ok(present(entry.metadata())?.map(|metadata| (name, metadata.len())));
    }
    Ok(Some(match fs::metadata(entry.path()).ok().filter(Metadata::is_file) {
        Some(metadata) => (name, metadata.len()),
        None => (name + "@", 0),
    }))
}

pub(super) fn get(task: &Task, path: &Path, largest: u64) -> Result<Option<(Bytes, Tag)>, StoreError> {
    let Some((file, _)) = find(path).map_err(|error| task.fault(error))? else {
        return Ok(None);
    };
    let fault = |error| task.fault(error);
    let mut bytes = Vec::new();
    (&file).take(largest.saturating_add(1)).read_to_end(&mut bytes).map_err(fault)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) <= largest {
        let tag = tag_of(&bytes);
        return Ok(Some((bytes.into(), tag)));
    }
    drop(bytes);
    (&file).rewind().map_err(fault)?;
    let (tag, size) = version(task, &file)?;
    Err(StoreError::TooLarge { key: task.to_string(), size, largest, tag })
}

pub(super) fn open(task: &Task, path: &Path, range: Option<Range<u64>>) -> Result<Option<(Object, Body)>, StoreError> {
    let fault = |error| task.fault(error);
    let Some((mut file, metadata)) = find(path).map_err(fault)? else {
        return Ok(None);
    };
    let object = describe_object(&file, &metadata);
    let range = range.unwrap_or(0..object.size);
    let start = range.start.min(object.size);
    file.seek(SeekFrom::Start(start)).map_err(fault)?;
    let bytes = range.end.min(object.size).saturating_sub(start);
    Ok(Some((object, Body::File(file, bytes))))
}

pub(super) fn head(task: &Task, path: &Path) -> Result<Option<Object>, StoreError> {
    let found = find(path).map_err(|error| task.fault(error))?;
    Ok(found.map(|(file, metadata)| describe_object(&file, &metadata)))
}

/// Returns the tag of the version that stands at a path.
pub(super) fn current(task: &Task, path: &Path) -> Result<Option<Tag>, StoreError> {
    let Some((file, _)) = find(path).map_err(|error| task.fault(error))? else {
        return Ok(None);
    };
    version(task, &file).map(|(tag, _)| Some(tag))
}

/// How many bytes of a file its tag is made of, and its size where it has more. Nobody writes a document as large as that twice, and whoever
/// finds one where a small one belongs is not to wait until all of it was read.
const TAGGED: u64 = 4 << 20;

/// Returns the tag of the version that has these bytes.
pub(super) fn tag_of(bytes: &[u8]) -> Tag {
    let beginning = usize::try_from(TAGGED).ok().and_then(|most| bytes.get(..most)).unwrap_or(bytes);
    tag(Digest::of(beginning), bytes.len() as u64)
}

/// Returns the tag of the version whose beginning has this digest, and which has so many bytes.
fn tag(beginning: Digest, size: u64) -> Tag {
    Tag(if size > TAGGED { format!("{beginning} {size}") } else { beginning.to_string() })
}

/// Reads a file from where it stands, once, and returns its digest, its tag and its size.
pub(super) fn digest(task: &Task, file: &File, progress: &Progress) -> Result<(Put, u64), StoreError> {
    let mut hasher = Hasher::default();
    let beginning = hash(task, file.take(TAGGED), &mut hasher, progress)?;
    let tagged = hasher.clone().finish();
    let size = beginning + hash(task, file, &mut hasher, progress)?;
    Ok((Put { tag: tag(tagged, size), sha256: hasher.finish() }, size))
}

/// Returns the tag of the version that a file at its beginning is, and its size in bytes.
fn version(task: &Task, file: &File) -> Result<(Tag, u64), StoreError> {
    let mut hasher = Hasher::default();
    let silent: Progress = Arc::new(|_| ());
    let read = hash(task, file.take(TAGGED), &mut hasher, &silent)?;
    let size = file.metadata().map_err(|error| task.fault(error))?.len().max(read);
    Ok((tag(hasher.finish(), size), size))
}

/// Opens the file of an object. A directory is no object, nor is a special file: to open a FIFO would wait for a writer.
pub(super) fn find(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    let found = present(source::open(path)).or_else(|error| if is_below_a_file(path) { Ok(None) } else { Err(error) });
    let Some(file) = found?.flatten() else {
        return Ok(None);
    };
    let metadata = file.metadata()?;
    Ok(Some((file, metadata)))
}

/// Says whether somebody put a file where an object's address should be.
fn is_below_a_file(path: &Path) -> bool {
    let address = path.parent().and_then(|address| fs::metadata(address).ok());
    address.is_some_and(|address| !address.is_dir())
}

/// Returns what is recorded beside a file's bytes.
pub(super) fn attributes(file: &File, metadata: &Metadata) -> Attributes {
    Attributes { sha256: system::recorded_digest(file, metadata), mode: system::mode(metadata) }
}

fn describe_object(file: &File, metadata: &Metadata) -> Object {
    Object { size: metadata.len(), attributes: attributes(file, metadata) }
}

/// Hashes what follows in a file, and returns how many bytes that was.
fn hash(task: &Task, mut file: impl Read, hasher: &mut Hasher, progress: &Progress) -> Result<u64, StoreError> {
    let mut buffer = vec![0; PIECE];
    let mut size = 0;
    loop {
        task.go_on()?;
        match file.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(count) => {
                hasher.update(buffer.get(..count).unwrap_or_default());
                size += count as u64;
                progress(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(task.fault(error)),
        }
    }
}

/// Takes absence for an answer.
pub(super) fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
