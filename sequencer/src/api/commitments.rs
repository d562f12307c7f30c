//! Commitments and inclusion proofs.

use std::time::Instant;

use serde_json::json;
use ves::merkle::{proof_from_tiles, proof_tiles, verify_inclusion};
use ves::wire::{
    CommitmentDetail, CommitmentRequest, CommitmentsPage, ProofResponse, VerifyProofRequest,
    VerifyProofResponse,
};
use ves::{Commitment, Stream};

use super::events::require_disk;
use crate::app::App;
use crate::error::{ApiError, ApiResult, Code, batch_not_found};
use crate::http::{Query, Reply, Request, check_number, number, read_json};

pub(super) async fn create(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    require_disk(app)?;
    let wanted: CommitmentRequest = read_json(request.body)?;
    let stream = Stream { tenant_id: wanted.tenant_id, store_id: wanted.store_id };
    request.caller()?.require_change(&stream)?;
    let (start, end) = (wanted.sequence_start, wanted.sequence_end);
    check_number("sequence_start", start)?;
    check_number("sequence_end", end)?;
    Reply::json(&app.sealer.seal_range(stream, start, end).await?)
}

pub(super) async fn list(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let stream = request.query.stream()?;
    request.caller()?.require_stream(&stream)?;
    let from = request.query.number("from", 1)?;
    let limit = request.query.limit()?;
    // Nothing is anchored by this version: the list of anchored commitments is empty.
    let wanted = if request.query.optional_flag("anchored")? == Some(true) { 0 } else { limit + 1 };
    let mut commitments = app.store.commitments(stream, from, wanted).await?;
    let next_from = commitments.get(limit as usize).map(|next| next.sequence_start);
    commitments.truncate(limit as usize);
    let count = commitments.len() as u64;
    Reply::json(&CommitmentsPage { commitments, count, next_from })
}

pub(super) async fn one(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let batch_id = request.uuid_parameter("batch_id")?;
    let found = app.store.commitment(batch_id).await?;
    let caller = request.caller()?;
    let commitment = found
        .filter(|commitment| caller.may_see(&commitment.stream()))
        .ok_or_else(|| batch_not_found(batch_id))?;
    Reply::json(&CommitmentDetail {
        commitment,
        chain_id: None,
        chain_tx_hash: None,
        chain_block_number: None,
        anchored_at: None,
        is_anchored: false,
    })
}

pub(super) async fn proof(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let started = Instant::now();
    let stream = request.query.stream()?;
    request.caller()?.require_stream(&stream)?;
    let sequence_number = number("sequence_number", request.parameter("sequence_number"))?;
    let commitment = commitment_for(app, &request.query, stream, sequence_number).await?;
    let leaf_index = sequence_number - commitment.sequence_start;
    let leaf_count = u64::from(commitment.leaf_count);
    let wanted = proof_tiles(leaf_index, leaf_count);
    let tiles = app.store.tiles(commitment.batch_id, &wanted).await?;
    let proof = proof_from_tiles(leaf_index, leaf_count, &tiles)
        .filter(|proof| proof.merkle_root == commitment.merkle_root)
        .ok_or_else(|| {
            let batch_id = commitment.batch_id;
            let message =
                format!("the stored tree of commitment {batch_id} does not give its root");
            ApiError::new(Code::DatabaseError, message)
        })?;
    let reply = Reply::json(&ProofResponse::new(sequence_number, commitment.batch_id, proof));
    app.metrics.proof_duration.observe(started.elapsed().as_secs_f64());
    reply
}

/// The commitment named in the query, or the one that holds the number.
async fn commitment_for(
    app: &App,
    query: &Query,
    stream: Stream,
    sequence_number: u64,
) -> ApiResult<Commitment> {
    let Some(batch_id) = query.optional_uuid("batch_id")? else {
        let found = app.store.commitment_of(stream, sequence_number).await?;
        if let Some(commitment) = found {
            return Ok(commitment);
        }
        let committed = app.store.head(stream).await?.committed_sequence;
        let message = format!("number {sequence_number} is in no commitment yet");
        return Err(ApiError::new(Code::BatchNotFound, message)
            .with_details(json!({ "committed_sequence": committed })));
    };
    let found = app.store.commitment(batch_id).await?;
    let commitment = found
        .filter(|commitment| commitment.stream() == stream)
        .ok_or_else(|| batch_not_found(batch_id))?;
    let (start, end) = (commitment.sequence_start, commitment.sequence_end);
    if !(start..=end).contains(&sequence_number) {
        let problem = format!("is not in commitment {batch_id}, which holds {start} to {end}");
        return Err(ApiError::field("sequence_number", &problem));
    }
    Ok(commitment)
}

pub(super) fn verify_proof(request: &Request<'_>) -> ApiResult<Reply> {
    let proof: VerifyProofRequest = read_json(request.body)?;
    if proof.proof_path.len() > ves::merkle::MAX_PROOF_PATH {
        let problem = format!("holds more than {} hashes", ves::merkle::MAX_PROOF_PATH);
        return Err(ApiError::field("proof_path", &problem));
    }
    check_number("leaf_index", proof.leaf_index)?;
    check_number("leaf_count", proof.leaf_count.unwrap_or(0))?;
    let valid = verify_inclusion(
        &proof.leaf_hash,
        &proof.merkle_root,
        &proof.proof_path,
        proof.leaf_index,
        proof.leaf_count,
    );
    let (leaf_hash, merkle_root) = (proof.leaf_hash, proof.merkle_root);
    Reply::json(&VerifyProofResponse { valid, leaf_hash, merkle_root })
}
