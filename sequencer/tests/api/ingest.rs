//! Posting events: numbers, receipts, partial acceptance, commands and versions.

use serde_json::{Value, json};
use uuid::Uuid;
use ves::{Event, PublicKey, SigningKey};

use crate::agent::{Agent, envelope, query};
use crate::app::{SEED, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_has_exactly_the_members_of_the_contract() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let good = agent.event();
    let bad = agent.envelope_with(|event| event["payload_plain_hash"] = zero_hash());
    let body = crate::agent::body(agent.id, &[good.to_json(), bad.to_string()]);
    let answer = app.client.post_events(body).await.ok();
    let receipt = &answer["receipts"][0];
    assert_eq!(
        answer,
        json!({
            "batchId": answer["batchId"],
            "eventsAccepted": 1,
            "eventsRejected": 1,
            "sequenceStart": 1,
            "sequenceEnd": 1,
            "headSequence": 1,
            "rejections": [{
                "event_id": bad["event_id"],
                "reason": "invalid_payload_hash",
                "message": answer["rejections"][0]["message"],
            }],
            "receipts": [{
                "sequencerId": receipt["sequencerId"],
                "eventId": good.event_id,
                "sequenceNumber": 1,
                "sequencedAt": receipt["sequencedAt"],
                "receiptHash": receipt["receiptHash"],
                "signatureAlg": "ed25519",
                "sequencerSignature": receipt["sequencerSignature"],
                "sequencerKeyVersion": 1,
                "receiptSignatureScheme": 1,
            }],
        })
    );
    assert!(answer["batchId"].as_str().unwrap().parse::<Uuid>().is_ok());
    is_hex(&receipt["receiptHash"], 64);
    is_hex(&receipt["sequencerSignature"], 128);
    is_time(&receipt["sequencedAt"]);
    app.finish().await;
}

fn zero_hash() -> Value {
    format!("0x{}", "0".repeat(64)).into()
}

/// Lower-case hex without `0x`.
pub(crate) fn is_hex(value: &Value, length: usize) {
    let text = value.as_str().unwrap();
    assert_eq!(text.len(), length, "{text}");
    assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{text}");
}

/// RFC 3339 in UTC with six fraction digits and `Z`.
pub(crate) fn is_time(value: &Value) {
    let text = value.as_str().unwrap();
    assert_eq!(text.len(), "2026-01-31T12:00:00.000000Z".len(), "{text}");
    assert!(text.ends_with('Z') && text.as_bytes()[19] == b'.', "{text}");
    assert_eq!(ves::Timestamp::parse(text).unwrap().to_string(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_lists_are_left_out_and_ends_are_null() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let bad = agent.envelope_with(|event| event["payload_plain_hash"] = zero_hash());
    let body = crate::agent::body(agent.id, &[bad.to_string()]);
    let refused = app.client.post_events(body).await.ok();
    assert_eq!(refused.get("receipts"), None);
    assert_eq!(refused["sequenceStart"], Value::Null);
    assert_eq!(refused["sequenceEnd"], Value::Null);
    assert!(refused.as_object().unwrap().contains_key("sequenceStart"));
    assert_eq!(refused["headSequence"], 0);
    let accepted = app.client.try_ingest(&[agent.event()]).await.ok();
    assert_eq!(accepted.get("rejections"), None);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_dense_and_receipts_come_in_request_order() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    for (size, start) in [(1, 1), (1000, 2), (3, 1002)] {
        let events = agent.events(size);
        let response = app.ingest(&events).await;
        let end = start + size as u64 - 1;
        assert_eq!((response.sequence_start, response.sequence_end), (Some(start), Some(end)));
        assert_eq!((response.events_accepted, response.events_rejected), (size as u64, 0));
        assert_eq!(response.head_sequence, end);
        for ((event, receipt), number) in events.iter().zip(&response.receipts).zip(start..) {
            assert_eq!((receipt.event_id, receipt.sequence_number), (event.event_id, number));
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_verifies_under_the_published_key_alone() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event();
    let response = app.ingest(std::slice::from_ref(&event)).await;
    let info = app.client.with_key("").get("/api/v1/ves/sequencer").await.ok();
    let published = ves::Hash32::parse_bare(info["keys"][0]["public_key"].as_str().unwrap());
    let key = PublicKey::from_bytes(&published.unwrap().0).unwrap();
    let seed = ves::Hash32::parse_bare(SEED).unwrap();
    assert_eq!(key.as_bytes(), SigningKey::from_seed(&seed.0).public_key().as_bytes());
    assert!(response.receipts[0].verify(&key, &agent.stream, &event.signing_hash()));
    assert_eq!(info["sequencer_id"], response.receipts[0].sequencer_id.to_string());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_never_harms_its_neighbours_and_uses_no_number() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let mut envelopes: Vec<Value> = agent.events(9).iter().map(envelope).collect();
    envelopes[0]["created_at"] = json!("yesterday");
    envelopes[3]["agent_signature"] = json!(format!("0x{}", "1".repeat(128)));
    envelopes[4]["ves_version"] = json!(2);
    envelopes[8]["agent_key_id"] = json!(77);
    let texts: Vec<String> = envelopes.iter().map(Value::to_string).collect();
    let response = app.client.ingest_raw(&agent, &texts).await;
    let reasons: Vec<&str> = response.rejections.iter().map(|r| r.reason.as_str()).collect();
    let expect = [
        "schema_validation: created_at",
        "invalid_signature",
        "unsupported_version",
        "agent_key_invalid: not_found",
    ];
    assert_eq!(reasons, expect);
    let numbers: Vec<u64> = response.receipts.iter().map(|r| r.sequence_number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let accepted = [1, 2, 5, 6, 7].map(|place: usize| envelopes[place]["event_id"].clone());
    let ids: Vec<Value> = response.receipts.iter().map(|r| json!(r.event_id)).collect();
    assert_eq!(ids, accepted);
    // No trace: a refused id can be used by a good event later.
    let id = envelopes[0]["event_id"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/v1/ves/events/{id}?{}", query(agent.stream));
    app.client.get(&path).await.refused("EVENT_NOT_FOUND");
    let again = agent.event_with(|draft| draft.event_id = id);
    assert_eq!(app.ingest(&[again]).await.sequence_start, Some(6));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_numbered_apart() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let elsewhere = agent.in_store(Uuid::new_v4());
    let shared_id = Uuid::new_v4();
    for agent in [&agent, &elsewhere] {
        app.ingest(&agent.events(2)).await;
        // The id of an event and a command are unique within a stream only.
        let event = agent.event_with(|draft| {
            draft.event_id = shared_id;
            draft.command_id = Some(shared_id);
        });
        assert_eq!(app.ingest(&[event]).await.sequence_end, Some(3));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_says_about_numbers_and_unknown_members_is_ignored() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let envelope = agent.envelope_with(|event| {
        event["sequence_number"] = json!(99);
        event["sequenced_at"] = json!("1999-01-01T00:00:00Z");
        event["colour"] = json!({ "any": ["thing"] });
    });
    let response = app.client.ingest_raw(&agent, &[envelope.to_string()]).await;
    assert_eq!(response.sequence_start, Some(1));
    let path = format!("/api/v1/ves/events?{}", query(agent.stream));
    let event = &app.client.get(&path).await.ok()["events"][0];
    assert_eq!(event.get("colour"), None);
    assert_eq!(event["sequence_number"], 1);
    assert_ne!(event["sequenced_at"], envelope["sequenced_at"]);
    app.finish().await;
}

/// Posts one event and gives its reason, or an empty text when it was accepted.
async fn reason(app: &TestApp, event: Event) -> String {
    let response = app.ingest(&[event]).await;
    response.rejections.first().map_or(String::new(), |rejection| rejection.reason.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_carried_out_once() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
    let with = |command| agent.event_with(|draft| draft.command_id = Some(command));
    assert_eq!(reason(&app, with(one)).await, "");
    assert_eq!(reason(&app, with(one)).await, "duplicate_command_id");
    // In one request the second fails, and what fails does not take the command along.
    let response = app.ingest(&[with(two), with(two), agent.event()]).await;
    assert_eq!(response.events_accepted, 2);
    assert_eq!(response.rejections[0].reason, "duplicate_command_id");
    let three = Uuid::new_v4();
    let mut forged = with(three);
    forged.agent_signature = ves::Sig64::ZERO;
    assert_eq!(reason(&app, forged).await, "invalid_signature");
    let conflicting = agent.event_with(|draft| {
        draft.command_id = Some(three);
        draft.base_version = Some(50);
        draft.entity_id = "fresh".to_owned();
    });
    assert_eq!(reason(&app, conflicting).await, "version_conflict: expected 50, actual 0");
    assert_eq!(reason(&app, with(three)).await, "");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_a_conflicting_event_blocks_the_rest_of_its_request() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let command = Some(Uuid::new_v4());
    let first = agent.event_with(|draft| {
        draft.command_id = command;
        draft.base_version = Some(7);
    });
    let second = agent.event_with(|draft| draft.command_id = command);
    let response = app.ingest(&[first, second]).await;
    let reasons: Vec<&str> = response.rejections.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(reasons, ["version_conflict: expected 7, actual 0", "duplicate_command_id"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_count_within_a_request_and_over_requests() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let on = |entity: &str, base: Option<u64>| {
        agent.event_with(|draft| {
            draft.entity_id = entity.to_owned();
            draft.base_version = base;
        })
    };
    let events = [
        on("a", Some(0)),
        on("a", Some(1)),
        on("a", Some(1)),
        on("a", None),
        on("b", Some(0)),
        on("a", Some(3)),
        on("b", Some(u64::MAX)),
    ];
    let response = app.ingest(&events).await;
    let reasons: Vec<&str> = response.rejections.iter().map(|r| r.reason.as_str()).collect();
    let highest = format!("version_conflict: expected {}, actual 1", u64::MAX);
    assert_eq!(reasons, ["version_conflict: expected 1, actual 2", highest.as_str()]);
    assert_eq!(reason(&app, on("a", Some(3))).await, "version_conflict: expected 3, actual 4");
    assert_eq!(reason(&app, on("a", Some(4))).await, "");
    // Another type with the same id is another entity.
    let other = agent.event_with(|draft| {
        draft.entity_type = "rack".to_owned();
        draft.entity_id = "a".to_owned();
        draft.base_version = Some(0);
    });
    assert_eq!(reason(&app, other).await, "");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sequenced_at_is_the_sequencers_clock() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let before = std::time::SystemTime::now();
    let event = agent.event_with(|draft| draft.created_at = "1980-01-01T00:00:00Z".to_owned());
    let response = app.ingest(&[event]).await;
    let micros = |time: std::time::SystemTime| {
        i64::try_from(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros()).unwrap()
    };
    let at = response.receipts[0].sequenced_at.as_micros();
    assert!((micros(before)..=micros(std::time::SystemTime::now())).contains(&at));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_allowed_event_is_accepted_and_read_back() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let empty = json!({ "text": "" }).to_string().len();
    let event = |bytes: usize| {
        agent.event_with(|draft| {
            draft.entity_type = "é".repeat(64);
            draft.entity_id = "i".repeat(512);
            draft.event_type = "t".repeat(256);
            draft.payload = json!({ "text": "x".repeat(bytes - empty) });
        })
    };
    let largest = event(1 << 20);
    let response = app.ingest(&[event((1 << 20) + 1), largest.clone()]).await;
    assert_eq!(response.rejections[0].reason, "schema_validation: payload");
    assert!(response.rejections[0].message.contains("1048576"));
    assert_eq!(response.receipts[0].event_id, largest.event_id);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_the_deepest_allowed_nesting_is_accepted() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let nested = |levels: usize| {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        let payload = ves::canonicalize(&text, &ves::CanonicalLimits::AUDIT).unwrap();
        let mut event = agent.event();
        event.payload_plain_hash = ves::canonical::payload_plain_hash(&payload);
        event.payload = ves::Payload::Plain(payload);
        event.agent_signature = agent.key.sign(&event.signing_hash());
        event
    };
    assert_eq!(reason(&app, nested(124)).await, "");
    assert_eq!(reason(&app, nested(125)).await, "schema_validation: payload");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_read_back_canonical_and_small_agents_can_repeat_them() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event_with(|draft| draft.payload = json!({ "b": 1, "a": 1.5e2, "c": "é" }));
    let spaced = event.to_json().replace("\"c\":\"é\"", "\"c\" : \"\\u00e9\"");
    assert_ne!(spaced, event.to_json());
    let first = app.client.ingest_raw(&agent, &[spaced]).await;
    assert_eq!(first.events_accepted, 1);
    let again = app.ingest(std::slice::from_ref(&event)).await;
    assert_eq!(again.receipts, first.receipts);
    let path = format!("/api/v1/ves/events/{}?{}", event.event_id, query(agent.stream));
    let read = app.client.get(&path).await;
    assert!(read.text.contains("{\"a\":150,\"b\":1,\"c\":\"é\"}"), "{}", read.text);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_agents_share_a_stream() {
    let app = TestApp::start().await;
    let first = app.agent().await;
    let second = Agent::in_stream(first.stream);
    app.register(&second).await;
    app.ingest(&first.events(2)).await;
    assert_eq!(app.ingest(&second.events(2)).await.sequence_start, Some(3));
    app.finish().await;
}
