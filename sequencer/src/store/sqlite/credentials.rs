//! API keys: only their hashes are stored.

use async_trait::async_trait;
use catalog::label::DbOperation;
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;
use ves::{Hash32, Timestamp};

use super::super::row;
use super::super::{ApiKeyOrigin, ApiKeyRecord, CredentialStore, Inserted, StoreError};
use super::{SqliteStore, store_error};

#[async_trait]
impl CredentialStore for SqliteStore {
    async fn api_key(&self, key_hash: &Hash32) -> Result<Option<ApiKeyRecord>, StoreError> {
        let _measured = self.measure(DbOperation::ReadApiKey);
        let mut reader = self.reader().await?;
        let found = sqlx::query("SELECT * FROM api_keys WHERE key_hash = ?")
            .bind(key_hash.0.as_slice())
            .fetch_optional(&mut *reader)
            .await
            .map_err(store_error)?;
        found.as_ref().map(row::api_key).transpose()
    }

    async fn api_key_by_prefix(&self, prefix: &str) -> Result<Option<ApiKeyRecord>, StoreError> {
        let _measured = self.measure(DbOperation::ReadApiKey);
        let mut reader = self.reader().await?;
        let found = sqlx::query("SELECT * FROM api_keys WHERE key_prefix = ?")
            .bind(prefix)
            .fetch_optional(&mut *reader)
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
        let mut reader = self.reader().await?;
        let rows = sqlx::query(
            "SELECT * FROM api_keys WHERE key_prefix > ?1 AND (?2 IS NULL OR tenant_id = ?2)
             ORDER BY key_prefix LIMIT ?3",
        )
        .bind(after)
        .bind(tenant_id.map(|id| id.as_bytes().to_vec()))
        .bind(limit)
        .fetch_all(&mut *reader)
        .await
        .map_err(store_error)?;
        rows.iter().map(row::api_key).collect()
    }

    async fn insert_api_key(&self, key: &ApiKeyRecord) -> Result<Inserted, StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut transaction = self.writer.begin().await?;
        let inserted = insert(transaction.connection()?, key).await?;
        transaction.commit().await?;
        Ok(inserted)
    }

    async fn set_configured_key(&self, key: &ApiKeyRecord) -> Result<Inserted, StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut transaction = self.writer.begin().await?;
        let connection = transaction.connection()?;
        retire(connection, key.origin, key.created_at).await?;
        if insert(connection, key).await? == Inserted::Exists {
            // It was live a moment ago, or the operator set a retired one again.
            let again = sqlx::query(
                "UPDATE api_keys SET revoked_at = NULL WHERE key_hash = ? AND origin = ?",
            )
            .bind(key.key_hash.0.as_slice())
            .bind(key.origin.as_str())
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
            if again.rows_affected() == 0 {
                return Ok(Inserted::Exists);
            }
        }
        transaction.commit().await?;
        Ok(Inserted::Yes)
    }

    async fn retire_api_keys(&self, origin: ApiKeyOrigin, at: Timestamp) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut transaction = self.writer.begin().await?;
        retire(transaction.connection()?, origin, at).await?;
        transaction.commit().await
    }

    async fn revoke_api_key(&self, key_hash: &Hash32, at: Timestamp) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut transaction = self.writer.begin().await?;
        sqlx::query("UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?) WHERE key_hash = ?")
            .bind(at.as_micros())
            .bind(key_hash.0.as_slice())
            .execute(transaction.connection()?)
            .await
            .map_err(store_error)?;
        transaction.commit().await
    }

    async fn touch_api_keys(&self, used: &[(Hash32, Timestamp)]) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::WriteApiKey);
        let mut transaction = self.writer.begin().await?;
        for (key_hash, at) in used {
            sqlx::query("UPDATE api_keys SET last_used_at = ? WHERE key_hash = ?")
                .bind(at.as_micros())
                .bind(key_hash.0.as_slice())
                .execute(transaction.connection()?)
                .await
                .map_err(store_error)?;
        }
        transaction.commit().await
    }

    async fn count_active_api_keys(&self) -> Result<u64, StoreError> {
        let _measured = self.measure(DbOperation::ReadApiKey);
        let mut reader = self.reader().await?;
        let count = sqlx::query("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL")
            .fetch_one(&mut *reader)
            .await
            .map_err(store_error)?;
        let count: i64 = count.try_get(0).map_err(store_error)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

async fn retire(
    connection: &mut SqliteConnection,
    origin: ApiKeyOrigin,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE api_keys SET revoked_at = ? WHERE origin = ? AND revoked_at IS NULL")
        .bind(at.as_micros())
        .bind(origin.as_str())
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

async fn insert(
    connection: &mut SqliteConnection,
    key: &ApiKeyRecord,
) -> Result<Inserted, StoreError> {
    let stores = row::store_ids(&key.store_ids)?;
    let done = sqlx::query(
        "INSERT INTO api_keys (key_hash, key_prefix, tenant_id, store_ids, can_read, can_write,
            can_admin, agent_id, rate_limit, origin, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(key.key_hash.0.as_slice())
    .bind(&key.key_prefix)
    .bind(key.tenant_id.as_bytes().as_slice())
    .bind(stores)
    .bind(key.read)
    .bind(key.write)
    .bind(key.admin)
    .bind(key.agent_id.map(|id| id.as_bytes().to_vec()))
    .bind(key.rate_limit)
    .bind(key.origin.as_str())
    .bind(key.created_at.as_micros())
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(if done.rows_affected() == 0 { Inserted::Exists } else { Inserted::Yes })
}
