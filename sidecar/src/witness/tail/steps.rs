//! One step of one stream: comparing it with what is remembered, a page of events, or a few
//! commitments.

use ves::{Commitment, EventRecord, Hash32, Stream, Violation, ViolationKind};

use super::super::compare::{commitments, compare};
use super::super::ledger::Finding;
use super::super::reading::{Reading, Stopped, read};
use super::super::verify::{Followed, compare_leaf, of_damage};
use super::Tail;
use crate::clock;

/// Numbers that cannot be had and are passed in one round: each costs a request.
const HOLES_AT_ONCE: u32 = 50;

impl Tail {
    /// Does the next thing for a stream.
    pub(super) async fn step(&mut self, stream: Stream) -> Result<(), Stopped> {
        let Some(follow) = self.follows.get(&stream) else { return Ok(()) };
        let (to_be_compared, is_behind) = (follow.is_to_be_compared(), follow.is_behind());
        let (head, committed) = (follow.head, follow.committed);
        self.load(stream).await?;
        if to_be_compared {
            self.compare(stream).await?;
            if let Some(follow) = self.follows.get_mut(&stream) {
                follow.compared = Some((head, committed));
            }
        } else {
            let goes_on = is_behind && self.events(stream).await?;
            let goes_on = self.commitments(stream).await? || goes_on;
            if let Some(follow) = self.follows.get_mut(&stream) {
                follow.is_blocked |= !goes_on;
            }
        }
        self.note(stream);
        Ok(())
    }

    async fn compare(&mut self, stream: Stream) -> Result<(), Stopped> {
        let Some(followed) = self.loaded.get_mut(&stream) else { return Ok(()) };
        if followed.standing.next() > 1 {
            let found = compare(&self.common, &followed.standing).await?;
            followed.linked = found.is_empty();
            self.common.ledger.add_all(found).await;
        }
        Ok(())
    }

    /// Reads and verifies a page; false when nothing came of it.
    async fn events(&mut self, stream: Stream) -> Result<bool, Stopped> {
        let Some(followed) = self.loaded.get(&stream) else { return Ok(false) };
        let Some(follow) = self.follows.get_mut(&stream) else { return Ok(false) };
        let next = followed.standing.next();
        // The last one again, to see that what is new continues what was seen.
        let last = followed.standing.last.filter(|last| last.sequence_number + 1 == next);
        let last = last.filter(|_| !followed.linked && follow.ask > 1);
        let from = next - u64::from(last.is_some());
        let rest = u32::try_from(follow.head - from + 1).unwrap_or(u32::MAX);
        let mut records = match read(&self.common, stream, from, follow.ask.min(rest)).await? {
            Reading::Fewer(fewer) => {
                follow.ask = fewer.max(1);
                return Ok(true);
            }
            Reading::Damaged(damage) => {
                // One violation for all that are missing in a row, however many.
                if follow.hole != Some(from) {
                    self.common.ledger.add(of_damage(stream, from, damage)).await;
                }
                follow.hole = Some(from + 1);
                return Ok(self.hole(stream).await);
            }
            Reading::Records { records, .. } if records.is_empty() => return Ok(false),
            Reading::Records { records, ask, .. } => {
                follow.ask = ask;
                records
            }
        };
        if let Some(last) = last {
            let differs = compare_leaf(&records.remove(0), &last);
            self.common.ledger.add_all(Vec::from_iter(differs)).await;
        }
        self.verify(stream, records).await?;
        Ok(true)
    }

    async fn verify(&mut self, stream: Stream, records: Vec<EventRecord>) -> Result<(), Stopped> {
        let keys = {
            let mut keys = self.common.keys.lock().await;
            keys.of_page(&self.common, stream, &records).await?
        };
        let sample = sampled(self.common.core.config.witness_signature_sample, records.len());
        let Some(mut followed) = self.loaded.remove(&stream) else { return Ok(()) };
        followed.linked = true;
        let verified = self.common.worker.run(move || {
            let found = followed.events(&records, &*keys, &sample);
            (followed, records, found)
        });
        let (followed, records, found) = verified.await?;
        self.common.keys.lock().await.used(stream, &records);
        self.loaded.insert(stream, followed);
        self.common.core.metrics.witness.verified_events.inc_by(records.len() as u64);
        self.common.ledger.add_all(found).await;
        Ok(())
    }

    /// Passes a number that cannot be had; false when that was enough for a round.
    async fn hole(&mut self, stream: Stream) -> bool {
        if let Some(followed) = self.loaded.get_mut(&stream) {
            followed.skip();
        }
        self.note(stream);
        self.holes += 1;
        self.holes < HOLES_AT_ONCE
    }

    /// Shows commitments whose events were seen; false when there is nothing to show.
    async fn commitments(&mut self, stream: Stream) -> Result<bool, Stopped> {
        let Some(follow) = self.follows.get(&stream) else { return Ok(false) };
        let (head, committed) = (follow.head, follow.committed);
        let Some(mut followed) = self.loaded.remove(&stream) else { return Ok(false) };
        let is_due = followed.waiting.is_empty() && committed > followed.standing.committed();
        let read =
            if is_due { self.read_commitments(&mut followed, committed).await } else { Ok(()) };
        if let Err(error) = read {
            self.loaded.insert(stream, followed);
            return Err(error);
        }
        let mut has_shown = false;
        while let Some(first) = followed.waiting.front() {
            // One whose events are still to come waits. One beyond a head that is newer than it is
            // shown, to be refused.
            let is_impossible = first.sequence_end > head && followed.read_in_round < self.rounds;
            if first.sequence_end >= followed.standing.next() && !is_impossible {
                break;
            }
            let root = self.other_root(&followed, first).await;
            let root = match root {
                Ok(root) => root,
                Err(error) => {
                    self.loaded.insert(stream, followed);
                    return Err(error);
                }
            };
            let Some(first) = followed.waiting.pop_front() else { break };
            let shown = self.common.worker.run(move || {
                let before = followed.standing.committed();
                let found = followed.commitment(&first, root);
                let has_moved = followed.standing.committed() > before;
                (followed, found, has_moved)
            });
            let (back, found, has_moved): (Followed, Vec<Finding>, bool) = shown.await?;
            followed = back;
            has_shown |= has_moved;
            self.common.ledger.add_all(found).await;
        }
        self.loaded.insert(stream, followed);
        Ok(has_shown)
    }

    async fn read_commitments(
        &self,
        followed: &mut Followed,
        committed: u64,
    ) -> Result<(), Stopped> {
        let stream = followed.standing.stream();
        let last = followed.standing.auditor.last_commitment();
        // The last one again, to see that it has not changed.
        let from = last.map_or(1, |last| last.sequence_start);
        let page = match commitments(&self.common, stream, from).await {
            Ok(page) => page,
            Err(Stopped::Call(error)) if error.code() == Some("DATABASE_ERROR") => {
                let detail = format!("commitments from {from} on cannot be read: {error}");
                self.common.ledger.add(broken(stream, from, ViolationKind::Root, detail)).await;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let end = page.commitments.last().map_or(0, |last| last.sequence_end);
        if page.next_from.is_none() && end < committed {
            let detail = format!("they end at {end} but should at {committed}");
            self.common.ledger.add(broken(stream, end, ViolationKind::Chain, detail)).await;
        }
        followed.waiting.extend(page.commitments);
        followed.read_in_round = self.rounds;
        Ok(())
    }

    /// The root over the events of a commitment whose leaves were forgotten, read again.
    async fn other_root(
        &self,
        followed: &Followed,
        commitment: &Commitment,
    ) -> Result<Option<Hash32>, Stopped> {
        let (start, end) = (commitment.sequence_start, commitment.sequence_end);
        let (auditor, stream) = (&followed.standing.auditor, followed.standing.stream());
        if start > auditor.forgotten() || end >= auditor.next_sequence() {
            return Ok(None);
        }
        let mut builder = ves::merkle::RootBuilder::default();
        let (mut from, mut ask) = (start, super::MAX_PAGE);
        while from <= end {
            self.mark_progress();
            let rest = u32::try_from(end - from + 1).unwrap_or(u32::MAX);
            match read(&self.common, stream, from, ask.min(rest)).await? {
                Reading::Fewer(fewer) => ask = fewer.max(1),
                // The other loop says what is wrong; the root cannot be that of the events.
                Reading::Damaged(_) => return Ok(Some(Hash32::ZERO)),
                Reading::Records { records, .. } if records.is_empty() => return Ok(None),
                Reading::Records { records, ask: next, .. } => {
                    (from, ask) = (from + records.len() as u64, next);
                    builder = self.common.worker.run(move || push(builder, &records)).await?;
                }
            }
        }
        Ok(builder.finish())
    }

    /// Notes how far a stream is done.
    fn note(&mut self, stream: Stream) {
        let (Some(follow), Some(followed)) =
            (self.follows.get_mut(&stream), self.loaded.get(&stream))
        else {
            return;
        };
        let standing = &followed.standing;
        (follow.next, follow.committed_done) = (standing.next(), standing.committed());
        follow.last_time = standing.last_time;
        if !follow.is_behind() {
            follow.level_at = Some(clock::now());
        }
        let verified = i64::try_from(follow.next - 1).unwrap_or(i64::MAX);
        let names = [stream.tenant_id.to_string(), stream.store_id.to_string()];
        let names = [names[0].as_str(), names[1].as_str()];
        self.common.core.metrics.witness.verified_sequence.with(&names).set(verified);
        self.place(stream);
    }
}

fn push(
    mut builder: ves::merkle::RootBuilder,
    records: &[EventRecord],
) -> ves::merkle::RootBuilder {
    for record in records {
        builder.push(ves::audit::recheck(&record.event.stream, record, None).0);
    }
    builder
}

/// Something about commitments that are not there to be shown.
fn broken(stream: Stream, at: u64, kind: ViolationKind, detail: String) -> Finding {
    let violation = Violation { kind, sequence_number: Some(at), detail };
    Finding {
        kind: violation.kind,
        stream: Some(stream),
        sequence_number: violation.sequence_number,
        detail: format!("the commitments: {}", violation.detail),
        before: serde_json::json!({ "stated_by": "the head of the stream" }),
        now: serde_json::Value::Null,
    }
}

/// Which events of a page have their signatures verified; nobody can know before.
fn sampled(share: f64, count: usize) -> Vec<bool> {
    if share >= 1.0 {
        return vec![true; count];
    }
    let mut random = vec![0_u8; count * 4];
    if getrandom::fill(&mut random).is_err() {
        return vec![true; count];
    }
    let (numbers, _) = random.as_chunks::<4>();
    let below = share * (f64::from(u32::MAX) + 1.0);
    numbers.iter().map(|bytes| f64::from(u32::from_le_bytes(*bytes)) < below).collect()
}
