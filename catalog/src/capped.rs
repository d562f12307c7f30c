//! Families whose label values come from clients: at most a fixed number of series.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::label::OTHER;

/// Handles by key. The lock is held for a map look-up only, never across a call out.
struct CappedMap<H> {
    cap: usize,
    handles: RwLock<HashMap<String, H>>,
}

impl<H: Clone> CappedMap<H> {
    fn new(cap: usize) -> Self {
        Self { cap, handles: RwLock::new(HashMap::new()) }
    }

    /// The handle of these label values, or of `other` for all once the cap is reached.
    fn get(&self, values: &[&str], make: impl Fn(&[&str]) -> H) -> H {
        let key = values.join("\u{1f}");
        let known = self.handles.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(handle) = known {
            return handle;
        }
        let mut handles = self.handles.write().unwrap_or_else(PoisonError::into_inner);
        if handles.len() < self.cap {
            return handles.entry(key).or_insert_with(|| make(values)).clone();
        }
        let others = vec![OTHER; values.len()];
        handles.entry(OTHER.to_owned()).or_insert_with(|| make(&others)).clone()
    }
}

/// A counter with a cap on its series.
pub struct CappedCounter {
    family: IntCounterVec,
    handles: CappedMap<IntCounter>,
}

impl CappedCounter {
    pub(crate) fn new(family: IntCounterVec, cap: usize) -> Self {
        Self { family, handles: CappedMap::new(cap) }
    }

    /// The counter of these label values.
    pub fn with(&self, values: &[&str]) -> IntCounter {
        self.handles.get(values, |values| self.family.with_label_values(values))
    }
}

/// A gauge with a cap on its series; beyond it the gauge `other` holds the last value set.
pub struct CappedGauge {
    family: IntGaugeVec,
    handles: CappedMap<IntGauge>,
}

impl CappedGauge {
    pub(crate) fn new(family: IntGaugeVec, cap: usize) -> Self {
        Self { family, handles: CappedMap::new(cap) }
    }

    /// The gauge of these label values.
    pub fn with(&self, values: &[&str]) -> IntGauge {
        self.handles.get(values, |values| self.family.with_label_values(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Opts, core::Collector};

    #[test]
    fn series_beyond_the_cap_share_other() {
        let family = IntCounterVec::new(Opts::new("c_total", "c"), &["tenant", "store"]).unwrap();
        let capped = CappedCounter::new(family.clone(), 2);
        for tenant in ["a", "b", "c", "d", "a"] {
            capped.with(&[tenant, "s"]).inc();
        }
        let collected = family.collect();
        let series = collected[0].get_metric();
        let mut counts: Vec<_> = series
            .iter()
            .map(|m| (m.get_label()[1].value().to_owned(), m.get_counter().get_value()))
            .collect();
        counts.sort_by(|a, b| a.0.cmp(&b.0));
        let expect = [("a".to_owned(), 2.0), ("b".to_owned(), 1.0), (OTHER.to_owned(), 2.0)];
        assert_eq!(counts, expect);
    }
}
