//! What holds for any bytes that others write, whatever they are: the fuzz targets in `fuzz/` and the tests here try the same laws.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::path::{Component, Path};
use std::str::FromStr;

use metalogic::address::{Commit, Tree};
use metalogic::arrival::{Rules, within};
use metalogic::artifact::{Digest, Mode, Name};
use metalogic::config::{duration, jobs, max_ancestors};
use metalogic::failure::Failure;
use metalogic::hook::{Heard, Hook};
use metalogic::inputs::Inputs;
use metalogic::location::{FileName, Location, is_bucket};
use metalogic::metafile::{Metafile, MetafileError};
use metalogic::metalogic::Listing;
use metalogic::moved::Moves;
use metalogic::organisation::{KeyPrefix, Organisation, Region};
use metalogic::parameters::name;
use metalogic::parts::Parts;
use metalogic::publish::Item;
use metalogic::registry::edit::{self, Addition};
use metalogic::registry::{Account, ProjectName, Registry, StorageClass};
use metalogic::release::Release;
use metalogic::version::{ReleaseName, Version};
use metalogic::words;
use serde_json::Value;

/// The commit whose metafile is read, as in the fixtures.
pub const COMMIT: &str = "bb7abf8df6603159deacf1e1060c3dbf49489d8a";

/// How long a line is at most that is told, in characters.
const LONGEST: usize = 1000;

/// Holds for any bytes, or panics.
pub type Law = fn(&[u8]);

/// Names each target and the law that it tries.
pub const ALL: [(&str, Law); 9] = [
    ("metafile", metafile),
    ("record", record),
    ("registry", registry),
    ("organisation", organisation),
    ("store_url", store_url),
    ("hook_stdin", hook_stdin),
    ("listing", listing),
    ("listing_s3", crate::laws_s3::listing_s3),
    ("names", names),
];

fn commit() -> Commit {
    COMMIT.parse().unwrap()
}

/// Says that a text is one line that drives no terminal and that somebody reads to its end.
fn expect_line(text: &str) {
    assert!(!text.chars().any(words::is_unseen), "{text:?}");
    assert!(!text.is_empty() && text.chars().count() <= LONGEST, "{} bytes: {:.200}", text.len(), text);
}

/// Says that an error and its causes are told in a line each.
fn expect_told(error: &(dyn Error + 'static)) {
    std::iter::successors(Some(error), |&error| error.source()).for_each(|error| expect_line(&error.to_string()));
}

/// Says that an error is told in a line each, however much of what somebody typed stands in it.
fn expect_failure(error: impl Error + Send + Sync + 'static) {
    for failure in Failure::all_of(&anyhow::Error::from(error)) {
        expect_line(&failure.message);
        failure.causes.iter().chain(&failure.hint).for_each(|line| expect_line(line));
    }
}

/// Says that a text is an artifact's name, by other means than the program's.
fn expect_name(text: &str) {
    let bytes = text.as_bytes();
    let first = *bytes.first().expect("a name is not empty");
    assert!(bytes.len() <= 200 && first.is_ascii_alphanumeric() && bytes.last() != Some(&b'.'), "{text:?}");
    assert!(bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(b)), "{text:?}");
    let small = text.to_ascii_lowercase();
    assert_ne!(small, "build_meta.json");
    let stem = small.split('.').next().unwrap();
    assert!(!["con", "prn", "aux", "nul"].contains(&stem), "{text:?}");
    let numbered = stem.len() == 4 && stem.as_bytes()[3].is_ascii_digit();
    assert!(!(numbered && (stem.starts_with("com") || stem.starts_with("lpt"))), "{text:?}");
    expect_inside(&Path::new("out").join(text), "out");
}

/// Says that a path names something in a directory itself.
fn expect_inside(path: &Path, directory: &str) {
    let parts: Vec<Component<'_>> = path.components().collect();
    let inside = matches!(parts.as_slice(), [Component::Normal(above), Component::Normal(_)] if *above == directory);
    assert!(inside, "{}", path.display());
}

/// Says that a text is a full commit id, by other means than the program's.
fn expect_commit(text: &str) {
    assert!(matches!(text.len(), 40 | 64) && text.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{text:?}");
    assert!(text.bytes().any(|b| b != b'0'));
}

/// What a metafile is read as is written in one way, which is read as the same.
pub fn metafile(bytes: &[u8]) {
    let read = match Metafile::parse(bytes, commit()) {
        Ok(read) => read,
        Err(error) => return expect_told(&error),
    };
    assert!(bytes.len() <= 1 << 20);
    read.artifacts.iter().for_each(|(name, at)| {
        expect_name(name.as_str());
        expect_commit(&at.to_string());
    });
    assert!(read.details.keys().all(|name| read.artifacts.contains_key(name)));
    // What the program made of it is what stands there.
    let told: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(told["commit"], COMMIT);
    assert_eq!(told["parent_commit"].as_str().map(str::to_owned), read.parent_commit.map(|id| id.to_string()));
    let listed = told["artifacts"].as_object().unwrap();
    assert!(listed.len() == read.artifacts.len());
    assert!(read.artifacts.iter().all(|(name, at)| listed[name.as_str()] == at.to_string()));
    for (key, value) in &read.unknown {
        assert_eq!(told.get(key), Some(value), "{key:?}");
    }

    let written = match read.to_bytes() {
        Ok(written) => written,
        // A short encoding of a long document, which nobody writes again.
        Err(error) => return expect_told(&error),
    };
    let text = std::str::from_utf8(&written).unwrap();
    assert!(
        text.starts_with(&format!("{{\n  \"commit\": \"{COMMIT}\",\n  \"parent_commit\": ")) && text.ends_with("}\n")
    );
    let again = Metafile::parse(&written, commit()).unwrap();
    let mut same = read.clone();
    same.details.retain(|_, record| !record.is_empty());
    assert_eq!(again, same);
    assert_eq!(again.to_bytes().unwrap(), written);

    let other: Commit = "c".repeat(40).parse().unwrap();
    assert!(matches!(Metafile::parse(&written, other), Err(MetafileError::Misplaced { .. })));
    let stub = read.stub(other, Some(commit()));
    assert!(stub.artifacts == read.artifacts && stub.unknown.is_empty() && stub.tree.is_none());
    assert!(stub.details.values().all(|record| record.unknown.is_empty()));
    assert_eq!(Metafile::parse(&stub.to_bytes().unwrap(), other).unwrap().artifacts, read.artifacts);
}

/// What is recorded of a release is written in one way, and names a file in a directory itself.
pub fn record(bytes: &[u8]) {
    let (name, version): (ReleaseName, Version) = ("app".parse().unwrap(), "1.0.0".parse().unwrap());
    let read = match Release::parse(bytes, &name, &version) {
        Ok(read) => read,
        Err(error) => return expect_told(&error),
    };
    assert!(bytes.len() <= 1 << 20 && read.name == name && read.version.is_same(&version));
    if let Some(filename) = &read.filename {
        expect_file(filename);
    }
    if let Some(origin) = &read.origin {
        expect_name(origin.artifact.as_str());
        expect_commit(&origin.commit.to_string());
        expect_commit(&origin.address.to_string());
    }
    let written = read.to_bytes();
    if written.len() <= 1 << 20 {
        let again = Release::parse(&written, &name, &version).unwrap();
        assert!(again == read && again.to_bytes() == written);
        assert!(read.differences(&again).is_empty());
    }
}

fn expect_file(name: &FileName) {
    let text = name.to_string();
    assert!(!text.contains(['/', '\n', '\0']) && !matches!(text.as_str(), "" | "." | ".."));
    for rules in [Rules::Other, Rules::Windows] {
        match within(Path::new("out"), name, rules) {
            Ok(path) => {
                expect_inside(&path, "out");
                assert!(text.len() <= 255 && !text.chars().any(words::is_unseen), "{text:?}");
                assert!(rules == Rules::Other || !text.contains(['\\', ':', '*', '?']), "{text:?}");
            }
            Err(error) => expect_line(&error.to_string()),
        }
    }
}

/// Of a registry each name is valid and stands once; a name that is added is added, and nothing else happens.
pub fn registry(bytes: &[u8]) {
    const FILE: &str = "artifacts.toml";
    let read = match Registry::parse(bytes, FILE) {
        Ok(read) => read,
        Err(error) => {
            let told = error.to_string();
            told.lines().for_each(expect_line);
            assert!(told.is_ascii());
            for table in [Registry::store_table_of(bytes, FILE).err(), Registry::pointer_of(bytes, FILE).err()] {
                assert!(table.is_none_or(|table| table.to_string() == told));
            }
            return;
        }
    };
    assert!(bytes.len() <= 1 << 20);
    let mut seen = BTreeSet::new();
    for (project, holds) in &read.projects {
        assert_eq!(project.as_str().parse::<ProjectName>().as_ref(), Ok(project));
        for name in holds.artifacts.iter().map(|entry| &entry.name).chain(&holds.retired) {
            expect_name(name.as_str());
            assert!(seen.insert(name.folded()), "{name} stands twice");
            assert_eq!(read.owner(name).unwrap().project, project);
        }
    }
    read.projects
        .values()
        .flat_map(|holds| &holds.artifacts)
        .filter_map(|entry| entry.inputs.as_ref())
        .for_each(inputs);
    read.unknown_keys.iter().for_each(|unknown| expect_line(&unknown.to_string()));
    assert_eq!(Registry::store_table_of(bytes, FILE).unwrap(), read.store);
    assert_eq!(Registry::pointer_of(bytes, FILE).unwrap(), read.repository.registry);
    assert_eq!(Registry::versions_table_of(bytes, FILE).unwrap().0, read.versions);

    let added: Name = "Added-9.zip".parse().unwrap();
    let project = read.projects.keys().next();
    let addition =
        Addition { project, names: std::slice::from_ref(&added), description: Some("\"\u{1}"), new_project: false };
    match edit::add(bytes, FILE, &addition) {
        Err(error) => expect_told(&error),
        Ok(edited) => {
            let now = Registry::parse(&edited.text, FILE).unwrap();
            let mut expected = read.all_names();
            expected.insert(added.clone());
            assert!(now.all_names() == expected && now.store == read.store && now.versions == read.versions);
            assert!(read.all_names().iter().all(|name| now.entry(name) == read.entry(name)));
            let again = edit::add(&edited.text, FILE, &addition).unwrap();
            assert!(again.text == edited.text && again.present == [added]);
        }
    }
}

/// What is declared is read as itself, and nothing is taken in a directory that is passed over.
fn inputs(declared: &Inputs) {
    assert_eq!(Inputs::parse(declared.specs()).as_ref(), Ok(declared));
    let own = declared.specs().iter().map(|spec| spec.trim_start_matches([':', '!']));
    for path in own.chain(["web/a.md", "libs/common/x/y/z.c", "a"]) {
        let path = path.trim_matches('/').as_bytes();
        if declared.is_match(path) {
            let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]);
            assert!(above.chain([&b""[..]]).all(|directory| declared.may_match_below(directory)), "{declared:?}");
        }
    }
}

/// What a configuration is read as is written in one way, which is read as the same.
pub fn organisation(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = match Organisation::parse(&text) {
        Ok(read) => read,
        Err(error) => return expect_told(&error),
    };
    for said in [read.key_prefix.as_str(), &read.bucket_parameter, &read.parameter_prefix] {
        assert!(!said.contains(char::is_control), "{said:?}");
    }
    let written = read.to_text();
    assert!(written.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n')));
    let again = Organisation::parse(&written).unwrap();
    assert_eq!(again.to_text(), written);
    assert!(again.kind == read.kind && again.key_prefix == read.key_prefix);
}

/// A place is written as a URL that names the same place, and no bucket is left.
pub fn store_url(bytes: &[u8]) {
    let (text, base) = (String::from_utf8_lossy(bytes), Path::new("/base/dir"));
    for place in [Location::parse(&text, base), Location::parse_file(&text, base)] {
        let place = match place {
            Ok(place) => place,
            Err(error) => {
                expect_failure(error);
                continue;
            }
        };
        let url = place.to_string();
        assert_eq!(Location::parse(&url, Path::new("")).as_ref(), Ok(&place), "{url:?}");
        match &place {
            Location::Local(path) => assert!(path.is_absolute() && url.starts_with("file:///")),
            Location::S3 { bucket, prefix } => expect_in_bucket(bucket, prefix),
        }
        match place.part() {
            Ok((above, name)) => {
                expect_file(&name);
                assert!(!matches!(&place, Location::S3 { .. }) || above.below(&name.to_string()) == place);
            }
            Err(error) => expect_failure(error),
        }
    }
}

fn expect_in_bucket(bucket: &str, prefix: &str) {
    assert!(is_bucket(bucket) && (3..=63).contains(&bucket.len()));
    assert!(bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b)), "{bucket:?}");
    assert!(!prefix.chars().any(char::is_control), "{prefix:?}");
    assert!(prefix.is_empty() || prefix.split('/').all(|part| !matches!(part, "" | "." | "..")), "{prefix:?}");
}

/// What a hook hears are whole ids, as many as there are lines, and the same when it is told again.
pub fn hook_stdin(bytes: &[u8]) {
    let input = String::from_utf8_lossy(bytes);
    let lines = input.lines().filter(|line| !line.trim().is_empty()).count();
    for hook in Hook::ALL {
        let moves = match hook.hear(&["origin".to_owned()], &input) {
            Err(error) => {
                expect_told(&error);
                continue;
            }
            Ok(Heard::Head | Heard::Merged | Heard::Nothing) => Moves::default(),
            Ok(Heard::Rewritten(rewrites)) => Moves { rewrites, ..Moves::default() },
            Ok(Heard::Moved { updates, remote }) => Moves { updates, remote, ..Moves::default() },
        };
        assert!(!hook.reads() || lines == moves.updates.len() + moves.rewrites.len());
        for id in moves.tips() {
            expect_commit(&id.to_string());
        }
        // It waits in a file.
        let kept = serde_json::to_vec(&moves).unwrap();
        assert_eq!(serde_json::from_slice::<Moves>(&kept).unwrap(), moves);
        if hook == Hook::PostReceive {
            let id = |id: Option<Commit>| id.map_or_else(|| "0".repeat(40), |id| id.to_string());
            let line = |update: &metalogic::hook::Update| {
                format!("{} {} {}\n", id(update.old), id(update.new), update.reference.as_deref().unwrap_or_default())
            };
            let again: String = moves.updates.iter().map(line).collect();
            assert_eq!(hook.hear(&[], &again), Ok(Heard::Moved { updates: moves.updates, remote: None }));
        }
    }
}

/// Each name of a listing is an artifact's, the metafile's, the program's own, or told as one that nothing can have.
pub fn listing(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let names: BTreeSet<&str> = text.split('\n').collect();
    let listing: Listing = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
    expect_listing(&listing);
    assert_eq!(listing.metafile, names.contains("build_meta.json"));
    let own = names.iter().filter(|name| name.is_empty() || name.starts_with('.')).count();
    assert_eq!(names.len(), listing.artifacts.len() + listing.odd.len() + own + usize::from(listing.metafile));
    assert!(listing.artifacts.keys().all(|name| names.contains(name.as_str())));
}

pub fn expect_listing(listing: &Listing) {
    listing.artifacts.keys().for_each(|name| expect_name(name.as_str()));
    assert!(listing.odd.iter().all(|odd| !odd.is_empty() && !odd.starts_with('.') && odd.parse::<Name>().is_err()));
}

/// What is read from a word is written as that word, and what is refused is told.
pub fn names(bytes: &[u8]) {
    fn same<T: FromStr<Err: Error + Send + Sync + 'static> + Display + Debug>(text: &str) -> Option<T> {
        match text.parse::<T>() {
            Ok(value) => {
                assert_eq!(value.to_string(), text);
                Some(value)
            }
            Err(error) => {
                expect_failure(error);
                None
            }
        }
    }
    let text = &*String::from_utf8_lossy(bytes);
    same::<Name>(text).iter().for_each(|name| expect_name(name.as_str()));
    same::<Commit>(text).iter().for_each(|id| expect_commit(&id.to_string()));
    same::<Tree>(text).iter().for_each(|id| expect_commit(&id.to_string()));
    same::<FileName>(text).iter().for_each(expect_file);
    drop((same::<Digest>(text), same::<Mode>(text), same::<ProjectName>(text), same::<ReleaseName>(text)));
    drop((same::<Version>(text), same::<KeyPrefix>(text), same::<Region>(text)));
    text.parse::<Account>().err().into_iter().for_each(expect_failure);
    text.parse::<StorageClass>().err().into_iter().for_each(expect_failure);
    let numbers = [jobs(text).err(), max_ancestors(text).err(), Parts::abreast(text).err(), Parts::size(text).err()];
    for error in numbers.into_iter().chain([duration(text).err()]).flatten() {
        expect_line(&error);
    }
    if let Err(error) = text.parse::<Hook>() {
        expect_failure(error);
    }
    if let Err(error) = name::check(text) {
        expect_failure(error);
    }
    match Item::parse(text.as_ref()) {
        Ok(item) => expect_name(item.name.as_str()),
        Err(error) => expect_failure(error),
    }
}
