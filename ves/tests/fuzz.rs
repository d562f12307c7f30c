//! Every parser against arbitrary and against slightly damaged input: no panic, and whatever is
//! accepted keeps an invariant.
//!
//! More cases: `PROPTEST_CASES=1000000 cargo test --release -p ves --test fuzz`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;

use proptest::prelude::*;
use proptest::sample::Index;
use ves::bytes::{decode_base64url, encode_base64url, is_rfc3339, parse_uuid};
use ves::encrypted::EncryptedPayload;
use ves::merkle::{Tile, proof_from_tiles, proof_tiles, verify_inclusion};
use ves::{
    CanonicalError, CanonicalLimits, EnvelopeLimits, Hash32, Payload, PublicKey, Sig64,
    StreamAuditor, Timestamp, canonicalize, parse_event_record, parse_submission,
};

/// Pieces from which texts that come close to JSON are put together.
const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"\"",
    "\"a\"",
    "\"b\":",
    "{\"a\":",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-",
    "1.5",
    "1e2",
    "1E+400",
    "1e-400",
    "9007199254740993",
    "01",
    "\\u0000",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\n\"",
    "\"\\x\"",
    " ",
    "\t\n\r",
    "\u{7f}",
    "é",
    "\u{1f600}",
    "\u{e000}",
    "\0",
    "\u{feff}",
    "//",
    "NaN",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// A payload with every kind of value.
const PAYLOAD: &str =
    r#"{"a":[1,-2.5e-7,{"é":"\u0041\n"}],"b":{"c":null,"\ud83d\ude00":true},"c":9e20}"#;

/// Timestamps, about half of them of days and hours that do not exist.
const TIMESTAMP: &str = "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\
                         (\\.[0-9]{0,10})?(Z|[+-][0-2][0-9]:[0-6][0-9])";

/// One change to a text: what to cut out and what to put in.
type Edit = (Index, usize, usize);

fn soup() -> impl Strategy<Value = String> {
    let pieces = proptest::collection::vec(0..PIECES.len(), 0..30)
        .prop_map(|pieces| pieces.into_iter().map(|piece| PIECES[piece]).collect());
    prop_oneof![pieces, any::<String>()]
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    proptest::collection::vec((any::<Index>(), 0..3_usize, 0..PIECES.len() * 2), 1..4)
}

/// Damages a valid text in a few places; half of the edits put nothing in.
fn damage(text: &str, edits: &[Edit]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (at, cut, piece) in edits {
        let at = at.index(text.len() + 1);
        let end = text.len().min(at + cut);
        text.splice(at..end, PIECES.get(*piece).copied().unwrap_or("").chars());
    }
    text.into_iter().collect()
}

fn check_submission(text: &str) {
    let limits = EnvelopeLimits::default();
    let Ok(submission) = parse_submission(text, &limits) else { return };
    let event = match submission.event {
        Ok(event) => event,
        Err(refusal) => return assert!(!refusal.reason().is_empty()),
    };
    assert_eq!((event.stream, event.event_id), (submission.stream, submission.event_id));
    assert_eq!(event.source_agent_id, submission.source_agent_id);
    assert_eq!(event.verify_payload_hash(), Ok(()));
    assert!(is_rfc3339(&event.created_at));
    assert!(event.payload.as_str().len() <= limits.max_payload_bytes);
    if let Payload::Plain(payload) = &event.payload {
        assert_eq!(canonicalize(payload, &CanonicalLimits::AUDIT).as_ref(), Ok(payload));
        // An accepted large float may not come back; all else must.
        if canonicalize(payload, &CanonicalLimits::STRICT).is_err() {
            return;
        }
    }
    let again = parse_submission(&event.to_json(), &limits).unwrap();
    assert_eq!(again.event, Ok(event));
}

fn check_record(text: &str) {
    let Ok(record) = parse_event_record(text) else { return };
    assert_eq!(parse_event_record(&record.to_json()).as_ref(), Ok(&record));
    // Any record at all can be audited.
    StreamAuditor::new(sample::STREAM).event(&record, &sample::Keys::good());
}

/// An independent parser accepts the same texts, apart from our extra rules.
fn check_canonical(text: &str) {
    let audit = canonicalize(text, &CanonicalLimits::AUDIT);
    let general = serde_json_canonicalizer::pipe(text);
    match &audit {
        Ok(canonical) => {
            assert_eq!(canonical, &general.unwrap());
            assert_eq!(canonicalize(canonical, &CanonicalLimits::AUDIT).as_ref(), Ok(canonical));
        }
        Err(
            CanonicalError::BadJson | CanonicalError::NumberRange | CanonicalError::LoneSurrogate,
        ) => assert!(general.is_err(), "{text:?}"),
        Err(CanonicalError::UnsafeInteger) => panic!("integers are not limited in an audit"),
        Err(_) => {}
    }
    if let Ok(strict) = canonicalize(text, &CanonicalLimits::STRICT) {
        assert_eq!(audit, Ok(strict));
    }
}

fn check_texts(text: &str) {
    assert_eq!(is_rfc3339(text), Timestamp::parse(text).is_some());
    if let Some(time) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
    }
    if let Some(bytes) = decode_base64url(text) {
        assert_eq!(encode_base64url(&bytes), text);
    }
    if let Some(id) = parse_uuid(text) {
        assert_eq!(id.to_string(), text);
    }
    if let Some(hash) = Hash32::parse_bare(text) {
        assert_eq!(hash.to_string(), text);
    }
    if let Some(hash) = Hash32::parse_prefixed(text) {
        assert_eq!(hash.to_prefixed(), text);
    }
    if let Some(hash) = Hash32::parse_either(text) {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        assert_eq!(hash.to_string(), digits.to_lowercase());
    }
    if let Some(signature) = Sig64::parse_prefixed(text) {
        assert_eq!(signature.to_prefixed(), text);
    }
}

fn encrypted_envelope() -> String {
    let file: serde_json::Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    file["encrypted"]["events"][1]["envelope"].to_string()
}

proptest! {
    #![proptest_config(sample::cases(400))]

    #[test]
    fn arbitrary_texts(text in soup()) {
        check_submission(&text);
        check_record(&text);
        check_canonical(&text);
        check_texts(&text);
        if let Ok(encrypted) = EncryptedPayload::parse(&text) {
            prop_assert_eq!(EncryptedPayload::parse(&encrypted.to_canonical()), Ok(encrypted));
        }
    }

    #[test]
    fn damaged_submissions(edits in edits()) {
        check_submission(&damage(&sample::event(1).to_json(), &edits));
        check_submission(&damage(&encrypted_envelope(), &edits));
    }

    #[test]
    fn damaged_records(edits in edits()) {
        check_record(&damage(&sample::record(sample::event(1), 1).to_json(), &edits));
    }

    #[test]
    fn damaged_payloads(edits in edits()) {
        check_canonical(PAYLOAD);
        check_canonical(&damage(PAYLOAD, &edits));
    }

    #[test]
    fn damaged_texts(edits in edits(), which in 0..6_usize) {
        let texts = [
            "2026-02-03T04:05:06.123456-11:30",
            "2016-12-31T23:59:60Z",
            "0eadd0e1-2cac-4687-be2f-a4d6bdfcc8ba",
            "7U7Zca1sxKnDY7eL2NYZ9g",
            "0xc89d02cd9364cf98285f30095906d38d551fc5ac6af09dd626eb0eeab165b9c2",
            "c89d02cd9364cf98285f30095906d38d551fc5ac6af09dd626eb0eeab165b9c2",
        ];
        check_texts(texts[which]);
        check_texts(&damage(texts[which], &edits));
    }

    #[test]
    fn timestamp_shaped_texts(text in TIMESTAMP) {
        check_texts(&text);
    }

    #[test]
    fn arbitrary_proofs(
        leaf: [u8; 32], root: [u8; 32], path in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
        index: u64, count: Option<u64>,
    ) {
        let path: Vec<_> = path.into_iter().map(Hash32).collect();
        // Nobody finds a path to a random root; all that counts is an answer.
        prop_assert!(!verify_inclusion(&Hash32(leaf), &Hash32(root), &path, index, count));
    }

    #[test]
    fn arbitrary_tiles(
        index: u64, count: u64, lengths in proptest::collection::vec(0..300_usize, 0..9),
    ) {
        let wanted = proof_tiles(index, count);
        let tiles = wanted.iter().zip(lengths).map(|(&(band, index), length)| {
            Tile { band, index, hashes: vec![Hash32::ZERO; length] }
        });
        let tiles: Vec<_> = tiles.collect();
        if let Some(proof) = proof_from_tiles(index, count, &tiles) {
            let (leaf, root) = (&proof.leaf_hash, &proof.merkle_root);
            prop_assert!(verify_inclusion(leaf, root, &proof.proof_path, index, Some(count)));
        }
    }

    #[test]
    fn arbitrary_keys_and_signatures(key: [u8; 32], signature: [[u8; 32]; 2], hash: [u8; 32]) {
        if let Ok(key) = PublicKey::from_bytes(&key) {
            let signature = Sig64(signature.concat().try_into().unwrap());
            prop_assert!(!key.verify(&Hash32(hash), &signature));
        }
    }
}
