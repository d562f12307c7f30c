//! Agents' signing keys and the sequencer's own keys.

use async_trait::async_trait;
use catalog::label::DbOperation;
use sqlx::SqliteConnection;
use uuid::Uuid;
use ves::Timestamp;

use super::super::row;
use super::super::{AgentKeyRecord, Inserted, KeyRegistry, SequencerKey, StoreError};
use super::{SqliteStore, store_error};

#[async_trait]
impl KeyRegistry for SqliteStore {
    async fn agent_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
    ) -> Result<Option<AgentKeyRecord>, StoreError> {
        Ok(self.read_agent_keys(tenant_id, agent_id, Some(key_id)).await?.pop())
    }

    async fn agent_keys(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
    ) -> Result<Vec<AgentKeyRecord>, StoreError> {
        self.read_agent_keys(tenant_id, agent_id, None).await
    }

    async fn insert_agent_key(&self, key: &AgentKeyRecord) -> Result<Inserted, StoreError> {
        self.write_agent_key(key, None).await
    }

    async fn rotate_agent_key(
        &self,
        key: &AgentKeyRecord,
        ends_at: Timestamp,
    ) -> Result<Inserted, StoreError> {
        self.write_agent_key(key, Some(ends_at)).await
    }

    async fn revoke_agent_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
        at: Timestamp,
    ) -> Result<Option<AgentKeyRecord>, StoreError> {
        let measured = self.measure(DbOperation::WriteAgentKey);
        let mut transaction = self.writer.begin().await?;
        transaction.known().forget_keys();
        // A second revocation keeps the time of the first: history was judged by it. And it is
        // after every event that was accepted, whatever the clock does.
        sqlx::query(
            "UPDATE agent_keys SET status = 'revoked', revoked_at = COALESCE(revoked_at, max(?1,
                1 + COALESCE((SELECT max(updated_at) FROM streams WHERE tenant_id = ?2), 0)))
             WHERE tenant_id = ?2 AND agent_id = ?3 AND key_id = ?4",
        )
        .bind(at.as_micros())
        .bind(tenant_id.as_bytes().as_slice())
        .bind(agent_id.as_bytes().as_slice())
        .bind(key_id)
        .execute(transaction.connection()?)
        .await
        .map_err(store_error)?;
        transaction.commit().await?;
        drop(measured);
        Ok(self.read_agent_keys(tenant_id, agent_id, Some(key_id)).await?.pop())
    }

    async fn sequencer_id(&self, proposed: Uuid) -> Result<Uuid, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let found = sqlx::query(
            "INSERT INTO meta (name, value) VALUES ('sequencer_id', ?)
             ON CONFLICT (name) DO UPDATE SET value = value RETURNING value",
        )
        .bind(proposed.as_bytes().as_slice())
        .fetch_one(transaction.connection()?)
        .await
        .map_err(store_error)?;
        let id = row::uuid(&found, "value")?;
        transaction.commit().await?;
        Ok(id)
    }

    async fn set_sequencer_key(
        &self,
        public_key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Vec<SequencerKey>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let connection = transaction.connection()?;
        let keys = all_sequencer_keys(connection).await?;
        let last = keys.last();
        if last.is_none_or(|last| last.public_key != *public_key) {
            sqlx::query("UPDATE sequencer_keys SET valid_to = ? WHERE valid_to IS NULL")
                .bind(now.as_micros())
                .execute(&mut *connection)
                .await
                .map_err(store_error)?;
            sqlx::query(
                "INSERT INTO sequencer_keys (version, public_key, valid_from) VALUES (?, ?, ?)",
            )
            .bind(last.map_or(1, |last| last.version + 1))
            .bind(public_key.as_slice())
            .bind(now.as_micros())
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
        }
        let keys = all_sequencer_keys(connection).await?;
        transaction.commit().await?;
        Ok(keys)
    }

    async fn sequencer_keys(&self) -> Result<Vec<SequencerKey>, StoreError> {
        all_sequencer_keys(&mut *self.reader().await?).await
    }
}

impl SqliteStore {
    /// Keys of an agent, or only the one with this id.
    async fn read_agent_keys(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: Option<u32>,
    ) -> Result<Vec<AgentKeyRecord>, StoreError> {
        let _measured = self.measure(DbOperation::ReadAgentKey);
        let mut reader = self.reader().await?;
        let (first, last) = key_id.map_or((0, u32::MAX), |id| (id, id));
        let rows = sqlx::query(
            "SELECT * FROM agent_keys WHERE tenant_id = ? AND agent_id = ?
             AND key_id BETWEEN ? AND ? ORDER BY key_id",
        )
        .bind(tenant_id.as_bytes().as_slice())
        .bind(agent_id.as_bytes().as_slice())
        .bind(first)
        .bind(last)
        .fetch_all(&mut *reader)
        .await
        .map_err(store_error)?;
        rows.iter().map(row::agent_key).collect()
    }

    /// Inserts a key; with `retire_at`, ends the agent's older active keys then, unless they end
    /// sooner.
    async fn write_agent_key(
        &self,
        key: &AgentKeyRecord,
        retire_at: Option<Timestamp>,
    ) -> Result<Inserted, StoreError> {
        let _measured = self.measure(DbOperation::WriteAgentKey);
        let mut transaction = self.writer.begin().await?;
        transaction.known().forget_keys();
        let connection = transaction.connection()?;
        if insert_agent_key(connection, key).await? == Inserted::Exists {
            transaction.rollback().await?;
            return Ok(Inserted::Exists);
        }
        if let Some(retire_at) = retire_at {
            // Not before an event that was accepted, whatever the clock does.
            let last: i64 = sqlx::query_scalar(
                "SELECT COALESCE(max(updated_at), 0) FROM streams WHERE tenant_id = ?",
            )
            .bind(key.tenant_id.as_bytes().as_slice())
            .fetch_one(&mut *connection)
            .await
            .map_err(store_error)?;
            // max() keeps the window well formed for a key that was not yet valid.
            sqlx::query(
                "UPDATE agent_keys
                 SET valid_to = max(min(COALESCE(valid_to, ?1), ?1), COALESCE(valid_from, ?1))
                 WHERE tenant_id = ?2 AND agent_id = ?3 AND key_id < ?4 AND status = 'active'
                    AND (valid_to IS NULL OR valid_to > ?1)",
            )
            .bind(retire_at.as_micros().max(last))
            .bind(key.tenant_id.as_bytes().as_slice())
            .bind(key.agent_id.as_bytes().as_slice())
            .bind(key.key_id)
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
        }
        transaction.commit().await?;
        Ok(Inserted::Yes)
    }
}

async fn insert_agent_key(
    connection: &mut SqliteConnection,
    key: &AgentKeyRecord,
) -> Result<Inserted, StoreError> {
    let done = sqlx::query(
        "INSERT INTO agent_keys (tenant_id, agent_id, key_id, algorithm, public_key, status,
            valid_from, valid_to, created_at)
         VALUES (?, ?, ?, ?, ?, 'active', ?, ?, ?)
         ON CONFLICT (tenant_id, agent_id, key_id) DO NOTHING",
    )
    .bind(key.tenant_id.as_bytes().as_slice())
    .bind(key.agent_id.as_bytes().as_slice())
    .bind(key.key_id)
    .bind(key.algorithm)
    .bind(key.public_key.as_slice())
    .bind(key.window.valid_from.map(Timestamp::as_micros))
    .bind(key.window.valid_to.map(Timestamp::as_micros))
    .bind(key.created_at.as_micros())
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(if done.rows_affected() == 0 { Inserted::Exists } else { Inserted::Yes })
}

async fn all_sequencer_keys(
    connection: &mut SqliteConnection,
) -> Result<Vec<SequencerKey>, StoreError> {
    let rows = sqlx::query("SELECT * FROM sequencer_keys ORDER BY version")
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter().map(row::sequencer_key).collect()
}
