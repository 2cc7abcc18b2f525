//! What people are told while a command runs: the only writer of log and progress, on standard error.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::address::Commit;
use crate::artifact::Name;
use crate::bisection::Verdict;
use crate::event::{Event, Observer, Transfer};
use crate::metalogic::Step;
use crate::words;

/// How long bytes move before a bar shows it: shorter work would only flicker.
const PATIENCE: Duration = Duration::from_millis(400);

/// Says how much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing: whoever asks for JSON gets JSON alone.
    Silent,
    /// Warnings.
    Quiet,
    /// The log.
    Normal,
    /// The log with every detail.
    Verbose,
}

/// Returns a number of bytes as people read it.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// Returns how many there are of something.
pub(crate) fn count(number: usize, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {what}s"),
    }
}

/// Tells people what happens, on standard error.
pub struct Report {
    verbosity: Verbosity,
    bars: Option<Mutex<Bars>>,
}

impl Report {
    /// Makes a report that tells so much. Bars are drawn only where standard error is a terminal.
    #[must_use]
    pub fn new(verbosity: Verbosity) -> Self {
        let draws = verbosity >= Verbosity::Normal && std::io::stderr().is_terminal();
        Self { verbosity, bars: draws.then(|| Mutex::new(Bars::new())) }
    }

    /// Tells what may be wrong.
    pub fn warning(&self, text: &str) {
        self.say(Verbosity::Quiet, &Words::labelled("warning", AnsiColor::Yellow, &words::told(text)));
    }

    /// Tells what may be wrong, however much that is: a list of names.
    pub fn warning_whole(&self, text: &str) {
        self.say(Verbosity::Quiet, &Words::labelled("warning", AnsiColor::Yellow, text));
    }

    /// Tells what is good to know.
    pub fn note(&self, text: &str) {
        self.say(Verbosity::Normal, &Words::labelled("note", AnsiColor::Cyan, &words::told(text)));
    }

    /// Tells names that it is good to know, all of them.
    pub fn note_list<N: std::fmt::Display>(&self, what: &str, names: impl IntoIterator<Item = N>) {
        let names: Vec<String> = names.into_iter().map(|name| words::told(&name.to_string()).into_owned()).collect();
        self.say(
            Verbosity::Normal,
            &Words::labelled("note", AnsiColor::Cyan, &format!("{what}: {}", names.join(", "))),
        );
    }

    /// Tells a line of the log.
    pub fn log(&self, text: &str) {
        self.say(Verbosity::Normal, &Words::plain(text));
    }

    /// Tells a line for those who want every detail.
    pub fn detail(&self, text: &str) {
        self.say(Verbosity::Verbose, &Words::plain(text));
    }

    /// Tells an error with what to do about it. It is told whatever the verbosity.
    pub fn error(&self, message: &str, causes: &[String], hint: Option<&str>) {
        let mut words = Words::labelled("error", AnsiColor::Red, message);
        for cause in causes {
            words.add(&Words::plain(&format!("\n  because {cause}")));
        }
        if let Some(hint) = hint {
            words.add(&Words::plain("\n"));
            words.add(&Words::labelled("hint", AnsiColor::Cyan, hint));
        }
        self.say(Verbosity::Silent, &words);
    }

    /// Writes what belongs to a question, without ending its line: whoever is asked has to see it, whatever the verbosity.
    pub fn ask(&self, text: &str) {
        self.write(&Words::plain(text));
    }

    fn say(&self, from: Verbosity, words: &Words) {
        if self.verbosity >= from {
            self.write(&Words(format!("{}\n", words.0)));
        }
    }

    fn write(&self, Words(text): &Words) {
        // In one piece, so that lines of processes that share a terminal stay whole. Nobody can be told that standard error is closed.
        let write = || drop(anstream::stderr().lock().write_all(text.as_bytes()));
        match &self.bars {
            Some(bars) => bars.lock().unwrap_or_else(PoisonError::into_inner).all.suspend(write),
            None => write(),
        }
    }

    fn walked(&self, step: &Step) {
        match step {
            Step::Missing { at, names } => {
                let names: String = names.iter().map(|name| format!("\n    {name}")).collect();
                self.log(&format!("missing artifacts at {at}{names}"));
            }
            Step::SameMissing { ancestors: 1 } => self.log("same artifacts missing in 1 ancestor"),
            Step::SameMissing { ancestors } => self.log(&format!("same artifacts missing in {ancestors} ancestors")),
            Step::ViaMetafiles => self.log("resolving missing artifacts via ancestor build_meta.json files"),
        }
    }

    fn draw(&self, act: impl FnOnce(&mut Bars)) {
        if let Some(bars) = &self.bars {
            act(&mut bars.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Observer for Report {
    fn observe(&self, event: &Event) {
        match event {
            Event::Walked(step) => self.walked(step),
            Event::HistoryEnds { at, why } => self.warning(&format!("history ends at {at}: {why}")),
            Event::MetafileSkipped { commit, problem } => {
                self.warning(&format!("the metafile at {commit} is passed over: {problem}"));
            }
            Event::MetafileRemade { commit, problem } => {
                self.warning(&format!("the metafile at {commit} is malformed and counts as none: {problem}"));
            }
            Event::LostRace { .. } => {
                self.detail("another writer of the metafile was first: resolving again");
            }
            Event::LostRegistryRace { url } => {
                self.detail(&format!("another writer of {url} was first: reading it again"));
            }
            Event::Metafile { url, written } => {
                self.log(&format!("build metadata:\n    {url}"));
                let outcome = if *written { "written" } else { "not written by this run" };
                self.detail(&format!("    {outcome}"));
            }
            Event::Started { transfer, size } => self.draw(|bars| bars.start(*transfer, *size)),
            Event::Moved { transfer, bytes } => self.draw(|bars| bars.advance(*transfer, *bytes)),
            Event::Finished { transfer } => self.draw(|bars| bars.finish(*transfer)),
            Event::Resumed { what, at, size } => {
                self.note(&format!("{what} goes on at {} of {}", bytes(*at), bytes(*size)));
            }
            Event::Suspended { what, size } => {
                self.note(&format!("the first {} of {what} stay: the same command goes on there", bytes(*size)));
            }
            Event::Stored { name, size, present: false } => {
                self.log(&format!("published {name} ({})", bytes(*size)));
            }
            Event::Copied { name, size, from } => {
                self.log(&format!("published {name} as it is at {} ({})", from.short(), bytes(*size)));
            }
            Event::Stored { name, present: true, .. } => {
                self.log(&format!("{name} stands there already with the same bytes"));
            }
            Event::Fetched { name, commit, present: false, .. } => self.log(&format!("fetched {name} from {commit}")),
            Event::Fetched { name, present: true, .. } => self.log(&format!("{name} is there already")),
            Event::Bisecting { name, builds, commits, tries, verdicts } => {
                let known = if *verdicts == 0 {
                    String::new()
                } else {
                    format!("; {} known already", count(*verdicts, "verdict"))
                };
                let (builds, commits, tries) =
                    (count(*builds, "build"), count(*commits, "commit"), count(*tries as usize, "try"));
                self.log(&format!("bisecting {name}: {builds} to try in {commits}, at most {tries}{known}"));
            }
            Event::Trying { step, name, commit, left } => {
                let left = if *left == 0 { "none".to_owned() } else { format!("at most {}", count(*left, "build")) };
                self.log(&format!("try {step}: {name} of {commit}, {left} left after it"));
            }
            Event::Tried { name, commit, verdict } => {
                let verdict = match verdict {
                    Verdict::Good => "is good",
                    Verdict::Bad => "is bad",
                    Verdict::Skip => "is skipped",
                };
                self.log(&format!("{name} of {} {verdict}", commit.short()));
            }
            Event::GivenBefore { verdicts, by } => self.warning(&given_before(*verdicts, by)),
            Event::NotToldApart { name, good, bad, steps } => {
                let (what, but) = not_told_apart(name, *good, *bad);
                self.warning(&match steps {
                    0 => format!("no build was tried: {but}"),
                    _ => format!("no build that was tried is {what}, and a test that never says so ends here, too: {but}. Try it there"),
                });
            }
            Event::Away { problem } => self.warning(&format!("{problem}: asking again")),
            Event::Gone { name, commit, at } => self.warning(&format!(
                "{name} is not at the address of {at}, where the metafile of {commit} says it is: somebody removed it. Build it anew, or have \
                 `metalogic resolve --rebuild` forget it there"
            )),
            Event::SameBytes { name } => self.warning(&format!(
                "the last good build of {name} and the first bad one are the same bytes: what went bad is not in them"
            )),
            Event::RegionPassedOver { region, problem } => {
                self.warning(&format!("{region} is passed over: {problem}"));
            }
            Event::LatestSet { parameter, place, version } => {
                self.log(&format!("the parameter {parameter} in {place} says {version} now"));
            }
            Event::LostLatestRace { parameter, place } => {
                self.detail(&format!("others set the parameter {parameter} in {place} too: looking again"));
            }
            Event::InputsIdle { name, commit, specs } => {
                let specs = specs.iter().map(|spec| format!("{spec:?}")).collect::<Vec<_>>().join(", ");
                self.warning(&format!("of the inputs of {name}, {specs} match nothing at {commit}"));
            }
            Event::Unverified { name, commit } => {
                self.warning(&format!("{name} at {commit} has no recorded digest: its bytes are not verified"));
            }
        }
    }
}

/// Returns whose verdicts a bisection goes on with.
fn given_before(verdicts: usize, by: &[String]) -> String {
    let by = if by.is_empty() { "hand".to_owned() } else { format!("another command, `{}`", words::command(by)) };
    match verdicts {
        1 => format!(
            "1 verdict was given before by {by}: it counts here, too, and `metalogic bisect --reset` forgets it"
        ),
        _ => format!(
            "{verdicts} verdicts were given before, the latest by {by}: they count here, too, and `metalogic bisect --reset` forgets them"
        ),
    }
}

/// Returns what no try showed, and who says so.
fn not_told_apart(name: &Name, good: Option<Commit>, bad: Option<Commit>) -> (String, String) {
    let known = [("good", good), ("bad", bad)].into_iter().filter_map(|(what, commit)| Some((what, commit?)));
    let (whats, says): (Vec<_>, Vec<_>) =
        known.map(|(what, commit)| (what, format!("only --{what} says that {name} of {commit} is {what}"))).unzip();
    (whats.join(" or "), says.join(", and "))
}

/// Holds words that a terminal takes for nothing but words, and the styles that this file gives them.
///
/// Names, keys and answers that others wrote stand in them, and whoever wrote an order to terminals there would drive this one.
struct Words(String);

impl Words {
    fn plain(text: &str) -> Self {
        Self(words::text(text).into_owned())
    }

    fn labelled(label: &str, color: AnsiColor, text: &str) -> Self {
        let style = Style::new().bold().fg_color(Some(color.into()));
        Self(format!("{style}{label}:{style:#} {}", words::text(text)))
    }

    fn add(&mut self, others: &Self) {
        self.0.push_str(&others.0);
    }
}

/// Draws one bar for each kind of transfer that is under way.
struct Bars {
    all: MultiProgress,
    one: HashMap<Transfer, Bar>,
}

struct Bar {
    bar: ProgressBar,
    since: std::time::Instant,
    under_way: usize,
    drawn: bool,
}

impl Bars {
    fn new() -> Self {
        Self { all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)), one: HashMap::new() }
    }

    fn start(&mut self, transfer: Transfer, size: u64) {
        let bar = self.one.entry(transfer).or_insert_with(|| Bar {
            bar: ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()),
            since: std::time::Instant::now(),
            under_way: 0,
            drawn: false,
        });
        bar.bar.inc_length(size);
        bar.under_way += 1;
    }

    fn advance(&mut self, transfer: Transfer, bytes: u64) {
        let Some(bar) = self.one.get_mut(&transfer) else { return };
        if !bar.drawn && bar.since.elapsed() > PATIENCE {
            bar.drawn = true;
            bar.bar = self.all.add(bar.bar.clone());
            bar.bar.set_prefix(match transfer {
                Transfer::Hash => "hashing",
                Transfer::Upload => "publishing",
                Transfer::Download => "fetching",
            });
            if let Ok(style) = ProgressStyle::with_template(
                "{prefix:>10} [{bar:30}] {binary_bytes:>11} of {binary_total_bytes:<11} {binary_bytes_per_sec:>13} {eta:>4}",
            ) {
                bar.bar.set_style(style.progress_chars("=> "));
            }
        }
        bar.bar.inc(bytes);
    }

    fn finish(&mut self, transfer: Transfer) {
        let Some(bar) = self.one.get_mut(&transfer) else { return };
        bar.under_way = bar.under_way.saturating_sub(1);
        if bar.under_way == 0 {
            bar.bar.finish_and_clear();
            self.one.remove(&transfer);
        }
    }
}
