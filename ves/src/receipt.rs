//! What the sequencer signs for each event it numbered (VES 14).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bytes::{Hash32, Sig64, Timestamp};
use crate::preimage::{Preimage, label};
use crate::signature::{PublicKey, SigningKey};
use crate::stream::Stream;

/// The receipt hash: SHA-256 over 102 bytes (VES 14.1).
pub fn receipt_hash(
    stream: &Stream,
    event_id: &Uuid,
    sequence_number: u64,
    signing_hash: &Hash32,
) -> Hash32 {
    Preimage::hashed(label::RECEIPT)
        .uuid(&stream.tenant_id)
        .uuid(&stream.store_id)
        .uuid(event_id)
        .u64(sequence_number)
        .raw(&signing_hash.0)
        .finish()
}

/// How a receipt is signed; this version knows Ed25519 only (VES 14.3).
#[derive(Copy, Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureAlg {
    /// Scheme 1.
    Ed25519,
}

/// A receipt in the form of the ingest response (VES 14.3).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The logical sequencer that numbered the event. Not covered by the hash.
    pub sequencer_id: Uuid,
    /// The event.
    pub event_id: Uuid,
    /// Its number in the stream, from 1.
    pub sequence_number: u64,
    /// The sequencer's clock at numbering. Not covered by the hash.
    pub sequenced_at: Timestamp,
    /// VES 14.1.
    pub receipt_hash: Hash32,
    /// Always `ed25519` here.
    pub signature_alg: SignatureAlg,
    /// Ed25519 over the 32 bytes of `receipt_hash` (VES 14.2).
    pub sequencer_signature: Sig64,
    /// Which of the published sequencer keys signed, from 1.
    pub sequencer_key_version: u32,
    /// 1 stands for Ed25519.
    pub receipt_signature_scheme: u32,
}

impl Receipt {
    /// Makes and signs a receipt (VES 14.1, 14.2). Equal inputs give equal bytes.
    #[expect(clippy::too_many_arguments, reason = "each is one field of the receipt")]
    pub fn issue(
        key: &SigningKey,
        key_version: u32,
        sequencer_id: Uuid,
        stream: &Stream,
        event_id: Uuid,
        sequence_number: u64,
        sequenced_at: Timestamp,
        signing_hash: &Hash32,
    ) -> Self {
        let receipt_hash = receipt_hash(stream, &event_id, sequence_number, signing_hash);
        Self {
            sequencer_id,
            event_id,
            sequence_number,
            sequenced_at,
            receipt_hash,
            signature_alg: SignatureAlg::Ed25519,
            sequencer_signature: key.sign(&receipt_hash),
            sequencer_key_version: key_version,
            receipt_signature_scheme: 1,
        }
    }

    /// Recomputes the hash from one's own copy of the event and checks the signature (VES 14.4).
    pub fn verify(&self, key: &PublicKey, stream: &Stream, signing_hash: &Hash32) -> bool {
        self.fits(stream, signing_hash) && key.verify(&self.receipt_hash, &self.sequencer_signature)
    }

    /// The part of [`Receipt::verify`] that needs no key: the hash is that of the event.
    pub fn fits(&self, stream: &Stream, signing_hash: &Hash32) -> bool {
        let expected = receipt_hash(stream, &self.event_id, self.sequence_number, signing_hash);
        self.receipt_hash == expected && self.receipt_signature_scheme == 1
    }
}
