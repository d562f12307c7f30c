//! Opening a store: lock, version, schema, and the cheap checks that refuse a damaged one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use catalog::SequencerMetrics;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use super::super::{Migration, row};
use super::SqliteStore;
use super::lock::StoreLock;
use super::writer::Writer;

static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// Marks the file as ours: "VES1".
pub(super) const APPLICATION_ID: i64 = 0x5645_5331;
/// First SQLite without the WAL-reset corruption bug.
const MINIMUM_SQLITE: &str = "3.51.3";
/// Pages of log before a checkpoint: 16 MiB. Fewer, and commits wait for checkpoints; more, and
/// a start after a crash takes longer.
const CHECKPOINT_PAGES: &str = "4096";

/// How to open a store.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Database file; it and its folder are created.
    pub path: PathBuf,
    /// Read connections.
    pub max_readers: u32,
    /// Longest wait for a read connection.
    pub acquire_timeout: Duration,
}

impl SqliteStore {
    /// Opens a store that this process owns until it ends.
    ///
    /// # Errors
    /// One sentence each: cannot be opened, owned by another process, not ours, newer or older
    /// than the program, or damaged.
    pub async fn open(
        options: &SqliteOptions,
        migration: Migration,
        metrics: Arc<SequencerMetrics>,
    ) -> anyhow::Result<Self> {
        let path = options.path.clone();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        }
        let lock = StoreLock::acquire(&path)?;
        let connect = connect_options(&path);
        let name = path.display();
        refuse_foreign(&path).await.with_context(|| format!("cannot use the store {name}"))?;
        let mut connection = connect
            .connect()
            .await
            .with_context(|| format!("cannot open the store {name} as a SQLite database"))?;
        check_sqlite_version(&mut connection).await?;
        claim(&mut connection).await.with_context(|| format!("cannot use the store {name}"))?;
        migrate(&mut connection, migration).await?;
        check_ends(&mut connection).await.with_context(|| {
            format!("the store {name} is damaged; run `sequencer verify` and restore a backup")
        })?;
        connection.close().await.context("cannot close the connection of the start checks")?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.max_readers)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .connect_lazy_with(connect.clone().pragma("query_only", "on"));
        let writer = Writer::open(connect).await.context("cannot open the writer connection")?;
        Ok(Self { path, writer, readers, metrics, _lock: lock })
    }
}

fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

pub(super) async fn check_sqlite_version(connection: &mut SqliteConnection) -> anyhow::Result<()> {
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *connection).await?;
    let number = |text: &str| text.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    let (found, floor): (Vec<u32>, Vec<u32>) = (number(&version), number(MINIMUM_SQLITE));
    ensure!(found >= floor, "SQLite {version} can corrupt its log; {MINIMUM_SQLITE} is needed");
    Ok(())
}

/// Refuses somebody else's database before anything in it is changed: [`connect_options`] turns
/// what it opens to WAL mode.
async fn refuse_foreign(path: &Path) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let as_it_is = SqliteConnectOptions::new().filename(path).disable_statement_logging();
    let mut connection = as_it_is.connect().await.context("it cannot be opened with SQLite")?;
    let id = application_id(&mut connection).await.context("it is not a SQLite database")?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut connection)
        .await
        .context("it cannot be read")?;
    connection.close().await.context("it cannot be closed")?;
    let new = id == 0 && tables == 0;
    ensure!(new || id == APPLICATION_ID, "it is a database of another application");
    Ok(())
}

/// Marks a new database as ours.
async fn claim(connection: &mut SqliteConnection) -> anyhow::Result<()> {
    if application_id(connection).await? != APPLICATION_ID {
        let pragma = format!("PRAGMA application_id = {APPLICATION_ID}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(pragma)).execute(connection).await?;
    }
    Ok(())
}

async fn application_id(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA application_id").fetch_one(connection).await
}

async fn migrate(connection: &mut SqliteConnection, migration: Migration) -> anyhow::Result<()> {
    if migration == Migration::Refuse {
        let latest = latest_version();
        let applied = applied_version(connection).await;
        ensure!(
            applied >= latest,
            "the store's schema is at version {applied}, this program needs {latest}; \
             run `sequencer migrate` or set DB_MIGRATE_ON_STARTUP=true"
        );
    }
    match MIGRATOR.run(connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(version)) => bail!(
            "the store's schema is at version {version}, which is newer than this program; \
             start a newer one"
        ),
        Err(error) => Err(error).context("cannot bring the store's schema up to date"),
    }
}

/// The schema that this program knows.
pub(super) fn latest_version() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The schema's version in an existing file, and the one that this program knows. No lock is taken
/// and nothing is written, so that a running server is not disturbed.
///
/// # Errors
/// When the file is not a store of ours or cannot be read.
pub(crate) async fn schema(path: &Path) -> anyhow::Result<(i64, i64)> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        // Nobody has it open: a reader would create the log and its index only to read.
        .immutable(!Path::new(&log).exists());
    let mut connection = options
        .busy_timeout(Duration::from_secs(2))
        .disable_statement_logging()
        .connect()
        .await
        .context("it cannot be opened with SQLite")?;
    let id = application_id(&mut connection).await.context("it cannot be read with SQLite")?;
    ensure!(id == APPLICATION_ID, "it is empty or a database of another application");
    let found = applied_version(&mut connection).await;
    connection.close().await.context("it cannot be closed")?;
    Ok((found, latest_version()))
}

/// 0 when no migration has run.
pub(super) async fn applied_version(connection: &mut SqliteConnection) -> i64 {
    sqlx::query_scalar("SELECT COALESCE(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await
        .unwrap_or(0)
}

/// Each head equals its last row, and the last commitment of each stream ends where it says.
/// The full check is `sequencer verify`.
pub(super) async fn check_ends(connection: &mut SqliteConnection) -> anyhow::Result<()> {
    let row = sqlx::query(
        "SELECT
            (SELECT count(*) FROM streams s WHERE s.head_sequence IS NOT (SELECT COALESCE(
                max(e.sequence_number), 0) FROM events e WHERE e.stream = s.id)),
            (SELECT count(*) FROM streams s WHERE s.committed_sequence IS NOT COALESCE((SELECT
                c.sequence_end FROM commitments c WHERE c.stream = s.id
                ORDER BY c.sequence_start DESC LIMIT 1), 0)),
            (SELECT count(*) FROM streams WHERE committed_sequence > head_sequence)",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (heads, ends, beyond): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    ensure!(heads == 0, "{heads} streams end before or after their head");
    ensure!(ends == 0, "{ends} streams do not end their commitments where they say");
    ensure!(beyond == 0, "{beyond} streams have commitments beyond their head");
    check_last_links(connection).await
}

/// The state root of each stream's last commitment recomputes and continues the one before.
async fn check_last_links(connection: &mut SqliteConnection) -> anyhow::Result<()> {
    let rows = sqlx::query(
        "SELECT c.*, s.tenant_id, s.store_id,
            (SELECT p.new_state_root FROM commitments p WHERE p.stream = c.stream
                AND p.sequence_end = c.sequence_start - 1) AS previous_root
         FROM streams s JOIN commitments c ON c.stream = s.id
            AND c.sequence_end = s.committed_sequence
            AND c.sequence_start = (SELECT max(sequence_start) FROM commitments
                WHERE stream = s.id)",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().try_for_each(row::check_link)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of credentials is made anew: nothing of it may be lost.
    #[tokio::test]
    async fn credentials_survive_the_origin_of_the_sidecar() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let before = MIGRATOR.iter().filter(|migration| migration.version < 4).cloned();
        Migrator::with_migrations(before.collect()).run(&mut connection).await.unwrap();
        let insert = "INSERT INTO api_keys VALUES
            (x'01', 'aa', x'02', '[\"s\"]', 1, 0, 1, x'03', 'created', 4, 5, 6, 7),
            (x'08', 'bb', x'00', '[]', 1, 1, 1, NULL, 'bootstrap', 9, NULL, NULL, NULL)";
        sqlx::raw_sql(insert).execute(&mut connection).await.unwrap();
        let all = "SELECT group_concat(concat_ws(' ', hex(key_hash), key_prefix, hex(tenant_id),
            store_ids, can_read, can_write, can_admin, hex(agent_id), origin, created_at,
            last_used_at, revoked_at, rate_limit), ', ') FROM api_keys";
        let found: String = sqlx::query_scalar(all).fetch_one(&mut connection).await.unwrap();
        assert_eq!(
            found,
            "01 aa 02 [\"s\"] 1 0 1 03 created 4 5 6 7, 08 bb 00 [] 1 1 1  bootstrap 9"
        );
        migrate(&mut connection, Migration::Apply).await.unwrap();
        let kept: String = sqlx::query_scalar(all).fetch_one(&mut connection).await.unwrap();
        assert_eq!(kept, found);
        let indexes = "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema
            WHERE tbl_name = 'api_keys' AND type = 'index' AND sql IS NOT NULL ORDER BY name)";
        let indexes: String = sqlx::query_scalar(indexes).fetch_one(&mut connection).await.unwrap();
        assert_eq!(indexes, "api_keys_by_agent api_keys_by_tenant");
    }
}
