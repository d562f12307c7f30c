//! The exact JSON of the routes: names, casing, order and hex style of the HTTP contract.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use uuid::Uuid;
use ves::wire::{
    AgentKeyEntry, AgentKeysPage, CommitmentDetail, CommitmentsPage, EventsPage, HeadResponse,
    IngestRequest, IngestResponse, ProofResponse, Rejection, SequencerInfo, VerifyProofRequest,
    VerifyProofResponse,
};
use ves::{Hash32, Timestamp, parse_event_record};

const ID: &str = "00000000-0000-0000-0000-000000000001";
const TIME: &str = "2026-11-21T10:00:00.000000Z";
const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A value and its JSON, both ways.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, json: &serde_json::Value) {
    assert_eq!(&serde_json::to_value(value).unwrap(), json);
    assert_eq!(&serde_json::from_value::<T>(json.clone()).unwrap(), value);
}

fn time() -> Timestamp {
    Timestamp::parse(TIME).unwrap()
}

#[test]
fn an_ingest_response_leaves_out_empty_lists() {
    let mut response = IngestResponse {
        batch_id: Uuid::from_u128(1),
        events_accepted: 0,
        events_rejected: 0,
        sequence_start: None,
        sequence_end: None,
        head_sequence: 0,
        rejections: Vec::new(),
        receipts: Vec::new(),
    };
    let mut json = json!({
        "batchId": ID, "eventsAccepted": 0, "eventsRejected": 0, "sequenceStart": null,
        "sequenceEnd": null, "headSequence": 0,
    });
    check(&response, &json);
    let receipt = sample::record(sample::event(1), 4).receipt;
    let rejection = Rejection {
        event_id: Uuid::from_u128(1),
        reason: "duplicate_command_id".to_owned(),
        message: "because".to_owned(),
    };
    json["rejections"] =
        json!([{ "event_id": ID, "reason": "duplicate_command_id", "message": "because" }]);
    json["receipts"] = json!([{
        "sequencerId": receipt.sequencer_id,
        "eventId": receipt.event_id,
        "sequenceNumber": 4,
        "sequencedAt": "2026-02-03T04:05:06.000000Z",
        "receiptHash": receipt.receipt_hash.to_string(),
        "signatureAlg": "ed25519",
        "sequencerSignature": receipt.sequencer_signature.to_string(),
        "sequencerKeyVersion": 1,
        "receiptSignatureScheme": 1,
    }]);
    response.rejections.push(rejection);
    response.receipts.push(receipt);
    check(&response, &json);
}

#[test]
fn an_ingest_request_carries_raw_envelopes() {
    let envelope = sample::event(1).to_json();
    let body = format!("{{\"agentId\":\"{ID}\",\"events\":[{envelope}]}}");
    let request: IngestRequest = serde_json::from_str(&body).unwrap();
    assert_eq!(request.events[0].get(), envelope);
    assert_eq!(serde_json::to_string(&request).unwrap(), body);
}

#[test]
fn a_page_of_records_is_read_back_record_by_record() {
    let records: Vec<_> = (1..4).map(|n| sample::record(sample::event(n), n)).collect();
    let page = EventsPage { events: records.clone(), head_sequence: 3, next_from: None };
    let text = serde_json::to_string(&page).unwrap();
    let page: EventsPage = serde_json::from_str(&text).unwrap();
    assert_eq!((page.head_sequence, page.next_from), (3, None));
    let read = page.events.iter().map(|raw| parse_event_record(raw.get()).unwrap());
    assert_eq!(read.collect::<Vec<_>>(), records);
}

#[test]
fn heads_and_commitments_are_snake_case() {
    let head = HeadResponse { head_sequence: 3, committed_sequence: 2, last_state_root: None };
    let json = json!({ "head_sequence": 3, "committed_sequence": 2, "last_state_root": null });
    check(&head, &json);
    let commitment = sample::log(&[3], 0).commitments.remove(0);
    let json = json!({
        "batch_id": commitment.batch_id, "tenant_id": commitment.tenant_id,
        "store_id": commitment.store_id, "ves_version": 1, "tree_depth": 2, "leaf_count": 3,
        "padded_leaf_count": 4, "merkle_root": commitment.merkle_root.to_string(),
        "prev_state_root": ZERO, "new_state_root": commitment.new_state_root.to_string(),
        "sequence_start": 1, "sequence_end": 3, "committed_at": "1970-01-01T00:00:00.000000Z",
    });
    check(&commitment, &json);
    let page =
        CommitmentsPage { commitments: vec![commitment.clone()], count: 1, next_from: Some(4) };
    check(&page, &json!({ "commitments": [json], "count": 1, "next_from": 4 }));
    let detail = CommitmentDetail {
        commitment,
        chain_id: None,
        chain_tx_hash: None,
        chain_block_number: None,
        anchored_at: None,
        is_anchored: false,
    };
    let mut json = json;
    for name in ["chain_id", "chain_tx_hash", "chain_block_number", "anchored_at"] {
        json[name] = json!(null);
    }
    json["is_anchored"] = json!(false);
    check(&detail, &json);
}

#[test]
fn proofs_are_verified_with_and_without_prefix() {
    let response = ProofResponse {
        sequence_number: 1,
        batch_id: Uuid::from_u128(1),
        merkle_root: Hash32::ZERO,
        leaf_hash: Hash32::ZERO,
        leaf_index: 0,
        proof_path: vec![Hash32::ZERO],
        directions: vec![true],
    };
    let json = json!({
        "sequence_number": 1, "batch_id": ID, "merkle_root": ZERO, "leaf_hash": ZERO,
        "leaf_index": 0, "proof_path": [ZERO], "directions": [true],
    });
    check(&response, &json);
    let upper = "AB".repeat(32);
    let request: VerifyProofRequest = serde_json::from_value(json!({
        "leaf_hash": format!("0x{upper}"), "merkle_root": upper, "leaf_index": 0,
        "proof_path": [format!("0x{ZERO}"), ZERO],
    }))
    .unwrap();
    assert_eq!(request.leaf_hash, request.merkle_root);
    assert_eq!(request.proof_path, [Hash32::ZERO; 2]);
    let answer = VerifyProofResponse {
        valid: false,
        leaf_hash: request.leaf_hash,
        merkle_root: Hash32::ZERO,
    };
    let lower = upper.to_lowercase();
    check(&answer, &json!({ "valid": false, "leaf_hash": lower, "merkle_root": ZERO }));
}

#[test]
fn keys_of_agents_are_camel_case_and_those_of_the_sequencer_snake_case() {
    let key = AgentKeyEntry {
        tenant_id: Uuid::from_u128(1),
        agent_id: Uuid::from_u128(1),
        key_id: 1,
        key_algorithm: 1,
        public_key: Hash32::ZERO,
        status: ves::StoredStatus::Revoked,
        valid_from: None,
        valid_to: None,
        revoked_at: Some(time()),
        created_at: time(),
    };
    let json = json!({
        "tenantId": ID, "agentId": ID, "keyId": 1, "keyAlgorithm": 1, "publicKey": ZERO,
        "status": "revoked", "validFrom": null, "validTo": null, "revokedAt": TIME,
        "createdAt": TIME,
    });
    check(&AgentKeysPage { keys: vec![key], count: 1 }, &json!({ "keys": [json], "count": 1 }));
    let json = json!({
        "sequencer_id": ID,
        "keys": [{
            "key_version": 1, "algorithm": "ed25519", "public_key": ZERO, "valid_from": TIME,
            "valid_to": null,
        }],
        "ves_version": 1,
        "limits": {
            "max_body_bytes": 1, "max_events_per_request": 2, "max_payload_bytes": 3,
            "max_payload_depth": 4, "max_entity_type_bytes": 5, "max_entity_id_bytes": 6,
            "max_event_type_bytes": 7, "max_page_events": 8, "max_commitment_events": 9,
        },
    });
    let info: SequencerInfo = serde_json::from_value(json.clone()).unwrap();
    check(&info, &json);
}
