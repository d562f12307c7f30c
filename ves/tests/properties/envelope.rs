//! What an agent signs is what a sequencer reads and what an auditor reads back.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;
use ves::bytes::is_rfc3339;
use ves::{
    CanonicalError, EnvelopeLimits, Event, EventDraft, EventRecord, Refusal, Stream, Timestamp,
    parse_event_record, parse_submission,
};

use crate::sample::{agent_key, cases, record, sequencer_key, unicode};

/// Floats whose canonical form looks like an unsafe integer; nobody can send them.
const LARGE: std::ops::Range<f64> = 9_007_199_254_740_992.0..1e21;

fn draft() -> impl Strategy<Value = EventDraft> {
    let ids: [std::ops::RangeInclusive<u128>; 4] = std::array::from_fn(|_| 0..=u128::MAX);
    let texts = (unicode(1..32), unicode(1..128), unicode(1..64));
    let rest = (
        any::<u32>(),
        proptest::collection::btree_map(unicode(0..5), unicode(0..9), 0..6),
        any::<f64>()
            .prop_filter("safe", |number| number.is_finite() && !LARGE.contains(&number.abs())),
        proptest::option::of(any::<u128>()),
        proptest::option::of(any::<u64>()),
        -62_167_219_200_000_000..=253_402_300_799_999_999_i64,
    );
    (ids, texts, rest).prop_map(|(ids, texts, rest)| {
        let [tenant_id, store_id, event_id, source_agent_id] = ids.map(Uuid::from_u128);
        let (agent_key_id, members, number, command_id, base_version, micros) = rest;
        EventDraft {
            stream: Stream { tenant_id, store_id },
            event_id,
            source_agent_id,
            agent_key_id,
            entity_type: texts.0,
            entity_id: texts.1,
            event_type: texts.2,
            created_at: Timestamp::from_micros(micros).to_string(),
            payload: json!({ "members": members, "number": number, "none": null }),
            command_id: command_id.map(Uuid::from_u128),
            base_version,
        }
    })
}

#[test]
fn a_draft_that_no_sequencer_takes_is_not_signed() {
    let sign = |payload| EventDraft { payload, ..crate::sample::draft(1) }.sign(&agent_key());
    assert_eq!(sign(json!({ "n": 1e19 })), Err(CanonicalError::UnsafeInteger));
    assert_eq!(sign(json!({ "n": u64::MAX })), Err(CanonicalError::UnsafeInteger));
    assert!(sign(json!({ "n": 1e21 })).is_ok());
}

fn parse(text: &str) -> Result<Event, Refusal> {
    parse_submission(text, &EnvelopeLimits::default()).unwrap().event
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_signed_event_survives_the_wire(draft in draft()) {
        let key = agent_key();
        let event = draft.sign(&key).unwrap();
        prop_assert!(is_rfc3339(&event.created_at));
        let read = parse(&event.to_json()).unwrap();
        prop_assert_eq!(&read, &event);
        prop_assert_eq!(read.signing_hash(), event.signing_hash());
        prop_assert_eq!(read.verify_signature(&key.public_key()), Ok(()));
        prop_assert_eq!(read.verify_payload_hash(), Ok(()));
        // A general JSON library reads the same and may write it in another order.
        let value: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
        prop_assert_eq!(&parse(&value.to_string()).unwrap(), &event);
        let other = sequencer_key().public_key();
        prop_assert_eq!(read.verify_signature(&other), Err(Refusal::InvalidSignature));
    }

    #[test]
    fn every_signed_member_is_signed(draft in draft(), field in 0..11_usize) {
        let key = agent_key();
        let mut event = draft.sign(&key).unwrap();
        let flip = |id: &mut Uuid| *id = Uuid::from_u128(id.as_u128() ^ 1);
        match field {
            0 => flip(&mut event.stream.tenant_id),
            1 => flip(&mut event.stream.store_id),
            2 => flip(&mut event.event_id),
            3 => flip(&mut event.source_agent_id),
            4 => event.agent_key_id ^= 1,
            5 => event.entity_type.push('x'),
            6 => event.entity_id.push('x'),
            7 => event.event_type.push('x'),
            8 => event.created_at.push('x'),
            9 => event.payload_plain_hash.0[0] ^= 1,
            _ => event.payload_cipher_hash.0[0] ^= 1,
        }
        let verdict = event.verify_signature(&key.public_key());
        prop_assert_eq!(verdict, Err(Refusal::InvalidSignature));
    }

    #[test]
    fn a_record_survives_the_wire(draft in draft(), number in 1..i64::MAX as u64) {
        let record = record(draft.sign(&agent_key()).unwrap(), number);
        let text = record.to_json();
        prop_assert_eq!(&parse_event_record(&text).unwrap(), &record);
        prop_assert_eq!(&serde_json::to_string(&record).unwrap(), &text);
        // The server's members are ignored when somebody submits what was read back.
        prop_assert_eq!(&parse(&text).unwrap(), &record.event);
        let receipt = serde_json::to_value(&record.receipt).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&value["receipt"], &receipt);
        prop_assert_eq!(serde_json::from_value::<ves::Receipt>(receipt).unwrap(), record.receipt);
    }

    #[test]
    fn a_tampered_record_can_be_read(draft in draft(), number in 1..1000_u64) {
        let mut record: EventRecord = record(draft.sign(&agent_key()).unwrap(), number);
        record.event.payload = ves::Payload::Plain("[1]".to_owned());
        record.event.agent_signature.0[9] ^= 1;
        record.receipt.receipt_hash.0[9] ^= 1;
        let read = parse_event_record(&record.to_json()).unwrap();
        prop_assert_eq!(read.event.verify_payload_hash(), Err(Refusal::InvalidPayloadHash));
        prop_assert_eq!(read, record);
    }
}
