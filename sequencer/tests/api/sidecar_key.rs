//! The sidecar's credential: it reads everywhere, writes in the canary's slots, and comes and goes
//! with its variable. What it may not do elsewhere is in the table of [`crate::auth`], too.

use std::sync::Arc;

use sequencer::config::Config;
use sequencer::server::Server;
use serde_json::{Value, json};
use uuid::Uuid;
use ves::Stream;
use ves::canary::{Slot, TENANT_ID};

use crate::agent::{Agent, body, query};
use crate::app::{Client, ROOT_KEY, SIDECAR_KEY, TestApp, config};
use crate::client::connections;
use crate::place::Place;
use crate::start::{refused, says};

const OTHER_KEY: &str = "ss_ca000000anotheranotheranotheranother";
const STORES: &str = "/api/v1/admin/stores";

/// The canary's agent of a slot, with a key of its own.
fn canary(slot: u8) -> Agent {
    let slot = Slot::new(slot).unwrap();
    Agent { id: slot.agent_id(), ..Agent::in_stream(slot.stream()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_in_the_canarys_slots_all_that_a_canary_does() {
    let app = TestApp::start().await;
    let sidecar = app.client.with_key(SIDECAR_KEY);
    for slot in [0, 15] {
        let agent = canary(slot);
        sidecar.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
        let event = agent.event();
        let taken = sidecar.ingest(std::slice::from_ref(&event)).await;
        assert_eq!((taken.sequence_start, taken.receipts.len()), (Some(1), 1));
        sidecar.seal(agent.stream, 1, 1).await.ok();
        let q = query(agent.stream);
        let proof = sidecar.get(&format!("/api/v1/ves/proofs/1?{q}")).await.ok();
        assert_eq!(proof["sequence_number"], 1);
        sidecar.get(&format!("/api/v1/ves/events/{}?{q}", event.event_id)).await.ok();
        // A sidecar that lost its key puts a new one there and ends the old one.
        let new = agent.with_key(2);
        sidecar.post("/api/v1/agents/keys/rotate", &new.key_body()).await.ok();
        assert_eq!(sidecar.ingest(&[agent.event()]).await.events_accepted, 0);
        assert_eq!(sidecar.ingest(&[new.event()]).await.sequence_start, Some(2));
        sidecar.post("/api/v1/agents/keys/revoke", &new.key_name()).await.ok();
        assert_eq!(sidecar.ingest(&[new.event()]).await.events_accepted, 0);
        let path = format!("/api/v1/agents/keys?tenant_id={TENANT_ID}&agent_id={}", agent.id);
        let keys = sidecar.get(&path).await.ok();
        assert_eq!(keys["keys"][1]["status"], "revoked", "{keys}");
    }
    app.finish().await;
}

/// Requests that change something, each one step outside of the slots.
fn beyond_the_slots() -> Vec<(&'static str, String, Value)> {
    let inside = canary(3);
    let stranger = Agent::in_stream(inside.stream);
    let elsewhere = Agent { stream: Agent::new().stream, ..inside.clone() };
    let store_16 = Uuid::from_u128(inside.stream.store_id.as_u128() + 13);
    let streams = [elsewhere.stream, Stream { store_id: store_16, ..inside.stream }];
    let mut requests = Vec::new();
    for stream in streams {
        let events = Agent { stream, ..inside.clone() }.event().to_json();
        let events: Value = serde_json::from_str(&body(inside.id, &[events])).unwrap();
        requests.push(("POST", "/api/v1/ves/events/ingest".to_owned(), events));
        let range = json!({
            "tenant_id": stream.tenant_id, "store_id": stream.store_id,
            "sequence_start": 1, "sequence_end": 1,
        });
        requests.push(("POST", "/api/v1/ves/commitments".to_owned(), range));
    }
    for agent in [&stranger, &elsewhere] {
        let post = |path: &str, body| ("POST", format!("/api/v1/agents/keys{path}"), body);
        requests.push(post("", agent.key_body()));
        requests.push(post("/rotate", agent.key_body()));
        requests.push(post("/revoke", agent.key_name()));
    }
    let own = format!("/api/v1/agents/{}", inside.id);
    let wanted = json!({ "tenant_id": TENANT_ID, "read": true, "write": false, "admin": false });
    requests.extend([
        ("GET", own.clone(), Value::Null),
        ("GET", format!("{own}/api-keys"), Value::Null),
        ("POST", format!("{own}/api-keys"), json!({})),
        ("DELETE", format!("{own}/api-keys/0123456789abcdef"), Value::Null),
        ("POST", "/api/v1/admin/api-keys".to_owned(), wanted),
        ("GET", "/api/v1/admin/api-keys".to_owned(), Value::Null),
        ("DELETE", "/api/v1/admin/api-keys/0123456789abcdef".to_owned(), Value::Null),
        ("GET", "/api/v1/admin/overview".to_owned(), Value::Null),
        ("GET", "/api/v1/admin/tenants".to_owned(), Value::Null),
        ("GET", "/api/v1/admin/agents".to_owned(), Value::Null),
    ]);
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn it_changes_nothing_outside_of_them() {
    let app = TestApp::start().await;
    let sidecar = app.client.with_key(SIDECAR_KEY);
    // The key of the slot's agent is good: what is refused is refused for want of rights.
    sidecar.post("/api/v1/agents/keys", &canary(3).key_body()).await.ok();
    for (method, path, body) in beyond_the_slots() {
        let answer = match method {
            "POST" => sidecar.post(&path, &body).await,
            "DELETE" => sidecar.delete(&path).await,
            _ => sidecar.get(&path).await,
        };
        assert_eq!(answer.code(), "INSUFFICIENT_PERMISSIONS", "{method} {path} {body}");
        answer.check_conventions();
    }
    let operations = app.operations.with_key(SIDECAR_KEY);
    operations.post("/drain", &json!({})).await.refused("INSUFFICIENT_PERMISSIONS");
    assert_eq!(app.client.get("/ready").await.ok()["status"], "ready", "it drains not");
    let stores = app.client.get(STORES).await.ok();
    assert_eq!(stores["items"], json!([]), "no stream was made");
    let agents = app.client.get("/api/v1/admin/agents").await.ok();
    assert_eq!(agents["items"].as_array().unwrap().len(), 1, "no key was made: {agents}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_knows_every_stream_and_follows_them() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 3).await;
    app.client.seal(agent.stream, 1, 2).await.ok();
    let reader = app.credential(json!({ "tenant_id": Uuid::nil(), "write": false })).await;
    for client in [app.client.with_key(SIDECAR_KEY), reader.clone()] {
        let all = client.get(STORES).await.ok();
        assert_eq!(all, app.client.get(STORES).await.ok());
        assert_eq!(all["items"][0]["agentCount"], 1);
        let mut expect = all.clone();
        expect["items"][0].as_object_mut().unwrap().remove("agentCount");
        assert_eq!(client.get(&format!("{STORES}?agents=false")).await.ok(), expect);
        assert_eq!(client.get(&format!("{STORES}?agents=true")).await.ok(), all);
        client.get(&format!("{STORES}?agents=no")).await.refused("INVALID_FIELD_VALUE");
        let path = format!("/api/v1/ves/events/stream?{}", query(agent.stream));
        assert_eq!(client.request("GET", &path).send().await.unwrap().status(), 200);
        app.operations.with_key(&client.key).get("/health/detailed").await.ok();
    }
    // What a tenant's reader or a narrowed one of the platform sees is not everything.
    let narrowed = json!({ "tenant_id": Uuid::nil(), "store_ids": [agent.stream.store_id] });
    let of_tenant = json!({ "tenant_id": agent.stream.tenant_id });
    let writer = json!({ "tenant_id": Uuid::nil(), "read": false });
    for wanted in [narrowed, of_tenant, writer] {
        let client = app.credential(wanted).await;
        client.get(STORES).await.refused("INSUFFICIENT_PERMISSIONS");
        let detailed = app.operations.with_key(&client.key).get("/health/detailed").await;
        detailed.refused("INSUFFICIENT_PERMISSIONS");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rate_limit_holds_for_it() {
    let app = TestApp::start_with(&["--rate-limit-per-minute=2"]).await;
    let sidecar = app.client.with_key(SIDECAR_KEY);
    for _ in 0..5 {
        let answer = sidecar.get(STORES).await;
        answer.ok();
        assert_eq!(answer.header("ratelimit-limit"), None);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_one_retires_it_and_it_may_come_back() {
    let app = TestApp::start().await;
    let app = app.restart_with(&["--bootstrap-sidecar-api-key", OTHER_KEY]).await;
    app.client.with_key(SIDECAR_KEY).get(STORES).await.refused("INVALID_API_KEY");
    app.client.with_key(OTHER_KEY).get(STORES).await.ok();
    app.client.with_key(ROOT_KEY).get(STORES).await.ok();
    let app = app.restart_with(&[]).await;
    app.client.with_key(SIDECAR_KEY).get(STORES).await.ok();
    app.client.with_key(OTHER_KEY).get(STORES).await.refused("INVALID_API_KEY");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_variable_it_is_retired() {
    let app = TestApp::start().await;
    app.client.with_key(SIDECAR_KEY).get(STORES).await.ok();
    let place = app.stop().await;
    let server = Server::start(Config { bootstrap_sidecar_api_key: None, ..config(&place, &[]) });
    let server = server.await.unwrap();
    let base = format!("http://{}", server.api_address());
    let gone = Client { base, key: SIDECAR_KEY.to_owned(), http: connections() };
    gone.get(STORES).await.refused("INVALID_API_KEY");
    // Beside the embedded store on this machine, one is made; elsewhere there is none.
    let file = place.path().join("sidecar.key");
    assert_eq!(file.exists(), place.is_embedded());
    if let Ok(key) = std::fs::read_to_string(file) {
        gone.with_key(&key).get(STORES).await.ok();
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_the_sidecars_refuses_the_start() {
    let app = TestApp::start().await;
    let created = app.credential(json!({ "tenant_id": Uuid::nil() })).await.key;
    let place: Arc<Place> = app.stop().await;
    let name = "BOOTSTRAP_SIDECAR_API_KEY";
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--bootstrap-sidecar-api-key=secret"], &[name, "A-Z"]),
        (&["--bootstrap-sidecar-api-key", ROOT_KEY], &[name, "of its own"]),
        (&["--bootstrap-sidecar-api-key", &created], &[name, "set a new one"]),
        (&["--bootstrap-admin-api-key", &created], &["BOOTSTRAP_ADMIN_API_KEY", "set a new one"]),
    ];
    for (flags, parts) in cases {
        says(&refused(config(&place, flags)).await, parts);
    }
    // Exchanged, each would get the other's rights.
    let keys = ["--bootstrap-admin-api-key", SIDECAR_KEY, "--bootstrap-sidecar-api-key", ROOT_KEY];
    says(&refused(config(&place, &keys)).await, &[name, "another kind"]);
    let app = TestApp::start_in(place, &[]).await;
    app.client.with_key(ROOT_KEY).get("/api/v1/admin/overview").await.ok();
    app.client.with_key(SIDECAR_KEY).get(STORES).await.ok();
    app.finish().await;
}
