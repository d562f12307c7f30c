//! A circuit breaker: stops asking a dependency that fails or hangs, and finds out when to ask it
//! again.
//!
//! [`Circuit`] decides and knows no clock: every question carries its moment. [`Breaker`] is the
//! shared one that a running process uses, with its metrics and its log lines.

mod circuit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use catalog::SequencerMetrics;
use catalog::label::{BreakerState, CallOutcome};
use tokio::sync::watch;

pub use circuit::{Circuit, Kind, Policy, Verdict};

/// The breaker around the database.
pub struct Breaker {
    policy: Policy,
    /// Held for a few comparisons, never across an await.
    circuit: Mutex<Circuit>,
    /// The circuit's state, for whoever waits for a change.
    state: watch::Sender<BreakerState>,
    metrics: Arc<SequencerMetrics>,
}

/// A call under way. Dropped without [`Call::end`], its caller gave it up: that says nothing
/// about the database unless the call was slow by then.
pub struct Call<'a> {
    breaker: &'a Breaker,
    generation: u64,
    begun: Instant,
    counted: bool,
    ended: bool,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(policy: Policy, metrics: Arc<SequencerMetrics>) -> Self {
        let circuit = Mutex::new(Circuit::new(policy));
        Self { policy, circuit, state: watch::Sender::new(BreakerState::Closed), metrics }
    }

    /// A call takes longer than this: it is slow.
    #[must_use]
    pub fn slow_call(&self) -> Duration {
        self.policy.slow_call
    }

    /// Begins a call.
    ///
    /// # Errors
    /// When it may not be made: the time after which it may.
    pub fn begin(&self, kind: Kind) -> Result<Call<'_>, Duration> {
        let begun = Instant::now();
        let admitted = self.circuit().admit(kind, begun);
        match admitted {
            Ok(generation) => {
                if kind == Kind::Probe {
                    self.show();
                }
                Ok(Call { breaker: self, generation, begun, counted: false, ended: false })
            }
            Err(wait) => {
                self.metrics.database_breaker.calls[CallOutcome::Rejected].inc();
                Err(wait)
            }
        }
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.circuit().state()
    }

    /// Waits until it is not closed.
    pub async fn opened(&self) {
        // Cannot fail: the sender lives as long as `self`.
        let _ = self.state.subscribe().wait_for(|state| *state != BreakerState::Closed).await;
    }

    /// Time until the next probe; `None` while it is closed.
    #[must_use]
    pub fn next_probe(&self) -> Option<Duration> {
        self.circuit().next_probe(Instant::now())
    }

    fn record(&self, generation: u64, verdict: Verdict) {
        let changed = self.circuit().record(generation, verdict, Instant::now());
        if changed.is_some() {
            self.show();
        }
        match changed {
            Some(BreakerState::Open) => {
                tracing::warn!(?verdict, "the database's circuit breaker is open: it is not asked");
            }
            Some(BreakerState::Closed) => {
                tracing::info!("the database's circuit breaker is closed: it answers again");
            }
            Some(BreakerState::HalfOpen) | None => {}
        }
    }

    /// Tells those who wait. Reads the state under the lock of the watch, so that of two changes
    /// at once the later one stays.
    fn show(&self) {
        self.state.send_if_modified(|shown| {
            let now = self.state();
            std::mem::replace(shown, now) != now
        });
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        // A poisoned circuit is as good as any: no operation leaves it half changed.
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    /// Tells while the call is still under way that it is slow, so that a database that hangs is
    /// noticed before anything ends.
    pub fn is_slow(&mut self) {
        self.counted = true;
        self.breaker.record(self.generation, Verdict::Slow);
    }

    /// Tells that the call should have ended long ago and cannot be given up. Nothing else gets
    /// past it, so this alone opens the breaker.
    pub fn hangs(&mut self) {
        self.counted = true;
        self.breaker.record(self.generation, Verdict::Hung);
    }

    /// The call has ended, with or without a failure of the database.
    pub fn end(mut self, failed: bool) {
        self.ended = true;
        let outcome = match (failed, self.counted) {
            (true, _) => CallOutcome::Failure,
            (false, true) => CallOutcome::Slow,
            (false, false) => CallOutcome::Success,
        };
        self.breaker.metrics.database_breaker.calls[outcome].inc();
        if !self.counted {
            let verdict = if failed { Verdict::Failed } else { Verdict::Good };
            self.breaker.record(self.generation, verdict);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.ended || self.begun.elapsed() < self.breaker.policy.slow_call {
            return;
        }
        self.breaker.metrics.database_breaker.calls[CallOutcome::Slow].inc();
        if !self.counted {
            self.breaker.record(self.generation, Verdict::Slow);
        }
    }
}
