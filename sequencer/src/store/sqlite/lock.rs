//! One process owns a store: an `flock` on `<database>.lock`.
//!
//! The kernel releases it however the process ends, so a restart after kill -9 is never blocked,
//! and readers such as the sidecar are not locked out as `locking_mode=EXCLUSIVE` would.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Held for the life of the store.
pub(super) struct StoreLock(
    #[expect(dead_code, reason = "the lock lives as long as the file")] File,
);

impl StoreLock {
    /// Takes the lock or says in one sentence why not.
    pub(super) fn acquire(database: &Path) -> anyhow::Result<Self> {
        let path = lock_path(database);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open the lock file {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "the store {} is in use by another process; stop that one first",
                database.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}
