//! Reads one submitted envelope and applies the checks that need no store (VES 5, 10, 11).

use std::borrow::Cow;

use uuid::Uuid;

use super::members::{Members, NotMembers, integer, text};
use super::{Event, Payload, Refusal};
use crate::bytes::{Hash32, Sig64, is_rfc3339, parse_uuid};
use crate::canonical::{CanonicalError, CanonicalLimits, canonicalize_within};
use crate::encrypted::EncryptedPayload;
use crate::stream::Stream;

/// Longest `entity_type` in bytes (VES 5).
pub const MAX_ENTITY_TYPE_BYTES: usize = 128;
/// Longest `entity_id` in bytes (VES 5).
pub const MAX_ENTITY_ID_BYTES: usize = 512;
/// Longest `event_type` in bytes (VES 5).
pub const MAX_EVENT_TYPE_BYTES: usize = 256;

/// Limits an operator may change (VES 21).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct EnvelopeLimits {
    /// Longest canonical payload or encrypted payload in bytes.
    pub max_payload_bytes: usize,
    /// Most containers inside one another in a payload, itself included.
    pub max_payload_depth: usize,
}

impl Default for EnvelopeLimits {
    /// 1 MiB; 124 levels, because the request wrapper takes three of 127 (VES 6.1).
    fn default() -> Self {
        Self { max_payload_bytes: 1024 * 1024, max_payload_depth: 124 }
    }
}

/// One element of an ingest request (VES 10.1): who it claims to be, and whether it holds.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Submission {
    /// Tenant and store.
    pub stream: Stream,
    /// Identity of the event.
    pub event_id: Uuid,
    /// Who says it wrote the event.
    pub source_agent_id: Uuid,
    /// The event, or the first of checks 3 to 12 of VES 11 that it fails.
    pub event: Result<Event, Refusal>,
}

/// An element that fails the whole request, because not even its ids can be read.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct MalformedEnvelope {
    /// The member at fault, if it is one.
    pub member: Option<&'static str>,
    /// What is wrong, for people.
    pub message: String,
}

/// Reads one element of the `events` array (VES 10.1, 11).
///
/// Hashes are recomputed; the key and the signature are left to the caller, who knows the
/// registry and the clock.
///
/// # Errors
/// [`MalformedEnvelope`] when the text is not one JSON object, repeats an envelope member, or
/// has no `event_id`, `tenant_id`, `store_id` or `source_agent_id` that is a UUID. Everything
/// else is a [`Refusal`] of this event alone.
pub fn parse_submission(
    text: &str,
    limits: &EnvelopeLimits,
) -> Result<Submission, MalformedEnvelope> {
    let members = Members::split(text)?;
    let event_id = id("event_id", members.event_id)?;
    let tenant_id = id("tenant_id", members.tenant_id)?;
    let store_id = id("store_id", members.store_id)?;
    let source_agent_id = id("source_agent_id", members.source_agent_id)?;
    let stream = Stream { tenant_id, store_id };
    let event = read_event(&members, stream, event_id, source_agent_id, limits);
    Ok(Submission { stream, event_id, source_agent_id, event })
}

fn read_event(
    members: &Members<'_>,
    stream: Stream,
    event_id: Uuid,
    source_agent_id: Uuid,
    limits: &EnvelopeLimits,
) -> Result<Event, Refusal> {
    check_version(members.ves_version)?;
    let entity_type = short_text("entity_type", members.entity_type, MAX_ENTITY_TYPE_BYTES)?;
    let entity_id = short_text("entity_id", members.entity_id, MAX_ENTITY_ID_BYTES)?;
    let event_type = short_text("event_type", members.event_type, MAX_EVENT_TYPE_BYTES)?;
    let agent_key_id = integer(required("agent_key_id", members.agent_key_id)?)
        .ok_or_else(|| Refusal::schema("agent_key_id", "must be an integer from 0 to 2^32-1"))?;
    let content = read_content(members, limits)?;
    let payload_cipher_hash = content.cipher_hash(members)?;
    let created_at = text(required("created_at", members.created_at)?)
        .filter(|text| is_rfc3339(text))
        .ok_or_else(|| Refusal::schema("created_at", "must be an RFC 3339 timestamp"))?;
    let payload_plain_hash = hash("payload_plain_hash", members.payload_plain_hash)?;
    let agent_signature = text(required("agent_signature", members.agent_signature)?)
        .and_then(|text| Sig64::parse_prefixed(&text))
        .ok_or_else(|| {
            Refusal::schema("agent_signature", "must be 0x and 128 lower-case hex digits")
        })?;
    let command_id = optional(members.command_id)
        .map(|raw| text(raw).and_then(|text| parse_uuid(&text)).ok_or("must be a UUID"))
        .transpose()
        .map_err(|detail| Refusal::schema("command_id", detail))?;
    let event = Event {
        stream,
        event_id,
        source_agent_id,
        agent_key_id,
        entity_type,
        entity_id,
        event_type,
        created_at: created_at.into_owned(),
        payload_plain_hash,
        payload_cipher_hash,
        agent_signature,
        signature_scheme: number("agent_signature_scheme", members.agent_signature_scheme)?,
        command_id,
        base_version: number("base_version", members.base_version)?,
        payload: content.payload,
    };
    match (&content.encrypted, &event.payload) {
        (Some(encrypted), _) => event.verify_cipher_hash(encrypted)?,
        (None, payload) => event.verify_plain_hash(payload.as_str())?,
    }
    Ok(event)
}

/// The payload, and its decoded form when it is encrypted.
struct Content {
    payload: Payload,
    encrypted: Option<EncryptedPayload>,
}

impl Content {
    /// Check 7; the hash of kind 1 is compared later, after `created_at`.
    fn cipher_hash(&self, members: &Members<'_>) -> Result<Hash32, Refusal> {
        let given = hash("payload_cipher_hash", members.payload_cipher_hash)?;
        if self.encrypted.is_none() && given != Hash32::ZERO {
            return Err(Refusal::schema("payload_cipher_hash", "must be zero for a plain payload"));
        }
        Ok(given)
    }
}

/// Checks 5, 6, 8 and 9.
fn read_content(members: &Members<'_>, limits: &EnvelopeLimits) -> Result<Content, Refusal> {
    let kind: Option<u32> = integer(required("payload_kind", members.payload_kind)?);
    let payload = optional(members.payload);
    let encrypted = optional(members.payload_encrypted);
    match kind {
        Some(0) => {
            let payload = required("payload", payload)?;
            if !payload.starts_with('{') {
                return Err(Refusal::schema("payload", "must be an object"));
            }
            let payload = canonical("payload", payload, limits)?;
            if encrypted.is_some() {
                let detail = "must be absent when payload_kind is 0";
                return Err(Refusal::schema("payload_encrypted", detail));
            }
            Ok(Content { payload: Payload::Plain(payload), encrypted: None })
        }
        Some(1) => {
            if payload.is_some() {
                let detail = "must be absent when payload_kind is 1";
                return Err(Refusal::schema("payload", detail));
            }
            let encrypted = required("payload_encrypted", encrypted)?;
            canonical("payload_encrypted", encrypted, limits)?;
            // Not the canonical text: in that, the refused `1.0` would have become `1`.
            let encrypted = EncryptedPayload::parse(encrypted)?;
            let payload = Payload::Encrypted(encrypted.to_canonical());
            Ok(Content { payload, encrypted: Some(encrypted) })
        }
        _ => Err(Refusal::schema("payload_kind", "must be 0 or 1")),
    }
}

fn canonical(member: &str, raw: &str, limits: &EnvelopeLimits) -> Result<String, Refusal> {
    let strict = CanonicalLimits { max_depth: limits.max_payload_depth, ..CanonicalLimits::STRICT };
    canonicalize_within(raw, &strict, limits.max_payload_bytes).map_err(|error| {
        let detail = match error {
            CanonicalError::TooDeep => format!("is nested over {} levels", strict.max_depth),
            CanonicalError::TooLarge => {
                format!("is larger than {} bytes", limits.max_payload_bytes)
            }
            other => format!("cannot be hashed: {other}"),
        };
        Refusal::schema(member, &detail)
    })
}

/// Check 3. Any other integer is a version we do not know; anything else is no version.
fn check_version(raw: Option<&str>) -> Result<(), Refusal> {
    let raw = required("ves_version", raw)?;
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if raw == "1" {
        Ok(())
    } else if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Err(Refusal::UnsupportedVersion)
    } else {
        Err(Refusal::schema("ves_version", "must be an integer"))
    }
}

/// Check 4. Lengths count bytes, not characters.
fn short_text(member: &str, raw: Option<&str>, max_bytes: usize) -> Result<String, Refusal> {
    let Some(text) = text(required(member, raw)?) else {
        return Err(Refusal::schema(member, "must be a string without lone surrogates"));
    };
    if text.is_empty() || text.len() > max_bytes {
        return Err(Refusal::schema(member, &format!("must be 1 to {max_bytes} bytes long")));
    }
    if text.contains('\0') {
        return Err(Refusal::schema(member, "must not hold U+0000"));
    }
    Ok(Cow::into_owned(text))
}

fn hash(member: &str, raw: Option<&str>) -> Result<Hash32, Refusal> {
    text(required(member, raw)?)
        .and_then(|text| Hash32::parse_prefixed(&text))
        .ok_or_else(|| Refusal::schema(member, "must be 0x and 64 lower-case hex digits"))
}

fn number(member: &str, raw: Option<&str>) -> Result<Option<u64>, Refusal> {
    let Some(raw) = optional(raw) else { return Ok(None) };
    match integer(raw) {
        Some(value) => Ok(Some(value)),
        None => Err(Refusal::schema(member, "must be an integer from 0 to 2^64-1")),
    }
}

fn required<'a>(member: &str, raw: Option<&'a str>) -> Result<&'a str, Refusal> {
    raw.ok_or_else(|| Refusal::schema(member, "is missing"))
}

/// JSON null counts as absent where a member may be absent.
fn optional(raw: Option<&str>) -> Option<&str> {
    raw.filter(|raw| *raw != "null")
}

fn id(member: &'static str, raw: Option<&str>) -> Result<Uuid, MalformedEnvelope> {
    let fail = |what: &str| MalformedEnvelope {
        member: Some(member),
        message: format!("{member} {what}"),
    };
    let raw = raw.ok_or_else(|| fail("is missing"))?;
    text(raw)
        .and_then(|text| parse_uuid(&text))
        .ok_or_else(|| fail("must be a UUID in lower case with hyphens"))
}

impl From<NotMembers> for MalformedEnvelope {
    fn from(error: NotMembers) -> Self {
        let (member, message) = match error {
            NotMembers::NotJson => (None, "the event is not JSON".to_owned()),
            NotMembers::NotAnObject => (None, "the event must be an object".to_owned()),
            NotMembers::Repeated(name) => (Some(name), format!("{name} is given twice")),
        };
        Self { member, message }
    }
}
