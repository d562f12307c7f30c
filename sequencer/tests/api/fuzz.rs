//! Requests that nobody would send on purpose: every answer is a known error, never 5xx.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::{Agent, Numbers, body, query};
use crate::answer::Answer;
use crate::app::TestApp;

/// Mutated requests per part of the test.
const ROUNDS: usize = 700;

/// Values that have surprised programs before.
fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("\u{0}"),
        json!("💡".repeat(50)),
        json!("0x"),
        json!(format!("0x{}", "f".repeat(64))),
        json!(format!("0x{}", "0".repeat(128))),
        json!(Uuid::nil()),
        json!("9999-12-31T23:59:59.999999999+23:59"),
        json!("0000-01-01T00:00:00Z"),
        json!([]),
        json!({}),
        json!([[[[[]]]]]),
        json!({ "a": { "a": { "a": 1 } } }),
    ]
}

/// Changes a text somewhere: bytes changed, cut, doubled or taken from elsewhere.
fn mutate(numbers: &mut Numbers, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(4) {
        if bytes.is_empty() {
            return bytes;
        }
        let (at, other) = (numbers.below(bytes.len()), numbers.below(bytes.len()));
        let (from, to) = (at.min(other), at.max(other));
        match numbers.below(7) {
            0 => bytes[at] = *numbers.pick(b"\"\\{}[]:,0123456789-+.eE\0 \xff\xc3nt"),
            1 => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            3 => {
                bytes.drain(from..to.min(from + 40));
            }
            4 => {
                let part = bytes[from..to.min(from + 40)].to_vec();
                bytes.splice(at..at, part);
            }
            5 => bytes[at] ^= 1 << numbers.below(8),
            _ => bytes.insert(at, *numbers.pick(b"\"{[,9\\\x7f")),
        }
    }
    bytes
}

/// Puts an odd value somewhere into a JSON value.
fn mutate_value(numbers: &mut Numbers, value: &mut Value) {
    let odd = odd_values();
    match value {
        Value::Object(members) if !members.is_empty() && numbers.below(5) > 0 => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = numbers.pick(&names).clone();
            match numbers.below(6) {
                0 => {
                    members.remove(&name);
                }
                1 => {
                    let other = members[&name].clone();
                    members.insert(numbers.pick(&names).clone(), other);
                }
                _ => mutate_value(numbers, &mut members[&name]),
            }
        }
        Value::Array(items) if !items.is_empty() && numbers.below(5) > 0 => {
            let place = numbers.below(items.len());
            if numbers.below(4) == 0 {
                let copy = items[place].clone();
                items.push(copy);
            } else {
                mutate_value(numbers, &mut items[place]);
            }
        }
        other => *other = numbers.pick(&odd).clone(),
    }
}

/// The templates of every POST route with a good body.
fn posts(agent: &Agent) -> Vec<(&'static str, Value)> {
    let events: Vec<Value> = agent.events(2).iter().map(crate::agent::envelope).collect();
    let hash = "ab".repeat(32);
    let (tenant, store) = (agent.stream.tenant_id, agent.stream.store_id);
    vec![
        ("/api/v1/ves/events/ingest", json!({ "agentId": agent.id, "events": events })),
        (
            "/api/v1/ves/commitments",
            json!({
                "tenant_id": tenant, "store_id": store, "sequence_start": 1, "sequence_end": 2
            }),
        ),
        (
            "/api/v1/ves/proofs/verify",
            json!({
                "leaf_hash": hash, "merkle_root": hash, "proof_path": [hash, hash],
                "leaf_index": 1, "leaf_count": 3,
            }),
        ),
        ("/api/v1/agents/keys", agent.with_key(2).key_body()),
        ("/api/v1/agents/keys/rotate", agent.with_key(2).key_body()),
        ("/api/v1/agents/keys/revoke", agent.with_key(9).key_name()),
        (
            "/api/v1/admin/api-keys",
            json!({
                "tenant_id": tenant, "store_ids": [store], "read": true, "write": true,
                "admin": false, "agent_id": agent.id,
            }),
        ),
    ]
}

#[track_caller]
fn acceptable(answer: &Answer, request: &str) {
    let known = [200, 400, 401, 403, 404, 405, 409, 413, 415];
    assert!(known.contains(&answer.status), "{request}: {answer:?}");
    answer.check_conventions();
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_bodies_are_answered_by_the_contract() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let mut numbers = Numbers::printed();
    for round in 0..2 * ROUNDS {
        let posts = posts(&agent);
        // Half of the rounds are for the route that takes the most.
        let place = if numbers.below(2) == 0 { 0 } else { numbers.below(posts.len()) };
        let (path, mut value) = posts[place].clone();
        let bytes = if round % 2 == 0 {
            for _ in 0..=numbers.below(3) {
                mutate_value(&mut numbers, &mut value);
            }
            value.to_string().into_bytes()
        } else {
            mutate(&mut numbers, &value.to_string())
        };
        let request = format!("{path} {}", String::from_utf8_lossy(&bytes));
        acceptable(&app.client.post_text(path, bytes).await, &request);
    }
    // Its own key may have been rotated away or revoked by now.
    let other = app.agent().await;
    assert_eq!(app.ingest(&[other.event()]).await.events_accepted, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_paths_and_queries_are_answered_by_the_contract() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 5).await;
    let batch = app.client.seal(agent.stream, 1, 3).await.ok();
    let batch = batch["batch_id"].as_str().unwrap();
    let q = query(agent.stream);
    let id = Uuid::new_v4();
    let paths = [
        format!("/api/v1/ves/events?{q}&from=1&limit=10"),
        format!("/api/v1/ves/events/{id}?{q}"),
        format!("/api/v1/ves/head?{q}"),
        format!("/api/v1/ves/entities/shelf/SH-1?{q}&from=1&limit=10"),
        format!("/api/v1/ves/commitments?{q}&from=1&limit=10&anchored=false"),
        format!("/api/v1/ves/commitments/{batch}"),
        format!("/api/v1/ves/proofs/2?{q}&batch_id={batch}"),
        format!("/api/v1/agents/keys?tenant_id={id}&agent_id={id}"),
        "/api/v1/admin/api-keys?limit=10&after=abc".to_owned(),
        "/api/v1/admin/api-keys/0123456789abcdef".to_owned(),
        "/health".to_owned(),
    ];
    let odd = [
        "%00",
        "%ff",
        "%F0%9F",
        "..",
        "//",
        "%2f",
        "&&",
        "=",
        "?",
        "+",
        "%",
        "9".repeat(30).leak(),
    ];
    let methods = ["GET", "GET", "GET", "DELETE", "POST", "PUT", "OPTIONS"];
    let mut numbers = Numbers::printed();
    for _ in 0..ROUNDS {
        let path = numbers.pick(&paths);
        let mut path: String = if numbers.below(3) == 0 {
            let at = numbers.below(path.len());
            format!("{}{}{}", &path[..at], numbers.pick(&odd), &path[at..])
        } else {
            let bytes = mutate(&mut numbers, path);
            bytes.iter().map(|byte| char::from(*byte)).collect()
        };
        path.retain(|c| c.is_ascii_graphic() && !matches!(c, '#' | '\\'));
        let path = format!("/{}", path.trim_start_matches('/'));
        let method = numbers.pick(&methods);
        let Ok(response) = app.client.request(method, &path).send().await else {
            panic!("no answer to {method} {path}");
        };
        acceptable(&Answer::of(response).await, &format!("{method} {path}"));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_envelopes_are_refused_alone_with_a_known_reason() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let ids = ["event_id", "tenant_id", "store_id", "source_agent_id"];
    let mut numbers = Numbers::printed();
    let mut accepted = 0;
    for _ in 0..ROUNDS / 10 {
        let envelopes: Vec<String> = (0..20)
            .map(|place| {
                let mut envelope = crate::agent::envelope(&agent.event());
                if place % 4 > 0 {
                    let good = envelope.clone();
                    mutate_value(&mut numbers, &mut envelope);
                    // The ids fail the whole request; they have tests of their own.
                    if !envelope.is_object() {
                        envelope = good.clone();
                    }
                    for id in ids {
                        envelope[id] = good[id].clone();
                    }
                }
                envelope.to_string()
            })
            .collect();
        let answer = app.client.post_events(body(agent.id, &envelopes)).await;
        let answer = answer.ok();
        let (new, refused) = (
            answer["eventsAccepted"].as_u64().unwrap(),
            answer["eventsRejected"].as_u64().unwrap(),
        );
        assert_eq!(new + refused, 20);
        assert!(new >= 5, "the good ones are taken");
        accepted += new;
        for rejection in answer["rejections"].as_array().unwrap() {
            let reason = rejection["reason"].as_str().unwrap();
            let code = reason.split(':').next().unwrap();
            assert!(ves::Refusal::CODES.contains(&code), "{reason}");
        }
    }
    assert_eq!(app.client.head_sequence(agent.stream).await, accepted);
    app.finish().await;
}
