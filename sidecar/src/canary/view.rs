//! What the room shows of the canary.

use std::collections::VecDeque;
use std::time::Instant;

use catalog::label::CanaryStep;
use serde::{Serialize, Serializer};
use uuid::Uuid;
use ves::Timestamp;

/// Rounds that are kept: a quarter of an hour at the default interval.
pub const MAX_ROUNDS: usize = 60;

/// The canary as its last rounds left it.
#[derive(Clone, Debug, Serialize)]
pub struct CanaryView {
    /// Whether rounds are made.
    pub enabled: bool,
    /// Why not, or what the last round found, in words.
    pub reason: String,
    /// Which of the sixteen streams it writes.
    pub slot: u8,
    /// Tenant of that stream.
    pub tenant_id: Uuid,
    /// Store of that stream.
    pub store_id: Uuid,
    /// The one agent that writes it.
    pub agent_id: Uuid,
    /// Which of the agent's keys signs; none before the first round that got so far.
    pub key_id: Option<u32>,
    /// Whether the last round was good; none before the first ended.
    pub healthy: Option<bool>,
    /// Since when `healthy` is what it is.
    pub since: Option<Timestamp>,
    /// Failed rounds since the last good one.
    pub consecutive_failures: u64,
    /// When the last good round ended.
    pub last_success: Option<Timestamp>,
    /// The round in flight.
    pub current: Option<CurrentRound>,
    /// The last rounds, oldest first, at most [`MAX_ROUNDS`].
    pub rounds: VecDeque<Round>,
}

/// The round in flight.
#[derive(Clone, Debug, Serialize)]
pub struct CurrentRound {
    /// When it began.
    pub started_at: Timestamp,
    /// The step it is at; none between two.
    #[serde(serialize_with = "step_names")]
    pub step: Option<CanaryStep>,
    /// Steps that have ended.
    pub steps: Vec<StepRun>,
    /// The number that its event got.
    pub sequence_number: Option<u64>,
    #[serde(skip)]
    pub(super) started: Instant,
    #[serde(skip)]
    pub(super) step_started: Instant,
}

/// A round that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_seconds: f64,
    /// Whether every step was good.
    pub ok: bool,
    /// What is wrong, in words, with the step that failed; none for a good round.
    pub reason: Option<String>,
    /// The number that its event got.
    pub sequence_number: Option<u64>,
    /// Its steps in order; a failed one is the last.
    pub steps: Vec<StepRun>,
}

/// A step that has ended.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StepRun {
    /// Which.
    #[serde(serialize_with = "step_name")]
    pub step: CanaryStep,
    /// From the start of the round to that of the step.
    pub offset_seconds: f64,
    /// How long it took.
    pub duration_seconds: f64,
    /// Whether it was good.
    pub ok: bool,
}

fn step_name<S: Serializer>(step: &CanaryStep, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(step.as_str())
}

fn step_names<S: Serializer>(step: &Option<CanaryStep>, to: S) -> Result<S::Ok, S::Error> {
    step.map(CanaryStep::as_str).serialize(to)
}
