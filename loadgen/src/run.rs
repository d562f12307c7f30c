//! What everybody shares during a run, and the two ways to send: a request that is judged by its
//! answer, and an ingest request that is repeated until it is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use ves::wire::IngestResponse;

use crate::caller::{Answer, Caller, Failure, Shot};
use crate::cast::Cast;
use crate::known::{Known, KnownEvent};
use crate::ledger::{Entry, Writer};
use crate::recorder::{Done, Fate, Recorder};
use crate::route::Op;
use crate::signer::{Prepared, Signer};

/// How long an ingest request is repeated: longer than a restart of the target.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// Wait before the second attempt; it doubles up to the longest.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// When a request was to start.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// The intended start.
    pub at: Instant,
    /// Whether a schedule said so; else it is the moment of sending.
    pub is_scheduled: bool,
}

impl Due {
    /// Now, because nothing waits.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Instant::now(), is_scheduled: false }
    }
}

/// The shared state of a run.
pub struct Run {
    /// Sends.
    pub caller: Caller,
    /// Counts.
    pub recorder: Arc<Recorder>,
    /// Who writes where.
    pub cast: Arc<Cast>,
    /// Signs.
    pub signer: Arc<Signer>,
    /// What readers may ask for.
    pub known: Known,
    /// Where acknowledged events go.
    pub ledger: Writer,
    /// Repeats the run.
    pub seed: u64,
    /// No new request starts.
    pub is_over: AtomicBool,
    /// Nobody waits any longer.
    pub hard_stop: CancellationToken,
    /// Sent, and not done.
    pub in_flight: AtomicU64,
}

impl Run {
    /// Whether no new request starts.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Sends one request and judges its answer; gives the answer when it is good.
    pub async fn fetch(
        &self,
        op: Op,
        shot: &Shot,
        due: Due,
        also: &[u16],
        judge: impl Fn(&Answer) -> Result<(), String>,
    ) -> Option<Answer> {
        let _in_flight = InFlight::begin(self);
        let sent = self.sent(op, shot, due, 0);
        let answer = self.patient(self.caller.send(shot, also)).await?;
        let judged = answer.and_then(|answer| match judge(&answer) {
            Ok(()) => Ok(answer),
            Err(message) => Err(Failure::bad_answer(message)),
        });
        let (service, response) = (sent.elapsed(), due.at.elapsed());
        match judged {
            Ok(answer) => {
                let received_bytes = answer.body.len() as u64;
                let done = Done { service, response, events: 0, refused: 0, received_bytes };
                self.recorder.answered(op, &done);
                Some(answer)
            }
            Err(failure) => {
                let is_answered = failure.is_answered;
                let fate = Fate::GivenUp { service, response, is_answered };
                self.recorder.failed(op, failure.class, &failure.message, fate);
                None
            }
        }
    }

    /// Posts events until they are acknowledged, and writes them down. The same bytes again are
    /// safe: an exact re-submission gets its receipt again.
    pub async fn post(&self, op: Op, prepared: &Prepared, due: Due) -> Option<Vec<KnownEvent>> {
        let _in_flight = InFlight::begin(self);
        let shot = Shot::post("/api/v1/ves/events/ingest", prepared.body.clone());
        let mut sent = self.sent(op, &shot, due, prepared.events.len() as u64);
        let deadline = sent + RETRY_FOR;
        let mut backoff = FIRST_BACKOFF;
        loop {
            let answer = self.patient(self.caller.send(&shot, &[])).await?;
            let judged = answer.and_then(|answer| acknowledged(prepared, &answer));
            let (service, response) = (sent.elapsed(), due.at.elapsed());
            let failure = match judged {
                Ok(good) => {
                    let (events, refused) = (good.entries.len() as u64, good.refused);
                    let received_bytes = good.received_bytes;
                    let done = Done { service, response, events, refused, received_bytes };
                    self.recorder.answered(op, &done);
                    return Some(self.write_down(prepared, good));
                }
                Err(failure) => failure,
            };
            let wait = failure.retry_after.unwrap_or(backoff).max(backoff);
            let again = failure.is_passing() && Instant::now() + wait < deadline;
            if !again || self.hard_stop.is_cancelled() {
                let is_answered = failure.is_answered;
                let fate = Fate::GivenUp { service, response, is_answered };
                self.recorder.failed(op, failure.class, &failure.message, fate);
                return None;
            }
            self.recorder.failed(op, failure.class, &failure.message, Fate::Retried);
            self.patient(tokio::time::sleep(wait)).await?;
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
            sent = Instant::now();
        }
    }

    fn write_down(&self, prepared: &Prepared, good: Acknowledged) -> Vec<KnownEvent> {
        if let Some(message) = &good.refusal {
            self.recorder.example(catalog::label::LoadError::RefusedEvent, message);
        }
        let mut known = Vec::with_capacity(good.entries.len());
        for entry in good.entries {
            let signed = prepared.events.iter().find(|event| event.event_id == entry.event_id);
            let event = KnownEvent {
                stream: prepared.stream,
                event_id: entry.event_id,
                sequence_number: entry.sequence_number,
                entity_id: signed.map(|event| event.entity_id.clone()).unwrap_or_default(),
            };
            self.known.add(event.clone());
            self.ledger.add(entry);
            known.push(event);
        }
        known
    }

    /// Counts a request as it leaves.
    fn sent(&self, op: Op, shot: &Shot, due: Due, events: u64) -> Instant {
        let sent = Instant::now();
        let lateness = due.is_scheduled.then(|| sent.saturating_duration_since(due.at));
        self.recorder.sent(op, shot.body.len() as u64, events, lateness);
        sent
    }

    /// Waits, unless nobody does any longer.
    async fn patient<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.hard_stop.run_until_cancelled(future).await
    }
}

/// Counts a request while it is under way.
struct InFlight<'a>(&'a Run);

impl<'a> InFlight<'a> {
    fn begin(run: &'a Run) -> Self {
        run.in_flight.fetch_add(1, Ordering::Relaxed);
        run.recorder.metrics().requests_in_flight.inc();
        Self(run)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.recorder.metrics().requests_in_flight.dec();
    }
}

/// A good answer to an ingest request.
struct Acknowledged {
    entries: Vec<Entry>,
    refused: u64,
    refusal: Option<String>,
    received_bytes: u64,
}

/// Reads an answer: each event must have its receipt or its refusal, and each receipt must be
/// that of the event.
fn acknowledged(prepared: &Prepared, answer: &Answer) -> Result<Acknowledged, Failure> {
    let parsed: IngestResponse = serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::bad_answer(format!("no ingest answer: {error}")))?;
    let answered = parsed.receipts.len() + parsed.rejections.len();
    if answered != prepared.events.len() {
        let asked = prepared.events.len();
        return Err(Failure::bad_answer(format!("{answered} events answered of {asked}")));
    }
    let mut entries = Vec::with_capacity(parsed.receipts.len());
    for receipt in &parsed.receipts {
        let event = prepared.events.iter().find(|event| event.event_id == receipt.event_id);
        let fits = event.is_some_and(|event| receipt.fits(&prepared.stream, &event.signing_hash));
        if !fits {
            let id = receipt.event_id;
            return Err(Failure::bad_answer(format!("the receipt of {id} is not of its event")));
        }
        entries.push(Entry::of(prepared.stream, receipt));
    }
    let refusal = parsed.rejections.first();
    Ok(Acknowledged {
        entries,
        refused: parsed.rejections.len() as u64,
        refusal: refusal.map(|refusal| format!("{}: {}", refusal.reason, refusal.message)),
        received_bytes: answer.body.len() as u64,
    })
}
