//! The ways through the protocol that take several requests: sealing, and the whole way of a new
//! agent. Each request but the first starts when the answer before it has been read.

use serde_json::json;
use uuid::Uuid;
use ves::wire::{
    CommitmentDetail, CommitmentRequest, CommitmentsPage, HeadResponse, ProofResponse,
    VerifyProofRequest, VerifyProofResponse,
};
use ves::{Commitment, Stream};

use super::Kind;
use super::reads::{parse, send};
use crate::caller::Shot;
use crate::cast::{Agent, FIRST_KEY};
use crate::ledger::verify::query as of;
use crate::numbers::Numbers;
use crate::route::{Op, Route};
use crate::run::{Due, Run};

/// Most events in one commitment of ours: the background committer's own size.
const SEALED_AT_ONCE: u64 = 1024;
/// What a sequencer answers when somebody else has sealed meanwhile.
const CONFLICT: u16 = 409;
/// Overlap of a rotation.
const OVERLAP_SECONDS: u32 = 60;

/// Posts an event, seals its stream, reads the commitment and the list.
pub(super) async fn seal(run: &Run, scenario: Kind, numbers: &mut Numbers, due: Due) {
    let cast = &run.cast;
    let stream = cast.streams[numbers.below(cast.streams.len())];
    let agent = &cast.agents[numbers.below(cast.agents.len())];
    let prepared = run.signer.single(agent, stream, numbers);
    let op = |route| Op { scenario, route };
    if run.post(op(Route::Ingest), &prepared, due).await.is_none() {
        return;
    }
    let path = format!("/api/v1/ves/head?{}", of(stream));
    let head = send::<HeadResponse>(run, scenario, Route::Head, path, Due::now(), |_| None).await;
    let Some(head) = head else { return };
    let sealed = commit(run, scenario, stream, &head).await;
    if let Some(commitment) = sealed {
        let path = format!("/api/v1/ves/commitments/{}", commitment.batch_id);
        send::<CommitmentDetail>(run, scenario, Route::Commitment, path, Due::now(), |read| {
            (read.commitment != commitment).then(|| "another commitment".to_owned())
        })
        .await;
    }
    let path = format!("/api/v1/ves/commitments?{}&limit=20", of(stream));
    send::<CommitmentsPage>(run, scenario, Route::Commitments, path, Due::now(), |_| None).await;
}

/// Seals what is not sealed yet. Nothing when there is nothing, or somebody else was first.
async fn commit(
    run: &Run,
    scenario: Kind,
    stream: Stream,
    head: &HeadResponse,
) -> Option<Commitment> {
    let start = head.committed_sequence + 1;
    if start > head.head_sequence {
        return None;
    }
    let body = CommitmentRequest {
        tenant_id: stream.tenant_id,
        store_id: stream.store_id,
        sequence_start: start,
        sequence_end: head.head_sequence.min(start + SEALED_AT_ONCE - 1),
    };
    let shot = Shot::post("/api/v1/ves/commitments", serde_json::to_vec(&body).ok()?);
    let op = Op { scenario, route: Route::Commit };
    let answer = run
        .fetch(op, &shot, Due::now(), &[CONFLICT], |answer| {
            if answer.status == CONFLICT { Ok(()) } else { parse::<Commitment>(answer).map(drop) }
        })
        .await?;
    parse(&answer).ok()
}

/// The whole way of a new agent in a new stream: key, rotation, event, commitment, proof, check.
pub(super) async fn whole_way(run: &Run, scenario: Kind, numbers: &mut Numbers, due: Due) {
    let op = |route| Op { scenario, route };
    let tenant_id = run.cast.tenant_id;
    let stream = Stream { tenant_id, store_id: Uuid::new_v4() };
    let (first, _) = Agent::new();
    let second = Agent { id: first.id, key_id: FIRST_KEY + 1, ..Agent::new().0 };
    let shot = Shot::post("/api/v1/agents/keys", first.key_body(tenant_id, None));
    if run.fetch(op(Route::RegisterKey), &shot, due, &[], |_| Ok(())).await.is_none() {
        return;
    }
    let body = second.key_body(tenant_id, Some(OVERLAP_SECONDS));
    let shot = Shot::post("/api/v1/agents/keys/rotate", body);
    if run.fetch(op(Route::RotateKey), &shot, Due::now(), &[], |_| Ok(())).await.is_none() {
        return;
    }
    let prepared = run.signer.single(&second, stream, numbers);
    let posted = run.post(op(Route::Ingest), &prepared, Due::now()).await;
    let Some(event) = posted.and_then(|posted| posted.into_iter().next()) else { return };
    let head = HeadResponse {
        head_sequence: event.sequence_number,
        committed_sequence: 0,
        last_state_root: None,
    };
    commit(run, scenario, stream, &head).await;
    let number = event.sequence_number;
    let path = format!("/api/v1/ves/proofs/{number}?{}", of(stream));
    let proof =
        send::<ProofResponse>(run, scenario, Route::Proof, path, Due::now(), |_| None).await;
    if let Some(proof) = proof {
        check(run, scenario, proof).await;
    }
    retire(run, tenant_id, &second).await;
}

async fn check(run: &Run, scenario: Kind, proof: ProofResponse) {
    let body = VerifyProofRequest {
        leaf_hash: proof.leaf_hash,
        merkle_root: proof.merkle_root,
        proof_path: proof.proof_path,
        leaf_index: proof.leaf_index,
        leaf_count: None,
    };
    let Ok(body) = serde_json::to_vec(&body) else { return };
    let shot = Shot::post("/api/v1/ves/proofs/verify", body);
    run.fetch(Op { scenario, route: Route::VerifyProof }, &shot, Due::now(), &[], |answer| {
        let verified: VerifyProofResponse = parse(answer)?;
        if verified.valid { Ok(()) } else { Err("the proof is not valid".to_owned()) }
    })
    .await;
}

/// Ends the agent's key; it is housekeeping and not measured. The event stays good.
async fn retire(run: &Run, tenant_id: Uuid, agent: &Agent) {
    let body =
        json!({ "tenantId": tenant_id, "agentId": agent.id, "keyId": agent.key_id }).to_string();
    let _ = run.caller.send(&Shot::post("/api/v1/agents/keys/revoke", body), &[]).await;
}
