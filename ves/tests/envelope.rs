//! Which envelope gets which answer: every rule of "Ingest" in the HTTP contract (VES 5, 11).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;

use serde_json::{Value, json};
use ves::canonical::payload_plain_hash;
use ves::{EnvelopeLimits, Refusal, parse_submission};

/// What became of the sample event after its text was changed.
fn answer(text: &str) -> String {
    match parse_submission(text, &EnvelopeLimits::default()) {
        Err(malformed) => format!("request: {}", malformed.member.unwrap_or("-")),
        Ok(submission) => match submission.event {
            Ok(_) => "event".to_owned(),
            Err(refusal) => refusal.reason(),
        },
    }
}

fn envelope() -> Value {
    serde_json::from_str(&sample::event(1).to_json()).unwrap()
}

/// Replaces one member, or takes it out.
fn with(member: &str, value: Option<Value>) -> String {
    let mut envelope = envelope();
    match value {
        Some(value) => envelope[member] = value,
        None => {
            envelope.as_object_mut().unwrap().remove(member);
        }
    }
    envelope.to_string()
}

/// Puts a raw text in the place of the payload; the hash is right if there can be one.
fn with_payload(raw: &str) -> String {
    let mut envelope = envelope();
    let canonical = serde_json_canonicalizer::pipe(raw).unwrap_or_default();
    envelope["payload_plain_hash"] = payload_plain_hash(&canonical).to_prefixed().into();
    envelope["payload"] = "RAW".into();
    envelope.to_string().replace("\"RAW\"", raw)
}

#[test]
fn an_unreadable_element_fails_the_request() {
    let check = |text: &str, expected: &str| assert_eq!(answer(text), expected, "{text}");
    for text in ["", "{", "nul", "{}x", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "[1"] {
        check(text, "request: -");
    }
    for text in ["null", "1", "\"{}\"", "[]", "[{}]"] {
        check(text, "request: -");
    }
    check("{}", "request: event_id");
    for member in ["event_id", "tenant_id", "store_id", "source_agent_id"] {
        let expected = format!("request: {member}");
        check(&with(member, None), &expected);
        let upper = "0EADD0E1-2CAC-4687-BE2F-A4D6BDFCC8BA";
        let bare = "0eadd0e12cac4687be2fa4d6bdfcc8ba";
        for value in [json!(null), json!(7), json!(""), json!(upper), json!(bare)] {
            check(&with(member, Some(value)), &expected);
        }
    }
    for member in ["event_id", "payload", "sequence_number", "agent_signature_bundle"] {
        let twice = format!("{{\"{member}\":1,\"{member}\":2}}");
        check(&twice, &format!("request: {member}"));
    }
    check(r#"{"event_id":1,"event\u005fid":1}"#, "request: event_id");
}

#[test]
fn unknown_and_ignored_members_do_not_matter() {
    let event = sample::event(1).to_json();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let unknown = [
        r#""x":1,"x":{"y":[]},"#.to_owned(),
        r#""\ud800":"\udfff","#.to_owned(),
        r#""sequence_number":"none","sequenced_at":7,"#.to_owned(),
        r#""agent_signature_bundle":{"ed25519_signature":[1]},"#.to_owned(),
        r#""payload_encrypted":null,"command_id":null,"base_version":null,"#.to_owned(),
        r#""agent_signature_scheme":null,"#.to_owned(),
        r#""agent_signature_scheme":3,"#.to_owned(), // refused when the signature is checked
        format!("\"deep\":{deep},"),
    ];
    for members in unknown {
        let text = event.replacen('{', &format!(" {{ {members}\n"), 1);
        assert_eq!(answer(&text), "event", "{}", &members[..members.len().min(60)]);
    }
}

#[test]
fn a_member_that_is_missing_or_mistyped_refuses_the_event() {
    let required = [
        "ves_version",
        "agent_key_id",
        "entity_type",
        "entity_id",
        "event_type",
        "created_at",
        "payload_kind",
        "payload",
        "payload_plain_hash",
        "payload_cipher_hash",
        "agent_signature",
    ];
    for member in required {
        let expected = format!("schema_validation: {member}");
        assert_eq!(answer(&with(member, None)), expected);
        for value in [json!(null), json!(true), json!([1]), json!(1.0), json!(1e0), json!("")] {
            assert_eq!(answer(&with(member, Some(value))), expected);
        }
    }
    for member in ["command_id", "base_version", "agent_signature_scheme"] {
        for value in [json!(true), json!([1]), json!({}), json!(-1), json!(1.0), json!("1")] {
            let answer = answer(&with(member, Some(value)));
            assert_eq!(answer, format!("schema_validation: {member}"));
        }
    }
}

#[test]
fn each_member_has_its_limits() {
    let check = |member: &str, value: Value, expected: &str| {
        let text = with(member, Some(value));
        assert_eq!(answer(&text), expected, "{}", &text[..text.len().min(200)]);
    };
    for version in [json!(0), json!(2), json!(-1), json!(u64::MAX)] {
        check("ves_version", version, "unsupported_version");
    }
    check("ves_version", json!("1"), "schema_validation: ves_version");
    for (member, bytes) in [("entity_type", 128), ("entity_id", 512), ("event_type", 256)] {
        let expected = format!("schema_validation: {member}");
        check(member, "x".repeat(bytes).into(), "event");
        check(member, "é".repeat(bytes / 2).into(), "event");
        check(member, "x".repeat(bytes + 1).into(), &expected);
        check(member, "é".repeat(bytes / 2 + 1).into(), &expected);
        check(member, "a\0b".into(), &expected);
    }
    check("agent_key_id", json!(u32::MAX), "event");
    check("agent_key_id", json!(1_u64 << 32), "schema_validation: agent_key_id");
    check("agent_key_id", json!(-1), "schema_validation: agent_key_id");
    check("base_version", json!(u64::MAX), "event");
    check("payload_kind", json!(2), "schema_validation: payload_kind");
    check("payload_kind", json!("0"), "schema_validation: payload_kind");
    check("created_at", "2026-02-03 04:05:06Z".into(), "schema_validation: created_at");
    let hash = sample::event(1).payload_plain_hash;
    let wrong = [hash.to_string(), hash.to_prefixed().to_uppercase(), format!("0X{hash}")];
    for text in wrong {
        check("payload_plain_hash", text.into(), "schema_validation: payload_plain_hash");
    }
    check("payload_plain_hash", ves::Hash32::ZERO.to_prefixed().into(), "invalid_payload_hash");
    check(
        "payload_cipher_hash",
        hash.to_prefixed().into(),
        "schema_validation: payload_cipher_hash",
    );
    let signature = ves::Sig64([0xab; 64]);
    check("agent_signature", signature.to_string().into(), "schema_validation: agent_signature");
    check("agent_signature", signature.to_prefixed().into(), "event");
    check("payload_encrypted", json!({}), "schema_validation: payload_encrypted");
    let lone = with("entity_id", Some("RAW".into())).replace("RAW", r"\ud800");
    assert_eq!(answer(&lone), "schema_validation: entity_id");
}

#[test]
fn a_payload_that_cannot_be_hashed_refuses_the_event() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let sized = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - r#"{"a":""}"#.len()));
    for accepted in [
        "{}".to_owned(),
        r#" { "b" : 1 , "a" : [ 1e2 , "\u0041" ] } "#.to_owned(),
        nested(124),
        sized(1024 * 1024),
        sized(1024 * 1024).replace(':', "    :    "), // the compact form counts
    ] {
        assert_eq!(answer(&with_payload(&accepted)), "event");
    }
    for refused in [
        "[]".to_owned(),
        "1".to_owned(),
        "null".to_owned(),
        r#"{"a":1,"a":1}"#.to_owned(),
        r#"{"a":1,"\u0061":1}"#.to_owned(),
        r#"{"a":[{"b":1,"b":2}]}"#.to_owned(),
        r#"{"a":9007199254740992}"#.to_owned(),
        r#"{"a":1e400}"#.to_owned(),
        r#"{"a":"\u0000"}"#.to_owned(),
        r#"{"a":"\udc00"}"#.to_owned(),
        nested(125),
        nested(100_000),
        sized(1024 * 1024 + 1),
    ] {
        assert_eq!(answer(&with_payload(&refused)), "schema_validation: payload");
    }
}

#[test]
fn the_first_failing_check_decides() {
    let mut envelope = envelope();
    let mut steps = Vec::new();
    let breaks = [
        ("payload_plain_hash", ves::Hash32::ZERO.to_prefixed().into(), "invalid_payload_hash"),
        ("agent_signature", json!(1), "schema_validation: agent_signature"),
        ("payload_plain_hash", json!(1), "schema_validation: payload_plain_hash"),
        ("created_at", json!(1), "schema_validation: created_at"),
        ("payload_cipher_hash", json!(1), "schema_validation: payload_cipher_hash"),
        ("payload_encrypted", json!({}), "schema_validation: payload_encrypted"),
        ("payload", json!(null), "schema_validation: payload"),
        ("event_type", json!(""), "schema_validation: event_type"),
        ("entity_id", json!(""), "schema_validation: entity_id"),
        ("entity_type", json!(""), "schema_validation: entity_type"),
        ("ves_version", json!(2), "unsupported_version"),
    ];
    for (member, value, expected) in breaks {
        envelope[member] = value;
        steps.push(member);
        assert_eq!(answer(&envelope.to_string()), expected, "{steps:?}");
    }
}

#[test]
fn every_refusal_has_its_wire_text() {
    let refusals = [
        (Refusal::DuplicateEventId, "duplicate_event_id"),
        (Refusal::DuplicateCommandId, "duplicate_command_id"),
        (Refusal::InvalidPayloadHash, "invalid_payload_hash"),
        (Refusal::InvalidCipherHash, "invalid_cipher_hash"),
        (Refusal::InvalidSignature, "invalid_signature"),
        (Refusal::UnsupportedVersion, "unsupported_version"),
        (Refusal::AgentKeyInvalid("not_found"), "agent_key_invalid: not_found"),
        (
            Refusal::Schema { member: "payload".to_owned(), detail: "is missing".to_owned() },
            "schema_validation: payload",
        ),
        (
            Refusal::VersionConflict { expected: 1, actual: 3 },
            "version_conflict: expected 1, actual 3",
        ),
    ];
    let codes: Vec<_> = refusals.iter().map(|(refusal, _)| refusal.code()).collect();
    assert_eq!(codes, Refusal::CODES);
    for (refusal, reason) in refusals {
        assert_eq!(refusal.reason(), reason);
        assert_eq!(refusal.to_string(), reason);
        assert!(!refusal.message().is_empty());
    }
}

#[test]
fn schemes_other_than_ed25519_are_refused_with_the_signature() {
    let key = sample::agent_key().public_key();
    for (scheme, expected) in [
        (None, Ok(())),
        (Some(0), Ok(())),
        (Some(1), Ok(())),
        (Some(2), Err(Refusal::InvalidSignature)),
        (Some(u64::MAX), Err(Refusal::InvalidSignature)),
    ] {
        let mut event = sample::event(1);
        event.signature_scheme = scheme;
        assert_eq!(event.verify_signature(&key), expected);
    }
}
