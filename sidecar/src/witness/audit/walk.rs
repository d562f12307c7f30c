//! One reading of one stream from number 1: what it computes.

use std::collections::VecDeque;

use serde_json::json;
use ves::commitment::check_link;
use ves::merkle::RootBuilder;
use ves::wire::CommitmentsPage;
use ves::{Commitment, EventRecord, Hash32, Stream, Timestamp, Violation, ViolationKind};

use super::super::checkpoint::Trail;
use super::super::ledger::Finding;
use super::super::status::Until;
use super::super::verify::{back_in_time, of_commitment, of_event};
use super::rewritten;

/// A reading under way.
pub(super) struct Walk {
    stream: Stream,
    until: Until,
    next: u64,
    trail: Trail,
    /// Marks that were kept and are still to come.
    marks: VecDeque<(u64, Trail)>,
    /// First number since the last mark.
    since_mark: u64,
    /// Whether something else was found since then that a changed trail follows from.
    is_explained: bool,
    /// Commitments whose events are still to come.
    commitments: VecDeque<Commitment>,
    /// The last one that was taken, to link the next to.
    last_taken: Option<Commitment>,
    has_all_commitments: bool,
    /// Over the events of the first commitment.
    root: RootBuilder,
    last_time: Option<Timestamp>,
    suspicions: VecDeque<Suspicion>,
}

/// Numbers among which something differs from what was seen.
pub(super) struct Suspicion {
    pub(super) first: u64,
    pub(super) last: u64,
    /// What to say when no single event explains it.
    pub(super) rewritten: Option<Finding>,
    pub(super) is_explained: bool,
}

impl Walk {
    pub(super) fn new(stream: Stream, until: Until, marks: Vec<(u64, Trail)>) -> Self {
        Self {
            stream,
            until,
            next: 1,
            trail: Trail::new(&stream),
            marks: marks.into_iter().filter(|(number, _)| *number < until.next).collect(),
            since_mark: 1,
            is_explained: false,
            commitments: VecDeque::new(),
            last_taken: None,
            has_all_commitments: until.committed.is_none(),
            root: RootBuilder::default(),
            last_time: None,
            suspicions: VecDeque::new(),
        }
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// The number to be read next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many may be read before commitments are wanted again.
    pub(super) fn readable(&self) -> u64 {
        let all = self.until.next - self.next;
        match self.commitments.back() {
            Some(last) if !self.has_all_commitments => {
                all.min((last.sequence_end + 1).saturating_sub(self.next)).max(1)
            }
            _ => all,
        }
    }

    /// Where the next commitments start, when they are wanted.
    pub(super) fn wants_commitments_from(&self) -> Option<u64> {
        let is_wanted = self.commitments.is_empty() && !self.has_all_commitments;
        is_wanted.then(|| self.last_taken.as_ref().map_or(1, |last| last.sequence_end + 1))
    }

    /// Takes a page of commitments; each must continue the one before (VES 17.5).
    pub(super) fn take_commitments(&mut self, page: CommitmentsPage) -> Vec<Finding> {
        let mut found = Vec::new();
        let end = self.until.committed.map_or(0, |(end, _)| end);
        self.has_all_commitments = page.next_from.is_none() || page.commitments.is_empty();
        for commitment in page.commitments {
            if commitment.sequence_start > end {
                self.has_all_commitments = true;
                break;
            }
            let last = self.last_taken.as_ref();
            if let Err(error) = check_link(last, &commitment) {
                let detail = error.to_string();
                found.push(self.broken(ViolationKind::Chain, &commitment, &detail));
            }
            if last.is_some_and(|last| commitment.sequence_end <= last.sequence_end) {
                // It leads nowhere: whatever follows it is not believed either.
                self.has_all_commitments = true;
                break;
            }
            found.extend(self.compare_root(&commitment));
            self.last_taken = Some(commitment.clone());
            self.commitments.push_back(commitment);
        }
        found
    }

    /// Notes that the commitments cannot be read.
    pub(super) fn no_commitments(&mut self, detail: String) -> Finding {
        self.has_all_commitments = true;
        self.is_explained = true;
        Finding {
            kind: ViolationKind::Root,
            stream: Some(self.stream),
            sequence_number: Some(self.next),
            detail,
            before: json!({ "stated_by": "the head of the stream" }),
            now: serde_json::Value::Null,
        }
    }

    /// Takes the next events.
    pub(super) fn page(mut self, records: Vec<EventRecord>) -> (Self, Vec<Finding>) {
        let mut found = Vec::new();
        for record in records {
            let (leaf, violations) = ves::audit::recheck(&self.stream, &record, None);
            found.extend(violations.into_iter().map(|violation| of_event(violation, &record)));
            if let Some(before) = self.last_time.filter(|last| record.sequenced_at < *last) {
                found.push(back_in_time(&record, &before.to_string()));
            }
            self.last_time = self.last_time.max(Some(record.sequenced_at));
            found.extend(self.leaf(Some(leaf)));
        }
        (self, found)
    }

    /// Passes a number that cannot be had.
    pub(super) fn skip(&mut self) {
        self.is_explained = true;
        // Its commitment is not complete: nothing can be said of its root.
        let _ = self.leaf(None);
    }

    /// What the end must be.
    pub(super) fn finish(&mut self) -> Vec<Finding> {
        let end = self.last_taken.as_ref().map_or(0, |last| last.sequence_end);
        let mut found = Vec::new();
        if let Some((seen, root)) = self.until.committed
            && end < seen
        {
            self.is_explained = true;
            found.push(Finding {
                kind: ViolationKind::Chain,
                stream: Some(self.stream),
                sequence_number: Some(end),
                detail: format!("the commitments end at {end} but one to {seen} has been seen"),
                before: json!({ "sequence_end": seen, "new_state_root": root }),
                now: json!({ "last_commitment": self.last_taken }),
            });
        }
        if self.since_mark < self.until.next {
            self.check_trail(self.until.next - 1, self.until.trail);
        }
        found
    }

    /// The next place to look at closer.
    pub(super) fn next_suspicion(&mut self) -> Option<Suspicion> {
        self.suspicions.pop_front()
    }

    fn leaf(&mut self, leaf: Option<Hash32>) -> Option<Finding> {
        let number = self.next;
        self.next += 1;
        self.trail = self.trail.then(leaf.as_ref());
        let mut found = None;
        if let Some(first) = self.commitments.front() {
            if let Some(leaf) = leaf.filter(|_| number >= first.sequence_start) {
                self.root.push(leaf);
            }
            if number >= first.sequence_end {
                found = self.close();
            }
        }
        if self.marks.front().is_some_and(|(at, _)| *at == number)
            && let Some((_, kept)) = self.marks.pop_front()
        {
            self.check_trail(number, kept);
        }
        found
    }

    /// All events of the first commitment have been read.
    fn close(&mut self) -> Option<Finding> {
        let commitment = self.commitments.pop_front()?;
        let root = std::mem::take(&mut self.root);
        if root.count() != u64::from(commitment.leaf_count) {
            // A number could not be had, or the chain is broken: both have been said.
            return None;
        }
        let root = root.finish()?;
        if root == commitment.merkle_root {
            return None;
        }
        self.is_explained = true;
        let (first, last) = (commitment.sequence_start, commitment.sequence_end);
        self.suspicions.push_back(Suspicion { first, last, rewritten: None, is_explained: true });
        let detail = format!("its events have the root {root}");
        Some(self.broken(ViolationKind::Root, &commitment, &detail))
    }

    /// The last commitment that was followed must be the same.
    fn compare_root(&self, commitment: &Commitment) -> Option<Finding> {
        let (end, root) = self.until.committed?;
        let differs = commitment.sequence_end == end && commitment.new_state_root != root;
        differs.then(|| {
            let detail = format!("the state root of the commitment to {end} was another one");
            let now = commitment.new_state_root;
            rewritten(self.stream, commitment.sequence_start, detail, root, now)
        })
    }

    fn check_trail(&mut self, number: u64, kept: Trail) {
        let is_explained = std::mem::take(&mut self.is_explained);
        let first = std::mem::replace(&mut self.since_mark, number + 1);
        if self.trail == kept {
            return;
        }
        let detail = format!("numbers {first} to {number} hold other events than before");
        let rewritten = Some(rewritten(self.stream, number, detail, kept.0, self.trail.0));
        self.suspicions.push_back(Suspicion { first, last: number, rewritten, is_explained });
        // What follows is compared by itself.
        self.trail = kept;
    }

    fn broken(&self, kind: ViolationKind, commitment: &Commitment, detail: &str) -> Finding {
        let (start, end) = (commitment.sequence_start, commitment.sequence_end);
        let detail = format!("commitment {start} to {end}: {detail}");
        let violation = Violation { kind, sequence_number: Some(start), detail };
        of_commitment(violation, self.last_taken.as_ref(), commitment)
    }
}
