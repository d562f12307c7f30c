//! Keys, events and logs that several test programs build upon.
#![allow(dead_code, reason = "each test program uses its own part")]

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;
use ves::commitment::Commitment;
use ves::merkle::{leaf_hash, root};
use ves::{
    Event, EventDraft, EventRecord, Hash32, KeySource, KeyWindow, PublicKey, Receipt, SigningKey,
    StoredStatus, Stream, Timestamp,
};

pub(crate) const STREAM: Stream =
    Stream { tenant_id: Uuid::from_u128(1), store_id: Uuid::from_u128(2) };
pub(crate) const AGENT: Uuid = Uuid::from_u128(3);

pub(crate) fn agent_key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

pub(crate) fn sequencer_key() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

pub(crate) fn draft(number: u64) -> EventDraft {
    EventDraft {
        stream: STREAM,
        event_id: Uuid::from_u128(0x1_0000 + u128::from(number)),
        source_agent_id: AGENT,
        agent_key_id: 1,
        entity_type: "shelf".to_owned(),
        entity_id: format!("SH-{number}"),
        event_type: "shelf.counted".to_owned(),
        created_at: "2026-02-03T04:05:06.789Z".to_owned(),
        payload: json!({ "count": number, "by": "scanner", "rate": 0.5, "tags": ["a", null] }),
        command_id: None,
        base_version: None,
    }
}

pub(crate) fn event(number: u64) -> Event {
    draft(number).sign(&agent_key()).unwrap()
}

pub(crate) fn record(event: Event, number: u64) -> EventRecord {
    let signing_hash = event.signing_hash();
    let sequenced_at = Timestamp::from_micros(1_770_091_506_000_000);
    let receipt = Receipt::issue(
        &sequencer_key(),
        1,
        Uuid::from_u128(4),
        &event.stream,
        event.event_id,
        number,
        sequenced_at,
        &signing_hash,
    );
    EventRecord { event, sequence_number: number, sequenced_at, receipt }
}

/// A log and its commitments; the events after the last commitment are not committed.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) records: Vec<EventRecord>,
    pub(crate) commitments: Vec<Commitment>,
}

pub(crate) fn log(batch_sizes: &[u32], uncommitted: u64) -> Log {
    let committed: u64 = batch_sizes.iter().map(|size| u64::from(*size)).sum();
    let records = (1..=committed + uncommitted).map(|number| record(event(number), number));
    let mut log = Log { records: records.collect(), commitments: Vec::new() };
    let (mut start, mut state_root) = (1, Hash32::ZERO);
    for (batch, size) in batch_sizes.iter().enumerate() {
        let end = start + u64::from(*size);
        let leaves: Vec<_> = log.records[usize::try_from(start - 1).unwrap()..]
            [..usize::try_from(*size).unwrap()]
            .iter()
            .map(leaf)
            .collect();
        let commitment = Commitment::seal(
            &STREAM,
            Uuid::from_u128(batch as u128),
            start,
            root(&leaves).unwrap(),
            *size,
            state_root,
            Timestamp::from_micros(0),
        );
        state_root = commitment.new_state_root;
        start = end;
        log.commitments.push(commitment);
    }
    log
}

pub(crate) fn leaf(record: &EventRecord) -> Hash32 {
    let event = &record.event;
    let signing_hash = event.signing_hash();
    leaf_hash(&event.stream, record.sequence_number, &signing_hash, &event.agent_signature)
}

/// The registry of the sample agent and the sample sequencer.
pub(crate) struct Keys {
    pub(crate) window: KeyWindow,
}

impl Keys {
    pub(crate) fn good() -> Self {
        let window = KeyWindow {
            status: StoredStatus::Active,
            valid_from: None,
            valid_to: None,
            revoked_at: None,
        };
        Self { window }
    }
}

impl KeySource for Keys {
    fn agent_key(&self, tenant: Uuid, agent: Uuid, id: u32) -> Option<(PublicKey, KeyWindow)> {
        let known = (tenant, agent, id) == (STREAM.tenant_id, AGENT, 1);
        known.then(|| (agent_key().public_key(), self.window))
    }

    fn sequencer_key(&self, key_version: u32) -> Option<PublicKey> {
        (key_version == 1).then(|| sequencer_key().public_key())
    }
}

/// Any characters but U+0000.
pub(crate) fn unicode(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let character = any::<char>().prop_filter("no U+0000", |character| *character != '\0');
    proptest::collection::vec(character, length).prop_map(String::from_iter)
}

/// So many cases unless `PROPTEST_CASES` says otherwise; nothing is written beside the sources,
/// a failure prints its smallest input.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default().cases
    } else {
        cases
    };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
