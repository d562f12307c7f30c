//! What can be observed: every metric, its label values and the service level objectives.
//!
//! One declaration per metric, in [`sequencer`], [`sidecar`] and [`loadgen`]. Everything else is a
//! projection of it: the handles that record ([`SequencerMetrics`], [`SidecarMetrics`],
//! [`LoadgenMetrics`]), the reference table `docs/metrics.md`, and, from their own crates, rules,
//! panels and runbooks, which name a metric by its Rust symbol. So a renamed metric does not
//! compile, and a scrape that differs from the catalogue fails a test.
//!
//! This crate knows no HTTP, no clock and no file.

pub mod capped;
pub mod docs;
mod handles;
pub mod label;
pub mod loadgen;
mod loadgen_handles;
pub mod metric;
pub mod sequencer;
mod sequencer_handles;
pub mod sidecar;
mod sidecar_handles;
pub mod slo;

pub use capped::{CappedCounter, CappedGauge};
pub use handles::{ByLabel, GaugeBy, LateGauge};
pub use loadgen_handles::{LoadStageMetrics, LoadgenMetrics};
pub use metric::{Kind, Label, LabelValues, Metric};
pub use prometheus::{Counter, IntCounter};
pub use sequencer_handles::{
    BreakerMetrics, BuildInfo, CacheMetrics, RouteMetrics, RouteSpec, SequencerMetrics,
};

pub use sidecar_handles::{
    CanaryMetrics, CheckMetrics, ProcessMetrics, SeenMetrics, SidecarMetrics, StoreMetrics,
    WitnessMetrics,
};

/// `job` label of the sequencer's scrape; rules, compose file, chart and docs use this constant.
pub const JOB_SEQUENCER: &str = "stateset-sequencer";
/// `job` label of the sidecar's scrape.
pub const JOB_SIDECAR: &str = "stateset-sidecar";
/// `job` label of the load generator's scrape.
pub const JOB_LOADGEN: &str = "stateset-loadgen";
