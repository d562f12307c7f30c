//! Any store behind a circuit breaker, with a limit on how long a call may take.
//!
//! A call that is given up is dropped, which every driver bears: the connection is mended or
//! dropped before its next use. A group commit is never dropped half way, because what became of
//! it would be anybody's guess: while it hangs, the breaker opens and its callers are told to
//! repeat, and the driver ends it by its own time limit.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use ves::{Commitment, Hash32, Stream, Timestamp, merkle::Tile};

use super::{
    AgentKeyRecord, AgentSummary, ApiKeyOrigin, ApiKeyRecord, Backlog, BatchOutcome, CommitmentLog,
    CredentialStore, Directory, DiskRoom, EventLog, Fence, Head, Inserted, KeyRegistry, LeafSource,
    Leases, Overview, PoolStatus, PreparedBatch, Sealed, SequencerKey, Store, StoreError,
    StoreSummary, StoredEvent, StreamState, TenantSummary,
};
use crate::breaker::{Breaker, Kind};

/// A store that is not asked while it fails or hangs.
pub struct Guarded {
    inner: Arc<dyn Store>,
    breaker: Arc<Breaker>,
    /// Longest call; above the driver's own limits, which give better reasons.
    call_timeout: Duration,
}

impl Guarded {
    /// A store whose calls end within `call_timeout`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, breaker: Arc<Breaker>, call_timeout: Duration) -> Self {
        Self { inner, breaker, call_timeout }
    }

    /// The breaker.
    #[must_use]
    pub fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// Finds out when an open breaker can close, until told to stop. Nobody's request is risked
    /// for it, and it needs no traffic.
    pub async fn recover(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.breaker.opened()).await.is_some() {
            // In rounds, because who asks first may be somebody else, such as `/ready`.
            while let Some(wait) = self.breaker.next_probe() {
                if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    return;
                }
                // How it went is in the breaker.
                let _ = self.ping().await;
            }
        }
    }

    async fn work<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Unpin,
    ) -> Result<T, StoreError> {
        self.watched(Kind::Work, self.call_timeout, true, call).await
    }

    async fn commit<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Unpin,
    ) -> Result<T, StoreError> {
        self.watched(Kind::Work, self.call_timeout, false, call).await
    }

    async fn watched<T>(
        &self,
        kind: Kind,
        limit: Duration,
        may_be_dropped: bool,
        mut call: impl Future<Output = Result<T, StoreError>> + Unpin,
    ) -> Result<T, StoreError> {
        let unavailable = |retry_after| StoreError::Unavailable { retry_after };
        let mut watch = self.breaker.begin(kind).map_err(unavailable)?;
        let slow = self.breaker.slow_call().min(limit);
        let result = match timeout(slow, &mut call).await {
            Ok(result) => result,
            Err(_) => {
                watch.is_slow();
                let longer = timeout(limit - slow, &mut call);
                if may_be_dropped {
                    tokio::select! {
                        result = longer => result.unwrap_or_else(|_| Err(no_answer(limit))),
                        () = self.breaker.opened() => Err(no_answer(slow)),
                    }
                } else {
                    match longer.await {
                        Ok(result) => result,
                        Err(_) => {
                            watch.hangs();
                            call.await
                        }
                    }
                }
            }
        };
        watch.end(matches!(result, Err(StoreError::Failed(_))));
        result
    }
}

fn no_answer(within: Duration) -> StoreError {
    StoreError::Failed(anyhow::anyhow!("no answer within {} s", within.as_secs_f64()))
}

/// Passes each method on to the store inside, by the method of [`Guarded`] that watches it.
macro_rules! pass_on {
    ($($trait:ident {
        $($watch:ident $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+
    })+) => {$(
        #[async_trait]
        impl $trait for Guarded {$(
            async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.$watch(self.inner.$name($($argument),*)).await
            }
        )+}
    )+};
}

pass_on! {
    EventLog {
        commit commit_events(
            batches: &[PreparedBatch], now: Timestamp, key_version: u32
        ) -> Vec<BatchOutcome>;
        work head(stream: Stream) -> Head;
        work heads(streams: &[Stream]) -> Vec<u64>;
        work events(
            stream: Stream, from: u64, limit: u32, max_bytes: usize
        ) -> (Vec<StoredEvent>, u64);
        work find_events(stream: Stream, event_ids: &[Uuid]) -> Vec<StoredEvent>;
        work entity_events(
            stream: Stream, entity: (&str, &str), from: u64, limit: u32, max_bytes: usize
        ) -> (Vec<StoredEvent>, u64);
        work leaf_sources(stream: Stream, start: u64, end: u64) -> Vec<LeafSource>;
        work streams(after: Option<Stream>, limit: u32) -> Vec<StreamState>;
    }
    CommitmentLog {
        work seal(commitment: &Commitment, tiles: &[Tile], fence: Option<Fence>) -> Sealed;
        work commitment(batch_id: Uuid) -> Option<Commitment>;
        work commitment_of(stream: Stream, sequence_number: u64) -> Option<Commitment>;
        work commitments(stream: Stream, from: u64, limit: u32) -> Vec<Commitment>;
        work last_commitment(stream: Stream) -> Option<Commitment>;
        work tiles(batch_id: Uuid, wanted: &[(u32, u64)]) -> Vec<Tile>;
        work backlog(limit: u32) -> Vec<Backlog>;
        work backlog_total() -> (u64, Option<Timestamp>);
    }
    Leases {
        work hold_lease(lease: &'static str, owner: Uuid, term: Duration) -> Option<Fence>;
        work end_lease(lease: &'static str, owner: Uuid) -> ();
    }
    KeyRegistry {
        work agent_key(
            tenant_id: Uuid, agent_id: Uuid, key_id: u32
        ) -> Option<AgentKeyRecord>;
        work agent_keys(tenant_id: Uuid, agent_id: Uuid) -> Vec<AgentKeyRecord>;
        work insert_agent_key(key: &AgentKeyRecord) -> Inserted;
        work rotate_agent_key(key: &AgentKeyRecord, ends_at: Timestamp) -> Inserted;
        work revoke_agent_key(
            tenant_id: Uuid, agent_id: Uuid, key_id: u32, at: Timestamp
        ) -> Option<AgentKeyRecord>;
        work sequencer_id(proposed: Uuid) -> Uuid;
        work set_sequencer_key(public_key: &[u8; 32], now: Timestamp) -> Vec<SequencerKey>;
        work sequencer_keys() -> Vec<SequencerKey>;
    }
    CredentialStore {
        work api_key(key_hash: &Hash32) -> Option<ApiKeyRecord>;
        work api_keys(
            tenant_id: Option<Uuid>, after: &str, limit: u32
        ) -> Vec<ApiKeyRecord>;
        work api_key_by_prefix(prefix: &str) -> Option<ApiKeyRecord>;
        work insert_api_key(key: &ApiKeyRecord) -> Inserted;
        work revoke_api_key(key_hash: &Hash32, at: Timestamp) -> ();
        work touch_api_keys(used: &[(Hash32, Timestamp)]) -> ();
        work set_configured_key(key: &ApiKeyRecord) -> Inserted;
        work retire_api_keys(origin: ApiKeyOrigin, at: Timestamp) -> ();
        work count_active_api_keys() -> u64;
    }
    Directory {
        work overview(tenant_id: Option<Uuid>, since: Timestamp) -> Overview;
        work tenants(
            tenant_id: Option<Uuid>, since: Timestamp, after: Option<Uuid>, limit: u32
        ) -> Vec<TenantSummary>;
        work stores(
            tenant_id: Option<Uuid>, after: Option<Stream>, limit: u32, with_agents: bool
        ) -> Vec<StoreSummary>;
        work agents(
            ids: (Option<Uuid>, Option<Uuid>),
            at: Timestamp,
            after: Option<(Uuid, Uuid)>,
            limit: u32
        ) -> Vec<AgentSummary>;
        work agent_api_keys(
            tenant_id: Uuid, agent_id: Uuid, page: (&str, &str), limit: u32
        ) -> Vec<ApiKeyRecord>;
    }
}

#[async_trait]
impl Store for Guarded {
    async fn ping(&self) -> Result<(), StoreError> {
        let limit = self.breaker.slow_call().min(self.call_timeout);
        self.watched(Kind::Probe, limit, true, self.inner.ping()).await
    }

    fn pool_status(&self) -> PoolStatus {
        self.inner.pool_status()
    }

    fn disk_room(&self) -> Option<DiskRoom> {
        self.inner.disk_room()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
