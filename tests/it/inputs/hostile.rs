//! Pathspecs, registries and trees that somebody wrote to do harm: each is refused, or costs little.

use std::time::{Duration, Instant};

use metalogic::ancestry::{Ancestry as _, AncestryError};
use metalogic::inputs::{Inputs, InputsError, LONGEST_SPEC, MOST_SPECS, MOST_STARS, SpecError};
use metalogic::registry::{LARGEST, Registry};

use super::{declared, open};
use crate::repo::{FORMATS, feed, git, init, plainly};

fn refusal(spec: &str) -> SpecError {
    match Inputs::parse(["a", spec]) {
        Err(InputsError::Spec { index: 1, error }) => error,
        other => panic!("{spec:?}: {other:?}"),
    }
}

#[test]
fn a_pathspec_that_cannot_be_kept_to_is_refused_with_a_reason() {
    let long = "x".repeat(LONGEST_SPEC + 1);
    let stars = "*a".repeat(MOST_STARS + 1);
    let table: [(&[&str], SpecError); 11] = [
        (&[""], SpecError::Empty),
        (&[&long], SpecError::Long(LONGEST_SPEC + 1)),
        (&[&stars], SpecError::Stars(MOST_STARS + 1)),
        (&["a\0"], SpecError::Null),
        (
            &[":(attr:x)a", ":(top,attr:x=y)", ":(attr)a", ":(attr:a\\)b)c", ":(attr:", ":(attr:a\\,b)c"],
            SpecError::Attributes,
        ),
        (&["/etc/passwd", "/", ":(top)/x", ":(glob)/x/**"], SpecError::Absolute),
        (&["..", "../a", "a/../..", ":!../a", ":(glob)a/../../**", ":/../a", "./../a"], SpecError::Outside),
        (&[":!(glob)a", ":/(a)", ":^(x", ":!:(glob)a"], SpecError::Mixed),
        (&[":(icase)[a-z]", ":(icase,glob)a\\*"], SpecError::Caseless),
        (&["[[:alpha]", "[a[:]", "[[:ALPHA:]]", "[[::]]"], SpecError::Class),
        (&[":(nothing)a", ":(glob", ":#a", ":-x", ":(glob,literal)a", ":(prefix:1)a"], SpecError::Malformed),
    ];
    for (specs, expected) in table {
        for spec in specs {
            assert_eq!(refusal(spec), expected, "{spec:?}");
        }
        let told = expected.to_string();
        assert!(told.is_ascii() && !told.ends_with('.') && told.len() < 200, "{told}");
    }
    // As much as is allowed is allowed, and what is no pattern has as many stars as it likes.
    let literal = format!(":(literal){}", "*".repeat(LONGEST_SPEC - 10));
    for spec in ["x".repeat(LONGEST_SPEC), "*a".repeat(MOST_STARS), literal, "a/../b".to_owned(), ":".to_owned()] {
        Inputs::parse([&spec]).unwrap_or_else(|error| panic!("{spec}: {error}"));
    }
    assert_eq!(Inputs::parse(Vec::<String>::new()), Err(InputsError::None));
    assert_eq!(Inputs::parse(vec!["a"; MOST_SPECS + 1]), Err(InputsError::Many(MOST_SPECS + 1)));
    assert!(Inputs::parse(vec!["a"; MOST_SPECS]).is_ok());
}

#[test]
fn no_pattern_makes_a_path_cost_much() {
    let half = MOST_STARS / 2;
    let patterns = [
        format!("{}b", "*a".repeat(MOST_STARS)),
        format!("{}b", "*[a]".repeat(MOST_STARS)),
        format!(":(glob){}b", "**/".repeat(half)),
        format!(":(glob){}b", "**/a/".repeat(half)),
        format!(":(glob){}b", "**/*a/*a/".repeat(half / 2)),
        format!(":(glob)**/{}b", "*a".repeat(MOST_STARS - 2)),
        format!(":(glob){}**/b", "*a*/".repeat(half - 1)),
        format!("{}{}b", "*a".repeat(MOST_STARS), "?".repeat(LONGEST_SPEC / 2)),
    ];
    let paths = ["a".repeat(4000), "a/".repeat(2000) + "a", "aa/".repeat(1300) + "a", "aaaaaaa/".repeat(500) + "a"];
    for pattern in patterns {
        let inputs = declared(&[&pattern]);
        for path in &paths {
            let begin = Instant::now();
            assert!(!inputs.is_match(path.as_bytes()), "{pattern}");
            // A few milliseconds, on a machine that has nothing else to do.
            assert!(begin.elapsed() < Duration::from_secs(2), "{pattern} took {:?}", begin.elapsed());
        }
    }
}

/// Makes a commit of trees that hold each other many times: together they have more files than there are in the world.
fn bomb(directory: &std::path::Path) -> String {
    let blob = git(directory, &["hash-object", "-t", "blob", "--stdin", "-w"]);
    let mut tree = feed(directory, &["mktree"], format!("100644 blob {blob}\tf\n").as_bytes());
    for _ in 0..20 {
        let entries: String = (0..12).map(|at| format!("040000 tree {tree}\t{at:02}\n")).collect();
        tree = feed(directory, &["mktree"], entries.as_bytes());
    }
    git(directory, &["commit-tree", "-m", "wide", &tree])
}

#[test]
fn trees_beyond_all_reason_are_refused_or_cost_what_matters_of_them() {
    plainly(|root| {
        for (format, arguments) in FORMATS {
            let directory = root.join(format);
            init(&directory, arguments);
            let repository = open(&directory);
            let wide = bomb(&directory);
            // What is asked for is found all the same, and what matters nowhere costs nothing.
            let inside = declared(&[&"03/".repeat(20), "nowhere/**"]);
            let taken = repository.inputs(wide.parse().unwrap(), &[&inside]).unwrap().unwrap();
            assert_eq!(taken[0].entries, 1, "{format}");
            for (depth, is_fine) in [(2000, true), (2100, false)] {
                let path = "d/".repeat(depth);
                let stream: String = ["1", "2"]
                    .map(|content| {
                        let commit =
                            format!("commit refs/heads/deep{depth}\ncommitter A <a@b> {content} +0000\ndata 1\nx\n");
                        format!("{commit}M 100644 inline {path}f\ndata 1\n{content}\n\n")
                    })
                    .concat();
                feed(&directory, &["fast-import", "--quiet"], stream.as_bytes());
                let commit = |name: String| git(&directory, &["rev-parse", &name]).parse().unwrap();
                let (deep, before) = (commit(format!("deep{depth}")), commit(format!("deep{depth}~")));
                let (all, most) = (declared(&["."]), declared(&["*f", ":!x"]));
                for answer in [
                    repository.inputs(deep, &[&all, &most]).map(|taken| taken.map(|taken| taken[1].digest)),
                    repository.inputs_along(&[before, deep], &most).map(|digests| digests[1]),
                ] {
                    match answer {
                        Ok(Some(_)) => assert!(is_fine, "{format}"),
                        Err(AncestryError::Unreadable { source, .. }) => {
                            assert!(!is_fine && source.to_string().contains("2048 deep"), "{format}: {source}");
                        }
                        other => panic!("{format}: {other:?}"),
                    }
                }
                // Whoever asks goes on asking.
                assert!(repository.tree(deep).unwrap().is_some(), "{format}");
            }
        }
    });
}

#[test]
fn a_registry_of_nothing_but_pathspecs_is_read_or_refused_in_no_time() {
    let registry = |specs: &[String], artifacts: usize| {
        let entry = |at| format!("{{ name = \"n{at}\", inputs = [{}] }}", specs.join(","));
        let entries: Vec<String> = (0..artifacts).map(entry).collect();
        let text = format!("[projects.a]\nartifacts = [{}]\n", entries.join(",\n"));
        assert!(u64::try_from(text.len()).unwrap() <= LARGEST);
        let begin = Instant::now();
        let read = Registry::parse(text.as_bytes(), "artifacts.toml");
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        read.map_err(|error| error.to_string())
    };
    let some = |spec: &str, times: usize| vec![format!("\"{spec}\""); times];
    let many = registry(&some("a", 100_000), 1).unwrap_err();
    assert_eq!(many, "artifacts.toml:2:38: inputs are declared by at most 200 pathspecs, these are 100000");
    let long = registry(&some(&"x".repeat(1_000_000), 1), 1).unwrap_err();
    assert!(long.ends_with("...\" declares no inputs: a pathspec has at most 1000 bytes, this has 1000000"), "{long}");
    assert!(long.len() < 300, "{long}");
    assert!(registry(&some("*a*b", 200), 200).is_ok());
    // All that is wrong is told, once each.
    assert_eq!(registry(&some(":!(", 200), 50).unwrap_err().lines().count(), 10_000);
}
