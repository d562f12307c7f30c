//! What the room shows of the store.

use catalog::label::ConnectionState;
use serde::Serialize;
use ves::Timestamp;

use super::quick_check::QuickCheck;

/// The store as the last look found it.
#[derive(Clone, Debug, Serialize)]
pub struct StoreView {
    /// Which driver is looked at; none when DATABASE_URL is not set.
    pub driver: Option<Driver>,
    /// The file, or host, port and database; never a credential.
    pub place: String,
    /// Whether the last look got what it asked for; none before the first look ended.
    pub reachable: Option<bool>,
    /// What the last look found, in words: why the store cannot be reached when it cannot.
    pub reason: String,
    /// Since when `reachable` is what it is.
    pub since: Option<Timestamp>,
    /// When the last look ended, good or not.
    pub last_attempt: Option<Timestamp>,
    /// When the last complete look ended; the figures are of then.
    pub last_look: Option<Timestamp>,
    /// Time that the last look took.
    pub duration_seconds: Option<f64>,
    /// Figures of the last complete look.
    pub figures: Option<Figures>,
    /// Figures that could not be told, each with its reason in words.
    pub notes: Vec<String>,
    /// The database server's clock against ours; none for an embedded store, which has no clock,
    /// and while the server cannot be reached.
    pub clock: Option<ClockSkew>,
    /// The last integrity check that somebody asked for; none for a server.
    pub quick_check: Option<QuickCheck>,
}

/// A kind of store.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// What a look measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figures {
    /// Of the embedded store.
    Sqlite(SqliteFigures),
    /// Of a server.
    Postgres(PostgresFigures),
}

/// What the headers of the embedded store's files say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SqliteFigures {
    /// Size of the database file.
    pub database_bytes: u64,
    /// Size of the write-ahead log, 0 when there is none.
    pub wal_bytes: u64,
    /// Size of one page.
    pub page_bytes: u64,
    /// Unused pages in the database file, as of the last checkpoint.
    pub freelist_bytes: u64,
    /// What is in the write-ahead log only; none while the index of the log cannot be read.
    pub checkpoint_backlog_bytes: Option<u64>,
    /// Checkpoints seen to move pages since this sidecar's start; never more than there were.
    pub checkpoints_seen: u64,
}

/// What a server says of itself; none for what the role may not see or the server does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PostgresFigures {
    /// `server_version`.
    pub server_version: String,
    /// Whether it is a standby.
    pub is_standby: bool,
    /// Clients' connections to the whole server.
    pub connections: Option<Connections>,
    /// `max_connections`.
    pub max_connections: u64,
    /// Age of the oldest open transaction in the database, 0 when there is none.
    pub longest_transaction_seconds: Option<f64>,
    /// Lock requests that wait in the database.
    pub locks_waiting: u64,
    /// Statements with a mean above 200 ms.
    pub slow_statements: Option<u64>,
    /// Dead row versions in the sequencer's tables.
    pub dead_tuples: Option<u64>,
    /// Of a primary: its standbys.
    pub standbys: Option<u64>,
    /// The largest delay of a standby; of a standby its own.
    pub replication_lag_seconds: Option<f64>,
}

/// Connections by what they do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Connections {
    /// Run a statement.
    pub active: u64,
    /// Wait for their client.
    pub idle: u64,
    /// Wait for their client with a transaction open.
    pub idle_in_transaction: u64,
    /// Anything else.
    pub other: u64,
}

impl Connections {
    /// Those in a state.
    #[must_use]
    pub fn of(&self, state: ConnectionState) -> u64 {
        match state {
            ConnectionState::Active => self.active,
            ConnectionState::Idle => self.idle,
            ConnectionState::IdleInTransaction => self.idle_in_transaction,
            ConnectionState::Other => self.other,
        }
    }
}

/// Another clock against ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClockSkew {
    /// Its time minus ours at the middle of the round trip; positive when it is ahead.
    pub skew_seconds: f64,
    /// Half of the round trip: the true skew is no further away than this.
    pub uncertainty_seconds: f64,
    /// When it was asked.
    pub measured_at: Timestamp,
}
