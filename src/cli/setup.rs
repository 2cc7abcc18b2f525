//! `metalogic setup`.

mod dialogue;
mod shown;

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::session::{Session, conclude};
use crate::cli::shelf::Purpose;
use crate::config::DEFAULT_PARAMETER;
use crate::failure::UsageError;
use crate::json::shortened;
use crate::organisation::Organisation;
use crate::parameters::name;
use crate::setup::Found;
use crate::setup::Plan;
use crate::setup::Question;
use crate::setup::Setup;
use crate::setup::SetupError;
use crate::setup::Standing;
use crate::words;
use dialogue::{Dialogue, flag};
use shown::Outcome;

/// How long it is tried whether the bucket can be found: nothing depends on it.
const TRIAL: Duration = Duration::from_secs(10);

/// Set an organisation up for Startifact, or show how it is set up
///
/// Asks for what Startifact's shared configuration says, shows the whole, and saves it where all machines of the organisation read it: in the
/// parameter /startifact of Systems Manager, or the one that STARTIFACT_PARAMETER names, in the account and region that the settings of the
/// AWS tools say, or in the regions that STARTIFACT_REGIONS lists. A configuration that is there keeps its kind and every key that nobody asks for. Questions that flags answer are not asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The parameter that holds the bucket's name [default: /artifacts-bucket]
    #[arg(long, value_name = "NAME")]
    bucket_parameter: Option<String>,
    /// The region of that parameter
    #[arg(long, value_name = "REGION")]
    bucket_parameter_region: Option<String>,
    /// The region of the bucket
    #[arg(long, value_name = "REGION")]
    bucket_region: Option<String>,
    /// What every key in the bucket begins with
    #[arg(long, value_name = "PREFIX")]
    key_prefix: Option<String>,
    /// The region of the parameters that hold latest versions
    #[arg(long, value_name = "REGION")]
    parameter_region: Option<String>,
    /// What the names of those parameters begin with
    #[arg(long, value_name = "PREFIX")]
    parameter_prefix: Option<String>,
    /// The regions, separated by commas, of a configuration as Startifact 1.0a8 to 1.0a10 write it
    #[arg(long, value_name = "REGION,...")]
    regions: Option<String>,
    /// Ask nothing: what no flag gives stays as it is
    #[arg(short, long)]
    yes: bool,
    /// Give up what is there and is no configuration
    #[arg(long)]
    force: bool,
    /// Print the configuration that is there
    #[arg(long, conflicts_with_all = ["yes", "force", "dry_run", "regions", "bucket_parameter", "bucket_parameter_region", "bucket_region", "key_prefix", "parameter_region", "parameter_prefix"])]
    show: bool,
    /// Print what would be saved, and save nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Arguments {
    /// Returns the answers that flags give.
    fn given(&self) -> Vec<(Question, &str)> {
        let flags = [
            (Question::Regions, &self.regions),
            (Question::BucketParameter, &self.bucket_parameter),
            (Question::BucketParameterRegion, &self.bucket_parameter_region),
            (Question::BucketRegion, &self.bucket_region),
            (Question::KeyPrefix, &self.key_prefix),
            (Question::ParameterRegion, &self.parameter_region),
            (Question::ParameterPrefix, &self.parameter_prefix),
        ];
        flags.into_iter().filter_map(|(question, text)| Some((question, text.as_deref()?))).collect()
    }
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let can_ask = !session.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let asks = can_ask && !arguments.yes;
    if !asks && !arguments.yes && !arguments.show && !arguments.dry_run {
        return Err(nobody_to_ask(session.json).into());
    }
    let purpose = if arguments.show || arguments.dry_run { Purpose::Look } else { Purpose::Write };
    let setup = open(session, purpose).await?;
    let mut standing = setup.look().await?;
    standing.away.iter().for_each(|error| session.report.warning(&words::chain(error)));
    if arguments.show {
        return show(session, &setup, &mut standing);
    }
    if let (Found::Malformed { text, .. }, true) = (&standing.found, arguments.force) {
        session.report.warning(&format!("what is there is given up: {}", shortened(text)));
    }
    let mut draft = setup.begin(&mut standing, arguments.force)?;
    for (question, text) in arguments.given() {
        draft.set(question, text).with_context(|| format!("{} is {text:?}", flag(question)))?;
    }
    let plan = if asks {
        let dialogue = Dialogue::new(session, &setup, &standing);
        let draft = dialogue.answered(draft, &arguments.given()).await?;
        let plan = setup.plan(&standing, draft.finished()).await;
        session.report.ask("\n");
        warn_of(session, &plan);
        if !arguments.dry_run && !is_saved(&plan) {
            dialogue.confirm(&plan).await?;
        }
        plan
    } else {
        doubt(session, &setup, &standing, draft.organisation()).await;
        let plan = setup.plan(&standing, draft.finished()).await;
        warn_of(session, &plan);
        plan
    };
    finish(session, &setup, &standing, plan, arguments.dry_run).await
}

/// Opens what the set-up works on.
async fn open(session: &Session, purpose: Purpose) -> anyhow::Result<Setup> {
    let config = &session.config;
    // Outside a repository there may be no store, and then no registry in it that names a parameter.
    let store = config.store().await.ok().map(|(store, _)| store);
    let parameter = match session.parameter(store.as_deref(), purpose, DEFAULT_PARAMETER).await? {
        Some((parameter, said)) => {
            name::check(&parameter).with_context(|| format!("{said} names the parameter {parameter:?}"))?;
            parameter
        }
        None => DEFAULT_PARAMETER.to_owned(),
    };
    Ok(Setup::new(config.account(), parameter, config.versions_regions()?))
}

fn nobody_to_ask(json: bool) -> UsageError {
    let message = if json { "with --json nothing is asked" } else { "there is no terminal to ask on" };
    let hint = "--yes takes everything as it is, but for what --bucket-parameter, --bucket-parameter-region, --bucket-region, --key-prefix, \
                --parameter-region and --parameter-prefix give (--regions, for what Startifact 1.0a8 to 1.0a10 wrote); --dry-run prints what that would be";
    UsageError { message: message.to_owned(), hint: Some(hint.to_owned()) }
}

fn show(session: &Session, setup: &Setup, standing: &mut Standing) -> anyhow::Result<()> {
    // Only what is malformed cannot be begun with.
    setup.begin(standing, false)?;
    let (parameter, place) = (setup.parameter(), setup.name(standing.place.as_ref()));
    let organisation = match &standing.found {
        Found::Whole(organisation) => organisation,
        Found::Unfinished(_) => return Err(SetupError::Unfinished { parameter: parameter.to_owned(), place }.into()),
        Found::Nothing | Found::Malformed { .. } => {
            let place = standing.regions().join(", ");
            return Err(SetupError::Nothing { parameter: parameter.to_owned(), place }.into());
        }
    };
    let outcome =
        Outcome { parameter, organisation, regions: vec![(place, false)], ..Outcome::default_for(organisation) };
    session.answer(&outcome.to_json(), || outcome.shown().into_bytes())
}

/// Warns where the bucket cannot be found by what the configuration says: it may be deployed later.
async fn doubt(session: &Session, setup: &Setup, standing: &Standing, organisation: &Organisation) {
    match tokio::time::timeout(TRIAL, setup.doubts(standing, organisation)).await {
        Ok(doubts) => {
            for doubt in doubts {
                session.report.warning(&format!("the bucket cannot be found yet: {}", words::chain(&doubt)));
            }
        }
        Err(_) => session.report.warning(&format!(
            "whether the parameter {} says the bucket's name is not known: nothing answered in {} s",
            organisation.bucket_parameter,
            TRIAL.as_secs()
        )),
    }
}

/// Tells what a plan changes, and what may surprise in that.
fn warn_of(session: &Session, plan: &Plan) {
    for (key, was) in &plan.changes {
        session.report.log(&format!("{} was {}", shortened(key), shortened(&was.to_string())));
    }
    if !plan.changes.is_empty() {
        session.report.warning(
            "releases that were staged before are looked for in the new place: those that stay behind are not found",
        );
    }
    for target in &plan.targets {
        if let Some(error) = target.unknown() {
            session.report.warning(&format!("nothing will be saved in {}: {}", target.name, words::chain(error)));
        }
    }
}

fn is_saved(plan: &Plan) -> bool {
    plan.targets.iter().all(|target| target.same)
}

/// Saves what was planned, unless it is a dry run, and tells what came of it.
async fn finish(
    session: &Session,
    setup: &Setup,
    standing: &Standing,
    mut plan: Plan,
    dry_run: bool,
) -> anyhow::Result<()> {
    let (parameter, all) =
        (setup.parameter(), plan.targets.iter().map(|target| target.name.clone()).collect::<Vec<_>>());
    if dry_run {
        let pending: Vec<&str> =
            plan.targets.iter().filter(|target| !target.same).map(|target| target.name.as_str()).collect();
        session.report.log(&match pending.as_slice() {
            [] => format!("the same is saved as {parameter} in {} already", all.join(", ")),
            pending => format!("would be saved as {parameter} in {}", pending.join(", ")),
        });
        let organisation = &plan.organisation;
        let regions = all.into_iter().map(|name| (name, false)).collect();
        let outcome = Outcome { parameter, regions, dry_run, left: &plan.left, ..Outcome::default_for(organisation) };
        outcome.log_left(session, standing.moved(&plan));
        return session.answer(&outcome.to_json(), || format!("{}\n", organisation.to_text()).into_bytes());
    }
    let (mut regions, mut failed, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for saved in setup.save(&mut plan).await? {
        match saved.result {
            Ok(written) => regions.push((saved.name, written)),
            Err(error) => {
                failed.push(saved.name);
                errors.push(error.into());
            }
        }
    }
    let outcome = Outcome { parameter, regions, failed, left: &plan.left, ..Outcome::default_for(&plan.organisation) };
    outcome.log(session);
    outcome.log_left(session, standing.moved(&plan));
    conclude(session.answer(&outcome.to_json(), || outcome.places().into_bytes()), errors)
}
