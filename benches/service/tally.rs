//! What is counted, and what is made to go wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub struct Tally {
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: BTreeMap<&'static str, u64>,
    received: u64,
    sent: u64,
    connections: u64,
    refused: u64,
    log: Vec<String>,
    round_trip: Duration,
    share: u8,
    burst: Option<Instant>,
}

impl Tally {
    pub fn new() -> Self {
        Self { begun: Instant::now(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn connection(&self) {
        self.state().connections += 1;
    }

    /// Counts a request; says whether it is to be refused, since the service has too much to do.
    pub fn request(&self, kind: &'static str, line: &str) -> bool {
        let mut state = self.state();
        *state.counts.entry(kind).or_default() += 1;
        let at = self.begun.elapsed().as_secs_f64() * 1000.0;
        state.log.push(format!("{at:.1} {line}"));
        let burst = state.burst.is_some_and(|until| Instant::now() < until);
        let refused = burst || fastrand::u8(0..100) < state.share;
        state.refused += u64::from(refused);
        refused
    }

    pub fn received(&self, bytes: u64) {
        self.state().received += bytes;
    }

    pub fn sent(&self, bytes: u64) {
        self.state().sent += bytes;
    }

    pub fn round_trip(&self) -> Duration {
        self.state().round_trip
    }

    /// Changes a setting: `rtt_us`, `share` (of a hundred requests that are refused) or `burst_ms` (for how long all are refused from now on).
    pub fn set(&self, name: &str, value: u64) -> bool {
        let mut state = self.state();
        match name {
            "rtt_us" => state.round_trip = Duration::from_micros(value),
            "share" => state.share = u8::try_from(value).unwrap_or(100),
            "burst_ms" => state.burst = Some(Instant::now() + Duration::from_millis(value)),
            _ => return false,
        }
        true
    }

    /// Returns all that was counted as a JSON object, and forgets it.
    pub fn take(&self) -> String {
        let mut state = self.state();
        let counts: Vec<String> =
            std::mem::take(&mut state.counts).iter().map(|(kind, count)| format!("\"{kind}\": {count}")).collect();
        let text = format!(
            "{{\"requests\": {{{}}}, \"received\": {}, \"sent\": {}, \"connections\": {}, \"refused\": {}}}\n",
            counts.join(", "),
            state.received,
            state.sent,
            state.connections,
            state.refused
        );
        (state.received, state.sent, state.connections, state.refused) = (0, 0, 0, 0);
        text
    }

    /// Returns each request with the milliseconds at which it came, and forgets them.
    pub fn log(&self) -> String {
        let mut text = std::mem::take(&mut self.state().log).join("\n");
        text.push('\n');
        text
    }
}
