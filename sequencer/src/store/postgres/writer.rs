//! The connection of the group commits, and when it is not trusted any more.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::super::StoreError;
use super::super::known::Known;
use super::open::prepare_session;
use super::{GOODBYE, store_error};

/// The writer connection behind a fair lock.
pub(super) struct Writer {
    options: PgConnectOptions,
    /// The server ends a statement that takes longer.
    statement_timeout: Duration,
    /// A commit that takes longer has lost its connection.
    limit: Duration,
    state: Mutex<State>,
}

/// Owned by whoever commits.
pub(super) struct State {
    closed: bool,
    /// Taken out while a commit runs and put back when it went well: after an error, a time-out or
    /// a cancellation it is gone, and with it whatever was half done on it.
    connection: Option<PgConnection>,
    /// How many of the next commits lock before they read.
    pub(super) locking_commits: u32,
    /// Emptied with every new connection.
    pub(super) known: Known<()>,
}

impl Writer {
    pub(super) fn new(
        options: PgConnectOptions,
        statement_timeout: Duration,
        limit: Duration,
    ) -> Self {
        let state =
            State { closed: false, connection: None, locking_commits: 0, known: Known::default() };
        Self { options, statement_timeout, limit, state: Mutex::new(state) }
    }

    /// True while somebody commits.
    pub(super) fn is_busy(&self) -> bool {
        self.state.try_lock().is_err()
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits for its turn.
    pub(super) async fn enter(&self) -> MutexGuard<'_, State> {
        self.state.lock().await
    }

    /// The connection, opened when there is none. The caller gives it back with
    /// [`State::put_back`] when all went well.
    pub(super) async fn take(&self, state: &mut State) -> Result<PgConnection, StoreError> {
        if state.closed {
            return Err(StoreError::Failed(anyhow::anyhow!("the store is closed")));
        }
        if let Some(connection) = state.connection.take() {
            return Ok(connection);
        }
        state.known = Known::default();
        let mut connection = self.options.connect().await.map_err(store_error)?;
        prepare_session(&mut connection, self.statement_timeout).await.map_err(store_error)?;
        Ok(connection)
    }

    /// Waits for the last commit and closes.
    pub(super) async fn close(&self) {
        let mut state = self.enter().await;
        state.closed = true;
        if let Some(connection) = state.connection.take() {
            let _ = tokio::time::timeout(GOODBYE, connection.close()).await;
        }
    }
}

impl State {
    pub(super) fn put_back(&mut self, connection: PgConnection) {
        self.connection = Some(connection);
    }
}
