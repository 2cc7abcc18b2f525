//! What is read: listings, heads, and objects.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;
use futures::StreamExt as _;
use futures::stream;
use percent_encoding::percent_decode_str;

use super::ahead;
use super::body::Reading;
use super::bucket::{Bucket, TRIES};
use super::failed::Failed;
use crate::address::Commit;
use crate::aws::pause;
use crate::metalogic::Listing;
use crate::store::{Attributes, Body, Key, Object, Prefix, StoreError, Tag, is_near};

/// The names under which attributes are recorded in an object's user metadata.
pub(super) const SHA256: &str = "sha256";
pub(super) const MODE: &str = "mode";

/// Lists an address. Entries that only look like folders come with a slash at their ends.
pub(super) async fn list(bucket: &Bucket, commit: Commit) -> Result<Listing, StoreError> {
    let address = commit.address();
    Ok(entries(bucket, &address, Some("/")).await?.into_iter().collect())
}

/// Returns what follows a prefix in the keys that begin with it, sorted.
pub(super) async fn keys(bucket: &Bucket, prefix: &Prefix) -> Result<Vec<String>, StoreError> {
    let found = entries(bucket, &prefix.to_string(), None).await?;
    let mut rests: Vec<String> = found.into_iter().map(|(rest, _)| rest).filter(|rest| is_near(rest)).collect();
    rests.sort();
    Ok(rests)
}

/// How many pages without a name may follow each other: a service may have them, but not for ever.
const MOST_EMPTY: usize = 100;

/// How many names a listing has at most, and bytes of them: more are no address of anybody's, but a listing that never ends.
const MOST_NAMES: usize = 1_000_000;
const MOST_BYTES: usize = 128 << 20;

/// Lists what begins with a prefix, page by page: what follows it, and sizes in bytes.
async fn entries(bucket: &Bucket, what: &str, delimiter: Option<&str>) -> Result<Vec<(String, u64)>, StoreError> {
    let prefix = bucket.below(what);
    let corrupt = |problem: String| StoreError::Corrupt { key: what.to_owned(), problem };
    let mut found: Vec<(String, u64)> = Vec::new();
    let (mut next, mut empty, mut bytes): (Option<String>, usize, usize) = (None, 0, 0);
    loop {
        let page = page(bucket, &prefix, delimiter, next.as_ref()).await;
        let (page, escaped) = page.map_err(|failed| bucket.error(what, failed.of_listing()))?;
        let before = found.len();
        for (key, size) in on_page(&page) {
            let key = spelled(key, escaped).map_err(corrupt)?;
            let name = key.strip_prefix(&prefix);
            let name = name.ok_or_else(|| corrupt(format!("its listing has {key:?}, which does not lie there")))?;
            bytes += name.len();
            found.push((name.to_owned(), size));
        }
        if page.is_truncated() != Some(true) {
            return Ok(found);
        }
        empty = if found.len() == before { empty + 1 } else { 0 };
        if empty >= MOST_EMPTY {
            return Err(corrupt(format!("its listing goes on after {empty} empty pages")));
        }
        if found.len() > MOST_NAMES || bytes > MOST_BYTES {
            return Err(corrupt(format!("its listing has no end after {} names of {bytes} bytes", found.len())));
        }
        let token = page.next_continuation_token;
        if token.is_none() || token == next {
            return Err(corrupt("its listing has a further page and does not say how to get it".to_owned()));
        }
        next = token;
    }
}

/// Asks for a page of a listing, and says whether its keys have escapes. XML has no control characters, and keys may: where an answer cannot be read, they are asked for in escapes.
async fn page(
    bucket: &Bucket,
    prefix: &str,
    delimiter: Option<&str>,
    next: Option<&String>,
) -> Result<(ListObjectsV2Output, bool), Failed> {
    let ask = |encoding: Option<EncodingType>| {
        bucket.ask(move |client: aws_sdk_s3::Client| {
            let page = client.list_objects_v2().bucket(&bucket.name).prefix(prefix).set_encoding_type(encoding.clone());
            page.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(next.cloned()).send()
        })
    };
    match ask(None).await {
        Err(failed) if failed.is_unreadable() => match ask(Some(EncodingType::Url)).await {
            Ok(page) if page.encoding_type() == Some(&EncodingType::Url) => Ok((page, true)),
            // Who does not know of escapes is no better understood now.
            Ok(_) | Err(_) => Err(failed),
        },
        answered => answered.map(|page| (page, false)),
    }
}

/// Returns a key of a page without the escapes that were asked for, among which a plus is a space.
fn spelled(key: &str, escaped: bool) -> Result<Cow<'_, str>, String> {
    if !escaped {
        return Ok(Cow::Borrowed(key));
    }
    let spaced = key.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8();
    text.map(|text| Cow::Owned(text.into_owned())).map_err(|_| format!("its listing has {key:?}, which is no text"))
}

fn on_page(page: &ListObjectsV2Output) -> impl Iterator<Item = (&str, u64)> {
    let objects = page.contents().iter().filter_map(|object| Some((object.key()?, length(object.size()))));
    let folders = page.common_prefixes().iter().filter_map(|folder| Some((folder.prefix()?, 0)));
    objects.chain(folders)
}

/// Returns what is known of an object, and its tag.
pub(super) async fn head(bucket: &Bucket, key: &Key) -> Result<Option<(Object, Tag)>, StoreError> {
    let object = bucket.object(key);
    let ask = || bucket.ask(|client| client.head_object().bucket(&bucket.name).key(&object).send());
    let mut answer = ask().await;
    if answer.as_ref().is_err_and(Failed::is_mute) {
        // An answer to HEAD has no body to say why it is a refusal. One to GET has, and what the SDK learns from it may mend HEAD.
        answer = match request(bucket, key, Some(&(0..1)), Wanted::Any).await {
            Err(failed) if !failed.is_beyond() => Err(failed),
            Ok(_) | Err(_) => ask().await,
        };
    }
    match answer {
        Err(failed) if failed.is_missing() => Ok(None),
        Err(failed) => Err(bucket.error(&key.to_string(), failed.of_reading())),
        Ok(answer) => {
            let attributes = attributes(|name| answer.metadata()?.get(name).map(String::as_str));
            let object = Object { size: length(answer.content_length()), attributes };
            let tag = tagged(answer.e_tag).map_err(|failed| bucket.error(&key.to_string(), failed))?;
            Ok(Some((object, tag)))
        }
    }
}

fn tagged(tag: Option<String>) -> Result<Tag, Failed> {
    tag.map(Tag).ok_or_else(|| Failed::without_answer("the store gives the object without an ETag".to_owned()))
}

/// Opens an object, or a range of it.
pub(super) async fn open(
    bucket: &Arc<Bucket>,
    key: &Key,
    range: Option<Range<u64>>,
) -> Result<Option<(Object, Body)>, StoreError> {
    let is_part = range.is_some();
    let begun = match &range {
        // No request asks for no bytes.
        Some(range) if range.is_empty() => None,
        _ => match begin(bucket, key, range.as_ref().map(|range| bucket.ahead.first(range)), Wanted::Any).await {
            Err(Beginning::Beyond) => None,
            Err(beginning @ (Beginning::Unchanged | Beginning::Store(_))) => return Err(beginning.of_whole(key)),
            Ok(None) => return Ok(None),
            Ok(begun) => begun,
        },
    };
    let Some((object, mut reading)) = begun else {
        let nothing = || Body::Stream(stream::empty().boxed());
        return Ok(head(bucket, key).await?.map(|(object, _)| (object, nothing())));
    };
    let end = range.map_or(object.size, |range| range.end.min(object.size));
    reading.end_at(end);
    if !is_part && reading.knows_ranges() {
        ahead::share(&mut reading);
    }
    Ok(Some((object, Body::Stream(ahead::pieces(reading, end).boxed()))))
}

/// Says why an object is not being read.
pub(super) enum Beginning {
    /// It ends before the bytes that were asked for.
    Beyond,
    /// It is still the version that is known.
    Unchanged,
    /// Another reason.
    Store(StoreError),
}

impl Beginning {
    /// Returns what it is to whoever asked for the whole, whatever version that is.
    pub(super) fn of_whole(self, key: &Key) -> StoreError {
        let corrupt = |problem: &str| StoreError::Corrupt { key: key.to_string(), problem: problem.to_owned() };
        match self {
            Self::Beyond => corrupt("its store takes the whole for a range"),
            Self::Unchanged => corrupt("its store says that it has not changed, which nobody asked"),
            Self::Store(error) => error,
        }
    }
}

/// Says which version of an object is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// Whichever stands there.
    Any,
    /// This one.
    This(&'a Tag),
    /// Any but this one.
    Another(&'a Tag),
}

/// Begins to read an object, or a range of it that is not empty.
pub(super) async fn begin(
    bucket: &Arc<Bucket>,
    key: &Key,
    range: Option<Range<u64>>,
    wanted: Wanted<'_>,
) -> Result<Option<(Object, Reading)>, Beginning> {
    let (answer, tag) = match request(bucket, key, range.as_ref(), wanted).await {
        Ok(answer) => answer,
        Err(failed) if failed.is_missing() => return Ok(None),
        Err(failed) if failed.is_beyond() => return Err(Beginning::Beyond),
        Err(failed) if failed.is_unchanged() => return Err(Beginning::Unchanged),
        Err(failed) => return Err(Beginning::Store(bucket.error(&key.to_string(), failed.of_reading()))),
    };
    // A service that knows no ranges gives the whole, which begins as well with the bytes that were asked for.
    let is_part = range.as_ref().is_some_and(|range| range.start > 0 || answer.content_range().is_some());
    let start = range.as_ref().map_or(0, |range| range.start);
    let (bytes, size) = extent(&answer, start, is_part)
        .map_err(|problem| Beginning::Store(StoreError::Corrupt { key: key.to_string(), problem }))?;
    let attributes = attributes(|name| answer.metadata()?.get(name).map(String::as_str));
    Ok(Some((Object { size, attributes }, Reading::new(Arc::clone(bucket), key.clone(), bytes, answer, tag))))
}

/// Holds an answer that has an object's bytes, and the tag of their version.
pub(super) type Answer = (GetObjectOutput, Tag);

/// How many bytes of an answer that has no object are looked at.
const WORDS: usize = 4 << 10;

/// Asks for an object's bytes: for all of them, or for a range.
///
/// Some services write an error where the object should be, and say that all is well. Such an answer has no tag.
pub(super) async fn request(
    bucket: &Bucket,
    key: &Key,
    range: Option<&Range<u64>>,
    wanted: Wanted<'_>,
) -> Result<Answer, Failed> {
    let mut attempt = 1;
    loop {
        let mut answer = request_once(bucket, key, range, wanted).await?;
        if let Some(tag) = answer.e_tag.take() {
            return Ok((answer, Tag(tag)));
        }
        let failed = instead(bucket, answer).await;
        if !failed.may_pass() || attempt == TRIES {
            return Err(failed);
        }
        pause(attempt).await;
        attempt += 1;
    }
}

/// Returns what an answer says that has no object.
async fn instead(bucket: &Bucket, mut answer: GetObjectOutput) -> Failed {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(piece)) = answer.body.try_next().await {
            body.extend_from_slice(&piece);
            if body.len() >= WORDS {
                break;
            }
        }
    };
    // As much as comes is enough.
    drop(tokio::time::timeout(bucket.timeout, reading).await);
    Failed::in_body(&body)
}

async fn request_once(
    bucket: &Bucket,
    key: &Key,
    range: Option<&Range<u64>>,
    wanted: Wanted<'_>,
) -> Result<GetObjectOutput, Failed> {
    let object = bucket.object(key);
    let range = range.map(|range| match range.end.saturating_sub(1) {
        // Beyond what S3 counts there is nothing.
        last if last > i64::MAX as u64 => format!("bytes={}-", range.start),
        last => format!("bytes={}-{last}", range.start),
    });
    let (this, another) = match wanted {
        Wanted::Any => (None, None),
        Wanted::This(tag) => (Some(tag.0.clone()), None),
        Wanted::Another(tag) => (None, Some(tag.0.clone())),
    };
    let ask = |client: aws_sdk_s3::Client| {
        let get = client.get_object().bucket(&bucket.name).key(&object).set_range(range.clone());
        get.set_if_match(this.clone()).set_if_none_match(another.clone()).send()
    };
    bucket.ask(ask).await
}

/// Returns which bytes of an object an answer has, and the size of the whole.
pub(super) fn extent(answer: &GetObjectOutput, start: u64, ranged: bool) -> Result<(Range<u64>, u64), String> {
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
    let length = length.ok_or("its store does not say how long it is")?;
    if !ranged {
        return Ok((0..length, length));
    }
    let told = answer.content_range().ok_or("its store gives the whole for a range")?;
    let parts = told.strip_prefix("bytes ").and_then(|told| told.split_once('/'));
    let parts = parts.and_then(|(range, size)| {
        let (first, last) = range.split_once('-')?;
        Some((first.parse::<u64>().ok()?..last.parse::<u64>().ok()?.checked_add(1)?, size.parse().ok()?))
    });
    match parts {
        Some((range, size))
            if range.start == start && range.end.checked_sub(start) == Some(length) && range.end <= size =>
        {
            Ok((range, size))
        }
        _ => Err(format!("its store gives {told} for a range from {start}")),
    }
}

/// Reads the attributes in user metadata. What makes no sense was not written by this program and counts as nothing.
fn attributes<'m>(metadata: impl Fn(&str) -> Option<&'m str>) -> Attributes {
    Attributes {
        sha256: metadata(SHA256).and_then(|text| text.parse().ok()),
        mode: metadata(MODE).and_then(|text| text.parse().ok()),
    }
}

fn length(told: Option<i64>) -> u64 {
    told.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
}
