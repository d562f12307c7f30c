//! Events: posting them and reading them back.

use catalog::label::ShedReason;
use ves::EventRecord;
use ves::envelope::{MAX_ENTITY_ID_BYTES, MAX_ENTITY_TYPE_BYTES};
use ves::wire::{EntityPage, EventsPage, HeadResponse};

use crate::app::App;
use crate::error::{ApiError, ApiResult, Code, disk_full};
use crate::health::is_disk_full;
use crate::http::{Reply, Request};
use crate::ingest;
use crate::store::StoredEvent;

/// Refuses a write while the disk has too little room for it to end well.
pub(super) fn require_disk(app: &App) -> ApiResult<()> {
    if is_disk_full(app) {
        app.metrics.requests_shed[ShedReason::DiskFull].inc();
        return Err(disk_full());
    }
    Ok(())
}

pub(super) async fn ingest(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    require_disk(app)?;
    Reply::json(&ingest::ingest(app, request.caller()?, request.body).await?)
}

pub(super) async fn range(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let stream = request.query.stream()?;
    request.caller()?.require_stream(&stream)?;
    let from = request.query.number("from", 1)?.max(1);
    let (limit, max_bytes) = (request.query.limit()?, app.config.max_page_bytes as usize);
    let (events, head_sequence) = app.store.events(stream, from, limit, max_bytes).await?;
    let last = events.last().map(|event| event.placement.sequence_number);
    let next_from = last.filter(|last| *last < head_sequence).map(|last| last + 1);
    let events = records(app, events);
    Reply::json(&EventsPage { events, head_sequence, next_from })
}

pub(super) async fn one(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let stream = request.query.stream()?;
    request.caller()?.require_stream(&stream)?;
    let event_id = request.uuid_parameter("event_id")?;
    let found = app.store.find_events(stream, &[event_id]).await?.pop();
    let found = found.ok_or_else(|| {
        ApiError::new(Code::EventNotFound, format!("there is no event {event_id} in this stream"))
    })?;
    Reply::json(&record(app, found))
}

pub(super) async fn head(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let stream = request.query.stream()?;
    request.caller()?.require_stream(&stream)?;
    let head = app.store.head(stream).await?;
    Reply::json(&HeadResponse {
        head_sequence: head.head_sequence,
        committed_sequence: head.committed_sequence,
        last_state_root: head.last_state_root,
    })
}

pub(super) async fn of_entity(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let stream = request.query.stream()?;
    request.caller()?.require_stream(&stream)?;
    let from = request.query.number("from", 1)?;
    let limit = request.query.limit()?;
    let entity = (
        name(request, "entity_type", MAX_ENTITY_TYPE_BYTES)?,
        name(request, "entity_id", MAX_ENTITY_ID_BYTES)?,
    );
    let max_bytes = app.config.max_page_bytes as usize;
    // One more than asked for tells whether there is a next page.
    let (mut events, version) =
        app.store.entity_events(stream, entity, from, limit + 1, max_bytes).await?;
    let more = events.get(limit as usize).map(|event| event.placement.sequence_number);
    // A page that is full by its bytes does not tell: the next one may be empty.
    let is_full = events.iter().map(StoredEvent::payload_bytes).sum::<usize>() >= max_bytes;
    let last = events.last().filter(|_| is_full).map(|event| event.placement.sequence_number);
    let next_from = more.or(last.map(|last| last + 1));
    events.truncate(limit as usize);
    let events = records(app, events);
    Reply::json(&EntityPage { events, version, next_from })
}

/// A name that an event can have; not every store takes any other text.
fn name<'a>(request: &'a Request<'_>, name: &str, max_bytes: usize) -> ApiResult<&'a str> {
    let text = request.parameter(name);
    if text.len() > max_bytes || text.contains('\0') {
        let problem = format!("must be 1 to {max_bytes} bytes and hold no NUL");
        return Err(ApiError::field(name, &problem));
    }
    Ok(text)
}

fn records(app: &App, events: Vec<StoredEvent>) -> Vec<EventRecord> {
    events.into_iter().map(|event| record(app, event)).collect()
}

fn record(app: &App, stored: StoredEvent) -> EventRecord {
    let StoredEvent { event, signing_hash, placement } = stored;
    let receipt = app.receipt(event.stream, event.event_id, placement, &signing_hash);
    EventRecord {
        event,
        sequence_number: placement.sequence_number,
        sequenced_at: placement.sequenced_at,
        receipt,
    }
}
