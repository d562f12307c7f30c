//! Streams, receipts, leaves, trees, proofs and commitments.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use ves::commitment::{check_chain, state_root};
use ves::merkle::{leaf_hash, proof_from_tiles, root, tiles, tree_depth, verify_inclusion};
use ves::{Commitment, Hash32, Sig64, receipt_hash};

use crate::events::accepted;
use crate::{hash, list, number, section, signature, signing_key, stream, text};

pub(crate) fn streams(section: &Value) {
    for case in list(section) {
        assert_eq!(stream(case).id(), hash(case, "stream_id"));
    }
}

pub(crate) fn receipts(cases: &Value) {
    for case in list(cases) {
        let event = event(text(case, "event"));
        let signing_hash = hash(case, "event_signing_hash");
        assert_eq!(event.signing_hash(), signing_hash);
        let number = number(case, "sequence_number");
        let hash = hash(case, "receipt_hash");
        assert_eq!(receipt_hash(&event.stream, &event.event_id, number, &signing_hash), hash);
        let key = signing_key(text(case, "sequencer_key"));
        let time = ves::Timestamp::from_micros(0);
        let (id, stream) = (event.event_id, &event.stream);
        let receipt = ves::Receipt::issue(&key, 1, id, stream, id, number, time, &signing_hash);
        assert_eq!(receipt.sequencer_signature, signature(case, "sequencer_signature"));
        assert!(receipt.verify(&key.public_key(), stream, &signing_hash));
    }
}

pub(crate) fn leaves(cases: &Value) {
    for case in list(cases) {
        let event = event(text(case, "event"));
        assert_eq!(event.agent_signature, signature(case, "agent_signature"));
        let signing_hash = hash(case, "event_signing_hash");
        let number = number(case, "sequence_number");
        let leaf = leaf_hash(&event.stream, number, &signing_hash, &event.agent_signature);
        assert_eq!(leaf, hash(case, "leaf_hash"));
    }
}

pub(crate) fn tree_rule(rule: &Value) {
    for case in list(&rule["first"]) {
        let (signing_hash, signature, leaf) = ruled(rule, number(case, "sequence_number"));
        assert_eq!(signing_hash, hash(case, "event_signing_hash"));
        assert_eq!(signature, crate::signature(case, "agent_signature"));
        assert_eq!(leaf, hash(case, "leaf_hash"));
    }
}

pub(crate) fn trees(cases: &Value) {
    let rule = section("tree_rule");
    let all: Vec<Hash32> = (1..=1000).map(|number| ruled(&rule, number).2).collect();
    for case in list(cases) {
        let count = number(case, "leaf_count");
        let start = number(case, "sequence_start");
        let leaves = &all[usize::try_from(start - 1).unwrap()..][..usize::try_from(count).unwrap()];
        let joined: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.0).collect();
        assert_eq!(Hash32(Sha256::digest(&joined).into()), hash(case, "leaves_sha256"));
        assert_eq!(u64::from(tree_depth(count)), number(case, "tree_depth"));
        assert_eq!(1 << tree_depth(count), number(case, "padded_leaf_count"));
        assert_eq!(root(leaves), Some(hash(case, "root")));
        let (tile_root, tiles) = tiles(leaves);
        assert_eq!(tile_root, hash(case, "root"));
        for expected in list(&case["proofs"]) {
            let index = number(expected, "leaf_index");
            let proof = proof_from_tiles(index, count, &tiles).unwrap();
            assert_eq!(proof.leaf_hash, hash(expected, "leaf_hash"));
            assert_eq!(proof.merkle_root, tile_root);
            assert_eq!(proof.proof_path, hashes(&expected["proof_path"]));
            assert_eq!(serde_json::json!(proof.directions), expected["directions"]);
            assert_eq!(number(expected, "sequence_number"), start + index);
            let (leaf, path) = (&proof.leaf_hash, &proof.proof_path);
            assert!(verify_inclusion(leaf, &tile_root, path, index, Some(count)));
        }
    }
}

pub(crate) fn proofs_refused(cases: &Value) {
    for case in list(cases) {
        let (leaf, root) = (hash(case, "leaf_hash"), hash(case, "root"));
        let path = hashes(&case["proof_path"]);
        let index = number(case, "leaf_index");
        let count = case["leaf_count"].as_u64();
        let valid = verify_inclusion(&leaf, &root, &path, index, count);
        assert_eq!(Some(valid), case["expect"].as_bool(), "{}", text(case, "name"));
    }
}

pub(crate) fn commitments(section: &Value) {
    let chain = commitment_list(&section["chain"]);
    assert_eq!(check_chain(&chain), Ok(()));
    for record in &chain {
        let sealed = Commitment::seal(
            &record.stream(),
            record.batch_id,
            record.sequence_start,
            record.merkle_root,
            record.leaf_count,
            record.prev_state_root,
            record.committed_at,
        );
        assert_eq!(&sealed, record);
    }
    for case in list(&section["broken"]) {
        let (_, error) = check_chain(&commitment_list(&case["chain"])).unwrap_err();
        assert_eq!(error.to_string(), text(case, "expect"), "{}", text(case, "name"));
    }
    for case in list(&section["state_roots"]) {
        let computed = state_root(
            &stream(case),
            &hash(case, "prev_state_root"),
            &hash(case, "merkle_root"),
            number(case, "sequence_start"),
            number(case, "sequence_end"),
            u32::try_from(number(case, "leaf_count")).unwrap(),
        );
        assert_eq!(computed, hash(case, "state_root"));
    }
    assert_eq!(section.as_object().unwrap().len(), 3);
}

/// The records of the file have no `committed_at`, which no hash covers.
fn commitment_list(records: &Value) -> Vec<Commitment> {
    let complete = |record: &Value| {
        let mut record = record.clone();
        record["committed_at"] = "2026-02-03T04:06:00.000000Z".into();
        serde_json::from_value(record).unwrap()
    };
    list(records).iter().map(complete).collect()
}

fn hashes(list: &Value) -> Vec<Hash32> {
    let texts = list.as_array().unwrap().iter().map(|text| text.as_str().unwrap());
    texts.map(|text| Hash32::parse_bare(text).unwrap()).collect()
}

fn event(name: &str) -> ves::Event {
    let events = section("events");
    let case = list(&events).iter().find(|case| text(case, "name") == name).unwrap();
    accepted(&case["envelope"])
}

/// Signing hash, signature and leaf of number n by the rule of the file.
fn ruled(rule: &Value, n: u64) -> (Hash32, Sig64, Hash32) {
    let esh = text(rule, "esh_text").replace("<n>", &n.to_string());
    let esh = Hash32(Sha256::digest(esh).into());
    let signature = KEY.with(|key| key.sign(&esh));
    (esh, signature, leaf_hash(&stream(rule), n, &esh, &signature))
}

thread_local! {
    /// The rule signs with key alpha; reading it for each of 1000 leaves would be slow.
    static KEY: ves::SigningKey = signing_key("alpha");
}
