//! The canary: a signed event walks the whole path, again and again, as a client's does: posted,
//! receipt verified, read back, committed to, proved. A failed round says which step, and why.
//!
//! There is never more than one round in flight. It writes one of sixteen fixed streams, so that
//! restarts make no new ones.

mod commitment;
mod key;
mod receipt;
mod round;
mod steps;
mod view;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catalog::label::{CanaryOutcome, CanaryStep};
use tokio_util::sync::CancellationToken;

use crate::app::Core;
use crate::client::Sequencer;
use crate::clock;
use round::Walker;
use steps::Steps;
pub use view::{CanaryView, CurrentRound, MAX_ROUNDS, Round, StepRun};

/// Longest call: a client would have given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls of a round that may each take that long, one after the other.
const CALLS: u32 = 9;

/// What a step comes to; its failure is a sentence for people.
type Step<T> = Result<T, String>;

/// The canary.
pub struct Canary {
    core: Arc<Core>,
    /// None while it is off; taken by the loop.
    walker: Mutex<Option<Walker>>,
    /// Held for a change or a copy only.
    view: Mutex<CanaryView>,
}

impl Canary {
    /// With the configuration of the process.
    ///
    /// # Errors
    /// A key that cannot be used.
    pub fn new(core: &Arc<Core>) -> anyhow::Result<Self> {
        let config = &core.config;
        let slot = key::slot(config);
        let api_key = match &config.canary_api_key {
            Some(own) => Some(own.clone()),
            None => config.api_key()?,
        };
        let reason = match (config.canary, &api_key) {
            (false, _) => "off: CANARY is false",
            (true, None) => {
                "off: no API key; set SEQUENCER_API_KEY to the sequencer's \
                 BOOTSTRAP_SIDECAR_API_KEY"
            }
            (true, Some(_)) => "no round has ended yet",
        };
        let walker = match api_key.filter(|_| config.canary) {
            Some(api_key) => {
                let client = Sequencer::new(config, Some(&api_key))?;
                Some(Walker::new(core, client, slot, key::signing_key(&api_key, slot)))
            }
            None => None,
        };
        let view = CanaryView {
            enabled: walker.is_some(),
            reason: reason.to_owned(),
            slot: slot.number(),
            tenant_id: slot.stream().tenant_id,
            store_id: slot.stream().store_id,
            agent_id: slot.agent_id(),
            key_id: None,
            healthy: None,
            since: None,
            consecutive_failures: 0,
            last_success: None,
            current: None,
            rounds: VecDeque::with_capacity(MAX_ROUNDS),
        };
        Ok(Self { core: Arc::clone(core), walker: Mutex::new(walker), view: Mutex::new(view) })
    }

    /// What is known of the canary.
    #[must_use]
    pub fn view(&self) -> CanaryView {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs until told to stop. A round in flight is left where it is: its event stays, as a
    /// client's would.
    pub async fn run(&self, stop: CancellationToken) {
        let walker = self.walker.lock().unwrap_or_else(PoisonError::into_inner).take();
        match walker {
            Some(walker) => {
                stop.run_until_cancelled(self.walk_on(walker)).await;
            }
            None => tracing::warn!(reason = self.view().reason, "there is no canary"),
        }
    }

    /// The interval counts from start to start; a round that takes longer delays the next.
    async fn walk_on(&self, mut walker: Walker) {
        let config = &self.core.config;
        let interval = config.canary_interval_secs.duration();
        let longest =
            interval * 2 + config.canary_commit_timeout_secs.duration() + CALL_TIMEOUT * CALLS;
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.core.progress.mark("canary", longest);
            let steps = Steps::begin(&self.view);
            let result = walker.walk(&steps).await;
            self.ended(result);
        }
    }

    fn ended(&self, result: Step<()>) {
        let metrics = &self.core.metrics.canary;
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(current) = view.current.take() else { return };
        let round = Round {
            started_at: current.started_at,
            duration_seconds: current.started.elapsed().as_secs_f64(),
            ok: result.is_ok(),
            reason: result.err(),
            sequence_number: current.sequence_number,
            steps: current.steps,
        };
        if round.ok {
            for run in &round.steps {
                metrics.duration(run.step).observe(run.duration_seconds);
            }
            metrics.duration(CanaryStep::Total).observe(round.duration_seconds);
            metrics.attempts[CanaryOutcome::Success].inc();
            metrics.last_success.set(clock::unix_seconds());
        } else {
            metrics.attempts[CanaryOutcome::Failure].inc();
        }
        metrics.success.set(f64::from(u8::from(round.ok)));
        view.take(round);
    }
}

impl CanaryView {
    /// Takes a round that has ended, and logs what changed with it.
    fn take(&mut self, round: Round) {
        let now = clock::now();
        if self.healthy != Some(round.ok) {
            (self.healthy, self.since) = (Some(round.ok), Some(now));
        }
        if let Some(reason) = &round.reason {
            let step = round.steps.last().map_or("none", |run| run.step.as_str());
            if self.consecutive_failures == 0 {
                tracing::warn!(step, reason, "a round of the canary failed");
            }
            self.consecutive_failures += 1;
            self.reason = format!("step {step}: {reason}");
        } else {
            if self.consecutive_failures > 0 {
                let failures = self.consecutive_failures;
                tracing::info!(failures, "the canary's rounds are good again");
            }
            (self.consecutive_failures, self.last_success) = (0, Some(now));
            self.reason = "every step of the last round was good".to_owned();
        }
        if self.rounds.len() == MAX_ROUNDS {
            self.rounds.pop_front();
        }
        self.rounds.push_back(round);
    }
}
