//! Ed25519 keys, signatures, proof of possession and key windows.

use serde_json::Value;
use ves::{
    KeyStatus, KeyWindow, PublicKey, StoredStatus, Timestamp, proof_of_possession_challenge,
};

use crate::events::verdict;
use crate::{hash, list, signature, signing_key, text};

pub(crate) fn keys(section: &Value) {
    for (name, key) in section.as_object().unwrap() {
        let public_key = signing_key(name).public_key();
        assert_eq!(public_key.as_bytes(), &hash(key, "public_key").0);
        assert_eq!(PublicKey::from_bytes(public_key.as_bytes()), Ok(public_key));
    }
}

pub(crate) fn ed25519(section: &Value) {
    for case in list(section) {
        let verified = PublicKey::from_bytes(&hash(case, "public_key").0)
            .is_ok_and(|key| key.verify(&hash(case, "message"), &signature(case, "signature")));
        assert_eq!(Some(verified), case["expect"].as_bool(), "{}", text(case, "name"));
    }
}

pub(crate) fn pop(section: &Value) {
    for case in list(section) {
        let key = signing_key(text(case, "key"));
        let challenge = proof_of_possession_challenge(key.public_key().as_bytes());
        assert_eq!(challenge, hash(case, "challenge"));
        assert_eq!(key.sign(&challenge), signature(case, "signature"));
        assert!(key.public_key().verify(&challenge, &signature(case, "signature")));
    }
}

pub(crate) fn key_windows(section: &Value) {
    let mut skipped = 0;
    for case in list(&section["cases"]) {
        let at = text(case, "at");
        if at.split_once('.').is_some_and(|(_, fraction)| fraction.len() > "123456Z".len()) {
            skipped += 1; // finer than our clock, as the file's README allows
            continue;
        }
        let window = window(&section["records"][text(case, "record")]);
        let at = Timestamp::parse(at).unwrap();
        assert_eq!(window.live_status(at).as_str(), text(case, "live_status"), "{case}");
        if let Some(audit) = case.get("audit_status_if_sequenced_then") {
            assert_eq!(Some(window.audit_status(at).as_str()), audit.as_str(), "{case}");
        }
    }
    assert_eq!(skipped, 5);
    for step in list(&section["rotation"]["steps"]) {
        let registry = list(&section["rotation"]["registry"]);
        let verdict = verdict(&step["envelope"], registry, text(step, "now"));
        assert_eq!(verdict, text(step, "expect"), "{step}");
    }
    assert_eq!(section.as_object().unwrap().len(), 3);
}

/// The status of a registry record at a moment.
pub(crate) fn live_status(record: &Value, at: &str) -> KeyStatus {
    window(record).live_status(Timestamp::parse(at).unwrap())
}

fn window(record: &Value) -> KeyWindow {
    let time = |name: &str| record[name].as_str().map(|text| Timestamp::parse(text).unwrap());
    KeyWindow {
        status: StoredStatus::parse(text(record, "status")).unwrap(),
        valid_from: time("valid_from"),
        valid_to: time("valid_to"),
        revoked_at: time("revoked_at"),
    }
}
