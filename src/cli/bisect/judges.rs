//! Who says whether a build is good: a command, or a person.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use crate::bisect::{Judge, Said, Trial};
use crate::bisection::{Outcome, Verdict};
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::command::Command;

/// What a shell ends with where it does not find a command, and where it cannot run it.
const NOT_FOUND: i32 = 127;
const NOT_RUN: i32 = 126;

/// How a run that is ended in the middle leaves things.
const KEPT: &str = "every verdict is kept: the same command goes on";

/// Says how things are left, where nothing came of a trial.
struct Open<'a>(Option<&'a Session>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.report.note(KEPT);
        }
    }
}

/// Has a command try builds.
pub(super) struct Runner<'a> {
    session: &'a Session,
    command: Arc<Command>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(session: &'a Session, command: Arc<Command>) -> Self {
        Self { session, command }
    }
}

#[async_trait]
impl Judge for Runner<'_> {
    async fn judge(&self, trial: Trial<'_>) -> io::Result<Said> {
        let commit = trial.commit.to_string();
        let variables = [("METALOGIC_COMMIT", commit.as_ref()), ("METALOGIC_ARTIFACT", trial.path.as_os_str())];
        let mut open = Open(Some(self.session));
        let ran = self.command.run(trial.path, &variables).await;
        open.0 = None;
        let code = match ran {
            Ok(code) => code,
            Err(error) => {
                self.session.report.warning(&format!("the command cannot be run: {error}"));
                Some(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN })
            }
        };
        Ok(Said::Came(Outcome::of(code)))
    }
}

/// Asks a person.
pub(super) struct Dialogue<'a> {
    session: &'a Session,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        Self { session }
    }

    async fn line(&self, prompt: &str) -> io::Result<Option<String>> {
        let line = terminal::line(&self.session.report, prompt, KEPT).await?;
        Ok(line.map(|line| String::from_utf8_lossy(&line).trim().to_lowercase()))
    }
}

#[async_trait]
impl Judge for Dialogue<'_> {
    async fn judge(&self, trial: Trial<'_>) -> io::Result<Said> {
        let say = |text: &str| self.session.report.ask(text);
        say(&format!("    {}\n", trial.path.display()));
        loop {
            let Some(answer) = self.line("good, bad, skip or quit? (? explains): ").await? else {
                return Ok(Said::Leave);
            };
            let verdict = match answer.as_str() {
                "g" | "good" => Verdict::Good,
                "b" | "bad" => Verdict::Bad,
                "s" | "skip" => Verdict::Skip,
                "q" | "quit" => return Ok(Said::Leave),
                _ => {
                    say(&explained(&trial));
                    continue;
                }
            };
            return Ok(Said::Came(Outcome::Tried(verdict)));
        }
    }
}

/// Says what each answer does.
fn explained(trial: &Trial<'_>) -> String {
    format!(
        "    Try the {} that was built at {}, in another window: its path stands above.\n    \
         good  it is as it should be: what broke it came later\n    \
         bad   it has the fault: what broke it is this or came before\n    \
         skip  it cannot be said: another one is tried\n    \
         quit  leave off; the same command goes on from here (so does Ctrl-C)\n    \
         One letter is enough.\n",
        trial.name, trial.commit
    )
}
