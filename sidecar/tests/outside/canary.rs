//! The canary's rounds against a real sequencer, and what is said when it breaks.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use uuid::Uuid;
use ves::canary::{Slot, TENANT_ID};

use crate::rooms::{LIMIT, Rooms, ended};
use crate::stack::{ADMIN_KEY, Sequencer, Sidecar, Stack, sample_of};

const PREFIX: &str = "stateset_sidecar_canary";

/// Calls the sequencer as its administrator.
async fn call(sequencer: &Sequencer, path: &str, body: Option<Value>) -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let url = format!("{}{path}", sequencer.url);
    let request = match body {
        Some(body) => http.post(url).json(&body),
        None => http.get(url),
    };
    let answer = request.header("authorization", format!("ApiKey {ADMIN_KEY}")).send();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    assert!(answer.get("error").is_none(), "{path}: {answer}");
    answer
}

/// Head of a slot's stream, and the keys of its agent.
async fn traces(sequencer: &Sequencer, slot: u8) -> (u64, usize) {
    let slot = Slot::new(slot).unwrap();
    let (store, agent) = (slot.stream().store_id, slot.agent_id());
    let path = format!("/api/v1/ves/head?tenant_id={TENANT_ID}&store_id={store}");
    let head = call(sequencer, &path, None).await["head_sequence"].as_u64().unwrap();
    let path = format!("/api/v1/agents/keys?tenant_id={TENANT_ID}&agent_id={agent}");
    let keys = call(sequencer, &path, None).await["keys"].as_array().unwrap().len();
    (head, keys)
}

/// A sequencer in the place of one that ended, over the same store.
fn again(folder: &Path, (port, operations): (u16, u16), flags: &[&str]) -> Sequencer {
    let (port, operations) = (format!("--port={port}"), format!("--ops-port={operations}"));
    Sequencer::start(folder, &[&[port.as_str(), &operations], flags].concat())
}

fn ports(sequencer: &Sequencer) -> (u16, u16) {
    (sequencer.port(), sequencer.operations_port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_walks_the_whole_path_and_times_each_step() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let rooms = Rooms::canary(folder.path(), &sequencer, &[]).await;
    let round = rooms.good_round().await;
    let steps: Vec<_> = round.steps.iter().map(|run| run.step.as_str()).collect();
    assert_eq!(steps, ["post", "read_back", "commitment", "proof"]);
    let mut end = 0.0;
    for run in &round.steps {
        assert!(run.ok && run.offset_seconds >= end && run.duration_seconds > 0.0, "{round:#?}");
        end = run.offset_seconds + run.duration_seconds;
    }
    assert!(round.duration_seconds >= end && round.reason.is_none());
    let view = rooms.canary_view();
    assert!(view.enabled && view.healthy == Some(true) && view.consecutive_failures == 0);
    assert_eq!((view.slot, view.tenant_id, view.key_id), (7, TENANT_ID, Some(1)));
    let (head, keys) = traces(&sequencer, 7).await;
    assert!(head >= round.sequence_number.unwrap() && keys == 1);
    let scrape = rooms.scrape();
    for step in ["post", "read_back", "commitment", "proof", "total"] {
        let series = format!("{PREFIX}_duration_seconds_count{{step=\"{step}\"}}");
        assert!(sample_of(&scrape, &series) >= Some(1.0), "{series}");
    }
    let failures = format!("{PREFIX}_attempts_total{{outcome=\"failure\"}}");
    assert_eq!(sample_of(&scrape, &failures), Some(0.0));
    let shown = serde_json::to_value(&view).unwrap();
    assert_eq!(shown["rounds"][0]["steps"][0]["step"], "post", "{shown}");
}

/// The binary with nothing but what the stack gives it.
#[tokio::test]
async fn a_restart_makes_no_new_stream_and_no_new_key() {
    let Stack { folder, sequencer, sidecar } = Stack::start(&["--canary-interval-secs=0.2"]);
    let success = format!("{PREFIX}_success");
    sidecar.wait_for(&success, LIMIT, |value| value == 1.0).await;
    assert!(sidecar.running.stop().success());
    let stores = call(&sequencer, "/api/v1/admin/stores", None).await["items"].clone();
    assert_eq!(stores.as_array().unwrap().len(), 1, "{stores}");
    let sidecar = Sidecar::start(folder.path(), &sequencer.url, &sequencer.operations_url, &[]);
    sidecar.wait_for(&success, LIMIT, |value| value == 1.0).await;
    let after = call(&sequencer, "/api/v1/admin/stores", None).await["items"].clone();
    assert_eq!(after.as_array().unwrap().len(), 1, "{after}");
    assert!(after[0]["headSequence"].as_u64() > stores[0]["headSequence"].as_u64());
    let agents = call(&sequencer, "/api/v1/admin/agents", None).await["items"].clone();
    let agents = agents.as_array().unwrap();
    assert_eq!(agents.len(), 1, "{agents:?}");
    let slot = Slot::of_agent(TENANT_ID, agents[0]["agentId"].as_str().unwrap().parse().unwrap());
    assert_eq!(traces(&sequencer, slot.unwrap().number()).await.1, 1, "one key");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_canaries_with_other_keys_share_a_slot() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let other = format!("--canary-api-key={ADMIN_KEY}");
    let one = Rooms::canary(folder.path(), &sequencer, &[]).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let two = Rooms::canary(elsewhere.path(), &sequencer, &[&other]).await;
    for _ in 0..3 {
        one.good_round().await;
        two.good_round().await;
    }
    for rooms in [&one, &two] {
        let view = rooms.canary_view();
        assert!(view.rounds.iter().all(|round| round.ok), "{view:#?}");
    }
    assert_eq!(traces(&sequencer, 7).await.1, 2);
    assert_ne!(one.canary_view().key_id, two.canary_view().key_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_frozen_are_told_and_end_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let rooms = Rooms::canary(folder.path(), &sequencer, &[]).await;
    rooms.good_round().await;
    let places = ports(&sequencer);
    let begin = sidecar::clock::now();
    sequencer.running.signal(Signal::STOP);
    let round = rooms.round(|round| !round.ok).await;
    let reason = round.reason.unwrap();
    assert!(reason.contains("no answer within 5.0 s"), "{reason}");
    let view = rooms.canary_view();
    assert!(view.healthy == Some(false) && view.consecutive_failures >= 1);
    assert!(view.since >= Some(begin) && view.reason.contains(&reason), "{view:#?}");
    assert_eq!(sample_of(&rooms.scrape(), &format!("{PREFIX}_success")), Some(0.0));
    sequencer.running.signal(Signal::CONT);
    rooms.good_round().await;

    sequencer.running.kill();
    rooms.failed_round("post", &["cannot be reached", "refused"]).await;
    let _sequencer = again(folder.path(), places, &[]);
    rooms.good_round().await;
    let view = rooms.canary_view();
    assert!(view.healthy == Some(true) && view.consecutive_failures == 0, "{view:#?}");
    assert!(view.rounds.len() <= 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_committer_the_commitment_fails() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &["--committer-max-wait-secs=0"]);
    let patience = ["--canary-commit-timeout-secs=1"];
    let rooms = Rooms::canary(folder.path(), &sequencer, &patience).await;
    let words = ["no commitment covers event", "after 1 s", "COMMITTER_MAX_WAIT_SECS"];
    let round = rooms.failed_round("commitment", &words).await;
    assert_eq!(round.steps.len(), 3, "{round:#?}");
    assert!(round.steps[2].duration_seconds >= 1.0 && round.sequence_number.is_some());
    assert!(rooms.canary_view().current.is_some_and(|current| current.steps.len() <= 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_wrong_or_may_not_write_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let wrong = ["--sequencer-api-key=ss_ca000000wrongwrongwrongwrongwrongwr"];
    let rooms = Rooms::canary(folder.path(), &sequencer, &wrong).await;
    rooms.failed_round("post", &["401", "INVALID_API_KEY"]).await;

    let wanted = json!({ "tenant_id": Uuid::nil(), "read": true, "write": false, "admin": false });
    let created = call(&sequencer, "/api/v1/admin/api-keys", Some(wanted)).await;
    let reader = created["api_key"].as_str().or(created["apiKey"].as_str());
    let reader = format!("--sequencer-api-key={}", reader.unwrap_or_else(|| panic!("{created}")));
    let rooms = Rooms::canary(folder.path(), &sequencer, &[&reader]).await;
    rooms.failed_round("post", &["registering", "403", "INSUFFICIENT_PERMISSIONS"]).await;

    // An agent key that somebody ended is not put back under another id.
    let rooms = Rooms::canary(folder.path(), &sequencer, &[]).await;
    rooms.good_round().await;
    let agent = Slot::new(7).unwrap().agent_id();
    let ended = json!({ "tenantId": TENANT_ID, "agentId": agent, "keyId": 1 });
    call(&sequencer, "/api/v1/agents/keys/revoke", Some(ended)).await;
    rooms.failed_round("post", &["agent key 1 is revoked", "CANARY_API_KEY"]).await;
    assert_eq!(traces(&sequencer, 7).await.1, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_is_off_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let off = Rooms::canary(folder.path(), &sequencer, &["--canary=false"]).await;
    let keyless = Rooms::canary_without_key(folder.path(), &sequencer.url).await;
    for (rooms, word) in [(off, "CANARY is false"), (keyless, "SEQUENCER_API_KEY")] {
        let view = rooms.canary_view();
        assert!(!view.enabled && view.reason.contains(word), "{view:?}");
        assert_eq!(sample_of(&rooms.scrape(), &format!("{PREFIX}_success")), None);
    }
    assert_eq!(call(&sequencer, "/api/v1/admin/stores", None).await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_receipt_key_is_taken_and_old_receipts_stay_good() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let rooms = Rooms::canary(folder.path(), &sequencer, &[]).await;
    rooms.good_round().await;
    let places = ports(&sequencer);
    assert!(sequencer.running.stop().success());
    let seed = format!("--ves-sequencer-signing-key={}", "08".repeat(32));
    let sequencer = again(folder.path(), places, &[&seed]);
    rooms.good_round().await;
    let info = call(&sequencer, "/api/v1/ves/sequencer", None).await;
    assert_eq!(info["keys"].as_array().unwrap().len(), 2, "{info}");
    let down = |reason: &str| reason.contains("cannot be reached") || reason.contains("503");
    let view = rooms.canary_view();
    let reasons = view.rounds.iter().filter_map(|round| round.reason.as_deref());
    assert!(reasons.clone().all(down), "{:?}", reasons.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_reported_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let rooms = Rooms::canary(folder.path(), &sequencer, &[]).await;
    rooms.good_round().await;
    let places = ports(&sequencer);
    assert!(sequencer.running.stop().success());
    // More than any disk has left.
    let full = format!("--min-free-disk-bytes={}", 1_u64 << 60);
    let _sequencer = again(folder.path(), places, &[&full]);
    let round = rooms.failed_round("post", &["503"]).await;
    assert!(round.reason.as_ref().unwrap().contains("disk"), "{round:#?}");
}

/// A round may take longer than the interval: the next one waits for its end.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_never_more_than_one_round_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &["--committer-max-wait-secs=2"]);
    let rooms = Rooms::canary(folder.path(), &sequencer, &["--canary-interval-secs=0.05"]).await;
    let started = Instant::now();
    while rooms.canary_view().rounds.len() < 3 {
        let view = rooms.canary_view();
        let committed = view.rounds.iter().filter_map(|round| round.sequence_number).max();
        let (head, _) = traces(&sequencer, 7).await;
        // Asked after the view: at most the one in flight and one that began meanwhile.
        assert!(head <= committed.unwrap_or(0) + 2, "{head} events, {view:#?}");
        assert!(started.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let view = rooms.canary_view();
    let numbers: Vec<_> = view.rounds.iter().filter_map(|round| round.sequence_number).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    let rounds: Vec<_> = view.rounds.iter().collect();
    for pair in rounds.windows(2) {
        // The two are measured by different clocks.
        assert!(pair[1].started_at.as_micros() >= ended(pair[0]) - 1_000, "{pair:#?}");
    }
}
