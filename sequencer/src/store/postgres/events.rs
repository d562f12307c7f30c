//! Reading events. Pages by key, never by offset; on the pool only.

use std::sync::LazyLock;

use async_trait::async_trait;
use catalog::label::DbOperation;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;
use ves::{Hash32, Stream, Timestamp};

use super::super::{
    BatchOutcome, EventLog, Head, LeafSource, PreparedBatch, StoreError, StoredEvent, StreamState,
    row,
};
use super::rows::bound;
use super::{PostgresStore, store_error};

/// Columns of [`row::stored_event`].
const EVENT_COLUMNS: &str = "sequence_number, sequenced_at, key_version, event_id, \
    source_agent_id, agent_key_id, entity_type, entity_id, event_type, created_at, payload_kind, \
    payload, payload_plain_hash, payload_cipher_hash, signing_hash, agent_signature, \
    signature_scheme, command_id, base_version, entity_version";

/// A page of events that ends with the one whose payload brings it to the bytes of `$3`.
/// `octet_length` does not read the payload itself.
fn select_page(rows: &str) -> String {
    format!(
        "SELECT {EVENT_COLUMNS} FROM (SELECT e.*, sum(octet_length(payload))
            OVER (ORDER BY sequence_number) - octet_length(payload) AS bytes_before
            FROM events e WHERE tenant_id = $1 AND store_id = $2 AND {rows}) page
         WHERE bytes_before < greatest($3, 1) ORDER BY sequence_number"
    )
}

static BY_RANGE: LazyLock<String> =
    LazyLock::new(|| select_page("sequence_number BETWEEN $4 AND $5"));
static BY_ENTITY: LazyLock<String> = LazyLock::new(|| {
    select_page(
        "entity_type = $4 AND entity_id = $5 AND sequence_number >= $6
         ORDER BY entity_version LIMIT $7",
    )
});
static BY_ID: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {EVENT_COLUMNS} FROM events
         WHERE tenant_id = $1 AND store_id = $2 AND event_id = ANY($3)"
    )
});

/// Ends of a stream.
async fn ends(
    connection: &mut PgConnection,
    stream: Stream,
) -> Result<Option<(u64, u64)>, StoreError> {
    let found = sqlx::query(
        "SELECT head_sequence, committed_sequence FROM streams
         WHERE tenant_id = $1 AND store_id = $2",
    )
    .bind(stream.tenant_id)
    .bind(stream.store_id)
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    let ends = |found| {
        Ok((row::integer(&found, "head_sequence")?, row::integer(&found, "committed_sequence")?))
    };
    found.map(ends).transpose()
}

#[async_trait]
impl EventLog for PostgresStore {
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
        let mut connection = self.connection().await?;
        // One statement: a replica may seal between two.
        let found = sqlx::query(
            "SELECT head_sequence, committed_sequence, (SELECT c.new_state_root FROM commitments c
                WHERE c.tenant_id = s.tenant_id AND c.store_id = s.store_id
                ORDER BY c.sequence_start DESC LIMIT 1) AS last_state_root
             FROM streams s WHERE tenant_id = $1 AND store_id = $2",
        )
        .bind(stream.tenant_id)
        .bind(stream.store_id)
        .fetch_optional(&mut *connection)
        .await
        .map_err(store_error)?;
        let Some(found) = found else { return Ok(Head::default()) };
        Ok(Head {
            head_sequence: row::integer(&found, "head_sequence")?,
            committed_sequence: row::integer(&found, "committed_sequence")?,
            last_state_root: row::optional_bytes(&found, "last_state_root")?.map(Hash32),
        })
    }

    async fn heads(&self, streams: &[Stream]) -> Result<Vec<u64>, StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let mut connection = self.connection().await?;
        let rows = sqlx::query(
            "SELECT COALESCE(s.head_sequence, 0) AS head_sequence
             FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS n (tenant_id, store_id, place)
             LEFT JOIN streams s ON s.tenant_id = n.tenant_id AND s.store_id = n.store_id
             ORDER BY n.place",
        )
        .bind(streams.iter().map(|stream| stream.tenant_id).collect::<Vec<_>>())
        .bind(streams.iter().map(|stream| stream.store_id).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        rows.iter().map(|row| row::integer(row, "head_sequence")).collect()
    }

    async fn events(
        &self,
        stream: Stream,
        from: u64,
        limit: u32,
        max_bytes: usize,
    ) -> Result<(Vec<StoredEvent>, u64), StoreError> {
        let _measured = self.measure(DbOperation::ReadEvents);
        let mut connection = self.connection().await?;
        // The head is read first: rows up to it are there, whatever is written meanwhile.
        let Some((head, _)) = ends(&mut connection, stream).await? else {
            return Ok((Vec::new(), 0));
        };
        let from = from.max(1);
        let last = from.saturating_add(u64::from(limit).saturating_sub(1)).min(head);
        if limit == 0 || from > head {
            return Ok((Vec::new(), head));
        }
        let rows = sqlx::query(AssertSqlSafe(BY_RANGE.as_str()))
            .bind(stream.tenant_id)
            .bind(stream.store_id)
            .bind(bound(max_bytes as u64))
            .bind(bound(from))
            .bind(bound(last))
            .fetch_all(&mut *connection)
            .await
            .map_err(store_error)?;
        let (mut events, mut bytes) = (Vec::with_capacity(rows.len()), 0);
        for (row, expected) in rows.iter().zip(from..) {
            let event = row::stored_event(row, stream)?;
            if event.placement.sequence_number != expected {
                return Err(StoreError::Gap { missing: expected, head });
            }
            bytes += event.event.payload.as_str().len();
            events.push(event);
        }
        let next = from + events.len() as u64;
        if next <= last && bytes < max_bytes {
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
        let mut connection = self.connection().await?;
        let rows = sqlx::query(AssertSqlSafe(BY_ID.as_str()))
            .bind(stream.tenant_id)
            .bind(stream.store_id)
            .bind(event_ids.to_vec())
            .fetch_all(&mut *connection)
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
        let mut connection = self.connection().await?;
        let version: Option<i64> = sqlx::query_scalar(
            "SELECT entity_version FROM events WHERE tenant_id = $1 AND store_id = $2
                AND entity_type = $3 AND entity_id = $4 ORDER BY entity_version DESC LIMIT 1",
        )
        .bind(stream.tenant_id)
        .bind(stream.store_id)
        .bind(entity_type)
        .bind(entity_id)
        .fetch_optional(&mut *connection)
        .await
        .map_err(store_error)?;
        let Some(version) = version.and_then(|version| u64::try_from(version).ok()) else {
            return Ok((Vec::new(), 0));
        };
        let rows = sqlx::query(AssertSqlSafe(BY_ENTITY.as_str()))
            .bind(stream.tenant_id)
            .bind(stream.store_id)
            .bind(bound(max_bytes as u64))
            .bind(entity_type)
            .bind(entity_id)
            .bind(bound(from))
            .bind(i64::from(limit))
            .fetch_all(&mut *connection)
            .await
            .map_err(store_error)?;
        let events: Result<_, _> = rows.iter().map(|row| row::stored_event(row, stream)).collect();
        Ok((events?, version))
    }

    async fn leaf_sources(
        &self,
        stream: Stream,
        start: u64,
        end: u64,
    ) -> Result<Vec<LeafSource>, StoreError> {
        let _measured = self.measure(DbOperation::ReadLeaves);
        let mut connection = self.connection().await?;
        let Some((head, _)) = ends(&mut connection, stream).await? else {
            return Err(StoreError::Gap { missing: start, head: 0 });
        };
        let rows = sqlx::query(
            "SELECT sequence_number, sequenced_at, signing_hash, agent_signature FROM events
             WHERE tenant_id = $1 AND store_id = $2 AND sequence_number BETWEEN $3 AND $4
             ORDER BY sequence_number",
        )
        .bind(stream.tenant_id)
        .bind(stream.store_id)
        .bind(bound(start))
        .bind(bound(end))
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        row::dense_leaves(&rows, start, end, head)
    }

    async fn streams(
        &self,
        after: Option<Stream>,
        limit: u32,
    ) -> Result<Vec<StreamState>, StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let mut connection = self.connection().await?;
        let rows = sqlx::query(
            "SELECT tenant_id, store_id, head_sequence, committed_sequence FROM streams
             WHERE $1::uuid IS NULL OR (tenant_id, store_id) > ($1, $2)
             ORDER BY tenant_id, store_id LIMIT $3",
        )
        .bind(after.map(|stream| stream.tenant_id))
        .bind(after.map(|stream| stream.store_id))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        rows.iter().map(row::stream_state).collect()
    }
}
