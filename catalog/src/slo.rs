//! The service level objectives: rules, panels, runbooks and load thresholds read them here.

/// A target over a rolling window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Stable name, part of rule names.
    pub name: &'static str,
    /// What is promised, in words.
    pub promise: &'static str,
    /// Share of good events, 0 to 1.
    pub target_ratio: f64,
    /// For latency objectives: the bound in seconds, which is a bucket boundary.
    pub bound_seconds: Option<f64>,
}

/// Days over which every objective is counted.
pub const WINDOW_DAYS: u32 = 30;

/// Ingest and read requests that are answered without our fault.
pub const AVAILABILITY: Objective = Objective {
    name: "availability",
    promise: "ingest and read requests are answered without a 5xx",
    target_ratio: 0.9995,
    bound_seconds: None,
};

/// Counted from outside, because a ratio counted by the server is blind when nothing answers.
pub const REACHABILITY: Objective = Objective {
    name: "reachability",
    promise: "the canary's rounds through the whole path succeed",
    target_ratio: 0.9995,
    bound_seconds: None,
};

/// Nearly every ingest request is quick enough for a person.
pub const INGEST_LATENCY: Objective = Objective {
    name: "ingest_latency",
    promise: "successful ingest requests take less than 500 ms",
    target_ratio: 0.99,
    bound_seconds: Some(0.5),
};

/// Most ingest requests are quick enough for a machine.
pub const INGEST_LATENCY_FAST: Objective = Objective {
    name: "ingest_latency_fast",
    promise: "successful ingest requests take less than 50 ms",
    target_ratio: 0.95,
    bound_seconds: Some(0.05),
};

/// Error responses of our own making.
pub const ERROR_RATE: Objective = Objective {
    name: "error_rate",
    promise: "requests do not end in an error of ours",
    target_ratio: 0.999,
    bound_seconds: None,
};

/// Accepted events are provable soon.
pub const FRESHNESS: Objective = Objective {
    name: "freshness",
    promise: "events are in a sealed batch within 60 s of acceptance",
    target_ratio: 0.99,
    bound_seconds: Some(60.0),
};

/// All objectives.
pub const ALL: &[Objective] =
    &[AVAILABILITY, REACHABILITY, INGEST_LATENCY, INGEST_LATENCY_FAST, ERROR_RATE, FRESHNESS];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, sequencer};

    /// A latency objective can only be counted at a bucket boundary.
    #[test]
    fn latency_bounds_are_bucket_boundaries() {
        let metric_of = [
            (INGEST_LATENCY, sequencer::INGEST_SUCCESS_DURATION),
            (INGEST_LATENCY_FAST, sequencer::INGEST_SUCCESS_DURATION),
            (FRESHNESS, sequencer::COMMITMENT_DELAY),
        ];
        for (objective, metric) in metric_of {
            let Kind::Histogram(buckets) = metric.kind else {
                panic!("{} is not a histogram", metric.name);
            };
            let bound = objective.bound_seconds.unwrap();
            assert!(buckets.contains(&bound), "{}: no bucket {bound}", metric.name);
        }
    }
}
