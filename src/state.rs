//! The state of an artifact at a commit: whether what is there is what would be built there.

use std::fmt;

use crate::address::Commit;
use crate::artifact::{Digest, Name};
use crate::metafile::{Attempt, Metafile, Progress, Record};
use crate::policy::Policy;

/// Says how an artifact stands at a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It was built at the commit.
    Built,
    /// It was built at an ancestor, from the same inputs as the commit has.
    Proven,
    /// It was built at an ancestor, and nobody can say whether its inputs changed since.
    Assumed(Why),
    /// It was built at an ancestor, and its inputs changed since.
    Stale,
    /// A build at the commit began and has not ended.
    Pending,
    /// The build at the commit failed.
    Failed,
    /// It is nowhere.
    Missing,
}

/// Says why nobody can say whether an artifact's inputs changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The registry declares no inputs of it.
    Undeclared,
    /// There is no registry that could declare any.
    Unregistered,
    /// Its inputs are declared, but what they were when it was built is not recorded.
    Unrecorded,
    /// Its inputs are declared, but what they are at the commit is not known: its trees are not here.
    Unreadable,
    /// Its inputs are declared, and take no file, neither then nor now: most likely they are a slip, or the files moved.
    Idle,
}

/// Says what the inputs of an artifact are at the commit in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    /// The registry declares none.
    Undeclared,
    /// There is no registry.
    Unregistered,
    /// They are declared, and the commit's trees are not here.
    Unreadable,
    /// They have this digest.
    Known(Digest),
}

/// Holds what is known of one artifact at one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// How it stands.
    pub state: State,
    /// The commit whose address holds the nearest one; none where there is none.
    pub from: Option<Commit>,
    /// What is recorded of that one.
    pub record: Record,
    /// The attempt that counts at the commit, if one does.
    pub attempt: Option<Attempt>,
}

/// Judges an artifact by a commit's metafile and by its inputs at that commit.
///
/// An attempt at the commit counts for more than what was inherited, and for nothing once the artifact stands there.
#[must_use]
pub fn judge(metafile: &Metafile, name: &Name, now: Now) -> Verdict {
    let from = metafile.artifacts.get(name).copied();
    let record = from.and_then(|from| metafile.record(name, from)).cloned().unwrap_or_default();
    let is_built = from == Some(metafile.commit);
    let attempt = metafile.attempts.get(name).filter(|_| !is_built).cloned();
    let attempted = attempt.as_ref().and_then(|attempt| match attempt.state {
        Progress::Pending => Some(State::Pending),
        Progress::Failed => Some(State::Failed),
        Progress::Other(_) => None,
    });
    let inherited = || match (from, now, record.inputs) {
        (None, _, _) => State::Missing,
        (Some(_), Now::Undeclared, _) => State::Assumed(Why::Undeclared),
        (Some(_), Now::Unregistered, _) => State::Assumed(Why::Unregistered),
        (Some(_), _, None) => State::Assumed(Why::Unrecorded),
        (Some(_), Now::Unreadable, Some(_)) => State::Assumed(Why::Unreadable),
        // Nothing is the same as nothing for ever, whatever was changed.
        (Some(_), Now::Known(now), Some(then)) if now == then && now == Digest::of(b"") => State::Assumed(Why::Idle),
        (Some(_), Now::Known(now), Some(then)) if now == then => State::Proven,
        (Some(_), Now::Known(_), Some(_)) => State::Stale,
    };
    let state = if is_built { State::Built } else { attempted.unwrap_or_else(inherited) };
    let attempt = attempt.filter(|_| attempted.is_some());
    Verdict { state, from, record, attempt }
}

/// Says that an artifact is not what a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// The artifact.
    pub name: Name,
    /// The commit.
    pub commit: Commit,
    /// What was asked for.
    pub policy: Policy,
    /// How the artifact stands.
    pub state: State,
    /// The commit whose address holds the nearest one, if there is one.
    pub from: Option<Commit>,
    /// The URL of the CI run that failed or has not ended, where it is known.
    pub run: Option<String>,
    /// Why the build failed, where somebody said so.
    pub reason: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, commit, policy, state, .. } = self;
        match (policy, state) {
            // Whoever wants it from there does not ask where else it may come from.
            (Policy::Exact, State::Proven | State::Assumed(_) | State::Stale | State::Missing | State::Built) => {
                write!(f, "{name} was not built at {commit}, and the policy is {policy}")?;
            }
            (Policy::Exact, State::Pending | State::Failed) | (Policy::Nearest | Policy::Fresh, _) => {
                write!(f, "{name} at {commit} is {state}, and the policy is {policy}: {}", state.meaning())?;
            }
        }
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        self.run.iter().try_for_each(|run| write!(f, ", see {run}"))
    }
}

impl Verdict {
    /// Says whether the artifact must be built at the commit before what is there can be relied on, and is what a policy asks for. What is pending is
    /// being built.
    #[must_use]
    pub fn must_be_built(&self, policy: Policy) -> bool {
        match self.state {
            State::Missing | State::Stale | State::Failed => true,
            State::Proven | State::Assumed(_) => !self.is_enough(policy),
            State::Built | State::Pending => false,
        }
    }

    fn is_enough(&self, policy: Policy) -> bool {
        match policy {
            Policy::Nearest => self.from.is_some(),
            Policy::Fresh => matches!(self.state, State::Built | State::Proven),
            Policy::Exact => self.state == State::Built,
        }
    }

    /// Makes sure that the artifact is what a policy asks for.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn expect(&self, policy: Policy, name: &Name, commit: Commit) -> Result<(), Box<Refused>> {
        if self.is_enough(policy) {
            return Ok(());
        }
        let attempt = self.attempt.as_ref();
        Err(Box::new(Refused {
            name: name.clone(),
            commit,
            policy,
            state: self.state,
            from: self.from,
            run: attempt.and_then(|attempt| attempt.run.clone()),
            reason: attempt.and_then(|attempt| attempt.reason.clone()),
        }))
    }
}

impl State {
    /// Returns the word for it, in tables and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Proven => "proven",
            Self::Assumed(_) => "assumed",
            Self::Stale => "stale",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }

    /// Says in a few words what it means.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Built => "at this commit itself",
            Self::Proven => "inherited, and its inputs are the same",
            Self::Assumed(Why::Undeclared) => "inherited, and no inputs are declared",
            Self::Assumed(Why::Unregistered) => {
                "inherited, and there is no registry here that would declare its inputs"
            }
            Self::Assumed(Why::Unrecorded) => "inherited, and its inputs were not recorded when it was built",
            Self::Assumed(Why::Unreadable) => "inherited, and the trees that would tell its inputs are not here",
            Self::Assumed(Why::Idle) => "inherited, and its declared inputs match no file",
            Self::Stale => "inherited, and its inputs changed since",
            Self::Pending => "its build at this commit has not ended",
            Self::Failed => "its build at this commit failed",
            Self::Missing => "never built, as far as was looked",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
