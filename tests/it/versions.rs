//! Names and versions of releases: what is one, and which of two is the later.

use metalogic::release::Release;
use metalogic::version::{LONGEST_VERSION, ReleaseName, Version, VersionError, latest};

/// What the specification's own test calls versions (semver.org, "Is there a suggested regular expression?").
const VALID: [&str; 14] = [
    "0.0.4",
    "1.2.3",
    "10.20.30",
    "1.1.2-prerelease+meta",
    "1.1.2+meta",
    "1.0.0-alpha.beta.1",
    "1.0.0-alpha0.valid",
    "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
    "2.0.0-rc.1+build.123",
    "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
    "2.0.1-alpha.1227",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
    "1.0.0-0A.is.legal",
    "1.0.0+001",
];

/// What it calls none.
const INVALID: [&str; 20] = [
    "",
    "1",
    "1.2",
    "1.2.3-0123",
    "1.2.3-0123.0123",
    "1.1.2+.123",
    "+invalid",
    "-invalid",
    "alpha",
    "1.0.0-alpha_beta",
    "1.0.0-alpha..1",
    "01.1.1",
    "1.01.1",
    "1.1.01",
    "1.2.3.DEV",
    "1.2-SNAPSHOT",
    "-1.0.3-gamma+b7718",
    "+justmeta",
    "9.8.7+meta+meta",
    " 1.0.0",
];

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn a_version_is_what_semantic_versioning_says() {
    for text in VALID {
        assert_eq!(version(text).to_string(), text);
    }
    for text in INVALID {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
    assert!(matches!("v1.0.0".parse::<Version>(), Err(VersionError::Prefixed(meant)) if meant == version("1.0.0")));
    assert!(matches!("version1.0.0".parse::<Version>(), Err(VersionError::Malformed(_))));
    let long = format!("1.0.0-{}", "a".repeat(LONGEST_VERSION));
    assert!(matches!(long.parse::<Version>(), Err(VersionError::Long(_))));
}

#[test]
fn versions_that_differ_in_build_metadata_alone_are_the_same() {
    let same = |one: &str, other: &str| version(one).is_same(&version(other));
    assert!(same("1.0.0+a", "1.0.0+b") && same("1.0.0", "1.0.0+b") && same("1.0.0-rc.1+a", "1.0.0-rc.1"));
    assert!(!same("1.0.0", "1.0.0-rc.1") && !same("1.0.0+a", "1.0.1+a"));
    assert_eq!(version("1.0.0-rc.1+a").bare(), version("1.0.0-rc.1"));
}

#[test]
fn the_latest_is_the_highest_release_and_a_pre_release_only_where_asked() {
    let latest = |texts: &[&str], pre| {
        let versions: Vec<Version> = texts.iter().map(|text| version(text)).collect();
        latest(&versions, pre).map(ToString::to_string)
    };
    assert_eq!(latest(&["2.0.0", "1.0.5", "10.0.0", "9.9.9"], false).as_deref(), Some("10.0.0"));
    assert_eq!(latest(&["2.0.0", "3.0.0-rc.1"], false).as_deref(), Some("2.0.0"));
    assert_eq!(latest(&["2.0.0", "3.0.0-rc.2", "3.0.0-rc.10"], true).as_deref(), Some("3.0.0-rc.10"));
    assert_eq!(latest(&["3.0.0-rc.1", "3.0.0"], true).as_deref(), Some("3.0.0"));
    assert_eq!(latest(&["3.0.0-rc.1"], false), None);
    assert_eq!(latest(&[], true), None);
}

#[test]
fn a_name_is_what_startifact_takes() {
    for text in ["app", "my-project", "A_1.b-C", "-odd", ".", "..", "9"] {
        assert_eq!(text.parse::<ReleaseName>().unwrap().to_string(), text);
    }
    for text in ["", "a/b", "a@1", "a+b", "a b", "ä", "a\n", "\u{202e}a", "a\\b"] {
        assert!(text.parse::<ReleaseName>().is_err(), "{text:?}");
    }
    assert!("a".repeat(201).parse::<ReleaseName>().is_err());
}

#[test]
fn a_record_is_written_as_it_is_read() {
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/records/promoted.json")).unwrap();
    let release = Release::parse(&text, &"app".parse().unwrap(), &version("1.0.0")).unwrap();
    assert_eq!(Release::parse(&release.to_bytes(), &release.name, &release.version).unwrap(), release);
    assert_eq!(release.differences(&release), [] as [&str; 0]);
    // Whoever stages the file itself, with the same bytes, need not know that it was promoted; whoever promotes records from where.
    let file = Release { origin: None, ..release.clone() };
    assert_eq!(file.differences(&release), [] as [&str; 0]);
    assert_eq!(release.differences(&file), ["commit", "artifact"]);
    // Without a digest it is the address that says which bytes are meant.
    let mut elsewhere = release.clone();
    elsewhere.origin.as_mut().unwrap().address = "1".repeat(40).parse().unwrap();
    assert_eq!(elsewhere.differences(&release), [] as [&str; 0]);
    let unknown = |release: &Release| Release { sha256: None, ..release.clone() };
    assert_eq!(unknown(&elsewhere).differences(&unknown(&release)), ["address"]);
}
