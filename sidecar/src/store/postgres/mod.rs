//! A PostgreSQL server from outside: one connection, kept from look to look, on which the server
//! limits the time of each statement.

mod figures;
mod written;

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use super::view::{ClockSkew, PostgresFigures};
use crate::clock;
use written::Written;

/// The server ends a statement, or a wait for a lock, that takes longer: far below the patience of
/// a scraper, so that looks never pile up in the server.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);

/// Looks at one server, again and again.
pub(super) struct PostgresLook {
    options: Box<PgConnectOptions>,
    /// None before the first look and after one that failed or was given up.
    connection: Option<PgConnection>,
    written: Written,
}

/// What a look found.
pub(super) struct PostgresFound {
    pub(super) figures: PostgresFigures,
    pub(super) notes: Vec<String>,
    pub(super) clock: ClockSkew,
}

impl PostgresLook {
    pub(super) fn new(options: Box<PgConnectOptions>) -> Self {
        Self { options, connection: None, written: Written::default() }
    }

    /// Asks the server. The caller limits the time; a look that is given up takes its connection
    /// with it.
    ///
    /// # Errors
    /// In words: where the server is, and why it cannot be asked.
    pub(super) async fn look(&mut self) -> Result<PostgresFound, String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let clock = measure_clock(&mut connection).await;
        let clock = clock.map_err(|error| format!("the server does not answer: {error}"))?;
        let (figures, notes) = figures::read(&mut connection, &mut self.written)
            .await
            .map_err(|error| format!("the look broke off: {error}"))?;
        self.connection = Some(connection);
        Ok(PostgresFound { figures, notes, clock })
    }

    async fn connect(&self) -> Result<PgConnection, String> {
        let (host, port) = (self.options.get_host(), self.options.get_port());
        let cannot = |error: sqlx::Error| match error {
            sqlx::Error::Database(refusal) => format!("{host}:{port} refuses: {refusal}"),
            other => format!("{host}:{port} cannot be reached: {other}"),
        };
        let mut connection = self.options.connect().await.map_err(cannot)?;
        let millis = STATEMENT_TIMEOUT.as_millis().to_string();
        sqlx::query(
            "SELECT set_config('statement_timeout', $1, false),
                set_config('lock_timeout', $1, false),
                set_config('idle_in_transaction_session_timeout', $1, false),
                set_config('default_transaction_read_only', 'on', false)",
        )
        .bind(millis)
        .execute(&mut connection)
        .await
        .map_err(cannot)?;
        Ok(connection)
    }
}

/// The server's time against ours at the middle of the round trip.
async fn measure_clock(connection: &mut PgConnection) -> sqlx::Result<ClockSkew> {
    let asked = "SELECT extract(epoch FROM clock_timestamp())::float8";
    let (before, started) = (clock::now(), Instant::now());
    let theirs: f64 = sqlx::query_scalar(asked).fetch_one(connection).await?;
    let half = started.elapsed().as_secs_f64() / 2.0;
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are below 2^53")]
    let ours = before.as_micros() as f64 / 1e6 + half;
    Ok(ClockSkew { skew_seconds: theirs - ours, uncertainty_seconds: half, measured_at: before })
}
