//! The settings: where each can be made, and what flags and environment say.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::ConfigError;
use crate::parts::Parts;

/// Describes one setting: where it can be made, in the order in which the places count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The flag of the command line.
    pub flag: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// The key of git's configuration, where there is one.
    pub git: Option<&'static str>,
    /// The key of the registry file, where there is one.
    pub file: Option<&'static str>,
    /// What holds when no place says anything.
    pub default: &'static str,
}

macro_rules! settings {
    ($($name:ident: $flag:literal, $variable:literal, $git:expr, $file:expr, $default:literal;)*) => {
        $(pub(super) const $name: Setting =
            Setting { flag: $flag, variable: $variable, git: $git, file: $file, default: $default };)*
        /// Lists every setting.
        pub const SETTINGS: &[Setting] = &[$($name),*];
    };
}

settings! {
    DIRECTORY: "-C", "METALOGIC_DIR", None, None, "the current directory";
    STORE: "--store", "METALOGIC_STORE", Some("metalogic.store"), Some("[store] url"), "metalogic/ in git's common directory";
    REGISTRY: "--registry", "METALOGIC_REGISTRY", Some("metalogic.registry"), Some("[repository] registry"), "artifacts.toml at the top of the repository, then in the store";
    PROJECT: "--project", "METALOGIC_PROJECT", Some("metalogic.project"), None, "all of the repository's projects";
    MAX_ANCESTORS: "--max-ancestors", "METALOGIC_MAX_ANCESTORS", None, None, "200";
    JOBS: "--jobs", "METALOGIC_JOBS", None, None, "64";
    PART_SIZE: "--part-size", "METALOGIC_PART_SIZE", None, None, "by the file's size";
    PARTS: "--parts", "METALOGIC_PARTS", None, None, "by the file's size";
    TIMEOUT: "--timeout", "METALOGIC_TIMEOUT", None, None, "2m";
    COLOR: "--color", "METALOGIC_COLOR", None, None, "auto";
    JSON: "--json", "METALOGIC_JSON", None, None, "false";
    QUIET: "--quiet", "METALOGIC_QUIET", None, None, "false";
    VERBOSE: "--verbose", "METALOGIC_VERBOSE", None, None, "false";
}

/// Holds the environment variables of a process, or those of a test.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Returns the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// Returns a variable's value. One that is set to nothing counts as not set: that is how many CI systems unset.
    pub(super) fn get(&self, variable: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(variable)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Returns a variable's value, as those count it to whom one that is set to nothing says something.
    pub(super) fn set(&self, variable: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(variable)).map(OsString::as_os_str)
    }

    pub(super) fn text(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.get(variable) else { return Ok(None) };
        let no_text = || ConfigError::Variable {
            variable,
            value: value.to_string_lossy().into_owned(),
            problem: "this is not UTF-8".to_owned(),
        };
        value.to_str().map(|text| Some(text.to_owned())).ok_or_else(no_text)
    }

    pub(super) fn parsed<T>(
        &self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.text(variable)? else { return Ok(None) };
        parse(&value).map(Some).map_err(|problem| ConfigError::Variable { variable, value, problem })
    }

    /// Says whether this is a CI system's job.
    #[must_use]
    pub fn is_ci(&self) -> bool {
        self.get("CI").is_some_and(|value| value != "false" && value != "0")
    }
}

/// The longest time that anybody can ask to wait. With far longer ones no clock can say when they are over.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Holds what the command line says; what it leaves out is looked for elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// `--store`.
    pub store: Option<String>,
    /// `--registry`.
    pub registry: Option<String>,
    /// `--project`, each.
    pub projects: Vec<String>,
    /// `--max-ancestors`.
    pub max_ancestors: Option<usize>,
    /// `--jobs`.
    pub jobs: Option<usize>,
    /// `--part-size` and `--parts`.
    pub parts: Parts,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    /// `--color`.
    pub color: Option<Color>,
    /// `--json`.
    pub json: bool,
    /// `--quiet`.
    pub quiet: bool,
    /// `--verbose`.
    pub verbose: bool,
}

/// Says when standard error is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Holds the settings of how a run talks: they are known before anything can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// When standard error is coloured.
    pub color: Color,
    /// Whether the answer is JSON.
    pub json: bool,
    /// Whether the log is left out.
    pub quiet: bool,
    /// Whether the log has every detail.
    pub verbose: bool,
}

impl Manner {
    /// Says whether the answer is to be JSON, whatever else is wrong with the settings.
    #[must_use]
    pub fn json(flags: &Flags, environment: &Environment) -> bool {
        flags.json || environment.parsed(JSON.variable, boolean).is_ok_and(Option::unwrap_or_default)
    }

    /// Joins flags and environment.
    ///
    /// # Errors
    /// A variable with a value that its setting cannot have.
    pub fn of(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let yes = |variable| environment.parsed(variable, boolean).map(Option::unwrap_or_default);
        let color = environment.parsed(COLOR.variable, color)?;
        Ok(Self {
            color: flags.color.or(color).unwrap_or(Color::Auto),
            json: flags.json || yes(JSON.variable)?,
            // A flag for more outdoes a variable for less, and the other way round.
            quiet: flags.quiet || (yes(QUIET.variable)? && !flags.verbose),
            verbose: flags.verbose || (yes(VERBOSE.variable)? && !flags.quiet),
        })
    }
}

fn color(text: &str) -> Result<Color, String> {
    clap::ValueEnum::from_str(text, true).map_err(|_| "auto, always or never belongs here".to_owned())
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("true or false belongs here".to_owned()),
    }
}

/// Reads the number of requests that are under way at once.
///
/// # Errors
/// What is no number from 1 to 1024.
pub fn jobs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|jobs| (1..=1024).contains(jobs))
        .ok_or_else(|| "a number from 1 to 1024 belongs here".to_owned())
}

/// Reads how many ancestors are looked at.
///
/// # Errors
/// What is no number up to a million.
pub fn max_ancestors(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|most| *most <= 1_000_000).ok_or_else(|| "a number up to 1000000 belongs here".to_owned())
}

/// Reads a length of time: `90s`, `2m`, `1h 30m`.
///
/// # Errors
/// What is no length of time, or one that nobody waits for.
pub fn duration(text: &str) -> Result<Duration, String> {
    let length = humantime::parse_duration(text)
        .map_err(|error| format!("a length of time as 90s or 2m belongs here ({error})"))?;
    if length > LONGEST_WAIT {
        return Err("a length of time of at most 366 days belongs here".to_owned());
    }
    Ok(length)
}
