//! Domain labels and the byte strings that are hashed (VES 3.1, 4).

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::bytes::Hash32;

/// The domain labels of VES 4, ASCII without terminator.
pub mod label {
    /// Payload hash (VES 6.2, 6.3).
    pub const PAYLOAD_PLAIN: &str = "VES_PAYLOAD_PLAIN_V1";
    /// Encryption context (VES 19.3).
    pub const PAYLOAD_AAD: &str = "VES_PAYLOAD_AAD_V1";
    /// Cipher hash (VES 19.5).
    pub const PAYLOAD_CIPHER: &str = "VES_PAYLOAD_CIPHER_V1";
    /// Recipient list (VES 19.4).
    pub const RECIPIENTS: &str = "VES_RECIPIENTS_V1";
    /// Event signing hash (VES 7).
    pub const EVENT_SIGNATURE: &str = "VES_EVENTSIG_V1";
    /// Merkle leaf (VES 15.1).
    pub const LEAF: &str = "VES_LEAF_V1";
    /// Padding leaf (VES 15.2).
    pub const PAD_LEAF: &str = "VES_PAD_LEAF_V1";
    /// Merkle node (VES 15.2).
    pub const NODE: &str = "VES_NODE_V1";
    /// Stream id (VES 17.1).
    pub const STREAM: &str = "VES_STREAM_V1";
    /// Receipt (VES 14.1).
    pub const RECEIPT: &str = "VES_RECEIPT_V1";
    /// Commitment chain (VES 17.2).
    pub const STATE_ROOT: &str = "VES_STATE_ROOT_V1";
    /// Proof of possession of a key (VES 9.3).
    pub const PROOF_OF_POSSESSION: &str = "VES_POP_V1";
}

/// Where the bytes of a preimage go: a hasher, or memory for whoever wants to see them.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes the primitive encodings of VES 3.1 one after the other.
#[derive(Clone, Debug)]
pub struct Preimage<S>(S);

impl Preimage<Sha256> {
    /// Starts a hash with a label of VES 4.
    pub fn hashed(label: &str) -> Self {
        Self(Sha256::new().chain_update(label))
    }

    /// The SHA-256 of everything written.
    pub fn finish(self) -> Hash32 {
        Hash32(self.0.finalize().into())
    }
}

impl Preimage<Vec<u8>> {
    /// Starts a byte string with a label of VES 4.
    pub fn recorded(label: &str) -> Self {
        Self(label.as_bytes().to_vec())
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl<S: Sink> Preimage<S> {
    /// Bytes as they are: hashes, signatures, canonical text.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.put(bytes);
        self
    }

    /// `u32(n)` of VES 3.1: four bytes, most significant first.
    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// `u64(n)` of VES 3.1: eight bytes, most significant first.
    pub fn u64(self, value: u64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// `uuid(x)` of VES 3.1: sixteen bytes in text order.
    pub fn uuid(self, value: &Uuid) -> Self {
        self.raw(value.as_bytes())
    }

    /// `str(s)` of VES 3.1: the number of UTF-8 bytes as `u32`, then the bytes.
    pub fn text(self, value: &str) -> Self {
        self.counted(value.as_bytes())
    }

    /// A byte string after its length as `u32` (VES 19.4, 19.5).
    pub fn counted(self, bytes: &[u8]) -> Self {
        // No limit of VES 21 lets a text of 4 GiB come near.
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).raw(bytes)
    }
}
