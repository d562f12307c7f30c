//! Who signs the receipts: the logical sequencer's id and its keys.

use std::sync::{PoisonError, RwLock};

use uuid::Uuid;
use ves::bytes::Hash32;
use ves::{Receipt, SigningKey, Stream};

use crate::store::{KeyRegistry, Placement, SequencerKey, StoreError};

/// The signing identity. Its id is the same on every process of one logical sequencer; its key may
/// be another one while replicas go from one to the next.
pub struct Identity {
    sequencer_id: Uuid,
    key: SigningKey,
    /// Of this process's key.
    key_version: u32,
    /// All keys by version, those of newer replicas among them. Held for a copy only.
    keys: RwLock<Vec<SequencerKey>>,
}

impl Identity {
    /// An identity whose key is the last of `keys`.
    #[must_use]
    pub fn new(sequencer_id: Uuid, key: SigningKey, keys: Vec<SequencerKey>) -> Self {
        let key_version = keys.last().map_or(1, |key| key.version);
        Self { sequencer_id, key, key_version, keys: RwLock::new(keys) }
    }

    /// Id of the logical sequencer.
    #[must_use]
    pub fn sequencer_id(&self) -> Uuid {
        self.sequencer_id
    }

    /// Version of the key that this process signs with.
    #[must_use]
    pub fn key_version(&self) -> u32 {
        self.key_version
    }

    /// Current and past keys by version.
    #[must_use]
    pub fn keys(&self) -> Vec<SequencerKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Learns keys that other replicas began to sign with, so that their receipts can be checked
    /// by what any replica publishes.
    ///
    /// # Errors
    /// The store's failure; what was known stays.
    pub async fn refresh(&self, store: &(impl KeyRegistry + ?Sized)) -> Result<(), StoreError> {
        let keys = store.sequencer_keys().await?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// The receipt of an event. Ed25519 is deterministic: the same key gives the same bytes each
    /// time, so receipts are derived, not stored.
    #[must_use]
    pub fn receipt(
        &self,
        stream: Stream,
        event_id: Uuid,
        placement: Placement,
        signing_hash: &Hash32,
    ) -> Receipt {
        Receipt::issue(
            &self.key,
            self.key_version,
            self.sequencer_id,
            &stream,
            event_id,
            placement.sequence_number,
            placement.sequenced_at,
            signing_hash,
        )
    }
}
