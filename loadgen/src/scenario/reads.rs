//! Readers: ranges, single events, heads, histories, proofs.

use serde::de::DeserializeOwned;
use ves::wire::{EntityPage, EventsPage, HeadResponse, ProofResponse};

use super::Kind;
use crate::caller::{Answer, Shot};
use crate::ledger::verify::query as of;
use crate::numbers::Numbers;
use crate::route::{Op, Route};
use crate::run::{Due, Run};
use crate::signer::ENTITY_TYPE;

/// Events of a range: a page of a screen.
const RANGE: u64 = 50;

/// One read of four.
pub(super) async fn query(run: &Run, scenario: Kind, numbers: &mut Numbers, due: Due) {
    let Some(event) = run.known.any(numbers) else {
        return super::get(run, scenario, Route::Health, "/health", due).await;
    };
    let query = of(event.stream);
    let number = event.sequence_number;
    match numbers.below(4) {
        0 => {
            let from = number.saturating_sub(RANGE).max(1);
            let path = format!("/api/v1/ves/events?{query}&from={from}&limit={RANGE}");
            send::<EventsPage>(run, scenario, Route::Range, path, due, |page| {
                page.events.is_empty().then(|| "the range is empty".to_owned())
            })
            .await;
        }
        1 => {
            let path = format!("/api/v1/ves/events/{}?{query}", event.event_id);
            let op = Op { scenario, route: Route::ById };
            run.fetch(op, &Shot::get(path), due, &[], |answer| {
                let text = std::str::from_utf8(&answer.body).unwrap_or_default();
                match ves::parse_event_record(text) {
                    Ok(record) if record.sequence_number == number => Ok(()),
                    Ok(record) => Err(format!("number {} for {number}", record.sequence_number)),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await;
        }
        2 => {
            let path = format!("/api/v1/ves/head?{query}");
            send::<HeadResponse>(run, scenario, Route::Head, path, due, |head| {
                let is_behind = head.head_sequence < number;
                is_behind.then(|| format!("the head is {} after {number}", head.head_sequence))
            })
            .await;
        }
        _ => {
            let path =
                format!("/api/v1/ves/entities/{ENTITY_TYPE}/{}?{query}&limit=20", event.entity_id);
            send::<EntityPage>(run, scenario, Route::Entity, path, due, |page| {
                page.events.is_empty().then(|| "the history is empty".to_owned())
            })
            .await;
        }
    }
}

/// The proof of a number that was sealed before the run.
pub(super) async fn proof(run: &Run, scenario: Kind, numbers: &mut Numbers, due: Due) {
    let Some((stream, number)) = run.known.any_sealed(numbers) else {
        return super::get(run, scenario, Route::Health, "/health", due).await;
    };
    let path = format!("/api/v1/ves/proofs/{number}?{}", of(stream));
    send::<ProofResponse>(run, scenario, Route::Proof, path, due, |proof| {
        (proof.sequence_number != number).then(|| format!("a proof of {}", proof.sequence_number))
    })
    .await;
}

/// Sends a GET whose answer has a shape; `complain` says what else is wrong with it.
pub(super) async fn send<T: DeserializeOwned>(
    run: &Run,
    scenario: Kind,
    route: Route,
    path: String,
    due: Due,
    complain: impl Fn(&T) -> Option<String>,
) -> Option<T> {
    let answer = run
        .fetch(Op { scenario, route }, &Shot::get(path), due, &[], |answer| {
            let parsed = parse::<T>(answer)?;
            complain(&parsed).map_or(Ok(()), Err)
        })
        .await?;
    parse(&answer).ok()
}

/// The body in its shape.
pub(super) fn parse<T: DeserializeOwned>(answer: &Answer) -> Result<T, String> {
    serde_json::from_slice(&answer.body).map_err(|error| format!("an unexpected body: {error}"))
}
