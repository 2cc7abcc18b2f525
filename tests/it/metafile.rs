//! The metafile: one encoding out, validated values in.

use std::error::Error;
use std::fmt::Write as _;

use fastrand::Rng;
use metalogic::address::{Commit, Tree};
use metalogic::artifact::{Digest, Mode, Name};
use metalogic::metafile::{Attempt, LARGEST, Metafile, MetafileError, Progress, Record};
use metalogic::moment::Moment;
use serde_json::{Map, Value, json};

const COMMIT: &str = "bb7abf8df6603159deacf1e1060c3dbf49489d8a";

/// The example of the specification, with a whole digest.
const EXAMPLE: &str = r#"{
  "commit": "bb7abf8df6603159deacf1e1060c3dbf49489d8a",
  "parent_commit": "f60d13d240dff31209eeada1465220c31d4fcb8e",
  "artifacts": {
    "apicallback_premise.zip": "bb7abf8df6603159deacf1e1060c3dbf49489d8a",
    "cef.zip": "4f07cad8358a354511c79f7aa0d652e22810d1da"
  },
  "details": {
    "apicallback_premise.zip": {
      "size": 1048576,
      "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    }
  }
}
"#;

fn commit() -> Commit {
    COMMIT.parse().unwrap()
}

fn parse(text: &str) -> Result<Metafile, MetafileError> {
    Metafile::parse(text.as_bytes(), commit())
}

/// Returns the canonical text of a metafile, as it would be written.
fn rewritten(text: &str) -> String {
    String::from_utf8(parse(text).unwrap().to_bytes().unwrap()).unwrap()
}

/// Returns all that a person sees of an error, and holds that a terminal can bear it.
fn refusal(text: &[u8]) -> String {
    let error = Metafile::parse(text, commit()).expect_err("a malformed metafile is refused");
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        write!(message, ": {error}").unwrap();
        source = error.source();
    }
    assert!(message.chars().all(|c| matches!(c, ' '..='~')), "{message:?}");
    assert!(message.len() < 2000, "{message:?}");
    message
}

/// Returns a text of random characters of an alphabet.
fn random_letters(rng: &mut Rng, alphabet: &str, length: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    (0..length).map(|_| alphabet[rng.usize(..alphabet.len())]).collect()
}

fn random_commit(rng: &mut Rng) -> Commit {
    let length = if rng.bool() { 40 } else { 64 };
    random_letters(rng, "0123456789abcdef", length).parse().unwrap()
}

fn random_name(rng: &mut Rng) -> Name {
    loop {
        let length = if rng.u8(..10) == 0 { 200 } else { rng.usize(1..12) };
        if let Ok(name) = random_letters(rng, "abzABZ019._+-", length).parse() {
            return name;
        }
    }
}

fn random_text(rng: &mut Rng) -> String {
    let length = rng.usize(..6);
    random_letters(rng, "aZ\"\\/\0\n\u{7f}é\u{202e}\u{2028}😀", length)
}

fn random_value(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(..if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i64(..).into(),
        3 => {
            let numbers = ["1e400", "-0.0", "0.10", "1E+5", "123456789012345678901234567890"];
            serde_json::from_str(numbers[rng.usize(..numbers.len())]).unwrap()
        }
        4 => random_text(rng).into(),
        5 => (0..rng.usize(..4)).map(|_| random_value(rng, depth - 1)).collect(),
        _ => random_fields(rng, depth - 1).into(),
    }
}

fn random_fields(rng: &mut Rng, depth: usize) -> Map<String, Value> {
    (0..rng.usize(..4)).map(|_| (format!("x{}", random_text(rng)), random_value(rng, depth))).collect()
}

fn random_record(rng: &mut Rng) -> Record {
    loop {
        let record = Record {
            size: rng.bool().then(|| rng.u64(..)),
            sha256: rng.bool().then(|| Digest::of(&[rng.u8(..)])),
            mode: rng.bool().then(|| format!("{:03o}", rng.u16(..0o1000)).parse().unwrap()),
            inputs: rng.bool().then(|| Digest::of(&[rng.u8(..)])),
            run: rng.bool().then(|| random_text(rng)),
            at: rng.bool().then(|| Moment::of_seconds(rng.u64(..300_000_000_000))),
            unknown: random_fields(rng, 2),
        };
        if !record.is_empty() {
            return record;
        }
    }
}

fn random_attempt(rng: &mut Rng) -> Attempt {
    Attempt {
        state: [Progress::Pending, Progress::Failed, Progress::Other("cancelled".to_owned())][rng.usize(..3)].clone(),
        run: rng.bool().then(|| random_text(rng)),
        at: rng.bool().then(|| Moment::of_seconds(rng.u64(..))),
        reason: rng.bool().then(|| random_text(rng)),
        unknown: random_fields(rng, 2),
    }
}

fn random_metafile(rng: &mut Rng) -> Metafile {
    let parent_commit = rng.bool().then(|| random_commit(rng));
    let mut metafile = Metafile::empty(random_commit(rng), parent_commit);
    for _ in 0..rng.usize(..8) {
        let name = random_name(rng);
        metafile.artifacts.insert(name.clone(), random_commit(rng));
        if rng.bool() {
            metafile.details.insert(name, random_record(rng));
        }
    }
    for _ in 0..rng.usize(..3) {
        metafile.attempts.insert(random_name(rng), random_attempt(rng));
    }
    metafile.tree = rng.bool().then(|| random_commit(rng).to_string().parse().unwrap());
    metafile.unknown = random_fields(rng, 3);
    metafile
}

#[test]
fn the_specified_example_is_the_one_encoding_of_itself() {
    assert_eq!(rewritten(EXAMPLE), EXAMPLE);
    let metafile = parse(EXAMPLE).unwrap();
    let name: Name = "apicallback_premise.zip".parse().unwrap();
    let record = metafile.record(&name, commit()).unwrap();
    assert_eq!(record.size, Some(1 << 20));
    assert_eq!(record.sha256, Some(Digest::of(b"test")));
    assert_eq!(metafile.record(&name, "f60d13d240dff31209eeada1465220c31d4fcb8e".parse().unwrap()), None);
}

#[test]
fn an_empty_metafile_has_the_three_keys_of_the_protocol() {
    let bytes = Metafile::empty(commit(), None).to_bytes().unwrap();
    let text = format!("{{\n  \"commit\": \"{COMMIT}\",\n  \"parent_commit\": null,\n  \"artifacts\": {{}}\n}}\n");
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
    assert_eq!(parse(&text).unwrap(), Metafile::empty(commit(), None));
}

#[test]
fn what_is_written_is_read_as_it_was() {
    for seed in 0..2000 {
        let metafile = random_metafile(&mut Rng::with_seed(seed));
        let bytes = metafile.to_bytes().unwrap();
        let read = Metafile::parse(&bytes, metafile.commit).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(read, metafile, "seed {seed}");
        assert_eq!(read.to_bytes().unwrap(), bytes, "seed {seed}");
    }
}

#[test]
fn equal_metafiles_are_equal_bytes_however_they_were_spelled() {
    for seed in 0..500 {
        let mut rng = Rng::with_seed(seed);
        let metafile = random_metafile(&mut rng);
        let bytes = metafile.to_bytes().unwrap();
        let Value::Object(fields) = serde_json::from_slice(&bytes).unwrap() else {
            unreachable!("a metafile is an object")
        };
        // The order of unknown keys is their author's, that of all others is the protocol's.
        let known = ["commit", "parent_commit", "artifacts", "details", "tree"];
        let (mut ours, theirs): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|(key, _)| known.contains(&key.as_str()));
        for (_, value) in &mut ours {
            if let Value::Object(entries) = value {
                let mut shuffled: Vec<_> = std::mem::take(entries).into_iter().collect();
                rng.shuffle(&mut shuffled);
                entries.extend(shuffled);
            }
        }
        rng.shuffle(&mut ours);
        let respelled: Map<String, Value> = theirs.into_iter().chain(ours).collect();
        let compact = format!(" {}\r\n", serde_json::to_string(&respelled).unwrap());
        let read = Metafile::parse(compact.as_bytes(), metafile.commit).unwrap();
        assert_eq!(read.to_bytes().unwrap(), bytes, "seed {seed}");
    }
}

#[test]
fn unknown_keys_survive_in_their_order_and_spelling() {
    let text = format!(
        r#"{{
  "commit": "{COMMIT}",
  "parent_commit": null,
  "artifacts": {{
    "cef.zip": "{COMMIT}"
  }},
  "details": {{
    "cef.zip": {{
      "size": 18446744073709551615,
      "mode": "755",
      "run": "https://ci/1",
      "at": 1e+400,
      "inputs": {{
        "z": [
          0.10,
          -0
        ],
        "a": {{}}
      }}
    }}
  }},
  "zebra": 1234567890123456789012345678901234567890,
  "apple": 1.50,
  "": null,
  "tiny": 1.0e-7
}}
"#
    );
    assert_eq!(rewritten(&text), text);
}

#[test]
fn a_stub_is_readdressed_and_carries_no_tree_and_no_unknown_keys() {
    let (child, parent) = (random_commit(&mut Rng::with_seed(1)), Some(commit()));
    let told = format!("{{ \"team\": \"web\", \"tree\": \"{COMMIT}\",");
    let text = EXAMPLE.replace("\"size\"", "\"run\": 7, \"size\"").replacen('{', &told, 1);
    let metafile = parse(&text).unwrap();
    assert_eq!((metafile.unknown.len(), metafile.tree.is_some()), (1, true));
    let stub = metafile.stub(child, parent);
    let expected = EXAMPLE
        .replacen(COMMIT, &child.to_string(), 1)
        .replace("f60d13d240dff31209eeada1465220c31d4fcb8e", &parent.unwrap().to_string());
    assert_eq!(String::from_utf8(stub.to_bytes().unwrap()).unwrap(), expected);
}

#[test]
fn a_tree_stands_after_the_details_and_before_what_is_unknown() {
    let tree = "6d0e6d4ee0b6fd4e4f2d3c1c6c7a3c1b8c2d9e10";
    for (text, before) in [
        (EXAMPLE.trim_end().strip_suffix('}').unwrap().to_owned() + ",", "  },\n"),
        (
            format!("{{ \"commit\": \"{COMMIT}\", \"parent_commit\": null, \"artifacts\": {{}},"),
            "  \"artifacts\": {},\n",
        ),
    ] {
        let written = rewritten(&format!("{{ \"zebra\": 1, {} \"tree\": \"{tree}\" }}", &text[1..]));
        let end = format!("{before}  \"tree\": \"{tree}\",\n  \"zebra\": 1\n}}\n");
        assert!(written.ends_with(&end), "{written}");
        assert_eq!(parse(&written).unwrap().tree, Some(tree.parse::<Tree>().unwrap()));
        // An older version, which keeps it as an unknown key, writes the same bytes.
        let mut older = parse(&written).unwrap();
        older.tree = None;
        older.unknown.shift_insert(0, "tree".to_owned(), tree.into());
        assert_eq!(String::from_utf8(older.to_bytes().unwrap()).unwrap(), written);
    }
}

#[test]
fn a_detail_of_nothing_is_dropped() {
    let with =
        |details: &str| format!(r#"{{"commit":"{COMMIT}","parent_commit":null,"artifacts":{{}},"details":{details}}}"#);
    assert_eq!(rewritten(&with(r#"{"cef.zip":{"size":1}}"#)), rewritten(&with("{}")));
    assert!(!rewritten(&with("{}")).contains("details"));
    let empty = format!(
        r#"{{"commit":"{COMMIT}","parent_commit":null,"artifacts":{{"x":"{COMMIT}"}},"details":{{"x":{{}}}}}}"#
    );
    assert!(!rewritten(&empty).contains("details"));
}

#[test]
fn a_key_of_the_protocol_that_is_missing_is_named() {
    for key in ["commit", "parent_commit", "artifacts"] {
        let mut fields: Map<String, Value> = serde_json::from_str(EXAMPLE).unwrap();
        fields.shift_remove(key).unwrap();
        let text = serde_json::to_string(&fields).unwrap();
        assert!(matches!(parse(&text), Err(MetafileError::MissingKey(missing)) if missing == key));
        assert!(refusal(text.as_bytes()).contains(&format!("{key:?}")));
    }
}

#[test]
fn a_value_that_the_protocol_does_not_allow_is_named_with_its_key() {
    let id = "f60d13d240dff31209eeada1465220c31d4fcb8e";
    let ids = [
        json!(3),
        json!(true),
        json!([]),
        json!({}),
        json!(""),
        json!("HEAD"),
        json!(id[1..]),
        json!(format!("{id}0")),
    ];
    let bad_ids = || ids.iter().cloned().chain([json!(id.to_uppercase()), json!("0".repeat(40)), json!("é\u{202e}\n")]);
    let no_objects = [json!(null), json!("x"), json!(1), json!([]), json!(false)];
    let texts = [json!(null), json!(1), json!([]), json!({}), json!(""), json!("é")];
    let mut cases: Vec<(&str, Value)> = Vec::new();
    cases.extend(bad_ids().chain([json!(null)]).map(|value| ("/commit", value)));
    cases.extend(bad_ids().map(|value| ("/parent_commit", value)));
    cases.extend(bad_ids().chain([json!(null)]).map(|value| ("/artifacts/cef.zip", value)));
    cases.extend(bad_ids().chain([json!(null)]).map(|value| ("/tree", value)));
    for key in ["/artifacts", "/details", "/details/apicallback_premise.zip"] {
        cases.extend(no_objects.iter().map(|value| (key, value.clone())));
    }
    let sizes = ["-1", "1.0", "1e3", "-0", "18446744073709551616", "null", "\"1\"", "[]", "{}", "true"];
    cases.extend(sizes.map(|size| ("/details/apicallback_premise.zip/size", serde_json::from_str(size).unwrap())));
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let digests = [json!(digest[1..]), json!(digest.to_uppercase()), json!(format!("sha256:{digest}"))];
    for value in texts.iter().cloned().chain(digests) {
        cases.push(("/details/apicallback_premise.zip/sha256", value));
    }
    for value in texts.iter().cloned().chain(["4755", "0755", "1777", "75", "758", "u+s", "+55"].map(Value::from)) {
        cases.push(("/details/apicallback_premise.zip/mode", value));
    }
    for (pointer, value) in cases {
        let mut whole: Value = serde_json::from_str(EXAMPLE).unwrap();
        whole["details"]["apicallback_premise.zip"]["mode"] = "755".into();
        whole["tree"] = id.into();
        *whole.pointer_mut(pointer).unwrap() = value.clone();
        let message = refusal(whole.to_string().as_bytes());
        assert!(message.contains(&format!("key {} of", pointer[1..].replace('/', "."))), "{message}");
        let spelled = value.to_string();
        let ascii = spelled.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        assert!(!ascii || message.contains(&format!("value {spelled}:")), "{message}");
    }
    for whole in no_objects {
        let message = refusal(whole.to_string().as_bytes());
        assert!(message.contains("object") && message.contains(&whole.to_string()), "{message}");
    }
}

#[test]
fn a_name_that_could_leave_its_directory_is_refused() {
    let long = "x".repeat(201);
    let names = [
        "",
        ".",
        "..",
        "../x",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "..\\x",
        "C:\\x",
        "\\\\host\\share",
        "con",
        "NUL.txt",
        "build_meta.json",
        "Build_Meta.JSON",
        ".bashrc",
        "-rf",
        "a.",
        "a b",
        "a\nb",
        "a\0b",
        "a\u{1b}[2J",
        "a\u{7f}",
        "a\u{202e}piz.exe",
        "caf\u{e9}",
        "a\u{200d}b",
        &long,
    ];
    for name in names {
        for key in ["artifacts", "details"] {
            let mut whole: Value = serde_json::from_str(EXAMPLE).unwrap();
            let value = if key == "artifacts" { json!(COMMIT) } else { json!({ "size": 1 }) };
            whole[key][name] = value;
            let message = refusal(whole.to_string().as_bytes());
            let json = Value::from(name).to_string();
            let plain = json.len() < 80 && json.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            assert!(message.contains(&format!("key {key}.")), "{message}");
            assert!(!plain || message.contains(&format!("value {json}:")), "{message}");
        }
    }
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let long = "x".repeat(5000);
    let entry = format!(r#""cef.zip": "{COMMIT}""#);
    let twice = [
        ("commit", EXAMPLE.replacen('{', &format!("{{ \"commit\": \"{COMMIT}\","), 1)),
        ("artifacts", EXAMPLE.replacen('{', "{ \"artifacts\": {},", 1)),
        ("cef.zip", EXAMPLE.replace("\"artifacts\": {", &format!("\"artifacts\": {{ {entry},"))),
        (
            "cef.zip",
            EXAMPLE.replace("\"artifacts\": {", &format!("\"artifacts\": {{ {},", entry.replace('z', "\\u007a"))),
        ),
        ("size", EXAMPLE.replace("\"size\"", "\"size\": 1, \"size\"")),
        ("deep", EXAMPLE.replacen('{', r#"{ "x": [{ "y": { "deep": 1, "deep": 1 } }],"#, 1)),
        ("n", EXAMPLE.replacen('{', r#"{ "x": { "n": 1e5, "m": 2, "n": 3 },"#, 1)),
        ("e9", EXAMPLE.replacen('{', r#"{ "é": 1, "é": 2,"#, 1)),
        ("xxx...", EXAMPLE.replacen('{', &format!("{{ \"{long}\": 1, \"{long}\": 1,"), 1)),
    ];
    for (key, text) in twice {
        let message = refusal(text.as_bytes());
        assert!(message.contains("twice") && message.contains(key), "{message}");
    }
}

#[test]
fn a_metafile_of_another_commit_is_refused_with_both() {
    let other: Commit = "f60d13d240dff31209eeada1465220c31d4fcb8e".parse().unwrap();
    let error = Metafile::parse(EXAMPLE.as_bytes(), other).unwrap_err();
    assert!(
        matches!(error, MetafileError::Misplaced { address, commit: says } if address == other && says == commit())
    );
    assert!(error.to_string().contains(COMMIT) && error.to_string().contains(&other.to_string()));
}

#[test]
fn a_metafile_over_one_mebibyte_is_neither_read_nor_written() {
    let limit = usize::try_from(LARGEST).unwrap();
    assert_eq!(limit, 1_048_576);
    let padded = |size: usize| format!("{EXAMPLE}{}", " ".repeat(size - EXAMPLE.len()));
    assert!(parse(&padded(limit)).is_ok());
    assert!(matches!(parse(&padded(limit + 1)), Err(MetafileError::TooLarge(size)) if size == LARGEST + 1));
    let mut metafile = Metafile::empty(commit(), None);
    metafile.unknown.insert("x".to_owned(), "y".repeat(limit).into());
    assert!(matches!(metafile.to_bytes(), Err(MetafileError::TooLarge(_))));
}

#[test]
fn no_nesting_is_too_deep_to_be_refused() {
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        refusal(open.repeat(10_000_000 / open.len()).as_bytes());
        refusal(open.repeat(1_000_000 / open.len()).as_bytes());
        refusal(EXAMPLE.replacen('{', &format!("{{ \"x\": {}", open.repeat(100_000)), 1).as_bytes());
    }
}

#[test]
fn what_is_not_one_json_text_is_refused() {
    for text in ["", " ", "nul", "{", "{]", "'x'", "{\"commit\": NaN}", "\u{feff}{}"] {
        assert!(refusal(text.as_bytes()).contains("not valid JSON"));
    }
    for end in ["x", "{}", ",", "\0", "\u{202e}"] {
        assert!(refusal(format!("{EXAMPLE}{end}").as_bytes()).contains("not valid JSON"));
    }
    for end in 0..EXAMPLE.len() - 2 {
        refusal(&EXAMPLE.as_bytes()[..end]);
    }
    for bytes in
        [&b"\xff"[..], b"\xff\xfe{\0}\0", b"{\"\xc3\": 1}", b"{\"x\": \"\xed\xa0\x80\"}", br#"{"x": "\ud800"}"#]
    {
        refusal(bytes);
    }
}

#[test]
fn no_bytes_make_the_reader_panic() {
    for seed in 0..20_000 {
        let mut rng = Rng::with_seed(seed);
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for _ in 0..rng.usize(1..8) {
            let at = rng.usize(..bytes.len());
            match rng.u8(..3) {
                0 => bytes[at] = rng.u8(..),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, rng.choice(*b"{}[]\",:0-e\\\xff").unwrap()),
            }
        }
        match Metafile::parse(&bytes, commit()) {
            Ok(metafile) => drop(metafile.to_bytes().unwrap()),
            Err(_) => drop(refusal(&bytes)),
        }
    }
}

#[test]
fn what_is_learned_of_the_same_bytes_is_added() {
    let (sha256, mode) = (Some(Digest::of(b"a")), Some(Mode::EXECUTABLE));
    let unknown: Map<String, Value> = [("run".to_owned(), Value::from(7))].into_iter().collect();
    let sized = Record { size: Some(1), unknown: unknown.clone(), ..Record::default() };
    let hashed = Record { size: Some(1), sha256, ..Record::default() };
    assert_eq!(sized.learn(&hashed), Record { size: Some(1), sha256, unknown: unknown.clone(), ..Record::default() });
    let executable = Record { mode, ..Record::default() };
    assert_eq!(sized.learn(&executable), Record { size: Some(1), mode, unknown, ..Record::default() });
    assert_eq!(hashed.learn(&Record::default()), hashed);
    assert_eq!(Record::default().learn(&hashed), hashed);
}

#[test]
fn what_others_wrote_under_the_newer_keys_stays_until_this_program_has_something_to_say_there() {
    let text = EXAMPLE.replacen(
        "\"size\": 1048576",
        "\"size\": 1048576,\n      \"run\": 7,\n      \"at\": \"yesterday\",\n      \"inputs\": []",
        1,
    );
    let text = text.trim_end().trim_end_matches('}').trim_end().to_owned() + ",\n  \"attempts\": \"none\"\n}\n";
    let mut metafile = parse(&text).unwrap();
    assert!(metafile.attempts.is_empty());
    let again = String::from_utf8(metafile.to_bytes().unwrap()).unwrap();
    for kept in ["\"run\": 7", "\"at\": \"yesterday\"", "\"inputs\": []", "\"attempts\": \"none\""] {
        assert!(again.contains(kept), "{kept} in {again}");
    }
    let name: Name = "apicallback_premise.zip".parse().unwrap();
    metafile.attempts.insert("other.zip".parse().unwrap(), random_attempt(&mut Rng::with_seed(1)));
    let known = Record { run: Some("https://ci/1".to_owned()), at: Some(Moment::of_seconds(1)), ..Record::default() };
    let record = metafile.details.get_mut(&name).unwrap();
    *record = record.learn(&known);
    record.inputs = Some(Digest::of(b"a"));
    assert_eq!(
        parse(&rewritten(std::str::from_utf8(&metafile.to_bytes().unwrap()).unwrap())).unwrap().details[&name].run,
        known.run
    );
}

#[test]
fn the_first_to_record_the_same_bytes_is_who_published_them() {
    let stamped =
        |run: Option<&str>, at| Record { size: Some(1), run: run.map(str::to_owned), at, ..Record::default() };
    let moment = |seconds| Some(Moment::of_seconds(seconds));
    let (first, second) = (stamped(Some("https://ci/1"), moment(1)), stamped(Some("https://ci/2"), moment(2)));
    assert_eq!(first.learn(&second), first);
    assert_eq!(stamped(None, None).learn(&second), second);
    // Who ran by hand has no run, and another one's is not taken for it.
    assert_eq!(stamped(None, moment(1)).learn(&second), stamped(None, moment(1)));
}

#[test]
fn a_record_of_other_bytes_is_replaced_whole() {
    let unknown: Map<String, Value> = [("run".to_owned(), Value::from(7))].into_iter().collect();
    let old = Record {
        size: Some(1),
        sha256: Some(Digest::of(b"a")),
        mode: Some(Mode::EXECUTABLE),
        unknown,
        ..Record::default()
    };
    for new in [
        Record { size: Some(2), ..Record::default() },
        Record { sha256: Some(Digest::of(b"b")), ..Record::default() },
        Record { size: Some(1), sha256: Some(Digest::of(b"b")), ..Record::default() },
        Record { size: Some(2), sha256: Some(Digest::of(b"a")), ..Record::default() },
    ] {
        assert_eq!(old.learn(&new), new);
    }
}
