//! Figures for administrators. On read connections; pages by key, from indexes only.

use std::sync::LazyLock;

use async_trait::async_trait;
use catalog::label::DbOperation;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use ves::{Stream, Timestamp};

use super::super::directory::{
    self, AGENT_API_KEYS, AGENTS, OVERVIEW, STREAMS, TENANTS, next, next_pair, range, select_stores,
};
use super::super::row;
use super::super::{
    AgentSummary, ApiKeyRecord, Directory, Overview, StoreError, StoreSummary, TenantSummary,
};
use super::{SqliteStore, store_error};

static STORES: LazyLock<String> =
    LazyLock::new(|| select_stores("json_each(k.store_ids)", "unhex(replace(j.value, '-', ''))"));

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
        directory::overview(&found)
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
        rows.iter().map(directory::tenant_summary).collect()
    }

    async fn stores(
        &self,
        tenant_id: Option<Uuid>,
        after: Option<Stream>,
        limit: u32,
        with_agents: bool,
    ) -> Result<Vec<StoreSummary>, StoreError> {
        let _measured = self.measure(DbOperation::ReadDirectory);
        let after = after.map(|stream| (stream.tenant_id, stream.store_id));
        let Some((from_tenant, from_store)) = next_pair(after) else { return Ok(Vec::new()) };
        let mut reader = self.reader().await?;
        let (first, last) = range(tenant_id);
        let sql = if with_agents { STORES.as_str() } else { STREAMS };
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(blob(from_tenant))
            .bind(blob(from_store))
            .bind(blob(first))
            .bind(blob(last))
            .bind(limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(|found| directory::store_summary(found, with_agents)).collect()
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
        rows.iter().map(directory::agent_summary).collect()
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

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

    use super::*;

    /// It is asked every second.
    #[tokio::test]
    async fn the_list_of_streams_is_one_walk_along_an_index() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::migrate!("migrations/sqlite").run(&mut connection).await.unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {STREAMS}");
        let plan = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        let [step] = plan.as_slice() else { panic!("{} steps", plan.len()) };
        let step: String = step.get("detail");
        assert!(step.starts_with("SEARCH streams USING INDEX"), "{step}");
    }
}
