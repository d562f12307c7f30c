//! Agents' public keys, decoded once and kept for a few seconds.

use std::sync::Arc;
use std::time::Duration;

use catalog::SequencerMetrics;
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
}

impl AgentKeys {
    /// A look-up that keeps at most `capacity` keys in memory.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, metrics: &SequencerMetrics, capacity: usize) -> Self {
        // A key that another replica registered works here at once: what is missing is asked for
        // again.
        let cache = LookupCache::new(capacity, metrics.agent_key_cache.clone(), Duration::ZERO);
        Self { store, cache }
    }

    /// The key if it is good at this moment: checks 13 to 15 of VES 11. The store asks again when
    /// it gives the number, so a key that ends meanwhile, on whatever replica, is refused there.
    ///
    /// # Errors
    /// The store's failure; a key that is not good is an inner refusal.
    pub async fn good_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
        at: Timestamp,
    ) -> Result<Result<PublicKey, Refusal>, StoreError> {
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
            (KeyStatus::Active, Some(key)) => Ok(*key),
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
