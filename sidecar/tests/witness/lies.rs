//! Whatever a server answers, the witness says what is wrong with it: never a crash, never "all is
//! well", never a loop without end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ves::{EventRecord, Receipt, SigningKey, Stream, Timestamp};

use crate::agent::Agent;
use crate::fixture::{LIMIT, QUICK, listed, open_kinds, open_series, state_dir, wait_until_open};
use crate::liar::Liar;
use crate::stack::Sidecar;

const STORES: &str = "/api/v1/admin/stores";
const EVENTS: &str = "/api/v1/ves/events";
const INFO: &str = "/api/v1/ves/sequencer";
const HEAD: &str = "/api/v1/ves/head";

/// A liar that begins as a good sequencer of one stream, and who watches it.
struct Lied {
    liar: Liar,
    sidecar: Sidecar,
    folder: tempfile::TempDir,
    agent: Agent,
    receipts: SigningKey,
}

impl Lied {
    async fn to() -> Self {
        let (liar, agent) = (Liar::start().await, Agent::new());
        let folder = tempfile::tempdir().unwrap();
        let sidecar = Sidecar::start(folder.path(), &liar.url, &liar.url, QUICK);
        let new = Self { liar, sidecar, folder, agent, receipts: SigningKey::from_seed(&[5; 32]) };
        new.publish_key(&new.receipts);
        let entry = json!({
            "tenantId": new.agent.stream.tenant_id, "agentId": new.agent.id, "keyId": 1,
            "keyAlgorithm": 1, "publicKey": new.agent.public_key_hex(), "status": "active",
            "validFrom": null, "validTo": null, "revokedAt": null,
            "createdAt": "2026-01-01T00:00:00.000000Z",
        });
        new.liar.says(
            "/api/v1/agents/keys",
            200,
            json!({ "keys": [entry], "count": 1 }).to_string(),
        );
        let none = json!({ "commitments": [], "count": 0, "next_from": null });
        new.liar.says("/api/v1/ves/commitments", 200, none.to_string());
        new
    }

    fn publish_key(&self, key: &SigningKey) {
        let key = ves::Hash32(*key.public_key().as_bytes());
        let info = json!({
            "sequencer_id": uuid::Uuid::nil(), "ves_version": 1,
            "keys": [{ "key_version": 1, "algorithm": "ed25519", "public_key": key,
                "valid_from": "2026-01-01T00:00:00.000000Z", "valid_to": null }],
            "limits": { "max_body_bytes": 1, "max_events_per_request": 1, "max_payload_bytes": 1,
                "max_payload_depth": 1, "max_entity_type_bytes": 1, "max_entity_id_bytes": 1,
                "max_event_type_bytes": 1, "max_page_events": 1, "max_commitment_events": 1 },
        });
        self.liar.says(INFO, 200, info.to_string());
    }

    fn records(&self, count: u64) -> Vec<EventRecord> {
        (1..=count).map(|number| self.record(number, self.agent.stream)).collect()
    }

    fn record(&self, number: u64, stream: Stream) -> EventRecord {
        let event = self.agent.event_with(|draft| draft.stream = stream);
        let (at, hash) = (Timestamp::from_micros(1_770_000_000_000_000), event.signing_hash());
        let (id, sequencer) = (event.event_id, uuid::Uuid::nil());
        let receipt = Receipt::issue(&self.receipts, 1, sequencer, &stream, id, number, at, &hash);
        EventRecord { event, sequence_number: number, sequenced_at: at, receipt }
    }

    fn shows(&self, head: u64, events: &[String]) {
        let Stream { tenant_id, store_id } = self.agent.stream;
        let item = json!({ "tenantId": tenant_id, "storeId": store_id, "headSequence": head,
            "committedSequence": 0 });
        self.liar.says(STORES, 200, json!({ "items": [item], "next": null }).to_string());
        let told =
            json!({ "head_sequence": head, "committed_sequence": 0, "last_state_root": null });
        self.liar.says(HEAD, 200, told.to_string());
        let page = format!(
            "{{\"events\":[{}],\"head_sequence\":{head},\"next_from\":null}}",
            events.join(",")
        );
        self.liar.says(EVENTS, 200, page);
    }

    /// Waits until the log says why it cannot follow.
    async fn wait_until_it_says(&self, text: &str) {
        let started = Instant::now();
        let is_it = |line: &Value| line["problem"].as_str().is_some_and(|p| p.contains(text));
        while !self.sidecar.running.log().iter().any(is_it) {
            let log = || self.sidecar.running.log();
            assert!(started.elapsed() < LIMIT, "it does not say {text}: {:#?}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // It lives, and claims nothing.
        assert_eq!(self.sidecar.get("/health").await.status, 200);
        assert_eq!(open_kinds(&state_dir(self.folder.path())), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sequencer_of_this_version_is_a_reason_and_no_violation() {
    let lied = Lied::to().await;
    lied.wait_until_it_says("answered 404 RESOURCE_NOT_FOUND").await;
    let last_poll = "stateset_sidecar_witness_last_poll_timestamp_seconds";
    let before = lied.sidecar.sample(last_poll).await;
    for (status, body, says) in [
        (401, r#"{"error":{"code":"INVALID_API_KEY","message":"unknown key"}}"#, "INVALID_API_KEY"),
        (200, "<html>hello</html>", "something unexpected"),
        (200, r#"{"stores":[]}"#, "something unexpected"),
        (503, "", "answered 503"),
        (302, "", "answered 302"),
    ] {
        lied.liar.says(STORES, status, body);
        lied.wait_until_it_says(says).await;
    }
    // A list that never ends.
    let item = json!({ "tenantId": uuid::Uuid::nil(), "storeId": uuid::Uuid::nil(),
        "headSequence": 0, "committedSequence": 0 });
    let endless = json!({ "items": [item], "next": "again" }).to_string();
    lied.liar.says(STORES, 200, endless);
    lied.wait_until_it_says("listed in no order").await;
    lied.liar.says(STORES, 200, format!("{{\"items\":[{}", " ".repeat(40 << 20)));
    lied.wait_until_it_says("more than 33554432 bytes").await;
    assert_eq!(lied.sidecar.sample(last_poll).await, before, "the heads were never read");
    // Pages of another shape.
    lied.shows(3, &[]);
    lied.liar.says(EVENTS, 200, r#"{"items":[]}"#);
    lied.wait_until_it_says("missing field `events`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequencer_that_lies_about_its_log_is_found_out() {
    let lied = Lied::to().await;
    let state_dir = state_dir(lied.folder.path());
    let good: Vec<String> = lied.records(3).iter().map(EventRecord::to_json).collect();
    lied.shows(3, &good);
    let verified = "stateset_sidecar_witness_verified_events_total";
    lied.sidecar.wait_for(verified, LIMIT, |events| events == 3.0).await;
    assert_eq!(open_kinds(&state_dir), Vec::<String>::new());
    // Numbers that go down: the head with them. The second loop may miss number 3 meanwhile.
    lied.shows(2, &good[..2]);
    lied.sidecar.wait_for(&open_series("rollback"), LIMIT, |open| open == 1.0).await;
    // An event of another stream in the place of 4, then none at all.
    let foreign = lied.record(4, Stream { store_id: uuid::Uuid::new_v4(), ..lied.agent.stream });
    lied.shows(4, &[foreign.to_json()]);
    wait_until_open(&state_dir, &["gap", "rollback"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_receipt_key_under_the_same_version_is_a_violation() {
    let lied = Lied::to().await;
    let good: Vec<String> = lied.records(1).iter().map(EventRecord::to_json).collect();
    lied.shows(1, &good);
    let verified = "stateset_sidecar_witness_verified_events_total";
    lied.sidecar.wait_for(verified, LIMIT, |events| events == 1.0).await;
    lied.publish_key(&SigningKey::from_seed(&[6; 32]));
    lied.sidecar.wait_for(&open_series("receipt"), LIMIT, |open| open == 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_all_measure_is_a_gap_and_no_flood() {
    let lied = Lied::to().await;
    lied.shows(u64::MAX, &[]);
    wait_until_open(&state_dir(lied.folder.path()), &["gap"]).await;
    assert_eq!(listed(&state_dir(lied.folder.path())).as_array().unwrap().len(), 1);
    let (before, started) = (lied.liar.asked(), Instant::now());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = (lied.liar.asked() - before) as f64 / started.elapsed().as_secs_f64();
    // Fifty a round, ten rounds a second here; one round a second by default.
    assert!(asked < 800.0, "{asked} requests a second");
    assert_eq!(listed(&state_dir(lied.folder.path())).as_array().unwrap().len(), 1);
    let lag = lied.sidecar.sample("stateset_sidecar_witness_lag_events").await.unwrap();
    assert!(lag > 1e18, "{lag}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_twice_is_a_violation() {
    let lied = Lied::to().await;
    let state_dir = state_dir(lied.folder.path());
    let records = lied.records(3);
    let good: Vec<String> = records.iter().map(EventRecord::to_json).collect();
    lied.shows(2, &good[..2]);
    let verified = "stateset_sidecar_witness_verified_events_total";
    lied.sidecar.wait_for(verified, LIMIT, |events| events == 2.0).await;
    assert_eq!(open_kinds(&state_dir), Vec::<String>::new());
    // The second event again, with a good receipt, under the third number.
    let (again, hash) = (records[1].event.clone(), records[1].event.signing_hash());
    let (at, stream, id) = (records[1].sequenced_at, lied.agent.stream, again.event_id);
    let receipt = Receipt::issue(&lied.receipts, 1, uuid::Uuid::nil(), &stream, id, 3, at, &hash);
    let again = EventRecord { event: again, sequence_number: 3, sequenced_at: at, receipt };
    lied.shows(3, &[again.to_json()]);
    // Who reads history again misses the first two.
    wait_until_open(&state_dir, &["duplicate", "gap"]).await;
}
