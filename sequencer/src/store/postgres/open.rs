//! Opening a store: transport, session, schema, and the cheap checks that refuse a damaged one.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use catalog::SequencerMetrics;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _};

use super::super::{Migration, row};
use super::writer::Writer;
use super::{PostgresStore, is_retryable, sql_state};

/// First version whose `WITH … AS MATERIALIZED` the group commit needs.
const MINIMUM_VERSION: i64 = 120_000;
/// Times the schema is brought up to date, and the wait between two: replicas that start together
/// on an empty database are in each other's way, and all but one find the work done.
const MIGRATION_ATTEMPTS: u32 = 50;
const MIGRATION_PAUSE: Duration = Duration::from_millis(100);
/// A commit is given up this long after the server should have given up its statement.
const COMMIT_MARGIN: Duration = Duration::from_secs(2);
/// A pooled connection that was used so recently is not tried before its next use.
const TRUSTED: Duration = Duration::from_secs(1);
/// Longest wait for a pooled connection's sign of life.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether a connection to another host may go over the network in clear.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// Only to this machine; to others TLS is required.
    Encrypted,
    /// The operator said so.
    PlaintextAllowed,
}

impl Transport {
    /// As the operator allowed it.
    #[must_use]
    pub fn of(plaintext_allowed: bool) -> Self {
        if plaintext_allowed { Self::PlaintextAllowed } else { Self::Encrypted }
    }
}

/// How to open a store.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=…`
    pub url: String,
    /// Connections, the committer's own among them.
    pub max_connections: u32,
    /// Connections that are opened before they are needed and kept, the committer's among them.
    pub min_connections: u32,
    /// Longest wait for a connection of the pool.
    pub acquire_timeout: Duration,
    /// A connection of the pool that nobody used for so long is closed.
    pub idle_timeout: Duration,
    /// A connection of the pool that is so old is closed.
    pub max_lifetime: Duration,
    /// The server ends a statement, or a wait for a lock, that takes longer.
    pub statement_timeout: Duration,
    /// TLS or not.
    pub transport: Transport,
}

impl PostgresStore {
    /// Opens a store, which other processes may have open too.
    ///
    /// # Errors
    /// One sentence each: the URL, the transport, the server, a schema that is newer or older than
    /// the program, or damage.
    pub async fn open(
        options: &PostgresOptions,
        migration: Migration,
        metrics: Arc<SequencerMetrics>,
    ) -> anyhow::Result<Self> {
        let (connect, mut connection) = first_connection(options).await?;
        migrate(&mut connection, migration).await?;
        check_ends(&mut connection)
            .await
            .context("the store is damaged; run `sequencer verify` and restore a backup")?;
        let _ = connection.close().await;
        let store = Self::over(connect, options, metrics);
        store.open_least().await;
        Ok(store)
    }

    /// Opens the connections that are there before they are needed: a lazy pool keeps that many,
    /// but opens the first of them only when it is asked. Ends with one that fails, or each of
    /// the others would wait as long.
    async fn open_least(&self) {
        let mut held = Vec::new();
        for _ in 0..self.pool.options().get_min_connections() {
            let Ok(connection) = self.pool.acquire().await else { return };
            held.push(connection);
        }
    }

    /// Opens a store to audit it, damaged or not, without changing it. What a start would refuse
    /// as damage is returned beside it.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_for_audit(
        options: &PostgresOptions,
        metrics: Arc<SequencerMetrics>,
    ) -> anyhow::Result<(Self, Option<String>)> {
        let (connect, mut connection) = first_connection(options).await?;
        require_current_schema(&mut connection, "verifies", "run `sequencer migrate` first")
            .await?;
        let damage = check_ends(&mut connection).await.err().map(|error| format!("{error:#}"));
        let _ = connection.close().await;
        let read_only = connect.options([("default_transaction_read_only", "on")]);
        Ok((Self::over(read_only, options, metrics), damage))
    }

    fn over(
        connect: PgConnectOptions,
        options: &PostgresOptions,
        metrics: Arc<SequencerMetrics>,
    ) -> Self {
        let timeout = options.statement_timeout;
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections.saturating_sub(1).max(1))
            .min_connections(options.min_connections.saturating_sub(1))
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(options.idle_timeout)
            .max_lifetime(options.max_lifetime)
            .after_connect(move |connection, _| Box::pin(prepare_session(connection, timeout)))
            // The pool's own tests wait for ever on a line that is dead without knowing it: slots
            // would be lost until the kernel gives up, a quarter of an hour later.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED { answers(connection).await } else { Ok(true) }
                })
            })
            .after_release(|connection, _| Box::pin(answers(connection)))
            .connect_lazy_with(connect.clone());
        Self { writer: Writer::new(connect, timeout, timeout + COMMIT_MARGIN), pool, metrics }
    }
}

/// Whether a pooled connection still works; an error closes it without a goodbye.
async fn answers(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, connection.ping()).await;
    answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

/// Connects once and looks at the server.
pub(super) async fn first_connection(
    options: &PostgresOptions,
) -> anyhow::Result<(PgConnectOptions, PgConnection)> {
    let connect = connect_options(&options.url, options.transport)?;
    let place = format!("{}:{}", connect.get_host(), connect.get_port());
    let opening = async {
        let mut connection = connect.connect().await?;
        prepare_session(&mut connection, options.statement_timeout).await?;
        Ok::<_, sqlx::Error>(connection)
    };
    let mut connection = tokio::time::timeout(options.acquire_timeout, opening)
        .await
        .with_context(|| format!("the database at {place} (DATABASE_URL) did not answer in time"))?
        .with_context(|| format!("cannot open the database at {place} (DATABASE_URL)"))?;
    let version: Option<i64> =
        sqlx::query_scalar("SELECT current_setting('server_version_num', true)::int8")
            .fetch_one(&mut connection)
            .await
            .context("cannot ask the database for its version")?;
    ensure!(
        version.is_none_or(|version| version >= MINIMUM_VERSION),
        "the database server is too old: PostgreSQL 12 or a newer one is needed"
    );
    warn_if_not_durable(&mut connection).await?;
    Ok((connect, connection))
}

/// A server that loses what it has acknowledged makes every receipt a lie.
async fn warn_if_not_durable(connection: &mut PgConnection) -> anyhow::Result<()> {
    for setting in ["fsync", "full_page_writes"] {
        let value: Option<String> = sqlx::query_scalar("SELECT current_setting($1, true)")
            .bind(setting)
            .fetch_one(&mut *connection)
            .await?;
        if value.as_deref() == Some("off") {
            let risk = "a crash of the server can lose acknowledged events";
            tracing::warn!("the database server runs with {setting} = off; {risk}");
        }
    }
    Ok(())
}

/// The URL, and TLS by the rule: required for other hosts, and there the server's certificate is
/// checked unless the URL says how much is to be checked.
pub(crate) fn connect_options(url: &str, transport: Transport) -> anyhow::Result<PgConnectOptions> {
    let mut connect = PgConnectOptions::from_str(url)
        // The cause may quote the URL, which holds a password.
        .map_err(|_| anyhow::anyhow!("DATABASE_URL is not a PostgreSQL URL"))?;
    if connect.get_application_name().is_none() {
        connect = connect.application_name("stateset-sequencer");
    }
    let local = connect.get_socket().is_some() || is_this_machine(connect.get_host());
    if !local && transport == Transport::Encrypted {
        let stated = url.contains("sslmode=") || url.contains("ssl-mode=");
        match connect.get_ssl_mode() {
            _ if !stated => connect = connect.ssl_mode(PgSslMode::VerifyFull),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => {}
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => bail!(
                "the connection to {} must be encrypted: use sslmode=verify-full in DATABASE_URL, \
                 or set DB_ALLOW_PLAINTEXT=true in a network that you trust",
                connect.get_host()
            ),
        }
    }
    Ok(connect.disable_statement_logging())
}

pub(crate) fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || host.starts_with('/') || address.is_ok_and(|ip| ip.is_loopback())
}

/// Bounds every statement of a connection, and makes its commits durable.
pub(super) async fn prepare_session(
    connection: &mut PgConnection,
    timeout: Duration,
) -> sqlx::Result<()> {
    let millis = timeout.as_millis().max(1).to_string();
    sqlx::query(
        "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false),
            set_config('idle_in_transaction_session_timeout', $1, false),
            set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)",
    )
    .bind(millis.as_str())
    .execute(&mut *connection)
    .await?;
    // A server that knows it ends the session of a process that vanished without a word; locks
    // would stay until then.
    let vanished = "SELECT set_config('tcp_user_timeout', $1, false)";
    match sqlx::query(vanished).bind(millis.as_str()).execute(&mut *connection).await {
        Err(sqlx::Error::Database(_)) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn migrate(connection: &mut PgConnection, migration: Migration) -> anyhow::Result<()> {
    if migration == Migration::Refuse {
        let advice = "run `sequencer migrate` or set DB_MIGRATE_ON_STARTUP=true";
        return require_current_schema(connection, "needs", advice).await;
    }
    let mut left = MIGRATION_ATTEMPTS;
    loop {
        left -= 1;
        // Each migration is a transaction, and its number is unique: no session lock is needed.
        match migrator().run(&mut *connection).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::VersionMissing(version)) => bail!(
                "the store's schema is at version {version}, which is newer than this program; \
                 start a newer one"
            ),
            Err(error) if left > 0 && is_another_migration(&error) => {
                // It may have been left inside the failed transaction.
                connection.execute("ROLLBACK").await?;
                tokio::time::sleep(MIGRATION_PAUSE).await;
            }
            Err(error) => {
                return Err(error).context("cannot bring the store's schema up to date");
            }
        }
    }
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.set_locking(false);
    migrator
}

/// True when what was to be made is there already: another process migrates at the same time.
fn is_another_migration(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    // duplicate_table, duplicate_object, unique_violation, object_in_use
    let there = ["42P07", "42710", "23505", "55006"];
    is_retryable(error) || sql_state(error).is_some_and(|state| there.contains(&state.as_str()))
}

async fn require_current_schema(
    connection: &mut PgConnection,
    verb: &str,
    advice: &str,
) -> anyhow::Result<()> {
    let (found, known) = schema(connection).await;
    ensure!(
        found == known,
        "the store's schema is at version {found}, this program {verb} version {known}; {}",
        if found < known { advice } else { "run a newer program" }
    );
    Ok(())
}

/// The schema's version in the database, and the one that this program knows.
pub(super) async fn schema(connection: &mut PgConnection) -> (i64, i64) {
    // Without the table no migration has run.
    let found = sqlx::query_scalar("SELECT COALESCE(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await
        .unwrap_or(0);
    let known = migrator().iter().map(|migration| migration.version).max().unwrap_or(0);
    (found, known)
}

/// Each head equals its last row, and the last commitment of each stream ends where it says. One
/// statement, so that replicas at work change nothing between two looks.
async fn check_ends(connection: &mut PgConnection) -> anyhow::Result<()> {
    let found = sqlx::query(
        "SELECT
            count(*) FILTER (WHERE s.head_sequence IS DISTINCT FROM (SELECT e.sequence_number
                FROM events e WHERE e.tenant_id = s.tenant_id AND e.store_id = s.store_id
                ORDER BY e.sequence_number DESC LIMIT 1)) AS heads,
            count(*) FILTER (WHERE s.committed_sequence IS DISTINCT FROM COALESCE((SELECT
                c.sequence_end FROM commitments c WHERE c.tenant_id = s.tenant_id
                AND c.store_id = s.store_id ORDER BY c.sequence_start DESC LIMIT 1), 0)) AS ends,
            count(*) FILTER (WHERE s.committed_sequence > s.head_sequence) AS beyond
         FROM streams s",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (heads, ends, beyond): (i64, i64, i64) = (found.get(0), found.get(1), found.get(2));
    ensure!(heads == 0, "{heads} streams end before or after their head");
    ensure!(ends == 0, "{ends} streams do not end their commitments where they say");
    ensure!(beyond == 0, "{beyond} streams have commitments beyond their head");
    let rows = sqlx::query(
        "SELECT c.*, (SELECT p.new_state_root FROM commitments p WHERE p.tenant_id = c.tenant_id
                AND p.store_id = c.store_id AND p.sequence_end = c.sequence_start - 1
                AND p.sequence_start < c.sequence_start
                ORDER BY p.sequence_start DESC LIMIT 1) AS previous_root
         FROM streams s CROSS JOIN LATERAL (SELECT * FROM commitments c
            WHERE c.tenant_id = s.tenant_id AND c.store_id = s.store_id
            ORDER BY c.sequence_start DESC LIMIT 1) c",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().try_for_each(row::check_link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_need_tls() {
        use Transport::{Encrypted, PlaintextAllowed};
        let full = Some(PgSslMode::VerifyFull);
        for (url, transport, expect) in [
            ("postgres://u@127.0.0.1/d", Encrypted, Some(PgSslMode::Prefer)),
            ("postgres://u@[::1]/d?sslmode=disable", Encrypted, Some(PgSslMode::Disable)),
            ("postgres://u@localhost/d", Encrypted, Some(PgSslMode::Prefer)),
            ("postgres://u@db.example.com/d", Encrypted, full),
            ("postgres://u@db.example.com/d?sslmode=require", Encrypted, Some(PgSslMode::Require)),
            ("postgres://u@db.example.com/d?sslmode=prefer", Encrypted, None),
            ("postgres://u@10.0.0.7/d?sslmode=disable", Encrypted, None),
            ("postgres://u@10.0.0.7/d?sslmode=disable", PlaintextAllowed, Some(PgSslMode::Disable)),
        ] {
            let options = connect_options(url, transport);
            let mode = options.as_ref().ok().map(|options| format!("{:?}", options.get_ssl_mode()));
            assert_eq!(mode, expect.map(|mode| format!("{mode:?}")), "{url}: {options:?}");
        }
        let text =
            format!("{:#}", connect_options("postgres://u:s3cret@h:x/d", Encrypted).unwrap_err());
        assert!(!text.contains("s3cret"), "{text}");
    }
}
