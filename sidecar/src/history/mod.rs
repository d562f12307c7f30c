//! The last minutes of the sequencer, second by second, in memory.

mod point;
mod ring;
mod scrape;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::point::{Around, Point};
use self::ring::Ring;
pub use self::ring::{Column, HistoryView};
pub use self::scrape::Build;
use self::scrape::Scrape;
use crate::app::Core;
use crate::clock;

/// Longest wait for a scrape; a slower sequencer shows as a gap.
const LONGEST_SCRAPE: Duration = Duration::from_secs(2);
/// Silence after which the loop itself is stuck, beyond three intervals.
const GRACE: Duration = Duration::from_secs(10);

/// The last minutes.
pub struct History {
    core: Arc<Core>,
    /// Held for a push or a copy only.
    ring: Mutex<Ring>,
    /// What the last scrape said is running.
    build: Mutex<Option<Build>>,
}

/// What the loop remembers from one look to the next.
#[derive(Default)]
struct Memory {
    last: Option<(Scrape, Instant)>,
    /// Rounds of the canary seen, and the seconds they took together.
    canary: (u64, f64),
}

impl History {
    /// With the configuration of the process.
    #[must_use]
    pub fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), ring: Mutex::default(), build: Mutex::default() }
    }

    /// Runs until told to stop. Each look ends before the next begins.
    pub async fn run(&self, stop: CancellationToken) {
        let interval = self.core.config.history_interval_secs.duration();
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut memory = Memory::default();
        loop {
            self.core.progress.mark("history", interval * 3 + GRACE);
            let look = async {
                ticks.tick().await;
                self.look(&mut memory).await;
            };
            if stop.run_until_cancelled(look).await.is_none() {
                return;
            }
        }
    }

    /// The points after a Unix time that an earlier view had, or all.
    #[must_use]
    pub fn view(&self, since: Option<f64>) -> HistoryView {
        let interval = self.core.config.history_interval_secs.duration().as_secs_f64();
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.view(since, clock::unix_seconds(), interval)
    }

    /// What the sequencer last said is running.
    #[must_use]
    pub fn build(&self) -> Option<Build> {
        self.build.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(&self, memory: &mut Memory) {
        let limit = self.core.config.history_interval_secs.duration().min(LONGEST_SCRAPE);
        let answer = self.core.sequencer.get_operations("/metrics", limit).await;
        let text = answer.as_ref().ok().and_then(|body| std::str::from_utf8(body).ok());
        let mut now = text.map(Scrape::read);
        if let Some(build) = now.as_mut().and_then(|scrape| scrape.build.take()) {
            *self.build.lock().unwrap_or_else(PoisonError::into_inner) = Some(build);
        }
        let taken = Instant::now();
        // Across a gap no rate is known: what happened in between belongs to no second.
        let before = memory.last.take().map(|(scrape, at)| (scrape, taken.duration_since(at)));
        let at = (clock::unix_seconds() * 1_000.0).round() / 1_000.0;
        let point = Point::between(before.as_ref(), now.as_ref(), self.around(memory), at);
        memory.last = now.map(|scrape| (scrape, taken));
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).push(point);
    }

    /// What the other rooms have shown last.
    fn around(&self, memory: &mut Memory) -> Around {
        let metrics = &self.core.metrics;
        let total = metrics.canary.duration(catalog::label::CanaryStep::Total);
        let canary = (total.get_sample_count(), total.get_sample_sum());
        let (rounds, seconds) = (canary.0 - memory.canary.0, canary.1 - memory.canary.1);
        memory.canary = canary;
        #[expect(clippy::cast_precision_loss, reason = "few rounds end within a second")]
        let canary_total = (rounds > 0).then(|| seconds / rounds as f64);
        Around {
            disk_used_ratio: metrics.checks.disk_used_ratio.get(),
            witness_lag: metrics.witness.lag_events.get(),
            canary_total,
        }
    }
}
