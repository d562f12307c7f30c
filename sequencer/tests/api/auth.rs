//! Who may call what: every credential against every route, by table.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::{Agent, body, query};
use crate::answer::Answer;
use crate::app::{Client, ROOT_KEY, SIDECAR_KEY, TestApp};
use crate::raw::{Connection, post_head, status};

/// The credentials of the table, in the order of its columns.
const CREDENTIALS: [&str; 14] = [
    "none",
    "malformed",
    "unknown",
    "revoked",
    "read",
    "write",
    "admin",
    "store",
    "other store",
    "agent",
    "other agent",
    "other tenant",
    "platform",
    "sidecar",
];

/// One route with a request that succeeds, or fails only behind the door.
struct Row {
    method: &'static str,
    path: String,
    body: Value,
    statuses: [u16; 14],
}

async fn credentials(app: &TestApp, agent: &Agent) -> Vec<Client> {
    let tenant = agent.stream.tenant_id;
    let make = async |changes: Value| {
        let mut wanted = json!({ "tenant_id": tenant });
        for (name, value) in changes.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        app.credential(wanted).await
    };
    let revoked = make(json!({ "admin": true })).await;
    let list = app.client.get(&format!("/api/v1/admin/api-keys?tenant_id={tenant}")).await.ok();
    let prefix = list["items"][0]["key_prefix"].as_str().unwrap();
    app.client.delete(&format!("/api/v1/admin/api-keys/{prefix}")).await.ok();
    vec![
        app.client.with_key(""),
        app.client.with_key("ss_short"),
        app.client.with_key("ss_0123456789012345678901234567890123456789"),
        revoked,
        make(json!({ "write": false })).await,
        make(json!({ "read": false })).await,
        make(json!({ "admin": true })).await,
        make(json!({ "store_ids": [agent.stream.store_id] })).await,
        make(json!({ "store_ids": [Uuid::new_v4()] })).await,
        make(json!({ "agent_id": agent.id })).await,
        make(json!({ "agent_id": Uuid::new_v4() })).await,
        make(json!({ "tenant_id": Uuid::new_v4(), "admin": true })).await,
        app.client.clone(),
        app.client.with_key(SIDECAR_KEY),
    ]
}

/// A row whose first four credentials are none that count.
fn row(method: &'static str, path: String, body: Value, after: [u16; 10]) -> Row {
    let mut statuses = [401; 14];
    statuses[4..].copy_from_slice(&after);
    Row { method, path, body, statuses }
}

/// Events, commitments and proofs.
fn rows_of_the_log(agent: &Agent, envelope: &str, batch_id: &str) -> Vec<Row> {
    let q = query(agent.stream);
    let (tenant, id) = (agent.stream.tenant_id, agent.id);
    let event: Value = serde_json::from_str(envelope).unwrap();
    let event_id = event["event_id"].as_str().unwrap();
    let entity_id = event["entity_id"].as_str().unwrap();
    let hash = "ab".repeat(32);
    //       read write admin store other-store agent other-agent other-tenant platform sidecar
    let of_stream = [200, 403, 200, 200, 403, 200, 200, 403, 200, 200];
    let of_batch = [200, 403, 200, 200, 404, 200, 200, 404, 200, 200];
    let of_nobody = [200, 403, 200, 200, 200, 200, 200, 200, 200, 200];
    let null = Value::Null;
    let api = "/api/v1";
    vec![
        row(
            "POST",
            format!("{api}/ves/events/ingest"),
            json!({ "agentId": id, "events": [event] }),
            [403, 200, 200, 200, 403, 200, 403, 403, 200, 403],
        ),
        row("GET", format!("{api}/ves/events?{q}"), null.clone(), of_stream),
        row("GET", format!("{api}/ves/events/{event_id}?{q}"), null.clone(), of_stream),
        row("GET", format!("{api}/ves/head?{q}"), null.clone(), of_stream),
        row("GET", format!("{api}/ves/entities/shelf/{entity_id}?{q}"), null.clone(), of_stream),
        row(
            "POST",
            format!("{api}/ves/commitments"),
            json!({
                "tenant_id": tenant, "store_id": agent.stream.store_id,
                "sequence_start": 1, "sequence_end": 1,
            }),
            [403, 200, 200, 200, 403, 200, 200, 403, 200, 403],
        ),
        row("GET", format!("{api}/ves/commitments?{q}"), null.clone(), of_stream),
        row("GET", format!("{api}/ves/commitments/{batch_id}"), null.clone(), of_batch),
        row("GET", format!("{api}/ves/proofs/1?{q}"), null.clone(), of_stream),
        row(
            "POST",
            format!("{api}/ves/proofs/verify"),
            json!({ "leaf_hash": hash, "merkle_root": hash, "proof_path": [], "leaf_index": 0 }),
            of_nobody,
        ),
    ]
}

/// Keys of agents and credentials.
fn rows_of_keys(agent: &Agent) -> Vec<Row> {
    let (tenant, id) = (agent.stream.tenant_id, agent.id);
    //       read write admin store other-store agent other-agent other-tenant platform sidecar
    let of_tenant = [200, 403, 200, 200, 200, 200, 200, 403, 200, 200];
    let admin = |allowed: u16| [403, 403, allowed, 403, 403, 403, 403, 403, allowed, 403];
    let admin_of_any =
        |allowed: u16| [403, 403, allowed, 403, 403, 403, 403, allowed, allowed, 403];
    let null = Value::Null;
    let api = "/api/v1";
    vec![
        row(
            "POST",
            format!("{api}/agents/keys"),
            agent.key_body(),
            [403, 403, 409, 403, 403, 409, 403, 403, 409, 403],
        ),
        row(
            "GET",
            format!("{api}/agents/keys?tenant_id={tenant}&agent_id={id}"),
            null.clone(),
            of_tenant,
        ),
        row(
            "POST",
            format!("{api}/agents/keys/revoke"),
            json!({ "tenantId": tenant, "agentId": id, "keyId": 77 }),
            admin(404),
        ),
        row("POST", format!("{api}/agents/keys/rotate"), agent.key_body(), admin(400)),
        row(
            "POST",
            format!("{api}/admin/api-keys"),
            json!({ "tenant_id": tenant, "read": true, "write": false, "admin": false }),
            admin(200),
        ),
        row("GET", format!("{api}/admin/api-keys"), null.clone(), admin_of_any(200)),
        row("GET", format!("{api}/admin/api-keys?tenant_id={tenant}"), null.clone(), admin(200)),
        row("DELETE", format!("{api}/admin/api-keys/0123456789abcdef"), null, admin_of_any(404)),
    ]
}

/// Figures, of whole tenants or of everything.
fn rows_of_figures() -> Vec<Row> {
    //       read write admin store other-store agent other-agent other-tenant platform sidecar
    let admin = [403, 403, 200, 403, 403, 403, 403, 200, 200, 403];
    let and_sidecar = [403, 403, 200, 403, 403, 403, 403, 200, 200, 200];
    let figures = |list, after| row("GET", format!("/api/v1/admin/{list}"), Value::Null, after);
    vec![
        figures("overview", admin),
        figures("tenants", admin),
        figures("stores", and_sidecar),
        figures("agents", admin),
    ]
}

async fn call(client: &Client, row: &Row) -> Answer {
    let mut request = client.request(row.method, &row.path);
    if row.method == "POST" {
        request = request.header("content-type", "application/json").body(row.body.to_string());
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_credential_against_every_route() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event();
    app.ingest(std::slice::from_ref(&event)).await;
    let batch = app.client.seal(agent.stream, 1, 1).await.ok();
    let clients = credentials(&app, &agent).await;
    let batch_id = batch["batch_id"].as_str().unwrap();
    let rows = rows_of_the_log(&agent, &event.to_json(), batch_id);
    for row in rows.iter().chain(&rows_of_keys(&agent)).chain(&rows_of_figures()) {
        for ((client, name), expect) in clients.iter().zip(CREDENTIALS).zip(row.statuses) {
            let answer = call(client, row).await;
            answer.check_conventions();
            let what = format!("{name}: {} {}", row.method, row.path);
            assert_eq!(answer.status, expect, "{what}: {}", answer.text);
            let code = match (expect, name) {
                (401, "none") => "AUTH_REQUIRED",
                (401, _) => "INVALID_API_KEY",
                (403, _) => "INSUFFICIENT_PERMISSIONS",
                _ => continue,
            };
            assert_eq!(answer.code(), code, "{what}");
        }
    }
    for path in ["/health", "/ready", "/health/live", "/health/ready", "/api/v1/ves/sequencer"] {
        for client in &clients {
            client.get(path).await.ok();
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operations_port_asks_for_the_platform_where_it_asks() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let clients = credentials(&app, &agent).await;
    let statuses = [401, 401, 401, 401, 403, 403, 403, 403, 403, 403, 403, 403, 200, 200];
    for ((client, name), expect) in clients.iter().zip(CREDENTIALS).zip(statuses) {
        let client = app.operations.with_key(&client.key);
        let answer = client.get("/health/detailed").await;
        assert_eq!(answer.status, expect, "{name}: {}", answer.text);
        assert_eq!(client.get("/metrics").await.status, 200, "{name}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_taken_in_three_forms_and_in_no_other() {
    let app = TestApp::start().await;
    let agent = Agent::new();
    let path = format!("/api/v1/ves/head?{}", query(agent.stream));
    let key = ROOT_KEY;
    let cases = [
        ("authorization", format!("ApiKey {key}"), 200),
        ("authorization", format!("apikey {key}"), 200),
        ("authorization", format!("Bearer {key}"), 200),
        ("authorization", format!("BEARER {key}"), 200),
        ("x-api-key", key.to_owned(), 200),
        ("authorization", format!("Basic {key}"), 401),
        ("authorization", key.to_owned(), 401),
        ("authorization", "ApiKey".to_owned(), 401),
        ("authorization", "ApiKey ".to_owned(), 401),
        ("authorization", format!("ApiKey {key}x"), 401),
        ("authorization", format!("ApiKey {}", &key[..key.len() - 1]), 401),
        ("authorization", format!("ApiKey {}", key.to_uppercase()), 401),
        ("x-api-key", format!("ApiKey {key}"), 401),
        ("x-api-key", String::new(), 401),
        ("x-api-key", format!("ss_{}", "a".repeat(5000)), 401),
        ("cookie", format!("api_key={key}"), 401),
    ];
    let anonymous = app.client.with_key("");
    for (header, value, expect) in cases {
        let request = anonymous.request("GET", &path).header(header, &value);
        let answer = Answer::of(request.send().await.unwrap()).await;
        answer.check_conventions();
        assert_eq!(answer.status, expect, "{header}: {value}");
        assert!(!answer.text.contains(key), "the answer repeats the credential");
    }
    let answer = anonymous.get(&format!("{path}&api_key={key}")).await;
    answer.refused("AUTH_REQUIRED");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_turned_away_before_the_body_is_read() {
    let app = TestApp::start().await;
    let rights = app.credential(json!({ "tenant_id": Uuid::new_v4(), "write": false })).await;
    for (key, expect) in [("ss_0123456789012345678901234567890123456789", 401), (&rights.key, 403)]
    {
        for length in ["content-length: 20971520\r\n", "transfer-encoding: chunked\r\n"] {
            let mut connection = Connection::open(&app.client).await;
            // Not one byte of the body is sent, so an answer proves that none was waited for.
            connection.send(post_head(length).replace(ROOT_KEY, key)).await;
            let answer = connection.read_until("\"}}").await;
            assert_eq!(status(&answer), expect, "{length}: {answer}");
        }
    }
    // What is wrong with the request is for those who may know.
    let stranger = app.client.with_key("");
    stranger.post_events("{").await.refused("AUTH_REQUIRED");
    let request = stranger.request("POST", "/api/v1/ves/events/ingest").body("x");
    let request = request.header("content-type", "text/plain");
    Answer::of(request.send().await.unwrap()).await.refused("AUTH_REQUIRED");
    stranger.get("/api/v1/ves/head?tenant_id=x").await.refused("AUTH_REQUIRED");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_leaves_no_trace() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let reader = json!({ "tenant_id": agent.stream.tenant_id, "write": false });
    let reader = app.credential(reader).await;
    let text = body(agent.id, &[agent.event().to_json()]);
    reader.post_events(text).await.refused("INSUFFICIENT_PERMISSIONS");
    assert_eq!(app.client.head_sequence(agent.stream).await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_own_credential_registers_its_keys_and_no_others() {
    let app = TestApp::start().await;
    let agent = Agent::new();
    let tenant = agent.stream.tenant_id;
    let own = app.credential(json!({ "tenant_id": tenant, "agent_id": agent.id })).await;
    own.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
    assert_eq!(own.ingest(&[agent.event()]).await.events_accepted, 1);
    let other = Agent::in_stream(agent.stream);
    let answer = own.post("/api/v1/agents/keys", &other.key_body()).await;
    answer.refused("INSUFFICIENT_PERMISSIONS");
    let elsewhere = Agent { id: agent.id, ..Agent::new() };
    let answer = own.post("/api/v1/agents/keys", &elsewhere.key_body()).await;
    answer.refused("INSUFFICIENT_PERMISSIONS");
    let reading = json!({ "tenant_id": tenant, "agent_id": agent.id, "write": false });
    let reading = app.credential(reading).await;
    let answer = reading.post("/api/v1/agents/keys", &agent.with_key(2).key_body()).await;
    answer.refused("INSUFFICIENT_PERMISSIONS");
    app.finish().await;
}
