//! What the sequencer stands on: its connection pool, its database, its breaker.

use catalog::sequencer::{CIRCUIT_BREAKER_STATE, DB_POOL_ACTIVE, DB_POOL_MAX, DB_QUERY_DURATION};
use catalog::sidecar::{
    POSTGRES_CONNECTIONS, POSTGRES_LONGEST_TRANSACTION, POSTGRES_MAX_CONNECTIONS,
    POSTGRES_REPLICATION_LAG, SQLITE_WAL,
};

use super::{MINUTE, Place, above, is};
use crate::promql::{buckets, count, series};
use crate::rule::Rule;
use crate::rule::Severity::{Critical, Warning};
use crate::rule::Unit::{AgeSeconds, Bytes, Ratio, Seconds};

const PLACE: Place = Place { group: "store", board: "stateset-database" };

/// What follows from a database that does not answer.
const NO_DATABASE: &[&str] = &[
    "SequencerNotReady",
    "SequencerDatabasePoolExhausted",
    "SequencerDatabasePoolNearlyExhausted",
    "SequencerDatabaseSlow",
    "SequencerHighLatency",
    "SequencerLatencyAboveSla",
    "SequencerHighErrorRate",
    "SequencerErrorRatioHigh",
    "SequencerCommitmentLagging",
    "CanaryFailing",
    "CanaryStale",
    "WitnessStale",
    "WitnessLagging",
    "SequencerReachabilityBudgetBurn1h",
    "SequencerReachabilityBudgetBurn6h",
    "SequencerAvailabilityBudgetBurn1h",
    "SequencerAvailabilityBudgetBurn6h",
    "SequencerErrorBudgetBurn1h",
    "SequencerErrorBudgetBurn6h",
    "SequencerIngestLatencyBudgetBurn1h",
    "SequencerIngestLatencyBudgetBurn6h",
    "SequencerIngestLatencyFastBudgetBurn1h",
    "SequencerIngestLatencyFastBudgetBurn6h",
];

pub(super) fn rules() -> Vec<Rule> {
    [connections(), servers()].concat()
}

fn connections() -> Vec<Rule> {
    let pool = format!("{} / {}", series(&DB_POOL_ACTIVE, &[]), series(&DB_POOL_MAX, &[]));
    let queries = format!("rate({}[5m])", buckets(&DB_QUERY_DURATION, &[]));
    let asked = format!("rate({}[5m])", count(&DB_QUERY_DURATION));
    vec![
        PLACE
            .rule(
                "SequencerDatabasePoolExhausted",
                Critical,
                above(&pool, 0.9, Ratio, 5 * MINUTE),
                "Nearly every connection to the store is in use.",
                "{{ $labels.instance }} uses {value} of its connections: reads wait, and fail \
                 when they wait too long.",
            )
            .brings(&[
                "SequencerDatabasePoolNearlyExhausted",
                "SequencerHighLatency",
                "SequencerLatencyAboveSla",
            ]),
        PLACE.rule(
            "SequencerDatabasePoolNearlyExhausted",
            Warning,
            above(&pool, 0.85, Ratio, 5 * MINUTE),
            "Few connections to the store are left.",
            "{{ $labels.instance }} uses {value} of its connections.",
        ),
        PLACE
            .rule(
                "SequencerDatabaseSlow",
                Warning,
                above(
                    format!("histogram_quantile(0.95, sum by (job, instance, le) ({queries}))"),
                    0.2,
                    Seconds,
                    5 * MINUTE,
                ),
                "The store is slow.",
                "95 % of the store operations of {{ $labels.instance }} take up to {value}.",
            )
            .guarded(format!("and on (job, instance) (sum by (job, instance) ({asked}) > 0.1)"))
            .brings(&["SequencerHighLatency", "SequencerLatencyAboveSla"]),
        PLACE
            .rule(
                "SequencerCircuitBreakerOpen",
                Critical,
                is(series(&CIRCUIT_BREAKER_STATE, &[("state", "=", "closed")]), 0.0, MINUTE),
                "A circuit breaker does not let calls pass.",
                "{{ $labels.instance }} has given up asking its {{ $labels.service }} for now: \
                 it fails or hangs.",
            )
            .brings(NO_DATABASE)
            .on_board("stateset-resilience"),
    ]
}

fn servers() -> Vec<Rule> {
    let used = format!("sum by (job, instance) ({})", series(&POSTGRES_CONNECTIONS, &[]));
    let limit = series(&POSTGRES_MAX_CONNECTIONS, &[]);
    vec![
        PLACE.rule(
            "SequencerWalGrowing",
            Warning,
            above(series(&SQLITE_WAL, &[]), 268_435_456.0, Bytes, 10 * MINUTE),
            "The write-ahead log of the embedded store grows.",
            "The write-ahead log is {value}: a reader holds it, or checkpoints fail.",
        ),
        PLACE.rule(
            "SequencerPostgresConnectionsHigh",
            Warning,
            above(format!("{used} / on (job, instance) {limit}"), 0.8, Ratio, 5 * MINUTE),
            "The database server has few connections left.",
            "{value} of the server's connections are in use, by everybody together.",
        ),
        PLACE.rule(
            "SequencerPostgresLongTransaction",
            Warning,
            above(series(&POSTGRES_LONGEST_TRANSACTION, &[]), 300.0, AgeSeconds, MINUTE),
            "A transaction on the database is open for long.",
            "The oldest transaction is {value} old: it holds back vacuum, and perhaps locks.",
        ),
        PLACE.rule(
            "SequencerPostgresReplicationLagging",
            Warning,
            above(series(&POSTGRES_REPLICATION_LAG, &[]), 30.0, AgeSeconds, 5 * MINUTE),
            "A standby of the database is behind.",
            "A standby replays {value} late: a failover would lose or delay that much.",
        ),
    ]
}
