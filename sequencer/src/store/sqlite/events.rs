//! Reading events. Pages by key, never by offset; on read connections only.

use std::sync::LazyLock;

use async_trait::async_trait;
use catalog::label::DbOperation;
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;
use ves::{Hash32, Stream, Timestamp};

use super::super::row;
use super::super::{
    BatchOutcome, EventLog, Head, LeafSource, PreparedBatch, StoreError, StoredEvent, StreamState,
};
use super::commit::{json, json_ids};
use super::{SqliteStore, store_error};

/// Columns of [`row::stored_event`], for a query over `events e JOIN entities n`.
const EVENT_COLUMNS: &str = "e.sequence_number, e.sequenced_at, e.key_version, \
    e.event_id, e.source_agent_id, e.agent_key_id, n.entity_type, n.entity_id, e.event_type, \
    e.created_at, e.payload_kind, e.payload, e.payload_plain_hash, e.payload_cipher_hash, \
    e.signing_hash, e.agent_signature, e.signature_scheme, e.command_id, e.base_version";

/// A SELECT of stored events with this tail.
fn select_events(tail: &str) -> String {
    format!("SELECT {EVENT_COLUMNS} FROM {tail}")
}

static BY_RANGE: LazyLock<String> = LazyLock::new(|| {
    select_events(
        "events e JOIN entities n ON n.id = e.entity WHERE e.stream = ? \
         AND e.sequence_number BETWEEN ? AND ? ORDER BY e.sequence_number",
    )
});
static BY_ID: LazyLock<String> = LazyLock::new(|| {
    select_events(
        "json_each(?) j CROSS JOIN events e ON e.stream = ? AND e.event_id = unhex(j.value) \
         JOIN entities n ON n.id = e.entity",
    )
});
static BY_ENTITY: LazyLock<String> = LazyLock::new(|| {
    select_events(
        "entities n JOIN events e ON e.entity = n.id WHERE n.id = ? \
         AND e.sequence_number BETWEEN ? AND ? ORDER BY e.sequence_number LIMIT ?",
    )
});

/// Number of the event that fills a page. `octet_length` does not read the payload itself.
static FILLS_RANGE: LazyLock<String> = LazyLock::new(|| {
    select_filling("stream = ? AND sequence_number BETWEEN ? AND ? ORDER BY sequence_number")
});
static FILLS_ENTITY: LazyLock<String> = LazyLock::new(|| {
    select_filling("entity = ? AND sequence_number >= ? ORDER BY sequence_number LIMIT ?")
});

fn select_filling(rows: &str) -> String {
    format!(
        "SELECT min(sequence_number) FROM (SELECT sequence_number,
            sum(bytes) OVER (ORDER BY sequence_number) AS bytes FROM (SELECT sequence_number,
            octet_length(payload) AS bytes FROM events WHERE {rows})) WHERE bytes >= ?"
    )
}

/// Runs such a query for the page with these bounds; `None`: the page is not filled.
async fn filling(
    connection: &mut SqliteConnection,
    sql: &'static str,
    bounds: [i64; 3],
    max_bytes: usize,
) -> Result<Option<u64>, StoreError> {
    let filled: Option<i64> = bounds
        .into_iter()
        .fold(sqlx::query_scalar(sql), |query, value| query.bind(value))
        .bind(bound(max_bytes as u64))
        .fetch_one(connection)
        .await
        .map_err(store_error)?;
    Ok(filled.and_then(|number| u64::try_from(number).ok()))
}

/// Row id and ends of a stream.
pub(super) struct StreamRow {
    pub(super) id: i64,
    pub(super) head_sequence: u64,
    pub(super) committed_sequence: u64,
}

pub(super) async fn stream_row(
    connection: &mut SqliteConnection,
    stream: Stream,
) -> Result<Option<StreamRow>, StoreError> {
    let found = sqlx::query(
        "SELECT id, head_sequence, committed_sequence FROM streams
         WHERE tenant_id = ? AND store_id = ?",
    )
    .bind(stream.tenant_id.as_bytes().as_slice())
    .bind(stream.store_id.as_bytes().as_slice())
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    found
        .map(|found| {
            Ok(StreamRow {
                id: row::integer(&found, "id")?,
                head_sequence: row::integer(&found, "head_sequence")?,
                committed_sequence: row::integer(&found, "committed_sequence")?,
            })
        })
        .transpose()
}

/// A number as a bound of a query: anything above what the database can hold is its maximum.
pub(super) fn bound(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[async_trait]
impl EventLog for SqliteStore {
    async fn commit_events(
        &self,
        batches: &[PreparedBatch],
        now: Timestamp,
        key_version: u32,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        self.commit(batches, now, key_version).await
    }

    async fn head(&self, stream: Stream) -> Result<Head, StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let mut reader = self.reader().await?;
        let Some(found) = stream_row(&mut reader, stream).await? else {
            return Ok(Head::default());
        };
        let root = sqlx::query(
            "SELECT new_state_root FROM commitments WHERE stream = ?
             ORDER BY sequence_start DESC LIMIT 1",
        )
        .bind(found.id)
        .fetch_optional(&mut *reader)
        .await
        .map_err(store_error)?;
        Ok(Head {
            head_sequence: found.head_sequence,
            committed_sequence: found.committed_sequence,
            last_state_root: root
                .map(|root| row::bytes(&root, "new_state_root").map(Hash32))
                .transpose()?,
        })
    }

    async fn heads(&self, streams: &[Stream]) -> Result<Vec<u64>, StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let both = |s: &Stream| format!("{}{}", s.tenant_id.simple(), s.store_id.simple());
        let names: Vec<String> = streams.iter().map(both).collect();
        let mut reader = self.reader().await?;
        let rows = sqlx::query(
            "SELECT COALESCE(s.head_sequence, 0) AS head_sequence FROM json_each(?) j
             LEFT JOIN streams s ON s.tenant_id = unhex(substr(j.value, 1, 32))
                AND s.store_id = unhex(substr(j.value, 33)) ORDER BY j.key",
        )
        .bind(json(&names)?)
        .fetch_all(&mut *reader)
        .await
        .map_err(store_error)?;
        rows.iter().map(|found| row::integer(found, "head_sequence")).collect()
    }

    async fn events(
        &self,
        stream: Stream,
        from: u64,
        limit: u32,
        max_bytes: usize,
    ) -> Result<(Vec<StoredEvent>, u64), StoreError> {
        let _measured = self.measure(DbOperation::ReadEvents);
        let mut reader = self.reader().await?;
        // The head is read first: rows up to it are there, whatever is written meanwhile.
        let Some(found) = stream_row(&mut reader, stream).await? else {
            return Ok((Vec::new(), 0));
        };
        let head = found.head_sequence;
        let from = from.max(1);
        let last = from.saturating_add(u64::from(limit).saturating_sub(1)).min(head);
        if limit == 0 || from > head {
            return Ok((Vec::new(), head));
        }
        let bounds = [found.id, bound(from), bound(last)];
        let last = filling(&mut reader, &FILLS_RANGE, bounds, max_bytes).await?.unwrap_or(last);
        let rows = sqlx::query(AssertSqlSafe(BY_RANGE.as_str()))
            .bind(found.id)
            .bind(bound(from))
            .bind(bound(last))
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        let mut events = Vec::with_capacity(rows.len());
        for (row, expected) in rows.iter().zip(from..) {
            let event = row::stored_event(row, stream)?;
            if event.placement.sequence_number != expected {
                return Err(StoreError::Gap { missing: expected, head });
            }
            events.push(event);
        }
        let next = from + events.len() as u64;
        if next <= last {
            return Err(StoreError::Gap { missing: next, head });
        }
        Ok((events, head))
    }

    async fn find_events(
        &self,
        stream: Stream,
        event_ids: &[Uuid],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let _measured = self.measure(DbOperation::FindEvents);
        let mut reader = self.reader().await?;
        let Some(found) = stream_row(&mut reader, stream).await? else {
            return Ok(Vec::new());
        };
        let rows = sqlx::query(AssertSqlSafe(BY_ID.as_str()))
            .bind(json_ids(event_ids)?)
            .bind(found.id)
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| row::stored_event(row, stream)).collect()
    }

    async fn entity_events(
        &self,
        stream: Stream,
        (entity_type, entity_id): (&str, &str),
        from: u64,
        limit: u32,
        max_bytes: usize,
    ) -> Result<(Vec<StoredEvent>, u64), StoreError> {
        let _measured = self.measure(DbOperation::ReadEvents);
        let mut reader = self.reader().await?;
        let Some(found) = stream_row(&mut reader, stream).await? else {
            return Ok((Vec::new(), 0));
        };
        let entity = sqlx::query(
            "SELECT n.id, (SELECT e.entity_version FROM events e WHERE e.entity = n.id
                ORDER BY e.sequence_number DESC LIMIT 1) AS version
             FROM entities n WHERE n.stream = ? AND n.entity_type = ? AND n.entity_id = ?",
        )
        .bind(found.id)
        .bind(entity_type)
        .bind(entity_id)
        .fetch_optional(&mut *reader)
        .await
        .map_err(store_error)?;
        let Some(entity) = entity else {
            return Ok((Vec::new(), 0));
        };
        let bounds = [row::integer(&entity, "id")?, bound(from), i64::from(limit)];
        let last = filling(&mut reader, &FILLS_ENTITY, bounds, max_bytes).await?;
        let [entity_row, from, limit] = bounds;
        let rows = sqlx::query(AssertSqlSafe(BY_ENTITY.as_str()))
            .bind(entity_row)
            .bind(from)
            .bind(last.map_or(i64::MAX, bound))
            .bind(limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        let events: Result<_, _> = rows.iter().map(|row| row::stored_event(row, stream)).collect();
        Ok((events?, row::integer(&entity, "version")?))
    }

    async fn leaf_sources(
        &self,
        stream: Stream,
        start: u64,
        end: u64,
    ) -> Result<Vec<LeafSource>, StoreError> {
        let _measured = self.measure(DbOperation::ReadLeaves);
        let mut reader = self.reader().await?;
        let Some(found) = stream_row(&mut reader, stream).await? else {
            return Err(StoreError::Gap { missing: start, head: 0 });
        };
        let rows = sqlx::query(
            "SELECT sequence_number, sequenced_at, signing_hash, agent_signature FROM events
             WHERE stream = ? AND sequence_number BETWEEN ? AND ? ORDER BY sequence_number",
        )
        .bind(found.id)
        .bind(bound(start))
        .bind(bound(end))
        .fetch_all(&mut *reader)
        .await
        .map_err(store_error)?;
        row::dense_leaves(&rows, start, end, found.head_sequence)
    }

    async fn streams(
        &self,
        after: Option<Stream>,
        limit: u32,
    ) -> Result<Vec<StreamState>, StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let mut reader = self.reader().await?;
        let (tenant, store) = after.map_or((Vec::new(), Vec::new()), |stream| {
            (stream.tenant_id.as_bytes().to_vec(), stream.store_id.as_bytes().to_vec())
        });
        let rows = sqlx::query(
            "SELECT tenant_id, store_id, head_sequence, committed_sequence FROM streams
             WHERE (tenant_id, store_id) > (?, ?) ORDER BY tenant_id, store_id LIMIT ?",
        )
        .bind(tenant)
        .bind(store)
        .bind(limit)
        .fetch_all(&mut *reader)
        .await
        .map_err(store_error)?;
        rows.iter().map(row::stream_state).collect()
    }
}
