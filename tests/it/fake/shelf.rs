//! What the service keeps, and when it refuses to.

use std::collections::BTreeMap;

use bytes::Bytes;
use s3s::dto::{ETag, ETagCondition, LifecycleRule, Timestamp};
use s3s::{S3Error, S3Result, s3_error};

/// Some conditional writes meet a conflict although nothing is in their way: each one of so many.
const SPURIOUS: usize = 5;

/// In how many ways a write is refused.
const WAYS: usize = 3;

/// S3 takes no smaller part, but for the last.
const SMALLEST_PART: usize = 5 << 20;

#[derive(Debug, Clone, Default)]
pub struct Stored {
    pub bytes: Bytes,
    pub etag: String,
    pub metadata: BTreeMap<String, String>,
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
}

pub struct Upload {
    pub key: String,
    pub draft: Stored,
    pub parts: BTreeMap<i32, (Bytes, String)>,
    /// Whether a refused completion has spoiled it.
    pub spoiled: bool,
    pub begun: Timestamp,
}

#[derive(Default)]
pub struct Shelf {
    pub objects: BTreeMap<String, Stored>,
    pub uploads: BTreeMap<String, Upload>,
    pub begun: usize,
    pub calm: bool,
    /// Whether conditions are taken and not heeded, as some services do: `If-None-Match`, `If-Match`.
    pub heedless: (bool, bool),
    pub setup: Setup,
    versions: u64,
    conditional: usize,
    refusals: usize,
}

/// What the bucket's keepers have set up.
#[derive(Default)]
pub struct Setup {
    pub rules: Vec<LifecycleRule>,
    pub versioned: bool,
    pub open: bool,
    /// Whether it gives the whole of an object for a part of it.
    pub whole_for_part: bool,
    /// Whether it gives an object anew to those who have it.
    pub always_anew: bool,
}

/// The condition of a write.
pub struct Expected {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
}

impl Expected {
    fn is_some(&self) -> bool {
        self.if_match.is_some() || self.if_none_match.is_some()
    }
}

impl Shelf {
    /// Makes an empty one that begins with some way to refuse, and refuses nothing without a reason.
    pub fn calm(refusals: usize) -> Self {
        Self { refusals, calm: true, ..Self::default() }
    }

    /// Returns the way to refuse that comes next.
    pub fn mood(&self) -> usize {
        self.refusals % WAYS
    }

    /// Returns a tag that was never given before, and that is no digest.
    pub fn tag(&mut self) -> String {
        self.versions += 1;
        format!("v{}-of-no-digest", self.versions)
    }

    pub fn place(&mut self, key: &str, stored: Stored) -> String {
        let etag = self.tag();
        self.objects.insert(key.to_owned(), Stored { etag: etag.clone(), ..stored });
        etag
    }

    /// Refuses a write whose condition does not hold, in each way in turn; and, now and then, one whose condition does.
    pub fn admit(&mut self, key: &str, expected: &Expected) -> S3Result<()> {
        let stands = self.objects.get(key).map(|stored| stored.etag.as_str());
        let if_none_match = match &expected.if_none_match {
            None => true,
            Some(_) if self.heedless.0 => true,
            Some(ETagCondition::Any) => stands.is_none(),
            Some(ETagCondition::ETag(_)) => return Err(s3_error!(NotImplemented)),
        };
        let if_match = match &expected.if_match {
            None => true,
            Some(_) if self.heedless.1 => true,
            Some(ETagCondition::Any) => stands.is_some(),
            Some(ETagCondition::ETag(tag)) => stands == Some(tag.value()),
        };
        if !if_none_match || !if_match {
            let vanished = stands.is_none() && expected.if_match.is_some();
            return Err(self.refusal(vanished));
        }
        self.conditional += usize::from(expected.is_some());
        let calm = self.calm || self.heedless != (false, false);
        if expected.is_some() && !calm && self.conditional.is_multiple_of(SPURIOUS) {
            return Err(s3_error!(ConditionalRequestConflict));
        }
        Ok(())
    }

    fn refusal(&mut self, vanished: bool) -> S3Error {
        self.refusals += 1;
        match self.refusals % WAYS {
            0 if vanished => s3_error!(NoSuchKey),
            0 | 1 => s3_error!(PreconditionFailed),
            _ => s3_error!(ConditionalRequestConflict),
        }
    }

    pub fn upload(&mut self, id: &str, key: &str) -> S3Result<&mut Upload> {
        let upload = self.uploads.get_mut(id).filter(|upload| upload.key == key && !upload.spoiled);
        upload.ok_or_else(|| s3_error!(NoSuchUpload))
    }

    /// Completes an upload of the parts that are named, on a condition.
    pub fn complete(&mut self, id: &str, key: &str, parts: &[(i32, ETag)], expected: &Expected) -> S3Result<String> {
        let upload = self.upload(id, key)?;
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML));
        }
        if !parts.is_sorted_by(|one, other| one.0 < other.0) {
            return Err(s3_error!(InvalidPartOrder));
        }
        let mut whole = Vec::new();
        for (at, (number, tag)) in parts.iter().enumerate() {
            let (bytes, etag) = upload.parts.get(number).ok_or_else(|| s3_error!(InvalidPart))?;
            if etag != tag.value() {
                return Err(s3_error!(InvalidPart));
            }
            if bytes.len() < SMALLEST_PART && at + 1 < parts.len() {
                return Err(s3_error!(EntityTooSmall));
            }
            whole.extend_from_slice(bytes);
        }
        if let Err(refusal) = self.admit(key, expected) {
            self.upload(id, key)?.spoiled = true;
            return Err(refusal);
        }
        let upload = self.uploads.remove(id).unwrap();
        Ok(self.place(key, Stored { bytes: whole.into(), ..upload.draft }))
    }
}
