//! What readers are told.

use metalogic::failure::{Failure, Kind};
use metalogic::release::Origin;
use metalogic::shelf::{Shelf as _, ShelfError};
use metalogic::version::Version;

use super::account::{Fate, Fates, Fine, Ground, Where, name, version, ware};

fn told(error: ShelfError) -> Failure {
    Failure::all_of(&error.into()).remove(0)
}

fn fates(words: &[(&'static str, Fate)]) -> Where {
    Where { words: words.to_vec(), ..Where::default() }
}

async fn find(
    ground: &Ground,
    regions: &[&str],
    fates: impl Fates + 'static,
    text: &str,
) -> Result<Version, ShelfError> {
    let shelf = ground.shelf_in(regions, fates).await.unwrap();
    shelf.shelf.find(&name(), &version(text)).await.map(|found| found.release.version)
}

async fn latest(
    ground: &Ground,
    regions: &[&str],
    fates: impl Fates + 'static,
    pre: bool,
) -> Result<String, ShelfError> {
    let shelf = ground.shelf_in(regions, fates).await.unwrap();
    shelf.shelf.latest(&name(), pre).await.map(|version| version.to_string())
}

#[tokio::test]
async fn a_release_says_what_stands_beside_it() {
    let ground = Ground::described().await;
    let bucket = ground.bucket("eu");
    bucket.plant("org/app@1.0.0", "bytes");
    let shelf = ground.shelf(Fine).await.unwrap();
    let found = shelf.shelf.find(&name(), &version("1.0.0")).await.unwrap();
    assert_eq!((found.release.size, found.release.sha256, found.release.metadata.len()), (5, None, 0));
    assert_eq!(found.key.to_string(), "org/app@1.0.0");
    let commit = "1".repeat(40);
    bucket.plant(
        "org/app@1.0.0/metadata",
        format!(
            r#"{{"lang": "é", "startifact:filename": "dist.tar.gz", "metalogic:commit": "{commit}",
            "metalogic:address": "{commit}", "metalogic:artifact": "app.zip", "metalogic:at": "then", "metalogic:new": "?"}}"#
        ),
    );
    let release = shelf.shelf.find(&name(), &version("1.0.0")).await.unwrap().release;
    assert_eq!(release.filename.unwrap().to_string(), "dist.tar.gz");
    assert_eq!(release.at.as_deref(), Some("then"));
    let commit = commit.parse().unwrap();
    assert_eq!(release.origin, Some(Origin { commit, address: commit, artifact: "app.zip".parse().unwrap() }));
    let metadata: Vec<_> = release.metadata.into_iter().collect();
    assert_eq!(
        metadata,
        [("lang", "é"), ("metalogic:new", "?")].map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
}

#[tokio::test]
async fn metadata_that_cannot_be_is_refused_with_its_url() {
    let ground = Ground::described().await;
    ground.bucket("eu").plant("org/app@1.0.0", "bytes");
    for (text, why) in [
        (r#"{"startifact:filename": "../../etc/passwd"}"#, "startifact:filename is ../../etc/passwd: "),
        (r#"{"startifact:filename": ""}"#, "startifact:filename is : "),
        (r#"{"a": 1}"#, "(the whole) is 1: a string belongs to the key a"),
        ("[]", "(the whole) is []: an object belongs here"),
        ("{", "it is not JSON"),
        (r#"{"metalogic:commit": "x"}"#, "metalogic:commit is x: "),
        (r#"{"metalogic:artifact": "a.zip"}"#, "metalogic:commit is absent: "),
    ] {
        ground.bucket("eu").plant("org/app@1.0.0/metadata", text.to_owned());
        let failure = told(find(&ground, &[], Fine, "1.0.0").await.unwrap_err());
        assert_eq!(failure.kind, Kind::Integrity);
        assert_eq!(failure.message, "s3://bucket-eu/org/app@1.0.0/metadata is malformed");
        assert!(failure.causes[0].starts_with(why), "{:?}", failure.causes);
    }
    ground.bucket("eu").plant("org/app@1.0.0/metadata", " ".repeat(2 << 20));
    let failure = told(find(&ground, &[], Fine, "1.0.0").await.unwrap_err());
    assert_eq!(failure.causes, ["it has 2097152 bytes, a record has at most 1048576"]);
}

#[tokio::test]
async fn build_metadata_makes_no_other_version() {
    let ground = Ground::described().await;
    ground.bucket("eu").plant("org/app@1.0.0+b", "bytes");
    ground.bucket("eu").plant("org/app@1.0.0-rc.1", "bytes");
    assert_eq!(find(&ground, &[], Fine, "1.0.0+b").await.unwrap(), version("1.0.0+b"));
    assert_eq!(find(&ground, &[], Fine, "1.0.0").await.unwrap(), version("1.0.0+b"));
    let other = told(find(&ground, &[], Fine, "1.0.0+a").await.unwrap_err());
    assert_eq!(other.kind, Kind::NotFound);
    assert!(other.message.starts_with("app 1.0.0+a is staged as 1.0.0+b in s3://bucket-eu in eu"), "{}", other.message);
    // Who may not list is told no more than that it is not there.
    let hidden = fates(&[("s3 list", Fate::Denied)]);
    assert!(matches!(find(&ground, &[], hidden, "1.0.0").await, Err(ShelfError::Missing { .. })));
}

#[tokio::test]
async fn the_first_region_that_has_a_release_gives_it() {
    let ground = Ground::released(&["a", "b"]).await;
    ground.bucket("b").plant("app@1.0.0", "bytes");
    let shelf = ground.shelf_in(&["a", "b"], Fine).await.unwrap();
    assert_eq!(shelf.shelf.find(&name(), &version("1.0.0")).await.unwrap().store.root(), "s3://bucket-b");
    assert!(shelf.passed_over().is_empty());
    ground.bucket("a").plant("app@1.0.0", "bytes");
    assert_eq!(shelf.shelf.find(&name(), &version("1.0.0")).await.unwrap().store.root(), "s3://bucket-a");
}

#[tokio::test]
async fn missing_everywhere_and_a_region_that_is_down_are_different_errors() {
    let ground = Ground::released(&["a", "b"]).await;
    ground.bucket("b").plant("app@2.0.0", "bytes");
    let missing = told(find(&ground, &["a", "b"], Fine, "1.0.0").await.unwrap_err());
    assert_eq!(
        (missing.kind, missing.message.as_str()),
        (Kind::NotFound, "app 1.0.0 is not staged in /startifact (a)")
    );
    for down in ["a/s3", "b/s3", "/s3", "a/s3 head", "b/s3 head", "b/ssm get /bucket"] {
        let away = told(find(&ground, &["a", "b"], fates(&[(down, Fate::Lost)]), "1.0.0").await.unwrap_err());
        assert_eq!(away.kind, Kind::Unavailable, "{down}");
        assert!(away.message.ends_with(" does not answer"), "{}", away.message);
    }
    // What is found is found, and the one that is down is told of.
    let shelf = ground.shelf_in(&["a", "b"], fates(&[("a/s3", Fate::Lost)])).await.unwrap();
    shelf.shelf.find(&name(), &version("2.0.0")).await.unwrap();
    assert_eq!(shelf.passed_over(), ["a"]);
    let nothing = Ground::released(&["a"]).await;
    assert!(matches!(find(&nothing, &["a"], Fine, "1.0.0").await, Err(ShelfError::Nothing { .. })));
}

#[tokio::test]
async fn latest_is_the_highest_that_any_region_says() {
    let ground = Ground::released(&["a", "b", "c"]).await;
    let regions = ["a", "b", "c"];
    assert!(matches!(latest(&ground, &regions, Fine, false).await, Err(ShelfError::Nothing { .. })));
    ground.set("b", "/app/latest", "1.9.0").await;
    assert_eq!(latest(&ground, &regions, Fine, false).await.unwrap(), "1.9.0");
    ground.set("c", "/app/latest", "1.10.0").await;
    assert_eq!(latest(&ground, &regions, Fine, false).await.unwrap(), "1.10.0");
    let shelf = ground.shelf_in(&regions, fates(&[("c/ssm", Fate::Lost)])).await.unwrap();
    assert_eq!(shelf.shelf.latest(&name(), false).await.unwrap(), version("1.9.0"));
    assert_eq!(shelf.passed_over(), ["c"]);
    for down in ["/ssm get /app/latest", "b/ssm"] {
        let only = Ground::released(&["a", "b"]).await;
        let error = told(latest(&only, &["a", "b"], fates(&[(down, Fate::Lost)]), false).await.unwrap_err());
        assert_eq!(error.kind, Kind::Unavailable, "what does not answer may have it");
    }
}

#[tokio::test]
async fn asking_for_latest_lists_nothing_and_asking_for_pre_releases_does() {
    let ground = Ground::described().await;
    ground.bucket("eu").plant("org/app@2.0.0-rc.1", "bytes");
    ground.bucket("eu").plant("org/app@1.0.0", "bytes");
    ground.set("latest", "/org-app/latest", "1.0.0").await;
    assert_eq!(
        latest(&ground, &[], fates(&[("s3", Fate::Denied), ("/bucket", Fate::Denied)]), false).await.unwrap(),
        "1.0.0"
    );
    assert_eq!(latest(&ground, &[], Fine, true).await.unwrap(), "2.0.0-rc.1");
}

#[tokio::test]
async fn a_latest_that_is_no_release_is_refused_with_its_parameter() {
    let ground = Ground::described().await;
    ground.set("latest", "/org-app/latest", "2.0.0-rc.1").await;
    let pre = told(latest(&ground, &[], Fine, false).await.unwrap_err());
    assert_eq!(pre.message, "the parameter /org-app/latest in latest says 2.0.0-rc.1, which is a pre-release");
    assert!(pre.kind == Kind::NotFound && pre.hint.unwrap().contains("--pre"));
    ground.set("latest", "/org-app/latest", "newest").await;
    let odd = told(latest(&ground, &[], Fine, false).await.unwrap_err());
    assert_eq!(odd.kind, Kind::Configuration);
    assert!(odd.message.starts_with("the parameter /org-app/latest in latest is newest: a version belongs there"));
}

#[tokio::test]
async fn versions_are_those_of_every_region_that_answers() {
    let ground = Ground::released(&["a", "b"]).await;
    for (region, keys) in [("a", ["1.10.0", "1.9.0", "1.9.0/metadata"]), ("b", ["1.9.0", "2.0.0-rc.1", "nonsense"])] {
        keys.iter().for_each(|key| ground.bucket(region).plant(&format!("app@{key}"), "bytes"));
    }
    ground.bucket("b").plant("application@3.0.0", "bytes");
    let versions = async |fates: Where| {
        let shelf = ground.shelf_in(&["a", "b"], fates).await.unwrap();
        let versions = shelf.shelf.versions(&name()).await;
        (versions.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>()), shelf.passed_over())
    };
    let (all, passed) = versions(Where::default()).await;
    assert_eq!((all.unwrap(), passed.len()), (["1.9.0", "1.10.0", "2.0.0-rc.1"].map(str::to_owned).to_vec(), 0));
    let (some, passed) = versions(fates(&[("a/s3", Fate::Lost)])).await;
    assert_eq!((some.unwrap(), passed), (["1.9.0", "2.0.0-rc.1"].map(str::to_owned).to_vec(), vec!["a".to_owned()]));
    assert_eq!(told(versions(fates(&[("s3", Fate::Lost)])).await.0.unwrap_err()).kind, Kind::Unavailable);
}

/// Who may read what the article lists, and no more: as S3 answers those who may not list.
struct Reader(Ground);

#[async_trait::async_trait]
impl Fates for Reader {
    async fn decide(&self, operation: &str) -> Fate {
        let (region, rest) = operation.split_once('/').unwrap();
        match rest.splitn(3, ' ').collect::<Vec<_>>().as_slice() {
            ["ssm", "get", "/startifact" | "/bucket" | "/org-app/latest" | "/app/latest"] => Fate::Go,
            ["s3", "get" | "head", key] if self.0.bucket(region).objects().contains_key(*key) => Fate::Go,
            _ => Fate::Denied,
        }
    }
}

#[tokio::test]
async fn a_reader_needs_no_more_than_the_article_lists() {
    let mut grounds = vec![(Ground::described().await, Vec::new())];
    grounds.push((Ground::released(&["a", "b"]).await, vec!["a", "b"]));
    for (ground, regions) in grounds {
        let bare = ware("1.0.0", b"1", &[]);
        let noted = ware("1.1.0", b"2", &[("lang", "rust")]);
        let stager = ground.shelf_in(&regions, Fine).await.unwrap();
        stager.stage(&bare.staging).await.unwrap();
        stager.stage(&noted.staging).await.unwrap();
        let reader = ground.shelf_in(&regions, Reader(ground.clone())).await.unwrap();
        assert_eq!(reader.shelf.latest(&name(), false).await.unwrap(), version("1.1.0"));
        for ware in [&bare, &noted] {
            let found = reader.shelf.find(&name(), &ware.staging.release.version).await.unwrap();
            assert_eq!(
                (&found.release.metadata, found.release.sha256),
                (&ware.staging.release.metadata, ware.staging.release.sha256)
            );
            assert!(found.store.open(&found.key, None).await.unwrap().is_some());
        }
        let missing = told(reader.shelf.find(&name(), &version("3.0.0")).await.unwrap_err());
        assert_eq!(missing.kind, Kind::AccessDenied);
        assert!(missing.message.ends_with("as far as can be seen"), "{}", missing.message);
        assert!(missing.causes[0].ends_with("app@3.0.0 is missing or forbidden"), "{:?}", missing.causes);
    }
}

#[tokio::test]
async fn what_one_region_hides_is_not_missing_because_another_does_not_have_it() {
    let ground = Ground::released(&["a", "b"]).await;
    for blind in ["b/s3 list", "b/s3 put"] {
        let hides = fates(&[("b/s3 head", Fate::Denied), (blind, Fate::Denied)]);
        let error = told(find(&ground, &["a", "b"], hides, "1.0.0").await.unwrap_err());
        // A listing of b tells that it is not there.
        let kind = if blind == "b/s3 list" { Kind::AccessDenied } else { Kind::NotFound };
        assert_eq!(error.kind, kind, "{blind}");
    }
}

#[tokio::test]
async fn what_may_be_listed_and_not_read_is_denied_and_not_missing() {
    let ground = Ground::described().await;
    ground.bucket("eu").plant("org/app@1.0.0", "bytes");
    let denied = told(find(&ground, &[], fates(&[("s3 head", Fate::Denied)]), "1.0.0").await.unwrap_err());
    assert_eq!(denied.kind, Kind::AccessDenied);
}
