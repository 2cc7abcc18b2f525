//! What to do when another writer was first: wait a little, and try again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The shortest and the longest pause after a lost race, before the jitter.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Counts the races that one write has lost.
#[derive(Debug)]
pub struct Race {
    pauses: ExponentialBackoff,
    began: tokio::time::Instant,
    timeout: Duration,
    lost: usize,
}

/// Says that other writers were first, each time, until the time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeIsUp {
    /// How often the write was tried.
    pub races: usize,
    /// For how long.
    pub waited: Duration,
}

impl Race {
    /// Begins a race that may go on for so long.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        let (shortest, longest) = PAUSES;
        let pauses = ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest).with_jitter();
        let pauses = pauses.without_max_times().build();
        Self { pauses, began: tokio::time::Instant::now(), timeout, lost: 0 }
    }

    /// Takes note that another writer was first, and waits until it is time to try again.
    ///
    /// # Errors
    /// [`TimeIsUp`], instead of waiting longer than whoever asked would.
    pub async fn lost(&mut self) -> Result<(), TimeIsUp> {
        self.lost += 1;
        let pause = self.pauses.next().unwrap_or(PAUSES.1);
        if self.began.elapsed() + pause > self.timeout {
            return Err(TimeIsUp { races: self.lost, waited: self.began.elapsed() });
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
