//! The statements of a look. Each reads a view of the server's statistics and no row of the log.
//! What the role may not see is left out and named: the views would show it as nothing.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::super::view::{Connections, PostgresFigures};
use super::written::Written;

/// First version whose `pg_stat_statements` splits planning from execution.
const VERSION_13: i32 = 130_000;
/// undefined_object_in_state: the extension is there, its library was not loaded at the start.
const NOT_LOADED: &str = "55000";

/// Reads all figures; with each that is missing comes a note that says why.
///
/// # Errors
/// When the connection broke. What the server refuses is a note.
pub(super) async fn read(
    connection: &mut PgConnection,
    written: &mut Written,
) -> sqlx::Result<(PostgresFigures, Vec<String>)> {
    let server = Server::ask(connection).await?;
    let mut notes = Vec::new();
    let mut figures = PostgresFigures {
        server_version: server.version.clone(),
        is_standby: server.is_standby,
        max_connections: server.max_connections,
        locks_waiting: locks_waiting(connection).await?,
        ..PostgresFigures::default()
    };
    if server.sees_others {
        let (connections, longest) = activity(connection).await?;
        figures.connections = Some(connections);
        figures.longest_transaction_seconds = Some(longest);
        let lag = match server.is_standby {
            true => own_lag(connection, written).await,
            false => lag(connection, written).await,
        };
        match lag {
            Ok((standbys, lag)) => {
                (figures.standbys, figures.replication_lag_seconds) = (standbys, lag);
                if lag.is_none() {
                    notes.push("replication lag: no transaction was replayed yet".to_owned());
                }
            }
            Err(error) => notes.push(refused("replication lag", error)?),
        }
    } else {
        notes.push(format!(
            "connections, longest transaction, replication lag: the role {0} may not see other \
             sessions; GRANT pg_monitor TO {0}",
            server.role
        ));
    }
    match slow_statements(connection, server.number).await {
        Ok(Ok(count)) => figures.slow_statements = Some(count),
        Ok(Err(note)) => notes.push(note),
        Err(error) => notes.push(refused("slow statements", error)?),
    }
    figures.dead_tuples = dead_tuples(connection).await?;
    if figures.dead_tuples.is_none() {
        let database = &server.database;
        notes.push(format!("dead tuples: database {database} holds no tables of a sequencer"));
    }
    Ok((figures, notes))
}

/// What the other statements depend on.
struct Server {
    version: String,
    number: i32,
    is_standby: bool,
    max_connections: u64,
    role: String,
    database: String,
    /// Whether the role sees what other sessions do.
    sees_others: bool,
}

impl Server {
    async fn ask(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let row = sqlx::query(
            "SELECT current_setting('server_version'),
                current_setting('server_version_num')::int4,
                pg_is_in_recovery(),
                current_setting('max_connections')::int8,
                quote_ident(current_user),
                current_database()::text,
                pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            version: row.try_get(0)?,
            number: row.try_get(1)?,
            is_standby: row.try_get(2)?,
            max_connections: count(&row, 3)?,
            role: row.try_get(4)?,
            database: row.try_get(5)?,
            sees_others: row.try_get(6)?,
        })
    }
}

/// Clients of the whole server, which share `max_connections`, and the oldest transaction of this
/// database, prepared ones included: they hold back vacuum just so.
async fn activity(connection: &mut PgConnection) -> sqlx::Result<(Connections, f64)> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE state = 'active'),
            count(*) FILTER (WHERE state = 'idle'),
            count(*) FILTER (WHERE state LIKE 'idle in transaction%'),
            count(*),
            greatest(0, extract(epoch FROM max(clock_timestamp() - xact_start) FILTER (
                WHERE datname = current_database() AND pid <> pg_backend_pid())),
                (SELECT extract(epoch FROM max(clock_timestamp() - prepared))
                FROM pg_prepared_xacts WHERE database = current_database()))::float8
         FROM pg_stat_activity WHERE backend_type = 'client backend'",
    )
    .fetch_one(connection)
    .await?;
    let (active, idle, in_transaction) = (count(&row, 0)?, count(&row, 1)?, count(&row, 2)?);
    let other = count(&row, 3)?.saturating_sub(active + idle + in_transaction);
    let connections = Connections { active, idle, idle_in_transaction: in_transaction, other };
    Ok((connections, row.try_get(4)?))
}

/// A wait for a row is a wait for a transaction, which belongs to no database: the session does.
async fn locks_waiting(connection: &mut PgConnection) -> sqlx::Result<u64> {
    let row = sqlx::query(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE NOT l.granted AND a.datname = current_database()",
    )
    .fetch_one(connection)
    .await?;
    count(&row, 0)
}

/// Standbys and the largest lag: what the server has measured, or longer when a standby has not
/// replayed what was there at an earlier look. The server measures only when a standby has said
/// that it replayed something, so of one that stands still it knows nothing.
async fn lag(
    connection: &mut PgConnection,
    written: &mut Written,
) -> sqlx::Result<(Option<u64>, Option<f64>)> {
    let row = sqlx::query(
        "SELECT count(*), coalesce(extract(epoch FROM max(replay_lag)), 0)::float8,
            (pg_current_wal_lsn() - '0/0')::int8, (min(replay_lsn) - '0/0')::int8
         FROM pg_stat_replication WHERE state IN ('streaming', 'catchup')",
    )
    .fetch_one(connection)
    .await?;
    written.now_at(row.try_get(2)?);
    let behind = row.try_get::<Option<i64>, _>(3)?.map_or(0.0, |at| written.age_beyond(at));
    Ok((Some(count(&row, 0)?), Some(behind.max(row.try_get(1)?))))
}

/// Of a standby that receives: the age of what it has received and not replayed. Of one that does
/// not, all that it has may be old: the age of the last transaction, none if it replayed none yet.
async fn own_lag(
    connection: &mut PgConnection,
    written: &mut Written,
) -> sqlx::Result<(Option<u64>, Option<f64>)> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
            (pg_last_wal_receive_lsn() - '0/0')::int8, (pg_last_wal_replay_lsn() - '0/0')::int8,
            extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8",
    )
    .fetch_one(connection)
    .await?;
    let (received, replayed): (Option<i64>, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
    let lag = match (row.try_get(0)?, received.zip(replayed)) {
        (true, Some((received, replayed))) => {
            written.now_at(received);
            Some(written.age_beyond(replayed))
        }
        _ => row.try_get(3)?,
    };
    Ok((None, lag))
}

/// Slow statements of this database; in words why they are not known.
async fn slow_statements(
    connection: &mut PgConnection,
    version: i32,
) -> sqlx::Result<Result<u64, String>> {
    let schema: Option<String> = sqlx::query_scalar(
        "SELECT quote_ident(n.nspname) FROM pg_extension e
         JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(schema) = schema else {
        return Ok(Err("slow statements: pg_stat_statements is not installed here; \
                       CREATE EXTENSION pg_stat_statements"
            .into()));
    };
    let mean = if version < VERSION_13 { "mean_time" } else { "mean_exec_time" };
    // Without the texts, which may be megabytes. The schema is quoted by the server.
    let asked = format!(
        "SELECT count(*) FROM {schema}.pg_stat_statements(false) WHERE {mean} > 200
         AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    );
    match sqlx::query(AssertSqlSafe(asked)).fetch_one(connection).await {
        Err(error) if sql_state(&error).as_deref() == Some(NOT_LOADED) => {
            Ok(Err("slow statements: pg_stat_statements is installed but not loaded; add it to \
                    shared_preload_libraries and restart the server"
                .into()))
        }
        row => Ok(Ok(count(&row?, 0)?)),
    }
}

/// Of the tables that lie beside the table in which the sequencer counts its migrations.
async fn dead_tuples(connection: &mut PgConnection) -> sqlx::Result<Option<u64>> {
    let row = sqlx::query(
        "SELECT sum(n_dead_tup)::int8 FROM pg_stat_user_tables WHERE schemaname IN (
            SELECT schemaname FROM pg_stat_user_tables WHERE relname = '_sqlx_migrations')",
    )
    .fetch_one(connection)
    .await?;
    let dead: Option<i64> = row.try_get(0)?;
    Ok(dead.and_then(|dead| u64::try_from(dead).ok()))
}

/// A refusal of the server as a note; anything else has broken the connection.
fn refused(figure: &str, error: sqlx::Error) -> sqlx::Result<String> {
    match error {
        sqlx::Error::Database(refusal) => Ok(format!("{figure}: {refusal}")),
        other => Err(other),
    }
}

fn sql_state(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

fn count(row: &PgRow, at: usize) -> sqlx::Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(at)?).unwrap_or(0))
}
