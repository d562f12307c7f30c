//! The time that store operations take.

use std::time::{Duration, Instant};

use catalog::SequencerMetrics;
use catalog::label::DbOperation;

/// Operations slower than this are counted as slow.
const SLOW_OPERATION: Duration = Duration::from_millis(200);

/// Measures an operation until it is dropped.
pub(super) struct Measured<'a> {
    metrics: &'a SequencerMetrics,
    operation: DbOperation,
    started: Instant,
}

impl<'a> Measured<'a> {
    pub(super) fn start(metrics: &'a SequencerMetrics, operation: DbOperation) -> Self {
        Self { metrics, operation, started: Instant::now() }
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        self.metrics.db_query_duration(self.operation).observe(elapsed.as_secs_f64());
        if elapsed > SLOW_OPERATION {
            self.metrics.db_slow_queries[self.operation].inc();
        }
    }
}
