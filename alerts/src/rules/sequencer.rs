//! The sequencer itself: alive, ready, quick, without errors.

use catalog::sequencer::{
    AGENT_KEY_CACHE_HITS, AGENT_KEY_CACHE_MISSES, AUTH_FAILURES, COMMITMENT_OLDEST_AGE, ERRORS,
    EVENTS_INGESTED, FILE_DESCRIPTOR_LIMIT, OPEN_FILE_DESCRIPTORS, PROCESS_START_TIME,
    QUEUE_CAPACITY, QUEUE_DEPTH, RATE_LIMITED, READY, REQUEST_DURATION, REQUESTS, REQUESTS_SHED,
};
use catalog::{JOB_SEQUENCER, Metric};

use super::{MINUTE, NOT_TRAFFIC, Place, above, below, is};
use crate::promql::{buckets, series, up};
use crate::rule::Rule;
use crate::rule::Severity::{Critical, Info, Warning};
use crate::rule::Unit::{AgeSeconds, Count, PerSecond, Ratio, Seconds};

const PLACE: Place = Place { group: "sequencer", board: "stateset-overview" };

/// What follows from a sequencer that answers nothing.
const NOTHING_ANSWERS: &[&str] = &[
    "SequencerInstanceDown",
    "SequencerNotReady",
    "SequencerMetricsAbsent",
    "CanaryFailing",
    "CanaryStale",
    "WitnessStale",
    "SequencerReachabilityBudgetBurn1h",
    "SequencerReachabilityBudgetBurn6h",
    "SequencerReachabilityBudgetBurn1d",
    "SequencerReachabilityBudgetBurn3d",
];

/// What follows from a sequencer that takes no traffic.
const NO_TRAFFIC: &[&str] = &[
    "CanaryFailing",
    "CanaryStale",
    "WitnessStale",
    "WitnessLagging",
    "SequencerReachabilityBudgetBurn1h",
    "SequencerReachabilityBudgetBurn6h",
    "SequencerReachabilityBudgetBurn1d",
    "SequencerReachabilityBudgetBurn3d",
    "SequencerAvailabilityBudgetBurn1h",
    "SequencerAvailabilityBudgetBurn6h",
    "SequencerAvailabilityBudgetBurn1d",
    "SequencerAvailabilityBudgetBurn3d",
    "SequencerErrorBudgetBurn1h",
    "SequencerErrorBudgetBurn6h",
    "SequencerErrorBudgetBurn1d",
    "SequencerErrorBudgetBurn3d",
    "SequencerHighErrorRate",
    "SequencerErrorRatioHigh",
];

pub(super) fn rules() -> Vec<Rule> {
    [alive(), errors(), latency(), load()].concat()
}

fn alive() -> Vec<Rule> {
    let up = up(JOB_SEQUENCER);
    let starts = series(&PROCESS_START_TIME, &[("job", "=", JOB_SEQUENCER)]);
    let (ready, events) = (series(&READY, &[]), series(&EVENTS_INGESTED, &[]));
    vec![
        PLACE
            .rule(
                "SequencerDown",
                Critical,
                is(format!("(sum({up}) or vector(0))"), 0.0, MINUTE),
                "No sequencer can be scraped.",
                "No instance of the sequencer answers a scrape: agents cannot post events.",
            )
            .brings(NOTHING_ANSWERS),
        PLACE.rule(
            "SequencerInstanceDown",
            Warning,
            is(&up, 0.0, 5 * MINUTE),
            "One instance of the sequencer cannot be scraped.",
            "{{ $labels.instance }} does not answer a scrape; the others carry its load.",
        ),
        PLACE
            .rule(
                "SequencerNotReady",
                Critical,
                is(&ready, 0.0, 2 * MINUTE),
                "An instance of the sequencer takes no traffic.",
                "{{ $labels.instance }} answers /ready with 503: its store does not answer, its \
                 circuit breaker is open, or it drains and does not end.",
            )
            .brings(NO_TRAFFIC),
        PLACE.rule(
            "SequencerMetricsAbsent",
            Critical,
            is(
                format!(
                    "(({up} unless on (job, instance) {ready}) or ({up} unless on (job, instance) \
                     {events}))"
                ),
                1.0,
                2 * MINUTE,
            ),
            "A sequencer is scraped without its own metrics.",
            "{{ $labels.instance }} answers the scrape, but families that other alerts need are \
             absent: those alerts are blind.",
        ),
        PLACE
            .rule(
                "SequencerRestartingOften",
                Warning,
                above(format!("changes({starts}[15m])"), 3.0, Count, 0),
                "The sequencer restarts again and again.",
                "{{ $labels.instance }} was started {value} times in 15 minutes.",
            )
            .on_board("stateset-resilience"),
    ]
}

fn errors() -> Vec<Rule> {
    let ours = series(&ERRORS, &[("category", "=~", "database|anchor|internal")]);
    let requests = series(&REQUESTS, &[("route", "!~", NOT_TRAFFIC)]);
    let failed = series(&REQUESTS, &[("route", "!~", NOT_TRAFFIC), ("status", "=~", "5..")]);
    let refused = series(&AUTH_FAILURES, &[]);
    let all = series(&REQUESTS, &[]);
    vec![
        PLACE
            .rule(
                "SequencerHighErrorRate",
                Warning,
                above(format!("sum(rate({ours}[5m]))"), 0.1, PerSecond, 5 * MINUTE),
                "The sequencer answers with errors of its own.",
                "{value} answers are errors of the database, the anchor or the program itself.",
            )
            .on_board("stateset-requests"),
        PLACE
            .rule(
                "SequencerErrorRatioHigh",
                Warning,
                above(
                    format!(
                        "sum by (job) (rate({failed}[5m])) / sum by (job) (rate({requests}[5m]))"
                    ),
                    0.01,
                    Ratio,
                    5 * MINUTE,
                ),
                "Too large a share of requests fails.",
                "{value} of the requests are answered 5xx.",
            )
            .guarded(format!("and on (job) (sum by (job) (rate({requests}[5m])) > 0.1)"))
            .on_board("stateset-requests"),
        PLACE
            .rule(
                "SequencerAuthFailureSpike",
                Warning,
                above(
                    format!("sum(rate({refused}[5m])) / sum(rate({all}[5m]))"),
                    0.2,
                    Ratio,
                    5 * MINUTE,
                ),
                "Many requests show a credential that is not accepted.",
                "{value} of all requests are refused for their credential: a client with an old \
                 key, or somebody guessing.",
            )
            .guarded(format!("and (sum(rate({refused}[5m])) > 1)"))
            .on_board("stateset-agents"),
    ]
}

fn latency() -> Vec<Rule> {
    let quantile = |q: &str| {
        let buckets = buckets(&REQUEST_DURATION, &[("route", "!~", NOT_TRAFFIC)]);
        format!("histogram_quantile({q}, sum by (job, instance, le) (rate({buckets}[5m])))")
    };
    let traffic = series(&REQUESTS, &[("route", "!~", NOT_TRAFFIC)]);
    let guard =
        format!("and on (job, instance) (sum by (job, instance) (rate({traffic}[5m])) > 0.1)");
    vec![
        PLACE
            .rule(
                "SequencerHighLatency",
                Warning,
                above(quantile("0.95"), 1.0, Seconds, 5 * MINUTE),
                "Requests are slow.",
                "95 % of the requests to {{ $labels.instance }} take up to {value}.",
            )
            .guarded(&guard)
            .brings(&["SequencerLatencyAboveSla"])
            .on_board("stateset-requests"),
        PLACE
            .rule(
                "SequencerLatencyAboveSla",
                Warning,
                above(quantile("0.99"), 0.5, Seconds, 5 * MINUTE),
                "The slowest requests are slower than agreed.",
                "99 % of the requests to {{ $labels.instance }} take up to {value}; 500 ms is \
                 agreed.",
            )
            .guarded(&guard)
            .on_board("stateset-requests"),
    ]
}

fn load() -> Vec<Rule> {
    let rate = |metric: &Metric| format!("rate({}[5m])", series(metric, &[]));
    let (hits, misses) = (rate(&AGENT_KEY_CACHE_HITS), rate(&AGENT_KEY_CACHE_MISSES));
    let (depth, capacity) = (series(&QUEUE_DEPTH, &[]), series(&QUEUE_CAPACITY, &[]));
    let shed = format!("(sum({}) + sum({}))", rate(&RATE_LIMITED), rate(&REQUESTS_SHED));
    let all = format!("sum({})", rate(&REQUESTS));
    let (open, limit) = (series(&OPEN_FILE_DESCRIPTORS, &[]), series(&FILE_DESCRIPTOR_LIMIT, &[]));
    let mut low = PLACE.rule(
        "SequencerLowThroughput",
        Warning,
        below(format!("sum({})", rate(&EVENTS_INGESTED)), 10.0, PerSecond, 10 * MINUTE),
        "Fewer events come than there should be.",
        "{value} events are accepted in the whole fleet.",
    );
    // What is too little, only its operator knows.
    low.enabled = false;
    vec![
        low.on_board("stateset-events"),
        PLACE
            .rule(
                "SequencerQueueSaturated",
                Warning,
                above(format!("{depth} / {capacity}"), 0.8, Ratio, 2 * MINUTE),
                "The event queue is nearly full.",
                "The queue of {{ $labels.instance }} is {value} full; when it is full, requests \
                 are answered 503.",
            )
            .on_board("stateset-events"),
        PLACE
            .rule(
                "SequencerCacheHitRateLow",
                Info,
                below(format!("{hits} / ({hits} + {misses})"), 0.6, Ratio, 10 * MINUTE),
                "Agent keys are looked up in the store too often.",
                "Only {value} of the agent key look-ups of {{ $labels.instance }} are answered \
                 from memory.",
            )
            .guarded(format!("and ({hits} + {misses} > 0.1)"))
            .on_board("stateset-agents"),
        PLACE
            .rule(
                "SequencerRateLimitedHeavily",
                Info,
                above(format!("{shed} / {all}"), 0.05, Ratio, 10 * MINUTE),
                "Many requests are refused by a limit.",
                "{value} of the requests are answered 429, or 503 to protect the process.",
            )
            .guarded(format!("and ({all} > 0.1)"))
            .on_board("stateset-resilience"),
        PLACE
            .rule(
                "SequencerCommitmentLagging",
                Warning,
                above(
                    format!("max by (job) ({})", series(&COMMITMENT_OLDEST_AGE, &[])),
                    300.0,
                    AgeSeconds,
                    5 * MINUTE,
                ),
                "Accepted events wait too long for their Merkle batch.",
                "The oldest event without a commitment is {value} old: nobody seals.",
            )
            .on_board("stateset-events"),
        PLACE.rule(
            "SequencerFileDescriptorsNearLimit",
            Warning,
            above(format!("{open} / {limit}"), 0.9, Ratio, 5 * MINUTE),
            "The sequencer is running out of file descriptors.",
            "{{ $labels.instance }} uses {value} of its descriptors; beyond, it accepts no \
             connection.",
        ),
    ]
}
