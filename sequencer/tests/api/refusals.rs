//! Every reason for which one event is refused, alone and without a trace.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::{Agent, body, envelope};
use crate::app::TestApp;

/// Changes one member of an envelope, and what the event is then refused for.
type Case = (&'static str, Value, &'static str);

/// Members that are there and wrong.
fn mistyped() -> Vec<Case> {
    let long = |bytes: usize| json!("x".repeat(bytes));
    let upper_hash = json!(format!("0x{}", "AB".repeat(32)));
    let bare_hash = json!("ab".repeat(32));
    vec![
        ("ves_version", json!(0), "unsupported_version"),
        ("ves_version", json!(2), "unsupported_version"),
        ("ves_version", json!(-1), "unsupported_version"),
        ("ves_version", json!("1"), "schema_validation: ves_version"),
        ("ves_version", json!(1.0), "schema_validation: ves_version"),
        ("ves_version", json!(null), "schema_validation: ves_version"),
        ("entity_type", json!(""), "schema_validation: entity_type"),
        ("entity_type", long(129), "schema_validation: entity_type"),
        ("entity_type", json!("é".repeat(65)), "schema_validation: entity_type"),
        ("entity_type", json!("a\u{0}b"), "schema_validation: entity_type"),
        ("entity_type", json!(7), "schema_validation: entity_type"),
        ("entity_id", json!(""), "schema_validation: entity_id"),
        ("entity_id", long(513), "schema_validation: entity_id"),
        ("entity_id", json!("\u{0}"), "schema_validation: entity_id"),
        ("entity_id", json!({}), "schema_validation: entity_id"),
        ("event_type", json!(""), "schema_validation: event_type"),
        ("event_type", long(257), "schema_validation: event_type"),
        ("event_type", json!("a\u{0}"), "schema_validation: event_type"),
        ("event_type", json!(null), "schema_validation: event_type"),
        ("agent_key_id", json!(-1), "schema_validation: agent_key_id"),
        ("agent_key_id", json!(4_294_967_296_u64), "schema_validation: agent_key_id"),
        ("agent_key_id", json!("1"), "schema_validation: agent_key_id"),
        ("agent_key_id", json!(4_294_967_295_u64), "agent_key_invalid: not_found"),
        ("created_at", json!("2026-02-03 04:05:06Z"), "schema_validation: created_at"),
        ("created_at", json!("2026-02-03T04:05:06"), "schema_validation: created_at"),
        ("created_at", json!("2026-02-30T04:05:06Z"), "schema_validation: created_at"),
        ("created_at", json!("2026-02-03t04:05:06z"), "schema_validation: created_at"),
        ("created_at", json!("2026-02-03T04:05:06.1234567890Z"), "schema_validation: created_at"),
        ("created_at", json!(1_770_091_506), "schema_validation: created_at"),
        ("payload_kind", json!(2), "schema_validation: payload_kind"),
        ("payload_kind", json!("0"), "schema_validation: payload_kind"),
        ("payload_kind", json!(1), "schema_validation: payload"),
        ("payload", json!([1]), "schema_validation: payload"),
        ("payload", json!("text"), "schema_validation: payload"),
        ("payload", json!(null), "schema_validation: payload"),
        ("payload", json!({ "n": 9_007_199_254_740_992_u64 }), "schema_validation: payload"),
        ("payload", json!({ "n": -9_007_199_254_740_992_i64 }), "schema_validation: payload"),
        ("payload", json!({ "count": 13 }), "invalid_payload_hash"),
        ("payload_encrypted", json!({}), "schema_validation: payload_encrypted"),
        ("payload_plain_hash", upper_hash, "schema_validation: payload_plain_hash"),
        ("payload_plain_hash", bare_hash, "schema_validation: payload_plain_hash"),
        ("payload_plain_hash", json!("0x"), "schema_validation: payload_plain_hash"),
        ("payload_cipher_hash", json!(0), "schema_validation: payload_cipher_hash"),
        (
            "payload_cipher_hash",
            json!(format!("0x{}", "1".repeat(64))),
            "schema_validation: payload_cipher_hash",
        ),
        ("agent_signature", json!("0xab"), "schema_validation: agent_signature"),
        (
            "agent_signature",
            json!(format!("0x{}", "AB".repeat(64))),
            "schema_validation: agent_signature",
        ),
        ("agent_signature", json!(format!("0x{}", "0".repeat(128))), "invalid_signature"),
        ("agent_signature_scheme", json!(2), "invalid_signature"),
        ("agent_signature_scheme", json!(3), "invalid_signature"),
        ("agent_signature_scheme", json!(u64::MAX), "invalid_signature"),
        ("agent_signature_scheme", json!("1"), "schema_validation: agent_signature_scheme"),
        ("command_id", json!("no uuid"), "schema_validation: command_id"),
        ("command_id", json!(5), "schema_validation: command_id"),
        ("base_version", json!(-1), "schema_validation: base_version"),
        ("base_version", json!(0.5), "schema_validation: base_version"),
        ("base_version", json!("0"), "schema_validation: base_version"),
    ]
}

/// Posts envelopes one by one and asserts each one's only reason.
async fn check(app: &TestApp, agent: &Agent, cases: Vec<(String, String, String)>) {
    for (name, envelope, expect) in cases {
        let answer = app.client.post_events(body(agent.id, &[envelope])).await.ok();
        let rejection = &answer["rejections"][0];
        assert_eq!(rejection["reason"], expect, "{name}: {answer}");
        let message = rejection["message"].as_str().unwrap();
        assert!(message.len() > 15, "{name}: {message}");
        if let Some(member) = expect.strip_prefix("schema_validation: ") {
            assert!(message.starts_with(member), "{name}: {message}");
        }
        assert_eq!(rejection.as_object().unwrap().len(), 3, "{name}");
        assert_eq!((&answer["eventsRejected"], &answer["headSequence"]), (&json!(1), &json!(0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_member_refuses_its_event_and_names_itself() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let cases = mistyped().into_iter().map(|(member, value, expect)| {
        let name = format!("{member} = {value:.80}");
        let envelope = agent.envelope_with(|event| event[member] = value);
        (name, envelope.to_string(), expect.to_owned())
    });
    check(&app, &agent, cases.collect()).await;
    assert_eq!(app.ingest(&[agent.event()]).await.sequence_start, Some(1));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_member_refuses_its_event_and_is_named() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let members = [
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
    let cases = members.map(|member| {
        let envelope = agent.envelope_with(|event| {
            event.as_object_mut().unwrap().remove(member);
        });
        (member.to_owned(), envelope.to_string(), format!("schema_validation: {member}"))
    });
    check(&app, &agent, cases.to_vec()).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_not_strict_json_refuses_its_event() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let payloads = [
        ("duplicate names", r#"{"a":1,"b":{"c":1,"c":2}}"#.to_owned()),
        ("duplicate escaped names", r#"{"a":1,"\u0061":1}"#.to_owned()),
        ("2^53", r#"{"n":9007199254740992}"#.to_owned()),
        ("far beyond", r#"{"n":123456789012345678901234567890}"#.to_owned()),
        ("no double", r#"{"n":1e400}"#.to_owned()),
        ("lone surrogate", r#"{"s":"\ud800"}"#.to_owned()),
        ("lone surrogate name", r#"{"\udc00":1}"#.to_owned()),
        ("125 levels", deep(124)),
        ("1,000 levels", deep(999)),
        ("100,000 levels", deep(99_999)),
        ("above 1 MiB", format!("{{\"s\":\"{}\"}}", "x".repeat(1 << 20))),
        ("an array", "[]".to_owned()),
        ("a number", "1".to_owned()),
    ];
    let cases = payloads.map(|(name, payload)| {
        let event = agent.event();
        let envelope = event.to_json().replace(event.payload.as_str(), &payload);
        (name.to_owned(), envelope, "schema_validation: payload".to_owned())
    });
    check(&app, &agent, cases.to_vec()).await;
    app.finish().await;
}

/// U+0000 inside a payload is no trouble for this store, but VES 5 says that no string may hold
/// it; as a member of the envelope it is refused by name.
#[tokio::test(flavor = "multi_thread")]
async fn lone_surrogates_and_nul_in_the_envelope_refuse_its_event() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let mut cases = Vec::new();
    for member in ["entity_type", "entity_id", "event_type", "created_at"] {
        for text in [r"\u0000", r"a\u0000b", r"\ud800", r"\udfff\ud800"] {
            let event = envelope(&agent.event());
            let old = format!("\"{member}\":{}", event[member]);
            let text = event.to_string().replace(&old, &format!("\"{member}\":\"{text}\""));
            cases.push((member.to_owned(), text, format!("schema_validation: {member}")));
        }
    }
    check(&app, &agent, cases).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_counts_only_over_this_event_with_this_key() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let other = agent.with_key(2);
    let by_other = Agent { key: other.key.clone(), ..agent.clone() };
    let stolen = agent.event();
    let mut cases: Vec<(String, String, String)> = vec![
        ("another key".into(), by_other.event().to_json(), "invalid_signature".into()),
        ("unknown key".into(), other.event().to_json(), "agent_key_invalid: not_found".into()),
    ];
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("event_id", |event| event["event_id"] = json!(Uuid::new_v4())),
        ("entity_id", |event| event["entity_id"] = json!("SH-999")),
        ("entity_type", |event| event["entity_type"] = json!("rack")),
        ("event_type", |event| event["event_type"] = json!("shelf.moved")),
        ("created_at", |event| event["created_at"] = json!("2026-02-03T04:05:06.780Z")),
        ("store", |event| event["store_id"] = json!(Uuid::new_v4())),
    ];
    for (name, change) in changes {
        let mut event = envelope(&stolen);
        change(&mut event);
        cases.push((name.to_owned(), event.to_string(), "invalid_signature".to_owned()));
    }
    check(&app, &agent, cases).await;
    // Another tenant's registry does not know the key.
    let tenant = agent.envelope_with(|event| event["tenant_id"] = json!(Uuid::new_v4()));
    let answer = app.client.post_events(body(agent.id, &[tenant.to_string()])).await.ok();
    assert_eq!(answer["rejections"][0]["reason"], "agent_key_invalid: not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_bad_events_are_a_thousand_reasons() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let table = mistyped();
    let cases: Vec<Case> = table.iter().cloned().cycle().take(1000).collect();
    let texts: Vec<String> = cases
        .iter()
        .map(|(member, value, _)| {
            agent.envelope_with(|event| event[*member] = value.clone()).to_string()
        })
        .collect();
    let response = app.client.ingest_raw(&agent, &texts).await;
    let reasons: Vec<&str> = response.rejections.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(reasons, cases.iter().map(|(.., expect)| *expect).collect::<Vec<_>>());
    assert_eq!((response.events_rejected, response.head_sequence), (1000, 0));
    app.finish().await;
}
