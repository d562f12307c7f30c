//! Reads the whole history again, for ever: a row that is changed long after it was followed shows
//! here. Signatures were verified once and are covered by the leaves; where a leaf differs, they
//! are verified again to say which event it is.

mod walk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use ves::{EventRecord, Hash32, Stream, ViolationKind};

use super::compare::commitments;
use super::ledger::Finding;
use super::reading::{MAX_PAGE, Reading, Stopped, read};
use super::status::Place;
use super::tail::as_f64;
use super::verify::{of_damage, of_event};
use super::{Common, LONGEST_ROUND};
use crate::clock;
use walk::{Suspicion, Walk};

/// Most events of a page: the loop shares thread and sequencer with the tail.
const PAGE: u32 = 500;
/// A pass begins at the latest this long after the first look at the heads, even if the tail has
/// not caught up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rounds of the tail that a pass takes at least, so that a small log is not read all the time.
const SHORTEST_PASS_ROUNDS: u32 = 10;
/// Pause after the sequencer did not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// Most events that are looked at one by one to say which of them differs.
const MAX_LOCATED: u64 = 100_000;

/// The loop.
pub(super) struct Audit {
    common: Arc<Common>,
    events_per_second: u32,
    /// When the next page may be read.
    next_page: Instant,
    done_events: u64,
    total_events: u64,
}

impl Audit {
    pub(super) fn new(common: Arc<Common>) -> Self {
        let events_per_second = common.core.config.witness_audit_events_per_second;
        let next_page = Instant::now();
        Self { common, events_per_second, next_page, done_events: 0, total_events: 0 }
    }

    /// Reads until it is dropped; not at all when it is turned off.
    pub(super) async fn run(&mut self) {
        if self.events_per_second == 0 {
            return;
        }
        self.wait_for_tail().await;
        let shortest = self.common.core.config.witness_poll_secs.duration() * SHORTEST_PASS_ROUNDS;
        loop {
            let started = Instant::now();
            self.pass().await;
            self.pause_until(started + shortest).await;
        }
    }

    async fn wait_for_tail(&self) {
        let mut first_poll = None;
        loop {
            let (has_polled, catching_up) = {
                let now = self.common.status.now();
                (now.last_poll.is_some(), now.catching_up)
            };
            if has_polled {
                let first_poll = *first_poll.get_or_insert_with(Instant::now);
                if !catching_up || first_poll.elapsed() > PATIENCE {
                    return;
                }
            }
            self.pause_until(Instant::now() + Duration::from_millis(100)).await;
        }
    }

    /// Reads every stream once. What is not seen yet belongs to the next pass.
    async fn pass(&mut self) {
        let places: Vec<(Stream, Place)> = {
            let now = self.common.status.now();
            let seen = now.places.iter().filter(|(_, place)| place.until.is_some());
            seen.map(|(stream, place)| (*stream, place.clone())).collect()
        };
        self.total_events = places.iter().map(|(_, place)| place.verified).sum();
        self.done_events = 0;
        let pass_started = clock::now();
        self.common.status.now().audit.pass_started = Some(pass_started);
        let mut is_whole = !places.is_empty();
        for (stream, place) in places {
            let started = clock::now();
            let is_done = self.walk_stubbornly(stream, &place).await;
            is_whole &= is_done;
            if is_done {
                // What cannot be noted now is noted after the next pass.
                let _ = self.common.memory.mended(stream, started).await;
            }
        }
        let mut now = self.common.status.now();
        now.audit.pass_progress = 1.0;
        if is_whole {
            now.audit.completed = Some(clock::now());
            self.common.core.metrics.witness.audit_completed.set(clock::unix_seconds());
        }
    }

    /// Repeats what the sequencer did not answer; false when the stream is not what it was.
    async fn walk_stubbornly(&mut self, stream: Stream, place: &Place) -> bool {
        loop {
            let before = self.done_events;
            let walked = self.walk(stream, place).await;
            let problem = walked.as_ref().err().map(ToString::to_string);
            self.common.status.now().audit.problem = problem;
            match walked {
                Ok(is_done) => return is_done,
                Err(Stopped::Call(error)) if error.status() == Some(403) => return false,
                Err(_) => {
                    self.done_events = before;
                    self.pause_until(Instant::now() + PAUSE).await;
                }
            }
        }
    }

    async fn walk(&mut self, stream: Stream, place: &Place) -> Result<bool, Stopped> {
        let Some(until) = place.until else { return Ok(false) };
        let marks = self.common.memory.marks(stream).await?;
        let mut walk = Walk::new(stream, until, marks);
        let (mut ask, mut hole) = (PAGE, None);
        while walk.next() < until.next {
            if !self.is_same(stream, place) {
                return Ok(false);
            }
            self.more_commitments(&mut walk).await?;
            self.pause_until(self.next_page).await;
            let rest = u32::try_from(walk.readable()).unwrap_or(u32::MAX);
            let started = Instant::now();
            let read_now = match read(&self.common, stream, walk.next(), ask.min(rest)).await? {
                Reading::Fewer(fewer) => {
                    ask = fewer.max(1);
                    continue;
                }
                Reading::Damaged(damage) => {
                    if hole != Some(walk.next()) {
                        self.common.ledger.add(of_damage(stream, walk.next(), damage)).await;
                    }
                    walk.skip();
                    hole = Some(walk.next());
                    1
                }
                // The log ends before what was seen: the tail says so.
                Reading::Records { records, .. } if records.is_empty() => return Ok(false),
                Reading::Records { records, ask: next, .. } => {
                    ask = next.min(PAGE);
                    let count = records.len() as u64;
                    let (back, found) = self.common.worker.run(move || walk.page(records)).await?;
                    walk = back;
                    self.common.ledger.add_all(found).await;
                    count
                }
            };
            self.settle(&mut walk).await?;
            self.advance(stream, read_now, started, &walk);
        }
        self.more_commitments(&mut walk).await?;
        // What ends before what was seen is a rollback, which the tail says.
        let is_begun_again = self.common.memory.to_adopt().await?.contains(&stream);
        if is_begun_again || !self.is_same(stream, place) || self.is_shorter(stream, place) {
            return Ok(false);
        }
        self.common.ledger.add_all(walk.finish()).await;
        self.settle(&mut walk).await?;
        Ok(true)
    }

    /// Whether the tail has not begun the stream again.
    fn is_same(&self, stream: Stream, place: &Place) -> bool {
        self.common.status.now().places.get(&stream).is_some_and(|now| now.begun == place.begun)
    }

    fn is_shorter(&self, stream: Stream, place: &Place) -> bool {
        let seen = place.until.and_then(|until| until.committed).map_or(0, |(end, _)| end);
        self.common.status.now().places.get(&stream).is_none_or(|now| now.committed < seen)
    }

    async fn more_commitments(&self, walk: &mut Walk) -> Result<(), Stopped> {
        let Some(from) = walk.wants_commitments_from() else { return Ok(()) };
        let stream = walk.stream();
        match commitments(&self.common, stream, from).await {
            Ok(page) => self.common.ledger.add_all(walk.take_commitments(page)).await,
            Err(Stopped::Call(error)) if error.code() == Some("DATABASE_ERROR") => {
                let detail = format!("commitments from {from} on cannot be read: {error}");
                self.common.ledger.add(walk.no_commitments(detail)).await;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Looks closer where a hash differed: which events are it?
    async fn settle(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        while let Some(suspicion) = walk.next_suspicion() {
            let found = self.locate(walk.stream(), &suspicion).await?;
            let names_events = found.iter().any(|f| f.kind == ViolationKind::Signature);
            self.common.ledger.add_all(found).await;
            if let Some(finding) = suspicion.rewritten
                && !suspicion.is_explained
                && !names_events
            {
                self.common.ledger.add(finding).await;
            }
        }
        Ok(())
    }

    async fn locate(&self, stream: Stream, suspicion: &Suspicion) -> Result<Vec<Finding>, Stopped> {
        let end = suspicion.last.min(suspicion.first.saturating_add(MAX_LOCATED));
        let (mut from, mut ask, mut found) = (suspicion.first, MAX_PAGE, Vec::new());
        while from <= end {
            let rest = u32::try_from(end - from + 1).unwrap_or(u32::MAX);
            match read(&self.common, stream, from, ask.min(rest)).await? {
                Reading::Fewer(fewer) => ask = fewer.max(1),
                Reading::Damaged(_) => from += 1,
                Reading::Records { records, .. } if records.is_empty() => break,
                Reading::Records { records, ask: next, .. } => {
                    (from, ask) = (from + records.len() as u64, next);
                    found.extend(self.verify(stream, records).await?);
                }
            }
        }
        Ok(found)
    }

    async fn verify(
        &self,
        stream: Stream,
        records: Vec<EventRecord>,
    ) -> Result<Vec<Finding>, Stopped> {
        self.common.core.progress.mark("witness-audit", LONGEST_ROUND);
        let keys = {
            let mut keys = self.common.keys.lock().await;
            keys.of_page(&self.common, stream, &records).await?
        };
        let verified = self.common.worker.run(move || {
            let each = records.iter().flat_map(|record| {
                let (_, found) = ves::audit::recheck(&stream, record, Some(&*keys));
                found.into_iter().map(|violation| of_event(violation, record)).collect::<Vec<_>>()
            });
            each.collect()
        });
        Ok(verified.await?)
    }

    fn advance(&mut self, stream: Stream, count: u64, started: Instant, walk: &Walk) {
        self.done_events += count;
        self.common.core.metrics.witness.audited_events.inc_by(count);
        let seconds = as_f64(count) / f64::from(self.events_per_second);
        self.next_page = started + Duration::from_secs_f64(seconds);
        let mut now = self.common.status.now();
        if let Some(place) = now.places.get_mut(&stream) {
            place.audited = walk.next() - 1;
        }
        now.audit.pass_progress = as_f64(self.done_events) / as_f64(self.total_events.max(1));
    }

    async fn pause_until(&self, then: Instant) {
        loop {
            self.common.core.progress.mark("witness-audit", LONGEST_ROUND);
            let rest = then.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            tokio::time::sleep(rest.min(LONGEST_ROUND / 4)).await;
        }
    }
}

/// What differs from a hash that was kept.
fn rewritten(stream: Stream, number: u64, detail: String, kept: Hash32, now: Hash32) -> Finding {
    Finding {
        kind: ViolationKind::Rewritten,
        stream: Some(stream),
        sequence_number: Some(number),
        detail,
        before: json!({ "kept": "only a hash over the events was kept", "hash": kept }),
        now: json!({ "hash": now }),
    }
}
