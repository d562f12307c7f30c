//! The load: what was offered, what came back, how long it took.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A part of the run with one purpose.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Stage {
    /// `ramp`, `hold`, `ramp_down`, or a name of the profile.
    pub name: String,
    /// Seconds since the start at which it began.
    pub start_seconds: f64,
    /// At which it ended.
    pub end_seconds: f64,
    /// Users at its end.
    pub users: u64,
    /// Events (or requests, where the profile counts those) a second at its end; absent in a
    /// closed profile.
    pub rate_per_second: Option<f64>,
}

/// One second of the run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Second {
    /// Seconds since the start, whole: this entry covers `[t, t + 1)`.
    pub t: u64,
    /// Stage it belongs to.
    pub stage: String,
    /// Requests that were to start in it; equal to `sent_requests` in a closed profile.
    pub offered_requests: u64,
    /// Requests that did start.
    pub sent_requests: u64,
    /// Requests whose whole answer came.
    pub answered_requests: u64,
    /// Events that were acknowledged.
    pub events: u64,
    /// Failed attempts and refused events by class.
    pub errors: BTreeMap<String, u64>,
    /// From the sending to the last byte, of the requests answered in it.
    pub service: Quantiles,
    /// From the intended start to the last byte.
    pub response: Quantiles,
    /// How late the generator itself sent, 99th percentile.
    pub lateness_p99_us: u64,
    /// Users that were running.
    pub users: u64,
    /// Processor time of the generator as a share of all cores.
    pub generator_cpu_ratio: f64,
}

/// Sums over the run or a part of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Totals {
    /// Requests that were to start.
    pub offered_requests: u64,
    /// Requests that did start.
    pub sent_requests: u64,
    /// Requests whose whole answer came.
    pub answered_requests: u64,
    /// Attempts that failed, whatever the reason.
    pub failed_requests: u64,
    /// Attempts after a failed one: the same bytes again.
    pub retries: u64,
    /// Requests that failed and were not tried again.
    pub given_up_requests: u64,
    /// Events that were to be posted, by the schedule.
    pub offered_events: u64,
    /// Events that were acknowledged.
    pub events: u64,
    /// Events refused one by one inside an answered request.
    pub refused_events: u64,
    /// Requests answered a second, over the whole run.
    pub requests_per_second: f64,
    /// Events acknowledged a second, over the whole run.
    pub events_per_second: f64,
    /// Failed attempts of all attempts.
    pub error_ratio: f64,
    /// Bytes of bodies sent.
    pub sent_bytes: u64,
    /// Bytes of bodies read.
    pub received_bytes: u64,
}

/// One scenario.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ScenarioTotals {
    /// Its name.
    pub name: String,
    /// Its sums.
    pub totals: Totals,
    /// Its quantiles.
    pub latency: Latency,
}

/// One route of one scenario.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RouteTotals {
    /// Scenario that called it.
    pub scenario: String,
    /// Method and path template, `POST /api/v1/ves/events/ingest`.
    pub route: String,
    /// Its sums.
    pub totals: Totals,
    /// Its quantiles.
    pub latency: Latency,
}

/// How often something went wrong in one way.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ErrorCount {
    /// `connect`, `timeout`, `half_answer`, `overloaded`, `refused_event`, ...
    pub class: String,
    /// What it means, in one sentence.
    pub meaning: String,
    /// Times.
    pub count: u64,
    /// One message as the target gave it, cut; without secrets.
    pub example: String,
}

/// Both latencies.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Latency {
    /// From the sending to the last byte of the answer.
    pub service: Quantiles,
    /// From the intended start to the last byte; equal to `service` in a closed profile.
    pub response: Quantiles,
}

/// Quantiles of a latency, microseconds; all 0 without a sample.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Quantiles {
    /// Samples.
    pub count: u64,
    /// Smallest.
    pub min_us: u64,
    /// Average.
    pub mean_us: f64,
    /// Median.
    pub p50_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 95th percentile.
    pub p95_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Largest.
    pub max_us: u64,
}

/// The distributions as curves.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Curves {
    /// Of the service latency.
    pub service: Vec<CurvePoint>,
    /// Of the response latency.
    pub response: Vec<CurvePoint>,
}

/// A point of an HDR percentile curve.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CurvePoint {
    /// 0 to 100.
    pub percentile: f64,
    /// Latency that this share does not exceed.
    pub value_us: u64,
    /// Samples up to here.
    pub count: u64,
}

/// How the generator did.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Generator {
    /// Requests sent of those that the schedule asked for; absent in a closed profile.
    pub offered_ratio: Option<f64>,
    /// How late requests left: after the intended start in an open profile; after the answer
    /// before (and the wait that was asked for) in a closed one.
    pub lateness: Quantiles,
    /// Processor time as a share of all cores, over the run.
    pub cpu_ratio: f64,
    /// Cores that it could use.
    pub cores: u64,
    /// Largest resident memory.
    pub max_resident_bytes: u64,
}
