//! What was asked for and of whom: profile, environment, versions, the target's own metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The profile as it was run, overrides included.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Who decides when a request starts.
    pub model: Model,
    /// Most users at once.
    pub users: u64,
    /// Events (or requests) a second while it holds; absent in a closed profile.
    pub rate_per_second: Option<f64>,
    /// Whether arrivals are Poisson; else evenly spaced.
    pub is_poisson: bool,
    /// Time in which users or rate rise.
    pub ramp_seconds: f64,
    /// Time at full load.
    pub hold_seconds: f64,
    /// Time in which they fall.
    pub ramp_down_seconds: f64,
    /// Scenarios and their weights.
    pub scenarios: BTreeMap<String, u64>,
    /// Events in one ingest request.
    pub batch_events: u64,
    /// Bytes of one payload, about.
    pub payload_bytes: u64,
    /// Agents that sign.
    pub agents: u64,
    /// Streams that are written.
    pub streams: u64,
    /// Exponent of the Zipf law by which streams are chosen; 0 is even.
    pub stream_skew: f64,
    /// Threshold expressions.
    pub thresholds: Vec<String>,
    /// Settings of the profile that the command line replaced, with their new value.
    pub overrides: BTreeMap<String, String>,
}

/// Who decides when a request starts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Each user waits for its answer: a slow target gets less load.
    Closed,
    /// A schedule: a slow target gets the same load.
    Open,
}

/// Where the load was sent; never a secret.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Environment {
    /// Its name; `url` when only a URL was given.
    pub name: String,
    /// The API.
    pub url: String,
    /// The sidecar, where one is known.
    pub sidecar_url: Option<String>,
    /// The operations port, where one is known.
    pub operations_url: Option<String>,
    /// Variable that held the key.
    pub key_variable: String,
}

/// What was running on both sides.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Versions {
    /// This program.
    pub loadgen: String,
    /// The target's version as `/health` says it; empty when it does not.
    pub target: String,
    /// Labels of the target's `build_info`; empty when its metrics cannot be reached.
    pub target_build: BTreeMap<String, String>,
    /// The target's identity as it publishes it.
    pub sequencer_id: String,
    /// Machine of the generator: system and architecture.
    pub machine: String,
}

/// One series of the target's own metrics.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MetricSeries {
    /// Metric, or what was computed from it, with its unit: `events_per_second`.
    pub name: String,
    /// What tells it from others of that name; may be empty.
    pub label: String,
    /// In order of time.
    pub points: Vec<MetricPoint>,
}

/// A value at a time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MetricPoint {
    /// Seconds since the start of the load; negative before it.
    pub t: f64,
    /// The value.
    pub value: f64,
}
