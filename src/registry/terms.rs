//! What a registry says of the store: where it is, and on what terms it takes and gives objects.

use std::str::FromStr;

use crate::location::Location;

/// How many digits the id of an account has.
const ACCOUNT_DIGITS: usize = 12;

/// The storage classes of S3 whose objects can be read at once (source: "Understanding and managing Amazon S3 storage classes").
const READABLE: &[&str] = &[
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "REDUCED_REDUNDANCY",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
    "SNOW",
    "FSX_OPENZFS",
    "FSX_ONTAP",
];

/// The storage classes of S3 whose objects have to be restored first, which takes hours.
const ARCHIVES: &[&str] = &["GLACIER", "DEEP_ARCHIVE"];

/// Holds what a registry file says of the store, in `[store]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreTable {
    /// Where artifacts live, as the file spells it.
    pub url: Option<String>,
    /// On what terms.
    pub terms: Terms,
}

/// Says on what terms a store takes and gives objects. They are S3's: to a store in a directory they mean nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// How the service encrypts what it keeps (`sse`, `kms-key`); as the bucket says, where there is none.
    pub encryption: Option<Encryption>,
    /// The account that must own the bucket (`expected-owner`), or every request is refused.
    pub expected_owner: Option<Account>,
    /// Whether whoever asks agrees to pay for it (`requester-pays`).
    pub requester_pays: bool,
    /// The storage class of artifacts (`storage-class`). Metafiles and registries are small and written again and again, which
    /// classes for rare access charge for, so they are always of the standard class.
    pub storage_class: Option<StorageClass>,
}

/// Says how S3 encrypts what it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With S3's own keys: `sse = "AES256"`.
    Aes256,
    /// With a key of the key management service, the account's own for S3 where none is named: `sse = "aws:kms"`.
    Kms(Option<String>),
}

/// Holds the id of an AWS account: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account(String);

/// Holds the name of a storage class of S3 whose objects can be read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageClass(&'static str);

/// Says why a text is not the id of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account's id has {ACCOUNT_DIGITS} digits")]
pub struct AccountError;

/// Says why a text is not the storage class of artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StorageClassError {
    /// What it holds cannot be read at once.
    #[error("what it holds has to be restored before it can be fetched")]
    Archive,
    /// S3 has no such class.
    #[error("the classes are {}", READABLE.join(", "))]
    Unknown,
}

impl StoreTable {
    /// Says whether the terms are those of the store at a location: of the bucket that the table names, or, where it names none, of
    /// whichever bucket is configured. Another bucket than the team's has an owner and keys of its own.
    #[must_use]
    pub fn describes(&self, location: &Location) -> bool {
        let Location::S3 { bucket, .. } = location else { return false };
        let Some(url) = &self.url else { return true };
        // Only a path is relative to anything, and no path is a bucket.
        let named = Location::parse(url, std::path::Path::new("/"));
        matches!(named, Ok(Location::S3 { bucket: named, .. }) if named == *bucket)
    }
}

impl Account {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let digits = text.len() == ACCOUNT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| Self(text.to_owned())).ok_or(AccountError)
    }
}

impl StorageClass {
    /// Returns the name that S3 has for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.0
    }
}

impl FromStr for StorageClass {
    type Err = StorageClassError;

    fn from_str(text: &str) -> Result<Self, StorageClassError> {
        if ARCHIVES.contains(&text) {
            return Err(StorageClassError::Archive);
        }
        READABLE.iter().find(|class| **class == text).map(|class| Self(class)).ok_or(StorageClassError::Unknown)
    }
}
