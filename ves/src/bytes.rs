//! Text forms of the primitive values: hex, base64url, UUIDs and timestamps (VES 3.2).

mod hex;
mod timestamp;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

pub use hex::{Hash32, Sig64};
pub use timestamp::{Timestamp, is_rfc3339};

/// Reads a UUID in its one accepted text: lower case with hyphens (VES 3.2 \[H\]).
///
/// Braces, `urn:uuid:`, upper case, missing hyphens and surrounding blanks give `None`.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    let hyphenated = text.len() == 36 && text.as_bytes().get(8) == Some(&b'-');
    if !hyphenated || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    Uuid::try_parse(text).ok()
}

/// Reads base64url without padding (VES 3.2 \[H\]).
///
/// `=`, characters of the standard alphabet and unused trailing bits that are not zero
/// give `None`, so every accepted text equals the re-encoding of its bytes.
pub fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Writes base64url without padding (VES 3.2).
pub fn encode_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
