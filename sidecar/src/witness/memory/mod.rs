//! What the witness remembers, in its own folder: checkpoints, marks, keys, violations.

mod folder;
mod violations;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sqlx::{Row as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;
use ves::{Hash32, Sig64, SigningKey, Stream, Timestamp};

use super::checkpoint::{Standing, Stored, Trail};

pub(super) use folder::SetAside;
pub(super) use violations::{Found, MAX_EVIDENCE, MAX_OPEN, Row, Written};

/// The folder and its database.
pub(super) struct Memory {
    folder: PathBuf,
    /// Signs checkpoints. It never leaves the folder.
    key: SigningKey,
    /// Held for one statement or one transaction.
    connection: Mutex<SqliteConnection>,
}

/// A checkpoint that was read.
pub(super) enum Remembered {
    /// There is none.
    Nothing,
    /// It is this witness's own word.
    Standing(Box<Standing>),
    /// It was not believed and is set aside.
    Refused(&'static str),
}

impl Memory {
    /// Opens the folder, makes what is missing, and sets aside what cannot be believed.
    ///
    /// # Errors
    /// A folder or a database that can be neither used nor set aside.
    pub(super) async fn open(folder: &Path) -> anyhow::Result<(Self, Vec<SetAside>)> {
        let opened = folder::open(folder).await;
        let (key, connection, aside) =
            opened.with_context(|| format!("cannot use SIDECAR_STATE_DIR {}", folder.display()))?;
        let folder = folder.to_owned();
        Ok((Self { folder, key, connection: Mutex::new(connection) }, aside))
    }

    /// Opens what a witness left or uses, and makes nothing.
    ///
    /// # Errors
    /// When there is nothing, or it cannot be read.
    pub(super) async fn open_existing(folder: &Path) -> anyhow::Result<Self> {
        let (key, connection) = folder::open_existing(folder).await?;
        Ok(Self { folder: folder.to_owned(), key, connection: Mutex::new(connection) })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    async fn connection(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().await
    }

    /// What is remembered of a stream. What is not believed is set aside: the next call finds
    /// nothing.
    pub(super) async fn recall(&self, stream: Stream) -> sqlx::Result<Remembered> {
        let row = sqlx::query("SELECT * FROM checkpoints WHERE stream = ?")
            .bind(stream_bytes(stream))
            .fetch_optional(&mut *self.connection().await)
            .await?;
        let Some(row) = row else { return Ok(Remembered::Nothing) };
        let opened = stored(stream, &row).ok_or("it cannot be read");
        match opened.and_then(|stored| stored.open(&self.key)) {
            Ok(standing) => Ok(Remembered::Standing(Box::new(standing))),
            Err(reason) => {
                let kept = format!("{:?}", stored(stream, &row));
                self.set_aside(stream, reason, &kept).await?;
                Ok(Remembered::Refused(reason))
            }
        }
    }

    async fn set_aside(&self, stream: Stream, reason: &str, kept: &str) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO set_aside (stream, at, reason, checkpoint) VALUES (?, ?, ?, ?)")
            .bind(stream_bytes(stream))
            .bind(crate::clock::now().as_micros())
            .bind(reason)
            .bind(kept)
            .execute(&mut *self.connection().await)
            .await?;
        self.forget(stream).await
    }

    /// Streams that are remembered, with their next numbers.
    pub(super) async fn streams(&self) -> sqlx::Result<Vec<(Stream, u64)>> {
        let rows = sqlx::query("SELECT stream, next FROM checkpoints ORDER BY stream")
            .fetch_all(&mut *self.connection().await)
            .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Some((read_stream(row.get("stream"))?, number(row.get("next"))))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Remembers how far a stream was verified, with new marks of its trail, in one transaction.
    pub(super) async fn save(
        &self,
        stored: &Stored,
        marks: &[(u64, Trail)],
        thinned: bool,
    ) -> sqlx::Result<()> {
        let mut connection = self.connection().await;
        let mut transaction = sqlx::Connection::begin(&mut *connection).await?;
        let stream = stream_bytes(stored.stream);
        sqlx::query("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&stream)
            .bind(integer(stored.next))
            .bind(stored.trail.0.as_slice())
            .bind(&stored.commitment)
            .bind(&stored.pending)
            .bind(integer(stored.forgotten))
            .bind(&stored.last)
            .bind(stored.last_time.map(Timestamp::as_micros))
            .bind(integer(stored.grid))
            .bind(stored.signature.0.as_slice())
            .execute(&mut *transaction)
            .await?;
        for (number, trail) in marks {
            sqlx::query("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)")
                .bind(&stream)
                .bind(integer(*number))
                .bind(trail.0.0.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        if thinned {
            sqlx::query("DELETE FROM marks WHERE stream = ? AND number % ? != 0")
                .bind(&stream)
                .bind(integer(stored.grid))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Signs what is to be remembered.
    pub(super) fn sign(&self, standing: &Standing) -> Stored {
        standing.stored(&self.key)
    }

    /// The marks of a stream, ascending; bounded by what [`Memory::save`] is given.
    pub(super) async fn marks(&self, stream: Stream) -> sqlx::Result<Vec<(u64, Trail)>> {
        let rows = sqlx::query("SELECT number, trail FROM marks WHERE stream = ? ORDER BY number")
            .bind(stream_bytes(stream))
            .fetch_all(&mut *self.connection().await)
            .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Some((number(row.get("number")), Trail(hash(row.get("trail"))?)))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Forgets how far a stream was verified: it is verified again from number 1.
    pub(super) async fn forget(&self, stream: Stream) -> sqlx::Result<()> {
        let mut connection = self.connection().await;
        let mut transaction = sqlx::Connection::begin(&mut *connection).await?;
        for sql in
            ["DELETE FROM checkpoints WHERE stream = ?", "DELETE FROM marks WHERE stream = ?"]
        {
            sqlx::query(sql).bind(stream_bytes(stream)).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// Receipt keys that were ever published.
    pub(super) async fn receipt_keys(&self) -> sqlx::Result<Vec<(u32, Hash32)>> {
        let rows = sqlx::query("SELECT version, public_key FROM receipt_keys")
            .fetch_all(&mut *self.connection().await)
            .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let version = u32::try_from(row.get::<i64, _>("version")).ok()?;
            Some((version, hash(row.get("public_key"))?))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Remembers a receipt key.
    pub(super) async fn keep_receipt_key(&self, version: u32, key: Hash32) -> sqlx::Result<()> {
        sqlx::query("INSERT OR IGNORE INTO receipt_keys VALUES (?, ?)")
            .bind(i64::from(version))
            .bind(key.0.as_slice())
            .execute(&mut *self.connection().await)
            .await?;
        Ok(())
    }
}

fn stored(stream: Stream, row: &sqlx::sqlite::SqliteRow) -> Option<Stored> {
    let signature: &[u8] = row.get("signature");
    Some(Stored {
        stream,
        next: number(row.get("next")),
        trail: hash(row.get("trail"))?,
        commitment: row.get("commitment"),
        pending: row.get("pending"),
        forgotten: number(row.get("forgotten")),
        last: row.get("last"),
        last_time: row.get::<Option<i64>, _>("last_time").map(Timestamp::from_micros),
        grid: number(row.get("grid")),
        signature: Sig64(signature.try_into().ok()?),
    })
}

fn stream_bytes(stream: Stream) -> Vec<u8> {
    [stream.tenant_id.as_bytes().as_slice(), stream.store_id.as_bytes()].concat()
}

fn read_stream(bytes: &[u8]) -> Option<Stream> {
    let (tenant_id, store_id) = bytes.split_at_checked(16)?;
    let id = |bytes| Uuid::from_slice(bytes).ok();
    Some(Stream { tenant_id: id(tenant_id)?, store_id: id(store_id)? })
}

fn hash(bytes: &[u8]) -> Option<Hash32> {
    bytes.try_into().ok().map(Hash32)
}

/// No number that is followed is above what a store can hold.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}
