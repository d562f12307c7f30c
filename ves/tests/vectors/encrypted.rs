//! Encrypted events as a sequencer sees them; what only a recipient can see comes later.

use serde_json::Value;
use ves::Payload;
use ves::canonical::salted_payload_plain_hash;
use ves::encrypted::{EncryptedPayload, payload_aad};

use crate::events::{accepted, verdict};
use crate::{bytes, hash, list, text};

pub(crate) fn encrypted(section: &Value) {
    for case in list(&section["events"]) {
        let name = text(case, "name");
        let event = accepted(&case["envelope"]);
        assert_eq!(event.payload_kind(), 1);
        assert_eq!(event.verify_payload_hash(), Ok(()), "{name}");
        assert_eq!(event.signing_hash(), hash(case, "signing_hash"), "{name}");
        assert_eq!(payload_aad(&event), hash(case, "payload_aad"), "{name}");
        assert_eq!(event.payload_cipher_hash, hash(case, "payload_cipher_hash"), "{name}");
        let Payload::Encrypted(canonical) = &event.payload else { panic!("{name} is plain") };
        let sent = case["envelope"]["payload_encrypted"].to_string();
        assert_eq!(canonical, &serde_json_canonicalizer::pipe(&sent).unwrap());
        let encrypted = EncryptedPayload::parse(canonical).unwrap();
        assert_eq!(encrypted.recipients_hash(), hash(case, "recipients_hash"), "{name}");
        assert_eq!(encrypted.nonce.to_vec(), bytes(text(case, "nonce")), "{name}");
        let plaintext = bytes(text(case, "plaintext"));
        let (salt, payload) = plaintext.split_first_chunk::<16>().unwrap();
        let payload = std::str::from_utf8(payload).unwrap();
        assert_eq!(salted_payload_plain_hash(salt, payload), event.payload_plain_hash, "{name}");
        let written: Value = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(accepted(&written), event, "{name}");
    }
    for case in list(&section["refused"]) {
        let verdict = verdict(&case["envelope"], list(&case["registry"]), text(case, "now"));
        assert_eq!(verdict, text(case, "expect"), "{}", text(case, "name"));
    }
}
