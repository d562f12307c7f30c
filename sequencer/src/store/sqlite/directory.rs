//! Figures for administrators. On read connections; pages by key, from indexes only.

use async_trait::async_trait;
use catalog::label::DbOperation;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;
use ves::{Stream, Timestamp};

use super::super::directory::{next, next_pair, range};
use super::super::{
    AgentSummary, ApiKeyRecord, Directory, Overview, StoreError, StoreSummary, TenantSummary,
};
use super::{SqliteStore, row, store_error};

const OVERVIEW: &str = "
SELECT (SELECT count(*) FROM (
        SELECT tenant_id FROM streams WHERE tenant_id BETWEEN $1 AND $2
        UNION SELECT tenant_id FROM agent_keys WHERE tenant_id BETWEEN $1 AND $2
        UNION SELECT tenant_id FROM api_keys
            WHERE tenant_id BETWEEN $1 AND $2 AND tenant_id <> $3) t) AS tenants,
    (SELECT count(*) FROM (
        SELECT tenant_id, agent_id FROM agent_keys WHERE tenant_id BETWEEN $1 AND $2
        UNION SELECT tenant_id, agent_id FROM api_keys
            WHERE tenant_id BETWEEN $1 AND $2 AND agent_id IS NOT NULL) a) AS agents,
    k.api_keys, k.active_api_keys, s.stores, s.total_head_sequence, s.active_stores,
    s.last_activity_at
FROM (SELECT count(*) AS api_keys, count(*) FILTER (WHERE revoked_at IS NULL) AS active_api_keys
      FROM api_keys WHERE tenant_id BETWEEN $1 AND $2) k,
     (SELECT count(*) AS stores, COALESCE(sum(head_sequence), 0) AS total_head_sequence,
          count(*) FILTER (WHERE updated_at >= $4) AS active_stores,
          max(updated_at) AS last_activity_at
      FROM streams WHERE tenant_id BETWEEN $1 AND $2) s";

const TENANTS: &str = "
WITH page AS (
    SELECT tenant_id FROM streams WHERE tenant_id >= $1 AND tenant_id BETWEEN $2 AND $3
    UNION SELECT tenant_id FROM agent_keys WHERE tenant_id >= $1 AND tenant_id BETWEEN $2 AND $3
    UNION SELECT tenant_id FROM api_keys
        WHERE tenant_id >= $1 AND tenant_id BETWEEN $2 AND $3 AND tenant_id <> $4
    ORDER BY tenant_id LIMIT $5),
heads AS (
    SELECT p.tenant_id, count(*) AS stores, sum(s.head_sequence) AS total_head_sequence,
        count(*) FILTER (WHERE s.updated_at >= $6) AS active_stores,
        max(s.updated_at) AS last_activity_at
    FROM page p JOIN streams s ON s.tenant_id = p.tenant_id GROUP BY p.tenant_id),
access AS (
    SELECT p.tenant_id, count(*) AS api_keys,
        count(*) FILTER (WHERE k.revoked_at IS NULL) AS active_api_keys,
        max(k.created_at) AS last_api_key_at
    FROM page p JOIN api_keys k ON k.tenant_id = p.tenant_id GROUP BY p.tenant_id),
signing AS (
    SELECT p.tenant_id, max(k.created_at) AS last_agent_key_at
    FROM page p JOIN agent_keys k ON k.tenant_id = p.tenant_id GROUP BY p.tenant_id),
agents AS (
    SELECT a.tenant_id, count(*) AS agents FROM (
        SELECT p.tenant_id, k.agent_id FROM page p JOIN agent_keys k ON k.tenant_id = p.tenant_id
        UNION SELECT p.tenant_id, k.agent_id
        FROM page p JOIN api_keys k ON k.tenant_id = p.tenant_id AND k.agent_id IS NOT NULL
    ) a GROUP BY a.tenant_id)
SELECT p.tenant_id, COALESCE(g.agents, 0) AS agents, COALESCE(a.api_keys, 0) AS api_keys,
    COALESCE(a.active_api_keys, 0) AS active_api_keys, COALESCE(h.stores, 0) AS stores,
    COALESCE(h.total_head_sequence, 0) AS total_head_sequence,
    COALESCE(h.active_stores, 0) AS active_stores, h.last_activity_at, a.last_api_key_at,
    s.last_agent_key_at
FROM page p LEFT JOIN heads h ON h.tenant_id = p.tenant_id
    LEFT JOIN access a ON a.tenant_id = p.tenant_id
    LEFT JOIN signing s ON s.tenant_id = p.tenant_id
    LEFT JOIN agents g ON g.tenant_id = p.tenant_id
ORDER BY p.tenant_id";

const STORES: &str = "
WITH page AS (
    SELECT tenant_id, store_id, head_sequence, committed_sequence, updated_at FROM streams
    WHERE (tenant_id, store_id) >= ($1, $2) AND tenant_id BETWEEN $3 AND $4
    ORDER BY tenant_id, store_id LIMIT $5),
owners AS (SELECT DISTINCT tenant_id FROM page),
wide AS (
    SELECT o.tenant_id, k.agent_id FROM owners o JOIN agent_keys k ON k.tenant_id = o.tenant_id
    UNION SELECT o.tenant_id, k.agent_id FROM owners o JOIN api_keys k
        ON k.tenant_id = o.tenant_id AND k.agent_id IS NOT NULL AND k.store_ids = '[]'),
narrow AS (
    SELECT DISTINCT o.tenant_id, k.agent_id, unhex(replace(j.value, '-', '')) AS store_id
    FROM owners o JOIN api_keys k ON k.tenant_id = o.tenant_id AND k.agent_id IS NOT NULL
        JOIN json_each(k.store_ids) j
    WHERE (k.tenant_id, k.agent_id) NOT IN (SELECT tenant_id, agent_id FROM wide)),
wide_count AS (SELECT tenant_id, count(*) AS agents FROM wide GROUP BY tenant_id),
narrow_count AS (
    SELECT tenant_id, store_id, count(*) AS agents FROM narrow GROUP BY tenant_id, store_id)
SELECT p.*, COALESCE(w.agents, 0) + COALESCE(n.agents, 0) AS agents
FROM page p LEFT JOIN wide_count w ON w.tenant_id = p.tenant_id
    LEFT JOIN narrow_count n ON n.tenant_id = p.tenant_id AND n.store_id = p.store_id
ORDER BY p.tenant_id, p.store_id";

const AGENTS: &str = "
WITH page AS (
    SELECT tenant_id, agent_id FROM agent_keys WHERE (tenant_id, agent_id) >= ($1, $2)
        AND tenant_id BETWEEN $3 AND $4 AND agent_id BETWEEN $5 AND $6
    UNION SELECT tenant_id, agent_id FROM api_keys WHERE (tenant_id, agent_id) >= ($1, $2)
        AND tenant_id BETWEEN $3 AND $4 AND agent_id BETWEEN $5 AND $6
    ORDER BY tenant_id, agent_id LIMIT $7),
facts AS (
    SELECT p.tenant_id, p.agent_id, 0 AS signs, 1 AS is_api_key, k.created_at,
        CASE WHEN k.revoked_at IS NULL THEN 1 ELSE 0 END AS is_active,
        CASE WHEN k.revoked_at IS NULL AND k.can_write THEN 1 ELSE 0 END AS can_write,
        CASE WHEN k.revoked_at IS NULL AND k.can_admin THEN 1 ELSE 0 END AS can_admin,
        CASE WHEN k.revoked_at IS NULL AND k.store_ids = '[]' THEN 1 ELSE 0 END AS all_stores
    FROM page p JOIN api_keys k ON k.tenant_id = p.tenant_id AND k.agent_id = p.agent_id
    UNION ALL
    SELECT p.tenant_id, p.agent_id,
        CASE WHEN k.status = 'active' AND COALESCE(k.valid_from, $8) <= $8
            AND COALESCE(k.valid_to, $8) >= $8 THEN 1 ELSE 0 END,
        0, k.created_at, 0, 0, 0, 0
    FROM page p JOIN agent_keys k ON k.tenant_id = p.tenant_id AND k.agent_id = p.agent_id)
SELECT tenant_id, agent_id, max(signs) AS signs, max(can_write) AS can_write,
    max(can_admin) AS can_admin, max(all_stores) AS all_stores, sum(is_api_key) AS api_keys,
    sum(is_active) AS active_api_keys, min(created_at) AS first_key_at,
    max(created_at) AS last_key_at
FROM facts GROUP BY tenant_id, agent_id ORDER BY tenant_id, agent_id";

const AGENT_API_KEYS: &str = "
SELECT * FROM api_keys WHERE tenant_id = $1 AND agent_id = $2 AND key_prefix > $3
    AND substr(key_prefix, 1, length($4)) = $4
ORDER BY key_prefix LIMIT $5";

/// As the columns hold it.
fn blob(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

#[async_trait]
impl Directory for SqliteStore {
    async fn overview(
        &self,
        tenant_id: Option<Uuid>,
        since: Timestamp,
    ) -> Result<Overview, StoreError> {
        let _measured = self.measure(DbOperation::ReadDirectory);
        let mut reader = self.reader().await?;
        let (first, last) = range(tenant_id);
        let found = sqlx::query(OVERVIEW)
            .bind(blob(first))
            .bind(blob(last))
            .bind(blob(Uuid::nil()))
            .bind(since.as_micros())
            .fetch_one(&mut *reader)
            .await
            .map_err(store_error)?;
        Ok(Overview {
            tenants: row::integer(&found, "tenants")?,
            stores: row::integer(&found, "stores")?,
            agents: row::integer(&found, "agents")?,
            api_keys: row::integer(&found, "api_keys")?,
            active_api_keys: row::integer(&found, "active_api_keys")?,
            total_head_sequence: row::integer(&found, "total_head_sequence")?,
            active_stores: row::integer(&found, "active_stores")?,
            last_activity_at: row::optional_time(&found, "last_activity_at")?,
        })
    }

    async fn tenants(
        &self,
        tenant_id: Option<Uuid>,
        since: Timestamp,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let _measured = self.measure(DbOperation::ReadDirectory);
        let Some(from) = next(after) else { return Ok(Vec::new()) };
        let mut reader = self.reader().await?;
        let (first, last) = range(tenant_id);
        let rows = sqlx::query(TENANTS)
            .bind(blob(from))
            .bind(blob(first))
            .bind(blob(last))
            .bind(blob(Uuid::nil()))
            .bind(limit)
            .bind(since.as_micros())
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(tenant_summary).collect()
    }

    async fn stores(
        &self,
        tenant_id: Option<Uuid>,
        after: Option<Stream>,
        limit: u32,
    ) -> Result<Vec<StoreSummary>, StoreError> {
        let _measured = self.measure(DbOperation::ReadDirectory);
        let after = after.map(|stream| (stream.tenant_id, stream.store_id));
        let Some((from_tenant, from_store)) = next_pair(after) else { return Ok(Vec::new()) };
        let mut reader = self.reader().await?;
        let (first, last) = range(tenant_id);
        let rows = sqlx::query(STORES)
            .bind(blob(from_tenant))
            .bind(blob(from_store))
            .bind(blob(first))
            .bind(blob(last))
            .bind(limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(store_summary).collect()
    }

    async fn agents(
        &self,
        (tenant_id, agent_id): (Option<Uuid>, Option<Uuid>),
        at: Timestamp,
        after: Option<(Uuid, Uuid)>,
        limit: u32,
    ) -> Result<Vec<AgentSummary>, StoreError> {
        let _measured = self.measure(DbOperation::ReadDirectory);
        let Some((from_tenant, from_agent)) = next_pair(after) else { return Ok(Vec::new()) };
        let mut reader = self.reader().await?;
        let (tenants, agents) = (range(tenant_id), range(agent_id));
        let mut query = sqlx::query(AGENTS);
        for id in [from_tenant, from_agent, tenants.0, tenants.1, agents.0, agents.1] {
            query = query.bind(blob(id));
        }
        let rows = query
            .bind(limit)
            .bind(at.as_micros())
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(agent_summary).collect()
    }

    async fn agent_api_keys(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        (prefix, after): (&str, &str),
        limit: u32,
    ) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let _measured = self.measure(DbOperation::ReadApiKey);
        let mut reader = self.reader().await?;
        let rows = sqlx::query(AGENT_API_KEYS)
            .bind(blob(tenant_id))
            .bind(blob(agent_id))
            .bind(after)
            .bind(prefix)
            .bind(limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(row::api_key).collect()
    }
}

fn tenant_summary(found: &SqliteRow) -> Result<TenantSummary, StoreError> {
    let keys = ["last_api_key_at", "last_agent_key_at"].map(|name| row::optional_time(found, name));
    let [api_key, agent_key] = keys;
    Ok(TenantSummary {
        tenant_id: row::uuid(found, "tenant_id")?,
        agents: row::integer(found, "agents")?,
        api_keys: row::integer(found, "api_keys")?,
        active_api_keys: row::integer(found, "active_api_keys")?,
        stores: row::integer(found, "stores")?,
        total_head_sequence: row::integer(found, "total_head_sequence")?,
        active_stores: row::integer(found, "active_stores")?,
        last_key_at: api_key?.max(agent_key?),
        last_activity_at: row::optional_time(found, "last_activity_at")?,
    })
}

fn store_summary(found: &SqliteRow) -> Result<StoreSummary, StoreError> {
    Ok(StoreSummary {
        stream: row::stream(found)?,
        head_sequence: row::integer(found, "head_sequence")?,
        committed_sequence: row::integer(found, "committed_sequence")?,
        agents: row::integer(found, "agents")?,
        updated_at: row::time(found, "updated_at")?,
    })
}

fn agent_summary(found: &SqliteRow) -> Result<AgentSummary, StoreError> {
    let flag = |name| Ok::<bool, StoreError>(row::integer::<u8>(found, name)? != 0);
    Ok(AgentSummary {
        tenant_id: row::uuid(found, "tenant_id")?,
        agent_id: row::uuid(found, "agent_id")?,
        signs: flag("signs")?,
        write: flag("can_write")?,
        admin: flag("can_admin")?,
        all_stores: flag("all_stores")?,
        api_keys: row::integer(found, "api_keys")?,
        active_api_keys: row::integer(found, "active_api_keys")?,
        first_key_at: row::time(found, "first_key_at")?,
        last_key_at: row::time(found, "last_key_at")?,
    })
}
