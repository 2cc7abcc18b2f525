//! Bisection: which build to try next, so that few tries tell the first bad one. Builds are known by their places in a row, and by nothing else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Says what a try showed of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is good.
    Good,
    /// It is bad.
    Bad,
    /// Nothing can be said of it.
    Skip,
}

/// Says what came of a command that tried a build, as `git bisect run` takes exit codes (source: its documentation, and `builtin/bisect.c`
/// for 126 and 127).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It tried the build.
    Tried(Verdict),
    /// The build is bad, unless it is the command that could not be run: a shell that does not find it ends with such a code, too.
    Doubtful(i32),
    /// It is not to be asked again before somebody has looked: its code, or none where a signal ended it.
    Stopped(Option<i32>),
}

impl Outcome {
    /// Takes an exit code; none where a signal ended the command.
    #[must_use]
    pub fn of(code: Option<i32>) -> Self {
        match code {
            Some(0) => Self::Tried(Verdict::Good),
            Some(125) => Self::Tried(Verdict::Skip),
            Some(code @ (126 | 127)) => Self::Doubtful(code),
            Some(1..=124) => Self::Tried(Verdict::Bad),
            Some(_) | None => Self::Stopped(code),
        }
    }
}

/// Knows what is known of a row of builds, oldest first. What lies before the first one is good, and the last one is bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bisection {
    /// How many from the beginning of the row on are good.
    good: usize,
    /// The place of the first one that is known to be bad.
    bad: usize,
    /// Those between of which nothing can be said.
    skipped: BTreeSet<usize>,
}

impl Bisection {
    /// Begins with a row whose last place is this one.
    #[must_use]
    pub fn up_to(bad: usize) -> Self {
        Self { good: 0, bad, skipped: BTreeSet::new() }
    }

    /// Takes a verdict. One of a build that others have decided already changes nothing.
    pub fn judge(&mut self, place: usize, verdict: Verdict) {
        if !(self.good..self.bad).contains(&place) {
            return;
        }
        match verdict {
            Verdict::Good => self.good = place + 1,
            Verdict::Bad => self.bad = place,
            Verdict::Skip => {
                self.skipped.insert(place);
            }
        }
        let (good, bad) = (self.good, self.bad);
        self.skipped.retain(|place| (good..bad).contains(place));
    }

    /// Returns the place of the build to try next; none where nothing is left to try.
    ///
    /// It is the one that git would take of a history of such a length. Where that was skipped, it is looked for on both sides of it, each
    /// time four times as far away: what makes one build useless often makes its neighbours so. Where that leads nowhere, what lies outside all that
    /// were skipped is halved, and at the very end one is tried after the other.
    #[must_use]
    pub fn next(&self) -> Option<usize> {
        let suspects = self.bad - self.good + 1;
        let middle = self.good + middle(suspects) - 1;
        let either_side = |away: usize| [middle.checked_sub(away), middle.checked_add(away)].into_iter().flatten();
        let leaps =
            std::iter::successors(Some(1_usize), |away| away.checked_mul(4)).take_while(|away| *away < suspects);
        let near = std::iter::once(middle).chain(leaps.flat_map(either_side));
        near.chain(self.outside()).chain(self.good..self.bad).find(|place| self.is_open(*place))
    }

    /// Returns the middle of what lies outside all that were skipped: on its larger side.
    fn outside(&self) -> Option<usize> {
        let (first, last) = (self.skipped.first()?, self.skipped.last()?);
        let (before, after) = (self.good..*first, last + 1..self.bad);
        let larger = if before.len() > after.len() { before } else { after };
        (!larger.is_empty()).then(|| larger.start + larger.len() / 2)
    }

    /// Returns the places that come next after the next one: where that is good, and where it is bad.
    #[must_use]
    pub fn ahead(&self) -> Vec<usize> {
        self.after_next().iter().filter_map(Self::next).collect()
    }

    /// Returns how many builds could be tried still.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bad - self.good - self.skipped.len()
    }

    /// Returns how many builds could be tried still after the next one, at most, unless that is skipped.
    #[must_use]
    pub fn left_after_next(&self) -> usize {
        self.after_next().iter().map(Self::left).max().unwrap_or(0)
    }

    /// Returns what is known after the next one, where that is good, and where it is bad.
    fn after_next(&self) -> Vec<Self> {
        let after = |verdict| {
            let mut later = self.clone();
            later.judge(self.next()?, verdict);
            Some(later)
        };
        [Verdict::Good, Verdict::Bad].into_iter().filter_map(after).collect()
    }

    /// Returns how many tries it takes at most, if none is skipped.
    #[must_use]
    pub fn tries(&self) -> u32 {
        (self.bad - self.good + 1).next_power_of_two().ilog2()
    }

    /// Returns the place of the last build that is known to be good; none where that lies before the row.
    #[must_use]
    pub fn last_good(&self) -> Option<usize> {
        self.good.checked_sub(1)
    }

    /// Returns the place of the first build that is known to be bad.
    #[must_use]
    pub fn first_bad(&self) -> usize {
        self.bad
    }

    /// Returns the places of those between of which nothing could be said: each of them may be the first bad one instead.
    pub fn skipped(&self) -> impl Iterator<Item = usize> {
        self.skipped.iter().copied()
    }

    fn is_open(&self, place: usize) -> bool {
        (self.good..self.bad).contains(&place) && !self.skipped.contains(&place)
    }
}

/// Returns which of so many suspects git tries, counted from 1 at the oldest (source: `do_find_bisection` in git's `bisect.c`, for a history
/// without merges): so no history takes more tries than git needs for it. Of thousands it is content with one near the middle.
fn middle(suspects: usize) -> usize {
    if suspects <= 2 {
        return 1;
    }
    let slack = (suspects / 1024).saturating_sub(1).max(1);
    (suspects - slack).div_ceil(2).max(2)
}
