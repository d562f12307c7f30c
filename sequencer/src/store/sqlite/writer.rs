//! The one writer connection and its transactions.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::super::StoreError;
use super::super::known::Known;
use super::store_error;

/// The writer connection behind a fair lock.
pub(super) struct Writer {
    options: SqliteConnectOptions,
    state: Mutex<State>,
}

struct State {
    /// `None` after a transaction that was not finished, and after [`Writer::close`].
    connection: Option<SqliteConnection>,
    /// True from BEGIN until COMMIT or ROLLBACK was answered. Still true when the transaction is
    /// dropped, it failed or was cancelled half way: a request that is dropped at any await can
    /// not poison the connection.
    unfinished: bool,
    /// Emptied with every new connection.
    known: Known<i64>,
}

/// A write transaction; dropped without [`WriteTransaction::commit`] it never happened.
pub(super) struct WriteTransaction<'a> {
    state: MutexGuard<'a, State>,
}

impl Writer {
    pub(super) async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let connection = Some(options.connect().await?);
        Ok(Self {
            options,
            state: Mutex::new(State { connection, unfinished: false, known: Known::default() }),
        })
    }

    /// True while somebody writes.
    pub(super) fn is_busy(&self) -> bool {
        self.state.try_lock().is_err()
    }

    /// Waits for its turn. The caller begins and commits by its own statements.
    pub(super) async fn enter(&self) -> Result<WriteTransaction<'_>, StoreError> {
        let mut state = self.state.lock().await;
        if state.unfinished {
            self.recover(&mut state).await?;
        }
        state.unfinished = true;
        Ok(WriteTransaction { state })
    }

    /// Waits for its turn and begins.
    pub(super) async fn begin(&self) -> Result<WriteTransaction<'_>, StoreError> {
        let mut transaction = self.enter().await?;
        transaction.connection()?.execute("BEGIN IMMEDIATE").await.map_err(store_error)?;
        Ok(transaction)
    }

    /// Opens a new connection after an unfinished transaction: after a failed commit or an I/O
    /// error nothing in the old one's memory is trusted, the truth is what the files say.
    async fn recover(&self, state: &mut State) -> Result<(), StoreError> {
        state.connection = Some(self.options.connect().await.map_err(store_error)?);
        state.unfinished = false;
        state.known = Known::default();
        Ok(())
    }

    /// Waits for the last write, moves the log into the database file and closes.
    pub(super) async fn close(&self) {
        let mut state = self.state.lock().await;
        if let Some(mut connection) = state.connection.take() {
            if let Err(error) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await {
                let next = "the next start replays the log";
                tracing::warn!(%error, "the last checkpoint failed; {next}");
            }
            let _ = connection.close().await;
        }
    }
}

impl WriteTransaction<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        let closed = || StoreError::Failed(anyhow::anyhow!("the store is closed"));
        self.state.connection.as_mut().ok_or_else(closed)
    }

    /// What earlier commits left behind.
    pub(super) fn known(&mut self) -> &mut Known<i64> {
        &mut self.state.known
    }

    /// Makes it durable. After an error it is unknown whether it is.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.connection()?.execute("COMMIT").await.map_err(store_error)?;
        self.finished();
        Ok(())
    }

    /// The caller's own COMMIT was answered, or it never began.
    pub(super) fn finished(mut self) {
        self.state.unfinished = false;
    }

    /// Ends it without a trace.
    pub(super) async fn rollback(mut self) -> Result<(), StoreError> {
        self.connection()?.execute("ROLLBACK").await.map_err(store_error)?;
        self.state.unfinished = false;
        Ok(())
    }
}

impl Drop for WriteTransaction<'_> {
    /// Ends an unfinished transaction at once, or it would keep every other process from writing
    /// until this one writes again: the connection is closed by its thread, which rolls back.
    fn drop(&mut self) {
        if self.state.unfinished {
            self.state.connection = None;
        }
    }
}
