//! Builds and signs events: agents, demos, tests and load generators (VES 6.2, 7, 8.1).

use uuid::Uuid;

use super::{Event, Payload};
use crate::bytes::{Hash32, Sig64};
use crate::canonical::{CanonicalError, CanonicalLimits, canonicalize, payload_plain_hash};
use crate::signature::SigningKey;
use crate::stream::Stream;

/// A plaintext event before its hashes and its signature (VES 5).
#[derive(Clone, Debug)]
pub struct EventDraft {
    /// Tenant and store.
    pub stream: Stream,
    /// Identity of the event; a retry keeps it.
    pub event_id: Uuid,
    /// Who writes it.
    pub source_agent_id: Uuid,
    /// Which of the agent's keys will sign.
    pub agent_key_id: u32,
    /// 1 to 128 bytes.
    pub entity_type: String,
    /// 1 to 512 bytes.
    pub entity_id: String,
    /// 1 to 256 bytes.
    pub event_type: String,
    /// RFC 3339, best in UTC with `Z`.
    pub created_at: String,
    /// Must be an object to be accepted.
    pub payload: serde_json::Value,
    /// The intent behind the event.
    pub command_id: Option<Uuid>,
    /// The entity version the writer expects.
    pub base_version: Option<u64>,
}

impl EventDraft {
    /// Hashes the payload and signs the event (VES 6.2, 7, 8.1).
    ///
    /// Only the payload is checked; a sequencer checks the rest.
    ///
    /// # Errors
    /// The payload has no canonical form under [`CanonicalLimits::STRICT`], or one that a
    /// sequencer would refuse because a large float became a large integer in it.
    pub fn sign(self, key: &SigningKey) -> Result<Event, CanonicalError> {
        let canonical = canonicalize(&self.payload.to_string(), &CanonicalLimits::STRICT)?;
        // `Event::to_json` sends the canonical text, so that is what must be acceptable.
        let canonical = canonicalize(&canonical, &CanonicalLimits::STRICT)?;
        let mut event = Event {
            stream: self.stream,
            event_id: self.event_id,
            source_agent_id: self.source_agent_id,
            agent_key_id: self.agent_key_id,
            entity_type: self.entity_type,
            entity_id: self.entity_id,
            event_type: self.event_type,
            created_at: self.created_at,
            payload_plain_hash: payload_plain_hash(&canonical),
            payload: Payload::Plain(canonical),
            payload_cipher_hash: Hash32::ZERO,
            agent_signature: Sig64::ZERO,
            signature_scheme: None,
            command_id: self.command_id,
            base_version: self.base_version,
        };
        event.agent_signature = key.sign(&event.signing_hash());
        Ok(event)
    }
}
