//! The questions of the set-up, one after another.

use crate::cli::session::Session;
use crate::cli::terminal;
use crate::setup::Found;
use crate::setup::Plan;
use crate::setup::SetupError;
use crate::setup::{AnswerError, Draft, Question};
use crate::setup::{Setup, Standing, example};
use crate::words;

use super::doubt;
use super::shown::{examples, object};

/// What empties an answer that has a default.
const NOTHING: &str = "-";

/// Asks one person all questions.
pub(super) struct Dialogue<'a> {
    session: &'a Session,
    setup: &'a Setup,
    standing: &'a Standing,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(session: &'a Session, setup: &'a Setup, standing: &'a Standing) -> Self {
        Self { session, setup, standing }
    }

    /// Asks what no flag has given.
    pub(super) async fn answered(&self, mut draft: Draft, given: &[(Question, &str)]) -> anyhow::Result<Draft> {
        let of = draft.questions().len() + 2;
        self.begin(&draft, of).await?;
        for (index, question) in draft.questions().iter().enumerate() {
            let (question, at) = (*question, index + 2);
            if !given.iter().any(|(given, _)| *given == question) {
                self.question(&mut draft, question, (at, of)).await?;
            }
            let last = match draft.questions().contains(&Question::BucketParameterRegion) {
                true => Question::BucketParameterRegion,
                false => Question::BucketParameter,
            };
            if question == last {
                doubt(self.session, self.setup, self.standing, draft.organisation()).await;
            }
        }
        Ok(draft)
    }

    /// Asks whether this is the place.
    async fn begin(&self, draft: &Draft, of: usize) -> anyhow::Result<()> {
        let (parameter, place) = (self.setup.parameter(), self.setup.name(self.standing.place.as_ref()));
        let there = match &self.standing.found {
            Found::Nothing => "There is none yet.".to_owned(),
            Found::Unfinished(_) => "Somebody began one there and did not finish it.".to_owned(),
            Found::Whole(_) => format!("One is there, of the {} kind: it is updated.", draft.kind()),
            Found::Malformed { .. } => "What is there is no configuration, and is given up.".to_owned(),
        };
        self.say(&format!(
            "Set-up of an organisation for Startifact. Nothing is saved before the last question is answered with y.\n\
             Enter alone takes what stands in [brackets], a single {NOTHING} empties it; Ctrl-C ends the set-up.\n\n\
             Question 1 of {of}: where the configuration is\n    \
             It is the parameter {parameter} in {place}. {there}\n    \
             STARTIFACT_PARAMETER names another parameter, AWS_PROFILE and AWS_REGION another account and region.\n"
        ));
        self.agreed("Is this the place? [y]: ", Some(true), (1, of)).await
    }

    /// Asks until the answer is one.
    async fn question(&self, draft: &mut Draft, question: Question, at: (usize, usize)) -> anyhow::Result<()> {
        let (title, explanation, label) = words(question);
        self.say(&format!("\nQuestion {} of {}: {title}\n    {explanation}\n", at.0, at.1));
        let value = self.default(draft, question);
        loop {
            let typed = self.line(&format!("{label} [{value}]: "), at).await?;
            let answer = match typed.as_str() {
                "" => value.as_str(),
                NOTHING => "",
                typed => typed,
            };
            match draft.set(question, answer) {
                Ok(()) => break,
                Err(error) => self.refuse(&error),
            }
        }
        let organisation = draft.organisation();
        match question {
            Question::KeyPrefix => self.say(&format!("    app 1.0.0 will be the object {}\n", object(organisation))),
            Question::ParameterPrefix => {
                let parameter = organisation.latest_parameter(&example());
                self.say(&format!("    the latest version of app will be recorded in {parameter}\n"));
            }
            Question::Regions
            | Question::BucketParameter
            | Question::BucketParameterRegion
            | Question::BucketRegion
            | Question::ParameterRegion => {}
        }
        Ok(())
    }

    /// Shows the whole, and asks whether to save it.
    pub(super) async fn confirm(&self, plan: &Plan) -> anyhow::Result<()> {
        let organisation = &plan.organisation;
        let of = Draft::of(organisation.clone()).questions().len() + 2;
        let text = organisation.to_text().replace('\n', "\n    ");
        let targets: Vec<&str> =
            plan.targets.iter().filter(|target| !target.same).map(|target| target.name.as_str()).collect();
        self.say(&format!(
            "\nQuestion {of} of {of}: save it?\n    {text}\n{}\n    \
             It will be saved as {} in {}, and counts from then on for the whole organisation.\n",
            examples(organisation),
            self.setup.parameter(),
            targets.join(", ")
        ));
        for target in plan.targets.iter().filter(|target| target.is_replaced() && target.place != self.standing.place) {
            self.session.report.warning(&format!("{} has a configuration that is replaced", target.name));
        }
        self.agreed("Save it? (y or n): ", None, (of, of)).await
    }

    /// Returns what stands in brackets.
    fn default(&self, draft: &Draft, question: Question) -> String {
        let value = draft.value(question);
        if question == Question::Regions && value.is_empty() {
            return self.standing.regions().join(",");
        }
        value
    }

    async fn agreed(&self, prompt: &str, default: Option<bool>, at: (usize, usize)) -> anyhow::Result<()> {
        loop {
            let typed = self.line(prompt, at).await?.to_ascii_lowercase();
            match (typed.as_str(), default) {
                ("y" | "yes", _) | ("", Some(true)) => return Ok(()),
                ("n" | "no", _) | ("", Some(false)) => return Err(SetupError::Stopped { at: at.0, of: at.1 }.into()),
                _ => self.say("    y or n belongs here\n"),
            }
        }
    }

    async fn line(&self, prompt: &str, at: (usize, usize)) -> anyhow::Result<String> {
        loop {
            let line = terminal::line(&self.session.report, prompt, "nothing was saved").await?;
            let line = line.ok_or(SetupError::Stopped { at: at.0, of: at.1 })?;
            match String::from_utf8(line) {
                Ok(text) => return Ok(text.trim().to_owned()),
                Err(_) => self.say("    that cannot be: it is not UTF-8\n"),
            }
        }
    }

    fn refuse(&self, error: &AnswerError) {
        self.say(&format!("    that cannot be: {}\n", words::chain(error)));
    }

    fn say(&self, text: &str) {
        self.session.report.ask(text);
    }
}

/// Returns the flag that answers a question.
pub(super) fn flag(question: Question) -> &'static str {
    match question {
        Question::Regions => "--regions",
        Question::BucketParameter => "--bucket-parameter",
        Question::BucketParameterRegion => "--bucket-parameter-region",
        Question::BucketRegion => "--bucket-region",
        Question::KeyPrefix => "--key-prefix",
        Question::ParameterRegion => "--parameter-region",
        Question::ParameterPrefix => "--parameter-prefix",
    }
}

/// Returns a question's title, what it is about, and what the answer is called.
fn words(question: Question) -> (&'static str, &'static str, &'static str) {
    match question {
        Question::Regions => (
            "regions",
            "Each of them has a bucket, its parameter and this configuration; several are separated by commas.",
            "Regions",
        ),
        Question::BucketParameter => (
            "the parameter with the bucket's name",
            "The bucket is not named itself: a parameter of Systems Manager says its name.",
            "Bucket name parameter",
        ),
        Question::BucketParameterRegion => (
            "the region of that parameter",
            "It may be another than the bucket's. Empty means the region of the configuration.",
            "Bucket name parameter's region",
        ),
        Question::BucketRegion => (
            "the region of the bucket",
            "Where the bucket itself is. Empty means the region of the configuration.",
            "Bucket's region",
        ),
        Question::KeyPrefix => (
            "what every key in the bucket begins with",
            "For a bucket that others use too, as releases/. It is used as it is: end it with / where that is meant.",
            "Bucket key prefix",
        ),
        Question::ParameterRegion => (
            "the region of the latest versions",
            "The latest version of each name is recorded in a parameter there. Empty means the region of the configuration.",
            "Artifact parameter region",
        ),
        Question::ParameterPrefix => (
            "what the names of these parameters begin with",
            "Without one the latest version of app is recorded in /app/latest. With a prefix, it stands before that name.",
            "Artifact parameter name prefix",
        ),
    }
}
