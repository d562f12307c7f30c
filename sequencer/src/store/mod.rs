//! Where the log lives. One trait, native drivers, one behaviour.
//!
//! Invariants that every driver keeps:
//! * numbers of a stream are 1, 2, 3, … without hole or repetition;
//! * [`EventLog::commit_events`] returns only after its events are durable;
//! * written events, commitments and tiles never change;
//! * `sequenced_at` never decreases within a stream.
//!
//! What is accepted under which number is decided by [`sequencing`], which knows no database; a
//! driver loads the facts, asks it, and writes the result.

mod directory;
mod group;
mod guarded;
mod known;
mod measured;
mod model;
pub mod postgres;
mod row;
pub mod sequencing;
pub mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;
use ves::{Commitment, Hash32, Stream, Timestamp, merkle::Tile};

pub use directory::{AgentSummary, Directory, Overview, StoreSummary, TenantSummary};
pub use guarded::Guarded;
pub use model::{
    AgentKeyRecord, ApiKeyOrigin, ApiKeyRecord, Backlog, BatchOutcome, DiskRoom, EventOutcome,
    Fence, Head, LeafSource, Placement, PoolStatus, PreparedBatch, PreparedEvent, SequencerKey,
    StoredEvent, StreamState,
};

/// Why a store operation failed. Texts carry no SQL and no path.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; nothing was written.
    #[error("the disk of the store is full")]
    DiskFull,
    /// The disk refuses to write or to sync, and reads go on; whether the write happened is
    /// unknown, and repeating the request is safe.
    #[error("the disk of the store refuses to write")]
    DiskRefuses(#[source] anyhow::Error),
    /// The store did not answer or refused; whether a write happened is unknown, and repeating
    /// the request is safe.
    #[error("the store failed")]
    Failed(#[source] anyhow::Error),
    /// The store was not asked: it failed or hung a moment ago. Nothing was written.
    #[error("the store is not asked for {} ms, it failed", retry_after.as_millis())]
    Unavailable {
        /// Time until it is asked again.
        retry_after: Duration,
    },
    /// The log has a hole where there must be none.
    #[error("number {missing} is missing below the head {head}")]
    Gap {
        /// First number that is not there.
        missing: u64,
        /// Head of the stream.
        head: u64,
    },
    /// A stored value cannot be read as what it must be.
    #[error("the store holds a malformed value: {0}")]
    Corrupt(String),
}

/// What to do about a schema that is older than the program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Migration {
    /// Bring it up to date.
    Apply,
    /// Refuse.
    Refuse,
}

/// Result of an attempt to insert something that must not exist yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inserted {
    /// It is there now.
    Yes,
    /// Something with that identity was there before.
    Exists,
}

/// Result of sealing: somebody else may have been first.
#[derive(Clone, Debug)]
pub enum Sealed {
    /// This call stored the commitment.
    Stored,
    /// The chain ends elsewhere now: the caller must look again.
    ChainMoved,
}

/// The log: events under their numbers.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Gives numbers to the events of all batches and makes them durable, in one transaction.
    /// The outcomes are in the order of the batches.
    async fn commit_events(
        &self,
        batches: &[PreparedBatch],
        now: Timestamp,
        key_version: u32,
    ) -> Result<Vec<BatchOutcome>, StoreError>;

    /// Head and committed number of a stream; zeros when it does not exist.
    async fn head(&self, stream: Stream) -> Result<Head, StoreError>;
    /// Highest numbers given, in the order of the streams; 0 for one that does not exist. One cheap
    /// question, asked several times a second for all streams that somebody follows.
    async fn heads(&self, streams: &[Stream]) -> Result<Vec<u64>, StoreError>;
    /// Events `from ..` ascending, at most `limit`, and the head they were read under. The page
    /// ends early with the event whose payload brings all of them to `max_bytes`.
    async fn events(
        &self,
        stream: Stream,
        from: u64,
        limit: u32,
        max_bytes: usize,
    ) -> Result<(Vec<StoredEvent>, u64), StoreError>;
    /// Those of the events that exist, in no particular order.
    async fn find_events(
        &self,
        stream: Stream,
        event_ids: &[Uuid],
    ) -> Result<Vec<StoredEvent>, StoreError>;
    /// History of an entity from a sequence number on, bounded as [`EventLog::events`], and its
    /// version.
    async fn entity_events(
        &self,
        stream: Stream,
        entity: (&str, &str),
        from: u64,
        limit: u32,
        max_bytes: usize,
    ) -> Result<(Vec<StoredEvent>, u64), StoreError>;
    /// What the leaves `start ..= end` are made of. All of them, or [`StoreError::Gap`].
    async fn leaf_sources(
        &self,
        stream: Stream,
        start: u64,
        end: u64,
    ) -> Result<Vec<LeafSource>, StoreError>;
    /// Streams after this one in key order, for a walk over all.
    async fn streams(
        &self,
        after: Option<Stream>,
        limit: u32,
    ) -> Result<Vec<StreamState>, StoreError>;
}

/// Sealed batches over the log.
#[async_trait]
pub trait CommitmentLog: Send + Sync {
    /// Appends a commitment with its tree if it still continues the stream's chain, and the lease
    /// it was made under, if any, has not passed on.
    async fn seal(
        &self,
        commitment: &Commitment,
        tiles: &[Tile],
        fence: Option<Fence>,
    ) -> Result<Sealed, StoreError>;
    /// A commitment by id.
    async fn commitment(&self, batch_id: Uuid) -> Result<Option<Commitment>, StoreError>;
    /// The commitment that holds a number.
    async fn commitment_of(
        &self,
        stream: Stream,
        sequence_number: u64,
    ) -> Result<Option<Commitment>, StoreError>;
    /// Commitments with `sequence_start >= from`, ascending.
    async fn commitments(
        &self,
        stream: Stream,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Commitment>, StoreError>;
    /// The last commitment of a stream.
    async fn last_commitment(&self, stream: Stream) -> Result<Option<Commitment>, StoreError>;
    /// The named tiles (band, index) of a commitment's tree.
    async fn tiles(&self, batch_id: Uuid, wanted: &[(u32, u64)]) -> Result<Vec<Tile>, StoreError>;
    /// Streams with events that are in no batch, oldest first, at most `limit`.
    async fn backlog(&self, limit: u32) -> Result<Vec<Backlog>, StoreError>;
    /// Number of events in no batch over all streams, and acceptance of the oldest.
    async fn backlog_total(&self) -> Result<(u64, Option<Timestamp>), StoreError>;
}

/// Agents' signing keys, and the sequencer's own.
#[async_trait]
pub trait KeyRegistry: Send + Sync {
    /// One agent key.
    async fn agent_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
    ) -> Result<Option<AgentKeyRecord>, StoreError>;
    /// All keys of an agent by key id.
    async fn agent_keys(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
    ) -> Result<Vec<AgentKeyRecord>, StoreError>;
    /// Registers a key.
    async fn insert_agent_key(&self, key: &AgentKeyRecord) -> Result<Inserted, StoreError>;
    /// Registers a key and ends all active keys of the agent with a lower id at `ends_at`, unless
    /// they end sooner.
    async fn rotate_agent_key(
        &self,
        key: &AgentKeyRecord,
        ends_at: Timestamp,
    ) -> Result<Inserted, StoreError>;
    /// Revokes a key for good; `None` when there is no such key.
    async fn revoke_agent_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
        at: Timestamp,
    ) -> Result<Option<AgentKeyRecord>, StoreError>;

    /// The logical sequencer's id: the stored one, or `proposed` stored now.
    async fn sequencer_id(&self, proposed: Uuid) -> Result<Uuid, StoreError>;
    /// Makes this the current receipt key if it is not; returns all keys, current last.
    async fn set_sequencer_key(
        &self,
        public_key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Vec<SequencerKey>, StoreError>;
    /// All receipt keys by version.
    async fn sequencer_keys(&self) -> Result<Vec<SequencerKey>, StoreError>;
}

/// Work that one process does at a time, whichever that is.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a lease that nobody holds, or extends the owner's own, for this long by the store's
    /// clock; `None` while another process holds it.
    async fn hold_lease(
        &self,
        lease: &'static str,
        owner: Uuid,
        term: Duration,
    ) -> Result<Option<Fence>, StoreError>;
    /// Gives a lease back, if it is held.
    async fn end_lease(&self, lease: &'static str, owner: Uuid) -> Result<(), StoreError>;
}

/// Who may call.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// A credential by the SHA-256 of its text.
    async fn api_key(&self, key_hash: &Hash32) -> Result<Option<ApiKeyRecord>, StoreError>;
    /// Credentials of a tenant (all tenants when `None`) after a prefix, in prefix order.
    async fn api_keys(
        &self,
        tenant_id: Option<Uuid>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ApiKeyRecord>, StoreError>;
    /// A credential by its public prefix.
    async fn api_key_by_prefix(&self, prefix: &str) -> Result<Option<ApiKeyRecord>, StoreError>;
    /// Stores a credential.
    async fn insert_api_key(&self, key: &ApiKeyRecord) -> Result<Inserted, StoreError>;
    /// Revokes a credential for good.
    async fn revoke_api_key(&self, key_hash: &Hash32, at: Timestamp) -> Result<(), StoreError>;
    /// Notes when credentials were last used.
    async fn touch_api_keys(&self, used: &[(Hash32, Timestamp)]) -> Result<(), StoreError>;
    /// Makes this the only live credential of its origin, also when it was retired before.
    /// [`Inserted::Exists`]: its text is a credential of another origin, and nothing is changed.
    async fn set_configured_key(&self, key: &ApiKeyRecord) -> Result<Inserted, StoreError>;
    /// Revokes every credential of an origin for good, unless it is set again.
    async fn retire_api_keys(&self, origin: ApiKeyOrigin, at: Timestamp) -> Result<(), StoreError>;
    /// How many credentials are not revoked.
    async fn count_active_api_keys(&self) -> Result<u64, StoreError>;
}

/// A durable store of all five.
#[async_trait]
pub trait Store:
    EventLog + CommitmentLog + KeyRegistry + CredentialStore + Directory + Leases + 'static
{
    /// The cheapest question that proves that the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Connections in use.
    fn pool_status(&self) -> PoolStatus;
    /// Room on the disk of the store's files; `None` when it has none here.
    fn disk_room(&self) -> Option<DiskRoom>;
    /// Finishes what is under way, flushes and releases the store.
    async fn close(&self);
}
