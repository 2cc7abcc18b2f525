//! The documents in `fixtures/`: what each of them is read as, or why it is refused.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use metalogic::metafile::Metafile;
use metalogic::registry::Registry;
use metalogic::release::Release;

fn fixtures(kind: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

/// Tells an error with its causes, one a line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        write!(text, "\n  because {deeper}").unwrap();
        cause = deeper.source();
    }
    text
}

#[test]
fn each_metafile_is_read_or_refused_as_its_name_says() {
    let address = "bb7abf8df6603159deacf1e1060c3dbf49489d8a".parse().unwrap();
    let mut shown = String::new();
    for (name, bytes) in fixtures("metafiles") {
        let read = Metafile::parse(&bytes, address);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
        let text = match read {
            Ok(metafile) => String::from_utf8(metafile.to_bytes().unwrap()).unwrap(),
            Err(error) => told(&error),
        };
        assert!(
            !matches!(name.as_str(), "article.json" | "canonical.json") || text.as_bytes() == bytes,
            "{name} is canonical"
        );
        writeln!(shown, "== {name}\n{}\n", text.trim_end()).unwrap();
    }
    assert_snapshot!(shown);
}

#[test]
fn each_registry_is_read_or_refused_as_its_name_says() {
    let mut shown = String::new();
    for (name, bytes) in fixtures("registries") {
        let read = Registry::parse(&bytes, &name);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
        match read {
            Err(error) => writeln!(shown, "== {name}\n{}\n", told(&error)).unwrap(),
            Ok(registry) => {
                let unknown: Vec<String> = registry.unknown_keys.iter().map(ToString::to_string).collect();
                let names = registry.all_names();
                let (store, parameter) = (&registry.store.url, &registry.versions.parameter);
                let unknown = unknown.join("\n");
                writeln!(shown, "== {name}\nnames {names:?}\nstore {store:?}\nparameter {parameter:?}\n{unknown}\n")
                    .unwrap();
            }
        }
    }
    assert_snapshot!(shown);
}

#[test]
fn each_record_of_a_release_is_read_or_refused_as_its_name_says() {
    let (name, version) = ("app".parse().unwrap(), "1.0.0".parse().unwrap());
    let mut shown = String::new();
    for (file, bytes) in fixtures("records") {
        let read = Release::parse(&bytes, &name, &version);
        assert_eq!(read.is_err(), file.starts_with("bad-"), "{file}: {read:?}");
        let text = match read {
            Ok(release) => String::from_utf8(release.to_bytes()).unwrap(),
            Err(error) => told(&error),
        };
        let canonical = matches!(file.as_str(), "canonical.json" | "promoted.json");
        assert!(!canonical || text.as_bytes() == bytes, "{file} is canonical");
        writeln!(shown, "== {file}\n{}\n", text.trim_end()).unwrap();
    }
    assert_snapshot!(shown);
}
