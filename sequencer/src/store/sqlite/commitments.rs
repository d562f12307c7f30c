//! Sealed batches, their trees, and what is not sealed yet.

use async_trait::async_trait;
use catalog::label::DbOperation;
use uuid::Uuid;
use ves::merkle::Tile;
use ves::{Commitment, Stream, Timestamp};

use super::super::row;
use super::super::{Backlog, CommitmentLog, Fence, Sealed, StoreError};
use super::events::{bound, stream_row};
use super::{SqliteStore, store_error};

#[async_trait]
impl CommitmentLog for SqliteStore {
    async fn seal(
        &self,
        commitment: &Commitment,
        tiles: &[Tile],
        _: Option<Fence>,
    ) -> Result<Sealed, StoreError> {
        let _measured = self.measure(DbOperation::WriteCommitment);
        let stream = Stream { tenant_id: commitment.tenant_id, store_id: commitment.store_id };
        let mut transaction = self.writer.begin().await?;
        let connection = transaction.connection()?;
        // The chain continues at the end that this transaction sees, or not at all.
        let found = stream_row(connection, stream).await?;
        let fits = found.as_ref().is_some_and(|found| {
            found.committed_sequence + 1 == commitment.sequence_start
                && commitment.sequence_end <= found.head_sequence
        });
        let Some(found) = found.filter(|_| fits) else {
            transaction.rollback().await?;
            return Ok(Sealed::ChainMoved);
        };
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO commitments (batch_id, stream, sequence_start, sequence_end, merkle_root,
                prev_state_root, new_state_root, committed_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(commitment.batch_id.as_bytes().as_slice())
        .bind(found.id)
        .bind(bound(commitment.sequence_start))
        .bind(bound(commitment.sequence_end))
        .bind(commitment.merkle_root.0.as_slice())
        .bind(commitment.prev_state_root.0.as_slice())
        .bind(commitment.new_state_root.0.as_slice())
        .bind(commitment.committed_at.as_micros())
        .fetch_one(&mut *connection)
        .await
        .map_err(store_error)?;
        for tile in tiles {
            let hashes: Vec<u8> = tile.hashes.iter().flat_map(|hash| hash.0).collect();
            sqlx::query(
                "INSERT INTO tree_tiles (commitment, band, tile, hashes) VALUES (?, ?, ?, ?)",
            )
            .bind(id)
            .bind(tile.band)
            .bind(bound(tile.index))
            .bind(hashes)
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
        }
        sqlx::query("UPDATE streams SET committed_sequence = ? WHERE id = ?")
            .bind(bound(commitment.sequence_end))
            .bind(found.id)
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
        transaction.commit().await?;
        Ok(Sealed::Stored)
    }

    async fn commitment(&self, batch_id: Uuid) -> Result<Option<Commitment>, StoreError> {
        let _measured = self.measure(DbOperation::ReadCommitments);
        let mut reader = self.reader().await?;
        let found = sqlx::query(
            "SELECT c.*, s.tenant_id, s.store_id
             FROM commitments c JOIN streams s ON s.id = c.stream WHERE c.batch_id = ?",
        )
        .bind(batch_id.as_bytes().as_slice())
        .fetch_optional(&mut *reader)
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
        let mut reader = self.reader().await?;
        let mut tiles = Vec::with_capacity(wanted.len());
        for &(band, index) in wanted {
            let found = sqlx::query(
                "SELECT t.hashes FROM commitments c JOIN tree_tiles t ON t.commitment = c.id
                 WHERE c.batch_id = ? AND t.band = ? AND t.tile = ?",
            )
            .bind(batch_id.as_bytes().as_slice())
            .bind(band)
            .bind(bound(index))
            .fetch_optional(&mut *reader)
            .await
            .map_err(store_error)?;
            let Some(found) = found else {
                return Err(StoreError::Corrupt(format!("tile {band}/{index} is missing")));
            };
            tiles.push(Tile { band, index, hashes: row::hashes(&found)? });
        }
        Ok(tiles)
    }

    async fn backlog(&self, limit: u32) -> Result<Vec<Backlog>, StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let mut reader = self.reader().await?;
        let rows = sqlx::query(
            "SELECT s.tenant_id, s.store_id, s.committed_sequence, s.head_sequence, e.sequenced_at
             FROM streams s JOIN events e ON e.stream = s.id
                AND e.sequence_number = s.committed_sequence + 1
             WHERE s.head_sequence > s.committed_sequence ORDER BY e.sequenced_at LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&mut *reader)
        .await
        .map_err(store_error)?;
        rows.iter().map(row::backlog).collect()
    }

    async fn backlog_total(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        let _measured = self.measure(DbOperation::ReadHead);
        let mut reader = self.reader().await?;
        let found = sqlx::query(
            "SELECT COALESCE(sum(s.head_sequence - s.committed_sequence), 0) AS events,
                min(e.sequenced_at) AS oldest
             FROM streams s JOIN events e ON e.stream = s.id
                AND e.sequence_number = s.committed_sequence + 1
             WHERE s.head_sequence > s.committed_sequence",
        )
        .fetch_one(&mut *reader)
        .await
        .map_err(store_error)?;
        Ok((row::integer(&found, "events")?, row::optional_time(&found, "oldest")?))
    }
}

impl SqliteStore {
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
        let mut reader = self.reader().await?;
        let sql = if descending {
            "SELECT c.*, s.tenant_id, s.store_id
             FROM streams s JOIN commitments c ON c.stream = s.id
             WHERE s.tenant_id = ? AND s.store_id = ? AND c.sequence_start <= ?
             ORDER BY c.sequence_start DESC LIMIT ?"
        } else {
            "SELECT c.*, s.tenant_id, s.store_id
             FROM streams s JOIN commitments c ON c.stream = s.id
             WHERE s.tenant_id = ? AND s.store_id = ? AND c.sequence_start >= ?
             ORDER BY c.sequence_start LIMIT ?"
        };
        let rows = sqlx::query(sql)
            .bind(stream.tenant_id.as_bytes().as_slice())
            .bind(stream.store_id.as_bytes().as_slice())
            .bind(bound(from))
            .bind(limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(row::commitment).collect()
    }
}
