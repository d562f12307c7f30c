//! The event envelope: the signed unit of the protocol (VES 5, 7, 8).

mod draft;
mod members;
mod parse;
mod refusal;
mod write;

use uuid::Uuid;

use crate::bytes::{Hash32, Sig64};
use crate::canonical::payload_plain_hash;
use crate::encrypted::EncryptedPayload;
use crate::preimage::{Preimage, Sink, label};
use crate::signature::PublicKey;
use crate::stream::Stream;

pub use draft::EventDraft;
pub(crate) use members::{Members, NotMembers, integer, text};
pub use parse::{
    EnvelopeLimits, MAX_ENTITY_ID_BYTES, MAX_ENTITY_TYPE_BYTES, MAX_EVENT_TYPE_BYTES,
    MalformedEnvelope, Submission, parse_submission,
};
pub use refusal::Refusal;

/// One event (VES 5).
///
/// [`parse_submission`] gives only events whose payload or cipher hash is right; one read back
/// from a server for audit may be anything, see [`crate::wire::parse_event_record`].
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Event {
    /// Tenant and store.
    pub stream: Stream,
    /// Identity of the event inside its stream.
    pub event_id: Uuid,
    /// Who wrote it.
    pub source_agent_id: Uuid,
    /// Which of the agent's keys signed.
    pub agent_key_id: u32,
    /// 1 to 128 bytes.
    pub entity_type: String,
    /// 1 to 512 bytes.
    pub entity_id: String,
    /// 1 to 256 bytes.
    pub event_type: String,
    /// RFC 3339, hashed exactly as received; never used for ordering.
    pub created_at: String,
    /// Content, or what stands for it.
    pub payload: Payload,
    /// VES 6.2, or 6.3 for an encrypted payload.
    pub payload_plain_hash: Hash32,
    /// Zero for a plain payload, else VES 19.5.
    pub payload_cipher_hash: Hash32,
    /// Ed25519 over the signing hash.
    pub agent_signature: Sig64,
    /// Not signed. None, 0 and 1 stand for Ed25519; others are refused (VES 8.4).
    pub signature_scheme: Option<u64>,
    /// Not signed. The intent behind the event; used once per stream (VES 12.3).
    pub command_id: Option<Uuid>,
    /// Not signed. The entity version the writer expects (VES 12.4).
    pub base_version: Option<u64>,
}

/// The content of an event (VES 5, `payload_kind`).
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Payload {
    /// Kind 0: canonical JSON text.
    Plain(String),
    /// Kind 1: canonical JSON text of `payload_encrypted`, unknown members dropped.
    Encrypted(String),
}

impl Payload {
    /// `payload_kind`: 0 plain, 1 encrypted (VES 5).
    pub const fn kind(&self) -> u32 {
        match self {
            Self::Plain(_) => 0,
            Self::Encrypted(_) => 1,
        }
    }

    /// The canonical text of either kind.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Encrypted(text) => text,
        }
    }
}

impl Event {
    /// `payload_kind`: 0 plain, 1 encrypted (VES 5).
    pub const fn payload_kind(&self) -> u32 {
        self.payload.kind()
    }

    /// What the agent signs and the leaf and the receipt commit to (VES 7).
    pub fn signing_hash(&self) -> Hash32 {
        self.preimage(Preimage::hashed(label::EVENT_SIGNATURE)).finish()
    }

    /// The bytes under the signing hash, for tests and for explaining a mismatch (VES 7).
    pub fn signing_preimage(&self) -> Vec<u8> {
        self.preimage(Preimage::recorded(label::EVENT_SIGNATURE)).into_bytes()
    }

    /// Checks the scheme and the signature over the recomputed hash (VES 11, checks 16 and 17).
    ///
    /// # Errors
    /// [`Refusal::InvalidSignature`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), Refusal> {
        self.verify_signature_over(&self.signing_hash(), key)
    }

    /// The same for a caller that has computed [`Event::signing_hash`] already.
    ///
    /// # Errors
    /// [`Refusal::InvalidSignature`].
    pub fn verify_signature_over(&self, hash: &Hash32, key: &PublicKey) -> Result<(), Refusal> {
        let is_ed25519 = matches!(self.signature_scheme, None | Some(0 | 1));
        if is_ed25519 && key.verify(hash, &self.agent_signature) {
            Ok(())
        } else {
            Err(Refusal::InvalidSignature)
        }
    }

    /// Recomputes the hash over the content (VES 11, checks 7, 9, 11 and 12).
    ///
    /// An event from [`parse_submission`] always passes.
    ///
    /// # Errors
    /// [`Refusal::InvalidPayloadHash`], [`Refusal::InvalidCipherHash`], or
    /// [`Refusal::Schema`] for a plain event with a cipher hash and for a malformed encryption.
    pub fn verify_payload_hash(&self) -> Result<(), Refusal> {
        match &self.payload {
            Payload::Plain(canonical) => {
                if self.payload_cipher_hash != Hash32::ZERO {
                    let detail = "must be zero for a plain payload";
                    return Err(Refusal::schema("payload_cipher_hash", detail));
                }
                self.verify_plain_hash(canonical)
            }
            Payload::Encrypted(text) => self.verify_cipher_hash(&EncryptedPayload::parse(text)?),
        }
    }

    fn verify_plain_hash(&self, canonical: &str) -> Result<(), Refusal> {
        let matches = payload_plain_hash(canonical) == self.payload_plain_hash;
        if matches { Ok(()) } else { Err(Refusal::InvalidPayloadHash) }
    }

    fn verify_cipher_hash(&self, encrypted: &EncryptedPayload) -> Result<(), Refusal> {
        let context = crate::encrypted::payload_aad(self);
        let matches = encrypted.cipher_hash(&context) == self.payload_cipher_hash;
        if matches { Ok(()) } else { Err(Refusal::InvalidCipherHash) }
    }

    fn preimage<S: Sink>(&self, preimage: Preimage<S>) -> Preimage<S> {
        preimage
            .u32(1)
            .uuid(&self.stream.tenant_id)
            .uuid(&self.stream.store_id)
            .uuid(&self.event_id)
            .uuid(&self.source_agent_id)
            .u32(self.agent_key_id)
            .text(&self.entity_type)
            .text(&self.entity_id)
            .text(&self.event_type)
            .text(&self.created_at)
            .u32(self.payload_kind())
            .raw(&self.payload_plain_hash.0)
            .raw(&self.payload_cipher_hash.0)
    }
}
