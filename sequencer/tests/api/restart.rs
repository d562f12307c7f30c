//! What a restart keeps, and what a change of keys changes.

use serde_json::{Value, json};
use uuid::Uuid;
use ves::PublicKey;
use ves::wire::SequencerInfo;

use crate::agent::query;
use crate::app::{Client, ROOT_KEY, SEED, TestApp};

const OTHER_KEY: &str = "ss_00000000anotheranotheranotheranother1";
const OTHER_SEED: &str = "0808080808080808080808080808080808080808080808080808080808080808";

async fn info(client: &Client) -> SequencerInfo {
    let answer = client.get("/api/v1/ves/sequencer").await.ok();
    serde_json::from_value(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_as_it_was() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 12).await;
    app.client.seal(agent.stream, 1, 10).await.ok();
    let client = app.credential(json!({ "tenant_id": agent.stream.tenant_id })).await;
    let q = query(agent.stream);
    let paths = [
        format!("/api/v1/ves/events?{q}"),
        format!("/api/v1/ves/commitments?{q}"),
        format!("/api/v1/ves/proofs/7?{q}"),
        format!("/api/v1/ves/head?{q}"),
        "/api/v1/ves/sequencer".to_owned(),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(client.get(path).await.text);
    }
    let app = app.restart().await;
    let client = app.client.with_key(&client.key);
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(client.get(path).await.text, before, "{path}");
    }
    assert_eq!(client.ingest(&[agent.event()]).await.sequence_start, Some(13));
    app.client.seal(agent.stream, 11, 13).await.ok();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_bootstrap_key_retires_the_old_one() {
    let app = TestApp::start().await;
    let path = "/api/v1/admin/api-keys";
    let app = app.restart_with(&["--bootstrap-admin-api-key", OTHER_KEY]).await;
    app.client.with_key(ROOT_KEY).get(path).await.refused("INVALID_API_KEY");
    let keys = app.client.with_key(OTHER_KEY).get(path).await.ok();
    let revoked: Vec<bool> =
        keys["items"].as_array().unwrap().iter().map(|key| key["revoked_at"].is_string()).collect();
    assert_eq!(revoked.iter().filter(|revoked| **revoked).count(), 1);
    assert_eq!(revoked.len(), 3, "two of the platform, one of the sidecar");
    // Set again, it is the platform key once more.
    let app = app.restart_with(&[]).await;
    app.client.with_key(ROOT_KEY).get(path).await.ok();
    app.client.with_key(OTHER_KEY).get(path).await.refused("INVALID_API_KEY");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_seed_adds_a_version_and_old_receipts_stay_verifiable() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event();
    let old = app.ingest(std::slice::from_ref(&event)).await.receipts[0].clone();
    assert_eq!(old.sequencer_key_version, 1);
    let app = app.restart_with(&["--ves-sequencer-signing-key", OTHER_SEED]).await;
    let published = info(&app.client).await;
    let versions: Vec<(u32, bool)> =
        published.keys.iter().map(|key| (key.key_version, key.valid_to.is_some())).collect();
    assert_eq!(versions, [(1, true), (2, false)]);
    assert_eq!(published.keys[0].valid_to, Some(published.keys[1].valid_from));
    let key =
        |version: usize| PublicKey::from_bytes(&published.keys[version - 1].public_key.0).unwrap();
    let hash = event.signing_hash();
    assert!(old.verify(&key(1), &agent.stream, &hash), "under the past key");
    let again = app.ingest(std::slice::from_ref(&event)).await.receipts[0].clone();
    assert_eq!(again.sequencer_key_version, 2, "a re-read is signed by the current key");
    assert!(again.verify(&key(2), &agent.stream, &hash));
    assert_eq!(again.receipt_hash, old.receipt_hash);
    assert_eq!(again.sequenced_at, old.sequenced_at);
    assert_eq!(again.sequencer_id, old.sequencer_id);
    assert_eq!(app.ingest(&[agent.event()]).await.receipts[0].sequencer_key_version, 2);
    let path = format!("/api/v1/ves/events/{}?{}", event.event_id, query(agent.stream));
    let read = app.client.get(&path).await.ok();
    assert_eq!(read["receipt"], serde_json::to_value(&again).unwrap());
    // The same seed again adds nothing.
    let app = app.restart().await;
    assert_eq!(info(&app.client).await, published);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_may_be_given_as_hex_or_base64() {
    use base64::Engine as _;
    let app = TestApp::start().await;
    let before = info(&app.client).await;
    let bytes = ves::Hash32::parse_bare(SEED).unwrap().0;
    let mut app = app;
    for text in [
        base64::engine::general_purpose::STANDARD.encode(bytes),
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes),
        format!("0x{SEED}"),
    ] {
        app = app.restart_with(&["--ves-sequencer-signing-key", &text]).await;
        assert_eq!(info(&app.client).await, before, "{text}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sequencers_id_is_created_once_or_given() {
    let app = TestApp::start().await;
    let created = info(&app.client).await.sequencer_id;
    let given = Uuid::new_v4();
    let app = app.restart().await;
    assert_eq!(info(&app.client).await.sequencer_id, created);
    let flag = format!("--ves-sequencer-id={given}");
    let app = app.restart_with(&[&flag]).await;
    assert_eq!(info(&app.client).await.sequencer_id, given);
    let agent = app.agent().await;
    assert_eq!(app.ingest(&[agent.event()]).await.receipts[0].sequencer_id, given);
    app.finish().await;
}

/// A clock that was set back must not turn time back in the log.
#[tokio::test(flavor = "multi_thread")]
async fn sequenced_at_never_decreases() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 2).await;
    let future = ves::Timestamp::parse("2199-01-01T00:00:00Z").unwrap().as_micros();
    let mut behind = app.behind().await;
    let later = format!(
        "UPDATE streams SET updated_at = {future};
         UPDATE events SET sequenced_at = {future} WHERE sequence_number = 2"
    );
    behind.execute(&later).await;
    behind.close().await;
    let app = app.restart().await;
    let response = app.ingest(&[agent.event()]).await;
    assert_eq!(response.receipts[0].sequenced_at.as_micros(), future);
    let q = query(agent.stream);
    let read: Value = app.client.get(&format!("/api/v1/ves/events?{q}")).await.ok();
    assert_eq!(read["events"][2]["sequenced_at"], "2199-01-01T00:00:00.000000Z");
    app.finish().await;
}
