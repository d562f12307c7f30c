//! Who gets in: decided from the request head, before a body is read.
//!
//! Overload is CPU: almost all of a request's cost is reading events and checking signatures. A
//! process that lets everything in spends itself on requests that end in a time-out. So there are
//! two bounds.
//!
//! * **Events under way**, from admission to answer. By Little's law, what is inside divided by
//!   what leaves in a second is the time that the next request would take, so the bound is the
//!   measured rate times [`TARGET_WAIT`]. Beyond it a request is refused at once.
//! * **Turns**: only a few requests compute at the same time, the rest wait in order. A refusal, a
//!   health check or a commit then never stands behind a thousand signature checks.
//!
//! A request is weighed by the length it announces, because its events are not known before its
//! body is read; the rate is measured in the same unit, so the weight need not be exact.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use catalog::label::ShedReason;
use catalog::{IntCounter, SequencerMetrics};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::Config;
use crate::error::{ApiError, ApiResult, Code};

/// How long an admitted request should take at most: well within the latency objective of 0.5 s.
const TARGET_WAIT: Duration = Duration::from_millis(300);
/// The rate is looked at this often.
const WINDOW: Duration = Duration::from_millis(250);
/// What is left after a window of a rate that was not reached again: one slow commit must not
/// halve the bound, a store that got slow must within a second.
const FADING: f64 = 0.7;
/// Bytes of a body that count as one event: a small event with its envelope.
const BYTES_PER_EVENT: u64 = 1024;
/// Requests that compute at once, for each core: enough to cover look-ups of keys, and at half a
/// millisecond a turn few enough that a new request head waits some milliseconds.
const TURNS_PER_CORE: usize = 16;
/// A refusal counts as present for this long.
const SHEDDING: Duration = Duration::from_secs(1);
/// Longest wait that a refused client is told, seconds.
const MAX_RETRY_AFTER: u32 = 30;

/// The gate before ingest requests.
pub struct Admission {
    /// Bounds in events; the current one moves between them, and one request may go beyond. The
    /// lower one is the largest request.
    min: u64,
    max: u64,
    /// Events that a request holds at most.
    largest: u64,
    /// For reading requests, and for answering them. The two are apart so that what is nearly done
    /// does not queue behind what begins.
    turns: Semaphore,
    last_turns: Semaphore,
    shed: IntCounter,
    /// Held for a few additions.
    state: Mutex<State>,
}

struct State {
    /// Events under way.
    inside: u64,
    /// Events a second while there was enough to do; unknown until there was.
    rate: Option<f64>,
    /// Events that left in this window.
    done: u64,
    window_began: Instant,
    /// Whether there was enough to do in all of this window: only then is the rate the capacity.
    was_busy: bool,
    last_refusal: Option<Instant>,
}

/// The right to be under way. Dropped unfinished, it does not count as work done.
pub struct Admitted<'a> {
    admission: &'a Admission,
    events: u64,
    finished: bool,
}

impl Admission {
    /// A gate with the bounds of this configuration.
    #[must_use]
    pub fn new(config: &Config, metrics: &SequencerMetrics) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let max = u64::from(config.queue_max_events);
        let largest = u64::from(config.max_events_per_batch);
        Self {
            min: largest.min(max),
            max,
            largest,
            turns: Semaphore::new(TURNS_PER_CORE * cores),
            last_turns: Semaphore::new(TURNS_PER_CORE * cores),
            shed: metrics.requests_shed[ShedReason::Admission].clone(),
            state: Mutex::new(State {
                inside: 0,
                rate: None,
                done: 0,
                window_began: Instant::now(),
                was_busy: false,
                last_refusal: None,
            }),
        }
    }

    /// Lets a request in that announces a body of so many bytes; one that does not announce
    /// counts as the largest.
    ///
    /// # Errors
    /// `OVERLOADED` when those before it take too long already.
    pub fn admit(&self, announced_bytes: Option<u64>) -> ApiResult<Admitted<'_>> {
        let events = announced_bytes.map_or(self.largest, |bytes| bytes.div_ceil(BYTES_PER_EVENT));
        let events = events.clamp(1, self.largest);
        let now = Instant::now();
        let mut state = self.state();
        state.look(now, self.busy());
        // Its own weight does not count, or large requests would never get in beside small ones.
        if state.inside >= self.limit(&state) {
            state.last_refusal = Some(now);
            let seconds = retry_after(&state);
            drop(state);
            self.shed.inc();
            let message = "more events are under way than can be taken in good time; repeat the \
                           request, that is safe";
            return Err(ApiError::new(Code::Overloaded, message).retry_after(seconds));
        }
        state.inside += events;
        Ok(Admitted { admission: self, events, finished: false })
    }

    /// Waits for a turn to read a request.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        Self::wait(&self.turns).await
    }

    /// Waits for a turn to answer one: a commit ends the wait of hundreds at once.
    pub async fn last_turn(&self) -> Option<SemaphorePermit<'_>> {
        Self::wait(&self.last_turns).await
    }

    async fn wait(turns: &Semaphore) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed; without a permit the request computes unbounded.
        let turn = turns.acquire().await.ok();
        // With the turn in hand and not before: whoever has none waits here, in order and at no
        // cost, and not in the queue of the runtime before every new request head.
        tokio::task::yield_now().await;
        turn
    }

    /// Events under way.
    #[must_use]
    pub fn inside(&self) -> u64 {
        self.state().inside
    }

    /// How many may be under way now.
    #[must_use]
    pub fn current_limit(&self) -> u64 {
        self.limit(&self.state())
    }

    /// True when somebody was refused within the last second.
    #[must_use]
    pub fn is_shedding(&self) -> bool {
        self.state().last_refusal.is_some_and(|at| at.elapsed() < SHEDDING)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive, and the result is brought between the bounds"
    )]
    fn limit(&self, state: &State) -> u64 {
        let bound =
            |rate: f64| ((rate * TARGET_WAIT.as_secs_f64()) as u64).clamp(self.min, self.max);
        state.rate.map_or(self.max, bound)
    }

    /// Events under way that keep every part of the process at work.
    fn busy(&self) -> u64 {
        self.min / 2
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted<'_> {
    /// The request was answered.
    pub fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let busy = self.admission.busy();
        let mut state = self.admission.state();
        state.inside -= self.events;
        if self.finished {
            state.done += self.events;
        }
        state.was_busy &= state.inside >= busy;
        state.look(Instant::now(), busy);
    }
}

impl State {
    /// Ends the window when it is over.
    fn look(&mut self, now: Instant, busy: u64) {
        let elapsed = now.saturating_duration_since(self.window_began);
        if elapsed < WINDOW {
            return;
        }
        if self.was_busy {
            let windows = elapsed.as_secs_f64() / WINDOW.as_secs_f64();
            let faded = self.rate.unwrap_or(0.0) * FADING.powf(windows);
            self.rate = Some(faded.max(self.done as f64 / elapsed.as_secs_f64()));
        }
        self.done = 0;
        self.window_began = now;
        self.was_busy = self.inside >= busy;
    }
}

/// Seconds until what is under way is done, at the rate seen.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest number that fits, then it is bounded"
)]
fn retry_after(state: &State) -> u32 {
    let seconds = state.rate.map_or(0.0, |rate| state.inside as f64 / rate.max(0.001));
    (seconds.ceil() as u32).clamp(1, MAX_RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gate between 1,000 and 10,000 events.
    fn gate() -> Admission {
        Admission {
            min: 1000,
            max: 10_000,
            largest: 1000,
            turns: Semaphore::new(1),
            last_turns: Semaphore::new(1),
            shed: crate::server::metrics("none").requests_shed[ShedReason::Admission].clone(),
            state: Mutex::new(State {
                inside: 0,
                rate: None,
                done: 0,
                window_began: Instant::now(),
                was_busy: false,
                last_refusal: None,
            }),
        }
    }

    #[test]
    fn a_request_weighs_what_it_announces() {
        let gate = gate();
        for (announced, events) in [
            (Some(0), 1),
            (Some(700), 1),
            (Some(80 << 10), 80),
            (Some(10 << 20), 1000),
            (None, 1000),
        ] {
            let before = gate.inside();
            let admitted = gate.admit(announced).ok().unwrap();
            assert_eq!(gate.inside() - before, events, "{announced:?}");
            drop(admitted);
        }
        assert_eq!(gate.inside(), 0);
    }

    #[test]
    fn the_bound_is_what_is_done_in_the_time_of_one_wait() {
        let gate = gate();
        let began = gate.state().window_began;
        let mut windows = 0;
        // What is inside, whether it was enough all the time, what was done, and the bound then.
        for (inside, was_busy, done, limit) in [
            (200, false, 50, 10_000),
            // 20,000 a second.
            (800, true, 5000, 6000),
            // Little was asked for: that says nothing.
            (10, false, 1, 6000),
            (6000, true, 6250, 7500),
            // One slow commit, then a store that stays slow.
            (7500, true, 0, 5250),
            (7500, true, 250, 3675),
            (7500, true, 250, 2572),
            (7500, true, 250, 1800),
            (7500, true, 250, 1260),
            (7500, true, 250, 1000),
            (7500, true, 25_000, 10_000),
        ] {
            windows += 1;
            let mut state = gate.state();
            (state.inside, state.was_busy, state.done) = (inside, was_busy, done);
            state.look(began + WINDOW * windows, gate.busy());
            assert_eq!(gate.limit(&state), limit, "window {windows}");
        }
    }

    #[test]
    fn a_refusal_tells_when_what_is_inside_is_done() {
        let gate = gate();
        for (inside, rate, seconds) in [
            (10_000, None, 1),
            (10_000, Some(20_000.0), 1),
            (1000, Some(300.0), 4),
            (1000, Some(0.0), MAX_RETRY_AFTER),
        ] {
            (gate.state().inside, gate.state().rate) = (inside, rate);
            let refused = gate.admit(Some(1)).err().unwrap();
            assert_eq!(refused.retry_after_seconds, Some(seconds), "{inside} at {rate:?}");
        }
        assert!(gate.is_shedding());
        gate.state().inside = 999;
        drop(gate.admit(None).ok().unwrap());
        assert_eq!(gate.inside(), 999);
    }
}
