//! Commitments: creating, reading, and the committer in the background.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::{Agent, query};
use crate::answer::eventually;
use crate::app::TestApp;
use crate::ingest::{is_hex, is_time};

#[tokio::test(flavor = "multi_thread")]
async fn a_commitment_has_exactly_the_members_of_the_contract() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 5).await;
    let first = app.client.seal(agent.stream, 1, 3).await.ok();
    let expect = json!({
        "batch_id": first["batch_id"],
        "tenant_id": agent.stream.tenant_id,
        "store_id": agent.stream.store_id,
        "ves_version": 1,
        "tree_depth": 2,
        "leaf_count": 3,
        "padded_leaf_count": 4,
        "merkle_root": first["merkle_root"],
        "prev_state_root": "0".repeat(64),
        "new_state_root": first["new_state_root"],
        "sequence_start": 1,
        "sequence_end": 3,
        "committed_at": first["committed_at"],
    });
    assert_eq!(first, expect);
    is_hex(&first["merkle_root"], 64);
    is_hex(&first["new_state_root"], 64);
    is_time(&first["committed_at"]);
    let second = app.client.seal(agent.stream, 4, 5).await.ok();
    assert_eq!(second["prev_state_root"], first["new_state_root"]);

    let mut detail = first.clone();
    for name in ["chain_id", "chain_tx_hash", "chain_block_number", "anchored_at"] {
        detail[name] = Value::Null;
    }
    detail["is_anchored"] = json!(false);
    let path = format!("/api/v1/ves/commitments/{}", first["batch_id"].as_str().unwrap());
    assert_eq!(app.client.get(&path).await.ok(), detail);

    let q = query(agent.stream);
    let list = app.client.get(&format!("/api/v1/ves/commitments?{q}")).await.ok();
    let all = json!({ "commitments": [first, second], "count": 2, "next_from": null });
    assert_eq!(list, all);
    let head = app.client.head(agent.stream).await;
    let expect = json!({
        "head_sequence": 5,
        "committed_sequence": 5,
        "last_state_root": second["new_state_root"],
    });
    assert_eq!(head, expect);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_must_continue_the_chain_and_exist() {
    let app = TestApp::start_with(&["--max-commitment-events=2000"]).await;
    let agent = app.agent().await;
    let stream = agent.stream;
    let error = app.client.seal(stream, 1, 1).await.refused("SEQUENCE_GAP");
    assert_eq!(error["details"], json!({ "head_sequence": 0 }));
    app.fill(&agent, 10).await;
    for (start, end) in [(2, 3), (11, 12)] {
        let error = app.client.seal(stream, start, end).await.refused("SEQUENCE_GAP");
        assert_eq!(error["details"], json!({ "expected_start": 1 }));
        assert_eq!(error["numeric_code"], 7003);
    }
    let error = app.client.seal(stream, 1, 11).await.refused("SEQUENCE_GAP");
    assert_eq!(error["details"], json!({ "head_sequence": 10 }));
    for (start, end) in [(5, 4), (0, 0), (0, 5), (1, 0), (1, 2001), (1, u64::MAX)] {
        app.client.seal(stream, start, end).await.refused("INVALID_FIELD_VALUE");
    }
    let first = app.client.seal(stream, 1, 4).await.ok();
    for (start, end) in [(1, 5), (1, 3), (2, 4), (4, 6), (6, 8), (3, 10)] {
        let error = app.client.seal(stream, start, end).await.refused("SEQUENCE_GAP");
        assert_eq!(error["details"], json!({ "expected_start": 5 }), "{start}..{end}");
    }
    app.client.seal(stream, 5, 10).await.ok();
    assert_eq!(app.client.seal(stream, 1, 4).await.ok(), first, "the same range again");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_body_is_refused() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let path = "/api/v1/ves/commitments";
    let good = json!({
        "tenant_id": agent.stream.tenant_id, "store_id": agent.stream.store_id,
        "sequence_start": 1, "sequence_end": 1,
    });
    for member in ["tenant_id", "store_id", "sequence_start", "sequence_end"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        let error = app.client.post(path, &body).await.refused("MISSING_REQUIRED_FIELD");
        assert!(error["message"].as_str().unwrap().contains(member));
        for wrong in [json!(-1), json!("x"), json!(null), json!(1.5), json!([])] {
            body[member] = wrong;
            app.client.post(path, &body).await.refused("INVALID_FIELD_VALUE");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_creators_of_a_range_get_one_commitment() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 40).await;
    for (start, end) in [(1, 10), (11, 40)] {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (client, stream) = (app.client.clone(), agent.stream);
            tasks.spawn(async move { client.seal(stream, start, end).await.ok() });
        }
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
    }
    // Creators of different ranges from one start: one wins, the others learn where to go on.
    app.fill(&agent, 16).await;
    let mut tasks = tokio::task::JoinSet::new();
    for length in 1..=16 {
        let (client, stream) = (app.client.clone(), agent.stream);
        tasks.spawn(async move { client.seal(stream, 41, 40 + length).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused("SEQUENCE_GAP");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_paged_by_start_and_knows_what_is_anchored() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 9).await;
    for start in [1, 4, 7] {
        app.client.seal(agent.stream, start, start + 2).await.ok();
    }
    let q = query(agent.stream);
    let cases = [
        ("", vec![1, 4, 7], None),
        ("&limit=2", vec![1, 4], Some(7)),
        ("&limit=1&from=4", vec![4], Some(7)),
        ("&from=2", vec![4, 7], None),
        ("&from=8", vec![], None),
        ("&anchored=false", vec![1, 4, 7], None),
        ("&anchored=true", vec![], None),
    ];
    for (parameters, starts, next_from) in cases {
        let answer = app.client.get(&format!("/api/v1/ves/commitments?{q}{parameters}")).await;
        let answer = answer.ok();
        let list = answer["commitments"].as_array().unwrap();
        let found: Vec<u64> =
            list.iter().map(|entry| entry["sequence_start"].as_u64().unwrap()).collect();
        assert_eq!(found, starts, "{parameters}");
        assert_eq!(answer["count"], starts.len());
        assert_eq!(answer["next_from"].as_u64(), next_from, "{parameters}");
    }
    let path = format!("/api/v1/ves/commitments?{q}&anchored=maybe");
    app.client.get(&path).await.refused("INVALID_FIELD_VALUE");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commitment_of_another_tenant_is_not_there() {
    let app = TestApp::start().await;
    let (mine, other) = (app.agent().await, app.agent().await);
    app.fill(&mine, 1).await;
    let sealed = app.client.seal(mine.stream, 1, 1).await.ok();
    let path = format!("/api/v1/ves/commitments/{}", sealed["batch_id"].as_str().unwrap());
    let owner = app.credential(json!({ "tenant_id": mine.stream.tenant_id })).await;
    let stranger = app.credential(json!({ "tenant_id": other.stream.tenant_id })).await;
    let elsewhere = json!({
        "tenant_id": mine.stream.tenant_id, "store_ids": [Uuid::new_v4()]
    });
    let elsewhere = app.credential(elsewhere).await;
    owner.get(&path).await.ok();
    for client in [stranger, elsewhere] {
        client.get(&path).await.refused("BATCH_NOT_FOUND");
        let q = query(mine.stream);
        let list = format!("/api/v1/ves/commitments?{q}");
        client.get(&list).await.refused("INSUFFICIENT_PERMISSIONS");
        client.seal(mine.stream, 2, 2).await.refused("INSUFFICIENT_PERMISSIONS");
        let proof = format!("/api/v1/ves/proofs/1?{q}");
        client.get(&proof).await.refused("INSUFFICIENT_PERMISSIONS");
    }
    let unknown = format!("/api/v1/ves/commitments/{}", Uuid::new_v4());
    app.client.get(&unknown).await.refused("BATCH_NOT_FOUND");
    app.client.get("/api/v1/ves/commitments/x").await.refused("INVALID_FIELD_VALUE");
    app.finish().await;
}

/// Waits until the stream is sealed up to this number.
async fn sealed(app: &TestApp, agent: &Agent, end: u64, limit: Duration) {
    eventually(limit, || async {
        let head = app.client.head(agent.stream).await;
        (head["committed_sequence"].as_u64() == Some(end)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committer_seals_after_enough_events() {
    let app = TestApp::start_with(&[
        "--committer-max-wait-secs=600",
        "--committer-max-events=50",
        "--max-commitment-events=120",
    ])
    .await;
    let (busy, quiet) = (app.agent().await, app.agent().await);
    app.fill(&quiet, 49).await;
    app.fill(&busy, 200).await;
    sealed(&app, &busy, 200, Duration::from_secs(10)).await;
    let q = query(busy.stream);
    let list = app.client.get(&format!("/api/v1/ves/commitments?{q}")).await.ok();
    let sizes = list["commitments"].as_array().unwrap().iter();
    let sizes: Vec<u64> = sizes.map(|entry| entry["leaf_count"].as_u64().unwrap()).collect();
    assert!(sizes.iter().all(|size| *size <= 120), "{sizes:?}");
    assert_eq!(app.client.head(quiet.stream).await["committed_sequence"], 0);
    app.fill(&quiet, 1).await;
    sealed(&app, &quiet, 50, Duration::from_secs(10)).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committer_seals_what_has_waited_long_enough() {
    let app = TestApp::start_with(&["--committer-max-wait-secs=1"]).await;
    let agent = app.agent().await;
    for end in [3, 6] {
        app.fill(&agent, 3).await;
        assert!(app.client.head(agent.stream).await["committed_sequence"].as_u64() < Some(end));
        sealed(&app, &agent, end, Duration::from_secs(10)).await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committer_and_requests_seal_one_chain_together() {
    let app = TestApp::start_with(&["--committer-max-wait-secs=1", "--committer-max-events=3"]);
    let app = app.await;
    let agent = app.agent().await;
    for _ in 0..30 {
        app.fill(&agent, 4).await;
        let head = app.client.head(agent.stream).await;
        let start = head["committed_sequence"].as_u64().unwrap() + 1;
        let end = head["head_sequence"].as_u64().unwrap();
        let answer = app.client.seal(agent.stream, start, end.max(start)).await;
        assert!(matches!(answer.code().as_str(), "" | "SEQUENCE_GAP"), "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sealed(&app, &agent, 120, Duration::from_secs(10)).await;
    app.finish().await;
}
