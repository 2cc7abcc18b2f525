//! What others wrote is told to people as words, and is never an order to a terminal or a way out of a directory.

use std::path::{Path, PathBuf};

use metalogic::arrival::{Rules, UnfitName, within};
use metalogic::config::duration;
use metalogic::location::FileName;
use metalogic::words;
use serde_json::json;

use crate::fake::parameters::{ParameterStore, REGION};
use crate::sandbox::{Ran, Sandbox};

/// Orders of each sort: with the escape, with a single character, to turn the direction, and characters that nobody sees.
const ORDERS: &str = "\u{1b}]0;x\u{7}\u{9b}31m\u{7f}\u{202e}\u{2066}\u{200b}\u{feff}\r";

/// Says that what a run told holds no order, but for the styles of its own.
fn expect_words(ran: &Ran) {
    for told in [&ran.stdout, &ran.stderr] {
        // What has a colour or ends one is the program's own.
        let own = |text: &str| text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m');
        let orders = told.split("\u{1b}[").skip(1).filter(|rest| !own(rest)).count();
        assert_eq!(orders, 0, "{told:?}");
        let rest = told.replace("\u{1b}[", "");
        let order = rest.chars().find(|&c| words::is_unseen(c) && c != '\n');
        assert_eq!(order, None, "{told:?}");
    }
}

#[test]
fn what_is_not_seen_is_written_out_and_nothing_else_is() {
    assert_eq!(words::text("a\u{1b}b\u{9b}\u{202e}\u{200b}\r\0c"), r"a\u{1b}b\u{9b}\u{202e}\u{200b}\r\0c");
    assert_eq!(words::text("two\nlines\tand \\ \"é\" 🦀 e\u{301}"), "two\nlines\tand \\ \"é\" 🦀 e\u{301}");
    assert_eq!(words::line("two\nlines\tx"), r"two\nlines\tx");
    for c in (char::MIN..=char::MAX).filter(|&c| words::is_unseen(c)) {
        assert!(words::line(&c.to_string()).chars().all(|c| matches!(c, ' '..='~')), "{c:?}");
    }
}

#[test]
fn a_json_text_says_the_same_when_what_is_not_seen_is_escaped() {
    for c in (char::MIN..=char::MAX).filter(|&c| words::is_unseen(c) || !c.is_alphanumeric()) {
        let said = json!({"a": [format!("{c}\\{c}\"n"), "é 🦀"], c.to_string(): null});
        let text = serde_json::to_string_pretty(&said).unwrap();
        let written = words::json(&text);
        assert!(!written.contains(|c| words::is_unseen(c) && c != '\n'), "{written}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), said);
        assert!(words::is_unseen(c) || written == text, "{written}");
    }
}

#[test]
fn an_error_says_each_thing_once_and_in_one_line() {
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);
    let inner = Said("the\n  root", None);
    let middle = Said("outer", Some(Box::new(inner)));
    assert_eq!(words::chain(&Said("the outer", Some(Box::new(middle)))), "the outer: the root");
}

#[test]
fn a_configuration_that_anybody_may_write_does_not_drive_the_terminal() {
    let (store, sandbox) = (ParameterStore::start(), Sandbox::new());
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(".", &[&["--color", "always"], arguments].concat());
        let output = store.reach(&mut command).env("STARTIFACT_PARAMETER", "/startifact").output().unwrap();
        let ran = sandbox.ran(&arguments.join(" "), &output);
        expect_words(&ran);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(r"\u{202e}"), "{ran}");
        ran
    };
    let hostile = |orders: &str| {
        let text = json!({"bucket_param_name": format!("/b{orders}"), "parameter_name_prefix": format!("/p{orders}"),
            "bucket_key_prefix": orders, "bucket_param_region": "", "bucket_region": "", "parameter_region": "", ORDERS: ORDERS,
            "save_ok": "y", "start_ok": "y"});
        store.set(REGION, "/startifact", &text.to_string());
    };
    hostile("\u{202e}\u{2066}\u{200b}\u{feff}");
    assert_eq!(run(&["setup", "--show"]).code, Some(0));
    assert_eq!(run(&["versions", "app"]).code, Some(12));
    run(&["setup", "--yes", "--key-prefix", "x/", "--bucket-parameter", "/b"]);
    // What is no name of anything is none here: an end of a line would make two messages of one.
    for orders in [ORDERS, "x\nhint: \u{202e}"] {
        hostile(orders);
        let refused = run(&["latest", "app"]);
        assert!(refused.code == Some(12) && refused.stderr.contains("no control characters"), "{refused}");
        assert!(refused.stderr.lines().all(|line| !line.starts_with("hint: ")), "{refused}");
    }
    store.set(REGION, "/startifact", &"\u{1b}]0;x\u{7}\u{202e}".repeat(300));
    let forced = run(&["setup", "--yes", "--force"]);
    assert!(forced.stderr.len() < 2000, "{forced}");
    // What somebody types is told, too.
    run(&["latest", "app", "\u{1b}]0;x\u{7}\u{202e}"]);
    run(&["setup", "--show", "\u{1b}]0;x\u{7}\u{202e}"]);
}

/// Makes a repository with a release whose record somebody else wrote.
fn recorded(filename: &str) -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/one", "one");
    sandbox.done(&["-q", "stage", "app", "1.0.0", "one"]);
    let record = sandbox.path("repo/.git/metalogic/versions/app/1.0.0/record.json");
    std::fs::remove_file(&record).unwrap();
    let text =
        json!({"name": "app", "version": "1.0.0", "size": 3, "filename": filename, "metadata": {ORDERS: ORDERS}});
    std::fs::write(&record, text.to_string()).unwrap();
    sandbox
}

#[test]
fn a_record_that_anybody_may_write_does_not_drive_the_terminal() {
    let sandbox = recorded("a\u{202e}gpj.exe");
    let info = sandbox.run(&["--color", "always", "info", "app"]);
    assert!(info.code == Some(0) && info.stdout.contains(r"filename  a\u{202e}gpj.exe"), "{info}");
    expect_words(&info);
    let conflict = sandbox.run(&["--color", "always", "stage", "app", "1.0.0", "one", "--metadata", "a=b"]);
    assert_eq!(conflict.code, Some(7), "{conflict}");
    expect_words(&conflict);
    // A directory gets no file that does not look as it is called.
    let refused = sandbox.run(&["--color", "always", "download", "app", "-o", "got"]);
    assert!(refused.code == Some(8) && refused.stderr.contains("--as FILE"), "{refused}");
    expect_words(&refused);
    assert!(!sandbox.path("repo/got").exists());
    assert_eq!(sandbox.done(&["-q", "download", "app", "--as", "got"]), "got\n");
    // What a script reads is what there is, and it is the script's own path.
    assert_eq!(sandbox.done(&["-q", "download", "app", "--as", "o\u{202e}dd"]), "o\u{202e}dd\n");
}

#[cfg(unix)]
#[test]
fn an_answer_that_goes_to_a_terminal_does_not_drive_it() {
    use std::io::Read as _;
    let sandbox = recorded("one");
    let (mut terminal, inner) = pty_process::blocking::open().unwrap();
    let command = sandbox.command("repo", &["-q", "download", "app", "--as", "o\u{202e}\u{9b}dd"]);
    let mut child = pty_process::blocking::Command::from(command).spawn(inner).unwrap();
    let mut shown = Vec::new();
    // The end of a terminal is an error on Linux.
    drop(terminal.read_to_end(&mut shown));
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("o\\u{202e}\\u{9b}dd\r\n"), "{shown:?}");
}

#[test]
fn a_recorded_name_never_leaves_the_directory() {
    let got = |name: &str, rules| within(Path::new("got"), &name.parse::<FileName>().unwrap(), rules);
    for fine in ["app.zip", "Anwendung für Ä.zip", ".hidden", "a b", "console", "com10", "e\u{301}"] {
        assert_eq!(got(fine, Rules::Windows), Ok(PathBuf::from("got").join(fine)), "{fine}");
    }
    let windows = [
        ("..\\..\\x", UnfitName::Character('\\')),
        ("C:x", UnfitName::Character(':')),
        ("a:b", UnfitName::Character(':')),
        ("a*", UnfitName::Character('*')),
        ("con", UnfitName::Device),
        ("NUL.txt", UnfitName::Device),
        ("nul .txt", UnfitName::Device),
        ("com1:x", UnfitName::Device),
        ("LPT²", UnfitName::Device),
        ("conin$", UnfitName::Device),
        ("x.", UnfitName::End('.')),
        ("x ", UnfitName::End(' ')),
    ];
    for (name, unfit) in windows {
        assert_eq!(got(name, Rules::Windows), Err(unfit), "{name}");
        // Elsewhere it is a name like others.
        assert_eq!(got(name, Rules::Other).unwrap().parent(), Some(Path::new("got")), "{name}");
    }
    for rules in [Rules::Windows, Rules::Other] {
        assert_eq!(got(&"x".repeat(256), rules), Err(UnfitName::Long(256)));
        assert!(got(&"x".repeat(255), rules).is_ok());
        assert_eq!(got(".metalogic-x.part", rules), Err(UnfitName::Draft));
        assert!(got(".metalogic", rules).is_ok());
        assert_eq!(got("a\u{202e}gpj.exe", rules), Err(UnfitName::Unseen('\u{202e}')));
    }
}

#[test]
fn a_time_that_no_clock_can_tell_is_refused() {
    for long in ["18446744073709551615s", "367d", "100y"] {
        assert!(duration(long).unwrap_err().contains("at most 366 days"), "{long}");
    }
    let (store, sandbox) = (ParameterStore::start(), Sandbox::new());
    let run = |variable: &str, arguments: &[&str]| {
        let mut command = sandbox.command(".", arguments);
        command.env("METALOGIC_TIMEOUT", variable).env("STARTIFACT_PARAMETER", "/startifact");
        sandbox.ran(&arguments.join(" "), &store.reach(&mut command).output().unwrap())
    };
    let flag = run("2m", &["--timeout", "18446744073709551615s", "latest", "app"]);
    assert!(flag.code == Some(2) && flag.stderr.contains("366 days"), "{flag}");
    let variable = run("18446744073709551615s", &["latest", "app"]);
    assert!(variable.code == Some(12) && variable.stderr.contains("366 days"), "{variable}");
    // The longest is no trouble: there is no configuration.
    assert_eq!(run("366d", &["latest", "app"]).code, Some(12));
}
