//! JSON shapes of agent keys and of the sequencer's own description (VES 9.1, 14.4).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bytes::{Hash32, Timestamp};
use crate::key::{KeyWindow, StoredStatus};

/// One registered signing key in a list (VES 9.1).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentKeyEntry {
    /// Tenant of the agent.
    pub tenant_id: Uuid,
    /// The agent.
    pub agent_id: Uuid,
    /// Number of the key, unique per agent.
    pub key_id: u32,
    /// 1 stands for Ed25519 (VES 8.3).
    pub key_algorithm: u32,
    /// 32 bytes; written without `0x`, read with or without.
    #[serde(deserialize_with = "super::hash_either")]
    pub public_key: Hash32,
    /// Status in the record.
    pub status: StoredStatus,
    /// First good moment.
    pub valid_from: Option<Timestamp>,
    /// Last good moment.
    pub valid_to: Option<Timestamp>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl AgentKeyEntry {
    /// The part that decides whether the key is good at a moment (VES 9.2).
    pub fn window(&self) -> KeyWindow {
        KeyWindow {
            status: self.status,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            revoked_at: self.revoked_at,
        }
    }
}

/// The signing keys of one agent (VES 9.1).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct AgentKeysPage {
    /// The keys.
    pub keys: Vec<AgentKeyEntry>,
    /// Length of `keys`.
    pub count: u64,
}

/// Who the sequencer is and which keys its receipts carry (VES 14.4).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct SequencerInfo {
    /// The logical sequencer, equal on all replicas.
    pub sequencer_id: Uuid,
    /// Current and past receipt keys.
    pub keys: Vec<SequencerKey>,
    /// 1.
    pub ves_version: u32,
    /// What a request may hold.
    pub limits: SequencerLimits,
}

/// One receipt key (VES 14.2).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct SequencerKey {
    /// `sequencerKeyVersion` of its receipts, from 1.
    pub key_version: u32,
    /// `ed25519`.
    pub algorithm: String,
    /// 32 bytes; written without `0x`, read with or without.
    #[serde(deserialize_with = "super::hash_either")]
    pub public_key: Hash32,
    /// When it began to sign.
    pub valid_from: Timestamp,
    /// When it ceased to; none for the current key.
    pub valid_to: Option<Timestamp>,
}

/// Limits of a request (VES 21).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct SequencerLimits {
    /// Longest request body in bytes.
    pub max_body_bytes: u64,
    /// Most events in one ingest request.
    pub max_events_per_request: u64,
    /// Longest canonical payload in bytes.
    pub max_payload_bytes: u64,
    /// Deepest payload in containers.
    pub max_payload_depth: u64,
    /// Longest `entity_type` in bytes.
    pub max_entity_type_bytes: u64,
    /// Longest `entity_id` in bytes.
    pub max_entity_id_bytes: u64,
    /// Longest `event_type` in bytes.
    pub max_event_type_bytes: u64,
    /// Most events in one page of a read.
    pub max_page_events: u64,
    /// Most events in one commitment.
    pub max_commitment_events: u64,
}
