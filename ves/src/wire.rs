//! The JSON shapes of the VES routes, for server, commands, witness and load generator.
//!
//! Casing is mixed because existing agents expect it (VES 10.3, 14.3, 16.1, 17.3).

mod keys;
mod record;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::bytes::{Hash32, Timestamp};
use crate::commitment::Commitment;
use crate::merkle::InclusionProof;
use crate::receipt::Receipt;

pub use keys::{AgentKeyEntry, AgentKeysPage, SequencerInfo, SequencerKey, SequencerLimits};
pub use record::{EventRecord, RecordError, parse_event_record};

/// What an agent posts to the ingest route (VES 10.1); each event is one envelope.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestRequest {
    /// Must equal `source_agent_id` of every event.
    pub agent_id: Uuid,
    /// Envelopes of one stream, in the order they are to be numbered.
    pub events: Vec<Box<RawValue>>,
}

/// What the ingest route answers, also when every event is refused (VES 10.3).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestResponse {
    /// Names this request only; unrelated to commitments.
    pub batch_id: Uuid,
    /// Events given a new number.
    pub events_accepted: u64,
    /// Length of `rejections`.
    pub events_rejected: u64,
    /// First new number, if any.
    pub sequence_start: Option<u64>,
    /// Last new number, if any.
    pub sequence_end: Option<u64>,
    /// Highest number of the stream afterwards, 0 if none.
    pub head_sequence: u64,
    /// The refused events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejections: Vec<Rejection>,
    /// One for each new event and each exact re-submission.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
}

/// One refused event (VES 10.3, 11).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rejection {
    /// The event.
    pub event_id: Uuid,
    /// [`crate::Refusal::reason`].
    pub reason: String,
    /// [`crate::Refusal::message`].
    pub message: String,
}

/// A page of events in ascending order; a server fills it with [`EventRecord`], a client reads
/// each raw text with [`parse_event_record`] (VES 13).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventsPage<E = Box<RawValue>> {
    /// The events.
    pub events: Vec<E>,
    /// Highest number of the stream, 0 if none.
    pub head_sequence: u64,
    /// Where the next page starts; none after the last.
    pub next_from: Option<u64>,
}

/// A page of the events of one entity (VES 12.4).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntityPage<E = Box<RawValue>> {
    /// The events, by number.
    pub events: Vec<E>,
    /// The entity's version: how many events it has.
    pub version: u64,
    /// Where the next page starts; none after the last.
    pub next_from: Option<u64>,
}

/// How far a stream has come (VES 13, 17.5).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct HeadResponse {
    /// Highest number, 0 if none.
    pub head_sequence: u64,
    /// Highest committed number, 0 if none.
    pub committed_sequence: u64,
    /// `new_state_root` of the last commitment.
    pub last_state_root: Option<Hash32>,
}

/// The body that creates a commitment (VES 17.4).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct CommitmentRequest {
    /// Tenant of the stream.
    pub tenant_id: Uuid,
    /// Store of the stream.
    pub store_id: Uuid,
    /// First number.
    pub sequence_start: u64,
    /// Last number.
    pub sequence_end: u64,
}

/// A page of commitments in ascending order (VES 17.3).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct CommitmentsPage {
    /// The commitments.
    pub commitments: Vec<Commitment>,
    /// Length of `commitments`.
    pub count: u64,
    /// First number of the next page; none after the last.
    pub next_from: Option<u64>,
}

/// One commitment with its anchor, as the single read shows it (VES 17.3, 18.4).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct CommitmentDetail {
    /// The commitment.
    #[serde(flatten)]
    pub commitment: Commitment,
    /// Chain of the anchor.
    pub chain_id: Option<u32>,
    /// Transaction of the anchor.
    pub chain_tx_hash: Option<Hash32>,
    /// Block of the anchor.
    pub chain_block_number: Option<u64>,
    /// When the anchor became final.
    pub anchored_at: Option<Timestamp>,
    /// Whether the anchor is final.
    pub is_anchored: bool,
}

/// An inclusion proof (VES 16.1).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProofResponse {
    /// What is proved.
    pub sequence_number: u64,
    /// In which commitment.
    pub batch_id: Uuid,
    /// Its root.
    pub merkle_root: Hash32,
    /// The leaf; a verifier recomputes it from the event.
    pub leaf_hash: Hash32,
    /// `sequence_number` − `sequence_start`.
    pub leaf_index: u64,
    /// Sibling hashes, leaf level first.
    pub proof_path: Vec<Hash32>,
    /// True where the running value is the left input.
    pub directions: Vec<bool>,
}

impl ProofResponse {
    /// Names the event and the commitment of a proof (VES 16.1).
    pub fn new(sequence_number: u64, batch_id: Uuid, proof: InclusionProof) -> Self {
        Self {
            sequence_number,
            batch_id,
            merkle_root: proof.merkle_root,
            leaf_hash: proof.leaf_hash,
            leaf_index: proof.leaf_index,
            proof_path: proof.proof_path,
            directions: proof.directions,
        }
    }
}

/// The body of `proofs/verify`; its hashes may carry `0x` (VES 16.1).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct VerifyProofRequest {
    /// The leaf.
    #[serde(deserialize_with = "hash_either")]
    pub leaf_hash: Hash32,
    /// The root.
    #[serde(deserialize_with = "hash_either")]
    pub merkle_root: Hash32,
    /// At most [`crate::merkle::MAX_PROOF_PATH`] hashes, leaf level first.
    #[serde(deserialize_with = "hashes_either")]
    pub proof_path: Vec<Hash32>,
    /// Place of the leaf.
    pub leaf_index: u64,
    /// Leaves of the batch, for the strict checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf_count: Option<u64>,
}

/// The answer of `proofs/verify` (VES 16.2).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct VerifyProofResponse {
    /// Whether the path leads to the root.
    pub valid: bool,
    /// As asked, without `0x`.
    pub leaf_hash: Hash32,
    /// As asked, without `0x`.
    pub merkle_root: Hash32,
}

#[derive(Deserialize)]
struct EitherHash(#[serde(deserialize_with = "hash_either")] Hash32);

pub(crate) fn hash_either<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash32, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    Hash32::parse_either(&text)
        .ok_or_else(|| serde::de::Error::custom("expected 64 hex digits, with or without 0x"))
}

fn hashes_either<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash32>, D::Error> {
    let hashes = Vec::<EitherHash>::deserialize(deserializer)?;
    Ok(hashes.into_iter().map(|hash| hash.0).collect())
}
