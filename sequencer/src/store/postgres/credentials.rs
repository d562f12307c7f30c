//! API keys: only their hashes are stored.

use async_trait::async_trait;
use catalog::label::DbOperation;
use uuid::Uuid;
use ves::{Hash32, Timestamp};

use super::super::{ApiKeyOrigin, ApiKeyRecord, CredentialStore, Inserted, StoreError, row};
use super::{PostgresStore, retrying, store_error};

#[async_trait]
impl CredentialStore for PostgresStore {
    async fn api_key(&self, key_hash: &Hash32) -> Result<Option<ApiKeyRecord>, StoreError> {
        let _measured = self.measure(DbOperation::ReadApiKey);
        let mut connection = self.connection().await?;
        let found = sqlx::query("SELECT * FROM api_keys WHERE key_hash = $1")
            .bind(key_hash.0)
            .fetch_optional(&mut *connection)
            .await
            .map_err(store_error)?;
        found.as_ref().map(row::api_key).transpose()
    }

    async fn api_key_by_prefix(&self, prefix: &str) -> Result<Option<ApiKeyRecord>, StoreError> {
        let _measured = self.measure(DbOperation::ReadApiKey);
        let mut connection = self.connection().await?;
        let found = sqlx::query("SELECT * FROM api_keys WHERE key_prefix = $1")
            .bind(prefix)
            .fetch_optional(&mut *connection)
            .await
            .map_err(store_error)?;
        found.as_ref().map(row::api_key).transpose()
    }

    async fn api_keys(
        &self,
        tenant_id: Option<Uuid>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let _measured = self.measure(DbOperation::ReadApiKey);
        let mut connection = self.connection().await?;
        let rows = sqlx::query(
            "SELECT * FROM api_keys WHERE key_prefix > $1
                AND ($2::uuid IS NULL OR tenant_id = $2) ORDER BY key_prefix LIMIT $3",
        )
        .bind(after)
        .bind(tenant_id)
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        rows.iter().map(row::api_key).collect()
    }

    async fn insert_api_key(&self, key: &ApiKeyRecord) -> Result<Inserted, StoreError> {
        self.write_api_key(key, "ON CONFLICT DO NOTHING").await
    }

    async fn set_configured_key(&self, key: &ApiKeyRecord) -> Result<Inserted, StoreError> {
        // It was live a moment ago, or the operator set a retired one again.
        let again = "ON CONFLICT (key_hash) DO UPDATE SET revoked_at = NULL
             WHERE api_keys.origin = excluded.origin";
        if self.write_api_key(key, again).await? == Inserted::Exists {
            return Ok(Inserted::Exists);
        }
        self.retire(key.origin, Some(key.key_hash), key.created_at).await?;
        Ok(Inserted::Yes)
    }

    async fn retire_api_keys(&self, origin: ApiKeyOrigin, at: Timestamp) -> Result<(), StoreError> {
        self.retire(origin, None, at).await
    }

    async fn revoke_api_key(&self, key_hash: &Hash32, at: Timestamp) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut connection = self.connection().await?;
        retrying!(
            sqlx::query(
                "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $1) WHERE key_hash = $2",
            )
            .bind(at.as_micros())
            .bind(key_hash.0)
            .execute(&mut *connection)
        )?;
        Ok(())
    }

    async fn touch_api_keys(&self, used: &[(Hash32, Timestamp)]) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut connection = self.connection().await?;
        // In one order for all replicas, which write about the same keys.
        let mut used = used.to_vec();
        used.sort_unstable_by_key(|(hash, _)| hash.0);
        let hashes: Vec<[u8; 32]> = used.iter().map(|(hash, _)| hash.0).collect();
        let times: Vec<i64> = used.iter().map(|(_, at)| at.as_micros()).collect();
        retrying!(
            sqlx::query(
                "WITH used AS MATERIALIZED (
                    SELECT k.key_hash, n.used_at FROM api_keys k
                    JOIN unnest($1::bytea[], $2::int8[]) AS n (key_hash, used_at)
                        ON k.key_hash = n.key_hash
                    ORDER BY k.key_hash FOR UPDATE OF k
                 )
                 UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, used.used_at)
                 FROM used WHERE k.key_hash = used.key_hash",
            )
            .bind(&hashes)
            .bind(&times)
            .execute(&mut *connection)
        )?;
        Ok(())
    }

    async fn count_active_api_keys(&self) -> Result<u64, StoreError> {
        let _measured = self.measure(DbOperation::ReadApiKey);
        let mut connection = self.connection().await?;
        let sql = "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL";
        let count: i64 =
            sqlx::query_scalar(sql).fetch_one(&mut *connection).await.map_err(store_error)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

impl PostgresStore {
    /// Revokes the credentials of an origin, all but one.
    async fn retire(
        &self,
        origin: ApiKeyOrigin,
        but: Option<Hash32>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut connection = self.connection().await?;
        retrying!(
            sqlx::query(
                "UPDATE api_keys SET revoked_at = $1 WHERE origin = $2
                    AND revoked_at IS NULL AND ($3::bytea IS NULL OR key_hash <> $3)",
            )
            .bind(at.as_micros())
            .bind(origin.as_str())
            .bind(but.map(|hash| hash.0))
            .execute(&mut *connection)
        )?;
        Ok(())
    }

    async fn write_api_key(
        &self,
        key: &ApiKeyRecord,
        on_conflict: &'static str,
    ) -> Result<Inserted, StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut connection = self.connection().await?;
        let stores = row::store_ids(&key.store_ids)?;
        let sql = format!(
            "INSERT INTO api_keys (key_hash, key_prefix, tenant_id, store_ids, can_read, can_write,
                can_admin, agent_id, rate_limit, origin, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) {on_conflict}"
        );
        let done = retrying!(
            sqlx::query(sqlx::AssertSqlSafe(sql.as_str()))
                .bind(key.key_hash.0)
                .bind(&key.key_prefix)
                .bind(key.tenant_id)
                .bind(&stores)
                .bind(key.read)
                .bind(key.write)
                .bind(key.admin)
                .bind(key.agent_id)
                .bind(key.rate_limit.map(i64::from))
                .bind(key.origin.as_str())
                .bind(key.created_at.as_micros())
                .execute(&mut *connection)
        )?;
        Ok(if done.rows_affected() == 0 { Inserted::Exists } else { Inserted::Yes })
    }
}
