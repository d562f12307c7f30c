//! Opening a store to audit it, damaged or not, without changing it.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use catalog::SequencerMetrics;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use super::lock::StoreLock;
use super::open::{
    APPLICATION_ID, applied_version, check_ends, check_sqlite_version, latest_version,
};
use super::writer::Writer;
use super::{SqliteOptions, SqliteStore};

impl SqliteStore {
    /// Opens an existing store that an audit owns until it ends. Nothing is created, migrated or
    /// written; what a start would refuse as damage is returned beside the store.
    ///
    /// # Errors
    /// One sentence each: not there, owned by another process, not ours, newer or older than the
    /// program.
    pub async fn open_for_audit(
        options: &SqliteOptions,
        metrics: Arc<SequencerMetrics>,
    ) -> anyhow::Result<(Self, Option<String>)> {
        let path = options.path.clone();
        let name = path.display();
        ensure!(path.is_file(), "there is no store at {name}");
        let lock = StoreLock::acquire(&path)
            .map_err(|error| anyhow!("{error:#} (a running server is verified with --url)"))?;
        // No journal mode: setting it would write to the file.
        let connect = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(options.acquire_timeout)
            .pragma("query_only", "on")
            .disable_statement_logging();
        let unreadable = |error: sqlx::Error| match error.as_database_error() {
            Some(cause) => anyhow!("cannot open {name} as a SQLite database: {}", cause.message()),
            None => anyhow!(error).context(format!("cannot open {name}")),
        };
        let mut connection = connect.connect().await.map_err(unreadable)?;
        let id: i64 = sqlx::query_scalar("PRAGMA application_id")
            .fetch_one(&mut connection)
            .await
            .map_err(unreadable)?;
        check_sqlite_version(&mut connection).await?;
        ensure!(
            id == APPLICATION_ID,
            "{name} is no store: it is empty or a database of another application"
        );
        let (found, known) = (applied_version(&mut connection).await, latest_version());
        ensure!(
            found == known,
            "the store's schema is at version {found}, this program verifies version {known}; \
             run {}",
            if found < known { "`sequencer migrate` first" } else { "a newer program" }
        );
        let damage = check_ends(&mut connection).await.err().map(|error| format!("{error:#}"));
        connection.close().await.context("cannot close the connection of the first checks")?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.max_readers)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .connect_lazy_with(connect.clone());
        let writer = Writer::open(connect).await.map_err(unreadable)?;
        Ok((Self { path, writer, readers, metrics, _lock: lock }, damage))
    }
}
