//! The questions of a bisection without a command, in a real terminal.

use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pty_process::blocking::open;

use super::History;
use crate::screen::Screen;

const PROMPT: &str = "good, bad, skip or quit? (? explains): ";

/// A person at a terminal.
struct Person {
    child: Child,
    screen: Screen,
    _inner: OwnedFd,
}

impl Person {
    fn at(history: &History) -> Self {
        let (terminal, inner) = open().unwrap();
        let input = inner.as_fd().try_clone_to_owned().unwrap();
        let kept = input.try_clone().unwrap();
        let mut command = history.sandbox.command("repo", &["bisect", "app", "--good", &history.ids[0]]);
        command.env("METALOGIC_STORE", "../store").env("TERM", "xterm").env("NO_COLOR", "1");
        let command = pty_process::blocking::Command::from(command);
        let child = command.stdin(Stdio::from(input)).stdout(Stdio::piped()).spawn(inner).unwrap();
        Self { child, screen: Screen::of(terminal), _inner: kept }
    }

    fn sees(&mut self, text: &str) -> String {
        self.screen.sees(text)
    }

    fn types(&mut self, text: &str) {
        self.screen.types(text);
    }

    /// Looks at the build whose path is told, and says what it is.
    fn answers(&mut self, history: &History) {
        let before = self.sees(PROMPT);
        let path = before.trim_end().lines().last().unwrap().trim();
        assert!(path.starts_with(history.sandbox.path("repo/.git/metalogic-bisect").to_str().unwrap()), "{before}");
        let is_bad = std::fs::read_to_string(path).unwrap().contains("fault");
        self.types(if is_bad { "b\n" } else { "good\n" });
    }

    fn ends(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.screen.all());
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        (status.code(), stdout)
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_person_is_asked_and_may_leave_off_and_go_on() {
    let history = History::line(20, 9);
    history.build_all();
    let mut person = Person::at(&history);
    person.sees(PROMPT);
    person.types("?\n");
    assert!(person.sees("One letter is enough.").contains("skip  it cannot be said"));
    person.answers_again();
    // Whoever types something else is asked again, and quits.
    person.sees(PROMPT);
    person.types("perhaps\n");
    person.sees(PROMPT);
    person.types("q\n");
    person.sees("left off after 1 verdict\n");
    assert_eq!(person.ends().0, Some(1));

    let mut person = Person::at(&history);
    person.sees("1 verdict known already");
    person.sees(PROMPT);
    person.types("\u{3}");
    person.sees("every verdict is kept: the same command goes on");
    assert_eq!(person.ends().0, Some(130));

    let mut person = Person::at(&history);
    person.answers(&history);
    person.sees(PROMPT);
    person.types("\u{4}");
    person.sees("left off after 2 verdicts");
    assert_eq!(person.ends().0, Some(1));

    let mut person = Person::at(&history);
    let whole = History::line(20, 9);
    whole.build_all();
    let steps = whole.bisected().0["steps"].as_u64().unwrap();
    (2..steps).for_each(|_| person.answers(&history));
    let (code, stdout) = person.ends();
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with(&format!("first bad: app of {}", history.culprit())), "{stdout}");
    assert!(!history.is_under_way());
}

impl Person {
    /// Answers a question that was asked anew: its path stands further above.
    fn answers_again(&mut self) {
        let all = self.screen.all();
        let path = all.lines().find(|line| line.contains("metalogic-bisect")).unwrap().trim().to_owned();
        self.sees(PROMPT);
        let is_bad = std::fs::read_to_string(path).unwrap().contains("fault");
        self.types(if is_bad { "bad\n" } else { "g\n" });
    }
}
