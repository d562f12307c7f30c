//! Signed ingest requests: some before the clock starts, the rest by a thread that keeps a stock
//! while requests are under way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;
use ves::{EventDraft, Hash32, Stream, Timestamp};

use crate::cast::{Agent, Cast};
use crate::numbers::{Numbers, Zipf};
use crate::profile::Events;
use crate::record::{Signing, SigningMode};

/// Entities of a stream; their histories grow.
const ENTITIES: usize = 10_000;
/// Requests that the thread keeps in stock.
const STOCK: usize = 2_000;
/// Wait of the thread while the stock is full.
const PAUSE: Duration = Duration::from_millis(2);
/// The type of every event and entity, so that one can find them.
const EVENT_TYPE: &str = "load.posted";
/// The same.
pub const ENTITY_TYPE: &str = "load";

/// One event of a prepared request.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Its identity.
    pub event_id: Uuid,
    /// What its receipt must cover.
    pub signing_hash: Hash32,
    /// Whose history it belongs to.
    pub entity_id: String,
}

/// A request that can be sent, again and again.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Where its events go.
    pub stream: Stream,
    /// The ingest body.
    pub body: Bytes,
    /// Its events in order.
    pub events: Vec<Signed>,
}

/// Makes and stocks requests.
pub struct Signer {
    cast: Arc<Cast>,
    events: Events,
    seed: u64,
    streams: Zipf,
    /// The next request's number: what it holds depends on it and the seed alone.
    next: AtomicU64,
    stock: Mutex<VecDeque<Prepared>>,
    ahead_events: AtomicU64,
    idle_events: AtomicU64,
    late_events: AtomicU64,
    stopped: AtomicBool,
}

impl Signer {
    /// One with an empty stock.
    #[must_use]
    pub fn new(cast: Arc<Cast>, events: &Events, seed: u64) -> Self {
        Self {
            streams: Zipf::new(cast.streams.len(), events.stream_skew),
            cast,
            events: events.clone(),
            seed,
            next: AtomicU64::new(0),
            stock: Mutex::default(),
            ahead_events: AtomicU64::new(0),
            idle_events: AtomicU64::new(0),
            late_events: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Fills the stock before the clock starts: what the run needs, within the profile's bound.
    pub fn sign_ahead(&self, requests: usize) {
        let bound = self.events.sign_ahead / self.events.batch;
        for _ in 0..requests.min(bound) {
            let prepared = self.make();
            self.ahead_events.fetch_add(prepared.events.len() as u64, Ordering::Relaxed);
            self.stock.lock().unwrap_or_else(PoisonError::into_inner).push_back(prepared);
        }
    }

    /// Keeps the stock until [`Signer::stop`], up to so many requests in all.
    pub fn keep_stock(self: &Arc<Self>, requests: u64) -> std::thread::JoinHandle<()> {
        let signer = Arc::clone(self);
        std::thread::spawn(move || {
            while !signer.stopped.load(Ordering::Relaxed) {
                let stocked = signer.stock.lock().unwrap_or_else(PoisonError::into_inner).len();
                if stocked >= STOCK || signer.next.load(Ordering::Relaxed) >= requests {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                let prepared = signer.make();
                signer.idle_events.fetch_add(prepared.events.len() as u64, Ordering::Relaxed);
                signer.stock.lock().unwrap_or_else(PoisonError::into_inner).push_back(prepared);
            }
        })
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The next request, from the stock or, when that is empty, signed now.
    pub fn take(&self) -> Prepared {
        let stocked = self.stock.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        stocked.unwrap_or_else(|| {
            let prepared = self.make();
            self.late_events.fetch_add(prepared.events.len() as u64, Ordering::Relaxed);
            prepared
        })
    }

    /// A request of one event by one agent in one stream; its signing counts as idle time, because
    /// a scenario asks for it between two requests.
    pub fn single(&self, agent: &Agent, stream: Stream, numbers: &mut Numbers) -> Prepared {
        self.idle_events.fetch_add(1, Ordering::Relaxed);
        self.request(agent, stream, 1, numbers)
    }

    /// A request of so many events in one stream, before the clock starts.
    pub fn ahead(&self, place: usize, count: usize) -> Prepared {
        self.ahead_events.fetch_add(count as u64, Ordering::Relaxed);
        let mut numbers = Numbers::of(self.seed, u64::MAX - 1 - place as u64);
        let agent = &self.cast.agents[place % self.cast.agents.len()];
        self.request(agent, self.cast.streams[place % self.cast.streams.len()], count, &mut numbers)
    }

    fn make(&self) -> Prepared {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut numbers = Numbers::of(self.seed, number);
        let stream = self.cast.streams[self.streams.pick(&mut numbers)];
        let agent = &self.cast.agents[numbers.below(self.cast.agents.len())];
        self.request(agent, stream, self.events.batch, &mut numbers)
    }

    fn request(
        &self,
        agent: &Agent,
        stream: Stream,
        count: usize,
        numbers: &mut Numbers,
    ) -> Prepared {
        let mut events = Vec::with_capacity(count);
        let mut body = format!("{{\"agentId\":\"{}\",\"events\":[", agent.id);
        for place in 0..count {
            let draft = self.draft(agent, stream, numbers);
            let entity_id = draft.entity_id.clone();
            let event_id = draft.event_id;
            // A draft of ours has a canonical form, so none is left out.
            let Ok(event) = draft.sign(&agent.key) else { continue };
            if place > 0 {
                body.push(',');
            }
            body.push_str(&event.to_json());
            events.push(Signed { event_id, signing_hash: event.signing_hash(), entity_id });
        }
        body.push_str("]}");
        Prepared { stream, body: body.into(), events }
    }

    fn draft(&self, agent: &Agent, stream: Stream, numbers: &mut Numbers) -> EventDraft {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap_or(0));
        let filler = self.events.payload_bytes.saturating_sub(40);
        let digits = b"0123456789abcdefghijklmnopqrstuv";
        let text: String =
            (0..filler).map(|_| char::from(digits[numbers.below(digits.len())])).collect();
        EventDraft {
            stream,
            event_id: Uuid::new_v4(),
            source_agent_id: agent.id,
            agent_key_id: agent.key_id,
            entity_type: ENTITY_TYPE.to_owned(),
            entity_id: format!("L-{}", numbers.below(ENTITIES)),
            event_type: EVENT_TYPE.to_owned(),
            created_at: now.to_string(),
            payload: json!({ "amount": numbers.below(1000), "filler": text }),
            command_id: None,
            base_version: None,
        }
    }

    /// For the record.
    #[must_use]
    pub fn to_record(&self) -> Signing {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (ahead, idle, late) =
            (read(&self.ahead_events), read(&self.idle_events), read(&self.late_events));
        let (mode, note) = if ahead + idle + late == 0 {
            (SigningMode::None, "The run posted no event.".to_owned())
        } else if idle + late == 0 {
            (
                SigningMode::Ahead,
                format!("All {ahead} events were signed before the clock started."),
            )
        } else {
            let note = format!(
                "{ahead} events were signed before the clock started, {idle} in the idle time of \
                 the run, and {late} when a request was already due: their time is in the \
                 response latency."
            );
            (SigningMode::AheadThenIdle, note)
        };
        Signing { mode, ahead_events: ahead, idle_events: idle, late_events: late, note }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(events: &Events, seed: u64) -> Arc<Signer> {
        let tenant_id = Uuid::new_v4();
        let cast = Cast {
            tenant_id,
            agents: (0..2).map(|_| Agent::new().0).collect(),
            streams: (0..3).map(|n| Stream { tenant_id, store_id: Uuid::from_u128(n) }).collect(),
        };
        Arc::new(Signer::new(Arc::new(cast), events, seed))
    }

    #[test]
    fn requests_hold_signed_events_and_a_seed_repeats_their_content() {
        let events = Events { batch: 3, payload_bytes: 100, ..Events::default() };
        let content = |signer: &Signer| {
            let prepared = signer.take();
            let entities: Vec<_> = prepared.events.iter().map(|e| e.entity_id.clone()).collect();
            (prepared.stream.store_id, entities, prepared.body.len())
        };
        let (one, other) = (signer(&events, 7), signer(&events, 7));
        assert_eq!(content(&one), content(&other));
        let prepared = one.take();
        let body: ves::wire::IngestRequest = serde_json::from_slice(&prepared.body).unwrap();
        assert_eq!((body.events.len(), prepared.events.len()), (3, 3));
        assert_eq!(one.to_record().late_events, 6);
    }

    #[test]
    fn a_stock_is_kept_until_enough_is_signed() {
        let signer = signer(&Events::default(), 1);
        signer.sign_ahead(5);
        let thread = signer.keep_stock(8);
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while signer.to_record().idle_events < 3 {
            assert!(std::time::Instant::now() < deadline, "nothing is signed");
            std::thread::sleep(PAUSE);
        }
        signer.stop();
        thread.join().unwrap();
        let record = signer.to_record();
        assert_eq!((record.ahead_events, record.idle_events, record.late_events), (5, 3, 0));
        assert_eq!(record.mode, SigningMode::AheadThenIdle);
    }
}
