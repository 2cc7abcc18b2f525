//! Publishing in ways that are known to be wrong: a simulation that does not see them sees nothing.

use bytes::Bytes;
use metalogic::artifact::Digest;
use metalogic::metafile::{LARGEST, Metafile};
use metalogic::metalogic::{Keep, Metalogic};
use metalogic::store::{Attributes, Condition, Content, Key, Store, StoreError};

use super::cast::{self, Play, Wrong};
use super::truths::Truths;

pub async fn publish(
    play: &Play,
    wrong: Wrong,
    store: &dyn Store,
    at: usize,
    name: &str,
    odd: bool,
    truths: &Truths<'_>,
) -> Result<String, String> {
    let told = |error: StoreError| format!("{error:?}");
    let (commit, name) = (cast::commit(at), cast::name(name));
    let content = cast::content(at, name.as_str(), odd);
    let artifact = Key::Artifact(commit, name.clone());
    let put = async || {
        let attributes = Attributes { sha256: Some(Digest::of(content.as_bytes())), mode: None };
        match store.put(&artifact, Content::Bytes(Bytes::from(content.clone())), attributes, &Condition::Absent).await {
            Err(StoreError::Precondition { .. }) if wrong != Wrong::OwnConflict => {
                let stands = store.get(&artifact, LARGEST).await.map_err(told)?;
                Ok(stands.is_some_and(|(bytes, _)| bytes == content.as_bytes()))
            }
            Err(StoreError::Precondition { .. }) => {
                truths.told_of_a_conflict(&artifact, &content);
                Ok(false)
            }
            put => put.map(|_| true).map_err(told),
        }
    };
    if wrong != Wrong::MetafileFirst && !put().await? {
        return Ok("conflict".to_owned());
    }
    loop {
        let key = Key::Metafile(commit);
        let read = store.get(&key, LARGEST).await.map_err(told)?;
        let mut listing = store.list(commit).await.map_err(told)?;
        let tag = match wrong {
            Wrong::TagAfterLook => store.get(&key, LARGEST).await.map_err(told)?.map(|(_, tag)| tag),
            Wrong::MetafileFirst | Wrong::Blind | Wrong::OwnConflict => read.as_ref().map(|(_, tag)| tag.clone()),
        };
        listing.artifacts.insert(name.clone(), 1);
        let mut rule = Metalogic::begin(commit, &listing, cast::vocabulary());
        let parents = std::iter::successors(play.parents[at], |&place| play.parents[place]);
        for parent in parents.map(cast::commit) {
            rule.pass(parent, &store.list(parent).await.map_err(told)?);
        }
        let own = read.as_ref().and_then(|(bytes, _)| Metafile::parse(bytes, commit).ok());
        let metafile = rule.finish(play.parents[at].map(cast::commit), own.as_ref(), Keep::Everything).metafile;
        let condition = match tag {
            _ if wrong == Wrong::Blind => Condition::None,
            None => Condition::Absent,
            Some(tag) => Condition::Matches(tag),
        };
        let bytes = Content::Bytes(Bytes::from(metafile.to_bytes().unwrap()));
        match store.put(&key, bytes, Attributes::default(), &condition).await {
            Ok(_) => break,
            Err(StoreError::Precondition { .. }) => {}
            Err(error) => return Err(told(error)),
        }
    }
    if wrong == Wrong::MetafileFirst && !put().await? {
        return Ok("conflict".to_owned());
    }
    truths.published(commit, std::iter::once(&name));
    Ok("published wrongly".to_owned())
}
