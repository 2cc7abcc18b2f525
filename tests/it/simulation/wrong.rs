//! Publishing as it is not done: in its right form and in forms that are known to be wrong. A simulation that does not see those sees nothing.

use bytes::Bytes;
use metalogic::artifact::Digest;
use metalogic::metafile::{LARGEST, Metafile};
use metalogic::metalogic::{Keep, Metalogic, Vocabulary};
use metalogic::store::{Attributes, Condition, Content, Key, Store, StoreError};

use super::acts;
use super::play::{self, Play, Wrong};
use super::truths::Truths;

pub async fn publish(
    play: &Play,
    wrong: Wrong,
    store: &dyn Store,
    (at, name, odd): (usize, &str, bool),
    vocabulary: Vocabulary,
    truths: &Truths<'_>,
) -> Result<String, String> {
    let told = |error: StoreError| format!("{error:?}");
    let (commit, name) = (play::commit(at), acts::name(name));
    let content = acts::content(at, name.as_str(), odd);
    let artifact = Key::Artifact(commit, name.clone());
    let stands = async || {
        let stands = store.get(&artifact, LARGEST).await.map_err(told)?;
        Ok::<_, String>(stands.map(|(bytes, _)| bytes == content.as_bytes()))
    };
    let put = async || {
        // Whoever looks before meets nobody's bytes but those that came since: most often his own.
        if wrong == Wrong::OwnConflict
            && let Some(equal) = stands().await?
        {
            return Ok(equal);
        }
        let attributes = Attributes { sha256: Some(Digest::of(content.as_bytes())), mode: None };
        let condition = if wrong == Wrong::BlindArtifact { Condition::None } else { Condition::Absent };
        match store.put(&artifact, Content::Bytes(Bytes::from(content.clone())), attributes, &condition).await {
            Err(StoreError::Precondition { .. }) if wrong != Wrong::OwnConflict => Ok(stands().await? == Some(true)),
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
            Wrong::Nothing
            | Wrong::MetafileFirst
            | Wrong::BlindMetafile
            | Wrong::BlindArtifact
            | Wrong::OwnConflict => read.as_ref().map(|(_, tag)| tag.clone()),
        };
        listing.artifacts.insert(name.clone(), 1);
        let mut rule = Metalogic::begin(commit, &listing, vocabulary.clone());
        for ancestor in play.line(at).skip(1).take(play.most).map(play::commit) {
            rule.pass(ancestor, &store.list(ancestor).await.map_err(told)?);
        }
        let mut own = read.as_ref().and_then(|(bytes, _)| Metafile::parse(bytes, commit).ok());
        let parent = play.parents[at].map(play::commit);
        for ancestor in play.line(at).skip(1).take(play.most).map(play::commit) {
            if own.is_some() {
                break;
            }
            let metafile = store.get(&Key::Metafile(ancestor), LARGEST).await.map_err(told)?;
            let metafile = metafile.and_then(|(bytes, _)| Metafile::parse(&bytes, ancestor).ok());
            own = metafile.map(|metafile| metafile.stub(commit, parent));
        }
        let metafile = rule.finish(parent, own.as_ref(), Keep::Everything).metafile;
        let condition = match tag {
            _ if wrong == Wrong::BlindMetafile => Condition::None,
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
    Ok("published in another way".to_owned())
}
