//! The README says what the code does: its commands are run, its tables are compared.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use metalogic::address::Commit;
use metalogic::config::SETTINGS;
use metalogic::failure::Kind;
use metalogic::metafile::Metafile;
use metalogic::registry::Registry;

use crate::fake::parameters::ParameterStore;
use crate::sandbox::{Sandbox, at_one_moment};

pub fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// Returns the text of every block of a language, in order.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in readme.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(block), None) => writeln!(block, "{line}").unwrap(),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(opened)) if opened == language => open = Some(String::new()),
            (None, _) => {}
        }
    }
    blocks
}

/// Returns the rows of the table whose head begins with these cells.
pub fn table(readme: &str, head: &str) -> Vec<Vec<String>> {
    let mut lines = readme.lines().skip_while(|line| *line != head);
    assert!(lines.next().is_some(), "no table has the head {head}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let cell = |cell: &str| cell.trim().replace("\\|", "|").trim_matches('`').to_owned();
    rows.map(|row| {
        row.replace("\\|", "\u{1}").trim_matches('|').split('|').map(|text| cell(&text.replace('\u{1}', "|"))).collect()
    })
    .collect()
}

#[cfg(unix)]
#[test]
fn the_first_quarter_of_an_hour_is_what_it_says() {
    let sandbox = Sandbox::new();
    let transcript = blocks(&readme(), "console").concat();
    let commands: Vec<&str> = transcript.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() > 15);
    let mut script = String::new();
    for command in &commands {
        // The exit status that a command asks for is that of the one before it, so nothing may come between them.
        writeln!(script, "status=$?; printf '%s\\n' '$ {}'; (exit $status)\n{command}", command.replace('\'', "'\\''"))
            .unwrap();
    }
    let output = sandbox.shell(&format!("exec 2>&1\n{script}"));
    let shown = output.replace(sandbox.path("").to_str().unwrap().trim_end_matches('/'), "/home/ada");
    let shown = at_one_moment(&shown);
    assert_eq!(shown, transcript, "the README's transcript should be:\n{shown}");
}

#[test]
fn the_two_commands_are_those_that_ci_runs() {
    let ci = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    for command in blocks(&readme(), "sh")[0].lines() {
        let words: Vec<&str> = command.split(' ').collect();
        let runs = |line: &str| words.iter().all(|word| line.split(' ').any(|other| other == *word));
        assert!(ci.lines().any(runs), "{command}");
    }
}

#[test]
fn the_table_of_exit_codes_is_the_codes() {
    let expected: Vec<Vec<String>> = Kind::ALL
        .iter()
        .map(|kind| vec![kind.code().to_string(), kind.name().to_owned(), kind.meaning().to_owned()])
        .collect();
    assert_eq!(table(&readme(), "| code | kind | meaning |"), expected);
}

#[test]
fn the_table_of_settings_is_the_settings() {
    let head = "| flag | environment variable | git's configuration | `artifacts.toml` | default |";
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let expected: Vec<Vec<String>> = SETTINGS
        .iter()
        .map(|s| vec![text(Some(s.flag)), text(Some(s.variable)), text(s.git), text(s.file), text(Some(s.default))])
        .collect();
    assert_eq!(table(&readme(), head), expected);
}

#[test]
fn every_setting_is_a_flag_and_every_global_flag_a_setting() {
    let command = metalogic::cli::command();
    let flags: BTreeSet<String> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .map(|argument| {
            argument
                .get_long()
                .map_or_else(|| format!("-{}", argument.get_short().unwrap()), |long| format!("--{long}"))
        })
        .collect();
    let settings: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.flag.to_owned()).collect();
    assert_eq!(flags, settings);
}

#[test]
fn the_table_of_commands_is_the_commands() {
    let mut expected = Vec::new();
    for verb in metalogic::cli::command().get_subcommands() {
        let about = |command: &clap::Command| command.get_about().unwrap().to_string();
        expected.push((verb.get_name().to_owned(), about(verb)));
        if verb.has_subcommands() {
            expected.pop();
            let subs = verb.get_subcommands();
            expected.extend(subs.map(|sub| (format!("{} {}", verb.get_name(), sub.get_name()), about(sub))));
        }
    }
    let word = |text: &str| {
        text.split([' ']).take_while(|word| word.chars().all(char::is_lowercase)).collect::<Vec<_>>().join(" ")
    };
    let rows: Vec<(String, String)> =
        table(&readme(), "| command | what it does |").into_iter().map(|row| (word(&row[0]), row[1].clone())).collect();
    assert_eq!(rows, expected);
    let objects: Vec<String> =
        table(&readme(), "| command | its object |").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(objects, rows.into_iter().map(|(command, _)| command).collect::<Vec<_>>());
}

#[test]
fn the_table_of_objects_is_the_keys_of_the_objects() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("app.zip", "the app");
    for build in ["the docs", "other docs"] {
        sandbox.write("docs.tar.gz", build);
        sandbox.commit(build);
        sandbox.done(&["publish", "../docs.tar.gz"]);
    }
    let parameters = ParameterStore::start();
    fn asked(command: &str) -> Vec<&str> {
        match command {
            "publish" => vec!["publish", "../app.zip"],
            "fetch" => vec!["fetch", "-o", "../got"],
            "url" => vec!["url", "app.zip"],
            "begin" | "fail" => vec![command, "docs.tar.gz"],
            "wait" | "why" => vec![command, "app.zip"],
            "bisect" => vec!["bisect", "docs.tar.gz", "--good", "HEAD~1", "--", "true"],
            "diff" => vec!["diff", "HEAD"],
            "report" => vec!["report", "--as", "../report.html"],
            "stage" => vec!["stage", "app", "1.0.0", "../app.zip"],
            "latest" | "versions" | "info" => vec![command, "app"],
            "download" => vec!["download", "app", "-o", "../got"],
            "init" => vec!["init", "--dry-run"],
            "registry add" => vec!["registry", "add", "new.zip"],
            "registry push" => vec!["registry", "push", "--store", "../shared"],
            "setup" => vec!["setup", "--dry-run"],
            "completions" => vec!["completions", "bash"],
            plain => plain.split(' ').collect(),
        }
    }
    for row in table(&readme(), "| command | its object |") {
        let arguments = [&["--json"], asked(&row[0]).as_slice()].concat();
        let output = parameters.reach(&mut sandbox.command("repo", &arguments)).output().unwrap();
        let ran = sandbox.ran(&row[0], &output);
        assert_eq!(ran.code, Some(0), "{ran}");
        let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        let mut told = row[1].clone();
        // What stands in brackets are the keys of what a list holds.
        while let (Some(open), Some(close)) = (told.find(" ("), told.find(')')) {
            told.replace_range(open..=close, "");
        }
        let told: Vec<&str> = told.split(", ").map(|key| key.trim_matches('`')).collect();
        assert_eq!(told, keys, "{}", row[0]);
    }
}

#[test]
fn the_examples_of_the_documents_are_valid_and_the_metafile_is_canonical() {
    let readme = readme();
    let metafile = &blocks(&readme, "json")[0];
    let commit: Commit = "bb7abf8df6603159deacf1e1060c3dbf49489d8a".parse().unwrap();
    let parsed = Metafile::parse(metafile.as_bytes(), commit).unwrap();
    assert_eq!(String::from_utf8(parsed.to_bytes().unwrap()).unwrap(), *metafile);
    for block in blocks(&readme, "toml") {
        assert!(Registry::parse(block.as_bytes(), "README.md").unwrap().unknown_keys.is_empty(), "{block}");
    }
    let own = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts.toml")).unwrap();
    assert!(Registry::parse(&own, "artifacts.toml").unwrap().unknown_keys.is_empty());
}

#[test]
fn every_command_that_stands_for_one_of_startifact_is_one() {
    let rows = table(&readme(), "| Startifact | metalogic |");
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let command = row[1].split('`').find(|part| part.starts_with("metalogic")).unwrap_or(&row[1]);
        // The names in capitals stand for what they are.
        let words = command.split(' ').map(|word| if word == "VERSION" { "1.0.0" } else { word });
        let parsed = metalogic::cli::command().try_get_matches_from(words);
        let shows = |error: &clap::Error| !error.use_stderr();
        assert!(parsed.as_ref().map_or_else(shows, |_| true), "{command}: {}", parsed.unwrap_err());
    }
}

#[test]
fn every_command_that_shows_a_figure_again_runs_something() {
    let list = std::process::Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let tests: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let readme = readme();
    let reliability = readme.split("\n## ").find(|section| section.starts_with("Reliability\n")).unwrap();
    let commands: Vec<&str> = reliability.split('`').filter(|code| code.contains("--test it ")).collect();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in commands {
        let (_, rest) = command.split_once("--test it ").unwrap();
        let (rest, _) = rest.split_once(" |").unwrap_or((rest, ""));
        let filters: Vec<&str> = rest.split(' ').filter(|word| !word.starts_with("--")).collect();
        // Cargo itself takes one name; several come behind two dashes.
        assert!(rest.starts_with("-- ") || filters.len() == 1, "{command}");
        for filter in filters {
            assert!(tests.iter().any(|test| test.contains(filter)), "{filter} of {command} is no test");
        }
    }
    let corpora = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz")).unwrap();
    for target in corpora.map(|corpus| corpus.unwrap().file_name().into_string().unwrap()) {
        assert!(reliability.contains(&format!("| `{target}` ")), "{target}");
    }
}
