//! A pure auditor: feed it what a sequencer published, get what is wrong with it (VES 24).
//!
//! It keeps the leaves since the last commitment and nothing older, so a stream of any length can
//! be audited in the memory of one batch.

mod event;

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bytes::Hash32;
use crate::commitment::{ChainError, Commitment, check_link};
use crate::key::KeyWindow;
use crate::merkle;
use crate::signature::PublicKey;
use crate::stream::Stream;
use crate::wire::EventRecord;

pub use event::recheck;

/// What kind of rule is broken.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum ViolationKind {
    /// The content does not have the hash the envelope states (VES 11, checks 7, 9, 11, 12).
    PayloadHash,
    /// The signature is bad, or its key was unknown or not good then (VES 8, 9.2).
    Signature,
    /// A number is missing, or a commitment covers numbers that were not shown (VES 13).
    Gap,
    /// A number or an event comes twice (VES 12.2, 13).
    Duplicate,
    /// The receipt does not fit the event or its signature is bad (VES 14.4).
    Receipt,
    /// The root of a commitment is not that of its events (VES 15).
    Root,
    /// A commitment does not follow the one before (VES 17.5).
    Chain,
    /// The head is lower than one shown before (VES 13).
    Rollback,
    /// A number or a commitment has other content than when it was shown before (VES 13, 17.5).
    Rewritten,
}

impl ViolationKind {
    /// All kinds, for label values that must exist before they happen.
    pub const ALL: &[Self] = &[
        Self::PayloadHash,
        Self::Signature,
        Self::Gap,
        Self::Duplicate,
        Self::Receipt,
        Self::Root,
        Self::Chain,
        Self::Rollback,
        Self::Rewritten,
    ];

    /// The name in `snake_case`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PayloadHash => "payload_hash",
            Self::Signature => "signature",
            Self::Gap => "gap",
            Self::Duplicate => "duplicate",
            Self::Receipt => "receipt",
            Self::Root => "root",
            Self::Chain => "chain",
            Self::Rollback => "rollback",
            Self::Rewritten => "rewritten",
        }
    }
}

impl fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One broken rule.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Violation {
    /// Which rule.
    pub kind: ViolationKind,
    /// The number concerned, where there is one.
    pub sequence_number: Option<u64>,
    /// What was found, for people.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sequence_number {
            Some(number) => write!(f, "{} at {number}: {}", self.kind, self.detail),
            None => write!(f, "{}: {}", self.kind, self.detail),
        }
    }
}

/// Where the auditor finds public keys.
pub trait KeySource {
    /// A registered agent key (VES 9.1); none if it was never registered or is not usable.
    fn agent_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
    ) -> Option<(PublicKey, KeyWindow)>;

    /// A published receipt key (VES 14.4).
    fn sequencer_key(&self, key_version: u32) -> Option<PublicKey>;
}

/// What is kept of an event until a commitment covers it.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct NumberedLeaf {
    /// The number.
    pub sequence_number: u64,
    /// The event.
    pub event_id: Uuid,
    /// VES 15.1.
    pub leaf_hash: Hash32,
}

/// Follows one stream from its first event, or from where an earlier audit ended (VES 24).
#[derive(Clone, Debug)]
pub struct StreamAuditor {
    stream: Stream,
    next_sequence: u64,
    highest_head: u64,
    last_commitment: Option<Commitment>,
    /// Leaves since the last commitment, by ascending number; a gap leaves numbers out.
    pending: Vec<NumberedLeaf>,
    /// Events since the last commitment, to find one that got two numbers.
    pending_events: HashSet<Uuid>,
    /// Last number whose leaf was forgotten.
    forgotten: u64,
}

impl StreamAuditor {
    /// Starts at number 1 with no commitment.
    pub fn new(stream: Stream) -> Self {
        Self::resume(stream, 1, None, Vec::new())
    }

    /// Goes on where an earlier audit stood; the four values are those of the accessors below.
    pub fn resume(
        stream: Stream,
        next_sequence: u64,
        last_commitment: Option<Commitment>,
        pending: Vec<NumberedLeaf>,
    ) -> Self {
        Self {
            stream,
            next_sequence,
            highest_head: next_sequence.saturating_sub(1),
            last_commitment,
            pending_events: pending.iter().map(|leaf| leaf.event_id).collect(),
            pending,
            forgotten: 0,
        }
    }

    /// The same after [`StreamAuditor::forget_pending`], with what [`StreamAuditor::forgotten`]
    /// said.
    pub fn with_forgotten(self, forgotten: u64) -> Self {
        Self { forgotten, ..self }
    }

    /// The stream under audit.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// The number the next event must have.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The last commitment that was followed.
    pub fn last_commitment(&self) -> Option<&Commitment> {
        self.last_commitment.as_ref()
    }

    /// The leaves since then.
    pub fn pending(&self) -> &[NumberedLeaf] {
        &self.pending
    }

    /// Checks a head against every number seen (VES 13).
    pub fn head(&mut self, head_sequence: u64) -> Vec<Violation> {
        let seen = self.highest_head;
        self.highest_head = seen.max(head_sequence);
        if head_sequence >= seen {
            return Vec::new();
        }
        vec![Violation {
            kind: ViolationKind::Rollback,
            sequence_number: Some(head_sequence),
            detail: format!("the head is {head_sequence} but {seen} has been seen"),
        }]
    }

    /// Checks a commitment: its link to the one before (VES 17.5), then its root over the leaves
    /// seen (VES 15), which it consumes.
    ///
    /// Each is to be shown once, in order; the last one again is no violation. One that reaches
    /// beyond the events seen is reported and otherwise ignored, so it can be shown again after
    /// the events.
    pub fn commitment(&mut self, commitment: &Commitment) -> Vec<Violation> {
        self.show(commitment, None)
    }

    fn show(&mut self, commitment: &Commitment, root: Option<Hash32>) -> Vec<Violation> {
        let (start, end) = (commitment.sequence_start, commitment.sequence_end);
        let violation = |kind, detail: String| Violation {
            kind,
            sequence_number: Some(start),
            detail: format!("commitment {start} to {end}: {detail}"),
        };
        if commitment.stream() != self.stream || commitment.ves_version != 1 {
            let detail = "it names another stream or version".to_owned();
            return vec![violation(ViolationKind::Chain, detail)];
        }
        if let Some(last) = &self.last_commitment
            && last.sequence_start == start
        {
            let changed = || "it differs from the one shown before".to_owned();
            return if last == commitment {
                Vec::new()
            } else {
                vec![violation(ViolationKind::Rewritten, changed())]
            };
        }
        if end >= self.next_sequence {
            let detail = format!("{} is the next event to be seen", self.next_sequence);
            return vec![violation(ViolationKind::Gap, detail)];
        }
        let mut found = Vec::new();
        match check_link(self.last_commitment.as_ref(), commitment) {
            Ok(()) => {}
            Err(error) => {
                found.push(violation(ViolationKind::Chain, error.to_string()));
                if error == ChainError::Overlap {
                    return found;
                }
            }
        }
        let problem = match root {
            Some(root) => root_problem(commitment, root),
            None => self.pending_root_problem(commitment),
        };
        if let Some(detail) = problem {
            found.push(violation(ViolationKind::Root, detail));
        }
        self.pending.retain(|leaf| leaf.sequence_number > end);
        self.pending_events = self.pending.iter().map(|leaf| leaf.event_id).collect();
        self.last_commitment = Some(commitment.clone());
        found
    }

    /// Checks one event (VES 24, items 2 to 4 and 8) and keeps its leaf.
    ///
    /// Its number must be the next one; its content must have the stated hash; the agent's key
    /// must have been good when it was sequenced, the signature and the receipt must verify.
    pub fn event(&mut self, record: &EventRecord, keys: &dyn KeySource) -> Vec<Violation> {
        event::audit(self, record, Some(keys))
    }

    /// The same without the two signatures, for who verifies a sample of them.
    pub fn event_without_signatures(&mut self, record: &EventRecord) -> Vec<Violation> {
        event::audit(self, record, None)
    }

    /// Forgets the leaves seen so far: without commitments there is no end to them. A commitment
    /// over one of them is then shown with [`StreamAuditor::commitment_over`].
    pub fn forget_pending(&mut self) {
        if let Some(last) = self.pending.last() {
            self.forgotten = last.sequence_number;
        }
        self.pending.clear();
        self.pending_events.clear();
    }

    /// Last number whose leaf was forgotten, 0 if none was.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// [`StreamAuditor::commitment`], given the root over its events from another reading.
    pub fn commitment_over(&mut self, commitment: &Commitment, root: Hash32) -> Vec<Violation> {
        self.show(commitment, Some(root))
    }

    fn pending_root_problem(&self, commitment: &Commitment) -> Option<String> {
        let (start, end) = (commitment.sequence_start, commitment.sequence_end);
        let leaves =
            self.pending.iter().filter(|leaf| (start..=end).contains(&leaf.sequence_number));
        let leaves: Vec<Hash32> = leaves.map(|leaf| leaf.leaf_hash).collect();
        if u64::try_from(leaves.len()) != Ok(u64::from(commitment.leaf_count)) {
            let (seen, stated) = (leaves.len(), commitment.leaf_count);
            return Some(format!("{seen} of its {stated} events have been seen"));
        }
        root_problem(commitment, merkle::root(&leaves)?)
    }
}

fn root_problem(commitment: &Commitment, root: Hash32) -> Option<String> {
    (root != commitment.merkle_root).then(|| format!("its events have the root {root}"))
}
