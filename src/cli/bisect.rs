//! `metalogic bisect`.

mod judges;
mod shown;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::artifact::Name;
use crate::bisect::{self, BisectError, Judge, Notes, Question};
use crate::catalog::Standing;
use crate::cli::session::{Ports, Session, conclude};
use crate::command::Command;
use crate::config::ConfigError;
use crate::failure::{OutputClosed, SkippedError, UsageError};
use crate::publish::{PublishError, Refusal};
use judges::{Dialogue, Runner};
use shown::Subjects;

/// What the directory of a bisection is called in git's common directory; without a repository it is hidden in the current one.
const DIRECTORY: &str = "metalogic-bisect";

/// Find the first bad build between a good commit and a bad one
///
/// Tries builds of the artifact between two commits, each time the one in the middle, as `git bisect` tries commits: but only commits at which the
/// artifact was built, which are fewer, and none is built again. What is good is the nearest build at or before --good, what is bad the one at or
/// before --bad; history is that along first parents. While one build is tried, the two that may come next are fetched.
///
/// COMMAND is run on each build: `{}` stands for its path in any argument, and where it stands in none, the path is the last argument.
/// METALOGIC_ARTIFACT is that path too, and METALOGIC_COMMIT the commit. Its exit code says what `git bisect run` has it say: 0 is good, 125 skips
/// the build, 1 to 124, 126 and 127 are bad (but the first 126 or 127 is held against the good build: a command that ends so with that does not run
/// at all), and 128 or above, or a signal, ends the run. What it prints goes to standard error. Without a command you are asked.
///
/// A run that ended, by whatever, is gone on with by the same command; nothing is asked twice. Where another one, or a person, gave the verdicts
/// that are known, a warning says so. The end is the first bad build, the last good one and
/// the commits between. Exit 3 where builds that were skipped leave open which it is. Where no try showed a good build, or none a bad one, a warning
/// says so: a test that always says the same comes to an end, too.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "metalogic bisect [OPTIONS] <NAME> --good <REV> [--bad <REV>] [-- <COMMAND>...]\n       metalogic bisect --reset"
)]
pub(crate) struct Arguments {
    /// The artifact
    #[arg(value_name = "NAME", required_unless_present = "reset")]
    name: Option<Name>,
    /// A commit at which it is good
    #[arg(long, value_name = "REV", required_unless_present = "reset")]
    good: Option<String>,
    /// A later commit at which it is bad [default: HEAD]
    #[arg(long, value_name = "REV")]
    bad: Option<String>,
    /// Forget the bisection that is under way
    #[arg(long, conflicts_with_all = ["name", "good", "bad", "command"])]
    reset: bool,
    /// What tries a build; {} stands for its path
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) async fn run(session: &Session, arguments: Arguments) -> anyhow::Result<()> {
    let directory = directory(session)?;
    let (Some(name), Some(good)) = (arguments.name, arguments.good) else {
        return reset(session, &directory);
    };
    let by = arguments.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let judge = judge(session, arguments.command)?;
    let (good, bad) = (session.commit(Some(&good))?, session.commit(arguments.bad.as_deref())?);
    let question = Question { name, good, bad };
    let ports = session.ports().await?;
    let mut notes = Notes::open(&directory, &question, ports.store.root(), by)?;
    let found = match bisect::bisect(session.world(&ports), &question, &mut notes, &*judge).await {
        Err(error @ BisectError::NeverBuilt { .. }) => return Err(never_built(session, &ports, &question, error).await),
        found => found?,
    };
    let repository = session.config.repository()?.map(|repository| &**repository);
    let subjects = Subjects::of(&found.commits, repository);
    let object = shown::object(&question.name, &found, &subjects, &ports.store.root());
    let answered = session.answer(&object, || shown::text(&question.name, &found, &subjects).into_bytes());
    // Whoever did not get the answer asks once more, and nothing is tried for that.
    if answered.as_ref().err().is_none_or(anyhow::Error::is::<OutputClosed>) {
        notes.finish()?;
    }
    let skipped = found.skipped.len();
    let open = (skipped > 0).then(|| SkippedError { name: question.name, builds: skipped }.into());
    conclude(answered, open.into_iter().collect())
}

/// Says why an artifact was never built: most likely nobody ever will, where no project has one of that name.
async fn never_built(session: &Session, ports: &Ports, question: &Question, error: BisectError) -> anyhow::Error {
    let name = &question.name;
    match session.catalog(ports, question.bad).await.map(|catalog| catalog.standing(name)) {
        Ok(Standing::Unknown(near)) => PublishError::Refused(Refusal::Unknown { name: name.clone(), near }).into(),
        Ok(_) | Err(_) => error.into(),
    }
}

/// Returns who says whether builds are good.
fn judge(session: &Session, command: Vec<OsString>) -> Result<Box<dyn Judge + '_>, UsageError> {
    if let Some(command) = Command::new(command) {
        let command = Arc::new(command);
        let running = Arc::clone(&command);
        session.at_the_end(async move { running.end().await });
        return Ok(Box::new(Runner::new(session, command)));
    }
    if !session.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        return Ok(Box::new(Dialogue::new(session)));
    }
    let message = match session.json {
        true => "with --json nothing is asked, so it takes a command",
        false => "there is no terminal to ask on, so it takes a command",
    };
    let hint = "metalogic bisect NAME --good REV --bad REV -- COMMAND {}".to_owned();
    Err(UsageError { message: message.to_owned(), hint: Some(hint) })
}

/// Returns where notes of a bisection are kept.
fn directory(session: &Session) -> Result<PathBuf, ConfigError> {
    Ok(match session.config.repository()? {
        Some(repository) => repository.common_directory().join(DIRECTORY),
        None => session.config.directory().join(format!(".{DIRECTORY}")),
    })
}

fn reset(session: &Session, directory: &Path) -> anyhow::Result<()> {
    let forgotten = Notes::forget(directory)?;
    session.report.log(match forgotten {
        true => "the bisection is forgotten",
        false => "no bisection is under way",
    });
    session.answer(&json!({"forgotten": forgotten, "directory": directory.display().to_string()}), Vec::new)
}
