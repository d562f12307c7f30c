//! The embedded store: SQLite in WAL mode with `synchronous=FULL`.
//!
//! One writer connection, used by one task at a time; a small pool of read-only connections that
//! never waits for the writer. The process owns the store by a file lock.

mod audit;
mod commit;
mod commitments;
mod credentials;
mod directory;
mod events;
mod keys;
mod lock;
mod open;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use catalog::SequencerMetrics;
use catalog::label::DbOperation;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};
use uuid::Uuid;

use super::measured::Measured;
use super::{DiskRoom, Fence, Leases, PoolStatus, Store, StoreError};
use writer::Writer;

pub use open::SqliteOptions;
pub(crate) use open::schema;

/// The embedded store.
pub struct SqliteStore {
    path: PathBuf,
    /// Owned by whoever holds its lock; never closed while the process lives.
    writer: Writer,
    readers: SqlitePool,
    metrics: Arc<SequencerMetrics>,
    /// Dropped last, when nothing touches the files any more.
    _lock: lock::StoreLock,
}

impl SqliteStore {
    /// A read-only connection; waiting for one is measured.
    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        let started = Instant::now();
        let connection = self.readers.acquire().await.map_err(store_error)?;
        self.metrics.db_pool_wait.observe(started.elapsed().as_secs_f64());
        Ok(connection)
    }

    /// Measures an operation from here until the guard is dropped.
    fn measure(&self, operation: DbOperation) -> Measured<'_> {
        Measured::start(&self.metrics, operation)
    }
}

/// The process owns the store by its file lock, and with it every lease.
#[async_trait]
impl Leases for SqliteStore {
    async fn hold_lease(
        &self,
        lease: &'static str,
        _: Uuid,
        _: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        Ok(Some(Fence { lease, epoch: 1 }))
    }

    async fn end_lease(&self, _: &'static str, _: Uuid) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let _measured = self.measure(DbOperation::Ping);
        let mut reader = self.reader().await?;
        sqlx::query("SELECT id FROM streams LIMIT 1")
            .fetch_optional(&mut *reader)
            .await
            .map(|_| ())
            .map_err(store_error)
    }

    fn pool_status(&self) -> PoolStatus {
        let idle = u32::try_from(self.readers.num_idle()).unwrap_or(u32::MAX);
        let open = self.readers.size();
        let writing = u32::from(self.writer.is_busy());
        PoolStatus {
            active: open.saturating_sub(idle) + writing,
            idle: idle + 1 - writing,
            max: self.readers.options().get_max_connections() + 1,
        }
    }

    fn disk_room(&self) -> Option<DiskRoom> {
        disk_room(&self.path)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Room on the disk of a database file.
pub(crate) fn disk_room(path: &Path) -> Option<DiskRoom> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    let used = disk.f_blocks.saturating_sub(disk.f_bfree);
    Some(DiskRoom {
        available_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
        usable_bytes: used.saturating_add(disk.f_bavail).saturating_mul(disk.f_frsize),
    })
}

/// `SQLITE_READONLY`, whatever its reason.
const SQLITE_READONLY: u32 = 8;
/// `SQLITE_FULL`: the disk has no room.
const SQLITE_FULL: u32 = 13;
/// `SQLITE_IOERR` of what only writers do: write, sync, sync of the folder, truncate, delete, and
/// growing the shared memory.
const FAILED_WRITES: [u32; 6] = [778, 1034, 1290, 1546, 2570, 4874];

/// What a driver error means for the caller. A disk that refuses writes is no reason to keep
/// readers away from the store, as the breaker does when it fails.
fn store_error(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.and_then(|code| code.parse::<u32>().ok()) {
        Some(SQLITE_FULL) => StoreError::DiskFull,
        Some(code) if code & 0xff == SQLITE_READONLY || FAILED_WRITES.contains(&code) => {
            StoreError::DiskRefuses(anyhow::Error::new(error))
        }
        _ => StoreError::Failed(anyhow::Error::new(error)),
    }
}
