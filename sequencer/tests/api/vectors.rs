//! The protocol's vectors, through the front door.

use serde_json::{Value, json};
use ves::Stream;

use crate::agent::query;
use crate::app::TestApp;

/// The vectors' file.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../ves/tests/vectors.json")).unwrap()
}

/// The stream, and the only agent, of nearly every vector.
fn stream(envelope: &Value) -> Stream {
    let id = |name: &str| envelope[name].as_str().unwrap().parse().unwrap();
    Stream { tenant_id: id("tenant_id"), store_id: id("store_id") }
}

/// Registers a vector's key for its agent.
async fn register(app: &TestApp, envelope: &Value, public_key: &str) {
    let body = json!({
        "tenantId": envelope["tenant_id"],
        "agentId": envelope["source_agent_id"],
        "keyId": envelope["agent_key_id"],
        "publicKey": public_key,
    });
    let answer = app.client.post("/api/v1/agents/keys", &body).await;
    assert!(matches!(answer.status, 200 | 409), "{}", answer.text);
}

/// Numbers that are equal are written alike.
fn canonical(value: &Value) -> String {
    ves::canonicalize(&value.to_string(), &ves::CanonicalLimits::AUDIT).unwrap()
}

/// Posts an envelope as it stands in the file.
async fn post(app: &TestApp, envelope: &Value) -> Value {
    let body = json!({ "agentId": envelope["source_agent_id"], "events": [envelope] });
    app.client.post_events(body.to_string()).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vectors_sequencer_gives_the_vectors_receipts() {
    let vectors = vectors();
    let seed = vectors["keys"]["sequencer"]["seed"].as_str().unwrap();
    let app = TestApp::start_with(&["--ves-sequencer-signing-key", seed]).await;
    let alpha = vectors["keys"]["alpha"]["public_key"].as_str().unwrap();
    for (name, number) in [("plain_minimal", 1), ("typical", 2)] {
        let named = |list: &str, member: &str| {
            let list = vectors[list].as_array().unwrap();
            list.iter().find(|entry| entry[member] == name).unwrap().clone()
        };
        let (event, expect) = (named("events", "name"), named("receipts", "event"));
        register(&app, &event["envelope"], alpha).await;
        let answer = post(&app, &event["envelope"]).await;
        let receipt = &answer["receipts"][0];
        assert_eq!(receipt["sequenceNumber"], number);
        assert_eq!(receipt["receiptHash"], expect["receipt_hash"]);
        assert_eq!(receipt["sequencerSignature"], expect["sequencer_signature"]);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_the_vectors_is_taken_and_read_back_unchanged() {
    let vectors = vectors();
    let app = TestApp::start().await;
    let alpha = vectors["keys"]["alpha"]["public_key"].as_str().unwrap();
    let encrypted = vectors["encrypted"]["events"].as_array().unwrap();
    for event in vectors["events"].as_array().unwrap().iter().chain(encrypted) {
        let (name, envelope) = (&event["name"], &event["envelope"]);
        // Ids above 2^31 - 1 cannot be registered; nil is the platform's own tenant.
        let key_id = envelope["agent_key_id"].as_u64().unwrap();
        if key_id > 0x7fff_ffff {
            continue;
        }
        register(&app, envelope, alpha).await;
        let answer = post(&app, envelope).await;
        assert_eq!(answer["eventsAccepted"], 1, "{name}: {answer}");
        let stream = stream(envelope);
        let id = envelope["event_id"].as_str().unwrap();
        let path = format!("/api/v1/ves/events/{id}?{}", query(stream));
        let read = app.client.get(&path).await.ok();
        for (member, value) in envelope.as_object().unwrap() {
            assert_eq!(canonical(&read[member]), canonical(value), "{name}: {member}");
        }
        let signing_hash = ves::Hash32::parse_bare(event["signing_hash"].as_str().unwrap());
        let number = read["sequence_number"].as_u64().unwrap();
        let hash = ves::receipt_hash(&stream, &id.parse().unwrap(), number, &signing_hash.unwrap());
        assert_eq!(read["receipt"]["receiptHash"], hash.to_string(), "{name}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refused_event_of_the_vectors_is_refused_for_the_same_reason() {
    let vectors = vectors();
    let encrypted = vectors["encrypted"]["refused"].as_array().unwrap();
    for case in vectors["events_refused"].as_array().unwrap().iter().chain(encrypted) {
        let (name, envelope) = (&case["name"], &case["envelope"]);
        let record = &case["registry"][0];
        let app = TestApp::start().await;
        let mut key = json!({
            "tenantId": record["tenant_id"],
            "agentId": record["agent_id"],
            "keyId": record["key_id"],
            "publicKey": record["public_key"],
        });
        for (from, to) in [("valid_from", "validFrom"), ("valid_to", "validTo")] {
            key[to] = record[from].clone();
        }
        let registered = app.client.post("/api/v1/agents/keys", &key).await;
        let expect = case["expect"].as_str().unwrap();
        if expect == "agent_key_invalid: bad_key" {
            // Such a key is stopped at the door, so here it is merely unknown.
            registered.refused("INVALID_PUBLIC_KEY");
        } else if record["status"] == "revoked" {
            let key_name = json!({
                "tenantId": record["tenant_id"],
                "agentId": record["agent_id"],
                "keyId": record["key_id"],
            });
            app.client.post("/api/v1/agents/keys/revoke", &key_name).await.ok();
        } else {
            registered.ok();
        }
        let answer = post(&app, envelope).await;
        let reason = match expect {
            "accepted" => {
                assert_eq!(answer["eventsAccepted"], 1, "{name}: {answer}");
                app.finish().await;
                continue;
            }
            "agent_key_invalid: bad_key" => "agent_key_invalid: not_found",
            other => other,
        };
        assert_eq!(answer["rejections"][0]["reason"], reason, "{name}: {answer}");
        assert_eq!(answer["headSequence"], 0, "{name}");
        app.finish().await;
    }
}
