//! Plain events: accepted with every byte of their preimage, or refused with the exact reason.

use serde_json::Value;
use ves::{EnvelopeLimits, Event, Hash32, KeyStatus, Payload, PublicKey, parse_submission};

use crate::keys::live_status;
use crate::{hash, hex, list, signing_key, text};

pub(crate) fn events(section: &Value) {
    for case in list(section) {
        let name = text(case, "name");
        let event = accepted(&case["envelope"]);
        assert_eq!(event.payload, Payload::Plain(text(case, "payload_canonical").to_owned()));
        assert_eq!(hex(&event.signing_preimage()), text(case, "signing_preimage"), "{name}");
        assert_eq!(event.signing_hash(), hash(case, "signing_hash"), "{name}");
        let key = signing_key(text(case, "key"));
        assert_eq!(event.verify_signature(&key.public_key()), Ok(()), "{name}");
        assert_eq!(key.sign(&event.signing_hash()), event.agent_signature, "{name}");
        let written: Value = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(accepted(&written), event, "{name}");
    }
}

pub(crate) fn events_refused(section: &Value) {
    for case in list(section) {
        let verdict = verdict(&case["envelope"], list(&case["registry"]), text(case, "now"));
        assert_eq!(verdict, text(case, "expect"), "{}", text(case, "name"));
    }
}

/// An event that passes all checks up to its signature.
pub(crate) fn accepted(envelope: &Value) -> Event {
    let limits = EnvelopeLimits::default();
    parse_submission(&envelope.to_string(), &limits).unwrap().event.unwrap()
}

/// What a sequencer with this registry and clock says (VES 11, checks 3 to 17).
pub(crate) fn verdict(envelope: &Value, registry: &[Value], now: &str) -> String {
    let limits = EnvelopeLimits::default();
    let submission = parse_submission(&envelope.to_string(), &limits).unwrap();
    let event = match submission.event {
        Ok(event) => event,
        Err(refusal) => return refusal.reason(),
    };
    let key_invalid = |detail| ves::Refusal::AgentKeyInvalid(detail).reason();
    let record = registry.iter().find(|record| {
        text(record, "tenant_id") == event.stream.tenant_id.to_string()
            && text(record, "agent_id") == event.source_agent_id.to_string()
            && record["key_id"].as_u64() == Some(event.agent_key_id.into())
    });
    let Some(record) = record else { return key_invalid("not_found") };
    let status = live_status(record, now);
    if status != KeyStatus::Active {
        return key_invalid(status.as_str());
    }
    let key = Hash32::parse_prefixed(text(record, "public_key")).unwrap();
    let Ok(key) = PublicKey::from_bytes(&key.0) else { return key_invalid("bad_key") };
    match event.verify_signature(&key) {
        Ok(()) => "accepted".to_owned(),
        Err(refusal) => refusal.reason(),
    }
}
