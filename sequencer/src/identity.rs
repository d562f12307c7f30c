//! Who signs the receipts: the logical sequencer's id and its keys.

use uuid::Uuid;
use ves::bytes::Hash32;
use ves::{Receipt, SigningKey, Stream};

use crate::store::{Placement, SequencerKey};

/// The signing identity, the same on every process of one logical sequencer.
pub struct Identity {
    sequencer_id: Uuid,
    key: SigningKey,
    /// All keys by version; the last is the current one.
    keys: Vec<SequencerKey>,
}

impl Identity {
    /// An identity whose current key is the last of `keys`.
    #[must_use]
    pub fn new(sequencer_id: Uuid, key: SigningKey, keys: Vec<SequencerKey>) -> Self {
        Self { sequencer_id, key, keys }
    }

    /// Id of the logical sequencer.
    #[must_use]
    pub fn sequencer_id(&self) -> Uuid {
        self.sequencer_id
    }

    /// Version of the current key.
    #[must_use]
    pub fn key_version(&self) -> u32 {
        self.keys.last().map_or(1, |key| key.version)
    }

    /// Current and past keys by version.
    #[must_use]
    pub fn keys(&self) -> &[SequencerKey] {
        &self.keys
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
            self.key_version(),
            self.sequencer_id,
            &stream,
            event_id,
            placement.sequence_number,
            placement.sequenced_at,
            signing_hash,
        )
    }
}
