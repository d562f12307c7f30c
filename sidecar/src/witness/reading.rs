//! Reading a page of events from a sequencer that is not trusted: what comes is either records at
//! their numbers, or a number that cannot be had, or no answer at all.

use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use ves::wire::EventsPage;
use ves::{EventRecord, RecordError, Stream, ViolationKind, parse_event_record};

use super::Common;
use super::worker::WorkerGone;
use crate::client::CallError;

/// Most events of a page; what the API gives at most.
pub(super) const MAX_PAGE: u32 = 1_000;
/// Bytes of a page that are aimed at, so that large events do not make large pages.
const PAGE_BYTES: usize = 1 << 20;
/// Longest wait for a page.
const LIMIT: Duration = Duration::from_secs(30);
/// Longest wait for a head.
pub(super) const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// What keeps the witness from going on; never a violation.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// The sequencer does not answer, or not as one.
    #[error("the sequencer {0}")]
    Call(#[from] CallError),
    /// Our own memory.
    #[error("what was verified cannot be remembered: {0}")]
    Memory(#[from] sqlx::Error),
    /// Our own thread.
    #[error(transparent)]
    Worker(#[from] WorkerGone),
}

/// What came of asking.
pub(super) enum Reading {
    /// Records at their numbers from the first asked on; empty above the head.
    Records {
        /// The records.
        records: Vec<EventRecord>,
        /// How many to ask for next time.
        ask: u32,
    },
    /// Something among them is wrong: ask for this many.
    Fewer(u32),
    /// The one number that was asked for cannot be had.
    Damaged(Damage),
}

/// Why a number cannot be had.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) kind: ViolationKind,
    pub(super) detail: String,
    /// What came instead.
    pub(super) now: Value,
}

/// Asks for `count` numbers from `from` on.
pub(super) async fn read(
    common: &Common,
    stream: Stream,
    from: u64,
    count: u32,
) -> Result<Reading, Stopped> {
    let Stream { tenant_id, store_id } = stream;
    let path = format!(
        "/api/v1/ves/events?tenant_id={tenant_id}&store_id={store_id}&from={from}&limit={count}"
    );
    let body = match common.core.sequencer.get_bytes(&path, LIMIT).await {
        Ok(body) => body,
        Err(error) if error.code() == Some("INTERNAL_ERROR") && count == 1 => {
            // One number alone that it stumbles over, while it answers otherwise.
            common.core.sequencer.head(stream, HEAD_LIMIT).await?;
            return Ok(Reading::Damaged(not_shown(&error)));
        }
        Err(error) => return refused(error, count).map_err(Stopped::Call),
    };
    let length = body.len();
    let kept = body.clone();
    let parsed = common.worker.run(move || parse(&body, stream, from, count)).await?;
    let Parsed { records, wrong } = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return unreadable(&kept, count, &error).map_err(Stopped::Call),
    };
    match wrong {
        Some(_) if records.is_empty() && count > 1 => Ok(Reading::Fewer(1)),
        Some(damage) if records.is_empty() => Ok(Reading::Damaged(damage)),
        // What is wrong comes again, as the first of the next page.
        _ => {
            let ask = next_count(length, records.len(), count);
            Ok(Reading::Records { records, ask })
        }
    }
}

/// A refusal that says something about the log, not about the sequencer.
fn refused(error: CallError, count: u32) -> Result<Reading, CallError> {
    let is_of_log = matches!(error.code(), Some("SEQUENCE_GAP" | "DATABASE_ERROR"));
    // Smaller pages find the one number that is at fault.
    let is_of_page = error == CallError::TooLarge || error.code() == Some("INTERNAL_ERROR");
    match error {
        _ if (is_of_log || is_of_page) && count > 1 => Ok(Reading::Fewer(count / 2)),
        error if is_of_log => Ok(Reading::Damaged(not_shown(&error))),
        error => Err(error),
    }
}

fn not_shown(error: &CallError) -> Damage {
    let answer = match error {
        CallError::Refused { body, .. } => body.clone(),
        _ => Value::Null,
    };
    let detail = format!("the sequencer cannot show it: it {error}");
    Damage { kind: ViolationKind::Gap, detail, now: json!({ "answer": answer }) }
}

/// A page that is no JSON although it begins as one: what is stored is copied into it. JSON of any
/// other shape is no answer of a sequencer that is known here.
fn unreadable(body: &Bytes, count: u32, error: &serde_json::Error) -> Result<Reading, CallError> {
    let begins_as_page = body.starts_with(b"{\"events\":[");
    if !begins_as_page || error.is_data() {
        return Err(CallError::Unexpected(error.to_string()));
    }
    if count > 1 {
        return Ok(Reading::Fewer(count / 2));
    }
    Ok(Reading::Damaged(Damage {
        kind: ViolationKind::PayloadHash,
        detail: format!("its record is no JSON: {error}"),
        now: json!({ "answer": String::from_utf8_lossy(body) }),
    }))
}

struct Parsed {
    records: Vec<EventRecord>,
    /// What is wrong with the first record that is not among them.
    wrong: Option<Damage>,
}

fn parse(body: &[u8], stream: Stream, from: u64, count: u32) -> serde_json::Result<Parsed> {
    let page: EventsPage<&RawValue> = serde_json::from_slice(body)?;
    // No number is above what a store can hold, whatever is claimed.
    let head = page.head_sequence.min(i64::MAX.cast_unsigned());
    let mut parsed = Parsed { records: Vec::with_capacity(page.events.len()), wrong: None };
    for (raw, number) in page.events.iter().take(count as usize).zip(from..) {
        match record(raw.get(), stream, number) {
            Ok(record) => parsed.records.push(record),
            Err(damage) => {
                parsed.wrong = Some(damage);
                break;
            }
        }
    }
    if page.events.is_empty() && head >= from {
        parsed.wrong = Some(Damage {
            kind: ViolationKind::Gap,
            detail: format!("it is not shown, while the head is {head}"),
            now: json!({ "head_sequence": head, "events": [] }),
        });
    }
    Ok(parsed)
}

fn record(raw: &str, stream: Stream, number: u64) -> Result<EventRecord, Damage> {
    let now = || json!({ "record": raw });
    let record = parse_event_record(raw).map_err(|error| {
        let kind = match error {
            RecordError::Payload(_) => ViolationKind::PayloadHash,
            _ => ViolationKind::Gap,
        };
        Damage { kind, detail: format!("its record cannot be read: {error}"), now: now() }
    })?;
    let detail = if record.sequence_number != number {
        format!("number {} is shown in its place", record.sequence_number)
    } else if record.event.stream != stream {
        "an event of another stream is shown in its place".to_owned()
    } else {
        return Ok(record);
    };
    Err(Damage { kind: ViolationKind::Gap, detail, now: now() })
}

/// As many as make a page of a good size, reached by doubling.
fn next_count(bytes: usize, records: usize, asked: u32) -> u32 {
    let average = bytes.checked_div(records).unwrap_or(0).max(1);
    let fits = u32::try_from(PAGE_BYTES / average).unwrap_or(MAX_PAGE);
    fits.min(asked.saturating_mul(2)).clamp(1, MAX_PAGE)
}
