//! Encrypted payloads as far as a sequencer or verifier sees them (VES 19).
//!
//! Nothing here opens a payload: keys and plaintext are the recipients' business.

use std::fmt::Write as _;

use serde_json::Value;

use crate::bytes::{Hash32, decode_base64url, encode_base64url};
use crate::envelope::{Event, Refusal};
use crate::preimage::{Preimage, label};

const AEAD: &str = "AES-256-GCM";
/// The `hpke` members in the order of VES 19.1 and the one value each may have.
const HPKE: [(&str, &str, &str); 4] = [
    ("mode", "payload_encrypted.hpke.mode", "base"),
    ("kem", "payload_encrypted.hpke.kem", "X25519-HKDF-SHA256"),
    ("kdf", "payload_encrypted.hpke.kdf", "HKDF-SHA256"),
    ("aead", "payload_encrypted.hpke.aead", AEAD),
];

/// A well-formed `payload_encrypted`, decoded (VES 19.1).
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct EncryptedPayload {
    /// Nonce of the content encryption.
    pub nonce: [u8; 12],
    /// Content without its tag; at least one byte.
    pub ciphertext: Vec<u8>,
    /// Tag of the content encryption.
    pub tag: [u8; 16],
    /// At least one, by strictly ascending `recipient_kid`.
    pub recipients: Vec<Recipient>,
}

/// The content key, wrapped for one recipient (VES 19.1).
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Recipient {
    /// The recipient's key id.
    pub recipient_kid: u32,
    /// HPKE encapsulated key.
    pub enc: [u8; 32],
    /// Wrapped key with its tag.
    pub ct: [u8; 48],
}

impl EncryptedPayload {
    /// Reads and checks the record (VES 19.2, in its order, version 1 only). Unknown members
    /// are dropped.
    ///
    /// # Errors
    /// [`Refusal::Schema`] naming the first failing member, such as
    /// `payload_encrypted.nonce_b64u`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_str(text)
            .map_err(|_| Refusal::schema("payload_encrypted", "is not JSON"))?;
        if !value.is_object() {
            return Err(Refusal::schema("payload_encrypted", "must be an object"));
        }
        if value.get("enc_version").and_then(Value::as_u64) != Some(1) {
            return Err(Refusal::schema("payload_encrypted.enc_version", "must be 1"));
        }
        constant(value.get("aead"), "payload_encrypted.aead", AEAD)?;
        let hpke = value.get("hpke").filter(|hpke| hpke.is_object());
        let hpke =
            hpke.ok_or_else(|| Refusal::schema("payload_encrypted.hpke", "must be an object"))?;
        for (name, path, expected) in HPKE {
            constant(hpke.get(name), path, expected)?;
        }
        let nonce = bytes(&value, "nonce_b64u", "payload_encrypted.nonce_b64u")?;
        let ciphertext = value.get("ciphertext_b64u").and_then(Value::as_str);
        let ciphertext = ciphertext.and_then(decode_base64url).filter(|bytes| !bytes.is_empty());
        let ciphertext = ciphertext.ok_or_else(|| {
            let detail = "must be at least one byte of unpadded base64url";
            Refusal::schema("payload_encrypted.ciphertext_b64u", detail)
        })?;
        let tag = bytes(&value, "tag_b64u", "payload_encrypted.tag_b64u")?;
        let recipients = recipients(value.get("recipients"))?;
        Ok(Self { nonce, ciphertext, tag, recipients })
    }

    /// The canonical text of the record (VES 6.1, 19.1).
    pub fn to_canonical(&self) -> String {
        let mut out = String::with_capacity(512 + self.ciphertext.len() / 3 * 4);
        let [(_, _, mode), (_, _, kem), (_, _, kdf), (_, _, aead)] = HPKE;
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "{{\"aead\":\"{AEAD}\",\"ciphertext_b64u\":\"{}\",\"enc_version\":1,\
             \"hpke\":{{\"aead\":\"{aead}\",\"kdf\":\"{kdf}\",\"kem\":\"{kem}\",\
             \"mode\":\"{mode}\"}},\"nonce_b64u\":\"{}\",\"recipients\":[",
            encode_base64url(&self.ciphertext),
            encode_base64url(&self.nonce),
        );
        for (index, recipient) in self.recipients.iter().enumerate() {
            let _ = write!(
                out,
                "{}{{\"ct_b64u\":\"{}\",\"enc_b64u\":\"{}\",\"recipient_kid\":{}}}",
                if index == 0 { "" } else { "," },
                encode_base64url(&recipient.ct),
                encode_base64url(&recipient.enc),
                recipient.recipient_kid,
            );
        }
        let _ = write!(out, "],\"tag_b64u\":\"{}\"}}", encode_base64url(&self.tag));
        out
    }

    /// The hash of the recipient list (VES 19.4).
    pub fn recipients_hash(&self) -> Hash32 {
        let start = Preimage::hashed(label::RECIPIENTS);
        let entries = self.recipients.iter().fold(start, |preimage, recipient| {
            preimage.u32(recipient.recipient_kid).counted(&recipient.enc).counted(&recipient.ct)
        });
        entries.finish()
    }

    /// `payload_cipher_hash` under a context hash of [`payload_aad`] (VES 19.5).
    pub fn cipher_hash(&self, payload_aad: &Hash32) -> Hash32 {
        Preimage::hashed(label::PAYLOAD_CIPHER)
            .u32(1)
            .raw(&self.nonce)
            .raw(&payload_aad.0)
            .counted(&self.ciphertext)
            .raw(&self.tag)
            .raw(&self.recipients_hash().0)
            .finish()
    }
}

/// The context hash that ties an encryption to its event (VES 19.3).
pub fn payload_aad(event: &Event) -> Hash32 {
    Preimage::hashed(label::PAYLOAD_AAD)
        .uuid(&event.stream.tenant_id)
        .uuid(&event.stream.store_id)
        .uuid(&event.event_id)
        .uuid(&event.source_agent_id)
        .u32(event.agent_key_id)
        .text(&event.entity_type)
        .text(&event.entity_id)
        .text(&event.event_type)
        .text(&event.created_at)
        .raw(&event.payload_plain_hash.0)
        .finish()
}

fn recipients(value: Option<&Value>) -> Result<Vec<Recipient>, Refusal> {
    const PATH: &str = "payload_encrypted.recipients";
    let entries = value.and_then(Value::as_array).filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| Refusal::schema(PATH, "must be a non-empty array"))?;
    let mut recipients: Vec<Recipient> = Vec::with_capacity(entries.len());
    for entry in entries {
        let kid = entry.get("recipient_kid").and_then(Value::as_u64);
        let Some(recipient_kid) = kid.and_then(|kid| u32::try_from(kid).ok()) else {
            let path = "payload_encrypted.recipients.recipient_kid";
            return Err(Refusal::schema(path, "must be an integer from 0 to 2^32-1"));
        };
        if recipients.last().is_some_and(|last| last.recipient_kid >= recipient_kid) {
            let detail = "must be in strictly ascending order of recipient_kid";
            return Err(Refusal::schema(PATH, detail));
        }
        let enc = bytes(entry, "enc_b64u", "payload_encrypted.recipients.enc_b64u")?;
        let ct = bytes(entry, "ct_b64u", "payload_encrypted.recipients.ct_b64u")?;
        recipients.push(Recipient { recipient_kid, enc, ct });
    }
    Ok(recipients)
}

fn constant(value: Option<&Value>, path: &str, expected: &str) -> Result<(), Refusal> {
    if value.and_then(Value::as_str) == Some(expected) {
        return Ok(());
    }
    Err(Refusal::schema(path, &format!("must be \"{expected}\"")))
}

fn bytes<const N: usize>(value: &Value, name: &str, path: &str) -> Result<[u8; N], Refusal> {
    let bytes = value.get(name).and_then(Value::as_str).and_then(decode_base64url);
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Refusal::schema(path, &format!("must be {N} bytes of unpadded base64url")))
}
