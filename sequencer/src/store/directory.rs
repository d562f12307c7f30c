//! Who and what there is, counted: what administrators ask.
//!
//! Figures come from streams and keys, never from events, and every list is paged by its key. A
//! tenant exists from its first event or key, an agent from its first signing key or the first
//! API key bound to it. The platform's own API keys make no tenant.

use async_trait::async_trait;
use uuid::Uuid;
use ves::{Stream, Timestamp};

use super::row::{self, Columns};
use super::{ApiKeyRecord, StoreError};

/// Everything at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Overview {
    /// Tenants that exist.
    pub tenants: u64,
    /// Streams.
    pub stores: u64,
    /// Agents that exist.
    pub agents: u64,
    /// API keys, also revoked ones.
    pub api_keys: u64,
    /// API keys that are not revoked.
    pub active_api_keys: u64,
    /// Sum of the heads: the number of events.
    pub total_head_sequence: u64,
    /// Streams with an event since the moment asked for.
    pub active_stores: u64,
    /// The last event.
    pub last_activity_at: Option<Timestamp>,
}

/// One tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TenantSummary {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Its agents.
    pub agents: u64,
    /// Its API keys, also revoked ones.
    pub api_keys: u64,
    /// Those that are not revoked.
    pub active_api_keys: u64,
    /// Its streams.
    pub stores: u64,
    /// Sum of their heads.
    pub total_head_sequence: u64,
    /// Streams with an event since the moment asked for.
    pub active_stores: u64,
    /// Its newest key, of either kind.
    pub last_key_at: Option<Timestamp>,
    /// Its last event.
    pub last_activity_at: Option<Timestamp>,
}

/// One stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreSummary {
    /// The stream.
    pub stream: Stream,
    /// Highest number given.
    pub head_sequence: u64,
    /// Highest number in a commitment.
    pub committed_sequence: u64,
    /// Agents of the tenant with a signing key, or with an API key that reaches this store; `None`
    /// when they were not asked for.
    pub agents: Option<u64>,
    /// The last event.
    pub updated_at: Timestamp,
}

/// One agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AgentSummary {
    /// Its tenant.
    pub tenant_id: Uuid,
    /// The agent.
    pub agent_id: Uuid,
    /// A signing key is good at the moment asked for.
    pub signs: bool,
    /// An active API key may write.
    pub write: bool,
    /// An active API key may administer.
    pub admin: bool,
    /// An active API key is for all stores.
    pub all_stores: bool,
    /// API keys bound to it, also revoked ones.
    pub api_keys: u64,
    /// Those that are not revoked.
    pub active_api_keys: u64,
    /// Its first key, of either kind.
    pub first_key_at: Timestamp,
    /// Its newest key, of either kind.
    pub last_key_at: Timestamp,
}

/// The directory of a store. `tenant_id` is whose rows count; `None` is everybody's.
#[async_trait]
pub trait Directory: Send + Sync {
    /// All at once; streams are active that have an event at `since` or later.
    async fn overview(
        &self,
        tenant_id: Option<Uuid>,
        since: Timestamp,
    ) -> Result<Overview, StoreError>;
    /// Tenants after one, in order of their ids.
    async fn tenants(
        &self,
        tenant_id: Option<Uuid>,
        since: Timestamp,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<TenantSummary>, StoreError>;
    /// Streams after one, in key order. Without their agents it is one walk along an index, which
    /// may be asked every second.
    async fn stores(
        &self,
        tenant_id: Option<Uuid>,
        after: Option<Stream>,
        limit: u32,
        with_agents: bool,
    ) -> Result<Vec<StoreSummary>, StoreError>;
    /// Agents after one (tenant, agent), in order of both ids; only one when `agent_id` is given,
    /// once for each tenant that knows it.
    async fn agents(
        &self,
        (tenant_id, agent_id): (Option<Uuid>, Option<Uuid>),
        at: Timestamp,
        after: Option<(Uuid, Uuid)>,
        limit: u32,
    ) -> Result<Vec<AgentSummary>, StoreError>;
    /// API keys bound to an agent whose public prefix begins with `prefix`, after a prefix, in
    /// order of their prefixes.
    async fn agent_api_keys(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        (prefix, after): (&str, &str),
        limit: u32,
    ) -> Result<Vec<ApiKeyRecord>, StoreError>;
}

/// The ids that a filter lets through, both ends included. A range uses an index where
/// `id = ? OR ? IS NULL` does not.
pub(super) fn range(id: Option<Uuid>) -> (Uuid, Uuid) {
    (id.unwrap_or(Uuid::nil()), id.unwrap_or(Uuid::max()))
}

/// The first id after one; `None` after the last there is.
pub(super) fn next(after: Option<Uuid>) -> Option<Uuid> {
    after.map_or(Some(Uuid::nil()), |id| id.as_u128().checked_add(1).map(Uuid::from_u128))
}

/// The first pair after one; `None` after the last there is.
pub(super) fn next_pair(after: Option<(Uuid, Uuid)>) -> Option<(Uuid, Uuid)> {
    let Some((first, second)) = after else { return Some((Uuid::nil(), Uuid::nil())) };
    match next(Some(second)) {
        Some(second) => Some((first, second)),
        None => next(Some(first)).map(|first| (first, Uuid::nil())),
    }
}

pub(super) const OVERVIEW: &str = "
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
     (SELECT count(*) AS stores,
          CAST(COALESCE(sum(head_sequence), 0) AS BIGINT) AS total_head_sequence,
          count(*) FILTER (WHERE updated_at >= $4) AS active_stores,
          max(updated_at) AS last_activity_at
      FROM streams WHERE tenant_id BETWEEN $1 AND $2) s";

pub(super) const TENANTS: &str = "
WITH page AS (
    SELECT tenant_id FROM streams WHERE tenant_id >= $1 AND tenant_id BETWEEN $2 AND $3
    UNION SELECT tenant_id FROM agent_keys WHERE tenant_id >= $1 AND tenant_id BETWEEN $2 AND $3
    UNION SELECT tenant_id FROM api_keys
        WHERE tenant_id >= $1 AND tenant_id BETWEEN $2 AND $3 AND tenant_id <> $4
    ORDER BY tenant_id LIMIT $5),
heads AS (
    SELECT p.tenant_id, count(*) AS stores,
        CAST(sum(s.head_sequence) AS BIGINT) AS total_head_sequence,
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

pub(super) const AGENTS: &str = "
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

pub(super) const AGENT_API_KEYS: &str = "
SELECT * FROM api_keys WHERE tenant_id = $1 AND agent_id = $2 AND key_prefix > $3
    AND substr(key_prefix, 1, length($4)) = $4
ORDER BY key_prefix LIMIT $5";

/// Streams of a page, with the parameters of [`select_stores`].
pub(super) const STREAMS: &str = "
SELECT tenant_id, store_id, head_sequence, committed_sequence, updated_at FROM streams
WHERE (tenant_id, store_id) >= ($1, $2) AND tenant_id BETWEEN $3 AND $4
ORDER BY tenant_id, store_id LIMIT $5";

/// Streams of a page with their agents. `store_ids` is how the engine takes the JSON array
/// `k.store_ids` apart, and `store_id` what one element is as an id.
pub(super) fn select_stores(store_ids: &str, store_id: &str) -> String {
    format!(
        "
WITH page AS ({STREAMS}),
owners AS (SELECT DISTINCT tenant_id FROM page),
wide AS (
    SELECT o.tenant_id, k.agent_id FROM owners o JOIN agent_keys k ON k.tenant_id = o.tenant_id
    UNION SELECT o.tenant_id, k.agent_id FROM owners o JOIN api_keys k
        ON k.tenant_id = o.tenant_id AND k.agent_id IS NOT NULL AND k.store_ids = '[]'),
narrow AS (
    SELECT DISTINCT o.tenant_id, k.agent_id, {store_id} AS store_id
    FROM owners o JOIN api_keys k ON k.tenant_id = o.tenant_id AND k.agent_id IS NOT NULL
        CROSS JOIN {store_ids} j
    WHERE (k.tenant_id, k.agent_id) NOT IN (SELECT tenant_id, agent_id FROM wide)),
wide_count AS (SELECT tenant_id, count(*) AS agents FROM wide GROUP BY tenant_id),
narrow_count AS (
    SELECT tenant_id, store_id, count(*) AS agents FROM narrow GROUP BY tenant_id, store_id)
SELECT p.*, COALESCE(w.agents, 0) + COALESCE(n.agents, 0) AS agents
FROM page p LEFT JOIN wide_count w ON w.tenant_id = p.tenant_id
    LEFT JOIN narrow_count n ON n.tenant_id = p.tenant_id AND n.store_id = p.store_id
ORDER BY p.tenant_id, p.store_id"
    )
}

pub(super) fn overview(found: &impl Columns) -> Result<Overview, StoreError> {
    Ok(Overview {
        tenants: row::integer(found, "tenants")?,
        stores: row::integer(found, "stores")?,
        agents: row::integer(found, "agents")?,
        api_keys: row::integer(found, "api_keys")?,
        active_api_keys: row::integer(found, "active_api_keys")?,
        total_head_sequence: row::integer(found, "total_head_sequence")?,
        active_stores: row::integer(found, "active_stores")?,
        last_activity_at: row::optional_time(found, "last_activity_at")?,
    })
}

pub(super) fn tenant_summary(found: &impl Columns) -> Result<TenantSummary, StoreError> {
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

pub(super) fn store_summary(
    found: &impl Columns,
    with_agents: bool,
) -> Result<StoreSummary, StoreError> {
    let agents = with_agents.then(|| row::integer(found, "agents"));
    Ok(StoreSummary {
        stream: row::stream(found)?,
        head_sequence: row::integer(found, "head_sequence")?,
        committed_sequence: row::integer(found, "committed_sequence")?,
        agents: agents.transpose()?,
        updated_at: row::time(found, "updated_at")?,
    })
}

pub(super) fn agent_summary(found: &impl Columns) -> Result<AgentSummary, StoreError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_right_after_the_last() {
        let id = Uuid::from_u128;
        let (nil, max) = (Uuid::nil(), Uuid::max());
        for (after, expect) in [
            (None, Some((nil, nil))),
            (Some((id(7), id(8))), Some((id(7), id(9)))),
            (Some((id(7), max)), Some((id(8), nil))),
            (Some((max, max)), None),
        ] {
            assert_eq!(next_pair(after), expect, "{after:?}");
        }
        assert_eq!((next(None), next(Some(max))), (Some(nil), None));
        assert_eq!(range(Some(id(3))), (id(3), id(3)));
        assert_eq!(range(None), (nil, max));
    }
}
