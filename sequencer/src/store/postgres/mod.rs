//! The shared store: PostgreSQL, and engines that speak its protocol, under several replicas.
//!
//! One connection writes the group commits and is never used by two tasks; a pool serves
//! everything else. Replicas need no leader: the row lock on a stream's head orders them. Every
//! statement is plain SQL that distributed engines take too (docs/scaling.md).

mod commit;
mod commitments;
mod credentials;
mod directory;
mod events;
mod facts;
mod inspect;
mod keys;
mod leases;
mod open;
#[cfg(test)]
mod portable;
mod rows;
mod writer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use catalog::SequencerMetrics;
use catalog::label::DbOperation;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use super::measured::Measured;
use super::{DiskRoom, PoolStatus, Store, StoreError};
use writer::Writer;

pub use inspect::{Inspection, Role};
pub use open::{PostgresOptions, Transport};
pub(crate) use open::{connect_options, is_this_machine};

/// Times a write that met another one is tried in all, each time on what the other left behind.
const ATTEMPTS: usize = 8;

/// The shared store.
pub struct PostgresStore {
    /// Owned by the committer.
    writer: Writer,
    pool: PgPool,
    metrics: Arc<SequencerMetrics>,
}

impl PostgresStore {
    /// A connection of the pool; waiting for one is measured.
    async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let started = Instant::now();
        let connection = self.pool.acquire().await.map_err(store_error)?;
        self.metrics.db_pool_wait.observe(started.elapsed().as_secs_f64());
        Ok(connection)
    }

    /// Measures an operation from here until the guard is dropped.
    fn measure(&self, operation: DbOperation) -> Measured<'_> {
        Measured::start(&self.metrics, operation)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::Ping);
        let mut connection = self.connection().await?;
        // A table of ours, not `SELECT 1`: a server without its tables cannot serve.
        sqlx::query("SELECT 1 FROM streams LIMIT 1")
            .fetch_optional(&mut *connection)
            .await
            .map(|_| ())
            .map_err(store_error)
    }

    fn pool_status(&self) -> PoolStatus {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        let writing = u32::from(self.writer.is_busy());
        PoolStatus {
            active: self.pool.size().saturating_sub(idle) + writing,
            idle: idle + 1 - writing,
            max: self.pool.options().get_max_connections() + 1,
        }
    }

    fn disk_room(&self) -> Option<DiskRoom> {
        None
    }

    async fn close(&self) {
        self.writer.close().await;
        // The pool waits for what it is connecting, which takes minutes while the server is away.
        let _ = tokio::time::timeout(GOODBYE, self.pool.close()).await;
    }
}

/// Longest wait for the end of a connection: the commits are durable, and one that cannot say
/// goodbye is dropped.
const GOODBYE: Duration = Duration::from_secs(1);
/// `disk_full`: the server's disk has no room.
const DISK_FULL: &str = "53100";
/// `serialization_failure` and `deadlock_detected`: nothing was written, another try may do.
const RETRYABLE: [&str; 2] = ["40001", "40P01"];

/// What a driver error means for the caller.
fn store_error(error: sqlx::Error) -> StoreError {
    if sql_state(&error).as_deref() == Some(DISK_FULL) {
        return StoreError::DiskFull;
    }
    StoreError::Failed(anyhow::Error::new(error))
}

/// True when another transaction was in the way and nothing was written.
fn is_retryable(error: &sqlx::Error) -> bool {
    sql_state(error).is_some_and(|state| RETRYABLE.contains(&state.as_str()))
}

fn sql_state(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Runs a write again while another transaction is in its way, a bounded number of times.
macro_rules! retrying {
    ($attempt:expr) => {{
        let mut left = $crate::store::postgres::ATTEMPTS;
        loop {
            left -= 1;
            match $attempt.await {
                Err(error) if left > 0 && $crate::store::postgres::is_retryable(&error) => {}
                result => break result.map_err($crate::store::postgres::store_error),
            }
        }
    }};
}
use retrying;
