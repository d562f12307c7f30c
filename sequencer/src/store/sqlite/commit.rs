//! The group commit: one transaction for everything that queued while the last one ran.
//!
//! New events on streams and entities that earlier commits left behind are one trip to the
//! connection's thread: begin, write all, commit. Where anything is not known, or anything but
//! acceptance comes out, the long way decides: begin and read the heads; read what the store has
//! about the events; write and commit. Every trip takes its input as JSON arrays, so each
//! statement is prepared once, and the number of trips does not depend on the events.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use catalog::label::DbOperation;
use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeTuple as _, Serializer};
use sqlx::sqlite::SqliteRow;
use sqlx::{Executor as _, SqliteConnection};
use uuid::Uuid;
use uuid::fmt::Simple;
use ves::{Hash32, Sig64, Stream, Timestamp};

use super::super::group::{
    Group, Groups, all_accepted, corrupt, decide_all, group, recall, remember,
};
use super::super::row;
use super::super::sequencing::{AgentKeyName, EntityKey, Fingerprint, NewRow, entity_of, key_of};
use super::super::{BatchOutcome, PreparedBatch, StoreError};
use super::{SqliteStore, store_error};

/// Begins, and reads the heads of the streams named as `[tenant, store]`. The ids of new rows are
/// counted on from the highest: there is one writer.
const BEGIN: &str = "
    BEGIN IMMEDIATE;
    SELECT j.key AS place, s.id, s.head_sequence, s.updated_at
    FROM jsonb_each(?) j CROSS JOIN streams s
        ON s.tenant_id = unhex(j.value ->> 0) AND s.store_id = unhex(j.value ->> 1)
    UNION ALL SELECT -1, COALESCE((SELECT max(id) FROM streams), 0),
        COALESCE((SELECT max(id) FROM entities), 0), 0";

/// Events by `[stream, event_id]`, commands by `[stream, command_id]`, entities by
/// `[stream, type, id]`, and keys by `[tenant, agent, key_id]`.
const LOAD: &str = "
    SELECT 'event' AS kind, e.stream, e.event_id, e.sequence_number, e.sequenced_at,
        e.key_version, e.signing_hash, e.agent_signature, e.command_id, e.base_version
    FROM jsonb_each(?) j CROSS JOIN events e
        ON e.stream = j.value ->> 0 AND e.event_id = unhex(j.value ->> 1);
    SELECT 'command' AS kind, e.stream, e.command_id
    FROM jsonb_each(?) j CROSS JOIN events e
        ON e.stream = j.value ->> 0 AND e.command_id = unhex(j.value ->> 1);
    SELECT 'entities' AS kind, json_group_array(json_array(j.key, n.id,
        (SELECT e.entity_version FROM events e WHERE e.entity = n.id
            ORDER BY e.sequence_number DESC LIMIT 1))) AS entities
    FROM jsonb_each(?) j CROSS JOIN entities n ON n.stream = j.value ->> 0
        AND n.entity_type = j.value ->> 1 AND n.entity_id = j.value ->> 2;
    SELECT 'key' AS kind, j.key AS place, k.status, k.valid_from, k.valid_to, k.revoked_at
    FROM jsonb_each(?) j CROSS JOIN agent_keys k ON k.tenant_id = unhex(j.value ->> 0)
        AND k.agent_id = unhex(j.value ->> 1) AND k.key_id = j.value ->> 2";

/// Streams as `[id, tenant, store, head, updated_at]`, entities as `[id, stream, type, id]`, events
/// as [`EventRow`] writes them. OR FAIL spares SQLite a journal per statement: whatever fails,
/// the transaction is rolled back.
const WRITE: &str = "
    INSERT INTO streams (id, tenant_id, store_id, head_sequence, updated_at)
    SELECT j.value ->> 0, unhex(j.value ->> 1), unhex(j.value ->> 2), j.value ->> 3, j.value ->> 4
    FROM jsonb_each(?) j WHERE true
    ON CONFLICT (id) DO UPDATE
        SET head_sequence = excluded.head_sequence, updated_at = excluded.updated_at;
    INSERT OR FAIL INTO entities (id, stream, entity_type, entity_id)
    SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3 FROM jsonb_each(?) j;
    INSERT OR FAIL INTO events (stream, sequence_number, sequenced_at, key_version, event_id,
        source_agent_id, agent_key_id, entity, entity_version, event_type, created_at,
        payload_kind, payload, payload_plain_hash, payload_cipher_hash, signing_hash,
        agent_signature, signature_scheme, command_id, base_version)
    SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, unhex(j.value ->> 4),
        unhex(j.value ->> 5), j.value ->> 6, j.value ->> 7, j.value ->> 8, j.value ->> 9,
        j.value ->> 10, j.value ->> 11, j.value ->> 12, unhex(j.value ->> 13),
        unhex(j.value ->> 14), unhex(j.value ->> 15), unhex(j.value ->> 16), j.value ->> 17,
        unhex(j.value ->> 18), j.value ->> 19
    FROM jsonb_each(?) j;
    COMMIT";

impl SqliteStore {
    pub(super) async fn commit(
        &self,
        batches: &[PreparedBatch],
        now: Timestamp,
        key_version: u32,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        let _measured = self.measure(DbOperation::CommitEvents);
        let mut transaction = self.writer.enter().await?;
        let mut groups = group(batches);
        if recall(transaction.known(), &mut groups) {
            let outcomes = decide_all(&mut groups, batches, now, key_version)?;
            if all_accepted(&outcomes) && write_new(transaction.connection()?, &mut groups).await? {
                remember(transaction.known(), groups);
                transaction.finished();
                return Ok(outcomes);
            }
            groups = group(batches);
        }
        let connection = transaction.connection()?;
        let last_entity = begin(connection, &mut groups).await?;
        load(connection, &mut groups).await?;
        let outcomes = decide_all(&mut groups, batches, now, key_version)?;
        groups.retain(|_, group| !group.rows.is_empty());
        if groups.is_empty() {
            transaction.rollback().await?;
            return Ok(outcomes);
        }
        write(connection, WRITE, Input::collect(&mut groups, last_entity)?)
            .await
            .map_err(store_error)?;
        remember(transaction.known(), groups);
        transaction.finished();
        Ok(outcomes)
    }
}

/// Writes in one trip, on the assumption that no event and no command is in the store yet; false,
/// and nothing written, when its unique keys say otherwise.
async fn write_new(
    connection: &mut SqliteConnection,
    groups: &mut Groups<'_, i64>,
) -> Result<bool, StoreError> {
    static BEGIN_AND_WRITE: LazyLock<String> =
        LazyLock::new(|| ["BEGIN IMMEDIATE;", WRITE].concat());
    // No entity is new, so no id is given.
    let input = Input::collect(groups, 0)?;
    match write(&mut *connection, &BEGIN_AND_WRITE, input).await {
        Ok(()) => Ok(true),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            connection.execute("ROLLBACK").await.map_err(store_error)?;
            Ok(false)
        }
        Err(error) => Err(store_error(error)),
    }
}

async fn write(
    connection: &mut SqliteConnection,
    sql: &'static str,
    input: Input,
) -> Result<(), sqlx::Error> {
    let Input { streams, entities, events } = input;
    let query = sqlx::query(sql).bind(streams).bind(entities).bind(events);
    query.execute(connection).await.map(|_| ())
}

/// Reads the heads, gives ids to new streams, and returns the highest entity id.
async fn begin(
    connection: &mut SqliteConnection,
    groups: &mut Groups<'_, i64>,
) -> Result<i64, StoreError> {
    let names: Vec<(Simple, Simple)> = groups.keys().map(stream_name).collect();
    let found =
        sqlx::query(BEGIN).bind(json(&names)?).fetch_all(connection).await.map_err(store_error)?;
    let (mut last_stream, mut last_entity) = (0, 0);
    let mut groups: Vec<&mut Group<'_, i64>> = groups.values_mut().collect();
    for found in &found {
        let place: i64 = row::integer(found, "place")?;
        let Some(group) = usize::try_from(place).ok().and_then(|place| groups.get_mut(place))
        else {
            last_stream = row::integer(found, "id")?;
            last_entity = row::integer(found, "head_sequence")?;
            continue;
        };
        group.row = row::integer(found, "id")?;
        group.exists = true;
        group.facts.head_sequence = row::integer(found, "head_sequence")?;
        group.facts.updated_at = Some(row::time(found, "updated_at")?);
    }
    for group in groups.into_iter().filter(|group| !group.exists) {
        last_stream += 1;
        group.row = last_stream;
    }
    Ok(last_entity)
}

/// What [`LOAD`] asks about, and whose answer is whose.
#[derive(Default)]
struct Questions<'a> {
    events: Vec<(i64, Simple)>,
    commands: Vec<(i64, Simple)>,
    entities: BTreeSet<(i64, EntityKey<'a>)>,
    keys: BTreeSet<(Uuid, AgentKeyName)>,
}

impl<'a> Questions<'a> {
    fn about(groups: &Groups<'a, i64>) -> Self {
        let mut questions = Self::default();
        for (stream, group) in groups {
            for event in group.events().map(|prepared| &prepared.event) {
                questions.keys.insert((stream.tenant_id, key_of(event)));
                if group.exists {
                    questions.events.push((group.row, event.event_id.simple()));
                    questions.commands.extend(event.command_id.map(|id| (group.row, id.simple())));
                    questions.entities.insert((group.row, entity_of(event)));
                }
            }
        }
        questions
    }
}

/// Reads what the decision needs to know about the events.
async fn load<'a>(
    connection: &mut SqliteConnection,
    groups: &mut Groups<'a, i64>,
) -> Result<(), StoreError> {
    let Questions { events, commands, entities, keys } = Questions::about(groups);
    let entities: Vec<_> = entities.into_iter().collect();
    let names: Vec<_> = entities.iter().map(|(row, (kind, id))| (row, kind, id)).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let key_names: Vec<_> =
        keys.iter().map(|(tenant, (agent, id))| (tenant.simple(), agent.simple(), id)).collect();
    let found = sqlx::query(LOAD)
        .bind(json(&events)?)
        .bind(json(&commands)?)
        .bind(json(&names)?)
        .bind(json(&key_names)?)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    for found in found.iter().filter(|found| row::text(*found, "kind").is_ok_and(|k| k == "key")) {
        let place: usize = row::integer(found, "place")?;
        let (tenant_id, key) = *keys.get(place).ok_or_else(|| corrupt("key"))?;
        let window = row::key_window(found)?;
        for (_, group) in groups.iter_mut().filter(|(stream, _)| stream.tenant_id == tenant_id) {
            group.facts.keys.insert(key, window);
        }
    }
    let mut by_row: HashMap<i64, &mut Group<'a, i64>> =
        groups.values_mut().map(|group| (group.row, group)).collect();
    for found in &found {
        let kind = row::text(found, "kind")?;
        if kind == "key" {
            continue;
        }
        if kind == "entities" {
            for (place, id, version) in parse::<(usize, i64, u64)>(&row::text(found, &kind)?)? {
                let (stream, key) = *entities.get(place).ok_or_else(|| corrupt("entity"))?;
                let group = by_row.get_mut(&stream).ok_or_else(|| corrupt("stream"))?;
                group.entities.insert(key, id);
                group.facts.versions.insert(key, version);
            }
            continue;
        }
        let stream: i64 = row::integer(found, "stream")?;
        let group = by_row.get_mut(&stream).ok_or_else(|| corrupt("stream"))?;
        if kind == "event" {
            let (event_id, known) = known_event(found)?;
            group.facts.events.insert(event_id, known);
        } else {
            group.facts.commands.insert(row::uuid(found, "command_id")?);
        }
    }
    Ok(())
}

fn known_event(
    found: &SqliteRow,
) -> Result<(Uuid, (Fingerprint, super::super::Placement)), StoreError> {
    let fingerprint = Fingerprint {
        signing_hash: Hash32(row::bytes(found, "signing_hash")?),
        agent_signature: Sig64(row::bytes(found, "agent_signature")?),
        command_id: row::optional_bytes(found, "command_id")?.map(Uuid::from_bytes),
        base_version: row::optional_integer(found, "base_version")?,
    };
    Ok((row::uuid(found, "event_id")?, (fingerprint, row::placement(found)?)))
}

/// What [`WRITE`] takes.
struct Input {
    streams: String,
    entities: String,
    events: String,
}

impl Input {
    fn collect(groups: &mut Groups<'_, i64>, mut last_entity: i64) -> Result<Self, StoreError> {
        let (mut streams, mut entities, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for (stream, group) in groups.iter_mut() {
            let (tenant, store) = stream_name(stream);
            streams.push((group.row, tenant, store, group.facts.head_sequence, group.updated_at()));
            for new in &group.rows {
                let key = entity_of(&new.prepared.event);
                let entity = *group.entities.entry(key).or_insert_with(|| {
                    last_entity += 1;
                    entities.push((last_entity, group.row, key.0, key.1));
                    last_entity
                });
                events.push(EventRow { stream: group.row, entity, new });
            }
        }
        let (streams, entities) = (json(&streams)?, json(&entities)?);
        Ok(Self { streams, entities, events: json(&events)? })
    }
}

/// An event as a JSON array, in the order of the columns of [`WRITE`].
struct EventRow<'a> {
    stream: i64,
    entity: i64,
    new: &'a NewRow<'a>,
}

impl Serialize for EventRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let NewRow { prepared, placement, entity_version } = self.new;
        let event = &prepared.event;
        let cipher_hash = (event.payload_kind() != 0).then_some(&event.payload_cipher_hash);
        let mut row = serializer.serialize_tuple(20)?;
        row.serialize_element(&self.stream)?;
        row.serialize_element(&placement.sequence_number)?;
        row.serialize_element(&placement.sequenced_at.as_micros())?;
        row.serialize_element(&placement.key_version)?;
        row.serialize_element(&event.event_id.simple())?;
        row.serialize_element(&event.source_agent_id.simple())?;
        row.serialize_element(&event.agent_key_id)?;
        row.serialize_element(&self.entity)?;
        row.serialize_element(entity_version)?;
        row.serialize_element(&event.event_type)?;
        row.serialize_element(&event.created_at)?;
        row.serialize_element(&event.payload_kind())?;
        row.serialize_element(event.payload.as_str())?;
        row.serialize_element(&event.payload_plain_hash)?;
        row.serialize_element(&cipher_hash)?;
        row.serialize_element(&prepared.signing_hash)?;
        row.serialize_element(&event.agent_signature)?;
        row.serialize_element(&event.signature_scheme)?;
        row.serialize_element(&event.command_id.map(Uuid::simple))?;
        row.serialize_element(&event.base_version)?;
        row.end()
    }
}

fn stream_name(stream: &Stream) -> (Simple, Simple) {
    (stream.tenant_id.simple(), stream.store_id.simple())
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.into()))
}

fn parse<T: DeserializeOwned>(array: &str) -> Result<Vec<T>, StoreError> {
    serde_json::from_str(array).map_err(|error| StoreError::Failed(error.into()))
}

/// `["<32 hex digits>", …]`, for `unhex` in SQL.
pub(super) fn json_ids(ids: &[Uuid]) -> Result<String, StoreError> {
    let ids: Vec<Simple> = ids.iter().map(|id| id.simple()).collect();
    json(&ids)
}
