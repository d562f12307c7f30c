//! Work that one process does at a time.

use std::time::Duration;

use async_trait::async_trait;
use catalog::label::DbOperation;
use uuid::Uuid;

use super::super::{Fence, Leases, StoreError};
use super::{PostgresStore, retrying};

/// The database's clock in microseconds: the clocks of the replicas may differ.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::int8";

#[async_trait]
impl Leases for PostgresStore {
    async fn hold_lease(
        &self,
        lease: &'static str,
        owner: Uuid,
        term: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        let _measured = self.measure(DbOperation::HoldLease);
        let mut connection = self.connection().await?;
        // Its owner extends it; anybody takes it when it has ended, and begins an epoch. An end
        // that no holder can have asked for is from a clock that was set back since.
        let sql = format!(
            "INSERT INTO leases (name, owner, epoch, expires_at) VALUES ($1, $2, 1, {NOW} + $3)
             ON CONFLICT (name) DO UPDATE SET owner = $2, expires_at = {NOW} + $3,
                epoch = leases.epoch + CASE WHEN leases.owner = $2 THEN 0 ELSE 1 END
             WHERE leases.owner = $2
                OR leases.expires_at NOT BETWEEN {NOW} AND {NOW} + 2 * $3
             RETURNING epoch"
        );
        let micros = i64::try_from(term.as_micros()).unwrap_or(i64::MAX);
        let epoch: Option<i64> = retrying!(
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql.as_str()))
                .bind(lease)
                .bind(owner)
                .bind(micros)
                .fetch_optional(&mut *connection)
        )?;
        Ok(epoch.and_then(|epoch| u64::try_from(epoch).ok()).map(|epoch| Fence { lease, epoch }))
    }

    async fn end_lease(&self, lease: &'static str, owner: Uuid) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::HoldLease);
        let mut connection = self.connection().await?;
        retrying!(
            sqlx::query("UPDATE leases SET expires_at = 0 WHERE name = $1 AND owner = $2")
                .bind(lease)
                .bind(owner)
                .execute(&mut *connection)
        )?;
        Ok(())
    }
}
