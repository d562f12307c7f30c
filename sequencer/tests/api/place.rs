//! Where a test's log is: a folder, and a store of the driver that `SEQUENCER_TEST_STORE` names.

use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::postgres::{Postgres, spelled};

/// A folder of one test and its store, which is removed with it.
pub(crate) struct Place {
    folder: TempDir,
    /// The embedded store is a file of the folder, the other one a database of the shared server.
    database: Option<String>,
}

/// A connection to the store that the server does not know of.
pub(crate) enum Behind {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Place {
    /// A place with an empty store of the driver under test.
    pub(crate) async fn new() -> Self {
        match std::env::var("SEQUENCER_TEST_STORE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::embedded(),
            Ok("postgres") => Self::over(Postgres::shared().database().await),
            Ok(other) => panic!("SEQUENCER_TEST_STORE is {other}, not sqlite or postgres"),
        }
    }

    /// A place with the embedded store, whatever driver is under test.
    pub(crate) fn embedded() -> Self {
        Self { folder: TempDir::new().unwrap(), database: None }
    }

    fn over(url: String) -> Self {
        Self { folder: TempDir::new().unwrap(), database: Some(url) }
    }

    pub(crate) fn is_embedded(&self) -> bool {
        self.database.is_none()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The file of the embedded store.
    pub(crate) fn file(&self) -> PathBuf {
        self.path().join("log.db")
    }

    pub(crate) fn database_url(&self) -> String {
        let file = || format!("sqlite://{}", self.file().display());
        self.database.clone().unwrap_or_else(file)
    }

    /// Another place with what is in the store, which nobody may have open.
    pub(crate) async fn copy(&self) -> Self {
        let Some(url) = &self.database else {
            let copy = Self::embedded();
            std::fs::copy(self.file(), copy.file()).unwrap();
            return copy;
        };
        let sound = url.rsplit('/').next().unwrap();
        Self::over(Postgres::shared().copy_of(sound).await)
    }

    /// All that is stored, in the form it has on disk or in a dump.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let Some(url) = &self.database else {
            let wal = std::fs::read(self.file().with_extension("db-wal")).unwrap_or_default();
            return [std::fs::read(self.file()).unwrap(), wal].concat();
        };
        Postgres::shared().dump(url.rsplit('/').next().unwrap())
    }

    /// A connection behind the server's back.
    pub(crate) async fn behind(&self) -> Behind {
        let Some(url) = &self.database else {
            let options = SqliteConnectOptions::new().filename(self.file());
            return Behind::Sqlite(options.connect().await.unwrap());
        };
        let options: PgConnectOptions = url.parse().unwrap();
        Behind::Postgres(options.connect().await.unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(url) = self.database.take() else { return };
        // A few megabytes each: hundreds of them would fill the disk of a small machine.
        Postgres::shared().remove(url.rsplit('/').next().unwrap());
    }
}

impl Behind {
    /// Runs statements in SQLite's words, which [`spelled`] gives the other driver.
    pub(crate) async fn execute(&mut self, sql: &str) {
        self.execute_either(sql, &spelled(sql)).await;
    }

    /// Runs the statements of the driver.
    pub(crate) async fn execute_either(&mut self, sqlite: &str, postgres: &str) {
        let sql = |text: &str| sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        match self {
            Self::Sqlite(connection) => {
                sql(sqlite).execute(connection).await.unwrap();
            }
            Self::Postgres(connection) => {
                sql(postgres).execute(connection).await.unwrap();
            }
        }
    }

    /// The one column that the query of the driver gives, as text.
    pub(crate) async fn texts(&mut self, sqlite: &str, postgres: &str) -> Vec<String> {
        let (sqlite, postgres) = (sqlite.to_owned(), postgres.to_owned());
        let rows = match self {
            Self::Sqlite(connection) => {
                sqlx::query_scalar(AssertSqlSafe(sqlite)).fetch_all(connection).await
            }
            Self::Postgres(connection) => {
                sqlx::query_scalar(AssertSqlSafe(postgres)).fetch_all(connection).await
            }
        };
        rows.unwrap()
    }

    /// Keeps everybody from writing until [`Behind::release`]; reads go on. It waits two seconds.
    pub(crate) async fn hold_writes(&mut self) {
        self.execute_either(
            "PRAGMA busy_timeout = 2000; BEGIN IMMEDIATE",
            "SET lock_timeout = 2000; BEGIN;
             LOCK TABLE streams, commitments, agent_keys, api_keys IN EXCLUSIVE MODE",
        )
        .await;
    }

    /// Lets others write, and keeps what was changed meanwhile.
    pub(crate) async fn release(&mut self) {
        self.execute("COMMIT").await;
    }

    /// Closes the connection; dropping it does not wait.
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(connection) => sqlx::Connection::close(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::Connection::close(connection).await.unwrap(),
        }
    }
}
