//! Sealed batches, their trees, and what is not sealed yet.

use async_trait::async_trait;
use catalog::label::DbOperation;
use uuid::Uuid;
use ves::merkle::Tile;
use ves::{Commitment, Stream, Timestamp};

use super::super::{Backlog, CommitmentLog, Fence, Sealed, StoreError, row};
use super::rows::bound;
use super::{PostgresStore, retrying, store_error};

/// Writes a commitment and its tree if it continues the chain where it ends now, and whoever seals
/// still holds the lease it sealed under.
const SEAL: &str = "
    WITH fence AS MATERIALIZED (
        SELECT epoch FROM leases WHERE name = $13 AND epoch = $14 FOR SHARE
    ), moved AS (
        UPDATE streams SET committed_sequence = $4
        WHERE tenant_id = $1 AND store_id = $2 AND committed_sequence = $3 - 1
            AND head_sequence >= $4 AND ($13::text IS NULL OR EXISTS (SELECT 1 FROM fence))
        RETURNING tenant_id, store_id
    ), sealed AS (
        INSERT INTO commitments (tenant_id, store_id, sequence_start, sequence_end, batch_id,
            merkle_root, prev_state_root, new_state_root, committed_at)
        SELECT tenant_id, store_id, $3, $4, $5, $6, $7, $8, $9 FROM moved
        RETURNING 1
    ), tree AS (
        INSERT INTO tree_tiles (tenant_id, store_id, sequence_start, band, tile, hashes)
        SELECT m.tenant_id, m.store_id, $3, t.band, t.tile, t.hashes
        FROM moved m, unnest($10::int8[], $11::int8[], $12::bytea[]) AS t (band, tile, hashes)
    )
    SELECT count(*) FROM sealed";

#[async_trait]
impl CommitmentLog for PostgresStore {
    async fn seal(
        &self,
        commitment: &Commitment,
        tiles: &[Tile],
        fence: Option<Fence>,
    ) -> Result<Sealed, StoreError> {
        let _measured = self.measure(DbOperation::WriteCommitment);
        let mut connection = self.connection().await?;
        let bands: Vec<i64> = tiles.iter().map(|tile| tile.band.into()).collect();
        let places: Vec<i64> = tiles.iter().map(|tile| bound(tile.index)).collect();
        let hashes: Vec<Vec<u8>> =
            tiles.iter().map(|tile| tile.hashes.iter().flat_map(|hash| hash.0).collect()).collect();
        let sealed: i64 = retrying!(
            sqlx::query_scalar(SEAL)
                .bind(commitment.tenant_id)
                .bind(commitment.store_id)
                .bind(bound(commitment.sequence_start))
                .bind(bound(commitment.sequence_end))
                .bind(commitment.batch_id)
                .bind(commitment.merkle_root.0)
                .bind(commitment.prev_state_root.0)
                .bind(commitment.new_state_root.0)
                .bind(commitment.committed_at.as_micros())
                .bind(&bands)
                .bind(&places)
                .bind(&hashes)
                .bind(fence.map(|fence| fence.lease))
                .bind(fence.map(|fence| bound(fence.epoch)))
                .fetch_one(&mut *connection)
        )?;
        Ok(if sealed == 1 { Sealed::Stored } else { Sealed::ChainMoved })
    }

    async fn commitment(&self, batch_id: Uuid) -> Result<Option<Commitment>, StoreError> {
        let _measured = self.measure(DbOperation::ReadCommitments);
        let mut connection = self.connection().await?;
        let found = sqlx::query("SELECT * FROM commitments WHERE batch_id = $1")
            .bind(batch_id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(store_error)?;
        found.as_ref().map(row::commitment).transpose()
    }

    async fn commitment_of(
        &self,
        stream: Stream,
        sequence_number: u64,
    ) -> Result<Option<Commitment>, StoreError> {
        let found = self.read_commitments(stream, sequence_number, 1, true).await?.pop();
        Ok(found.filter(|commitment| commitment.sequence_end >= sequence_number))
    }

    async fn commitments(
        &self,
        stream: Stream,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Commitment>, StoreError> {
        self.read_commitments(stream, from, limit, false).await
    }

    async fn last_commitment(&self, stream: Stream) -> Result<Option<Commitment>, StoreError> {
        Ok(self.read_commitments(stream, u64::MAX, 1, true).await?.pop())
    }

    async fn tiles(&self, batch_id: Uuid, wanted: &[(u32, u64)]) -> Result<Vec<Tile>, StoreError> {
        let _measured = self.measure(DbOperation::ReadTiles);
        let mut connection = self.connection().await?;
        let bands: Vec<i64> = wanted.iter().map(|(band, _)| (*band).into()).collect();
        let places: Vec<i64> = wanted.iter().map(|(_, index)| bound(*index)).collect();
        let rows = sqlx::query(
            "SELECT t.band, t.tile, t.hashes FROM commitments c
             JOIN tree_tiles t ON t.tenant_id = c.tenant_id AND t.store_id = c.store_id
                AND t.sequence_start = c.sequence_start
             JOIN unnest($2::int8[], $3::int8[]) AS n (band, tile)
                ON t.band = n.band AND t.tile = n.tile
             WHERE c.batch_id = $1",
        )
        .bind(batch_id)
        .bind(bands)
        .bind(places)
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        let tile = |row| -> Result<Tile, StoreError> {
            let (band, index) = (row::integer(row, "band")?, row::integer(row, "tile")?);
            Ok(Tile { band, index, hashes: row::hashes(row)? })
        };
        let found: Vec<Tile> = rows.iter().map(tile).collect::<Result<_, _>>()?;
        let mut tiles = Vec::with_capacity(wanted.len());
        for (band, index) in wanted {
            let tile = found.iter().find(|tile| (tile.band, tile.index) == (*band, *index));
            tiles.push(
                tile.cloned().ok_or_else(|| {
                    StoreError::Corrupt(format!("tile {band}/{index} is missing"))
                })?,
            );
        }
        Ok(tiles)
    }

    async fn backlog(&self, limit: u32) -> Result<Vec<Backlog>, StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let mut connection = self.connection().await?;
        let rows = sqlx::query(
            "SELECT s.tenant_id, s.store_id, s.committed_sequence, s.head_sequence, e.sequenced_at
             FROM streams s JOIN events e ON e.tenant_id = s.tenant_id AND e.store_id = s.store_id
                AND e.sequence_number = s.committed_sequence + 1
             WHERE s.head_sequence > s.committed_sequence ORDER BY e.sequenced_at LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        rows.iter().map(row::backlog).collect()
    }

    async fn backlog_total(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let mut connection = self.connection().await?;
        let found = sqlx::query(
            "SELECT COALESCE(sum(s.head_sequence - s.committed_sequence), 0)::int8 AS events,
                min(e.sequenced_at) AS oldest
             FROM streams s JOIN events e ON e.tenant_id = s.tenant_id AND e.store_id = s.store_id
                AND e.sequence_number = s.committed_sequence + 1
             WHERE s.head_sequence > s.committed_sequence",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(store_error)?;
        Ok((row::integer(&found, "events")?, row::optional_time(&found, "oldest")?))
    }
}

impl PostgresStore {
    /// Commitments of a stream whose start is at least `from`, ascending; or, with `descending`,
    /// at most `from`, descending.
    async fn read_commitments(
        &self,
        stream: Stream,
        from: u64,
        limit: u32,
        descending: bool,
    ) -> Result<Vec<Commitment>, StoreError> {
        let _measured = self.measure(DbOperation::ReadCommitments);
        let mut connection = self.connection().await?;
        let sql = if descending {
            "SELECT * FROM commitments WHERE tenant_id = $1 AND store_id = $2
                AND sequence_start <= $3 ORDER BY sequence_start DESC LIMIT $4"
        } else {
            "SELECT * FROM commitments WHERE tenant_id = $1 AND store_id = $2
                AND sequence_start >= $3 ORDER BY sequence_start LIMIT $4"
        };
        let rows = sqlx::query(sql)
            .bind(stream.tenant_id)
            .bind(stream.store_id)
            .bind(bound(from))
            .bind(i64::from(limit))
            .fetch_all(&mut *connection)
            .await
            .map_err(store_error)?;
        rows.iter().map(row::commitment).collect()
    }
}
