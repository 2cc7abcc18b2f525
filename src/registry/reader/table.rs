//! Reads one table of a registry, whatever is wrong with the others.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Places, Reader};
use crate::registry::{RepositoryTable, StoreTable, VersionsTable};

/// Returns what the bytes of a registry say of the repository; none where that itself cannot be told.
pub(in crate::registry) fn repository_table(bytes: &[u8]) -> Option<RepositoryTable> {
    table(bytes, "repository", |reader, value| reader.repository(value).0)
}

/// Returns what the bytes of a registry say of the store; none where that itself cannot be told.
pub(in crate::registry) fn store_table(bytes: &[u8]) -> Option<StoreTable> {
    table(bytes, "store", |reader, value| reader.store(value))
}

/// Returns what the bytes of a registry say of versions; none where that itself cannot be told.
pub(in crate::registry) fn versions_table(bytes: &[u8]) -> Option<VersionsTable> {
    table(bytes, "versions", |reader, value| reader.versions(value))
}

fn table<T: Default>(
    bytes: &[u8],
    key: &str,
    read: impl for<'d> Fn(&mut Reader<'d>, &'d Spanned<DeValue<'d>>) -> T,
) -> Option<T> {
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()?;
    let document = DeTable::parse(text).ok()?;
    let value = document.get_ref().iter().find(|(name, _)| name.get_ref().as_ref() == key);
    let mut reader = Reader::of(Places::of(text));
    let table = value.map(|(_, value)| read(&mut reader, value)).unwrap_or_default();
    reader.problems.is_empty().then_some(table)
}

impl<'d> Reader<'d> {
    /// Reads the table, with all that is wrong in it.
    pub(super) fn versions(&mut self, value: &'d Spanned<DeValue<'_>>) -> VersionsTable {
        let mut table = VersionsTable::default();
        for (key, value) in self.table(value, "a table that says where versions are").into_iter().flatten() {
            match key.get_ref().as_ref() {
                "parameter" => table.parameter = self.place_of(value, "the name of a parameter"),
                _ => self.unknown_key(key, " in [versions]"),
            }
        }
        table
    }
}
