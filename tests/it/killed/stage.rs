//! Staging: a version that is recorded has its bytes.

use bytes::Bytes;
use metalogic::release::Release;

use super::everywhere;
use super::law;
use super::place::Place;
use super::scenario::{Scenario, Standing};

everywhere! {
    a_stage_of_a_file_is_completed_by_a_further_run,
    a_promotion_is_recorded_whole_or_not_at_all,
}

/// Kills what stages `app` 1.0.0, whose bytes lie under a key; a further run stages it all the same.
fn stage(place: &Place, name: &'static str, words: &[&str], prepare: &dyn Fn(), data: (&str, &Bytes)) {
    let record = || place.object("versions/app/1.0.0/record.json");
    let law = || {
        // Read first: the bytes were put before it.
        let recorded = record().map(|text| {
            let release = Release::parse(&text, &"app".parse().unwrap(), &"1.0.0".parse().unwrap());
            release.expect("the record is whole");
        });
        let stands = place.object(data.0);
        assert!(stands.as_ref().is_none_or(|bytes| bytes == data.1), "torn bytes stand under their name");
        assert!(stands.is_some() || recorded.is_none(), "a record without bytes");
        let bytes = usize::from(stands.is_some() && data.0.starts_with("versions/"));
        if recorded.is_some() { Standing::Whole } else { Standing::of(bytes, usize::MAX) }
    };
    let versions = || {
        let listed = law::reads(place, &["--quiet", "versions", "app"]);
        assert_eq!(listed.is_some_and(|listed| listed.trim() == "1.0.0"), record().is_some());
    };
    let latest = || {
        let latest = law::reads(place, &["--quiet", "latest", "app"]);
        assert_eq!(latest.map(|latest| latest.trim().to_owned()), record().map(|_| "1.0.0".to_owned()));
    };
    let download = || {
        let downloaded = law::reads(place, &["--quiet", "download", "app", "1.0.0", "--as", "../read"]);
        assert_eq!(downloaded.is_some(), record().is_some());
        let read = std::fs::read(place.sandbox.path("read")).ok();
        assert!(read == record().map(|_| data.1.to_vec()), "what is downloaded is whole");
        drop(std::fs::remove_file(place.sandbox.path("read")));
    };
    Scenario {
        prepare,
        command: &|| place.command(words),
        readers: &[&versions, &latest, &download],
        ..Scenario::new(place, name, &law)
    }
    .run();
}

fn a_stage_of_a_file_is_completed_by_a_further_run(place: &Place) {
    let files = law::files(1, 1_000_000);
    place.register(files.keys());
    law::write(place, &files);
    let words = ["stage", "app", "1.0.0", "../out/0.bin"];
    let data = ("versions/app/1.0.0/data", &files["0.bin"]);
    stage(place, "stage NAME VERSION FILE", &words, &|| place.begin(), data);
}

fn a_promotion_is_recorded_whole_or_not_at_all(place: &Place) {
    let files = law::files(1, 2_000);
    let commit = place.register(files.keys());
    let (artifact, metafile) = (format!("{}0.bin", commit.address()), law::metafile(commit, &files));
    let prepare = || {
        place.begin();
        place.plant(&artifact, files["0.bin"].clone());
        place.plant(&law::metafile_key(commit), metafile.to_bytes().unwrap());
    };
    let words = ["stage", "app", "1.0.0", "--commit", "HEAD", "--artifact", "0.bin"];
    stage(place, "stage NAME VERSION --commit REV", &words, &prepare, (&artifact, &files["0.bin"]));
}
