//! Documents: what stands in them twice, what reads differently to others, what never ends.

use std::collections::BTreeMap;

use metalogic::metafile::{Metafile, MetafileError};
use metalogic::organisation::Organisation;
use metalogic::registry::Registry;
use metalogic::release::Release;
use serde_json::{Value, json};

use super::{expect_lines, plant_metafile};
use crate::laws::COMMIT;
use crate::sandbox::Sandbox;

fn metafile(bytes: &[u8]) -> Result<Metafile, MetafileError> {
    Metafile::parse(bytes, COMMIT.parse().unwrap())
}

fn with(more: &str) -> String {
    format!(r#"{{"commit":"{COMMIT}","parent_commit":null,"artifacts":{{"a":"{COMMIT}"}}{more}}}"#)
}

fn record(more: &str) -> Result<Release, String> {
    let text = format!(r#"{{"name":"app","version":"1.0.0","size":3{more}}}"#);
    let read = Release::parse(text.as_bytes(), &"app".parse().unwrap(), &"1.0.0".parse().unwrap());
    read.map_err(|error| error.to_string())
}

fn organisation(more: &str) -> bool {
    Organisation::parse(&format!(r#"{{"bucket_param_name":"/b"{more}}}"#)).is_ok()
}

#[test]
fn a_key_that_stands_twice_anywhere_is_refused_in_every_document() {
    assert!(metafile(with("").as_bytes()).is_ok() && record("").is_ok() && organisation(""));
    for twice in [
        r#","x":1,"x":1"#,
        r#","x":1,"\u0078":2"#,
        r#","x":{"k":1,"k":1}"#,
        r#","x":[[{"k":1,"j":2,"\u006B":3}]]"#,
        r#","\ud83d\ude00":1,"😀":2"#,
        r#","commit":null,"c\u006fmmit":null"#,
    ] {
        assert!(metafile(with(twice).as_bytes()).is_err(), "{twice}");
        assert!(record(twice).is_err(), "{twice}");
        assert!(!organisation(twice), "{twice}");
    }
    for twice in [r#","details":{"a":{"size":1,"size":1}}"#, r#","details":{"a":{},"\u0061":{}}"#, r#","artifacts":{}"#]
    {
        assert!(metafile(with(twice).as_bytes()).is_err(), "{twice}");
    }
    assert!(record(r#","metadata":{"a":"1","\u0061":"2"}"#).is_err());
}

#[test]
fn what_would_read_differently_to_others_is_refused_in_every_document() {
    for odd in [
        r#","x":"\ud800""#,
        r#","x":"\udc00\ud800""#,
        r#","\ud800":1"#,
        r#","x":{"$serde_json::private::Number":"7"}"#,
        r#","x":[{"\u0024serde_json::private::Number":"7"}]"#,
        r#","x":{"$serde_json::private::RawValue":"7"}"#,
        ",\"x\":\"a\0\"",
        ",\"x\":\"a\nb\"",
        r#","x":NaN"#,
        r#","x":01"#,
        r#","x":1,"#,
        r#","x":'y'"#,
        r#","x":1}{"#,
        r#","x":1 /* y */"#,
    ] {
        assert!(metafile(with(odd).as_bytes()).is_err(), "{odd}");
        assert!(record(odd).is_err(), "{odd}");
        assert!(!organisation(odd), "{odd}");
    }
    let fine = with("");
    let utf16: Vec<u8> = fine.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let overlong = fine.replacen("\"a\"", "\"OV\"", 1).into_bytes();
    let at = overlong.windows(2).position(|two| two == b"OV").unwrap();
    let overlong = [&overlong[..at], b"\xc0\xae", &overlong[at + 2..]].concat();
    let marked = [b"\xef\xbb\xbf", fine.as_bytes()].concat();
    for odd in [utf16, overlong, marked, [fine.as_bytes(), b"\0"].concat(), Vec::new()] {
        assert!(metafile(&odd).is_err(), "{}", odd.escape_ascii());
    }
    // What nobody here understands is kept, digit for digit, whatever number it is.
    let numbers = r#","x":[1e999,-0.10,123456789012345678901234567890,1E+2]"#;
    let written = metafile(with(numbers).as_bytes()).unwrap().to_bytes().unwrap();
    let written = String::from_utf8(written).unwrap().to_lowercase();
    for number in ["1e+999", "-0.10", "123456789012345678901234567890", "1e+2"] {
        assert!(written.contains(number), "{number} in {written}");
    }
}

#[test]
fn a_size_is_a_whole_number_of_bytes_and_nothing_else() {
    for odd in ["-1", "1.0", "1e3", "18446744073709551616", "1e999", "\"1\"", "null", "true", "[1]"] {
        let refused = metafile(with(&format!(r#","details":{{"a":{{"size":{odd}}}}}"#)).as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("details.a.size"), "{refused}");
        let text = format!(r#"{{"name":"app","version":"1.0.0","size":{odd}}}"#);
        let read = Release::parse(text.as_bytes(), &"app".parse().unwrap(), &"1.0.0".parse().unwrap());
        assert!(read.unwrap_err().to_string().starts_with("size is "), "{odd}");
    }
    assert!(metafile(with(r#","details":{"a":{"size":18446744073709551615}}"#).as_bytes()).is_ok());
}

/// Documents that go down as deep as there is room.
fn nested(length: usize) -> Vec<(&'static str, String)> {
    let times = |piece: &str| piece.repeat(length / piece.len());
    vec![
        ("arrays", times("[")),
        ("closed arrays", format!("{}{}", times("[").split_at(length / 2).0, times("]").split_at(length / 2).0)),
        ("objects", times("{\"a\":")),
        ("in a key", with(&format!(",\"x\":{}", times("[{\"a\":")))),
        ("arrays of TOML", format!("a = {}", times("["))),
        ("tables of TOML", format!("a = {}", times("{a="))),
        ("tables of projects", format!("[projects.a]\nartifacts = {}", times("[{name="))),
        ("a key of TOML", format!("{}a = 1\n", times("a."))),
        ("a header of TOML", format!("[{}a]\n", times("a."))),
        ("headers of TOML", format!("{}[a]\n", times("[[a]]\n[a.b]\n"))),
        ("strings of TOML", format!("a = {}", times("\"\"\"\n"))),
    ]
}

#[test]
fn nesting_without_end_is_refused_on_a_small_stack_in_no_long_time() {
    let since = std::time::Instant::now();
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let tried = small.spawn(|| {
        for length in [100_000, 1 << 20] {
            for (what, text) in nested(length) {
                assert!(metafile(text.as_bytes()).is_err(), "{what}");
                let (name, version) = ("app".parse().unwrap(), "1.0.0".parse().unwrap());
                assert!(Release::parse(text.as_bytes(), &name, &version).is_err(), "{what}");
                assert!(Organisation::parse(&text).is_err(), "{what}");
                let refused = Registry::parse(text.as_bytes(), "artifacts.toml");
                assert!(refused.is_err(), "{what}");
                assert!(Registry::store_table_of(text.as_bytes(), "artifacts.toml").is_err(), "{what}");
            }
        }
    });
    tried.unwrap().join().unwrap();
    assert!(since.elapsed().as_secs() < 20, "{:?}", since.elapsed());
}

#[test]
fn ten_megabytes_of_nesting_are_refused_by_the_program() {
    let sandbox = Sandbox::with_repository();
    for length in [(1 << 20) - 1, 10 << 20] {
        plant_metafile(&sandbox, |_| "[".repeat(length));
        let ran = sandbox.run(&["-q", "--store", "../store", "show"]);
        assert!(ran.code == Some(8) && ran.stderr.contains("build_meta.json is malformed"), "{ran}");
        expect_lines(&ran);
    }
    for length in [(1 << 20) - 10, 10 << 20] {
        sandbox.write("repo/artifacts.toml", format!("a = {}", "[".repeat(length)));
        let ran = sandbox.run(&["-q", "registry", "check"]);
        assert!(ran.code == Some(12) && ran.stderr.contains("artifacts.toml"), "{ran}");
        expect_lines(&ran);
    }
}

/// Runs the program with a gigabyte of memory and no more, and in time.
#[cfg(target_os = "linux")]
fn in_little_memory(sandbox: &Sandbox, arguments: &[&str]) -> crate::sandbox::Ran {
    let mut command = sandbox.with_program(sandbox.plain_command("sh"));
    command.args(["-c", "ulimit -v 1048576; exec timeout 30 metalogic \"$@\"", "sh"]);
    command.args(arguments).current_dir(sandbox.path("repo"));
    sandbox.ran(&arguments.join(" "), &command.output().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_document_of_ten_gigabytes_is_refused_rather_than_read() {
    let sandbox = Sandbox::with_repository();
    let commit = plant_metafile(&sandbox, |_| String::new());
    let sparse = |path: &str| {
        sandbox.write(path, "");
        std::fs::File::options().write(true).open(sandbox.path(path)).unwrap().set_len(10 << 30).unwrap();
    };
    let metafile = format!("store/builds/{commit}/build_meta.json");
    sparse(&metafile);
    let run = |arguments: &[&str]| in_little_memory(&sandbox, &[&["-q", "--store", "../store"], arguments].concat());
    for arguments in [&["show"][..], &["fetch", "-o", "out"]] {
        let ran = run(arguments);
        assert!(ran.code == Some(8) && ran.stderr.contains("at most 1048576 bytes, this has 10737418240"), "{ran}");
        expect_lines(&ran);
    }
    // It is nobody's metafile, and is made anew.
    let ran = run(&["resolve"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("counts as none"), "{ran}");
    assert!(sandbox.read(&metafile).contains(&commit));
    sparse("store/versions/app/1.0.0/record.json");
    let ran = run(&["info", "app", "1.0.0"]);
    assert!(ran.code == Some(8) && ran.stderr.contains("10737418240"), "{ran}");
    sparse("repo/artifacts.toml");
    let ran = run(&["registry", "check"]);
    assert!(ran.code == Some(12) && ran.stderr.contains("artifacts.toml has 10737418240 bytes"), "{ran}");
    sandbox.git("repo", &["rm", "-q", "-f", "artifacts.toml"]);
    sandbox.git("repo", &["commit", "-q", "-m", "elsewhere"]);
    sparse("store/artifacts.toml");
    let ran = run(&["registry", "check"]);
    assert!(ran.code == Some(12) && ran.stderr.contains("10737418240"), "{ran}");
    expect_lines(&ran);
}

#[test]
fn the_largest_metafile_of_attempts_is_read_and_written_in_a_time_that_grows_with_it() {
    // The second half is of another shape.
    let attempts: BTreeMap<String, Value> = (0..28_000)
        .map(|at| (format!("n{at:05}"), if at < 14_000 { json!({"state": ""}) } else { json!(1) }))
        .collect();
    let text = with(&format!(",\"attempts\":{}", serde_json::to_string(&attempts).unwrap()));
    let since = std::time::Instant::now();
    let read = metafile(text.as_bytes()).unwrap();
    assert_eq!(read.attempts.len(), 14_000);
    let written = read.to_bytes().unwrap();
    assert!(written.len() > 800_000, "{}", written.len());
    assert_eq!(metafile(&written).unwrap().to_bytes().unwrap(), written);
    assert!(since.elapsed().as_secs() < 5, "{:?}", since.elapsed());
}
