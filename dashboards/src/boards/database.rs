//! What the sequencer stands on: its connections, its operations, the insides of its store.

use alerts::overrides::RuleSet;
use catalog::sequencer::{
    DB_POOL_ACTIVE, DB_POOL_IDLE, DB_POOL_MAX, DB_POOL_WAIT, DB_QUERY_DURATION, DB_SLOW_QUERIES,
};
use catalog::sidecar::{
    POSTGRES_CONNECTIONS, POSTGRES_DEAD_TUPLES, POSTGRES_LOCKS_WAITING, POSTGRES_MAX_CONNECTIONS,
    POSTGRES_SLOW_STATEMENTS, SQLITE_CHECKPOINT_BACKLOG, SQLITE_CHECKPOINTS, SQLITE_DATABASE,
    SQLITE_FREELIST, SQLITE_PAGE, SQLITE_QUICK_CHECK_OK, SQLITE_WAL, STORE_LAST_LOOK,
};

use super::{empty_when, heatmap, lines, plain, stacked, stat};
use crate::builder::threshold::{CRITICAL, GOOD, NEUTRAL};
use crate::builder::{Board, Panel, Unit};
use crate::query::{heat, quantile, quantiles, rate, sum};

const NOT_SQLITE: &str = "the store is not embedded, or the sidecar is not told where it is";
const NOT_POSTGRES: &str = "the store is not PostgreSQL, or the sidecar is not told where it is";

pub(super) fn board(set: &RuleSet) -> Board {
    Board::new(
        "stateset-database",
        "Sequencer / Database",
        "Connections, operations and the insides of the store, embedded or PostgreSQL.",
    )
    .row("Connections", connections(set))
    .row("Operations", operations(set))
    .row("Embedded store (SQLite)", empty_when(NOT_SQLITE, embedded(set)))
    .row("PostgreSQL", empty_when(NOT_POSTGRES, postgres(set)))
}

fn connections(set: &RuleSet) -> Vec<Panel> {
    vec![
        lines(
            "Pool",
            "Connections to the store in use, open and unused, and the bound.",
            "in use stays below the bound",
            "SequencerDatabasePoolExhausted",
        )
        .size(8, 8)
        .query(&plain(&DB_POOL_ACTIVE), "in use {{instance}}")
        .query(&plain(&DB_POOL_IDLE), "unused {{instance}}")
        .query(&plain(&DB_POOL_MAX), "bound {{instance}}"),
        Panel::of_alerts(
            set,
            "Pool in use",
            &["SequencerDatabasePoolNearlyExhausted", "SequencerDatabasePoolExhausted"],
        )
        .size(8, 8),
        lines(
            "Wait for a connection",
            "Time a read waited for a connection.",
            "below a millisecond",
            "SequencerDatabasePoolExhausted",
        )
        .size(8, 8)
        .unit(Unit::Seconds)
        .queries(quantiles(&DB_POOL_WAIT, &[])),
    ]
}

fn operations(set: &RuleSet) -> Vec<Panel> {
    let by_operation = |title: &str, q: f64, good: &str| {
        lines(
            title,
            "Duration that this share of the store operations stays below, by operation.",
            good,
            "SequencerDatabaseSlow",
        )
        .size(8, 8)
        .unit(Unit::Seconds)
        .query(&quantile(q, "operation", &DB_QUERY_DURATION, &[]), "{{operation}}")
    };
    let asked = format!("rate({}[$__rate_interval])", alerts::promql::count(&DB_QUERY_DURATION));
    vec![
        by_operation("P50 by operation", 0.5, "a millisecond"),
        by_operation("P95 by operation", 0.95, "below 200 ms"),
        by_operation("P99 by operation", 0.99, "below 200 ms"),
        heatmap(
            "Operation duration",
            "How often which duration of a store operation came.",
            "narrow bands",
            "SequencerDatabaseSlow",
        )
        .unit(Unit::Seconds)
        .query(&heat(&DB_QUERY_DURATION, &[]), "{{le}}"),
        Panel::of_alerts(set, "P95 by instance", &["SequencerDatabaseSlow"]),
        stacked(
            "Operations by table",
            "Store operations a second by the table that dominates them.",
            "follows the traffic",
            "SequencerDatabaseSlow",
        )
        .unit(Unit::PerSecond)
        .query(&sum("table", &asked), "{{table}}"),
        lines(
            "Slow operations",
            "Store operations a second that took longer than 200 ms.",
            "none",
            "SequencerDatabaseSlow",
        )
        .unit(Unit::PerSecond)
        .query(&sum("operation", &rate(&DB_SLOW_QUERIES, &[])), "{{operation}}"),
    ]
}

fn embedded(set: &RuleSet) -> Vec<Panel> {
    vec![
        stat(
            "Store figures are from",
            "Time since the sidecar last looked at the store, embedded or not.",
            "a minute",
            "SidecarChecksStale",
        )
        .unit(Unit::Seconds)
        .coloured(NEUTRAL)
        .query(&format!("time() - {}", plain(&STORE_LAST_LOOK)), "{{instance}}"),
        stat(
            "Integrity",
            "Result of the last integrity check that was asked for.",
            "sound",
            "WitnessViolation",
        )
        .query(&plain(&SQLITE_QUICK_CHECK_OK), "{{instance}}")
        .empty_when("no integrity check was asked for")
        .states(&[(1.0, "sound", GOOD), (0.0, "damaged", CRITICAL)]),
        stat(
            "Page size",
            "Bytes of one page of the database file.",
            "does not change",
            "SequencerWalGrowing",
        )
        .unit(Unit::Bytes)
        .coloured(NEUTRAL)
        .query(&plain(&SQLITE_PAGE), "{{instance}}"),
        lines(
            "Checkpoints",
            "Checkpoints a second that moved pages into the database file.",
            "some, while events come",
            "SequencerWalGrowing",
        )
        .size(12, 4)
        .unit(Unit::PerSecond)
        .query(&rate(&SQLITE_CHECKPOINTS, &[]), "{{instance}}"),
        lines(
            "Database file",
            "Size of the database file, and bytes of unused pages in it.",
            "grows with the events",
            "SequencerDiskFilling",
        )
        .size(8, 8)
        .unit(Unit::Bytes)
        .query(&plain(&SQLITE_DATABASE), "file {{instance}}")
        .query(&plain(&SQLITE_FREELIST), "unused {{instance}}"),
        Panel::of_alerts(set, "Write-ahead log", &["SequencerWalGrowing"]).size(8, 8),
        lines(
            "Checkpoint backlog",
            "Bytes of the write-ahead log that are not in the database file yet, and its size.",
            "falls again and again",
            "SequencerWalGrowing",
        )
        .size(8, 8)
        .unit(Unit::Bytes)
        .query(&plain(&SQLITE_CHECKPOINT_BACKLOG), "backlog {{instance}}")
        .query(&plain(&SQLITE_WAL), "log {{instance}}"),
    ]
}

fn postgres(set: &RuleSet) -> Vec<Panel> {
    let by_state = format!("max by (state) ({})", plain(&POSTGRES_CONNECTIONS));
    let count = |title: &str, meaning: &str, good: &str, runbook: &str, expr: &str| {
        lines(title, meaning, good, runbook).size(8, 8).query(expr, "{{instance}}")
    };
    vec![
        lines(
            "Server connections by state",
            "Connections to the server, of everybody, and how many it takes.",
            "few idle in a transaction",
            "SequencerPostgresConnectionsHigh",
        )
        .query(&by_state, "{{state}}")
        .query(&format!("max({})", plain(&POSTGRES_MAX_CONNECTIONS)), "bound"),
        Panel::of_alerts(set, "Server connections in use", &["SequencerPostgresConnectionsHigh"]),
        Panel::of_alerts(set, "Oldest transaction", &["SequencerPostgresLongTransaction"]),
        Panel::of_alerts(set, "Replay lag of standbys", &["SequencerPostgresReplicationLagging"]),
        count(
            "Waiting locks",
            "Lock requests that wait in the database.",
            "0, or gone at once",
            "SequencerPostgresLongTransaction",
            &plain(&POSTGRES_LOCKS_WAITING),
        ),
        count(
            "Slow statements",
            "Statements whose mean time is above 200 ms, where pg_stat_statements is installed.",
            "0",
            "SequencerDatabaseSlow",
            &plain(&POSTGRES_SLOW_STATEMENTS),
        ),
        count(
            "Dead rows",
            "Dead row versions in the sequencer's tables.",
            "falls again and again",
            "SequencerPostgresLongTransaction",
            &plain(&POSTGRES_DEAD_TUPLES),
        ),
    ]
}
