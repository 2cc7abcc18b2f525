//! What stagers leave behind, and what they are refused.

use std::sync::Arc;

use metalogic::artifact::Digest;
use metalogic::failure::{Failure, Kind};
use metalogic::release::{Origin, Release};
use metalogic::shelf::{Content, Shelf as _, ShelfError, Staged, Staging};
use metalogic::store::memory::MemoryStore;
use metalogic::store::{self, Attributes, Condition, Key, Store as _};

use super::account::{Fate, Fates, Fine, Ground, Ware, Where, name, text, version, ware};

fn told(error: ShelfError) -> Failure {
    Failure::all_of(&error.into()).remove(0)
}

async fn stage(ground: &Ground, staging: &Staging) -> Result<Staged, ShelfError> {
    ground.shelf(Fine).await.unwrap().stage(staging).await
}

#[tokio::test]
async fn a_staged_release_is_what_startifact_makes_of_it() {
    let ground = Ground::described().await;
    let mut ware = ware("1.0.0+build.5", b"bytes", &[("lang", "dötnet\n"), ("a", "1")]);
    ware.staging.release.filename = Some("dist.tar.gz".parse().unwrap());
    let staged = stage(&ground, &ware.staging).await.unwrap();
    let expected = Staged {
        // Startifact has nowhere to say when a file was staged.
        release: Release { at: None, ..ware.staging.release.clone() },
        present: false,
        bytes_sent: 5,
        url: "s3://bucket-eu/org/app@1.0.0+build.5".to_owned(),
        latest: Some(version("1.0.0+build.5")),
    };
    assert_eq!(staged, expected);
    let bucket = ground.bucket("eu");
    assert_eq!(text(&bucket, "org/app@1.0.0+build.5").unwrap(), "bytes");
    assert_eq!(
        text(&bucket, "org/app@1.0.0+build.5/metadata").unwrap(),
        "{\n  \"a\": \"1\",\n  \"lang\": \"d\\u00f6tnet\\n\",\n  \"startifact:filename\": \"dist.tar.gz\"\n}"
    );
    assert_eq!(ground.said("latest", "/org-app/latest").await.as_deref(), Some("1.0.0+build.5"));
    let again = stage(&ground, &ware.staging).await.unwrap();
    assert_eq!(again, Staged { present: true, bytes_sent: 0, ..expected });
}

#[tokio::test]
async fn without_metadata_nothing_stands_beside_the_bytes() {
    let ground = Ground::described().await;
    stage(&ground, &ware("1.0.0", b"1", &[]).staging).await.unwrap();
    assert_eq!(ground.bucket("eu").objects().len(), 1);
}

#[tokio::test]
async fn other_bytes_are_a_conflict_that_names_both_digests() {
    let ground = Ground::described().await;
    stage(&ground, &ware("1.0.0", b"one", &[]).staging).await.unwrap();
    let conflict = told(stage(&ground, &ware("1.0.0", b"two", &[]).staging).await.unwrap_err());
    assert_eq!(conflict.kind, Kind::Conflict);
    let (there, here) = (Digest::of(b"one"), Digest::of(b"two"));
    let place = "app 1.0.0 stands in s3://bucket-eu in eu already, and is another: ";
    assert_eq!(conflict.message, format!("{place}SHA-256 {there} there, {here} here"));
    assert_eq!(text(&ground.bucket("eu"), "org/app@1.0.0").unwrap(), "one");
    // What Startifact itself staged has no digest beside it: its bytes are looked at.
    ground.bucket("eu").plant("org/app@2.0.0", "two");
    assert!(stage(&ground, &ware("2.0.0", b"one", &[]).staging).await.is_err());
    stage(&ground, &ware("2.0.0", b"two", &[]).staging).await.unwrap();
}

#[tokio::test]
async fn other_metadata_is_a_conflict_that_names_what_differs() {
    let ground = Ground::described().await;
    stage(&ground, &ware("1.0.0", b"1", &[("a", "1"), ("b", "2"), ("c", "3")]).staging).await.unwrap();
    let other = ware("1.0.0", b"1", &[("a", "1"), ("b", "x"), ("d", "4")]);
    let conflict = told(stage(&ground, &other.staging).await.unwrap_err());
    assert_eq!(conflict.kind, Kind::Conflict);
    let difference = r#"b is "2" there and "x" here, c is "3" there and nothing here, d is nothing there and "4" here"#;
    assert!(conflict.message.ends_with(difference), "{}", conflict.message);
    let none = told(stage(&ground, &ware("1.0.0", b"1", &[]).staging).await.unwrap_err());
    assert_eq!(none.kind, Kind::Conflict, "to say nothing is to say something else");
}

#[tokio::test]
async fn a_file_name_makes_a_difference_where_somebody_asked_for_it() {
    let ground = Ground::described().await;
    let named = |text: &str, named: bool| {
        let mut ware = ware("1.0.0", b"1", &[("a", "1")]);
        ware.staging.release.filename = Some(text.parse().unwrap());
        ware.staging.named = named;
        ware
    };
    stage(&ground, &ware("1.0.0", b"1", &[("a", "1")]).staging).await.unwrap();
    assert!(stage(&ground, &named("x.zip", false).staging).await.unwrap().present);
    let conflict = told(stage(&ground, &named("x.zip", true).staging).await.unwrap_err());
    assert!(
        conflict.message.ends_with(r#"startifact:filename is nothing there and "x.zip" here"#),
        "{}",
        conflict.message
    );
}

#[tokio::test]
async fn keys_with_a_meaning_of_their_own_are_not_free() {
    let ground = Ground::described().await;
    for key in ["startifact:filename", "metalogic:commit", "metalogic:any"] {
        let failure = told(stage(&ground, &ware("1.0.0", b"1", &[(key, "x")]).staging).await.unwrap_err());
        assert_eq!(
            (failure.kind, failure.message),
            (Kind::Usage, format!("the metadata key {key} is not free to use"))
        );
    }
    assert!(ground.bucket("eu").objects().is_empty());
}

#[tokio::test]
async fn the_same_version_with_other_build_metadata_is_refused() {
    let ground = Ground::described().await;
    stage(&ground, &ware("1.0.0+a", b"1", &[]).staging).await.unwrap();
    for other in ["1.0.0", "1.0.0+b"] {
        let refused = told(stage(&ground, &ware(other, b"1", &[]).staging).await.unwrap_err());
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.starts_with(&format!("app {other} is staged as 1.0.0+a in")), "{}", refused.message);
    }
    stage(&ground, &ware("1.0.0-rc.1", b"1", &[]).staging).await.unwrap();
    stage(&ground, &ware("1.0.1", b"1", &[]).staging).await.unwrap();
    assert_eq!(ground.bucket("eu").objects().len(), 3);
}

#[tokio::test]
async fn a_back_port_and_a_pre_release_do_not_become_latest() {
    let ground = Ground::described().await;
    for (text, latest) in [
        ("2.0.0-rc.1", None),
        ("1.0.0", Some("1.0.0")),
        ("2.0.0", Some("2.0.0")),
        ("1.0.5", Some("2.0.0")),
        ("3.0.0-rc.1", Some("2.0.0")),
    ] {
        let staged = stage(&ground, &ware(text, text.as_bytes(), &[]).staging).await.unwrap();
        assert_eq!(staged.latest.map(|version| version.to_string()).as_deref(), latest);
        assert_eq!(ground.said("latest", "/org-app/latest").await.as_deref(), latest);
    }
    // What another program sets is mended by whoever stages next, whatever it is.
    for odd in ["3.0.0-rc.1", "1.0.5", "nonsense", "9.9.9"] {
        ground.set("latest", "/org-app/latest", odd).await;
        stage(&ground, &ware("1.0.5", b"1.0.5", &[]).staging).await.unwrap();
        assert_eq!(ground.said("latest", "/org-app/latest").await.as_deref(), Some("2.0.0"));
    }
}

#[tokio::test]
async fn where_there_are_only_pre_releases_the_parameter_is_left_alone() {
    let ground = Ground::described().await;
    ground.set("latest", "/org-app/latest", "0.9.0").await;
    let staged = stage(&ground, &ware("1.0.0-rc.1", b"1", &[]).staging).await.unwrap();
    assert_eq!(staged.latest, None);
    assert_eq!(ground.said("latest", "/org-app/latest").await.as_deref(), Some("0.9.0"));
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_says_what_would_be() {
    for ground in [Ground::described().await, Ground::released(&["a", "b"]).await] {
        stage(&ground, &ware("1.0.0", b"1", &[("a", "1")]).staging).await.unwrap();
        let nothing_more = Where { words: vec![("put", Fate::Denied), ("copy", Fate::Denied)], ..Where::default() };
        let dry = ground.shelf(nothing_more).await.unwrap();
        let would = async |ware: &Ware| dry.shelf.stage(&ware.staging, true).await;
        let new = would(&ware("2.0.0", b"2", &[("a", "1")])).await.unwrap();
        assert_eq!((new.present, new.bytes_sent, new.latest), (false, 0, Some(version("2.0.0"))));
        assert!(would(&ware("1.0.0", b"1", &[("a", "1")])).await.unwrap().present);
        for conflict in
            [ware("1.0.0", b"2", &[("a", "1")]), ware("1.0.0", b"1", &[("a", "2")]), ware("1.0.0+x", b"1", &[])]
        {
            assert!(would(&conflict).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_region_that_fails_does_not_keep_others_from_being_staged() {
    let ground = Ground::released(&["a", "b", "c"]).await;
    let ware = ware("1.0.0", b"1", &[("a", "1")]);
    let down = Where { words: vec![("b/s3 put", Fate::Lost)], ..Where::default() };
    let partly = told(ground.shelf(down).await.unwrap().stage(&ware.staging).await.unwrap_err());
    assert_eq!(partly.kind, Kind::Unavailable);
    assert_eq!(partly.message, "app 1.0.0 is staged in 2 of 3 regions");
    assert!(partly.causes[0].starts_with("b failed: b does not answer: "), "{:?}", partly.causes);
    assert_eq!(partly.causes[1..], ["a has it", "c has it"]);
    assert!(partly.hint.unwrap().contains("stage it again"));
    let staged = async |region: &str| ground.said(region, "/app/latest").await.is_some();
    assert!(staged("a").await && !staged("b").await && staged("c").await);
    // Regions may fail of different things.
    let down = Where { words: vec![("c/s3", Fate::Denied), ("b/s3", Fate::Lost)], ..Where::default() };
    assert_eq!(told(ground.shelf(down).await.unwrap().stage(&ware.staging).await.unwrap_err()).kind, Kind::Several);
    let again = stage(&ground, &ware.staging).await.unwrap();
    assert_eq!((again.present, again.bytes_sent), (false, 1), "what was staged is not sent again");
    assert!(staged("b").await);
}

#[tokio::test]
async fn what_is_at_odds_with_one_region_is_staged_in_none() {
    for standing in ["app@1.0.0", "app@1.0.0+x"] {
        let ground = Ground::released(&["a", "b", "c"]).await;
        ground.bucket("c").plant(standing, "other bytes");
        let refused = told(stage(&ground, &ware("1.0.0", b"1", &[]).staging).await.unwrap_err());
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains("s3://bucket-c in c"), "{}", refused.message);
        assert!(ground.bucket("a").objects().is_empty() && ground.bucket("b").objects().is_empty());
    }
}

#[tokio::test]
async fn a_dry_run_says_of_no_region_that_it_has_what_it_has_not() {
    let ground = Ground::released(&["a", "b"]).await;
    let down = Where { words: vec![("b/s3", Fate::Lost)], ..Where::default() };
    let shelf = ground.shelf(down).await.unwrap().shelf;
    let away = told(shelf.stage(&ware("1.0.0", b"1", &[]).staging, true).await.unwrap_err());
    assert_eq!((away.kind, away.message.as_str()), (Kind::Unavailable, "b does not answer"));
}

#[tokio::test]
async fn where_the_first_region_fails_nothing_is_staged_in_any_other() {
    for (word, fate, kind) in [
        ("a/s3 put", Fate::Lost, Kind::Unavailable),
        ("a/s3 put", Fate::LostAfter, Kind::Unavailable),
        ("a/s3 list", Fate::Denied, Kind::AccessDenied),
        ("a/ssm put", Fate::Lost, Kind::Unavailable),
    ] {
        let ground = Ground::released(&["a", "b", "c"]).await;
        let down = Where { words: vec![(word, fate)], ..Where::default() };
        let ware = ware("1.0.0", b"1", &[]);
        let failed = told(ground.shelf(down).await.unwrap().stage(&ware.staging).await.unwrap_err());
        assert_eq!(failed.kind, kind, "{word}");
        assert!(ground.bucket("b").objects().is_empty() && ground.bucket("c").objects().is_empty(), "{word}");
        stage(&ground, &ware.staging).await.unwrap();
        assert!(!ground.bucket("b").objects().is_empty() && !ground.bucket("c").objects().is_empty(), "{word}");
    }
}

#[tokio::test]
async fn notes_that_another_release_left_are_a_conflict_before_any_bytes_stand_beside_them() {
    for region in ["a", "b"] {
        let ground = Ground::released(&["a", "b"]).await;
        ground.bucket(region).plant("app@1.0.0/metadata", r#"{"lang": "go"}"#);
        let refused = told(stage(&ground, &ware("1.0.0", b"1", &[("lang", "rust")]).staging).await.unwrap_err());
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains("lang is \"go\" there and \"rust\" here"), "{}", refused.message);
        assert_eq!(ground.bucket("a").objects().len() + ground.bucket("b").objects().len(), 1, "nothing was put");
        stage(&ground, &ware("1.0.0", b"1", &[("lang", "go")]).staging).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_told_of_a_release_is_refused_before_anything_is_put() {
    let ground = Ground::released(&["a"]).await;
    let mut reserved = ware("1.0.0", b"1", &[]).staging;
    reserved.release.name = "ssm-agent".parse().unwrap();
    let refused = told(stage(&ground, &reserved).await.unwrap_err());
    assert_eq!(refused.kind, Kind::Usage);
    assert!(refused.message.starts_with("/ssm-agent/latest cannot be the parameter"), "{}", refused.message);
    // Six characters stand for each of these beside the bytes, and three bytes in a record.
    let long = "\u{4e2d}".repeat(200_000);
    let refused = told(stage(&ground, &ware("1.0.0", b"1", &[("long", &long)]).staging).await.unwrap_err());
    assert_eq!(refused.kind, Kind::Usage);
    assert!(refused.message.contains("a record has at most 1048576"), "{}", refused.message);
    assert!(ground.bucket("a").objects().is_empty());
}

#[tokio::test]
async fn what_fails_everywhere_for_one_reason_is_one_error() {
    let ground = Ground::released(&["a", "b"]).await;
    let down = || Where { words: vec![("/s3", Fate::Lost)], ..Where::default() };
    let away = told(ground.shelf(down()).await.unwrap().stage(&ware("1.0.0", b"1", &[]).staging).await.unwrap_err());
    assert_eq!((away.kind, away.message.as_str()), (Kind::Unavailable, "a does not answer"));
}

#[tokio::test]
async fn bytes_without_notes_were_staged_without_any_and_get_none() {
    let ground = Ground::described().await;
    ground.bucket("eu").plant("org/app@1.0.0", "1");
    let refused = told(stage(&ground, &ware("1.0.0", b"1", &[("a", "1")]).staging).await.unwrap_err());
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.ends_with("a is nothing there and \"1\" here"), "{}", refused.message);
    let mut ware = ware("1.0.0", b"1", &[]);
    ware.staging.release.filename = Some("app.zip".parse().unwrap());
    stage(&ground, &ware.staging).await.unwrap();
    assert_eq!(ground.bucket("eu").objects().len(), 1, "a file name that nobody asked for is not added");
    ware.staging.named = true;
    assert_eq!(told(stage(&ground, &ware.staging).await.unwrap_err()).kind, Kind::Conflict);
}

#[tokio::test]
async fn what_a_promotion_left_is_not_taken_for_another_release() {
    let ground = Ground::described().await;
    let (builds, key) = built(b"artifact", true).await;
    let promotion = promotion("1.0.0", &builds, &key, b"artifact", true);
    let cut = Where { words: vec![("s3 put org/app@1.0.0/metadata", Fate::LostAfter)], ..Where::default() };
    ground.shelf(cut).await.unwrap().stage(&promotion).await.unwrap_err();
    assert_eq!(ground.bucket("eu").objects().len(), 1, "the notes are there, and the bytes are not");
    let other = told(stage(&ground, &ware("1.0.0", b"other", &[]).staging).await.unwrap_err());
    assert_eq!(other.kind, Kind::Conflict);
    assert!(other.message.contains("began and never ended"), "{}", other.message);
    stage(&ground, &promotion).await.unwrap();
    assert!(stage(&ground, &ware("1.0.0", b"artifact", &[]).staging).await.unwrap().present);
}

#[tokio::test]
async fn where_two_builds_stand_the_one_that_was_left_half_done_is_completed_and_told_of() {
    let ground = Ground::described().await;
    ground.bucket("eu").plant("org/app@1.0.0+a", "1");
    ground.bucket("eu").plant("org/app@1.0.0+b", "2");
    let both = told(stage(&ground, &ware("1.0.0+a", b"1", &[]).staging).await.unwrap_err());
    assert_eq!(both.kind, Kind::Conflict);
    assert!(both.message.starts_with("app 1.0.0+a was staged in") && both.message.contains("1.0.0+b, and both stand"));
    assert_eq!(ground.said("latest", "/org-app/latest").await.as_deref(), Some("1.0.0+b"));
}

/// Who may do what the article lists for stagers, and read the two parameters without which nobody knows where to.
struct Stager;

#[async_trait::async_trait]
impl Fates for Stager {
    async fn decide(&self, operation: &str) -> Fate {
        match operation.split_once('/').unwrap().1.splitn(3, ' ').collect::<Vec<_>>().as_slice() {
            ["ssm", "get", "/startifact" | "/bucket"] | ["ssm", "put", "/org-app/latest" | "/app/latest"] => Fate::Go,
            ["s3", "list" | "put", _] => Fate::Go,
            _ => Fate::Denied,
        }
    }
}

#[tokio::test]
async fn a_stager_needs_no_more_than_the_article_lists() {
    for (ground, at) in [
        (Ground::described().await, ("latest", "/org-app/latest")),
        (Ground::released(&["a", "b"]).await, ("b", "/app/latest")),
    ] {
        for (text, metadata, latest) in
            [("1.0.0", &[][..], "1.0.0"), ("2.0.0", &[("a", "1")], "2.0.0"), ("1.5.0", &[], "2.0.0")]
        {
            let shelf = ground.shelf(Stager).await.unwrap();
            shelf.stage(&ware(text, text.as_bytes(), metadata).staging).await.unwrap();
            assert_eq!(ground.said(at.0, at.1).await.as_deref(), Some(latest));
        }
        // To compare is to read, which is one right more.
        let shelf = ground.shelf(Stager).await.unwrap();
        let error = shelf.stage(&ware("1.0.0", b"1.0.0", &[]).staging).await.unwrap_err();
        if !matches!(error, ShelfError::Partly { .. }) {
            let denied = told(error);
            assert_eq!(denied.kind, Kind::AccessDenied);
            assert_eq!(denied.message, "app 1.0.0 stands there already and could not be compared");
            assert!(denied.hint.unwrap().contains("s3:GetObject"));
        }
    }
}

/// An artifact in a store of builds, to be promoted.
async fn built(bytes: &[u8], recorded: bool) -> (MemoryStore, Key) {
    let builds = MemoryStore::default();
    let key = Key::Artifact("1".repeat(40).parse().unwrap(), "app.zip".parse().unwrap());
    let attributes = Attributes { sha256: recorded.then(|| Digest::of(bytes)), mode: None };
    let content = store::Content::Bytes(bytes.to_vec().into());
    builds.put(&key, content, attributes, &Condition::Absent).await.unwrap();
    (builds, key)
}

fn promotion(text: &str, builds: &MemoryStore, key: &Key, bytes: &[u8], told: bool) -> Staging {
    let mut staging = ware(text, bytes, &[]).staging;
    let (commit, address) = ("2".repeat(40).parse().unwrap(), "1".repeat(40).parse().unwrap());
    staging.release.origin = Some(Origin { commit, address, artifact: "app.zip".parse().unwrap() });
    staging.release.sha256 = told.then(|| Digest::of(bytes));
    staging.content = Content::Object { store: Arc::new(builds.clone()), key: key.clone() };
    staging
}

#[tokio::test]
async fn a_promotion_brings_the_bytes_and_says_where_they_are_from() {
    for (recorded, known) in [(true, true), (false, true), (true, false), (false, false)] {
        let ground = Ground::described().await;
        let (builds, key) = built(b"artifact", recorded).await;
        let staging = promotion("1.0.0", &builds, &key, b"artifact", known);
        let staged = stage(&ground, &staging).await.unwrap();
        assert_eq!((staged.present, staged.bytes_sent), (false, 8));
        let found = ground.shelf(Fine).await.unwrap().shelf.find(&name(), &version("1.0.0")).await.unwrap();
        assert_eq!((&found.release.origin, &found.release.at), (&staging.release.origin, &staging.release.at));
        assert_eq!((found.release.sha256, found.release.size), (Some(Digest::of(b"artifact")), 8));
        // A later run says another time, which makes no difference; nothing is sent again.
        let mut again = staging.clone();
        again.release.at = Some("later".to_owned());
        let again = stage(&ground, &again).await.unwrap();
        assert_eq!((again.present, again.bytes_sent), (true, 0));
        let (other, key) = built(b"other", recorded).await;
        let other = told(stage(&ground, &promotion("1.0.0", &other, &key, b"other", known)).await.unwrap_err());
        assert_eq!(other.kind, Kind::Conflict);
    }
}

#[tokio::test]
async fn an_artifact_that_is_gone_or_another_is_not_promoted() {
    let ground = Ground::described().await;
    let (builds, key) = built(b"artifact", false).await;
    let wrong = told(stage(&ground, &promotion("1.0.0", &builds, &key, b"another", true)).await.unwrap_err());
    assert_eq!(wrong.kind, Kind::Integrity);
    builds.delete(&key).await.unwrap();
    let gone = told(stage(&ground, &promotion("1.0.0", &builds, &key, b"artifact", true)).await.unwrap_err());
    assert_eq!(gone.kind, Kind::NotFound);
    assert!(ground.bucket("eu").objects().is_empty());
}
