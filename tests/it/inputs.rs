//! Declared inputs: git is the reference for what pathspecs mean, and for what a tree holds of them.

mod hostile;
mod trees;

use std::path::Path;

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::ancestry::{Ancestry as _, File, NoHistory, ToldHistory};
use metalogic::artifact::Digest;
use metalogic::git::Repository;
use metalogic::inputs::{Inputs, InputsError, SpecError};

use crate::repo::{FORMATS, ask, feed, git, init, plainly};

pub fn declared(specs: &[impl AsRef<str>]) -> Inputs {
    Inputs::parse(specs).unwrap_or_else(|error| panic!("{error}"))
}

pub fn open(directory: &Path) -> Repository {
    Repository::discover(directory).unwrap().unwrap()
}

/// Returns the digest of some inputs at a commit; none where it cannot be told.
pub fn digest(repository: &Repository, commit: &str, inputs: &Inputs) -> Option<Digest> {
    let taken = repository.inputs(commit.parse().unwrap(), &[inputs]).unwrap()?;
    Some(taken[0].digest)
}

/// Makes a commit of entries, each a mode and a path, and returns it: what they hold need not be there.
pub fn commit_of(directory: &Path, entries: &[(u32, Vec<u8>)]) -> String {
    let blob = git(directory, &["hash-object", "-t", "blob", "--stdin", "-w"]);
    let mut index = Vec::new();
    for (mode, path) in entries {
        index.extend([format!("{mode:06o} {blob}\t").as_bytes(), path, b"\0"].concat());
    }
    git(directory, &["read-tree", "--empty"]);
    feed(directory, &["update-index", "--add", "-z", "--index-info"], &index);
    let tree = git(directory, &["write-tree", "--missing-ok"]);
    git(directory, &["commit-tree", "-m", "a tree", &tree])
}

const NAMES: [&[u8]; 26] = [
    b"a",
    b"b",
    b"A",
    b"ab",
    b"aB",
    b"x.c",
    b"a.md",
    b"[a]",
    b"?",
    b"\\",
    b"\\a",
    b"a b",
    b"!",
    b"(a)",
    b":",
    b"\xff",
    b"a]",
    b"-",
    b"^",
    b"[",
    b"a\n",
    b"\"a\"",
    b"[[:alpha:]]",
    b"]",
    // No directory is called like these: to `git diff-tree` they then stand for more than `*` does.
    b"a*b",
    b"*",
];

/// Returns a hundred entries with paths that people have, and with such as nobody has.
fn entries(rng: &mut Rng) -> Vec<(u32, Vec<u8>)> {
    let mut entries: Vec<(u32, Vec<u8>)> = Vec::new();
    while entries.len() < 100 {
        let depth = rng.usize(..4);
        let mut name = |names: usize| NAMES[if rng.bool() { rng.usize(..7) } else { rng.usize(..names) }];
        let mut parts: Vec<&[u8]> = (0..depth).map(|_| name(NAMES.len() - 2)).collect();
        parts.push(name(NAMES.len()));
        let path = parts.join(&b'/');
        let below = |one: &[u8], other: &[u8]| one == other || one.starts_with(&[other, b"/"].concat());
        if !entries.iter().any(|(_, other)| below(&path, other) || below(other, &path)) {
            entries.push((*rng.choice(&[0o100_644, 0o100_644, 0o100_755, 0o120_000, 0o160_000]).unwrap(), path));
        }
    }
    entries
}

/// Returns a pathspec that has to do with one of the paths.
fn spec(rng: &mut Rng, entries: &[(u32, Vec<u8>)]) -> String {
    const MAGIC: [&str; 36] = [
        "",
        "",
        "",
        "",
        "",
        ":!",
        ":/",
        ":(glob)",
        ":^",
        ":!/",
        ":",
        "::",
        ":(icase)",
        ":(literal)",
        ":(top)",
        ":(exclude)",
        ":(exclude,glob)",
        ":(top,icase)",
        ":(icase,glob)",
        ":()",
        ":(glob,)",
        ":(literal,glob)",
        ":(unheard)",
        ":(attr:x)",
        ":!:",
        ":(exclude,icase)",
        ":(icase,literal)",
        ":!!",
        ":#",
        ":(top",
        ":/!",
        ":(,top)",
        "./",
        "../",
        "/",
        ":!(glob)",
    ];
    const PIECES: [&str; 44] = [
        "*",
        "?",
        "**",
        "[a-b]",
        "[!a]",
        "[^b]",
        "[[:alpha:]]",
        "[[:upper:]]",
        "[A]",
        "[]a]",
        "[a",
        "]",
        "\\",
        "\\*",
        "/",
        "//",
        "./",
        "../",
        "**/",
        "/**",
        "/**/",
        "a",
        "b",
        "A",
        ".",
        "c",
        "[b-]",
        "[\\]]",
        "[a-",
        "[[:none:]]",
        "[[:alpha]",
        "[[a]",
        "[--a]",
        "[/]",
        "***",
        "*/",
        "[!]]",
        "[[:space:][:alpha:]]",
        "[]-a]",
        "[a-b-c]",
        "[\\a-\\b]",
        "!",
        ":",
        "[z-a]",
    ];
    let path = String::from_utf8_lossy(&rng.choice(entries).unwrap().1).into_owned();
    let mut path: Vec<char> = path.chars().collect();
    match rng.usize(..6) {
        0 => {}
        1 => path.truncate(rng.usize(..=path.len())),
        2 => path.truncate(path.iter().rposition(|c| *c == '/').map_or(0, |slash| slash + rng.usize(..2))),
        _ => {
            for _ in 0..rng.usize(1..5) {
                let from = rng.usize(..=path.len());
                let to = (from + rng.usize(..3)).min(path.len());
                path.splice(from..to, rng.choice(&PIECES).unwrap().chars());
            }
        }
    }
    let common = rng.bool();
    let magic = if common { rng.choice(&MAGIC[..8]) } else { rng.choice(&MAGIC) };
    let end = if rng.usize(..10) == 0 { "/" } else { "" };
    format!("{}{}{end}", magic.unwrap(), path.into_iter().collect::<String>())
}

/// Returns what git finds of pathspecs in a tree, as records of the digest; none where git does not understand them.
fn reference(directory: &Path, empty: &str, tree: &str, specs: &[String]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut arguments = vec!["diff-tree", "-r", "-z", "--no-renames", empty, tree, "--"];
    arguments.extend(specs.iter().map(String::as_str));
    let output = ask(directory, &arguments);
    let mut fields = output.stdout.split(|byte| *byte == 0);
    let mut found = Vec::new();
    while let Some(change) = fields.next().filter(|change| !change.is_empty()) {
        let change: Vec<&str> = std::str::from_utf8(change).unwrap().split(' ').collect();
        let kind = if change[1] == "160000" { "commit" } else { "blob" };
        found.push((format!("{} {kind} {}", change[1], change[3]), fields.next().unwrap().to_vec()));
    }
    output.status.success().then_some(found)
}

fn records(found: &[(String, Vec<u8>)]) -> Vec<u8> {
    found.iter().flat_map(|(entry, path)| [entry.as_bytes(), b"\t", path, b"\0"].concat()).collect()
}

/// Says whether a refusal is one that git may not share.
fn is_our_own(error: &InputsError) -> bool {
    match error {
        InputsError::Spec { error, .. } => match error {
            SpecError::Attributes
            | SpecError::Stars(_)
            | SpecError::Caseless
            | SpecError::Class
            | SpecError::Mixed
            | SpecError::Absolute
            | SpecError::Outside => true,
            SpecError::Empty | SpecError::Long(_) | SpecError::Null | SpecError::Malformed => false,
        },
        InputsError::None | InputsError::Many(_) => false,
    }
}

#[test]
fn pathspecs_take_what_git_takes_in_every_format_and_both_ways() {
    plainly(|root| {
        // The library reads the first of them, and the program the others.
        for ((format, arguments), trees) in FORMATS.into_iter().zip([3, 1, 1]) {
            let directory = root.join(format);
            init(&directory, arguments);
            let repository = open(&directory);
            let mut rng = Rng::with_seed(0x1c0d_e5ed);
            let (mut compared, mut refused) = (0, 0);
            let empty = git(&directory, &["hash-object", "-t", "tree", "--stdin"]);
            for _ in 0..trees {
                let entries = entries(&mut rng);
                let commit = commit_of(&directory, &entries);
                let tree = git(&directory, &["rev-parse", &format!("{commit}^{{tree}}")]);
                let mut all = Vec::new();
                for _ in 0..60 {
                    let specs: Vec<String> = (0..rng.usize(1..4)).map(|_| spec(&mut rng, &entries)).collect();
                    let theirs = reference(&directory, &empty, &tree, &specs);
                    match (Inputs::parse(&specs), theirs) {
                        (Ok(inputs), Some(theirs)) => {
                            expect_same(&repository, &commit, &entries, &inputs, &theirs);
                            all.push((inputs, Digest::of(&records(&theirs))));
                            compared += 1;
                        }
                        (Ok(inputs), None) => panic!("git refuses {:?}", inputs.specs()),
                        (Err(error), theirs) => {
                            assert!(theirs.is_none() || is_our_own(&error), "only git takes {specs:?}: {error}");
                            refused += 1;
                        }
                    }
                }
                // All at once, in one walk.
                let declared: Vec<&Inputs> = all.iter().map(|(inputs, _)| inputs).collect();
                let taken = repository.inputs(commit.parse().unwrap(), &declared).unwrap().unwrap();
                for ((inputs, digest), taken) in all.iter().zip(taken) {
                    assert_eq!(taken.digest, *digest, "{format}: {:?}", inputs.specs());
                }
            }
            assert!(compared > 30 * trees && refused > 4 * trees, "{format}: {compared} and {refused}");
        }
    });
}

fn expect_same(
    repository: &Repository,
    commit: &str,
    entries: &[(u32, Vec<u8>)],
    inputs: &Inputs,
    theirs: &[(String, Vec<u8>)],
) {
    let told = |paths: Vec<&Vec<u8>>| -> Vec<String> {
        paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    };
    let takes = |mode: u32, path: &[u8]| {
        if mode == 0o160_000 { inputs.is_match_of_submodule(path) } else { inputs.is_match(path) }
    };
    let mut ours: Vec<&Vec<u8>> =
        entries.iter().filter(|(mode, path)| takes(*mode, path)).map(|(_, path)| path).collect();
    ours.sort();
    let theirs_paths = theirs.iter().map(|(_, path)| path).collect();
    assert_eq!(told(ours.clone()), told(theirs_paths), "{:?}", inputs.specs());
    // No directory is passed over in which there is one.
    for path in ours {
        let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]);
        for directory in above.chain([&b""[..]]) {
            assert!(inputs.may_match_below(directory), "{:?}: {directory:?}", inputs.specs());
        }
    }
    let commit: Commit = commit.parse().unwrap();
    let taken = repository.inputs(commit, &[inputs]).unwrap().unwrap().remove(0);
    let expected = Digest::of(&records(theirs));
    assert_eq!((taken.digest, taken.entries), (expected, theirs.len() as u64), "{:?}", inputs.specs());
    assert_eq!(repository.inputs_along(&[commit], inputs).unwrap(), [Some(expected)]);
}

#[test]
fn pathspecs_mean_what_the_manual_says() {
    // What is declared, what it takes, and what it does not.
    let table: [(&[&str], &[&str], &[&str]); 19] = [
        (&["web/"], &["web/a", "web/a/b"], &["web", "webs/a", "a/web/b"]),
        (&["web"], &["web", "web/a"], &["webs", "Web"]),
        (&["./web//src/../x"], &["web/x", "web/x/y"], &["web/src/x"]),
        (&["."], &["a", "a/b"], &[]),
        (&["*.c"], &["a.c", "a/b.c"], &["a.h"]),
        (&["a?c"], &["abc", "a/c"], &["ac"]),
        (&[":(glob)*.c"], &["a.c"], &["a/b.c"]),
        (&[":(glob)**/*.c"], &["a.c", "a/b.c"], &["a/b.h"]),
        (&[":(glob)a/**"], &["a/b", "a/b/c"], &["a"]),
        (&[":(glob)a/**/b"], &["a/b", "a/x/y/b"], &["a/xb"]),
        (&[":(literal)a*"], &["a*", "a*/b"], &["ab"]),
        (&[":(icase)WEB/"], &["web/a", "Web/a"], &["wob/a"]),
        (&[":(top)web", ":/lib"], &["web/a", "lib"], &["x"]),
        (&["web/", ":!**/*.md"], &["web/a"], &["web/b/a.md", "x"]),
        (&["web/", ":^web/docs"], &["web/a"], &["web/docs/a"]),
        (&[":!*.md"], &["a", "b/c"], &["a.md", "b/c.md"]),
        (&[":(exclude,icase)*.MD", "a"], &["a/b"], &["a/b.md"]),
        (&["a[b-c]d"], &["abd", "acd"], &["add"]),
        (&["a\\*b"], &["a*b"], &["axb"]),
    ];
    for (specs, takes, passes) in table {
        let inputs = declared(specs);
        assert_eq!(inputs.specs(), specs);
        for path in takes {
            assert!(inputs.is_match(path.as_bytes()), "{specs:?} takes {path}");
        }
        for path in passes {
            assert!(!inputs.is_match(path.as_bytes()), "{specs:?} does not take {path}");
        }
    }
    assert!(declared(&["module/"]).is_match_of_submodule(b"module") && !declared(&["module/"]).is_match(b"module"));
}

#[test]
fn a_directory_that_is_called_like_a_pattern_is_taken_as_git_takes_it() {
    plainly(|root| {
        let directory = root.join("repo");
        init(&directory, FORMATS[0].1);
        let paths = [
            "app/[id]/a.tsx",
            "app/[id]/b/c.tsx",
            "app/i/a.tsx",
            "app/[...all]/x",
            "app/(auth)/x",
            "what?/x",
            "what/x",
        ];
        let entries: Vec<(u32, Vec<u8>)> = paths.iter().map(|path| (0o100_644, path.as_bytes().to_vec())).collect();
        let commit = commit_of(&directory, &entries);
        let empty = git(&directory, &["hash-object", "-t", "tree", "--stdin"]);
        let found = |spec: &str| {
            let theirs = reference(&directory, &empty, &format!("{commit}^{{tree}}"), &[spec.to_owned()]).unwrap();
            expect_same(&open(&directory), &commit, &entries, &declared(&[spec]), &theirs);
            theirs.len()
        };
        let specs = [
            "app/[id]/",
            "app/[id]/*.tsx",
            ":(glob)app/[id]/*",
            "app/\\[id\\]/*",
            "app/(auth)",
            "app/[...all]",
            "what?/",
        ];
        assert_eq!(specs.map(found), [2, 2, 2, 2, 1, 1, 1]);
        assert_eq!([":!app/[id]/*", ":(exclude)app/(auth)/", "app/[!i]/*", ":(glob)*/*/*"].map(found), [5, 6, 0, 4]);
    });
}

#[test]
fn a_directory_in_which_nothing_can_be_is_not_looked_at() {
    let table: [(&[&str], &[&str], &[&str]); 8] = [
        (&["web/"], &["", "web", "web/a"], &["webs", "we", "lib", "a/web"]),
        (&["web/src"], &["", "web", "web/src", "web/src/a"], &["web/lib", "web/sr"]),
        (&["web/*.c"], &["", "web", "web/a"], &["lib", "we"]),
        (&[":(glob)web/*/*.c"], &["", "web", "web/a"], &["lib", "web/a/b"]),
        (&[":(glob)web/**/*.c"], &["", "web", "web/a/b/c"], &["lib"]),
        (&[":(icase)Web/a*"], &["web", "WEB", "weB/ab"], &["wob"]),
        (&["*.c", ":!node_modules"], &["", "a", "a/node_modules"], &["node_modules", "node_modules/a"]),
        (&[":!."], &[], &["", "a"]),
    ];
    for (specs, may, cannot) in table {
        let inputs = declared(specs);
        for directory in may {
            assert!(inputs.may_match_below(directory.as_bytes()), "{specs:?} may match below {directory:?}");
        }
        for directory in cannot {
            assert!(!inputs.may_match_below(directory.as_bytes()), "{specs:?} cannot match below {directory:?}");
        }
    }
}

#[test]
fn what_is_told_of_files_is_answered_as_by_git() {
    plainly(|root| {
        let directory = root.join("repo");
        init(&directory, FORMATS[0].1);
        let (mut rng, mut told) = (Rng::with_seed(5), ToldHistory::default());
        let mut entries = entries(&mut rng);
        let id = commit_of(&directory, &entries);
        let commit: Commit = id.parse().unwrap();
        rng.shuffle(&mut entries);
        let blob = git(&directory, &["hash-object", "-t", "blob", "--stdin"]);
        let file = |(mode, path): (u32, Vec<u8>)| File { path, mode, id: blob.clone() };
        told.files.insert(commit, entries.into_iter().map(file).collect());
        let inputs = [declared(&["a*", "b", ":!*.md"]), declared(&["."])];
        let inputs: Vec<&Inputs> = inputs.iter().collect();
        let expected = open(&directory).inputs(commit, &inputs).unwrap();
        assert_eq!(told.inputs(commit, &inputs).unwrap(), expected);
        assert!(expected.unwrap()[0].entries > 10);
        // Who knows nothing says so, for each commit.
        let other: Commit = "12".repeat(20).parse().unwrap();
        let along = told.inputs_along(&[other, commit], inputs[1]).unwrap();
        assert_eq!(along, [None, open(&directory).inputs_along(&[commit], inputs[1]).unwrap()[0]]);
        assert_eq!(NoHistory.inputs(commit, &inputs).unwrap(), None);
        assert_eq!(NoHistory.inputs_along(&[commit, other], inputs[0]).unwrap(), [None, None]);
    });
}
