//! A true log has no violation; every single falsification is found and named.

use proptest::prelude::*;
use ves::ViolationKind::{
    Chain, Duplicate, Gap, PayloadHash, Receipt, Rewritten, Rollback, Root, Signature,
};
use ves::audit::recheck;
use ves::{
    Commitment, EventRecord, Payload, StreamAuditor, Timestamp, Violation, ViolationKind,
    parse_event_record,
};

use crate::sample::{Keys, Log, STREAM, agent_key, cases, draft, leaf, log, record};

/// Shows events and commitments in the order in which they came to be, over the wire.
fn audit(log: &Log, keys: &Keys) -> Vec<Violation> {
    let mut auditor = StreamAuditor::new(STREAM);
    let mut found = Vec::new();
    let mut commitments = log.commitments.iter().peekable();
    for record in &log.records {
        let record = parse_event_record(&record.to_json()).unwrap();
        found.extend(auditor.event(&record, keys));
        while let Some(next) = commitments.next_if(|c| c.sequence_end < auditor.next_sequence()) {
            found.extend(auditor.commitment(next));
        }
    }
    for commitment in commitments {
        found.extend(auditor.commitment(commitment));
    }
    let head = log.records.iter().map(|record| record.sequence_number).max();
    found.extend(auditor.head(head.unwrap_or(0)));
    found
}

fn kinds(found: &[Violation]) -> Vec<ViolationKind> {
    found.iter().map(|violation| violation.kind).collect()
}

fn logs() -> impl Strategy<Value = Log> {
    let sizes = proptest::collection::vec(1..8_u32, 1..4);
    (sizes, 0..3_u64).prop_map(|(sizes, uncommitted)| log(&sizes, uncommitted))
}

type Falsify = fn(&mut EventRecord);
const FALSIFY_EVENT: [(Falsify, ViolationKind); 12] = [
    (|r| r.event.payload = Payload::Plain(r#"{"count":0}"#.to_owned()), PayloadHash),
    (|r| r.event.payload_plain_hash.0[3] ^= 4, PayloadHash),
    (|r| r.event.payload_cipher_hash.0[3] ^= 4, PayloadHash),
    (|r| r.event.agent_signature.0[40] ^= 1, Signature),
    (|r| r.event.entity_id.push('x'), Signature),
    (|r| r.event.agent_key_id = 2, Signature),
    (|r| r.event.signature_scheme = Some(2), Signature),
    (|r| r.receipt.receipt_hash.0[0] ^= 1, Receipt),
    (|r| r.receipt.sequencer_signature.0[0] ^= 1, Receipt),
    (|r| r.receipt.sequence_number += 1, Receipt),
    (|r| r.receipt.sequencer_key_version = 2, Receipt),
    (|r| r.sequenced_at = Timestamp::from_micros(0), Receipt),
];

type Break = fn(&mut Commitment);
const FALSIFY_COMMITMENT: [(Break, ViolationKind); 8] = [
    (|c| c.merkle_root.0[0] ^= 1, Root),
    (|c| c.merkle_root.0[0] ^= 1, Chain),
    (|c| c.prev_state_root.0[0] ^= 1, Chain),
    (|c| c.new_state_root.0[0] ^= 1, Chain),
    (|c| c.leaf_count += 1, Chain),
    (|c| c.tree_depth += 1, Chain),
    (|c| c.store_id = c.tenant_id, Chain),
    (|c| c.sequence_end += 1_000, Gap),
];

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_true_log_has_no_violation(log in logs()) {
        prop_assert_eq!(audit(&log, &Keys::good()), []);
    }

    #[test]
    fn a_falsified_event_is_named(
        log in logs(), pick: prop::sample::Index, which in 0..FALSIFY_EVENT.len(),
    ) {
        let mut log = log;
        let (falsify, kind) = FALSIFY_EVENT[which];
        falsify(pick.get_mut(&mut log.records));
        let found = kinds(&audit(&log, &Keys::good()));
        prop_assert!(found.contains(&kind), "{:?} not in {:?}", kind, found);
    }

    #[test]
    fn a_falsified_commitment_is_named(
        log in logs(), pick: prop::sample::Index, which in 0..FALSIFY_COMMITMENT.len(),
    ) {
        let mut log = log;
        let (falsify, kind) = FALSIFY_COMMITMENT[which];
        falsify(pick.get_mut(&mut log.commitments));
        let found = kinds(&audit(&log, &Keys::good()));
        prop_assert!(found.contains(&kind), "{:?} not in {:?}", kind, found);
    }

    #[test]
    fn a_missing_repeated_or_swapped_event_is_named(log in logs(), pick: prop::sample::Index) {
        let at = pick.index(log.records.len());
        let mut missing = log.clone();
        missing.records.remove(at);
        if at + 1 < log.records.len() {
            let found = kinds(&audit(&missing, &Keys::good()));
            prop_assert!(found.contains(&Gap), "{:?}", found);
            let mut swapped = log.clone();
            swapped.records.swap(at, at + 1);
            let found = kinds(&audit(&swapped, &Keys::good()));
            prop_assert!(found.contains(&Gap) && found.contains(&Duplicate), "{:?}", found);
        }
        let mut repeated = log.clone();
        repeated.records.insert(at, log.records[at].clone());
        prop_assert!(kinds(&audit(&repeated, &Keys::good())).contains(&Duplicate));
    }

    #[test]
    fn an_exchanged_event_breaks_the_root(log in logs(), pick: prop::sample::Index) {
        // The sequencer rewrites history consistently: a good event with a good receipt.
        let committed = log.commitments.last().map_or(0, |last| last.sequence_end);
        let at = pick.index(usize::try_from(committed).unwrap());
        let mut log = log;
        let number = at as u64 + 1;
        log.records[at] = record(draft(number + 500).sign(&agent_key()).unwrap(), number);
        prop_assert_eq!(kinds(&audit(&log, &Keys::good())), [Root]);
    }

    #[test]
    fn a_key_that_was_not_good_then_is_named(log in logs()) {
        let mut keys = Keys::good();
        keys.window.revoked_at = Some(Timestamp::from_micros(0));
        let found = kinds(&audit(&log, &keys));
        prop_assert_eq!(found, vec![Signature; log.records.len()]);
    }

    #[test]
    fn an_audit_can_be_resumed_anywhere(log in logs(), pick: prop::sample::Index) {
        let keys = Keys::good();
        let stop = pick.index(log.records.len() + 1);
        let mut auditor = StreamAuditor::new(STREAM);
        let mut commitments = log.commitments.iter().peekable();
        for (at, record) in log.records.iter().enumerate() {
            if at == stop {
                let (next, last) = (auditor.next_sequence(), auditor.last_commitment().cloned());
                let pending = auditor.pending().to_vec();
                auditor = StreamAuditor::resume(STREAM, next, last, pending);
            }
            prop_assert_eq!(auditor.event(record, &keys), []);
            let seen = auditor.next_sequence();
            while let Some(next) = commitments.next_if(|next| next.sequence_end < seen) {
                prop_assert_eq!(auditor.commitment(next), []);
                prop_assert_eq!(auditor.commitment(next), []);
            }
        }
        let committed = log.commitments.last().map_or(0, |last| last.sequence_end);
        prop_assert_eq!(auditor.pending().len() as u64, log.records.len() as u64 - committed);
    }
}

#[test]
fn without_signatures_all_but_the_signatures_is_seen() {
    for (falsify, kind) in FALSIFY_EVENT {
        let mut log = log(&[3], 0);
        falsify(&mut log.records[1]);
        let mut auditor = StreamAuditor::new(STREAM);
        let mut found = Vec::new();
        for record in &log.records {
            let (leaf_hash, alone) = recheck(&STREAM, record, None);
            let here = auditor.event_without_signatures(record);
            assert_eq!(here, alone);
            assert_eq!(auditor.pending().last().map(|leaf| leaf.leaf_hash), Some(leaf_hash));
            assert_eq!(leaf_hash, leaf(record));
            found.extend(here);
        }
        found.extend(auditor.commitment(&log.commitments[0]));
        // What a signature covers is in the leaf; the receipt's signature and key are not.
        let expect = match kind {
            Signature => Root,
            other => other,
        };
        let falsified = &log.records[1];
        let good = record(falsified.event.clone(), 2).receipt;
        let only_keys_tell = falsified.event.signature_scheme == Some(2)
            || (falsified.receipt.receipt_hash == good.receipt_hash && falsified.receipt != good);
        assert!(only_keys_tell || kinds(&found).contains(&expect), "{kind}: {found:?}");
    }
}

#[test]
fn a_commitment_over_forgotten_leaves_is_checked_by_the_root_of_another_reading() {
    let log = log(&[3, 2], 0);
    let mut auditor = StreamAuditor::new(STREAM);
    for record in &log.records {
        assert_eq!(auditor.event(record, &Keys::good()), []);
    }
    auditor.forget_pending();
    assert_eq!((auditor.forgotten(), auditor.pending()), (5, [].as_slice()));
    let [first, second] = log.commitments.as_slice() else { panic!("two commitments") };
    assert_eq!(auditor.commitment_over(first, first.merkle_root), []);
    assert_eq!(kinds(&auditor.commitment_over(second, first.merkle_root)), [Root]);
    assert_eq!(kinds(&auditor.event(&log.records[4], &Keys::good())), [Duplicate]);
}

#[test]
fn what_was_shown_before_must_stay() {
    let keys = Keys::good();
    let log = log(&[2], 1);
    let mut auditor = StreamAuditor::new(STREAM);
    let event =
        |number: u64, content: u64| record(draft(content).sign(&agent_key()).unwrap(), number);
    assert_eq!(auditor.event(&event(1, 1), &keys), []);
    assert_eq!(kinds(&auditor.event(&event(1, 1), &keys)), [Duplicate]);
    assert_eq!(kinds(&auditor.event(&event(1, 9), &keys)), [Rewritten]);
    assert_eq!(kinds(&auditor.event(&event(2, 1), &keys)), [Duplicate]);
    assert_eq!(auditor.pending().len(), 2);
    assert_eq!(auditor.head(7), []);
    assert_eq!(kinds(&auditor.head(6)), [Rollback]);

    let mut auditor = StreamAuditor::new(STREAM);
    for record in &log.records {
        assert_eq!(auditor.event(record, &keys), []);
    }
    let commitment = &log.commitments[0];
    assert_eq!(auditor.commitment(commitment), []);
    let fork = Commitment { merkle_root: leaf(&log.records[0]), ..commitment.clone() };
    assert_eq!(kinds(&auditor.commitment(&fork)), [Rewritten]);
}
