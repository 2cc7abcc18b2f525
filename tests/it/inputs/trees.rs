//! What commits have of declared inputs, in every kind of clone, and along history.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::ancestry::Ancestry as _;
use metalogic::artifact::Digest;
use metalogic::git::Summary;

use super::{commit_of, declared, digest, open};
use crate::repo::{FORMATS, commit, feed, git, history, init, plainly, raw};

/// What another tool computes a digest with, where the pathspecs are plain directories.
const LISTING: [&str; 5] = ["--no-replace-objects", "ls-tree", "-r", "-z", "--full-tree"];

#[cfg(unix)]
#[test]
fn the_digest_is_what_a_line_of_shell_computes() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            history(&directory, arguments);
            let script = "git ls-tree -r -z --full-tree HEAD -- a/ file \
                          | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1";
            let mut shell = std::process::Command::new("sh");
            let output = shell.args(["-c", script]).current_dir(&directory).output().unwrap();
            let theirs = String::from_utf8(output.stdout).unwrap().trim().to_owned();
            let head = git(&directory, &["rev-parse", "HEAD"]);
            let ours = digest(&open(&directory), &head, &declared(&["a/", "file"])).unwrap();
            assert_eq!(ours.to_string(), theirs, "{format}");
            assert_ne!(ours, Digest::of(b""), "{format}");
        }
    });
}

/// Makes clones of all kinds of a repository, and returns their names and where one would be standing in them.
fn clones(root: &Path, format: &str, arguments: &[&str]) -> Vec<(String, PathBuf)> {
    let full = root.join(format);
    history(&full, arguments);
    git(&full, &["config", "uploadpack.allowFilter", "true"]);
    git(&full, &["replace", "HEAD", "HEAD~1"]);
    let url = format!("file://{}", full.display());
    let mut clones =
        vec![(format!("{format}, replaced"), full.clone()), (format!("{format}, below"), full.join("a/b"))];
    for (name, how) in [
        ("bare", &["--bare"][..]),
        ("shallow", &["--depth=1"]),
        ("blobless", &["--filter=blob:none", "--no-checkout"]),
        ("treeless", &["--filter=tree:0", "--no-checkout"]),
    ] {
        let directory = root.join(format!("{format}-{name}"));
        git(root, &[&["clone", "--quiet"], how, &[&url, directory.to_str().unwrap()]].concat());
        clones.push((format!("{format}, {name}"), directory));
    }
    clones
}

#[test]
fn every_kind_of_clone_gives_the_same_digest_or_none() {
    plainly(|root| {
        let inputs = [declared(&["a/"]), declared(&["*", ":!file"]), declared(&[":(glob)f*"])];
        let paths = ["a/", "a/", "file"];
        for (format, arguments) in FORMATS {
            for (name, directory) in clones(root, format, arguments) {
                let repository = open(&directory);
                let head = raw(&directory, &["rev-parse", "HEAD"]);
                let commit: Commit = head.parse().unwrap();
                let taken = repository.inputs(commit, &inputs.iter().collect::<Vec<_>>()).unwrap();
                let along = repository.inputs_along(&[commit], &inputs[1]).unwrap();
                if name.contains("treeless") {
                    // Nothing is fetched.
                    assert_eq!((taken, along), (None, vec![None]), "{name}");
                } else {
                    let listed = |path: &str| feed(&directory, &[&LISTING[..], &[&head, "--", path]].concat(), b"");
                    let expected: Vec<Digest> = paths.iter().map(|path| Digest::of(listed(path).as_bytes())).collect();
                    let digests: Vec<Digest> = taken.unwrap().iter().map(|taken| taken.digest).collect();
                    assert_eq!((digests, along), (expected.clone(), vec![Some(expected[1])]), "{name}");
                    assert_ne!(expected[2], Digest::of(b""), "{name}");
                }
                // Neither a commit that is not here nor what is no commit has any; whoever asks goes on asking.
                let tree = raw(&directory, &["rev-parse", "HEAD^{tree}"]);
                for gone in ["12".repeat(tree.len() / 2), tree] {
                    assert_eq!(digest(&repository, &gone, &inputs[0]), None, "{name}");
                }
                assert!(repository.tree(commit).unwrap().is_some(), "{name}");
            }
        }
    });
}

#[test]
fn only_trees_that_may_matter_need_to_be_here() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            init(&directory, arguments);
            let files =
                [(0o100_644, b"top".to_vec()), (0o100_644, b"web/a".to_vec()), (0o100_644, b"lib/b/c".to_vec())];
            let id = commit_of(&directory, &files);
            let whole = declared(&["."]);
            let expected = digest(&open(&directory), &id, &declared(&["web", ":(glob)*"])).unwrap();
            let tree = git(&directory, &["rev-parse", &format!("{id}:lib")]);
            std::fs::remove_file(directory.join(".git/objects").join(&tree[..2]).join(&tree[2..])).unwrap();
            let repository = open(&directory);
            for specs in [&["web", ":(glob)*"][..], &[".", ":!lib"], &[":!lib/"]] {
                assert_eq!(digest(&repository, &id, &declared(specs)), Some(expected), "{format} {specs:?}");
            }
            assert_eq!(digest(&repository, &id, &whole), None, "{format}");
            let commits = [id.parse().unwrap(); 2];
            assert_eq!(repository.inputs_along(&commits, &whole).unwrap(), [None, None], "{format}");
            assert_eq!(digest(&repository, &id, &declared(&["web", ":(glob)*"])), Some(expected), "{format}");
        }
    });
}

#[test]
fn odd_names_and_modes_count_as_git_lists_them() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            init(&directory, arguments);
            let long = [&b"long/"[..], &b"x".repeat(4000)].concat();
            let names: [&[u8]; 9] =
                [b"a\nb", b"\"quoted\"/'x'", b"tab\t\xff/\xfe", b" ", b"a/\x01", b"x.c", b"x/c", b"x0", &long];
            let modes = [0o100_644, 0o100_755, 0o120_000, 0o160_000];
            let entry = |(at, name): (usize, &&[u8])| (modes[at % 4], name.to_vec());
            let id = commit_of(&directory, &names.iter().enumerate().map(entry).collect::<Vec<_>>());
            let listing = crate::repo::ask(&directory, &[&LISTING[..], &[&id]].concat()).stdout;
            assert_eq!(listing.iter().filter(|byte| **byte == 0).count(), names.len());
            let ours = digest(&open(&directory), &id, &declared(&["."]));
            assert_eq!(ours, Some(Digest::of(&listing)), "{format}");
            // Older versions of git kept more of a mode; it is shown as today's.
            let blob = git(&directory, &["hash-object", "-t", "blob", "--stdin"]);
            let id_bytes: Vec<u8> =
                (0..blob.len()).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap()).collect();
            let tree: Vec<u8> = ["100664 a\0", "100775 b\0", "100600 c\0"]
                .iter()
                .flat_map(|title| [title.as_bytes(), &id_bytes].concat())
                .collect();
            let tree = feed(&directory, &["hash-object", "-t", "tree", "--literally", "-w", "--stdin"], &tree);
            let id = git(&directory, &["commit-tree", "-m", "old", &tree]);
            let listing = crate::repo::ask(&directory, &[&LISTING[..], &[&id]].concat()).stdout;
            assert!(listing.starts_with(b"100644 "), "{format}");
            assert_eq!(digest(&open(&directory), &id, &declared(&["."])), Some(Digest::of(&listing)), "{format}");
        }
    });
}

/// Makes a history in which each commit changes a few of many files, and returns its commits, newest first.
fn changing(directory: &Path, format: &[&str], files: usize, commits: usize) -> Vec<Commit> {
    init(directory, format);
    let mut rng = Rng::with_seed(77);
    let mut stream = String::new();
    for commit in 0..commits {
        stream.push_str(&format!("commit refs/heads/main\ncommitter A <a@b> {commit} +0000\ndata 1\nx\n"));
        let changed = if commit == 0 { (0..files).collect() } else { vec![rng.usize(..files)] };
        for file in changed {
            let path = format!("{}/{}/{file}", file % 7, file % 70);
            stream.push_str(&format!("M 100644 inline {path}\ndata {}\n{commit}\n", commit.to_string().len()));
        }
        stream.push('\n');
    }
    feed(directory, &["fast-import", "--quiet"], stream.as_bytes());
    raw(directory, &["rev-list", "main"]).lines().map(|id| id.parse().unwrap()).collect()
}

#[test]
fn along_history_each_commit_has_what_it_has_alone() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            let mut commits = changing(&directory, arguments, 300, 60);
            commits.insert(20, "12".repeat(commits[0].to_string().len() / 2).parse().unwrap());
            // Not only neighbours are asked for, nor only once.
            commits.extend([commits[0], commits[50], commits[0]]);
            let repository = open(&directory);
            for specs in [&["."][..], &["3/"], &["*7", ":!4/"], &["nowhere"]] {
                let inputs = declared(specs);
                let along = repository.inputs_along(&commits, &inputs).unwrap();
                let alone: Vec<_> =
                    commits.iter().map(|commit| digest(&repository, &commit.to_string(), &inputs)).collect();
                assert_eq!(along, alone, "{format} {specs:?}");
                assert_eq!(along.iter().filter(|digest| digest.is_none()).count(), 1, "{format}");
                let mut distinct = along.clone();
                distinct.sort();
                distinct.dedup();
                assert!((distinct.len() > 5) == (specs != ["nowhere"]), "{format} {specs:?}");
            }
        }
    });
}

#[test]
fn along_history_a_commit_costs_what_it_changes() {
    plainly(|root| {
        let directory = root.join("repo");
        let commits = changing(&directory, FORMATS[0].1, 3000, 60);
        let (repository, inputs) = (open(&directory), declared(&["*", ":!**/*x"]));
        let timed = |look: &dyn Fn()| {
            let begin = Instant::now();
            look();
            begin.elapsed()
        };
        // The machine may have other things to do, at one time or the other.
        let fair = (0..5).any(|_| {
            let alone: Duration = timed(&|| {
                for commit in &commits {
                    repository.inputs(*commit, &[&inputs]).unwrap();
                }
            });
            let along = timed(&|| drop(repository.inputs_along(&commits, &inputs).unwrap()));
            along * 3 < alone
        });
        assert!(fair, "what neighbours have in common is looked at again");
    });
}

#[test]
fn pathspecs_that_take_nothing_are_told() {
    plainly(|root| {
        let directory = root.join("repo");
        init(&directory, FORMATS[0].1);
        let files = ["web/a", "web/b.md", "lib/c"].map(|path| (0o100_644, path.as_bytes().to_vec()));
        let id = commit_of(&directory, &[&files[..], &[(0o160_000, b"module".to_vec())]].concat());
        let idle = |specs: &[&str]| {
            let taken = open(&directory).inputs(id.parse().unwrap(), &[&declared(specs)]).unwrap().unwrap().remove(0);
            (taken.idle, taken.entries)
        };
        assert_eq!(idle(&["web/", "lib/"]), (vec![], 3));
        assert_eq!(idle(&["wbe/", "lib/", "*.c"]), (vec!["wbe/".to_owned(), "*.c".to_owned()], 1));
        // One takes what another one takes as well; one is left with nothing; those that exclude are no slips, whatever they say.
        assert_eq!(idle(&["web/", "web/a", "*.md", ":!*.md", ":!none"]), (vec!["*.md".to_owned()], 1));
        assert_eq!(idle(&["module/"]), (vec![], 1));
        assert_eq!(idle(&[":!web", ":!lib", ":!module"]), (vec![], 0));
    });
}

#[test]
fn a_summary_is_what_git_logs() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let full = root.join(format);
            history(&full, arguments);
            let (name, url) = (format!("{format}-shallow"), format!("file://{}", full.display()));
            git(root, &["clone", "--quiet", "--depth=3", &url, &name]);
            expect_summaries(&full);
            expect_summaries(&root.join(name));
        }
    });
}

fn expect_summaries(directory: &Path) {
    let repository = open(directory);
    for line in raw(directory, &["log", "--format=%H%x09%s%x09%ct%x09%P"]).lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let raw_parents = raw(directory, &["cat-file", "commit", fields[0]]);
        let header = raw_parents.lines().take_while(|line| !line.is_empty());
        let expected = Summary {
            subject: fields[1].to_owned(),
            committed: Some(fields[2].parse().unwrap()),
            // Where git shows none, at a shallow clone's boundary, the commit names them all the same.
            parents: header.filter_map(|line| line.strip_prefix("parent ")).map(|id| id.parse().unwrap()).collect(),
        };
        assert_eq!(repository.summary(fields[0].parse().unwrap()).unwrap(), Some(expected));
    }
    let tree = git(directory, &["rev-parse", "HEAD^{tree}"]);
    assert_eq!(repository.summary(tree.parse().unwrap()).unwrap(), None);
}

#[test]
fn a_summary_makes_do_with_odd_commits() {
    plainly(|root| {
        let directory = root.join("repo");
        init(&directory, FORMATS[0].1);
        let head = commit(&directory, "first");
        let tree = git(&directory, &["rev-parse", "HEAD^{tree}"]);
        let made = |rest: &[u8]| {
            let bytes = [format!("tree {tree}\nparent {head}\n").as_bytes(), rest].concat();
            let id = feed(&directory, &["hash-object", "-t", "commit", "--literally", "-w", "--stdin"], &bytes);
            open(&directory).summary(id.parse().unwrap()).unwrap().unwrap()
        };
        let good = b"author A <a> 1 +0000\ncommitter B > <b> 2 +0000\n";
        let told = |end: &[u8]| made(&[&good[..], end].concat());
        assert_eq!(told(b"\n\n  \n  late \nnot this\n").subject, "late");
        assert_eq!(told(b"\nparent of all\n\ncommitter C <c> 9 +0000").subject, "parent of all");
        assert_eq!(told(b"\n\xff\xfe").subject, "\u{fffd}\u{fffd}");
        assert_eq!((told(b"").subject.as_str(), told(b"\n").committed, told(b"").parents.len()), ("", Some(2), 1));
        // A signature's lines are no headers.
        let signed = told(b"gpgsig -----BEGIN\n parent 12\n committer x\n\nsigned\n");
        assert_eq!((signed.subject.as_str(), signed.parents.len()), ("signed", 1));
        for odd in
            ["committer nobody\n\nx", "committer <a> soon\n\nx", "\nx", "committer <a> 99999999999999999999 +0000\n\nx"]
        {
            assert_eq!(made(odd.as_bytes()).committed, None, "{odd:?}");
        }
        assert_eq!(made(b"committer <a> -5 +0000\n\nx").committed, Some(-5));
    });
}
