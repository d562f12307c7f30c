//! The checks of one event record (VES 24, items 2 to 4 and 8).

use super::{KeySource, NumberedLeaf, StreamAuditor, Violation, ViolationKind};
use crate::bytes::Hash32;
use crate::envelope::Payload;
use crate::key::KeyStatus;
use crate::merkle::leaf_hash;
use crate::stream::Stream;
use crate::wire::EventRecord;

/// Without keys, no signature is verified.
pub(super) fn audit(
    auditor: &mut StreamAuditor,
    record: &EventRecord,
    keys: Option<&dyn KeySource>,
) -> Vec<Violation> {
    let signing_hash = record.event.signing_hash();
    let mut found = content(&auditor.stream, record, &signing_hash, keys);
    found.extend(auditor.place(record, &signing_hash));
    found
}

/// What is wrong with one record by itself, wherever it stands (VES 24, items 2, 3 and 8).
///
/// Without keys, no signature is verified: for a leaf that was seen before with its signatures.
/// Gives the leaf too (VES 15.1).
pub fn recheck(
    stream: &Stream,
    record: &EventRecord,
    keys: Option<&dyn KeySource>,
) -> (Hash32, Vec<Violation>) {
    let (event, signing_hash) = (&record.event, record.event.signing_hash());
    let number = record.sequence_number;
    let leaf = leaf_hash(&event.stream, number, &signing_hash, &event.agent_signature);
    (leaf, content(stream, record, &signing_hash, keys))
}

fn content(
    stream: &Stream,
    record: &EventRecord,
    signing_hash: &Hash32,
    keys: Option<&dyn KeySource>,
) -> Vec<Violation> {
    let signature = keys.and_then(|keys| signature_problem(record, signing_hash, keys));
    let problems = [
        (ViolationKind::PayloadHash, payload_problem(record)),
        (ViolationKind::Signature, signature),
        (ViolationKind::Receipt, receipt_problem(stream, record, signing_hash, keys)),
    ];
    let found = problems.into_iter();
    found.filter_map(|(kind, detail)| Some(violation(kind, record, detail?))).collect()
}

impl StreamAuditor {
    /// Puts the event in its place: next number, repeated number or after a gap (VES 13).
    fn place(&mut self, record: &EventRecord, signing_hash: &Hash32) -> Vec<Violation> {
        let number = record.sequence_number;
        let event = &record.event;
        let leaf_hash = leaf_hash(&event.stream, number, signing_hash, &event.agent_signature);
        let mut found = Vec::new();
        if number < self.next_sequence {
            let known = self.pending.binary_search_by_key(&number, |leaf| leaf.sequence_number);
            let known = known.ok().and_then(|at| self.pending.get(at));
            let (kind, detail) = match known {
                Some(known) if known.leaf_hash != leaf_hash => {
                    (ViolationKind::Rewritten, "another event had this number before")
                }
                _ => (ViolationKind::Duplicate, "this number has been seen before"),
            };
            found.push(violation(kind, record, detail.to_owned()));
            return found;
        }
        if number > self.next_sequence {
            let detail = format!("number {} was expected", self.next_sequence);
            found.push(violation(ViolationKind::Gap, record, detail));
        }
        if !self.pending_events.insert(event.event_id) {
            let detail = format!("event {} has another number already", event.event_id);
            found.push(violation(ViolationKind::Duplicate, record, detail));
        }
        let event_id = event.event_id;
        self.pending.push(NumberedLeaf { sequence_number: number, event_id, leaf_hash });
        self.next_sequence = number.saturating_add(1);
        self.highest_head = self.highest_head.max(number);
        found
    }
}

fn payload_problem(record: &EventRecord) -> Option<String> {
    let stated = match record.event.payload {
        Payload::Plain(_) => "payload",
        Payload::Encrypted(_) => "encrypted payload",
    };
    let refusal = record.event.verify_payload_hash().err()?;
    Some(format!("the {stated} does not have the stated hash: {refusal}"))
}

fn signature_problem(
    record: &EventRecord,
    signing_hash: &Hash32,
    keys: &dyn KeySource,
) -> Option<String> {
    let event = &record.event;
    let (agent, key_id) = (event.source_agent_id, event.agent_key_id);
    let Some((key, window)) = keys.agent_key(event.stream.tenant_id, agent, key_id) else {
        return Some(format!("key {key_id} of agent {agent} is not known"));
    };
    let status = window.audit_status(record.sequenced_at);
    if status != KeyStatus::Active {
        return Some(format!("key {key_id} of agent {agent} was {status} then"));
    }
    let refusal = event.verify_signature_over(signing_hash, &key).err()?;
    Some(format!("the agent's signature does not verify: {refusal}"))
}

fn receipt_problem(
    stream: &Stream,
    record: &EventRecord,
    signing_hash: &Hash32,
    keys: Option<&dyn KeySource>,
) -> Option<String> {
    let receipt = &record.receipt;
    if record.event.stream != *stream {
        return Some("the event belongs to another stream".to_owned());
    }
    let fits = receipt.event_id == record.event.event_id
        && receipt.sequence_number == record.sequence_number
        && receipt.sequenced_at == record.sequenced_at;
    if !fits {
        return Some("the receipt names another event, number or time".to_owned());
    }
    let Some(keys) = keys else {
        let fits = receipt.fits(stream, signing_hash);
        return (!fits).then(|| "the receipt does not have the hash of the event".to_owned());
    };
    let version = receipt.sequencer_key_version;
    let Some(key) = keys.sequencer_key(version) else {
        return Some(format!("receipt key {version} is not published"));
    };
    let verifies = receipt.verify(&key, stream, signing_hash);
    (!verifies).then(|| "the receipt does not verify".to_owned())
}

fn violation(kind: ViolationKind, record: &EventRecord, detail: String) -> Violation {
    Violation { kind, sequence_number: Some(record.sequence_number), detail }
}
