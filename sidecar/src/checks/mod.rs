//! Checks: each looks at one thing that the sequencer stands on.
//!
//! Every check has a loop of its own, so one that hangs delays no other. What a look finds goes
//! through `state` before it is shown, so that nothing flaps. A check that is not configured does
//! not exist.

mod clock;
mod data_directory;
mod disk;
mod file_descriptors;
mod live;
mod memory;
mod own;
mod probe;
mod ready;
mod state;
mod store;
mod tls;
mod view;
mod words;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use catalog::label::Check;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::app::Core;
use crate::config::Config;
use crate::process::Process;
use crate::store::StoreLook;
pub use probe::Status;
use probe::{Outcome, Probe, look_within};
pub use state::Change;
use state::State;
pub use view::{CheckView, Finding, Overall};

/// Changes that are remembered for an incident bundle.
const KEPT_CHANGES: usize = 500;

/// All checks and their results.
pub struct Checks {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    probes: Vec<Arc<dyn Probe>>,
    /// Held for a look-up only.
    results: Mutex<Results>,
}

struct Results {
    /// In the order of importance.
    states: Vec<State>,
    /// Newest last, at most [`KEPT_CHANGES`].
    changes: VecDeque<Change>,
}

/// The checks that a configuration asks for.
#[must_use]
pub fn configured(config: &Config) -> Vec<Check> {
    let is_on = |check: &Check| match check {
        Check::Disk | Check::DataDirectory => config.data_dir.is_some(),
        Check::TlsCertificate => !tls::places(config).is_empty(),
        _ => true,
    };
    Check::ALL.iter().copied().filter(is_on).collect()
}

impl Checks {
    /// With the configuration of the process.
    #[must_use]
    pub fn new(core: &Arc<Core>, process: &Process, store: &Arc<StoreLook>) -> Self {
        let probes: Vec<Arc<dyn Probe>> = configured(&core.config)
            .into_iter()
            .filter_map(|check| build(check, core, process, store))
            .collect();
        Self::of(core, probes)
    }

    fn of(core: &Arc<Core>, probes: Vec<Arc<dyn Probe>>) -> Self {
        let now = crate::clock::now();
        let states = probes.iter().map(|probe| State::new(probe.check(), now)).collect();
        let results = Mutex::new(Results { states, changes: VecDeque::new() });
        Self { inner: Arc::new(Inner { core: Arc::clone(core), probes, results }) }
    }

    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let mut loops = JoinSet::new();
        for probe in &self.inner.probes {
            let (inner, probe, stop) = (Arc::clone(&self.inner), Arc::clone(probe), stop.clone());
            loops.spawn(async move { inner.watch(probe, stop).await });
        }
        while let Some(ended) = loops.join_next().await {
            if let Err(error) = ended {
                // It says nothing any more, so `/health` tells.
                tracing::error!(error = &error as &dyn std::error::Error, "a check's loop ended");
            }
        }
    }

    /// Every check, the most important first.
    #[must_use]
    pub fn view(&self) -> Vec<CheckView> {
        let oldest = self.inner.longest();
        let results = self.inner.results();
        results.states.iter().map(|state| CheckView::of(state, oldest)).collect()
    }

    /// The same as parts of the one sentence about everything.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let oldest = self.inner.longest();
        let results = self.inner.results();
        let finding = |state: &State| Finding::of(state.check, CheckView::of(state, oldest));
        results.states.iter().map(finding).collect()
    }

    /// The last changes of all checks, oldest first; at most 500.
    #[must_use]
    pub fn history(&self) -> Vec<Change> {
        self.inner.results().changes.iter().cloned().collect()
    }
}

impl Inner {
    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time after which a check that said nothing is stuck, and its result says nothing either.
    fn longest(&self) -> Duration {
        let config = &self.core.config;
        3 * (config.check_interval_secs.duration() + config.check_timeout_secs.duration())
    }

    async fn watch(&self, probe: Arc<dyn Probe>, stop: CancellationToken) {
        let check = probe.check();
        let mut ticks = tokio::time::interval(self.core.config.check_interval_secs.duration());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A look names what it waited for; only one that hangs all the same is given up here.
        let limit = self.core.config.check_timeout_secs.duration().mul_f64(1.25);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.core.progress.mark(format!("check {}", check.as_str()), self.longest());
            let (at, began) = (crate::clock::now(), Instant::now());
            let outcome = look_within(Arc::clone(&probe), limit).await;
            self.record(check, outcome, at, began.elapsed());
        }
    }

    fn record(&self, check: Check, outcome: Outcome, at: ves::Timestamp, duration: Duration) {
        let mut results = self.results();
        let results = &mut *results;
        let Some(state) = results.states.iter_mut().find(|state| state.check == check) else {
            return;
        };
        let change = state.take(outcome, at, duration);
        self.show(state, at, duration);
        let Some(change) = change else { return };
        log(&change);
        if results.changes.len() == KEPT_CHANGES {
            results.changes.pop_front();
        }
        results.changes.push_back(change);
    }

    fn show(&self, state: &State, at: ves::Timestamp, duration: Duration) {
        let (name, metrics) = (state.check.as_str(), &self.core.metrics.checks);
        let seconds = |at: ves::Timestamp| at.as_micros() as f64 / 1e6;
        match state.shown.status.value() {
            Some(value) => metrics.status.set(name, value),
            None => metrics.status.clear(name),
        }
        metrics.duration.set(name, duration.as_secs_f64());
        metrics.last_run.set(name, seconds(at));
        if let Some(at) = state.last_success {
            metrics.last_success.set(name, seconds(at));
        }
        if state.check == Check::SequencerLive {
            let up = state.shown.status.value().map(|value| if value > 0.0 { 1.0 } else { 0.0 });
            metrics.sequencer_up.show(up);
        }
    }
}

fn log(change: &Change) {
    let Change { check, reason, .. } = change;
    let (from, to, since) = (change.from, change.to, change.since.to_string());
    match to {
        Status::Ok => tracing::info!(check, ?from, ?to, since, reason, "a check has changed"),
        Status::Unknown | Status::Warn => {
            tracing::warn!(check, ?from, ?to, since, reason, "a check has changed");
        }
        Status::Fail => tracing::error!(check, ?from, ?to, since, reason, "a check has changed"),
    }
}

/// One file and one line for each check.
fn build(
    check: Check,
    core: &Arc<Core>,
    process: &Process,
    store: &Arc<StoreLook>,
) -> Option<Arc<dyn Probe>> {
    let (core, process, store) = (Arc::clone(core), process.clone(), Arc::clone(store));
    let folder = core.config.data_dir.clone();
    Some(match check {
        Check::SequencerLive => Arc::new(live::Live { core, process }),
        Check::SequencerReady => Arc::new(ready::Ready { core }),
        Check::Store => Arc::new(store::Store { core, look: store }),
        Check::Disk => Arc::new(disk::Disk::new(&core.config, folder?)),
        Check::DataDirectory => Arc::new(data_directory::DataDirectory::new(folder?)),
        Check::FileDescriptors => Arc::new(file_descriptors::FileDescriptors { core, process }),
        Check::Memory => Arc::new(memory::Memory { core, process }),
        Check::Clock => Arc::new(clock::Clock { core, look: store }),
        Check::TlsCertificate => Arc::new(tls::TlsCertificate::new(core)),
    })
}

#[cfg(test)]
mod tests;
