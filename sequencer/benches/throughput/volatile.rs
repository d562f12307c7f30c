//! The ceiling: a store that numbers events and keeps none of them.
//!
//! The same handlers, committer and receipts run over it, so the distance between it and a real
//! store is what durability costs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sequencer::store::sequencing::{StreamFacts, decide, key_of};
use sequencer::store::{
    AgentKeyRecord, AgentSummary, ApiKeyOrigin, ApiKeyRecord, Backlog, BatchOutcome, CommitmentLog,
    CredentialStore, Directory, DiskRoom, EventLog, Fence, Head, Inserted, KeyRegistry, LeafSource,
    Leases, Overview, PoolStatus, PreparedBatch, Sealed, SequencerKey, Store, StoreError,
    StoreSummary, StoredEvent, StreamState, TenantSummary,
};
use uuid::Uuid;
use ves::merkle::Tile;
use ves::{Commitment, Hash32, Stream, Timestamp};

use crate::naive::Naive;

/// Heads and keys in memory, nothing else.
#[derive(Default)]
pub(crate) struct Volatile {
    heads: Mutex<HashMap<Stream, u64>>,
    agent_keys: Mutex<HashMap<(Uuid, Uuid, u32), AgentKeyRecord>>,
    api_keys: Mutex<HashMap<Hash32, ApiKeyRecord>>,
    /// Where events go instead; keys stay here.
    naive: Option<Naive>,
}

impl Volatile {
    /// Keys in memory, events by transactions that every request makes for itself.
    pub(crate) fn over(naive: Naive) -> Self {
        Self { naive: Some(naive), ..Self::default() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keeps_nothing<T>() -> Result<T, StoreError> {
    Err(StoreError::Failed(anyhow::anyhow!("the ceiling keeps no events")))
}

#[async_trait]
impl EventLog for Volatile {
    async fn commit_events(
        &self,
        batches: &[PreparedBatch],
        now: Timestamp,
        key_version: u32,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        if let Some(naive) = &self.naive {
            return naive.commit(batches, now, key_version).await;
        }
        let mut heads = lock(&self.heads);
        let keys = lock(&self.agent_keys);
        let outcomes = batches.iter().map(|batch| {
            let head = heads.entry(batch.stream).or_default();
            let mut facts = StreamFacts { head_sequence: *head, ..StreamFacts::default() };
            for event in batch.events.iter().map(|prepared| &prepared.event) {
                let name = (batch.stream.tenant_id, event.source_agent_id, event.agent_key_id);
                let window = keys.get(&name).map(|key| key.window);
                facts.keys.extend(window.map(|window| (key_of(event), window)));
            }
            let outcome = decide(&mut facts, batch, now, key_version, &mut Vec::new());
            *head = facts.head_sequence;
            outcome
        });
        Ok(outcomes.collect())
    }

    async fn head(&self, stream: Stream) -> Result<Head, StoreError> {
        let head_sequence = lock(&self.heads).get(&stream).copied().unwrap_or(0);
        Ok(Head { head_sequence, ..Head::default() })
    }

    async fn heads(&self, streams: &[Stream]) -> Result<Vec<u64>, StoreError> {
        let heads = lock(&self.heads);
        Ok(streams.iter().map(|stream| heads.get(stream).copied().unwrap_or(0)).collect())
    }

    async fn events(
        &self,
        _: Stream,
        _: u64,
        _: u32,
        _: usize,
    ) -> Result<(Vec<StoredEvent>, u64), StoreError> {
        keeps_nothing()
    }

    async fn find_events(&self, _: Stream, _: &[Uuid]) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(Vec::new())
    }

    async fn entity_events(
        &self,
        _: Stream,
        _: (&str, &str),
        _: u64,
        _: u32,
        _: usize,
    ) -> Result<(Vec<StoredEvent>, u64), StoreError> {
        keeps_nothing()
    }

    async fn leaf_sources(&self, _: Stream, _: u64, _: u64) -> Result<Vec<LeafSource>, StoreError> {
        keeps_nothing()
    }

    async fn streams(&self, _: Option<Stream>, _: u32) -> Result<Vec<StreamState>, StoreError> {
        keeps_nothing()
    }
}

#[async_trait]
impl CommitmentLog for Volatile {
    async fn seal(
        &self,
        _: &Commitment,
        _: &[Tile],
        _: Option<Fence>,
    ) -> Result<Sealed, StoreError> {
        keeps_nothing()
    }

    async fn commitment(&self, _: Uuid) -> Result<Option<Commitment>, StoreError> {
        Ok(None)
    }

    async fn commitment_of(&self, _: Stream, _: u64) -> Result<Option<Commitment>, StoreError> {
        Ok(None)
    }

    async fn commitments(&self, _: Stream, _: u64, _: u32) -> Result<Vec<Commitment>, StoreError> {
        Ok(Vec::new())
    }

    async fn last_commitment(&self, _: Stream) -> Result<Option<Commitment>, StoreError> {
        Ok(None)
    }

    async fn tiles(&self, _: Uuid, _: &[(u32, u64)]) -> Result<Vec<Tile>, StoreError> {
        keeps_nothing()
    }

    async fn backlog(&self, _: u32) -> Result<Vec<Backlog>, StoreError> {
        Ok(Vec::new())
    }

    async fn backlog_total(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        Ok((0, None))
    }
}

#[async_trait]
impl KeyRegistry for Volatile {
    async fn agent_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
    ) -> Result<Option<AgentKeyRecord>, StoreError> {
        Ok(lock(&self.agent_keys).get(&(tenant_id, agent_id, key_id)).cloned())
    }

    async fn agent_keys(&self, _: Uuid, _: Uuid) -> Result<Vec<AgentKeyRecord>, StoreError> {
        keeps_nothing()
    }

    async fn insert_agent_key(&self, key: &AgentKeyRecord) -> Result<Inserted, StoreError> {
        let name = (key.tenant_id, key.agent_id, key.key_id);
        lock(&self.agent_keys).insert(name, key.clone());
        Ok(Inserted::Yes)
    }

    async fn rotate_agent_key(
        &self,
        _: &AgentKeyRecord,
        _: Timestamp,
    ) -> Result<Inserted, StoreError> {
        keeps_nothing()
    }

    async fn revoke_agent_key(
        &self,
        _: Uuid,
        _: Uuid,
        _: u32,
        _: Timestamp,
    ) -> Result<Option<AgentKeyRecord>, StoreError> {
        keeps_nothing()
    }

    async fn sequencer_id(&self, proposed: Uuid) -> Result<Uuid, StoreError> {
        Ok(proposed)
    }

    async fn set_sequencer_key(
        &self,
        public_key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Vec<SequencerKey>, StoreError> {
        let public_key = *public_key;
        Ok(vec![SequencerKey { version: 1, public_key, valid_from: now, valid_to: None }])
    }

    async fn sequencer_keys(&self) -> Result<Vec<SequencerKey>, StoreError> {
        keeps_nothing()
    }
}

#[async_trait]
impl CredentialStore for Volatile {
    async fn api_key(&self, key_hash: &Hash32) -> Result<Option<ApiKeyRecord>, StoreError> {
        Ok(lock(&self.api_keys).get(key_hash).cloned())
    }

    async fn api_keys(
        &self,
        _: Option<Uuid>,
        _: &str,
        _: u32,
    ) -> Result<Vec<ApiKeyRecord>, StoreError> {
        keeps_nothing()
    }

    async fn api_key_by_prefix(&self, _: &str) -> Result<Option<ApiKeyRecord>, StoreError> {
        Ok(None)
    }

    async fn insert_api_key(&self, key: &ApiKeyRecord) -> Result<Inserted, StoreError> {
        lock(&self.api_keys).insert(key.key_hash, key.clone());
        Ok(Inserted::Yes)
    }

    async fn revoke_api_key(&self, _: &Hash32, _: Timestamp) -> Result<(), StoreError> {
        keeps_nothing()
    }

    async fn touch_api_keys(&self, _: &[(Hash32, Timestamp)]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn set_configured_key(&self, key: &ApiKeyRecord) -> Result<Inserted, StoreError> {
        self.insert_api_key(key).await
    }

    async fn retire_api_keys(&self, _: ApiKeyOrigin, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn count_active_api_keys(&self) -> Result<u64, StoreError> {
        Ok(lock(&self.api_keys).len() as u64)
    }
}

#[async_trait]
impl Directory for Volatile {
    async fn overview(&self, _: Option<Uuid>, _: Timestamp) -> Result<Overview, StoreError> {
        keeps_nothing()
    }

    async fn tenants(
        &self,
        _: Option<Uuid>,
        _: Timestamp,
        _: Option<Uuid>,
        _: u32,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        keeps_nothing()
    }

    async fn stores(
        &self,
        _: Option<Uuid>,
        _: Option<Stream>,
        _: u32,
        _: bool,
    ) -> Result<Vec<StoreSummary>, StoreError> {
        keeps_nothing()
    }

    async fn agents(
        &self,
        _: (Option<Uuid>, Option<Uuid>),
        _: Timestamp,
        _: Option<(Uuid, Uuid)>,
        _: u32,
    ) -> Result<Vec<AgentSummary>, StoreError> {
        keeps_nothing()
    }

    async fn agent_api_keys(
        &self,
        _: Uuid,
        _: Uuid,
        _: (&str, &str),
        _: u32,
    ) -> Result<Vec<ApiKeyRecord>, StoreError> {
        keeps_nothing()
    }
}

#[async_trait]
impl Leases for Volatile {
    async fn hold_lease(
        &self,
        _: &'static str,
        _: Uuid,
        _: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        Ok(None)
    }

    async fn end_lease(&self, _: &'static str, _: Uuid) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Store for Volatile {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn pool_status(&self) -> PoolStatus {
        PoolStatus::default()
    }

    fn disk_room(&self) -> Option<DiskRoom> {
        None
    }

    async fn close(&self) {}
}
