//! The group commit: one transaction for everything that queued while the last one ran.
//!
//! The number of statements depends on the streams concerned, not on the events: look-ups take
//! their ids as one JSON array, rows go in with multi-row VALUES. Row by row is three times
//! slower through the driver.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use catalog::label::DbOperation;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection};
use uuid::Uuid;
use ves::{Hash32, Sig64, Stream, Timestamp};

use super::super::sequencing::{EntityKey, Fingerprint, NewRow, StreamFacts, decide, entity_of};
use super::super::{BatchOutcome, PreparedBatch, PreparedEvent, StoreError};
use super::{SqliteStore, row, store_error};

/// Columns of one event row, in the order of [`bind_event`].
const EVENT_COLUMNS: [&str; 19] = [
    "stream",
    "sequence_number",
    "sequenced_at",
    "key_version",
    "event_id",
    "source_agent_id",
    "agent_key_id",
    "entity",
    "event_type",
    "created_at",
    "payload_kind",
    "payload",
    "payload_plain_hash",
    "payload_cipher_hash",
    "signing_hash",
    "agent_signature",
    "signature_scheme",
    "command_id",
    "base_version",
];

/// Rows per INSERT. A commit is cut into these, largest first, so that every statement is one of
/// eight and stays prepared.
const CHUNKS: [usize; 8] = [128, 64, 32, 16, 8, 4, 2, 1];

static INSERT_EVENTS: LazyLock<HashMap<usize, Arc<str>>> = LazyLock::new(|| {
    let row = format!("({})", vec!["?"; EVENT_COLUMNS.len()].join(","));
    let statement = |rows: usize| {
        let rows = vec![row.as_str(); rows].join(",");
        format!("INSERT INTO events ({}) VALUES {rows}", EVENT_COLUMNS.join(", "))
    };
    CHUNKS.iter().map(|&rows| (rows, Arc::from(statement(rows)))).collect()
});

/// One stream's part of a commit.
struct StreamGroup<'a> {
    /// Row id; `None` until the stream has its first event.
    id: Option<i64>,
    facts: StreamFacts<'a>,
    rows: Vec<NewRow<'a>>,
}

impl SqliteStore {
    pub(super) async fn commit(
        &self,
        batches: &[PreparedBatch],
        now: Timestamp,
        key_version: u32,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        let _measured = self.measure(DbOperation::CommitEvents);
        let mut by_stream: BTreeMap<Stream, Vec<&PreparedBatch>> = BTreeMap::new();
        for batch in batches {
            by_stream.entry(batch.stream).or_default().push(batch);
        }
        let mut transaction = self.writer.begin().await?;
        let connection = transaction.connection()?;
        let mut groups = BTreeMap::new();
        for (stream, batches) in &by_stream {
            groups.insert(*stream, load(connection, *stream, batches).await?);
        }
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            let Some(group) = groups.get_mut(&batch.stream) else {
                return Err(StoreError::Corrupt("a batch without its stream".to_owned()));
            };
            let StreamGroup { facts, rows, .. } = group;
            outcomes.push(decide(facts, batch, now, key_version, rows));
        }
        if groups.values().all(|group| group.rows.is_empty()) {
            transaction.rollback().await?;
            return Ok(outcomes);
        }
        for (stream, group) in &groups {
            if !group.rows.is_empty() {
                write(connection, *stream, group).await?;
            }
        }
        transaction.commit().await?;
        Ok(outcomes)
    }
}

/// Reads what [`decide`] needs to know.
async fn load<'a>(
    connection: &mut SqliteConnection,
    stream: Stream,
    batches: &[&'a PreparedBatch],
) -> Result<StreamGroup<'a>, StoreError> {
    let mut group = StreamGroup { id: None, facts: StreamFacts::default(), rows: Vec::new() };
    let found = sqlx::query(
        "SELECT id, head_sequence, updated_at FROM streams WHERE tenant_id = ? AND store_id = ?",
    )
    .bind(stream.tenant_id.as_bytes().as_slice())
    .bind(stream.store_id.as_bytes().as_slice())
    .fetch_optional(&mut *connection)
    .await
    .map_err(store_error)?;
    let Some(found) = found else {
        return Ok(group);
    };
    let id: i64 = row::integer(&found, "id")?;
    group.id = Some(id);
    group.facts.head_sequence = row::integer(&found, "head_sequence")?;
    group.facts.updated_at = Some(row::time(&found, "updated_at")?);
    let events: Vec<&'a PreparedEvent> =
        batches.iter().copied().flat_map(|batch| &batch.events).collect();
    load_events(connection, id, &mut group.facts, &events).await?;
    load_commands(connection, id, &mut group.facts, &events).await?;
    load_versions(connection, id, &mut group.facts, &events).await?;
    Ok(group)
}

async fn load_events(
    connection: &mut SqliteConnection,
    stream: i64,
    facts: &mut StreamFacts<'_>,
    events: &[&PreparedEvent],
) -> Result<(), StoreError> {
    let ids = json_hex_array(events.iter().map(|prepared| prepared.event.event_id));
    let rows = sqlx::query(
        "SELECT e.sequence_number, e.sequenced_at, e.key_version, e.event_id, e.signing_hash,
            e.agent_signature, e.command_id, e.base_version
         FROM json_each(?) j CROSS JOIN events e ON e.stream = ? AND e.event_id = unhex(j.value)",
    )
    .bind(ids)
    .bind(stream)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    for found in &rows {
        let fingerprint = Fingerprint {
            signing_hash: Hash32(row::bytes(found, "signing_hash")?),
            agent_signature: Sig64(row::bytes(found, "agent_signature")?),
            command_id: row::optional_bytes(found, "command_id")?.map(Uuid::from_bytes),
            base_version: row::optional_integer(found, "base_version")?,
        };
        let event_id = row::uuid(found, "event_id")?;
        facts.events.insert(event_id, (fingerprint, row::placement(found)?));
    }
    Ok(())
}

async fn load_commands(
    connection: &mut SqliteConnection,
    stream: i64,
    facts: &mut StreamFacts<'_>,
    events: &[&PreparedEvent],
) -> Result<(), StoreError> {
    let commands = json_hex_array(events.iter().filter_map(|prepared| prepared.event.command_id));
    if commands == "[]" {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT e.command_id FROM json_each(?) j
         CROSS JOIN events e ON e.stream = ? AND e.command_id = unhex(j.value)",
    )
    .bind(commands)
    .bind(stream)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    for found in &rows {
        facts.commands.insert(row::uuid(found, "command_id")?);
    }
    Ok(())
}

/// Versions of the entities for which some event states a base version; the others are not asked.
async fn load_versions<'a>(
    connection: &mut SqliteConnection,
    stream: i64,
    facts: &mut StreamFacts<'a>,
    events: &[&'a PreparedEvent],
) -> Result<(), StoreError> {
    let entities: HashSet<EntityKey<'a>> = events
        .iter()
        .filter(|prepared| prepared.event.base_version.is_some())
        .map(|prepared| entity_of(&prepared.event))
        .collect();
    if entities.is_empty() {
        return Ok(());
    }
    let keys: Vec<EntityKey<'a>> = entities.into_iter().collect();
    let rows = sqlx::query(
        "SELECT j.key, n.version FROM json_each(?) j CROSS JOIN entities n
         ON n.stream = ? AND n.entity_type = j.value ->> 0 AND n.entity_id = j.value ->> 1",
    )
    .bind(json(&keys)?)
    .bind(stream)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    for found in &rows {
        let place: usize = row::integer(found, "key")?;
        if let Some(key) = keys.get(place) {
            facts.versions.insert(*key, row::integer(found, "version")?);
        }
    }
    Ok(())
}

async fn write(
    connection: &mut SqliteConnection,
    stream: Stream,
    group: &StreamGroup<'_>,
) -> Result<(), StoreError> {
    let id = match group.id {
        Some(id) => id,
        None => create_stream(connection, stream).await?,
    };
    let entities = count_entities(connection, id, &group.rows).await?;
    insert_events(connection, id, &group.rows, &entities).await?;
    let updated_at = group.facts.updated_at.map_or(0, Timestamp::as_micros);
    sqlx::query("UPDATE streams SET head_sequence = ?, updated_at = ? WHERE id = ?")
        .bind(signed(group.facts.head_sequence)?)
        .bind(updated_at)
        .bind(id)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

async fn create_stream(
    connection: &mut SqliteConnection,
    stream: Stream,
) -> Result<i64, StoreError> {
    let created = sqlx::query(
        "INSERT INTO streams (tenant_id, store_id, head_sequence, updated_at)
         VALUES (?, ?, 0, 0) RETURNING id",
    )
    .bind(stream.tenant_id.as_bytes().as_slice())
    .bind(stream.store_id.as_bytes().as_slice())
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    row::integer(&created, "id")
}

/// Adds each entity's new events to its version and returns the entities' row ids.
async fn count_entities<'a>(
    connection: &mut SqliteConnection,
    stream: i64,
    rows: &[NewRow<'a>],
) -> Result<HashMap<EntityKey<'a>, i64>, StoreError> {
    let mut counts: HashMap<EntityKey<'a>, u32> = HashMap::new();
    for new in rows {
        *counts.entry(entity_of(&new.prepared.event)).or_insert(0) += 1;
    }
    let counts: Vec<(EntityKey<'a>, u32)> = counts.into_iter().collect();
    let input: Vec<(&str, &str, u32)> = counts.iter().map(|((t, i), n)| (*t, *i, *n)).collect();
    // RETURNING gives rows in the order of insertion, which is the order of the array.
    let found = sqlx::query(
        "INSERT INTO entities (stream, entity_type, entity_id, version)
         SELECT ?, j.value ->> 0, j.value ->> 1, j.value ->> 2 FROM json_each(?) j WHERE true
         ON CONFLICT (stream, entity_type, entity_id)
            DO UPDATE SET version = version + excluded.version
         RETURNING id",
    )
    .bind(stream)
    .bind(json(&input)?)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let ids = found.iter().map(|found| found.try_get(0).map_err(store_error));
    counts.into_iter().zip(ids).map(|((key, _), id)| Ok((key, id?))).collect()
}

async fn insert_events(
    connection: &mut SqliteConnection,
    stream: i64,
    mut rows: &[NewRow<'_>],
    entities: &HashMap<EntityKey<'_>, i64>,
) -> Result<(), StoreError> {
    for size in CHUNKS {
        while rows.len() >= size {
            let (chunk, rest) = rows.split_at(size);
            rows = rest;
            let sql = Arc::clone(&INSERT_EVENTS[&size]);
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for new in chunk {
                let entity = entities.get(&entity_of(&new.prepared.event)).copied();
                let entity = entity.ok_or_else(|| StoreError::Corrupt("entity".to_owned()))?;
                query = bind_event(query, stream, entity, new)?;
            }
            query.execute(&mut *connection).await.map_err(store_error)?;
        }
    }
    Ok(())
}

fn bind_event<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    stream: i64,
    entity: i64,
    new: &NewRow<'_>,
) -> Result<Query<'q, Sqlite, SqliteArguments>, StoreError> {
    let PreparedEvent { event, signing_hash } = new.prepared;
    let encrypted = event.payload_kind() != 0;
    Ok(query
        .bind(stream)
        .bind(signed(new.placement.sequence_number)?)
        .bind(new.placement.sequenced_at.as_micros())
        .bind(i64::from(new.placement.key_version))
        .bind(event.event_id.as_bytes().as_slice())
        .bind(event.source_agent_id.as_bytes().as_slice())
        .bind(i64::from(event.agent_key_id))
        .bind(entity)
        .bind(event.event_type.as_str())
        .bind(event.created_at.as_str())
        .bind(i64::from(event.payload_kind()))
        .bind(event.payload.as_str())
        .bind(event.payload_plain_hash.0.as_slice())
        .bind(encrypted.then(|| event.payload_cipher_hash.0.as_slice()))
        .bind(signing_hash.0.as_slice())
        .bind(event.agent_signature.0.as_slice())
        .bind(event.signature_scheme.map(signed).transpose()?)
        .bind(event.command_id.as_ref().map(|id| id.as_bytes().as_slice()))
        .bind(event.base_version.map(signed).transpose()?))
}

/// A number as the database holds it. Numbers above 2^63 − 1 were refused long before.
fn signed(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Corrupt(format!("{value} is above 2^63 - 1")))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.into()))
}

/// `["<32 hex digits>", …]`, for `unhex` in SQL.
pub(super) fn json_hex_array(ids: impl Iterator<Item = Uuid>) -> String {
    let mut array = String::from("[");
    for id in ids {
        let separator = if array.len() > 1 { "," } else { "" };
        let _ = write!(array, "{separator}\"{}\"", id.simple());
    }
    array.push(']');
    array
}
