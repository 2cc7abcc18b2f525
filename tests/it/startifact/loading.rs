//! Where the configuration is read, and what it makes of regions.

use metalogic::failure::{Failure, Kind};
use metalogic::shelf::{Shelf as _, ShelfError};

use super::account::{Fate, Fine, Ground, HOME, Where, name, ware};

fn told(error: ShelfError) -> Failure {
    Failure::all_of(&error.into()).remove(0)
}

fn seen(words: Vec<(&'static str, Fate)>) -> (Where, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let fates = Where { words, ..Where::default() };
    let seen = fates.seen.clone();
    (fates, seen)
}

#[tokio::test]
async fn the_configuration_is_that_of_the_first_region_that_has_it() {
    let ground = Ground::released(&["b"]).await;
    let (fates, asked) = seen(vec![]);
    let loaded = ground.shelf_in(&["a", "b", "c"], fates).await.unwrap();
    assert_eq!(loaded.shelf.place(), "/startifact (b)");
    assert_eq!(*asked.lock().unwrap(), ["a/ssm get /startifact", "b/ssm get /startifact"]);
    assert!(loaded.passed_over().is_empty(), "to have none is no fault");
}

#[tokio::test]
async fn without_regions_the_configuration_is_that_of_the_default_region() {
    let (fates, asked) = seen(vec![]);
    let loaded = Ground::described().await.shelf(fates).await.unwrap();
    assert_eq!(loaded.shelf.place(), "/startifact (home)");
    assert_eq!(*asked.lock().unwrap(), ["home/ssm get /startifact"]);
}

#[tokio::test]
async fn a_region_that_is_down_is_passed_over_where_another_has_the_configuration() {
    let ground = Ground::released(&["a", "b"]).await;
    let (fates, _) = seen(vec![("a/ssm", Fate::Lost)]);
    let loaded = ground.shelf_in(&["a", "b"], fates).await.unwrap();
    assert_eq!(loaded.passed_over(), ["a"]);
    let (fates, _) = seen(vec![("a/ssm", Fate::Denied)]);
    assert_eq!(ground.shelf_in(&["a", "b"], fates).await.unwrap().passed_over(), ["a"]);
}

#[tokio::test]
async fn no_configuration_and_no_answer_are_different_errors() {
    let none = told(Ground::default().shelf_in(&["a", "b"], Fine).await.err().unwrap());
    assert_eq!(none.kind, Kind::Configuration);
    assert_eq!(none.message, "no parameter /startifact with the organisation's configuration in a, b");
    assert!(none.hint.unwrap().contains("metalogic setup"));
    // Whoever does not answer may have it.
    for words in [vec![("/ssm", Fate::Lost)], vec![("b/ssm", Fate::Lost)]] {
        let away = told(Ground::default().shelf_in(&["a", "b"], seen(words).0).await.err().unwrap());
        assert_eq!(away.kind, Kind::Unavailable);
        assert!(away.message.ends_with(" does not answer"), "{}", away.message);
    }
    let denied = told(Ground::default().shelf(seen(vec![("/ssm", Fate::Denied)]).0).await.err().unwrap());
    assert_eq!(denied.kind, Kind::AccessDenied);
    assert!(denied.hint.unwrap().contains("ssm:GetParameter"));
}

#[tokio::test]
async fn what_is_wrong_with_a_configuration_is_told_with_parameter_key_and_value() {
    for (text, why) in [
        ("{}", "it names no parameter that holds the bucket's name"),
        ("nonsense", "it is not JSON"),
        (r#"{"bucket_param_name": "/b", "bucket_region": 7}"#, "bucket_region is 7: a string belongs here"),
    ] {
        let ground = Ground::default();
        ground.set(HOME, "/startifact", text).await;
        let failure = told(ground.shelf(Fine).await.err().unwrap());
        assert_eq!(failure.kind, Kind::Configuration);
        assert_eq!(failure.message, "the configuration in the parameter /startifact in home is of no use");
        assert_eq!(failure.causes[0], why);
    }
}

#[tokio::test]
async fn the_described_kind_has_each_thing_in_a_region_of_its_own() {
    let ground = Ground::described().await;
    let (fates, asked) = seen(vec![]);
    let shelf = ground.shelf(fates).await.unwrap();
    shelf.stage(&ware("1.0.0", b"1", &[]).staging).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    let count = |word: &str| asked.iter().filter(|operation| operation.contains(word)).count();
    assert_eq!(count("names/ssm get /bucket"), 1, "the bucket's name is read once: {asked:?}");
    assert_eq!(count("eu/s3 put org/app@1.0.0"), 1);
    assert_eq!(count("latest/ssm put /org-app/latest"), 1);
    assert!(
        asked.iter().all(|operation| ["home/ssm", "names/ssm", "eu/s3", "latest/ssm"]
            .iter()
            .any(|at| operation.starts_with(at)))
    );
}

#[tokio::test]
async fn what_the_described_kind_leaves_out_is_where_the_configuration_is() {
    let ground = Ground::default();
    ground.set(HOME, "/startifact", r#"{"bucket_param_name": "/bucket"}"#).await;
    ground.set(HOME, "/bucket", "bucket-home").await;
    ground.shelf(Fine).await.unwrap().stage(&ware("1.0.0", b"1", &[]).staging).await.unwrap();
    assert_eq!(ground.said(HOME, "/app/latest").await.as_deref(), Some("1.0.0"));
    assert!(ground.bucket(HOME).objects().contains_key("app@1.0.0"));
}

#[tokio::test]
async fn readers_go_by_their_own_regions_in_order_and_stagers_by_the_configurations() {
    let ground = Ground::released(&["a", "b"]).await;
    ground.set("c", "/startifact", &ground.said("a", "/startifact").await.unwrap()).await;
    let (fates, asked) = seen(vec![]);
    let shelf = ground.shelf_in(&["c", "b"], fates).await.unwrap();
    shelf.stage(&ware("1.0.0", b"1", &[]).staging).await.unwrap();
    let staged = |region: &str| ground.bucket(region).objects().contains_key("app@1.0.0");
    assert!(staged("a") && staged("b") && !staged("c"));
    asked.lock().unwrap().clear();
    ground.set("c", "/bucket", "bucket-c").await;
    let found = shelf.shelf.find(&name(), &"1.0.0".parse().unwrap()).await.unwrap();
    assert_eq!(found.store.root(), "s3://bucket-b");
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].starts_with("c/ssm get /bucket") && !asked.iter().any(|operation| operation.starts_with("a/")));
}

#[tokio::test]
async fn where_nobody_names_regions_the_released_kind_is_where_the_configuration_is() {
    let ground = Ground::released(&[]).await;
    ground.shelf(Fine).await.unwrap().stage(&ware("1.0.0", b"1", &[]).staging).await.unwrap();
    assert!(ground.bucket(HOME).objects().contains_key("app@1.0.0"));
    // Where the environment alone names them, stagers go by it too.
    let ground = Ground::released(&[]).await;
    for region in ["x", "y"] {
        ground.set(region, "/startifact", &ground.said(HOME, "/startifact").await.unwrap()).await;
        ground.set(region, "/bucket", &format!("bucket-{region}")).await;
    }
    ground.shelf_in(&["x", "y"], Fine).await.unwrap().stage(&ware("1.0.0", b"1", &[]).staging).await.unwrap();
    assert!(
        ground.bucket("x").objects().contains_key("app@1.0.0")
            && ground.bucket("y").objects().contains_key("app@1.0.0")
    );
}

#[tokio::test]
async fn a_bucket_that_has_no_name_is_told_with_its_parameter() {
    let ground = Ground::described().await;
    let shelf = |ground: Ground| async move {
        let loaded = ground.shelf(Fine).await.unwrap();
        told(loaded.shelf.versions(&name()).await.unwrap_err())
    };
    for odd in ["s3://bucket", "bucket/prefix", "Bucket", "bucket/"] {
        ground.set("names", "/bucket", odd).await;
        let failure = shelf(ground.clone()).await;
        assert_eq!(failure.kind, Kind::Configuration);
        assert_eq!(
            failure.message,
            format!("the parameter /bucket in names is {odd}: the name of a bucket belongs there")
        );
    }
    let ground = Ground::default();
    ground.set(HOME, "/startifact", r#"{"bucket_param_name": "/bucket"}"#).await;
    let failure = shelf(ground).await;
    assert_eq!(failure.kind, Kind::Configuration);
    assert_eq!(failure.message, "no parameter /bucket with the bucket's name in home");
}
