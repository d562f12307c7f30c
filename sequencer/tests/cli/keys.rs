//! `keys`: a pair is made, registered, and signs an event that a server takes.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::program::Folder;

const TENANT: &str = "f9f0efa3-f9da-4262-89aa-f021ee41af38";
const STORE: &str = "589f7a52-1c71-4a7b-a6e9-f78a4e8b03f5";
const AGENT: &str = "9a06c992-a269-4ef7-b984-974c185aa4ec";

fn event(changes: &Value) -> String {
    let mut event = json!({
        "tenant_id": TENANT,
        "store_id": STORE,
        "source_agent_id": AGENT,
        "entity_type": "order",
        "entity_id": "ORD-1001",
        "event_type": "order.created",
        "payload": { "total_cents": 4995, "currency": "EUR" },
    });
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string()
}

#[test]
fn a_generated_key_is_private_and_is_never_overwritten() {
    let folder = Folder::new();
    let made = folder.run(&["keys", "generate", "--out", "keys/agent.key"]).succeeded();
    let seed = folder.read("keys/agent.key");
    assert_eq!(seed.trim().len(), 64);
    assert!(!made.stdout.contains(seed.trim()), "a key that went to a file is not printed");
    let mode = std::fs::metadata(folder.path("keys/agent.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let again = folder.run(&["keys", "generate", "--out", "keys/agent.key"]);
    again.refused(1, "cannot create keys/agent.key: File exists");
    assert_eq!(folder.read("keys/agent.key"), seed);

    let printed = folder.run(&["keys", "generate"]).succeeded();
    let seed = printed.stdout.lines().next().unwrap().split_whitespace().last().unwrap();
    assert_eq!(seed.len(), 64, "{}", printed.stdout);
}

#[tokio::test]
async fn a_signed_event_file_is_taken_by_a_server() {
    let folder = Folder::new();
    folder.run(&["keys", "generate", "--out", "agent.key"]).succeeded();
    std::fs::write(folder.path("event.json"), event(&json!({}))).unwrap();
    let signed = folder.run(&["keys", "sign", "--key", "agent.key", "event.json"]).succeeded();
    let (server, url) = folder.serve();

    let register = format!(
        "{} keys register --url {url} --key agent.key --tenant-id {TENANT} --agent-id {AGENT}",
        env!("CARGO_BIN_EXE_sequencer")
    );
    folder.shell(&register).succeeded();
    folder.shell(&register).refused(1, "409 ALREADY_EXISTS: this agent has a key 1 already");
    let other = format!("{register} --key-id 2 --api-key ss_{}", "x".repeat(40));
    folder.shell(&other).refused(1, "401 INVALID_API_KEY");

    sequencer::client::prepare_tls();
    let answer = reqwest::Client::new()
        .post(format!("{url}/api/v1/ves/events/ingest"))
        .bearer_auth(folder.read("data/bootstrap.key").trim())
        .header("content-type", "application/json")
        .body(signed.stdout)
        .send();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    assert_eq!(answer["eventsAccepted"], 1, "{answer}");
    server.stop();
}

#[test]
fn an_event_file_that_no_server_would_take_is_not_signed() {
    let folder = Folder::new();
    folder.run(&["keys", "generate", "--out", "agent.key"]).succeeded();
    let cases = [
        (event(&json!({ "payload": 3 })), "`payload` must be an object"),
        (event(&json!({ "payload": { "n": 9_007_199_254_740_992_u64 } })), "2^53-1"),
        (event(&json!({ "event_type": "" })), "`event_type` must be 1 to 256 bytes"),
        (event(&json!({ "created_at": "yesterday" })), "`created_at`"),
        (event(&json!({ "entity": "x" })), "unknown field `entity`"),
        (event(&json!({ "ves_version": 2 })), "`ves_version` must be 1"),
        (event(&json!({ "agent_signature": "0x00" })), "unknown field `agent_signature`"),
        (event(&json!({})).replace("\"currency\"", "\"total_cents\""), "is repeated"),
        ("{".to_owned(), "cannot be signed"),
    ];
    for (text, sentence) in cases {
        std::fs::write(folder.path("event.json"), text).unwrap();
        folder.run(&["keys", "sign", "--key", "agent.key", "event.json"]).refused(1, sentence);
    }
    let no_key = folder.run(&["keys", "sign", "--key", "event.json", "event.json"]);
    no_key.refused(1, "event.json must hold a seed of 32 bytes");
}
