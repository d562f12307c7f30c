//! Rows to values. Every conversion is checked: a store is input too.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef as _};
use uuid::Uuid;
use ves::envelope::Payload;
use ves::key::{KeyWindow, StoredStatus};
use ves::{Commitment, Event, Hash32, Sig64, Stream, Timestamp};

use super::{
    AgentKeyRecord, ApiKeyOrigin, ApiKeyRecord, Backlog, LeafSource, Placement, SequencerKey,
    StoreError, StoredEvent, StreamState,
};

/// The columns of a row of either driver, by name.
pub(super) trait Columns {
    /// Bytes of a BLOB, BYTEA or UUID.
    fn raw(&self, column: &str) -> Result<Option<&[u8]>, StoreError>;
    /// An integer of any width.
    fn number(&self, column: &str) -> Result<Option<i64>, StoreError>;
    /// Text that is not NULL.
    fn string(&self, column: &str) -> Result<String, StoreError>;
}

fn unreadable(error: sqlx::Error) -> StoreError {
    StoreError::Failed(anyhow::Error::new(error))
}

impl Columns for SqliteRow {
    fn raw(&self, column: &str) -> Result<Option<&[u8]>, StoreError> {
        self.try_get(column).map_err(unreadable)
    }

    fn number(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.try_get(column).map_err(unreadable)
    }

    fn string(&self, column: &str) -> Result<String, StoreError> {
        self.try_get(column).map_err(unreadable)
    }
}

impl Columns for PgRow {
    fn raw(&self, column: &str) -> Result<Option<&[u8]>, StoreError> {
        let value = self.try_get_raw(column).map_err(unreadable)?;
        if value.is_null() {
            return Ok(None);
        }
        // The binary form of a UUID is its 16 bytes.
        value.as_bytes().map(Some).map_err(|_| corrupt(column))
    }

    fn number(&self, column: &str) -> Result<Option<i64>, StoreError> {
        let Some(bytes) = self.raw(column)? else { return Ok(None) };
        // The binary form of BOOLEAN, SMALLINT, INTEGER and BIGINT: big-endian, signed.
        let number = match *bytes {
            [bool] => i64::from(bool),
            [a, b] => i16::from_be_bytes([a, b]).into(),
            [a, b, c, d] => i32::from_be_bytes([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => return Err(corrupt(column)),
        };
        Ok(Some(number))
    }

    fn string(&self, column: &str) -> Result<String, StoreError> {
        self.try_get(column).map_err(unreadable)
    }
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}

pub(super) fn bytes<const N: usize>(
    row: &impl Columns,
    column: &str,
) -> Result<[u8; N], StoreError> {
    optional_bytes(row, column)?.ok_or_else(|| corrupt(column))
}

pub(super) fn optional_bytes<const N: usize>(
    row: &impl Columns,
    column: &str,
) -> Result<Option<[u8; N]>, StoreError> {
    let value = row.raw(column)?;
    value.map(|value| value.try_into().map_err(|_| corrupt(column))).transpose()
}

pub(super) fn uuid(row: &impl Columns, column: &str) -> Result<Uuid, StoreError> {
    Ok(Uuid::from_bytes(bytes(row, column)?))
}

pub(super) fn integer<T: TryFrom<i64>>(row: &impl Columns, column: &str) -> Result<T, StoreError> {
    optional_integer(row, column)?.ok_or_else(|| corrupt(column))
}

pub(super) fn optional_integer<T: TryFrom<i64>>(
    row: &impl Columns,
    column: &str,
) -> Result<Option<T>, StoreError> {
    row.number(column)?.map(|value| T::try_from(value).map_err(|_| corrupt(column))).transpose()
}

pub(super) fn text(row: &impl Columns, column: &str) -> Result<String, StoreError> {
    row.string(column)
}

pub(super) fn time(row: &impl Columns, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_micros(integer(row, column)?))
}

pub(super) fn optional_time(
    row: &impl Columns,
    column: &str,
) -> Result<Option<Timestamp>, StoreError> {
    Ok(optional_integer(row, column)?.map(Timestamp::from_micros))
}

pub(super) fn stream(row: &impl Columns) -> Result<Stream, StoreError> {
    Ok(Stream { tenant_id: uuid(row, "tenant_id")?, store_id: uuid(row, "store_id")? })
}

pub(super) fn placement(row: &impl Columns) -> Result<Placement, StoreError> {
    Ok(Placement {
        sequence_number: integer(row, "sequence_number")?,
        sequenced_at: time(row, "sequenced_at")?,
        key_version: integer(row, "key_version")?,
    })
}

pub(super) fn stored_event(row: &impl Columns, stream: Stream) -> Result<StoredEvent, StoreError> {
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

pub(super) fn commitment(row: &impl Columns) -> Result<Commitment, StoreError> {
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

pub(super) fn key_window(row: &impl Columns) -> Result<KeyWindow, StoreError> {
    Ok(KeyWindow {
        status: StoredStatus::parse(&text(row, "status")?).ok_or_else(|| corrupt("status"))?,
        valid_from: optional_time(row, "valid_from")?,
        valid_to: optional_time(row, "valid_to")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

pub(super) fn agent_key(row: &impl Columns) -> Result<AgentKeyRecord, StoreError> {
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

pub(super) fn api_key(row: &impl Columns) -> Result<ApiKeyRecord, StoreError> {
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
        origin: ApiKeyOrigin::parse(&text(row, "origin")?).ok_or_else(|| corrupt("origin"))?,
        created_at: time(row, "created_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

pub(super) fn sequencer_key(row: &impl Columns) -> Result<SequencerKey, StoreError> {
    Ok(SequencerKey {
        version: integer(row, "version")?,
        public_key: bytes(row, "public_key")?,
        valid_from: time(row, "valid_from")?,
        valid_to: optional_time(row, "valid_to")?,
    })
}

/// The stores of an API key as its column holds them.
pub(super) fn store_ids(store_ids: &[Uuid]) -> Result<String, StoreError> {
    serde_json::to_string(store_ids).map_err(|error| StoreError::Failed(error.into()))
}

pub(super) fn stream_state(row: &impl Columns) -> Result<StreamState, StoreError> {
    Ok(StreamState {
        stream: stream(row)?,
        head_sequence: integer(row, "head_sequence")?,
        committed_sequence: integer(row, "committed_sequence")?,
    })
}

pub(super) fn backlog(row: &impl Columns) -> Result<Backlog, StoreError> {
    Ok(Backlog {
        stream: stream(row)?,
        committed_sequence: integer(row, "committed_sequence")?,
        head_sequence: integer(row, "head_sequence")?,
        oldest_at: time(row, "sequenced_at")?,
    })
}

/// The nodes of a tile.
pub(super) fn hashes(row: &impl Columns) -> Result<Vec<Hash32>, StoreError> {
    let bytes = row.raw("hashes")?.unwrap_or_default();
    match bytes.as_chunks::<32>() {
        (hashes, []) => Ok(hashes.iter().copied().map(Hash32).collect()),
        _ => Err(corrupt("hashes")),
    }
}

/// The leaves `start ..= end` from their rows in order, or the gap among them.
pub(super) fn dense_leaves<R: Columns>(
    rows: &[R],
    start: u64,
    end: u64,
    head: u64,
) -> Result<Vec<LeafSource>, StoreError> {
    let mut leaves = Vec::with_capacity(rows.len());
    let mut expected = start;
    for row in rows {
        if integer::<u64>(row, "sequence_number")? != expected {
            break;
        }
        leaves.push(LeafSource {
            signing_hash: Hash32(bytes(row, "signing_hash")?),
            agent_signature: Sig64(bytes(row, "agent_signature")?),
            sequenced_at: time(row, "sequenced_at")?,
        });
        expected += 1;
    }
    if expected <= end {
        return Err(StoreError::Gap { missing: expected, head });
    }
    Ok(leaves)
}

/// The state root of a commitment recomputes and continues `previous_root`, which is NULL before
/// the first.
pub(super) fn check_link(row: &impl Columns) -> anyhow::Result<()> {
    let commitment = commitment(row)?;
    let previous = optional_bytes(row, "previous_root")?.unwrap_or([0; 32]);
    let stream = stream(row)?;
    let recomputed = ves::commitment::state_root(
        &stream,
        &commitment.prev_state_root,
        &commitment.merkle_root,
        commitment.sequence_start,
        commitment.sequence_end,
        commitment.leaf_count,
    );
    anyhow::ensure!(
        previous == commitment.prev_state_root.0 && recomputed == commitment.new_state_root,
        "commitment {} of stream {}/{} does not continue its chain",
        commitment.batch_id,
        stream.tenant_id,
        stream.store_id
    );
    Ok(())
}
