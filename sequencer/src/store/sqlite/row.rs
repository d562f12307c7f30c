//! Rows to values. Every conversion is checked: a store is input too.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef as _};
use uuid::Uuid;
use ves::envelope::Payload;
use ves::key::{KeyWindow, StoredStatus};
use ves::{Commitment, Event, Hash32, Sig64, Stream, Timestamp};

use super::super::{
    AgentKeyRecord, ApiKeyOrigin, ApiKeyRecord, Placement, SequencerKey, StoreError, StoredEvent,
};
use super::store_error;

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}

pub(super) fn bytes<const N: usize>(row: &SqliteRow, column: &str) -> Result<[u8; N], StoreError> {
    let value: &[u8] = row.try_get(column).map_err(store_error)?;
    value.try_into().map_err(|_| corrupt(column))
}

pub(super) fn optional_bytes<const N: usize>(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<[u8; N]>, StoreError> {
    if row.try_get_raw(column).map_err(store_error)?.is_null() {
        return Ok(None);
    }
    bytes(row, column).map(Some)
}

pub(super) fn uuid(row: &SqliteRow, column: &str) -> Result<Uuid, StoreError> {
    Ok(Uuid::from_bytes(bytes(row, column)?))
}

pub(super) fn integer<T: TryFrom<i64>>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let value: i64 = row.try_get(column).map_err(store_error)?;
    T::try_from(value).map_err(|_| corrupt(column))
}

pub(super) fn optional_integer<T: TryFrom<i64>>(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<T>, StoreError> {
    let value: Option<i64> = row.try_get(column).map_err(store_error)?;
    value.map(|value| T::try_from(value).map_err(|_| corrupt(column))).transpose()
}

pub(super) fn text(row: &SqliteRow, column: &str) -> Result<String, StoreError> {
    row.try_get(column).map_err(store_error)
}

pub(super) fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_micros(integer(row, column)?))
}

pub(super) fn optional_time(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<Timestamp>, StoreError> {
    Ok(optional_integer(row, column)?.map(Timestamp::from_micros))
}

pub(super) fn stream(row: &SqliteRow) -> Result<Stream, StoreError> {
    Ok(Stream { tenant_id: uuid(row, "tenant_id")?, store_id: uuid(row, "store_id")? })
}

/// Columns of [`stored_event`], for a query over `events e JOIN entities n`.
pub(super) const EVENT_COLUMNS: &str = "e.sequence_number, e.sequenced_at, e.key_version, \
    e.event_id, e.source_agent_id, e.agent_key_id, n.entity_type, n.entity_id, e.event_type, \
    e.created_at, e.payload_kind, e.payload, e.payload_plain_hash, e.payload_cipher_hash, \
    e.signing_hash, e.agent_signature, e.signature_scheme, e.command_id, e.base_version";

pub(super) fn placement(row: &SqliteRow) -> Result<Placement, StoreError> {
    Ok(Placement {
        sequence_number: integer(row, "sequence_number")?,
        sequenced_at: time(row, "sequenced_at")?,
        key_version: integer(row, "key_version")?,
    })
}

pub(super) fn stored_event(row: &SqliteRow, stream: Stream) -> Result<StoredEvent, StoreError> {
    let payload = text(row, "payload")?;
    let payload = match integer::<u32>(row, "payload_kind")? {
        0 => Payload::Plain(payload),
        1 => Payload::Encrypted(payload),
        _ => return Err(corrupt("payload_kind")),
    };
    let event = Event {
        stream,
        event_id: uuid(row, "event_id")?,
        source_agent_id: uuid(row, "source_agent_id")?,
        agent_key_id: integer(row, "agent_key_id")?,
        entity_type: text(row, "entity_type")?,
        entity_id: text(row, "entity_id")?,
        event_type: text(row, "event_type")?,
        created_at: text(row, "created_at")?,
        payload,
        payload_plain_hash: Hash32(bytes(row, "payload_plain_hash")?),
        payload_cipher_hash: Hash32(optional_bytes(row, "payload_cipher_hash")?.unwrap_or([0; 32])),
        agent_signature: Sig64(bytes(row, "agent_signature")?),
        signature_scheme: optional_integer(row, "signature_scheme")?,
        command_id: optional_bytes(row, "command_id")?.map(Uuid::from_bytes),
        base_version: optional_integer(row, "base_version")?,
    };
    let signing_hash = Hash32(bytes(row, "signing_hash")?);
    Ok(StoredEvent { event, signing_hash, placement: placement(row)? })
}

pub(super) fn commitment(row: &SqliteRow) -> Result<Commitment, StoreError> {
    let (start, end): (u64, u64) = (integer(row, "sequence_start")?, integer(row, "sequence_end")?);
    let leaves = end.checked_sub(start).and_then(|n| u32::try_from(n + 1).ok());
    let mut commitment = Commitment::seal(
        &stream(row)?,
        uuid(row, "batch_id")?,
        start,
        Hash32(bytes(row, "merkle_root")?),
        leaves.ok_or_else(|| corrupt("sequence_end"))?,
        Hash32(bytes(row, "prev_state_root")?),
        time(row, "committed_at")?,
    );
    // As stored: a changed root must be seen by whoever checks the chain.
    commitment.new_state_root = Hash32(bytes(row, "new_state_root")?);
    Ok(commitment)
}

pub(super) fn key_window(row: &SqliteRow) -> Result<KeyWindow, StoreError> {
    Ok(KeyWindow {
        status: StoredStatus::parse(&text(row, "status")?).ok_or_else(|| corrupt("status"))?,
        valid_from: optional_time(row, "valid_from")?,
        valid_to: optional_time(row, "valid_to")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

pub(super) fn agent_key(row: &SqliteRow) -> Result<AgentKeyRecord, StoreError> {
    Ok(AgentKeyRecord {
        tenant_id: uuid(row, "tenant_id")?,
        agent_id: uuid(row, "agent_id")?,
        key_id: integer(row, "key_id")?,
        algorithm: integer(row, "algorithm")?,
        public_key: bytes(row, "public_key")?,
        window: key_window(row)?,
        created_at: time(row, "created_at")?,
    })
}

pub(super) fn api_key(row: &SqliteRow) -> Result<ApiKeyRecord, StoreError> {
    let store_ids = text(row, "store_ids")?;
    let flag = |column| Ok::<bool, StoreError>(integer::<u8>(row, column)? != 0);
    Ok(ApiKeyRecord {
        key_hash: Hash32(bytes(row, "key_hash")?),
        key_prefix: text(row, "key_prefix")?,
        tenant_id: uuid(row, "tenant_id")?,
        store_ids: serde_json::from_str(&store_ids).map_err(|_| corrupt("store_ids"))?,
        read: flag("can_read")?,
        write: flag("can_write")?,
        admin: flag("can_admin")?,
        agent_id: optional_bytes(row, "agent_id")?.map(Uuid::from_bytes),
        rate_limit: optional_integer(row, "rate_limit")?,
        origin: match text(row, "origin")?.as_str() {
            "bootstrap" => ApiKeyOrigin::Bootstrap,
            "created" => ApiKeyOrigin::Created,
            _ => return Err(corrupt("origin")),
        },
        created_at: time(row, "created_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

pub(super) fn sequencer_key(row: &SqliteRow) -> Result<SequencerKey, StoreError> {
    Ok(SequencerKey {
        version: integer(row, "version")?,
        public_key: bytes(row, "public_key")?,
        valid_from: time(row, "valid_from")?,
        valid_to: optional_time(row, "valid_to")?,
    })
}
