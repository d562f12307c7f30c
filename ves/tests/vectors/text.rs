//! Labels, primitive encodings and canonical JSON.

use std::collections::BTreeSet;

use serde_json::Value;
use ves::bytes::{decode_base64url, encode_base64url, is_rfc3339, parse_uuid};
use ves::canonical::{payload_plain_hash, salted_payload_plain_hash};
use ves::preimage::{Preimage, label};
use ves::{CanonicalError, CanonicalLimits, Hash32, Timestamp, canonicalize, merkle};

use crate::{bytes, hash, hex, list, number, text};

pub(crate) fn labels(section: &Value) {
    let ours = BTreeSet::from([
        label::PAYLOAD_PLAIN,
        label::PAYLOAD_AAD,
        label::PAYLOAD_CIPHER,
        label::RECIPIENTS,
        label::EVENT_SIGNATURE,
        label::LEAF,
        label::PAD_LEAF,
        label::NODE,
        label::STREAM,
        label::RECEIPT,
        label::STATE_ROOT,
        label::PROOF_OF_POSSESSION,
    ]);
    let labels = section.as_object().unwrap();
    assert_eq!(labels.len(), ours.len());
    for label in labels.values() {
        let ascii = text(label, "ascii");
        assert!(ours.contains(ascii), "{ascii}");
        assert_eq!(hex(ascii.as_bytes()), text(label, "hex"));
        assert_eq!(ascii.len() as u64, number(label, "length"));
    }
}

pub(crate) fn constants(section: &Value) {
    assert_eq!(merkle::PAD, hash(section, "pad_leaf"));
    assert_eq!(merkle::PAD, Preimage::hashed(label::PAD_LEAF).finish());
    assert_eq!(Hash32::ZERO, hash(section, "zero32"));
    // The group order is checked by the signature cases that add it to S.
    let order = "7237005577332262213973186563042994240857116359379907606001950938285454250989";
    assert_eq!(text(section, "ed25519_l"), order);
    assert_eq!(section.as_object().unwrap().len(), 3);
}

pub(crate) fn encodings(section: &Value) {
    let start = || Preimage::recorded("");
    for case in list(&section["u32"]) {
        let value = u32::try_from(number(case, "value")).unwrap();
        assert_eq!(hex(&start().u32(value).into_bytes()), text(case, "hex"));
    }
    for case in list(&section["u64"]) {
        let value = number(case, "value");
        assert_eq!(hex(&start().u64(value).into_bytes()), text(case, "hex"));
    }
    for case in list(&section["str"]) {
        let value = text(case, "text");
        assert_eq!(hex(&start().text(value).into_bytes()), text(case, "hex"));
    }
    for case in list(&section["uuid"]) {
        let value = parse_uuid(text(case, "text")).unwrap();
        assert_eq!(hex(&start().uuid(&value).into_bytes()), text(case, "hex"));
        assert_eq!(value.to_string(), text(case, "text"));
    }
    for case in list(&section["base64url"]) {
        assert_eq!(decode_base64url(text(case, "text")).unwrap(), bytes(text(case, "hex")));
        assert_eq!(encode_base64url(&bytes(text(case, "hex"))), text(case, "text"));
    }
    for case in list(&section["timestamp"]) {
        let text = case.as_str().unwrap();
        assert!(is_rfc3339(text) && Timestamp::parse(text).is_some(), "{text}");
    }
    type Refuse = fn(&str) -> bool;
    let refused: [(&str, Refuse); 4] = [
        ("uuid_refused", |text| parse_uuid(text).is_none()),
        ("hex32_refused", |text| Hash32::parse_prefixed(text).is_none()),
        ("base64url_refused", |text| decode_base64url(text).is_none()),
        ("timestamp_refused", |text| !is_rfc3339(text)),
    ];
    for (name, is_refused) in refused {
        for case in list(&section[name]) {
            assert!(is_refused(case.as_str().unwrap()), "{name}: {case}");
        }
    }
    assert_eq!(section.as_object().unwrap().len(), 10);
}

pub(crate) fn jcs_numbers(section: &Value) {
    for case in list(section) {
        let canonical = canonicalize(text(case, "input"), &CanonicalLimits::AUDIT);
        assert_eq!(canonical.as_deref(), Ok(text(case, "canonical")));
    }
}

pub(crate) fn jcs(section: &Value) {
    for case in list(section) {
        let name = text(case, "name");
        let large_integers = name == "number_array";
        let limits = if large_integers { CanonicalLimits::AUDIT } else { CanonicalLimits::STRICT };
        let canonical = canonicalize(text(case, "input"), &limits).unwrap();
        assert_eq!(canonical, text(case, "canonical"), "{name}");
        assert_eq!(payload_plain_hash(&canonical), hash(case, "payload_plain_hash"), "{name}");
        let salt: [u8; 16] = bytes(text(case, "salt")).try_into().unwrap();
        let salted = salted_payload_plain_hash(&salt, &canonical);
        assert_eq!(salted, hash(case, "payload_plain_hash_salted"), "{name}");
    }
}

pub(crate) fn jcs_refused(section: &Value) {
    for case in list(section) {
        let error = canonicalize(text(case, "input"), &CanonicalLimits::STRICT).unwrap_err();
        let name = match error {
            CanonicalError::DuplicateMember { .. } => "duplicate_member",
            CanonicalError::UnsafeInteger => "unsafe_integer",
            CanonicalError::NumberRange => "number_range",
            CanonicalError::LoneSurrogate => "lone_surrogate",
            CanonicalError::BadJson => "bad_json",
            CanonicalError::TooDeep => "too_deep",
            CanonicalError::Nul => "nul",
            CanonicalError::TooLarge => "too_large",
        };
        assert_eq!(name, text(case, "expect"), "{}", text(case, "name"));
    }
}
