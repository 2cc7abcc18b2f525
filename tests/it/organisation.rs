//! What Startifact's configurations say, of both kinds.

use std::path::Path;
use std::process::Command;

use metalogic::json;
use metalogic::organisation::{KeyPrefix, KeyPrefixError, Organisation, OrganisationError, OrganisationKind, Region};
use metalogic::version::ReleaseName;
use serde_json::{Value, json};

/// A configuration that the documented set-up writes.
fn described() -> Value {
    json!({
        "bucket_key_prefix": "artifacts/",
        "bucket_param_name": "/artifacts-bucket",
        "bucket_param_region": "eu-west-1",
        "bucket_region": "eu-north-1",
        "parameter_name_prefix": "/org-",
        "parameter_region": "eu-west-2",
        "save_ok": "y",
        "start_ok": "y",
    })
}

/// A configuration that versions 1.0a8 to 1.0a10 write.
fn released() -> Value {
    json!({
        "bucket_key_prefix": "",
        "bucket_name_param": "/artifacts-bucket",
        "parameter_name_prefix": "/org",
        "regions": "eu-west-1, us-east-1",
        "save_ok": "y",
    })
}

fn parse(value: &Value) -> Organisation {
    Organisation::parse(&value.to_string()).unwrap()
}

fn regions(texts: &[&str]) -> Vec<Region> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn with(mut value: Value, key: &str, new: Value) -> Value {
    value[key] = new;
    value
}

fn problem(value: &Value) -> String {
    Organisation::parse(&value.to_string()).unwrap_err().to_string()
}

#[test]
fn a_described_configuration_says_where_each_thing_is() {
    let organisation = parse(&described());
    assert_eq!(organisation.key_prefix.as_str(), "artifacts/");
    assert_eq!(organisation.bucket_parameter, "/artifacts-bucket");
    let region = |text: &str| Some(text.parse().unwrap());
    let kind = OrganisationKind::Described {
        bucket_parameter_region: region("eu-west-1"),
        bucket_region: region("eu-north-1"),
        parameter_region: region("eu-west-2"),
    };
    assert_eq!(organisation.kind, kind);
    assert_eq!(organisation.rest, [("save_ok", "y"), ("start_ok", "y")].map(|(k, v)| (k.to_owned(), v.into())).into());
}

#[test]
fn a_released_configuration_says_which_regions_there_are() {
    let organisation = parse(&released());
    assert_eq!(organisation.bucket_parameter, "/artifacts-bucket");
    assert_eq!(organisation.kind, OrganisationKind::Released { regions: regions(&["eu-west-1", "us-east-1"]) });
    for none in [json!(""), json!(null), json!(" , ")] {
        let kind = parse(&with(released(), "regions", none)).kind;
        assert_eq!(kind, OrganisationKind::Released { regions: Vec::new() });
    }
}

#[test]
fn regions_are_those_between_commas_and_none_counts_twice() {
    assert_eq!(Region::list("b,, a ,b,").unwrap(), regions(&["b", "a"]));
    for odd in ["EU", "eu_west", "eu west", "-eu", "eu-", "é", &"e".repeat(41)] {
        assert!(Region::list(odd).is_err(), "{odd}");
    }
    assert_eq!(problem(&with(released(), "regions", json!("eu-west-1,EU"))), {
        "regions is \"eu-west-1,EU\": a region has only a-z 0-9 -, as eu-north-1"
    });
}

#[test]
fn the_latest_parameters_name_is_made_as_each_kind_makes_it() {
    let name: ReleaseName = "NAME".parse().unwrap();
    let of =
        |base: Value, prefix: &str| parse(&with(base, "parameter_name_prefix", prefix.into())).latest_parameter(&name);
    for (prefix, described_name, released_name) in [
        ("", "/NAME/latest", "/NAME/latest"),
        ("/", "/NAME/latest", "//NAME/latest"),
        ("/org-", "/org-NAME/latest", "/org-/NAME/latest"),
        ("/org/", "/org/NAME/latest", "/org//NAME/latest"),
        ("/org", "/orgNAME/latest", "/org/NAME/latest"),
    ] {
        assert_eq!(of(described(), prefix), described_name);
        assert_eq!(of(released(), prefix), released_name);
    }
}

#[test]
fn what_is_left_out_says_nothing() {
    let organisation = parse(&json!({"bucket_param_name": "/b"}));
    assert_eq!((organisation.key_prefix, organisation.parameter_prefix), (KeyPrefix::default(), String::new()));
    let none =
        OrganisationKind::Described { bucket_parameter_region: None, bucket_region: None, parameter_region: None };
    assert_eq!(organisation.kind, none);
    assert!(organisation.rest.is_empty());
}

#[test]
fn a_configuration_that_names_no_bucket_is_unfinished() {
    for unfinished in [json!({}), json!({"bucket_name_param": "", "bucket_param_name": null, "regions": "a"})] {
        assert!(matches!(Organisation::parse(&unfinished.to_string()), Err(OrganisationError::Unfinished)));
    }
}

#[test]
fn what_cannot_be_is_told_with_key_and_value() {
    for (value, told) in [
        (json!([]), "(the whole) is []: an object belongs here"),
        (with(described(), "bucket_param_name", json!(7)), "bucket_param_name is 7: a string belongs here"),
        (
            with(described(), "bucket_region", json!("x y")),
            "bucket_region is \"x y\": a region has only a-z 0-9 -, as eu-north-1",
        ),
        (
            with(described(), "bucket_key_prefix", json!("a\nb")),
            "bucket_key_prefix is \"a\\nb\": no control characters belong here",
        ),
        (
            with(described(), "bucket_param_name", json!("/b\nhint: x")),
            "bucket_param_name is \"/b\\nhint: x\": no control characters belong here",
        ),
        (with(released(), "parameter_name_prefix", json!({})), "parameter_name_prefix is {}: a string belongs here"),
    ] {
        assert_eq!(problem(&value), told);
    }
    assert!(matches!(Organisation::parse("{"), Err(OrganisationError::Syntax(_))));
    let twice = r#"{"bucket_param_name": "a", "bucket_param_name": "b"}"#;
    assert!(matches!(Organisation::parse(twice), Err(OrganisationError::Syntax(_))), "it says two things");
    assert_eq!("x".repeat(501).parse::<KeyPrefix>(), Err(KeyPrefixError::Long(501)));
}

#[test]
fn an_update_keeps_the_kind_and_every_key_that_it_does_not_know() {
    let with_more =
        |base: Value| with(with(base, "later", json!({"b": [1, {}], "a": null})), "name", json!("Örganisation"));
    // Both kinds in one: whoever wrote the one did not mean to lose what the other says.
    let both = with(with(released(), "bucket_param_name", json!("/other")), "bucket_region", json!("eu-north-1"));
    let touched = with(with(described(), "bucket_name_param", json!("")), "regions", json!("eu-west-1"));
    for value in [described(), with_more(described()), touched, with_more(both)] {
        let organisation = parse(&value);
        let again: Value = serde_json::from_str(&organisation.to_text()).unwrap();
        let mut expected = value.clone();
        if matches!(organisation.kind, OrganisationKind::Released { .. }) {
            expected["regions"] = json!("eu-west-1,us-east-1");
        }
        assert_eq!(again, expected);
        assert_eq!(Organisation::parse(&organisation.to_text()).unwrap(), organisation);
    }
}

/// Python's own writer is the reference, where there is a Python.
#[test]
fn a_configuration_is_written_as_python_writes_it() {
    let odd = with(described(), "note", json!("é \u{1f600} \u{7f} \u{1} \u{2028} \t\n\r\u{8}\u{c}\"\\/ </é>"));
    let odd = with(odd, "nested", json!({"z": [], "a": {"é": [1, "x"], "b": {}}, "A": true}));
    let text = parse(&odd).to_text();
    assert!(
        text.is_ascii() && text.starts_with("{\n  \"bucket_key_prefix\": \"artifacts/\",\n") && text.ends_with("\n}")
    );
    assert!(text.contains(r#"\u00e9 \ud83d\ude00 \u007f \u0001 \u2028 \t\n\r\b\f\"\\/ </\u00e9>"#), "{text}");
    let script = "import json, sys; sys.stdout.write(json.dumps(json.loads(sys.argv[1]), indent=2, sort_keys=True))";
    let python = ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|path| Path::new(path).exists());
    let Some(python) = python else {
        eprintln!("no Python: not compared with it");
        return;
    };
    let output = Command::new(python).env_clear().args(["-c", script, &odd.to_string()]).output().unwrap();
    assert_eq!(text, String::from_utf8(output.stdout).unwrap());
    assert_eq!(json::sorted(json!({})), "{}");
}
