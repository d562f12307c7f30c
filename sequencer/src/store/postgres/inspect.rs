//! What a server says about itself and about whom it lets in, for `sequencer doctor`.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::open::{first_connection, schema};
use super::{PostgresOptions, PostgresStore};
use crate::clock;

/// Longest look in all; single statements end sooner.
const LIMIT: Duration = Duration::from_secs(15);
/// Settings that a check asks about.
const SETTINGS: [&str; 7] = [
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "archive_mode",
    "max_connections",
    "superuser_reserved_connections",
    "reserved_connections",
];

/// One look at a server; what it does not tell, as engines that only speak its protocol, is not
/// there.
#[derive(Debug)]
pub struct Inspection {
    /// The schema's version in the database, and the one that this program knows.
    pub schema: (i64, i64),
    /// Whom the server takes us for.
    pub role: Option<Role>,
    /// Settings as they are for everybody, not as our sessions set them.
    pub settings: HashMap<String, String>,
    /// How far the server's clock is ahead of ours at least, seconds.
    pub clock_skew_seconds: Option<f64>,
}

/// A role and what it may.
#[derive(Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Powers that no sequencer needs and that undo every protection.
    pub is_almighty: bool,
    /// Powers that no sequencer needs.
    pub powers: Vec<&'static str>,
    /// Most connections; negative is no limit.
    pub connection_limit: i32,
}

impl PostgresStore {
    /// Looks at a server without changing anything.
    ///
    /// # Errors
    /// One sentence each: the URL, the transport, the server.
    pub async fn inspect(options: &PostgresOptions) -> anyhow::Result<Inspection> {
        let looking = async {
            let (_, mut connection) = first_connection(options).await?;
            let inspection = Inspection {
                schema: schema(&mut connection).await,
                role: role(&mut connection).await.ok(),
                settings: settings(&mut connection).await.unwrap_or_default(),
                clock_skew_seconds: clock_skew(&mut connection).await.ok(),
            };
            let _ = connection.close().await;
            Ok(inspection)
        };
        tokio::time::timeout(LIMIT, looking).await.context("the database did not answer in time")?
    }
}

async fn role(connection: &mut PgConnection) -> sqlx::Result<Role> {
    let row = sqlx::query(
        "SELECT rolname::text, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
            rolconnlimit FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(connection)
    .await?;
    let mut powers = Vec::new();
    let names = ["superuser", "bypasses row security", "creates roles", "creates databases"];
    for (name, column) in names.into_iter().chain(["replicates"]).zip(1..) {
        if row.try_get::<bool, usize>(column)? {
            powers.push(name);
        }
    }
    let is_almighty = row.try_get(1)? || row.try_get(2)?;
    Ok(Role { name: row.try_get(0)?, is_almighty, powers, connection_limit: row.try_get(6)? })
}

async fn settings(connection: &mut PgConnection) -> sqlx::Result<HashMap<String, String>> {
    let rows: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT name::text, reset_val::text FROM pg_settings WHERE name = ANY($1)")
            .bind(&SETTINGS[..])
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

async fn clock_skew(connection: &mut PgConnection) -> sqlx::Result<f64> {
    let asked = clock::now();
    let theirs: i64 =
        sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8")
            .fetch_one(connection)
            .await?;
    Ok(clock::skew_seconds(theirs, asked, clock::now()))
}
