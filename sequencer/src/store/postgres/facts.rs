//! What a group commit must know about its events: heads, keys, and what is in the store already.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use ves::{Hash32, Sig64, Stream};

use super::super::group::{Groups, corrupt};
use super::super::row;
use super::super::sequencing::{Fingerprint, entity_of, key_of};
use super::commit::Trouble;

const LOCK_HEADS: &str = "
    SELECT s.tenant_id, s.store_id, s.head_sequence, s.updated_at, s.key_epoch
    FROM streams s JOIN unnest($1::uuid[], $2::uuid[]) AS n (tenant_id, store_id)
        ON s.tenant_id = n.tenant_id AND s.store_id = n.store_id
    ORDER BY s.tenant_id, s.store_id FOR UPDATE OF s";
/// Windows of keys.
pub(super) const FIND_KEYS: &str = "
    SELECT k.tenant_id, k.agent_id, k.key_id, k.status, k.valid_from, k.valid_to, k.revoked_at
    FROM agent_keys k JOIN unnest($1::uuid[], $2::uuid[], $3::int8[])
        AS n (tenant_id, agent_id, key_id)
        ON k.tenant_id = n.tenant_id AND k.agent_id = n.agent_id AND k.key_id = n.key_id";
/// The same, and keeps the keys from ending until the transaction ends.
pub(super) const LOCK_KEYS: &str = "
    SELECT k.tenant_id, k.agent_id, k.key_id, k.status, k.valid_from, k.valid_to, k.revoked_at
    FROM agent_keys k JOIN unnest($1::uuid[], $2::uuid[], $3::int8[])
        AS n (tenant_id, agent_id, key_id)
        ON k.tenant_id = n.tenant_id AND k.agent_id = n.agent_id AND k.key_id = n.key_id
    ORDER BY k.tenant_id, k.agent_id, k.key_id FOR SHARE OF k";
const FIND_EVENTS: &str = "
    SELECT e.tenant_id, e.store_id, e.event_id, e.sequence_number, e.sequenced_at, e.key_version,
        e.signing_hash, e.agent_signature, e.command_id, e.base_version
    FROM events e JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[])
        AS n (tenant_id, store_id, event_id)
        ON e.tenant_id = n.tenant_id AND e.store_id = n.store_id AND e.event_id = n.event_id";
const FIND_COMMANDS: &str = "
    SELECT e.tenant_id, e.store_id, e.command_id
    FROM events e JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[])
        AS n (tenant_id, store_id, command_id)
        ON e.tenant_id = n.tenant_id AND e.store_id = n.store_id AND e.command_id = n.command_id";
const FIND_ENTITIES: &str = "
    SELECT n.place, v.entity_version
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
        WITH ORDINALITY AS n (tenant_id, store_id, entity_type, entity_id, place)
    CROSS JOIN LATERAL (SELECT e.entity_version FROM events e
        WHERE e.tenant_id = n.tenant_id AND e.store_id = n.store_id
            AND e.entity_type = n.entity_type AND e.entity_id = n.entity_id
        ORDER BY e.entity_version DESC LIMIT 1) v";

pub(super) async fn lock_heads(
    connection: &mut PgConnection,
    groups: &mut Groups<'_, ()>,
) -> Result<(), Trouble> {
    let found = sqlx::query(LOCK_HEADS)
        .bind(groups.keys().map(|stream| stream.tenant_id).collect::<Vec<_>>())
        .bind(groups.keys().map(|stream| stream.store_id).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    for found in &found {
        let group = groups.get_mut(&row::stream(found)?).ok_or_else(|| corrupt("stream"))?;
        group.exists = true;
        group.facts.head_sequence = row::integer(found, "head_sequence")?;
        group.facts.updated_at = Some(row::time(found, "updated_at")?);
        group.key_epoch = row::integer(found, "key_epoch")?;
    }
    Ok(())
}

/// Which of the events and commands are in the store.
pub(super) async fn load_events(
    connection: &mut PgConnection,
    groups: &mut Groups<'_, ()>,
) -> Result<(), Trouble> {
    let (mut events, mut commands) = (Names::default(), Names::default());
    for (stream, group) in groups.iter().filter(|(_, group)| group.exists) {
        for event in group.events().map(|prepared| &prepared.event) {
            events.push(stream, event.event_id);
            event.command_id.into_iter().for_each(|id| commands.push(stream, id));
        }
    }
    for found in events.fetch(FIND_EVENTS, connection).await? {
        let group = groups.get_mut(&row::stream(&found)?).ok_or_else(|| corrupt("stream"))?;
        let fingerprint = Fingerprint {
            signing_hash: Hash32(row::bytes(&found, "signing_hash")?),
            agent_signature: Sig64(row::bytes(&found, "agent_signature")?),
            command_id: row::optional_bytes(&found, "command_id")?.map(Uuid::from_bytes),
            base_version: row::optional_integer(&found, "base_version")?,
        };
        let known = (fingerprint, row::placement(&found)?);
        group.facts.events.insert(row::uuid(&found, "event_id")?, known);
    }
    for found in commands.fetch(FIND_COMMANDS, connection).await? {
        let group = groups.get_mut(&row::stream(&found)?).ok_or_else(|| corrupt("stream"))?;
        group.facts.commands.insert(row::uuid(&found, "command_id")?);
    }
    Ok(())
}

/// Versions of the entities that the groups do not know yet.
pub(super) async fn load_entities(
    connection: &mut PgConnection,
    groups: &mut Groups<'_, ()>,
) -> Result<(), Trouble> {
    let mut asked = BTreeSet::new();
    for (stream, group) in groups.iter_mut() {
        for entity in group.batches.iter().flat_map(|b| &b.events).map(|p| entity_of(&p.event)) {
            if group.entities.insert(entity, ()).is_none() && group.exists {
                asked.insert((*stream, entity));
            }
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let found = sqlx::query(FIND_ENTITIES)
        .bind(asked.iter().map(|(stream, _)| stream.tenant_id).collect::<Vec<_>>())
        .bind(asked.iter().map(|(stream, _)| stream.store_id).collect::<Vec<_>>())
        .bind(asked.iter().map(|(_, (kind, _))| *kind).collect::<Vec<_>>())
        .bind(asked.iter().map(|(_, (_, id))| *id).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let asked: Vec<_> = asked.into_iter().collect();
    for found in &found {
        // ORDINALITY counts from 1.
        let place = row::integer::<usize>(found, "place")?.wrapping_sub(1);
        let (stream, entity) = *asked.get(place).ok_or_else(|| corrupt("entity"))?;
        let group = groups.get_mut(&stream).ok_or_else(|| corrupt("stream"))?;
        group.facts.versions.insert(entity, row::integer(found, "entity_version")?);
    }
    Ok(())
}

/// Windows of the keys that the groups do not know yet.
pub(super) async fn load_keys(
    connection: &mut PgConnection,
    groups: &mut Groups<'_, ()>,
    sql: &'static str,
) -> Result<(), Trouble> {
    let mut asked = BTreeSet::new();
    for (stream, group) in groups.iter() {
        let keys = group.events().map(|prepared| key_of(&prepared.event));
        let missing = keys.filter(|key| !group.facts.keys.contains_key(key));
        asked.extend(missing.map(|(agent_id, key_id)| (stream.tenant_id, agent_id, key_id)));
    }
    if asked.is_empty() {
        return Ok(());
    }
    let found = sqlx::query(sql)
        .bind(asked.iter().map(|key| key.0).collect::<Vec<_>>())
        .bind(asked.iter().map(|key| key.1).collect::<Vec<_>>())
        .bind(asked.iter().map(|key| i64::from(key.2)).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    for found in &found {
        let (tenant, agent) = (row::uuid(found, "tenant_id")?, row::uuid(found, "agent_id")?);
        let (key, window) = ((agent, row::integer(found, "key_id")?), row::key_window(found)?);
        for (_, group) in groups.iter_mut().filter(|(stream, _)| stream.tenant_id == tenant) {
            group.facts.keys.insert(key, window);
        }
    }
    Ok(())
}

/// Ids and their streams.
#[derive(Default)]
struct Names {
    tenants: Vec<Uuid>,
    stores: Vec<Uuid>,
    ids: Vec<Uuid>,
}

impl Names {
    fn push(&mut self, stream: &Stream, id: Uuid) {
        self.tenants.push(stream.tenant_id);
        self.stores.push(stream.store_id);
        self.ids.push(id);
    }

    async fn fetch(
        self,
        sql: &'static str,
        connection: &mut PgConnection,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if self.ids.is_empty() {
            return Ok(Vec::new());
        }
        sqlx::query(sql)
            .bind(self.tenants)
            .bind(self.stores)
            .bind(self.ids)
            .fetch_all(connection)
            .await
    }
}
