//! Where a registry lies that is written: how it is read there, and replaced only if nobody else did.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ShareError;
use crate::artifact::Digest;
use crate::files;
use crate::location::file_url;
use crate::registry::{LARGEST, Registry, RegistryError};
use crate::store::{Attributes, Condition, Content, Key, Store, StoreError, Tag};

/// Says where a registry lies that is written.
#[derive(Debug, Clone)]
pub enum Home {
    /// In a store.
    Stored {
        /// The store.
        store: Arc<dyn Store>,
        /// The registry's key.
        key: Key,
    },
    /// In a file of this machine that is no store's.
    Local {
        /// The file.
        path: PathBuf,
        /// How messages call it.
        name: String,
    },
}

/// Returns a tag as people read and write it: without the quotes that some stores put around theirs.
#[must_use]
pub fn shown(tag: &Tag) -> String {
    tag.0.trim_matches('"').to_owned()
}

/// Holds what stands where a registry lies: its bytes, or their number where that is too large.
pub(super) struct Standing {
    pub(super) text: Result<Bytes, u64>,
    pub(super) tag: Tag,
}

impl Standing {
    pub(super) fn shown(&self) -> String {
        shown(&self.tag)
    }

    pub(super) fn parse(&self, name: &str) -> Result<Registry, RegistryError> {
        match &self.text {
            Ok(text) => Registry::parse(text, name),
            Err(size) => Err(RegistryError::TooLarge { file: name.to_owned(), size: *size }),
        }
    }
}

impl Home {
    /// Returns the registry's URL; for a local file its path.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Stored { store, key } => store.url(key),
            Self::Local { path, .. } => path.display().to_string(),
        }
    }

    /// Returns the registry's URL; for a local file, how messages call it.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Stored { store, key } => store.url(key),
            Self::Local { name, .. } => name.clone(),
        }
    }

    /// Says whether it is this very file.
    #[must_use]
    pub fn is_local(&self, file: &Path) -> bool {
        match self {
            Self::Local { path, .. } => path == file,
            Self::Stored { store, key } => store.url(key) == file_url(file),
        }
    }

    pub(super) async fn read(&self) -> Result<Option<Standing>, ShareError> {
        match self {
            Self::Stored { store, key } => match store.get(key, LARGEST).await {
                Ok(stands) => Ok(stands.map(|(text, tag)| Standing { text: Ok(text), tag })),
                Err(StoreError::TooLarge { size, tag, .. }) => Ok(Some(Standing { text: Err(size), tag })),
                Err(source) => Err(ShareError::Store { url: self.url(), source }),
            },
            Self::Local { path, .. } => {
                let path = path.clone();
                let failed = |source| ShareError::Local { url: self.url(), source };
                let size = files::inspect(&path).map_or(0, |found| found.len());
                if size > LARGEST {
                    let digest = files::version_of_file(path).await.map_err(failed)?;
                    return Ok(Some(Standing { text: Err(size), tag: Tag(digest.to_string()) }));
                }
                let read = files::blocking(move || files::read_whole(&path)).await;
                let read = read.map_err(failed)?;
                Ok(read.map(|text| {
                    let (tag, size) = (Tag(Digest::of(&text).to_string()), files::length(&text));
                    let text = if size > LARGEST { Err(size) } else { Ok(Bytes::from(text)) };
                    Standing { text, tag }
                }))
            }
        }
    }

    /// Returns the new version's tag; none where the condition does not hold.
    pub(super) async fn write(
        &self,
        text: Bytes,
        condition: &Condition,
        timeout: Duration,
    ) -> Result<Option<Tag>, ShareError> {
        match self {
            Self::Stored { store, key } => {
                match store.put(key, Content::Bytes(text), Attributes::default(), condition).await {
                    Ok(put) => Ok(Some(put.tag)),
                    Err(StoreError::Precondition { .. }) => Ok(None),
                    Err(source) => Err(ShareError::Store { url: self.url(), source }),
                }
            }
            Self::Local { path, .. } => {
                let (path, condition) = (path.clone(), condition.clone());
                let digest = Digest::of(&text);
                let holds = move |before: Option<Digest>| match &condition {
                    Condition::None => true,
                    Condition::Absent => before.is_none(),
                    Condition::Matches(tag) => before.is_some_and(|before| before.to_string() == tag.0),
                };
                let swapped = files::blocking(move || files::swap(&path, holds, &text, timeout)).await;
                let swapped = swapped.map_err(|source| ShareError::Local { url: self.url(), source })?;
                Ok(swapped.then(|| Tag(digest.to_string())))
            }
        }
    }
}
