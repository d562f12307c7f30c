//! Handles that both processes use: counters by an enum, gauges that appear with their first value.

use std::sync::OnceLock;

use prometheus::{Gauge, GaugeVec, IntCounter, Registry};

use crate::label::{
    AuthFailure, CallOutcome, CanaryOutcome, DbOperation, ErrorCategory, RejectReason, ShedReason,
    VerificationOutcome, ViolationKind,
};
use crate::metric::{self, Metric};

/// Counters by a closed label: one handle per value, by its place in the enum.
pub struct ByLabel(Vec<IntCounter>);

impl ByLabel {
    pub(crate) fn new(registry: &Registry, metric: &Metric, values: &[&str]) -> Self {
        let family = metric::counter_vec(registry, metric);
        Self::of(values.iter().map(|value| family.with_label_values(&[value])))
    }

    /// From one handle per value, in the order of the enum.
    pub(crate) fn of(handles: impl Iterator<Item = IntCounter>) -> Self {
        Self(handles.collect())
    }
}

/// Hands out the counter of an enum value.
macro_rules! by_label {
    ($($label:ident),+) => {$(
        impl std::ops::Index<$label> for ByLabel {
            type Output = IntCounter;
            fn index(&self, value: $label) -> &IntCounter {
                &self.0[value as usize]
            }
        }
    )+};
}
by_label!(
    AuthFailure,
    CallOutcome,
    CanaryOutcome,
    DbOperation,
    ErrorCategory,
    RejectReason,
    ShedReason,
    VerificationOutcome,
    ViolationKind
);

/// A gauge that a scrape shows from its first value on: "0" and "not known" must differ.
pub struct LateGauge {
    registry: Registry,
    metric: &'static Metric,
    gauge: OnceLock<Gauge>,
}

impl LateGauge {
    pub(crate) fn new(registry: &Registry, metric: &'static Metric) -> Self {
        Self { registry: registry.clone(), metric, gauge: OnceLock::new() }
    }

    /// Shows a value.
    pub fn set(&self, value: f64) {
        self.gauge.get_or_init(|| metric::float_gauge(&self.registry, self.metric)).set(value);
    }
}

/// Gauges by one closed label; a series appears with its first value.
pub struct GaugeBy(GaugeVec);

impl GaugeBy {
    pub(crate) fn new(registry: &Registry, metric: &Metric) -> Self {
        Self(metric::float_gauge_vec(registry, metric))
    }

    /// Shows the value of a label; `label` is the text of an enum value of the declaration.
    pub fn set(&self, label: &'static str, value: f64) {
        self.0.with_label_values(&[label]).set(value);
    }
}
