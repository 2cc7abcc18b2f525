//! Tries what writers do, on objects that are there for nothing else.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;

use super::{Check, DoctorError, Finding, Outcome};
use crate::address::Commit;
use crate::artifact::Name;
use crate::store::{Attributes, Condition, Content, Key, Store, StoreError, Tag};

/// How many writers write at once.
const WRITERS: usize = 8;

/// How often they do.
const ROUNDS: usize = 3;

/// How large the objects are that writers race with, in bytes: while they are sent, a store that looks before it writes is found out.
const SIZE: usize = 64 << 10;

/// Tests whether a store can be read, and changes nothing.
pub async fn read(store: &dyn Store, findings: &mut Vec<Finding>) {
    if reach(store, findings).await {
        let got = store.get(&Key::Metafile(commit()), 1).await.map(|_| "objects can be read".to_owned());
        findings.push(Finding::new(Check::Get, got.into()));
    }
}

/// Tests whether a store does what writers need. Everything is written `apart`, which must be a store of its own in which nothing else
/// lies, and is removed again.
pub async fn probe(store: &dyn Store, apart: &dyn Store, findings: &mut Vec<Finding>) {
    if !reach(store, findings).await {
        return;
    }
    let mut tell = |check, outcome| findings.push(Finding::new(check, outcome));
    let first = put(apart, &object("first"), body(0), Condition::Absent).await;
    let denied = matches!(first, Err(StoreError::AccessDenied { .. }));
    let refused = first.is_err();
    tell(Check::Put, first.map(|_| "objects can be put".to_owned()).into());
    if refused {
        let why = "nothing can be put to test it with";
        for check in [Check::Get, Check::Listing, Check::CreateOnly, Check::CreateOnlyParts, Check::CompareAndSwap] {
            tell(check, Outcome::Unknown(why.to_owned()));
        }
        // It may have been put all the same, and only the answer was lost.
        if !denied {
            tell(Check::Removal, remove(apart).await);
        }
        return;
    }
    tell(Check::Get, get(apart).await.into());
    tell(Check::Listing, listing(apart).await.into());
    tell(Check::CreateOnly, create_only(apart).await.into());
    tell(Check::CreateOnlyParts, create_only_parts(apart).await.into());
    tell(Check::CompareAndSwap, compare_and_swap(apart).await.into());
    tell(Check::Removal, remove(apart).await);
}

/// Lists an address; says whether there is any sense in asking for more.
async fn reach(store: &dyn Store, findings: &mut Vec<Finding>) -> bool {
    let listed = store.list(commit()).await;
    let more = match &listed {
        Ok(_) => true,
        Err(StoreError::AccessDenied { denial, .. }) => !denial.is_of_identity(),
        Err(_) => false,
    };
    findings.push(Finding::new(Check::List, listed.map(|_| "addresses can be listed".to_owned()).into()));
    more
}

/// Tells that the time ran out while the next check was under way.
pub fn late(limit: Duration, findings: &mut Vec<Finding>) {
    let told = |check: &&Check| !findings.iter().any(|finding| finding.check == **check);
    let next =
        Check::ALL.iter().skip_while(|check| **check != Check::List).find(told).copied().unwrap_or(Check::Removal);
    findings.push(Finding::new(next, Outcome::Wrong(DoctorError::Late(limit))));
}

async fn get(store: &dyn Store) -> Result<String, DoctorError> {
    let stands = store.get(&object("first"), SIZE as u64).await?;
    let same = stands.is_some_and(|(bytes, _)| bytes == body(0));
    if same { Ok("objects can be read, and are what was put".to_owned()) } else { Err(DoctorError::Altered) }
}

async fn listing(store: &dyn Store) -> Result<String, DoctorError> {
    for round in 0..ROUNDS {
        let name = name(&format!("listed-{round}"));
        put(store, &Key::Artifact(commit(), name.clone()), body(0), Condition::Absent).await?;
        if !store.list(commit()).await?.artifacts.contains_key(&name) {
            return Err(DoctorError::Unlisted);
        }
    }
    Ok(format!("a listing shows what was put before it ({ROUNDS} of {ROUNDS} times)"))
}

async fn create_only(store: &dyn Store) -> Result<String, DoctorError> {
    const WHAT: &str = "create-only put";
    expect_lost(put(store, &object("first"), body(1), Condition::Absent).await, WHAT)?;
    for round in 0..ROUNDS {
        race(store, &object(&format!("raced-{round}")), &Condition::Absent, round, WHAT).await?;
    }
    Ok(format!("a put that creates only replaces nothing; of {WRITERS} at once one wins ({ROUNDS} of {ROUNDS} times)"))
}

async fn create_only_parts(store: &dyn Store) -> Result<String, DoctorError> {
    let copied = store.copy(&object("listed-0"), &object("first"), None).await;
    expect_lost(copied, "create-only upload in parts")?;
    Ok("an upload in parts that creates only replaces nothing".to_owned())
}

async fn compare_and_swap(store: &dyn Store) -> Result<String, DoctorError> {
    const WHAT: &str = "compare-and-swap";
    let key = Key::Metafile(commit());
    let old = put(store, &key, body(0), Condition::Absent).await?;
    put(store, &key, body(1), Condition::Matches(old.clone())).await?;
    expect_lost(put(store, &key, body(2), Condition::Matches(old)).await, WHAT)?;
    for round in 0..ROUNDS {
        let stands = store.get(&key, SIZE as u64).await?;
        let (_, tag) = stands.ok_or_else(|| StoreError::NotFound(store.url(&key)))?;
        race(store, &key, &Condition::Matches(tag), round, WHAT).await?;
    }
    Ok(format!(
        "a put over another version than was read replaces nothing; of {WRITERS} at once one wins ({ROUNDS} of {ROUNDS} times)"
    ))
}

/// Has several write at once on the same condition. A winner whose answer was lost takes itself for a loser, so there may be none.
///
/// Nobody writes what anybody wrote before: a tag may be made of the bytes, and would then be that of the earlier version again.
async fn race(
    store: &dyn Store,
    key: &Key,
    condition: &Condition,
    round: usize,
    what: &'static str,
) -> Result<(), DoctorError> {
    let write = |writer| async move { (writer, put(store, key, body(writer), condition.clone()).await) };
    let writers = (0..WRITERS).map(|writer| WRITERS * (round + 1) + writer);
    let mut winners = Vec::new();
    for (writer, written) in join_all(writers.map(write)).await {
        match written {
            Ok(_) => winners.push(writer),
            Err(StoreError::Precondition { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match winners.as_slice() {
        [] => Ok(()),
        [winner] => {
            let stands = store.get(key, SIZE as u64).await?;
            if stands.is_some_and(|(bytes, _)| bytes == body(*winner)) { Ok(()) } else { Err(DoctorError::Altered) }
        }
        several => Err(DoctorError::Raced { what, writers: WRITERS, winners: several.len() }),
    }
}

/// Removes all that the tests may have put.
pub async fn remove(store: &dyn Store) -> Outcome {
    let rounds = |word: &'static str| (0..ROUNDS).map(move |round| object(&format!("{word}-{round}")));
    let keys: Vec<Key> =
        [object("first"), Key::Metafile(commit())].into_iter().chain(rounds("listed")).chain(rounds("raced")).collect();
    let refused = join_all(keys.iter().map(|key| store.delete(key))).await.into_iter().find_map(Result::err);
    let stay = format!("up to {} small objects of these tests stay below {}", keys.len(), store.root());
    match refused {
        None => Outcome::fine("what these tests put is deleted"),
        Some(StoreError::AccessDenied { .. }) => Outcome::doubtful(
            format!("{stay}: these credentials may delete nothing"),
            "publishing needs no s3:DeleteObject; granted below builds/.doctor/ alone, it lets the doctor tidy up",
        ),
        Some(error) => Outcome::doubtful(format!("{stay}: {error}"), "delete them when the store answers again"),
    }
}

fn expect_lost<T>(written: Result<T, StoreError>, what: &'static str) -> Result<(), DoctorError> {
    match written {
        Ok(_) => Err(DoctorError::Ignored { what }),
        Err(StoreError::Precondition { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn put(store: &dyn Store, key: &Key, bytes: Bytes, condition: Condition) -> Result<Tag, StoreError> {
    Ok(store.put(key, Content::Bytes(bytes), Attributes::default(), &condition).await?.tag)
}

/// Returns what a writer writes.
fn body(writer: usize) -> Bytes {
    format!("writer {writer}\n").into_bytes().into_iter().cycle().take(SIZE).collect()
}

/// Returns a commit that nobody can make.
fn commit() -> Commit {
    format!("{:040x}", 1).parse().expect("because it is forty digits, and not all of them zero")
}

fn name(text: &str) -> Name {
    text.parse().expect("because it has only letters, digits and hyphens")
}

fn object(text: &str) -> Key {
    Key::Artifact(commit(), name(text))
}
