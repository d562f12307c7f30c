//! How far the round in flight has come, for whoever looks meanwhile.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use catalog::label::CanaryStep;

use super::Step;
use super::view::{CanaryView, CurrentRound, StepRun};
use crate::clock;

/// The round in flight, inside the view.
pub(super) struct Steps<'a>(&'a Mutex<CanaryView>);

impl<'a> Steps<'a> {
    /// A new round begins.
    pub(super) fn begin(view: &'a Mutex<CanaryView>) -> Self {
        let now = Instant::now();
        let (steps, step, sequence_number) = (Vec::new(), None, None);
        let (started_at, started, step_started) = (clock::now(), now, now);
        let current =
            CurrentRound { started_at, step, steps, sequence_number, started, step_started };
        view.lock().unwrap_or_else(PoisonError::into_inner).current = Some(current);
        Self(view)
    }

    /// Times a step.
    pub(super) async fn run<T>(
        &self,
        step: CanaryStep,
        work: impl Future<Output = Step<T>>,
    ) -> Step<T> {
        self.change(|current| {
            (current.step, current.step_started) = (Some(step), Instant::now());
        });
        let done = work.await;
        self.change(|current| {
            let offset = current.step_started.duration_since(current.started);
            current.step = None;
            current.steps.push(StepRun {
                step,
                offset_seconds: offset.as_secs_f64(),
                duration_seconds: current.step_started.elapsed().as_secs_f64(),
                ok: done.is_ok(),
            });
        });
        done
    }

    /// What came before in this step was preparation.
    pub(super) fn restart_step(&self) {
        self.change(|current| current.step_started = Instant::now());
    }

    /// The event got its number.
    pub(super) fn numbered(&self, number: u64) {
        self.change(|current| current.sequence_number = Some(number));
    }

    /// The agent's key is known to be registered.
    pub(super) fn signs_with(&self, key_id: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).key_id = Some(key_id);
    }

    fn change(&self, change: impl FnOnce(&mut CurrentRound)) {
        let mut view = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = &mut view.current {
            change(current);
        }
    }
}
