//! The house holds: each file uses only floors below its own, and foreign types stay in their one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, into: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                into.push((path, text));
            }
        }
    }
    let mut sources = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    sources
}

/// Returns the room that a file belongs to: `store/memory` for `src/store/memory.rs`, `cli` for all below `src/cli`.
fn room(path: &Path) -> String {
    let path = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().with_extension("");
    let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
    match parts.as_slice() {
        // What lies below the port is a leaf, but for what is the port's own.
        ["store", "key" | "edition" | "presigned"] => "store".to_owned(),
        ["store", leaf, ..] => format!("store/{leaf}"),
        [room, ..] => (*room).to_owned(),
        [] => unreachable!("a source has a name"),
    }
}

/// Returns the floor of every room, as `lib.rs` lists them: the list is the architecture document.
fn floors() -> BTreeMap<String, usize> {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut floors = BTreeMap::new();
    let mut floor = 0;
    for line in lib.lines() {
        if let Some(rest) = line.strip_prefix("// Floor ") {
            let number: usize = rest.split(',').next().unwrap().trim().parse().unwrap();
            assert_eq!(number, floor + 1, "floors are listed in order");
            floor = number;
        } else if let Some(room) = line.strip_prefix("pub mod ") {
            floors.insert(room.trim_end_matches(';').to_owned(), floor);
        }
    }
    floors
}

fn floor_of(floors: &BTreeMap<String, usize>, room: &str) -> usize {
    match room.split_once('/') {
        Some(("store", _)) => floors["store"] + 1,
        _ => *floors.get(room).unwrap_or_else(|| panic!("lib.rs lists no room {room}")),
    }
}

/// Returns the rooms that a text names after `crate::`.
fn uses(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found = Vec::new();
    for piece in code.join("\n").split("crate::").skip(1) {
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let first = word(piece);
        let leaf = piece
            .strip_prefix("store::")
            .map(word)
            .filter(|leaf| matches!(leaf.as_str(), "memory" | "directory" | "s3"));
        found.push(leaf.map_or(first, |leaf| format!("store/{leaf}")));
    }
    found
}

#[test]
fn each_file_uses_only_floors_below_its_own() {
    let floors = floors();
    assert!(floors.len() > 15, "lib.rs lists the rooms: {floors:?}");
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let own = room(&path);
        if own == "lib" || own == "main" {
            continue;
        }
        for used in uses(&text) {
            let (from, to) = (floor_of(&floors, &own), floor_of(&floors, &used));
            if used != own && to >= from {
                faults.push(format!("{} on floor {from} uses {used} on floor {to}", path.display()));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn foreign_types_stay_in_their_rooms() {
    let allowed: &[(&str, &[&str])] = &[
        ("git2::", &["git"]),
        ("gix_pathspec::", &["inputs"]),
        ("aws_", &["aws", "parameters", "store/s3"]),
        ("aws_sdk_ssm", &["parameters"]),
        ("aws_lc_rs::", &["artifact"]),
        ("rustix::", &["store/directory"]),
        ("toml::", &["registry"]),
        ("toml_edit::", &["registry"]),
        ("tempfile::", &["files", "journal", "store/directory"]),
        ("indicatif::", &["report"]),
        ("maud::", &["sheet"]),
        ("console::", &["cli"]),
        ("anstream::stderr", &["report"]),
        ("rustls::", &["aws"]),
        // Git and the AWS SDK have environments of their own: the program and the libraries read them alike.
        ("std::env::", &["aws", "config", "cli", "detach", "git"]),
        (
            "std::fs::",
            &[
                "aws",
                "files",
                "store/directory",
                "store/memory",
                "store/s3",
                "store/source",
                "config",
                "detach",
                "git",
                "journal",
                "store",
                "artifact",
            ],
        ),
        ("std::process::Command", &["git", "command", "pager"]),
        ("std::process::", &["cli", "command", "detach", "git", "journal", "pager"]),
        ("nix::unistd", &["command", "detach", "store/directory"]),
        ("nix::fcntl", &["files", "store/directory"]),
        ("anyhow::", &["failure", "cli"]),
        ("clap::", &["config", "cli"]),
        (
            "tokio::",
            &[
                "aws",
                "parameters",
                "race",
                "waiting",
                "command",
                "files",
                "cli",
                "store/directory",
                "store/memory",
                "store/s3",
                "store/source",
            ],
        ),
    ];
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let own = room(&path);
        for (foreign, rooms) in allowed {
            // The library that hashes is no part of AWS but in its name.
            let text = if *foreign == "aws_" { text.replace("aws_lc_rs", "") } else { text.clone() };
            if text.contains(foreign) && !rooms.contains(&own.as_str()) && own != "main" {
                faults.push(format!("{} names {foreign}", path.display()));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn the_pure_floors_know_no_time_no_disk_and_no_waiting() {
    let floors = floors();
    for (path, text) in sources() {
        let own = room(&path);
        if own == "lib" || own == "main" || (floor_of(&floors, &own) > 3 && own != "sheet") {
            continue;
        }
        let text = text.replace("aws_lc_rs", "");
        for foreign in ["async ", "std::fs", "std::env", "::now()", "std::net", "std::process", "tokio", "git2", "aws_"]
        {
            assert!(!text.contains(foreign), "{} names {foreign}", path.display());
        }
    }
}

#[test]
fn no_unfinished_mark_and_no_unsafe_code_is_left() {
    for (path, text) in sources() {
        for mark in ["todo!(", "unimplemented!(", "FIXME", "XXX", "unsafe {", ".unwrap()"] {
            assert!(!text.contains(mark), "{} has {mark}", path.display());
        }
    }
}
