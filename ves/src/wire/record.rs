//! One sequenced event as every read route shows it (VES 5, 13).

use std::fmt::Write as _;

use serde::{Serialize, Serializer, ser};
use serde_json::value::RawValue;

use crate::bytes::{Hash32, Sig64, Timestamp, parse_uuid};
use crate::canonical::{CanonicalError, CanonicalLimits, canonicalize};
use crate::envelope::{Event, Members, NotMembers, Payload, integer, text};
use crate::receipt::Receipt;
use crate::stream::Stream;

/// An event with what the sequencer added to it (VES 5, 14.3).
///
/// The JSON is the envelope with `sequence_number`, `sequenced_at` and `receipt` beside its own
/// members.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct EventRecord {
    /// What the agent signed.
    pub event: Event,
    /// Its number in the stream, from 1.
    pub sequence_number: u64,
    /// The sequencer's clock at numbering.
    pub sequenced_at: Timestamp,
    /// What the sequencer signed.
    pub receipt: Receipt,
}

/// Why a text cannot be read as a record at all; wrong hashes and signatures can be.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON.
    #[error("the record is not JSON")]
    NotJson,
    /// JSON, but no object.
    #[error("the record is not an object")]
    NotAnObject,
    /// A member is given twice.
    #[error("{0} is given twice")]
    Repeated(&'static str),
    /// A member is missing or not in its form.
    #[error("{0} is missing or badly formed")]
    Member(&'static str),
    /// The payload has no canonical form.
    #[error("the payload cannot be hashed")]
    Payload(#[source] CanonicalError),
}

impl EventRecord {
    /// Appends the JSON of the record. The payload is copied, not parsed.
    pub fn write_json(&self, out: &mut String) {
        out.push('{');
        self.event.write_members(out);
        let receipt = &self.receipt;
        // Writing to a String cannot fail. The receipt holds nothing that needs an escape.
        let _ = write!(
            out,
            ",\"sequence_number\":{},\"sequenced_at\":\"{}\",\"receipt\":{{\
             \"sequencerId\":\"{}\",\"eventId\":\"{}\",\"sequenceNumber\":{},\
             \"sequencedAt\":\"{}\",\"receiptHash\":\"{}\",\"signatureAlg\":\"ed25519\",\
             \"sequencerSignature\":\"{}\",\"sequencerKeyVersion\":{},\
             \"receiptSignatureScheme\":{}}}}}",
            self.sequence_number,
            self.sequenced_at,
            receipt.sequencer_id,
            receipt.event_id,
            receipt.sequence_number,
            receipt.sequenced_at,
            receipt.receipt_hash,
            receipt.sequencer_signature,
            receipt.sequencer_key_version,
            receipt.receipt_signature_scheme,
        );
    }

    /// The JSON of the record.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(2048 + self.event.payload.as_str().len());
        self.write_json(&mut out);
        out
    }
}

impl Serialize for EventRecord {
    /// Scans the text once more; a caller that builds a body itself uses
    /// [`EventRecord::write_json`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.to_json()).map_err(ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Reads a record for an auditor (VES 24). Nothing is verified, so that a tampered record can be
/// read and the auditor can say what is wrong with it; only the form of the members must be
/// right. Lengths, timestamps of agents and the type of the payload are not checked either.
///
/// # Errors
/// [`RecordError`] names the first member that cannot be read.
pub fn parse_event_record(record: &str) -> Result<EventRecord, RecordError> {
    let members = Members::split(record)?;
    if members.ves_version != Some("1") {
        return Err(RecordError::Member("ves_version"));
    }
    let id = |name, raw| read(name, raw, |raw| parse_uuid(&text(raw)?));
    let string = |name, raw| read(name, raw, |raw| text(raw).map(|text| text.into_owned()));
    let hash = |name, raw| read(name, raw, |raw| Hash32::parse_prefixed(&text(raw)?));
    let event = Event {
        stream: Stream {
            tenant_id: id("tenant_id", members.tenant_id)?,
            store_id: id("store_id", members.store_id)?,
        },
        event_id: id("event_id", members.event_id)?,
        source_agent_id: id("source_agent_id", members.source_agent_id)?,
        agent_key_id: read("agent_key_id", members.agent_key_id, integer)?,
        entity_type: string("entity_type", members.entity_type)?,
        entity_id: string("entity_id", members.entity_id)?,
        event_type: string("event_type", members.event_type)?,
        created_at: string("created_at", members.created_at)?,
        payload: payload(&members)?,
        payload_plain_hash: hash("payload_plain_hash", members.payload_plain_hash)?,
        payload_cipher_hash: hash("payload_cipher_hash", members.payload_cipher_hash)?,
        agent_signature: read("agent_signature", members.agent_signature, |raw| {
            Sig64::parse_prefixed(&text(raw)?)
        })?,
        signature_scheme: optional(members.agent_signature_scheme)
            .map(|raw| read("agent_signature_scheme", Some(raw), integer))
            .transpose()?,
        command_id: optional(members.command_id)
            .map(|raw| id("command_id", Some(raw)))
            .transpose()?,
        base_version: optional(members.base_version)
            .map(|raw| read("base_version", Some(raw), integer))
            .transpose()?,
    };
    Ok(EventRecord {
        event,
        sequence_number: read("sequence_number", members.sequence_number, integer)?,
        sequenced_at: read("sequenced_at", members.sequenced_at, |raw| {
            Timestamp::parse(&text(raw)?)
        })?,
        receipt: read("receipt", members.receipt, |raw| serde_json::from_str(raw).ok())?,
    })
}

fn payload(members: &Members<'_>) -> Result<Payload, RecordError> {
    let canonical = |name, raw: Option<&str>| {
        let raw = optional(raw).ok_or(RecordError::Member(name))?;
        canonicalize(raw, &CanonicalLimits::AUDIT).map_err(RecordError::Payload)
    };
    match members.payload_kind {
        Some("0") => canonical("payload", members.payload).map(Payload::Plain),
        Some("1") => {
            canonical("payload_encrypted", members.payload_encrypted).map(Payload::Encrypted)
        }
        _ => Err(RecordError::Member("payload_kind")),
    }
}

fn read<'a, T>(
    name: &'static str,
    raw: Option<&'a str>,
    value: impl FnOnce(&'a str) -> Option<T>,
) -> Result<T, RecordError> {
    raw.and_then(value).ok_or(RecordError::Member(name))
}

fn optional(raw: Option<&str>) -> Option<&str> {
    raw.filter(|raw| *raw != "null")
}

impl From<NotMembers> for RecordError {
    fn from(error: NotMembers) -> Self {
        match error {
            NotMembers::NotJson => Self::NotJson,
            NotMembers::NotAnObject => Self::NotAnObject,
            NotMembers::Repeated(name) => Self::Repeated(name),
        }
    }
}
