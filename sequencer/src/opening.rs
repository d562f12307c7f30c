//! From a `DATABASE_URL` to an open store: the one place that knows which drivers there are.

use std::sync::Arc;
use std::time::Duration;

use catalog::SequencerMetrics;

use crate::config::{Config, Database};
use crate::server::metrics;
use crate::store::postgres::{PostgresOptions, PostgresStore, Transport};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Migration, Store};

/// Opens the configured store.
///
/// # Errors
/// One sentence that says why it cannot be used.
pub async fn open_store(
    config: &Config,
    metrics: &Arc<SequencerMetrics>,
) -> anyhow::Result<Arc<dyn Store>> {
    let migration = if config.db_migrate_on_startup { Migration::Apply } else { Migration::Refuse };
    let metrics = Arc::clone(metrics);
    Ok(match config.database()? {
        Database::Sqlite(path) => {
            let options = SqliteOptions {
                path,
                max_readers: config.max_db_connections,
                acquire_timeout: Duration::from_millis(config.db_acquire_timeout_ms),
            };
            Arc::new(SqliteStore::open(&options, migration, metrics).await?)
        }
        Database::Postgres(url) => {
            let options = postgres_options(config, url);
            Arc::new(PostgresStore::open(&options, migration, metrics).await?)
        }
    })
}

/// How the configured server is opened.
pub(crate) fn postgres_options(config: &Config, url: String) -> PostgresOptions {
    PostgresOptions {
        url,
        max_connections: config.max_db_connections,
        min_connections: config.min_db_connections,
        acquire_timeout: Duration::from_millis(config.db_acquire_timeout_ms),
        idle_timeout: Duration::from_secs(config.db_idle_timeout_secs),
        max_lifetime: Duration::from_secs(config.db_max_lifetime_secs),
        statement_timeout: Duration::from_millis(config.db_statement_timeout_ms),
        transport: Transport::of(config.db_allow_plaintext),
    }
}

/// Opens a store to audit it, damaged or not, without changing it. What a start would refuse as
/// damage is returned beside it.
///
/// # Errors
/// One sentence that says why it cannot be read.
pub async fn open_store_for_audit(
    database: Database,
    transport: Transport,
) -> anyhow::Result<(Box<dyn Store>, Option<String>)> {
    let metrics = metrics(database.driver());
    let patience = Duration::from_secs(30);
    Ok(match database {
        Database::Sqlite(path) => {
            let options = SqliteOptions { path, max_readers: 1, acquire_timeout: patience };
            let (store, damage) = SqliteStore::open_for_audit(&options, metrics).await?;
            (Box::new(store), damage)
        }
        Database::Postgres(url) => {
            let options = PostgresOptions {
                url,
                max_connections: 2,
                min_connections: 0,
                acquire_timeout: patience,
                idle_timeout: patience,
                max_lifetime: Duration::MAX,
                statement_timeout: patience,
                transport,
            };
            let (store, damage) = PostgresStore::open_for_audit(&options, metrics).await?;
            (Box::new(store), damage)
        }
    })
}
