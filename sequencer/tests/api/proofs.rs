//! Inclusion proofs: each number of batches of many sizes, checked here and by the server.

use serde_json::{Value, json};
use ves::merkle::verify_inclusion;
use ves::wire::ProofResponse;
use ves::{Hash32, merkle};

use crate::agent::query;
use crate::app::{Client, TestApp};
use crate::whole_log;

async fn verify(client: &Client, body: &Value) -> bool {
    let answer = client.post("/api/v1/ves/proofs/verify", body).await.ok();
    assert_eq!(answer.as_object().unwrap().len(), 3);
    let bare = |name: &str| body[name].as_str().unwrap().trim_start_matches("0x").to_owned();
    assert_eq!(answer["leaf_hash"], bare("leaf_hash"));
    assert_eq!(answer["merkle_root"], bare("merkle_root"));
    answer["valid"].as_bool().unwrap()
}

fn question(proof: &ProofResponse, leaf_count: u64) -> Value {
    json!({
        "leaf_hash": proof.leaf_hash,
        "merkle_root": proof.merkle_root,
        "proof_path": proof.proof_path,
        "leaf_index": proof.leaf_index,
        "leaf_count": leaf_count,
    })
}

/// Every number of these batches, one after the other in one stream.
#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_every_batch_is_proved() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let sizes: [u64; 8] = [1, 2, 3, 5, 255, 256, 257, 1000];
    app.fill(&agent, 1779).await;
    let q = query(agent.stream);
    let mut start = 1;
    let events = whole_log::check(&app.client, agent.stream).await;
    for size in sizes {
        let batch = app.client.seal(agent.stream, start, start + size - 1).await.ok();
        let root = Hash32::parse_bare(batch["merkle_root"].as_str().unwrap()).unwrap();
        for number in start..start + size {
            let answer = app.client.get(&format!("/api/v1/ves/proofs/{number}?{q}")).await;
            let proof: ProofResponse = serde_json::from_str(&answer.text).unwrap();
            let event = &events[usize::try_from(number - 1).unwrap()].event;
            let leaf = merkle::leaf_hash(
                &agent.stream,
                number,
                &event.signing_hash(),
                &event.agent_signature,
            );
            assert_eq!((proof.leaf_hash, proof.merkle_root), (leaf, root));
            assert_eq!((proof.sequence_number, proof.leaf_index), (number, number - start));
            assert_eq!(json!(proof.batch_id), batch["batch_id"]);
            let left = |bit: usize| (proof.leaf_index >> bit) & 1 == 0;
            let directions: Vec<bool> = (0..proof.proof_path.len()).map(left).collect();
            assert_eq!(proof.directions, directions);
            let path = &proof.proof_path;
            assert!(verify_inclusion(&leaf, &root, path, proof.leaf_index, Some(size)));
            if number < start + 3 || number % 97 == 0 {
                assert!(verify(&app.client, &question(&proof, size)).await);
            }
        }
        start += size;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_has_exactly_the_members_of_the_contract() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 3).await;
    let batch = app.client.seal(agent.stream, 1, 3).await.ok();
    let q = query(agent.stream);
    let proof = app.client.get(&format!("/api/v1/ves/proofs/3?{q}")).await.ok();
    let expect = json!({
        "sequence_number": 3,
        "batch_id": batch["batch_id"],
        "merkle_root": batch["merkle_root"],
        "leaf_hash": proof["leaf_hash"],
        "leaf_index": 2,
        "proof_path": [merkle_pad(), proof["proof_path"][1]],
        "directions": [true, false],
    });
    assert_eq!(proof, expect);
    let batch_id = batch["batch_id"].as_str().unwrap();
    let named = app.client.get(&format!("/api/v1/ves/proofs/3?{q}&batch_id={batch_id}")).await;
    assert_eq!(named.ok(), proof);
    app.finish().await;
}

fn merkle_pad() -> &'static str {
    "d9dd0e003ba5370a698013c48ed69c6c41d9ebc1236d44b280c52ceacfdad524"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_proof_does_not_verify() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 5).await;
    app.client.seal(agent.stream, 1, 5).await.ok();
    let path = format!("/api/v1/ves/proofs/3?{}", query(agent.stream));
    let proof: ProofResponse = serde_json::from_value(app.client.get(&path).await.ok()).unwrap();
    let good = question(&proof, 5);
    assert!(verify(&app.client, &good).await);
    type Change = fn(&mut Value);
    let still_good: [(&str, Change); 2] = [
        ("no leaf count", |body| {
            body.as_object_mut().unwrap().remove("leaf_count");
        }),
        ("with 0x", |body| {
            for name in ["leaf_hash", "merkle_root"] {
                body[name] = json!(format!("0x{}", body[name].as_str().unwrap()));
            }
        }),
    ];
    for (name, change) in still_good {
        let mut body = good.clone();
        change(&mut body);
        assert!(verify(&app.client, &body).await, "{name}");
    }
    let altered: [(&str, Change); 9] = [
        ("another index", |body| body["leaf_index"] = json!(3)),
        ("index bits above the path", |body| body["leaf_index"] = json!(2 + 8)),
        ("the highest bit there is", |body| body["leaf_index"] = json!((1_u64 << 62) + 2)),
        ("an index past the count", |body| body["leaf_count"] = json!(2)),
        ("another depth", |body| body["leaf_count"] = json!(9)),
        ("count zero", |body| body["leaf_count"] = json!(0)),
        ("a shorter path", |body| {
            body["proof_path"].as_array_mut().unwrap().pop();
        }),
        ("another leaf", |body| body["leaf_hash"] = json!("1".repeat(64))),
        ("another root", |body| body["merkle_root"] = json!("1".repeat(64))),
    ];
    for (name, change) in altered {
        let mut body = good.clone();
        change(&mut body);
        assert!(!verify(&app.client, &body).await, "{name}");
    }
    for sibling in 0..3 {
        let mut body = good.clone();
        body["proof_path"][sibling] = json!("2".repeat(64));
        assert!(!verify(&app.client, &body).await, "sibling {sibling}");
    }
    // Without the count, an index is still held against the length of the path.
    let mut body = good.clone();
    body.as_object_mut().unwrap().remove("leaf_count");
    body["leaf_index"] = json!(2 + 8);
    assert!(!verify(&app.client, &body).await);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_question_is_refused() {
    let app = TestApp::start().await;
    let hash = "ab".repeat(32);
    let good = json!({
        "leaf_hash": hash, "merkle_root": hash, "proof_path": [], "leaf_index": 0
    });
    assert!(verify(&app.client, &good).await, "a tree of one leaf");
    let longest = json!(vec![hash.clone(); 64]);
    let mut body = good.clone();
    body["proof_path"] = longest;
    assert!(!verify(&app.client, &body).await);
    let cases = [
        ("proof_path", json!(vec![hash.clone(); 65])),
        ("proof_path", json!("x")),
        ("proof_path", json!(["short"])),
        ("leaf_hash", json!("xyz")),
        ("leaf_hash", json!(hash[..62])),
        ("merkle_root", json!(7)),
        ("leaf_index", json!(-1)),
        ("leaf_index", json!("0")),
        ("leaf_count", json!("many")),
        ("leaf_index", json!(1_u64 << 63)),
        ("leaf_count", json!(1_u64 << 63)),
    ];
    for (member, value) in cases {
        let mut body = good.clone();
        body[member] = value;
        let answer = app.client.post("/api/v1/ves/proofs/verify", &body).await;
        answer.refused("INVALID_FIELD_VALUE");
    }
    for member in ["leaf_hash", "merkle_root", "proof_path", "leaf_index"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        let answer = app.client.post("/api/v1/ves/proofs/verify", &body).await;
        answer.refused("MISSING_REQUIRED_FIELD");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_in_no_batch_or_in_another_is_said() {
    let app = TestApp::start().await;
    let (agent, other) = (app.agent().await, app.agent().await);
    app.fill(&agent, 6).await;
    app.fill(&other, 2).await;
    let first = app.client.seal(agent.stream, 1, 2).await.ok();
    app.client.seal(agent.stream, 3, 4).await.ok();
    let foreign = app.client.seal(other.stream, 1, 2).await.ok();
    let q = query(agent.stream);
    for number in ["5", "7", "9223372036854775807"] {
        let answer = app.client.get(&format!("/api/v1/ves/proofs/{number}?{q}")).await;
        let error = answer.refused("BATCH_NOT_FOUND");
        assert_eq!(error["details"], json!({ "committed_sequence": 4 }), "{number}");
    }
    for number in ["x", "-1", "1.0", "9223372036854775808"] {
        let answer = app.client.get(&format!("/api/v1/ves/proofs/{number}?{q}")).await;
        answer.refused("INVALID_FIELD_VALUE");
    }
    let batch = |number: u64, batch: &Value| {
        let batch = batch["batch_id"].as_str().unwrap().to_owned();
        format!("/api/v1/ves/proofs/{number}?{q}&batch_id={batch}")
    };
    app.client.get(&batch(3, &first)).await.refused("INVALID_FIELD_VALUE");
    app.client.get(&batch(0, &first)).await.refused("INVALID_FIELD_VALUE");
    app.client.get(&batch(1, &foreign)).await.refused("BATCH_NOT_FOUND");
    app.client
        .get(&format!("/api/v1/ves/proofs/1?{q}&batch_id=x"))
        .await
        .refused("INVALID_FIELD_VALUE");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_tree_gives_no_proof() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 4).await;
    app.client.seal(agent.stream, 1, 4).await.ok();
    let mut behind = app.behind().await;
    let sqlite = "UPDATE tree_tiles SET hashes = zeroblob(length(hashes))";
    let postgres = "UPDATE tree_tiles SET hashes = decode(repeat('00', length(hashes)), 'hex')";
    behind.execute_either(sqlite, postgres).await;
    let path = format!("/api/v1/ves/proofs/1?{}", query(agent.stream));
    app.client.get(&path).await.refused("DATABASE_ERROR");
    behind.execute("DELETE FROM tree_tiles").await;
    app.client.get(&path).await.refused("DATABASE_ERROR");
    app.stop().await;
}
