//! Handles that both processes use: counters by an enum, gauges that appear with their first value.

use std::sync::{Mutex, PoisonError};

use prometheus::{Gauge, GaugeVec, IntCounter, Registry};

use crate::label::{
    AuthFailure, CallOutcome, CanaryOutcome, DbOperation, ErrorCategory, LoadError, RejectReason,
    ShedReason, VerificationOutcome, ViolationKind,
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
    LoadError,
    RejectReason,
    ShedReason,
    VerificationOutcome,
    ViolationKind
);

/// A gauge that a scrape shows while it has a value: "0" and "not known" must differ.
pub struct LateGauge {
    registry: Registry,
    metric: &'static Metric,
    /// Held for a look-up only.
    gauge: Mutex<Option<Gauge>>,
}

impl LateGauge {
    pub(crate) fn new(registry: &Registry, metric: &'static Metric) -> Self {
        Self { registry: registry.clone(), metric, gauge: Mutex::new(None) }
    }

    /// Shows a value.
    pub fn set(&self, value: f64) {
        let mut gauge = self.gauge.lock().unwrap_or_else(PoisonError::into_inner);
        gauge.get_or_insert_with(|| metric::float_gauge(&self.registry, self.metric)).set(value);
    }

    /// Shows nothing any more: what is not known now must not look like its last value.
    pub fn clear(&self) {
        let mut gauge = self.gauge.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gauge) = gauge.take() {
            let _ = self.registry.unregister(Box::new(gauge));
        }
    }

    /// Shows a value or nothing.
    pub fn show(&self, value: Option<f64>) {
        match value {
            Some(value) => self.set(value),
            None => self.clear(),
        }
    }

    /// The value shown, if there was one.
    #[must_use]
    pub fn get(&self) -> Option<f64> {
        self.gauge.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Gauge::get)
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

    /// Shows nothing for a label any more.
    pub fn clear(&self, label: &'static str) {
        let _ = self.0.remove_label_values(&[label]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_known_any_more_leaves_the_scrape_and_comes_back() {
        let registry = Registry::new();
        let gauge = LateGauge::new(&registry, &crate::sidecar::SEQUENCER_UP);
        let shown = || {
            registry.gather().first().map(|family| family.get_metric()[0].get_gauge().get_value())
        };
        assert_eq!(shown(), None);
        for value in [Some(1.0), None, None, Some(0.0)] {
            gauge.show(value);
            assert_eq!(shown(), value);
        }
    }
}
