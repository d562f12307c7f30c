//! What the look found, as metrics: a figure that is not known is not shown.

use catalog::StoreMetrics;
use catalog::label::ConnectionState;

use super::quick_check::QuickCheckState;
use super::view::{Figures, PostgresFigures, SqliteFigures};
use crate::clock;

/// Shows the figures of a complete look.
pub(super) fn figures(metrics: &StoreMetrics, found: &Figures) {
    match found {
        Figures::Sqlite(found) => sqlite(metrics, found),
        Figures::Postgres(found) => postgres(metrics, found),
    }
    metrics.last_look.set(clock::unix_seconds());
}

/// Shows the result of a check; while there is none, nothing.
pub(super) fn quick_check(metrics: &StoreMetrics, state: QuickCheckState) {
    let sound = match state {
        QuickCheckState::Sound => Some(1.0),
        QuickCheckState::Damaged => Some(0.0),
        QuickCheckState::Never | QuickCheckState::Running | QuickCheckState::Failed => None,
    };
    metrics.sqlite_quick_check_ok.show(sound);
}

fn sqlite(metrics: &StoreMetrics, found: &SqliteFigures) {
    metrics.sqlite_database.set(as_gauge(found.database_bytes));
    metrics.sqlite_wal.set(as_gauge(found.wal_bytes));
    metrics.sqlite_page.set(as_gauge(found.page_bytes));
    metrics.sqlite_freelist.set(as_gauge(found.freelist_bytes));
    metrics.sqlite_checkpoint_backlog.show(found.checkpoint_backlog_bytes.map(as_gauge));
}

fn postgres(metrics: &StoreMetrics, found: &PostgresFigures) {
    for state in ConnectionState::ALL {
        match found.connections.map(|connections| connections.of(*state)) {
            Some(count) => metrics.postgres_connections.set(state.as_str(), as_gauge(count)),
            None => metrics.postgres_connections.clear(state.as_str()),
        }
    }
    metrics.postgres_max_connections.set(as_gauge(found.max_connections));
    metrics.postgres_longest_transaction.show(found.longest_transaction_seconds);
    metrics.postgres_locks_waiting.set(as_gauge(found.locks_waiting));
    metrics.postgres_slow_statements.show(found.slow_statements.map(as_gauge));
    metrics.postgres_dead_tuples.show(found.dead_tuples.map(as_gauge));
    metrics.postgres_replication_lag.show(found.replication_lag_seconds);
}

/// Exact up to 2^53: eight petabytes.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn as_gauge(count: u64) -> f64 {
    count as f64
}
