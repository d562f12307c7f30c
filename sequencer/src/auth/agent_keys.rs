//! Agents' public keys, decoded once and kept for a few seconds.

use std::sync::Arc;

use catalog::SequencerMetrics;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use uuid::Uuid;
use ves::{KeyStatus, KeyWindow, PublicKey, Refusal, Timestamp};

use super::cache::LookupCache;
use crate::store::{Store, StoreError};

type KeyName = (Uuid, Uuid, u32);

/// A registered key, ready to verify with. `None` when its bytes are not a usable key.
#[derive(Clone)]
struct DecodedKey {
    key: Option<PublicKey>,
    window: KeyWindow,
}

/// Looks up agents' keys, through a cache.
pub struct AgentKeys {
    store: Arc<dyn Store>,
    cache: LookupCache<KeyName, Arc<DecodedKey>>,
    /// Read while events are between the check of their key and their number, written while a key
    /// ends: an event that is numbered after its key has ended would be held against the log.
    /// Fair, so that a revocation waits for one group commit at most.
    endings: Arc<RwLock<()>>,
}

/// No key ends while this lives.
pub type NoKeyEnds = OwnedRwLockReadGuard<()>;

impl AgentKeys {
    /// A look-up that keeps at most `capacity` keys in memory.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, metrics: &SequencerMetrics, capacity: usize) -> Self {
        let cache = LookupCache::new(capacity, metrics.agent_key_cache.clone());
        Self { store, cache, endings: Arc::default() }
    }

    /// Waits until no key is ending, and keeps keys from ending. To be held from the check of an
    /// event's key until the event has its number.
    pub async fn keep(&self) -> NoKeyEnds {
        Arc::clone(&self.endings).read_owned().await
    }

    /// Waits until every event whose key was checked has its number. The end of a key is a moment
    /// after this and is written while the guard lives.
    pub async fn end(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.endings).write_owned().await
    }

    /// The key if it is good at this moment, and its window: checks 13 to 15 of VES 11.
    ///
    /// # Errors
    /// The store's failure; a key that is not good is an inner refusal.
    pub async fn good_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
        at: Timestamp,
    ) -> Result<Result<(PublicKey, KeyWindow), Refusal>, StoreError> {
        let name = (tenant_id, agent_id, key_id);
        let look_up = async {
            let record = self.store.agent_key(tenant_id, agent_id, key_id).await?;
            Ok(record.map(|record| {
                let key = PublicKey::from_bytes(&record.public_key).ok();
                Arc::new(DecodedKey { key, window: record.window })
            }))
        };
        let Some(decoded) = self.cache.get(&name, look_up).await? else {
            return Ok(Err(Refusal::AgentKeyInvalid("not_found")));
        };
        Ok(match (decoded.window.live_status(at), &decoded.key) {
            (KeyStatus::Active, Some(key)) => Ok((*key, decoded.window)),
            (KeyStatus::Active, None) => Err(Refusal::AgentKeyInvalid("bad_key")),
            (status, _) => Err(Refusal::AgentKeyInvalid(status.as_str())),
        })
    }

    /// Forgets a key that was just registered, rotated or revoked here.
    pub fn forget(&self, tenant_id: Uuid, agent_id: Uuid, key_id: u32) {
        self.cache.forget(&(tenant_id, agent_id, key_id));
    }

    /// Brings the gauges up to date, for a scrape.
    pub fn sample(&self) {
        self.cache.sample();
    }
}
