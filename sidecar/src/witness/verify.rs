//! The part of the tail that computes: events against keys, commitments against leaves.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::{Value, json};
use ves::audit::NumberedLeaf;
use ves::{Commitment, EventRecord, KeySource, Stream, Violation, ViolationKind};

use super::checkpoint::{Standing, Trail};
use super::ledger::Finding;

/// A stream that is being followed.
pub(super) struct Followed {
    pub(super) standing: Standing,
    /// Marks that are not written yet.
    pub(super) marks: Vec<(u64, Trail)>,
    pub(super) thinned: bool,
    /// Commitments that were read and not shown yet.
    pub(super) waiting: VecDeque<Commitment>,
    /// The round in which they were read.
    pub(super) read_in_round: u64,
    /// Whether something is not written yet, and since when.
    pub(super) unwritten_since: Option<Instant>,
    /// Whether the last event was compared since the head moved.
    pub(super) linked: bool,
}

impl Followed {
    pub(super) fn new(standing: Standing) -> Self {
        Self {
            standing,
            marks: Vec::new(),
            thinned: false,
            waiting: VecDeque::new(),
            read_in_round: 0,
            unwritten_since: None,
            linked: false,
        }
    }

    /// Verifies the next events of the stream, in order. The events at the given places of the
    /// page are a sample: only their signatures are verified.
    pub(super) fn events(
        &mut self,
        records: &[EventRecord],
        keys: &dyn KeySource,
        is_sampled: &[bool],
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        for (place, record) in records.iter().enumerate() {
            let standing = &mut self.standing;
            let is_sampled = is_sampled.get(place).copied().unwrap_or(true);
            let violations = if is_sampled {
                standing.auditor.event(record, keys)
            } else {
                standing.auditor.event_without_signatures(record)
            };
            found.extend(violations.into_iter().map(|violation| of_event(violation, record)));
            if let Some(before) = standing.last_time.filter(|last| record.sequenced_at < *last) {
                found.push(back_in_time(record, &before.to_string()));
            }
            let leaf = standing.auditor.pending().last().copied();
            standing.trail = standing.trail.then(leaf.as_ref().map(|leaf| &leaf.leaf_hash));
            standing.last = leaf;
            standing.last_time = standing.last_time.max(Some(record.sequenced_at));
            self.mark(record.sequence_number);
        }
        self.standing.bound();
        self.changed();
        found
    }

    /// Leaves the next number out.
    pub(super) fn skip(&mut self) {
        self.standing.skip();
        self.mark(self.standing.next() - 1);
        self.changed();
    }

    /// Shows the next commitment, whose events have been seen.
    pub(super) fn commitment(
        &mut self,
        commitment: &Commitment,
        root: Option<ves::Hash32>,
    ) -> Vec<Finding> {
        let auditor = &mut self.standing.auditor;
        let before = auditor.last_commitment().cloned();
        let violations = match root {
            Some(root) => auditor.commitment_over(commitment, root),
            None => auditor.commitment(commitment),
        };
        self.changed();
        let finding = |violation| of_commitment(violation, before.as_ref(), commitment);
        violations.into_iter().map(finding).collect()
    }

    fn mark(&mut self, number: u64) {
        if self.standing.is_marked(number) {
            self.marks.push((number, self.standing.trail));
        }
        if self.standing.thin() {
            self.thinned = true;
            let grid = self.standing.grid;
            self.marks.retain(|(number, _)| number.is_multiple_of(grid));
        }
    }

    fn changed(&mut self) {
        self.unwritten_since.get_or_insert_with(Instant::now);
    }
}

/// Whether an event is the one that was seen at its number; only its leaf was kept.
pub(super) fn compare_leaf(record: &EventRecord, kept: &NumberedLeaf) -> Option<Finding> {
    let (leaf, _) = ves::audit::recheck(&record.event.stream, record, None);
    (leaf != kept.leaf_hash).then(|| Finding {
        kind: ViolationKind::Rewritten,
        stream: Some(record.event.stream),
        sequence_number: Some(record.sequence_number),
        detail: "another event has this number than before".to_owned(),
        before: json!({
            "kept": "only the hash of the leaf and the event's id were kept",
            "sequence_number": kept.sequence_number,
            "event_id": kept.event_id,
            "leaf_hash": kept.leaf_hash,
        }),
        now: record_json(record),
    })
}

pub(super) fn of_event(violation: Violation, record: &EventRecord) -> Finding {
    let (event, receipt) = (&record.event, &record.receipt);
    let before = match violation.kind {
        ViolationKind::PayloadHash => json!({
            "stated_by": "the event, which its agent signed",
            "payload_plain_hash": event.payload_plain_hash,
            "payload_cipher_hash": event.payload_cipher_hash,
        }),
        ViolationKind::Signature => json!({
            "stated_by": "the agent, with its signature",
            "agent_id": event.source_agent_id,
            "agent_key_id": event.agent_key_id,
            "agent_signature": event.agent_signature,
        }),
        ViolationKind::Receipt => json!({
            "stated_by": "the sequencer, with its receipt",
            "receipt": serde_json::to_value(receipt).unwrap_or_default(),
        }),
        _ => json!({ "stated_by": "the events before it" }),
    };
    Finding {
        kind: violation.kind,
        stream: Some(event.stream),
        sequence_number: violation.sequence_number,
        detail: violation.detail,
        before,
        now: record_json(record),
    }
}

pub(super) fn of_commitment(
    violation: Violation,
    before: Option<&Commitment>,
    commitment: &Commitment,
) -> Finding {
    Finding {
        kind: violation.kind,
        stream: Some(commitment.stream()),
        sequence_number: violation.sequence_number,
        detail: violation.detail,
        before: json!({ "last_commitment": before }),
        now: json!({ "commitment": commitment }),
    }
}

pub(super) fn back_in_time(record: &EventRecord, before: &str) -> Finding {
    Finding {
        kind: ViolationKind::Receipt,
        stream: Some(record.event.stream),
        sequence_number: Some(record.sequence_number),
        detail: format!("it was sequenced before the event before it, which was at {before}"),
        before: json!({ "sequenced_at_of_an_event_before": before }),
        now: record_json(record),
    }
}

/// A number that cannot be had.
pub(super) fn of_damage(stream: Stream, number: u64, damage: super::reading::Damage) -> Finding {
    Finding {
        kind: damage.kind,
        stream: Some(stream),
        sequence_number: Some(number),
        detail: damage.detail,
        before: json!({ "must_be_there": "the head of the stream is not below this number" }),
        now: damage.now,
    }
}

fn record_json(record: &EventRecord) -> Value {
    serde_json::from_str(&record.to_json()).unwrap_or_default()
}
