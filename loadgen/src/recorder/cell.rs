//! What is counted of one route of one scenario in one second, or in any sum of seconds.

use catalog::label::LoadError;

use super::histogram::{self, Dense, Sparse};
use crate::record::{Latency, Totals};

/// Error classes there are.
pub const CLASSES: usize = LoadError::ALL.len();

/// The counters.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "each is the figure of that name in the record")]
pub struct Counts {
    pub sent: u64,
    /// Those of them that a schedule asked for.
    pub scheduled: u64,
    pub answered: u64,
    pub failed: u64,
    pub retries: u64,
    pub given_up: u64,
    /// Events in the requests sent.
    pub sent_events: u64,
    pub events: u64,
    pub refused_events: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub errors: [u64; CLASSES],
}

impl Counts {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.scheduled += other.scheduled;
        self.answered += other.answered;
        self.failed += other.failed;
        self.retries += other.retries;
        self.given_up += other.given_up;
        self.sent_events += other.sent_events;
        self.events += other.events;
        self.refused_events += other.refused_events;
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
        for (sum, more) in self.errors.iter_mut().zip(other.errors) {
            *sum += more;
        }
    }

    /// Attempts: requests and repetitions.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.sent + self.retries
    }

    /// Failed attempts and refused events, of all attempts.
    #[must_use]
    pub fn error_ratio(&self) -> f64 {
        let bad = (self.failed + self.refused_events) as f64;
        if self.attempts() == 0 { 0.0 } else { bad / self.attempts() as f64 }
    }

    /// For the record, over so many seconds; `unsent` requests and events were to be sent and were
    /// not.
    #[must_use]
    pub fn to_totals(&self, seconds: f64, unsent: (u64, u64)) -> Totals {
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Totals {
            offered_requests: self.sent + unsent.0,
            sent_requests: self.sent,
            answered_requests: self.answered,
            failed_requests: self.failed,
            retries: self.retries,
            given_up_requests: self.given_up,
            offered_events: self.sent_events + unsent.1,
            events: self.events,
            refused_events: self.refused_events,
            requests_per_second: per_second(self.answered),
            events_per_second: per_second(self.events),
            error_ratio: self.error_ratio(),
            sent_bytes: self.sent_bytes,
            received_bytes: self.received_bytes,
        }
    }
}

/// Counters and latencies while they are counted.
pub struct Cell {
    /// The counters.
    pub counts: Counts,
    /// From the sending to the last byte.
    pub service: Dense,
    /// From the intended start to the last byte.
    pub response: Dense,
}

impl Default for Cell {
    fn default() -> Self {
        let counts = Counts::default();
        Self { counts, service: histogram::dense(), response: histogram::dense() }
    }
}

impl Cell {
    /// Adds what was kept of another.
    pub fn add(&mut self, kept: &Kept) {
        self.counts.add(&kept.counts);
        histogram::add(&mut self.service, &kept.service);
        histogram::add(&mut self.response, &kept.response);
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        // The bounds are the same, so nothing can be out of range.
        let _ = self.service.add(&other.service);
        let _ = self.response.add(&other.response);
    }

    /// What is worth keeping.
    #[must_use]
    pub fn keep(&self) -> Kept {
        Kept {
            counts: self.counts.clone(),
            service: histogram::sparse(&self.service),
            response: histogram::sparse(&self.response),
        }
    }

    /// Both latencies for the record.
    #[must_use]
    pub fn latency(&self) -> Latency {
        Latency {
            service: histogram::quantiles(&self.service),
            response: histogram::quantiles(&self.response),
        }
    }
}

/// The same while it is kept, small.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The counters.
    pub counts: Counts,
    /// From the sending to the last byte.
    pub service: Sparse,
    /// From the intended start to the last byte.
    pub response: Sparse,
}
