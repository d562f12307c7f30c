//! What most systems do first: a transaction per request, ordered by one hot counter row.

use sequencer::store::{BatchOutcome, EventOutcome, Placement, PreparedBatch, StoreError};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use ves::Timestamp;

/// Connections of the pool; every request takes one for its transaction.
const CONNECTIONS: u32 = 10;

/// Prepared statements over the tables of the real store.
pub(crate) struct Naive {
    pool: PgPool,
}

impl Naive {
    pub(crate) async fn open(url: &str) -> Self {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await;
        Self { pool: pool.expect("the database takes connections") }
    }

    /// Each batch in a transaction of its own, all at once.
    pub(crate) async fn commit(
        &self,
        batches: &[PreparedBatch],
        now: Timestamp,
        key_version: u32,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        let transactions = batches.iter().map(|batch| self.transaction(batch, now, key_version));
        futures_util::future::try_join_all(transactions)
            .await
            .map_err(|error| StoreError::Failed(error.into()))
    }

    async fn transaction(
        &self,
        batch: &PreparedBatch,
        now: Timestamp,
        key_version: u32,
    ) -> sqlx::Result<BatchOutcome> {
        let mut transaction = self.pool.begin().await?;
        let count = batch.events.len() as u64;
        let head: i64 = sqlx::query_scalar(
            "INSERT INTO streams (tenant_id, store_id, head_sequence, updated_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, store_id) DO UPDATE
                SET head_sequence = streams.head_sequence + $3, updated_at = $4
             RETURNING head_sequence",
        )
        .bind(batch.stream.tenant_id)
        .bind(batch.stream.store_id)
        .bind(count.cast_signed())
        .bind(now.as_micros())
        .fetch_one(&mut *transaction)
        .await?;
        let head_sequence = head.cast_unsigned();
        let mut events = Vec::with_capacity(batch.events.len());
        for (prepared, sequence_number) in batch.events.iter().zip(head_sequence - count + 1..) {
            let event = &prepared.event;
            sqlx::query(
                "INSERT INTO events (tenant_id, store_id, sequence_number, sequenced_at,
                    entity_version, key_version, agent_key_id, payload_kind, event_id,
                    source_agent_id, payload_plain_hash, signing_hash, agent_signature, entity_type,
                    entity_id, event_type, created_at, payload)
                 VALUES ($1, $2, $3, $4, $3, $5, $6, 0, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                    $16)",
            )
            .bind(event.stream.tenant_id)
            .bind(event.stream.store_id)
            .bind(sequence_number.cast_signed())
            .bind(now.as_micros())
            .bind(i64::from(key_version))
            .bind(i64::from(event.agent_key_id))
            .bind(event.event_id)
            .bind(event.source_agent_id)
            .bind(event.payload_plain_hash.0)
            .bind(prepared.signing_hash.0)
            .bind(event.agent_signature.0)
            .bind(&event.entity_type)
            .bind(&event.entity_id)
            .bind(&event.event_type)
            .bind(&event.created_at)
            .bind(event.payload.as_str())
            .execute(&mut *transaction)
            .await?;
            let placement = Placement { sequence_number, sequenced_at: now, key_version };
            events.push(EventOutcome::Accepted(placement));
        }
        transaction.commit().await?;
        Ok(BatchOutcome { events, head_sequence })
    }
}
