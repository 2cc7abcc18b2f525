//! The command line: arguments, dispatch, and how every command begins and ends.

mod attempt;
mod bisect;
mod choice;
mod completions;
mod diff;
mod doctor;
mod download;
mod fetch;
mod former;
mod help;
mod hooks;
mod info;
mod init;
mod latest;
mod lock;
mod log;
mod outlet;
mod past;
mod plan;
mod publish;
mod registry;
mod report;
mod resolve;
mod session;
mod setup;
mod shelf;
mod show;
mod stage;
mod status;
mod stub;
mod table;
mod terminal;
mod url;
mod versions;
mod wait;
mod why;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ContextValue;
use clap::{Args, CommandFactory, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::config::{self, Color, Config, Environment, Flags, Manner};
use crate::detach;
use crate::failure::{EndedError, Failure, Kind, OutputClosed, OutputError};
use crate::parts::Parts;
use crate::report::{Report, Verbosity};
use crate::store::s3;
use crate::words;
use session::Session;

/// How many threads work at once on however large a machine: what is waited for is the store, and each thread takes address space that may
/// be limited.
const MOST_WORKERS: usize = 8;

/// How many threads of a brief command wait for a disk at once: each takes longer to start than a local disk takes to answer.
const BRIEF_THREADS: usize = 4;

/// How long a run that is interrupted waits for files that are being written to be put away.
const LAST_MOMENTS: Duration = Duration::from_secs(3);

/// Where is each artifact of this commit?
#[derive(Debug, Parser)]
#[command(
    name = "metalogic",
    version,
    about = help::ABOUT,
    long_about = help::LONG_ABOUT,
    after_long_help = help::after(),
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Start in DIR, as if the program had been called there
    #[arg(short = 'C', value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    /// Where artifacts live: s3://BUCKET[/PREFIX], file:///DIR or a directory
    #[arg(long, value_name = "URL", global = true)]
    store: Option<String>,
    /// Where artifact names are registered: a path or a URL
    #[arg(long, value_name = "PATH|URL", global = true)]
    registry: Option<String>,
    /// Limit what may be published and what counts as missing to a project (repeatable)
    #[arg(long = "project", value_name = "NAME", global = true)]
    projects: Vec<String>,
    /// How many ancestors to look at [default: 200]
    #[arg(long, value_name = "N", global = true, value_parser = config::max_ancestors)]
    max_ancestors: Option<usize>,
    /// How many requests to have under way at once [default: 64]
    #[arg(long, value_name = "N", global = true, value_parser = config::jobs)]
    jobs: Option<usize>,
    /// How large the parts are in which large files move to and from S3, as 16MiB [default: by the file's size]
    #[arg(long, value_name = "SIZE", global = true, value_parser = Parts::size)]
    part_size: Option<u64>,
    /// How many parts of one file to move at once [default: by the file's size]
    #[arg(long, value_name = "N", global = true, value_parser = Parts::abreast)]
    parts: Option<usize>,
    /// How long to go on trying where other writers are first or a store does not answer [default: 2m]
    #[arg(long, value_name = "DURATION", global = true, value_parser = config::duration)]
    timeout: Option<Duration>,
    /// When to colour what goes to a terminal [default: auto]
    #[arg(long, value_name = "WHEN", global = true, hide_possible_values = true)]
    color: Option<Color>,
    /// Answer with one JSON object on standard output, and tell errors as one on standard error
    #[arg(long, global = true)]
    json: bool,
    /// Tell only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Tell every detail
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Arguments),
    Stub(stub::Arguments),
    Publish(publish::Arguments),
    Begin(attempt::Begin),
    Fail(attempt::Fail),
    Resolve(resolve::Arguments),
    Show(show::Arguments),
    Status(status::Arguments),
    Plan(plan::Arguments),
    Why(why::Arguments),
    Log(log::Arguments),
    Diff(diff::Arguments),
    Report(report::Arguments),
    Fetch(fetch::Arguments),
    Lock(lock::Arguments),
    Url(url::Arguments),
    Wait(wait::Arguments),
    Bisect(bisect::Arguments),
    Stage(stage::Arguments),
    Latest(latest::Arguments),
    Versions(versions::Arguments),
    Info(info::Arguments),
    Download(download::Arguments),
    Setup(setup::Arguments),
    Registry(registry::Arguments),
    Hooks(hooks::Arguments),
    Doctor(doctor::Arguments),
    Completions(completions::Arguments),
}

impl Command {
    /// Says whether git called it.
    fn is_hook(&self) -> bool {
        matches!(self, Self::Stub(arguments) if arguments.is_hook())
    }

    /// Says whether it is so soon done that to start threads would take longer than they could save: git waits for its hooks.
    fn is_brief(&self) -> bool {
        match self {
            Self::Stub(arguments) => !arguments.is_long(),
            Self::Init(_)
            | Self::Latest(_)
            | Self::Versions(_)
            | Self::Info(_)
            | Self::Setup(_)
            | Self::Registry(_)
            | Self::Hooks(_)
            | Self::Begin(_)
            | Self::Fail(_)
            | Self::Completions(_) => true,
            Self::Publish(_)
            | Self::Resolve(_)
            | Self::Show(_)
            | Self::Status(_)
            | Self::Plan(_)
            | Self::Why(_)
            | Self::Log(_)
            | Self::Diff(_)
            | Self::Report(_)
            | Self::Fetch(_)
            | Self::Lock(_)
            | Self::Url(_)
            | Self::Wait(_)
            | Self::Bisect(_)
            | Self::Stage(_)
            | Self::Download(_)
            | Self::Doctor(_) => false,
        }
    }

    /// Says whether it goes on for a process that has ended.
    fn goes_on_alone(&self) -> bool {
        matches!(self, Self::Stub(arguments) if arguments.goes_on_alone())
    }
}

/// Runs the program with the arguments and the environment of this process; returns its exit code.
#[must_use]
pub fn run() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let environment = Environment::of_process();
    let kind = match Arguments::try_parse_from(&arguments) {
        Ok(Arguments { global, command }) => start(global, command, environment),
        Err(error) if error.use_stderr() => refuse(error, &arguments, &environment),
        Err(answer) => explain(&answer),
    };
    ExitCode::from(kind.code())
}

/// Prints the help or the version. Whoever closes the pipe has read enough.
fn explain(answer: &clap::Error) -> Kind {
    match answer.print().and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            tell(&Failure::all_of(&OutputError(error).into()), false, &Report::new(Verbosity::Normal))
        }
        Ok(()) | Err(_) => Kind::Done,
    }
}

/// Returns the whole command line, for documentation and completions.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

fn start(global: Global, command: Command, environment: Environment) -> Kind {
    let flags = Flags {
        // Git says where a hook is, and nobody else.
        directory: global.directory.or_else(|| command.is_hook().then(|| PathBuf::from("."))),
        store: global.store,
        registry: global.registry,
        projects: global.projects,
        max_ancestors: global.max_ancestors,
        jobs: global.jobs,
        parts: Parts { size: global.part_size, abreast: global.parts },
        timeout: global.timeout,
        color: global.color,
        json: global.json,
        quiet: global.quiet,
        verbose: global.verbose,
    };
    if command.goes_on_alone() {
        detach::leave();
    }
    let json = Manner::json(&flags, &environment);
    let plain = Manner { color: Color::Auto, json, quiet: flags.quiet, verbose: flags.verbose };
    let (manner, wrong) = match Manner::of(&flags, &environment) {
        Ok(manner) => (manner, None),
        Err(error) => (plain, Some(error)),
    };
    match manner.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let verbosity = match manner {
        Manner { json: true, .. } => Verbosity::Silent,
        Manner { quiet: true, .. } => Verbosity::Quiet,
        Manner { verbose: true, .. } => Verbosity::Verbose,
        Manner { .. } => Verbosity::Normal,
    };
    let report = Arc::new(Report::new(verbosity));
    let result = match wrong {
        Some(error) => Err(error.into()),
        None => Config::enter(&flags, &environment)
            .and_then(|()| Config::new(flags, environment))
            .map_err(anyhow::Error::from)
            .and_then(|config| to_the_end(&Session::new(config, report.clone(), manner.json), command)),
    };
    match result {
        Ok(()) => Kind::Done,
        Err(error) if error.is::<OutputClosed>() => Kind::Done,
        Err(error) => tell(&Failure::all_of(&error), manner.json, &report),
    }
}

/// Runs a command until it has ended or somebody ends it.
fn to_the_end(session: &Session, command: Command) -> anyhow::Result<()> {
    let runtime = runtime(command.is_brief())?;
    // Whoever interrupts git while a hook runs means git, which has done its work.
    let heeds_signals = !command.is_hook();
    let result = runtime.block_on(async {
        outlive_limits();
        let result = tokio::select! {
            // Signals are heeded before anything is done.
            biased;
            ended = ended(), if heeds_signals => Err(ended.into()),
            result = dispatch(session, command) => result,
        };
        drop(tokio::time::timeout(LAST_MOMENTS, session.close()).await);
        // What is left of an upload when the time is up, the bucket's lifecycle rule ends.
        drop(tokio::time::timeout(LAST_MOMENTS, s3::settle()).await);
        result
    });
    let cut_short = result.as_ref().is_err_and(anyhow::Error::is::<EndedError>);
    let written = session.finish_writing(cut_short);
    // Work that was dropped half-way puts its temporary files away before the process ends.
    runtime.shutdown_timeout(LAST_MOMENTS);
    match (result, written) {
        (Err(error), _) if !error.is::<OutputClosed>() => Err(error),
        (result, written) => written.map_err(|error| OutputError(error).into()).and(result),
    }
}

/// Makes what runs a command: in this thread alone where it is brief, but for what waits for a disk.
fn runtime(is_brief: bool) -> std::io::Result<Runtime> {
    if is_brief {
        return Builder::new_current_thread().max_blocking_threads(BRIEF_THREADS).enable_all().build();
    }
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_WORKERS);
    Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

async fn dispatch(session: &Session, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Init(arguments) => init::run(session, &arguments),
        Command::Stub(arguments) => stub::run(session, &arguments).await,
        Command::Publish(arguments) => publish::run(session, &arguments).await,
        Command::Begin(arguments) => attempt::begin(session, arguments).await,
        Command::Fail(arguments) => attempt::fail(session, arguments).await,
        Command::Resolve(arguments) => resolve::run(session, &arguments).await,
        Command::Show(arguments) => show::run(session, &arguments).await,
        Command::Status(arguments) => status::run(session, &arguments).await,
        Command::Plan(arguments) => plan::run(session, &arguments).await,
        Command::Why(arguments) => why::run(session, &arguments).await,
        Command::Log(arguments) => log::run(session, &arguments).await,
        Command::Diff(arguments) => diff::run(session, &arguments).await,
        Command::Report(arguments) => report::run(session, &arguments).await,
        Command::Fetch(arguments) => fetch::run(session, arguments).await,
        Command::Lock(arguments) => lock::run(session, &arguments).await,
        Command::Url(arguments) => url::run(session, &arguments).await,
        Command::Wait(arguments) => wait::run(session, arguments).await,
        Command::Bisect(arguments) => bisect::run(session, arguments).await,
        Command::Stage(arguments) => stage::run(session, &arguments).await,
        Command::Latest(arguments) => latest::run(session, &arguments).await,
        Command::Versions(arguments) => versions::run(session, &arguments).await,
        Command::Info(arguments) => info::run(session, &arguments).await,
        Command::Download(arguments) => download::run(session, &arguments).await,
        Command::Registry(arguments) => registry::run(session, &arguments).await,
        Command::Setup(arguments) => setup::run(session, &arguments).await,
        Command::Hooks(arguments) => hooks::run(session, &arguments).await,
        Command::Doctor(arguments) => doctor::run(session, &arguments).await,
        Command::Completions(arguments) => completions::run(session, &arguments),
    }
}

/// Waits for somebody to end the run.
async fn ended() -> EndedError {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => EndedError::Interrupted,
        () = terminated() => EndedError::Terminated,
    }
}

/// Has a file that grows beyond what a limit of the shell allows be an error like another, instead of the end of the process.
#[cfg(unix)]
fn outlive_limits() {
    let beyond = tokio::signal::unix::SignalKind::from_raw(nix::libc::SIGXFSZ);
    drop(tokio::signal::unix::signal(beyond));
}

#[cfg(not(unix))]
fn outlive_limits() {}

#[cfg(unix)]
async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

/// Tells failures and returns the kind that they are together.
fn tell(failures: &[Failure], json: bool, report: &Report) -> Kind {
    let kind = Failure::joint_kind(failures);
    if json {
        session::tell_json(kind, failures);
        return kind;
    }
    for failure in failures {
        report.error(&failure.message, &failure.causes, failure.hint.as_deref());
    }
    kind
}

/// Tells what clap does not understand.
fn refuse(mut error: clap::Error, arguments: &[OsString], environment: &Environment) -> Kind {
    let asks = Flags { json: arguments.iter().any(|argument| argument == "--json"), ..Flags::default() };
    if Manner::json(&asks, environment) {
        let text = error.render().to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let said = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
        let message = said.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_owned();
        let hint = Some("`metalogic --help` says what is understood".to_owned());
        session::tell_json(Kind::Usage, &[Failure { kind: Kind::Usage, message, hint, causes: Vec::new() }]);
    } else {
        write_out(&mut error);
        drop(error.print());
    }
    Kind::Usage
}

/// Writes out what is not seen in what somebody typed, or had a script type.
fn write_out(error: &mut clap::Error) {
    let line = |text: &String| words::told(text).into_owned();
    let shown = |value: &ContextValue| {
        if let ContextValue::String(text) = value {
            return Some(ContextValue::String(line(text)));
        }
        let ContextValue::Strings(texts) = value else { return None };
        Some(ContextValue::Strings(texts.iter().map(line).collect()))
    };
    let said: Vec<_> = error.context().filter_map(|(kind, value)| Some((kind, shown(value)?))).collect();
    for (kind, value) in said {
        error.insert(kind, value);
    }
}
