//! The write path: from a request body to numbers and receipts.
//!
//! `admission` decides from the head of a request whether it comes in, `prepare` does everything
//! that needs no lock, `queue` hands the good events to the one `committer`, and the handler that
//! waited derives and signs the receipts.

mod admission;
mod committer;
mod prepare;
mod queue;

use std::time::Instant;

use catalog::label::RejectReason;
use uuid::Uuid;
use ves::wire::{IngestResponse, Rejection};
use ves::{Receipt, Refusal, Stream};

pub use admission::Admission;
pub use committer::commit_loop;
pub use prepare::MAX_PAYLOAD_DEPTH;
pub use queue::{CommitQueue, Job, commit_queue};

use crate::app::App;
use crate::auth::Principal;
use crate::error::ApiResult;
use crate::store::{EventOutcome, PreparedBatch};
use prepare::{Verdict, prepare};

/// Takes one ingest request.
///
/// # Errors
/// What fails the whole request; nothing was stored then, or it is safe to repeat.
pub async fn ingest(app: &App, caller: &Principal, body: &[u8]) -> ApiResult<IngestResponse> {
    let started = Instant::now();
    let turn = app.admission.turn().await;
    let request = prepare(app, caller, body).await?;
    drop(turn);
    app.metrics.batch_size.observe(request.offers.len() as f64);
    let (stream, offers) = (request.stream, request.offers);
    let (mut good, mut decided) = (Vec::new(), Vec::with_capacity(offers.len()));
    for offer in offers {
        decided.push(match offer.verdict {
            Verdict::Good(prepared) => {
                let signing_hash = prepared.signing_hash;
                good.push(*prepared);
                (offer.event_id, signing_hash, None)
            }
            Verdict::Decided(signing_hash, outcome) => {
                (offer.event_id, signing_hash, Some(outcome))
            }
        });
    }
    let (mut committed, head_sequence) = if good.is_empty() {
        (Vec::new().into_iter(), app.store.head(stream).await?.head_sequence)
    } else {
        let entity_types: Vec<String> =
            good.iter().map(|prepared| prepared.event.entity_type.clone()).collect();
        let batch = PreparedBatch { stream, events: good };
        let wait = app.tracing.part("queue");
        let outcome = app.queue.commit(batch, wait).await?;
        for (entity_type, outcome) in entity_types.iter().zip(&outcome.events) {
            if matches!(outcome, EventOutcome::Accepted(_)) {
                app.metrics.entity_events_ingested.with(&[entity_type]).inc();
            }
        }
        (outcome.events.into_iter(), outcome.head_sequence)
    };
    let _turn = app.admission.last_turn().await;
    let mut signing = app.tracing.part("sign");
    let mut response = empty_response(head_sequence);
    for (event_id, signing_hash, outcome) in decided {
        let outcome = outcome.or_else(|| committed.next());
        match outcome {
            Some(EventOutcome::Accepted(placement)) => {
                let number = placement.sequence_number;
                response.events_accepted += 1;
                response.sequence_start.get_or_insert(number);
                response.sequence_end = Some(number);
                response.receipts.push(app.receipt(stream, event_id, placement, &signing_hash));
            }
            Some(EventOutcome::Replayed(placement)) => {
                response.receipts.push(app.receipt(stream, event_id, placement, &signing_hash));
            }
            Some(EventOutcome::Refused(refusal)) => {
                response.rejections.push(rejection(app, event_id, &refusal));
            }
            None => debug_assert!(false, "the committer answers for every event"),
        }
    }
    signing.count("sequencer.receipts", response.receipts.len());
    drop(signing);
    response.events_rejected = response.rejections.len() as u64;
    count(app, stream, &response);
    app.metrics.ingest_success_duration.observe(started.elapsed().as_secs_f64());
    Ok(response)
}

fn empty_response(head_sequence: u64) -> IngestResponse {
    IngestResponse {
        batch_id: Uuid::new_v4(),
        events_accepted: 0,
        events_rejected: 0,
        sequence_start: None,
        sequence_end: None,
        head_sequence,
        rejections: Vec::new(),
        receipts: Vec::<Receipt>::new(),
    }
}

fn rejection(app: &App, event_id: Uuid, refusal: &Refusal) -> Rejection {
    if let Some(reason) = RejectReason::from_code(refusal.code()) {
        app.metrics.events_rejected[reason].inc();
    }
    Rejection { event_id, reason: refusal.reason(), message: refusal.message() }
}

fn count(app: &App, stream: Stream, response: &IngestResponse) {
    if response.events_accepted == 0 {
        return;
    }
    let (tenant, store) = (stream.tenant_id.to_string(), stream.store_id.to_string());
    let metrics = &app.metrics;
    metrics.events_ingested.inc_by(response.events_accepted);
    metrics.stream_events_ingested.with(&[&tenant, &store]).inc_by(response.events_accepted);
}
