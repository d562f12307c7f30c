//! Agents' signing keys and the sequencer's own keys.

use async_trait::async_trait;
use catalog::label::DbOperation;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;
use ves::Timestamp;

use super::super::{AgentKeyRecord, Inserted, KeyRegistry, SequencerKey, StoreError, row};
use super::{ATTEMPTS, PostgresStore, retrying, store_error};

#[async_trait]
impl KeyRegistry for PostgresStore {
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
        let _measured = self.measure(DbOperation::WriteAgentKey);
        let mut connection = self.connection().await?;
        retrying!(insert_agent_key(&mut connection, key))
    }

    async fn rotate_agent_key(
        &self,
        key: &AgentKeyRecord,
        ends_at: Timestamp,
    ) -> Result<Inserted, StoreError> {
        let _measured = self.measure(DbOperation::WriteAgentKey);
        let mut connection = self.connection().await?;
        retrying!(rotate(&mut connection, key, ends_at))
    }

    async fn revoke_agent_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
        at: Timestamp,
    ) -> Result<Option<AgentKeyRecord>, StoreError> {
        let measured = self.measure(DbOperation::WriteAgentKey);
        let mut connection = self.connection().await?;
        retrying!(revoke(&mut connection, (tenant_id, agent_id, key_id), at))?;
        drop((measured, connection));
        Ok(self.read_agent_keys(tenant_id, agent_id, Some(key_id)).await?.pop())
    }

    async fn sequencer_id(&self, proposed: Uuid) -> Result<Uuid, StoreError> {
        let mut connection = self.connection().await?;
        let found = retrying!(
            sqlx::query(
                "INSERT INTO meta (name, value) VALUES ('sequencer_id', $1)
                 ON CONFLICT (name) DO UPDATE SET value = meta.value RETURNING value",
            )
            .bind(proposed.as_bytes().as_slice())
            .fetch_one(&mut *connection)
        )?;
        row::uuid(&found, "value")
    }

    async fn set_sequencer_key(
        &self,
        public_key: &[u8; 32],
        now: Timestamp,
    ) -> Result<Vec<SequencerKey>, StoreError> {
        let mut connection = self.connection().await?;
        for _ in 0..ATTEMPTS {
            let keys = all_sequencer_keys(&mut connection).await?;
            let last = keys.last();
            if last.is_some_and(|last| last.public_key == *public_key) {
                return Ok(keys);
            }
            // A replica that starts at the same time may have taken the version: look again.
            let next = last.map_or(1, |last| last.version + 1);
            retrying!(
                sqlx::query(
                    "WITH added AS (
                        INSERT INTO sequencer_keys (version, public_key, valid_from)
                        VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING RETURNING version
                     )
                     UPDATE sequencer_keys SET valid_to = $3
                     WHERE valid_to IS NULL AND EXISTS (SELECT 1 FROM added)",
                )
                .bind(i64::from(next))
                .bind(public_key)
                .bind(now.as_micros())
                .execute(&mut *connection)
            )?;
        }
        Err(StoreError::Failed(anyhow::anyhow!("replicas with other receipt keys keep starting")))
    }

    async fn sequencer_keys(&self) -> Result<Vec<SequencerKey>, StoreError> {
        all_sequencer_keys(&mut *self.connection().await?).await
    }
}

impl PostgresStore {
    /// Keys of an agent, or only the one with this id.
    async fn read_agent_keys(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: Option<u32>,
    ) -> Result<Vec<AgentKeyRecord>, StoreError> {
        let _measured = self.measure(DbOperation::ReadAgentKey);
        let mut connection = self.connection().await?;
        let (first, last) = key_id.map_or((0, u32::MAX), |id| (id, id));
        let rows = sqlx::query(
            "SELECT * FROM agent_keys WHERE tenant_id = $1 AND agent_id = $2
                AND key_id BETWEEN $3 AND $4 ORDER BY key_id",
        )
        .bind(tenant_id)
        .bind(agent_id)
        .bind(i64::from(first))
        .bind(i64::from(last))
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        rows.iter().map(row::agent_key).collect()
    }
}

/// Before a key of a tenant ends: waits for the group commits under way on the tenant's streams,
/// keeps further ones waiting, and begins an epoch, so that no process numbers an event on the
/// window that it remembers. Streams before keys, in the order of the group commits.
const BEGIN_EPOCH: &str = "
    WITH locked AS MATERIALIZED (
        SELECT store_id FROM streams WHERE tenant_id = $1 ORDER BY store_id FOR UPDATE
    )
    UPDATE streams s SET key_epoch = s.key_epoch + 1
    FROM locked WHERE s.tenant_id = $1 AND s.store_id = locked.store_id";

/// Ends a key after every event that was accepted, whatever the clocks of the replicas say.
///
/// The lock on the key waits for the group commits that begin a stream. The time is read after
/// that, by a statement of its own, so it sees what they wrote.
async fn revoke(
    connection: &mut PgConnection,
    (tenant_id, agent_id, key_id): (Uuid, Uuid, u32),
    at: Timestamp,
) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    sqlx::query(BEGIN_EPOCH).bind(tenant_id).execute(&mut *transaction).await?;
    lock_agent_keys(&mut transaction, tenant_id, agent_id).await?;
    // A second revocation keeps the time of the first: history was judged by it.
    sqlx::query(
        "UPDATE agent_keys SET status = 'revoked', revoked_at = COALESCE(revoked_at, greatest($4,
            1 + (SELECT max(updated_at) FROM streams WHERE tenant_id = $1)))
         WHERE tenant_id = $1 AND agent_id = $2 AND key_id = $3",
    )
    .bind(tenant_id)
    .bind(agent_id)
    .bind(i64::from(key_id))
    .bind(at.as_micros())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Registers a key and ends the agent's older active ones, unless they end sooner.
async fn rotate(
    connection: &mut PgConnection,
    key: &AgentKeyRecord,
    ends_at: Timestamp,
) -> sqlx::Result<Inserted> {
    let mut transaction = connection.begin().await?;
    sqlx::query(BEGIN_EPOCH).bind(key.tenant_id).execute(&mut *transaction).await?;
    lock_agent_keys(&mut transaction, key.tenant_id, key.agent_id).await?;
    if insert_agent_key(&mut transaction, key).await? == Inserted::Exists {
        transaction.rollback().await?;
        return Ok(Inserted::Exists);
    }
    // The outer greatest() keeps the window well formed for a key that was not yet valid.
    sqlx::query(
        "UPDATE agent_keys k
         SET valid_to = greatest(least(k.valid_to, t.ends_at), k.valid_from)
         FROM (SELECT greatest($4, max(updated_at)) AS ends_at FROM streams
            WHERE tenant_id = $1) t
         WHERE k.tenant_id = $1 AND k.agent_id = $2 AND k.key_id < $3 AND k.status = 'active'
            AND (k.valid_to IS NULL OR k.valid_to > t.ends_at)",
    )
    .bind(key.tenant_id)
    .bind(key.agent_id)
    .bind(i64::from(key.key_id))
    .bind(ends_at.as_micros())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Inserted::Yes)
}

async fn lock_agent_keys(
    connection: &mut PgConnection,
    tenant_id: Uuid,
    agent_id: Uuid,
) -> sqlx::Result<()> {
    let sql = "SELECT key_id FROM agent_keys WHERE tenant_id = $1 AND agent_id = $2
        ORDER BY key_id FOR UPDATE";
    sqlx::query(sql).bind(tenant_id).bind(agent_id).execute(connection).await.map(|_| ())
}

async fn insert_agent_key(
    connection: &mut PgConnection,
    key: &AgentKeyRecord,
) -> sqlx::Result<Inserted> {
    let done = sqlx::query(
        "INSERT INTO agent_keys (tenant_id, agent_id, key_id, algorithm, public_key, status,
            valid_from, valid_to, created_at)
         VALUES ($1, $2, $3, $4, $5, 'active', $6, $7, $8)
         ON CONFLICT (tenant_id, agent_id, key_id) DO NOTHING",
    )
    .bind(key.tenant_id)
    .bind(key.agent_id)
    .bind(i64::from(key.key_id))
    .bind(i64::from(key.algorithm))
    .bind(key.public_key)
    .bind(key.window.valid_from.map(Timestamp::as_micros))
    .bind(key.window.valid_to.map(Timestamp::as_micros))
    .bind(key.created_at.as_micros())
    .execute(connection)
    .await?;
    Ok(if done.rows_affected() == 0 { Inserted::Exists } else { Inserted::Yes })
}

async fn all_sequencer_keys(
    connection: &mut PgConnection,
) -> Result<Vec<SequencerKey>, StoreError> {
    let rows = sqlx::query("SELECT * FROM sequencer_keys ORDER BY version")
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter().map(row::sequencer_key).collect()
}
