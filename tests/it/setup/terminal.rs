//! The set-up in a real terminal.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pty_process::blocking::open;
use serde_json::json;

use super::{described, released, saved};
use crate::fake::parameters::{ParameterStore, REGION};
use crate::sandbox::Sandbox;
use crate::screen::Screen;

const INTERRUPT: &str = "\u{3}";
const END_OF_INPUT: &str = "\u{4}";

/// What stands before each answer, up to the default.
const PROMPTS: [&str; 8] = [
    "Is this the place? [y]: ",
    "Bucket name parameter [",
    "Bucket name parameter's region [",
    "Bucket's region [",
    "Bucket key prefix [",
    "Artifact parameter region [",
    "Artifact parameter name prefix [",
    "Save it? (y or n): ",
];

/// A run of the set-up that a person sits before.
struct Person {
    store: ParameterStore,
    _sandbox: Sandbox,
    child: Child,
    screen: Screen,
    settings: OwnedFd,
    before: String,
}

impl Person {
    fn at(store: ParameterStore, arguments: &[&str]) -> Self {
        Self::in_regions(store, None, arguments)
    }

    fn in_regions(store: ParameterStore, regions: Option<&str>, arguments: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let (terminal, inner) = open().unwrap();
        let settings = inner.as_fd().try_clone_to_owned().unwrap();
        let mut command = sandbox.command(".", &[&["setup"], arguments].concat());
        store.reach(&mut command).env("TERM", "xterm").env("NO_COLOR", "1");
        if let Some(regions) = regions {
            command.env("STARTIFACT_REGIONS", regions);
        }
        let before = stty(&settings);
        let command = pty_process::blocking::Command::from(command);
        // The command's own standard input is nothing, until the terminal is it.
        let input = settings.try_clone().unwrap();
        let child = command.stdin(Stdio::from(input)).stdout(Stdio::piped()).spawn(inner).unwrap();
        Self { store, _sandbox: sandbox, child, screen: Screen::of(terminal), settings, before }
    }

    fn sees(&mut self, text: &str) -> String {
        self.screen.sees(text)
    }

    fn types(&mut self, text: &str) {
        self.screen.types(text);
    }

    /// Answers the next question.
    fn answers(&mut self, prompt: &str, text: &str) {
        self.sees(prompt);
        self.types(&format!("{text}\n"));
    }

    /// Takes the defaults of some questions.
    fn agrees(&mut self, prompts: &[&str]) {
        prompts.iter().for_each(|prompt| self.answers(prompt, ""));
    }

    /// Waits for the end; returns standard output, all that the terminal showed, and the exit code. The terminal is as it was before.
    fn ends(mut self) -> (String, String, Option<i32>, ParameterStore) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.screen.all());
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(stty(&self.settings), self.before);
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        // What the program wrote last is shown by now or in a moment: this is after it.
        std::fs::File::from(self.settings.try_clone().unwrap()).write_all(b"[end]").unwrap();
        self.sees("[end]");
        let shown = self.screen.all();
        (stdout, shown, status.code(), self.store)
    }
}

/// Returns all settings of a terminal.
fn stty(terminal: &OwnedFd) -> String {
    let output = Command::new("stty").arg("-a").stdin(terminal.try_clone().unwrap()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn with_bucket() -> ParameterStore {
    let store = ParameterStore::start();
    store.set(REGION, "/artifacts-bucket", "org-bucket-1");
    store
}

#[test]
fn enter_takes_each_default_and_only_y_saves() {
    let mut person = Person::at(with_bucket(), &[]);
    person.agrees(&PROMPTS[..7]);
    person.answers(PROMPTS[7], "");
    person.sees("y or n belongs here");
    assert_eq!(person.store.get(REGION, "/startifact"), None, "Enter is no yes");
    person.answers(PROMPTS[7], "y");
    let (stdout, shown, code, store) = person.ends();
    assert_eq!((stdout.as_str(), code), ("/startifact in eu-north-1\n", Some(0)), "{shown}");
    assert_eq!(saved(&store, REGION), described());
    for told in
        ["Question 1 of 8", "Question 8 of 8", "[/artifacts-bucket]", "[eu-north-1]", "/app/latest", "app@1.0.0"]
    {
        assert!(shown.contains(told), "{told} is told:\n{shown}");
    }
    assert!(!shown.contains("warning"), "{shown}");
}

#[test]
fn each_question_is_asked_again_until_its_answer_can_be() {
    let store = with_bucket();
    store.set("eu-west-1", "/team/bucket", "org-bucket-2");
    let mut person = Person::at(store, &[]);
    let answers: [(&[(&str, &str)], &str); 8] = [
        (&[("maybe", "y or n")], "yes"),
        (&[("team/bucket", "begins with one"), ("/aws/x", "aws or ssm"), ("-", "no part of it is")], "/team/bucket"),
        (&[("EU", "a region has only")], "eu-west-1"),
        (&[("eu_west_2", "a region has only")], "eu-west-2"),
        (&[("a\u{1b}[A", "no control characters")], "releases/"),
        (&[("Stockholm", "a region has only")], "eu-west-3"),
        (&[("org-", "org-app/latest"), ("/ssm-", "aws or ssm"), ("/a b/", "this has ' '")], "/org-"),
        (&[("perhaps", "y or n")], "Y"),
    ];
    for (prompt, (refused, answer)) in PROMPTS.iter().zip(answers) {
        for (wrong, problem) in refused {
            person.answers(prompt, wrong);
            person.sees(problem);
        }
        person.answers(prompt, answer);
    }
    let (_, shown, code, store) = person.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("recorded in /org-app/latest") && shown.contains("the object releases/app@1.0.0"),
        "{shown}"
    );
    let expected = json!({
        "bucket_key_prefix": "releases/", "bucket_param_name": "/team/bucket", "bucket_param_region": "eu-west-1",
        "bucket_region": "eu-west-2", "parameter_name_prefix": "/org-", "parameter_region": "eu-west-3",
        "save_ok": "y", "start_ok": "y",
    });
    assert_eq!(saved(&store, REGION), expected);
}

#[test]
fn whoever_interrupts_at_any_question_has_saved_nothing() {
    for asked in 0..PROMPTS.len() {
        let mut person = Person::at(with_bucket(), &[]);
        person.agrees(&PROMPTS[..asked]);
        person.sees(PROMPTS[asked]);
        person.types(&format!("half an answer{INTERRUPT}"));
        let (stdout, shown, code, store) = person.ends();
        assert_eq!((stdout.as_str(), code), ("", Some(130)), "{shown}");
        assert!(shown.contains("\nnothing was saved\nerror: interrupted\n"), "{shown}");
        assert_eq!(store.puts(), [""; 0], "question {}", asked + 1);
    }
}

#[test]
fn whoever_ends_the_input_at_any_question_has_saved_nothing() {
    for asked in 0..PROMPTS.len() {
        let mut person = Person::at(with_bucket(), &[]);
        person.agrees(&PROMPTS[..asked]);
        person.sees(PROMPTS[asked]);
        // At the last question, what was typed would agree if its line were ended.
        person.types(if asked == 7 { "y" } else { "" });
        person.types(&END_OF_INPUT.repeat(2));
        let (stdout, shown, code, store) = person.ends();
        assert_eq!((stdout.as_str(), code), ("", Some(1)), "{shown}");
        let told = format!("stopped at question {} of 8: nothing was saved", asked + 1);
        assert!(shown.contains(&told), "{shown}");
        assert_eq!(store.puts(), [""; 0], "question {}", asked + 1);
    }
}

#[test]
fn whoever_does_not_agree_has_saved_nothing() {
    for asked in [0, 7] {
        let mut person = Person::at(with_bucket(), &[]);
        person.agrees(&PROMPTS[..asked]);
        person.answers(PROMPTS[asked], "n");
        let (_, shown, code, store) = person.ends();
        assert_eq!((code, store.puts().len()), (Some(1), 0), "{shown}");
    }
}

#[test]
fn what_flags_answer_is_not_asked() {
    let mut person = Person::at(with_bucket(), &["--bucket-region", "eu-west-2", "--key-prefix", "x/"]);
    for asked in [0, 1, 2, 5, 6] {
        person.answers(PROMPTS[asked], "");
    }
    person.answers(PROMPTS[7], "y");
    let (_, shown, code, store) = person.ends();
    assert!(code == Some(0) && !shown.contains(PROMPTS[3]) && !shown.contains(PROMPTS[4]), "{shown}");
    assert_eq!(
        (&saved(&store, REGION)["bucket_region"], &saved(&store, REGION)["bucket_key_prefix"]),
        (&json!("eu-west-2"), &json!("x/"))
    );
}

#[test]
fn an_update_shows_what_is_there_and_a_dash_empties_it() {
    let store = with_bucket();
    let mut old = described();
    for (key, value) in
        [("bucket_key_prefix", "old/"), ("parameter_name_prefix", "/old-"), ("bucket_region", "eu-west-2")]
    {
        old[key] = json!(value);
    }
    old["else"] = json!(7);
    store.set(REGION, "/startifact", &old.to_string());
    let mut person = Person::at(store, &[]);
    person.agrees(&PROMPTS[..3]);
    person.answers(PROMPTS[3], "");
    assert_eq!(person.sees("]: "), "eu-west-2");
    person.sees(PROMPTS[4]);
    person.screen.types(b"caf\xe9/\n");
    person.sees("not UTF-8");
    person.answers(PROMPTS[4], "-");
    assert_eq!(person.sees("]: "), "old/");
    person.answers(PROMPTS[5], "");
    person.answers(PROMPTS[6], "-");
    assert_eq!(person.sees("]: "), "/old-");
    person.answers(PROMPTS[7], "y");
    let (_, shown, code, store) = person.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("bucket_key_prefix was \"old/\"") && shown.contains("warning: releases that were staged before"),
        "{shown}"
    );
    let mut expected = described();
    expected["bucket_region"] = json!("eu-west-2");
    expected["else"] = json!(7);
    assert_eq!(saved(&store, REGION), expected);
}

#[test]
fn what_changed_while_the_questions_were_asked_is_not_overwritten() {
    let mut person = Person::at(with_bucket(), &[]);
    person.agrees(&PROMPTS[..7]);
    person.sees(PROMPTS[7]);
    let mut other = described();
    other["bucket_key_prefix"] = json!("theirs/");
    person.store.set(REGION, "/startifact", &other.to_string());
    person.types("y\n");
    let (_, shown, code, store) = person.ends();
    assert_eq!((code, saved(&store, REGION)), (Some(7), other), "{shown}");
}

#[test]
fn a_bucket_that_cannot_be_found_yet_is_told_when_it_is_named() {
    let mut person = Person::at(ParameterStore::start(), &[]);
    person.agrees(&PROMPTS[..3]);
    assert!(person.sees(PROMPTS[3]).contains("there is no parameter /artifacts-bucket in eu-north-1"));
    person.types(INTERRUPT);
    assert_eq!(person.ends().2, Some(130));
}

#[test]
fn the_released_kind_is_asked_what_it_has() {
    let store = ParameterStore::start();
    for region in ["eu-west-1", "eu-west-2", "eu-west-3"] {
        store.set(region, "/artifacts-bucket", "org-bucket-1");
    }
    store.set("eu-west-1", "/startifact", &released("eu-west-1,eu-west-2").to_string());
    let mut person = Person::in_regions(store, Some("eu-west-1"), &[]);
    person.answers(PROMPTS[0], "");
    for (prompt, answer) in [
        ("Regions [eu-west-1,eu-west-2", "eu-west-2, eu-west-3"),
        (PROMPTS[1], ""),
        (PROMPTS[4], ""),
        (PROMPTS[6], "org"),
    ] {
        person.answers(prompt, answer);
    }
    person.sees("begins with / and does not end with one");
    person.answers(PROMPTS[6], "/org");
    person.answers(PROMPTS[7], "y");
    let (stdout, shown, code, store) = person.ends();
    assert_eq!((stdout.as_str(), code), ("/startifact in eu-west-2\n/startifact in eu-west-3\n", Some(0)), "{shown}");
    let mut expected = released("eu-west-2,eu-west-3");
    expected["parameter_name_prefix"] = json!("/org");
    assert_eq!((saved(&store, "eu-west-2"), saved(&store, "eu-west-3")), (expected.clone(), expected));
    assert_eq!(saved(&store, "eu-west-1"), released("eu-west-1,eu-west-2"), "it stays until somebody removes it");
    let shown = shown.replace('\n', " ");
    assert!(shown.contains("aws ssm delete-parameter --name /startifact --region eu-west-1"), "{shown}");
    assert!(shown.contains("STARTIFACT_REGIONS=eu-west-2,eu-west-3"), "{shown}");
}
