//! Git is the reference for everything about git: the same question is put to `git` itself.

use std::path::{Path, PathBuf};

use metalogic::address::Commit;
use metalogic::ancestry::{Ancestry, AncestryError, End, Lineage};
use metalogic::git::{GitError, Repository, setting_without_repository};

use crate::repo::{FORMATS, World, alone, ask, commit, every_kind, git, history, init, plainly, raw};

fn open(directory: &Path) -> Repository {
    Repository::discover(directory).unwrap().unwrap()
}

fn parse(id: &str) -> Commit {
    id.parse().unwrap()
}

/// A commit that no repository has, of the same format as another's id.
fn absent(id: &str) -> Commit {
    parse(&"12".repeat(id.len() / 2))
}

/// What git says of a commit's first parents; the parent that the last one names is added where it is not there.
fn reference(directory: &Path, revision: &str) -> Lineage {
    let listed = raw(directory, &["rev-list", "--first-parent", revision]);
    let mut ancestors: Vec<Commit> = listed.lines().map(parse).collect();
    let last = raw(directory, &["cat-file", "commit", &ancestors.last().unwrap().to_string()]);
    let beyond =
        last.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("parent ")).map(parse);
    ancestors.extend(beyond);
    ancestors.remove(0);
    Lineage { ancestors, end: if beyond.is_some() { End::Unknown } else { End::Root } }
}

/// The beginning of a lineage.
fn nearest(whole: &Lineage, most: usize) -> Lineage {
    let end = if whole.ancestors.len() > most { End::Most } else { whole.end };
    Lineage { ancestors: whole.ancestors.iter().copied().take(most).collect(), end }
}

#[test]
fn first_parents_are_those_of_git_in_every_kind_of_repository() {
    plainly(|root| {
        for (name, directory) in every_kind(root) {
            let repository = open(&directory);
            let shallow = git(&directory, &["rev-parse", "--is-shallow-repository"]) == "true";
            assert_eq!(repository.is_shallow(), shallow, "{name}");
            for start in raw(&directory, &["rev-list", "HEAD"]).lines() {
                let whole = reference(&directory, start);
                for most in [0, 1, 2, 3, 4, 5, 6, 200] {
                    let found = repository.first_parents(parse(start), most).unwrap();
                    assert_eq!(found, nearest(&whole, most), "{name}: {most} of {start}");
                }
            }
        }
    });
}

#[test]
fn a_tree_is_that_of_git_in_every_kind_of_repository() {
    plainly(|root| {
        for (name, directory) in every_kind(root) {
            let repository = open(&directory);
            let head = git(&directory, &["rev-parse", "HEAD"]);
            for line in raw(&directory, &["log", "--format=%H %T"]).lines() {
                let (commit, tree) = line.split_once(' ').unwrap();
                let found = repository.tree(parse(commit)).unwrap();
                assert_eq!(found.map(|tree| tree.to_string()).as_deref(), Some(tree), "{name}");
            }
            // What is not there has none, and neither has what is no commit; whoever asks goes on asking.
            for gone in [absent(&head), parse(&git(&directory, &["rev-parse", "HEAD^{tree}"]))] {
                assert_eq!(repository.tree(gone).unwrap(), None, "{name}");
            }
            let tree = repository.tree(parse(&head)).unwrap();
            assert!(tree.is_some(), "{name}");
            // Nor does an answer that was broken off spoil the next one.
            drop(repository.file_at(parse(&head), "file", 1));
            assert_eq!(repository.tree(parse(&head)).unwrap(), tree, "{name}");
        }
    });
}

#[test]
fn the_boundary_of_a_shallow_clone_names_a_parent_that_is_not_there() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let full = root.join(format);
            history(&full, arguments);
            let clone = root.join(format!("{format}-shallow"));
            git(
                root,
                &["clone", "--quiet", "--depth=3", &format!("file://{}", full.display()), clone.to_str().unwrap()],
            );
            let head = parse(&git(&full, &["rev-parse", "HEAD"]));
            let expected: Vec<Commit> =
                (1..=3).map(|n| parse(&git(&full, &["rev-parse", &format!("HEAD~{n}")]))).collect();
            let found = open(&clone).first_parents(head, 200).unwrap();
            assert_eq!(found, Lineage { ancestors: expected.clone(), end: End::Unknown }, "{format}");
            let beyond = open(&clone).commit(&expected[2].to_string());
            assert!(matches!(beyond, Err(GitError::NoSuchRevision { .. })), "{format}: {beyond:?}");
        }
    });
}

#[test]
fn no_more_objects_are_read_than_were_asked_for() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            history(&directory, arguments);
            let head = parse(&git(&directory, &["rev-parse", "HEAD"]));
            let fourth = git(&directory, &["rev-parse", "HEAD~4"]);
            let file = directory.join(".git/objects").join(&fourth[..2]).join(&fourth[2..]);
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, "no object").unwrap();
            let repository = open(&directory);
            assert_eq!(repository.first_parents(head, 3).unwrap().end, End::Most, "{format}");
            let broken = repository.first_parents(head, 4);
            // Git tells a corrupt object from a missing one in words only, so that the program may show it as missing.
            assert!(
                matches!(broken, Err(AncestryError::Unreadable { .. }) | Ok(Lineage { end: End::Unknown, .. })),
                "{format}: {broken:?}"
            );
        }
    });
}

#[test]
fn the_first_parents_of_a_commit_that_is_not_there_are_refused() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            history(&directory, arguments);
            let repository = open(&directory);
            let head = git(&directory, &["rev-parse", "HEAD"]);
            let other_format = if head.len() == 64 { &head[..40] } else { &"12".repeat(32) };
            for gone in [absent(&head), parse(other_format), parse(&git(&directory, &["rev-parse", "HEAD:file"]))] {
                let refused = repository.first_parents(gone, 10);
                assert!(matches!(refused, Err(AncestryError::NoSuchCommit(it)) if it == gone), "{format}: {refused:?}");
            }
        }
    });
}

#[test]
fn a_revision_is_what_git_says_it_is() {
    plainly(|root| {
        for (name, directory) in every_kind(root) {
            let repository = open(&directory);
            let head = git(&directory, &["rev-parse", "HEAD"]);
            let revisions = [
                "HEAD",
                "@",
                "HEAD^",
                "HEAD~1",
                "HEAD~2^2",
                "HEAD~5",
                "HEAD^0",
                "main",
                "side",
                "origin/main",
                "v1",
                "v1^{}",
                "v1^{commit}",
                "light",
                "light-2-g",
                ":/third",
                ":/merged",
                "HEAD^{/second}",
                "HEAD@{0}",
                "@{0}",
                "HEAD@{1}",
                "main@{upstream}",
                "HEAD:file",
                "HEAD:a",
                "HEAD^{tree}",
                "nonsense",
                "refs/heads/main",
                "heads/main",
                "FETCH_HEAD",
                "^HEAD",
                "HEAD..HEAD~1",
                "HEAD~999",
                "HEAD ",
                " HEAD",
                "HEAD --",
                "main^{nonsense}",
                "",
                "@{",
                ":",
                "::",
                "*",
                "~1",
                &head,
                &head.to_uppercase(),
                &head[..40],
                &head[..12],
                &head[..4],
                &format!("x-1-g{}", &head[..10]),
                &absent(&head).to_string(),
                &"12".repeat(20),
                &"12".repeat(32),
                &"0".repeat(40),
                "-1",
                "--all",
                "--help",
                "-",
                "HEAD\n",
                "HEAD\0",
                "--git-dir",
            ];
            for revision in revisions {
                let expected = if revision.contains('\0') || revision.starts_with('-') || revision.contains('\n') {
                    None
                } else {
                    let suffix = if revision.starts_with(":/") { "" } else { "^{commit}" };
                    let revision = format!("{revision}{suffix}");
                    // What is replaced is seen as it was made; grafts are left to git where it looks for a revision.
                    let known =
                        ask(&directory, &["--no-replace-objects", "rev-parse", "--verify", "--quiet", &revision]);
                    let id = String::from_utf8(known.stdout).unwrap().trim().to_owned();
                    (known.status.success() && !id.starts_with('^')).then_some(id)
                };
                match (repository.commit(revision), expected) {
                    (Ok(found), Some(id)) => assert_eq!(found.to_string(), id, "{name}: {revision:?}"),
                    (Err(GitError::NoSuchRevision { revision: told }), None) => assert_eq!(told, revision),
                    (found, expected) => panic!("{name}: {revision:?} is {expected:?}, not {found:?}"),
                }
            }
            assert_eq!(repository.head().unwrap(), Some(parse(&head)), "{name}");
        }
    });
}

#[test]
fn places_are_those_that_git_tells() {
    plainly(|root| {
        for (name, directory) in every_kind(root) {
            let repository = open(&directory);
            let common = directory.join(git(&directory, &["rev-parse", "--git-common-dir"]));
            assert_eq!(repository.common_directory(), common.canonicalize().unwrap(), "{name}");
            let top = ask(&directory, &["rev-parse", "--show-toplevel"]);
            if top.status.success() {
                let top = String::from_utf8(top.stdout).unwrap();
                assert_eq!(repository.top(), Some(Path::new(top.trim_end())), "{name}");
            } else if name.ends_with("/bare") {
                assert_eq!(repository.top(), None, "{name}");
            } else {
                // Inside `.git` git itself knows no work tree, and there is one.
                let format = root.join(name.split('/').next().unwrap());
                let top = if name.ends_with("/worktree") { format.join("worktree") } else { format.join("full") };
                assert_eq!(repository.top(), Some(top.as_path()), "{name}");
            }
        }
        let (full, worktree) = (open(&root.join("plain/full")), open(&root.join("plain/worktree")));
        assert_eq!(full.common_directory(), worktree.common_directory());
        assert!(open(&root.join("plain/super/module")).common_directory().ends_with(".git/modules/module"));
    });
}

#[test]
fn a_hook_sees_the_repository_that_git_dir_names() {
    alone(
        |root| {
            history(&root.join("hooked"), FORMATS[0].1);
            init(&root.join("other"), FORMATS[0].1);
            World::at(&root.join("hooked")).with("GIT_DIR", ".git").with("GIT_INDEX_FILE", ".git/index")
        },
        |root| {
            let repository = open(Path::new("."));
            assert_eq!(repository.common_directory(), root.join("hooked/.git"));
            assert_eq!(repository.top(), Some(root.join("hooked").as_path()));
            assert_eq!(
                repository.head().unwrap().unwrap().to_string(),
                git(&root.join("hooked"), &["rev-parse", "HEAD"])
            );
            assert!(!repository.differs_from_head().unwrap());
            std::fs::write(root.join("hooked/file"), "modified\n").unwrap();
            assert!(repository.differs_from_head().unwrap());
            // A relative path is relative to the directory that was asked about, as with `git -C`.
            assert_eq!(open(&root.join("other")).common_directory(), root.join("other/.git"));
        },
    );
}

#[test]
fn git_dir_names_a_repository_of_every_format_from_anywhere() {
    for (_, arguments) in FORMATS {
        alone(
            |root| {
                history(&root.join("it"), arguments);
                git(root, &["clone", "--quiet", "--bare", "it", "bare"]);
                std::fs::create_dir(root.join("away")).unwrap();
                World::at(&root.join("away")).with("GIT_DIR", root.join("bare")).with("GIT_WORK_TREE", "../it")
            },
            |root| {
                let repository = open(Path::new(""));
                assert_eq!(repository.common_directory(), root.join("bare"));
                assert_eq!(repository.top(), Some(root.join("it").as_path()));
                let head = repository.head().unwrap().unwrap();
                assert_eq!(repository.first_parents(head, 200).unwrap(), reference(&root.join("it"), "HEAD"));
            },
        );
    }
}

#[test]
fn git_dir_alone_makes_the_current_directory_the_top() {
    for (_, arguments) in FORMATS {
        alone(
            |root| {
                history(&root.join("it"), arguments);
                std::fs::create_dir(root.join("away")).unwrap();
                World::at(&root.join("away")).with("GIT_DIR", root.join("it/.git"))
            },
            |root| {
                let repository = open(Path::new("."));
                assert_eq!(repository.top(), Some(root.join("away").as_path()));
                assert!(repository.differs_from_head().unwrap());
            },
        );
    }
}

#[test]
fn where_there_is_no_repository_none_is_found() {
    plainly(|root| {
        assert!(Repository::discover(root).unwrap().is_none());
    });
}

#[test]
fn a_search_stops_where_git_is_told_to() {
    alone(
        |root| {
            history(&root.join("it"), FORMATS[0].1);
            World::at(root).with("GIT_CEILING_DIRECTORIES", root.join("it/a"))
        },
        |root| {
            assert!(Repository::discover(&root.join("it/a/b")).unwrap().is_none());
            assert!(Repository::discover(&root.join("it/a")).unwrap().is_some());
        },
    );
}

#[test]
fn a_broken_repository_is_not_taken_for_none() {
    plainly(|root| {
        history(&root.join("main"), FORMATS[0].1);
        git(&root.join("main"), &["worktree", "add", "--quiet", "../tree"]);
        std::fs::rename(root.join("main"), root.join("gone")).unwrap();
        for directory in [root.join("tree"), root.join("nowhere")] {
            let refused = Repository::discover(&directory);
            assert!(matches!(refused, Err(GitError::Unreadable { .. })), "{refused:?}");
        }
    });
}

#[test]
fn a_branch_without_commits_is_unborn() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            init(&directory, arguments);
            let repository = open(&directory);
            assert_eq!(repository.head().unwrap(), None, "{format}");
            for revision in ["HEAD", "@", "HEAD~1", "HEAD^{commit}", "@{0}"] {
                let refused = repository.commit(revision);
                assert!(matches!(refused, Err(GitError::Unborn)), "{format}: {revision} is {refused:?}");
            }
            for revision in ["main", "HEADLESS", "v1"] {
                let refused = repository.commit(revision);
                assert!(matches!(refused, Err(GitError::NoSuchRevision { .. })), "{format}: {revision} is {refused:?}");
            }
            assert!(!repository.differs_from_head().unwrap(), "{format}");
            std::fs::write(directory.join("file"), "first\n").unwrap();
            assert!(!repository.differs_from_head().unwrap(), "{format}");
            git(&directory, &["add", "file"]);
            assert!(repository.differs_from_head().unwrap(), "{format}");
            // A repository that is already open sees what happens in it.
            assert_eq!(repository.commit("HEAD").ok(), None);
            let first = commit(&directory, "first");
            assert_eq!(repository.head().unwrap(), Some(parse(&first)), "{format}");
            assert_eq!(repository.commit("HEAD").unwrap(), parse(&first), "{format}");
        }
    });
}

/// Makes a repository belong to nobody in particular; says whether that was possible.
#[cfg(unix)]
fn give_away(directory: &Path) -> bool {
    let output = std::process::Command::new("chown").args(["-R", "54321:54321"]).arg(directory).output().unwrap();
    if !output.status.success() {
        eprintln!("only root can give a repository away: not tried");
    }
    output.status.success()
}

#[cfg(unix)]
#[test]
fn a_repository_of_another_user_is_refused_with_the_directory_to_trust() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            history(&directory, arguments);
            git(root, &["clone", "--quiet", "--bare", format, &format!("{format}.git")]);
            let bare = root.join(format!("{format}.git"));
            if !give_away(&directory) || !give_away(&bare) {
                return;
            }
            for (start, trusted) in [(&directory, &directory), (&directory.join("a/b"), &directory), (&bare, &bare)] {
                match Repository::discover(start) {
                    Err(GitError::ForeignOwner { directory }) => assert_eq!(&directory, trusted, "{format}"),
                    other => panic!("{format}: {other:?}"),
                }
            }
        }
    });
}

#[cfg(unix)]
#[test]
fn without_the_program_another_users_repository_is_refused_too() {
    alone(
        |root| {
            history(&root.join("it"), FORMATS[0].1);
            git(root, &["clone", "--quiet", "--bare", "it", "bare"]);
            git(root, &["clone", "--quiet", "it", "half"]);
            // Of this one only what is inside belongs to another user, and still its top is what must be trusted.
            give_away(&root.join("half/.git"));
            give_away(&root.join("it"));
            give_away(&root.join("bare"));
            World::at(root).without_program(root)
        },
        |root| {
            use std::os::unix::fs::MetadataExt as _;
            if root.join("it").metadata().unwrap().uid() != 54321 {
                return;
            }
            for directory in [root.join("it"), root.join("half"), root.join("bare")] {
                match Repository::discover(&directory) {
                    Err(GitError::ForeignOwner { directory: trusted }) => assert_eq!(trusted, directory),
                    other => panic!("{other:?}"),
                }
            }
        },
    );
}

#[cfg(unix)]
#[test]
fn a_repository_of_another_user_is_opened_where_git_trusts_it() {
    for pattern in ["", "*", "/*"] {
        alone(
            |root| {
                history(&root.join("it"), FORMATS[0].1);
                give_away(&root.join("it"));
                let trusted = match pattern {
                    "" => root.join("it").display().to_string(),
                    "*" => "*".to_owned(),
                    _ => format!("{}/*", root.display()),
                };
                git(root, &["config", "--file", "trust", "safe.directory", &trusted]);
                World::at(root).with("GIT_CONFIG_GLOBAL", root.join("trust"))
            },
            |root| {
                let head = git_trusting(&root.join("it"));
                assert_eq!(open(&root.join("it")).head().unwrap().unwrap().to_string(), head);
            },
        );
    }
}

fn git_trusting(directory: &Path) -> String {
    git(directory, &["-c", "safe.directory=*", "rev-parse", "HEAD"])
}

#[test]
fn the_program_is_named_where_only_it_could_open_a_repository() {
    alone(
        |root| {
            every_kind(root);
            World::at(root).without_program(root)
        },
        |root| {
            for (directory, expected) in [
                ("sha256/full", "SHA-256"),
                ("sha256/bare", "SHA-256"),
                ("reftable/full", "reftable"),
                ("plain/promised", "partial"),
            ] {
                match Repository::discover(&root.join(directory)) {
                    Err(GitError::NoProgram { why }) => assert!(why.contains(expected), "{directory}: {why}"),
                    other => panic!("{directory}: {other:?}"),
                }
            }
            std::fs::create_dir(root.join("elsewhere")).unwrap();
            assert!(Repository::discover(&root.join("elsewhere")).unwrap().is_none());
        },
    );
}

#[test]
fn without_the_program_the_library_answers() {
    alone(
        |root| {
            history(&root.join("it"), FORMATS[0].1);
            git(&root.join("it"), &["config", "--add", "metalogic.project", "one"]);
            git(&root.join("it"), &["config", "--add", "metalogic.project", "two"]);
            World::at(root).without_program(root)
        },
        |root| {
            let directory = root.join("it");
            let repository = open(&directory);
            let head = repository.commit("HEAD").unwrap();
            assert_eq!(repository.first_parents(head, 200).unwrap().ancestors.len(), 5);
            assert_eq!(repository.commit("v1").unwrap(), repository.commit("HEAD~4").unwrap());
            assert!(matches!(repository.commit("nonsense"), Err(GitError::NoSuchRevision { .. })));
            assert_eq!(repository.file_at(head, "a/b/deep", 10).unwrap().unwrap(), b"deep\n");
            assert_eq!(repository.setting("metalogic.project").unwrap(), ["one", "two"]);
            assert!(!repository.differs_from_head().unwrap());
            std::fs::write(directory.join("untracked"), "").unwrap();
            assert!(!repository.differs_from_head().unwrap());
            std::fs::write(directory.join("file"), "modified\n").unwrap();
            assert!(repository.differs_from_head().unwrap());
        },
    );
}

#[test]
fn the_merge_of_a_pull_request_is_known_by_its_ref() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            history(&directory, arguments);
            let repository = open(&directory);
            let (merge, plain) = (repository.commit("light").unwrap(), repository.commit("HEAD").unwrap());
            for odd in [
                "refs/pull/7/head",
                "refs/pull/x/merge",
                "refs/pull/merge",
                "refs/heads/pull/7/merge",
                "refs/pull/7/8/merge",
            ] {
                git(&directory, &["update-ref", odd, "light"]);
            }
            assert_eq!(repository.pull_request(merge).unwrap(), None, "{format}");
            for name in ["refs/pull/7/merge", "refs/remotes/pull/12/merge", "refs/merge-requests/3/merge"] {
                git(&directory, &["update-ref", name, "HEAD"]);
                assert_eq!(repository.pull_request(plain).unwrap(), None, "{format}: no merge");
                assert_eq!(repository.pull_request(merge).unwrap(), None, "{format}: another commit");
                git(&directory, &["update-ref", name, "light"]);
                assert_eq!(repository.pull_request(merge).unwrap().as_deref(), Some(name), "{format}");
                git(&directory, &["update-ref", "-d", name]);
            }
            assert_eq!(repository.pull_request(absent(&merge.to_string())).unwrap(), None, "{format}");
        }
    });
}

#[test]
fn a_pull_requests_merge_is_known_in_the_shallow_clone_that_continuous_integration_makes() {
    plainly(|root| {
        history(&root.join("full"), FORMATS[0].1);
        git(&root.join("full"), &["update-ref", "refs/pull/7/merge", "light"]);
        let clone = root.join("clone");
        init(&clone, FORMATS[0].1);
        let from = format!("file://{}", root.join("full").display());
        git(&clone, &["fetch", "--quiet", "--depth=1", &from, "+refs/pull/7/merge:refs/remotes/pull/7/merge"]);
        git(&clone, &["checkout", "--quiet", "--detach", "refs/remotes/pull/7/merge"]);
        let repository = open(&clone);
        let head = repository.head().unwrap().unwrap();
        assert_eq!(repository.pull_request(head).unwrap().as_deref(), Some("refs/remotes/pull/7/merge"));
    });
}

#[test]
fn tracked_files_that_differ_from_head_are_seen_and_untracked_ones_are_not() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            history(&directory, arguments);
            let places: [PathBuf; 4] = ["", "a", ".git", ".git/objects"].map(|place| directory.join(place));
            let check = |expected, what: &str| {
                for place in &places {
                    assert_eq!(open(place).differs_from_head().unwrap(), expected, "{what}: {}", place.display());
                }
            };
            check(false, "clean");
            std::fs::write(directory.join("untracked"), "").unwrap();
            check(false, "untracked only");
            std::fs::write(directory.join("file"), "modified\n").unwrap();
            check(true, "modified");
            git(&directory, &["add", "file"]);
            check(true, "staged");
            std::fs::write(directory.join("file"), "changed\n").unwrap();
            check(true, "staged and put back in the work tree");
            git(&directory, &["add", "file"]);
            check(false, "put back");
            std::fs::remove_file(directory.join("a/b/deep")).unwrap();
            check(true, "deleted");
            git(&directory, &["reset", "--quiet", "--hard"]);
            git(root, &["clone", "--quiet", "--bare", format, &format!("{format}.git")]);
            assert!(!open(&root.join(format!("{format}.git"))).differs_from_head().unwrap(), "bare");
        }
    });
}

#[test]
fn a_filter_between_file_and_blob_is_no_difference() {
    plainly(|root| {
        let directory = root.join("it");
        history(&directory, FORMATS[0].1);
        git(&directory, &["config", "filter.loud.clean", "tr A-Z a-z"]);
        git(&directory, &["config", "filter.loud.smudge", "tr a-z A-Z"]);
        std::fs::write(directory.join(".gitattributes"), "file filter=loud\n").unwrap();
        git(&directory, &["add", ".gitattributes"]);
        commit(&directory, "filtered");
        std::fs::write(directory.join("file"), "CHANGED\n").unwrap();
        assert!(!open(&directory).differs_from_head().unwrap());
    });
}

#[test]
fn what_lies_about_in_a_submodule_is_no_difference_and_a_change_there_is() {
    plainly(|root| {
        history(&root.join("module"), FORMATS[0].1);
        let directory = root.join("super");
        init(&directory, FORMATS[0].1);
        git(&directory, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../module", "module"]);
        let head = commit(&directory, "with a submodule");
        let repository = open(&directory);
        assert!(!repository.differs_from_head().unwrap());
        std::fs::write(directory.join("module/untracked"), "").unwrap();
        assert!(!repository.differs_from_head().unwrap());
        std::fs::write(directory.join("module/file"), "modified\n").unwrap();
        assert!(repository.differs_from_head().unwrap());
        assert_eq!(repository.file_at(parse(&head), "module", 100).unwrap(), None);
        assert_eq!(repository.file_at(parse(&head), "module/file", 100).unwrap(), None);
    });
}

#[test]
fn a_file_is_what_the_commit_has() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            history(&directory, arguments);
            let odd = "odd\nname with spaces";
            std::fs::write(directory.join(odd), [0, 10, 255]).unwrap();
            std::fs::write(directory.join("empty"), "").unwrap();
            git(&directory, &["add", "."]);
            let head = parse(&commit(&directory, "odd"));
            let repository = open(&directory);
            let file = |commit, path| repository.file_at(commit, path, 8).unwrap();
            assert_eq!(file(head, "file").unwrap(), b"changed\n", "{format}: of just as many bytes as are read");
            assert_eq!(file(repository.commit("v1").unwrap(), "file").unwrap(), b"first\n");
            assert_eq!(file(head, "a/b/deep").unwrap(), b"deep\n");
            assert_eq!(file(head, odd).unwrap(), [0, 10, 255]);
            assert_eq!(file(head, "empty").unwrap(), b"");
            assert_eq!(file(repository.commit("v1").unwrap(), "empty"), None);
            for gone in
                ["", "/", "a", "a/b", "a/", "a/x", "file/x", "/file", "./file", "a/../file", "fil", "file ", "FILE"]
            {
                assert_eq!(file(head, gone), None, "{format}: {gone:?}");
            }
            assert_eq!(file(absent(&head.to_string()), "file"), None);
            let refused = repository.file_at(head, "file", 7);
            assert!(matches!(refused, Err(GitError::Unreadable { .. })), "{format}: {refused:?}");
        }
    });
}

#[test]
fn nothing_is_fetched_in_a_partial_clone() {
    plainly(|root| {
        every_kind(root);
        for (format, _) in FORMATS {
            for kind in ["blobless", "treeless", "promised"] {
                let directory = root.join(format).join(kind);
                let objects = || git(&directory, &["count-objects", "--verbose"]);
                let before = objects();
                let repository = open(&directory);
                let head = repository.head().unwrap().unwrap();
                for path in ["file", "a/b/deep"] {
                    let left_out = repository.file_at(head, path, 100);
                    assert!(matches!(left_out, Err(GitError::NotHere { .. })), "{format}/{kind}: {left_out:?}");
                }
                assert!(repository.commit(&absent(&head.to_string()).to_string()).is_err());
                assert!(repository.commit("HEAD:file").is_err());
                assert_eq!(repository.pull_request(head).unwrap(), None);
                let _ = repository.differs_from_head();
                assert_eq!(objects(), before, "{format}/{kind}");
            }
        }
    });
}

#[test]
fn settings_are_those_of_git_in_its_order() {
    for (index, (_, arguments)) in FORMATS.into_iter().enumerate() {
        // The last world leaves the files to the places where git looks for them by itself.
        let worlds: &[bool] = if index == 0 { &[false, true] } else { &[false] };
        for &at_home in worlds {
            alone(
                |root| {
                    let directory = root.join("it");
                    init(&directory, arguments);
                    git(root, &["config", "--file", ".gitconfig", "metalogic.store", "global"]);
                    git(root, &["config", "--file", ".gitconfig", "metalogic.user", "global"]);
                    git(&directory, &["config", "metalogic.store", "local"]);
                    git(&directory, &["config", "--add", "metalogic.project", "b"]);
                    git(&directory, &["config", "--add", "metalogic.project", "a=c\nd"]);
                    git(&directory, &["config", "--add", "metalogic.project", ""]);
                    std::fs::write(root.join("more"), "[metalogic]\n\tincluded = yes\n\tbare\n").unwrap();
                    git(&directory, &["config", "include.path", root.join("more").to_str().unwrap()]);
                    let world = World::at(root).with("HOME", root);
                    if at_home {
                        let world = world.without("GIT_CONFIG_GLOBAL").without("GIT_CONFIG_SYSTEM");
                        world.without("GIT_CONFIG_NOSYSTEM")
                    } else {
                        world.with("GIT_CONFIG_GLOBAL", root.join(".gitconfig"))
                    }
                },
                |root| {
                    let repository = open(&root.join("it"));
                    assert_eq!(repository.setting("metalogic.store").unwrap(), ["global", "local"]);
                    assert_eq!(repository.setting("metalogic.Store").unwrap(), ["global", "local"]);
                    assert_eq!(repository.setting("metalogic.user").unwrap(), ["global"]);
                    assert_eq!(repository.setting("metalogic.project").unwrap(), ["b", "a=c\nd", ""]);
                    assert_eq!(repository.setting("metalogic.included").unwrap(), ["yes"]);
                    assert_eq!(repository.setting("metalogic.bare").unwrap(), [""]);
                    assert!(repository.setting("metalogic.nothing").unwrap().is_empty());
                    assert_eq!(setting_without_repository("metalogic.store").unwrap(), ["global"]);
                    assert!(setting_without_repository("metalogic.project").unwrap().is_empty());
                },
            );
        }
    }
}

#[test]
fn settings_without_a_repository_do_not_come_from_the_one_around() {
    alone(
        |root| {
            init(root, FORMATS[0].1);
            git(root, &["config", "metalogic.store", "local"]);
            World::at(root).with("GIT_DIR", root.join(".git"))
        },
        |_| assert!(setting_without_repository("metalogic.store").unwrap().is_empty()),
    );
}

#[test]
fn settings_of_the_environment_come_last() {
    for (_, arguments) in FORMATS {
        alone(
            |root| {
                init(&root.join("it"), arguments);
                git(&root.join("it"), &["config", "metalogic.store", "local"]);
                let world = World::at(root).with("GIT_CONFIG_COUNT", "1").with("GIT_CONFIG_KEY_0", "metalogic.store");
                world.with("GIT_CONFIG_VALUE_0", "environment")
            },
            |root| {
                let values = open(&root.join("it")).setting("metalogic.store").unwrap();
                assert_eq!(values, ["local", "environment"]);
                assert_eq!(setting_without_repository("metalogic.store").unwrap(), ["environment"]);
            },
        );
    }
}
