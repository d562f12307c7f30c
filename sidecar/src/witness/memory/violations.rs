//! Violations as they are kept: found once, open until somebody acknowledges them.

use anyhow::{Context as _, ensure};
use serde::Serialize;
use sqlx::Row as _;
use ves::{Hash32, Stream, Timestamp};

use super::{Memory, integer, number, read_stream, stream_bytes};

/// Most open violations; beyond, findings are only counted.
pub(in super::super) const MAX_OPEN: usize = 1_000;
/// Most evidence files, of open and ended violations.
pub(in super::super) const MAX_EVIDENCE: i64 = 1_000;
/// Most ended violations that are kept; the oldest go first.
const MAX_ENDED: i64 = 10_000;

/// A violation as it is kept.
#[derive(Clone, Debug, Serialize)]
pub(in super::super) struct Row {
    /// Its name.
    pub(in super::super) id: String,
    pub(in super::super) kind: String,
    #[serde(flatten)]
    pub(in super::super) stream: Option<Stream>,
    pub(in super::super) sequence_number: Option<u64>,
    pub(in super::super) detail: String,
    /// File below the state folder.
    pub(in super::super) evidence: Option<String>,
    pub(in super::super) since: Timestamp,
    #[serde(flatten)]
    pub(in super::super) ended: Option<Ended>,
}

/// How it ended.
#[derive(Clone, Debug, Serialize)]
pub(in super::super) struct Ended {
    pub(in super::super) ended_at: Timestamp,
    pub(in super::super) ended_by: String,
    pub(in super::super) reason: String,
}

/// Where and what, to tell one finding from another.
pub(in super::super) struct Found<'a> {
    pub(in super::super) kind: &'a str,
    pub(in super::super) stream: Option<Stream>,
    pub(in super::super) sequence_number: Option<u64>,
    /// Of what was seen: an acknowledged violation that looks otherwise now is a new one.
    pub(in super::super) digest: Hash32,
}

/// What became of a new violation.
#[derive(Debug, Eq, PartialEq)]
pub(in super::super) enum Written {
    /// It is kept.
    Kept,
    /// Too many are open.
    TooMany,
}

fn place(stream: Option<Stream>) -> Vec<u8> {
    stream.map(stream_bytes).unwrap_or_default()
}

fn at(sequence_number: Option<u64>) -> i64 {
    sequence_number.map_or(-1, integer)
}

impl Memory {
    /// Whether this was found before and is open, or was acknowledged as it looks now.
    ///
    /// That a stream is shorter or another one than before is one violation, wherever it shows: a
    /// log that grows again after a restore would open a new one with every event. And between its
    /// acknowledgement and the stream's new beginning nothing of it is news.
    pub(in super::super) async fn is_known(&self, found: &Found<'_>) -> sqlx::Result<bool> {
        let of_the_whole = matches!(found.kind, "rollback" | "rewritten");
        let known = sqlx::query(
            "UPDATE violations SET last_found = ?1 WHERE stream = ?2 AND CASE WHEN ?6 THEN
                (kind = ?4 AND ended_at IS NULL) OR (kind IN ('rollback', 'rewritten')
                    AND ((ended_at IS NOT NULL AND adopted = 0) OR (number = ?3 AND kind = ?4
                        AND standing = 1 AND digest = ?5)))
                ELSE number = ?3 AND kind = ?4
                    AND (ended_at IS NULL OR (standing = 1 AND digest = ?5)) END",
        )
        .bind(crate::clock::now().as_micros())
        .bind(place(found.stream))
        .bind(at(found.sequence_number))
        .bind(found.kind)
        .bind(found.digest.0.as_slice())
        .bind(of_the_whole)
        .execute(&mut *self.connection().await)
        .await?;
        Ok(known.rows_affected() > 0)
    }

    /// Keeps a new violation.
    pub(in super::super) async fn keep(&self, row: &Row, digest: Hash32) -> sqlx::Result<Written> {
        let mut connection = self.connection().await;
        let open: i64 =
            sqlx::query_scalar("SELECT count(*) FROM violations WHERE ended_at IS NULL")
                .fetch_one(&mut *connection)
                .await?;
        if usize::try_from(open).unwrap_or(0) >= MAX_OPEN {
            return Ok(Written::TooMany);
        }
        sqlx::query(
            "INSERT INTO violations (id, kind, stream, number, digest, detail, evidence, since,
                last_found) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.id)
        .bind(&row.kind)
        .bind(place(row.stream))
        .bind(at(row.sequence_number))
        .bind(digest.0.as_slice())
        .bind(&row.detail)
        .bind(&row.evidence)
        .bind(row.since.as_micros())
        .bind(row.since.as_micros())
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "DELETE FROM violations WHERE id IN (SELECT id FROM violations
                WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT -1 OFFSET ?)",
        )
        .bind(MAX_ENDED)
        .execute(&mut *connection)
        .await?;
        Ok(Written::Kept)
    }

    /// How many evidence files there are.
    pub(in super::super) async fn evidence_count(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM violations WHERE evidence IS NOT NULL")
            .fetch_one(&mut *self.connection().await)
            .await
    }

    /// Open ones, newest first; with the ended ones when all are wanted.
    pub(in super::super) async fn violations(&self, all: bool) -> sqlx::Result<Vec<Row>> {
        let sql = if all {
            "SELECT * FROM violations ORDER BY since DESC, id"
        } else {
            "SELECT * FROM violations WHERE ended_at IS NULL ORDER BY since DESC, id"
        };
        let rows = sqlx::query(sql).fetch_all(&mut *self.connection().await).await?;
        Ok(rows.iter().map(read).collect())
    }

    /// Ends an open violation.
    ///
    /// # Errors
    /// No violation has this name, or it has ended already.
    pub(in super::super) async fn acknowledge(
        &self,
        id: &str,
        reason: &str,
        user: &str,
    ) -> anyhow::Result<Row> {
        let mut connection = self.connection().await;
        let ended = sqlx::query(
            "UPDATE violations SET ended_at = ?, ended_by = ?, reason = ?
             WHERE id = ? AND ended_at IS NULL",
        )
        .bind(crate::clock::now().as_micros())
        .bind(user)
        .bind(reason)
        .bind(id)
        .execute(&mut *connection)
        .await
        .context("the witness's memory cannot be written")?;
        let row = sqlx::query("SELECT * FROM violations WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
        let row = row.as_ref().map(read);
        let row = row.with_context(|| format!("there is no violation {id}"))?;
        ensure!(ended.rows_affected() == 1, "violation {id} was acknowledged before");
        Ok(row)
    }

    /// Streams that are to be begun again, because how they were rewritten or rolled back has been
    /// acknowledged and nothing of that kind is open any more.
    pub(in super::super) async fn to_adopt(&self) -> sqlx::Result<Vec<Stream>> {
        let rows = sqlx::query(
            "SELECT DISTINCT stream FROM violations v WHERE ended_at IS NOT NULL AND adopted = 0
                AND kind IN ('rollback', 'rewritten') AND NOT EXISTS (SELECT 1 FROM violations o
                WHERE o.stream = v.stream AND o.ended_at IS NULL
                AND o.kind IN ('rollback', 'rewritten'))",
        )
        .fetch_all(&mut *self.connection().await)
        .await?;
        Ok(rows.iter().filter_map(|row| read_stream(row.get("stream"))).collect())
    }

    /// Notes that a stream was begun again.
    pub(in super::super) async fn adopted(&self, stream: Stream) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE violations SET adopted = 1, standing = 0
             WHERE stream = ? AND ended_at IS NOT NULL AND kind IN ('rollback', 'rewritten')",
        )
        .bind(stream_bytes(stream))
        .execute(&mut *self.connection().await)
        .await?;
        Ok(())
    }

    /// What a whole pass over a stream did not find again has been mended: if it comes back, it is
    /// new.
    pub(in super::super) async fn mended(
        &self,
        stream: Stream,
        pass_started: Timestamp,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE violations SET standing = 0 WHERE stream = ? AND standing = 1
                AND ended_at IS NOT NULL AND last_found < ?",
        )
        .bind(stream_bytes(stream))
        .bind(pass_started.as_micros())
        .execute(&mut *self.connection().await)
        .await?;
        Ok(())
    }
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Row {
    let time = |column| row.get::<Option<i64>, _>(column).map(Timestamp::from_micros);
    let sequence_number: i64 = row.get("number");
    Row {
        id: row.get("id"),
        kind: row.get("kind"),
        stream: read_stream(row.get("stream")),
        sequence_number: (sequence_number >= 0).then(|| number(sequence_number)),
        detail: row.get("detail"),
        evidence: row.get("evidence"),
        since: time("since").unwrap_or(Timestamp::from_micros(0)),
        ended: time("ended_at").map(|ended_at| Ended {
            ended_at,
            ended_by: row.get::<Option<String>, _>("ended_by").unwrap_or_default(),
            reason: row.get::<Option<String>, _>("reason").unwrap_or_default(),
        }),
    }
}
