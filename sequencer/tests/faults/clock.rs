//! A clock that is set while the sequencer runs: a day forward, a day back, and at rest again.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use testbed::clock::Clock;

use crate::agent::Agent;
use crate::answer::eventually;
use crate::client::Client;
use crate::load::Load;
use crate::process::{Process, command};

/// Longest time for what does not depend on the clock: sealing waits a second, a credential is
/// believed for five.
const LIMIT: Duration = Duration::from_secs(15);
const DAY_SECONDS: i64 = 24 * 3600;
const ROTATE: &str = "/api/v1/agents/keys/rotate";
const REVOKE: &str = "/api/v1/agents/keys/revoke";

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_turns_no_time_back_and_hangs_nothing() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::in_folder(folder.path());
    let mut process = start(folder.path(), &clock);
    let mut load = Load::new(&process.client).await;
    // Alone in its stream, with a key for the next hour.
    let short = Agent::new();
    let mut key = short.key_body();
    key["validTo"] = json!(in_an_hour());
    process.client.post("/api/v1/agents/keys", &key).await.ok();
    for days in [0, 1, 0, -1, 2, 0] {
        let running = load.begin(&process.client);
        tokio::time::sleep(Duration::from_millis(100)).await;
        clock.set(days * DAY_SECONDS);
        works(&process.client, &mut load).await;
        load.end(running).await;
        sealed(&process.client, &load).await;
        keys_end_by_the_clock(&process.client, &short, days <= 0).await;
        keys_that_end_spoil_no_history(&process.client, &mut load).await;
        credentials_end(&process.client).await;
        load.check(&process.client, true).await;
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code(), Some(0));
        process = start(folder.path(), &clock);
    }
    works(&process.client, &mut load).await;
    sealed(&process.client, &load).await;
    load.check(&process.client, true).await;
}

/// Writes are accepted, and the process is ready.
async fn works(client: &Client, load: &mut Load) {
    for agent in &load.agents {
        assert_eq!(client.ingest(&agent.events(2)).await.events_accepted, 2);
    }
    client.get("/ready").await.ok();
}

/// Everything is sealed soon, although the age of an event from the future is below zero.
async fn sealed(client: &Client, load: &Load) {
    for stream in [load.agents[0].stream, load.agents[1].stream] {
        eventually(LIMIT, || async {
            let head = client.head(stream).await;
            (head["committed_sequence"] == head["head_sequence"]).then_some(())
        })
        .await;
    }
}

/// A key's window is that of the clock, as far as its stream has not gone beyond.
async fn keys_end_by_the_clock(client: &Client, agent: &Agent, good: bool) {
    let response = client.ingest(&agent.events(1)).await;
    assert_eq!(response.events_accepted, u64::from(good), "{:?}", response.rejections);
    if !good {
        assert!(response.rejections[0].message.contains("expired"), "{:?}", response.rejections);
    }
}

/// A key that is rotated or revoked while the log is ahead of the clock ends after the events it
/// signed: the audit that follows would hold them against the log otherwise.
async fn keys_that_end_spoil_no_history(client: &Client, load: &mut Load) {
    let agent = load.agents[0].clone();
    let rotated = agent.with_key(agent.key_id + 1);
    let mut body = rotated.key_body();
    body["overlapSeconds"] = json!(0);
    client.post(ROTATE, &body).await.ok();
    assert_eq!(client.ingest(&rotated.events(2)).await.events_accepted, 2);
    client.post(REVOKE, &rotated.key_name()).await.ok();
    assert_eq!(client.ingest(&rotated.events(1)).await.events_accepted, 0, "revoked is revoked");
    let next = rotated.with_key(rotated.key_id + 1);
    client.post("/api/v1/agents/keys", &next.key_body()).await.ok();
    load.agents[0] = next;
}

/// A credential works at once and stops within the time it is believed.
async fn credentials_end(client: &Client) {
    let tenant = uuid::Uuid::new_v4();
    let wanted = json!({ "tenant_id": tenant, "read": true, "write": false, "admin": false });
    let created = client.post("/api/v1/admin/api-keys", &wanted).await.ok();
    let other = client.with_key(created["api_key"].as_str().unwrap());
    let info = "/api/v1/admin/api-keys";
    other.get(info).await.refused("INSUFFICIENT_PERMISSIONS");
    client.delete(&format!("{info}/{}", created["key_prefix"].as_str().unwrap())).await.ok();
    eventually(LIMIT, || async {
        (other.get(info).await.code() == "INVALID_API_KEY").then_some(())
    })
    .await;
}

fn in_an_hour() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let micros = i64::try_from(now.as_micros()).unwrap();
    ves::Timestamp::from_micros(micros + 3_600_000_000).to_string()
}

fn start(folder: &Path, clock: &Clock) -> Process {
    let mut serve = command(folder, &[]);
    clock.show(&mut serve);
    Process::run(serve, folder)
}
